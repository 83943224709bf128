//! When what is sent: a number of records, or a time, evenly or flat out.

use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

use crate::listen::SEND_MAX;

/// A clock that started with the sending.
pub(super) trait Clock {
    /// Time since the start.
    fn elapsed(&self) -> Duration;
    /// Returns once so much time has gone by since the start; at once if it has.
    fn wait_until(&mut self, elapsed: Duration);
}

/// The clock on the wall.
pub(super) struct Wall(pub(super) Instant);

impl Clock for Wall {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait_until(&mut self, elapsed: Duration) {
        thread::sleep(elapsed.saturating_sub(self.0.elapsed()));
    }
}

/// A clock that goes on when it is waited for: a capture is written ahead of its time.
#[derive(Default)]
pub(super) struct Ahead(Duration);

impl Clock for Ahead {
    fn elapsed(&self) -> Duration {
        self.0
    }

    fn wait_until(&mut self, elapsed: Duration) {
        self.0 = self.0.max(elapsed);
    }
}

/// How much and how fast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Records in all.
    pub(super) records: Option<u64>,
    /// How long at most.
    pub(super) time: Option<Duration>,
    /// Records a second; else as fast as they go.
    pub(super) rate: Option<NonZeroU64>,
}

impl Pace {
    /// Records that may still be sent after so many, at this time.
    pub(super) fn left(&self, sent: u64, elapsed: Duration) -> u64 {
        let is_over = self.time.is_some_and(|time| elapsed >= time);
        if is_over {
            return 0;
        }
        let in_time = self.time.zip(self.rate).map(|(time, rate)| {
            let records = u128::from(rate.get()) * time.as_nanos() / NANOS_PER_SEC;
            u64::try_from(records).unwrap_or(u64::MAX)
        });
        let most = self.records.into_iter().chain(in_time).min();
        most.unwrap_or(u64::MAX).saturating_sub(sent)
    }

    /// When the record after so many is due; at once, flat out.
    ///
    /// Counted from the start: what comes late once is made up for.
    pub(super) fn due(&self, sent: u64) -> Duration {
        let Some(rate) = self.rate else {
            return Duration::ZERO;
        };
        let nanos = u128::from(sent) * NANOS_PER_SEC / u128::from(rate.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Full datagrams to send at once: those of [`BURST_MS`], or all that one call takes.
    pub(super) fn burst(&self, records_max: u32) -> usize {
        let Some(rate) = self.rate else {
            return SEND_MAX;
        };
        let records = rate.get().saturating_mul(BURST_MS) / 1_000;
        let datagrams = records / u64::from(records_max.max(1));
        usize::try_from(datagrams).map_or(SEND_MAX, |datagrams| datagrams.clamp(1, SEND_MAX))
    }
}

/// What the kernel wakes up for in time, mostly.
const BURST_MS: u64 = 1;
const NANOS_PER_SEC: u128 = 1_000_000_000;
