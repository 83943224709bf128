//! The running daemon: what its parts share, and how it is asked and changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use crate::api::Connections;
use crate::config::Config;
use crate::daemon::cloud::Cloud;
use crate::daemon::exchange::Exchange;
use crate::daemon::exporters::Exporters;
use crate::daemon::ingest::Ingest;
use crate::daemon::ledger::Ledger;
use crate::daemon::register::{Register, Unchanged};
use crate::daemon::relay::{self, Relays};
use crate::daemon::settings;
use crate::daemon::worker::{Command, Worker};
use crate::flow::PlanSettings;
use crate::flowlog::Definition;
use crate::flowlog::Problem;
use crate::flowlog::RoutingTable;
use crate::flowlog::control::{Inventory, State};
use crate::listen::Own;
use crate::logstore::Limits;
use crate::logstore::LogStore;
use crate::sink::Sender;
use crate::telemetry::Metrics;

/// What the parts of a running daemon share.
#[derive(Debug)]
pub struct Service {
    parts: Parts,
    table: ArcSwap<RoutingTable>,
    cloud: ArcSwap<Cloud>,
    is_stopping: AtomicBool,
}

/// A routing that can be put in force.
struct Routing {
    table: Arc<RoutingTable>,
    plan: PlanSettings,
}

/// What a [`Service`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Routing table in force at the start.
    pub table: Arc<RoutingTable>,
    /// What the APIs have made.
    pub(super) register: Register,
    /// Where the process is reached.
    pub(super) own: Arc<Own>,
    /// The lanes, running.
    pub workers: Arc<Vec<Worker>>,
    /// What is between them and the writer.
    pub exchange: Arc<Exchange>,
    /// All accounts.
    pub ledger: Ledger,
    /// The way of rows behind the exchange.
    pub(super) ingest: Arc<Ingest>,
    /// What sends rows to the cloud.
    pub(super) sender: Arc<Sender>,
    /// What is copied to other collectors.
    pub(super) relays: Arc<Relays>,
    /// How it finds the cloud at the start.
    pub(super) cloud: Arc<Cloud>,
    /// The log store, open.
    pub store: Arc<LogStore>,
    /// What a question may cost.
    pub query_limits: Limits,
    /// What renders the metrics.
    pub recorder: Metrics,
    /// What becomes of the HTTP listeners' connections.
    pub(super) connections: Arc<Connections>,
    /// The exporters' own metrics.
    pub exporters: Exporters,
}

impl Service {
    /// Puts running parts together.
    pub fn new(parts: Parts) -> Self {
        Self {
            table: ArcSwap::new(Arc::clone(&parts.table)),
            cloud: ArcSwap::new(Arc::clone(&parts.cloud)),
            is_stopping: AtomicBool::new(false),
            parts,
        }
    }

    /// Takes new flow logs, a new inventory, new relays and new ways to the
    /// cloud into force. What the APIs have made stays.
    ///
    /// # Errors
    /// They contradict each other or this host; what is in force stays.
    pub fn redefine(&self, config: &Config) -> Result<(), Vec<Problem>> {
        self.register().redefine(&config.definition, |definition| {
            let routing = self.prepare(definition)?;
            let relays = self.relays();
            relays.go_by(&config.relays, |table| relay::give(self.workers(), &table))?;
            let cloud = Arc::new(self.cloud.load().reloaded(config));
            self.cloud.store(Arc::clone(&cloud));
            self.parts.sender.redirect(cloud);
            self.parts.ingest.go_by(settings::policy(config));
            self.put_in_force(routing);
            Ok(())
        })
    }

    /// Changes what the APIs have made; durable and in force once this returns.
    /// Blocks while the disk works.
    ///
    /// # Errors
    /// The change cannot be, or cannot be kept.
    pub(super) fn change(
        &self,
        edit: impl FnOnce(&mut State, &Inventory) -> bool,
    ) -> Result<(), Unchanged> {
        let prepare = |definition: &_| self.prepare(definition);
        self.register()
            .change(edit, prepare, |routing| self.put_in_force(routing))
    }

    fn prepare(&self, definition: &Definition) -> Result<Routing, Vec<Problem>> {
        let table = RoutingTable::compile(definition, Some(&self.table()))?;
        Ok(Routing {
            table: Arc::new(table),
            plan: settings::plan(definition),
        })
    }

    fn put_in_force(&self, Routing { table, plan }: Routing) {
        for (id, destination) in self.parts.ingest.name(&table) {
            self.parts.sender.attend(id, destination);
        }
        self.table.store(Arc::clone(&table));
        self.parts.own.look();
        for worker in self.workers().iter() {
            worker.tell(Command::Route(Arc::clone(&table), plan.clone()));
        }
    }

    /// Stops receiving and hands over what is in the lanes; returns when all
    /// of it is with the writer, which then ends. Blocks.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        for worker in self.workers().iter() {
            worker.tell(Command::Stop);
        }
        for worker in self.workers().iter() {
            worker.join();
        }
        self.parts.exchange.close();
    }

    /// Why the daemon cannot do its work just now.
    pub fn unready_reasons(&self) -> Vec<String> {
        let is_stopping = self.is_stopping.load(Ordering::Relaxed);
        let stopping = is_stopping.then(|| "stopping".to_owned());
        let ended = self.workers().iter().any(Worker::has_ended) && !is_stopping;
        let ended = ended.then(|| "a lane has ended: restart the daemon".to_owned());
        let uncommitted = self.parts.ingest.has_ended() && !is_stopping;
        let uncommitted =
            uncommitted.then(|| "nothing becomes durable any more: restart the daemon".to_owned());
        stopping
            .into_iter()
            .chain(ended)
            .chain(uncommitted)
            .collect()
    }

    /// What the APIs have made.
    pub(super) fn register(&self) -> &Register {
        &self.parts.register
    }

    /// Whether it ends, and takes no changes any more.
    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Where the process is reached.
    pub(super) fn own(&self) -> &Own {
        &self.parts.own
    }

    /// The routing table in force.
    pub fn table(&self) -> Arc<RoutingTable> {
        self.table.load_full()
    }

    /// The lanes.
    pub fn workers(&self) -> &Arc<Vec<Worker>> {
        &self.parts.workers
    }

    /// All accounts.
    pub fn ledger(&self) -> &Ledger {
        &self.parts.ledger
    }

    /// What is between the lanes and the writer.
    pub fn exchange(&self) -> &Exchange {
        &self.parts.exchange
    }

    /// The exporters' own metrics.
    pub fn exporters(&self) -> &Exporters {
        &self.parts.exporters
    }

    /// The way of rows behind the exchange.
    pub(super) fn ingest(&self) -> &Arc<Ingest> {
        &self.parts.ingest
    }

    /// What sends rows to the cloud.
    pub(super) fn sender(&self) -> &Sender {
        &self.parts.sender
    }

    /// What is copied to other collectors.
    pub(super) fn relays(&self) -> &Relays {
        &self.parts.relays
    }

    /// The log store.
    pub fn store(&self) -> &Arc<LogStore> {
        &self.parts.store
    }

    /// What a question may cost.
    pub fn query_limits(&self) -> Limits {
        self.parts.query_limits
    }

    /// What renders the metrics.
    pub fn recorder(&self) -> &Metrics {
        &self.parts.recorder
    }

    /// What becomes of the HTTP listeners' connections.
    pub(super) fn connections(&self) -> &Arc<Connections> {
        &self.parts.connections
    }
}
