//! One Template as it is remembered.

use crate::session::Known;
use crate::session::Limits;
use crate::session::Plan;
use crate::session::Transport;
use crate::wire::Template;

/// Whose Template it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Owner {
    pub(crate) session: u32,
    pub(crate) domain: u32,
}

/// When and how a definition came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// Monotonic ms.
    pub(crate) now_ms: u64,
    /// Export time of its Message, seconds modulo 2^32.
    pub(crate) export_secs: u32,
    pub(crate) transport: Transport,
    /// Out of a file of an earlier run: never better than the wire (P-413).
    pub(crate) is_imported: bool,
    /// How old it is already; 0 on the wire.
    pub(crate) spent_ms: u64,
}

/// A Template with all that decides about its use.
#[derive(Debug)]
pub(crate) struct Entry<P> {
    pub(crate) owner: Owner,
    pub(crate) known: Known<P>,
    pub(crate) state: State,
    pub(crate) is_imported: bool,
    /// When it was last defined, monotonic ms.
    pub(crate) received_ms: u64,
    /// Longest time between two definitions seen.
    pub(crate) slowest_ms: u64,
    /// Messages of its domain when it was last defined, modulo 2^32.
    pub(crate) heard: u32,
    /// How old it was already at `received_ms`.
    pub(crate) spent_ms: u64,
    /// The exporter restarted since: it lives half as long (P-418).
    pub(crate) is_suspect: bool,
    /// Export time since which this definition replaces another one.
    pub(crate) replaced_at: Option<Replaced>,
    pub(crate) changes: Changes,
    /// Octets charged for it.
    pub(crate) bytes: usize,
    /// Of the settings it was compiled with.
    pub(crate) generation: u32,
    /// Towards more recent use.
    pub(crate) newer: u32,
    /// Towards less recent use.
    pub(crate) older: u32,
}

/// Whether a definition can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// Yes.
    Live,
    /// Not sent again in time.
    Expired,
    /// Withdrawn, or followed by one that cannot be used (P-408).
    Gone,
}

/// When a definition took the place of another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced {
    /// Export time of its Message, seconds modulo 2^32.
    pub(crate) export_secs: u32,
    /// Monotonic ms.
    pub(crate) now_ms: u64,
}

/// Different definitions within a minute. P-810.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changes {
    since_ms: u64,
    count: u8,
}

impl<P: Plan> Entry<P> {
    /// A Template that was just defined.
    pub(crate) fn new(
        owner: Owner,
        template: Template,
        at: Received,
        generation: u32,
        settings: &P::Settings,
    ) -> Self {
        let plan = P::compile(&template, settings);
        Self {
            owner,
            state: State::Live,
            is_imported: at.is_imported,
            received_ms: at.now_ms,
            slowest_ms: 0,
            heard: 0,
            spent_ms: at.spent_ms,
            is_suspect: false,
            replaced_at: None,
            changes: Changes::default(),
            bytes: template.definition_bytes() + plan.heap_bytes() + size_of::<Self>(),
            generation,
            newer: NONE,
            older: NONE,
            known: Known { plan, template },
        }
    }
}

impl<P> Entry<P> {
    /// How long it is used without being defined again. P-410.
    pub(crate) fn lifetime_ms(&self, limits: &Limits) -> u64 {
        let adapted = self
            .slowest_ms
            .saturating_mul(REFRESHES_MISSED)
            .min(limits.template_lifetime_max_ms)
            .max(limits.template_lifetime_ms);
        if self.is_suspect {
            adapted / 2
        } else {
            adapted
        }
    }

    /// Since when it has not been defined.
    pub(crate) fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms
            .saturating_sub(self.received_ms)
            .saturating_add(self.spent_ms)
    }

    /// Whether data exported at `export_secs` was sent under the definition
    /// that this one replaced. P-415.
    ///
    /// Only within a minute of the change: an exporter's clock that was set
    /// back must not cost more than that.
    pub(crate) fn is_after(&self, export_secs: u32, now_ms: u64) -> bool {
        let Some(replaced) = self.replaced_at else {
            return false;
        };
        let early = replaced.export_secs.wrapping_sub(export_secs).cast_signed();
        (1..=REORDER_SECS).contains(&early) && now_ms.saturating_sub(replaced.now_ms) <= REORDER_MS
    }

    /// Whether it is too old to be used.
    pub(crate) fn is_due(&self, now_ms: u64, transport: Transport, limits: &Limits) -> bool {
        transport == Transport::Datagrams && self.age_ms(now_ms) > self.lifetime_ms(limits)
    }
}

impl Changes {
    /// Counts a change; `true` when there are more than `max` within a minute.
    pub(crate) fn note(&mut self, now_ms: u64, max: u8) -> bool {
        if now_ms.saturating_sub(self.since_ms) > FLAP_MS {
            *self = Self {
                since_ms: now_ms,
                count: 0,
            };
        }
        self.count = self.count.saturating_add(1);
        self.count > max
    }
}

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;
/// A Template lives for so many of its slowest refresh intervals (P-410).
const REFRESHES_MISSED: u64 = 3;
/// Within which changes of an id are counted (P-810).
const FLAP_MS: u64 = 60_000;
/// How late data may come after its Template was replaced.
const REORDER_SECS: i32 = 60;
/// As `REORDER_SECS`.
const REORDER_MS: u64 = 60_000;
