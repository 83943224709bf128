//! Numbers that rows bring with them: gaps, replay, and what is durable.

use super::super::tail::HOUR_MS;
use super::*;

/// `seq` and octets of all rows, in order.
fn found(store: &LogStore) -> Vec<(u64, u64)> {
    let rows = rows_of(store, "SELECT seq, bytes FROM flows ORDER BY seq");
    let number = |value: &Value| value.as_u64().unwrap();
    rows.iter()
        .map(|row| (number(&row[0]), number(&row[1])))
        .collect()
}

/// Rows whose octets are ten times their numbers.
fn take(store: &LogStore, first_seq: u64, count: u64, arrival_ms: u64) -> u64 {
    let octets: Vec<u64> = (first_seq..first_seq + count).map(|seq| seq * 10).collect();
    let rows = rows(arrival_ms, &octets);
    let taken = store.append_rows("sag", "flows", &rows, first_seq, arrival_ms);
    taken.unwrap().records
}

fn tens(seqs: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
    seqs.into_iter().map(|seq| (seq, seq * 10)).collect()
}

fn durable(store: &LogStore) -> Vec<(String, u64)> {
    let durable = store.durable().into_iter();
    durable.map(|(name, seq)| (name.to_string(), seq)).collect()
}

#[test]
fn gaps_survive_flush_merge_and_a_lost_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    for first in [7, 100, 105] {
        assert_eq!(take(&store, first, 2, HOUR), 2);
    }
    let mut expected = tens([7, 8, 100, 101, 105, 106]);
    assert_eq!(found(&store), expected);
    store.flush().unwrap();
    assert_eq!(found(&store), expected);
    take(&store, 200, 1, HOUR);
    store.flush().unwrap();
    expected.push((200, 2000));
    let ranges = |store: &LogStore| {
        let parts = store.parts();
        let range = |part: &PartInfo| (part.first_seq, part.last_seq, part.rows);
        parts.iter().map(range).collect::<Vec<_>>()
    };
    assert_eq!(ranges(&store), [(7, 106, 6), (200, 200, 1)]);
    maintain(&store, HOUR + HOUR_MS);
    assert_eq!(ranges(&store), [(7, 200, 7)]);
    assert_eq!(found(&store), expected);
    drop(store);
    std::fs::remove_file(dir.path().join("sag/flows/MANIFEST")).unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    assert_eq!(ranges(&store), [(7, 200, 7)]);
    assert_eq!(found(&store), expected);
    assert_eq!(durable(&store), [("sag/flows".to_owned(), 201)]);
}

#[test]
fn rows_that_come_again_are_passed_over_also_from_the_middle_of_a_frame() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    assert_eq!(take(&store, 10, 4, HOUR), 4);
    assert_eq!(take(&store, 8, 10, HOUR), 4, "10 to 13 and below are had");
    assert_eq!(take(&store, 1, 17, HOUR), 0);
    assert_eq!(found(&store), tens(10..18));
    let stats = store.stats();
    assert_eq!(stats.appended.octets, (10..18).sum::<u64>() * 10);
    assert_eq!(stats.refused_unfit, Amount::default());
    store.flush().unwrap();
    assert_eq!(take(&store, 16, 3, HOUR), 1);
    assert_eq!(found(&store), tens(10..19));
}

#[test]
fn what_a_crash_took_comes_back_with_the_same_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    take(&store, 5, 3, HOUR);
    store.flush().unwrap();
    take(&store, 20, 3, HOUR);
    assert_eq!(durable(&store), [("sag/flows".to_owned(), 8)]);
    assert_eq!(store.next_seq(), 23);
    drop(store);
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    assert_eq!(found(&store), tens(5..8));
    assert_eq!((durable(&store)[0].1, store.next_seq()), (8, 8));
    take(&store, 5, 3, HOUR);
    take(&store, 20, 3, HOUR);
    assert_eq!(found(&store), tens((5..8).chain(20..23)));
}

#[test]
fn retiring_everything_does_not_turn_the_numbers_back() {
    let dir = tempfile::tempdir().unwrap();
    let settings = || {
        let mut settings = Settings::new(dir.path());
        settings.retention = std::time::Duration::from_hours(1);
        settings
    };
    let store = LogStore::open(settings()).unwrap();
    take(&store, 5, 3, HOUR);
    store.flush().unwrap();
    take(&store, 30, 1, HOUR + 3 * HOUR_MS);
    store.tend(HOUR + 3 * HOUR_MS);
    assert!(store.parts().is_empty(), "the hour was retired");
    assert_eq!((durable(&store)[0].1, store.next_seq()), (8, 31));
    drop(store);
    let store = LogStore::open(settings()).unwrap();
    assert_eq!((durable(&store)[0].1, store.next_seq()), (8, 8));
    assert_eq!(take(&store, 5, 3, HOUR), 0, "they are not wanted back");
    assert_eq!(found(&store), []);
}

#[test]
fn the_next_number_is_above_those_of_all_logstores() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    assert_eq!((durable(&store), store.next_seq()), (vec![], 0));
    let batch = rows(HOUR, &[1, 2]);
    store.append_rows("sag", "a-1", &batch, 40, HOUR).unwrap();
    store.append_rows("sag", "b-1", &batch, 4, HOUR).unwrap();
    store.flush().unwrap();
    store.append_rows("sag", "b-1", &batch, 50, HOUR).unwrap();
    let expected = [("sag/a-1".to_owned(), 42), ("sag/b-1".to_owned(), 6)];
    assert_eq!(durable(&store), expected);
    assert_eq!(store.next_seq(), 52);
}

#[test]
fn numbers_end_with_64_bits() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let batch = rows(HOUR, &[1, 2]);
    let append = |first_seq| store.append_rows("sag", "flows", &batch, first_seq, HOUR);
    let refused = append(u64::MAX - 1);
    assert!(
        matches!(refused, Err(AppendError::Schema(_))),
        "{refused:?}"
    );
    append(u64::MAX - 2).unwrap();
    store.flush().unwrap();
    assert_eq!(found(&store), [(u64::MAX - 2, 1), (u64::MAX - 1, 2)]);
    assert_eq!(durable(&store)[0].1, u64::MAX);
    assert_eq!(append(5).unwrap(), Amount::default());
}
