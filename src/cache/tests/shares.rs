//! What one source may have of a cache that runs short. P-666, P-908.

use super::*;

#[test]
fn a_greedy_source_does_not_evict_others() {
    let mut cache = Cache::new(Settings {
        max_flows: 20,
        ..Settings::default()
    });
    cache.set_route(0, timers(60, 15));
    let mut out = Rows::default();
    let of = |source, port| {
        let mut record = record(port, 0, 1);
        record.key.source = SourceId(source);
        record
    };
    cache.insert(0, &of(1, 1_000), None, &mut out);
    for port in 0..50 {
        cache.insert(1, &of(0, port), None, &mut out);
        cache.tick(2, &mut out);
    }
    assert_eq!((cache.source_live(SourceId(0)), cache.live()), (17, 18));
    assert_eq!(cache.stats().bypassed, 33);
    assert!(
        out.reasons()
            .iter()
            .all(|&(port, reason)| port < 50 && reason == EndReason::Resources)
    );
    // Flows that are there go on being merged.
    cache.insert(3, &of(0, 0), None, &mut out);
    assert_eq!((out.rows.len(), cache.stats().merged), (0, 1));
    // Others still enter; the flow that is due first makes room, here their own.
    for port in 1_001..1_004 {
        cache.insert(4, &of(1, port), None, &mut out);
    }
    assert_eq!(out.reasons(), [(1_000, EndReason::Resources)]);
    assert_eq!((cache.live(), cache.stats().evictions), (20, 1));
    cache.check();
}

#[test]
fn what_a_source_may_have_of_a_crowded_cache_is_set() {
    let cases = [(25, [5, 13], 14), (50, [7, 13], 7), (100, [7, 13], 6)];
    for (percent, lives, bypassed) in cases {
        let mut cache = Cache::new(Settings {
            max_flows: 20,
            source_share_percent: percent,
            ..Settings::default()
        });
        cache.set_route(0, timers(60, 15));
        let mut out = Rows::default();
        for port in 0..20 {
            for source in [0, 1] {
                let mut record = record(port, 0, 1);
                record.key.source = SourceId(source);
                // The second source comes with eight more flows.
                let is_in_time = source == 1 || port >= 8;
                if is_in_time {
                    cache.insert(0, &record, None, &mut out);
                }
            }
        }
        assert_eq!([0, 1].map(|id| cache.source_live(SourceId(id))), lives);
        assert_eq!(cache.stats().bypassed, bypassed);
        cache.check();
    }
}

#[test]
fn a_source_alone_may_fill_the_cache() {
    let mut cache = Cache::new(Settings {
        max_flows: 20,
        source_share_percent: 1,
        ..Settings::default()
    });
    cache.set_route(0, timers(60, 15));
    let mut out = Rows::default();
    for port in 0..21 {
        cache.insert(0, &record(port, 0, 1), None, &mut out);
    }
    assert_eq!((cache.live(), cache.stats().bypassed), (20, 1));
    assert_eq!(out.reasons(), [(20, EndReason::Resources)]);
}
