//! `[journal]`: what keeps rows until they are delivered.

use std::time::Duration;

use super::table::Table;

/// How much may wait, and how soon it is durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Journal {
    /// Octets on disk; `None` is two fifths of the log store's default budget,
    /// at most 4 GiB.
    pub quota: Option<u64>,
    /// Memory of rows that are not durable yet or that a destination which
    /// keeps up has still to get, octets.
    pub memory_bytes: u64,
    /// How long a row waits at most until it is made durable.
    pub commit_interval: Duration,
    /// What goes when the quota is used up.
    pub when_full: WhenFull,
    /// How often the open flows of the cache are written down; never if 0.
    pub snapshot_interval: Duration,
}

/// What goes when the quota is used up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WhenFull {
    /// The oldest rows that were not delivered.
    #[default]
    DropOldest,
    /// The rows that would have come.
    DropNewest,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            quota: None,
            memory_bytes: MEMORY_BYTES,
            commit_interval: COMMIT_INTERVAL,
            when_full: WhenFull::default(),
            snapshot_interval: SNAPSHOT_INTERVAL,
        }
    }
}

impl Journal {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let default = Self::default();
        let choices = [
            ("drop-oldest", WhenFull::DropOldest),
            ("drop-newest", WhenFull::DropNewest),
        ];
        Self {
            quota: table.integer("quota-bytes", 16 << 20..=1 << 60),
            memory_bytes: table
                .integer("memory-bytes", 4 << 20..=16 << 30)
                .unwrap_or(default.memory_bytes),
            commit_interval: table
                .integer("commit-interval-ms", 10..=10_000)
                .map_or(default.commit_interval, Duration::from_millis),
            when_full: table
                .choice("when-full", &choices)
                .unwrap_or(default.when_full),
            snapshot_interval: table
                .integer("snapshot-interval-s", 0..=3_600)
                .map_or(default.snapshot_interval, Duration::from_secs),
        }
    }
}

/// Several seconds of a hundred thousand rows each.
const MEMORY_BYTES: u64 = 64 << 20;
/// What an unclean end may lose beside the open batches.
const COMMIT_INTERVAL: Duration = Duration::from_millis(200);
/// How much of an open flow an unclean end may lose.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(60);
