//! All collectors: who gets which rows, and their threads.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use crate::flow::Amount;
use crate::flow::FlowBatch;
use crate::flowlog::NetflowTarget;
use crate::flowlog::RouteId;
use crate::flowlog::RoutingTable;

use super::ExportsSettings;
use super::collector::Collector;
use super::inbox::Inbox;
use super::inbox::Shipment;
use super::tally::Tally;

/// Sends rows to the collectors of their flow logs, best effort: what a
/// collector does not take in time is dropped and counted, and holds up nobody
/// else.
#[derive(Debug)]
pub struct Exports {
    settings: ExportsSettings,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    collectors: Vec<Running>,
    /// Of collectors that are gone, by name, as counters never go back.
    ended: BTreeMap<String, Tally>,
    /// Rows that were for at least one collector, once each.
    taken: Amount,
    /// The same rows once more for each further collector.
    copies: Amount,
    tended: Option<Instant>,
}

#[derive(Debug)]
struct Running {
    target: NetflowTarget,
    inbox: Arc<Inbox>,
    thread: JoinHandle<()>,
}

/// What became of the rows of a batch here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Offered {
    /// Rows that are for at least one collector.
    pub taken: Amount,
    /// Whose rows found the queue of a collector full; once for each collector.
    pub full: Vec<(IpAddr, Amount)>,
}

impl Offered {
    /// What found a queue full, once for each collector.
    pub fn full_amount(&self) -> Amount {
        let amounts = self.full.iter().map(|(_, amount)| *amount);
        amounts.fold(Amount::default(), |sum, amount| sum + amount)
    }
}

/// All accounts at one moment: `taken + copies = Σ offered`.
#[derive(Clone, Debug, Default)]
pub struct ExportsReading {
    /// By name, those gone too; several can have the same name while they differ
    /// in how they are spoken to.
    pub collectors: Vec<CollectorReading>,
    /// Rows for at least one collector.
    pub taken: Amount,
    /// The same rows once more for each further collector.
    pub copies: Amount,
}

/// One collector's account.
#[derive(Clone, Debug, Default)]
pub struct CollectorReading {
    /// Which.
    pub name: String,
    /// What became of its rows.
    pub tally: Tally,
    /// Octets of batches that wait for it.
    pub queued_bytes: usize,
}

impl ExportsReading {
    /// The accounts of all collectors together.
    pub fn sum(&self) -> Tally {
        let mut sum = Tally::default();
        for collector in &self.collectors {
            sum.add(&collector.tally);
        }
        sum
    }
}

impl Exports {
    /// Speaks to nobody yet.
    pub fn new(settings: ExportsSettings) -> Self {
        Self {
            settings,
            inner: Mutex::default(),
        }
    }

    /// Hands the rows of a batch to their collectors.
    pub fn offer(&self, batch: &FlowBatch, routes: &Arc<RoutingTable>) -> Offered {
        let mut inner = self.lock();
        self.tend(&mut inner, routes);
        let chosen = self.chosen(batch, routes);
        if chosen.is_empty() {
            return Offered::default();
        }
        let mut offered = Offered::default();
        let shared = Arc::new(batch.clone());
        let mut all = Amount::default();
        for (target, routes_of) in &chosen {
            let shipment = Shipment {
                batch: Arc::clone(&shared),
                routes: Arc::clone(routes),
                chosen: routes_of.clone(),
            };
            let amount = amount_of(batch, |route| routes_of.binary_search(&route).is_ok());
            all += amount;
            if !self.hand(&mut inner, target, shipment, amount) {
                let is_its = |route| routes_of.binary_search(&route).is_ok();
                offered.full.extend(by_exporter(batch, is_its));
            }
        }
        let is_any = |route| {
            chosen
                .iter()
                .any(|(_, of)| of.binary_search(&route).is_ok())
        };
        offered.taken = amount_of(batch, is_any);
        inner.taken += offered.taken;
        inner.copies += all - offered.taken;
        offered
    }

    /// The collectors that rows of a batch are for, each with its routes.
    fn chosen<'t>(
        &self,
        batch: &FlowBatch,
        table: &'t RoutingTable,
    ) -> Vec<(&'t NetflowTarget, Vec<u16>)> {
        let mut distinct = batch.routes().to_vec();
        distinct.dedup();
        distinct.sort_unstable();
        distinct.dedup();
        let mut chosen: Vec<(&NetflowTarget, Vec<u16>)> = Vec::new();
        for route in distinct {
            for target in self.targets(table, route) {
                match chosen.iter_mut().find(|(known, _)| *known == target) {
                    Some((_, routes)) => routes.push(route),
                    None => chosen.push((target, vec![route])),
                }
            }
        }
        chosen
    }

    /// The collectors of a route's flow log, without ourselves: there the flow
    /// log ends.
    fn targets<'t>(
        &self,
        table: &'t RoutingTable,
        route: u16,
    ) -> impl Iterator<Item = &'t NetflowTarget> {
        let flow_log = table.route(RouteId(route)).map(|route| &route.flow_log);
        let exporting = flow_log.filter(|flow_log| flow_log.output.has_netflow());
        let outputs = exporting.into_iter().flat_map(|log| &log.netflow);
        outputs
            .map(|output| &output.target)
            .filter(|target| !self.settings.is_own(&target.server))
    }

    /// Gives rows to a collector; whether it had room.
    fn hand(
        &self,
        inner: &mut Inner,
        target: &NetflowTarget,
        shipment: Shipment,
        amount: Amount,
    ) -> bool {
        let known = inner
            .collectors
            .iter()
            .find(|known| known.target == *target);
        if let Some(running) = known {
            return running.inbox.offer(shipment, amount);
        }
        match self.start(inner, target) {
            Ok(inbox) => inbox.offer(shipment, amount),
            Err(why) => {
                let book = inner.ended_of(&target.to_string());
                book.offer(amount);
                book.drop(why, amount);
                false
            }
        }
    }

    /// Starts the thread of a collector.
    fn start(&self, inner: &mut Inner, target: &NetflowTarget) -> Result<Arc<Inbox>, &'static str> {
        if inner.collectors.len() >= self.settings.collectors_max {
            return Err("too-many-collectors");
        }
        let inbox = Arc::new(Inbox::new(self.settings.queue_bytes_max));
        let collector = Collector::new(target.clone(), Arc::clone(&inbox), &self.settings);
        let thread = spawn(collector).map_err(|error| {
            tracing::error!(%error, %target, "no thread for a collector");
            "no-thread"
        })?;
        inner.collectors.push(Running {
            target: target.clone(),
            inbox: Arc::clone(&inbox),
            thread,
        });
        Ok(inbox)
    }

    /// Lets go of collectors that no flow log names any more, once the rows of
    /// the flow logs that did are through.
    fn tend(&self, inner: &mut Inner, table: &RoutingTable) {
        if inner.tended.is_some_and(|last| last.elapsed() < TEND_EVERY) {
            return;
        }
        inner.tended = Some(Instant::now());
        self.settings.own.look();
        let named: Vec<_> = table
            .routes()
            .flat_map(|route| self.targets(table, route.id.0))
            .collect();
        for running in &inner.collectors {
            let is_over = !named.contains(&&running.target) && running.inbox.idle() > KEPT;
            if is_over {
                running.inbox.close();
            }
        }
        inner.reap();
    }

    /// Has all collectors send what they hold, and waits for that a while.
    pub fn close(&self) {
        let mut inner = self.lock();
        for running in &inner.collectors {
            running.inbox.close();
        }
        let began = Instant::now();
        while !inner.collectors.is_empty() && began.elapsed() < CLOSE_PATIENCE {
            inner.reap();
            thread::sleep(Duration::from_millis(10));
        }
        for running in &inner.collectors {
            tracing::error!(target = %running.target, "a collector takes too long; flows for it are lost");
        }
    }

    /// Reads all accounts at one moment.
    pub fn read(&self) -> ExportsReading {
        let inner = self.lock();
        let mut collectors: BTreeMap<String, CollectorReading> = BTreeMap::new();
        let ended = inner.ended.iter();
        let ended = ended.map(|(name, tally)| (name.clone(), tally.clone(), 0));
        let running = inner.collectors.iter().map(|running| {
            let tally = running.inbox.book(|book| book.clone());
            (running.target.to_string(), tally, running.inbox.bytes())
        });
        for (name, tally, bytes) in ended.chain(running) {
            let of = collectors.entry(name.clone()).or_default();
            of.name = name;
            of.tally.add(&tally);
            of.queued_bytes += bytes;
        }
        ExportsReading {
            collectors: collectors.into_values().collect(),
            taken: inner.taken,
            copies: inner.copies,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Takes over the accounts of threads that have ended.
    fn reap(&mut self) {
        let is_over = |running: &mut Running| running.thread.is_finished();
        let over: Vec<_> = self.collectors.extract_if(.., is_over).collect();
        for running in over {
            if running.thread.join().is_err() {
                tracing::error!(target = %running.target, "the thread of a collector panicked; its flows are lost");
            }
            let mut book = running.inbox.book(std::mem::take);
            // A thread that panicked leaves rows behind.
            let left = book.pending;
            book.drop("abandoned", left);
            book.templates = 0;
            self.ended_of(&running.target.to_string()).add(&book);
        }
    }

    /// The account of collectors that are gone under this name; of those beyond
    /// the limit there is one for all.
    fn ended_of(&mut self, name: &str) -> &mut Tally {
        let is_known = self.ended.contains_key(name) || self.ended.len() < ENDED_MAX;
        let name = if is_known { name } else { "other" };
        self.ended.entry(name.to_owned()).or_default()
    }
}

fn spawn(collector: Collector) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("collector".to_owned())
        .spawn(move || collector.run())
}

/// What the rows of some routes stand for.
fn amount_of(batch: &FlowBatch, is_meant: impl Fn(u16) -> bool) -> Amount {
    let rows = rows_of(batch, is_meant);
    rows.filter_map(|row| batch.amount_of(row))
        .fold(Amount::default(), |sum, amount| sum + amount)
}

/// The same by exporter.
fn by_exporter(batch: &FlowBatch, is_meant: impl Fn(u16) -> bool) -> Vec<(IpAddr, Amount)> {
    let mut sums: BTreeMap<IpAddr, Amount> = BTreeMap::new();
    for row in rows_of(batch, is_meant) {
        if let (Some((exporter, _)), Some(amount)) = (batch.origin(row), batch.amount_of(row)) {
            *sums.entry(exporter).or_default() += amount;
        }
    }
    sums.into_iter().collect()
}

fn rows_of(batch: &FlowBatch, is_meant: impl Fn(u16) -> bool) -> impl Iterator<Item = usize> {
    let routes = batch.routes().iter().enumerate();
    routes.filter_map(move |(row, route)| is_meant(*route).then_some(row))
}

/// Collectors that are gone and still told apart.
const ENDED_MAX: usize = 256;
/// How often it is looked for collectors that are over.
const TEND_EVERY: Duration = Duration::from_secs(1);
/// How long a collector that no flow log names is kept: its last flows leave
/// the cache within a second of the change.
const KEPT: Duration = Duration::from_secs(30);
/// Longest a stop waits for collectors to take what is left.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);
