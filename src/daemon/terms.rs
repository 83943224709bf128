//! A lane's terms of the loss ledger.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::flow::Amount;
use crate::session::Refusal;
use crate::session::Stats;

/// What one lane has done with all it received.
///
/// `received = sessions.decoded + Σ refused` counts datagrams; `routed =
/// repeated + held + open + handed + dropped` counts records once per route.
/// Both hold in every publication.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Terms {
    /// Datagrams taken from the sockets, those cut short not included.
    pub received: u64,
    /// Their octets.
    pub received_octets: u64,
    /// Datagrams of senders on no allow-list.
    pub not_allowed: u64,
    /// Datagrams longer than the receive buffer; part of no other count until
    /// here: the lane saw nothing of them.
    pub cut_short: u64,
    /// What the sessions did with the datagrams they were given.
    pub sessions: Stats,
    /// Data Records with reverse elements but no direction, which mean nothing (P-310).
    pub undirected: u64,
    /// Records of flows and events they gave.
    pub flows: Amount,
    /// Of those, records no flow log claims.
    pub unclaimed: Amount,
    /// Records that took a route, once per route.
    pub routed: Amount,
    /// Of totals (odometers), what earlier records had said already (P-640).
    pub repeated: Amount,
    /// In the flow cache.
    pub held: Amount,
    /// In the open batch.
    pub open: Amount,
    /// Handed over to what is behind the lanes.
    pub handed: Amount,
    /// Dropped with a batch nobody took while the cache was full.
    pub dropped: Amount,
    /// Flows in the cache.
    pub live: u64,
    /// Datagrams the kernel dropped for want of buffer.
    pub missed: u64,
    /// How long a packet may have been part of a flow that is still in the
    /// cache, ms: the longest active timer of routes with flows.
    pub longest_stay_ms: u64,
}

/// How many counters [`Terms`] are.
pub(super) const TERMS: usize = size_of::<Terms>() / size_of::<u64>();

impl Terms {
    /// Datagrams refused, with the words for why; all reasons every time.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let sessions = Refusal::LABELS.into_iter().zip(self.sessions.refused);
        sessions.chain([
            ("exporter-not-allowed", self.not_allowed),
            ("cut-short", self.cut_short),
        ])
    }

    /// As an array, to be published.
    pub fn to_array(self) -> [u64; TERMS] {
        zerocopy::transmute!(self)
    }

    /// From a published array.
    pub fn from_array(array: [u64; TERMS]) -> Self {
        zerocopy::transmute!(array)
    }

    /// Adds another lane's terms.
    pub fn add(&mut self, other: &Self) {
        let mut sum = self.to_array();
        for (term, other) in sum.iter_mut().zip(other.to_array()) {
            *term = term.wrapping_add(other);
        }
        let longest_stay_ms = self.longest_stay_ms.max(other.longest_stay_ms);
        *self = Self::from_array(sum);
        self.longest_stay_ms = longest_stay_ms;
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self::new_zeroed()
    }
}
