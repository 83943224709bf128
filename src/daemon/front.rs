//! The SLS API in front of the running log store.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::http::StatusCode;
use jiff::Timestamp;

use crate::api::auth::{AccessKey, Keys, Pattern, Permission};
use crate::api::sls::{Failure, Front, Hosts, Incoming, Inlet, Place, Reply, Settings, Stored};
use crate::config;
use crate::config::Config;
use crate::daemon::ingest::{Ingest, NotStored};
use crate::daemon::settings;
use crate::logstore::AppendError;
use crate::logstore::LogstoreName;
use crate::sink::Secret;

/// The front of a configuration.
///
/// # Errors
/// A secret cannot be read.
pub(super) fn front(config: &Config, ingest: &Arc<Ingest>) -> Result<Arc<Front>> {
    let clock = Arc::new(Timestamp::now);
    let named = config.http.signed.iter().flat_map(|signed| &signed.hosts);
    let hosts = Hosts::DEFAULT.into_iter().chain(named.map(String::as_str));
    let settings = Settings {
        hosts: Hosts::new(hosts),
        ..Settings::new(keys(config)?, clock)
    };
    let limits = settings::query_limits(config);
    let inlet: Arc<dyn Inlet> = Arc::new(Way(Arc::clone(ingest)));
    let stored = Stored::new(Arc::clone(ingest.store()), inlet, limits);
    Ok(Arc::new(Front::new(Arc::new(stored), settings)))
}

/// The access keys; none means that nobody is asked for one.
fn keys(config: &Config) -> Result<Keys> {
    if config.access_keys.is_empty() {
        return Ok(Keys::open());
    }
    let keys = config.access_keys.iter().map(key);
    Ok(Keys::new(keys.collect::<Result<Vec<_>>>()?))
}

fn key(key: &config::AccessKey) -> Result<AccessKey> {
    let secret = secret(&key.secret_file);
    let secret = secret.with_context(|| format!("access key {:?}", key.id))?;
    Ok(AccessKey {
        id: key.id.clone(),
        secret,
        projects: key.projects.iter().map(|text| Pattern::new(text)).collect(),
        permission: match key.permission {
            config::Permission::Read => Permission::Read,
            config::Permission::Write => Permission::Write,
            config::Permission::ReadWrite => Permission::ReadWrite,
        },
    })
}

/// The first line of a file.
pub(crate) fn secret(path: &Path) -> Result<Secret> {
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let line = text.lines().next().unwrap_or_default().trim();
    anyhow::ensure!(!line.is_empty(), "{} has no secret", path.display());
    Ok(Secret::new(line))
}

/// The way of logs that clients bring.
struct Way(Arc<Ingest>);

impl Inlet for Way {
    fn put<'a>(&'a self, at: Place<'a>, logs: Incoming) -> Reply<'a, ()> {
        Box::pin(async move {
            let name = LogstoreName::new(at.project, at.logstore);
            let name = name.map_err(|error| Failure::parameter(error.to_string()))?;
            let stored = self.0.logs(name, logs.group, logs.body);
            stored.await.map_err(failure)
        })
    }
}

/// What a client is told, and what it will do: producers repeat what a quota
/// refused, and divide what is too large.
fn failure(error: NotStored) -> Failure {
    match error {
        NotStored::Store(AppendError::TooLarge(octets)) => {
            Failure::bad("PostBodyTooLarge", format!("{octets} octets: {error}"))
        }
        NotStored::Destination(_) | NotStored::Journal(_) | NotStored::Store(_) => {
            Failure::throttled(error.to_string())
        }
        NotStored::NotDurable(_) | NotStored::Stopping => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Failure::new(status, "ServerBusy", error.to_string())
        }
    }
}
