//! The thread that makes rows durable, and who waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::daemon::clock;
use crate::daemon::ingest::Ingest;
use crate::daemon::ingest::outlet::logstore_of;
use crate::daemon::metrics;
use crate::journal::CommitError;
use crate::journal::DestinationId;
use crate::journal::Fault;

/// How often progress is made durable.
const PERSIST_EVERY: Duration = Duration::from_secs(1);

/// Between the committer and those who wait for it.
#[derive(Debug)]
pub(in crate::daemon) struct Commits {
    asked: Mutex<Asked>,
    wake: Condvar,
    durable: watch::Sender<Durable>,
}

#[derive(Debug, Default)]
struct Asked {
    /// Somebody waits.
    is_urgent: bool,
    /// No row will come any more.
    is_over: bool,
}

/// How far commits have come.
#[derive(Clone, Debug, Default)]
struct Durable {
    /// The first number that is not durable.
    to: u64,
    /// Commits that failed.
    failures: u64,
    /// Why the last one did.
    error: Option<CommitError>,
    /// Nothing becomes durable any more.
    has_ended: bool,
}

impl Default for Commits {
    fn default() -> Self {
        let (durable, _) = watch::channel(Durable::default());
        Self {
            asked: Mutex::default(),
            wake: Condvar::new(),
            durable,
        }
    }
}

impl Commits {
    /// Waits until all numbers below `end` are durable.
    ///
    /// # Errors
    /// The next commit failed: the rows are in memory, and may be durable later.
    /// Or there is no next commit.
    pub(super) async fn until(&self, end: u64) -> Result<(), CommitError> {
        let mut durable = self.durable.subscribe();
        let failures = durable.borrow().failures;
        self.ask(|asked| asked.is_urgent = true);
        let is_settled = |now: &Durable| now.to >= end || now.failures > failures || now.has_ended;
        // The sender is ours: it is not gone.
        let Ok(now) = durable.wait_for(is_settled).await else {
            return Ok(());
        };
        match now.to >= end {
            true => Ok(()),
            false => Err(now.error.unwrap_or(CommitError(Fault::Io))),
        }
    }

    /// Whether nothing becomes durable any more.
    pub(in crate::daemon) fn have_ended(&self) -> bool {
        self.durable.borrow().has_ended
    }

    /// Ends the committer after one more commit.
    pub(in crate::daemon) fn end(&self) {
        self.ask(|asked| asked.is_over = true);
    }

    fn ask(&self, change: impl FnOnce(&mut Asked)) {
        change(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_one();
    }

    /// Waits until a commit is due; whether it is the last.
    fn wait(&self, interval: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = |asked: &mut Asked| !asked.is_urgent && !asked.is_over;
        let waited = self.wake.wait_timeout_while(asked, interval, is_idle);
        let mut asked = waited.unwrap_or_else(PoisonError::into_inner).0;
        asked.is_urgent = false;
        asked.is_over
    }

    fn tell(&self, committed: Result<u64, CommitError>) {
        self.durable.send_modify(|durable| match committed {
            Ok(to) => durable.to = to,
            Err(error) => {
                durable.failures += 1;
                durable.error = Some(error);
            }
        });
    }
}

/// Starts the committer: every `interval`, and when somebody waits, what is in
/// the journal becomes durable, and `committed` is told.
///
/// # Errors
/// The system gives no thread.
pub(in crate::daemon) fn commit(
    ingest: Arc<Ingest>,
    interval: Duration,
    committed: impl Fn() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let mut committer = Committer {
        ingest,
        committed: Box::new(committed),
        persisted: Instant::now(),
        is_failing: false,
    };
    Builder::new().name("committer".to_owned()).spawn(move || {
        loop {
            let is_last = committer.ingest.commits.wait(interval);
            committer.turn(is_last);
            if is_last {
                return;
            }
        }
    })
}

/// However its thread ends, nobody waits for it in vain.
impl Drop for Committer {
    fn drop(&mut self) {
        let durable = &self.ingest.commits.durable;
        durable.send_modify(|durable| durable.has_ended = true);
    }
}

struct Committer {
    ingest: Arc<Ingest>,
    committed: Box<dyn Fn() + Send>,
    persisted: Instant,
    is_failing: bool,
}

impl Committer {
    fn turn(&mut self, is_last: bool) {
        let began = Instant::now();
        let committed = self.ingest.journal.commit();
        metrics::journal_committed(began.elapsed());
        self.complain(committed.err());
        self.ingest.commits.tell(committed);
        (self.committed)();
        if is_last || self.persisted.elapsed() >= PERSIST_EVERY {
            self.persisted = Instant::now();
            self.ingest.acknowledge();
            if let Err(error) = self.ingest.journal.persist_progress() {
                tracing::debug!(%error, "the journal's progress could not be written");
            }
        }
    }

    /// A fault is a state: the log has its begin and its end.
    fn complain(&mut self, error: Option<CommitError>) {
        let was_failing = std::mem::replace(&mut self.is_failing, error.is_some());
        match error {
            Some(error) if !was_failing => {
                // Rows may be delivered that no later run finds in the journal:
                // their flows must not be resumed. A worse disk keeps it.
                let _kept = self.ingest.journal.remove_snapshot().is_err();
                tracing::error!(%error, "rows cannot be made durable: they stay in memory; see flowlogd_journal metrics");
            }
            None if was_failing => tracing::info!("rows are durable again"),
            Some(_) | None => {}
        }
    }
}

impl Ingest {
    /// Acknowledges what the log store has in parts, and all of a logstore that
    /// was deleted.
    pub(super) fn acknowledge(&self) {
        // What is in the journal is in the log store, too.
        let order = self.order();
        let durable: BTreeMap<_, _> = self.store.durable().into_iter().collect();
        let stats = self.journal_stats();
        drop(order);
        for (id, destination) in (0..).map(DestinationId).zip(&stats.destinations) {
            if let Some(name) = logstore_of(&destination.name) {
                let end = durable.get(&name).copied().unwrap_or(stats.next_seq);
                self.journal.ack(id, 0..end);
            }
        }
    }

    /// Has everything made durable that was appended by now, and waits for it.
    pub(in crate::daemon) async fn commit_now(&self) {
        let end = self.journal_stats().next_seq;
        // What keeps it from that is in the log already.
        let _said = self.commits.until(end).await.is_err();
    }

    /// Whether nothing becomes durable any more.
    pub(in crate::daemon) fn has_ended(&self) -> bool {
        self.commits.have_ended()
    }

    /// Lets the committer end.
    pub(in crate::daemon) fn end_commits(&self) {
        self.commits.end();
    }

    /// Octets and such of the journal, of one moment.
    pub(in crate::daemon) fn journal_stats(&self) -> crate::journal::Stats {
        self.journal.stats(clock::unix_ms())
    }
}
