//! Parts: immutable Parquet files, one hour of arrival each, rows in `seq` order.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_writer::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;

use super::disk::Disk;
use super::disk::Output;
use super::encoding;
use super::encoding::Compression;
use super::error::StoreError;
use super::manifest::Entry;
use super::schema::SCHEMA_VERSION;

/// A live part. Its file goes when the part has been [condemned](Part::condemn)
/// and its last reader is done.
#[derive(Debug)]
pub(super) struct Part {
    /// What the MANIFEST says of it.
    pub(super) entry: Entry,
    /// Where the file is.
    pub(super) path: PathBuf,
    disk: Disk,
    condemned: AtomicBool,
}

impl Part {
    pub(super) fn new(entry: Entry, parts_dir: &Path, disk: Disk) -> Self {
        Self {
            path: parts_dir.join(&entry.file),
            entry,
            disk,
            condemned: AtomicBool::new(false),
        }
    }

    /// Lets the file go with the last reader; the MANIFEST no longer names it.
    pub(super) fn condemn(&self) {
        self.condemned.store(true, Ordering::Release);
    }

    /// Whether the file is the one that was written, as far as its length and
    /// footer tell.
    pub(super) fn verify(&self) -> Result<(), ParquetError> {
        let file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        if length != self.entry.bytes {
            let problem = format!("{length} octets instead of {}", self.entry.bytes);
            return Err(ParquetError::General(problem));
        }
        let rows = footer(&file)?.file_metadata().num_rows();
        if u64::try_from(rows) != Ok(self.entry.rows) {
            let problem = format!("{rows} rows instead of {}", self.entry.rows);
            return Err(ParquetError::General(problem));
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.condemned.load(Ordering::Acquire)
            && let Err(error) = self.disk.remove(&self.path)
        {
            // The next open removes it: no MANIFEST names it.
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a part that is no longer needed");
        }
    }
}

/// A part that is being written: a temporary file until [`PartWriter::finish`].
pub(super) struct PartWriter<'a> {
    writer: ArrowWriter<Output>,
    disk: &'a Disk,
    temporary: PathBuf,
    path: PathBuf,
    entry: Entry,
    is_finished: bool,
}

impl<'a> PartWriter<'a> {
    /// Starts the file that `entry` describes; its `bytes` are yet to be known.
    pub(super) fn create(
        entry: Entry,
        (schema, compression): (&SchemaRef, Compression),
        parts_dir: &Path,
        disk: &'a Disk,
    ) -> Result<Self, StoreError> {
        let path = parts_dir.join(&entry.file);
        let temporary = path.with_extension("new");
        let file = disk.create(&temporary)?;
        // Without Arrow's own schema in it the file reads the same everywhere.
        let options = ArrowWriterOptions::new()
            .with_properties(properties(&entry, schema, compression))
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, SchemaRef::clone(schema), options)?;
        Ok(Self {
            writer,
            disk,
            temporary,
            path,
            entry,
            is_finished: false,
        })
    }

    /// Adds rows of exactly the schema given at the start.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        Ok(self.writer.write(batch)?)
    }

    /// Makes the file durable under its name.
    pub(super) fn finish(mut self) -> Result<Entry, StoreError> {
        self.writer.finish()?;
        self.entry.bytes = self.writer.inner().sync()?;
        self.disk.rename(&self.temporary, &self.path)?;
        self.is_finished = true;
        Ok(self.entry.clone())
    }
}

impl Drop for PartWriter<'_> {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        // It has one of the two names. What cannot be removed now, no MANIFEST
        // names: the next open removes it.
        let _ = self.disk.remove(&self.temporary);
        let _ = self.disk.remove(&self.path);
    }
}

/// Name of the part file with number `file`.
pub(super) fn file_name(hour: u64, first_seq: u64, file: u64) -> String {
    let label = i64::try_from(hour)
        .ok()
        .and_then(|hour| jiff::Timestamp::from_second(hour.checked_mul(3600)?).ok())
        .map_or_else(
            || hour.to_string(),
            |start| start.strftime("%Y%m%dT%H").to_string(),
        );
    format!("{label}-{first_seq:020}-{file:010}.{EXTENSION}")
}

/// Number of a part file, from its name.
pub(super) fn file_number(name: &str) -> Option<u64> {
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    stem.rsplit_once('-')?.1.parse().ok()
}

/// The entry of a part whose MANIFEST is lost, out of the part's own footer.
pub(super) fn recover_entry(path: &Path) -> Result<Entry, ParquetError> {
    let missing = |what: &str| ParquetError::General(format!("no {what} in its footer"));
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let metadata = footer(&file)?;
    let pairs: HashMap<&str, &str> = metadata
        .file_metadata()
        .key_value_metadata()
        .into_iter()
        .flatten()
        .filter_map(|pair| Some((pair.key.as_str(), pair.value.as_deref()?)))
        .collect();
    let text = pairs.get(ENTRY_KEY).ok_or_else(|| missing(ENTRY_KEY))?;
    let entry: Entry = serde_json::from_str(text).map_err(|_| missing("readable entry"))?;
    let name = path.file_name().and_then(|name| name.to_str());
    if name != Some(entry.file.as_str()) {
        return Err(ParquetError::General(format!("written as {}", entry.file)));
    }
    Ok(Entry { bytes, ..entry })
}

fn footer(file: &File) -> Result<ParquetMetaData, ParquetError> {
    ParquetMetaDataReader::new().parse_and_finish(file)
}

fn properties(entry: &Entry, schema: &SchemaRef, compression: Compression) -> WriterProperties {
    let entry_text = serde_json::to_string(entry).ok();
    encoding::properties(schema, compression)
        .set_created_by(concat!("flowlogd ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(vec![
            KeyValue::new(ENTRY_KEY.to_owned(), entry_text),
            KeyValue::new(SCHEMA_KEY.to_owned(), SCHEMA_VERSION.to_string()),
        ]))
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: 0,
            descending: false,
            nulls_first: false,
        }]))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build()
}

/// Suffix of part files.
pub(super) const EXTENSION: &str = "parquet";

/// Key of the part's own [`Entry`] in its footer (`bytes` is not known there).
const ENTRY_KEY: &str = "flowlogd.part";
/// Key of the schema version in the footer.
const SCHEMA_KEY: &str = "flowlogd.schema";
/// Rows of a row group: enough to compress well, few enough to skip by.
const ROW_GROUP_ROWS: usize = 256 * 1024;
