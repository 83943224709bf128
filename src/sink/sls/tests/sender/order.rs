//! What goes first, and how fast, after an outage.

use super::*;
use crate::sink::sls::Limits;
use crate::sink::sls::Order;

/// Requests that carried a row below `fresh_from`, and others.
fn lanes(seen: &[Seen], fresh_from: u64) -> Vec<bool> {
    let lanes = seen.iter().map(seqs);
    lanes.map(|seqs| seqs[0] < fresh_from).collect()
}

/// A bench with 4 000 rows that have waited for an hour.
async fn after_an_hour(order: Order) -> (Bench, Server) {
    let server = Server::new([]).await;
    let mut bench = Bench::new(&server);
    bench.settings.order = order;
    bench.settings.limits = Limits::new(1 << 20, 100, 100);
    for _ in 0..40 {
        bench.append(FLOWS, 100);
    }
    bench.clock.pass(Duration::from_hours(1));
    // Two batches of 50 rows are some 12 KB.
    bench.settings.drain_octets_per_s = 10_000;
    bench.start();
    (bench, server)
}

#[tokio::test]
async fn a_backlog_drains_at_its_rate_while_fresh_rows_pass() {
    let (bench, server) = after_an_hour(Order::NewestFirst).await;
    bench.until(|_| !server.seen().is_empty()).await;
    let first = bench.clock.now();
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        bench.append(FLOWS, 10);
        let appended = bench.clock.now();
        let last = bench.journal.visible_to() - 1;
        bench
            .until(|_| server.seen().iter().any(|seen| seqs(seen).contains(&last)))
            .await;
        slowest = slowest.max(bench.clock.now() - appended);
        bench.clock.pass(Duration::from_secs(1));
    }
    assert!(slowest < bench.settings.fresh_within, "{slowest:?}");
    assert!(bench.outlet(ID).is_draining);
    assert!(bench.pending(ID) > 1000, "{}", bench.pending(ID));
    bench.until_delivered().await;
    let seen = server.seen();
    assert_eq!(all_seqs(&seen), (1..=4100).collect::<Vec<_>>());
    // The rate, and the bucket's first second.
    let backlog = seen.iter().zip(lanes(&seen, 4001));
    let raw = |seen: &Seen| {
        seen.header("x-log-bodyrawsize")
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let octets: u64 = backlog
        .filter(|(_, is_old)| *is_old)
        .map(|(seen, _)| raw(seen))
        .sum();
    let passed = bench.clock.now() - first;
    let allowed = 10_000 * (passed.as_secs() + 2);
    assert!(octets > 250_000, "{octets}");
    assert!(octets <= allowed, "{octets} in {passed:?}");
    bench.until(|bench| !bench.outlet(ID).is_draining).await;
}

#[tokio::test]
async fn oldest_first_is_the_journals_order_at_full_speed() {
    let (bench, server) = after_an_hour(Order::OldestFirst).await;
    bench.append(FLOWS, 10);
    bench.until_delivered().await;
    let seen = server.seen();
    assert_eq!(all_seqs(&seen), (1..=4010).collect::<Vec<_>>());
    let fresh = seen
        .iter()
        .position(|seen| seqs(seen).contains(&4001))
        .unwrap();
    assert!(fresh + 2 >= seen.len() - 2, "{fresh} of {}", seen.len());
    assert!(bench.clock.now() < Duration::from_secs(3605));
}

#[tokio::test]
async fn what_is_not_late_is_no_backlog() {
    let server = Server::new([]).await;
    let mut bench = Bench::new(&server);
    bench.settings.drain_octets_per_s = 1;
    bench.append(FLOWS, 1000);
    bench.clock.pass(Duration::from_secs(30));
    bench.start();
    bench.until_delivered().await;
    assert!(bench.clock.now() < Duration::from_secs(40));
}

#[tokio::test]
async fn memory_stays_within_its_bound() {
    let server = Server::new([]).await;
    let mut bench = Bench::new(&server);
    bench.settings.memory_bytes = 100_000;
    bench.settings.limits = Limits::new(20_000, 4096, 100);
    for _ in 0..30 {
        for logstore in ["a", "b", "c", "d"] {
            bench.append(&format!("sls/-/-/flow-proj/{logstore}"), 100);
        }
    }
    bench.start();
    bench.until_delivered().await;
    let (_, peak) = bench.sender().memory();
    // Two frames of 100 rows are 26 KB, and twice that once they are batches.
    assert!(peak < 100_000 + 2 * 2 * 30_000, "{peak}");
    assert!(peak > 20_000, "{peak}");
    bench.until(|bench| bench.sender().memory().0 == 0).await;
}

/// The journal remembers few ranges: what is under way has to come together
/// before more is read.
#[tokio::test]
async fn a_journal_that_remembers_little_is_drained_all_the_same() {
    let server = Server::new([]).await;
    let mut bench = Bench::new(&server);
    bench.reopen(8);
    bench.settings.limits = Limits::new(1 << 20, 7, 100);
    bench.settings.drain_octets_per_s = 5_000;
    let first = bench.append(FLOWS, 10);
    for _ in 1..50 {
        bench.append(FLOWS, 10);
    }
    bench.clock.pass(Duration::from_mins(1));
    bench.start();
    for _ in 0..12 {
        bench.append(FLOWS, 10);
        bench.clock.pass(Duration::from_secs(20));
        bench.happen().await;
    }
    bench.until_delivered().await;
    let expected: Vec<_> = (first..first + 620).collect();
    assert_eq!(all_seqs(&server.seen()), expected);
}
