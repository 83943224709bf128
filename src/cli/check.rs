//! `flowlogd check`

use std::io::{self, Write};
use std::path::PathBuf;

use crate::cli::Failure;
use crate::cli::run::load;
use crate::config::Config;
use crate::daemon::{disk_budget, secret_problems, state_directory};

/// Check a configuration and print what running it would take
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Configuration file; built-in defaults without one
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = load(args.config.as_ref())?;
    let mut out = io::stdout().lock();
    for (what, value) in budget(&config) {
        writeln!(out, "{what:<28} {value}")?;
    }
    for problem in secret_problems(&config) {
        writeln!(io::stderr(), "warning: {problem}")?;
    }
    Ok(())
}

/// What the daemon may use of memory and disk, and what the kernel allows.
fn budget(config: &Config) -> Vec<(&'static str, String)> {
    let limits = config.exporters.limits;
    let cache = config.cache.flows_max.saturating_mul(ENTRY_BYTES) + config.cache.detail_bytes_max;
    let rmem = std::fs::read_to_string(RMEM_MAX).ok();
    let rmem: Option<usize> = rmem.and_then(|text| text.trim().parse().ok());
    let wanted = config.listen.receive_buffer_bytes;
    let kernel = match rmem {
        Some(most) if most < wanted => format!(
            "{} allowed, {} wanted: raise net.core.rmem_max, or use the .socket unit",
            mib(most),
            mib(wanted)
        ),
        Some(most) => format!("{} allowed, {} wanted", mib(most), mib(wanted)),
        None => format!(
            "{} wanted; what is allowed cannot be read here",
            mib(wanted)
        ),
    };
    let disk = disk_budget(config);
    let store = format!("{} MiB at most ({})", disk.store_bytes >> 20, disk.reason);
    let journal = format!("{} MiB at most ({})", disk.journal_bytes >> 20, disk.reason);
    let sls = config.sls.memory_bytes;
    let rows = config.journal.memory_bytes + 2 * config.logstore.tail_bytes;
    vec![
        (
            "state directory",
            state_directory(config).display().to_string(),
        ),
        ("flow logs", config.definition.flow_logs.len().to_string()),
        ("devices", config.definition.devices.len().to_string()),
        ("memory: flow cache", format!("{} at most", mib(cache))),
        (
            "memory: templates",
            format!("{} at most", mib(limits.definition_bytes_max)),
        ),
        (
            "memory: data kept for later",
            format!("{} at most", mib(limits.orphan_bytes_max)),
        ),
        (
            "memory: queries",
            format!("{} at most", mib(config.logstore.query.memory_bytes)),
        ),
        (
            "memory: rows on their way",
            format!("{} MiB at most", rows >> 20),
        ),
        ("memory: requests to SLS", format!("{} at most", mib(sls))),
        ("disk: journal", journal),
        ("disk: log store", store),
        ("kernel: receive buffer", kernel),
    ]
}

fn mib(bytes: usize) -> String {
    format!("{} MiB", bytes >> 20)
}

const RMEM_MAX: &str = "/proc/sys/net/core/rmem_max";
/// A flow in the cache with its share of the index, as measured.
const ENTRY_BYTES: usize = 200;
