//! Columns of a logstore: what the store adds to a row, then what the row brings.

use std::ops::Range;
use std::sync::Arc;
use std::sync::LazyLock;

use arrow_array::Array;
use arrow_array::ArrayRef;
use arrow_array::Int64Array;
use arrow_array::RecordBatch;
use arrow_array::RecordBatchOptions;
use arrow_array::TimestampMillisecondArray;
use arrow_array::UInt32Array;
use arrow_array::UInt64Array;
use arrow_array::cast::AsArray;
use arrow_array::new_null_array;
use arrow_array::types::Int64Type;
use arrow_array::types::TimestampMillisecondType;
use arrow_schema::ArrowError;
use arrow_schema::DataType;
use arrow_schema::Field;
use arrow_schema::FieldRef;
use arrow_schema::Schema;
use arrow_schema::SchemaRef;
use datafusion::arrow::compute::cast;
use thiserror::Error;

use super::flows::END;
use super::flows::flow_fields;
use super::flows::timestamp;
use super::own::own_fields;
use crate::flow;

/// Version of the columns, the store's own and those of flows. A newer one may
/// only add columns; a column never changes its type, so that any version
/// reads all older ones.
///
/// 2 added `__receive_time__` and `tags`.
pub const SCHEMA_VERSION: u32 = 2;

/// Number of a row, rising within its logstore: the cursor of PullLogs.
pub(super) const SEQ: &str = "seq";
/// Log time: flow end in whole seconds since 1970, clamped around arrival.
pub(super) const TIME: &str = "__time__";
/// Nanoseconds after [`TIME`].
pub(super) const TIME_NS_PART: &str = "__time_ns_part__";
/// Topic of a log group; null if empty, and for flows.
pub(super) const TOPIC: &str = "__topic__";
/// Source of a log group; null if empty, and for flows.
pub(super) const SOURCE: &str = "__source__";
/// Arrival, whole seconds since 1970; null in parts of version 1.
pub(super) const RECEIVE_TIME: &str = "__receive_time__";
/// Input records a flow stands for; of flows never null.
pub(super) const RECORDS: &str = "records";
/// Tags of a log group by name; null for flows.
pub(super) const TAGS: &str = "tags";

/// Columns as queries see them: every one the schema version knows, text as
/// views, which is what the engine groups and compares fastest.
pub(super) fn table_schema() -> &'static SchemaRef {
    static TABLE: LazyLock<SchemaRef> = LazyLock::new(|| {
        let text = |field: &FieldRef| match is_text(field.data_type()) {
            true => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
            false => Arc::clone(field),
        };
        Arc::new(Schema::new(
            own_fields()
                .iter()
                .chain(flow_fields())
                .map(text)
                .collect::<Vec<_>>(),
        ))
    });
    &TABLE
}

/// All columns that any of `schemas` has, in the order of the table, each as
/// the first schema with it has it.
pub(super) fn union(schemas: &[SchemaRef]) -> SchemaRef {
    let first = |field: &FieldRef| {
        let column = |schema: &SchemaRef| {
            schema
                .column_with_name(field.name())
                .map(|(index, _)| index)
        };
        let found = schemas
            .iter()
            .find_map(|schema| schema.fields().get(column(schema)?));
        found.cloned()
    };
    Arc::new(Schema::new(
        table_schema()
            .fields()
            .iter()
            .filter_map(first)
            .collect::<Vec<_>>(),
    ))
}

/// `batch` with exactly the columns of `schema`: cast where it differs, null
/// where `batch` has none.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &FieldRef| match batch.column_by_name(field.name()) {
        Some(column) => as_field(column, field),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    };
    let columns = schema
        .fields()
        .iter()
        .map(column)
        .collect::<Result<Vec<_>, _>>()?;
    // A count(*) asks for no column at all; the rows still count.
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows)
}

/// Rows made ready for the tail.
#[derive(Clone, Debug)]
pub(super) struct Stamped {
    /// Own columns first, then those the rows brought.
    pub(super) batch: RecordBatch,
    /// [`SEQ`] of the first and of the last row.
    pub(super) seqs: (u64, u64),
    /// Lowest and highest [`TIME`].
    pub(super) times: (i64, i64),
}

/// Puts the store's columns in front of `rows`, of which there is at least one.
/// Numbers beyond 64 bits make them unfit. Rows that do not bring their log
/// time have that of flows.
pub(super) fn stamp(
    rows: &RecordBatch,
    first_seq: u64,
    arrival_ms: u64,
) -> Result<Stamped, SchemaError> {
    let mut names = rows.schema_ref().fields().iter().map(|field| field.name());
    if let Some(name) = names.find(|name| !may_come(name)) {
        return Err(SchemaError::Unknown(name.clone()));
    }
    let count = u64::try_from(rows.num_rows()).unwrap_or(u64::MAX);
    let end_seq = first_seq.saturating_add(count);
    let own = own_columns(rows, first_seq..end_seq, arrival_ms)?;
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for field in own_fields().iter().chain(flow_fields()) {
        let own = own.iter().find(|(name, _)| name == field.name());
        let own = own.map(|(_, column)| column);
        if let Some(column) = own.or_else(|| rows.column_by_name(field.name())) {
            columns.push(as_field(column, field)?);
            fields.push(Arc::clone(field));
        }
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    Ok(Stamped {
        seqs: (first_seq, end_seq.saturating_sub(1)),
        times: times(&batch),
        batch,
    })
}

/// Whether rows may bring such a column; the journal's own is passed over.
fn may_come(name: &str) -> bool {
    if name == flow::SERIAL {
        return true;
    }
    let mut known = own_fields().iter().chain(flow_fields());
    ![SEQ, RECEIVE_TIME].contains(&name) && known.any(|field| field.name() == name)
}

/// Columns that the rows do not bring.
fn own_columns(
    rows: &RecordBatch,
    seqs: Range<u64>,
    arrival_ms: u64,
) -> Result<Vec<(&'static str, ArrayRef)>, ArrowError> {
    let arrival_s = i64::try_from(arrival_ms / 1000).unwrap_or(i64::MAX);
    let received = Int64Array::from_value(arrival_s, rows.num_rows());
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        (SEQ, Arc::new(UInt64Array::from_iter_values(seqs))),
        (RECEIVE_TIME, Arc::new(received)),
    ];
    let brings = |name: &str| rows.column_by_name(name).is_some();
    if !(brings(TIME) && brings(TIME_NS_PART)) {
        let (seconds, nanoseconds) = log_times(rows, arrival_ms)?;
        columns.push((TIME, Arc::new(Int64Array::from(seconds))));
        columns.push((TIME_NS_PART, Arc::new(UInt32Array::from(nanoseconds))));
    }
    Ok(columns)
}

/// The column as the schema has it.
fn as_field(column: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    match column.data_type() == field.data_type() {
        true => Ok(Arc::clone(column)),
        false => cast(column, field.data_type()),
    }
}

/// Lowest and highest log time.
fn times(batch: &RecordBatch) -> (i64, i64) {
    let seconds = batch.column_by_name(TIME);
    let seconds = seconds.and_then(|column| column.as_primitive_opt::<Int64Type>());
    let seconds = seconds.map_or(&[][..], |seconds| seconds.values());
    let lowest = seconds.iter().copied().min();
    let highest = seconds.iter().copied().max();
    (lowest.unwrap_or(0), highest.unwrap_or(0))
}

/// Rows that are not of this schema: a fault of ours, not of a sender.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// The schema has no such column.
    #[error("column {0:?} is not in schema version {SCHEMA_VERSION}")]
    Unknown(String),
    /// A column could not be made what the schema says.
    #[error("columns do not fit schema version {SCHEMA_VERSION}: {0}")]
    Unfit(#[from] ArrowError),
}

/// Whole seconds and nanoseconds of each row's log time.
fn log_times(rows: &RecordBatch, arrival_ms: u64) -> Result<(Vec<i64>, Vec<u32>), ArrowError> {
    let arrival = i64::try_from(arrival_ms).unwrap_or(i64::MAX);
    let range =
        arrival.saturating_sub(BEFORE_ARRIVAL_MS)..=arrival.saturating_add(AFTER_ARRIVAL_MS);
    let split = |end: Option<i64>| {
        let ms = end.unwrap_or(arrival).clamp(*range.start(), *range.end());
        let nanoseconds = u32::try_from(ms.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
        (ms.div_euclid(1000), nanoseconds)
    };
    let Some(end) = rows.column_by_name(END) else {
        return Ok((0..rows.num_rows()).map(|_| split(None)).unzip());
    };
    let end = cast(end, &timestamp())?;
    let end: &TimestampMillisecondArray = end.as_primitive::<TimestampMillisecondType>();
    Ok(end.iter().map(split).unzip())
}

/// Whether a column holds text, in whatever form.
pub(super) fn is_text(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Utf8 | DataType::Utf8View | DataType::Dictionary(_, _)
    )
}

/// Memory that [`stamp`] adds to each row: two numbers and two times.
pub(super) const ROW_BYTES: usize = 8 + 8 + 8 + 4;
/// How far before its arrival a row may be dated: what SLS takes.
const BEFORE_ARRIVAL_MS: i64 = 7 * 24 * 3600 * 1000;
/// How far after its arrival a row may be dated: what SLS takes.
const AFTER_ARRIVAL_MS: i64 = 15 * 60 * 1000;
