//! From a key's hash to its slot: open addressing in one array of words.

/// Hash and slot in one word: linear probing at a load of at most one half,
/// deletion by shifting back, so that it never fills with tombstones (P-661).
///
/// Sized once; pages nobody touched cost no memory.
#[derive(Debug)]
pub(super) struct Index {
    /// `hash << 32 | slot + 1`; 0 is empty.
    words: Vec<u64>,
    mask: usize,
    live: usize,
}

impl Index {
    /// Room for `capacity` slots.
    pub(super) fn new(capacity: usize) -> Self {
        let size = capacity.saturating_mul(2).next_power_of_two().max(4);
        Self {
            words: vec![0; size],
            mask: size - 1,
            live: 0,
        }
    }

    /// Slots in it.
    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// The first slot of this hash for which `is` holds.
    #[inline]
    pub(super) fn find(&self, hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        // At a load of one half there is an empty word.
        loop {
            let word = self.word(at);
            if word == 0 {
                return None;
            }
            if hash_of(word) == hash && is(slot_of(word)) {
                return Some(slot_of(word));
            }
            at = (at + 1) & self.mask;
        }
    }

    /// The slot most likely to be that of a hash.
    #[inline]
    pub(super) fn guess(&self, hash: u32) -> u32 {
        slot_of(self.word(self.home(hash)))
    }

    /// Adds a slot that is not in it.
    pub(super) fn insert(&mut self, hash: u32, slot: u32) {
        debug_assert!(self.live < self.words.len() / 2, "the index overflows");
        let mut at = self.home(hash);
        while self.word(at) != 0 {
            at = (at + 1) & self.mask;
        }
        self.set(at, u64::from(hash) << 32 | (u64::from(slot) + 1));
        self.live += 1;
    }

    /// Takes a slot out; does nothing if it is not in it.
    pub(super) fn remove(&mut self, hash: u32, slot: u32) {
        let word = u64::from(hash) << 32 | (u64::from(slot) + 1);
        let mut at = self.home(hash);
        for _ in 0..=self.mask {
            match self.word(at) {
                0 => return,
                found if found == word => {
                    self.close_gap(at);
                    self.live -= 1;
                    return;
                }
                _ => at = (at + 1) & self.mask,
            }
        }
    }

    /// Empties `gap` and moves back what probed past it. Knuth 6.4 R.
    fn close_gap(&mut self, mut gap: usize) {
        let mut at = gap;
        loop {
            at = (at + 1) & self.mask;
            let word = self.word(at);
            if word == 0 {
                break;
            }
            let home = self.home(hash_of(word));
            let probed = at.wrapping_sub(home) & self.mask;
            let moved = at.wrapping_sub(gap) & self.mask;
            if probed >= moved {
                self.set(gap, word);
                gap = at;
            }
        }
        self.set(gap, 0);
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & self.mask
    }

    fn word(&self, at: usize) -> u64 {
        self.words.get(at).copied().unwrap_or(0)
    }

    fn set(&mut self, at: usize, word: u64) {
        if let Some(place) = self.words.get_mut(at) {
            *place = word;
        }
    }
}

fn hash_of(word: u64) -> u32 {
    (word >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn slot_of(word: u64) -> u32 {
    (word as u32).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slots_of_one_hash_are_told_apart_by_the_caller() {
        let mut index = Index::new(4);
        index.insert(9, 0);
        index.insert(9, 1);
        assert_eq!(index.find(9, |slot| slot == 1), Some(1));
        assert_eq!(index.find(9, |slot| slot == 2), None);
        assert_eq!(index.find(8, |_| true), None);
    }

    #[test]
    fn a_removed_slot_leaves_no_gap_in_a_run_around_the_end() {
        let mut index = Index::new(4);
        for slot in 0..4 {
            index.insert(7, slot);
        }
        index.remove(7, 1);
        for slot in [0, 2, 3] {
            assert_eq!(index.find(7, |found| found == slot), Some(slot));
        }
        assert_eq!(index.find(7, |found| found == 1), None);
        assert_eq!(index.live(), 3);
    }

    proptest! {
        #[test]
        fn it_holds_what_a_set_holds(steps in prop::collection::vec((0_u32..6, 0_u32..16), 0..200)) {
            let mut index = Index::new(16);
            let mut model = BTreeSet::new();
            for (hash, slot) in steps {
                if model.remove(&(hash, slot)) {
                    index.remove(hash, slot);
                } else if model.len() < 16 {
                    model.insert((hash, slot));
                    index.insert(hash, slot);
                }
                prop_assert_eq!(index.live(), model.len());
                for hash in 0..6 {
                    for slot in 0..16 {
                        let found = index.find(hash, |found| found == slot).is_some();
                        prop_assert_eq!(found, model.contains(&(hash, slot)));
                    }
                }
            }
        }
    }
}
