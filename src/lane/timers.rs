//! From a flow log's timers to those of the cache.

use std::time::Duration;

use crate::cache;
use crate::flowlog::Inactive;
use crate::flowlog::Route;

/// When the flows of a route leave the cache.
pub(super) fn of(route: &Route) -> cache::RouteTimers {
    let log = &route.flow_log;
    let inactive = match log.timers.inactive() {
        Inactive::Fixed(period) => cache::Inactive::Fixed(milliseconds(period)),
        Inactive::Auto(floor) => cache::Inactive::Auto {
            floor_ms: milliseconds(floor),
        },
    };
    cache::RouteTimers {
        timers: cache::Timers {
            active_ms: milliseconds(log.timers.active()),
            inactive,
        },
        kind: log.cache,
    }
}

fn milliseconds(period: Duration) -> u64 {
    u64::try_from(period.as_millis()).unwrap_or(u64::MAX)
}
