//! The relay rules in force: their names looked up, their tables given to the
//! lanes, and what the log says of their destinations.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::daemon::worker::{Command, Worker};
use crate::flowlog::Problem;
use crate::flowlog::Resolved;
use crate::flowlog::Server;
use crate::listen;
use crate::listen::Lookup;
use crate::listen::Own;
use crate::listen::RelayAccount;
use crate::listen::RelayDrop;
use crate::listen::RelayRule;
use crate::listen::RelayTable;
use crate::listen::RelayTotals;

/// How often names are looked up.
const RESOLVE_EVERY: Duration = Duration::from_secs(60);
/// How long a look-up may take; the resolver may go on for half a minute.
const RESOLVE_PATIENCE: Duration = Duration::from_secs(10);
/// How often destinations are looked at.
const WATCH_EVERY: Duration = Duration::from_secs(5);
/// Looks without a failure after which a destination works again.
const SOUND_LOOKS: u8 = 3;

/// What is relayed, and how it goes.
pub(super) struct Relays {
    /// Where nothing is to be relayed to.
    own: Arc<Own>,
    lookup: Box<dyn Lookup>,
    state: Mutex<State>,
    /// There are names that were not looked up yet.
    unknown: Notify,
}

#[derive(Default)]
struct State {
    rules: Vec<RelayRule>,
    /// Every destination there ever was, as its counters never go back.
    destinations: BTreeMap<Server, Destination>,
}

#[derive(Default)]
struct Destination {
    account: Arc<RelayAccount>,
    /// Where its name leads; the log says when that goes wrong.
    resolved: Resolved,
    health: Health,
}

impl Relays {
    /// No rules yet, for a daemon that is reached there.
    pub(super) fn new(own: Arc<Own>, lookup: impl Lookup + 'static) -> Self {
        Self {
            own,
            lookup: Box::new(lookup),
            state: Mutex::default(),
            unknown: Notify::new(),
        }
    }

    /// Takes rules into force, of which nothing may be wrong, and gives the
    /// table for the lanes by way of `tell`.
    ///
    /// # Errors
    /// A destination is one of our own addresses, or senders cannot be forged;
    /// the rules in force stay.
    pub(super) fn go_by(
        &self,
        rules: &[RelayRule],
        tell: impl FnOnce(Arc<RelayTable>),
    ) -> Result<(), Vec<Problem>> {
        let problems = self.problems(rules, listen::may_spoof);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut state = self.state();
        state.rules = rules.to_vec();
        // Under the lock, so that the last rules are the last the lanes hear of.
        tell(state.table());
        drop(state);
        self.unknown.notify_one();
        Ok(())
    }

    /// What this host makes of rules that are sound in themselves.
    fn problems(
        &self,
        rules: &[RelayRule],
        may_spoof: impl FnOnce() -> io::Result<()>,
    ) -> Vec<Problem> {
        self.own.look();
        let mut problems = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            for (place, target) in rule.to.iter().enumerate() {
                let address = target.address();
                let refused = address.and_then(|address| self.own.refusal(address));
                if let Some(why) = refused {
                    let place = format!("relay[{index}].to[{place}]");
                    let what = format!("{target} {why}");
                    problems.push(Problem::new(place, what, "name a collector"));
                }
            }
        }
        let spoofing = rules.iter().position(|rule| rule.spoof_source);
        if let Some(index) = spoofing
            && let Err(error) = may_spoof()
        {
            let place = format!("relay[{index}].spoof-source");
            let what = format!("the system does not let us send in the name of others: {error}");
            let advice = "grant CAP_NET_RAW (systemd: drop-ins/spoof-source.conf; else setcap \
                          cap_net_raw+ep), or do without spoof-source";
            problems.push(Problem::new(place, what, advice));
        }
        problems
    }

    /// Each destination there ever was, and what became of datagrams for it.
    pub(super) fn totals(&self) -> Vec<(String, RelayTotals)> {
        let state = self.state();
        let all = state.destinations.iter();
        all.map(|(target, of)| (target.to_string(), of.account.totals()))
            .collect()
    }

    /// Looks names up and looks after destinations, for ever.
    pub(super) async fn keep_up(&self, lanes: &[Worker]) {
        let mut resolve = interval(RESOLVE_EVERY);
        let mut watch = interval(WATCH_EVERY);
        for timer in [&mut resolve, &mut watch] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                _ = resolve.tick() => {}
                () = self.unknown.notified() => {}
                _ = watch.tick() => {
                    self.watch();
                    continue;
                }
            }
            self.resolve(|table| give(lanes, &table)).await;
        }
    }

    /// Looks all names up, and calls `tell` with a new table if that changes it.
    async fn resolve(&self, tell: impl FnOnce(Arc<RelayTable>)) {
        let names = self.state().names().into_iter();
        // All at once: a name whose servers hang is not to hold up the others.
        let under_way = names.map(|(name, port)| {
            let look_up = timeout(RESOLVE_PATIENCE, self.lookup.look_up(&name));
            (name, port, tokio::spawn(look_up))
        });
        let under_way: Vec<_> = under_way.collect();
        let mut is_new = false;
        self.own.look();
        for (name, port, look_up) in under_way {
            let found = match look_up.await {
                Ok(Ok(found)) => found,
                Ok(Err(_)) => Err(io::Error::from(io::ErrorKind::TimedOut)),
                Err(error) => Err(error.into()),
            };
            let target = Server::Name(name, port);
            let mut state = self.state();
            // Rules may be others by now; then it is known for the next time.
            let destination = state.destinations.entry(target.clone()).or_default();
            is_new |= destination.learn(&target, found, &self.own);
        }
        if is_new {
            let mut state = self.state();
            tell(state.table());
        }
    }

    /// Says in the log which destinations began to fail, or work again.
    fn watch(&self) {
        for (target, of) in &mut self.state().destinations {
            match of.health.look(of.account.totals()) {
                Some(News::Fails(since)) => tracing::warn!(
                    destination = %target,
                    unreachable = since.unreachable,
                    dropped = %Reasons(&since.dropped),
                    "copies of datagrams do not reach a collector"
                ),
                Some(News::Works) => {
                    tracing::info!(destination = %target, "the collector takes copies again");
                }
                None => {}
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Relays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Relays");
        shown.field("rules", &self.state().rules);
        shown.finish_non_exhaustive()
    }
}

/// Gives a table to all lanes.
pub(super) fn give(lanes: &[Worker], table: &Arc<RelayTable>) {
    for lane in lanes {
        lane.tell(Command::Relay(Arc::clone(table)));
    }
}

impl State {
    /// The rules, with the addresses that are known.
    fn table(&mut self) -> Arc<RelayTable> {
        let destinations = &mut self.destinations;
        Arc::new(RelayTable::new(&self.rules, |target| {
            let known = destinations.entry(target.clone()).or_default();
            let address = known.resolved.address();
            let address = target.address().or(address);
            (address, Arc::clone(&known.account))
        }))
    }

    /// Names of the rules, each once.
    fn names(&self) -> Vec<(String, u16)> {
        let targets = self.rules.iter().flat_map(|rule| &rule.to);
        let named = targets.filter_map(|target| match target {
            Server::Name(name, port) => Some((name.clone(), *port)),
            Server::Address(_) => None,
        });
        let mut names: Vec<_> = named.collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Destination {
    /// Notes what a look-up came to; says whether the address is another now.
    fn learn(&mut self, target: &Server, found: io::Result<Vec<IpAddr>>, own: &Own) -> bool {
        let Server::Name(_, port) = target else {
            return false;
        };
        let with_port = |ip| SocketAddr::new(ip, *port);
        let found = found.map(|found| found.into_iter().map(with_port).collect());
        let found = found.map_err(|error| error.to_string());
        let was_lost = self.resolved.trouble().is_some();
        let is_new = self.resolved.learn(found, |address| own.refusal(address));
        let address = self.resolved.address().map(|address| address.to_string());
        match self.resolved.trouble() {
            Some(why) if !was_lost => {
                tracing::warn!(%target, %why, kept = address, "a collector's name does not resolve");
            }
            None if was_lost => {
                tracing::info!(%target, address, "a collector's name resolves again");
            }
            Some(_) | None => {}
        }
        is_new
    }
}

/// Whether a destination took what was sent to it, as of the last looks.
#[derive(Debug, Default)]
struct Health {
    before: RelayTotals,
    /// Looks that are still to be without a failure; 0 while it works.
    ailing: u8,
}

/// What is new about a destination.
#[derive(Debug, Eq, PartialEq)]
enum News {
    /// What failed since the last look.
    Fails(RelayTotals),
    Works,
}

impl Health {
    fn look(&mut self, now: RelayTotals) -> Option<News> {
        let before = std::mem::replace(&mut self.before, now);
        let mut since = RelayTotals {
            sent: now.sent.saturating_sub(before.sent),
            octets: now.octets.saturating_sub(before.octets),
            unreachable: now.unreachable.saturating_sub(before.unreachable),
            dropped: now.dropped,
        };
        for (count, before) in since.dropped.iter_mut().zip(before.dropped) {
            *count = count.saturating_sub(before);
        }
        let was_ailing = self.ailing > 0;
        if since.unreachable > 0 || since.dropped.iter().any(|count| *count > 0) {
            self.ailing = SOUND_LOOKS;
            return (!was_ailing).then_some(News::Fails(since));
        }
        // Nothing sent proves nothing.
        if was_ailing && since.sent > 0 {
            self.ailing -= 1;
            return (self.ailing == 0).then_some(News::Works);
        }
        None
    }
}

/// Reasons with their counts, on one line.
struct Reasons<'a>(&'a [u64; RelayDrop::LABELS.len()]);

impl std::fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut space = "";
        for (label, count) in RelayDrop::LABELS.iter().zip(self.0) {
            if *count > 0 {
                write!(f, "{space}{label}={count}")?;
                space = " ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
