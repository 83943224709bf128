//! What a lane's sessions did, for the ledger.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::session::SequenceCounts;
use crate::session::options::Rejected;
use crate::wire::Reason;

/// What became of a datagram: taken, or refused and why. Each has one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// A Message of it was sound and was taken.
    Decoded,
    /// Nothing of it was taken.
    Refused(Refusal),
}

/// Why nothing of a datagram was taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Not well-formed; [`Stats::faults`] says what was wrong.
    Malformed,
    /// NetFlow of a version that is not decoded (P-001).
    Unsupported,
    /// No NetFlow at all (P-001).
    NotNetflow,
    /// The very Message was taken before (P-614).
    Duplicate,
    /// Its session sends malformed Messages only (P-112).
    Quarantined,
    /// Its exporter is unknown and too many new ones came at once (P-801).
    TooManySessions,
    /// Its session has no room for another domain (P-820).
    TooManyDomains,
}

impl Refusal {
    /// Every label, in the order of [`Self::index`].
    pub const LABELS: [&'static str; 7] = [
        "malformed",
        "unsupported",
        "not-netflow",
        "duplicate",
        "quarantined",
        "too-many-sessions",
        "too-many-domains",
    ];

    /// Position of this refusal in [`Self::LABELS`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Counters of one lane since its start; none is ever taken back.
///
/// `datagrams = decoded + refused.sum()` at any time.
#[derive(
    Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq,
)]
#[repr(C)]
pub struct Stats {
    /// Datagrams given to `Sessions::datagram`.
    pub datagrams: u64,
    /// Of these, decoded.
    pub decoded: u64,
    /// Of these, refused; by [`Refusal::index`].
    pub refused: [u64; Refusal::LABELS.len()],
    /// Sound Messages: v5, v9, IPFIX. A v5 datagram may hold several.
    pub messages: [u64; 3],
    /// Faults by `Reason::index`, those of refused datagrams too.
    pub faults: [u64; Reason::LABELS.len()],
    /// Octets after the last Message of a datagram (P-007).
    pub trailing_bytes: u64,
    /// Template Sets and Options Template Sets.
    pub template_sets: u64,
    /// Data Sets taken.
    pub data_sets: u64,
    /// Data Sets and Template Sets that ended early.
    pub malformed_sets: u64,
    /// Sets with an id without meaning.
    pub reserved_sets: u64,
    /// Data Sets whose Template has records of no octets.
    pub empty_sets: u64,
    /// Records given to the consumer, options too, replayed ones too.
    pub records: u64,
    /// Of these, records of options.
    pub options_records: u64,
    /// Records not given to it: the datagram held too many (P-822).
    pub records_capped: u64,
    /// Records not given to it: their source sent too many a second (P-822).
    pub records_throttled: u64,
    /// Records not given to it: their source has no id yet.
    pub records_unsourced: u64,
    /// Records given to it as their sender's: too many exporters come by way
    /// of others (P-820).
    pub records_unnamed: u64,
    /// What became of Templates.
    pub templates: TemplateStats,
    /// What became of data that came before its Template.
    pub orphans: OrphanStats,
    /// What came of sequence numbers, all sessions.
    pub sequence: SequenceCounts,
    /// Sessions that came, became established, and went.
    pub sessions: SessionStats,
    /// Exporters seen restarting (P-418).
    pub restarts: u64,
    /// Rates in options that are none or are not believed (P-212, P-811).
    pub rates_rejected: u64,
    /// Entries of options without room in the tables (P-219).
    pub options_dropped: u64,
    /// Type records that contradict an element that is known (P-222).
    pub types_rejected: u64,
    /// Flow keys of Templates or fields that are not there (P-221).
    pub flow_keys_rejected: u64,
}

impl Stats {
    /// Counts what an options record said in vain.
    pub(crate) fn reject(&mut self, rejected: Rejected) {
        self.rates_rejected += rejected.rates;
        self.options_dropped += rejected.entries;
        self.types_rejected += rejected.types;
        self.flow_keys_rejected += rejected.keys;
    }
}

/// What became of Templates.
#[derive(
    Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq,
)]
#[repr(C)]
pub struct TemplateStats {
    /// New ids.
    pub defined: u64,
    /// The same definition again.
    pub refreshed: u64,
    /// Another definition of a known id.
    pub redefined: u64,
    /// Known ids invalidated by a definition that cannot be used (P-408).
    pub invalidated: u64,
    /// Definitions that cannot be used.
    pub invalid: u64,
    /// Withdrawals obeyed.
    pub withdrawn: u64,
    /// Withdrawals without effect: over UDP, or of unknown ids (P-404).
    pub withdrawals_ignored: u64,
    /// Not sent again within their lifetime (P-412).
    pub expired: u64,
    /// Given up for newer ones of the same session (P-820).
    pub evicted: u64,
    /// Refused: too many at once, or no room (P-801, P-820).
    pub refused: u64,
    /// Ids that changed too often within a minute (P-810).
    pub flaps: u64,
    /// Data Sets whose exporter's ports disagree on the Template (P-403).
    pub conflicts: u64,
}

/// What became of Data Sets whose Template was not known.
///
/// `missing = kept + refused + late` at any time, and `kept` is the sum of what
/// became of those kept and of those that wait.
#[derive(
    Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq,
)]
#[repr(C)]
pub struct OrphanStats {
    /// Data Sets without a Template; all that follows is a part of them.
    pub missing: u64,
    /// Kept for later.
    pub kept: u64,
    /// Not kept: no room, keeping is off, or no Template is to come.
    pub refused: u64,
    /// Not kept: sent before the Template that is known replaced another (P-415).
    pub late: u64,
    /// Given to the consumer after all.
    pub replayed: u64,
    /// Their records.
    pub replayed_records: u64,
    /// Waited too long.
    pub aged: u64,
    /// Gave way to newer ones.
    pub displaced: u64,
    /// The Template that came is not the one they were sent under (P-415).
    pub superseded: u64,
    /// Forgotten with their session.
    pub abandoned: u64,
}

/// What became of sessions.
#[derive(
    Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq,
)]
#[repr(C)]
pub struct SessionStats {
    /// Admitted.
    pub created: u64,
    /// Past probation.
    pub established: u64,
    /// Gave way to newer ones while on probation.
    pub displaced: u64,
    /// Silent for too long.
    pub idle: u64,
    /// Not established: the table is full.
    pub unestablished: u64,
    /// Times a session was put into quarantine (P-112).
    pub quarantined: u64,
}
