//! The configuration in each room's own terms.

use std::path::Path;
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
pub(super) fn log_store(config: &Config, state: &Path) -> logstore::Settings {
    let store = &config.logstore;
    let dir = store.dir.clone();
    let mut settings = logstore::Settings::new(dir.unwrap_or_else(|| state.join("logstore")));
    settings.tail_age = store.tail_age;
    settings.tail_bytes = store.tail_bytes;
    settings.retention = store.retention;
    settings.query.running_max = store.query.concurrent_max;
    settings.query.memory_max = store.query.memory_bytes;
    if let Some(budget) = store.disk_budget {
        settings.disk_budget = budget;
    }
    settings
}

/// How much the metrics say of exporters.
pub(super) fn exporters(config: &Config) -> exporters::Settings {
    exporters::Settings {
        named_max: config.http.exporter_labels_max,
        silent_after: config.exporters.silent_after,
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
