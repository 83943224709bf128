//! Rows as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use arrow_array::Array;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::types::Float64Type;
use arrow_array::types::Int64Type;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::types::UInt64Type;
use arrow_schema::ArrowError;
use arrow_schema::DataType;
use arrow_schema::SchemaRef;
use arrow_schema::TimeUnit;
use datafusion::arrow::compute::cast;
use datafusion::arrow::util::display::ArrayFormatter;
use datafusion::arrow::util::display::FormatOptions;
use datafusion::common::DataFusionError;
use serde_json::Map;
use serde_json::Value;

use super::QueryError;

/// What a question is answered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Names and types of the columns.
    pub columns: Vec<Column>,
    /// Rows, with a value for each column.
    ///
    /// Integers are JSON numbers up to 2^64 - 1, timestamps RFC 3339 text in
    /// UTC with milliseconds, octets text or, where they are not UTF-8, `0x…`;
    /// null is what SQL says is null, and what JSON cannot say (NaN).
    pub rows: Vec<Vec<Value>>,
    /// There were more rows than asked for.
    pub truncated: bool,
    /// Rows read from parts and tails, those left out by statistics not included.
    pub scanned_rows: u64,
    /// From the turn to the last row.
    pub elapsed: Duration,
}

/// A column of an [`Answer`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Column {
    /// Name, as the question gave it.
    pub name: String,
    /// `boolean`, `integer`, `number`, `text`, `timestamp`, `object`, `array` or `null`.
    pub kind: &'static str,
}

impl Answer {
    pub(super) fn new(
        schema: &SchemaRef,
        batches: &[RecordBatch],
        truncated: bool,
        scanned_rows: u64,
        elapsed: Duration,
    ) -> Result<Self, QueryError> {
        let columns = schema.fields().iter().map(|field| Column {
            name: field.name().clone(),
            kind: kind(field.data_type()),
        });
        let mut rows = Vec::new();
        for batch in batches {
            let from = rows.len();
            rows.resize_with(from + batch.num_rows(), || {
                Vec::with_capacity(batch.num_columns())
            });
            for column in batch.columns() {
                let values = values(column).map_err(DataFusionError::from)?;
                for (row, value) in rows.iter_mut().skip(from).zip(values) {
                    row.push(value);
                }
            }
        }
        Ok(Self {
            columns: columns.collect(),
            rows,
            truncated,
            scanned_rows,
            elapsed,
        })
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Arrow's types are many; the rest is written as text"
)]
fn kind(kind: &DataType) -> &'static str {
    match kind {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        kind if kind.is_integer() => "integer",
        kind if is_whole_decimal(kind) => "integer",
        kind if kind.is_floating() || kind.is_decimal() => "number",
        DataType::Timestamp(_, _) => "timestamp",
        DataType::Map(_, _) | DataType::Struct(_) => "object",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => "array",
        _ => "text",
    }
}

/// A column's values, one for each row.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Arrow's types are many; the rest is written as text"
)]
fn values(column: &dyn Array) -> Result<Vec<Value>, ArrowError> {
    match column.data_type() {
        DataType::Null => Ok(vec![Value::Null; column.len()]),
        DataType::Boolean => Ok(column.as_boolean().iter().map(Value::from).collect()),
        kind if kind.is_unsigned_integer() => {
            let column = cast(column, &DataType::UInt64)?;
            Ok(column
                .as_primitive::<UInt64Type>()
                .iter()
                .map(Value::from)
                .collect())
        }
        kind if kind.is_integer() => {
            let column = cast(column, &DataType::Int64)?;
            Ok(column
                .as_primitive::<Int64Type>()
                .iter()
                .map(Value::from)
                .collect())
        }
        kind if is_whole_decimal(kind) => whole_decimals(column),
        kind if kind.is_floating() || kind.is_decimal() => {
            let column = cast(column, &DataType::Float64)?;
            Ok(column
                .as_primitive::<Float64Type>()
                .iter()
                .map(Value::from)
                .collect())
        }
        DataType::Timestamp(_, _) => timestamps(column),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => {
            let column = cast(column, &DataType::Binary)?;
            let text = |octets: Option<&[u8]>| {
                octets.map_or(Value::Null, |octets| octets_as_text(octets).into())
            };
            Ok(column.as_binary::<i32>().iter().map(text).collect())
        }
        DataType::Map(_, _) => objects(column),
        DataType::Struct(_) => structures(column),
        DataType::List(_) => column.as_list::<i32>().iter().map(array).collect(),
        DataType::Dictionary(_, value) => values(&cast(column, value)?),
        _ => texts(column),
    }
}

/// What the engine makes of an unsigned column times a signed number.
fn is_whole_decimal(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Decimal128(_, 0) | DataType::Decimal256(_, 0)
    )
}

/// Exact as long as they fit into 64 bits, near enough beyond.
fn whole_decimals(column: &dyn Array) -> Result<Vec<Value>, ArrowError> {
    let whole = cast(column, &DataType::Decimal128(38, 0))?;
    let near = cast(column, &DataType::Float64)?;
    let near = near.as_primitive::<Float64Type>();
    let value = |(row, value): (usize, Option<i128>)| match value {
        None => Value::Null,
        Some(value) => u64::try_from(value)
            .map(Value::from)
            .or_else(|_| i64::try_from(value).map(Value::from))
            .unwrap_or_else(|_| Value::from(near.value(row))),
    };
    Ok(whole
        .as_primitive::<Decimal128Type>()
        .iter()
        .enumerate()
        .map(value)
        .collect())
}

fn timestamps(column: &dyn Array) -> Result<Vec<Value>, ArrowError> {
    let column = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
    let text = |ms: i64| match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => Value::from(format!("{time:.3}")),
        Err(_) => Value::from(ms),
    };
    let column = column.as_primitive::<TimestampMillisecondType>();
    Ok(column
        .iter()
        .map(|ms| ms.map_or(Value::Null, text))
        .collect())
}

/// Octets as they are if they are UTF-8, else `0x` and two digits each.
pub(in crate::logstore) fn octets_as_text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().fold("0x".to_owned(), |mut text, octet| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{octet:02x}");
            text
        }),
    }
}

fn objects(column: &dyn Array) -> Result<Vec<Value>, ArrowError> {
    let object = |entries: Option<arrow_array::StructArray>| {
        let Some(entries) = entries else {
            return Ok(Value::Null);
        };
        let [names, contents] = entries.columns() else {
            return Ok(Value::Null);
        };
        let pairs = texts(names)?.into_iter().zip(values(contents)?);
        let object: Map<String, Value> = pairs
            .map(|(name, value)| (name.as_str().unwrap_or_default().to_owned(), value))
            .collect();
        Ok(Value::Object(object))
    };
    column.as_map().iter().map(object).collect()
}

fn structures(column: &dyn Array) -> Result<Vec<Value>, ArrowError> {
    let mut rows = vec![Map::new(); column.len()];
    let column = column.as_struct();
    for (field, child) in column.fields().iter().zip(column.columns()) {
        for (row, value) in rows.iter_mut().zip(values(child)?) {
            row.insert(field.name().clone(), value);
        }
    }
    Ok(rows.into_iter().map(Value::Object).collect())
}

fn array(items: Option<arrow_array::ArrayRef>) -> Result<Value, ArrowError> {
    match items {
        Some(items) => Ok(Value::Array(values(&items)?)),
        None => Ok(Value::Null),
    }
}

fn texts(column: &dyn Array) -> Result<Vec<Value>, ArrowError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let text = |row: usize| match column.is_null(row) {
        true => Ok(Value::Null),
        false => formatter.value(row).try_to_string().map(Value::from),
    };
    (0..column.len()).map(text).collect()
}
