//! The configuration in each room's own terms.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::api;
use crate::api::{Audience, CertificateFiles};
use crate::cache;
use crate::config;
use crate::config::Config;
use crate::config::DrainOrder;
use crate::config::PartCompression;
use crate::config::SamplingUse;
use crate::config::Sls;
use crate::config::TemplateScope;
use crate::config::WhenFull;
use crate::daemon::clock;
use crate::daemon::exporters;
use crate::daemon::ingest::Policy;
use crate::flow::PlanSettings;
use crate::flowlog::Definition;
use crate::journal;
use crate::lane::{SamplingPolicies, Vicinity};
use crate::listen::Own;
use crate::logstore;
use crate::session;
use crate::session::{SamplingPolicy, SamplingRate};
use crate::sink::Compression;
use crate::sink::ExportsSettings;
use crate::sink::sls::{Limits, Order, SenderSettings, ShardHash, Transport};

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

/// What so many lanes of a daemon that is reached there know of their neighbours.
pub(super) fn vicinity(config: &Config, own: &Arc<Own>, lanes: usize) -> Arc<Vicinity> {
    let silent_after = config.exporters.silent_after;
    Arc::new(Vicinity::new(Arc::clone(own), lanes, silent_after))
}

/// What is assumed of exporters' sampling.
pub(super) fn sampling(exporters: &config::Exporters) -> SamplingPolicies {
    let others = SamplingPolicy {
        factor_max: exporters.sampling_max,
        ..SamplingPolicy::default()
    };
    let policy = |known: &config::Sampling| {
        let rate = Some(SamplingRate {
            out_of: known.one_in,
            picked: 1,
        });
        match known.when {
            SamplingUse::Unknown => SamplingPolicy {
                default: rate,
                ..others
            },
            SamplingUse::Always => SamplingPolicy {
                overriding: rate,
                ..others
            },
        }
    };
    let known = exporters.sampling.iter();
    let known = known.map(|known| (known.exporter, policy(known)));
    SamplingPolicies::new(known.collect(), others)
}

/// The embedded log store below the state directory, unless it has its own.
pub(super) fn log_store(config: &Config, dir: PathBuf, budget: u64) -> logstore::Settings {
    let store = &config.logstore;
    let mut settings = logstore::Settings::new(dir);
    settings.tail_age = store.tail_age;
    settings.tail_bytes = store.tail_bytes;
    settings.compression = match store.compression {
        PartCompression::Zstd => logstore::Compression::Zstd,
        PartCompression::Lz4Raw => logstore::Compression::Lz4Raw,
    };
    settings.retention = store.retention;
    settings.disk_budget = budget;
    settings.query.running_max = store.query.concurrent_max;
    settings.query.memory_max = store.query.memory_bytes;
    settings
}

/// Where and how HTTP is served to programs of this host.
pub(super) fn http(config: &Config) -> api::Settings {
    let http = &config.http;
    api::Settings {
        address: http.address,
        audience: Audience::Host,
        body_bytes_max: http.body_bytes_max,
        timeout: http.timeout,
        header_timeout: http.header_timeout,
        connections_max: http.connections_max,
        listeners: 1 + u32::from(http.signed.is_some()),
        certificate: http.certificate.as_ref().map(certificate_files),
    }
}

/// The same to whoever can sign a request, if there is a listener for them.
pub(super) fn signed_http(config: &Config) -> Option<api::Settings> {
    let signed = config.http.signed.as_ref()?;
    Some(api::Settings {
        address: signed.address,
        audience: Audience::Signers,
        certificate: signed.certificate.as_ref().map(certificate_files),
        ..http(config)
    })
}

/// What an HTTP listener shows.
pub(super) fn certificate_files(files: &config::Certificate) -> CertificateFiles {
    CertificateFiles {
        certificate: files.certificate_file.clone(),
        key: files.key_file.clone(),
    }
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

/// The journal's own directory in a daemon's state directory.
pub fn journal_directory(state: &Path) -> PathBuf {
    state.join("journal")
}

/// The journal, numbered above the rows the log store has.
pub(super) fn journal(config: &Config, budget: &DiskBudget, first_seq: u64) -> journal::Settings {
    journal::Settings {
        quota_bytes: budget.journal_bytes,
        window_bytes: config.journal.memory_bytes,
        when_full: match config.journal.when_full {
            WhenFull::DropOldest => journal::WhenFull::DropOldestUnsent,
            WhenFull::DropNewest => journal::WhenFull::DropNewest,
        },
        first_seq,
        ..journal::Settings::default()
    }
}

/// How rows are sent to the cloud; dead letters stay beside the journal.
pub(super) fn sender(config: &Config, state: &Path) -> SenderSettings {
    let sls = &config.sls;
    SenderSettings {
        transport: transport(sls),
        compression: match sls.compression {
            config::Compression::None => Compression::None,
            config::Compression::Lz4 => Compression::Lz4,
            config::Compression::Zstd => Compression::Zstd,
        },
        limits: Limits::new(sls.batch_bytes, sls.batch_rows, milliseconds(sls.linger)),
        concurrency_max: sls.concurrent_max,
        memory_bytes: sls.memory_bytes,
        shard_hash: match sls.shard_hash {
            config::ShardHash::None => ShardHash::None,
            config::ShardHash::Exporter => ShardHash::Exporter,
        },
        order: match sls.order {
            DrainOrder::NewestFirst => Order::NewestFirst,
            DrainOrder::OldestFirst => Order::OldestFirst,
        },
        fresh_within: sls.fresh,
        drain_octets_per_s: sls.drain_bytes_per_s,
        create: sls.create,
        dead_letter_octets_max: sls.dead_letter_bytes,
        ..SenderSettings::new(journal_directory(state))
    }
}

/// How flows are re-exported by a daemon that is reached there.
pub(super) fn exports(config: &Config, own: &Arc<Own>) -> ExportsSettings {
    let netflow = &config.netflow;
    ExportsSettings {
        own: Arc::clone(own),
        reconnect: netflow.reconnect,
        collectors_max: netflow.collectors_max,
        queue_bytes_max: netflow.queue_bytes,
        templates_max: netflow.templates_max,
        samplers_max: netflow.samplers_max,
        started_ms: clock::unix_ms(),
    }
}

/// How endpoints are reached.
pub(super) fn transport(sls: &Sls) -> Transport {
    Transport {
        total_timeout: sls.timeout,
        proxy: sls.proxy.clone(),
        ca_file: sls.ca_file.clone(),
        ..Transport::default()
    }
}

/// Where the rows of routes go.
pub(super) fn policy(config: &Config) -> Policy {
    Policy {
        keep: config.logstore.keep,
        sls: config.sls.clone(),
    }
}

/// Octets the journal and the log store may take on disk, and why so many.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DiskBudget {
    /// Octets of the journal.
    pub journal_bytes: u64,
    /// Octets of the log store.
    pub store_bytes: u64,
    /// Who decided, for a person.
    pub reason: String,
}

impl DiskBudget {
    /// What is configured; of the rest, parts of the default for the `room`
    /// there is.
    pub(super) fn new(config: &Config, room: impl FnOnce() -> io::Result<u64>) -> Self {
        let (journal, store) = (config.journal.quota, config.logstore.disk_budget);
        if let (Some(journal_bytes), Some(store_bytes)) = (journal, store) {
            return Self {
                journal_bytes,
                store_bytes,
                reason: "as configured".to_owned(),
            };
        }
        let (room, reason) = match room() {
            Ok(room) => {
                let reason = format!("by default, of {} MiB free or in use by them", room >> 20);
                (room, reason)
            }
            Err(error) => {
                let reason = format!("by default; the free space cannot be told: {error}");
                (u64::MAX, reason)
            }
        };
        let both = logstore::default_budget(room);
        let journal_bytes = journal.unwrap_or_else(|| (both / 5 * 2).min(JOURNAL_BYTES_MAX));
        let rest = both.saturating_sub(journal_bytes).max(both / 5);
        Self {
            journal_bytes,
            store_bytes: store.unwrap_or(rest),
            reason,
        }
    }
}

/// What a journal gets at most by default: hours of ten thousand flows a second.
const JOURNAL_BYTES_MAX: u64 = 4 << 30;

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

    fn budget(config: &str, room: u64) -> (u64, u64, String) {
        let config = Config::parse(config, "test").unwrap();
        let budget = DiskBudget::new(&config, || Ok(room));
        (budget.journal_bytes, budget.store_bytes, budget.reason)
    }

    const STORE: &str = "[logstore]\ndisk-budget-bytes = 1152921504606846976\n";
    const JOURNAL: &str = "[journal]\nquota-bytes = 16777216\n";

    #[test]
    fn an_explicit_budget_means_what_it_says() {
        let both = format!("{STORE}{JOURNAL}");
        let reason = "as configured".to_owned();
        assert_eq!(budget(&both, 1), (16 << 20, 1 << 60, reason));
        let reason = "by default, of 3072 MiB free or in use by them".to_owned();
        let half = 3 << 29;
        assert_eq!(
            budget(STORE, 3 << 30),
            (half / 5 * 2, 1 << 60, reason.clone())
        );
        assert_eq!(
            budget(JOURNAL, 3 << 30),
            (16 << 20, half - (16 << 20), reason)
        );
    }

    #[test]
    fn the_default_budget_is_half_of_what_there_is_up_to_10_gib() {
        let (journal, store, _) = budget("", 1 << 30);
        assert_eq!((journal, journal + store), ((1 << 29) / 5 * 2, 1 << 29));
        let (journal, store, _) = budget("", 1 << 50);
        assert_eq!((journal, journal + store), (4 << 30, 10 << 30));
    }

    #[test]
    fn space_that_cannot_be_told_is_taken_to_be_enough() {
        let refused = || Err(io::ErrorKind::PermissionDenied.into());
        let budget = DiskBudget::new(&Config::default(), refused);
        let reason = "by default; the free space cannot be told: permission denied";
        assert_eq!(
            (budget.store_bytes, budget.reason.as_str()),
            (6 << 30, reason)
        );
    }
}
