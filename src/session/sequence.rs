//! Loss, duplicates and reordering by sequence number. P-420…P-425.
//!
//! All three protocols count *units* sent before a Message: v5 flows, v9
//! Messages, IPFIX Data Records. One Message covers `start .. start + units`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use std::collections::VecDeque;

/// What the sequence numbers of one exporting process say.
///
/// A gap is held open for [`WINDOW`] Messages so that late ones can fill it;
/// what is then still open is lost. A Message far from the expected number is
/// believed only when the next one continues it, so that one forged Message
/// can neither blind the detection nor report a loss (P-423, P-812).
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    next: Option<u32>,
    /// Largest step forward that one Message alone may make.
    near: u32,
    gaps: VecDeque<Gap>,
    /// Where a Message out of line would be continued.
    candidate: Option<Candidate>,
    /// A v9 Message without data ahead of its turn: H3C numbers those apart (P-424).
    held: Option<u32>,
    recent: [u64; WINDOW],
    messages: u64,
    counts: SequenceCounts,
}

/// What was found, in units of the protocol where a number of units is meant.
#[derive(
    Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq,
)]
#[repr(C)]
pub struct SequenceCounts {
    /// Units that never came; final, never taken back.
    pub lost: u64,
    /// Messages that came again.
    pub duplicates: u64,
    /// Messages that came late and filled a gap.
    pub reordered: u64,
    /// Messages out of line that nothing has continued; one that is continued
    /// later no longer counts.
    pub strays: u64,
    /// Times the numbering started somewhere else.
    pub resyncs: u64,
    /// Messages after which the next number is not known (P-422).
    pub unknown: u64,
}

impl SequenceCounts {
    /// Adds what was found between two readings of one calculation.
    pub(crate) fn add(&mut self, before: Self, after: Self) {
        let add = |sum: &mut u64, before: u64, after: u64| {
            // A stray that is continued after all was none: the count goes back.
            *sum = sum.wrapping_add(after).wrapping_sub(before);
        };
        add(&mut self.lost, before.lost, after.lost);
        add(&mut self.duplicates, before.duplicates, after.duplicates);
        add(&mut self.reordered, before.reordered, after.reordered);
        add(&mut self.strays, before.strays, after.strays);
        add(&mut self.resyncs, before.resyncs, after.resyncs);
        add(&mut self.unknown, before.unknown, after.unknown);
    }
}

/// One Message as the calculation sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Sequence number of its header.
    pub(crate) start: u32,
    /// Units it holds; `None` when a Set could not be counted.
    pub(crate) units: Option<u32>,
    /// Neither flows nor options.
    pub(crate) template_only: bool,
}

#[derive(Clone, Copy, Debug)]
struct Gap {
    from: u32,
    units: u32,
    opened: u64,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    start: u32,
    next: u32,
}

impl Sequence {
    /// No Message seen; `near` is the step forward taken without a second look.
    pub(crate) fn new(near: u32) -> Self {
        Self {
            next: None,
            near,
            gaps: VecDeque::new(),
            candidate: None,
            held: None,
            recent: [0; WINDOW],
            messages: 0,
            counts: SequenceCounts::default(),
        }
    }

    /// Whether this very Message was among the last 64; counts it if so.
    ///
    /// `print` must be a hash of more than the header: exporters exist whose
    /// sequence number never moves.
    pub(crate) fn is_duplicate(&mut self, start: u32, print: u64) -> bool {
        if self.next == Some(start) || !self.recent.contains(&(print | 1)) {
            return false;
        }
        self.counts.duplicates += 1;
        true
    }

    /// Remembers a Message that holds at least one unit.
    pub(crate) fn remember(&mut self, print: u64) {
        let slot = usize::try_from(self.messages % WINDOW as u64).unwrap_or(0);
        if let Some(slot) = self.recent.get_mut(slot) {
            *slot = print | 1;
        }
    }

    /// Accounts one Message that is no duplicate.
    pub(crate) fn observe(&mut self, step: Step) {
        self.messages += 1;
        self.close_gaps();
        let Some(next) = self.next else {
            self.advance(step);
            return;
        };
        if step.start == next {
            self.drop_candidate();
            self.advance(step);
            return;
        }
        if step.template_only && step.units == Some(0) {
            // IPFIX: nothing was sent that could be missing here (P-421).
            return;
        }
        match distance(next, step.start) {
            ahead if ahead > 0 && ahead <= i64::from(self.near) => self.ahead(next, step),
            behind if behind < 0 && self.fill(step) => {}
            far => self.out_of_line(far, step),
        }
    }

    /// What was found so far.
    pub(crate) fn counts(&self) -> SequenceCounts {
        self.counts
    }

    /// Units missing whose gap is still open.
    pub(crate) fn pending(&self) -> u64 {
        self.gaps.iter().map(|gap| u64::from(gap.units)).sum()
    }

    /// Gaps that are open.
    #[cfg(test)]
    pub(crate) fn gaps(&self) -> usize {
        self.gaps.len()
    }

    /// Starts anew; open gaps are lost. After a restart of the exporter.
    pub(crate) fn reset(&mut self) {
        self.counts.lost += self.pending();
        self.gaps.clear();
        self.next = None;
        self.candidate = None;
        self.held = None;
    }

    /// A Message ahead of its turn, but not by much.
    fn ahead(&mut self, next: u32, step: Step) {
        if step.template_only {
            if self.held.replace(step.start).is_some() {
                self.counts.strays += 1;
            }
            return;
        }
        self.drop_candidate();
        match self.held {
            Some(held) if distance(next, held) > 0 && distance(held, step.start) > 0 => {
                self.open(next, held);
                self.open(held.wrapping_add(1), step.start);
                self.held = None;
            }
            Some(_) | None => self.open(next, step.start),
        }
        self.advance(step);
    }

    /// A Message too far ahead, or behind and in no gap.
    fn out_of_line(&mut self, distance_units: i64, step: Step) {
        if let Some(candidate) = self.candidate
            && candidate.next == step.start
        {
            self.adopt(candidate);
            self.advance(step);
            return;
        }
        self.drop_candidate();
        let units = step.units.filter(|&units| units > 0);
        let is_apart = distance_units < 0 && step.template_only;
        match units.filter(|_| !is_apart) {
            Some(units) => {
                self.candidate = Some(Candidate {
                    start: step.start,
                    next: step.start.wrapping_add(units),
                });
            }
            None => self.counts.strays += 1,
        }
    }

    /// Nothing continued the Message that was out of line.
    fn drop_candidate(&mut self) {
        self.counts.strays += u64::from(self.candidate.take().is_some());
    }

    /// Two Messages agree on a new place: a long outage, or a new numbering.
    fn adopt(&mut self, candidate: Candidate) {
        self.candidate = None;
        self.held = None;
        let Some(next) = self.next else { return };
        let ahead = distance(next, candidate.start);
        if (1..=OUTAGE_UNITS_MAX).contains(&ahead) {
            self.open(next, candidate.start);
        } else {
            self.reset();
            self.counts.resyncs += 1;
        }
    }

    fn advance(&mut self, step: Step) {
        let Some(units) = step.units else {
            self.counts.unknown += 1;
            self.next = None;
            return;
        };
        let mut next = step.start.wrapping_add(units);
        if let Some(held) = self.held {
            match distance(next, held) {
                0 => {
                    next = next.wrapping_add(1);
                    self.held = None;
                }
                passed if passed < 0 => {
                    self.counts.strays += 1;
                    self.held = None;
                }
                _ => {}
            }
        }
        self.next = Some(next);
    }

    /// Opens a gap from `from` up to `to`; the oldest is lost when there are too many.
    fn open(&mut self, from: u32, to: u32) {
        let units = to.wrapping_sub(from);
        if units == 0 {
            return;
        }
        if self.gaps.len() >= WINDOW
            && let Some(gap) = self.gaps.pop_front()
        {
            self.counts.lost += u64::from(gap.units);
        }
        self.gaps.push_back(Gap {
            from,
            units,
            opened: self.messages,
        });
    }

    /// Fills the gap a late Message belongs to; `false` when there is none.
    fn fill(&mut self, step: Step) -> bool {
        let inside = |gap: &Gap| step.start.wrapping_sub(gap.from) < gap.units;
        let Some(at) = self.gaps.iter().position(inside) else {
            return false;
        };
        let Some(gap) = self.gaps.remove(at) else {
            return false;
        };
        self.counts.reordered += 1;
        let before = step.start.wrapping_sub(gap.from);
        let room = gap.units - before;
        // What a Message without a known count filled is not lost either.
        let taken = step.units.unwrap_or(room).min(room);
        if step.units.is_none() {
            self.counts.unknown += 1;
        }
        let after = Gap {
            from: step.start.wrapping_add(taken),
            units: room - taken,
            opened: gap.opened,
        };
        let before = Gap {
            units: before,
            ..gap
        };
        for part in [after, before] {
            if part.units > 0 {
                self.gaps.insert(at.min(self.gaps.len()), part);
            }
        }
        true
    }

    /// Gives up gaps that stayed open for [`WINDOW`] Messages.
    fn close_gaps(&mut self) {
        while let Some(gap) = self.gaps.front()
            && self.messages - gap.opened > WINDOW as u64
        {
            self.counts.lost += u64::from(gap.units);
            self.gaps.pop_front();
        }
    }
}

/// How far `to` is ahead of `from`, modulo 2^32, between -2^31 and 2^31.
fn distance(from: u32, to: u32) -> i64 {
    i64::from(to.wrapping_sub(from).cast_signed())
}

/// Messages a gap stays open for, and duplicates are found within (P-423).
pub(crate) const WINDOW: usize = 64;
/// A confirmed step forward up to this many units is a loss, beyond it a new
/// numbering: four hours of a thousand units a second.
const OUTAGE_UNITS_MAX: i64 = 1 << 24;
