//! The two clocks, asked here and nowhere else.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::session::Arrival;

/// Milliseconds since this value was made, never going back.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic(Instant);

impl Monotonic {
    /// Starts counting now, at 1, so that 0 can mean "never".
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start, plus 1.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).map_or(u64::MAX, |ms| ms + 1)
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
