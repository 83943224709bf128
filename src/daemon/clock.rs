//! The two clocks, asked here and nowhere else.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::session::Arrival;

/// Milliseconds that never go back.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic(Instant);

/// The first time there is: 0 can mean "never", and what flows of an earlier
/// run did up to 49 days ago has a time, too.
const START_MS: u64 = 1 << 32;

impl Monotonic {
    /// Starts counting now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start, and those before.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).map_or(u64::MAX, |ms| START_MS + ms)
    }
}

/// Milliseconds since 1970; 0 before.
pub(super) fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}

/// Both clocks at once.
pub(super) fn now(monotonic: &Monotonic) -> Arrival {
    Arrival {
        monotonic_ms: monotonic.now_ms(),
        unix_ms: unix_ms(),
    }
}
