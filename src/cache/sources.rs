//! What is kept of each source, and each one's share of the cache.

use super::learn::Learner;
use super::odometer::Forgotten;
use crate::flow::EndReason;
use crate::flow::FlowRecord;
use crate::session::SourceId;

/// One source of records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Source {
    /// Flows it has in the cache.
    pub(super) live: usize,
    /// Its active timer.
    pub(super) learner: Learner,
    /// Which of its totals may have been forgotten.
    pub(super) forgotten: Forgotten,
    /// Tells a source from an earlier one of the same id.
    pub(super) incarnation: u32,
    /// It is gone: its flows leave.
    pub(super) closing: bool,
}

/// Sources by id, and how many of them have flows.
#[derive(Debug)]
pub(super) struct Sources {
    known: Vec<Source>,
    max: usize,
    busy: usize,
}

impl Sources {
    /// None yet, `max` at most.
    pub(super) fn new(max: usize) -> Self {
        Self {
            known: Vec::new(),
            max,
            busy: 0,
        }
    }

    /// The source of an id, if it is known.
    pub(super) fn get(&self, id: SourceId) -> Option<&Source> {
        self.known.get(id.0 as usize)
    }

    /// The source of an id, if it is known.
    pub(super) fn get_mut(&mut self, id: SourceId) -> Option<&mut Source> {
        self.known.get_mut(id.0 as usize)
    }

    /// The source of an id, made known; `None` if there would be too many.
    ///
    /// Ids are small: sessions give them out densely.
    pub(super) fn admit(&mut self, id: SourceId) -> Option<&mut Source> {
        let at = id.0 as usize;
        if at >= self.known.len() {
            if at >= self.max {
                return None;
            }
            self.known.resize(at + 1, Source::default());
        }
        self.known.get_mut(at)
    }

    /// A flow of this source entered the cache.
    pub(super) fn entered(&mut self, id: SourceId) {
        if let Some(source) = self.get_mut(id) {
            source.live += 1;
            self.busy += usize::from(source.live == 1);
        }
    }

    /// A flow of this source left; the last of a closing source ends it.
    pub(super) fn left(&mut self, id: SourceId) {
        if let Some(source) = self.get_mut(id) {
            source.live -= 1;
            if source.live == 0 {
                source.end_if_closing();
                self.busy -= 1;
            }
        }
    }

    /// Whether a source may begin no more flows in a cache that runs short:
    /// there are others and it has `share` flows, or its even part of the
    /// `whole` of a full cache. P-666.
    pub(super) fn has_its_share(&self, id: SourceId, share: usize, whole: Option<usize>) -> bool {
        let live = self.get(id).map_or(0, |source| source.live);
        let others = self.busy - usize::from(live > 0);
        let even = whole.map_or(usize::MAX, |whole| whole / (others + 1));
        let share = if others > 0 { share } else { usize::MAX };
        live >= share.min(even).max(1)
    }

    /// Live flows of all sources, and sources that have any: for checks.
    #[cfg(test)]
    pub(super) fn totals(&self) -> (usize, usize) {
        assert_eq!(self.busy, self.known.iter().filter(|s| s.live > 0).count());
        (self.known.iter().map(|s| s.live).sum(), self.busy)
    }
}

impl Source {
    /// Learns from a record's span how long its exporter's active timer is;
    /// says whether that is now held to be shorter.
    #[inline]
    pub(super) fn learn(&mut self, record: &FlowRecord) -> bool {
        let span_ms = record.end_ms.saturating_sub(record.start_ms);
        let is_certain = record.end_reason == EndReason::Active;
        self.learner.see(span_ms, is_certain)
    }

    /// Its flows are to leave.
    pub(super) fn close(&mut self) {
        self.closing = true;
        if self.live == 0 {
            self.end_if_closing();
        }
    }

    fn end_if_closing(&mut self) {
        if self.closing {
            *self = Self {
                incarnation: self.incarnation.wrapping_add(1),
                ..Self::default()
            };
        }
    }
}
