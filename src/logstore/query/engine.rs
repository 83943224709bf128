//! The engine: DataFusion on threads of its own, a few queries at a time.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Instant;

use arrow_array::RecordBatch;
use datafusion::catalog::CatalogProvider;
use datafusion::catalog::MemoryCatalogProvider;
use datafusion::catalog::MemorySchemaProvider;
use datafusion::catalog::SchemaProvider;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::disk_manager::DiskManagerMode;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SQLOptions;
use datafusion::prelude::SessionConfig;
use datafusion::prelude::SessionContext;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::Limits;
use super::QueryError;
use super::QueryErrorKind;
use super::Settings;
use super::answer::Answer;
use super::check;
use super::deadline;
use super::element;
use super::network;
use super::search::Contents;
use super::search::Page;
use super::search::Plan;
use super::table::SnapshotTable;
use super::weigh;
use crate::listen;
use crate::logstore::name::LogstoreName;
use crate::logstore::shard::Snapshot;

/// A logstore as one query sees it.
#[derive(Clone, Debug)]
pub(in crate::logstore) struct Table {
    pub(in crate::logstore) name: LogstoreName,
    pub(in crate::logstore) snapshot: Snapshot,
}

impl Table {
    /// Files it reads.
    pub(in crate::logstore) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.snapshot.parts.iter().map(|part| part.path.clone())
    }
}

/// What is asked, in either language.
#[derive(Clone, Debug)]
pub(in crate::logstore) enum Question {
    /// One SELECT or EXPLAIN.
    Sql(String),
    /// SLS's language, about all tables there are as one.
    Search(Arc<Plan>, Page),
    /// How many logs SLS's language finds in each of the steps that begin at
    /// these seconds, ascending.
    Count(Arc<Plan>, Arc<[i64]>),
}

/// Answers questions without getting in the way of anything else.
#[derive(Debug)]
pub(in crate::logstore) struct Engine {
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    environment: Arc<RuntimeEnv>,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    settings: Settings,
}

impl Engine {
    pub(in crate::logstore) fn new(settings: &Settings) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads)
            .max_blocking_threads(settings.threads.saturating_mul(BLOCKING_PER_THREAD))
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(give_way)
            .build()?;
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(settings.memory_max)))
            .with_disk_manager_builder(
                DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled),
            )
            .build_arc()
            .map_err(io::Error::other)?;
        Ok(Self {
            runtime: Some(runtime),
            environment,
            turns: Arc::new(Semaphore::new(settings.running_max)),
            waiting: AtomicUsize::new(0),
            settings: settings.clone(),
        })
    }

    /// Answers `question` about `tables`. Dropping the future ends the query.
    pub(in crate::logstore) async fn answer(
        &self,
        question: Question,
        limits: Limits,
        tables: Vec<Table>,
    ) -> Result<Answer, QueryError> {
        let Some(runtime) = &self.runtime else {
            return Err(QueryError::new(
                QueryErrorKind::Internal,
                "the engine has stopped",
            ));
        };
        let _place = self.queue()?;
        let turns = Arc::clone(&self.turns);
        let environment = Arc::clone(&self.environment);
        let threads = self.settings.threads;
        let limit = limits.time_max;
        let deadline = Instant::now() + limit;
        let contents = contents(&tables);
        let job = async move {
            let _turn = turns.acquire().await;
            // It holds the snapshot, and with it the files, to the end.
            let context = context(environment, threads, tables)?;
            run(&question, &context, &contents, limits.rows_max, deadline).await
        };
        let mut job = EndOnDrop(runtime.spawn(job));
        // The clock is the asker's: the engine's threads may all be busy.
        match tokio::time::timeout(limit, &mut job.0).await {
            Ok(Ok(Err(_))) if Instant::now() >= deadline => Err(QueryError::timeout(limit)),
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::error!(%error, "a query broke down");
                Err(QueryError::new(
                    QueryErrorKind::Internal,
                    "the query broke down; the log says why",
                ))
            }
            Err(_) => Err(QueryError::timeout(limit)),
        }
    }

    fn queue(&self) -> Result<Place<'_>, QueryError> {
        let place = Place(&self.waiting);
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let limit = self
            .settings
            .running_max
            .saturating_add(self.settings.waiting_max);
        if before >= limit {
            let message =
                format!("{before} queries are running or waiting already: ask again later");
            return Err(QueryError::new(QueryErrorKind::Busy, message));
        }
        Ok(place)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Waiting for queries would block, and a runtime may be dropped in another.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lets the threads that receive and write go first.
fn give_way() {
    if let Err(error) = listen::nice(NICENESS) {
        tracing::debug!(%error, "a query thread keeps the priority of the others");
    }
}

/// A place among those running and waiting.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A query that ends with whoever asked.
struct EndOnDrop(JoinHandle<Result<Answer, QueryError>>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(
    question: &Question,
    context: &SessionContext,
    contents: &Contents,
    rows_max: usize,
    deadline: Instant,
) -> Result<Answer, QueryError> {
    let started = Instant::now();
    let plan = match question {
        Question::Sql(sql) => {
            let statement = check::one_question(sql)?;
            context.state().statement_to_plan(statement).await?
        }
        Question::Search(plan, page) => {
            let all = context.table_provider(FLOWS).await?;
            plan.logical(context, all, contents, *page).await?
        }
        Question::Count(plan, begins) => {
            let all = context.table_provider(FLOWS).await?;
            plan.counted(all, contents, Arc::clone(begins))?
        }
    };
    weigh::weigh(&plan)?;
    let read_only = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    read_only.verify_plan(&plan)?;
    let frame = context.execute_logical_plan(plan).await?;
    let tasks = Arc::new(frame.task_ctx());
    let plan = deadline::heed(frame.create_physical_plan().await?, deadline)?;
    let (batches, truncated) = collect(&plan, tasks, rows_max).await?;
    let scanned = scanned_rows(plan.as_ref());
    let elapsed = started.elapsed();
    let mut answer = Answer::new(&plan.schema(), &batches, truncated, scanned, elapsed)?;
    if let Question::Search(plan, _) = question
        && let Some(padding) = plan.padding()
    {
        answer.rows = padding.pad(answer.rows, answer.columns.len(), plan.times_s(), rows_max);
    }
    Ok(answer)
}

/// What SLS's language must know of the logstore it asks, the only table then.
fn contents(tables: &[Table]) -> Contents {
    match tables {
        [only] => Contents {
            has_logs: only.snapshot.has_logs,
            numbering: Arc::clone(&only.snapshot.numbering),
        },
        _ => Contents::default(),
    }
}

/// A session that knows `tables` and nothing else.
fn context(
    environment: Arc<RuntimeEnv>,
    threads: usize,
    tables: Vec<Table>,
) -> Result<SessionContext, QueryError> {
    let config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true)
        // It may double what it makes in every round.
        .set_bool("datafusion.execution.enable_recursive_ctes", false);
    let context = SessionContext::new_with_config_rt(config, environment);
    context.register_udf(network::function());
    context.register_udf(element::function());
    for function in UNBOUNDED {
        context.deregister_udf(function);
    }
    context.register_catalog(CATALOG, Arc::new(catalog(tables)?));
    Ok(context)
}

/// The first `rows_max` rows, and whether there are more.
async fn collect(
    plan: &Arc<dyn ExecutionPlan>,
    tasks: Arc<TaskContext>,
    rows_max: usize,
) -> Result<(Vec<RecordBatch>, bool), QueryError> {
    let mut stream = execute_stream(Arc::clone(plan), tasks)?;
    let mut batches = Vec::new();
    let mut room = rows_max;
    let mut bytes: usize = 0;
    while let Some(batch) = next(&mut stream).await.transpose()? {
        if batch.num_rows() > room {
            batches.push(batch.slice(0, room));
            return Ok((batches, true));
        }
        room -= batch.num_rows();
        bytes = bytes.saturating_add(batch.get_array_memory_size());
        if bytes > ANSWER_BYTES_MAX {
            let message = "the answer is larger than 256 MiB: ask for fewer rows or columns";
            return Err(QueryError::new(QueryErrorKind::Memory, message));
        }
        batches.push(batch);
    }
    Ok((batches, false))
}

async fn next(
    stream: &mut datafusion::execution::SendableRecordBatchStream,
) -> Option<Result<RecordBatch, DataFusionError>> {
    std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await
}

/// Rows that came out of the files and tails, after what could be skipped was.
fn scanned_rows(plan: &dyn ExecutionPlan) -> u64 {
    let children = plan.children();
    if children.is_empty() {
        let rows = plan.metrics().and_then(|metrics| metrics.output_rows());
        return rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0);
    }
    children
        .into_iter()
        .map(|child| scanned_rows(child.as_ref()))
        .sum()
}

fn catalog(tables: Vec<Table>) -> Result<MemoryCatalogProvider, DataFusionError> {
    let all = tables.iter().map(|table| table.snapshot.clone()).collect();
    let mut projects: BTreeMap<String, Arc<MemorySchemaProvider>> = BTreeMap::new();
    let mut add = |project: &str, name: &str, snapshots: Vec<Snapshot>| {
        let schema = projects.entry(project.to_owned()).or_default();
        if schema.table_exist(name) {
            return Ok(None);
        }
        let provider: Arc<dyn TableProvider> = Arc::new(SnapshotTable::new(snapshots));
        schema.register_table(name.to_owned(), provider)
    };
    add(SCHEMA, FLOWS, all)?;
    for table in tables {
        add(
            table.name.project(),
            table.name.logstore(),
            vec![table.snapshot],
        )?;
    }
    let catalog = MemoryCatalogProvider::new();
    for (project, schema) in projects {
        catalog.register_schema(&project, schema)?;
    }
    Ok(catalog)
}

/// Name of the one catalog, which nobody has to write.
const CATALOG: &str = "flowlogd";
/// Where a table without a project is looked for.
const SCHEMA: &str = "public";
/// All logstores as one table.
const FLOWS: &str = "flows";
/// Functions whose result may be as large as a number in the question says,
/// in memory that no limit counts.
const UNBOUNDED: [&str; 3] = ["repeat", "lpad", "rpad"];
/// The lowest priority there is: where a core is short, a lane gets 68 times
/// as much of it (kernel/sched/core.c: nice 0 weighs 1024, nice 19 weighs 15).
const NICENESS: i32 = 19;
/// Planning recurses over what the limits on depth and terms let through.
const STACK_BYTES: usize = 8 << 20;
/// Reading files blocks; it must not take over the machine.
const BLOCKING_PER_THREAD: usize = 4;
/// Answers are held in memory twice, as columns and as rows.
const ANSWER_BYTES_MAX: usize = 256 << 20;
