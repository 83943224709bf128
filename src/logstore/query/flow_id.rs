//! `flow-id` of each row, made of its number.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::StringArray;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_schema::DataType;
use datafusion::common::Result;
use datafusion::common::plan_err;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::ScalarFunctionArgs;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::ScalarUDFImpl;
use datafusion::logical_expr::Signature;
use datafusion::logical_expr::Volatility;

use crate::logstore::numbering::Numbering;

/// The `flow-id` of a row with number `seq`, if it stands for `records`, as
/// flows do, and brought no id of its `own`; else null.
pub(super) fn flow_id(numbering: Arc<Numbering>, seq: Expr, records: Expr, own: Expr) -> Expr {
    let function = ScalarUDF::from(FlowId {
        numbering,
        signature: Signature::any(3, Volatility::Immutable),
    });
    function.call(vec![seq, records, own])
}

/// A function that carries what it must know of the logstore.
#[derive(Debug, Eq, Hash, PartialEq)]
struct FlowId {
    numbering: Arc<Numbering>,
    signature: Signature,
}

impl ScalarUDFImpl for FlowId {
    fn name(&self) -> &'static str {
        "flow_id"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [seq, records, own] = call.args.as_slice() else {
            return plan_err!("flow_id takes a number, records and an id");
        };
        let seq = seq.to_array(call.number_rows)?;
        let Some(seq) = seq.as_primitive_opt::<UInt64Type>() else {
            return plan_err!("flow_id takes a number");
        };
        let (records, own) = (
            records.to_array(call.number_rows)?,
            own.to_array(call.number_rows)?,
        );
        let id = |(row, seq): (usize, Option<u64>)| {
            let needs_id = records.is_valid(row) && own.is_null(row);
            seq.filter(|_| needs_id)
                .and_then(|seq| self.numbering.flow_id(seq))
        };
        let ids = seq.iter().enumerate().map(id);
        Ok(ColumnarValue::Array(Arc::new(ids.collect::<StringArray>())))
    }
}
