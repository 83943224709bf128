//! What goes when the quota is used up, and what is kept for whom.

use super::*;
use crate::journal::testing::Failure;

/// One frame a segment, eight segments.
fn tight(when_full: WhenFull) -> (FaultyFs, Journal) {
    let fs = FaultyFs::default();
    let settings = Settings {
        quota_bytes: 9 << 10,
        segment_bytes: 1024,
        window_bytes: 2048,
        when_full,
        ..Settings::default()
    };
    let (journal, _) = Journal::open(settings, fs.clone()).unwrap();
    (fs, journal)
}

fn long(number: usize) -> String {
    format!("{number:0430}")
}

fn try_append(
    journal: &Journal,
    destination: DestinationId,
    number: usize,
) -> Result<u64, Refused> {
    let shares = [share(destination, 0..1)];
    let appended = journal.append(Kind::Flows, &shares, long(number).into(), 0);
    journal.commit().unwrap();
    appended
}

#[test]
fn the_oldest_undelivered_segment_goes_and_is_counted_exactly() {
    let (fs, journal) = tight(WhenFull::DropOldestUnsent);
    let a = journal.destination("a").unwrap();
    let b = journal.destination("b").unwrap();
    let mut appended = 0;
    for number in 0..40 {
        try_append(&journal, if number % 4 == 0 { b } else { a }, number).unwrap();
        appended += 1;
        assert!(fs.used() <= 9 << 10, "{} octets on disk", fs.used());
        assert!(journal.stats(0).disk_bytes <= 9 << 10);
    }
    let stats = journal.stats(0);
    assert!(stats.counters.evicted_segments > 10);
    let (of_a, of_b) = (amounts(&journal, a), amounts(&journal, b));
    let total = of_a.pending + of_a.evicted + of_b.pending + of_b.evicted;
    assert_eq!(total, amount(appended));
    let left = (backlog(&journal, a).len(), backlog(&journal, b).len());
    assert_eq!(of_a.pending, amount(left.0 as u64));
    assert_eq!(of_b.pending, amount(left.1 as u64));
    // What was counted stays counted.
    drop(journal);
    fs.crash(0);
    let (journal, _) = open(&fs);
    assert_eq!(amounts(&journal, a).evicted, of_a.evicted);
    assert_eq!(amounts(&journal, b).evicted, of_b.evicted);
    assert_eq!(amounts(&journal, a).pending, of_a.pending);
}

#[test]
fn the_newest_frame_goes_where_the_policy_says_so() {
    let (_, journal) = tight(WhenFull::DropNewest);
    let a = journal.destination("a").unwrap();
    let taken: Vec<_> = (0..40)
        .map(|number| try_append(&journal, a, number))
        .collect();
    let good = taken.iter().filter(|taken| taken.is_ok()).count();
    assert!(taken[..good].iter().all(Result::is_ok));
    assert!(
        taken[good..]
            .iter()
            .all(|taken| *taken == Err(Refused::Full))
    );
    assert_eq!(amounts(&journal, a).refused, amount(40 - good as u64));
    assert_eq!(bodies(&journal, a), (0..good).map(long).collect::<Vec<_>>());
    // Room comes with delivery.
    journal.ack(a, 1..5);
    assert_eq!(try_append(&journal, a, 99), Ok(good as u64 + 1));
}

#[test]
fn a_stuck_destination_holds_its_own_segments_only() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let stuck = journal.destination("stuck").unwrap();
    let well = journal.destination("well").unwrap();
    append(&journal, stuck, 1, "wait");
    for number in 0..20 {
        append(&journal, well, 1, &long(number));
    }
    journal.commit().unwrap();
    let before = journal.stats(5_000);
    assert_eq!(before.destinations[0].oldest_age_ms, Some(4_000));
    assert_eq!(before.destinations[1].low_water, 1);
    for frame in backlog(&journal, well) {
        journal.ack(well, frame.rows());
    }
    let files = fs.list().unwrap().len();
    journal.persist_progress().unwrap();
    assert!(fs.list().unwrap().len() < files);
    let stats = journal.stats(5_000);
    let keepers: Vec<_> = stats
        .segments
        .iter()
        .map(|segment| &segment.kept_by)
        .collect();
    assert_eq!(keepers[0], &[(stuck, amount(1))]);
    assert!(keepers[1..].iter().all(|kept| kept.is_empty()));
    assert!(keepers.len() <= 2, "the first, and the one being written");
    assert_eq!(stats.destinations[1].oldest_age_ms, None);
    assert_eq!(stats.destinations[1].low_water, 22);
    assert_eq!(stats.destinations[0].kept_bytes, stats.segments[0].bytes);
}

#[test]
fn a_segment_stays_until_the_progress_that_frees_it_is_durable() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    for number in 0..6 {
        append(&journal, a, 1, &long(number));
    }
    journal.commit().unwrap();
    journal.ack(a, 1..7);
    assert_eq!(journal.stats(0).segments[0].kept_by, []);
    let count = |fs: &FaultyFs| {
        let names = fs.list().unwrap();
        names.iter().filter(|name| name.ends_with(".seg")).count()
    };
    let before = count(&fs);
    fs.fail(Failure::Sync);
    assert!(journal.persist_progress().is_err());
    assert_eq!(count(&fs), before);
    assert_eq!(journal.stats(0).counters.progress_failures, 1);
    journal.persist_progress().unwrap();
    assert_eq!(count(&fs), 1);
    drop(journal);
    // Names of removed files come back with a crash; their rows do not.
    fs.crash(0);
    let (journal, _) = open(&fs);
    assert_eq!(bodies(&journal, a), [""; 0]);
    assert_eq!(amounts(&journal, a).acked, amount(6));
    assert_eq!(amounts(&journal, a).pending, Amount::default());
}
