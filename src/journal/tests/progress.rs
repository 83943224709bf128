//! What destinations get, acknowledge, and get again.

use super::*;

#[test]
fn acknowledged_rows_do_not_come_again() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    let b = journal.destination("b").unwrap();
    for body in ["1", "2", "3", "4"] {
        let shares = [share(a, 0..4), share(b, 4..6)];
        let body = Bytes::copy_from_slice(body.as_bytes());
        journal.append(Kind::Flows, &shares, body, 0).unwrap();
    }
    journal.commit().unwrap();
    // The second frame, and half of the third.
    journal.ack(a, 7..11);
    journal.ack(a, 13..15);
    assert_eq!(amounts(&journal, a).acked, amount(4));
    journal.persist_progress().unwrap();
    journal.ack(a, 1..5);
    fs.crash(u64::MAX);
    let (journal, _) = open(&fs);
    // What was not persisted comes again, the rest does not.
    let rows: Vec<_> = backlog(&journal, a).iter().map(Frame::rows).collect();
    assert_eq!(rows, [1..5, 15..17, 19..23]);
    assert_eq!(backlog(&journal, b).len(), 4);
    assert_eq!(amounts(&journal, a).acked, amount(4));
    assert_eq!(amounts(&journal, a).pending, amount(12));
    // Acknowledged without having been asked for, others' rows included.
    journal.ack(a, 1..u64::MAX);
    assert_eq!(amounts(&journal, a).acked, amount(16));
    assert_eq!(amounts(&journal, a).pending, Amount::default());
    assert_eq!(amounts(&journal, b).pending, amount(8));
}

#[test]
fn newest_first_leaves_the_backlog_as_it_is() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    for number in 0..30 {
        append(&journal, a, 2, &format!("{number:0100}"));
    }
    journal.commit().unwrap();
    let late = journal.next(a, 50).unwrap().unwrap();
    assert_eq!(late.rows(), 51..53);
    journal.ack(a, late.rows());
    assert_eq!(journal.next(a, 50).unwrap().unwrap().rows(), 53..55);
    assert_eq!(journal.next(a, 0).unwrap().unwrap().rows(), 1..3);
    assert_eq!(backlog(&journal, a).len(), 29);
}

#[test]
fn too_many_rows_under_way_stop_a_destination_until_it_acknowledges() {
    let settings = Settings {
        ranges_max: 8,
        ..settings()
    };
    let (journal, _) = Journal::open(settings, FaultyFs::default()).unwrap();
    let a = journal.destination("a").unwrap();
    for _ in 0..20 {
        append(&journal, a, 1, "x");
    }
    journal.commit().unwrap();
    for after in 0..8 {
        assert!(journal.next(a, after).unwrap().is_some());
    }
    assert!(matches!(journal.next(a, 8), Err(ReadError::Scattered)));
    // What was given out may be asked for again.
    assert_eq!(journal.next(a, 0).unwrap().unwrap().rows(), 1..2);
    journal.ack(a, 1..2);
    assert_eq!(journal.next(a, 8).unwrap().unwrap().rows(), 9..10);
}

#[test]
fn the_oldest_rows_are_given_out_however_scattered_the_others_are() {
    let settings = Settings {
        ranges_max: 8,
        ..settings()
    };
    let (journal, _) = Journal::open(settings, FaultyFs::default()).unwrap();
    let a = journal.destination("a").unwrap();
    for _ in 0..20 {
        append(&journal, a, 1, "x");
    }
    journal.commit().unwrap();
    for after in [3, 5, 7, 9] {
        journal.next(a, after).unwrap().unwrap();
        journal.ack(a, after + 1..after + 2);
    }
    assert!(matches!(journal.next(a, 11), Err(ReadError::Scattered)));
    assert_eq!(journal.visible_to(), 21);
    for row in [1, 2, 3, 5, 7, 9] {
        let oldest = journal.next(a, 0).unwrap().unwrap();
        assert_eq!((oldest.rows(), oldest.at_ms), (row..row + 1, 1_000));
        journal.ack(a, oldest.rows());
    }
    assert_eq!(journal.next(a, 11).unwrap().unwrap().rows(), 12..13);
}

#[test]
fn an_idle_destination_reads_past_the_frames_of_others() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let busy = journal.destination("busy").unwrap();
    let idle = journal.destination("idle").unwrap();
    for number in 0..600 {
        append(&journal, busy, 1, &format!("{number:0200}"));
        journal.commit().unwrap();
    }
    assert_eq!(journal.next(idle, 0).unwrap(), None);
    assert_eq!(journal.stats(0).destinations[1].low_water, 601);
    append(&journal, idle, 1, "at last");
    journal.commit().unwrap();
    assert_eq!(bodies(&journal, idle), ["at last"]);
    assert_eq!(backlog(&journal, busy).len(), 600);
}

#[test]
fn names_outlive_both_files_of_progress() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("sls/a").unwrap();
    let b = journal.destination("sls/b").unwrap();
    append(&journal, b, 1, "x");
    journal.commit().unwrap();
    journal.persist_progress().unwrap();
    journal.persist_progress().unwrap();
    let id = journal.id();
    drop(journal);
    fs.put("progress.0", b"");
    fs.put("progress.1", b"rubbish");
    let (journal, recovered) = open(&fs);
    assert_eq!(recovered.damaged_slots, 2);
    assert_eq!(journal.id(), id);
    assert_eq!(journal.destination("sls/b"), Ok(b));
    assert_eq!(journal.destination("sls/a"), Ok(a));
    assert_eq!(bodies(&journal, b), ["x"]);
}

#[test]
fn a_clean_end_leaves_no_snapshot() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    append(&journal, a, 1, "x");
    let mut snapshot = journal.begin_snapshot().unwrap();
    snapshot.write(b"flows").unwrap();
    journal.save_snapshot(&snapshot).unwrap();
    drop(journal);
    fs.crash(0);
    let (journal, _) = open(&fs);
    let snapshot = Some((2, Bytes::from_static(b"flows")));
    assert_eq!(journal.take_snapshot().unwrap(), snapshot);
    journal.close().unwrap();
    drop(journal);
    fs.crash(0);
    let (journal, _) = open(&fs);
    assert_eq!(journal.take_snapshot().unwrap(), None);
}

/// reliability.md row 34.
#[test]
fn a_second_journal_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(settings(), Disk::new(dir.path())).unwrap();
    let refused = Journal::open(settings(), Disk::new(dir.path())).unwrap_err();
    let pid = std::process::id();
    assert!(
        refused
            .to_string()
            .contains(&format!("locked by pid {pid}"))
    );
    // A look needs no lock.
    let a = journal.destination("a").unwrap();
    append(&journal, a, 3, "x");
    journal.commit().unwrap();
    let mut rows = 0;
    let seen = inspect(&Disk::new(dir.path()), |frame| rows += frame.rows).unwrap();
    assert_eq!(
        (rows, seen.segments.len(), seen.complaints()),
        (3, 1, vec![])
    );
    assert_eq!(seen.name_of(a), Some("a"));
    drop(journal);
    let (journal, _) = Journal::open(settings(), Disk::new(dir.path())).unwrap();
    assert_eq!(bodies(&journal, a), ["x"]);
}

#[test]
fn what_is_delivered_directly_is_acknowledged_without_being_read() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    let b = journal.destination("b").unwrap();
    append(&journal, a, 2, "before");
    journal.commit().unwrap();
    assert_eq!(backlog(&journal, a).len(), 1);
    journal.deliver_directly(a);
    for body in ["1", "2", "3"] {
        let shares = [share(b, 0..1), share(a, 1..4)];
        let body = Bytes::copy_from_slice(body.as_bytes());
        journal.append(Kind::Flows, &shares, body, 0).unwrap();
    }
    journal.commit().unwrap();
    assert_eq!(amounts(&journal, a).pending, amount(11));
    // The first two frames, and one row of the third.
    journal.ack(a, 1..9);
    assert_eq!(amounts(&journal, a).acked, amount(5));
    assert_eq!(amounts(&journal, a).pending, amount(6));
    journal.ack(a, 1..u64::MAX);
    assert_eq!(amounts(&journal, a).pending, Amount::default());
    assert_eq!(bodies(&journal, b), ["1", "2", "3"]);
    journal.persist_progress().unwrap();
    fs.crash(u64::MAX);
    let (journal, _) = open(&fs);
    assert!(backlog(&journal, a).is_empty());
    assert_eq!(backlog(&journal, b).len(), 3);
}

#[test]
fn what_is_delivered_directly_outlives_a_crash_until_it_is_acknowledged() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    journal.deliver_directly(a);
    for body in ["1", "2", "3"] {
        append(&journal, a, 2, body);
        journal.commit().unwrap();
    }
    journal.ack(a, 0..3);
    journal.persist_progress().unwrap();
    fs.crash(0);
    let (journal, _) = open(&fs);
    assert_eq!(bodies(&journal, a), ["2", "3"]);
}

#[test]
fn no_memory_is_kept_for_what_is_delivered_directly() {
    let (journal, _) = open(&FaultyFs::default());
    let a = journal.destination("a").unwrap();
    journal.deliver_directly(a);
    append(&journal, a, 2, "durable");
    journal.commit().unwrap();
    append(&journal, a, 2, "not yet");
    let window = journal.stats(0).window_bytes;
    journal.commit().unwrap();
    append(&journal, a, 2, "not yet");
    assert_eq!(journal.stats(0).window_bytes, window);
}

#[test]
fn a_new_journal_may_begin_above_numbers_that_others_have() {
    let settings = Settings {
        first_seq: 1000,
        ..settings()
    };
    let fs = FaultyFs::default();
    let (journal, _) = Journal::open(settings.clone(), fs.clone()).unwrap();
    let a = journal.destination("a").unwrap();
    assert_eq!(append(&journal, a, 2, "x"), 1000);
    journal.commit().unwrap();
    drop(journal);
    let (journal, _) = Journal::open(settings, fs).unwrap();
    assert!(append(&journal, a, 1, "y") > 1001);
    assert_eq!(bodies(&journal, a)[0], "x");
}
