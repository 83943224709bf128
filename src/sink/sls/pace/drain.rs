//! A bound on the rate at which a backlog is sent.

use std::time::Duration;

/// A bucket of octets that fills at a rate: what is owed after an outage must
/// neither delay fresh rows nor run into the quota that made it grow.
///
/// Holds one second's worth. A request larger than that is let through by a
/// full bucket and owed for afterwards, so that the rate holds on average.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    octets_per_s: u64,
    /// What may be sent; below zero while a large request is being paid for.
    balance: i128,
    filled_at: Duration,
}

impl Drain {
    /// A full bucket; a rate of 0 counts as 1 octet a second.
    pub fn new(octets_per_s: u64, now: Duration) -> Self {
        let octets_per_s = octets_per_s.max(1);
        Self {
            octets_per_s,
            balance: Self::scaled(octets_per_s),
            filled_at: now,
        }
    }

    /// Takes a request's octets.
    ///
    /// # Errors
    /// When there are not enough: the time at which there will be.
    pub fn take(&mut self, octets: u64, now: Duration) -> Result<(), Duration> {
        self.fill(now);
        let wanted = Self::scaled(octets.min(self.octets_per_s));
        let missing = wanted.saturating_sub(self.balance);
        if missing > 0 {
            let rate = i128::from(self.octets_per_s);
            let nanoseconds = (missing + rate - 1) / rate;
            let wait = u64::try_from(nanoseconds).unwrap_or(u64::MAX);
            return Err(now.saturating_add(Duration::from_nanos(wait)));
        }
        self.balance -= Self::scaled(octets);
        Ok(())
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled_at);
        let nanoseconds = i128::try_from(passed.as_nanos()).unwrap_or(i128::MAX);
        let gained = nanoseconds.saturating_mul(i128::from(self.octets_per_s));
        let full = Self::scaled(self.octets_per_s);
        self.balance = self.balance.saturating_add(gained).min(full);
        self.filled_at = self.filled_at.max(now);
    }

    /// Octets in billionths, so that a nanosecond's worth is a whole number.
    fn scaled(octets: u64) -> i128 {
        i128::from(octets) * 1_000_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    /// Sends requests of a size for a minute and says how many octets went.
    fn sent_in_a_minute(rate: u64, size: u64) -> u64 {
        let mut drain = Drain::new(rate, START);
        let (mut now, mut sent) = (START, 0);
        while now < START + Duration::from_secs(60) {
            match drain.take(size, now) {
                Ok(()) => sent += size,
                Err(at) => {
                    assert!(at > now, "waiting must get somewhere");
                    now = at;
                }
            }
        }
        sent
    }

    #[test]
    fn a_backlog_drains_at_its_rate() {
        // One second's worth at first, then the rate until 100 ms before the end.
        assert_eq!(sent_in_a_minute(1_000_000, 100_000), 60_900_000);
        // Larger than the bucket: one every three seconds, from the first moment on.
        assert_eq!(sent_in_a_minute(1_000_000, 3_000_000), 60_000_000);
    }

    #[test]
    fn the_time_named_is_enough() {
        let mut drain = Drain::new(7, START);
        assert_eq!(drain.take(7, START), Ok(()));
        let Err(at) = drain.take(3, START) else {
            panic!("an empty bucket gave");
        };
        assert_eq!(at, START + Duration::from_nanos(428_571_429));
        assert_eq!(drain.take(3, at), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut drain = Drain::new(10, START);
        assert_eq!(drain.take(10, START), Ok(()));
        assert!(drain.take(10, Duration::ZERO).is_err());
        assert!(drain.take(10, START + Duration::from_millis(999)).is_err());
        assert_eq!(drain.take(10, START + Duration::from_secs(1)), Ok(()));
    }
}
