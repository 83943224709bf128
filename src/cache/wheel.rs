//! One lazy single-level timing wheel (P-663).

use super::entry::NIL;
use super::slab::Slab;

/// Buckets; at 100 ms a tick they reach 409 s ahead. What is due later waits in
/// the last one and is linked again.
const BUCKETS: u64 = 4096;
const WORDS: usize = 64;

/// Slots by the tick at which to look at them, never later than they are due.
///
/// The links are in the entries. A slot is in exactly one bucket.
#[derive(Debug)]
pub(super) struct Wheel {
    /// First slot of each bucket.
    heads: Vec<u32>,
    /// One bit for each bucket that is not empty.
    used: [u64; WORDS],
    /// The earliest tick that may have a bucket; bucket = tick modulo size.
    cursor: u64,
}

impl Wheel {
    /// An empty wheel at tick 0.
    pub(super) fn new() -> Self {
        Self {
            heads: vec![NIL; 64 * WORDS],
            used: [0; WORDS],
            cursor: 0,
        }
    }

    /// Puts a slot into the bucket of `tick`, or the nearest there is.
    pub(super) fn link(&mut self, slab: &mut Slab, slot: u32, tick: u64) {
        let bucket = bucket_of(tick.clamp(self.cursor, self.cursor + BUCKETS - 1));
        let Some(head) = self.heads.get_mut(bucket) else {
            return;
        };
        let next = std::mem::replace(head, slot);
        if let Some(entry) = slab.get_mut(slot) {
            entry.head(bucket, next);
        }
        match slab.get_mut(next) {
            Some(entry) => entry.prev = slot,
            None => self.mark(bucket, true),
        }
    }

    /// Takes a linked slot out of its bucket.
    pub(super) fn unlink(&mut self, slab: &mut Slab, slot: u32) {
        let Some(entry) = slab.get(slot) else {
            return;
        };
        let (prev, next, heads) = (entry.prev, entry.next, entry.heads());
        match heads {
            Some(bucket) => {
                if let Some(head) = self.heads.get_mut(bucket) {
                    *head = next;
                }
                if next == NIL {
                    self.mark(bucket, false);
                }
            }
            None => {
                if let Some(before) = slab.get_mut(prev) {
                    before.next = next;
                }
            }
        }
        if let Some(after) = slab.get_mut(next) {
            after.prev = prev;
        }
    }

    /// Moves a linked slot to another tick.
    pub(super) fn relink(&mut self, slab: &mut Slab, slot: u32, tick: u64) {
        self.unlink(slab, slot);
        self.link(slab, slot, tick);
    }

    /// The earliest bucket's tick and first slot.
    pub(super) fn first(&self) -> Option<(u64, u32)> {
        let start = bucket_of(self.cursor);
        let (word, bit) = (start / 64, start % 64);
        for step in 0..=WORDS {
            let at = (word + step) % WORDS;
            let mut bits = self.used.get(at).copied()?;
            if step == 0 {
                bits &= u64::MAX << bit;
            } else if step == WORDS {
                bits &= !(u64::MAX << bit);
            }
            if bits != 0 {
                let bucket = at * 64 + bits.trailing_zeros() as usize;
                let ahead = (bucket as u64).wrapping_sub(self.cursor) % BUCKETS;
                return Some((self.cursor + ahead, self.heads.get(bucket).copied()?));
            }
        }
        None
    }

    /// The first slot of the earliest bucket up to `tick`, which the cursor
    /// follows; past `tick` when there is none.
    pub(super) fn due(&mut self, tick: u64) -> Option<u32> {
        match self.first().filter(|&(at, _)| at <= tick) {
            Some((at, slot)) => {
                self.cursor = at;
                Some(slot)
            }
            None => {
                self.cursor = self.cursor.max(tick + 1);
                None
            }
        }
    }

    /// Lets time pass without looking at slots, by at most as much as keeps all
    /// of them due at `tick`.
    ///
    /// After more than a turn of silence every bucket is due; which of the turns
    /// it belonged to no longer matters.
    pub(super) fn skip(&mut self, tick: u64) {
        self.cursor = self.cursor.max((tick + 1).saturating_sub(BUCKETS));
    }

    /// Moves an empty wheel to `tick`.
    pub(super) fn start(&mut self, tick: u64) {
        self.cursor = self.cursor.max(tick);
    }

    fn mark(&mut self, bucket: usize, used: bool) {
        if let Some(word) = self.used.get_mut(bucket / 64) {
            let bit = 1 << (bucket % 64);
            *word = if used { *word | bit } else { *word & !bit };
        }
    }

    /// Walks every bucket: (tick, slot). For the checks of tests.
    #[cfg(test)]
    pub(super) fn slots(&self, slab: &Slab) -> Vec<(u64, u32)> {
        let mut all = Vec::new();
        for (bucket, &head) in self.heads.iter().enumerate() {
            let tick = self.cursor + (bucket as u64).wrapping_sub(self.cursor) % BUCKETS;
            assert_eq!(
                self.used[bucket / 64] >> (bucket % 64) & 1 == 1,
                head != NIL
            );
            let (mut slot, mut before) = (head, None);
            while let Some(entry) = slab.get(slot) {
                assert!(!entry.is_free(), "a free slot is linked");
                match before {
                    None => assert_eq!(entry.heads(), Some(bucket)),
                    Some(before) => assert_eq!(entry.prev, before),
                }
                all.push((tick, slot));
                before = Some(slot);
                slot = entry.next;
            }
        }
        all
    }
}

fn bucket_of(tick: u64) -> usize {
    usize::try_from(tick % BUCKETS).unwrap_or(0)
}
