//! Random lives of a cache.

use proptest::prelude::*;

use super::*;
use crate::element::ElementId;
use crate::flow::Event;
use crate::flow::RecordFlags;

/// One thing that happens to a cache.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Record(Box<FlowRecord>, Option<Detail>),
    Tick,
    Timers(u16, RouteTimers),
    Learned(u32, u64),
    CloseRoute(u16),
    CloseSource(u32),
}

/// Milliseconds since the step before, and what happens.
pub(super) type Trace = Vec<(u64, Step)>;

prop_compose! {
    /// Few keys, so that records meet; counters near their ends, so that they
    /// overflow; times from everywhere, as from exporters whose clocks jump.
    pub(super) fn records()(
        (port, source, route) in (0_u16..4, 0_u32..3, 0_u16..3),
        (octets, packets) in (prop_oneof![4 => 0_u64..2_000, 1 => u64::MAX - 3_000..], 0_u64..9),
        (start_ms, length_ms) in (
            prop_oneof![4 => 0_u64..20_000, 1 => 0_u64..4_000_000],
            prop_oneof![0_u64..3_000, 0_u64..40_000],
        ),
        (flows, merged) in (
            prop_oneof![4 => 1_u32..3, 1 => u32::MAX - 2..],
            prop_oneof![6 => Just(1_u32), 1 => u32::MAX - 2..],
        ),
        reason in prop_oneof![3 => Just(0_u8), 2 => 0_u8..6],
        event in prop::option::weighted(0.05, Just(Event::Nat)),
        (protocol, tcp_flags) in (prop_oneof![Just(6_u8), Just(17_u8)], 0_u16..64),
        src_as in 0_u32..3,
    ) -> FlowRecord {
        let plain = record(port, 0, 0);
        FlowRecord {
            key: FlowKey { source: SourceId(source), route, protocol, ..plain.key },
            octets,
            packets,
            start_ms,
            end_ms: start_ms + length_ms,
            flows,
            records: merged,
            tcp_flags,
            src_as,
            end_reason: EndReason::from(reason),
            event,
            ..plain
        }
    }
}

prop_compose! {
    fn details()(
        layer2_octets in prop::option::of(prop_oneof![0_u64..99, u64::MAX - 99..]),
        extra in prop::collection::vec((0_u16..4, 0_usize..200), 0..3),
    ) -> Detail {
        let value = |(id, length)| (ElementId::iana(id), vec![1; length].into());
        Detail { layer2_octets, extra: extra.into_iter().map(value).collect(), ..Detail::default() }
    }
}

prop_compose! {
    fn some_timers()(
        active_s in 0_u64..40,
        inactive_ms in 0_u64..20_000,
        is_auto in any::<bool>(),
        kind in prop_oneof![
            1 => Just(CacheType::Immediate),
            6 => Just(CacheType::Timeout),
            3 => Just(CacheType::Natural),
        ],
    ) -> RouteTimers {
        let inactive = if is_auto {
            Inactive::Auto { floor_ms: inactive_ms }
        } else {
            Inactive::Fixed(inactive_ms)
        };
        RouteTimers {
            timers: Timers { active_ms: active_s * 1_000, inactive },
            kind,
        }
    }
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => records().prop_map(|record| Step::Record(Box::new(record), None)),
        12 => Just(Step::Tick),
        3 => (0_u16..2, some_timers()).prop_map(|(route, timers)| Step::Timers(route, timers)),
        1 => (0_u32..3, 1_u64..30_000).prop_map(|(source, ms)| Step::Learned(source, ms)),
        1 => (0_u16..2).prop_map(Step::CloseRoute),
        1 => (0_u32..3).prop_map(Step::CloseSource),
    ]
}

/// Most of the time seconds pass, now and then more than a turn of the wheel.
fn pauses() -> impl Strategy<Value = u64> {
    prop_oneof![6 => Just(0), 6 => 0_u64..3_000, 1 => 0_u64..60_000, 1 => 400_000_u64..900_000]
}

/// Lives of a cache with two routes it knows and a third it does not.
pub(super) fn traces() -> impl Strategy<Value = Trace> {
    let known = (some_timers(), some_timers());
    let life = prop::collection::vec((pauses(), steps()), 0..150);
    (known, life).prop_map(|((first, second), mut life)| {
        life.insert(0, (0, Step::Timers(0, first)));
        life.insert(0, (0, Step::Timers(1, second)));
        life
    })
}

/// The same with totals, and with details on some records.
pub(super) fn rich_traces() -> impl Strategy<Value = Trace> {
    let more = (prop::option::of(details()), prop::bool::weighted(0.2));
    (traces(), prop::collection::vec(more, 152)).prop_map(|(mut trace, more)| {
        for ((_, step), (new, totals)) in trace.iter_mut().zip(more) {
            if let Step::Record(record, detail) = step {
                *detail = new;
                if totals {
                    record.flags = RecordFlags::TOTALS;
                }
            }
        }
        trace
    })
}

/// Lets one step happen.
pub(super) fn play(
    cache: &mut Cache,
    now_ms: &mut u64,
    (pause_ms, step): &(u64, Step),
    out: &mut Rows,
) {
    *now_ms += pause_ms;
    match step {
        Step::Record(record, detail) => cache.insert(*now_ms, record, detail.as_ref(), out),
        Step::Tick => cache.tick(*now_ms, out),
        Step::Timers(route, timers) => cache.set_route(*route, *timers),
        Step::Learned(source, active_ms) => cache.learned(SourceId(*source), *active_ms),
        Step::CloseRoute(route) => cache.close_route(*route),
        Step::CloseSource(source) => cache.close_source(SourceId(*source)),
    }
}

/// The records of a life.
pub(super) fn inserted(trace: &Trace) -> impl Iterator<Item = &FlowRecord> {
    trace.iter().filter_map(|(_, step)| match step {
        Step::Record(record, _) => Some(record.as_ref()),
        Step::Tick
        | Step::Timers(..)
        | Step::Learned(..)
        | Step::CloseRoute(_)
        | Step::CloseSource(_) => None,
    })
}
