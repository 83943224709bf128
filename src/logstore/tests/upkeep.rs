//! Tails become parts, parts are merged, hours are retired.

use std::time::Duration;

use super::super::tail::HOUR_MS;
use super::*;

fn store_with(dir: &tempfile::TempDir, change: impl FnOnce(&mut Settings)) -> LogStore {
    let mut settings = Settings::new(dir.path());
    change(&mut settings);
    LogStore::open(settings).unwrap()
}

fn one_part(store: &LogStore, now_ms: u64, octets: u64) {
    store
        .append_rows("sag", "flows", &rows(now_ms, &[octets]), now_ms)
        .unwrap();
    store.flush().unwrap();
}

fn part_rows(store: &LogStore) -> Vec<u64> {
    store.parts().iter().map(|part| part.rows).collect()
}

#[test]
fn a_tail_becomes_a_part_at_its_age() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |_| {});
    store
        .append_rows("sag", "flows", &rows(HOUR, &[1]), HOUR)
        .unwrap();
    store.maintain(HOUR + 9_999);
    assert_eq!(part_rows(&store), [0; 0]);
    store.maintain(HOUR + 10_000);
    assert_eq!(part_rows(&store), [1]);
    assert_eq!(store.stats().tail_bytes, 0);
}

#[test]
fn a_clock_that_went_back_does_not_hold_a_tail() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |_| {});
    store
        .append_rows("sag", "flows", &rows(HOUR, &[1]), HOUR)
        .unwrap();
    store.maintain(HOUR - 1);
    assert_eq!(part_rows(&store), [1]);
}

#[test]
fn the_largest_tail_becomes_a_part_when_memory_is_short() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |settings| settings.tail_bytes = 100_000);
    let many: Vec<u64> = (0..1000).collect();
    store
        .append_rows("sag", "large", &rows(HOUR, &many), HOUR)
        .unwrap();
    store
        .append_rows("sag", "small", &rows(HOUR, &[1]), HOUR)
        .unwrap();
    assert_eq!(store.parts().len(), 0);
    store
        .append_rows("sag", "small", &rows(HOUR, &many), HOUR)
        .unwrap();
    let parts = store.parts();
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].logstore.to_string(), "sag/large");
}

#[test]
fn a_part_never_crosses_an_hour_of_arrival() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |_| {});
    for arrival in [HOUR, HOUR + HOUR_MS - 1, HOUR + HOUR_MS, HOUR + 1] {
        store
            .append_rows("sag", "flows", &rows(HOUR, &[1]), arrival)
            .unwrap();
    }
    store.flush().unwrap();
    let first = HOUR / HOUR_MS;
    let hours: Vec<u64> = store.parts().iter().map(|part| part.arrival_hour).collect();
    assert_eq!(part_rows(&store), [2, 1, 1]);
    assert_eq!(hours, [first, first + 1, first]);
    store.maintain(HOUR + 9 * HOUR_MS);
    assert_eq!(
        part_rows(&store),
        [2, 1, 1],
        "neighbours of different hours stay apart"
    );
}

#[test]
fn eight_like_parts_of_the_current_hour_become_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |_| {});
    for octets in 0..7 {
        one_part(&store, HOUR, octets);
    }
    store.maintain(HOUR + 1);
    assert_eq!(part_rows(&store), [1; 7]);
    one_part(&store, HOUR, 7);
    one_part(&store, HOUR, 8);
    store.maintain(HOUR + 1);
    assert_eq!(part_rows(&store), [8, 1]);
    let found = rows_of(&store, "SELECT bytes FROM flows ORDER BY seq");
    assert_eq!(
        found,
        (0..9).map(|octets| vec![json!(octets)]).collect::<Vec<_>>()
    );
}

#[test]
fn all_of_a_past_hour_is_merged() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |_| {});
    for octets in 0..5 {
        one_part(&store, HOUR, octets);
    }
    store.maintain(HOUR + HOUR_MS);
    assert_eq!(part_rows(&store), [5]);
    let files = std::fs::read_dir(dir.path().join("sag/flows/parts")).unwrap();
    assert_eq!(files.count(), 1, "the merged files are gone");
}

#[test]
fn hours_are_retired_by_age_one_a_minute() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |settings| {
        settings.retention = Duration::from_hours(2)
    });
    for hour in 0..4 {
        one_part(&store, HOUR + hour * HOUR_MS, hour);
    }
    let due = HOUR + 3 * HOUR_MS;
    store.maintain(due - 1);
    assert_eq!(part_rows(&store), [1; 4]);
    store.maintain(due);
    assert_eq!(part_rows(&store), [1; 3]);
    // A clock two hours ahead: still one hour a minute.
    store.maintain(due + 2 * HOUR_MS);
    assert_eq!(part_rows(&store), [1; 2]);
    store.maintain(due + 2 * HOUR_MS + 59_999);
    assert_eq!(part_rows(&store), [1; 2]);
    let stats = store.stats();
    assert_eq!((stats.retired_parts, stats.retired_by_age.octets), (2, 1));
    assert_eq!(
        rows_of(&store, "SELECT bytes FROM flows ORDER BY seq"),
        [[json!(2)], [json!(3)]]
    );
}

#[test]
fn hours_are_retired_by_budget_over_all_logstores() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |_| {});
    for (logstore, hour, octets) in [
        ("flows", 1, 1),
        ("other", 0, 2),
        ("flows", 2, 4),
        ("other", 2, 8),
    ] {
        let now = HOUR + hour * HOUR_MS;
        store
            .append_rows("sag", logstore, &rows(now, &[octets]), now)
            .unwrap();
        store.flush().unwrap();
    }
    let total: u64 = store.parts().iter().map(|part| part.bytes).sum();
    drop(store);
    let store = store_with(&dir, |settings| settings.disk_budget = total);
    store.maintain(HOUR + 2 * HOUR_MS);
    assert_eq!(store.stats().retired_parts, 0);
    drop(store);
    let store = store_with(&dir, |settings| settings.disk_budget = total - 1);
    store.maintain(HOUR + 2 * HOUR_MS);
    assert_eq!(store.stats().retired_by_budget.octets, 2);
    drop(store);
    // The newest hour alone is too much: its parts go one by one.
    let store = store_with(&dir, |settings| settings.disk_budget = total / 4 + 100);
    store.maintain(HOUR + 2 * HOUR_MS);
    assert_eq!(
        store.stats().retired_by_budget.octets,
        1 + 4,
        "the part with the lower seq"
    );
    assert_eq!(rows_of(&store, "SELECT bytes FROM flows"), [[json!(8)]]);
}

#[test]
fn a_query_reads_on_while_its_parts_are_merged_and_retired() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |settings| {
        settings.retention = Duration::from_hours(1)
    });
    for octets in 0..9 {
        one_part(&store, HOUR, octets);
    }
    let shard = store.shards().remove(0);
    let snapshot = shard.snapshot();
    store.maintain(HOUR + HOUR_MS);
    store.maintain(HOUR + 2 * HOUR_MS);
    assert_eq!(store.parts().len(), 0);
    let files = || {
        std::fs::read_dir(dir.path().join("sag/flows/parts"))
            .unwrap()
            .count()
    };
    assert_eq!(files(), 9, "what is being read stays");
    let table = query::Table {
        name: shard.name.clone(),
        snapshot,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let answer =
        runtime.block_on(store.answer(Query::new("SELECT sum(bytes) FROM flows"), vec![table]));
    assert_eq!(answer.unwrap().rows, [[json!(36)]]);
    assert_eq!(files(), 0, "what nobody reads goes");
}
