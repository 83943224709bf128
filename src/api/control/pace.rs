//! How often a key may call, where the vendors say so (control-plane.md §2, §3).

use std::fmt;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::api::auth::control::Denial;

/// Calls of one action that a key may make in a period.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::api) struct Rate {
    pub(in crate::api) calls: u32,
    pub(in crate::api) period_ms: u64,
}

/// What each key has called lately.
///
/// Counted are believed requests for actions that there are, so that there are
/// no more counts than keys times actions. A period begins with its first call.
pub(super) struct Pace {
    periods: Mutex<HashMap<String, Period, RandomState>>,
}

#[derive(Clone, Copy, Debug)]
struct Period {
    began_ms: u64,
    calls: u32,
}

impl Pace {
    /// Nothing called yet.
    pub(super) fn new() -> Self {
        Self {
            periods: Mutex::default(),
        }
    }

    /// Counts a call of an action, `product:Action`. Milliseconds count since
    /// 1970.
    ///
    /// # Errors
    /// The key has called it as often as it may in the period, and this call
    /// does not count.
    pub(super) fn count(
        &self,
        key_id: &str,
        action: &str,
        rate: Rate,
        now_ms: u64,
    ) -> Result<(), Denial> {
        let mut periods = self.periods.lock().unwrap_or_else(PoisonError::into_inner);
        // No action has a space in it: two keys never share a count.
        let name = format!("{key_id} {action}");
        let fresh = Period {
            began_ms: now_ms,
            calls: 0,
        };
        let period = periods.entry(name).or_insert(fresh);
        // Also where the clock was put back.
        if period.began_ms.abs_diff(now_ms) >= rate.period_ms {
            *period = fresh;
        }
        if period.calls >= rate.calls {
            return Err(Denial::Throttled);
        }
        period.calls += 1;
        Ok(())
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        calls: 2,
        period_ms: 1_000,
    };

    #[test]
    fn a_key_calls_each_action_so_often_in_a_period() {
        let pace = Pace::new();
        let call = |key, action, now_ms| pace.count(key, action, RATE, now_ms);
        assert_eq!(call("a", "p:X", 5_000), Ok(()));
        assert_eq!(call("a", "p:X", 5_999), Ok(()));
        for _again in 0..3 {
            assert_eq!(call("a", "p:X", 5_999), Err(Denial::Throttled));
        }
        // Neither another action nor another key waits.
        assert_eq!(call("a", "p:Y", 5_999), Ok(()));
        assert_eq!(call("b", "p:X", 5_999), Ok(()));
        // What was refused is not counted in the next period.
        assert_eq!(call("a", "p:X", 6_000), Ok(()));
        assert_eq!(call("a", "p:X", 6_001), Ok(()));
        assert_eq!(call("a", "p:X", 6_002), Err(Denial::Throttled));
    }

    #[test]
    fn a_clock_that_is_put_back_shuts_nobody_out() {
        let pace = Pace::new();
        let call = |now_ms| pace.count("a", "p:X", RATE, now_ms);
        assert_eq!([call(90_000), call(90_000)], [Ok(()), Ok(())]);
        assert_eq!(call(89_500), Err(Denial::Throttled));
        assert_eq!(call(89_000), Ok(()));
        assert_eq!(pace.periods.lock().unwrap().len(), 1);
    }
}
