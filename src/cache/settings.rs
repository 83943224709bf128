//! What the cache is told: its limits, and the timers of each route.

use super::entry::SLOTS_MAX;

/// Limits and intervals of one lane's cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Live flows, 1…2^30: this lane's part of `max-flows`.
    pub max_flows: usize,
    /// Part of `max_flows` that one source may have once the cache is nine tenths
    /// full and others have flows, 1…100 %; beyond, its new flows pass (P-666).
    pub source_share_percent: u8,
    /// How finely timers are kept, in ms; a flow leaves at most one tick late.
    pub tick_ms: u64,
    /// Entries one tick looks at; the rest wait for the next one (P-665).
    pub tick_budget: usize,
    /// How long a flow that its exporter ended is kept for stragglers, in ms (P-613).
    pub linger_ms: u64,
    /// How far flows may outlast the active timer by their own times, in ms (P-611).
    pub span_slack_ms: u64,
    /// Sources known at once; records of further ones pass unmerged.
    pub sources_max: usize,
    /// Last totals remembered, at 48 octets each (P-643).
    pub odometers_max: usize,
    /// How long last totals are remembered after they were read, in ms; up to
    /// twice that long. More than twice the inactive timer (P-643).
    pub odometer_hold_ms: u64,
    /// Octets of details; flows whose details do not fit pass unmerged.
    pub detail_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_flows: 1_000_000,
            source_share_percent: 50,
            tick_ms: 100,
            // Less than 5 ms, even if all leave and none is in the processor's
            // caches.
            tick_budget: 6_144,
            linger_ms: 2_000,
            // Room for an exporter that is late with the last of five reports
            // a minute apart.
            span_slack_ms: 5_000,
            sources_max: 65_536,
            odometers_max: 262_144,
            // Exporters report long flows at least every half hour.
            odometer_hold_ms: 3_600_000,
            // A plain detail for each flow.
            detail_bytes_max: 256 << 20,
        }
    }
}

impl Settings {
    /// The same within the ranges that hold together.
    pub(super) fn checked(self) -> Self {
        Self {
            max_flows: self.max_flows.clamp(1, SLOTS_MAX),
            source_share_percent: self.source_share_percent.clamp(1, 100),
            tick_ms: self.tick_ms.max(1),
            tick_budget: self.tick_budget.max(1),
            linger_ms: self.linger_ms.clamp(1, TIMER_MAX_MS),
            ..self
        }
    }

    /// Flows from which new flows of greedy sources pass: nine tenths (P-666).
    pub(super) fn pressure(&self) -> usize {
        self.max_flows - self.max_flows / 10
    }

    /// Flows that make a source greedy.
    pub(super) fn source_share(&self) -> usize {
        self.max_flows * usize::from(self.source_share_percent) / 100
    }
}

/// When the flows of a route leave. RFC 6728 §4.3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timers {
    /// After the first record's arrival, in ms; 0 is never.
    pub active_ms: u64,
    /// After the last record's arrival.
    pub inactive: Inactive,
}

/// How long a silent flow is kept; longer than 24 days counts as 24 days.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inactive {
    /// This many ms; 0 is never.
    Fixed(u64),
    /// Half as long again as the exporter's active timer, as soon as that is
    /// known: a shorter one would part what belongs together (P-612).
    Auto {
        /// At least this many ms.
        floor_ms: u64,
    },
}

/// What becomes of the records of a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RouteTimers {
    /// When its flows leave.
    pub timers: Timers,
    /// Whether they are merged, and what ends a flow beside them.
    pub kind: CacheType,
}

/// Kinds of cache. RFC 6728 §4.3.
///
/// A permanentCache is a timeoutCache without inactive timer.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum CacheType {
    /// immediateCache: records pass unchanged.
    Immediate,
    /// timeoutCache: flows leave by their timers, or when their exporter says
    /// that they are over (P-613).
    #[default]
    Timeout,
    /// naturalCache: also when a TCP connection shows its end, FIN or RST, and
    /// the exporter says nothing (P-600).
    Natural,
}

/// Longest timer: half of what 32 bits of milliseconds can tell apart.
const TIMER_MAX_MS: u64 = 1 << 31;

/// A route as the cache keeps it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Route {
    /// What to do with its records.
    pub(super) mode: Mode,
    /// 0 is never.
    pub(super) active_ms: u64,
    /// 0 is never.
    inactive_ms: u64,
    /// `inactive_ms` is a floor.
    auto: bool,
    /// Flows it has in the cache.
    pub(super) live: usize,
}

/// A route that nobody has told of.
pub(super) const UNKNOWN: Route = Route {
    mode: Mode::Pass,
    active_ms: 0,
    inactive_ms: 0,
    auto: false,
    live: 0,
};

/// What to do with a route's records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    /// Hand them on unchanged: a route that is unknown or not cached.
    Pass,
    /// Merge them.
    Merge,
    /// Merge them, and let connections that end take their flows with them.
    Natural,
    /// Hand them on, the flow being ended.
    Closed,
}

impl Mode {
    /// Whether its records enter the cache.
    pub(super) fn merges(self) -> bool {
        match self {
            Self::Merge | Self::Natural => true,
            Self::Pass | Self::Closed => false,
        }
    }
}

impl Route {
    /// The same route under new timers, and whether any flow may now be due
    /// earlier than before.
    pub(super) fn changed(&self, to: RouteTimers) -> (Self, bool) {
        let (inactive_ms, auto) = match to.timers.inactive {
            Inactive::Fixed(ms) => (ms, false),
            Inactive::Auto { floor_ms } => (floor_ms, true),
        };
        let new = Self {
            mode: match to.kind {
                CacheType::Immediate => Mode::Pass,
                CacheType::Timeout => Mode::Merge,
                CacheType::Natural => Mode::Natural,
            },
            active_ms: to.timers.active_ms.min(TIMER_MAX_MS),
            inactive_ms: inactive_ms.min(TIMER_MAX_MS),
            auto,
            live: self.live,
        };
        let shorter = !new.mode.merges()
            || is_shorter(new.active_ms, self.active_ms)
            || is_shorter(new.inactive_ms, self.inactive_ms)
            || (self.auto && !new.auto);
        (new, shorter && self.live > 0)
    }

    /// The inactive timer for a source with this active timer; 0 is never.
    pub(super) fn inactive_ms(&self, learned_ms: Option<u64>) -> u64 {
        match learned_ms {
            Some(learned_ms) if self.auto && self.inactive_ms > 0 => {
                self.inactive_ms.max(learned_ms + learned_ms / 2)
            }
            Some(_) | None => self.inactive_ms,
        }
    }
}

/// Compares timers of which 0 is never.
fn is_shorter(new_ms: u64, old_ms: u64) -> bool {
    new_ms != 0 && (old_ms == 0 || new_ms < old_ms)
}
