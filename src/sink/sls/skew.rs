//! How far our clock is from the service's.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

/// What to add to our clock to get the service's, in seconds.
///
/// Learned from every answer (`x-log-time`, else `Date`) and applied when
/// signing, which the service refuses beyond 15 minutes. Shared by all requests
/// to an endpoint. Differences within [`Skew::TOLERANCE_S`] are the network's
/// and count as none. Rows keep the times they have.
#[derive(Debug, Default)]
pub struct Skew(AtomicI64);

impl Skew {
    /// The difference that is not worth correcting, in seconds.
    pub const TOLERANCE_S: u64 = 30;

    /// Takes the service's time of an answer; both are seconds since 1970.
    pub fn learn(&self, server_unix_s: u64, our_unix_s: u64) {
        let apart = difference(server_unix_s, our_unix_s);
        let is_worth_it = apart.unsigned_abs() > Self::TOLERANCE_S;
        self.0
            .store(if is_worth_it { apart } else { 0 }, Ordering::Relaxed);
    }

    /// The service's time when ours is `our_unix_s`.
    pub fn corrected(&self, our_unix_s: u64) -> u64 {
        our_unix_s.saturating_add_signed(self.seconds())
    }

    /// What is added to our clock, in seconds.
    pub fn seconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn difference(left: u64, right: u64) -> i64 {
    let apart = i64::try_from(left.abs_diff(right)).unwrap_or(i64::MAX);
    if left < right { -apart } else { apart }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_795_262_400;

    #[test]
    fn a_clock_twenty_minutes_off_is_corrected_either_way() {
        let skew = Skew::default();
        skew.learn(NOON + 1200, NOON);
        assert_eq!(skew.corrected(NOON + 5), NOON + 1205);
        skew.learn(NOON - 1200, NOON);
        assert_eq!(skew.corrected(NOON + 5), NOON - 1195);
    }

    #[test]
    fn a_clock_that_was_put_right_is_trusted_again() {
        let skew = Skew::default();
        skew.learn(NOON + 1200, NOON);
        skew.learn(NOON + 1201, NOON + 1201);
        assert_eq!(skew.seconds(), 0);
    }

    #[test]
    fn the_networks_delay_is_no_skew() {
        let skew = Skew::default();
        skew.learn(NOON + 30, NOON);
        assert_eq!(skew.seconds(), 0);
        skew.learn(NOON + 31, NOON);
        assert_eq!(skew.seconds(), 31);
    }

    #[test]
    fn absurd_times_stay_within_the_number() {
        let skew = Skew::default();
        skew.learn(u64::MAX, 0);
        assert_eq!(skew.corrected(u64::MAX), u64::MAX);
        skew.learn(0, u64::MAX);
        assert_eq!(skew.corrected(5), 0);
    }
}
