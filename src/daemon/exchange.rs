//! The hand-over from lanes to what is behind them: bounded in bytes.
//!
//! Its lock is the seam of the ledger: an amount leaves a lane's terms and
//! enters the accounts behind the lanes while it is held, and a reader of the
//! whole ledger holds it too.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::daemon::ingest::{Books, Ended, Side};
use crate::daemon::losses::{Losses, Place};
use crate::daemon::metrics;
use crate::flow::Amount;
use crate::lane::{HandOver, Parcel};

/// The record accounts behind the lanes; each output adds up to what lanes
/// handed over.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Accounts {
    /// Taken over from lanes.
    pub handed: Amount,
    /// What becomes of it in the log store.
    pub store: Output,
    /// What becomes of it on the way to the log service.
    pub sls: Output,
    /// What becomes of it on the way to other collectors.
    pub netflow: Output,
}

/// `handed = in_flight + taken + refused + spared`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Output {
    /// Waiting here or with the writer.
    pub in_flight: Amount,
    /// What has ended.
    pub ended: Ended,
}

/// The bounded queue between lanes and the writer.
#[derive(Debug)]
pub struct Exchange {
    inner: Mutex<Inner>,
    /// Apart, so that whoever looks at all of them holds up no hand-over.
    losses: Mutex<Losses>,
    arrived: Condvar,
    bytes_max: usize,
}

#[derive(Debug)]
struct Inner {
    /// With the time each came.
    queue: VecDeque<(Instant, Parcel)>,
    bytes: usize,
    accounts: Accounts,
    closed: bool,
}

impl Exchange {
    /// Holds at most `bytes_max` octets of batches, and always room for one;
    /// remembers the losses of `exporters_max` exporters.
    pub fn new(bytes_max: usize, exporters_max: usize) -> Self {
        let inner = Inner {
            queue: VecDeque::new(),
            bytes: 0,
            accounts: Accounts::default(),
            closed: false,
        };
        Self {
            inner: Mutex::new(inner),
            losses: Mutex::new(Losses::new(exporters_max)),
            arrived: Condvar::new(),
            bytes_max,
        }
    }

    /// Waits for the oldest parcel; `None` after `patience`, or when the
    /// exchange is closed and empty. The parcel stays in flight until it is
    /// settled.
    pub fn take(&self, patience: Duration) -> Option<Parcel> {
        let deadline = Instant::now() + patience;
        let mut inner = self.lock();
        loop {
            if let Some((since, parcel)) = inner.queue.pop_front() {
                inner.bytes = inner.bytes.saturating_sub(parcel.batch.bytes());
                drop(inner);
                metrics::waited(parcel.batch.len(), since.elapsed());
                return Some(parcel);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if inner.closed || left.is_zero() {
                return None;
            }
            let waited = self.arrived.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Books whose rows a batch held that is dropped.
    pub fn attribute(&self, place: Place, exporters: &[(IpAddr, Amount)]) {
        self.lock_losses().book(place, exporters);
    }

    /// Looks at what was dropped, and whose it was.
    pub fn losses<T>(&self, look: impl FnOnce(&Losses) -> T) -> T {
        look(&self.lock_losses())
    }

    /// Says that no lane will offer again.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Whether no lane will offer again and all parcels are taken.
    pub fn is_drained(&self) -> bool {
        let inner = self.lock();
        inner.closed && inner.queue.is_empty()
    }

    /// Reads the accounts while no amount can cross from a lane; `lanes` reads
    /// the lanes' terms in that moment.
    pub fn read<T>(&self, lanes: impl FnOnce() -> T) -> (T, Accounts) {
        let inner = self.lock();
        (lanes(), inner.accounts)
    }

    /// Octets of batches that wait.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock_losses(&self) -> MutexGuard<'_, Losses> {
        self.losses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HandOver for Exchange {
    /// `publish` runs under the lock.
    fn offer(&self, parcel: Parcel, publish: &mut dyn FnMut()) -> Result<(), Box<Parcel>> {
        let bytes = parcel.batch.bytes();
        let mut inner = self.lock();
        let full = inner.bytes.saturating_add(bytes) > self.bytes_max;
        if full && !inner.queue.is_empty() {
            return Err(Box::new(parcel));
        }
        inner.bytes += bytes;
        inner.accounts.handed += parcel.amount;
        inner.accounts.store.in_flight += parcel.amount;
        inner.accounts.sls.in_flight += parcel.amount;
        inner.accounts.netflow.in_flight += parcel.amount;
        inner.queue.push_back((Instant::now(), parcel));
        publish();
        drop(inner);
        self.arrived.notify_one();
        Ok(())
    }

    fn lost(&self, exporters: &[(IpAddr, Amount)]) {
        self.attribute(Place::HandOver, exporters);
    }
}

impl Books for Exchange {
    fn settle(&self, side: Side, ended: Ended) {
        let mut inner = self.lock();
        let output = match side {
            Side::Store => &mut inner.accounts.store,
            Side::Sls => &mut inner.accounts.sls,
            Side::Netflow => &mut inner.accounts.netflow,
        };
        output.in_flight = output.in_flight - ended.sum();
        output.ended.add(&ended);
    }
}
