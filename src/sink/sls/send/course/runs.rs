//! Which rows the journal gave together, and what of them is settled.

use std::collections::BTreeMap;
use std::ops::Range;

/// Runs of a frame, by first row, until all their rows are settled.
///
/// The journal remembers a bounded number of ranges, so that a frame is
/// acknowledged in few pieces: the first ones at once, further ones together
/// with its last.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Runs(BTreeMap<u64, Run>);

/// Rows that the journal gave together.
#[derive(Debug, Eq, PartialEq)]
struct Run {
    end: u64,
    /// Rows that are not settled.
    left: u64,
    /// Pieces that were acknowledged.
    pieces: u32,
    /// Settled and not acknowledged yet.
    held: Vec<Range<u64>>,
}

impl Runs {
    /// Makes runs of those rows that belong to none.
    pub(super) fn open(&mut self, rows: &Range<u64>) {
        let mut from = rows.start;
        while from < rows.end {
            if let Some((_, run)) = self.run_of(from) {
                from = run.end;
                continue;
            }
            let next = self.0.range(from..).next();
            let end = next.map_or(rows.end, |(start, _)| (*start).min(rows.end));
            let run = Run {
                end,
                left: end - from,
                pieces: 0,
                held: Vec::new(),
            };
            self.0.insert(from, run);
            from = end;
        }
    }

    /// Notes rows as settled; gives what is to be acknowledged now.
    pub(super) fn settle(&mut self, rows: &Range<u64>) -> Vec<Range<u64>> {
        let mut acknowledged = Vec::new();
        let mut from = rows.start;
        while from < rows.end {
            let Some((start, run)) = self.run_of(from) else {
                // Of no run that is known: nothing to wait for.
                acknowledged.push(from..rows.end);
                break;
            };
            let piece = from..rows.end.min(run.end);
            from = piece.end;
            acknowledged.extend(run.settle(piece));
            if run.left == 0 {
                self.0.remove(&start);
            }
        }
        acknowledged
    }

    /// Forgets all runs; gives what is settled and was not acknowledged.
    pub(super) fn release(&mut self) -> Vec<Range<u64>> {
        let runs = std::mem::take(&mut self.0).into_values();
        runs.flat_map(|run| run.held).collect()
    }

    /// The run that has a row.
    fn run_of(&mut self, seq: u64) -> Option<(u64, &mut Run)> {
        let (start, run) = self.0.range_mut(..=seq).next_back()?;
        Some((*start, run)).filter(|(_, run)| run.end > seq)
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
