//! `element(rest, 'name')`: the value of an element that has no column.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::BinaryArray;
use arrow_array::MapArray;
use arrow_array::StringArray;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::common::Result;
use datafusion::common::plan_err;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::ScalarFunctionArgs;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::ScalarUDFImpl;
use datafusion::logical_expr::Signature;
use datafusion::logical_expr::Volatility;

use super::answer::octets_as_text;

/// The function, to be registered with a session.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Element {
        signature: Signature::any(2, Volatility::Immutable),
    })
}

/// Its first argument is a map column, its second a literal; the answer is
/// text, written as in answers, and null where the row has no such element.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Element {
    signature: Signature,
}

impl ScalarUDFImpl for Element {
    fn name(&self) -> &'static str {
        "element"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.first() {
            Some(DataType::Map(_, _)) => Ok(DataType::Utf8),
            Some(_) | None => plan_err!("element takes a map such as the column rest, and a name"),
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [map, name] = call.args.as_slice() else {
            return plan_err!("element takes a map and a name");
        };
        let name = match name {
            ColumnarValue::Scalar(scalar) => scalar.try_as_str().flatten(),
            ColumnarValue::Array(_) => None,
        };
        let Some(name) = name else {
            return plan_err!("the name of an element must be a text such as 'interfaceName'");
        };
        let map = map.to_array(call.number_rows)?;
        let Some(map) = map.as_map_opt() else {
            return plan_err!("element takes a map such as the column rest");
        };
        Ok(ColumnarValue::Array(Arc::new(pick(map, name)?)))
    }
}

/// The first value of `name` in each row.
fn pick(map: &MapArray, name: &str) -> Result<StringArray> {
    let keys = cast(map.keys(), &DataType::Utf8)?;
    let keys: &StringArray = keys.as_string();
    let values = cast(map.values(), &DataType::Binary)?;
    let values: &BinaryArray = values.as_binary();
    let ends = map.offsets().iter().skip(1);
    let ranges = map.offsets().iter().zip(ends);
    let value = |(row, (start, end)): (usize, (&i32, &i32))| {
        if map.is_null(row) {
            return None;
        }
        let mut entries = usize::try_from(*start).ok()?..usize::try_from(*end).ok()?;
        let entry = entries.find(|&entry| keys.is_valid(entry) && keys.value(entry) == name)?;
        values
            .is_valid(entry)
            .then(|| octets_as_text(values.value(entry)))
    };
    Ok(ranges.enumerate().map(value).collect())
}
