//! `step(time)`: in which step of a histogram a time is.

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_array::UInt64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::common::Result;
use datafusion::common::plan_err;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::ScalarFunctionArgs;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::ScalarUDFImpl;
use datafusion::logical_expr::Signature;
use datafusion::logical_expr::Volatility;

/// Number, from 0 on, of the last of the steps that begins at `time` or
/// before; 0 before the first. The beginnings are ascending.
pub(super) fn step(begins: Arc<[i64]>, time: Expr) -> Expr {
    let function = ScalarUDF::from(Step {
        begins,
        signature: Signature::any(1, Volatility::Immutable),
    });
    function.call(vec![time])
}

/// A function that carries the beginnings of its steps.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Step {
    begins: Arc<[i64]>,
    signature: Signature,
}

impl ScalarUDFImpl for Step {
    fn name(&self) -> &'static str {
        "step"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [time] = call.args.as_slice() else {
            return plan_err!("step takes a time");
        };
        let times = cast(&time.to_array(call.number_rows)?, &DataType::Int64)?;
        let times: &Int64Array = times.as_primitive::<Int64Type>();
        let of = |time: i64| self.begins.partition_point(|begin| *begin <= time);
        let steps = times.iter().map(|time| {
            let step = of(time?).saturating_sub(1);
            u64::try_from(step).ok()
        });
        Ok(ColumnarValue::Array(Arc::new(
            steps.collect::<UInt64Array>(),
        )))
    }
}
