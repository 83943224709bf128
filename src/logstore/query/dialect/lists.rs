//! Functions that make lists of numbers, and the one that takes them apart.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::Float64Array;
use arrow_array::builder::Float64Builder;
use arrow_array::builder::ListBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use arrow_schema::Field;
use datafusion::arrow::compute::cast;
use datafusion::common::Result;
use datafusion::common::plan_err;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::ScalarFunctionArgs;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::ScalarUDFImpl;
use datafusion::logical_expr::Signature;
use datafusion::logical_expr::Volatility;

/// All of them.
pub(super) fn functions() -> impl Iterator<Item = ScalarUDF> {
    let compared = [(COMPARED, false), (TS_COMPARED, true)].map(|(name, has_times)| {
        ScalarUDF::from(Compared {
            name,
            has_times,
            signature: Signature::variadic_any(Volatility::Immutable),
        })
    });
    let element = ScalarUDF::from(Subscript {
        signature: Signature::any(2, Volatility::Immutable),
    });
    compared.into_iter().chain([element])
}

/// A value, those it is compared with, its ratio to each of them, and then the
/// times of each where there are any. A ratio to nothing is null, one to 0 is
/// infinite, as in Presto.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Compared {
    name: &'static str,
    has_times: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Compared {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let is_number = |kind: &DataType| kind.is_numeric() || kind.is_null();
        match arguments.iter().all(is_number) {
            true => Ok(DataType::List(Arc::new(item()))),
            false => plan_err!("compare takes numbers, as of count(*) or sum(x)"),
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = call.args.iter().map(|argument| {
            let values = argument.to_array(call.number_rows)?;
            Ok(cast(&values, &DataType::Float64)?
                .as_primitive::<Float64Type>()
                .clone())
        });
        let columns: Vec<Float64Array> = columns.collect::<Result<_>>()?;
        let Some((now, rest)) = columns.split_first() else {
            return plan_err!("compare takes a column and a number of seconds");
        };
        let count = if self.has_times {
            rest.len() / 2
        } else {
            rest.len()
        };
        let (earlier, times) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        let mut lists = ListBuilder::new(Float64Builder::new()).with_field(item());
        for row in 0..call.number_rows {
            let value = |column: &Float64Array| column.is_valid(row).then(|| column.value(row));
            let now = value(now);
            let ratio = |column| now.zip(value(column)).map(|(now, earlier)| now / earlier);
            let values = lists.values();
            values.append_option(now);
            earlier
                .iter()
                .for_each(|column| values.append_option(value(column)));
            earlier
                .iter()
                .for_each(|column| values.append_option(ratio(column)));
            times
                .iter()
                .for_each(|column| values.append_option(value(column)));
            lists.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish())))
    }
}

/// `list[place]`, from 1 on; there is nothing at a place without a value, and a
/// place that is not in the list is refused, as in Presto.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Subscript {
    signature: Signature,
}

impl ScalarUDFImpl for Subscript {
    fn name(&self) -> &'static str {
        SUBSCRIPT
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::List(item), place]
                if *item.data_type() == DataType::Float64 && place.is_integer() =>
            {
                Ok(DataType::Float64)
            }
            _ => plan_err!("a place in brackets is one of what compare gives, as in diff[1]"),
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [lists, places] = call.args.as_slice() else {
            return plan_err!("a place in brackets stands behind a list");
        };
        let lists = lists.to_array(call.number_rows)?;
        let places = cast(&places.to_array(call.number_rows)?, &DataType::Int64)?;
        let places = places.as_primitive::<Int64Type>().iter();
        let Some(lists) = lists.as_list_opt::<i32>() else {
            return plan_err!("a place in brackets stands behind a list");
        };
        let values = lists.iter().zip(places).map(|(list, place)| {
            let (Some(list), Some(place)) = (list, place) else {
                return Ok(None);
            };
            let list = list.as_primitive::<Float64Type>();
            let index = usize::try_from(place)
                .ok()
                .and_then(|place| place.checked_sub(1));
            match index.filter(|index| *index < list.len()) {
                Some(index) => Ok(list.is_valid(index).then(|| list.value(index))),
                None => plan_err!("there is no [{place}] in a list of {}", list.len()),
            }
        });
        let values: Float64Array = values.collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(values)))
    }
}

fn item() -> Field {
    Field::new_list_field(DataType::Float64, true)
}

pub(super) const COMPARED: &str = "compared";
pub(super) const TS_COMPARED: &str = "ts_compared";
pub(super) const SUBSCRIPT: &str = "subscript";
