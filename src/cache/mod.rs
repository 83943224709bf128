//! Aggregation and aging: the flow cache of RFC 6728, one per lane.
//!
//! Records of one [`FlowKey`](crate::flow::FlowKey) are merged until a timer of
//! their route ends the flow; then it goes to an [`Outlet`]. Timers run on the
//! arrival clock alone: what a record says of its own times never makes a flow
//! stay or leave, except that no row spans more than the active timer (P-611).
//!
//! # What always holds
//!
//! * Nothing is dropped. What was inserted is what the outlet took, and
//!   [`Cache::held`], and what totals repeated ([`OdometerStats::repeated`]), in
//!   records, octets and packets, at any time.
//! * A record costs constant time, and a tick looks at no more entries than its
//!   budget; what is left over is late, not lost.
//! * 168 octets an entry and 16 to 32 in the index: no allocation per flow.
//!
//! # The parts
//!
//! An `Index` finds the slot of a key in the `Slab` of entries. Every entry is
//! in one bucket of one timing `Wheel`, at or before the time it is due: an
//! update writes the entry only, and whoever comes to the bucket looks whether
//! the time has really come (P-663, P-664).

mod aging;
mod details;
mod entry;
mod index;
mod insert;
mod late;
mod learn;
mod odometer;
mod queue;
mod settings;
mod slab;
mod snapshot;
mod sources;
mod wheel;

#[cfg(test)]
mod tests;

pub use odometer::OdometerStats;
pub use queue::Queue;
pub use settings::{CacheType, Inactive, RouteTimers, Settings, Timers};
pub use snapshot::{Damage, FlowNames, OpenFlow, RouteName, Snapshot, Walk};

use aging::Sweep;
use details::Details;
use foldhash::quality::RandomState;
use index::Index;
use late::Departed;
use odometer::Odometers;
use settings::Mode;
use settings::Route;
use settings::UNKNOWN;
use slab::Slab;
use sources::Sources;
use wheel::Wheel;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::flow::Amount;
use crate::flow::Detail;
use crate::flow::EndReason;
use crate::flow::FlowRecord;
use crate::session::SourceId;

/// Where flows go when they leave the cache.
pub trait Outlet {
    /// Takes a flow, or a record that is not merged.
    ///
    /// [`Cache::insert`] hands over without asking whether there is room.
    ///
    /// `serial` is the flow's own number, which no other flow has in this run
    /// and no open flow of an earlier one; 0 for a record that is not merged.
    fn take(&mut self, record: &FlowRecord, detail: Option<&Detail>, serial: u64);

    /// Whether aging should wait; flows then stay in the cache.
    fn is_full(&self) -> bool;
}

/// The flows of one lane.
#[derive(Debug)]
pub struct Cache {
    settings: Settings,
    /// Of keys to slots; random, because senders choose the keys (P-830).
    hasher: RandomState,
    /// Of keys to odometers, beside `hasher`.
    printer: RandomState,
    index: Index,
    slab: Slab,
    wheel: Wheel,
    details: Details,
    odometers: Odometers,
    departed: Departed,
    /// By route id.
    routes: Vec<Route>,
    sources: Sources,
    sweep: Sweep,
    /// As of the last tick.
    is_behind: bool,
    serials: Serials,
    held: Amount,
    stats: Stats,
    /// Latest time told.
    now_ms: u64,
}

/// Numbers for flows: those of one of several caches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Serials {
    /// The next number; 0 is none.
    pub next: u64,
    /// How far the one after it is away: one step for each cache.
    pub step: u64,
}

impl Default for Serials {
    fn default() -> Self {
        Self { next: 1, step: 1 }
    }
}

impl Serials {
    fn take(&mut self) -> u64 {
        let serial = self.next;
        // 2^64 flows are not reached.
        self.next = self.next.wrapping_add(self.step);
        serial
    }
}

/// What the cache did since it was made; every term only grows.
#[derive(
    Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq,
)]
#[repr(C)]
pub struct Stats {
    /// Flows begun.
    pub created: u64,
    /// Flows of an earlier run that were taken in again.
    pub resumed: u64,
    /// Records merged into a flow that was there.
    pub merged: u64,
    /// Records handed on unmerged: events, and those of routes that are not
    /// cached, or of routes and sources that are closed.
    pub passed: u64,
    /// Records handed on unmerged for lack of room, with reason 5.
    pub bypassed: u64,
    /// Flows begun by a record that came after its flow had left (P-614).
    pub late: u64,
    /// Flows that ended because they would have spanned too long (P-611); they
    /// count as expired by the active timer, too.
    pub span_guards: u64,
    /// Flows that ended because a counter would have overflowed (P-605).
    pub overflows: u64,
    /// Flows that ended early to make room (P-666).
    pub evictions: u64,
    /// Flows that left, by flowEndReason.
    pub expired: [u64; 6],
    /// What totals amounted to.
    pub odometers: OdometerStats,
}

impl Stats {
    /// Flows that left for this reason.
    pub fn expired(&self, reason: EndReason) -> u64 {
        self.expired.get(reason as usize).copied().unwrap_or(0)
    }
}

/// What is known of an exporter's active timer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Learned {
    /// The timer in ms.
    pub active_ms: u64,
    /// Whether the exporter named it (36), or records let it be seen.
    pub told: bool,
}

impl Cache {
    /// An empty cache.
    ///
    /// Reserves address space for `max_flows` at once, so that growing never
    /// stalls the lane; memory is taken as flows come.
    pub fn new(settings: Settings) -> Self {
        let settings = settings.checked();
        Self {
            hasher: RandomState::default(),
            printer: RandomState::default(),
            index: Index::new(settings.max_flows),
            slab: Slab::new(settings.max_flows),
            wheel: Wheel::new(),
            details: Details::new(settings.detail_bytes_max),
            odometers: Odometers::new(settings.odometers_max),
            departed: Departed::new(settings.max_flows),
            routes: Vec::new(),
            sources: Sources::new(settings.sources_max),
            sweep: Sweep::default(),
            is_behind: false,
            serials: Serials::default(),
            held: Amount::default(),
            stats: Stats::default(),
            now_ms: 0,
            settings,
        }
    }

    /// Numbers the flows that begin from now on by `serials`.
    pub fn number_by(&mut self, serials: Serials) {
        self.serials = serials;
    }

    /// Says what to do with a route's records, from now on and for the flows
    /// it has: longer timers act at once, shorter ones by a sweep over the next
    /// ticks. Reopens a closed route.
    pub fn set_route(&mut self, route: u16, timers: RouteTimers) {
        let at = usize::from(route);
        if at >= self.routes.len() {
            self.routes.resize(at + 1, UNKNOWN);
        }
        if let Some(place) = self.routes.get_mut(at) {
            let (changed, sweeps) = place.changed(timers);
            *place = changed;
            if sweeps {
                self.sweep.request(self.slab.slots());
            }
        }
    }

    /// Ends a route: its flows leave with reason 4 over the next ticks, and
    /// records that still come pass with that reason.
    pub fn close_route(&mut self, route: u16) {
        if let Some(route) = self.routes.get_mut(usize::from(route)) {
            route.mode = Mode::Closed;
            self.sweep.request(self.slab.slots());
        }
    }

    /// Ends a source, as [`Self::close_route`] does a route.
    ///
    /// Its id may go to another exporter when [`Self::source_live`] is 0.
    pub fn close_source(&mut self, source: SourceId) {
        if let Some(source) = self.sources.get_mut(source) {
            source.close();
            self.sweep.request(self.slab.slots());
        }
    }

    /// Notes the active timer an exporter names (36), in ms; 0 takes it back. P-612.
    pub fn learned(&mut self, source: SourceId, active_ms: u64) {
        if let Some(source) = self.sources.admit(source) {
            let before = source.learner.active_ms();
            source.learner.tell(active_ms);
            if source.learner.active_ms() < before {
                self.sweep.request(self.slab.slots());
            }
        }
    }

    /// What is known of a source's active timer.
    pub fn learned_active(&self, source: SourceId) -> Option<Learned> {
        let learner = &self.sources.get(source)?.learner;
        Some(Learned {
            active_ms: learner.active_ms()?,
            told: learner.is_told(),
        })
    }

    /// The inactive timer in force for a source's flows on a route, in ms; 0 is never.
    pub fn inactive_ms(&self, route: u16, source: SourceId) -> u64 {
        let learner = self.sources.get(source).map(|source| source.learner);
        self.route(route)
            .inactive_ms(learner.and_then(|learner| learner.active_ms()))
    }

    /// Flows in the cache.
    pub fn live(&self) -> usize {
        self.slab.live()
    }

    /// Flows of one route in the cache.
    pub fn route_live(&self, route: u16) -> usize {
        self.route(route).live
    }

    /// Flows of one source in the cache.
    pub fn source_live(&self, source: SourceId) -> usize {
        self.sources.get(source).map_or(0, |source| source.live)
    }

    /// Last totals remembered.
    pub fn odometers(&self) -> usize {
        self.odometers.len()
    }

    /// What the flows in the cache stand for: the ledger's `carried`.
    pub fn held(&self) -> Amount {
        self.held
    }

    /// What it did so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    fn route(&self, route: u16) -> &Route {
        self.routes.get(usize::from(route)).unwrap_or(&UNKNOWN)
    }

    /// Takes the caller's time, which never goes back.
    fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    /// The tick that has begun.
    fn tick_number(&self) -> u64 {
        self.now_ms / self.settings.tick_ms
    }
}
