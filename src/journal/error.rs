//! What can go wrong at the journal's door.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a journal cannot be opened. Damage is never a reason.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it open: try later.
    #[error("{} is locked by pid {pid}: only one flowlogd may use it", path.display())]
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
    /// The directory cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a frame was not taken; its shares are counted as refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Refused {
    /// The quota is used up, and nothing may be dropped for this frame.
    #[error("the journal's quota is used up")]
    Full,
    /// The disk takes nothing, and memory has no room to wait.
    #[error("memory is full of rows that the disk does not take")]
    MemoryFull,
    /// The frame is longer than half a segment.
    #[error("a frame of {len} octets is longer than the {max} a segment takes")]
    TooLarge {
        /// Octets of the frame.
        len: u64,
        /// Most there may be.
        max: u64,
    },
    /// No share, too many, an empty one, two of one destination, or one of a
    /// destination that has no name.
    #[error("the shares are not those of a frame")]
    Shares,
}

/// More destinations than a journal may have, or a name too long.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum DestinationError {
    /// As many as the settings allow.
    #[error("there are {0} destinations already, the most there may be")]
    TooMany(usize),
    /// Longer than 512 octets, or empty.
    #[error("a destination's name has 1 to {max} octets, not {0}", max = super::format::NAME_LEN_MAX)]
    Name(usize),
}

/// Why rows are not durable yet. They stay in memory, and the next commit
/// tries again.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{0}")]
pub struct CommitError(pub Fault);

/// What keeps the journal from writing. A state: it ends by itself.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
pub enum Fault {
    /// The file system has no space left.
    #[error("no space left on the journal's disk")]
    NoSpace,
    /// The quota is used up.
    #[error("the journal's quota is used up")]
    Quota,
    /// The disk fails to write or to sync.
    #[error("the journal's disk fails to write")]
    Io,
}

impl Fault {
    /// The word for metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoSpace => "enospc",
            Self::Quota => "quota",
            Self::Io => "io",
        }
    }

    pub(super) fn of(error: &io::Error) -> Self {
        let is_full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        if is_full { Self::NoSpace } else { Self::Io }
    }
}

/// Why there is a snapshot that cannot be read.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// It is not what was saved.
    #[error("the snapshot is damaged")]
    Damaged,
    /// The system's word.
    #[error("the snapshot cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Why a destination gets no frame now.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Too many of its rows are handed out and not acknowledged, or its
    /// acknowledged rows lie too scattered: acknowledge the oldest first.
    #[error("too many rows are handed out and not acknowledged")]
    Scattered,
    /// No destination has this id.
    #[error("no destination has this id")]
    Unknown,
    /// The system's word.
    #[error(transparent)]
    Io(#[from] io::Error),
}
