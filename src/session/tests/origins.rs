//! Records that name the exporter they are of.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use crate::session::Belief;
use crate::session::Limits;
use crate::session::OriginView;
use crate::session::ScopeMode;
use crate::session::SourceId;
use crate::session::testing::Bench;
use crate::session::testing::ipfix;
use crate::session::testing::peer;
use crate::session::testing::set;
use crate::session::testing::template;

fn ip(host: u8) -> IpAddr {
    Ipv4Addr::new(198, 51, 100, host).into()
}

/// A mediator that is believed to be `belief`.
fn mediator(belief: Belief, limits: Limits) -> Bench {
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    bench.recorder.belief = Some(belief);
    bench.recorder.listed = true;
    bench
}

/// Sends a record for each exporter 198.51.100.`host`, or for 0 one that
/// names nobody.
fn send(bench: &mut Bench, hosts: &[u8]) {
    let define = set(2, &template(300, &[(1, 2), (403, 4)]));
    let record = |&host: &u8| match host {
        0 => [9, 9, 0, 0, 0, 0],
        _ => [9, host, 198, 51, 100, host],
    };
    let data: Vec<u8> = hosts.iter().flat_map(record).collect();
    bench.recorder.seen.clear();
    let sequence = u32::try_from(bench.now_ms).unwrap();
    bench.send(&ipfix(7, sequence, &[define, set(300, &data)]));
    bench.now_ms += 1;
}

/// Exporter, domain and records of each run.
fn runs(bench: &Bench) -> Vec<(IpAddr, u32, u32)> {
    let seen = bench.recorder.seen.iter();
    seen.map(|seen| (seen.exporter, seen.domain, seen.records))
        .collect()
}

fn source_of(bench: &Bench, host: u8) -> Option<SourceId> {
    let mut seen = bench.recorder.seen.iter();
    seen.find(|seen| seen.exporter == ip(host))
        .map(|seen| seen.source)
}

#[test]
fn records_are_handed_over_in_runs_of_one_exporter() {
    let mut bench = mediator(Belief::Origin, Limits::default());
    let sender = bench.peer.exporter;
    send(&mut bench, &[1, 1, 2, 0, 1]);
    let expected = [(ip(1), 7, 2), (ip(2), 7, 1), (sender, 7, 1), (ip(1), 7, 1)];
    assert_eq!(runs(&bench), expected);
    let seen = &bench.recorder.seen;
    assert_eq!(seen[0].body, [9, 1, 198, 51, 100, 1, 9, 1, 198, 51, 100, 1]);
    assert_eq!(seen[2].body, [9, 9, 0, 0, 0, 0]);
    assert_eq!(seen[0].source, seen[3].source);
    let distinct = [seen[0].source, seen[1].source, seen[2].source];
    assert_eq!(distinct, [SourceId(1), SourceId(2), SourceId(0)]);
    assert_eq!(bench.sessions.source(SourceId(2)), Some((ip(2), 7)));
    // What the session counts is of the sender.
    assert_eq!(bench.sessions.stats().records, 5);
    let views: Vec<_> = bench.sessions.exporters().collect();
    assert_eq!((views.len(), views[0].records), (1, 5));
    let origins: Vec<_> = bench.sessions.origins().collect();
    let origin = |host, records| OriginView {
        mediator: (sender, 7),
        exporter: ip(host),
        domain: 7,
        records,
        last_seen_unix_ms: views[0].last_seen_unix_ms,
    };
    assert_eq!(origins, [origin(1, 3), origin(2, 1)]);
}

#[test]
fn an_exporter_that_is_heard_itself_has_the_same_source() {
    let mut bench = mediator(Belief::Origin, Limits::default());
    send(&mut bench, &[1]);
    let named = source_of(&bench, 1);
    let mut direct = peer(1, 2055);
    direct.exporter = ip(1);
    let define = set(2, &template(301, &[(1, 2)]));
    bench.send_from(direct, &ipfix(7, 0, &[define, set(301, &[0, 1])]));
    assert_eq!(bench.recorder.seen[1].source, named.unwrap());
}

#[test]
fn who_is_not_believed_sends_records_of_its_own() {
    let mut bench = mediator(Belief::Sender, Limits::default());
    let sender = bench.peer.exporter;
    send(&mut bench, &[1, 1, 2]);
    assert_eq!(runs(&bench), [(sender, 7, 2), (sender, 7, 1)]);
    assert_eq!(bench.sessions.source(SourceId(1)), None);
    assert_eq!(bench.sessions.origins().count(), 0);
}

#[test]
fn copies_are_shown_but_no_data() {
    let mut bench = mediator(Belief::Copy, Limits::default());
    send(&mut bench, &[1, 1, 0]);
    assert_eq!(runs(&bench), [(bench.peer.exporter, 7, 1)]);
    assert_eq!(bench.recorder.copies, 2);
    assert_eq!(bench.sessions.stats().records, 3);
}

/// P-822.
#[test]
fn each_exporter_that_is_named_has_a_rate_of_its_own() {
    let limits = Limits {
        records_per_second_max: Some(3),
        records_per_datagram_max: 8,
        ..Limits::default()
    };
    let mut bench = mediator(Belief::Origin, limits);
    send(&mut bench, &[1, 1, 1, 1, 1, 2, 2, 2, 2]);
    assert_eq!(runs(&bench), [(ip(1), 7, 3), (ip(2), 7, 3)]);
    assert_eq!(bench.recorder.seen[0].split, 3);
    let stats = bench.sessions.stats();
    let counts = (stats.records, stats.records_throttled, stats.records_capped);
    assert_eq!(counts, (6, 2, 1));
}

/// P-820.
#[test]
fn mediators_name_no_more_exporters_than_half_the_sources() {
    let limits = Limits {
        sources_max: 6,
        source_hold_ms: 1_000,
        ..Limits::default()
    };
    let mut bench = mediator(Belief::Origin, limits);
    let sender = bench.peer.exporter;
    send(&mut bench, &[1, 2, 3, 3]);
    assert_eq!(runs(&bench), [(ip(1), 7, 1), (ip(2), 7, 1), (sender, 7, 2)]);
    assert_eq!(bench.sessions.stats().records_unnamed, 2);
    let (one, two) = (source_of(&bench, 1), source_of(&bench, 2));
    // 1 goes on, 2 does not: its id is free when no flow can bear it any more.
    bench.now_ms += 600;
    send(&mut bench, &[1, 3]);
    assert_eq!(runs(&bench), [(ip(1), 7, 1), (sender, 7, 1)]);
    bench.now_ms += 600;
    send(&mut bench, &[3, 1, 4]);
    assert_eq!(source_of(&bench, 3), two);
    let origins: Vec<_> = bench.sessions.origins().collect();
    let shown = origins
        .iter()
        .map(|origin| (origin.exporter, origin.records));
    assert_eq!(shown.collect::<Vec<_>>(), [(ip(1), 3), (ip(3), 1)]);
    assert_eq!(source_of(&bench, 1), one);
    assert_eq!(runs(&bench)[2], (sender, 7, 1));
    assert_eq!(bench.sessions.stats().records_unnamed, 4);
}

#[test]
fn an_exporter_is_heard_while_its_session_is_established_and_speaks() {
    let mut bench = Bench::default();
    let heard = |bench: &Bench| {
        let heard = bench.sessions.heard(bench.now_ms, 1_000);
        heard.collect::<Vec<_>>()
    };
    for _ in 0..2 {
        send(&mut bench, &[1]);
        assert!(heard(&bench).is_empty());
    }
    send(&mut bench, &[1]);
    assert_eq!(heard(&bench), [bench.peer.exporter]);
    bench.now_ms += 998;
    assert_eq!(heard(&bench), [bench.peer.exporter]);
    bench.now_ms += 1;
    assert!(heard(&bench).is_empty());
}
