//! A row as SLS shows a log.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::ArrayRef;
use arrow_array::BinaryArray;
use arrow_array::Float64Array;
use arrow_array::MapArray;
use arrow_array::RecordBatch;
use arrow_array::StringArray;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::types::Int64Type;
use arrow_array::types::UInt64Type;
use arrow_schema::ArrowError;
use arrow_schema::DataType;
use arrow_schema::TimeUnit;
use datafusion::arrow::compute::cast;

use crate::logstore::flows::END;
use crate::logstore::numbering::FLOW_ID;
use crate::logstore::numbering::Numbering;
use crate::logstore::query::octets_as_text;
use crate::logstore::schema::RECEIVE_TIME;
use crate::logstore::schema::RECORDS;
use crate::logstore::schema::SEQ;
use crate::logstore::schema::SOURCE;
use crate::logstore::schema::TAGS;
use crate::logstore::schema::TIME;
use crate::logstore::schema::TIME_NS_PART;
use crate::logstore::schema::TOPIC;

/// A log with its fields as SLS shows them: as `docs/schema.md` says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Row {
    /// Its number.
    pub seq: u64,
    /// Log time, Unix seconds.
    pub time_s: i64,
    /// Nanoseconds after it.
    pub time_ns: u32,
    /// When it came, Unix seconds; none where its part does not tell.
    pub received_s: Option<i64>,
    /// Topic of its log group; empty for flows.
    pub topic: String,
    /// Source of its log group; empty for flows.
    pub source: String,
    /// Tags of its log group, in their order.
    pub tags: Vec<(String, String)>,
    /// Names and values of what it has, in the order of the columns. What a
    /// log brought has the octets it came with.
    pub fields: Vec<(String, Vec<u8>)>,
}

/// The rows of a batch of the store's columns, whichever of them it has; flows
/// with the id that `numbering` gives them.
pub(super) fn rows(batch: &RecordBatch, numbering: &Numbering) -> Result<Vec<Row>, ArrowError> {
    let mut rows = vec![Row::default(); batch.num_rows()];
    // Of flows every row says how many records it stands for.
    let records = batch.column_by_name(RECORDS);
    let is_flow = |row: usize| records.is_some_and(|records| records.is_valid(row));
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let each = rows.iter_mut().enumerate();
        match (field.name().as_str(), column.data_type()) {
            (SEQ, _) => {
                let numbers = column.as_primitive_opt::<UInt64Type>();
                let numbers = numbers.ok_or_else(|| unfit(SEQ))?;
                each.for_each(|(index, row)| row.seq = numbers.value(index));
            }
            (name @ (TIME | TIME_NS_PART | RECEIVE_TIME), _) => {
                let numbers = cast(column, &DataType::Int64)?;
                let numbers = numbers.as_primitive_opt::<Int64Type>();
                let numbers = numbers.ok_or_else(|| unfit(name))?;
                let valid = each.filter(|(index, _)| numbers.is_valid(*index));
                valid.for_each(|(index, row)| row.set_time(name, numbers.value(index)));
            }
            (TAGS, _) => {
                let tags = Entries::new(column)?;
                for (index, row) in each {
                    let texts = tags
                        .of(index)
                        .map(|(name, value)| (name, octets_as_text(&value)));
                    row.tags = texts.collect();
                }
            }
            (_, DataType::Map(_, _)) => {
                let rest = Entries::new(column)?;
                for (index, row) in each {
                    let shown = rest.of(index).map(|(name, value)| match is_flow(index) {
                        true => (name, octets_as_text(&value).into_bytes()),
                        false => (name, value),
                    });
                    row.fields.extend(shown);
                }
            }
            (name, _) => {
                let texts = texts(name, column)?;
                let valid = each.filter(|(index, _)| texts.is_valid(*index));
                valid.for_each(|(index, row)| row.set_text(name, texts.value(index)));
            }
        }
    }
    let flows = rows.iter_mut().enumerate();
    let flows = flows.filter(|(index, _)| is_flow(*index));
    flows.for_each(|(_, row)| row.set_id(numbering));
    Ok(rows)
}

impl Row {
    /// Where it brought none.
    fn set_id(&mut self, numbering: &Numbering) {
        if self.fields.iter().all(|(name, _)| name != FLOW_ID)
            && let Some(id) = numbering.flow_id(self.seq)
        {
            self.fields.push((FLOW_ID.to_owned(), id.into_bytes()));
        }
    }

    fn set_time(&mut self, column: &str, value: i64) {
        match column {
            TIME => self.time_s = value,
            RECEIVE_TIME => self.received_s = Some(value),
            _ => self.time_ns = u32::try_from(value).unwrap_or(0),
        }
    }

    fn set_text(&mut self, column: &str, value: &str) {
        match column {
            TOPIC => value.clone_into(&mut self.topic),
            SOURCE => value.clone_into(&mut self.source),
            name => self
                .fields
                .push((name.to_owned(), value.as_bytes().to_owned())),
        }
    }
}

/// A column's values as SLS writes them.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Arrow's types are many; the rest is written as it is"
)]
fn texts(name: &str, column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let texts = match column.data_type() {
        DataType::Timestamp(_, _) => {
            let kind = DataType::Timestamp(TimeUnit::Millisecond, None);
            let ms = cast(&cast(column, &kind)?, &DataType::Int64)?;
            let ms = ms.as_primitive_opt::<Int64Type>();
            let ms = ms.ok_or_else(|| unfit(name))?;
            let up = if name == END { 999 } else { 0 };
            let seconds = ms.unary::<_, Int64Type>(|ms| ms.saturating_add(up).div_euclid(1000));
            cast(&(Arc::new(seconds) as ArrayRef), &DataType::Utf8)?
        }
        DataType::Float64 => {
            let numbers: &Float64Array = column.as_primitive::<Float64Type>();
            let texts = numbers.iter().map(|number| Some(number?.to_string()));
            Arc::new(texts.collect::<StringArray>()) as ArrayRef
        }
        _ => cast(column, &DataType::Utf8)?,
    };
    texts
        .as_string_opt::<i32>()
        .cloned()
        .ok_or_else(|| unfit(name))
}

/// Names and octets of a map.
struct Entries {
    map: MapArray,
    names: StringArray,
    octets: BinaryArray,
}

impl Entries {
    fn new(column: &ArrayRef) -> Result<Self, ArrowError> {
        let map = column.as_map_opt().ok_or_else(|| unfit(TAGS))?;
        let names = cast(map.keys(), &DataType::Utf8)?;
        let octets = cast(map.values(), &DataType::Binary)?;
        Ok(Self {
            map: map.clone(),
            names: names.as_string_opt().cloned().ok_or_else(|| unfit(TAGS))?,
            octets: octets.as_binary_opt().cloned().ok_or_else(|| unfit(TAGS))?,
        })
    }

    /// The entries of a row.
    fn of(&self, row: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
        let at = |row: usize| usize::try_from(*self.map.offsets().get(row)?).ok();
        let range = match (self.map.is_valid(row), at(row), at(row + 1)) {
            (true, Some(start), Some(end)) => start..end.min(self.names.len()),
            (_, _, _) => 0..0,
        };
        let present = range.filter(|entry| self.octets.is_valid(*entry));
        present.map(|entry| {
            let name = self.names.value(entry).to_owned();
            (name, self.octets.value(entry).to_owned())
        })
    }
}

fn unfit(column: &str) -> ArrowError {
    ArrowError::SchemaError(format!("column {column:?} is not as the schema has it"))
}
