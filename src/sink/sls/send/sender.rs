//! The sender's door.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::Destination;
use super::Directory;
use super::OutletStats;
use super::SenderSettings;
use super::clock::Clock;
use super::clock::SystemClock;
use super::outlet::Outlet;
use super::shared::Shared;
use super::stats::Desk;
use crate::flow::Amount;
use crate::journal::DestinationId;
use crate::journal::Journal;
use crate::sink::sls::BuildError;
use crate::sink::sls::Client;
use crate::sink::sls::DeadLetters;

/// Sends the rows of a journal to the Logstores they are for.
///
/// Dropped without [`Sender::stop`] it ends at once; what was not acknowledged
/// is sent again by the next.
pub struct Sender {
    shared: Arc<Shared>,
    runtime: Handle,
    outlets: Mutex<Outlets>,
}

#[derive(Default)]
struct Outlets {
    desks: BTreeMap<DestinationId, Arc<Desk>>,
    tasks: JoinSet<()>,
}

impl Sender {
    /// Begins with all destinations of the journal that rows wait for.
    ///
    /// # Errors
    /// When the dead-letter file or the HTTP client cannot be set up.
    pub fn start(
        runtime: &Handle,
        journal: Arc<Journal>,
        settings: SenderSettings,
        directory: Arc<dyn Directory>,
    ) -> Result<Self, StartError> {
        let clock = Arc::new(SystemClock::new());
        Self::start_by(clock, runtime, journal, settings, directory)
    }

    /// The same with other clocks.
    pub(in crate::sink::sls) fn start_by(
        clock: Arc<dyn Clock>,
        runtime: &Handle,
        journal: Arc<Journal>,
        settings: SenderSettings,
        directory: Arc<dyn Directory>,
    ) -> Result<Self, StartError> {
        let client = Client::new(&settings.transport)?;
        let path = &settings.dead_letter_directory;
        let opened = DeadLetters::open(path, settings.dead_letter_octets_max);
        let (letters, found) = opened.map_err(|source| StartError::DeadLetters {
            path: path.clone(),
            source,
        })?;
        if found.torn_octets > 0 {
            let octets = found.torn_octets;
            tracing::warn!(octets, "cut off a dead letter that a crash left unfinished");
        }
        let waiting = waiting(&journal, clock.unix_ms());
        let sender = Self {
            shared: Arc::new(Shared::new(
                journal, settings, client, clock, directory, letters,
            )),
            runtime: runtime.clone(),
            outlets: Mutex::default(),
        };
        for (id, destination) in waiting {
            sender.attend(id, destination);
        }
        Ok(sender)
    }

    /// Serves a destination from now on; to be called when rows are journaled
    /// for it. Again is as once.
    pub fn attend(&self, id: DestinationId, destination: Destination) {
        let mut outlets = self.outlets();
        if outlets.desks.contains_key(&id) {
            return;
        }
        if !destination.is_named() {
            tracing::error!(%destination, "not sent to: its name cannot be read again");
            return;
        }
        let desk = Arc::new(Desk::new(id, destination));
        outlets.desks.insert(id, Arc::clone(&desk));
        let task = attend(Arc::clone(&self.shared), desk);
        outlets.tasks.spawn_on(task, &self.runtime);
    }

    /// Says that rows became durable. Cheap: to be called after every commit.
    pub fn notify(&self) {
        let signal = &self.shared.signal;
        signal.send_modify(|signal| signal.commits = signal.commits.wrapping_add(1));
    }

    /// Looks everything up in another directory from now on; who waits for an
    /// operator asks again at once.
    pub fn redirect(&self, directory: Arc<dyn Directory>) {
        self.shared.set_directory(directory);
        let signal = &self.shared.signal;
        signal.send_modify(|signal| signal.directories = signal.directories.wrapping_add(1));
    }

    /// Reads nothing more, sends what is collected and lets requests in flight
    /// end, as far as that is done by the deadline; the rest stays in the
    /// journal.
    pub async fn stop(&self, deadline: Duration) {
        self.shared
            .signal
            .send_modify(|signal| signal.is_stopping = true);
        let mut tasks = std::mem::take(&mut self.outlets().tasks);
        let until = self.shared.clock.now().saturating_add(deadline);
        tokio::select! {
            () = async { while tasks.join_next().await.is_some() {} } => {}
            () = self.shared.clock.reach(until) => {}
        }
        tasks.shutdown().await;
    }

    /// How each destination is, by its number in the journal.
    ///
    /// How old its oldest row is, the journal says.
    pub fn stats(&self) -> Vec<(DestinationId, Destination, OutletStats)> {
        let outlets = self.outlets();
        let desks = outlets.desks.values();
        desks
            .map(|desk| (desk.id, desk.destination.clone(), desk.stats().clone()))
            .collect()
    }

    /// Octets of rows in memory, now and at most since the start.
    pub fn memory(&self) -> (usize, usize) {
        let budget = &self.shared.budget;
        (budget.held(), budget.peak())
    }

    fn outlets(&self) -> MutexGuard<'_, Outlets> {
        self.outlets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// Why no sender was started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] BuildError),
    /// The dead-letter file.
    #[error("dead letters in {}: {source}", path.display())]
    DeadLetters {
        /// Its directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The destinations of SLS that rows wait for.
fn waiting(journal: &Journal, now_ms: u64) -> Vec<(DestinationId, Destination)> {
    let stats = journal.stats(now_ms);
    let destinations = (0..).map(DestinationId).zip(stats.destinations);
    let waiting = destinations.filter(|(_, destination)| {
        let has_rows = destination.amounts.pending != Amount::default();
        has_rows && Destination::is_meant(&destination.name)
    });
    let known = waiting.filter_map(|(id, destination)| match destination.name.parse() {
        Ok(destination) => Some((id, destination)),
        Err(error) => {
            tracing::error!(%error, "a destination of the journal is not served");
            None
        }
    });
    known.collect()
}

/// Runs the outlet of a destination, and another should it fail.
async fn attend(shared: Arc<Shared>, desk: Arc<Desk>) {
    loop {
        let outlet = Outlet::new(Arc::clone(&shared), Arc::clone(&desk));
        let Err(trouble) = outlet.run().await else {
            return;
        };
        tracing::error!(destination = %desk.destination, what = %trouble.what, "outlet failed");
        desk.stats().trouble = Some(trouble);
        let again = shared.clock.now() + shared.settings.patience.slow.least;
        shared.clock.reach(again).await;
    }
}
