//! The daemon from start to stop: signals, reload, watchdog, drain.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use crossbeam_channel::Receiver;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::api::Backend;
use crate::config::Config;
use crate::daemon::http::{Listeners, Serving};
use crate::daemon::service::Service;
use crate::daemon::start::{self, Started};
use crate::daemon::watch::Watch;
use crate::daemon::worker::Command;
use crate::daemon::{apis, clock, front, memory, metrics};
use crate::telemetry::Metrics;

/// How often the log says what exporters do wrong.
const WATCH_EVERY: Duration = Duration::from_secs(20);
/// How often exporters are looked at for their metrics.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// How often Templates are written to disk.
const REMEMBER_EVERY: Duration = Duration::from_secs(60);
/// How long a stopping daemon goes on sending; the rest stays in the journal.
const SEND_PATIENCE: Duration = Duration::from_secs(10);
/// How long lanes have for giving their Templates.
const REMEMBER_PATIENCE: Duration = Duration::from_secs(5);

/// A daemon that runs, with its HTTP front.
pub struct Daemon {
    started: Started,
    state: PathBuf,
    persists: bool,
    /// Where HTTP is served to programs of this host.
    pub http: std::net::SocketAddr,
    serving: Serving,
    upkeep_task: JoinHandle<()>,
    relay_task: JoinHandle<()>,
}

/// Runs the daemon until SIGTERM or SIGINT; SIGHUP reads the configuration again.
///
/// # Errors
/// What could not be started.
pub async fn run(config: Config, path: Option<PathBuf>, recorder: Metrics) -> Result<()> {
    let daemon = Daemon::start(&config, recorder).await?;
    notify(NotifyState::Ready);
    let reason = daemon.until_told(path.as_deref()).await?;
    notify(NotifyState::Stopping);
    tracing::info!(reason, "stopping: handing over what is in the cache");
    daemon.stop().await
}

impl Daemon {
    /// Starts everything.
    ///
    /// # Errors
    /// What could not be started.
    pub async fn start(config: &Config, recorder: Metrics) -> Result<Self> {
        metrics::describe();
        let state = start::state_directory(config);
        std::fs::create_dir_all(&state)
            .with_context(|| format!("cannot make the state directory {}", state.display()))?;
        let listeners = Listeners::bind(config).await?;
        let started = start::start(config, recorder, &state, listeners.connections())?;
        metrics::loaded(clock::unix_ms());
        for address in &started.addresses {
            tracing::info!(%address, "collecting NetFlow and IPFIX");
        }
        let sls = front::front(config, started.service.ingest())?;
        let apis = apis::apis(config, &started.service)?;
        let backend: Arc<dyn Backend> = Arc::clone(&started.service) as _;
        let serving = listeners.serve(config, &backend, &sls, &apis)?;
        let upkeep_task = tokio::spawn(keep_up(Arc::clone(&started.service)));
        let relaying = Arc::clone(&started.service);
        let relay_task = tokio::spawn(async move {
            relaying.relays().keep_up(relaying.workers()).await;
        });
        Ok(Self {
            started,
            upkeep_task,
            relay_task,
            state,
            persists: config.exporters.persist_templates,
            http: serving.address,
            serving,
        })
    }

    /// What answers questions and takes changes.
    pub fn service(&self) -> &Arc<Service> {
        &self.started.service
    }

    /// Where datagrams are received.
    pub fn addresses(&self) -> &[std::net::SocketAddr] {
        &self.started.addresses
    }

    /// Serves until a signal says to end; returns its name.
    async fn until_told(&self, config: Option<&Path>) -> Result<&'static str> {
        let mut hangup = listen_for(SignalKind::hangup())?;
        let mut terminate = listen_for(SignalKind::terminate())?;
        let mut interrupt = listen_for(SignalKind::interrupt())?;
        let mut user1 = listen_for(SignalKind::user_defined1())?;
        let mut remember = interval(REMEMBER_EVERY);
        let mut watchdog = interval(watchdog_period());
        let mut look = interval(WATCH_EVERY);
        let mut watch = Watch::default();
        for timer in [&mut remember, &mut watchdog, &mut look] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok("SIGTERM"),
                _ = interrupt.recv() => return Ok("SIGINT"),
                _ = hangup.recv() => self.reload(config),
                _ = user1.recv() => self.say_state(),
                _ = remember.tick() => self.remember().await,
                _ = watchdog.tick() => self.feed_watchdog(),
                _ = look.tick() => self.look_at_exporters(&mut watch).await,
            }
        }
    }

    /// Reads the configuration again; a bad one changes nothing.
    fn reload(&self, path: Option<&Path>) {
        let Some(path) = path else {
            tracing::warn!("no configuration file was given, so there is nothing to reload");
            return;
        };
        let redefined = match Config::load(path) {
            Ok(config) => self.service().redefine(&config),
            Err(problems) => {
                metrics::reloaded(false, clock::unix_ms());
                tracing::error!("the configuration is bad; the old one stays\n{problems}");
                return;
            }
        };
        metrics::reloaded(redefined.is_ok(), clock::unix_ms());
        match redefined {
            Ok(()) => {
                tracing::info!("reloaded flow logs, devices, relays, the allow-list and [sls]")
            }
            Err(problems) => {
                tracing::error!(
                    ?problems,
                    "the flow logs or relays are bad; the old ones stay"
                );
            }
        }
    }

    /// SIGUSR1: the accounts, in the log.
    fn say_state(&self) {
        let reading = self.service().ledger().read();
        let sum = reading.sum();
        tracing::info!(
            received = sum.received,
            decoded = sum.sessions.decoded,
            missed = sum.missed,
            routed = sum.routed.records,
            live_flows = sum.live,
            kept = reading.accounts.store.ended.taken.records,
            dropped = sum.dropped.records,
            "state"
        );
    }

    /// Says in the log what exporters do wrong.
    async fn look_at_exporters(&self, watch: &mut Watch) {
        // A lane too busy to answer is asked again at the next look.
        if let Ok(lanes) = self.service().look_at_exporters().await {
            let views = lanes.into_iter().flat_map(|lane| lane.exporters);
            watch.report(&views.collect::<Vec<_>>());
        }
        let losses = self
            .service()
            .exchange()
            .losses(|losses| watch.compare(losses));
        Watch::mourn(&losses);
    }

    /// A daemon whose lanes have ended must not look alive.
    fn feed_watchdog(&self) {
        if self.service().unready_reasons().is_empty() {
            notify(NotifyState::Watchdog);
        }
    }

    /// Writes the Templates to disk.
    async fn remember(&self) {
        if !self.persists {
            return;
        }
        let answers = self.ask_to_remember();
        let path = self.state.join(memory::FILE);
        let written = tokio::task::spawn_blocking(move || {
            let mut lanes = Vec::new();
            for answer in answers {
                lanes.push(answer.recv_timeout(REMEMBER_PATIENCE)?);
            }
            anyhow::Ok(memory::save(&path, &lanes)?)
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot write down the templates"),
            Err(error) => tracing::warn!(%error, "cannot write down the templates"),
        }
    }

    fn ask_to_remember(&self) -> Vec<Receiver<Vec<u8>>> {
        let ask = |worker: &crate::daemon::worker::Worker| {
            let (sender, receiver) = crossbeam_channel::bounded(1);
            worker.tell(Command::Remember(sender));
            receiver
        };
        self.service().workers().iter().map(ask).collect()
    }

    /// Hands over what is in the cache, makes it durable, sends what can be
    /// sent, and ends.
    ///
    /// # Errors
    /// Something was lost on the way.
    pub async fn stop(self) -> Result<()> {
        self.remember().await;
        self.upkeep_task.abort();
        self.relay_task.abort();
        let Started {
            service,
            writer,
            committer,
            upkeep,
            keeper,
            ..
        } = self.started;
        let drained = Arc::clone(&service);
        tokio::task::spawn_blocking(move || {
            if let Some(keeper) = keeper {
                keeper.stop();
            }
            drained.stop();
            // Before the last flush, which then has the disk for itself.
            upkeep.stop();
            if writer.join().is_err() {
                tracing::error!("the writer panicked; what it had not written is lost");
            }
            drained.ingest().exports().close();
            if let Err(error) = drained.store().flush() {
                tracing::error!(%error, "the last flows are in the journal only");
            }
        })
        .await?;
        service.ingest().commit_now().await;
        service.sender().stop(SEND_PATIENCE).await;
        tokio::task::spawn_blocking(move || {
            service.ingest().end_commits();
            if committer.join().is_err() {
                tracing::error!("the committer panicked; what was not durable is lost");
            }
            close(&service);
        })
        .await?;
        self.serving.stop().await
    }
}

/// The journal's clean end, if every flow is a row: there is nothing to resume.
fn close(service: &Service) {
    let sum = service.ledger().read().sum();
    if (sum.held + sum.open).records > 0 {
        tracing::error!("flows are still open: the next start resumes the last snapshot");
        return;
    }
    if let Err(error) = service.ingest().journal().close() {
        tracing::error!(%error, "the journal has no clean end: the next start resumes the last snapshot");
    }
}

/// Keeps the metrics fresh that are not read at a scrape.
async fn keep_up(service: Arc<Service>) {
    let mut every = interval(UPKEEP_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        service.recorder().upkeep();
        // A lane too busy to answer is asked again the next time.
        let _too_busy = service.look_at_exporters().await.is_err();
    }
}

fn listen_for(kind: SignalKind) -> Result<Signal> {
    signal(kind).context("cannot listen for signals")
}

/// Half of what systemd allows, or a minute where it does not watch.
fn watchdog_period() -> Duration {
    sd_notify::watchdog_enabled().map_or(Duration::from_secs(60), |limit| limit / 2)
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}
