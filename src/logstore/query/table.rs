//! Parts and tail of one moment as a table of the engine.

use std::pin::Pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::catalog::Session;
use datafusion::catalog::TableProvider;
use datafusion::common::ColumnStatistics;
use datafusion::common::DataFusionError;
use datafusion::common::ScalarValue;
use datafusion::common::Statistics;
use datafusion::common::project_schema;
use datafusion::common::stats::Precision;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::datasource::physical_plan::FileScanConfigBuilder;
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::TableProviderFilterPushDown;
use datafusion::object_store::ObjectMeta;
use datafusion::object_store::path::Path;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;

use crate::logstore::manifest::Entry;
use crate::logstore::part::Part;
use crate::logstore::schema;
use crate::logstore::schema::SEQ;
use crate::logstore::schema::TIME;
use crate::logstore::shard::Snapshot;

/// One or more logstores as they were when the question was asked.
#[derive(Debug)]
pub(super) struct SnapshotTable {
    snapshots: Vec<Snapshot>,
}

impl SnapshotTable {
    pub(super) fn new(snapshots: Vec<Snapshot>) -> Self {
        Self { snapshots }
    }

    /// Files and tail as one plan. Filters only say what can be skipped: the
    /// engine applies them again.
    fn plan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        inputs.extend(self.files(session, projection, filters, limit)?);
        inputs.extend(self.tail(projection)?);
        match inputs.len() {
            0 => Ok(Arc::new(EmptyExec::new(project_schema(
                schema::table_schema(),
                projection,
            )?))),
            1 => Ok(inputs.remove(0)),
            _ => UnionExec::try_new(inputs),
        }
    }

    fn files(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>, DataFusionError> {
        let table = schema::table_schema();
        let groups = self.groups(session.config().target_partitions())?;
        if groups.is_empty() {
            return Ok(None);
        }
        let url = ObjectStoreUrl::local_filesystem();
        let environment = session.runtime_env();
        let footers = environment.cache_manager.get_file_metadata_cache();
        let reader = CachedParquetFileReaderFactory::new(environment.object_store(&url)?, footers);
        // The optimizer hands it the filters later.
        let source = ParquetSource::new(SchemaRef::clone(table))
            .with_parquet_file_reader_factory(Arc::new(reader));
        let statistics = sum_statistics(
            self.snapshots
                .iter()
                .flat_map(|snapshot| &snapshot.parts)
                .map(|part| &part.entry),
            table,
        );
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            // A limit below a filter would cut before the filter.
            .with_limit(limit.filter(|_| filters.is_empty()))
            .build();
        Ok(Some(DataSourceExec::from_data_source(config)))
    }

    /// The parts, dealt out to at most `count` groups of neighbours.
    fn groups(&self, count: usize) -> Result<Vec<FileGroup>, DataFusionError> {
        let parts: Vec<_> = self
            .snapshots
            .iter()
            .flat_map(|snapshot| &snapshot.parts)
            .collect();
        let each = parts.len().div_ceil(count.max(1)).max(1);
        let group = |parts: &[&Arc<Part>]| {
            let files = parts.iter().map(|part| file(part));
            Ok(FileGroup::new(files.collect::<Result<_, _>>()?))
        };
        parts.chunks(each).map(group).collect()
    }

    /// The tails, with only the columns asked for made.
    fn tail(
        &self,
        projection: Option<&Vec<usize>>,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>, DataFusionError> {
        let schema = project_schema(schema::table_schema(), projection)?;
        let batches = self.snapshots.iter().flat_map(|snapshot| &snapshot.tail);
        let batches: Vec<RecordBatch> = batches
            .map(|batch| schema::conform(batch, &schema))
            .collect::<Result<_, _>>()?;
        if batches.is_empty() {
            return Ok(None);
        }
        Ok(Some(MemorySourceConfig::try_new_exec(
            &[batches],
            schema,
            None,
        )?))
    }
}

impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(schema::table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn scan<'this, 'session, 'projection, 'filters, 'future>(
        &'this self,
        session: &'session dyn Session,
        projection: Option<&'projection Vec<usize>>,
        filters: &'filters [Expr],
        limit: Option<usize>,
    ) -> Pin<
        Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>, DataFusionError>> + Send + 'future>,
    >
    where
        'this: 'future,
        'session: 'future,
        'projection: 'future,
        'filters: 'future,
        Self: 'future,
    {
        let plan = self.plan(session, projection, filters, limit);
        Box::pin(std::future::ready(plan))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// A part as the engine opens it; its name is never used for another file.
fn file(part: &Part) -> Result<PartitionedFile, DataFusionError> {
    let statistics = sum_statistics(std::iter::once(&part.entry), schema::table_schema());
    let location = Path::from_absolute_path(&part.path);
    let file = PartitionedFile::new_from_meta(ObjectMeta {
        location: location.map_err(|error| DataFusionError::External(Box::new(error)))?,
        last_modified: Default::default(),
        size: part.entry.bytes,
        e_tag: None,
        version: None,
    });
    Ok(file.with_statistics(Arc::new(statistics)))
}

/// What the MANIFEST knows of rows, `seq` and `__time__`: enough to leave out
/// whole files unopened, and to count without reading.
fn sum_statistics<'a>(
    entries: impl Iterator<Item = &'a Entry> + Clone,
    table: &SchemaRef,
) -> Statistics {
    let rows: u64 = entries.clone().map(|entry| entry.rows).sum();
    let bytes: u64 = entries.clone().map(|entry| entry.bytes).sum();
    let exact = |value: u64| usize::try_from(value).map_or(Precision::Absent, Precision::Exact);
    let column = |name: &str| match name {
        SEQ => range(
            entries
                .clone()
                .map(|entry| entry.first_seq)
                .min()
                .map(|seq| ScalarValue::UInt64(Some(seq))),
            entries
                .clone()
                .map(|entry| entry.last_seq)
                .max()
                .map(|seq| ScalarValue::UInt64(Some(seq))),
        ),
        TIME => range(
            entries
                .clone()
                .map(|entry| entry.first_time)
                .min()
                .map(|time| ScalarValue::Int64(Some(time))),
            entries
                .clone()
                .map(|entry| entry.last_time)
                .max()
                .map(|time| ScalarValue::Int64(Some(time))),
        ),
        _ => ColumnStatistics::new_unknown(),
    };
    let mut statistics = Statistics::new_unknown(table);
    statistics.num_rows = exact(rows);
    statistics.total_byte_size = exact(bytes).to_inexact();
    statistics.column_statistics = table
        .fields()
        .iter()
        .map(|field| column(field.name()))
        .collect();
    statistics
}

fn range(min: Option<ScalarValue>, max: Option<ScalarValue>) -> ColumnStatistics {
    let exact = |value: Option<ScalarValue>| value.map_or(Precision::Absent, Precision::Exact);
    ColumnStatistics {
        min_value: exact(min),
        max_value: exact(max),
        null_count: Precision::Exact(0),
        ..ColumnStatistics::new_unknown()
    }
}
