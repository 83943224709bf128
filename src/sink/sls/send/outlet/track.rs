//! What is collected of one lane, and whether there is more to read.

use std::collections::VecDeque;
use std::time::Duration;

use crate::sink::sls::send::collect::Collector;
use crate::sink::sls::send::collect::Parcel;

/// One lane: batches that are open, and those that are to be sent.
pub(super) struct Track {
    pub(super) collector: Collector,
    pub(super) ready: VecDeque<Parcel>,
    /// Whether the journal may have rows.
    pub(super) has_more: bool,
    /// The journal gives none before.
    pub(super) blocked_until: Duration,
}

impl Track {
    pub(super) fn new(collector: Collector) -> Self {
        Self {
            collector,
            ready: VecDeque::new(),
            has_more: true,
            blocked_until: Duration::ZERO,
        }
    }

    /// Batches that waited as long as they may are to be sent.
    pub(super) fn collect_due(&mut self, now_ms: u64) {
        self.ready.extend(self.collector.due(now_ms));
    }

    /// All batches are to be sent as they are.
    pub(super) fn flush(&mut self) {
        self.ready.extend(self.collector.flush());
    }

    /// Takes all batches out, to be read again.
    pub(super) fn empty(&mut self) -> Vec<Parcel> {
        self.flush();
        let parcels: Vec<_> = self.ready.drain(..).collect();
        self.has_more |= !parcels.is_empty();
        parcels
    }

    /// The first batch to be sent that may go.
    pub(super) fn first(&self, may_go: impl Fn(&Parcel) -> bool) -> Option<usize> {
        self.ready.iter().position(may_go)
    }

    /// Whether nothing is collected.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.collector.due_ms().is_none()
    }

    /// Whether it is worth asking the journal.
    pub(super) fn is_open(&self, now: Duration) -> bool {
        self.has_more && self.blocked_until <= now
    }
}
