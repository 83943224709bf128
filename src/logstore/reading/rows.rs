//! A walk over the rows of a logstore.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::BooleanArray;
use arrow_array::RecordBatch;
use arrow_array::UInt64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_schema::ArrowError;
use datafusion::arrow::compute::filter_record_batch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowPredicateFn;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_reader::RowFilter;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::PageIndexPolicy;

use super::row;
use super::row::Row;
use crate::logstore::error::StoreError;
use crate::logstore::numbering::Numbering;
use crate::logstore::part::Part;
use crate::logstore::schema::SEQ;
use crate::logstore::shard::Snapshot;

/// Rows in the order of their numbers, some hundreds at a time; what is not
/// taken is not read. No file of it goes away meanwhile.
#[derive(Debug)]
pub struct Rows {
    range: Range<u64>,
    /// None for all.
    columns: Option<&'static [&'static str]>,
    parts: VecDeque<Arc<Part>>,
    open: Option<Open>,
    tail: VecDeque<RecordBatch>,
    numbering: Arc<Numbering>,
    /// Held to the end: a part's file goes with its last reader.
    _held: Vec<Arc<Part>>,
}

/// A part that is being read, one row group after the other.
struct Open {
    file: File,
    metadata: ArrowReaderMetadata,
    groups: VecDeque<usize>,
    reader: Option<ParquetRecordBatchReader>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open")
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

impl Rows {
    /// What of `snapshot` is within `range`; of all columns, or of some.
    pub(super) fn new(
        snapshot: Snapshot,
        range: Range<u64>,
        columns: Option<&'static [&'static str]>,
    ) -> Self {
        let is_within = |part: &Arc<Part>| {
            part.entry.first_seq < range.end && range.start <= part.entry.last_seq
        };
        let parts: Vec<_> = snapshot.parts.into_iter().filter(is_within).collect();
        Self {
            range,
            columns,
            parts: parts.iter().cloned().collect(),
            open: None,
            tail: snapshot.tail.into(),
            numbering: snapshot.numbering,
            _held: parts,
        }
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(batch) = open.batch(&self.range, self.columns)? {
                    return Ok(Some(batch));
                }
                self.open = None;
            }
            let Some(part) = self.parts.pop_front() else {
                break;
            };
            self.open = Some(Open::new(&part, &self.range)?);
        }
        while let Some(batch) = self.tail.pop_front() {
            let batch = filter_record_batch(&batch, &within(&batch, &self.range)?)?;
            if batch.num_rows() > 0 {
                return self.slice(batch);
            }
        }
        Ok(None)
    }

    /// The first rows of a batch of the tail; the others wait.
    fn slice(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, StoreError> {
        let rows = batch.num_rows();
        if rows > BATCH_ROWS {
            let rest = batch.slice(BATCH_ROWS, rows - BATCH_ROWS);
            self.tail.push_front(rest);
            return self.project(&batch.slice(0, BATCH_ROWS));
        }
        self.project(&batch)
    }

    fn project(&self, batch: &RecordBatch) -> Result<Option<RecordBatch>, StoreError> {
        let Some(columns) = self.columns else {
            return Ok(Some(batch.clone()));
        };
        let schema = batch.schema_ref();
        let indices = columns.iter().filter_map(|name| schema.index_of(name).ok());
        Ok(Some(batch.project(&indices.collect::<Vec<_>>())?))
    }
}

impl Iterator for Rows {
    type Item = Result<Vec<Row>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batch().transpose()?;
        Some(batch.and_then(|batch| Ok(row::rows(&batch, &self.numbering)?)))
    }
}

impl Open {
    fn new(part: &Part, range: &Range<u64>) -> Result<Self, StoreError> {
        let file = File::open(&part.path)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(&file, options)?;
        let groups = groups(&metadata, range)?;
        Ok(Self {
            file,
            metadata,
            groups,
            reader: None,
        })
    }

    fn batch(
        &mut self,
        range: &Range<u64>,
        columns: Option<&[&str]>,
    ) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            if let Some(batch) = self.reader.as_mut().and_then(Iterator::next) {
                return Ok(Some(batch?));
            }
            let Some(group) = self.groups.pop_front() else {
                return Ok(None);
            };
            self.reader = Some(self.reader(group, range, columns)?);
        }
    }

    /// The rows of one group that are within `range`: of their pages only, as
    /// far as the other columns go.
    fn reader(
        &self,
        group: usize,
        range: &Range<u64>,
        columns: Option<&[&str]>,
    ) -> Result<ParquetRecordBatchReader, StoreError> {
        let schema = self.metadata.parquet_schema();
        let mask = columns.map_or_else(ProjectionMask::all, |columns| {
            ProjectionMask::columns(schema, columns.iter().copied())
        });
        let seq = ProjectionMask::columns(schema, [SEQ]);
        let range = range.clone();
        let is_within = ArrowPredicateFn::new(seq, move |batch| within(&batch, &range));
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.file.try_clone()?,
            self.metadata.clone(),
        );
        let reader = builder
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_row_filter(RowFilter::new(vec![Box::new(is_within)]))
            .with_batch_size(BATCH_ROWS)
            .build()?;
        Ok(reader)
    }
}

/// Row groups that may have rows within `range`.
fn groups(
    metadata: &ArrowReaderMetadata,
    range: &Range<u64>,
) -> Result<VecDeque<usize>, StoreError> {
    let converter =
        StatisticsConverter::try_new(SEQ, metadata.schema(), metadata.parquet_schema())?;
    let groups = metadata.metadata().row_groups();
    let firsts = converter.row_group_mins(groups)?;
    let lasts = converter.row_group_maxes(groups)?;
    let firsts: Option<&UInt64Array> = firsts.as_primitive_opt::<UInt64Type>();
    let lasts: Option<&UInt64Array> = lasts.as_primitive_opt::<UInt64Type>();
    let told = |array: Option<&UInt64Array>, group: usize| {
        let array = array.filter(|array| group < array.len() && array.is_valid(group))?;
        Some(array.value(group))
    };
    let is_within = |group: &usize| {
        told(firsts, *group).is_none_or(|first| first < range.end)
            && told(lasts, *group).is_none_or(|last| range.start <= last)
    };
    Ok((0..groups.len()).filter(is_within).collect())
}

/// Which rows have numbers within `range`.
fn within(batch: &RecordBatch, range: &Range<u64>) -> Result<BooleanArray, ArrowError> {
    let numbers = batch.column_by_name(SEQ);
    let numbers = numbers.and_then(|column| column.as_primitive_opt::<UInt64Type>());
    let numbers = numbers.ok_or_else(|| ArrowError::SchemaError("rows without seq".to_owned()))?;
    let is_within = numbers.iter().map(|seq| Some(range.contains(&seq?)));
    Ok(is_within.collect())
}

/// Rows in memory at once.
const BATCH_ROWS: usize = 512;
