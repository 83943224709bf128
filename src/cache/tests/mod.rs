//! What the cache promises, rule by rule.

mod model;
mod properties;
mod rules;
mod shares;
mod snapshots;
mod totals;
mod traces;

use super::*;
use crate::flow::FlowKey;

/// Keeps what it takes.
#[derive(Default)]
struct Rows {
    rows: Vec<(FlowRecord, Option<Detail>)>,
    /// Of the rows, unless they were taken away.
    serials: Vec<u64>,
    full_at: Option<usize>,
}

impl Outlet for Rows {
    fn take(&mut self, record: &FlowRecord, detail: Option<&Detail>, serial: u64) {
        self.rows.push((*record, detail.cloned()));
        self.serials.push(serial);
    }

    fn is_full(&self) -> bool {
        self.full_at
            .is_some_and(|full_at| self.rows.len() >= full_at)
    }
}

impl Cache {
    /// When a tick next has something to do, ms; none while there is no flow.
    fn next_timeout(&self) -> Option<u64> {
        let (due_tick, _) = self.wheel.first()?;
        let next_tick = self.tick_number() + 1;
        let has_work = self.sweep.is_pending() || self.slab.live() > self.settings.pressure();
        let tick = match has_work {
            true => next_tick,
            false => due_tick.max(next_tick),
        };
        Some(tick * self.settings.tick_ms)
    }
}

impl Rows {
    fn amount(&self) -> Amount {
        sum(self.rows.iter().map(|(record, _)| record))
    }

    /// (source port, reason) of what was taken since, in order.
    fn reasons(&mut self) -> Vec<(u16, EndReason)> {
        let rows = std::mem::take(&mut self.rows);
        let reason = |(record, _): (FlowRecord, _)| (record.key.src_port, record.end_reason);
        rows.into_iter().map(reason).collect()
    }
}

fn sum<'a>(records: impl IntoIterator<Item = &'a FlowRecord>) -> Amount {
    let mut all = Amount::default();
    for record in records {
        all += record.amount();
    }
    all
}

/// A record of the flow `port`, from `start_s` to `end_s`, of 100 octets in one packet.
fn record(port: u16, start_s: u64, end_s: u64) -> FlowRecord {
    FlowRecord {
        key: FlowKey {
            src_port: port,
            ..FlowKey::default()
        },
        octets: 100,
        packets: 1,
        start_ms: start_s * 1_000,
        end_ms: end_s * 1_000,
        ..FlowRecord::default()
    }
}

fn timers(active_s: u64, inactive_s: u64) -> RouteTimers {
    RouteTimers {
        timers: Timers {
            active_ms: active_s * 1_000,
            inactive: Inactive::Fixed(inactive_s * 1_000),
        },
        kind: CacheType::Timeout,
    }
}

fn cache(active_s: u64, inactive_s: u64) -> Cache {
    let mut cache = Cache::new(Settings {
        max_flows: 64,
        ..Settings::default()
    });
    cache.set_route(0, timers(active_s, inactive_s));
    cache
}

impl Cache {
    /// Invariants of P-667 and of the sums kept along the way.
    fn check(&self) {
        let linked = self.wheel.slots(&self.slab);
        let live = self.live();
        assert_eq!((self.index.live(), linked.len()), (live, live));
        assert!(live <= self.settings.max_flows);
        let mut held = Amount::default();
        let (mut details, mut seen) = (0, vec![false; self.slab.slots() as usize]);
        for &(tick, slot) in &linked {
            assert!(
                !std::mem::replace(&mut seen[slot as usize], true),
                "linked twice"
            );
            let entry = self.slab.get(slot).unwrap();
            held += entry.record.amount();
            details += usize::from(self.details.get(entry.detail).is_some());
            assert_eq!(
                self.find(self.hash(&entry.record.key), &entry.record.key),
                Some(slot)
            );
            let due = self.due_tick(entry).max(self.tick_number() + 1);
            assert!(
                self.sweep.is_pending() || tick <= due,
                "{tick} is after {due}"
            );
        }
        assert_eq!(held, self.held());
        let (kept, bytes, weighed) = self.details.totals();
        assert_eq!((kept, bytes), (details, weighed));
        assert_eq!(self.sources.totals().0, live);
        assert_eq!(
            self.routes.iter().map(|route| route.live).sum::<usize>(),
            live
        );
        assert_eq!(
            self.stats.created + self.stats.resumed,
            self.stats.expired.iter().sum::<u64>() + live as u64
        );
    }
}
