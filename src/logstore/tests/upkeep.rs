//! Tails become parts, parts are merged, hours are retired.

use std::sync::mpsc;
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
        .append_next("sag", "flows", &rows(now_ms, &[octets]), now_ms)
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
        .append_next("sag", "flows", &rows(HOUR, &[1]), HOUR)
        .unwrap();
    maintain(&store, HOUR + 9_999);
    assert_eq!(part_rows(&store), [0; 0]);
    maintain(&store, HOUR + 10_000);
    assert_eq!(part_rows(&store), [1]);
    assert_eq!(store.stats().tail_bytes, 0);
}

#[test]
fn a_clock_that_went_back_does_not_hold_a_tail() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |_| {});
    store
        .append_next("sag", "flows", &rows(HOUR, &[1]), HOUR)
        .unwrap();
    maintain(&store, HOUR - 1);
    assert_eq!(part_rows(&store), [1]);
}

#[test]
fn the_largest_tail_becomes_a_part_when_memory_is_short() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |settings| settings.tail_bytes = 100_000);
    let many: Vec<u64> = (0..1000).collect();
    store
        .append_next("sag", "large", &rows(HOUR, &many), HOUR)
        .unwrap();
    store
        .append_next("sag", "small", &rows(HOUR, &[1]), HOUR)
        .unwrap();
    assert_eq!(store.parts().len(), 0);
    store
        .append_next("sag", "small", &rows(HOUR, &many), HOUR)
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
            .append_next("sag", "flows", &rows(HOUR, &[1]), arrival)
            .unwrap();
    }
    store.flush().unwrap();
    let first = HOUR / HOUR_MS;
    let hours: Vec<u64> = store.parts().iter().map(|part| part.arrival_hour).collect();
    assert_eq!(part_rows(&store), [2, 1, 1]);
    assert_eq!(hours, [first, first + 1, first]);
    maintain(&store, HOUR + 9 * HOUR_MS);
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
    maintain(&store, HOUR + 1);
    assert_eq!(part_rows(&store), [1; 7]);
    one_part(&store, HOUR, 7);
    one_part(&store, HOUR, 8);
    maintain(&store, HOUR + 1);
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
    maintain(&store, HOUR + HOUR_MS);
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
    maintain(&store, due - 1);
    assert_eq!(part_rows(&store), [1; 4]);
    maintain(&store, due);
    assert_eq!(part_rows(&store), [1; 3]);
    // A clock two hours ahead: still one hour a minute.
    maintain(&store, due + 2 * HOUR_MS);
    assert_eq!(part_rows(&store), [1; 2]);
    maintain(&store, due + 2 * HOUR_MS + 59_999);
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
            .append_next("sag", logstore, &rows(now, &[octets]), now)
            .unwrap();
        store.flush().unwrap();
    }
    let total: u64 = store.parts().iter().map(|part| part.bytes).sum();
    drop(store);
    let store = store_with(&dir, |settings| settings.disk_budget = total);
    maintain(&store, HOUR + 2 * HOUR_MS);
    assert_eq!(store.stats().retired_parts, 0);
    drop(store);
    let store = store_with(&dir, |settings| settings.disk_budget = total - 1);
    maintain(&store, HOUR + 2 * HOUR_MS);
    assert_eq!(store.stats().retired_by_budget.octets, 2);
    drop(store);
    // The newest hour alone is too much: its parts go one by one.
    let store = store_with(&dir, |settings| settings.disk_budget = total / 4 + 100);
    maintain(&store, HOUR + 2 * HOUR_MS);
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
    maintain(&store, HOUR + HOUR_MS);
    maintain(&store, HOUR + 2 * HOUR_MS);
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
    let answer = runtime.block_on(store.answer_with(
        query::Question::Sql("SELECT sum(bytes) FROM flows".to_owned()),
        Limits::default(),
        || vec![table.clone()],
    ));
    assert_eq!(answer.unwrap().rows, [[json!(36)]]);
    drop(table);
    assert_eq!(files(), 0, "what nobody reads goes");
}

fn files(dir: &tempfile::TempDir) -> usize {
    let parts = std::fs::read_dir(dir.path().join("sag/flows/parts"));
    parts.unwrap().count()
}

/// Holds a merge of nine parts halfway while `meanwhile` runs, then lets it go on.
fn while_merging(store: &LogStore, now_ms: u64, meanwhile: impl FnOnce()) {
    for octets in 0..9 {
        one_part(store, HOUR, octets);
    }
    let (says_held, held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let asked = std::cell::Cell::new(0);
            store.merge(now_ms, &|| {
                asked.set(asked.get() + 1);
                // First before anything is opened, then after each part.
                if asked.get() == 5 {
                    says_held.send(()).unwrap();
                    // An error means that `meanwhile` has failed: end all the same.
                    let _failed = released.recv();
                }
                true
            });
        });
        held.recv().unwrap();
        meanwhile();
        release.send(()).unwrap();
    });
}

#[test]
fn rows_are_taken_written_and_found_while_a_merge_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |settings| settings.tail_bytes = 100_000);
    let many: Vec<u64> = vec![1; 1000];
    while_merging(&store, HOUR + HOUR_MS, || {
        for _ in 0..3 {
            store
                .append_next("sag", "flows", &rows(HOUR, &many), HOUR)
                .unwrap();
        }
        assert!(store.parts().len() > 9, "a full tail becomes a part");
        store.tend(HOUR + 10_000);
        assert_eq!(store.stats().unflushed.records, 0);
        assert_eq!(store.stats().parts_merged, 0, "the merge is still held");
        assert_eq!(
            rows_of(&store, "SELECT sum(bytes) FROM flows"),
            [[json!(36 + 3000)]]
        );
    });
    assert_eq!(part_rows(&store), [3009], "then all of the hour is merged");
    assert_eq!(files(&dir), 1);
}

#[test]
fn a_merge_that_is_no_longer_wanted_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |_| {});
    for octets in 0..9 {
        one_part(&store, HOUR, octets);
    }
    let asked = std::cell::Cell::new(0);
    store.merge(HOUR + HOUR_MS, &|| {
        asked.set(asked.get() + 1);
        asked.get() < 5
    });
    assert_eq!(asked.get(), 5);
    assert_eq!((part_rows(&store), files(&dir)), (vec![1; 9], 9));
    assert_eq!(store.stats().write_errors, 0);
}

#[test]
fn what_is_retired_during_a_merge_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |settings| {
        settings.retention = Duration::from_hours(1)
    });
    while_merging(&store, HOUR + HOUR_MS, || {
        store.tend(HOUR + 2 * HOUR_MS);
        assert_eq!(store.parts().len(), 0);
    });
    assert_eq!((store.parts().len(), files(&dir)), (0, 0));
    let stats = store.stats();
    assert_eq!((stats.parts_merged, stats.retired_by_age.octets), (0, 36));
}

#[test]
fn damaged_files_go_before_any_live_part_the_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(&dir, |_| {});
    one_part(&store, HOUR, 1);
    let live = store.parts().remove(0);
    drop(store);
    let aside = |name: &str, age_s: u64| {
        let path = live.path.with_file_name(name);
        std::fs::write(&path, [0; 500]).unwrap();
        let written = std::time::UNIX_EPOCH + Duration::from_millis(HOUR - age_s * 1_000);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(written).unwrap();
        path
    };
    let older = aside("b.parquet.bad", 20);
    let younger = aside("a.parquet.bad", 10);
    let with_budget = |budget: u64| store_with(&dir, |settings| settings.disk_budget = budget);
    let store = with_budget(live.bytes + 1_000);
    store.tend(HOUR);
    assert!(older.exists() && younger.exists());
    drop(store);
    let store = with_budget(live.bytes + 999);
    store.tend(HOUR);
    assert!(!older.exists() && younger.exists());
    assert_eq!(store.stats().removed_damaged, 1);
    drop(store);
    let store = with_budget(live.bytes);
    store.tend(HOUR);
    assert!(!younger.exists() && live.path.exists());
    drop(store);
    let old = aside("c.parquet.bad", 3_600);
    let store = store_with(&dir, |settings| {
        settings.retention = Duration::from_hours(1);
    });
    store.tend(HOUR - 1);
    assert!(old.exists());
    store.tend(HOUR);
    assert!(!old.exists(), "as old as the oldest hour may be");
    assert_eq!(part_rows(&store), [1]);
}
