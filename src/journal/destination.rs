//! What was delivered to one destination, and what was not.

use std::collections::BTreeMap;
use std::ops::Range;

use super::ranges::Ranges;
use crate::flow::Amount;

/// Progress of one destination.
///
/// A number is *settled* when no row of the destination that is to be
/// delivered has it: the row was acknowledged or dropped, or is another's.
#[derive(Debug, Default)]
pub(super) struct Destination {
    pub(super) name: String,
    pub(super) settled: Ranges,
    /// Shares given out whose rows are not all settled, by first number.
    pub(super) handed: BTreeMap<u64, Handed>,
    /// Whoever appends its rows delivers them: they are given out then.
    pub(super) is_direct: bool,
    pub(super) amounts: Amounts,
}

/// A share that was given out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handed {
    pub(super) end: u64,
    pub(super) amount: Amount,
}

/// Where the amounts of a destination's shares are.
///
/// A share counts as acknowledged when its last row is; one that is dropped
/// after some of its rows were acknowledged is divided by rows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Amounts {
    /// To be delivered.
    pub pending: Amount,
    /// Delivered.
    pub acked: Amount,
    /// Dropped to stay within quota or memory.
    pub evicted: Amount,
    /// Found damaged on disk.
    pub damaged: Amount,
    /// Not taken.
    pub refused: Amount,
}

impl Amounts {
    /// What was taken, whatever became of it.
    pub fn appended(&self) -> Amount {
        self.pending + self.acked + self.evicted + self.damaged
    }
}

impl Destination {
    pub(super) fn new(name: String) -> Self {
        let mut settled = Ranges::default();
        // No row has the number 0.
        settled.insert(0..1, 1);
        Self {
            name,
            settled,
            ..Self::default()
        }
    }

    /// Takes a share that was appended.
    pub(super) fn take(&mut self, rows: Range<u64>, amount: Amount) {
        self.amounts.pending += amount;
        if self.is_direct {
            let end = rows.end;
            self.handed.insert(rows.start, Handed { end, amount });
        }
    }

    /// Undoes the taking of the newest share.
    pub(super) fn give_back(&mut self, start: u64, amount: Amount) {
        self.amounts.pending = self.amounts.pending - amount;
        self.handed.remove(&start);
    }

    /// The first number that is not settled.
    pub(super) fn low_water(&self) -> u64 {
        self.settled.first_gap(0)
    }

    /// Whether so much is under way that no more may be given out.
    pub(super) fn is_scattered(&self, ranges_max: usize) -> bool {
        self.handed.len() >= ranges_max || self.settled.len() > ranges_max / 2
    }

    /// Whether rows are settled or belong to shares that were given out: all
    /// of a destination whose rows are given out as they come.
    pub(super) fn knows(&self, rows: &Range<u64>) -> bool {
        if self.is_direct {
            return true;
        }
        let mut from = self.settled.first_gap(rows.start);
        while from < rows.end {
            let before = self.handed.range(..=from).next_back();
            let Some(handed) = before.filter(|(_, handed)| handed.end > from) else {
                return false;
            };
            from = self.settled.first_gap(handed.1.end);
        }
        true
    }

    /// Settles rows that were delivered. Gives the shares that are complete
    /// with them.
    ///
    /// Remembered however many ranges there are: an acknowledgement forgotten
    /// would be rows that are pending for ever. What is given out bounds them.
    pub(super) fn acknowledge(&mut self, rows: &Range<u64>) -> Vec<(u64, Amount)> {
        self.settled.insert(rows.clone(), usize::MAX);
        let first = self.handed.range(..=rows.start).next_back();
        let first = first.map_or(rows.start, |(start, _)| *start);
        let touched = self.handed.range(first..rows.end.max(first));
        let complete: Vec<_> = touched
            .filter(|(start, handed)| self.settled.covers(&(**start..handed.end)))
            .map(|(start, handed)| (*start, handed.amount))
            .collect();
        for (start, amount) in &complete {
            self.handed.remove(start);
            self.amounts.pending = self.amounts.pending - *amount;
            self.amounts.acked += *amount;
        }
        complete
    }

    /// Counts a share as found damaged.
    pub(super) fn lose(&mut self, rows: Range<u64>, amount: Amount) {
        self.handed.remove(&rows.start);
        self.amounts.pending = self.amounts.pending - amount;
        self.amounts.damaged += amount;
        self.settled.insert(rows, usize::MAX);
    }

    /// Drops what is not delivered of some rows, whose shares stand for `amount`.
    pub(super) fn evict(&mut self, rows: Range<u64>, amount: Amount) {
        let mut evicted = amount;
        let shares: Vec<_> = self.handed.range(rows.clone()).map(|(at, _)| *at).collect();
        for start in shares {
            if let Some(handed) = self.handed.remove(&start) {
                let acked = acked_part(&self.settled, start, &handed);
                evicted = evicted - acked;
                self.amounts.acked += acked;
            }
        }
        self.amounts.pending = self.amounts.pending - amount;
        self.amounts.evicted += evicted;
        self.settled.insert(rows, usize::MAX);
    }
}

/// What the settled rows of a share stand for, rounded down.
fn acked_part(settled: &Ranges, start: u64, handed: &Handed) -> Amount {
    let rows = handed.end.saturating_sub(start).max(1);
    let acked = settled.count_in(&(start..handed.end));
    let part = |total: u64| {
        let part = u128::from(total) * u128::from(acked) / u128::from(rows);
        u64::try_from(part).unwrap_or(total)
    };
    Amount {
        records: part(handed.amount.records),
        octets: part(handed.amount.octets),
        packets: part(handed.amount.packets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(records: u64) -> Amount {
        Amount {
            records,
            octets: records * 10,
            packets: records * 2,
        }
    }

    fn handed_out() -> Destination {
        let mut destination = Destination::new("a".to_owned());
        destination.amounts.pending = amount(12);
        for (start, end) in [(1, 5), (9, 11)] {
            let handed = Handed {
                end,
                amount: amount(6),
            };
            destination.handed.insert(start, handed);
        }
        destination
    }

    #[test]
    fn a_share_counts_when_its_last_row_is_acknowledged() {
        let mut destination = handed_out();
        assert_eq!(destination.acknowledge(&(2..5)), []);
        assert_eq!(destination.low_water(), 1);
        assert_eq!(destination.amounts.pending, amount(12));
        assert_eq!(destination.acknowledge(&(1..2)), [(1, amount(6))]);
        assert_eq!(destination.low_water(), 5);
        assert_eq!(destination.amounts.acked, amount(6));
        // Twice is as once.
        assert_eq!(destination.acknowledge(&(1..5)), []);
        assert_eq!(destination.amounts.pending, amount(6));
    }

    #[test]
    fn a_share_dropped_half_way_is_divided() {
        let mut destination = handed_out();
        destination.acknowledge(&(1..3));
        destination.evict(1..6, amount(6));
        assert_eq!(destination.amounts.acked, amount(3));
        assert_eq!(destination.amounts.evicted, amount(3));
        assert_eq!(destination.amounts.pending, amount(6));
        assert_eq!(destination.low_water(), 6);
        assert_eq!(destination.handed.len(), 1);
    }

    #[test]
    fn rows_are_known_when_settled_or_handed_out() {
        let mut destination = handed_out();
        assert!(destination.knows(&(1..5)));
        assert!(!destination.knows(&(1..6)));
        destination.settled.insert(5..9, 10);
        assert!(destination.knows(&(1..11)));
        assert!(!destination.knows(&(1..12)));
    }
}
