//! One live flow and its place in slab, wheel and details.

use std::mem::offset_of;

use crate::flow::EndReason;
use crate::flow::FlowRecord;

/// No slot, no detail.
pub(super) const NIL: u32 = u32::MAX;
/// Largest number of slots, so that links have bits left for marks.
pub(super) const SLOTS_MAX: usize = 1 << 30;
/// In `prev`: the slot is free and `next` links the free list.
const FREE: u32 = u32::MAX;
/// In `prev`: first of its bucket, whose number is in the bits below.
const HEAD: u32 = 1 << 31;

/// A live flow. 160 octets in three cache lines wherever it starts, because of
/// its alignment; an update writes `record` and `last_ms` only (P-663).
#[derive(Clone, Debug)]
#[repr(C, align(32))]
pub(super) struct Entry {
    /// Key and merged values. `end_reason` is that of a record which ended the
    /// flow, or else not 1 and not 3 (P-613).
    pub(super) record: FlowRecord,
    /// Predecessor in the bucket, or a mark.
    pub(super) prev: u32,
    /// Successor in the bucket or in the free list.
    pub(super) next: u32,
    /// Arrival of its first record: the low 32 bits of the lane's milliseconds.
    pub(super) first_ms: u32,
    /// Arrival of its last record, or of the one that ended it.
    pub(super) last_ms: u32,
    /// Its slot in the details, [`NIL`] if none.
    pub(super) detail: u32,
}

const _: () = assert!(size_of::<Entry>() == 160);
// What reading an entry ahead relies on: wherever it starts, its protocol is in
// the second of its cache lines.
const _: () = {
    let protocol = offset_of!(Entry, record.key.protocol);
    assert!(64 <= protocol && protocol < 96);
};

impl Entry {
    /// A flow of one record, linked nowhere yet.
    pub(super) fn new(record: &FlowRecord, now_ms: u64, detail: u32) -> Self {
        Self {
            record: *record,
            prev: HEAD,
            next: NIL,
            first_ms: low(now_ms),
            last_ms: low(now_ms),
            detail,
        }
    }

    /// A flow of an earlier run, whose records came so long ago.
    pub(super) fn resumed(
        record: &FlowRecord,
        now_ms: u64,
        ages_ms: (u64, u64),
        detail: u32,
    ) -> Self {
        Self {
            first_ms: low(now_ms.saturating_sub(ages_ms.0)),
            last_ms: low(now_ms.saturating_sub(ages_ms.1)),
            ..Self::new(record, now_ms, detail)
        }
    }

    /// The reason an exporter gave for ending the flow (P-613).
    pub(super) fn ended(&self) -> Option<EndReason> {
        ended(self.record.end_reason)
    }

    /// Milliseconds of `now_ms` at which the first record came.
    ///
    /// Right while the flow is younger than 49 days, which every timer sees to.
    pub(super) fn first(&self, now_ms: u64) -> u64 {
        before(now_ms, self.first_ms)
    }

    /// Milliseconds of `now_ms` at which the last record came.
    pub(super) fn last(&self, now_ms: u64) -> u64 {
        before(now_ms, self.last_ms)
    }

    /// Notes the arrival of a record.
    pub(super) fn touch(&mut self, now_ms: u64) {
        self.last_ms = low(now_ms);
    }

    /// Takes the entry off the books; `next` is the next free slot.
    pub(super) fn free(&mut self, next: u32) {
        self.prev = FREE;
        self.next = next;
    }

    /// Whether no flow lives here.
    pub(super) fn is_free(&self) -> bool {
        self.prev == FREE
    }

    /// The bucket this entry is first of.
    pub(super) fn heads(&self) -> Option<usize> {
        if self.prev & HEAD == 0 || self.is_free() {
            return None;
        }
        usize::try_from(self.prev & !HEAD).ok()
    }

    /// Makes it first of `bucket`.
    pub(super) fn head(&mut self, bucket: usize, next: u32) {
        self.prev = HEAD | low(bucket as u64);
        self.next = next;
    }
}

/// Whether an exporter's reason says that the flow is over: 1 or 3 (P-613).
pub(super) fn ended(reason: EndReason) -> Option<EndReason> {
    match reason {
        EndReason::Idle | EndReason::End => Some(reason),
        EndReason::Unknown | EndReason::Active | EndReason::Forced | EndReason::Resources => None,
    }
}

/// The low half of a time.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the high half is taken from the time of reading"
)]
fn low(time_ms: u64) -> u32 {
    time_ms as u32
}

/// The latest time not after `now_ms` whose low half is `then`.
fn before(now_ms: u64, then: u32) -> u64 {
    now_ms.saturating_sub(u64::from(low(now_ms).wrapping_sub(then)))
}
