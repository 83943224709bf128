//! Records that enter a cache together.

use crate::flow::Amount;
use crate::flow::Detail;
use crate::flow::FlowRecord;

/// Routed records, in order; few of them have a detail.
///
/// It is full with as many as are best taken in together, and takes more.
#[derive(Debug)]
pub struct Queue {
    /// Those queued, and behind them places for others.
    places: Vec<FlowRecord>,
    /// How many are queued.
    len: usize,
    /// By the place of its record, ascending.
    details: Vec<(usize, Detail)>,
}

/// Records whose memory is fetched together: a quarter of the cost at a million
/// flows.
pub(super) const BATCH: usize = 32;

impl Default for Queue {
    fn default() -> Self {
        Self {
            places: vec![FlowRecord::default(); BATCH],
            len: 0,
            details: Vec::new(),
        }
    }
}

impl Queue {
    /// Appends a record, on this route.
    #[inline(always)]
    pub fn push(&mut self, route: u16, record: &FlowRecord, detail: Option<&Detail>) {
        if let Some(detail) = detail {
            self.details.push((self.len, detail.clone()));
        }
        let mut routed = *record;
        routed.key.route = route;
        match self.places.get_mut(self.len) {
            Some(place) => *place = routed,
            None => self.places.push(routed),
        }
        self.len += 1;
    }

    /// Appends what `fill` puts into places for records, without detail: the
    /// first ones, as many as it says. There are as many as make it full. What
    /// those records amount to.
    #[inline]
    pub fn fill(&mut self, fill: impl FnOnce(&mut [FlowRecord]) -> usize) -> Amount {
        let places = self.places.get_mut(self.len..).unwrap_or_default();
        let filled = fill(places).min(places.len());
        self.len += filled;
        let filled = places.iter().take(filled);
        filled.fold(Amount::default(), |sum, record| sum + record.amount())
    }

    /// Records in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it should be taken in now.
    pub fn is_full(&self) -> bool {
        self.len >= BATCH
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.places.truncate(BATCH);
        self.len = 0;
        self.details.clear();
    }

    pub(super) fn records(&self) -> &[FlowRecord] {
        self.places.get(..self.len).unwrap_or_default()
    }

    pub(super) fn details(&self) -> &[(usize, Detail)] {
        &self.details
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(octets: u64) -> FlowRecord {
        FlowRecord {
            octets,
            packets: 1,
            ..FlowRecord::default()
        }
    }

    fn queued(queue: &Queue) -> Vec<u64> {
        let octets = queue.records().iter().map(|record| record.octets);
        octets.collect()
    }

    /// Fills the first `count` places with records of these octets and more;
    /// says how many places there were.
    fn fill(queue: &mut Queue, count: usize, octets: u64) -> (usize, Amount) {
        let mut room = 0;
        let sum = queue.fill(|places| {
            room = places.len();
            for (place, octets) in places.iter_mut().take(count).zip(octets..) {
                *place = of(octets);
            }
            count
        });
        (room, sum)
    }

    #[test]
    fn there_are_as_many_places_as_make_it_full() {
        let mut queue = Queue::default();
        let sum = Amount {
            records: 3,
            octets: 6,
            packets: 3,
        };
        assert_eq!(fill(&mut queue, 3, 1), (32, sum));
        queue.push(7, &of(4), None);
        assert_eq!(fill(&mut queue, 27, 5).0, 28);
        assert!(!queue.is_full());
        assert_eq!(fill(&mut queue, 1, 32).0, 1);
        assert!(queue.is_full());
        assert_eq!(fill(&mut queue, 1, 33), (0, Amount::default()));
        assert_eq!(queued(&queue), (1..=32).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_left_of_what_was_in_it() {
        let mut queue = Queue::default();
        for octets in 1..=40 {
            queue.push(0, &of(octets), Some(&Detail::default()));
        }
        assert_eq!((queue.len(), queue.details().len()), (40, 40));
        queue.clear();
        assert!(queue.is_empty() && queue.details().is_empty());
        assert_eq!(fill(&mut queue, 2, 50).0, 32);
        queue.push(0, &of(52), Some(&Detail::default()));
        assert_eq!(queued(&queue), [50, 51, 52]);
        assert_eq!(queue.details(), [(2, Detail::default())]);
    }

    #[test]
    fn no_more_is_taken_for_filled_than_there_were_places() {
        let mut queue = Queue::default();
        queue.fill(|_| usize::MAX);
        assert_eq!(queue.len(), 32);
    }
}
