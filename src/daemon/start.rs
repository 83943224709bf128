//! From a configuration to a running daemon.

use std::collections::BTreeMap;
use std::iter;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use listenfd::ListenFd;
use tokio::runtime::Handle;

use crate::api::Connections;
use crate::cache;
use crate::cache::Cache;
use crate::config::Config;
use crate::config::Steering;
use crate::daemon::clock::{self, Monotonic};
use crate::daemon::cloud::Cloud;
use crate::daemon::exchange::Exchange;
use crate::daemon::exporters::Exporters;
use crate::daemon::ingest::{self, Ingest};
use crate::daemon::ledger::Ledger;
use crate::daemon::register::Register;
use crate::daemon::relay::Relays;
use crate::daemon::secrets::warn_of_secrets;
use crate::daemon::service::{self, Service};
use crate::daemon::settings::DiskBudget;
use crate::daemon::snapshot::{self, Keeper};
use crate::daemon::upkeep::Upkeep;
use crate::daemon::worker::Worker;
use crate::daemon::{memory, metrics, settings, writer};
use crate::flowlog::RoutingTable;
use crate::journal::Disk;
use crate::journal::Journal;
use crate::journal::Recovered;
use crate::lane::{self, Cell, HandOver, Lane, TERMS, Vicinity};
use crate::listen;
use crate::listen::Bound;
use crate::listen::LaneSockets;
use crate::listen::Own;
use crate::listen::Relay;
use crate::listen::RelayTable;
use crate::logstore;
use crate::logstore::LogStore;
use crate::session::Sessions;
use crate::sink::Exports;
use crate::sink::Sender;
use crate::sink::sls::Directory;
use crate::telemetry::Metrics;

/// Octets of batches between the lanes and the writer.
const EXCHANGE_BYTES_MAX: usize = 64 << 20;
/// Lanes when the configuration leaves it to the machine.
const LANES_MAX: usize = 8;

/// A daemon that receives, and what must be waited for at its end.
#[derive(Debug)]
pub(super) struct Started {
    /// What answers questions and takes changes.
    pub service: Arc<Service>,
    /// The thread that takes rows from the exchange.
    pub writer: JoinHandle<()>,
    /// The thread that makes them durable.
    pub committer: JoinHandle<()>,
    /// The threads that keep the log store in shape.
    pub upkeep: Upkeep,
    /// The thread that keeps the open flows, if they are kept.
    pub keeper: Option<Keeper>,
    /// Addresses datagrams are received on.
    pub addresses: Vec<std::net::SocketAddr>,
}

/// Opens the log store and the sockets and starts the threads.
///
/// # Errors
/// What could not be opened, and why.
pub(super) fn start(
    config: &Config,
    recorder: Metrics,
    state: &Path,
    connections: Arc<Connections>,
) -> Result<Started> {
    warn_of_secrets(config);
    let dir = store_directory(config, state);
    // Of what is there before anything is opened.
    let budget = disk_budget_of(config, &dir);
    tracing::info!(
        journal = budget.journal_bytes,
        log_store = budget.store_bytes,
        "disk budget in octets: {}",
        budget.reason
    );
    let settings = settings::log_store(config, dir, budget.store_bytes);
    let store = Arc::new(LogStore::open(settings).context("cannot open the log store")?);
    let (register, table) = routing(config, state)?;
    let bound = bind(config)?;
    for warning in &bound.warnings {
        tracing::warn!("{warning}");
    }
    say_buffers(&bound);
    let own = Arc::new(Own::new(bound.addresses.clone()));
    let (relays, relaying) = relays(config, &own)?;
    let ingest = Arc::new(ingest(config, state, &budget, &store, &own)?);
    let exporters_max = config.exporters.limits.sources_max;
    let exchange = Arc::new(Exchange::new(EXCHANGE_BYTES_MAX, exporters_max));
    let (sender, cloud) = sender(config, state, &ingest, &table)?;
    let writer = writer::start(Arc::clone(&exchange), Arc::clone(&ingest))?;
    let interval = config.journal.commit_interval;
    let told = Arc::clone(&sender);
    let committer = ingest::commit(Arc::clone(&ingest), interval, move || told.notify())?;
    let upkeep = Upkeep::start(&store).context("cannot start the log store's upkeep")?;
    let cells: Vec<_> = bound.lanes.iter().map(|_| Arc::new(Cell::new())).collect();
    let builder = Builder {
        config,
        lanes: bound.lanes.len(),
        table: Arc::clone(&table),
        vicinity: settings::vicinity(config, &own, bound.lanes.len()),
        exchange: Arc::clone(&exchange),
        remembered: remembered(config, state),
        monotonic: Monotonic::start(),
    };
    let lanes = builder.lanes(&cells, ingest.journal());
    let relay = || Relay::new(Arc::clone(&relaying));
    let sockets = bound.lanes.into_iter().map(|sockets| (sockets, relay()));
    let workers = workers(sockets.zip(lanes), builder.monotonic, &config.listen.cpus)?;
    let keeper = keeper(config, ingest.journal(), &workers)?;
    let service = Service::new(service::Parts {
        register,
        table,
        own,
        workers,
        query_limits: settings::query_limits(config),
        ledger: Ledger::new(cells, Arc::clone(&exchange), Arc::clone(&ingest)),
        ingest,
        sender,
        relays: Arc::new(relays),
        cloud,
        exchange,
        store,
        recorder,
        connections,
        exporters: Exporters::new(settings::exporters(config)),
    });
    Ok(Started {
        service: Arc::new(service),
        writer,
        committer,
        upkeep,
        keeper,
        addresses: bound.addresses,
    })
}

/// What the APIs have made, and the routing of that and the configuration.
fn routing(config: &Config, state: &Path) -> Result<(Register, Arc<RoutingTable>)> {
    let register = Register::open(state, &config.definition)?;
    match RoutingTable::compile(&register.definition(), None) {
        Ok(table) => Ok((register, Arc::new(table))),
        Err(problems) => anyhow::bail!("the flow logs contradict each other: {problems:?}"),
    }
}

/// Opens the journal, takes up what the last run left in it, and makes the ways
/// out.
fn ingest(
    config: &Config,
    state: &Path,
    budget: &DiskBudget,
    store: &Arc<LogStore>,
    own: &Arc<Own>,
) -> Result<Ingest> {
    let settings = settings::journal(config, budget, store.next_seq());
    let dir = settings::journal_directory(state);
    let opened = Journal::open(settings, Disk::new(dir));
    let (journal, recovered) = opened.context("cannot open the journal")?;
    if recovered != Recovered::default() {
        tracing::info!(?recovered, "the journal of the last run");
    }
    let exports = Exports::new(settings::exports(config, own));
    let policy = settings::policy(config);
    Ok(Ingest::new(
        Arc::new(journal),
        Arc::clone(store),
        Arc::new(exports),
        policy,
    )?)
}

/// A thread for each lane, on these CPUs in turn.
fn workers(
    lanes: impl Iterator<Item = ((LaneSockets, Relay), Lane)>,
    monotonic: Monotonic,
    cpus: &[usize],
) -> Result<Arc<Vec<Worker>>> {
    let cpus = cpus.iter().copied().map(Some).cycle();
    let cpus = cpus.chain(iter::repeat(None)).enumerate();
    let start = |(place, (sockets, lane))| Worker::start(place, lane, sockets, monotonic);
    let workers = cpus.zip(lanes).map(start).collect::<Result<_, _>>();
    Ok(Arc::new(workers.context("cannot start a lane's thread")?))
}

/// What is relayed, and the table that the lanes begin with.
fn relays(config: &Config, own: &Arc<Own>) -> Result<(Relays, Arc<RelayTable>)> {
    let relays = Relays::new(Arc::clone(own), listen::System);
    let mut table = Arc::default();
    let problems = relays.go_by(&config.relays, |relaying| table = relaying);
    if let Err(problems) = problems {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow::bail!("cannot relay: {}", lines.join("; "));
    }
    Ok((relays, table))
}

/// Begins to keep the flows that are open.
fn keeper(
    config: &Config,
    journal: &Arc<Journal>,
    workers: &Arc<Vec<Worker>>,
) -> Result<Option<Keeper>> {
    let interval = config.journal.snapshot_interval;
    if interval.is_zero() {
        // What was resumed from it moves on.
        journal
            .remove_snapshot()
            .context("cannot remove the snapshot of the cache")?;
        return Ok(None);
    }
    let keeper = Keeper::start(Arc::clone(journal), Arc::clone(workers), interval);
    Ok(Some(
        keeper.context("cannot start the keeper of snapshots")?,
    ))
}

/// Begins to send what is in the journal for the cloud.
fn sender(
    config: &Config,
    state: &Path,
    ingest: &Ingest,
    table: &RoutingTable,
) -> Result<(Arc<Sender>, Arc<Cloud>)> {
    let settings = settings::sender(config, state);
    let cloud = Cloud::new(config, &settings.transport).context("[sls]")?;
    let cloud = Arc::new(cloud);
    let directory: Arc<dyn Directory> = Arc::clone(&cloud) as _;
    let journal = Arc::clone(ingest.journal());
    let sender = Sender::start(&Handle::current(), journal, settings, directory)?;
    for (id, destination) in ingest.name(table) {
        sender.attend(id, destination);
    }
    Ok((Arc::new(sender), cloud))
}

/// Opens sockets, or takes over those a service manager passed.
fn bind(config: &Config) -> Result<Bound> {
    let lanes = match config.listen.steering {
        Steering::Off => 1,
        Steering::Auto => config.listen.lanes.map_or_else(cores, usize::from),
    };
    let settings = listen::Settings {
        addresses: config.listen.addresses.clone(),
        lanes: NonZeroU32::new(u32::try_from(lanes)?).unwrap_or(NonZeroU32::MIN),
        receive_buffer_bytes: config.listen.receive_buffer_bytes,
        datagram_bytes_max: listen::DATAGRAM_BYTES_MAX,
        nap_max: config.listen.nap_max,
        gro: config.listen.gro,
    };
    let passed = listen::passed(&mut ListenFd::from_env());
    if passed.is_empty() {
        Ok(listen::bind(&settings)?)
    } else {
        Ok(listen::adopt(passed, &settings)?)
    }
}

/// Has the metrics say what the kernel granted, the least of each port.
fn say_buffers(bound: &Bound) {
    let mut granted = BTreeMap::new();
    for socket in bound.lanes.iter().flat_map(LaneSockets::stats) {
        let least = granted.entry(socket.local_port).or_insert(usize::MAX);
        *least = socket.receive_buffer_bytes.min(*least);
    }
    for (port, bytes) in granted {
        metrics::buffer_granted(port, bytes);
    }
}

fn cores() -> usize {
    thread::available_parallelism()
        .map_or(1, usize::from)
        .min(LANES_MAX)
}

/// The Templates of the last run, one text per lane it had.
fn remembered(config: &Config, state: &Path) -> Vec<Vec<u8>> {
    if config.exporters.persist_templates {
        memory::load(&state.join(memory::FILE))
    } else {
        Vec::new()
    }
}

/// Makes lanes that are all alike.
struct Builder<'a> {
    config: &'a Config,
    lanes: usize,
    table: Arc<RoutingTable>,
    vicinity: Arc<Vicinity>,
    exchange: Arc<Exchange>,
    remembered: Vec<Vec<u8>>,
    monotonic: Monotonic,
}

impl Builder<'_> {
    /// A lane for each cell, with the flows that an unclean end left open.
    fn lanes(&self, cells: &[Arc<Cell<TERMS>>], journal: &Journal) -> Vec<Lane> {
        let cells = cells.iter().enumerate();
        let lanes = cells.map(|(index, cell)| self.lane(index, Arc::clone(cell)));
        let mut lanes: Vec<_> = lanes.collect();
        let mut all: Vec<_> = lanes.iter_mut().collect();
        snapshot::resume(journal, &mut all, &self.table, &self.monotonic);
        lanes
    }

    fn lane(&self, index: usize, cell: Arc<Cell<TERMS>>) -> Lane {
        let config = self.config;
        let mut sessions = Sessions::new(
            settings::sessions(config, self.lanes),
            settings::template_scope(config),
            settings::plan(&config.definition),
        );
        for image in &self.remembered {
            // Lanes may be others than last time: each takes all, and what
            // belongs to another is soon forgotten.
            match sessions.import(image, clock::now(&self.monotonic)) {
                Ok(imported) => tracing::debug!(?imported, "templates of the last run"),
                Err(error) => tracing::warn!(%error, "templates of the last run are unusable"),
            }
        }
        let sampling = settings::sampling(&config.exporters);
        // Exporters of the last run have had no occasion to ask for theirs.
        sessions.set_sampling(|exporter| sampling.of(exporter));
        let cache: cache::Settings = settings::cache(config, self.lanes);
        Lane::new(lane::Parts {
            sessions,
            sampling,
            cache: Cache::new(cache),
            max_flows: cache.max_flows,
            table: Arc::clone(&self.table),
            exit: Arc::clone(&self.exchange) as Arc<dyn HandOver>,
            cell,
            vicinity: (Arc::clone(&self.vicinity), index),
        })
    }
}

/// Where state is kept, for this user and environment.
pub fn state_directory(config: &Config) -> PathBuf {
    let is_root = nix::unistd::geteuid().is_root();
    config
        .state
        .directory(is_root, |name| std::env::var_os(name))
}

/// Octets journal and log store may take, were the daemon started now.
pub fn disk_budget(config: &Config) -> DiskBudget {
    let dir = store_directory(config, &state_directory(config));
    disk_budget_of(config, &dir)
}

fn disk_budget_of(config: &Config, dir: &Path) -> DiskBudget {
    DiskBudget::new(config, || logstore::room(dir))
}

fn store_directory(config: &Config, state: &Path) -> PathBuf {
    let dir = config.logstore.dir.clone();
    dir.unwrap_or_else(|| settings::log_store_directory(state))
}
