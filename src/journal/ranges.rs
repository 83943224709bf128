//! A bounded set of sequence numbers, kept as ranges.

use std::ops::Range;

/// Sequence numbers as sorted ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Ranges {
    ranges: Vec<Range<u64>>,
}

impl Ranges {
    /// The set of these ranges; `None` where they are empty, touch or are not
    /// sorted.
    pub(super) fn from_sorted(ranges: Vec<Range<u64>>) -> Option<Self> {
        let are_full = ranges.iter().all(|range| range.start < range.end);
        let mut pairs = ranges.iter().zip(ranges.iter().skip(1));
        let are_apart = pairs.all(|(one, next)| one.end < next.start);
        (are_full && are_apart).then_some(Self { ranges })
    }

    /// Adds a range, unless the set would then have more than `max` ranges.
    pub(super) fn insert(&mut self, range: Range<u64>, max: usize) -> bool {
        if range.start >= range.end {
            return true;
        }
        let first = self.ranges.partition_point(|other| other.end < range.start);
        let last = self
            .ranges
            .partition_point(|other| other.start <= range.end);
        let touched = self.ranges.get(first..last).unwrap_or_default();
        let (Some(low), Some(high)) = (touched.first(), touched.last()) else {
            if self.ranges.len() >= max {
                return false;
            }
            self.ranges.insert(first, range);
            return true;
        };
        let merged = low.start.min(range.start)..high.end.max(range.end);
        self.ranges.splice(first..last, [merged]);
        true
    }

    /// Whether all of a range is in the set.
    pub(super) fn covers(&self, range: &Range<u64>) -> bool {
        range.start >= range.end
            || self
                .holding(range.start)
                .is_some_and(|held| range.end <= held.end)
    }

    /// The first number from `from` on that is not in the set.
    pub(super) fn first_gap(&self, from: u64) -> u64 {
        self.holding(from).map_or(from, |held| held.end)
    }

    /// Where the gap that holds `from` ends: the next number in the set. `from`
    /// is not in the set.
    pub(super) fn gap_end(&self, from: u64) -> u64 {
        let next = self.ranges.partition_point(|range| range.start < from);
        self.ranges.get(next).map_or(u64::MAX, |range| range.start)
    }

    /// How many numbers of a range are in the set.
    pub(super) fn count_in(&self, range: &Range<u64>) -> u64 {
        let first = self.ranges.partition_point(|held| held.end <= range.start);
        let held = self.ranges.iter().skip(first);
        held.take_while(|held| held.start < range.end)
            .map(|held| held.end.min(range.end) - held.start.max(range.start))
            .sum()
    }

    /// Number of ranges.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The ranges, lowest first.
    pub(super) fn as_slice(&self) -> &[Range<u64>] {
        &self.ranges
    }

    fn holding(&self, number: u64) -> Option<&Range<u64>> {
        let at = self.ranges.partition_point(|range| range.end <= number);
        self.ranges.get(at).filter(|range| range.start <= number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_set_takes_only_what_touches() {
        let mut set = Ranges::default();
        assert!(set.insert(1..3, 2));
        assert!(set.insert(5..6, 2));
        assert!(!set.insert(8..9, 2));
        assert!(set.insert(6..8, 2));
        assert!(set.insert(3..5, 2));
        assert_eq!((set.len(), set.first_gap(1)), (1, 8));
    }

    #[test]
    fn ranges_that_touch_are_no_set() {
        assert_eq!(Ranges::from_sorted(vec![1..3, 3..4]), None);
        assert_eq!(Ranges::from_sorted(vec![1..3, 4..4]), None);
        assert_eq!(Ranges::from_sorted(vec![5..6, 1..2]), None);
        let set = Ranges::from_sorted(vec![1..3, 4..5]).unwrap();
        assert_eq!(set.len(), 2);
    }

    proptest! {
        #[test]
        fn it_is_the_set_of_its_numbers(inserts in prop::collection::vec((0..60u64, 0..8u64), 0..30)) {
            let mut set = Ranges::default();
            let mut model = BTreeSet::new();
            for (start, length) in inserts {
                prop_assert!(set.insert(start..start + length, usize::MAX));
                model.extend(start..start + length);
                prop_assert_eq!(Ranges::from_sorted(set.as_slice().to_vec()), Some(set.clone()));
            }
            let held: Vec<u64> = set.as_slice().iter().cloned().flatten().collect();
            prop_assert_eq!(&held, &model.iter().copied().collect::<Vec<_>>());
            for from in 0..70 {
                let gap = (from..).find(|number| !model.contains(number)).unwrap();
                prop_assert_eq!(set.first_gap(from), gap);
                let end = model.range(gap..).next().copied().unwrap_or(u64::MAX);
                prop_assert_eq!(set.gap_end(gap), end);
                let range = from..from + 5;
                prop_assert_eq!(set.covers(&range), range.clone().all(|number| model.contains(&number)));
                prop_assert_eq!(set.count_in(&range), model.range(range.clone()).count() as u64);
            }
        }
    }
}
