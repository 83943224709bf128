//! Merging: many small parts of one hour become few large ones, in `seq` order.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::error::StoreError;
use super::manifest::Entry;
use super::part::Part;
use super::schema;
use super::shard::Shard;
use crate::flow::Amount;

/// Which neighbouring parts to merge next, if any; `hour` is the current one.
///
/// In the current hour, [`FAN_IN`] neighbours of one size class, so that a row
/// is rewritten a few times in its life and not once per flush; of a past hour,
/// whatever fits into `merged_bytes`. Rows that different journals numbered stay
/// apart.
pub(super) fn choose(parts: &[&Entry], hour: u64, merged_bytes: u64) -> Option<Range<usize>> {
    let mut start = 0;
    for alike in parts.chunk_by(|a, b| (a.hour, a.journal) == (b.hour, b.journal)) {
        let past = alike.first().is_some_and(|part| part.hour < hour);
        let found = match past {
            true => fitting(alike, merged_bytes),
            false => same_class(alike, merged_bytes),
        };
        if let Some(range) = found {
            return Some(start + range.start..start + range.end);
        }
        start += alike.len();
    }
    None
}

/// The first run of at least two neighbours that together fit.
fn fitting(parts: &[&Entry], merged_bytes: u64) -> Option<Range<usize>> {
    let mut range = 0..0;
    let mut bytes = 0;
    for (index, part) in parts.iter().enumerate() {
        if bytes + part.bytes > merged_bytes {
            if range.len() > 1 {
                return Some(range);
            }
            range = index..index;
            bytes = 0;
        }
        range.end = index + 1;
        bytes += part.bytes;
    }
    (range.len() > 1).then_some(range)
}

/// The first [`FAN_IN`] neighbours of one size class that together fit.
fn same_class(parts: &[&Entry], merged_bytes: u64) -> Option<Range<usize>> {
    let mut start = 0;
    for run in parts.chunk_by(|a, b| class(a) == class(b)) {
        if let Some(first) = run.get(..FAN_IN) {
            let bytes: u64 = first.iter().map(|part| part.bytes).sum();
            if bytes <= merged_bytes {
                return Some(start..start + FAN_IN);
            }
        }
        start += run.len();
    }
    None
}

/// Size class: the power of [`FAN_IN`] of the rows.
fn class(part: &Entry) -> u32 {
    part.rows.max(1).ilog(FAN_IN as u64)
}

/// Writes the rows of `parts`, neighbours of one hour and journal, into one
/// part; none if it no longer `goes_on` halfway.
pub(super) fn merge(
    shard: &Shard,
    parts: &[Arc<Part>],
    goes_on: &dyn Fn() -> bool,
) -> Result<Option<Entry>, StoreError> {
    let mut readers = Vec::with_capacity(parts.len());
    for part in parts {
        let file = File::open(&part.path)?;
        readers.push(ParquetRecordBatchReaderBuilder::try_new(file)?);
    }
    let schemas: Vec<_> = readers
        .iter()
        .map(|reader| Arc::clone(reader.schema()))
        .collect();
    let schema = schema::union(&schemas);
    let mut writer = shard.part_writer(merged_entry(parts), &schema)?;
    for reader in readers {
        for batch in reader.with_batch_size(BATCH_ROWS).build()? {
            if !goes_on() {
                return Ok(None);
            }
            writer.write(&schema::conform(&batch?, &schema)?)?;
        }
    }
    writer.finish().map(Some)
}

fn merged_entry(parts: &[Arc<Part>]) -> Entry {
    let entries = || parts.iter().map(|part| &part.entry);
    let amount = entries().fold(Amount::default(), |sum, entry| sum + entry.amount());
    Entry {
        file: String::new(),
        first_seq: entries().map(|entry| entry.first_seq).min().unwrap_or(0),
        last_seq: entries().map(|entry| entry.last_seq).max().unwrap_or(0),
        rows: entries().map(|entry| entry.rows).sum(),
        first_time: entries().map(|entry| entry.first_time).min().unwrap_or(0),
        last_time: entries().map(|entry| entry.last_time).max().unwrap_or(0),
        hour: entries().map(|entry| entry.hour).next().unwrap_or(0),
        bytes: 0,
        schema: 0,
        records: amount.records,
        octets: amount.octets,
        packets: amount.packets,
        logs: entries().map(|entry| entry.logs).sum(),
        journal: entries().map(|entry| entry.journal).next().flatten(),
    }
}

/// Parts merged at once in the hour that is still growing.
const FAN_IN: usize = 8;
/// Rows in memory at once while merging, beside the row group being written.
const BATCH_ROWS: usize = 8192;

#[cfg(test)]
mod tests {
    use super::super::schema::SCHEMA_VERSION;
    use super::*;

    /// Parts of the given (hour, rows, octets).
    fn chosen(parts: &[(u64, u64, u64)], hour: u64) -> Option<Range<usize>> {
        let entry = |(hour, rows, bytes): &(u64, u64, u64)| Entry {
            file: String::new(),
            first_seq: 0,
            last_seq: 0,
            rows: *rows,
            first_time: 0,
            last_time: 0,
            hour: *hour,
            bytes: *bytes,
            schema: SCHEMA_VERSION,
            records: 0,
            octets: 0,
            packets: 0,
            logs: 0,
            journal: None,
        };
        let entries: Vec<Entry> = parts.iter().map(entry).collect();
        choose(&entries.iter().collect::<Vec<_>>(), hour, 100)
    }

    #[test]
    fn a_past_hour_is_merged_as_far_as_it_fits() {
        assert_eq!(chosen(&[(1, 1, 60), (1, 1, 40), (1, 1, 1)], 2), Some(0..2));
        assert_eq!(chosen(&[(1, 1, 60), (1, 1, 41), (1, 1, 1)], 2), Some(1..3));
        assert_eq!(chosen(&[(1, 1, 101), (1, 1, 100), (1, 1, 1)], 2), None);
        assert_eq!(chosen(&[(1, 1, 1)], 2), None);
    }

    #[test]
    fn parts_of_different_hours_stay_apart() {
        assert_eq!(chosen(&[(1, 1, 1), (2, 1, 1), (1, 1, 1)], 3), None);
        assert_eq!(chosen(&[(1, 1, 1), (2, 1, 1), (2, 1, 1)], 3), Some(1..3));
    }

    #[test]
    fn the_current_hour_waits_for_eight_of_a_class() {
        let like = [(2, 9, 10); 8];
        assert_eq!(chosen(&like, 2), Some(0..8));
        assert_eq!(chosen(&like[1..], 2), None);
        let after_a_large_one = [&[(2, 700, 1)], &like[..]].concat();
        assert_eq!(chosen(&after_a_large_one, 2), Some(1..9));
        assert_eq!(chosen(&[(2, 9, 13); 8], 2), None, "they would not fit");
    }

    /// What a row costs: with one part every ten seconds, an hour ends with
    /// few parts, and no row was rewritten more than three times.
    #[test]
    fn an_hour_of_small_parts_is_rewritten_a_few_times() {
        let mut parts: Vec<(u64, u64, u64)> = Vec::new();
        let mut rewritten = 0;
        for _ in 0..360 {
            parts.push((2, 100, 0));
            while let Some(range) = chosen(&parts, 2) {
                let rows = parts.drain(range.clone()).map(|part| part.1).sum();
                rewritten += rows;
                parts.insert(range.start, (2, rows, 0));
            }
        }
        assert!(parts.len() <= 3 * (FAN_IN - 1), "{} parts", parts.len());
        assert!(rewritten <= 3 * 36_000, "{rewritten} rows rewritten");
    }
}
