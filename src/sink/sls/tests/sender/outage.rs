//! Partitions, crashes and destinations that stand beside one in trouble.

use super::*;
use crate::sink::sls::Limits;

#[tokio::test]
async fn a_destination_in_trouble_costs_others_nothing() {
    let fine = Server::new([]).await;
    let missing = Server::new(vec![Step::refused(404, "LogStoreNotExist", ""); 1000]).await;
    let mut bench = Bench::new(&missing).with_project("other-proj", &fine.url());
    bench.settings.memory_bytes = 50_000;
    bench.settings.limits = Limits::new(10_000, 4096, 100);
    let other = "sls/-/-/other-proj/flows";
    for _ in 0..20 {
        bench.append(FLOWS, 100);
        bench.append(other, 100);
    }
    bench.start();
    bench
        .until(|bench| bench.pending(DestinationId(1)) == 0)
        .await;
    assert_eq!(bench.pending(ID), 2000);
    assert_eq!(bench.outlet(DestinationId(1)).acked_rows, 2000);
    assert_eq!(bench.outlet(DestinationId(1)).retried, 0);
    let trouble = bench.outlet(ID).trouble.unwrap();
    assert_eq!(trouble.label, "hold-logstore");
    assert_eq!(trouble.advice, "create the logstore, or correct its name");
    // It holds nothing while it waits.
    bench.until(|bench| bench.sender().memory().0 == 0).await;
}

#[tokio::test]
async fn after_a_partition_all_arrives_and_in_order() {
    let server = Server::new(vec![Step::Raw(String::new()); 12]).await;
    let mut bench = Bench::new(&server);
    bench.settings.order = crate::sink::sls::Order::OldestFirst;
    bench.settings.limits = Limits::new(1 << 20, 100, 100);
    bench.start();
    for _ in 0..10 {
        bench.append(FLOWS, 60);
        bench.clock.pass(Duration::from_secs(1));
        bench.happen().await;
    }
    bench.until_delivered().await;
    let seen = server.seen();
    let arrived = &seen[12..];
    assert_eq!(all_seqs(arrived), (1..=600).collect::<Vec<_>>());
    assert_eq!(bench.of(ID).amounts.acked.records, 600);
    assert_eq!(bench.outlet(ID).verdicts["broken"], 12);
}

/// Twice is what was in flight or acknowledged since progress was persisted.
#[tokio::test]
async fn a_crash_repeats_only_what_was_not_persisted() {
    let server = Server::new([]).await;
    let mut bench = Bench::new(&server);
    bench.settings.limits = Limits::new(1 << 20, 50, 100);
    for _ in 0..4 {
        bench.append(FLOWS, 100);
    }
    bench.start();
    bench.until(|bench| bench.pending(ID) == 0).await;
    bench.journal.persist_progress().unwrap();
    let persisted = server.seen().len();
    bench.append(FLOWS, 100);
    bench.until(|bench| bench.pending(ID) == 0).await;
    bench.append(FLOWS, 30);
    bench.happen().await;
    bench.crash().await;
    assert_eq!(bench.pending(ID), 130);
    bench.start();
    bench.until_delivered().await;
    let all = all_seqs(&server.seen());
    let mut once = all.clone();
    once.dedup();
    assert_eq!(once, (1..=530).collect::<Vec<_>>());
    let twice = all
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0]);
    let twice: Vec<_> = twice.collect();
    assert!(
        twice.iter().all(|seq| (401..=530).contains(seq)),
        "{twice:?}"
    );
    assert_eq!(
        all_seqs(&server.seen()[..persisted]),
        (1..=400).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn rows_without_a_way_wait_until_there_is_one() {
    let server = Server::new([]).await;
    let mut bench = Bench::new(&server);
    let lost = "sls/-/-/lost-proj/flows";
    bench.append(lost, 10);
    bench.start();
    bench
        .until(|bench| bench.outlet(ID).trouble.is_some())
        .await;
    assert_eq!(bench.outlet(ID).trouble.unwrap().label, "unroutable");
    let before = bench.clock.now();
    bench = bench.with_project("lost-proj", &server.url());
    bench.sender().redirect(bench.addresses());
    bench.until_delivered().await;
    // At once, but for the linger of the batch.
    assert!(bench.clock.now() - before < Duration::from_secs(5));
    assert_eq!(all_seqs(&server.seen()), (1..=10).collect::<Vec<_>>());
}

/// One project's limiter lets one request pass after the other.
#[tokio::test]
async fn a_quota_lets_fewer_requests_be_in_flight() {
    let mut script = vec![Step::taken(); 60];
    script.extend(vec![Step::refused(403, "WriteQuotaExceed", ""); 6]);
    let server = Server::new(script).await;
    let mut bench = Bench::new(&server);
    bench.settings.limits = Limits::new(1 << 20, 10, 0);
    bench.append(FLOWS, 500);
    bench.start();
    bench.until(|_| server.seen().len() > 50).await;
    let before = bench.outlet(ID).limit;
    bench.append(FLOWS, 500);
    bench.until_delivered().await;
    assert!(before > 4, "{before}");
    let stats = bench.outlet(ID);
    assert_eq!(stats.verdicts["throttled-project"], 6);
    let once = all_seqs(&server.seen()[..]);
    assert_eq!(once.len(), 1000 + 60);
}
