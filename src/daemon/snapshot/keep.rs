//! The thread that has snapshots taken.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};

use crate::cache::Snapshot;
use crate::daemon::clock;
use crate::daemon::metrics;
use crate::daemon::worker::{Command, Worker};
use crate::journal::Journal;
use crate::lane::Piece;

/// Pieces between lanes and the disk; a lane that finds no room waits.
const PIECES_MAX: usize = 16;

/// Takes a snapshot now and then.
#[derive(Debug)]
pub(in crate::daemon) struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Takes the first snapshot now, in place of that of the last run.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(in crate::daemon) fn start(
        journal: Arc<Journal>,
        workers: Arc<Vec<Worker>>,
        interval: Duration,
    ) -> io::Result<Self> {
        let (stop, stopped) = bounded(0);
        let mut keeping = Keeping {
            journal,
            workers,
            stopped,
            is_failing: false,
        };
        let thread = Builder::new().name("snapshots".to_owned()).spawn(move || {
            loop {
                keeping.turn();
                match keeping.stopped.recv_timeout(interval) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends it; a snapshot that is under way is given up.
    pub(in crate::daemon) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the keeper of snapshots panicked; the last one may be old");
        }
    }
}

struct Keeping {
    journal: Arc<Journal>,
    workers: Arc<Vec<Worker>>,
    /// Disconnected at the end.
    stopped: Receiver<()>,
    is_failing: bool,
}

/// A snapshot that was taken.
struct Kept {
    flows: u64,
    bytes: u64,
}

impl Keeping {
    fn turn(&mut self) {
        let began = Instant::now();
        let failed = match self.take() {
            Ok(Some(Kept { flows, bytes })) => {
                metrics::snapshot_taken(bytes, began.elapsed(), clock::unix_ms());
                tracing::debug!(flows, bytes, "took a snapshot of the cache");
                None
            }
            Ok(None) => return,
            Err(error) => {
                metrics::snapshot_failed();
                Some(error)
            }
        };
        // A state: the log has its begin and its end.
        let was_failing = std::mem::replace(&mut self.is_failing, failed.is_some());
        match failed {
            Some(error) if !was_failing => {
                tracing::warn!(%error, "cannot write the snapshot of the cache; after a crash an older one is resumed");
            }
            None if was_failing => tracing::info!("snapshots of the cache are written again"),
            Some(_) | None => {}
        }
    }

    /// Takes a snapshot; none while the journal takes no rows, or if the daemon
    /// or a lane ends.
    fn take(&self) -> io::Result<Option<Kept>> {
        if self.is_faulty() {
            return Ok(None);
        }
        let mut writer = self.journal.begin_snapshot()?;
        writer.write(&Snapshot::head())?;
        let (to, pieces) = bounded(PIECES_MAX);
        for (lane, worker) in (0..).zip(self.workers.iter()) {
            worker.tell(Command::Snapshot(lane, to.clone()));
        }
        drop(to);
        let (mut flows, mut lanes) = (0, self.workers.len());
        while lanes > 0 {
            let Some(piece) = self.next(&pieces) else {
                return Ok(None);
            };
            writer.write(&piece.octets)?;
            flows += piece.flows;
            lanes -= usize::from(piece.is_last);
        }
        writer.write(&Snapshot::tail(flows))?;
        self.journal.save_snapshot(&writer)?;
        if self.is_faulty() {
            // The committer may have removed the one before, not this.
            self.journal.remove_snapshot()?;
            return Ok(None);
        }
        Ok(Some(Kept {
            flows,
            bytes: writer.file_len(),
        }))
    }

    /// The next piece of any lane; none if the daemon or a lane ends.
    fn next(&self, pieces: &Receiver<Piece>) -> Option<Piece> {
        select! {
            recv(pieces) -> piece => piece.ok(),
            recv(self.stopped) -> _ended => None,
        }
    }

    fn is_faulty(&self) -> bool {
        self.journal.stats(clock::unix_ms()).fault.is_some()
    }
}
