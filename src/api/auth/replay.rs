//! Requests that were heard already.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use sha2::Digest;
use sha2::Sha256;

/// The nonces of believed requests, kept while they could be repeated.
///
/// A nonce is forgotten as soon as a repeated request would be refused for its
/// time, and never sooner: a key that has spent its share is throttled until
/// nonces of its own run out. To let go of the oldest instead would open the
/// door to a repetition of it.
///
/// Only requests whose signature is good get here, so that nobody without a key
/// can fill the table; the share is per key, so that no key can shut out
/// another. There are no more keys in it than credentials were configured, and
/// a nonce takes some 60 octets whatever its length.
///
/// It lives in memory: what was heard before a restart is not known after it.
#[derive(Debug)]
pub struct Replays {
    nonces_max: usize,
    heard: HashMap<String, Heard, RandomState>,
}

impl Replays {
    /// Nonces of one key at a time: over 100 requests a second for 15 minutes.
    pub const NONCES_MAX: usize = 100_000;

    /// None heard yet; `nonces_max` are kept for each key.
    pub fn new(nonces_max: usize) -> Self {
        Self {
            nonces_max,
            heard: HashMap::default(),
        }
    }

    /// Nonces kept, of all keys.
    pub fn len(&self) -> usize {
        self.heard.values().map(|heard| heard.nonces.len()).sum()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes note of a nonce that could be repeated until `end_s`, inclusive.
    ///
    /// Both times count in seconds since 1970.
    ///
    /// # Errors
    /// It was heard before, or the key has no room for another.
    pub(super) fn note(
        &mut self,
        key_id: &str,
        nonce: Nonce,
        end_s: i64,
        now_s: i64,
    ) -> Result<(), Refused> {
        let heard = match self.heard.get_mut(key_id) {
            Some(heard) => heard,
            None => self.heard.entry(key_id.to_owned()).or_default(),
        };
        heard.forget(now_s);
        if heard.nonces.contains(&nonce) {
            return Err(Refused::Used);
        }
        if heard.nonces.len() >= self.nonces_max {
            return Err(Refused::Full);
        }
        heard.nonces.insert(nonce);
        heard.ends.push(Reverse((end_s, nonce)));
        Ok(())
    }
}

impl Default for Replays {
    fn default() -> Self {
        Self::new(Self::NONCES_MAX)
    }
}

/// What was heard of one key; the same nonces in both.
#[derive(Debug, Default)]
struct Heard {
    nonces: HashSet<Nonce, RandomState>,
    /// The first to be forgotten on top.
    ends: BinaryHeap<Reverse<(i64, Nonce)>>,
}

impl Heard {
    fn forget(&mut self, now_s: i64) {
        while let Some(&Reverse((end_s, nonce))) = self.ends.peek()
            && end_s < now_s
        {
            self.ends.pop();
            self.nonces.remove(&nonce);
        }
    }
}

/// Why a nonce was not taken note of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    /// It was heard before.
    Used,
    /// The key has no room for another.
    Full,
}

/// What makes a request the only one of its key: a digest, so that a long
/// nonce takes no more room than a short one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Nonce([u8; 16]);

impl Nonce {
    /// The nonce of these texts in this order.
    pub(super) fn new(texts: &[&str]) -> Self {
        let mut digest = Sha256::new();
        for text in texts {
            // The length keeps apart what stands side by side.
            digest.update(text.len().to_be_bytes());
            digest.update(text.as_bytes());
        }
        let octets: [u8; 32] = digest.finalize().into();
        let (half, _) = octets.as_chunks::<16>();
        Self(half.first().copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn nonce(number: u8) -> Nonce {
        Nonce::new(&[&number.to_string()])
    }

    #[test]
    fn a_nonce_is_good_once_until_its_end() {
        let mut replays = Replays::default();
        assert!(replays.is_empty());
        assert_eq!(replays.note("key", nonce(1), 10, 0), Ok(()));
        assert_eq!(replays.note("key", nonce(1), 20, 10), Err(Refused::Used));
        assert_eq!(replays.note("other", nonce(1), 10, 0), Ok(()));
        assert_eq!(replays.len(), 2);
        assert_eq!(replays.note("key", nonce(1), 20, 11), Ok(()));
        assert_eq!(replays.len(), 2);
    }

    #[test]
    fn a_full_key_is_throttled_alone_until_time_passes() {
        let mut replays = Replays::new(2);
        assert_eq!(replays.note("key", nonce(1), 10, 0), Ok(()));
        assert_eq!(replays.note("key", nonce(2), 5, 0), Ok(()));
        assert_eq!(replays.note("key", nonce(3), 9, 5), Err(Refused::Full));
        assert_eq!(replays.note("key", nonce(1), 9, 5), Err(Refused::Used));
        assert_eq!(replays.note("other", nonce(3), 9, 5), Ok(()));
        // The second ends first.
        assert_eq!(replays.note("key", nonce(3), 9, 6), Ok(()));
        assert_eq!(replays.note("key", nonce(1), 9, 6), Err(Refused::Used));
    }

    #[test]
    fn a_nonce_knows_where_its_texts_end() {
        assert_ne!(Nonce::new(&["ab", "c"]), Nonce::new(&["a", "bc"]));
        assert_ne!(Nonce::new(&["a"]), Nonce::new(&["a", ""]));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_model(
            max in 1_usize..6,
            steps in prop::collection::vec((0_u8..3, 0_u8..8, 0_i64..12, 0_i64..4), 0..200),
        ) {
            let mut replays = Replays::new(max);
            let mut model: BTreeMap<(u8, u8), i64> = BTreeMap::new();
            let mut now_s = 1_000;
            for (key, number, hold_s, passed_s) in steps {
                now_s += passed_s;
                let end_s = now_s + hold_s;
                model.retain(|(other, _), end_s| *other != key || *end_s >= now_s);
                let kept = model.keys().filter(|(other, _)| *other == key).count();
                let is_used = model.contains_key(&(key, number));
                let expected = match (is_used, kept < max) {
                    (true, _) => Err(Refused::Used),
                    (false, false) => Err(Refused::Full),
                    (false, true) => Ok(()),
                };
                if expected.is_ok() {
                    model.insert((key, number), end_s);
                }
                let id = key.to_string();
                prop_assert_eq!(replays.note(&id, nonce(number), end_s, now_s), expected);
                prop_assert_eq!(replays.len(), model.len());
            }
        }
    }
}
