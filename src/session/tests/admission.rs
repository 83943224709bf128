//! Who may start a session, and what floods can do.

use crate::session::Limits;
use crate::session::Outcome;
use crate::session::Peer;
use crate::session::Refusal;
use crate::session::ScopeMode;
use crate::session::SetOutcome;
use crate::session::Trust;
use crate::session::testing::Bench;
use crate::session::testing::ipfix;
use crate::session::testing::options_template;
use crate::session::testing::peer;
use crate::session::testing::set;
use crate::session::testing::template;
use crate::session::testing::v5;
use crate::session::testing::v9;
use crate::wire::Reason;

/// Every datagram ends in exactly one outcome.
fn assert_accounted(bench: &Bench) {
    let stats = bench.sessions.stats();
    let refused: u64 = stats.refused.iter().sum();
    assert_eq!(stats.datagrams, stats.decoded + refused);
}

fn standing(bench: &Bench, peer: Peer) -> Option<Trust> {
    let mut views = bench.sessions.exporters();
    views
        .find(|view| view.peer == peer)
        .map(|view| view.standing)
}

/// Another peer for every number.
fn stranger(number: u32) -> Peer {
    let [_, high, mid, low] = number.to_be_bytes();
    Peer {
        exporter: std::net::IpAddr::from([10, high, mid, low]),
        port: 2055,
        local_port: 9995,
    }
}

#[test]
fn three_messages_make_a_session_established() {
    let mut bench = Bench::default();
    for sequence in 0..3 {
        bench.send(&v5(0, sequence, 1, 0));
        let expected = if sequence < 2 {
            Trust::Probation
        } else {
            Trust::Established
        };
        assert_eq!(standing(&bench, bench.peer), Some(expected));
    }
    assert_eq!(bench.recorder.seen.len(), 3);
    assert_eq!(bench.sessions.sessions(), (1, 0));
}

#[test]
fn an_exporter_the_operator_names_needs_no_probation() {
    let limits = Limits {
        sessions_per_second: 0,
        probation_max: 0,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    let refused = Outcome::Refused(Refusal::TooManySessions);
    assert_eq!(bench.send(&v5(0, 0, 1, 0)), refused);
    bench.recorder.listed = true;
    assert_eq!(bench.send(&v5(0, 0, 1, 0)), Outcome::Decoded);
    assert_eq!(standing(&bench, bench.peer), Some(Trust::Established));
    assert_accounted(&bench);
}

/// P-941.
#[test]
fn strangers_displace_each_other_and_never_an_established_session() {
    let limits = Limits {
        probation_max: 8,
        sessions_per_second: 1_000_000,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    let define = set(0, &template(256, &[(8, 4)]));
    for sequence in 0..3 {
        bench.send(&v9(1, sequence, std::slice::from_ref(&define)));
    }
    for number in 0..5_000 {
        let message = v9(1, 0, std::slice::from_ref(&define));
        assert_eq!(
            bench.send_from(stranger(number), &message),
            Outcome::Decoded
        );
        assert!(bench.sessions.sessions().1 <= 8);
    }
    assert_eq!(standing(&bench, bench.peer), Some(Trust::Established));
    assert_eq!(bench.sessions.templates_held().0, 9);
    bench.send(&v9(1, 3, &[set(256, &[1; 8])]));
    assert_eq!(bench.recorder.sets.last(), Some(&(256, SetOutcome::Ok(2))));
    assert_eq!(bench.sessions.stats().sessions.displaced, 5_000 - 8);
    assert_accounted(&bench);
}

#[test]
fn new_sessions_come_at_a_bounded_rate() {
    let limits = Limits {
        sessions_per_second: 100,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    let mut admitted = 0;
    for number in 0..1000 {
        let outcome = bench.send_from(stranger(number), &v5(0, 0, 1, 0));
        admitted += u32::from(outcome == Outcome::Decoded);
    }
    assert_eq!(admitted, 100);
    bench.now_ms += 500;
    for number in 1000..2000 {
        let outcome = bench.send_from(stranger(number), &v5(0, 0, 1, 0));
        admitted += u32::from(outcome == Outcome::Decoded);
    }
    assert_eq!(admitted, 150);
    assert_accounted(&bench);
}

#[test]
fn strangers_get_half_of_the_source_ids_and_their_ids_are_not_reused_at_once() {
    let limits = Limits {
        sources_max: 8,
        probation_max: 2,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    for number in 0..10 {
        bench.send_from(stranger(number), &v5(0, 0, 1, 0));
    }
    let ids: Vec<u32> = bench
        .recorder
        .seen
        .iter()
        .map(|seen| seen.source.0)
        .collect();
    assert_eq!(ids, [0, 1, 2, 3]);
    assert_eq!(bench.sessions.stats().records_unsourced, 6);
    // Who stays is established and gets one of the other half.
    for sequence in 0..4 {
        bench.send(&v5(0, sequence, 1, 0));
    }
    assert_eq!(bench.recorder.seen.last().unwrap().source.0, 4);
    assert_eq!(
        bench.sessions.source(bench.recorder.seen[0].source),
        Some((stranger(0).exporter, 0))
    );
    // Two hours later the oldest free id belongs to somebody else.
    bench.now_ms += 7_200_001;
    bench.send_from(stranger(77), &v5(0, 0, 1, 0));
    let reused = bench.recorder.seen.last().unwrap().source;
    assert!(reused.0 < 4);
    assert_eq!(
        bench.sessions.source(reused),
        Some((stranger(77).exporter, 0))
    );
}

#[test]
fn an_expected_source_has_its_id_before_it_is_heard() {
    let limits = Limits {
        sources_max: 2,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    let (exporter, now_ms) = (stranger(1).exporter, bench.now_ms);
    let id = bench.sessions.expect(exporter, 0, now_ms).unwrap();
    assert_eq!(bench.sessions.expect(exporter, 0, now_ms), Some(id));
    assert_eq!(bench.sessions.source(id), Some((exporter, 0)));
    bench.send_from(stranger(1), &v5(0, 0, 1, 0));
    assert_eq!(bench.recorder.seen.last().unwrap().source, id);
    assert!(bench.sessions.expect(exporter, 1, now_ms).is_some());
    assert_eq!(
        bench.sessions.expect(exporter, 2, now_ms),
        None,
        "no id is left"
    );
    // Who is not heard gives it back as if it had gone.
    bench.now_ms += 7_200_001;
    bench.send_from(stranger(3), &v5(0, 0, 1, 0));
    let heard = bench.recorder.seen.last().unwrap().source;
    assert_eq!(
        bench.sessions.source(heard),
        Some((stranger(3).exporter, 0))
    );
}

#[test]
fn a_session_forgets_the_domain_that_was_silent_longest() {
    let limits = Limits {
        domains_per_session_max: 4,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Strict);
    for domain in 0..5 {
        bench.now_ms += 1;
        bench.send(&ipfix(domain, 0, &[set(2, &template(300, &[(8, 4)]))]));
    }
    let mut domains: Vec<u32> = bench.sessions.exporters().map(|view| view.domain).collect();
    domains.sort_unstable();
    assert_eq!(domains, [1, 2, 3, 4]);
    assert_eq!(bench.sessions.templates_held().0, 4);
}

/// P-416.
#[test]
fn a_silent_session_is_forgotten_with_all_it_taught() {
    let mut bench = Bench::default();
    let fields = template(300, &[(8, 4)]);
    bench.send(&ipfix(1, 0, &[set(2, &fields), set(301, &[1; 100])]));
    bench.sessions.tick(bench.now_ms + 10_800_000);
    assert_eq!(bench.sessions.sessions(), (0, 1));
    bench.sessions.tick(bench.now_ms + 10_800_001);
    assert_eq!(bench.sessions.sessions(), (0, 0));
    assert_eq!(bench.sessions.templates_held(), (0, 0));
    assert_eq!(bench.sessions.orphan_bytes.0, 0);
    assert_eq!(bench.sessions.stats().sessions.idle, 1);
}

/// P-112, RFC 7011 §9.1.
#[test]
fn eight_malformed_messages_bring_quarantine_until_a_sound_probe() {
    let mut bench = Bench::default();
    bench.send(&ipfix(1, 0, &[]));
    let malformed = ipfix(1, 0, &[vec![1, 44, 0, 3]]);
    for _ in 0..8 {
        let refused = Outcome::Refused(Refusal::Malformed);
        assert_eq!(bench.send(&malformed), refused);
    }
    assert_eq!(standing(&bench, bench.peer), Some(Trust::Quarantined));
    let sound = ipfix(1, 0, &[]);
    let outcomes: Vec<Outcome> = (0..17).map(|_| bench.send(&sound)).collect();
    assert_eq!(outcomes[14], Outcome::Refused(Refusal::Quarantined));
    assert_eq!(outcomes[15..], [Outcome::Decoded, Outcome::Decoded]);
    assert_eq!(bench.sessions.stats().sessions.quarantined, 1);
    let faults = bench.sessions.exporters().next().unwrap().faults;
    assert_eq!(faults[Reason::SetTooShort(3).index()], 8);
    assert_accounted(&bench);
}

#[test]
fn what_is_no_netflow_starts_no_session() {
    let mut bench = Bench::default();
    let outcomes = [
        (&b"\0\x08rest"[..], Refusal::Unsupported),
        (b"GET / HTTP/1.1", Refusal::NotNetflow),
        (b"", Refusal::Malformed),
        (&[0, 9, 0, 1], Refusal::Malformed),
    ];
    for (datagram, refusal) in outcomes {
        assert_eq!(bench.send(datagram), Outcome::Refused(refusal));
    }
    assert_eq!(bench.sessions.sessions(), (0, 0));
    assert_accounted(&bench);
}

/// P-614.
#[test]
fn the_same_datagram_twice_is_taken_once() {
    let mut bench = Bench::default();
    let first = v5(0, 0, 2, 0);
    assert_eq!(bench.send(&first), Outcome::Decoded);
    assert_eq!(bench.send(&v5(0, 2, 2, 0)), Outcome::Decoded);
    assert_eq!(bench.send(&first), Outcome::Refused(Refusal::Duplicate));
    assert_eq!(bench.recorder.seen.len(), 2);
    assert_eq!(bench.sessions.stats().sequence.duplicates, 1);
    // The same numbers with other content are an exporter that restarted.
    let mut other = first;
    other[24..].fill(9);
    assert_eq!(bench.send(&other), Outcome::Decoded);
    assert_accounted(&bench);
}

/// P-820, P-821.
#[test]
fn a_template_flood_stays_under_the_cap_and_harms_nobody_else() {
    let limits = Limits {
        definitions_per_second: 1_000_000,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    let victim = peer(9, 2055);
    let define = set(0, &template(256, &[(8, 4)]));
    bench.send_from(victim, &v9(1, 0, &[define]));
    let widest = template(256, &vec![(8, 1); 16_370]);
    assert_eq!(bench.send(&v9(1, 0, &[set(0, &widest)])), Outcome::Decoded);
    for id in 257..3_000_u16 {
        let wide = template(id, &vec![(8, 1); 2_000]);
        bench.send(&v9(1, id.into(), &[set(0, &wide)]));
        assert!(bench.sessions.templates_held().1 <= (1 << 20) + 4_096);
    }
    assert!(bench.sessions.stats().templates.evicted > 2_000);
    for id in 3_000..6_000_u16 {
        bench.send(&v9(2, id.into(), &[set(0, &template(id, &[(8, 4)]))]));
    }
    let of_attacker = bench.sessions.exporters().find(|view| view.domain == 2);
    assert_eq!(of_attacker.unwrap().templates, 1_024);
    bench.send_from(victim, &v9(1, 1, &[set(256, &[1; 4])]));
    assert_eq!(bench.recorder.sets.last(), Some(&(256, SetOutcome::Ok(1))));
}

/// P-820: a Template in use outlives those that are not.
#[test]
fn the_least_recently_used_template_goes_first() {
    let limits = Limits {
        templates_per_domain_max: 3,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Strict);
    let define = |id| set(0, &template(id, &[(8, 4)]));
    bench.send(&v9(1, 0, &[define(256), define(257), define(258)]));
    bench.send(&v9(1, 1, &[set(256, &[1; 4]), define(259)]));
    let mut ids: Vec<u16> = bench.sessions.templates(0).map(|view| view.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [256, 258, 259]);
}

/// P-801.
#[test]
fn a_session_may_change_its_templates_only_so_often() {
    let limits = Limits {
        definitions_per_second: 1,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Strict);
    let define = |id| set(0, &template(id, &[(8, 4)]));
    for id in 300..400 {
        bench.send(&v9(1, id.into(), &[define(id)]));
    }
    assert_eq!(bench.sessions.templates_held().0, 60);
    assert_eq!(bench.sessions.stats().templates.refused, 40);
    // What is known may be said again at any rate.
    bench.send(&v9(1, 1000, &[define(300)]));
    assert_eq!(bench.sessions.stats().templates.refreshed, 1);
}

/// P-822.
#[test]
fn a_datagram_of_tiny_records_is_capped() {
    let mut bench = Bench::default();
    let define = set(2, &template(300, &[(4, 1)]));
    bench.send(&ipfix(1, 0, &[define, set(300, &[6; 60_000])]));
    assert_eq!(bench.recorder.records(300), 16_384);
    assert_eq!(bench.recorder.seen[0].body.len(), 16_384);
    assert_eq!(bench.sessions.stats().records_capped, 60_000 - 16_384);
}

/// P-822: records beyond the rate are counted, of whom they are.
#[test]
fn a_source_may_send_only_so_many_records_a_second() {
    let limits = Limits {
        records_per_second_max: Some(100),
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    let define = set(2, &template(300, &[(4, 1)]));
    let teach = set(3, &options_template(400, 1, &[(149, 4)]));
    let mut sequence = 0;
    let mut send = |bench: &mut Bench, domain, count: usize| {
        sequence += 1;
        let message = ipfix(
            domain,
            sequence,
            &[define.clone(), set(300, &vec![6; count])],
        );
        bench.recorder.seen.clear();
        assert_eq!(bench.send(&message), Outcome::Decoded);
        bench.recorder.records(300)
    };
    assert_eq!(send(&mut bench, 1, 70), 70);
    assert_eq!(send(&mut bench, 1, 80), 30);
    // Another domain has a rate of its own, and options are no flows.
    assert_eq!(send(&mut bench, 2, 101), 100);
    bench.send(&ipfix(1, 9, &[teach, set(400, &[1; 8])]));
    assert_eq!(bench.recorder.records(400), 2);
    bench.now_ms += 250;
    assert_eq!(send(&mut bench, 1, 80), 25);
    let throttled = |bench: &Bench, domain| {
        let mut views = bench.sessions.exporters();
        let view = views.find(|view| view.domain == domain);
        view.map(|view| (view.records, view.records_throttled))
    };
    assert_eq!(throttled(&bench, 1), Some((127, 105)));
    assert_eq!(throttled(&bench, 2), Some((100, 1)));
    let stats = bench.sessions.stats();
    assert_eq!((stats.records, stats.records_throttled), (227, 106));
    assert_eq!(stats.records_capped, 0);
}

/// P-822: one rate for all an exporter's ports and versions.
#[test]
fn records_of_v5_count_against_the_rate() {
    let limits = Limits {
        records_per_second_max: Some(40),
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    bench.send(&v5(1, 0, 30, 0));
    bench.send_from(peer(1, 4000), &v5(1, 0, 30, 0));
    let records: Vec<u32> = bench.recorder.seen.iter().map(|set| set.records).collect();
    assert_eq!(records, [30, 10]);
    assert_eq!(bench.recorder.seen[1].body.len(), 10 * 48);
    assert_eq!(bench.sessions.stats().records_throttled, 20);
}

/// P-006, P-025: RFC 3954 knows no "discard the whole".
#[test]
fn a_bad_v9_set_costs_its_own_records() {
    let mut bench = Bench::default();
    let define = set(0, &template(256, &[(8, 4)]));
    let mut message = v9(1, 0, &[define, set(256, &[1; 4]), set(999, &[1; 4])]);
    message.extend([1, 0, 0, 200, 1, 2, 3, 4]);
    assert_eq!(bench.send(&message), Outcome::Decoded);
    assert_eq!(
        bench.recorder.sets,
        [
            (0, SetOutcome::Ok(1)),
            (256, SetOutcome::Ok(1)),
            (999, SetOutcome::NoTemplate)
        ]
    );
    let reasons: Vec<Reason> = bench
        .recorder
        .faults
        .iter()
        .map(|error| error.reason)
        .collect();
    assert_eq!(reasons, [Reason::SetTooLong(200, 8)]);
}

/// P-007, P-123.
#[test]
fn octets_after_a_message_are_counted() {
    let mut bench = Bench::default();
    let mut message = ipfix(1, 0, &[]);
    message.extend([0; 5]);
    assert_eq!(bench.send(&message), Outcome::Decoded);
    assert_eq!(bench.sessions.stats().trailing_bytes, 5);
}

/// P-420, P-422.
#[test]
fn ipfix_loss_is_counted_in_records() {
    let mut bench = Bench::default();
    let define = set(2, &template(300, &[(8, 4)]));
    bench.send(&ipfix(1, 0, &[define, set(300, &[1; 40])]));
    bench.send(&ipfix(1, 15, &[set(300, &[1; 8])]));
    bench.send(&ipfix(1, 17, &[set(300, &[1; 8]), set(301, &[1; 8])]));
    bench.send(&ipfix(1, 400, &[set(300, &[1; 8])]));
    let view = bench.sessions.exporters().next().unwrap();
    assert_eq!(view.sequence_pending, 5);
    assert_eq!((view.sequence.unknown, view.sequence.resyncs), (1, 0));
    assert_eq!((view.messages, view.records, view.templates), (4, 16, 1));
}
