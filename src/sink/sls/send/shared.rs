//! What all outlets of a sender have in common.

use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::task;

use super::Destination;
use super::Directory;
use super::SenderSettings;
use super::Trouble;
use super::Unroutable;
use super::Way;
use super::budget::Budget;
use super::clock::Clock;
use super::course::Course;
use super::stats::Desk;
use crate::journal::Journal;
use crate::sink::sls::Batch;
use crate::sink::sls::Body;
use crate::sink::sls::Client;
use crate::sink::sls::CompressError;
use crate::sink::sls::Compressor;
use crate::sink::sls::DeadLetter;
use crate::sink::sls::DeadLetterError;
use crate::sink::sls::DeadLetters;
use crate::sink::sls::Limiters;

/// What outlets and couriers share.
pub(super) struct Shared {
    pub(super) journal: Arc<Journal>,
    pub(super) settings: SenderSettings,
    pub(super) client: Client,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) budget: Arc<Budget>,
    /// Frames that may be read and encoded at a time.
    pub(super) readers: Semaphore,
    pub(super) limiters: Mutex<Limiters>,
    /// A permit was given back.
    pub(super) permits: Notify,
    pub(super) signal: watch::Sender<Signal>,
    directory: RwLock<Arc<dyn Directory>>,
    letters: Arc<Mutex<DeadLetters>>,
    /// Idle ones.
    compressors: Mutex<Vec<Compressor>>,
}

/// What outlets are told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Signal {
    /// Rises when rows became durable.
    pub(super) commits: u64,
    /// Rises when there is another directory.
    pub(super) directories: u64,
    /// Nothing more is read.
    pub(super) is_stopping: bool,
}

impl Shared {
    pub(super) fn new(
        journal: Arc<Journal>,
        settings: SenderSettings,
        client: Client,
        clock: Arc<dyn Clock>,
        directory: Arc<dyn Directory>,
        letters: DeadLetters,
    ) -> Self {
        let limiters = Limiters::new(
            settings.concurrency_max,
            settings.patience.backoff,
            LIMITERS_MAX,
        );
        Self {
            journal,
            client,
            clock,
            budget: Budget::new(settings.memory_bytes),
            readers: Semaphore::new(READERS),
            limiters: Mutex::new(limiters),
            permits: Notify::new(),
            signal: watch::Sender::new(Signal::default()),
            directory: RwLock::new(directory),
            letters: Arc::new(Mutex::new(letters)),
            compressors: Mutex::default(),
            settings,
        }
    }

    pub(super) fn limiters(&self) -> MutexGuard<'_, Limiters> {
        lock(&self.limiters)
    }

    pub(super) fn directory(&self) -> Arc<dyn Directory> {
        let directory = self.directory.read();
        Arc::clone(&directory.unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_directory(&self, directory: Arc<dyn Directory>) {
        let held = self.directory.write();
        *held.unwrap_or_else(PoisonError::into_inner) = directory;
    }

    pub(super) fn route(&self, destination: &Destination) -> Result<Way, Trouble> {
        let way = self.directory().route(destination);
        way.map_err(|Unroutable(what)| Trouble::unroutable(what))
    }

    pub(super) fn unix_s(&self) -> u64 {
        self.clock.unix_ms() / 1000
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.signal.borrow().is_stopping
    }

    /// Notes rows as settled, and acknowledges what is due.
    pub(super) fn settle(&self, desk: &Desk, course: &Mutex<Course>, rows: &[Range<u64>]) {
        let due = lock(course).settle(rows);
        for rows in due {
            self.journal.ack(desk.id, rows);
        }
    }

    /// A log group as it is sent; compresses on a thread of its own.
    pub(super) async fn packed(self: &Arc<Self>, batch: Arc<Batch>) -> Result<Body, Trouble> {
        let shared = Arc::clone(self);
        let packed = task::spawn_blocking(move || shared.pack(batch.body())).await;
        packed
            .map_err(Trouble::internal)?
            .map_err(Trouble::internal)
    }

    fn pack(&self, raw: &[u8]) -> Result<Body, CompressError> {
        let idle = self.compressors().pop();
        let compression = self.settings.compression;
        let mut compressor = idle.map_or_else(|| Compressor::new(compression), Ok)?;
        let mut octets = Vec::new();
        compressor.compress(raw, &mut octets)?;
        octets.shrink_to_fit();
        let mut idle = self.compressors();
        if idle.len() < COMPRESSORS_MAX {
            idle.push(compressor);
        }
        Ok(Body {
            octets: Bytes::from(octets),
            raw_size: raw.len(),
            compression: compression.name(),
        })
    }

    fn compressors(&self) -> MutexGuard<'_, Vec<Compressor>> {
        lock(&self.compressors)
    }

    /// Puts rows aside and counts them. One that is too large for the file is
    /// kept without its body.
    pub(super) async fn bury(&self, desk: &Desk, mut letter: DeadLetter) -> Result<(), Trouble> {
        let rows = letter.rows;
        let letters = Arc::clone(&self.letters);
        let buried = task::spawn_blocking(move || {
            let mut letters = lock(&letters);
            match letters.append(&letter) {
                Err(DeadLetterError::TooLarge { .. }) => {
                    letter.body = Bytes::new();
                    letters.append(&letter).map(|gone| (gone, true))
                }
                buried => buried.map(|gone| (gone, false)),
            }
        });
        let (gone, is_cut) = buried.await.map_err(Trouble::internal)?.map_err(|error| {
            let what = error.to_string();
            Trouble::new("dead-letters", what, "let the dead-letter file be written")
        })?;
        let mut stats = desk.stats();
        stats.dead_lettered += 1;
        stats.dead_lettered_rows += rows;
        stats.dead_letters_gone += gone;
        stats.dead_letters_cut += u64::from(is_cut);
        Ok(())
    }
}

impl Trouble {
    pub(super) fn new(label: &'static str, what: String, advice: &'static str) -> Self {
        Self {
            label,
            what,
            advice,
        }
    }

    pub(super) fn unroutable(what: String) -> Self {
        Self::new("unroutable", what, "name an endpoint for the destination")
    }

    pub(super) fn journal(error: impl ToString) -> Self {
        let advice = "check the disk of the journal";
        Self::new("journal", error.to_string(), advice)
    }

    pub(super) fn internal(error: impl ToString) -> Self {
        Self::new("internal", error.to_string(), "report this as a fault")
    }
}

/// The lock of what no panic leaves half done.
pub(super) fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that nobody can foresee; no luck is 0.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or(0)
}

/// Frames that are read at a time, over all destinations.
const READERS: usize = 2;
/// Compressors kept for later.
const COMPRESSORS_MAX: usize = 4;
/// Projects, and logstores, that have a limiter of their own.
const LIMITERS_MAX: usize = 4096;
