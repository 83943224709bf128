//! Snapshots: what is in them, and what a crash anywhere leaves.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::traces::Step;
use super::traces::Trace;
use super::traces::inserted;
use super::traces::play;
use super::traces::rich_traces;
use super::*;
use crate::cache::snapshot::FlowNames;
use crate::cache::snapshot::RouteName;

/// Names that say the ids, so that they can be found again.
struct Ids;

const LOGS: [&str; 3] = ["first", "second", "third"];

impl FlowNames for Ids {
    fn route(&self, route: u16) -> Option<RouteName<'_>> {
        Some(RouteName {
            flow_log: LOGS.get(usize::from(route))?,
            instance_id: (route == 1).then_some("gateway"),
        })
    }

    fn source(&self, source: SourceId) -> Option<(IpAddr, u32)> {
        Some((Ipv4Addr::new(192, 0, 2, 1).into(), source.0))
    }
}

fn id(name: &RouteName<'_>) -> u16 {
    let position = LOGS.iter().position(|log| *log == name.flow_log);
    u16::try_from(position.unwrap()).unwrap()
}

/// The record of a flow with the ids it had.
fn named(flow: &OpenFlow<'_>) -> FlowRecord {
    let mut record = flow.record;
    record.key.route = id(&flow.route);
    record.key.source = SourceId(flow.source.1);
    record
}

/// A walk whose pieces are kept.
struct Taken {
    walk: Walk,
    pieces: Vec<Vec<u8>>,
    flows: u64,
}

impl Taken {
    fn begin(cache: &Cache) -> Self {
        Self {
            walk: Walk::new(cache),
            pieces: Vec::new(),
            flows: 0,
        }
    }

    fn step(&mut self, cache: &Cache, slots_max: usize) -> u64 {
        let mut piece = Vec::new();
        let flows = self.walk.piece(cache, 3, slots_max, &Ids, &mut piece);
        self.pieces.push(piece);
        self.flows += flows;
        flows
    }

    fn octets(&self) -> Vec<u8> {
        let head = Snapshot::head();
        [
            &head[..],
            &self.pieces.concat(),
            &Snapshot::tail(self.flows),
        ]
        .concat()
    }
}

fn whole(cache: &Cache) -> Vec<u8> {
    let mut taken = Taken::begin(cache);
    while !taken.walk.is_done() {
        taken.step(cache, 2);
    }
    taken.octets()
}

/// What leaves a cache from now on, by serial.
fn flushed(cache: &mut Cache) -> BTreeMap<u64, (FlowRecord, Option<Detail>)> {
    let mut out = Rows::default();
    cache.flush(&mut out);
    out.serials.iter().copied().zip(out.rows).collect()
}

/// A cache that resumed all flows but those that are gone; its time is far from
/// that of the other.
fn resumed(octets: &[u8], gone: &[u64], trace: &Trace, out: &mut Rows) -> Cache {
    let mut cache = Cache::new(Settings::default());
    for (_, step) in trace {
        if let Step::Timers(route, timers) = step {
            cache.set_route(*route, *timers);
        }
    }
    let snapshot = Snapshot::read(octets).unwrap();
    for flow in snapshot.flows().filter(|flow| !gone.contains(&flow.serial)) {
        cache.resume(1 << 33, &flow, &named(&flow), out);
    }
    cache.number_by(Serials {
        next: snapshot.serials_end(),
        step: 1,
    });
    cache.check();
    cache
}

/// Records, octets and packets where they are more than 64 bits hold.
fn in_full<'a>(records: impl Iterator<Item = &'a FlowRecord>) -> [u128; 3] {
    records.fold([0; 3], |[records, octets, packets], record| {
        let amount = record.amount();
        [
            records + u128::from(amount.records),
            octets + u128::from(amount.octets),
            packets + u128::from(amount.packets),
        ]
    })
}

fn of_flows(count: u16) -> Cache {
    let (mut cache, mut out) = (cache(60, 60), Rows::default());
    for port in 0..count {
        cache.insert(1_000, &record(port, 0, 1), None, &mut out);
    }
    cache
}

#[test]
fn a_piece_looks_at_no_more_slots_than_it_may() {
    let cache = of_flows(10);
    let mut taken = Taken::begin(&cache);
    let mut flows = Vec::new();
    while !taken.walk.is_done() {
        flows.push(taken.step(&cache, 4));
    }
    assert_eq!(flows, [4, 4, 2]);
    assert_eq!(Snapshot::read(&taken.octets()).unwrap().len(), 10);
}

#[test]
fn a_piece_ends_where_long_details_fill_it() {
    let (mut cache, mut out) = (cache(60, 60), Rows::default());
    let detail = Detail {
        extra: vec![(crate::element::ElementId::iana(82), vec![7; 600_000].into())],
        vrfs: Some((1, 65_536)),
        ..Detail::default()
    };
    for port in 0..5 {
        cache.insert(0, &record(port, 0, 1), Some(&detail), &mut out);
    }
    let mut taken = Taken::begin(&cache);
    assert_eq!(taken.step(&cache, 64), 2);
    assert_eq!(taken.step(&cache, 64), 2);
    assert_eq!(taken.step(&cache, 64), 1);
    assert!(taken.walk.is_done());
}

#[test]
fn a_piece_ends_where_it_has_named_many_sources() {
    let (mut cache, mut out) = (Cache::new(Settings::default()), Rows::default());
    cache.set_route(0, timers(60, 60));
    for source in 0..300 {
        let mut flow = record(1, 0, 1);
        flow.key.source = SourceId(source);
        cache.insert(0, &flow, None, &mut out);
    }
    let mut taken = Taken::begin(&cache);
    assert_eq!(taken.step(&cache, 4_096), 256);
    assert_eq!(taken.step(&cache, 4_096), 44);
    let octets = taken.octets();
    let snapshot = Snapshot::read(&octets).unwrap();
    let sources: Vec<u32> = snapshot.flows().map(|flow| flow.source.1).collect();
    assert!(sources.into_iter().eq(0..300));
}

#[test]
fn a_snapshot_cut_anywhere_is_refused() {
    let octets = whole(&of_flows(3));
    assert_eq!(Snapshot::read(&octets).unwrap().len(), 3);
    for length in 0..octets.len() {
        assert!(Snapshot::read(&octets[..length]).is_err(), "{length}");
    }
    let longer = [octets.as_slice(), &[0]].concat();
    assert!(Snapshot::read(&longer).is_err());
}

#[test]
fn a_newer_snapshot_is_refused_as_such() {
    let mut octets = whole(&of_flows(1));
    octets[0] += 1;
    assert_eq!(Snapshot::read(&octets).unwrap_err(), Damage::Version(3));
}

#[test]
fn a_resumed_flow_has_the_time_left_that_it_had() {
    let (mut cache, mut out) = (cache(60, 20), Rows::default());
    cache.insert(1_000, &record(1, 0, 1), None, &mut out);
    cache.insert(15_000, &record(1, 0, 1), None, &mut out);
    cache.insert(21_000, &record(2, 0, 1), None, &mut out);
    let octets = whole(&cache);
    let mut cache = super::cache(60, 20);
    let snapshot = Snapshot::read(&octets).unwrap();
    for flow in snapshot.flows() {
        let record = named(&flow);
        cache.resume(1_000_000, &flow, &record, &mut out);
    }
    cache.tick(1_000_000 + 13_900, &mut out);
    assert_eq!(out.reasons(), []);
    cache.tick(1_000_000 + 14_000, &mut out);
    assert_eq!(out.reasons(), [(1, EndReason::Idle)]);
    cache.tick(1_000_000 + 20_000, &mut out);
    assert_eq!(out.reasons(), [(2, EndReason::Idle)]);
}

#[test]
fn a_flow_there_is_no_room_for_leaves_at_once_under_its_own_number() {
    let octets = whole(&of_flows(5));
    let mut cache = Cache::new(Settings {
        max_flows: 2,
        ..Settings::default()
    });
    cache.set_route(0, timers(60, 60));
    let mut out = Rows::default();
    let snapshot = Snapshot::read(&octets).unwrap();
    for flow in snapshot.flows() {
        cache.resume(9_000, &flow, &named(&flow), &mut out);
    }
    cache.check();
    assert_eq!((cache.live(), cache.stats().resumed), (2, 2));
    assert_eq!(out.serials, [3, 4, 5]);
    assert_eq!(out.amount() + cache.held(), of_flows(5).held());
}

#[test]
fn of_two_flows_of_one_key_the_second_leaves_at_once() {
    let octets = whole(&of_flows(1));
    let (mut cache, mut out) = (of_flows(1), Rows::default());
    let snapshot = Snapshot::read(&octets).unwrap();
    for flow in snapshot.flows() {
        cache.resume(9_000, &flow, &named(&flow), &mut out);
    }
    assert_eq!((cache.live(), out.rows.len()), (1, 1));
}

#[test]
fn serials_of_two_caches_differ_and_begin_above_those_resumed() {
    let mut serials = Vec::new();
    let octets = whole(&of_flows(3));
    let first = Snapshot::read(&octets).unwrap().serials_end();
    assert_eq!(first, 4);
    for lane in 0..2 {
        let mut cache = cache(60, 60);
        cache.number_by(Serials {
            next: first + lane,
            step: 2,
        });
        let mut out = Rows::default();
        for port in 0..3 {
            cache.insert(0, &record(port, 0, 1), None, &mut out);
        }
        serials.extend(flushed(&mut cache).into_keys());
    }
    serials.sort_unstable();
    assert_eq!(serials, [4, 5, 6, 7, 8, 9]);
}

proptest! {
    /// Snapshot and resume give the same flows.
    #[test]
    fn flows_are_resumed_as_they_were(trace in rich_traces()) {
        let (mut cache, mut out, mut now_ms) =
            (Cache::new(Settings::default()), Rows::default(), 5_000_000);
        for step in &trace {
            play(&mut cache, &mut now_ms, step, &mut out);
        }
        let octets = whole(&cache);
        let mut left = Rows::default();
        let mut other = resumed(&octets, &[], &trace, &mut left);
        let mut found = flushed(&mut other);
        found.extend(left.serials.into_iter().zip(left.rows));
        prop_assert_eq!(found, flushed(&mut cache));
    }

    /// A crash at any step, a walk begun at any step before, so many of the
    /// newest rows not journaled: no flow is exported twice, and none is lost
    /// that was there when the walk began and did not leave.
    #[test]
    fn no_flow_is_exported_twice_and_none_that_stayed_is_lost(
        trace in rich_traces(),
        (begin, crash, unwritten) in (0_usize..100, 0_usize..152, 0_usize..4),
        slots_max in 1_usize..5,
    ) {
        let (mut cache, mut out, mut now_ms) =
            (Cache::new(Settings::default()), Rows::default(), 5_000_000);
        let (mut taken, mut position, mut at_begin) = (None, 0, BTreeMap::new());
        let mut done = None;
        for (at, step) in trace.iter().take(crash).enumerate() {
            if at == begin {
                taken = Some(Taken::begin(&cache));
                position = out.rows.len();
                let octets = whole(&cache);
                let snapshot = Snapshot::read(&octets).unwrap();
                at_begin = snapshot.flows().map(|flow| (flow.serial, flow.record.amount())).collect();
            }
            play(&mut cache, &mut now_ms, step, &mut out);
            if let Some(taken) = taken.as_mut().filter(|taken| !taken.walk.is_done()) {
                taken.step(&cache, slots_max);
            }
            done = taken.as_ref().filter(|it| it.walk.is_done()).map(Taken::octets).or(done);
        }
        let Some(octets) = done else { return Ok(()) };
        let journaled = out.rows.len().saturating_sub(unwritten).max(position);
        let gone = &out.serials[position..journaled];
        let mut after = Rows::default();
        let mut cache = resumed(&octets, gone, &trace, &mut after);
        cache.flush(&mut after);
        let mut serials: Vec<u64> = out.serials[..journaled].iter().chain(&after.serials)
            .copied().filter(|serial| *serial > 0).collect();
        let rows = serials.len();
        serials.sort_unstable();
        serials.dedup();
        prop_assert_eq!(serials.len(), rows, "a flow is there twice");
        let exported = out.rows[..journaled].iter().chain(&after.rows);
        let exported = in_full(exported.map(|row| &row.0));
        let all = in_full(inserted(&trace));
        prop_assert!(exported.iter().zip(all).all(|(exported, all)| *exported <= all));
        let found: BTreeMap<u64, Amount> = after.serials.iter().copied()
            .zip(after.rows.iter().map(|row| row.0.amount())).collect();
        for (serial, amount) in at_begin {
            if !out.serials[position..].contains(&serial) {
                let kept = found.get(&serial).copied().unwrap_or_default();
                prop_assert!(kept.records >= amount.records, "{serial} lost {amount:?}");
                prop_assert!(kept.packets >= amount.packets && kept.octets >= amount.octets);
            }
        }
    }
}
