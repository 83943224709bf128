//! Keeps what repeats from filling the log.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

/// Lets each kind of event through a few times per window.
///
/// Keys are for instance an exporter and a cause. Time is an argument, in
/// milliseconds of any monotonic clock. When there are too many keys at once,
/// the further ones share one allowance.
#[derive(Debug)]
pub struct RateLimit<K> {
    windows: HashMap<K, Window, RandomState>,
    others: Window,
    keys_max: usize,
}

impl<K: Eq + Hash> RateLimit<K> {
    /// Events per key that pass in one window.
    pub const BURST: u32 = 3;

    /// Length of a window; it begins with a key's first event.
    pub const WINDOW_MS: u64 = 60_000;

    /// A limit that tells at most so many keys apart.
    pub fn new(keys_max: usize) -> Self {
        Self {
            windows: HashMap::default(),
            others: Window::default(),
            keys_max,
        }
    }

    /// Whether an event may be logged now, and how many before it were not.
    ///
    /// `None` if it is to be suppressed. The number is of events of the same
    /// key; 0 unless a window with suppressed ones has just ended.
    pub fn admit(&mut self, key: K, now_ms: u64) -> Option<u64> {
        let is_full = self.windows.len() >= self.keys_max;
        let window = match self.windows.get_mut(&key) {
            Some(window) => window,
            None if is_full => &mut self.others,
            None => self.windows.entry(key).or_default(),
        };
        window.admit(Self::BURST, Self::WINDOW_MS, now_ms)
    }

    /// Forgets keys whose window is over; to be called now and then.
    ///
    /// Reports each that had events suppressed, with their number; `None`
    /// stands for the keys there was no room for.
    pub fn settle(&mut self, now_ms: u64, mut report: impl FnMut(Option<&K>, u64)) {
        self.windows.retain(|key, window| {
            let is_over = window.is_over(Self::WINDOW_MS, now_ms);
            if is_over && window.suppressed > 0 {
                report(Some(key), window.suppressed);
            }
            !is_over
        });
        if self.others.is_over(Self::WINDOW_MS, now_ms) {
            if self.others.suppressed > 0 {
                report(None, self.others.suppressed);
            }
            self.others = Window::default();
        }
    }
}

/// What happened since a window began.
#[derive(Debug, Default)]
struct Window {
    began_ms: u64,
    passed: u32,
    suppressed: u64,
}

impl Window {
    fn admit(&mut self, burst: u32, length_ms: u64, now_ms: u64) -> Option<u64> {
        if self.passed == 0 || self.is_over(length_ms, now_ms) {
            let before = self.suppressed;
            *self = Self {
                began_ms: now_ms,
                passed: 1,
                suppressed: 0,
            };
            return Some(before);
        }
        if self.passed < burst {
            self.passed += 1;
            return Some(0);
        }
        self.suppressed += 1;
        None
    }

    fn is_over(&self, length_ms: u64, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.began_ms) >= length_ms
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW_MS: u64 = RateLimit::<()>::WINDOW_MS;

    fn settled<K: Clone + Eq + Hash>(
        limit: &mut RateLimit<K>,
        now_ms: u64,
    ) -> Vec<(Option<K>, u64)> {
        let mut reports = Vec::new();
        limit.settle(now_ms, |key, count| reports.push((key.cloned(), count)));
        reports
    }

    #[test]
    fn three_pass_and_the_next_window_tells_how_many_did_not() {
        let mut limit = RateLimit::new(8);
        let passed: Vec<_> = (0..10).map(|now_ms| limit.admit("a", now_ms)).collect();
        assert_eq!(passed[..3], [Some(0); 3]);
        assert_eq!(passed[3..], [None; 7]);
        assert_eq!(limit.admit("a", WINDOW_MS - 1), None);
        assert_eq!(limit.admit("a", WINDOW_MS), Some(8));
        assert_eq!(limit.admit("a", WINDOW_MS), Some(0));
    }

    #[test]
    fn keys_do_not_disturb_each_other() {
        let mut limit = RateLimit::new(8);
        for _ in 0..9 {
            limit.admit("loud", 5);
        }
        assert_eq!(limit.admit("quiet", 5), Some(0));
    }

    #[test]
    fn keys_without_room_share_one_allowance() {
        let mut limit = RateLimit::new(2);
        let passed = (0..1_000)
            .filter(|&key| limit.admit(key, 0).is_some())
            .count();
        assert_eq!(passed, 2 + 3);
        assert_eq!(limit.windows.len(), 2);
        assert_eq!(settled(&mut limit, WINDOW_MS), [(None, 995)]);
        assert_eq!(limit.admit(7, WINDOW_MS), Some(0));
    }

    #[test]
    fn what_was_suppressed_is_told_even_if_it_never_happens_again() {
        let mut limit = RateLimit::new(8);
        for _ in 0..5 {
            limit.admit("a", 10);
        }
        limit.admit("b", 10);
        assert_eq!(settled(&mut limit, WINDOW_MS), []);
        assert_eq!(settled(&mut limit, WINDOW_MS + 10), [(Some("a"), 2)]);
        assert_eq!(settled(&mut limit, WINDOW_MS + 10), []);
        assert!(limit.windows.is_empty());
    }

    proptest! {
        /// Every event is let through, told of, or still counted.
        #[test]
        fn nothing_is_lost_and_memory_is_bounded(
            steps in prop::collection::vec((0_u8..20, 0_u64..30_000, any::<bool>()), 0..400),
        ) {
            let mut limit = RateLimit::new(5);
            let (mut now_ms, mut seen, mut accounted) = (0, 0, 0);
            for (key, later_ms, settle) in steps {
                now_ms += later_ms;
                seen += 1;
                if let Some(before) = limit.admit(key, now_ms) {
                    accounted += 1 + before;
                }
                if settle {
                    limit.settle(now_ms, |_, count| accounted += count);
                }
                prop_assert!(limit.windows.len() <= 5);
            }
            limit.settle(now_ms + WINDOW_MS, |_, count| accounted += count);
            prop_assert_eq!(seen, accounted);
        }
    }
}
