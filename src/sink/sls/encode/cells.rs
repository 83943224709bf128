//! One column of a batch, its values within reach.

use arrow_array::Array;
use arrow_array::BinaryArray;
use arrow_array::MapArray;
use arrow_array::RecordBatch;
use arrow_array::StringArray;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::types::Int32Type;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::types::UInt8Type;
use arrow_array::types::UInt16Type;
use arrow_array::types::UInt32Type;
use arrow_array::types::UInt64Type;
use arrow_buffer::NullBuffer;
use thiserror::Error;

use super::field::Source;
use crate::flow::COLUMNS;
use crate::flow::Kind;

/// What a field of each row of a batch comes from.
pub(super) struct Cells<'a> {
    pub(super) values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
}

/// Values of one type, of which those that are null say nothing.
pub(super) enum Values<'a> {
    /// The batch has no such column: no row has a value.
    Absent,
    /// The same in every row.
    Constant,
    /// The row's number.
    FlowId,
    /// Milliseconds since 1970, and whether seconds are rounded up.
    Time(&'a [i64], bool),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    Factor(&'a [f64]),
    /// Positions in a dictionary, and the dictionary.
    Text(&'a [i32], &'a StringArray),
    Map(Entries<'a>),
}

impl<'a> Cells<'a> {
    /// The cells of a field.
    pub(super) fn new(source: Source, rows: &'a RecordBatch) -> Result<Self, Unfit> {
        match source {
            Source::Constant(_) => Ok(Self::without_nulls(Values::Constant)),
            Source::FlowId => Ok(Self::without_nulls(Values::FlowId)),
            Source::Column(name) => Self::column(name, rows),
            Source::Direction => Self::column("direction", rows),
            Source::Action => Self::column("forwarding-status", rows),
        }
    }

    /// The cells of a column of the schema.
    pub(super) fn column(name: &'static str, rows: &'a RecordBatch) -> Result<Self, Unfit> {
        let Some(array) = rows.column_by_name(name) else {
            return Ok(Self::without_nulls(Values::Absent));
        };
        let column = COLUMNS.iter().find(|column| column.name == name);
        let values = column.and_then(|column| Values::new(column.kind, name, array.as_ref()));
        Ok(Self {
            values: values.ok_or(Unfit { column: name })?,
            nulls: array.nulls().filter(|nulls| nulls.null_count() > 0),
        })
    }

    fn without_nulls(values: Values<'a>) -> Self {
        Self {
            values,
            nulls: None,
        }
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls
            .is_some_and(|nulls| row < nulls.len() && nulls.is_null(row))
    }

    /// A time of a column of times.
    pub(super) fn time_ms(&self, row: usize) -> Option<i64> {
        let Values::Time(times, _) = self.values else {
            return None;
        };
        times.get(row).copied().filter(|_| !self.is_null(row))
    }
}

impl<'a> Values<'a> {
    fn new(kind: Kind, name: &str, array: &'a dyn Array) -> Option<Self> {
        Some(match kind {
            Kind::Time => {
                let times = array.as_primitive_opt::<TimestampMillisecondType>()?;
                Self::Time(times.values(), name == "end")
            }
            Kind::U8 => Self::U8(array.as_primitive_opt::<UInt8Type>()?.values()),
            Kind::U16 => Self::U16(array.as_primitive_opt::<UInt16Type>()?.values()),
            Kind::U32 => Self::U32(array.as_primitive_opt::<UInt32Type>()?.values()),
            Kind::U64 => Self::U64(array.as_primitive_opt::<UInt64Type>()?.values()),
            Kind::Factor => Self::Factor(array.as_primitive_opt::<Float64Type>()?.values()),
            Kind::Text => {
                let codes = array.as_dictionary_opt::<Int32Type>()?;
                let texts = codes.values().as_string_opt::<i32>()?;
                Self::Text(codes.keys().values(), texts)
            }
            Kind::Map => Self::Map(Entries::new(array.as_map_opt()?)?),
        })
    }
}

/// Names and octets of a map.
pub(super) struct Entries<'a> {
    offsets: &'a [i32],
    names: &'a StringArray,
    octets: &'a BinaryArray,
}

impl<'a> Entries<'a> {
    fn new(map: &'a MapArray) -> Option<Self> {
        Some(Self {
            offsets: map.value_offsets(),
            names: map.keys().as_string_opt::<i32>()?,
            octets: map.values().as_binary_opt::<i32>()?,
        })
    }

    /// The entries of a row.
    pub(super) fn of(&self, row: usize) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let at = |row: usize| usize::try_from(*self.offsets.get(row)?).ok();
        let start = at(row).unwrap_or(0);
        let end = at(row + 1).unwrap_or(start);
        let (names, octets) = (self.names, self.octets);
        let end = end.min(names.len()).min(octets.len());
        let present = (start..end).filter(|entry| octets.is_valid(*entry));
        present.map(|entry| (names.value(entry), octets.value(entry)))
    }
}

/// A column is not of the type the schema says: a fault of ours.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("column {column:?} is not of the type that the schema of flows says")]
pub struct Unfit {
    /// Which.
    pub column: &'static str,
}
