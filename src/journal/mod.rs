//! The durable log: what is to be delivered waits here, on disk and within a
//! quota, until its destination has it.
//!
//! ```text
//! DIR/LOCK                    one flowlogd per journal
//! DIR/0000000000000001.seg    frames of rows, numbered segments
//! DIR/progress.0 progress.1   what each destination has, by turns
//! DIR/snapshot                open flows of the cache, for an unclean end
//! DIR/*.bad                   copies of what was found damaged
//! ```
//!
//! Start at [`Journal`]. Bodies of frames are octets; what they mean is known
//! elsewhere.
//!
//! # Invariants
//!
//! * What a commit made durable is read again after any crash. Nothing is read
//!   that was not appended, and rows keep their order.
//! * A destination is given durable rows only, so that a number once seen never
//!   names another row; only while the disk takes nothing is it served from
//!   memory, and a start passes over the numbers that may have been seen.
//! * A segment goes after the progress that frees it is durable. One stuck
//!   destination keeps the segments with its rows and no row of others.
//! * After a failed sync a file is not written again: what it should have is
//!   written to another.
//! * `appended = pending + acked + evicted + damaged` for each destination.
//! * Nothing found on disk stops the start, except a newer format and a lock.
//! * Memory is bounded by the settings: the window, one entry of the index per
//!   64 KiB of quota, the ranges and the shares under way per destination.

mod commit;
mod destination;
mod door;
mod error;
mod format;
mod frame;
mod fs;
mod inspect;
mod progress;
mod ranges;
mod read;
mod rebuild;
mod recover;
mod scan;
mod segment;
mod settings;
mod since;
mod snapshot;
mod state;
mod stats;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod window;
mod write;

pub use destination::Amounts;
pub use door::Journal;
pub use error::CommitError;
pub use error::DestinationError;
pub use error::Fault;
pub use error::OpenError;
pub use error::ReadError;
pub use error::Refused;
pub use error::SnapshotError;
pub use frame::DestinationId;
pub use frame::Frame;
pub use frame::Kind;
pub use frame::Share;
pub use fs::Disk;
pub use fs::File;
pub use fs::Fs;
pub use inspect::DestinationReport;
pub use inspect::FrameReport;
pub use inspect::Inspection;
pub use inspect::SegmentReport;
pub use inspect::SnapshotReport;
pub use inspect::inspect;
pub use recover::Recovered;
pub use settings::Settings;
pub use settings::WhenFull;
pub use snapshot::SnapshotWriter;
pub use stats::Counters;
pub use stats::DestinationStats;
pub use stats::SegmentStats;
pub use stats::Stats;
