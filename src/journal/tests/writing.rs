//! Frames on their way to the disk, and faults there.

use super::*;
use crate::journal::testing::Failure;

#[test]
fn a_row_is_read_when_it_is_durable_and_not_before() {
    let fs = FaultyFs::default();
    let (journal, recovered) = open(&fs);
    assert_eq!(recovered, Recovered::default());
    let a = journal.destination("a").unwrap();
    let b = journal.destination("b").unwrap();
    let shares = [share(a, 0..3), share(b, 3..5)];
    let body = Bytes::from_static(b"five rows");
    let first = journal.append(Kind::LogGroup, &shares, body.clone(), 7);
    assert_eq!(first, Ok(1));
    assert_eq!(journal.next(a, 0).unwrap(), None);
    assert_eq!(journal.commit(), Ok(6));
    let frame = journal.next(b, 0).unwrap().unwrap();
    assert_eq!(frame.rows(), 4..6);
    assert_eq!(frame.share, shares[1]);
    assert_eq!((frame.first_seq, frame.kind), (1, Kind::LogGroup));
    // Shared, not copied.
    assert_eq!(frame.body.as_ptr(), body.as_ptr());
    assert_eq!(journal.next(b, 5).unwrap(), None);
    assert_eq!(journal.next(a, 2).unwrap().unwrap().rows(), 3..4);
}

#[test]
fn two_destinations_may_have_the_same_rows() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    let b = journal.destination("b").unwrap();
    let shares = [share(a, 0..4), share(b, 2..4)];
    let body = Bytes::from_static(b"x");
    journal.append(Kind::Flows, &shares, body, 7).unwrap();
    journal.commit().unwrap();
    journal.ack(a, 1..5);
    assert_eq!(journal.next(b, 0).unwrap().unwrap().rows(), 3..5);
    assert_eq!(amounts(&journal, a).acked, amount(4));
    assert_eq!(amounts(&journal, b).pending, amount(2));
}

#[test]
fn what_is_no_frame_is_refused_and_counted() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    let try_append = |shares: &[Share], body: Bytes| journal.append(Kind::Flows, shares, body, 0);
    let small = Bytes::from_static(b"x");
    assert_eq!(try_append(&[], small.clone()), Err(Refused::Shares));
    let unknown = share(DestinationId(9), 0..1);
    assert_eq!(try_append(&[unknown], small.clone()), Err(Refused::Shares));
    let twice = [share(a, 0..1), share(a, 1..2)];
    assert_eq!(try_append(&twice, small), Err(Refused::Shares));
    let large = Bytes::from(vec![0; 512]);
    let refused = Refused::TooLarge { len: 592, max: 512 };
    assert_eq!(try_append(&[share(a, 0..1)], large), Err(refused));
    assert_eq!(amounts(&journal, a).refused, amount(3));
    assert_eq!(amounts(&journal, a).pending, Amount::default());
}

#[test]
fn names_are_limited_in_length_and_number() {
    let settings = Settings {
        destinations_max: 2,
        ..settings()
    };
    let (journal, _) = Journal::open(settings, FaultyFs::default()).unwrap();
    let a = journal.destination("a").unwrap();
    assert_eq!(journal.destination(""), Err(DestinationError::Name(0)));
    let long = "x".repeat(513);
    assert_eq!(journal.destination(&long), Err(DestinationError::Name(513)));
    assert_eq!(journal.destination("b"), Ok(DestinationId(1)));
    assert_eq!(journal.destination("c"), Err(DestinationError::TooMany(2)));
    assert_eq!(journal.destination("a"), Ok(a));
}

#[test]
fn a_commit_without_new_frames_does_not_touch_the_disk() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    append(&journal, a, 1, "x");
    journal.commit().unwrap();
    let before = fs.syncs();
    journal.commit().unwrap();
    assert_eq!(fs.syncs(), before);
}

/// reliability.md row 7.
#[test]
fn after_a_failed_sync_the_frames_go_to_another_file() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    append(&journal, a, 2, "durable");
    journal.commit().unwrap();
    append(&journal, a, 2, "lost pages");
    fs.fail(Failure::Sync);
    assert_eq!(journal.commit(), Ok(5));
    let stats = journal.stats(0);
    assert_eq!(stats.counters.sync_failures, 1);
    assert_eq!(stats.counters.suspect_segments, 1);
    assert_eq!(stats.segments.len(), 2);
    assert_eq!(stats.segments[0].kept_by, [(a, amount(2))]);
    assert_eq!(stats.segments[1].kept_by, [(a, amount(2))]);
    drop(journal);
    // The first file never got its pages.
    fs.crash(0);
    let (journal, recovered) = open(&fs);
    assert_eq!((recovered.frames, recovered.corrupt_frames), (2, 0));
    assert_eq!(bodies(&journal, a), ["durable", "lost pages"]);
}

#[test]
fn a_sync_that_keeps_failing_is_an_error_and_then_heals() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    append(&journal, a, 1, "x");
    for _ in 0..20 {
        fs.fail(Failure::Sync);
    }
    assert_eq!(journal.commit(), Err(CommitError(Fault::Io)));
    assert_eq!(journal.stats(0).fault, Some(Fault::Io));
    // Who keeps up is served from memory meanwhile.
    assert_eq!(bodies(&journal, a), ["x"]);
    fs.heal();
    assert_eq!(journal.commit(), Ok(2));
    assert_eq!(journal.stats(0).fault, None);
    fs.crash(0);
    let (journal, _) = open(&fs);
    assert_eq!(bodies(&journal, a), ["x"]);
}

#[test]
fn a_failed_or_short_write_goes_to_another_file() {
    for failure in [Failure::Write, Failure::ShortWrite] {
        let fs = FaultyFs::default();
        let (journal, _) = open(&fs);
        let a = journal.destination("a").unwrap();
        append(&journal, a, 1, "one");
        fs.fail(failure);
        append(&journal, a, 1, "two");
        assert_eq!(journal.commit(), Ok(3));
        assert_eq!(journal.stats(0).counters.write_failures, 1);
        fs.crash(0);
        let (journal, recovered) = open(&fs);
        assert_eq!(recovered.corrupt_frames, 0);
        assert_eq!(bodies(&journal, a), ["one", "two"]);
    }
}

#[test]
fn a_segment_that_cannot_be_made_is_tried_again() {
    for failure in [
        Failure::Create,
        Failure::Rename,
        Failure::SyncDir,
        Failure::Sync,
    ] {
        let fs = FaultyFs::default();
        let (journal, _) = open(&fs);
        let a = journal.destination("a").unwrap();
        fs.fail(failure);
        append(&journal, a, 1, "x");
        assert_eq!(journal.stats(0).fault, Some(Fault::Io));
        assert_eq!(journal.commit(), Ok(2), "{failure:?}");
        drop(journal);
        fs.crash(0);
        let (journal, _) = open(&fs);
        assert_eq!(bodies(&journal, a), ["x"], "{failure:?}");
    }
}

/// reliability.md row 5.
#[test]
fn a_full_disk_is_a_state_that_ends() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    append(&journal, a, 1, "before");
    journal.commit().unwrap();
    fs.set_capacity(Some(fs.used() + 10));
    append(&journal, a, 1, "while full");
    assert_eq!(journal.commit(), Err(CommitError(Fault::NoSpace)));
    assert_eq!(journal.stats(0).fault, Some(Fault::NoSpace));
    // The live path goes on, and what it delivered need not be written.
    assert_eq!(bodies(&journal, a), ["before", "while full"]);
    append(&journal, a, 1, "delivered");
    journal.ack(a, 3..4);
    fs.set_capacity(None);
    assert_eq!(journal.commit(), Ok(4));
    assert_eq!(journal.stats(0).fault, None);
    journal.persist_progress().unwrap();
    drop(journal);
    fs.crash(0);
    let (journal, recovered) = open(&fs);
    assert_eq!(recovered.rows, 2);
    assert_eq!(bodies(&journal, a), ["before", "while full"]);
    // No row gets a number that was seen before.
    assert!(append(&journal, a, 1, "after") > 1 << 32);
}

#[test]
fn memory_is_bounded_while_the_disk_is_full() {
    let fs = FaultyFs::default();
    let settings = Settings {
        window_bytes: 1000,
        when_full: WhenFull::DropNewest,
        ..settings()
    };
    let (journal, _) = Journal::open(settings, fs.clone()).unwrap();
    let a = journal.destination("a").unwrap();
    fs.set_capacity(Some(0));
    let body = Bytes::from(vec![1; 220]);
    let shares = [share(a, 0..1)];
    let append = || journal.append(Kind::Flows, &shares, body.clone(), 0);
    let taken: Vec<_> = (0..5).map(|_| append()).collect();
    let full = Err(Refused::MemoryFull);
    assert_eq!(taken, [Ok(1), Ok(2), Ok(3), full, full]);
    assert_eq!(amounts(&journal, a).refused, amount(2));
    assert_eq!(journal.stats(0).window_bytes, 900);
    fs.set_capacity(None);
    assert_eq!(append(), Ok(4));
    assert_eq!(journal.commit(), Ok(5));
}

#[test]
fn the_oldest_rows_in_memory_go_where_the_policy_says_so() {
    let fs = FaultyFs::default();
    let settings = Settings {
        window_bytes: 1000,
        ..settings()
    };
    let (journal, _) = Journal::open(settings, fs.clone()).unwrap();
    let a = journal.destination("a").unwrap();
    fs.set_capacity(Some(0));
    let body = "x".repeat(220);
    for _ in 0..5 {
        append(&journal, a, 1, &body);
    }
    assert_eq!(amounts(&journal, a).evicted, amount(2));
    assert_eq!(amounts(&journal, a).pending, amount(3));
    fs.set_capacity(None);
    assert_eq!(journal.commit(), Ok(6));
    let rows: Vec<_> = backlog(&journal, a).iter().map(Frame::rows).collect();
    assert_eq!(rows, [3..4, 4..5, 5..6]);
}

#[test]
fn frames_that_only_wait_for_a_commit_get_one() {
    let fs = FaultyFs::default();
    let settings = Settings {
        window_bytes: 1000,
        ..settings()
    };
    let (journal, _) = Journal::open(settings, fs).unwrap();
    let a = journal.destination("a").unwrap();
    for _ in 0..10 {
        append(&journal, a, 1, &"x".repeat(220));
    }
    assert_eq!(amounts(&journal, a).pending, amount(10));
    assert_eq!(amounts(&journal, a).refused, Amount::default());
    journal.commit().unwrap();
    // Those that memory gave up come from disk.
    assert_eq!(backlog(&journal, a).len(), 10);
}
