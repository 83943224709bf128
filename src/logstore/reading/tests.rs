//! Rows by number and by time, against plain lists.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::RecordBatch;
use arrow_array::TimestampMillisecondArray;
use arrow_array::UInt64Array;
use proptest::prelude::*;

use super::*;
use crate::logstore::Settings;

/// 2026-11-21T04:00:00Z.
const HOUR_S: u64 = 1_795_233_600;

/// Rows whose octets are their numbers.
fn append(store: &LogStore, numbers: Range<u64>, arrival_s: u64) {
    let count = usize::try_from(numbers.end - numbers.start).unwrap();
    let end = i64::try_from(arrival_s * 1000 - 1500).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "end",
            Arc::new(TimestampMillisecondArray::from(vec![end; count]).with_timezone("UTC")),
        ),
        (
            "bytes",
            Arc::new(UInt64Array::from_iter_values(numbers.clone())),
        ),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let taken = store.append_rows("prj", "flows", &rows, numbers.start, arrival_s * 1000);
    taken.unwrap();
}

fn store(dir: &std::path::Path) -> LogStore {
    LogStore::open(Settings::new(dir)).unwrap()
}

fn read(store: &LogStore, range: Range<u64>) -> Vec<u64> {
    let rows = store.rows("prj", "flows", range).unwrap();
    let rows = rows.flat_map(Result::unwrap);
    let numbers = rows.map(|row| {
        let octets = row.fields.iter().find(|(name, _)| name == "bytes");
        assert_eq!(octets.unwrap().1, row.seq.to_string().into_bytes());
        row.seq
    });
    numbers.collect()
}

#[test]
fn a_row_has_its_fields_as_sls_shows_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    append(&store, 7..8, HOUR_S);
    for _ in ["in the tail", "in a part"] {
        let row = store.rows("prj", "flows", 0..9).unwrap().next();
        let expected = Row {
            seq: 7,
            time_s: 1_795_233_598,
            time_ns: 500_000_000,
            received_s: Some(1_795_233_600),
            fields: vec![
                // Rounded up.
                ("end".to_owned(), b"1795233599".to_vec()),
                ("bytes".to_owned(), b"7".to_vec()),
            ],
            ..Row::default()
        };
        assert_eq!(row.unwrap().unwrap(), [expected]);
        store.flush().unwrap();
    }
}

/// A row group has 256 Ki rows, a page some thousands.
#[test]
fn a_walk_begins_and_ends_within_large_parts() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    append(&store, 0..300_000, HOUR_S);
    store.flush().unwrap();
    append(&store, 300_000..301_000, HOUR_S);
    for range in [
        0..3,
        262_140..262_150,
        299_990..300_700,
        300_998..400_000,
        9..9,
        400_000..400_001,
    ] {
        let expected: Vec<u64> = (range.start..range.end.min(301_000)).collect();
        assert_eq!(read(&store, range), expected);
    }
}

#[test]
fn a_logstore_without_rows_begins_where_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    append(&store, 5..7, HOUR_S);
    assert_eq!(store.numbers("prj", "flows").unwrap(), 5..7);
    store.flush().unwrap();
    append(&store, 9..10, HOUR_S);
    assert_eq!(store.numbers("prj", "flows").unwrap(), 5..10);
    store.flush().unwrap();
    store.tend((HOUR_S + 30 * 24 * 3600) * 1000);
    assert_eq!(store.numbers("prj", "flows").unwrap(), 10..10);
    assert_eq!(store.first_received("prj", "flows", 0).unwrap(), 10);
    assert_eq!(store.received("prj", "flows", 10).unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Appends at rising times with gaps between the numbers, written out and
    /// merged now and then.
    #[test]
    fn rows_are_found_by_number_and_by_time(
        appends in prop::collection::vec((0_u64..3, 1_u64..700, 0_u64..2500, 0_u8..4), 1..12),
        ranges in prop::collection::vec((0_u64..5_000, 0_u64..3_000), 8),
        times in prop::collection::vec(0_u64..20_000, 8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let (mut next, mut now) = (1, HOUR_S);
        let mut model: Vec<(u64, u64)> = Vec::new();
        for (gap, count, pause, what) in appends {
            let first = next + gap;
            next = first + count;
            now += pause;
            append(&store, first..next, now);
            model.extend((first..next).map(|seq| (seq, now)));
            if what > 1 {
                store.flush().unwrap();
            }
            if what > 2 {
                store.merge(now * 1000, &|| true);
            }
        }
        prop_assert_eq!(store.numbers("prj", "flows").unwrap(), model[0].0..next);
        for (start, length) in ranges {
            let range = start..start + length;
            let expected = model.iter().map(|(seq, _)| *seq).filter(|seq| range.contains(seq));
            prop_assert_eq!(read(&store, range.clone()), expected.collect::<Vec<_>>());
            let came = model.iter().find(|(seq, _)| *seq >= start).map(|(_, came)| *came);
            let came = came.map(|came| i64::try_from(came).unwrap());
            prop_assert_eq!(store.received("prj", "flows", start).unwrap(), came);
        }
        for time in times {
            let time = HOUR_S + time;
            let first = model.iter().find(|(_, came)| *came >= time);
            let found = store.first_received("prj", "flows", i64::try_from(time).unwrap());
            prop_assert_eq!(found.unwrap(), first.map_or(next, |(seq, _)| *seq));
        }
    }
}
