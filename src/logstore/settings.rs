//! What can be set about the store.

use std::path::PathBuf;
use std::time::Duration;

use super::encoding::Compression;
use super::query;

/// Settings of a [`LogStore`](super::LogStore).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Directory of the store; made if it is not there.
    pub dir: PathBuf,
    /// Age at which a tail becomes a part.
    pub tail_age: Duration,
    /// Memory of all tails at which the largest becomes a part, octets. At
    /// twice as much, which only a disk that takes nothing leads to, rows are
    /// refused.
    pub tail_bytes: u64,
    /// Age at which an hour of arrival is retired.
    pub retention: Duration,
    /// Octets all parts and what was set aside may take; beyond, first what was
    /// set aside goes, then the oldest hours do.
    pub disk_budget: u64,
    /// What parts are compressed with from now on; those that are there are
    /// read whatever it was then.
    pub compression: Compression,
    /// Octets up to which parts are merged.
    pub merged_bytes: u64,
    /// Logstores there may be.
    pub logstores_max: usize,
    /// Limits of queries.
    pub query: query::Settings,
}

impl Settings {
    /// The defaults, for a store in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            tail_age: TAIL_AGE,
            tail_bytes: TAIL_BYTES,
            retention: RETENTION,
            disk_budget: DISK_BUDGET,
            compression: Compression::default(),
            merged_bytes: MERGED_BYTES,
            logstores_max: LOGSTORES_MAX,
            query: query::Settings::default(),
        }
    }
}

/// Rows as young as this are in memory only; whoever numbers them has them, too.
const TAIL_AGE: Duration = Duration::from_secs(10);
/// Several hundred thousand flows.
const TAIL_BYTES: u64 = 64 << 20;
/// Two weeks: last week, compared with the one before.
const RETENTION: Duration = Duration::from_hours(14 * 24);
/// What a collector host can spare without being asked.
pub(super) const DISK_BUDGET: u64 = 10 << 30;
/// Large enough for long scans, small enough to merge within seconds.
const MERGED_BYTES: u64 = 128 << 20;
/// A logstore costs a directory, a MANIFEST and a part per hour.
const LOGSTORES_MAX: usize = 1000;
