//! What an outlet has done and how it is: for metrics and for whoever asks.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use super::Destination;
use crate::journal::DestinationId;

/// One destination as its sender sees it, since it was started.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OutletStats {
    /// Requests sent, whatever became of them.
    pub sent: u64,
    /// Requests the service took.
    pub acked: u64,
    /// Requests whose rows were sent again as they were.
    pub retried: u64,
    /// Requests whose rows were sent again in halves.
    pub split: u64,
    /// Requests whose rows were put aside.
    pub dead_lettered: u64,
    /// Rows the service took.
    pub acked_rows: u64,
    /// Rows put aside.
    pub dead_lettered_rows: u64,
    /// Older dead letters that had to make room.
    pub dead_letters_gone: u64,
    /// Dead letters too large to be kept with their bodies.
    pub dead_letters_cut: u64,
    /// Octets of log groups sent, before compression.
    pub raw_octets: u64,
    /// Octets of bodies sent.
    pub wire_octets: u64,
    /// Rows whose Log Time is not their own.
    pub clamped_rows: u64,
    /// Values cut or left out because they were too large.
    pub cut_values: u64,
    /// Answers by the name of their verdict, and failures to get one.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Requests sent to the addresses that worked last, because the endpoint's
    /// name did not resolve.
    pub unresolved: u64,
    /// Why it does not, if the last request was one of them.
    pub resolver_problem: Option<String>,
    /// Requests in flight.
    pub in_flight: u32,
    /// Most requests in flight at a time, as the service lets them.
    pub limit: u32,
    /// Whether rows that were left behind are being drained.
    pub is_draining: bool,
    /// What keeps rows from being delivered; nothing if they are.
    pub trouble: Option<Trouble>,
    /// What went wrong last, and may be over.
    pub last_error: Option<String>,
}

/// What keeps a destination from being served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// The name in metrics and logs.
    pub label: &'static str,
    /// What was said.
    pub what: String,
    /// What the operator should do.
    pub advice: &'static str,
}

/// A destination and its numbers, shared by all who work for it.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) id: DestinationId,
    pub(super) destination: Destination,
    /// Whose quota the project shares.
    pub(super) quota: String,
    stats: Mutex<OutletStats>,
}

impl Desk {
    pub(super) fn new(id: DestinationId, destination: Destination) -> Self {
        Self {
            id,
            quota: destination.quota(),
            destination,
            stats: Mutex::default(),
        }
    }

    pub(super) fn stats(&self) -> MutexGuard<'_, OutletStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
