//! Which rows of a destination are read next: pure, with time as an argument.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::Order;

/// The way of one destination through its rows.
///
/// Rows from `fresh_from` on are fresh and read as they come; what was left
/// behind lies below and is read beside them, oldest first. What was read and
/// is not acknowledged is *taken*, and not read again. After a restart
/// everything is read again that the journal does not know as settled.
///
/// Requests take the rows of a frame apart by flow log. The journal remembers a
/// bounded number of ranges, so that a frame is acknowledged in few pieces: the
/// first ones at once, further ones together with its last.
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
    /// Start and end of ranges that were read and are not acknowledged.
    taken: BTreeMap<u64, u64>,
    /// Acknowledged since the journal was asked last: its answer may have them.
    meanwhile: Vec<Range<u64>>,
    /// Runs of a frame, by first row, until all their rows are settled.
    runs: BTreeMap<u64, Run>,
}

/// Rows that the journal gave together.
#[derive(Debug)]
struct Run {
    end: u64,
    /// Rows that are not settled.
    left: u64,
    /// Pieces that were acknowledged.
    pieces: u32,
    /// Settled and not acknowledged yet.
    held: Vec<Range<u64>>,
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
            taken: BTreeMap::new(),
            meanwhile: Vec::new(),
            runs: BTreeMap::new(),
        }
    }

    /// The row after which the journal is asked; it is asked then.
    pub(super) fn after(&mut self, lane: Lane) -> u64 {
        self.meanwhile.clear();
        let mut after = match lane {
            Lane::Fresh => self.fresh_after,
            Lane::Backlog => self.backlog_after,
        };
        while let Some(end) = self.taken_at(after.saturating_add(1)) {
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
        let mut parts = Vec::new();
        let mut from = rows.start;
        while from < end {
            if let Some(taken_to) = self.taken_at(from) {
                from = taken_to;
                continue;
            }
            let known = self.meanwhile.iter();
            if let Some(known) = known.clone().find(|known| known.contains(&from)) {
                from = known.end;
                continue;
            }
            let next = self.taken.range(from..).next().map(|(start, _)| *start);
            let known = known.map(|known| known.start).filter(|start| *start > from);
            let to = known.chain(next).fold(end, u64::min);
            parts.push(from..to);
            from = to;
        }
        for part in &parts {
            self.taken.insert(part.start, part.end);
            self.open_runs(part.clone());
        }
        let read_to = end.saturating_sub(1);
        match lane {
            Lane::Fresh => self.fresh_after = self.fresh_after.max(read_to),
            Lane::Backlog => self.backlog_after = self.backlog_after.max(read_to),
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
        let mut acknowledged = Vec::new();
        for range in rows {
            let mut from = range.start;
            while from < range.end {
                let Some((start, run)) = self.run_of(from) else {
                    // Of no run that is known: nothing to wait for.
                    acknowledged.push(from..range.end);
                    break;
                };
                let piece = from..range.end.min(run.end);
                from = piece.end;
                acknowledged.extend(run.settle(piece));
                if run.left == 0 {
                    self.runs.remove(&start);
                }
            }
        }
        for range in &acknowledged {
            self.untake(range);
        }
        self.meanwhile.extend_from_slice(&acknowledged);
        acknowledged
    }

    /// Forgets all runs; gives what is settled and was not acknowledged.
    ///
    /// For when nothing is under way and nothing is to be read: what a run still
    /// lacks then, the journal has dropped.
    pub(super) fn release(&mut self) -> Vec<Range<u64>> {
        let runs = std::mem::take(&mut self.runs).into_values();
        self.taken.clear();
        runs.flat_map(|run| run.held).collect()
    }

    /// Rows that were read and not sent are to be read again.
    pub(super) fn give_back(&mut self, rows: &[Range<u64>]) {
        for range in rows.iter().filter(|range| range.start < range.end) {
            self.untake(range);
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

    /// Makes runs of those rows that belong to none.
    fn open_runs(&mut self, rows: Range<u64>) {
        let mut from = rows.start;
        while from < rows.end {
            if let Some((_, run)) = self.run_of(from) {
                from = run.end;
                continue;
            }
            let next = self.runs.range(from..).next();
            let end = next.map_or(rows.end, |(start, _)| (*start).min(rows.end));
            let run = Run {
                end,
                left: end - from,
                pieces: 0,
                held: Vec::new(),
            };
            self.runs.insert(from, run);
            from = end;
        }
    }

    /// The run that has a row.
    fn run_of(&mut self, seq: u64) -> Option<(u64, &mut Run)> {
        let (start, run) = self.runs.range_mut(..=seq).next_back()?;
        Some((*start, run)).filter(|(_, run)| run.end > seq)
    }

    /// Where the taken range that holds a row ends.
    fn taken_at(&self, seq: u64) -> Option<u64> {
        let (_, end) = self.taken.range(..=seq).next_back()?;
        Some(*end).filter(|end| *end > seq)
    }

    fn untake(&mut self, rows: &Range<u64>) {
        let first = self.taken.range(..=rows.start).next_back();
        let first = first.map_or(rows.start, |(start, _)| *start);
        let touched: Vec<_> = self
            .taken
            .range(first..rows.end.max(first))
            .map(|(start, end)| *start..*end)
            .collect();
        for range in touched.into_iter().filter(|range| range.end > rows.start) {
            self.taken.remove(&range.start);
            if range.start < rows.start {
                self.taken.insert(range.start, rows.start);
            }
            if range.end > rows.end {
                self.taken.insert(rows.end, range.end);
            }
        }
    }
}

impl Run {
    /// Notes a piece as settled; gives what is to be acknowledged now.
    fn settle(&mut self, piece: Range<u64>) -> Vec<Range<u64>> {
        self.left = self.left.saturating_sub(piece.end - piece.start);
        if self.left > 0 && self.pieces < PIECES_MAX {
            self.pieces += 1;
            return vec![piece];
        }
        self.held.push(piece);
        if self.left > 0 {
            return Vec::new();
        }
        let mut held = std::mem::take(&mut self.held);
        held.sort_unstable_by_key(|range| range.start);
        held.dedup_by(|next, before| {
            let touches = before.end == next.start;
            before.end = if touches { next.end } else { before.end };
            touches
        });
        held
    }
}

/// Pieces in which a run is acknowledged before its last row is settled.
const PIECES_MAX: u32 = 4;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::slice;

    use proptest::prelude::*;

    use super::*;

    fn course(order: Order) -> Course {
        Course::new(order, Duration::from_secs(30))
    }

    #[test]
    fn late_rows_are_left_behind_once_newer_ones_are_there() {
        let mut course = course(Order::NewestFirst);
        assert!(!course.is_late(1000, 31_000));
        assert!(course.is_late(1000, 31_001));
        course.leave_behind(101);
        assert_eq!(
            (course.after(Lane::Fresh), course.after(Lane::Backlog)),
            (100, 0)
        );
        assert!(course.owes());
        assert_eq!(
            course.take(Lane::Fresh, &(101..103)),
            slice::from_ref(&(101..103))
        );
        assert!(course.note_backlog(Some(&(1..5))));
        assert_eq!(
            course.take(Lane::Backlog, &(1..5)),
            slice::from_ref(&(1..5))
        );
        assert_eq!(
            (course.after(Lane::Fresh), course.after(Lane::Backlog)),
            (102, 4)
        );
        // The backlog ends where fresh rows begin.
        assert!(!course.note_backlog(Some(&(103..105))));
        assert!(!course.owes());
    }

    #[test]
    fn oldest_first_leaves_nothing_behind() {
        assert!(!course(Order::OldestFirst).is_late(0, u64::MAX));
    }

    #[test]
    fn gaps_are_bounded() {
        let mut course = course(Order::NewestFirst);
        for jump in 1..=u64::from(Course::JUMPS_MAX) {
            assert!(course.is_late(0, 60_000));
            course.leave_behind(jump * 10);
        }
        assert!(!course.is_late(0, 60_000));
        assert!(!course.note_backlog(None));
        assert!(course.is_late(0, 60_000));
    }

    #[test]
    fn what_is_given_back_is_read_again_where_it_belongs() {
        let mut course = course(Order::NewestFirst);
        course.leave_behind(11);
        course.take(Lane::Backlog, &(1..11));
        course.take(Lane::Fresh, &(11..21));
        assert!(!course.note_backlog(None));
        course.give_back(&[3..5, 15..17]);
        assert!(course.owes());
        assert_eq!(
            (course.after(Lane::Fresh), course.after(Lane::Backlog)),
            (14, 2)
        );
        assert_eq!(
            course.take(Lane::Backlog, &(3..11)),
            slice::from_ref(&(3..5))
        );
        assert_eq!(
            course.take(Lane::Fresh, &(15..21)),
            slice::from_ref(&(15..17))
        );
    }

    /// Rows of two flow logs by turns, delivered in two requests.
    #[test]
    fn a_run_in_many_pieces_is_acknowledged_in_few() {
        let mut course = course(Order::NewestFirst);
        course.take(Lane::Fresh, &(1..21));
        let odd: Vec<_> = (1..21).step_by(2).map(|seq| seq..seq + 1).collect();
        let even: Vec<_> = (2..21).step_by(2).map(|seq| seq..seq + 1).collect();
        assert_eq!(course.settle(&odd), [1..2, 3..4, 5..6, 7..8]);
        // The last row brings all that was held.
        let last = [2..3, 4..5, 6..7, 8..21];
        assert_eq!(course.settle(&even), last);
        assert_eq!((course.taken.len(), course.runs.len()), (0, 0));
    }

    #[test]
    fn what_is_settled_and_held_is_neither_read_again_nor_forgotten() {
        let mut course = course(Order::NewestFirst);
        course.take(Lane::Fresh, &(1..21));
        let odd: Vec<_> = (1..21).step_by(2).map(|seq| seq..seq + 1).collect();
        course.settle(&odd);
        course.give_back(&[10..11, 12..13]);
        assert_eq!(course.after(Lane::Fresh), 9);
        let again = course.take(Lane::Fresh, &(10..21));
        assert_eq!(again, [10..11, 12..13]);
        assert_eq!(course.after(Lane::Fresh), 20);
        let held = [9..10, 11..12, 13..14, 15..16, 17..18, 19..20];
        assert_eq!(course.release(), held);
        assert_eq!(course.taken_at(9), None);
    }

    #[test]
    fn rows_acknowledged_while_the_journal_is_asked_are_not_taken_again() {
        let mut course = course(Order::NewestFirst);
        course.take(Lane::Fresh, &(1..11));
        course.give_back(&[1..4, 6..11]);
        assert_eq!(course.after(Lane::Fresh), 0);
        let piece = slice::from_ref(&(4..6));
        assert_eq!(course.settle(piece), piece);
        let taken = course.take(Lane::Fresh, &(1..11));
        assert_eq!(taken, [1..4, 6..11]);
    }

    #[derive(Clone, Debug)]
    enum Event {
        Read(bool, u64),
        Settle(usize),
        GiveBack(usize),
        Jump,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (any::<bool>(), 1_u64..9).prop_map(|(fresh, rows)| Event::Read(fresh, rows)),
            any::<usize>().prop_map(Event::Settle),
            any::<usize>().prop_map(Event::GiveBack),
            Just(Event::Jump),
        ]
    }

    /// The journal as the course sees it: rows 1 to `ROWS`.
    fn next(settled: &BTreeSet<u64>, after: u64) -> Option<u64> {
        (after + 1..=ROWS).find(|row| !settled.contains(row))
    }

    const ROWS: u64 = 60;

    proptest! {
        #[test]
        fn every_row_is_taken_until_it_is_settled_and_by_one(
            events in proptest::collection::vec(event(), 0..200),
        ) {
            let mut course = course(Order::NewestFirst);
            let mut settled = BTreeSet::new();
            let mut held: Vec<Range<u64>> = Vec::new();
            let drain = std::iter::repeat_n([Event::Read(true, 8), Event::Read(false, 8), Event::Settle(0)], 200);
            for event in events.into_iter().chain(drain.flatten()) {
                match event {
                    Event::Read(is_fresh, rows) => {
                        let lane = if is_fresh { Lane::Fresh } else { Lane::Backlog };
                        let start = next(&settled, course.after(lane));
                        let end = |start: u64| {
                            let rows = start..(start + rows).min(ROWS + 1);
                            rows.clone().find(|row| settled.contains(row)).unwrap_or(rows.end)
                        };
                        let frame = start.map(|start| start..end(start));
                        if lane == Lane::Backlog && !course.note_backlog(frame.as_ref()) {
                            continue;
                        }
                        let Some(frame) = frame else { continue };
                        for part in course.take(lane, &frame) {
                            let fresh: Vec<_> = part.filter(|row| !settled.contains(row)).collect();
                            for row in fresh {
                                prop_assert!(held.iter().all(|held| !held.contains(&row)), "{row} twice");
                                held.push(row..row + 1);
                            }
                        }
                    }
                    Event::Settle(which) if !held.is_empty() => {
                        let rows = held.swap_remove(which % held.len());
                        let acknowledged = course.settle(slice::from_ref(&rows));
                        settled.extend(acknowledged.into_iter().flatten());
                    }
                    Event::GiveBack(which) if !held.is_empty() => {
                        let rows = held.swap_remove(which % held.len());
                        course.give_back(slice::from_ref(&rows));
                    }
                    Event::Jump => course.leave_behind(course.fresh_after + 7),
                    Event::Settle(_) | Event::GiveBack(_) => {}
                }
            }
            let jumped_to = course.fresh_from;
            let missing: Vec<_> = (1..=ROWS).filter(|row| !settled.contains(row) && *row < jumped_to.max(ROWS + 1)).collect();
            prop_assert!(missing.is_empty(), "{missing:?} {course:?}");
        }
    }
}
