//! What holds for any trace.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::traces::Step;
use super::traces::inserted;
use super::traces::play;
use super::traces::records;
use super::traces::rich_traces;
use super::*;
use crate::flow::RecordFlags;

fn flows<'a>(records: impl Iterator<Item = &'a FlowRecord>) -> u64 {
    records.map(|record| u64::from(record.flows)).sum()
}

/// Records that meet in few flows and span a minute at most.
fn plain_records() -> impl Strategy<Value = FlowRecord> {
    records().prop_map(|record| FlowRecord {
        key: FlowKey {
            route: 0,
            protocol: 6,
            ..record.key
        },
        octets: record.octets % 10_000,
        flows: 1,
        records: 1,
        start_ms: record.start_ms % 20_000,
        end_ms: record.start_ms % 20_000 + (record.end_ms - record.start_ms),
        src_as: 0,
        end_reason: EndReason::Unknown,
        event: None,
        ..record
    })
}

proptest! {
    /// P-900, P-908, P-912 and P-667; with a full outlet every now and then.
    #[test]
    fn nothing_is_lost_at_any_time(
        trace in rich_traces(),
        max_flows in prop_oneof![Just(1_usize), Just(2), Just(7), Just(64)],
        tick_budget in prop_oneof![Just(1_usize), Just(3), Just(65_536)],
        detail_bytes_max in prop_oneof![Just(0_usize), Just(1_000), Just(1 << 20)],
        odometers_max in prop_oneof![Just(0_usize), Just(4), Just(1_000)],
        sources_max in prop_oneof![Just(2_usize), Just(8)],
        full_at in prop::option::of(0_usize..20),
    ) {
        let mut cache = Cache::new(Settings {
            max_flows, tick_budget, detail_bytes_max, odometers_max, sources_max,
            ..Settings::default()
        });
        let mut out = Rows { full_at, ..Rows::default() };
        let (mut now_ms, mut all) = (u64::from(u32::MAX) - 30_000, Amount::default());
        for step in &trace {
            play(&mut cache, &mut now_ms, step, &mut out);
            if let Step::Record(record, _) = &step.1 {
                all += record.amount();
            }
            cache.check();
            let repeated = cache.stats().odometers.repeated;
            prop_assert_eq!(out.amount() + cache.held() + repeated, all);
        }
        out.full_at = None;
        cache.flush(&mut out);
        cache.check();
        prop_assert_eq!(cache.live(), 0);
        prop_assert_eq!(out.amount() + cache.stats().odometers.repeated, all);
        prop_assert_eq!(flows(out.rows.iter().map(|row| &row.0)), flows(inserted(&trace)));
        prop_assert!(out.rows.len() <= inserted(&trace).count(), "P-905");
    }

    /// P-908: what a greedy source begins costs nobody else a flow.
    #[test]
    fn a_source_with_its_share_takes_nothing_from_others(
        source_share_percent in 1_u8..=100,
        inserted in prop::collection::vec((0_u32..4, 0_u16..64), 0..200),
    ) {
        let max_flows = 20;
        let settings = Settings { max_flows, source_share_percent, ..Settings::default() };
        let (mut cache, mut out) = (Cache::new(settings), Rows::default());
        cache.set_route(0, timers(60, 15));
        let (mut all, mut expected_bypassed) = (Amount::default(), 0);
        for (source, port) in inserted {
            let mut new = record(port, 0, 1);
            new.key.source = SourceId(source);
            let lives = |cache: &Cache| [0, 1, 2, 3].map(|id| cache.source_live(SourceId(id)));
            let (before, created, merged) =
                (lives(&cache), cache.stats().created, cache.stats().merged);
            let own = before[source as usize];
            let is_greedy = cache.live() >= 18
                && cache.live() > own
                && own >= (max_flows * usize::from(source_share_percent) / 100).max(1);
            let bypassed = cache.stats().bypassed;
            let taken = out.rows.len();
            cache.insert(0, &new, None, &mut out);
            all += new.amount();
            if is_greedy && cache.stats().merged == merged {
                expected_bypassed += 1;
                prop_assert_eq!((lives(&cache), cache.stats().created), (before, created));
                prop_assert_eq!(cache.stats().bypassed, bypassed + 1);
                let resources = FlowRecord { end_reason: EndReason::Resources, ..new };
                prop_assert_eq!(&out.rows[taken..], &[(resources, None)]);
            }
            prop_assert_eq!(out.amount() + cache.held(), all);
            cache.check();
        }
        prop_assert!(cache.stats().bypassed >= expected_bypassed);
    }

    /// P-901.
    #[test]
    fn every_flow_keeps_its_outermost_times_and_all_its_flags(
        trace in prop::collection::vec((0_u64..5_000, plain_records()), 0..80),
    ) {
        let (mut cache, mut out) = (cache(30, 5), Rows::default());
        let mut now_ms = 0;
        for (pause_ms, record) in &trace {
            now_ms += pause_ms;
            cache.tick(now_ms, &mut out);
            cache.insert(now_ms, record, None, &mut out);
        }
        cache.flush(&mut out);
        let outline = |records: &mut dyn Iterator<Item = &FlowRecord>| {
            let mut by_key = BTreeMap::new();
            for record in records {
                let key = (record.key.source.0, record.key.src_port);
                let (start_ms, end_ms, tcp_flags) = by_key.entry(key).or_insert((u64::MAX, 0, 0));
                *start_ms = record.start_ms.min(*start_ms);
                *end_ms = record.end_ms.max(*end_ms);
                *tcp_flags |= record.tcp_flags;
            }
            by_key
        };
        let went_in = outline(&mut trace.iter().map(|it| &it.1));
        prop_assert_eq!(outline(&mut out.rows.iter().map(|it| &it.0)), went_in);
    }

    /// P-902, P-903 and P-904.
    #[test]
    fn flows_leave_neither_early_nor_late_nor_too_long(
        trace in prop::collection::vec((0_u64..5_000, plain_records()), 0..80),
        active_s in 1_u64..30,
        inactive_s in 1_u64..10,
    ) {
        let (mut cache, mut out) = (cache(active_s, inactive_s), Rows::default());
        let (active_ms, inactive_ms) = (active_s * 1_000, inactive_s * 1_000);
        let mut arrivals = BTreeMap::new();
        let (mut now_ms, mut guarded) = (0, 0);
        for (pause_ms, record) in &trace {
            let until_ms = now_ms + pause_ms;
            while now_ms < until_ms {
                now_ms = until_ms.min(now_ms + 100);
                cache.tick(now_ms, &mut out);
                for (left, _) in out.rows.drain(..) {
                    let key = (left.key.source.0, left.key.src_port);
                    let (first_ms, last_ms): (u64, u64) = arrivals.remove(&key).unwrap();
                    let due_ms = if left.end_reason == EndReason::Active {
                        first_ms + active_ms
                    } else {
                        prop_assert_eq!(left.end_reason, EndReason::Idle);
                        last_ms + inactive_ms
                    };
                    prop_assert!(due_ms <= now_ms, "P-903");
                }
                for &(first_ms, last_ms) in arrivals.values() {
                    prop_assert!(now_ms < first_ms + active_ms + 100, "P-902");
                    prop_assert!(now_ms < last_ms + inactive_ms + 100, "P-902");
                }
            }
            cache.insert(now_ms, record, None, &mut out);
            let key = (record.key.source.0, record.key.src_port);
            for (left, _) in out.rows.drain(..) {
                guarded += 1;
                prop_assert_eq!(left.end_reason, EndReason::Active);
                let span_ms = left.end_ms - left.start_ms;
                prop_assert!(span_ms <= active_ms + 5_000 || left.records == 1, "P-904");
                arrivals.remove(&key);
            }
            arrivals.entry(key).or_insert((now_ms, now_ms)).1 = now_ms;
        }
        prop_assert_eq!(cache.stats().span_guards, guarded);
        prop_assert_eq!(cache.live(), arrivals.len());
    }

    /// P-905.
    #[test]
    fn an_uncached_route_hands_records_on_as_they_came(
        records in prop::collection::vec(records(), 0..40),
    ) {
        let (mut cache, mut out) = (cache(60, 15), Rows::default());
        for route in 0..3 {
            cache.set_route(route, RouteTimers { kind: CacheType::Immediate, ..timers(60, 15) });
        }
        for record in &records {
            cache.insert(0, record, None, &mut out);
        }
        let taken: Vec<FlowRecord> = out.rows.into_iter().map(|row| row.0).collect();
        prop_assert_eq!(taken, records);
    }

    #[test]
    fn a_batch_does_what_its_records_do(
        records in prop::collection::vec(records(), 0..100),
    ) {
        let (mut one, mut other) = (cache(60, 15), cache(60, 15));
        let (mut out, mut batch_out) = (Rows::default(), Rows::default());
        for record in &records {
            one.insert(1_000, record, None, &mut out);
        }
        let mut queue = Queue::default();
        for record in &records {
            queue.push(record.key.route, record, None);
        }
        other.insert_batch(1_000, &queue, &mut batch_out);
        prop_assert_eq!((one.held(), one.stats()), (other.held(), other.stats()));
        prop_assert_eq!(out.rows, batch_out.rows);
        other.check();
    }

    /// P-906.
    #[test]
    fn the_order_of_records_does_not_matter(
        (records, shuffled) in prop::collection::vec(plain_records(), 0..40)
            .prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle())),
    ) {
        let aggregate = |records: &[FlowRecord]| {
            let (mut cache, mut out) = (cache(60, 15), Rows::default());
            for (now_ms, record) in records.iter().enumerate() {
                cache.insert(now_ms as u64, record, None, &mut out);
            }
            cache.flush(&mut out);
            out.rows.sort_by_key(|row| (row.0.key.source.0, row.0.key.src_port));
            out.rows
        };
        prop_assert_eq!(aggregate(&records), aggregate(&shuffled));
    }

    /// P-665, the second run of P-902: a budget delays, nothing else.
    #[test]
    fn a_finite_budget_only_delays(
        trace in prop::collection::vec((0_u64..300, 0_u16..200, 0_u8..6), 1..100),
        budget in 1_usize..8,
    ) {
        let run = |tick_budget| {
            let mut cache = Cache::new(Settings { tick_budget, ..Settings::default() });
            cache.set_route(0, timers(9, 5));
            let (mut out, mut left) = (Rows::default(), BTreeMap::new());
            let mut now_ms = 0;
            for (number, &(pause_ms, port, reason)) in trace.iter().enumerate() {
                now_ms += pause_ms;
                let mut record = record(port, 0, 1);
                // Every record a flow of its own: nothing revives what waits.
                record.key.dst_port = u16::try_from(number).unwrap();
                record.end_reason = EndReason::from(reason);
                cache.insert(now_ms, &record, None, &mut out);
            }
            while cache.live() > 0 {
                now_ms += 100;
                cache.tick(now_ms, &mut out);
                cache.check();
                for (row, _) in out.rows.drain(..) {
                    left.insert(row.key.dst_port, (row.end_reason, row.octets, now_ms));
                }
            }
            left
        };
        let (exact, delayed) = (run(65_536), run(budget));
        prop_assert_eq!(exact.len(), delayed.len());
        for (one, other) in exact.values().zip(delayed.values()) {
            prop_assert_eq!((one.0, one.1), (other.0, other.1));
            prop_assert!(one.2 <= other.2);
        }
    }

    /// P-909: counters that grow and restart, reported out of order and twice.
    #[test]
    fn totals_are_never_counted_twice(
        reports in prop::collection::vec((0_u64..5_000, prop::bool::weighted(0.1)), 1..60),
        swaps in prop::collection::vec((0_usize..60, 0_usize..60), 0..10),
        repeats in prop::collection::vec(0_usize..60, 0..10),
    ) {
        let (mut total, mut start_s, mut last_of_all) = (0, 0, 0);
        let mut sent = Vec::new();
        for (second, &(growth, restarts)) in (10_u64..).step_by(10).zip(&reports) {
            if restarts {
                last_of_all += total;
                (total, start_s) = (0, second - 5);
            }
            total += growth;
            let mut report = record(1, start_s, second);
            report.octets = total;
            report.flags = RecordFlags::TOTALS;
            sent.push(report);
        }
        last_of_all += total;
        for at in repeats.into_iter().filter(|&at| at < reports.len()) {
            sent.insert(at, sent[at]);
        }
        let in_order = swaps.is_empty();
        for (one, other) in swaps {
            let count = sent.len();
            sent.swap(one % count, other % count);
        }
        let (mut cache, mut out) = (cache(60, 15), Rows::default());
        for (now_ms, report) in sent.iter().enumerate() {
            cache.insert(now_ms as u64, report, None, &mut out);
        }
        cache.flush(&mut out);
        let counted = out.amount().octets;
        prop_assert!(counted <= last_of_all);
        prop_assert!(!in_order || counted == last_of_all);
    }
}
