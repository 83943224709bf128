//! One logstore: its tail, its parts, and the MANIFEST that says which live.

use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use arrow_array::RecordBatch;

use super::amount::amount_of;
use super::aside::Aside;
use super::catalog;
use super::catalog::LogstoreFile;
use super::catalog::Remains;
use super::catalog::Sheet;
use super::disk::Disk;
use super::encoding::Compression;
use super::error::AppendError;
use super::error::StoreError;
use super::ledger::Ledger;
use super::manifest::Entry;
use super::manifest::Manifest;
use super::name::LogstoreName;
use super::numbering::Numbering;
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
    /// Of the parts it writes.
    compression: Compression,
    state: Mutex<State>,
    /// Held while a run of the tail becomes a part: parts come in `seq` order.
    writing: Mutex<()>,
    /// Held while parts are merged.
    merging: Mutex<()>,
    /// It is to be deleted: whoever merges gives up.
    is_ending: AtomicBool,
    /// What is known of it beside its rows.
    pub(super) sheet: Mutex<Sheet>,
    /// Held while MANIFEST is replaced. Taken before `state`, never after it.
    committing: Mutex<()>,
}

#[derive(Debug)]
struct State {
    tail: Tail,
    parts: Vec<Arc<Part>>,
    /// Files a failed commit may or may not have named.
    orphans: Vec<Arc<Part>>,
    aside: Vec<Aside>,
    /// Above the `seq` of every row, those of the tail included.
    next_seq: u64,
    /// Above the `seq` of every row that is or was in a part.
    durable_seq: u64,
    next_file: u64,
    /// It was deleted, and takes no rows.
    is_over: bool,
}

/// Rows on their way into a logstore.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought<'a> {
    /// Columns of flows; for logs also those of the store that they bring.
    pub(super) rows: &'a RecordBatch,
    /// Number of the first.
    pub(super) first_seq: u64,
    /// Milliseconds since 1970.
    pub(super) arrival_ms: u64,
    /// They are no flows: in the loss ledger they stand for nothing.
    pub(super) are_logs: bool,
    /// The journal the numbers are from, if that is known.
    pub(super) journal: Option<u64>,
}

/// What a query reads: no file of it goes away while it is held.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    /// Live parts in `seq` order.
    pub(super) parts: Vec<Arc<Part>>,
    /// Rows after those of the parts, in `seq` order.
    pub(super) tail: Vec<RecordBatch>,
    /// Some rows are no flows.
    pub(super) has_logs: bool,
    /// Which journals numbered the rows.
    pub(super) numbering: Arc<Numbering>,
}

impl Shard {
    /// The logstore as it was found at `dir`.
    pub(super) fn new(
        name: LogstoreName,
        dir: PathBuf,
        (disk, compression): (Disk, Compression),
        found: Recovered,
    ) -> Self {
        Self {
            name,
            dir,
            disk,
            compression,
            state: Mutex::new(State {
                tail: Tail::default(),
                parts: found.parts,
                orphans: Vec::new(),
                aside: found.aside,
                next_seq: found.next_seq,
                durable_seq: found.next_seq,
                next_file: found.next_file,
                is_over: false,
            }),
            sheet: Mutex::default(),
            is_ending: AtomicBool::new(false),
            writing: Mutex::default(),
            merging: Mutex::default(),
            committing: Mutex::default(),
        }
    }

    /// Makes the directories of a new logstore below `store_dir`, MANIFEST
    /// included; its part files are numbered from `next_file` on.
    pub(super) fn create(
        name: LogstoreName,
        store_dir: &Path,
        (disk, compression): (Disk, Compression),
        next_file: u64,
        file: Option<LogstoreFile>,
    ) -> Result<Self, StoreError> {
        let project = store_dir.join(name.project());
        let dir = project.join(name.logstore());
        catalog::revive_project(&project, &disk)?;
        disk.create_dir(&project)?;
        catalog::revive_logstore(&dir, &disk)?;
        disk.create_dir(&dir)?;
        if let Some(file) = &file {
            file.write(&dir, &disk)?;
        }
        disk.create_dir(&dir.join(PARTS))?;
        let manifest = Manifest {
            next_file,
            ..Manifest::default()
        };
        manifest.replace(&dir, &disk)?;
        catalog::unmark(&dir, &disk)?;
        let sheet = Sheet::new(&dir, file);
        let found = Recovered {
            next_file,
            ..Recovered::default()
        };
        let shard = Self::new(name, dir, (disk, compression), found);
        *lock(&shard.sheet) = sheet;
        Ok(shard)
    }

    /// Where it is.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes rows into the tail, but passes those over that it had before; what
    /// the others stand for. None, and nothing done, if the logstore was deleted
    /// meanwhile.
    pub(super) fn append(
        &self,
        brought: &Brought<'_>,
        ledger: &Ledger,
    ) -> Result<Option<Amount>, AppendError> {
        let mut state = self.state();
        if state.is_over {
            return Ok(None);
        }
        let first_seq = brought.first_seq;
        let count = brought.rows.num_rows();
        let had = state.next_seq.saturating_sub(first_seq);
        let had = usize::try_from(had).map_or(count, |had| had.min(count));
        let rows = brought.rows.slice(had, count - had);
        if rows.num_rows() == 0 {
            return Ok(Some(Amount::default()));
        }
        let (amount, logs) = match brought.are_logs {
            true => (
                Amount::default(),
                u64::try_from(rows.num_rows()).unwrap_or(u64::MAX),
            ),
            false => (amount_of(&rows), 0),
        };
        let first_seq = first_seq.max(state.next_seq);
        let stamped = schema::stamp(&rows, first_seq, brought.arrival_ms)?;
        let bytes = stamped.batch.get_array_memory_size();
        state.next_seq = stamped.seqs.1.saturating_add(1);
        state.tail.push(stamped, brought, amount, logs);
        ledger.appended(amount, logs, bytes);
        Ok(Some(amount))
    }

    /// Waits for those who write parts, and keeps others from it.
    pub(super) fn prepare_to_end(&self) -> Ending<'_> {
        self.is_ending.store(true, Ordering::Relaxed);
        Ending {
            shard: self,
            _writing: lock(&self.writing),
            _merging: lock(&self.merging),
        }
    }

    /// Held by the one who merges, who gives up when the logstore
    /// [is to be deleted](Shard::is_ending).
    pub(super) fn merging(&self) -> MutexGuard<'_, ()> {
        lock(&self.merging)
    }

    /// Whether it is to be deleted.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// `seq` of the oldest row, and the one after the newest; the next if there
    /// are none.
    pub(super) fn numbers(&self) -> Range<u64> {
        let state = self.state();
        let oldest = state.parts.first().map(|part| part.entry.first_seq);
        let begin = oldest.or_else(|| state.tail.first_seq());
        begin.unwrap_or(state.next_seq)..state.next_seq
    }

    /// Above the `seq` of every row, and of every durable one.
    pub(super) fn next_seqs(&self) -> (u64, u64) {
        let state = self.state();
        (state.next_seq, state.durable_seq)
    }

    /// Makes parts of the whole tail; whether there was any. Waits for whoever
    /// is at it already.
    pub(super) fn flush(&self, ledger: &Ledger) -> Result<bool, StoreError> {
        let _turn = lock(&self.writing);
        self.write_tail(ledger)
    }

    /// As [`Shard::flush`], but leaves it to whoever is at it already.
    pub(super) fn try_flush(&self, ledger: &Ledger) -> Result<bool, StoreError> {
        match self.writing.try_lock() {
            Ok(_turn) => self.write_tail(ledger),
            Err(_) => Ok(false),
        }
    }

    /// What there is to read.
    pub(super) fn snapshot(&self) -> Snapshot {
        let state = self.state();
        let has_logs = state.parts.iter().any(|part| part.entry.logs > 0);
        let mut numbering = Numbering::default();
        for entry in state.parts.iter().map(|part| &part.entry) {
            numbering.push((entry.first_seq, entry.last_seq), entry.journal);
        }
        state.tail.tell(&mut numbering);
        Snapshot {
            parts: state.parts.clone(),
            tail: state.tail.batches(),
            has_logs: has_logs || state.tail.has_logs(),
            numbering: Arc::new(numbering),
        }
    }

    /// Live parts in `seq` order.
    pub(super) fn parts(&self) -> Vec<Arc<Part>> {
        self.state().parts.clone()
    }

    /// Damaged files that are kept.
    pub(super) fn aside(&self) -> Vec<Aside> {
        self.state().aside.clone()
    }

    /// Removes a damaged file for good; false, as nothing is written.
    pub(super) fn give_up(&self, aside: &Aside) -> Result<bool, StoreError> {
        self.disk.remove(&aside.path)?;
        self.state().aside.retain(|other| other != aside);
        Ok(false)
    }

    /// Memory of the tail, and arrival of its oldest row.
    pub(super) fn tail(&self) -> (usize, Option<u64>) {
        let state = self.state();
        (state.tail.bytes(), state.tail.since_ms())
    }

    /// Puts `part` where the `old` parts were; false, and nothing done, if one
    /// of these is no longer live.
    pub(super) fn replace(&self, old: &[Arc<Part>], part: Entry) -> Result<bool, StoreError> {
        let part = self.part(part);
        self.commit(old, Some(part), |_| {})
    }

    /// Lets parts go for good; false, and nothing done, if one of them is no
    /// longer live.
    pub(super) fn retire(&self, old: &[Arc<Part>]) -> Result<bool, StoreError> {
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
        let form = (schema, self.compression);
        PartWriter::create(entry, form, &self.dir.join(PARTS), &self.disk)
    }

    /// Writes what is in the tail now; rows that come meanwhile are for the next time.
    fn write_tail(&self, ledger: &Ledger) -> Result<bool, StoreError> {
        let end = self.state().next_seq;
        let mut has_written = false;
        loop {
            let Some(run) = self.state().tail.seal_oldest(end) else {
                return Ok(has_written);
            };
            let part = self.part(self.write_run(&run)?);
            self.commit(&[], Some(part), |state| {
                state.tail.drop_oldest();
                ledger.committed(run.amount, run.bytes);
            })?;
            has_written = true;
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

    /// Replaces MANIFEST, then lets readers see the change; false, and nothing
    /// done, if one of the `old` parts went meanwhile.
    fn commit(
        &self,
        old: &[Arc<Part>],
        new: Option<Arc<Part>>,
        also: impl FnOnce(&mut State),
    ) -> Result<bool, StoreError> {
        let _turn = lock(&self.committing);
        let Some((parts, manifest)) = self.changed(old, new.as_ref()) else {
            new.iter().for_each(|part| part.condemn());
            return Ok(false);
        };
        if let Err(error) = manifest.prepare(&self.dir, &self.disk) {
            new.iter().for_each(|part| part.condemn());
            return Err(error.into());
        }
        let replaced = Manifest::install(&self.dir, &self.disk);
        let mut state = self.state();
        if let Err(error) = replaced {
            // The MANIFEST on disk may be either one: keep the files of both.
            state.orphans.extend(new);
            return Err(error.into());
        }
        state.parts = parts;
        state.durable_seq = manifest.next_seq;
        also(&mut state);
        let orphans = std::mem::take(&mut state.orphans);
        drop(state);
        for part in old.iter().chain(&orphans) {
            part.condemn();
        }
        Ok(true)
    }

    /// The parts and their MANIFEST with `new` instead of `old`, which must all
    /// be live.
    fn changed(
        &self,
        old: &[Arc<Part>],
        new: Option<&Arc<Part>>,
    ) -> Option<(Vec<Arc<Part>>, Manifest)> {
        let state = self.state();
        let is_old = |part: &&Arc<Part>| old.iter().any(|old| Arc::ptr_eq(old, part));
        let (gone, mut parts): (Vec<_>, Vec<_>) = state.parts.iter().partition(is_old);
        if gone.len() != old.len() {
            return None;
        }
        parts.extend(new);
        parts.sort_by_key(|part| part.entry.first_seq);
        let parts: Vec<_> = parts.into_iter().cloned().collect();
        let manifest = manifest_of(&state, &parts);
        Some((parts, manifest))
    }

    fn part(&self, entry: Entry) -> Arc<Part> {
        Arc::new(Part::new(entry, &self.dir.join(PARTS), self.disk.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A logstore that is about to be deleted; none of its files changes. If it is
/// dropped, the logstore goes on.
pub(super) struct Ending<'a> {
    shard: &'a Shard,
    _writing: MutexGuard<'a, ()>,
    _merging: MutexGuard<'a, ()>,
}

impl Ending<'_> {
    pub(super) fn name(&self) -> &LogstoreName {
        &self.shard.name
    }

    /// Ends it, now that its deletion is durable: what is left of it, and the
    /// number above its part files. Files go with their last reader.
    pub(super) fn end(self, ledger: &Ledger) -> (Remains, u64) {
        let _turn = lock(&self.shard.committing);
        let mut state = self.shard.state();
        state.is_over = true;
        let tail = std::mem::take(&mut state.tail);
        let stored = state.parts.iter().map(|part| part.entry.amount());
        let stored = stored.fold(Amount::default(), |sum, amount| sum + amount);
        ledger.deleted(stored, tail.amount(), tail.bytes());
        let mut parts = std::mem::take(&mut state.parts);
        parts.append(&mut state.orphans);
        state.aside.clear();
        let remains = Remains::new(self.shard.dir.clone(), &parts);
        parts.iter().for_each(|part| part.condemn());
        (remains, state.next_file)
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let is_over = self.shard.state().is_over;
        self.shard.is_ending.store(is_over, Ordering::Relaxed);
    }
}

/// The MANIFEST of `parts`, which are in `seq` order. The tail does not count:
/// after a crash its rows come again with the numbers they had.
fn manifest_of(state: &State, parts: &[Arc<Part>]) -> Manifest {
    let end = parts.last().map_or(0, |last| last.entry.end_seq());
    Manifest {
        next_seq: state.durable_seq.max(end),
        next_file: state.next_file,
        parts: parts.iter().map(|part| part.entry.clone()).collect(),
    }
}

fn entry_of(run: &Run) -> Entry {
    Entry {
        file: String::new(),
        first_seq: run.seqs.0,
        last_seq: run.seqs.1,
        rows: run.rows,
        first_time: run.times.0,
        last_time: run.times.1,
        hour: run.hour,
        bytes: 0,
        schema: SCHEMA_VERSION,
        records: run.amount.records,
        octets: run.amount.octets,
        packets: run.amount.packets,
        logs: run.logs,
        journal: run.journal,
    }
}

/// A poisoned lock is taken all the same: state changes in one step, at the end.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Directory of part files in a logstore's directory.
pub(super) const PARTS: &str = "parts";
