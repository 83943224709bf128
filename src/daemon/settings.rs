//! The configuration in each room's own terms.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cache;
use crate::config::Config;
use crate::config::TemplateScope;
use crate::daemon::exporters;
use crate::flow::PlanSettings;
use crate::flowlog::Definition;
use crate::flowlog::Inactive;
use crate::flowlog::Route;
use crate::logstore;
use crate::session;

/// What one of several lanes may keep of exporters.
pub(super) fn sessions(config: &Config, lanes: usize) -> session::Limits {
    let limits = config.exporters.limits;
    session::Limits {
        // One lane may get nearly all exporters: only octets are divided.
        probation_max: share(limits.probation_max, lanes),
        domains_max: share(limits.domains_max, lanes),
        definition_bytes_max: share(limits.definition_bytes_max, lanes),
        orphan_bytes_max: share(limits.orphan_bytes_max, lanes),
        ..limits
    }
}

/// Whose Templates a Data Set may use.
pub(super) fn template_scope(config: &Config) -> session::ScopeMode {
    match config.exporters.template_scope {
        TemplateScope::Strict => session::ScopeMode::Strict,
        TemplateScope::Fallback => session::ScopeMode::Fallback,
        TemplateScope::IpOnly => session::ScopeMode::IpOnly,
    }
}

/// What Templates are compiled for.
pub(super) fn plan(definition: &Definition) -> PlanSettings {
    let logs = definition.flow_logs.iter();
    let mut wanted: Vec<_> = logs.flat_map(|log| log.extra.iter().copied()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    PlanSettings { wanted }
}

/// One lane's part of the flow cache.
pub(super) fn cache(config: &Config, lanes: usize) -> cache::Settings {
    cache::Settings {
        max_flows: share(config.cache.flows_max, lanes),
        source_share_percent: config.cache.exporter_share_percent,
        linger_ms: milliseconds(config.cache.linger),
        sources_max: config.exporters.limits.sources_max,
        odometers_max: share(config.cache.odometers_max, lanes),
        detail_bytes_max: share(config.cache.detail_bytes_max, lanes),
        ..cache::Settings::default()
    }
}

/// When the flows of a route leave the cache.
pub(super) fn timers(route: &Route) -> cache::RouteTimers {
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

/// The embedded log store below the state directory, unless it has its own.
pub(super) fn log_store(config: &Config, dir: PathBuf, budget: u64) -> logstore::Settings {
    let store = &config.logstore;
    let mut settings = logstore::Settings::new(dir);
    settings.tail_age = store.tail_age;
    settings.tail_bytes = store.tail_bytes;
    settings.retention = store.retention;
    settings.disk_budget = budget;
    settings.query.running_max = store.query.concurrent_max;
    settings.query.memory_max = store.query.memory_bytes;
    settings
}

/// How much the metrics say of exporters.
pub(super) fn exporters(config: &Config) -> exporters::Settings {
    exporters::Settings {
        named_max: config.http.exporter_labels_max,
        silent_after: config.exporters.silent_after,
    }
}

/// The log store's own directory in a daemon's state directory.
pub fn log_store_directory(state: &Path) -> PathBuf {
    state.join("logstore")
}

/// Octets the log store may take on disk, and why so many.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DiskBudget {
    /// Octets.
    pub bytes: u64,
    /// Who decided, for a person.
    pub reason: String,
}

impl DiskBudget {
    /// The configured one; else the default for the `room` there is.
    pub(super) fn new(configured: Option<u64>, room: impl FnOnce() -> io::Result<u64>) -> Self {
        if let Some(bytes) = configured {
            let reason = "as configured".to_owned();
            return Self { bytes, reason };
        }
        let (room, reason) = match room() {
            Ok(room) => {
                let reason = format!("by default, of {} MiB free or in use by it", room >> 20);
                (room, reason)
            }
            Err(error) => {
                let reason = format!("by default; the free space cannot be told: {error}");
                (u64::MAX, reason)
            }
        };
        let bytes = logstore::default_budget(room);
        Self { bytes, reason }
    }
}

/// What a question may cost.
pub(super) fn query_limits(config: &Config) -> logstore::Limits {
    logstore::Limits {
        rows_max: config.logstore.query.rows_max,
        time_max: config.logstore.query.timeout,
    }
}

fn share(total: usize, lanes: usize) -> usize {
    total.div_ceil(lanes.max(1))
}

fn milliseconds(period: Duration) -> u64 {
    u64::try_from(period.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(configured: Option<u64>, room: u64) -> (u64, String) {
        let budget = DiskBudget::new(configured, || Ok(room));
        (budget.bytes, budget.reason)
    }

    #[test]
    fn an_explicit_budget_means_what_it_says() {
        let large = 1 << 50;
        assert_eq!(budget(Some(large), 1), (large, "as configured".to_owned()));
    }

    #[test]
    fn the_default_budget_is_half_of_what_there_is_up_to_10_gib() {
        let reason = "by default, of 3072 MiB free or in use by it".to_owned();
        assert_eq!(budget(None, 3 << 30), (1536 << 20, reason));
        assert_eq!(budget(None, 1 << 50).0, 10 << 30);
    }

    #[test]
    fn space_that_cannot_be_told_is_taken_to_be_enough() {
        let budget = DiskBudget::new(None, || Err(io::ErrorKind::PermissionDenied.into()));
        let reason = "by default; the free space cannot be told: permission denied";
        assert_eq!((budget.bytes, budget.reason.as_str()), (10 << 30, reason));
    }
}
