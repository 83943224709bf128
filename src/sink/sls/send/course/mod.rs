//! Which rows of a destination are read next: pure, with time as an argument.

mod runs;
mod taken;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::time::Duration;

use super::Order;
use runs::Runs;
use taken::Taken;

/// The way of one destination through its rows.
///
/// Rows from `fresh_from` on are fresh and read as they come; what was left
/// behind lies below and is read beside them, oldest first. What was read and
/// is not acknowledged is *taken*, and not read again. After a restart
/// everything is read again that the journal does not know as settled.
///
/// Requests take the rows of a frame apart by flow log; [`Runs`] puts them
/// together again for the journal.
#[derive(Debug)]
pub(super) struct Course {
    order: Order,
    fresh_within_ms: u64,
    /// First row that is not backlog.
    fresh_from: u64,
    /// All fresh rows up to it were read.
    fresh_after: u64,
    /// All rows of the backlog up to it were read.
    backlog_after: u64,
    /// Whether there may be rows of the backlog that were not read.
    owes: bool,
    /// How often fresh rows were left behind since nothing was owed.
    jumps: u32,
    /// Read and not acknowledged.
    taken: Taken,
    /// Acknowledged since the journal was asked last: its answer may have them.
    meanwhile: Vec<Range<u64>>,
    runs: Runs,
}

/// Which of a destination's two ways a row goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lane {
    /// As it comes.
    Fresh,
    /// Left behind, drained beside.
    Backlog,
}

impl Course {
    /// At the oldest row of a destination.
    pub(super) fn new(order: Order, fresh_within: Duration) -> Self {
        Self {
            order,
            fresh_within_ms: u64::try_from(fresh_within.as_millis()).unwrap_or(u64::MAX),
            fresh_from: 0,
            fresh_after: 0,
            backlog_after: 0,
            owes: false,
            jumps: 0,
            taken: Taken::default(),
            meanwhile: Vec::new(),
            runs: Runs::default(),
        }
    }

    /// The row after which the journal is asked; it is asked then.
    pub(super) fn after(&mut self, lane: Lane) -> u64 {
        self.meanwhile.clear();
        let mut after = match lane {
            Lane::Fresh => self.fresh_after,
            Lane::Backlog => self.backlog_after,
        };
        while let Some(end) = self.taken.end_at(after.saturating_add(1)) {
            after = end.saturating_sub(1);
        }
        after
    }

    /// Whether there may be rows of the backlog to read.
    pub(super) fn owes(&self) -> bool {
        self.owes
    }

    /// Whether fresh rows appended then are to be left behind now.
    ///
    /// Each time makes one more gap in what the journal knows as settled, so
    /// there are at most [`Course::JUMPS_MAX`] until the backlog is drained;
    /// rows are then read in order, however old.
    pub(super) fn is_late(&self, at_ms: u64, now_ms: u64) -> bool {
        self.order == Order::NewestFirst
            && self.jumps < Self::JUMPS_MAX
            && now_ms.saturating_sub(at_ms) > self.fresh_within_ms
    }

    /// How often fresh rows are left behind before all is drained.
    pub(super) const JUMPS_MAX: u32 = 64;

    /// Leaves all fresh rows below `newest` to the backlog.
    pub(super) fn leave_behind(&mut self, newest: u64) {
        if !self.owes {
            self.backlog_after = self.fresh_after;
        }
        self.owes = true;
        self.jumps += 1;
        self.fresh_from = self.fresh_from.max(newest);
        self.fresh_after = self.fresh_after.max(newest.saturating_sub(1));
    }

    /// Takes rows that were read, and gives those that were not taken before.
    ///
    /// Rows of the other lane are not taken either.
    pub(super) fn take(&mut self, lane: Lane, rows: &Range<u64>) -> Vec<Range<u64>> {
        let end = match lane {
            Lane::Fresh => rows.end,
            Lane::Backlog => rows.end.min(self.fresh_from),
        };
        let parts = self.untaken(rows.start..end);
        for part in &parts {
            self.taken.insert(part);
            self.runs.open(part);
        }
        let read_to = end.saturating_sub(1);
        match lane {
            Lane::Fresh => self.fresh_after = self.fresh_after.max(read_to),
            Lane::Backlog => self.backlog_after = self.backlog_after.max(read_to),
        }
        parts
    }

    /// What of these rows is neither taken nor acknowledged.
    fn untaken(&self, rows: Range<u64>) -> Vec<Range<u64>> {
        let mut parts = Vec::new();
        let mut from = rows.start;
        while from < rows.end {
            let known = self.meanwhile.iter();
            let acknowledged = known.clone().find(|known| known.contains(&from));
            let acknowledged = acknowledged.map(|known| known.end);
            if let Some(end) = self.taken.end_at(from).or(acknowledged) {
                from = end;
                continue;
            }
            let next = self.taken.next_from(from);
            let known = known.map(|known| known.start).filter(|start| *start > from);
            let to = known.chain(next).fold(rows.end, u64::min);
            parts.push(from..to);
            from = to;
        }
        parts
    }

    /// Notes what the journal gave for the backlog: the rows of a frame, or none.
    ///
    /// Says whether there is anything to take.
    pub(super) fn note_backlog(&mut self, rows: Option<&Range<u64>>) -> bool {
        self.owes = rows.is_some_and(|rows| rows.start < self.fresh_from);
        if !self.owes {
            self.jumps = 0;
        }
        self.owes
    }

    /// Notes rows as settled; gives what is to be acknowledged now.
    pub(super) fn settle(&mut self, rows: &[Range<u64>]) -> Vec<Range<u64>> {
        let settled = rows.iter().flat_map(|rows| self.runs.settle(rows));
        let acknowledged: Vec<_> = settled.collect();
        for range in &acknowledged {
            self.taken.remove(range);
        }
        self.meanwhile.extend_from_slice(&acknowledged);
        acknowledged
    }

    /// Forgets all runs; gives what is settled and was not acknowledged.
    ///
    /// For when nothing is under way and nothing is to be read: what a run still
    /// lacks then, the journal has dropped.
    pub(super) fn release(&mut self) -> Vec<Range<u64>> {
        self.taken.clear();
        self.runs.release()
    }

    /// Rows that were read and not sent are to be read again.
    pub(super) fn give_back(&mut self, rows: &[Range<u64>]) {
        for range in rows.iter().filter(|range| range.start < range.end) {
            self.taken.remove(range);
            let before = range.start.saturating_sub(1);
            if range.start < self.fresh_from {
                let is_first = !self.owes || before < self.backlog_after;
                self.backlog_after = if is_first { before } else { self.backlog_after };
                self.owes = true;
            } else {
                self.fresh_after = self.fresh_after.min(before);
            }
        }
    }
}
