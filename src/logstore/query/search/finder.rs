//! `finds(value, ...)`: whether any of its texts is what a search looks for.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::ArrayRef;
use arrow_array::BinaryArray;
use arrow_array::BooleanArray;
use arrow_array::MapArray;
use arrow_array::StringArray;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::or;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::ScalarFunctionArgs;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::ScalarUDFImpl;
use datafusion::logical_expr::Signature;
use datafusion::logical_expr::Volatility;

use super::tokens::Matcher;
use crate::logstore::query::answer::octets_as_text;

/// True where `matcher` finds any of `values`, each a text, a number or a map
/// of octets; false, never null, elsewhere.
pub(super) fn finds(searched: Vec<(Expr, Matcher)>) -> Expr {
    let (values, matchers): (Vec<_>, Vec<_>) = searched.into_iter().unzip();
    let function = ScalarUDF::from(Finder {
        matchers,
        signature: Signature::variadic_any(Volatility::Immutable),
    });
    function.call(values)
}

/// A function that carries what it looks for in each argument.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Finder {
    matchers: Vec<Matcher>,
    signature: Signature,
}

impl ScalarUDFImpl for Finder {
    fn name(&self) -> &'static str {
        "finds"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut found = BooleanArray::from(vec![false; call.number_rows]);
        for (value, matcher) in call.args.iter().zip(&self.matchers) {
            let value = value.to_array(call.number_rows)?;
            found = or(&found, &rows(matcher, &value)?)?;
        }
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

fn rows(matcher: &Matcher, values: &ArrayRef) -> Result<BooleanArray> {
    if let Some(map) = values.as_map_opt() {
        return entries(matcher, map);
    }
    // Once for each distinct text.
    if let Some(dictionary) = values.as_any_dictionary_opt() {
        let distinct = rows(matcher, dictionary.values())?;
        let keys = dictionary.normalized_keys().into_iter().enumerate();
        let found =
            keys.map(|(row, key)| Some(dictionary.keys().is_valid(row) && distinct.value(key)));
        return Ok(found.collect());
    }
    let texts = cast(values, &DataType::Utf8)?;
    let texts: &StringArray = texts.as_string();
    let found = texts
        .iter()
        .map(|text| Some(text.is_some_and(|text| matcher.finds(text))));
    Ok(found.collect())
}

/// Whether any value of a row's map is found.
fn entries(matcher: &Matcher, map: &MapArray) -> Result<BooleanArray> {
    let values = cast(map.values(), &DataType::Binary)?;
    let values: &BinaryArray = values.as_binary();
    let ranges = map.offsets().iter().zip(map.offsets().iter().skip(1));
    let found = ranges.enumerate().map(|(row, (start, end))| {
        let range = usize::try_from(*start).unwrap_or(0)..usize::try_from(*end).unwrap_or(0);
        let mut entries = range.filter(|&entry| map.is_valid(row) && values.is_valid(entry));
        Some(entries.any(|entry| matcher.finds(&octets_as_text(values.value(entry)))))
    });
    Ok(found.collect())
}
