//! A set of rows, as ranges.

use std::collections::BTreeMap;
use std::ops::Range;

/// Rows that were read and are not acknowledged: ranges by where they start,
/// none of which overlap.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Taken(BTreeMap<u64, u64>);

impl Taken {
    /// Adds rows, none of which it has.
    pub(super) fn insert(&mut self, rows: &Range<u64>) {
        self.0.insert(rows.start, rows.end);
    }

    /// Where the range that holds a row ends.
    pub(super) fn end_at(&self, seq: u64) -> Option<u64> {
        let (_, end) = self.0.range(..=seq).next_back()?;
        Some(*end).filter(|end| *end > seq)
    }

    /// Where the first range from a row on starts.
    pub(super) fn next_from(&self, seq: u64) -> Option<u64> {
        self.0.range(seq..).next().map(|(start, _)| *start)
    }

    /// Takes rows out, whether it has them or not.
    pub(super) fn remove(&mut self, rows: &Range<u64>) {
        let first = self.0.range(..=rows.start).next_back();
        let first = first.map_or(rows.start, |(start, _)| *start);
        let touched: Vec<_> = self
            .0
            .range(first..rows.end.max(first))
            .map(|(start, end)| *start..*end)
            .collect();
        for range in touched.into_iter().filter(|range| range.end > rows.start) {
            self.0.remove(&range.start);
            if range.start < rows.start {
                self.0.insert(range.start, rows.start);
            }
            if range.end > rows.end {
                self.0.insert(rows.end, range.end);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
