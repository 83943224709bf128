//! Names of endpoints to addresses, which outlast a resolver that fails.

mod names;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use reqwest::dns;
use reqwest::dns::Addrs;
use reqwest::dns::Resolving;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::listen::Lookup;
use crate::listen::System;

use names::Names;

/// Resolves names as the system does, and where that fails to the addresses
/// that worked last.
///
/// Each new connection asks anew. One look-up of a name is under way at a time,
/// whoever waits for it, and few of all names: a resolver that hangs holds few
/// threads.
#[derive(Clone)]
pub(super) struct Resolver(Arc<Inner>);

struct Inner {
    lookup: Box<dyn Lookup>,
    /// How long a look-up may take before what worked last is used.
    patience: Duration,
    start: Instant,
    names: Mutex<Names>,
    under_way: Mutex<BTreeMap<String, Answer>>,
    lookups: Semaphore,
}

/// What a look-up comes to, once it has.
type Answer = watch::Receiver<Option<Result<Vec<IpAddr>, Unresolved>>>;

/// Why a name has no address.
#[derive(Clone, Debug, Error)]
#[error("{0}")]
struct Unresolved(String);

impl Resolver {
    /// Asks the system.
    pub(super) fn system() -> Self {
        Self::new(System, PATIENCE)
    }

    /// Asks something else, and waits so long.
    pub(super) fn new(lookup: impl Lookup + 'static, patience: Duration) -> Self {
        Self(Arc::new(Inner {
            lookup: Box::new(lookup),
            patience,
            start: Instant::now(),
            names: Mutex::new(Names::new(NAMES_MAX)),
            under_way: Mutex::default(),
            lookups: Semaphore::new(LOOKUPS_MAX),
        }))
    }

    /// Notes that the service itself answered from an address.
    pub(super) fn worked(&self, address: IpAddr) {
        self.0.names().worked(address, self.0.now());
    }

    /// Why a name does not resolve, while what worked last is used.
    pub(super) fn trouble(&self, name: &str) -> Option<String> {
        self.0.names().trouble(name).map(str::to_owned)
    }

    async fn addresses(self, name: String) -> Result<Vec<IpAddr>, Unresolved> {
        let mut answer = self.0.ask(&self, &name);
        let why = match timeout(self.0.patience, outcome(&mut answer)).await {
            Ok(Ok(addresses)) => return Ok(addresses),
            Ok(Err(why)) => why,
            Err(_) => Unresolved("the resolver does not answer".to_owned()),
        };
        match self.0.good(&name, &why) {
            Some(good) => Ok(good),
            // The caller decides how long it waits.
            None => outcome(&mut answer).await,
        }
    }
}

impl dns::Resolve for Resolver {
    fn resolve(&self, name: dns::Name) -> Resolving {
        let addresses = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move {
            let found = addresses.await;
            let found = found.map_err(|why| Box::new(why) as Box<dyn Error + Send + Sync>)?;
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}

impl Inner {
    /// Joins the look-up of a name, or starts one.
    fn ask(&self, resolver: &Resolver, name: &str) -> Answer {
        let mut under_way = self.under_way();
        let joined = under_way.get(name);
        // One whose task is gone will never come to anything.
        if let Some(answer) = joined.filter(|answer| answer.has_changed().is_ok()) {
            return answer.clone();
        }
        let (found, answer) = watch::channel(None);
        under_way.insert(name.to_owned(), answer.clone());
        let (resolver, name) = (resolver.clone(), name.to_owned());
        tokio::spawn(async move {
            let outcome = resolver.0.look_up(&name).await;
            resolver.0.under_way().remove(&name);
            found.send_replace(Some(outcome));
        });
        answer
    }

    async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let _leave = self.lookups.acquire().await;
        let found = self.lookup.look_up(name).await;
        let mut found = found.map_err(|error| Unresolved(error.to_string()))?;
        if found.is_empty() {
            return Err(Unresolved("no address".to_owned()));
        }
        found.truncate(ADDRESSES_MAX);
        if self.names().resolved(name, &found, self.now()) {
            tracing::info!(name, "resolves again");
        }
        Ok(found)
    }

    /// What to use of a name that does not resolve.
    fn good(&self, name: &str, why: &Unresolved) -> Option<Vec<IpAddr>> {
        let mut names = self.names();
        let is_new = names.trouble(name).is_none();
        let good = names.unresolved(name, &why.0, self.now())?.to_vec();
        drop(names);
        if is_new {
            tracing::warn!(name, %why, "does not resolve: the addresses that worked last are used");
        }
        Some(good)
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<String, Answer>> {
        let under_way = self.under_way.lock();
        under_way.unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look-up comes to.
async fn outcome(answer: &mut Answer) -> Result<Vec<IpAddr>, Unresolved> {
    let found = answer.wait_for(Option::is_some).await;
    let found = found.ok().and_then(|found| found.clone());
    found.unwrap_or_else(|| Err(Unresolved("the look-up ended without an answer".to_owned())))
}

/// RFC 8767 §5, client response timer. Shorter than any connect timeout.
const PATIENCE: Duration = Duration::from_millis(1800);
/// One name per project and endpoint.
const NAMES_MAX: usize = 1024;
/// Addresses kept of a name; of those beyond, no connection is tried.
const ADDRESSES_MAX: usize = 16;
/// Look-ups under way, each of which may hold a thread for half a minute.
const LOOKUPS_MAX: usize = 16;
