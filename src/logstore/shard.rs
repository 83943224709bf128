//! One logstore: its tail, its parts, and the MANIFEST that says which live.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use arrow_array::RecordBatch;

use super::disk::Disk;
use super::error::AppendError;
use super::error::StoreError;
use super::ledger::Ledger;
use super::manifest::Entry;
use super::manifest::Manifest;
use super::name::LogstoreName;
use super::part::Part;
use super::part::PartWriter;
use super::part::file_name;
use super::recover::Recovered;
use super::schema;
use super::schema::SCHEMA_VERSION;
use super::tail::Run;
use super::tail::Tail;
use crate::flow::Amount;

/// A logstore on disk and in memory. SLS's word for what has a `seq` of its own.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) name: LogstoreName,
    dir: PathBuf,
    disk: Disk,
    state: Mutex<State>,
    /// Held while a run of the tail becomes a part: parts come in `seq` order.
    writing: Mutex<()>,
    /// Held while MANIFEST is replaced. Taken before `state`, never after it.
    committing: Mutex<()>,
}

#[derive(Debug)]
struct State {
    tail: Tail,
    parts: Vec<Arc<Part>>,
    /// Files a failed commit may or may not have named.
    orphans: Vec<Arc<Part>>,
    next_seq: u64,
    next_file: u64,
}

/// What a query reads: no file of it goes away while it is held.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    /// Live parts in `seq` order.
    pub(super) parts: Vec<Arc<Part>>,
    /// Rows after those of the parts, in `seq` order.
    pub(super) tail: Vec<RecordBatch>,
}

impl Shard {
    /// The logstore as it was found at `dir`.
    pub(super) fn new(name: LogstoreName, dir: PathBuf, disk: Disk, found: Recovered) -> Self {
        Self {
            name,
            dir,
            disk,
            state: Mutex::new(State {
                tail: Tail::default(),
                parts: found.parts,
                orphans: Vec::new(),
                next_seq: found.next_seq,
                next_file: found.next_file,
            }),
            writing: Mutex::default(),
            committing: Mutex::default(),
        }
    }

    /// Makes the directories of a new logstore below `store_dir`, MANIFEST included.
    pub(super) fn create(
        name: LogstoreName,
        store_dir: &Path,
        disk: Disk,
    ) -> Result<Self, StoreError> {
        let project = store_dir.join(name.project());
        let dir = project.join(name.logstore());
        disk.create_dir(&project)?;
        disk.create_dir(&dir)?;
        disk.create_dir(&dir.join(PARTS))?;
        Manifest::default().replace(&dir, &disk)?;
        Ok(Self::new(name, dir, disk, Recovered::default()))
    }

    /// Takes rows into the tail.
    pub(super) fn append(
        &self,
        rows: &RecordBatch,
        amount: Amount,
        arrival_ms: u64,
        ledger: &Ledger,
    ) -> Result<(), AppendError> {
        let mut state = self.state();
        let first_seq = state.next_seq;
        let stamped = schema::stamp(rows, first_seq, arrival_ms)?;
        let bytes = stamped.batch.get_array_memory_size();
        state.next_seq += u64::try_from(rows.num_rows()).unwrap_or(0);
        state.tail.push(stamped, first_seq, arrival_ms, amount);
        ledger.appended(amount, bytes);
        Ok(())
    }

    /// Makes parts of the whole tail. Waits for whoever is at it already.
    pub(super) fn flush(&self, ledger: &Ledger) -> Result<(), StoreError> {
        let _turn = lock(&self.writing);
        self.write_tail(ledger)
    }

    /// As [`Shard::flush`], but leaves it to whoever is at it already.
    pub(super) fn try_flush(&self, ledger: &Ledger) -> Result<(), StoreError> {
        match self.writing.try_lock() {
            Ok(_turn) => self.write_tail(ledger),
            Err(_) => Ok(()),
        }
    }

    /// What there is to read.
    pub(super) fn snapshot(&self) -> Snapshot {
        let state = self.state();
        Snapshot {
            parts: state.parts.clone(),
            tail: state.tail.batches(),
        }
    }

    /// Live parts in `seq` order.
    pub(super) fn parts(&self) -> Vec<Arc<Part>> {
        self.state().parts.clone()
    }

    /// Memory of the tail, and arrival of its oldest row.
    pub(super) fn tail(&self) -> (usize, Option<u64>) {
        let state = self.state();
        (state.tail.bytes(), state.tail.since_ms())
    }

    /// Puts `part` where the parts with the given numbers were.
    pub(super) fn replace(&self, old: &[Arc<Part>], part: Entry) -> Result<(), StoreError> {
        let part = self.part(part);
        self.commit(old, Some(part), |_| {})
    }

    /// Lets parts go for good.
    pub(super) fn retire(&self, old: &[Arc<Part>]) -> Result<(), StoreError> {
        self.commit(old, None, |_| {})
    }

    /// A writer for a part of rows from `first_seq` on.
    pub(super) fn part_writer(
        &self,
        mut entry: Entry,
        schema: &arrow_schema::SchemaRef,
    ) -> Result<PartWriter<'_>, StoreError> {
        let file = {
            let mut state = self.state();
            state.next_file += 1;
            state.next_file - 1
        };
        entry.file = file_name(entry.hour, entry.first_seq, file);
        entry.schema = SCHEMA_VERSION;
        PartWriter::create(entry, schema, &self.dir.join(PARTS), &self.disk)
    }

    /// Writes what is in the tail now; rows that come meanwhile are for the next time.
    fn write_tail(&self, ledger: &Ledger) -> Result<(), StoreError> {
        let end = self.state().next_seq;
        loop {
            let Some(run) = self.state().tail.seal_oldest(end) else {
                return Ok(());
            };
            let part = self.part(self.write_run(&run)?);
            self.commit(&[], Some(part), |state| {
                state.tail.drop_oldest();
                ledger.committed(run.amount, run.bytes);
            })?;
        }
    }

    fn write_run(&self, run: &Run) -> Result<Entry, StoreError> {
        let schemas: Vec<_> = run.batches.iter().map(RecordBatch::schema).collect();
        let schema = schema::union(&schemas);
        let mut writer = self.part_writer(entry_of(run), &schema)?;
        for batch in &run.batches {
            writer.write(&schema::conform(batch, &schema)?)?;
        }
        writer.finish()
    }

    /// Replaces MANIFEST, then lets readers see the change.
    fn commit(
        &self,
        old: &[Arc<Part>],
        new: Option<Arc<Part>>,
        also: impl FnOnce(&mut State),
    ) -> Result<(), StoreError> {
        let _turn = lock(&self.committing);
        let (parts, manifest) = {
            let state = self.state();
            let is_old = |part: &Arc<Part>| old.iter().any(|old| Arc::ptr_eq(old, part));
            let mut parts: Vec<_> = state
                .parts
                .iter()
                .filter(|part| !is_old(part))
                .cloned()
                .collect();
            parts.extend(new.clone());
            parts.sort_by_key(|part| part.entry.first_seq);
            let manifest = manifest_of(&state, &parts);
            (parts, manifest)
        };
        let replaced = manifest.replace(&self.dir, &self.disk);
        let mut state = self.state();
        if let Err(error) = replaced {
            // The MANIFEST on disk may be either one: keep the files of both.
            state.orphans.extend(new);
            return Err(error.into());
        }
        state.parts = parts;
        also(&mut state);
        let orphans = std::mem::take(&mut state.orphans);
        drop(state);
        for part in old.iter().chain(&orphans) {
            part.condemn();
        }
        Ok(())
    }

    fn part(&self, entry: Entry) -> Arc<Part> {
        Arc::new(Part::new(entry, &self.dir.join(PARTS), self.disk.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// The MANIFEST of `parts`: `seq` goes on after what is durable, so that it has no gap after
/// a crash, and at which rows of a lost tail are numbered again.
fn manifest_of(state: &State, parts: &[Arc<Part>]) -> Manifest {
    Manifest {
        next_seq: state.next_seq,
        next_file: state.next_file,
        parts: parts.iter().map(|part| part.entry.clone()).collect(),
    }
}

fn entry_of(run: &Run) -> Entry {
    Entry {
        file: String::new(),
        first_seq: run.first_seq,
        last_seq: run.last_seq(),
        rows: run.rows,
        first_time: run.times.0,
        last_time: run.times.1,
        hour: run.hour,
        bytes: 0,
        schema: SCHEMA_VERSION,
        records: run.amount.records,
        octets: run.amount.octets,
        packets: run.amount.packets,
    }
}

/// A poisoned lock is taken all the same: state changes in one step, at the end.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Directory of part files in a logstore's directory.
pub(super) const PARTS: &str = "parts";
