//! The store's door: rows in, upkeep, questions.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use arrow_array::RecordBatch;

use super::amount::amount_of;
use super::catalog;
use super::catalog::Catalog;
use super::catalog::Sheet;
use super::directory_lock::DirectoryLock;
use super::directory_lock::LOCK;
use super::disk::Disk;
use super::error::AppendError;
use super::error::OpenError;
use super::error::StoreError;
use super::ledger::Ledger;
use super::ledger::Stats;
use super::ledger::octets;
use super::name::LogstoreName;
use super::query::Answer;
use super::query::Engine;
use super::query::Limits;
use super::query::Query;
use super::query::QueryError;
use super::query::Question;
use super::query::Table;
use super::query::search::Page;
use super::query::search::Plan;
use super::recover;
use super::schema::ROW_BYTES;
use super::settings::Settings;
use super::shard;
use super::shard::Brought;
use super::shard::Shard;
use crate::flow::Amount;

/// The embedded log store: projects and logstores in one directory.
///
/// Rows can be queried as soon as they are appended, and outlive a crash as
/// soon as the tail they are in has become a part.
#[derive(Debug)]
pub struct LogStore {
    pub(super) settings: Settings,
    pub(super) shards: RwLock<BTreeMap<LogstoreName, Arc<Shard>>>,
    pub(super) ledger: Ledger,
    pub(super) upkeep: super::upkeep::Upkeep,
    pub(super) catalog: Catalog,
    pub(super) disk: Disk,
    /// What numbers rows, once it is known.
    journal: OnceLock<u64>,
    engine: Engine,
    /// None if the store was opened for reading.
    lock: Option<DirectoryLock>,
}

impl LogStore {
    /// Opens the store for writing and puts its files in order.
    ///
    /// Damaged parts are set aside as `*.bad`, named in the log and counted;
    /// they never stop the start.
    ///
    /// # Errors
    /// `Locked` if another process has it, `Newer` if a later flowlogd wrote
    /// it, `Io` if the directory cannot be used.
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        Self::open_on(settings, Disk::default())
    }

    pub(super) fn open_on(mut settings: Settings, disk: Disk) -> Result<Self, OpenError> {
        let io_error = |path: &Path, source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        let dir = settings.dir.as_path();
        disk.create_dirs(dir)
            .map_err(|error| io_error(dir, error))?;
        settings.dir = fs::canonicalize(dir).map_err(|error| io_error(dir, error))?;
        let dir = settings.dir.as_path();
        let lock = DirectoryLock::take(dir)?;
        let ledger = Ledger::default();
        let mut found = Vec::new();
        let paths = logstores(dir).map_err(|error| io_error(dir, error))?;
        catalog::look(dir, &paths)?;
        for (name, path) in paths {
            found.push((name, recover::look(&path)?, path));
        }
        catalog::sweep(dir, &disk).map_err(|error| io_error(dir, error))?;
        let projects = catalog::read_projects(dir, Some(&disk))?;
        let mut shards = BTreeMap::new();
        for (name, looked, path) in found {
            let recovered = recover::recover(&path, looked, &disk, &ledger)?;
            let sheet = Sheet::read(&path, Some(&disk))?;
            let medium = (disk.clone(), settings.compression);
            let shard = Shard::new(name.clone(), path, medium, recovered);
            *shard::lock(&shard.sheet) = sheet;
            shards.insert(name, Arc::new(shard));
        }
        let catalog = Catalog::new(projects);
        Self::assemble(settings, shards, catalog, ledger, disk, Some(lock))
    }

    /// Whether a flowlogd has ever opened a store for writing at `dir`.
    pub fn is_at(dir: &Path) -> bool {
        dir.join(LOCK).exists()
    }

    /// Opens the store at `dir` for questions only, also beside the flowlogd
    /// that has it open; it then sees the parts, not the tail. Nothing on the
    /// disk is changed: what is damaged is left out, where it is, and counted.
    ///
    /// # Errors
    /// `Newer` if a later flowlogd wrote it, `NotAStore` if nobody did, `Io` if
    /// it cannot be read.
    pub fn open_read_only(mut settings: Settings) -> Result<Self, OpenError> {
        let ledger = Ledger::default();
        settings.dir = fs::canonicalize(&settings.dir).map_err(|source| OpenError::Io {
            path: settings.dir.clone(),
            source,
        })?;
        let shards = read_shards(&settings.dir, &ledger)?;
        if shards.is_empty() && !Self::is_at(&settings.dir) {
            return Err(OpenError::NotAStore { path: settings.dir });
        }
        let catalog = Catalog::new(catalog::read_projects(&settings.dir, None)?);
        Self::assemble(settings, shards, catalog, ledger, Disk::default(), None)
    }

    fn assemble(
        settings: Settings,
        shards: BTreeMap<LogstoreName, Arc<Shard>>,
        catalog: Catalog,
        ledger: Ledger,
        disk: Disk,
        lock: Option<DirectoryLock>,
    ) -> Result<Self, OpenError> {
        let engine = Engine::new(&settings.query).map_err(|source| OpenError::Io {
            path: settings.dir.clone(),
            source,
        })?;
        Ok(Self {
            shards: RwLock::new(shards),
            upkeep: super::upkeep::Upkeep::default(),
            catalog,
            settings,
            ledger,
            disk,
            journal: OnceLock::new(),
            engine,
            lock,
        })
    }

    /// Notes the journal that gives rows their numbers: flows that come from now
    /// on have a `flow-id`, `{journal, 16 hexadecimal digits}-{seq}`, in answers
    /// to SLS's language and among [`rows`](Self::rows). A store has one journal
    /// while it is open; a second is left unheard.
    pub fn number_by(&self, journal: u64) {
        let _first = self.journal.get_or_init(|| journal);
    }

    pub(super) fn journal(&self) -> Option<u64> {
        self.journal.get().copied()
    }

    /// Takes rows of flow columns into a logstore, which is made if there is
    /// none; they can be queried when this returns.
    ///
    /// Their `seq` is `first_seq` and the numbers after it. A logstore takes
    /// numbers in rising order only: rows below its next number are ones it has
    /// or had, and are passed over, so that a journal may be replayed from
    /// [`durable`](Self::durable) or from anywhere before. Numbers may be left
    /// out. The answer is what the rows taken stand for.
    ///
    /// Writes a part itself when the tails have become too large meanwhile.
    ///
    /// # Errors
    /// None of the rows has been taken, and all are counted as refused. They
    /// are to be brought again before later ones, or are passed over then.
    pub fn append_rows(
        &self,
        project: &str,
        logstore: &str,
        rows: &RecordBatch,
        first_seq: u64,
        arrival_ms: u64,
    ) -> Result<Amount, AppendError> {
        if rows.num_rows() == 0 {
            return Ok(Amount::default());
        }
        let brought = Brought {
            rows,
            first_seq,
            arrival_ms,
            are_logs: false,
            journal: self.journal(),
        };
        let taken = self.take(project, logstore, &brought);
        if let Err(error) = &taken {
            let amount = amount_of(rows);
            self.ledger.count(|stats| match error {
                AppendError::Full(_) => stats.refused_full += amount,
                AppendError::TooMany(_)
                | AppendError::TooLarge(_)
                | AppendError::Name(_)
                | AppendError::Schema(_)
                | AppendError::Store(_)
                | AppendError::ReadOnly => stats.refused_unfit += amount,
            });
        }
        taken
    }

    pub(super) fn take(
        &self,
        project: &str,
        logstore: &str,
        brought: &Brought<'_>,
    ) -> Result<Amount, AppendError> {
        let name = LogstoreName::new(project, logstore)?;
        let own = brought.rows.num_rows().saturating_mul(ROW_BYTES);
        let bytes = brought.rows.get_array_memory_size().saturating_add(own);
        loop {
            let shard = self.shard(name.clone())?;
            self.make_room(octets(bytes), brought.arrival_ms)?;
            if let Some(amount) = shard.append(brought, &self.ledger)? {
                return Ok(amount);
            }
            // It was deleted meanwhile: it is made anew.
        }
    }

    /// For each logstore the first number that is not durable: a journal is to
    /// be replayed from there after a crash, and may forget what is below. It
    /// never goes back, also when all rows are retired.
    pub fn durable(&self) -> Vec<(LogstoreName, u64)> {
        let durable = |shard: &Arc<Shard>| (shard.name.clone(), shard.next_seqs().1);
        self.shards().iter().map(durable).collect()
    }

    /// A number above that of every row there is or was in any logstore, those
    /// in memory included; rows from it on are taken everywhere.
    pub fn next_seq(&self) -> u64 {
        let shards = self.shards();
        let next = shards.iter().map(|shard| shard.next_seqs().0).max();
        next.unwrap_or(0)
    }

    /// Makes parts of all tails.
    ///
    /// # Errors
    /// The first failure; all logstores are tried, and what could not be
    /// written stays in memory.
    pub fn flush(&self) -> Result<(), StoreError> {
        let mut first = Ok(());
        for shard in self.shards() {
            let flushed = shard.flush(&self.ledger);
            self.note(&shard, &flushed, shard.tail().1.unwrap_or(0));
            first = first.and_then(|()| flushed.map(drop));
        }
        first
    }

    /// Answers a question about what parts and tails hold when it is asked.
    ///
    /// # Errors
    /// Whose fault it is and what to do about it, see [`QueryError`].
    pub async fn query(&self, query: Query) -> Result<Answer, QueryError> {
        let question = Question::Sql(query.sql);
        self.answer_with(question, query.limits, || self.tables())
            .await
    }

    /// Answers what SLS's language asks of one logstore; where there is none,
    /// as one without rows does.
    ///
    /// # Errors
    /// As [`query`](Self::query); a column that is not in the index, or is not
    /// what it is used as, is a [`QueryErrorKind::Syntax`](super::query::QueryErrorKind).
    pub async fn search(
        &self,
        project: &str,
        logstore: &str,
        plan: Plan,
        page: Page,
        limits: Limits,
    ) -> Result<Answer, QueryError> {
        let question = Question::Search(Arc::new(plan), page);
        let tables = || self.tables_of(project, logstore);
        self.answer_with(question, limits, tables).await
    }

    /// How many logs of one logstore SLS's language finds in each of the steps
    /// that begin at these seconds, ascending; what comes before the first
    /// counts for it. SQL in the plan has no part in it.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub async fn count(
        &self,
        project: &str,
        logstore: &str,
        plan: Plan,
        begins: &[i64],
        time_max: Duration,
    ) -> Result<Vec<u64>, QueryError> {
        let mut counts = vec![0; begins.len()];
        if counts.is_empty() {
            return Ok(counts);
        }
        let question = Question::Count(Arc::new(plan), begins.into());
        let limits = Limits {
            rows_max: begins.len(),
            time_max,
        };
        let tables = || self.tables_of(project, logstore);
        let answer = self.answer_with(question, limits, tables).await?;
        for row in answer.rows {
            let mut numbers = row.iter().map(|value| value.as_u64());
            let step = numbers
                .next()
                .flatten()
                .and_then(|step| usize::try_from(step).ok());
            let count = step.and_then(|step| counts.get_mut(step));
            if let (Some(count), Some(logs)) = (count, numbers.next().flatten()) {
                *count += logs;
            }
        }
        Ok(counts)
    }

    fn tables_of(&self, project: &str, logstore: &str) -> Vec<Table> {
        let is_asked =
            |table: &Table| table.name.project() == project && table.name.logstore() == logstore;
        self.tables().into_iter().filter(is_asked).collect()
    }

    /// Answers about the newest `tables`. Beside a running flowlogd, merging may
    /// take their parts away while the question is answered: the rows are in
    /// others, and it is asked again.
    pub(super) async fn answer_with(
        &self,
        question: Question,
        limits: Limits,
        mut tables: impl FnMut() -> Vec<Table>,
    ) -> Result<Answer, QueryError> {
        let mut tries = 1;
        loop {
            let tables = tables();
            let parts: Vec<_> = tables.iter().flat_map(Table::paths).collect();
            let answer = self.engine.answer(question.clone(), limits, tables).await;
            let is_settled = answer.is_ok() || self.lock.is_some() || tries >= TRIES_MAX;
            if is_settled || parts.iter().all(|path| path.exists()) {
                return answer;
            }
            tries += 1;
        }
    }

    /// Whether a flowlogd has the store open for writing just now. A store that
    /// was opened read-only does not see the rows that one still has in memory.
    pub fn has_writer(&self) -> bool {
        self.lock.is_some() || DirectoryLock::is_taken(&self.settings.dir)
    }

    /// What has been taken, refused and written.
    pub fn stats(&self) -> Stats {
        self.ledger.read()
    }

    /// Live parts of all logstores, in the order of their names and of `seq`.
    pub fn parts(&self) -> Vec<PartInfo> {
        let info = |shard: &Arc<Shard>| {
            let name = shard.name.clone();
            shard.parts().into_iter().map(move |part| PartInfo {
                logstore: name.clone(),
                path: part.path.clone(),
                rows: part.entry.rows,
                bytes: part.entry.bytes,
                first_seq: part.entry.first_seq,
                last_seq: part.entry.last_seq,
                first_time: part.entry.first_time,
                last_time: part.entry.last_time,
                arrival_hour: part.entry.hour,
                schema_version: part.entry.schema,
            })
        };
        self.shards().iter().flat_map(info).collect()
    }

    pub(super) fn shards(&self) -> Vec<Arc<Shard>> {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        shards.values().cloned().collect()
    }

    /// Counts a failed write, and names it in the log if it is the first. Where
    /// nothing was written (`Ok(false)`), nothing is known of the disk.
    pub(super) fn note(&self, shard: &Shard, result: &Result<bool, StoreError>, now_ms: u64) {
        match result {
            Ok(false) => {}
            Ok(true) => {
                if self.upkeep.remember(true, now_ms) {
                    tracing::info!("the log store can be written again");
                }
            }
            // What was being written to a deleted logstore is nobody's loss.
            Err(_) if shard.is_ending() => {}
            Err(error) => {
                self.ledger.count(|stats| stats.write_errors += 1);
                if self.upkeep.remember(false, now_ms) {
                    tracing::error!(logstore = %shard.name, %error, "cannot write to the log store: rows stay in memory");
                }
            }
        }
    }

    fn shard(&self, name: LogstoreName) -> Result<Arc<Shard>, AppendError> {
        if self.lock.is_none() {
            return Err(AppendError::ReadOnly);
        }
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(shard) = shards.get(&name) {
            return Ok(Arc::clone(shard));
        }
        drop(shards);
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(shard) = shards.get(&name) {
            return Ok(Arc::clone(shard));
        }
        self.make(&mut shards, name, None)
    }

    /// Whether it was opened for writing.
    pub(super) fn is_writer(&self) -> bool {
        self.lock.is_some()
    }

    /// Writes the largest tails when memory is short, and refuses when that
    /// did not help for too long.
    fn make_room(&self, bytes: u64, now_ms: u64) -> Result<(), AppendError> {
        let soft = self.settings.tail_bytes;
        let over = |limit: u64| self.ledger.tail_bytes().saturating_add(bytes) > limit;
        while over(soft) && self.ledger.tail_bytes() > 0 {
            let must = over(soft.saturating_mul(2));
            let progress = !self.upkeep.is_resting(now_ms) && self.write_largest(must, now_ms);
            if !progress && must {
                return Err(AppendError::Full(self.ledger.tail_bytes()));
            }
            if !progress {
                break;
            }
        }
        Ok(())
    }

    /// Makes parts of the largest tail; whether memory became free. Waits for
    /// whoever is at it already only if it `must`.
    fn write_largest(&self, must: bool, now_ms: u64) -> bool {
        let before = self.ledger.tail_bytes();
        let largest = self.shards().into_iter().max_by_key(|shard| shard.tail().0);
        if let Some(shard) = largest {
            let flushed = match must {
                true => shard.flush(&self.ledger),
                false => shard.try_flush(&self.ledger),
            };
            self.note(&shard, &flushed, now_ms);
        }
        self.ledger.tail_bytes() < before
    }

    fn tables(&self) -> Vec<Table> {
        let shards = match self.lock {
            Some(_) => self.shards(),
            // Beside a running flowlogd the parts of a moment ago may be gone.
            None => read_shards(&self.settings.dir, &Ledger::default())
                .map_or_else(|_| self.shards(), |shards| shards.into_values().collect()),
        };
        let table = |shard: &Arc<Shard>| Table {
            name: shard.name.clone(),
            snapshot: shard.snapshot(),
        };
        shards.iter().map(table).collect()
    }
}

/// One live part, for programs that read Parquet themselves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PartInfo {
    /// Where its rows belong.
    pub logstore: LogstoreName,
    /// The Parquet file.
    pub path: PathBuf,
    /// Rows.
    pub rows: u64,
    /// Octets of the file.
    pub bytes: u64,
    /// `seq` of the first row.
    pub first_seq: u64,
    /// `seq` of the last row.
    pub last_seq: u64,
    /// Lowest `__time__`, seconds since 1970.
    pub first_time: i64,
    /// Highest `__time__`, seconds since 1970.
    pub last_time: i64,
    /// Hour of arrival, hours since 1970.
    pub arrival_hour: u64,
    /// Version of its columns.
    pub schema_version: u32,
}

fn read_shards(
    dir: &Path,
    ledger: &Ledger,
) -> Result<BTreeMap<LogstoreName, Arc<Shard>>, OpenError> {
    let found = logstores(dir).map_err(|source| OpenError::Io {
        path: dir.to_owned(),
        source,
    })?;
    let mut shards = BTreeMap::new();
    for (name, path) in found {
        let recovered = recover::read_only(&path, ledger)?;
        let sheet = Sheet::read(&path, None)?;
        let shard = Shard::new(name.clone(), path, Default::default(), recovered);
        *shard::lock(&shard.sheet) = sheet;
        shards.insert(name, Arc::new(shard));
    }
    Ok(shards)
}

/// Directories that are logstores, by their names and content; others are left
/// alone.
pub(super) fn logstores(dir: &Path) -> io::Result<Vec<(LogstoreName, PathBuf)>> {
    let mut found = Vec::new();
    for (project, path) in directories(dir)? {
        if catalog::is_deleted(&path) {
            continue;
        }
        if let Err(reason) = LogstoreName::check_project(&project) {
            tracing::debug!(path = %path.display(), %reason, "not a project: left alone");
            continue;
        }
        for (logstore, path) in directories(&path)? {
            match LogstoreName::new(&project, &logstore) {
                Ok(_) if catalog::is_deleted(&path) => {}
                Ok(name) if recover::is_logstore(&path) => found.push((name, path)),
                Ok(_) => tracing::debug!(path = %path.display(), "empty: left alone"),
                Err(reason) => {
                    tracing::warn!(path = %path.display(), %reason, "not a logstore: left alone");
                }
            }
        }
    }
    Ok(found)
}

pub(super) fn directories(dir: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if let (true, Ok(name)) = (entry.file_type()?.is_dir(), entry.file_name().into_string()) {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

/// Times a question is asked while parts go that it was to read.
const TRIES_MAX: usize = 5;
