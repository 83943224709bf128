//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential back-off with full jitter, which spreads senders best.
///
/// The n-th wait is random between `least` and the smaller of `first · 2ⁿ⁻¹`
/// and `longest`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    /// Lower bound of all waits: luck must not turn waiting into a hot loop.
    pub least: Duration,
    /// Upper bound of the first wait.
    pub first: Duration,
    /// Upper bound of all waits.
    pub longest: Duration,
}

impl Backoff {
    /// The longest wait a `Retry-After` may ask for.
    pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

    /// The wait after `failures` failures in a row; `random` is any number.
    ///
    /// `retry_after` is the service's own wish, kept unless it is shorter.
    pub fn wait(&self, failures: u32, random: u64, retry_after: Option<Duration>) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let bound = self.first.saturating_mul(1 << doublings).min(self.longest);
        let room = bound.saturating_sub(self.least);
        let room_ms = u64::try_from(room.as_millis()).unwrap_or(u64::MAX);
        let jitter = Duration::from_millis(random % room_ms.saturating_add(1));
        let wish = retry_after.unwrap_or_default().min(Self::RETRY_AFTER_MAX);
        (self.least + jitter).max(wish)
    }
}

impl Default for Backoff {
    /// 100 ms to 500 ms at first, to 30 s in the end: reliability.md row 12.
    fn default() -> Self {
        Self {
            least: Duration::from_millis(100),
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_grow_to_the_cap() {
        let backoff = Backoff::default();
        // The largest jitter: one less than the number of possible ones.
        let bound = |failures| {
            let waits = (0..40_000).map(|random| backoff.wait(failures, random, None));
            waits.max().unwrap()
        };
        assert_eq!(bound(1), Duration::from_millis(500));
        assert_eq!(bound(2), Duration::from_secs(1));
        assert_eq!(bound(6), Duration::from_secs(16));
        assert_eq!(bound(7), Duration::from_secs(30));
        assert_eq!(bound(u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn the_service_may_ask_for_more_but_not_for_ever() {
        let backoff = Backoff::default();
        let wait = |wish| backoff.wait(1, 0, Some(Duration::from_secs(wish)));
        assert_eq!(wait(0), Backoff::default().least);
        assert_eq!(wait(7), Duration::from_secs(7));
        assert_eq!(wait(86_400), Backoff::RETRY_AFTER_MAX);
    }

    proptest! {
        #[test]
        fn no_luck_makes_a_hot_loop(failures: u32, random: u64) {
            let wait = Backoff::default().wait(failures, random, None);
            prop_assert!(wait >= Backoff::default().least && wait <= Duration::from_secs(30));
        }
    }
}
