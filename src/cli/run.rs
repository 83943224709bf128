//! `flowlogd run`

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use crate::cli::Failure;
use crate::config;
use crate::config::Config;
use crate::config::Level;
use crate::daemon;
use crate::journal;
use crate::logstore::OpenError;
use crate::telemetry;
use crate::telemetry::Metrics;

/// Collect flows until SIGTERM; SIGHUP reads the configuration again
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Configuration file; built-in defaults without one
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = load(args.config.as_ref())?;
    set_up_log(&config)?;
    let recorder = set_up_metrics()?;
    let ended = runtime()?.block_on(daemon::run(config, args.config.clone(), recorder));
    ended.map_err(of_daemon)
}

/// Sends the log where the configuration says.
fn set_up_log(config: &Config) -> Result<(), Failure> {
    let level = match config.log.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let format = match config.log.format {
        config::Format::Auto => telemetry::Format::Auto,
        config::Format::Text => telemetry::Format::Text,
        config::Format::Json => telemetry::Format::Json,
    };
    let is_in_environment = std::env::var_os("RUST_LOG").is_some();
    let levels = (!is_in_environment).then(|| level.to_owned());
    let settings = telemetry::LogSettings { format, levels };
    Ok(telemetry::install_log(&settings).context("setting up the log")?)
}

/// What the metrics of this process go to.
pub(super) fn set_up_metrics() -> Result<Metrics, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let started = now.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0));
    Ok(Metrics::install(started).context("setting up metrics")?)
}

/// The configuration of a file, or the built-in one.
pub(super) fn load(path: Option<&PathBuf>) -> Result<Config, Failure> {
    match path {
        None => Ok(Config::default()),
        Some(path) => Config::load(path).map_err(|problems| Failure::config(problems.to_string())),
    }
}

/// Threads for HTTP and queries; lanes have their own.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    Ok(runtime.context("starting threads")?)
}

/// What is locked is free again once the other process ends; what this user
/// may not use, somebody has to allow or configure.
pub(super) fn of_daemon(error: anyhow::Error) -> Failure {
    let is_locked = |cause: &(dyn std::error::Error + 'static)| {
        matches!(cause.downcast_ref(), Some(OpenError::Locked { .. }))
            || matches!(
                cause.downcast_ref(),
                Some(journal::OpenError::Locked { .. })
            )
    };
    if error.chain().any(is_locked) {
        return Failure::try_later(format!("{error:#}"));
    }
    if error.chain().any(is_forbidden) {
        let uid = nix::unistd::geteuid();
        return Failure::config(format!("{error:#} (uid {uid})"));
    }
    Failure::from(error)
}

/// Whether a file, directory or port is not for this user, or not for anybody.
fn is_forbidden(cause: &(dyn std::error::Error + 'static)) -> bool {
    let kind = cause.downcast_ref().map(std::io::Error::kind);
    matches!(
        kind,
        Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
    )
}
