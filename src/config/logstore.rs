//! `[logstore]`: the embedded log store.

use std::path::PathBuf;
use std::time::Duration;

use super::table::Table;

/// What is kept on this host, and for how long.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogStore {
    /// Its directory; `None` is `logstore` in the state directory.
    pub dir: Option<PathBuf>,
    /// Which rows are kept.
    pub keep: Keep,
    /// Age at which rows in memory are written out.
    pub tail_age: Duration,
    /// Memory of rows not written out, octets.
    pub tail_bytes: u64,
    /// What files of rows are compressed with.
    pub compression: PartCompression,
    /// Age at which rows are deleted.
    pub retention: Duration,
    /// Octets on disk, beyond which the oldest rows are deleted; `None` is 10
    /// GiB or half of what is free at the start or in use by it already,
    /// whichever is less.
    pub disk_budget: Option<u64>,
    /// What a query may cost.
    pub query: Query,
}

/// Which rows the embedded log store keeps.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Keep {
    /// Every routed row, also those delivered elsewhere.
    #[default]
    Always,
    /// Only those whose project is here.
    EmbeddedOnly,
}

/// What files of rows are compressed with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PartCompression {
    /// Zstandard.
    #[default]
    Zstd,
    /// LZ4, as Parquet's `LZ4_RAW`.
    Lz4Raw,
}

/// What a query may cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Query {
    /// Rows of an answer.
    pub rows_max: usize,
    /// Time until it is given up.
    pub timeout: Duration,
    /// Memory of all running queries together, octets.
    pub memory_bytes: usize,
    /// Queries at once; others wait.
    pub concurrent_max: usize,
}

impl Default for LogStore {
    fn default() -> Self {
        Self {
            dir: None,
            keep: Keep::default(),
            tail_age: TAIL_AGE,
            tail_bytes: TAIL_BYTES,
            compression: PartCompression::default(),
            retention: DAY * RETENTION_DAYS,
            disk_budget: None,
            query: Query::default(),
        }
    }
}

impl LogStore {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let default = Self::default();
        let keeps = [
            ("always", Keep::Always),
            ("embedded-only", Keep::EmbeddedOnly),
        ];
        let compressions = [
            ("zstd", PartCompression::Zstd),
            ("lz4_raw", PartCompression::Lz4Raw),
        ];
        let store = Self {
            dir: table.path("dir"),
            keep: table.choice("keep", &keeps).unwrap_or_default(),
            tail_age: table
                .seconds("tail-age-s", 1..=3600)
                .unwrap_or(default.tail_age),
            tail_bytes: table
                .integer("tail-bytes", 1 << 20..=64 << 30)
                .unwrap_or(default.tail_bytes),
            compression: table
                .choice("compression", &compressions)
                .unwrap_or_default(),
            retention: table
                .integer("retention-days", 1..=3650)
                .map_or(default.retention, |days: u32| DAY * days),
            disk_budget: table.integer("disk-budget-bytes", 16 << 20..=1 << 60),
            query: table.section("query", Query::read),
        };
        if let Some(budget) = store
            .disk_budget
            .filter(|budget| *budget < store.tail_bytes)
        {
            let what = format!("{} is more than the disk budget", store.tail_bytes);
            let advice =
                format!("`disk-budget-bytes` is {budget}: the first write would exceed it");
            table.refuse("tail-bytes", what, advice);
        }
        store
    }
}

impl Default for Query {
    fn default() -> Self {
        Self {
            rows_max: ROWS_MAX,
            timeout: TIMEOUT,
            memory_bytes: MEMORY_BYTES,
            concurrent_max: CONCURRENT_MAX,
        }
    }
}

impl Query {
    fn read(table: &mut Table<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            rows_max: table
                .integer("max-rows", 1..=1_000_000)
                .unwrap_or(default.rows_max),
            timeout: table
                .seconds("timeout-s", 1..=3600)
                .unwrap_or(default.timeout),
            memory_bytes: table
                .integer("memory-bytes", 16 << 20..=64 << 30)
                .unwrap_or(default.memory_bytes),
            concurrent_max: table
                .integer("max-concurrent", 1..=16)
                .unwrap_or(default.concurrent_max),
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);
/// Files of a size that queries like; until then the journal has the rows.
const TAIL_AGE: Duration = Duration::from_secs(60);
/// Several hundred thousand rows.
const TAIL_BYTES: u64 = 64 << 20;
/// Two weeks: last week, compared with the one before.
const RETENTION_DAYS: u32 = 14;
/// More than a person reads.
const ROWS_MAX: usize = 10_000;
/// Longer than a person waits.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A group by address over some million rows.
const MEMORY_BYTES: usize = 256 << 20;
/// Ingest must not starve.
const CONCURRENT_MAX: usize = 2;
