//! How many requests at a time: a little more on success, half as many on a quota.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Backoff;

/// What a finished request says about the load.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Feedback {
    /// Taken.
    Taken,
    /// Too much, by this limiter's quota.
    Throttled,
    /// The service is in trouble or nobody knows.
    Failed,
    /// It has nothing to do with load.
    Neither,
}

/// A limit of requests in flight: additive increase, multiplicative decrease.
///
/// A round is as many requests as the limit was when it began. The limit grows
/// by one when a round went well and is halved by a quota, or loses a fifth by
/// a failure, at most once a round: requests that left before the last decrease
/// say nothing new. Throttled at the least limit, it pauses with back-off.
#[derive(Clone, Debug)]
pub struct Aimd {
    bounds: RangeInclusive<u32>,
    limit: u32,
    in_flight: u32,
    /// Counts decreases.
    round: u64,
    /// Successes of this round.
    taken: u32,
    pauses: u32,
    paused_until: Duration,
    backoff: Backoff,
}

impl Aimd {
    /// A limiter that starts with the least; bounds below 1 count as 1.
    pub fn new(bounds: RangeInclusive<u32>, backoff: Backoff) -> Self {
        let least = (*bounds.start()).max(1);
        Self {
            bounds: least..=(*bounds.end()).max(least),
            limit: least,
            in_flight: 0,
            round: 0,
            taken: 0,
            pauses: 0,
            paused_until: Duration::ZERO,
            backoff,
        }
    }

    /// How many requests may be in flight.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// How many are.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Until when nothing may be sent; in the past when something may.
    pub fn paused_until(&self) -> Duration {
        self.paused_until
    }

    /// Whether one more request may be sent.
    pub fn has_room(&self, now: Duration) -> bool {
        self.in_flight < self.limit && now >= self.paused_until
    }

    /// Counts a request that is sent; to be given back to [`Aimd::finish`].
    pub(super) fn start(&mut self) -> u64 {
        self.in_flight = self.in_flight.saturating_add(1);
        self.round
    }

    /// Takes a request's end; `random` is any number.
    pub(super) fn finish(&mut self, round: u64, feedback: Feedback, now: Duration, random: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match feedback {
            Feedback::Taken => self.succeed(),
            Feedback::Throttled if round == self.round => self.shrink(1, 2, now, random),
            Feedback::Failed if round == self.round => self.shrink(4, 5, now, random),
            Feedback::Throttled | Feedback::Failed | Feedback::Neither => {}
        }
    }

    fn succeed(&mut self) {
        self.pauses = 0;
        self.taken = self.taken.saturating_add(1);
        if self.taken >= self.limit {
            self.taken = 0;
            self.limit = (self.limit + 1).min(*self.bounds.end());
        }
    }

    fn shrink(&mut self, numerator: u32, denominator: u32, now: Duration, random: u64) {
        let least = *self.bounds.start();
        if self.limit == least {
            self.pauses = self.pauses.saturating_add(1);
            self.paused_until = now + self.backoff.wait(self.pauses, random, None);
        }
        let wanted = u64::from(self.limit) * u64::from(numerator) / u64::from(denominator);
        self.limit = u32::try_from(wanted).unwrap_or(u32::MAX).max(least);
        self.round += 1;
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limiter(bounds: RangeInclusive<u32>) -> Aimd {
        Aimd::new(bounds, Backoff::default())
    }

    fn answer(limiter: &mut Aimd, feedback: Feedback) {
        let round = limiter.start();
        limiter.finish(round, feedback, Duration::ZERO, 0);
    }

    #[test]
    fn a_round_that_goes_well_adds_one() {
        let mut limiter = limiter(1..=8);
        let mut limits = Vec::new();
        for _ in 0..10 {
            answer(&mut limiter, Feedback::Taken);
            limits.push(limiter.limit());
        }
        assert_eq!(limits, [2, 2, 3, 3, 3, 4, 4, 4, 4, 5]);
    }

    #[test]
    fn a_quota_halves_once_for_all_that_were_in_flight() {
        let mut limiter = limiter(1..=64);
        for _ in 0..10_000 {
            answer(&mut limiter, Feedback::Taken);
        }
        assert_eq!(limiter.limit(), 64);
        let rounds: Vec<_> = (0..64).map(|_| limiter.start()).collect();
        for round in rounds {
            limiter.finish(round, Feedback::Throttled, Duration::ZERO, 0);
        }
        assert_eq!((limiter.limit(), limiter.in_flight()), (32, 0));
        answer(&mut limiter, Feedback::Failed);
        assert_eq!(limiter.limit(), 25);
        answer(&mut limiter, Feedback::Neither);
        assert_eq!(limiter.limit(), 25);
    }

    #[test]
    fn at_the_least_limit_time_is_what_gives() {
        let mut limiter = limiter(1..=4);
        answer(&mut limiter, Feedback::Throttled);
        assert_eq!(limiter.paused_until(), Backoff::default().least);
        assert!(!limiter.has_room(Duration::from_millis(99)));
        assert!(limiter.has_room(Backoff::default().least));
    }

    /// A service that takes ten at a time: the limit swings around that and
    /// most of what is sent is taken.
    #[test]
    fn a_shard_is_kept_busy_without_being_flooded() {
        const CAPACITY: u32 = 10;
        let mut limiter = limiter(1..=64);
        let (mut taken, mut refused, mut now) = (0_u32, 0_u32, Duration::ZERO);
        for _ in 0..1_000 {
            now = (now + Duration::from_millis(50)).max(limiter.paused_until());
            let mut rounds = Vec::new();
            while limiter.has_room(now) {
                rounds.push(limiter.start());
            }
            for (place, round) in (0..).zip(rounds) {
                let feedback = if place < CAPACITY {
                    taken += 1;
                    Feedback::Taken
                } else {
                    refused += 1;
                    Feedback::Throttled
                };
                limiter.finish(round, feedback, now, 0);
            }
        }
        assert!(taken > 7 * 1_000, "{taken} of 10 000");
        assert!(refused < taken / 20, "{refused} refused, {taken} taken");
    }

    proptest! {
        #[test]
        fn the_limit_stays_within_its_bounds(
            least in 0_u32..5, most in 0_u32..20,
            feedback in proptest::collection::vec(0_u8..4, 0..200),
        ) {
            let mut limiter = limiter(least..=most);
            for (place, feedback) in feedback.into_iter().enumerate() {
                let feedback = match feedback {
                    0 => Feedback::Throttled,
                    1 => Feedback::Failed,
                    2 => Feedback::Neither,
                    _ => Feedback::Taken,
                };
                let round = limiter.start();
                limiter.finish(round, feedback, Duration::from_secs(1), place as u64);
                prop_assert!(limiter.limit() >= least.max(1));
                prop_assert!(limiter.limit() <= most.max(least).max(1));
            }
            prop_assert_eq!(limiter.in_flight(), 0);
        }
    }
}
