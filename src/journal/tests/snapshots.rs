//! The open flows, and the rows since.

use super::*;

/// Bodies of all frames from a row on, and whether none is missing.
fn since(journal: &Journal, seq: u64) -> (Vec<String>, bool) {
    let mut bodies = Vec::new();
    let is_whole = journal.rows_since(seq, |_, body| {
        bodies.push(String::from_utf8(body.to_vec()).unwrap());
    });
    (bodies, is_whole.unwrap())
}

/// A frame that fills half a segment.
fn long(name: &str) -> String {
    name.repeat(400)
}

#[test]
fn rows_a_snapshot_asks_for_stay_though_they_are_delivered() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    append(&journal, a, 1, &long("1"));
    let snapshot = journal.begin_snapshot().unwrap();
    let seq = 2;
    let before = [long("2"), long("3"), long("4"), long("5")];
    for body in &before {
        append(&journal, a, 1, body);
    }
    journal.save_snapshot(&snapshot).unwrap();
    journal.commit().unwrap();
    journal.ack(a, 1..u64::MAX);
    journal.persist_progress().unwrap();
    fs.crash(0);
    assert_eq!(open(&fs).0.take_snapshot().unwrap().unwrap().0, seq);
    let (journal, _) = open(&fs);
    assert_eq!(since(&journal, seq), (before.to_vec(), true));
    // After another start, with rows of both runs.
    let a = journal.destination("a").unwrap();
    append(&journal, a, 1, "6");
    journal.commit().unwrap();
    fs.crash(0);
    let (journal, _) = open(&fs);
    let all = [&before[..], &["6".to_owned()]].concat();
    assert_eq!(since(&journal, seq), (all, true));
    // Where none asks for them, they go.
    journal.remove_snapshot().unwrap();
    let kept = journal.stats(0).segments.len();
    journal.persist_progress().unwrap();
    assert!(journal.stats(0).segments.len() < kept);
    assert_eq!(journal.take_snapshot().unwrap(), None);
}

#[test]
fn a_later_snapshot_frees_what_the_one_before_asked_for() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    let first = journal.begin_snapshot().unwrap();
    journal.save_snapshot(&first).unwrap();
    for body in ["1", "2", "3", "4", "5"] {
        append(&journal, a, 1, &long(body));
    }
    journal.commit().unwrap();
    journal.ack(a, 1..u64::MAX);
    journal.persist_progress().unwrap();
    let held = journal.stats(0).segments.len();
    let second = journal.begin_snapshot().unwrap();
    journal.persist_progress().unwrap();
    assert_eq!(
        journal.stats(0).segments.len(),
        held,
        "the first is still it"
    );
    journal.save_snapshot(&second).unwrap();
    journal.persist_progress().unwrap();
    assert!(journal.stats(0).segments.len() < held);
}

#[test]
fn a_row_that_is_missing_is_found_out() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    for body in ["1", "2", "3", "4", "5"] {
        append(&journal, a, 1, &long(body));
    }
    journal.commit().unwrap();
    journal.ack(a, 1..u64::MAX);
    journal.persist_progress().unwrap();
    fs.crash(0);
    let (journal, _) = open(&fs);
    let (bodies, is_whole) = since(&journal, 1);
    assert!(bodies.len() < 5, "delivered and removed");
    assert!(!is_whole);
}

#[test]
fn rows_the_log_store_has_and_the_journal_has_not_are_found_out() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    append(&journal, a, 2, "x");
    journal.commit().unwrap();
    drop(journal);
    let reopened = |first_seq| {
        let settings = Settings {
            first_seq,
            ..settings()
        };
        Journal::open(settings, fs.clone()).unwrap().0
    };
    assert!(since(&reopened(3), 1).1);
    assert!(!since(&reopened(4), 1).1);
}

#[test]
fn what_a_snapshot_asks_for_goes_before_a_row_that_is_to_be_delivered() {
    let fs = FaultyFs::default();
    let settings = Settings {
        quota_bytes: 8 << 10,
        ..settings()
    };
    let (journal, _) = Journal::open(settings, fs).unwrap();
    let a = journal.destination("a").unwrap();
    journal
        .save_snapshot(&journal.begin_snapshot().unwrap())
        .unwrap();
    for _ in 0..40 {
        append(&journal, a, 1, &long("x"));
        journal.commit().unwrap();
        journal.ack(a, 1..u64::MAX);
    }
    append(&journal, a, 1, "to be delivered");
    journal.commit().unwrap();
    assert_eq!(bodies(&journal, a), ["to be delivered"]);
    assert_eq!(amounts(&journal, a).evicted, Amount::default());
    assert!(journal.stats(0).disk_bytes <= 8 << 10);
    assert!(!since(&journal, 1).1, "it is known to be of no use");
}
