//! What can go wrong at the store's door.

use std::io;
use std::path::PathBuf;

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use thiserror::Error;

use super::name::NameError;
use super::schema::SchemaError;

/// Why a store cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it open: try later.
    #[error("{} is locked by process {pid}: only one flowlogd may use it", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Process that holds it, as it wrote itself.
        pid: String,
    },
    /// A later flowlogd wrote it; nothing has been touched.
    #[error("{} has format version {version}, newer than {known}, the newest this flowlogd reads: start the flowlogd that wrote it", path.display())]
    Newer {
        /// The file that says so.
        path: PathBuf,
        /// Version found.
        version: u32,
        /// Newest version this code reads.
        known: u32,
    },
    /// It was to be read only, and nothing in it was ever a store.
    #[error("{} is not a log store", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// The directory cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why rows were not taken; they are counted as refused.
#[derive(Debug, Error)]
pub enum AppendError {
    /// Memory has no room for more, and the disk takes nothing: the log says why.
    #[error("{0} octets of rows wait in memory for a disk that takes none")]
    Full(u64),
    /// Logs too large to be rows, see [`Logs::check`](super::Logs::check).
    #[error(
        "the logs take {0} octets: topic, source and tags at most 64 MiB over all logs, fields at most 1 GiB"
    )]
    TooLarge(usize),
    /// More logstores than the store may have.
    #[error("there are {0} logstores already, the most there may be")]
    TooMany(usize),
    /// No such project or logstore can be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The rows are not of the store's schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The logstore's directory cannot be made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store was opened for reading.
    #[error("the store was opened read-only")]
    ReadOnly,
}

/// Why files could not be written or merged.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The system's word.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Parquet's word.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    /// Arrow's word.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}
