//! The way of a record into the cache: hash, find, merge or admit.

use std::hash::BuildHasher;

use super::Cache;
use super::Outlet;
use super::Queue;
use super::entry::Entry;
use super::entry::NIL;
use super::entry::ended;
use super::odometer::Reading;
use super::queue::BATCH;
use super::settings::Mode;
use super::settings::Route;
use crate::flow::Detail;
use crate::flow::EndReason;
use crate::flow::FlowKey;
use crate::flow::FlowRecord;
use crate::flow::RecordFlags;

/// Protocol number. RFC 9293.
const TCP: u8 = 6;
/// No more data from the sender. RFC 9293 §3.1.
const FIN: u16 = 1;
/// The connection is reset. RFC 9293 §3.1.
const RST: u16 = 4;

/// A record on its way in.
#[derive(Clone, Copy, Debug)]
struct Incoming<'a> {
    record: &'a FlowRecord,
    detail: Option<&'a Detail>,
    /// Of its key.
    hash: u64,
}

impl Cache {
    /// Takes in a routed record that arrived at `now_ms`.
    ///
    /// `now_ms` counts milliseconds on a monotonic clock. Whatever the record
    /// displaces, and a record that is not merged, goes to `outlet` at once.
    pub fn insert(
        &mut self,
        now_ms: u64,
        record: &FlowRecord,
        detail: Option<&Detail>,
        outlet: &mut impl Outlet,
    ) {
        self.advance(now_ms);
        let incoming = Incoming {
            record,
            detail,
            hash: self.hash(&record.key),
        };
        self.take_in(incoming, outlet);
    }

    /// Takes in the records of a queue, as [`Self::insert`] would one after the other.
    ///
    /// Two to four times as fast once the flows outgrow the processor's
    /// caches: what the records of a batch need is fetched at the same time.
    /// [`Queue::is_full`] says when there are enough for that.
    pub fn insert_batch(&mut self, now_ms: u64, queue: &Queue, outlet: &mut impl Outlet) {
        self.advance(now_ms);
        let mut details = queue.details();
        let mut at = 0;
        for batch in queue.records().chunks(BATCH) {
            let mut hashes = [0; BATCH];
            for (hash, record) in hashes.iter_mut().zip(batch) {
                *hash = self.hash(&record.key);
            }
            self.fetch(hashes.get(..batch.len()).unwrap_or_default());
            for (&hash, record) in hashes.iter().zip(batch) {
                let detail = match details {
                    [(of, detail), rest @ ..] if *of == at => {
                        details = rest;
                        Some(detail)
                    }
                    _ => None,
                };
                let incoming = Incoming {
                    record,
                    detail,
                    hash,
                };
                self.take_in(incoming, outlet);
                at += 1;
            }
        }
    }

    /// Reads what a batch will need, all three cache lines of each entry, in
    /// loops so short that the processor waits for all of it at once.
    fn fetch(&self, hashes: &[u64]) {
        let mut slots = [NIL; BATCH];
        for (slot, &hash) in slots.iter_mut().zip(hashes) {
            *slot = self.index.guess(upper(hash));
        }
        let mut read = 0;
        for (&slot, _) in slots.iter().zip(hashes) {
            if let Some(entry) = self.slab.get(slot) {
                let key = &entry.record.key;
                read ^= u32::from(key.src[0]) ^ u32::from(key.protocol) ^ entry.last_ms;
            }
        }
        std::hint::black_box(read);
    }

    #[inline(always)]
    fn take_in(&mut self, incoming: Incoming<'_>, outlet: &mut impl Outlet) {
        let Incoming { record, detail, .. } = incoming;
        let Route {
            mode, active_ms, ..
        } = *self.route(record.key.route);
        if mode == Mode::Pass || record.event.is_some() {
            self.stats.passed += 1;
            return outlet.take(record, detail, 0);
        }
        let Some(source) = self.sources.admit(record.key.source) else {
            return self.bypass(incoming, outlet);
        };
        if mode == Mode::Closed || source.closing {
            self.stats.passed += 1;
            return hand_over(record, detail, EndReason::Forced, 0, outlet);
        }
        let is_last = mode == Mode::Natural && ends_naturally(record);
        if is_last || record.flags.contains(RecordFlags::TOTALS) {
            return self.take_in_changed(incoming, is_last, active_ms, outlet);
        }
        if source.learn(record) {
            self.sweep.request(self.slab.slots());
        }
        self.place(incoming, active_ms, outlet);
    }

    /// Takes in a record that ends its flow or counts totals as what is merged.
    #[inline(never)]
    fn take_in_changed(
        &mut self,
        incoming: Incoming<'_>,
        is_last: bool,
        active_ms: u64,
        outlet: &mut impl Outlet,
    ) {
        let mut record = *incoming.record;
        if record.flags.contains(RecordFlags::TOTALS) {
            record = self.difference(incoming.hash, &record);
        }
        if is_last {
            record.end_reason = EndReason::End;
        }
        let source = self.sources.get_mut(record.key.source);
        if source.is_some_and(|source| source.learn(&record)) {
            self.sweep.request(self.slab.slots());
        }
        let changed = Incoming {
            record: &record,
            ..incoming
        };
        self.place(changed, active_ms, outlet);
    }

    pub(super) fn hash(&self, key: &FlowKey) -> u64 {
        self.hasher.hash_one(key)
    }

    /// What a record of totals adds to those before it (P-642).
    fn difference(&mut self, hash: u64, record: &FlowRecord) -> FlowRecord {
        let mut new = *record;
        new.flags = record.flags.difference(RecordFlags::TOTALS);
        let Some(source) = self.sources.get_mut(record.key.source) else {
            return new;
        };
        let print = self.printer.hash_one((&record.key, source.incarnation));
        let reading = self
            .odometers
            .read((hash, print), &mut source.forgotten, &mut new);
        let stats = &mut self.stats.odometers;
        match reading {
            Reading::Forward => {}
            Reading::Restart => stats.restarts += 1,
            Reading::Stale => stats.stale += 1,
            Reading::Skipped => stats.skipped += 1,
        }
        stats.repeated += record.amount() - new.amount();
        new
    }

    /// Merges a record into its flow, or begins one.
    #[inline(always)]
    fn place(&mut self, incoming: Incoming<'_>, active_ms: u64, outlet: &mut impl Outlet) {
        match self.find(incoming.hash, &incoming.record.key) {
            Some(slot) => self.merge(slot, incoming, active_ms, outlet),
            None => self.admit(incoming, outlet),
        }
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, key: &FlowKey) -> Option<u32> {
        self.index.find(upper(hash), |slot| {
            let entry = self.slab.get(slot);
            entry.is_some_and(|entry| entry.record.key == *key)
        })
    }

    #[inline(always)]
    fn merge(
        &mut self,
        slot: u32,
        incoming: Incoming<'_>,
        active_ms: u64,
        outlet: &mut impl Outlet,
    ) {
        let Incoming { record, detail, .. } = incoming;
        match self.detail_fits(slot, detail) {
            Fits::Yes => {}
            Fits::NoRoom => return self.bypass(incoming, outlet),
            Fits::Overflow => return self.overflow(slot, incoming, outlet),
        }
        let Some(entry) = self.slab.get_mut(slot) else {
            return;
        };
        let span_max_ms = active_ms.saturating_add(self.settings.span_slack_ms);
        if active_ms > 0 && span_ms(&entry.record, record) > span_max_ms {
            self.stats.span_guards += 1;
            self.leave(slot, EndReason::Active, outlet);
            return self.admit(incoming, outlet);
        }
        let ended_before = entry.ended();
        if entry.record.absorb(record).is_err() {
            return self.overflow(slot, incoming, outlet);
        }
        self.held += record.amount();
        self.stats.merged += 1;
        match ended_before {
            Some(reason) => entry.record.end_reason = reason,
            None => {
                entry.touch(self.now_ms);
                if ended(record.end_reason).is_some() {
                    self.bring_forward(slot);
                }
            }
        }
        if let Some(detail) = detail {
            self.absorb_detail(slot, detail);
        }
    }

    /// Moves a flow that was ended to where it is due now: a lazy wheel follows
    /// by itself only when a time moves further away (P-664).
    fn bring_forward(&mut self, slot: u32) {
        if let Some(entry) = self.slab.get(slot) {
            let tick = self.due_tick(entry);
            self.wheel.relink(&mut self.slab, slot, tick);
        }
    }

    #[inline]
    fn detail_fits(&self, slot: u32, detail: Option<&Detail>) -> Fits {
        let Some(detail) = detail else {
            return Fits::Yes;
        };
        let kept = self.slab.get(slot).map_or(NIL, |entry| entry.detail);
        match self.details.get(kept) {
            Some(kept) if !kept.fits(detail) => Fits::Overflow,
            Some(_) if detail.extra.is_empty() => Fits::Yes,
            Some(_) | None if self.details.has_room(detail) => Fits::Yes,
            Some(_) | None => Fits::NoRoom,
        }
    }

    fn absorb_detail(&mut self, slot: u32, detail: &Detail) {
        let Some(entry) = self.slab.get_mut(slot) else {
            return;
        };
        if entry.detail == NIL {
            entry.detail = self.details.put(detail);
        } else {
            self.details.absorb(entry.detail, detail);
        }
    }

    /// A sum would not fit: the flow leaves, the record begins it anew (P-605).
    #[cold]
    fn overflow(&mut self, slot: u32, incoming: Incoming<'_>, outlet: &mut impl Outlet) {
        self.stats.overflows += 1;
        self.leave(slot, EndReason::Resources, outlet);
        self.admit(incoming, outlet);
    }

    /// Begins a flow, making room for it if need be.
    #[inline(never)]
    fn admit(&mut self, incoming: Incoming<'_>, outlet: &mut impl Outlet) {
        let Incoming {
            record,
            detail,
            hash,
        } = incoming;
        if self.must_pass(record, detail) {
            return self.bypass(incoming, outlet);
        }
        if self.slab.live() == self.slab.capacity() {
            self.evict(outlet);
        }
        if self.slab.live() == 0 {
            self.wheel.start(self.tick_number());
        }
        let kept = detail.map_or(NIL, |detail| self.details.put(detail));
        let entry = Entry::new(record, self.now_ms, kept);
        let serial = self.serials.take();
        let tick = self.due_tick(&entry);
        let Some(slot) = self.slab.put(entry, serial) else {
            self.details.take(kept);
            return self.bypass(incoming, outlet);
        };
        self.index.insert(upper(hash), slot);
        self.wheel.link(&mut self.slab, slot, tick);
        self.count_in(record);
        self.stats.created += 1;
        self.stats.late += u64::from(self.departed.is_late(hash, record.end_ms));
    }

    /// Whether a new flow finds no room, or room only others should have (P-666).
    pub(super) fn must_pass(&self, record: &FlowRecord, detail: Option<&Detail>) -> bool {
        let live = self.slab.live();
        let max_flows = self.settings.max_flows;
        let full = (live >= max_flows).then_some(max_flows);
        (live >= self.settings.pressure()
            && self
                .sources
                .has_its_share(record.key.source, self.settings.source_share(), full))
            || detail.is_some_and(|detail| !self.details.has_room(detail))
    }

    pub(super) fn count_in(&mut self, record: &FlowRecord) {
        self.held += record.amount();
        self.sources.entered(record.key.source);
        if let Some(route) = self.routes.get_mut(usize::from(record.key.route)) {
            route.live += 1;
        }
    }

    fn count_out(&mut self, record: &FlowRecord) {
        self.held = self.held - record.amount();
        self.sources.left(record.key.source);
        if let Some(route) = self.routes.get_mut(usize::from(record.key.route)) {
            route.live -= 1;
        }
    }

    /// Hands on a record there is no room for.
    #[cold]
    fn bypass(&mut self, incoming: Incoming<'_>, outlet: &mut impl Outlet) {
        let Incoming { record, detail, .. } = incoming;
        self.stats.bypassed += 1;
        hand_over(record, detail, EndReason::Resources, 0, outlet);
    }

    /// Takes a flow out of the cache.
    pub(super) fn leave(&mut self, slot: u32, reason: EndReason, outlet: &mut impl Outlet) {
        self.wheel.unlink(&mut self.slab, slot);
        let serial = self.slab.serial(slot);
        let Some((record, kept)) = self.slab.take(slot) else {
            return;
        };
        let hash = self.hash(&record.key);
        self.index.remove(upper(hash), slot);
        self.departed.note(hash, record.end_ms);
        self.count_out(&record);
        if let Some(count) = self.stats.expired.get_mut(reason as usize) {
            *count += 1;
        }
        let detail = self.details.take(kept);
        hand_over(&record, detail.as_ref(), reason, serial, outlet);
    }
}

/// How long a flow of these records lasts, ms (P-611).
fn span_ms(one: &FlowRecord, other: &FlowRecord) -> u64 {
    let start_ms = one.start_ms.min(other.start_ms);
    one.end_ms.max(other.end_ms).saturating_sub(start_ms)
}

/// Whether a record shows the end of its connection, and its exporter does not
/// say itself how the flow stands (P-613).
fn ends_naturally(record: &FlowRecord) -> bool {
    record.end_reason == EndReason::Unknown
        && record.key.protocol == TCP
        && record.tcp_flags & (FIN | RST) != 0
}

/// Whether a record's detail can join that of its flow.
enum Fits {
    Yes,
    NoRoom,
    Overflow,
}

pub(super) fn hand_over(
    record: &FlowRecord,
    detail: Option<&Detail>,
    end_reason: EndReason,
    serial: u64,
    outlet: &mut impl Outlet,
) {
    let record = FlowRecord {
        end_reason,
        ..*record
    };
    outlet.take(&record, detail, serial);
}

/// The half of the hash that the index keeps; the other half is for [`super::late`].
pub(super) fn upper(hash: u64) -> u32 {
    (hash >> 32) as u32
}
