//! A lane's terms of the loss ledger.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::cache;
use crate::flow::Amount;
use crate::flow::Faults;
use crate::session::Refusal;
use crate::session::Stats;

/// What one lane has done with all it received.
///
/// `received = sessions.decoded + Σ refused + relayed_only` counts datagrams;
/// `routed + resumed = repeated + held + open + handed + dropped` counts records once per
/// route.
/// Both hold in every publication.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Terms {
    /// Datagrams taken from the sockets, those cut short not included.
    pub received: u64,
    /// Their octets.
    pub received_octets: u64,
    /// Of these datagrams, those up to each of [`SIZES`], and the longer ones.
    pub received_sizes: [u64; SIZES.len() + 1],
    /// Datagrams of senders on no allow-list.
    pub not_allowed: u64,
    /// Datagrams that were relayed to other collectors and not decoded here.
    pub relayed_only: u64,
    /// Datagrams longer than the receive buffer; part of no other count until
    /// here: the lane saw nothing of them.
    pub cut_short: u64,
    /// What the sessions did with the datagrams they were given.
    pub sessions: Stats,
    /// Data Records with reverse elements but no direction, which mean nothing (P-310).
    pub undirected: u64,
    /// Data Records read without some field: its length is impossible (P-041).
    pub opaque: u64,
    /// Data Records of which some wanted element was not kept.
    pub unkept: u64,
    /// Records of flows and events they gave.
    pub flows: Amount,
    /// Of those, records no flow log takes.
    pub unclaimed: Amount,
    /// Of those, records that came by way of another collector and are here
    /// already, or were here before (P-705).
    pub looped: Amount,
    /// Records that took a route, once per route.
    pub routed: Amount,
    /// Records of flows of an earlier run that were taken in again.
    pub resumed: Amount,
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
    /// What the cache did.
    pub cache: cache::Stats,
    /// NSEL connections forgotten too early: their teardown may count again (P-502).
    pub nsel_forgotten: u64,
    /// How full the lane's tables are.
    pub tables: Tables,
    /// Datagrams the kernel dropped for want of buffer.
    pub missed: u64,
    /// Calls to receive that failed and were survived.
    pub receive_errors: u64,
    /// How long a packet may have been part of a flow that is still in the
    /// cache, ms: the longest active timer of routes with flows.
    pub longest_stay_ms: u64,
}

/// How full a lane's tables are; looked at once a second.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Tables {
    /// Sessions past probation.
    pub established: u64,
    /// Sessions on probation.
    pub probation: u64,
    /// Templates that can be used.
    pub templates: u64,
    /// Octets of all definitions.
    pub definition_bytes: u64,
    /// Octets of data that waits for its Template.
    pub orphan_bytes: u64,
    /// NSEL connections remembered.
    pub connections: u64,
    /// Totals remembered.
    pub odometers: u64,
}

/// Octets of datagrams that are told apart: those of a few records, of a
/// full frame, of a jumbo frame.
pub const SIZES: [u64; 9] = [64, 128, 256, 512, 1_024, 1_500, 4_096, 9_000, 65_536];

/// How many counters [`Terms`] are.
pub const TERMS: usize = size_of::<Terms>() / size_of::<u64>();

impl Terms {
    /// Datagrams refused, with the words for why; all reasons every time.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let sessions = Refusal::LABELS.into_iter().zip(self.sessions.refused);
        sessions.chain([
            ("exporter-not-allowed", self.not_allowed),
            ("cut-short", self.cut_short),
        ])
    }

    /// Counts one datagram.
    pub fn receive(&mut self, octets: usize) {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        self.received += 1;
        self.received_octets += octets;
        let size = SIZES.partition_point(|bound| *bound < octets);
        if let Some(count) = self.received_sizes.get_mut(size) {
            *count += 1;
        }
    }

    /// Counts records of a Template that is not read in full.
    pub fn read_in_part(&mut self, faults: Faults, records: u32) {
        self.opaque += u64::from(records) * u64::from(faults.opaque > 0);
        self.unkept += u64::from(records) * u64::from(faults.unkept > 0);
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
