//! The disk stops after each single file operation; what is there then?

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::super::disk::Disk;
use super::super::faults::Faults;
use super::super::tail::HOUR_MS;
use super::*;

/// What a run got done before its disk stopped. Rows are known by their octets,
/// of which their numbers are made.
#[derive(Default)]
struct Played {
    /// In the store, durable or not.
    appended: BTreeSet<u64>,
    /// The store said these are durable.
    committed: BTreeSet<u64>,
    /// The store may have retired these.
    retirable: BTreeSet<u64>,
}

/// Two hours of small parts, merging, and retirement of the first hour.
fn play(dir: &Path, faults: &Arc<Faults>) -> Played {
    let mut played = Played::default();
    let mut settings = Settings::new(dir);
    settings.retention = std::time::Duration::from_hours(1);
    let Ok(store) = LogStore::open_on(settings, Disk::failing(faults)) else {
        return played;
    };
    let mut next = 0;
    for hour in [0, 1] {
        let now = HOUR + hour * HOUR_MS;
        for _ in 0..3 {
            let octets = [next, next + 1];
            next += 2;
            if journaled(&store, octets, now).is_ok() {
                played.appended.extend(octets);
            }
            if store.flush().is_ok() {
                played.committed.clone_from(&played.appended);
            }
            if faults.stopped() {
                return played;
            }
        }
        maintain(&store, now + 1);
    }
    played.retirable.extend(0..6);
    maintain(&store, HOUR + 2 * HOUR_MS);
    played
}

/// Takes two rows as a journal brings them, numbers left out between.
fn journaled(store: &LogStore, octets: [u64; 2], now: u64) -> Result<Amount, AppendError> {
    let rows = rows(now, &octets);
    store.append_rows("sag", "flows", &rows, seq(octets[0]), now)
}

/// Number of the row with these octets.
fn seq(octets: u64) -> u64 {
    1 + octets / 2 * 10 + octets % 2
}

/// The octets of all rows in `seq` order, after checking that `seq` ascends.
fn octets_found(store: &LogStore) -> Vec<u64> {
    let found = rows_of(store, "SELECT seq, bytes FROM flows ORDER BY seq");
    let number = |value: &Value| value.as_u64().unwrap();
    assert!(
        found
            .windows(2)
            .all(|pair| number(&pair[0][0]) < number(&pair[1][0]))
    );
    found.iter().map(|row| number(&row[1])).collect()
}

fn file_names(dir: &Path) -> BTreeSet<String> {
    let parts = dir.join("sag/flows/parts");
    let names = std::fs::read_dir(parts).into_iter().flatten();
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn check_after(played: &Played, dir: &Path, steps: usize) {
    let store = LogStore::open(Settings::new(dir)).unwrap();
    let found = octets_found(&store);
    let once: BTreeSet<u64> = found.iter().copied().collect();
    assert_eq!(once.len(), found.len(), "a row twice after {steps} steps");
    assert!(
        once.is_subset(&played.appended),
        "a row from nowhere after {steps} steps"
    );
    let kept: BTreeSet<u64> = played
        .committed
        .difference(&played.retirable)
        .copied()
        .collect();
    assert!(
        kept.is_subset(&once),
        "a committed row lost after {steps} steps"
    );
    let named = store
        .parts()
        .iter()
        .map(|part| part.path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(file_names(dir), named, "debris after {steps} steps");
    assert_eq!(
        store.stats().damaged_parts,
        0,
        "a part damaged after {steps} steps"
    );
    let parts = store.parts();
    drop(store);
    let again = LogStore::open(Settings::new(dir)).unwrap();
    assert_eq!(
        again.parts(),
        parts,
        "opened twice, two stores after {steps} steps"
    );
    check_replay(played, &again, &once, steps);
}

/// What the crash took comes back from the journal with the numbers it had;
/// what is there does not come twice, what was retired not at all.
fn check_replay(played: &Played, store: &LogStore, kept: &BTreeSet<u64>, steps: usize) {
    let durable = store.durable();
    let durable = durable.first().map_or(0, |(_, seq)| *seq);
    for first in played.appended.iter().filter(|octets| *octets % 2 == 0) {
        journaled(store, [*first, first + 1], HOUR + HOUR_MS).unwrap();
    }
    let lost = |octets: &u64| seq(*octets) >= durable;
    let due: BTreeSet<u64> = played.appended.iter().copied().filter(lost).collect();
    assert!(due.is_disjoint(kept), "durable too low after {steps} steps");
    let found = rows_of(store, "SELECT seq, bytes FROM flows ORDER BY seq");
    let expected: Vec<_> = kept
        .union(&due)
        .map(|octets| vec![json!(seq(*octets)), json!(octets)])
        .collect();
    assert_eq!(found, expected, "replayed after {steps} steps");
    let missing = |octets: &&u64| !kept.contains(octets) && !due.contains(octets);
    let missing: BTreeSet<u64> = played.appended.iter().filter(missing).copied().collect();
    assert!(
        missing.is_subset(&played.retirable),
        "a row passed over that was not there after {steps} steps"
    );
}

#[test]
fn a_stop_after_any_step_loses_nothing_committed_and_doubles_nothing() {
    for power_cut in [false, true] {
        let mut steps = 0;
        loop {
            let dir = tempfile::tempdir().unwrap();
            let faults = Arc::new(Faults::after(steps));
            let played = play(dir.path(), &faults);
            let stopped = faults.stopped();
            if power_cut {
                faults.lose_unsynced();
            }
            check_after(&played, dir.path(), steps);
            if !stopped {
                break;
            }
            steps += 1;
        }
        // 6 flushes of 8 operations each, and then some.
        assert!(steps > 48, "the script ended after {steps} steps");
    }
}

#[test]
fn a_disk_that_stops_and_heals_leaves_every_row_in_place_once() {
    let complete: Vec<u64> = (0..36).collect();
    for steps in 5..60 {
        let dir = tempfile::tempdir().unwrap();
        let faults = Arc::new(Faults::after(usize::MAX));
        let store = LogStore::open_on(Settings::new(dir.path()), Disk::failing(&faults)).unwrap();
        store
            .append_next("sag", "flows", &rows(HOUR, &[0, 1]), HOUR)
            .unwrap();
        faults.stop_after(steps);
        for next in (2..36).step_by(2) {
            store
                .append_next("sag", "flows", &rows(HOUR, &[next, next + 1]), HOUR)
                .unwrap();
            let _ = store.flush();
            maintain(&store, HOUR + 1);
        }
        assert_eq!(
            octets_found(&store),
            complete,
            "stopped after {steps} steps"
        );
        let stats = store.stats();
        assert_eq!(stats.appended, stats.durable + stats.unflushed);
        assert!(stats.write_errors > 0);
        faults.heal();
        store.flush().unwrap();
        maintain(&store, HOUR + 120_000);
        assert_eq!(store.stats().unflushed.records, 0);
        assert_eq!(octets_found(&store), complete, "healed after {steps} steps");
        drop(store);
        let store = LogStore::open(Settings::new(dir.path())).unwrap();
        assert_eq!(octets_found(&store), complete, "opened after {steps} steps");
    }
}
