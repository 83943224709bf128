//! The dialect's own functions that take times: seconds since 1970, the
//! engine's timestamps, or text.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::ArrayRef;
use arrow_array::Float64Array;
use arrow_array::StringArray;
use arrow_array::TimestampMillisecondArray;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::types::Int64Type;
use arrow_array::types::TimestampMillisecondType;
use arrow_schema::DataType;
use arrow_schema::TimeUnit;
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
use datafusion::logical_expr::lit;

use super::clock;

/// Those with a name in SQL.
pub(super) fn functions() -> impl Iterator<Item = ScalarUDF> {
    ALL.iter()
        .map(|(name, what, count)| function(name, *what, *count))
}

/// A timestamp as SLS writes it in answers.
pub(in crate::logstore::query) fn shown(time: Expr) -> Expr {
    function("date_format", What::Format, 2).call(vec![time, lit("%Y-%m-%d %H:%i:%s.%L")])
}

fn function(name: &'static str, what: What, count: usize) -> ScalarUDF {
    ScalarUDF::from(OfTimes {
        name,
        what,
        signature: Signature::any(count, Volatility::Immutable),
    })
}

#[derive(Debug, Eq, Hash, PartialEq)]
struct OfTimes {
    name: &'static str,
    what: What,
    signature: Signature,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum What {
    FromSeconds,
    ToSeconds,
    Format,
    Series,
}

impl ScalarUDFImpl for OfTimes {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.what {
            What::FromSeconds => timestamp(),
            What::ToSeconds => DataType::Float64,
            What::Format | What::Series => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [time, rest @ ..] = call.args.as_slice() else {
            return plan_err!("{} takes a time", self.name);
        };
        let times = milliseconds(&time.to_array(call.number_rows)?)?;
        let text = |index: usize| match rest.get(index) {
            Some(ColumnarValue::Scalar(text)) => text.try_as_str().flatten(),
            Some(ColumnarValue::Array(_)) | None => None,
        };
        let answer: ArrayRef = match self.what {
            What::FromSeconds => Arc::new(times),
            What::ToSeconds => {
                let seconds = times.iter().map(|ms| Some(float(ms?) / 1000.0));
                Arc::new(seconds.collect::<Float64Array>())
            }
            What::Format => {
                let Some(format) = text(0).filter(|format| format.len() <= FORMAT_MAX) else {
                    return plan_err!("the format of date_format must be a text such as '%H:%i'");
                };
                let texts = times.iter().map(|ms| clock::format(ms?, format));
                Arc::new(texts.collect::<StringArray>())
            }
            What::Series => {
                let window = text(0).and_then(clock::window);
                let format = text(1).filter(|format| format.len() <= FORMAT_MAX);
                let Some((window, format)) = window.zip(format) else {
                    return plan_err!(
                        "time_series is written time_series(__time__, '1m', '%H:%i', '0')"
                    );
                };
                let texts = times.iter().map(|ms| label(ms?, window, format));
                Arc::new(texts.collect::<StringArray>())
            }
        };
        Ok(ColumnarValue::Array(answer))
    }
}

/// The start of the window that a time is in, as text.
pub(super) fn label(ms: i64, window_s: i64, format: &str) -> Option<String> {
    let seconds = ms.div_euclid(1000);
    let start = seconds.checked_sub(seconds.checked_rem_euclid(window_s)?)?;
    clock::format(start.checked_mul(1000)?, format)
}

/// Milliseconds since 1970 of numbers of seconds, timestamps or texts.
fn milliseconds(values: &ArrayRef) -> Result<TimestampMillisecondArray> {
    if values.data_type().is_integer() {
        let seconds = cast(values, &DataType::Int64)?;
        let seconds = seconds.as_primitive::<Int64Type>().iter();
        return Ok(seconds.map(|seconds| seconds?.checked_mul(1000)).collect());
    }
    if values.data_type().is_floating() || values.data_type().is_decimal() {
        let seconds = cast(values, &DataType::Float64)?;
        let seconds = seconds.as_primitive::<Float64Type>().iter();
        let ms: Float64Array = seconds
            .map(|seconds| Some((seconds? * 1000.0).round()))
            .collect();
        let ms = cast(&ms, &DataType::Int64)?;
        return Ok(ms.as_primitive::<Int64Type>().iter().collect());
    }
    let times = cast(values, &timestamp())?;
    Ok(times.as_primitive::<TimestampMillisecondType>().clone())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "SLS's own answer is a double, exact for the next 280,000 years"
)]
fn float(ms: i64) -> f64 {
    ms as f64
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, None)
}

/// Names, what they are, and how many arguments they have.
const ALL: [(&str, What, usize); 4] = [
    ("from_unixtime", What::FromSeconds, 1),
    ("to_unixtime", What::ToSeconds, 1),
    ("date_format", What::Format, 2),
    ("time_series", What::Series, 4),
];
/// Octets of a format; each sign of it may become nine.
const FORMAT_MAX: usize = 256;
