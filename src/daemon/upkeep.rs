//! The two threads that keep the log store in shape.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};

use crate::daemon::clock;
use crate::daemon::metrics;
use crate::logstore::LogStore;

/// How often the log store is looked after.
const PERIOD: Duration = Duration::from_secs(1);

/// Running upkeep: one thread writes out old tails and retires old hours, the
/// other merges parts. Merging takes as long as it takes, and must not keep
/// rows in memory beyond their age.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// Never carries anything: the threads end when it is gone.
    wanted: Sender<Infallible>,
    threads: Vec<JoinHandle<()>>,
}

impl Upkeep {
    /// Starts both threads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(store: &Arc<LogStore>) -> io::Result<Self> {
        let (wanted, ended) = bounded(0);
        let tended = Arc::clone(store);
        let tend = move || tend(&tended);
        let (merged, stop) = (Arc::clone(store), ended.clone());
        let merge = move || merged.merge(clock::unix_ms(), &|| goes_on(&stop));
        let threads = vec![
            spawn("upkeep", ended.clone(), tend)?,
            spawn("merge", ended, merge)?,
        ];
        Ok(Self { wanted, threads })
    }

    /// Ends both threads; what is half merged is given up. Blocks until what
    /// one of them is just writing is written.
    pub(super) fn stop(self) {
        drop(self.wanted);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("the log store's upkeep panicked; parts may be small or too old");
            }
        }
    }
}

/// Has the log store write out and retire what is due.
fn tend(store: &LogStore) {
    let before = store.stats().parts_written;
    let began = Instant::now();
    store.tend(clock::unix_ms());
    if store.stats().parts_written > before {
        metrics::committed(began.elapsed());
    }
}

fn spawn(
    name: &str,
    ended: Receiver<Infallible>,
    work: impl Fn() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let keep_on = move || {
        while ended.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
            work();
        }
    };
    Builder::new().name(name.to_owned()).spawn(keep_on)
}

fn goes_on(ended: &Receiver<Infallible>) -> bool {
    ended.try_recv() == Err(TryRecvError::Empty)
}
