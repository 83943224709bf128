//! A disk without space: what is refused, what is kept, how it recovers.

use std::path::Path;

use super::super::disk::Disk;
use super::super::faults::Faults;
use super::super::tail::HOUR_MS;
use super::*;

/// A store with two parts of two hours, and its disk.
fn store_on_a_disk(dir: &Path) -> (LogStore, Arc<Faults>) {
    let faults = Arc::new(Faults::after(usize::MAX));
    let mut settings = Settings::new(dir);
    settings.retention = std::time::Duration::from_hours(2);
    let store = LogStore::open_on(settings, Disk::failing(&faults)).unwrap();
    for hour in [0, 1] {
        append(&store, HOUR + hour * HOUR_MS);
        store.flush().unwrap();
    }
    (store, faults)
}

fn append(store: &LogStore, now_ms: u64) {
    store
        .append_next("sag", "flows", &rows(now_ms, &[1, 2]), now_ms)
        .unwrap();
}

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("sag/flows/parts"))
        .unwrap()
        .count()
}

fn sum(store: &LogStore) -> Value {
    rows_of(store, "SELECT sum(bytes) FROM flows")
        .remove(0)
        .remove(0)
}

/// Names of what is written: parts, the next MANIFEST, the one in force.
const STEPS: [&str; 4] = [".new", "MANIFEST.new", ".parquet", "MANIFEST"];

#[test]
fn rows_wait_in_memory_for_space_and_failed_tries_leave_no_file() {
    for full in STEPS {
        let dir = tempfile::tempdir().unwrap();
        let (store, faults) = store_on_a_disk(dir.path());
        let now = HOUR + HOUR_MS;
        append(&store, now);
        faults.fill_up_for(full);
        for seconds in [10, 11, 16, 22] {
            store.tend(now + seconds * 1_000);
        }
        assert_eq!(store.stats().write_errors, 3, "{full}: every five seconds");
        assert_eq!(store.stats().unflushed.records, 2, "{full}");
        assert_eq!(sum(&store), json!(9), "{full}: still answered");
        faults.heal();
        store.tend(now + 28_000);
        assert_eq!(store.stats().unflushed.records, 0, "{full}");
        assert_eq!(sum(&store), json!(9), "{full}");
        assert_eq!(files(dir.path()), 3, "{full}");
        drop(store);
        let store = LogStore::open(Settings::new(dir.path())).unwrap();
        assert_eq!(sum(&store), json!(9), "{full}: after a restart");
        assert_eq!(store.stats().debris_files, 0, "{full}");
    }
}

#[test]
fn a_failed_try_takes_no_space_while_the_disk_is_full() {
    for full in [".new", "MANIFEST.new", ".parquet"] {
        let dir = tempfile::tempdir().unwrap();
        let (store, faults) = store_on_a_disk(dir.path());
        append(&store, HOUR + HOUR_MS);
        faults.fill_up_for(full);
        for _ in 0..3 {
            store.flush().unwrap_err();
        }
        assert_eq!(files(dir.path()), 2, "{full}");
    }
}

#[test]
fn old_hours_go_although_nothing_can_be_written_out() {
    let dir = tempfile::tempdir().unwrap();
    let (store, faults) = store_on_a_disk(dir.path());
    let now = HOUR + 3 * HOUR_MS;
    append(&store, now);
    faults.fill_up_for(".parquet");
    store.tend(now + 10_000);
    assert_eq!(store.stats().retired_by_age.octets, 3);
    assert_eq!(store.stats().write_errors, 1, "and the tail waits");
}

#[test]
fn a_new_logstore_on_a_full_disk_is_refused_until_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let (store, faults) = store_on_a_disk(dir.path());
    for full in ["other", "parts", "MANIFEST.new", "MANIFEST"] {
        faults.fill_up_for(full);
        let error = store.append_next("sag", "other", &rows(HOUR, &[4]), HOUR);
        assert!(matches!(error, Err(AppendError::Store(_))), "{full}");
        assert_eq!(sum(&store), json!(6), "{full}");
    }
    assert_eq!(store.stats().refused_unfit.octets, 4 * 4);
    faults.heal();
    store
        .append_next("sag", "other", &rows(HOUR, &[4]), HOUR)
        .unwrap();
    assert_eq!(sum(&store), json!(10));
}

#[test]
fn a_store_in_order_opens_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    drop(store_on_a_disk(dir.path()));
    let faults = Arc::new(Faults::after(usize::MAX));
    for full in STEPS {
        faults.fill_up_for(full);
        let store = LogStore::open_on(Settings::new(dir.path()), Disk::failing(&faults));
        assert_eq!(sum(&store.unwrap()), json!(6), "{full}");
    }
}

#[test]
fn what_writes_nothing_says_nothing_about_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (store, faults) = store_on_a_disk(dir.path());
    let now = HOUR + HOUR_MS;
    store
        .append_next("sag", "other", &rows(now, &[4]), now)
        .unwrap();
    store.flush().unwrap();
    append(&store, now);
    faults.fill_up_for(".parquet");
    store.flush().unwrap_err();
    // Nothing to write in `other`: the disk is let be all the same.
    store.tend(now - 1);
    assert_eq!(store.stats().write_errors, 1);
}
