//! The column `rest`: extra elements by name.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::MapArray;
use arrow_array::StructArray;
use arrow_array::builder::BinaryBuilder;
use arrow_array::builder::StringBuilder;
use arrow_buffer::OffsetBuffer;
use arrow_schema::ArrowError;

use crate::element;
use crate::element::DataType;
use crate::element::ElementId;
use crate::flow::arrow::nulls;
use crate::flow::batch::Details;
use crate::flow::schema::map_entries;
use crate::flow::schema::map_entry;

/// Extra elements by name: octets, or text where the element is text.
///
/// The second occurrence of a name is `name#2`, for keys of a map differ.
pub(super) fn rest(rows: usize, details: &Details) -> Result<ArrayRef, ArrowError> {
    check_size(details)?;
    let (mut keys, mut values) = (StringBuilder::new(), BinaryBuilder::new());
    let mut lengths = Vec::with_capacity(rows);
    let mut extras = details.extras().peekable();
    let mut of_row = Vec::new();
    for row in (0_u32..).take(rows) {
        of_row.clear();
        while let Some((_, element, octets)) = extras.next_if(|(at, ..)| *at == row) {
            of_row.push(element);
            keys.append_value(key(element, &of_row));
            append(&mut values, element, octets);
        }
        lengths.push(of_row.len());
    }
    let nulls = nulls(lengths.iter().map(|length| *length > 0));
    let columns: Vec<ArrayRef> = vec![Arc::new(keys.finish()), Arc::new(values.finish())];
    let entries = StructArray::try_new(map_entry(), columns, None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let map = MapArray::try_new(map_entries(), offsets, entries, nulls, false)?;
    Ok(Arc::new(map))
}

impl Details {
    /// Row, element and octets of every extra element, rows ascending.
    fn extras(&self) -> impl Iterator<Item = (u32, ElementId, &[u8])> {
        let values = self.extra.rows.iter().zip(&self.extra.values);
        values.scan(0, |start, (&row, &(element, end))| {
            let octets = self.extra_octets.get(*start..end).unwrap_or_default();
            *start = end;
            Some((row, element, octets))
        })
    }
}

/// Refuses what 32-bit offsets cannot address: names are shorter than 128
/// octets, and mending text makes at most three of one.
fn check_size(details: &Details) -> Result<(), ArrowError> {
    let names = details.extra.values.len().saturating_mul(128);
    let values = details.extra_octets.len().saturating_mul(3);
    match i32::try_from(names.max(values)) {
        Ok(_) => Ok(()),
        Err(_) => Err(ArrowError::OffsetOverflowError(names.max(values))),
    }
}

/// Name of the last of a row's elements.
fn key(element: ElementId, of_row: &[ElementId]) -> String {
    match of_row.iter().filter(|other| **other == element).count() {
        0 | 1 => element.to_string(),
        occurrence => format!("{element}#{occurrence}"),
    }
}

fn append(values: &mut BinaryBuilder, element: ElementId, octets: &[u8]) {
    let data_type = element::lookup(element).map(|element| element.data_type);
    if data_type == Some(DataType::String) {
        let text = String::from_utf8_lossy(octets);
        values.append_value(text.trim_end_matches('\0'));
    } else {
        values.append_value(octets);
    }
}
