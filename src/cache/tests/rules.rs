//! Each rule by itself.

use super::*;
use crate::element::ElementId;
use crate::flow::Event;
use crate::flow::Presence;
use crate::flow::RecordFlags;

#[test]
fn a_silent_flow_leaves_after_the_inactive_timer() {
    let (mut cache, mut out) = (cache(300, 15), Rows::default());
    cache.insert(1_000, &record(1, 0, 1), None, &mut out);
    cache.insert(6_000, &record(1, 5, 6), None, &mut out);
    cache.tick(20_900, &mut out);
    assert_eq!(out.rows, []);
    cache.tick(21_000, &mut out);
    let merged = FlowRecord {
        octets: 200,
        packets: 2,
        flows: 2,
        records: 2,
        end_reason: EndReason::Idle,
        ..record(1, 0, 6)
    };
    assert_eq!(out.rows, [(merged, None)]);
    assert_eq!((cache.live(), cache.held()), (0, Amount::default()));
}

#[test]
fn a_busy_flow_leaves_after_the_active_timer_and_begins_anew() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    for second in (0..=70).step_by(10) {
        cache.tick(second * 1_000, &mut out);
        cache.insert(
            second * 1_000,
            &record(1, second, second + 1),
            None,
            &mut out,
        );
    }
    assert_eq!(out.rows[0].0.octets, 600);
    assert_eq!(out.reasons(), [(1, EndReason::Active)]);
    assert_eq!(cache.held().octets, 200);
}

#[test]
fn a_flush_lets_everything_leave() {
    let (mut cache, mut out) = (cache(300, 15), Rows::default());
    for port in 0..40 {
        cache.insert(0, &record(port, 0, 1), None, &mut out);
    }
    out.full_at = Some(30);
    cache.flush(&mut out);
    assert_eq!(cache.live(), 10);
    out.full_at = None;
    cache.flush(&mut out);
    assert_eq!(cache.live(), 0);
    assert_eq!(cache.stats().expired(EndReason::Forced), 40);
    assert_eq!(out.amount().octets, 4_000);
}

#[test]
fn a_flow_its_exporter_ended_waits_for_stragglers() {
    let (mut cache, mut out) = (cache(300, 15), Rows::default());
    cache.insert(1_000, &record(1, 0, 1), None, &mut out);
    for (now_ms, end_reason) in [(4_000, EndReason::End), (5_000, EndReason::Active)] {
        let straggler = FlowRecord {
            end_reason,
            ..record(1, 1, 2)
        };
        cache.insert(now_ms, &straggler, None, &mut out);
    }
    cache.tick(5_900, &mut out);
    assert_eq!(out.rows, []);
    cache.tick(6_000, &mut out);
    assert_eq!(out.amount().records, 3);
    assert_eq!(out.reasons(), [(1, EndReason::End)]);
}

#[test]
fn reasons_that_do_not_end_a_flow_let_it_continue() {
    let (mut cache, mut out) = (cache(300, 15), Rows::default());
    for end_reason in [EndReason::Active, EndReason::Forced, EndReason::Resources] {
        let held = FlowRecord {
            end_reason,
            ..record(1, 0, 1)
        };
        cache.insert(0, &held, None, &mut out);
    }
    cache.tick(14_900, &mut out);
    assert_eq!(out.rows, []);
    cache.tick(15_000, &mut out);
    assert_eq!(out.reasons(), [(1, EndReason::Idle)]);
}

#[test]
fn a_flow_that_would_span_too_long_leaves_first() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    cache.insert(0, &record(1, 0, 10), None, &mut out);
    cache.insert(1, &record(1, 60, 65), None, &mut out);
    assert_eq!((out.rows.len(), cache.held().records), (0, 2));
    cache.insert(2, &record(1, 60, 66), None, &mut out);
    assert_eq!((out.rows[0].0.start_ms, out.rows[0].0.end_ms), (0, 65_000));
    assert_eq!(out.reasons(), [(1, EndReason::Active)]);
    assert_eq!((cache.held().records, cache.stats().span_guards), (1, 1));
}

#[test]
fn a_counter_that_would_overflow_lets_the_flow_leave_first() {
    let big = |change: fn(&mut FlowRecord)| {
        let mut record = record(1, 0, 1);
        change(&mut record);
        record
    };
    for first in [
        big(|record| record.octets = u64::MAX - 99),
        big(|record| record.packets = u64::MAX),
        big(|record| record.flows = u32::MAX),
        big(|record| record.records = u32::MAX),
    ] {
        let (mut cache, mut out) = (cache(60, 15), Rows::default());
        cache.insert(0, &first, None, &mut out);
        cache.insert(0, &record(1, 0, 1), None, &mut out);
        let left = FlowRecord {
            end_reason: EndReason::Resources,
            ..first
        };
        assert_eq!(out.rows, [(left, None)]);
        assert_eq!(
            (cache.held(), cache.stats().overflows),
            (record(1, 0, 1).amount(), 1)
        );
    }
}

#[test]
fn details_are_merged_with_their_flow() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    let detail = |octets| Detail {
        layer2_octets: Some(octets),
        ..Detail::default()
    };
    cache.insert(0, &record(1, 0, 1), None, &mut out);
    cache.insert(0, &record(1, 0, 1), Some(&detail(10)), &mut out);
    cache.insert(0, &record(1, 0, 1), Some(&detail(u64::MAX - 10)), &mut out);
    cache.insert(0, &record(1, 0, 1), Some(&detail(1)), &mut out);
    assert_eq!(out.rows[0].1, Some(detail(u64::MAX)));
    assert_eq!(out.reasons(), [(1, EndReason::Resources)]);
    cache.flush(&mut out);
    assert_eq!(out.rows[0].1, Some(detail(1)));
    cache.check();
}

#[test]
fn records_whose_details_find_no_room_pass() {
    let mut cache = Cache::new(Settings {
        detail_bytes_max: 2_000,
        ..Settings::default()
    });
    cache.set_route(0, timers(60, 15));
    let mut out = Rows::default();
    let detail = |octets| Detail {
        extra: vec![(ElementId::iana(82), vec![1; octets].into())],
        ..Detail::default()
    };
    cache.insert(0, &record(1, 0, 1), Some(&detail(1_000)), &mut out);
    cache.insert(0, &record(2, 0, 1), Some(&detail(1_000)), &mut out);
    cache.insert(0, &record(1, 0, 1), Some(&detail(1_000)), &mut out);
    assert_eq!(out.rows[0].1, Some(detail(1_000)));
    let full = EndReason::Resources;
    assert_eq!(out.reasons(), [(2, full), (1, full)]);
    assert_eq!((cache.live(), cache.stats().bypassed), (1, 2));
    cache.insert(0, &record(1, 0, 1), Some(&Detail::default()), &mut out);
    assert_eq!(out.rows, []);
}

#[test]
fn a_record_behind_a_flow_that_left_is_late() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    cache.insert(0, &record(1, 0, 10), None, &mut out);
    cache.flush(&mut out);
    cache.insert(1, &record(1, 11, 12), None, &mut out);
    assert_eq!(cache.stats().late, 0);
    cache.flush(&mut out);
    cache.insert(2, &record(1, 9, 10), None, &mut out);
    assert_eq!((cache.stats().late, cache.stats().created), (1, 3));
}

#[test]
fn records_of_different_keys_never_merge() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    cache.set_route(1, timers(60, 15));
    let key = FlowKey::default();
    let keys = [
        key,
        FlowKey {
            source: SourceId(1),
            ..key
        },
        FlowKey { route: 1, ..key },
        FlowKey {
            present: Presence::SRC,
            ..key
        },
    ];
    for key in keys {
        let record = FlowRecord {
            key,
            ..record(0, 0, 1)
        };
        cache.insert(0, &record, None, &mut out);
    }
    assert_eq!(
        (
            cache.live(),
            cache.route_live(1),
            cache.source_live(SourceId(1))
        ),
        (4, 1, 1)
    );
}

#[test]
fn events_and_records_of_unknown_routes_pass_unchanged() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    let event = FlowRecord {
        event: Some(Event::Nat),
        ..record(1, 0, 1)
    };
    let mut unknown = record(2, 0, 1);
    unknown.key.route = 9;
    let detail = Detail {
        nat_src_port: Some(7),
        ..Detail::default()
    };
    cache.insert(0, &event, Some(&detail), &mut out);
    cache.insert(0, &unknown, None, &mut out);
    assert_eq!(out.rows, [(event, Some(detail)), (unknown, None)]);
    assert_eq!((cache.live(), cache.stats().passed), (0, 2));
}

#[test]
fn flows_of_a_closed_route_leave_within_the_budget() {
    let mut cache = Cache::new(Settings {
        tick_budget: 10,
        ..Settings::default()
    });
    cache.set_route(0, timers(60, 15));
    cache.set_route(1, timers(60, 15));
    let mut out = Rows::default();
    for port in 0..30 {
        let mut record = record(port, 0, 1);
        record.key.route = port % 2;
        cache.insert(0, &record, None, &mut out);
    }
    cache.close_route(1);
    cache.insert(
        0,
        &FlowRecord {
            key: FlowKey {
                route: 1,
                ..record(99, 0, 1).key
            },
            ..record(99, 0, 1)
        },
        None,
        &mut out,
    );
    assert_eq!(out.reasons(), [(99, EndReason::Forced)]);
    assert_eq!(cache.next_timeout(), Some(100));
    for (left, is_behind) in [(5, true), (5, true), (5, false)] {
        cache.tick(0, &mut out);
        assert_eq!((out.rows.len(), cache.is_behind()), (left, is_behind));
        assert!(
            out.reasons()
                .iter()
                .all(|&(port, reason)| port % 2 == 1 && reason == EndReason::Forced)
        );
    }
    assert_eq!((cache.route_live(1), cache.live()), (0, 15));
    assert_eq!(cache.next_timeout(), Some(15_000));
}

#[test]
fn a_closed_source_gives_its_id_free_with_its_last_flow() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    let mut total = record(1, 0, 1);
    total.flags = RecordFlags::TOTALS;
    cache.insert(0, &total, None, &mut out);
    cache.learned(SourceId(0), 60_000);
    cache.close_source(SourceId(0));
    cache.insert(0, &record(2, 0, 1), None, &mut out);
    assert_eq!(out.reasons(), [(2, EndReason::Forced)]);
    cache.tick(100, &mut out);
    assert_eq!(out.reasons(), [(1, EndReason::Forced)]);
    assert_eq!(
        (
            cache.source_live(SourceId(0)),
            cache.learned_active(SourceId(0))
        ),
        (0, None)
    );
    // Another exporter's totals are not compared with those of the one before.
    cache.insert(200, &total, None, &mut out);
    assert_eq!(cache.held().octets, 100);
}

#[test]
fn longer_timers_act_on_the_flows_there_are() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    cache.insert(0, &record(1, 0, 1), None, &mut out);
    cache.set_route(0, timers(60, 30));
    cache.tick(29_900, &mut out);
    assert_eq!(out.rows, []);
    cache.tick(30_000, &mut out);
    assert_eq!(out.reasons(), [(1, EndReason::Idle)]);
}

#[test]
fn shorter_timers_act_on_the_flows_there_are() {
    let (mut cache, mut out) = (cache(300, 200), Rows::default());
    cache.insert(0, &record(1, 0, 1), None, &mut out);
    cache.tick(20_000, &mut out);
    cache.set_route(0, timers(300, 15));
    cache.insert(20_000, &record(2, 0, 1), None, &mut out);
    cache.tick(20_000, &mut out);
    assert_eq!(out.reasons(), [(1, EndReason::Idle)]);
    cache.set_route(0, timers(5, 15));
    cache.tick(24_900, &mut out);
    assert_eq!(out.rows, []);
    cache.tick(25_000, &mut out);
    assert_eq!(out.reasons(), [(2, EndReason::Active)]);
}

#[test]
fn an_automatic_inactive_timer_outlasts_the_exporters_active_timer() {
    let (mut cache, mut out) = (cache(3_000, 15), Rows::default());
    let inactive = Inactive::Auto { floor_ms: 15_000 };
    let auto = Timers {
        active_ms: 3_000_000,
        inactive,
    };
    cache.set_route(
        0,
        RouteTimers {
            timers: auto,
            kind: CacheType::Timeout,
        },
    );
    let source = SourceId(0);
    assert_eq!(
        (cache.inactive_ms(0, source), cache.learned_active(source)),
        (15_000, None)
    );
    for port in 0..8 {
        cache.insert(0, &record(port, 0, 60), None, &mut out);
    }
    let seen = Learned {
        active_ms: 60_000,
        told: false,
    };
    assert_eq!(cache.learned_active(source), Some(seen));
    assert_eq!(cache.inactive_ms(0, source), 90_000);
    cache.tick(89_900, &mut out);
    assert_eq!(out.rows, []);
    cache.learned(source, 20_000);
    assert_eq!(cache.inactive_ms(0, source), 30_000);
    cache.tick(89_900, &mut out);
    assert_eq!(out.rows.len(), 8);
}

/// P-613: without 136 only a naturalCache looks at TCP's flags.
#[test]
fn a_connection_that_ends_takes_its_flow_from_a_natural_cache() {
    let closing = |protocol, tcp_flags, end_reason| {
        let mut closing = record(1, 0, 1);
        closing.key.protocol = protocol;
        FlowRecord {
            tcp_flags,
            end_reason,
            ..closing
        }
    };
    let cases = [
        (
            CacheType::Natural,
            closing(6, 0x11, EndReason::Unknown),
            EndReason::End,
            2_000,
        ),
        (
            CacheType::Natural,
            closing(6, 0x04, EndReason::Unknown),
            EndReason::End,
            2_000,
        ),
        (
            CacheType::Timeout,
            closing(6, 0x11, EndReason::Unknown),
            EndReason::Idle,
            15_000,
        ),
        (
            CacheType::Natural,
            closing(6, 0x12, EndReason::Unknown),
            EndReason::Idle,
            15_000,
        ),
        (
            CacheType::Natural,
            closing(17, 0x11, EndReason::Unknown),
            EndReason::Idle,
            15_000,
        ),
        // The exporter knows better: it goes on.
        (
            CacheType::Natural,
            closing(6, 0x11, EndReason::Active),
            EndReason::Idle,
            15_000,
        ),
    ];
    for (kind, record, reason, due_ms) in cases {
        let (mut cache, mut out) = (cache(60, 15), Rows::default());
        cache.set_route(
            0,
            RouteTimers {
                kind,
                ..timers(60, 15)
            },
        );
        cache.insert(0, &record, None, &mut out);
        // Its last acknowledgement comes behind it.
        let straggler = FlowRecord {
            tcp_flags: 0x10,
            ..record
        };
        cache.insert(0, &straggler, None, &mut out);
        cache.tick(due_ms - 100, &mut out);
        assert_eq!(out.rows.len(), 0, "{kind:?} {record:?}");
        cache.tick(due_ms, &mut out);
        assert_eq!(out.reasons(), [(1, reason)], "{kind:?} {record:?}");
        assert_eq!(cache.stats().merged, 1);
    }
}

#[test]
fn a_crowded_cache_makes_room_ahead_of_need() {
    let mut cache = Cache::new(Settings {
        max_flows: 20,
        ..Settings::default()
    });
    cache.set_route(0, timers(60, 15));
    let mut out = Rows::default();
    for port in 0..20 {
        let mut record = record(port, 0, 1);
        record.key.source = SourceId(port.into());
        cache.insert(u64::from(port) * 1_000 / 10, &record, None, &mut out);
    }
    // The oldest is due last: it has just been merged with.
    let oldest = record(0, 0, 1);
    cache.insert(2_000, &oldest, None, &mut out);
    assert_eq!((cache.live(), cache.next_timeout()), (20, Some(2_100)));
    cache.tick(2_100, &mut out);
    let full = EndReason::Resources;
    assert_eq!(out.reasons(), [(1, full), (2, full)]);
    assert_eq!((cache.live(), cache.stats().evictions), (18, 2));
}

#[test]
fn a_cache_of_one_flow_works() {
    let mut cache = Cache::new(Settings {
        max_flows: 1,
        ..Settings::default()
    });
    cache.set_route(0, timers(60, 15));
    let mut out = Rows::default();
    cache.insert(0, &record(1, 0, 1), None, &mut out);
    cache.insert(0, &record(2, 0, 1), None, &mut out);
    let mut other = record(3, 0, 1);
    other.key.source = SourceId(1);
    cache.insert(0, &other, None, &mut out);
    let full = EndReason::Resources;
    assert_eq!(out.reasons(), [(2, full), (1, full)]);
    assert_eq!(cache.source_live(SourceId(1)), 1);
}

#[test]
fn sources_beyond_the_limit_pass() {
    let mut cache = Cache::new(Settings {
        sources_max: 2,
        ..Settings::default()
    });
    cache.set_route(0, timers(60, 15));
    let mut out = Rows::default();
    for source in 0..3 {
        let mut record = record(source, 0, 1);
        record.key.source = SourceId(source.into());
        cache.insert(0, &record, None, &mut out);
    }
    assert_eq!(out.reasons(), [(2, EndReason::Resources)]);
    cache.learned(SourceId(2), 1_000);
    assert_eq!(cache.learned_active(SourceId(2)), None);
}

#[test]
fn a_full_outlet_stops_aging_and_nothing_else() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    for port in 0..4 {
        cache.insert(0, &record(port, 0, 1), None, &mut out);
    }
    out.full_at = Some(3);
    cache.tick(20_000, &mut out);
    assert_eq!((out.rows.len(), cache.live()), (3, 1));
    cache.insert(20_000, &record(9, 0, 1), None, &mut out);
    assert_eq!(cache.next_timeout(), Some(20_100));
    out.full_at = None;
    cache.tick(20_000, &mut out);
    assert_eq!((out.rows.len(), cache.live()), (4, 1));
}

#[test]
fn the_next_timeout_is_that_of_the_flow_due_first() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    assert_eq!(cache.next_timeout(), None);
    cache.insert(1_001, &record(1, 0, 1), None, &mut out);
    assert_eq!(cache.next_timeout(), Some(16_100));
    let ended = FlowRecord {
        end_reason: EndReason::End,
        ..record(2, 0, 1)
    };
    cache.insert(2_000, &ended, None, &mut out);
    assert_eq!(cache.next_timeout(), Some(4_000));
    cache.flush(&mut out);
    assert_eq!(cache.next_timeout(), None);
}

#[test]
fn an_hour_without_a_tick_costs_each_flow_two_looks() {
    let mut cache = Cache::new(Settings {
        tick_budget: 2,
        ..Settings::default()
    });
    cache.set_route(0, timers(6_000, 6_000));
    let mut out = Rows::default();
    cache.insert(0, &record(1, 0, 1), None, &mut out);
    cache.tick(3_600_000, &mut out);
    assert_eq!(out.rows, []);
    assert!(cache.next_timeout() > Some(3_600_000));
    cache.tick(5_999_999, &mut out);
    cache.tick(6_000_000, &mut out);
    assert_eq!(out.reasons(), [(1, EndReason::Active)]);
}

#[test]
fn time_does_not_go_back() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    cache.insert(100_000, &record(1, 0, 1), None, &mut out);
    cache.insert(1_000, &record(2, 0, 1), None, &mut out);
    cache.tick(20_000, &mut out);
    assert_eq!((cache.live(), cache.next_timeout()), (2, Some(115_000)));
    cache.check();
}
