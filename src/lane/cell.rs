//! A lane's terms of the ledger, published all at once.

use std::hint;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// A sequence lock around `N` counters: one writer that never waits, readers
/// that see all counters of one publication or try again.
#[derive(Debug)]
pub struct Cell<const N: usize> {
    /// Odd while a publication is under way.
    version: AtomicU64,
    terms: [AtomicU64; N],
}

impl<const N: usize> Cell<N> {
    /// All counters at 0.
    pub fn new() -> Self {
        Self {
            version: AtomicU64::new(0),
            terms: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Replaces all counters. Only the one writer may call this.
    pub fn publish(&self, terms: &[u64; N]) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (slot, term) in self.terms.iter().zip(terms) {
            slot.store(*term, Ordering::Relaxed);
        }
        self.version.store(version + 2, Ordering::Release);
    }

    /// Copies out one publication.
    pub fn read(&self) -> [u64; N] {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let terms = std::array::from_fn(|index| {
                self.terms
                    .get(index)
                    .map_or(0, |term| term.load(Ordering::Relaxed))
            });
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before {
                return terms;
            }
            hint::spin_loop();
        }
    }
}

impl<const N: usize> Default for Cell<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_never_sees_half_a_publication() {
        let cell = Cell::<8>::new();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for round in 1..=200_000 {
                    cell.publish(&[round; 8]);
                }
            });
            let mut last = 0;
            while !writer.is_finished() {
                let terms = cell.read();
                assert_eq!(terms, [terms[0]; 8]);
                assert!(terms[0] >= last);
                last = terms[0];
            }
        });
        assert_eq!(cell.read(), [200_000; 8]);
    }
}
