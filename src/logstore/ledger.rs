//! What the store has been given and what became of it.

use std::sync::Mutex;

use super::shard::lock;
use crate::flow::Amount;

/// The store's terms of the loss ledger, changed one step at a time.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    stats: Mutex<Stats>,
}

/// Plain counters since the store was opened.
///
/// One reading is consistent: `appended = durable + unflushed + discarded`,
/// exactly.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// What the rows taken stand for.
    pub appended: Amount,
    /// Of these, what is in parts that a MANIFEST names, or was.
    pub durable: Amount,
    /// Of these, what is in memory only.
    pub unflushed: Amount,
    /// Of these, what was in memory only when its logstore was deleted.
    pub discarded: Amount,
    /// Memory of what is in memory only, octets.
    pub tail_bytes: u64,
    /// Not taken because memory was full and the disk took nothing.
    pub refused_full: Amount,
    /// Not taken because of their project, logstore or columns.
    pub refused_unfit: Amount,
    /// Logs taken that are no flows; they stand for nothing elsewhere here.
    pub appended_logs: u64,
    /// Logs not taken, for whatever reason.
    pub refused_logs: u64,
    /// Retired because their hour was too old.
    pub retired_by_age: Amount,
    /// Retired because the disk budget was used up.
    pub retired_by_budget: Amount,
    /// Went in parts with their deleted logstore.
    pub deleted: Amount,
    /// Parts retired for either reason.
    pub retired_parts: u64,
    /// Parts set aside because they are damaged or gone.
    pub damaged_parts: u64,
    /// Rows the MANIFEST said these had.
    pub damaged_rows: u64,
    /// Damaged files removed because they were too old or the disk budget was
    /// used up.
    pub removed_damaged: u64,
    /// MANIFESTs that were damaged and made anew from the parts.
    pub damaged_manifests: u64,
    /// Files removed because no MANIFEST named them.
    pub debris_files: u64,
    /// Parts written from the tail.
    pub parts_written: u64,
    /// Parts written by compaction.
    pub parts_merged: u64,
    /// Writes of parts and MANIFESTs that failed.
    pub write_errors: u64,
}

impl Ledger {
    /// A consistent reading.
    pub(super) fn read(&self) -> Stats {
        *lock(&self.stats)
    }

    /// Changes counters that stand for themselves.
    pub(super) fn count(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut lock(&self.stats));
    }

    /// Rows, of which `logs` are no flows, went into a tail, where they take
    /// `bytes`.
    pub(super) fn appended(&self, amount: Amount, logs: u64, bytes: usize) {
        let mut stats = lock(&self.stats);
        stats.appended_logs += logs;
        stats.appended += amount;
        stats.unflushed += amount;
        stats.tail_bytes += octets(bytes);
    }

    /// Rows went from a tail, where they took `bytes`, to a part.
    pub(super) fn committed(&self, amount: Amount, bytes: usize) {
        let mut stats = lock(&self.stats);
        stats.unflushed = stats.unflushed - amount;
        stats.durable += amount;
        stats.tail_bytes -= octets(bytes);
        stats.parts_written += 1;
    }

    /// A logstore was deleted with `stored` rows in parts, and a tail of
    /// `unflushed` rows that took `bytes`.
    pub(super) fn deleted(&self, stored: Amount, unflushed: Amount, bytes: usize) {
        let mut stats = lock(&self.stats);
        stats.deleted += stored;
        stats.unflushed = stats.unflushed - unflushed;
        stats.discarded += unflushed;
        stats.tail_bytes -= octets(bytes);
    }

    /// Memory of all tails, octets.
    pub(super) fn tail_bytes(&self) -> u64 {
        lock(&self.stats).tail_bytes
    }
}

/// A size as the ledger counts it.
pub(super) fn octets(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
