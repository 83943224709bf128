//! Rows by their numbers and by when they came: what PullLogs asks for.
//!
//! Parts are read here without the engine: a consumer asks every second, and
//! must neither wait for a question nor keep one waiting.

mod row;
mod rows;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use super::CatalogError;
use super::LogStore;
use super::part::Part;
use super::schema::RECEIVE_TIME;
use super::schema::SEQ;
pub use row::Row;
pub use rows::Rows;

impl LogStore {
    /// Numbers of the rows of a logstore: that of the oldest, and the one after
    /// the newest, those in memory included. Without rows both are the next.
    ///
    /// # Errors
    /// There is no such project or logstore.
    pub fn numbers(&self, project: &str, logstore: &str) -> Result<Range<u64>, CatalogError> {
        Ok(self.find(project, logstore)?.numbers())
    }

    /// Rows of a logstore whose numbers are within `range`, in their order, as
    /// they are when this is called.
    ///
    /// # Errors
    /// There is no such project or logstore.
    pub fn rows(
        &self,
        project: &str,
        logstore: &str,
        range: Range<u64>,
    ) -> Result<Rows, CatalogError> {
        let snapshot = self.find(project, logstore)?.snapshot();
        Ok(Rows::new(snapshot, range, None))
    }

    /// Number of the first row that came at `time_s` (Unix seconds) or later;
    /// without one, the next. Of parts that do not tell more than the hour, all
    /// rows came at its end, so that none is missed.
    ///
    /// # Errors
    /// There is no such project or logstore, or a part cannot be read.
    pub fn first_received(
        &self,
        project: &str,
        logstore: &str,
        time_s: i64,
    ) -> Result<u64, CatalogError> {
        let shard = self.find(project, logstore)?;
        let end = shard.numbers().end;
        let mut snapshot = shard.snapshot();
        let is_candidate = |part: &Arc<Part>| last_second(part) >= time_s;
        snapshot.parts.retain(is_candidate);
        let mut rows = Rows::new(snapshot, 0..end, Some(&[SEQ, RECEIVE_TIME]));
        let found = rows.find_map(|batch| {
            let first = batch.map(|batch| {
                let mut rows = batch.into_iter();
                let row = rows.find(|row| row.received_s.is_none_or(|came| came >= time_s));
                row.map(|row| row.seq)
            });
            first.transpose()
        });
        Ok(found.transpose()?.unwrap_or(end))
    }

    /// When the row with this number came, Unix seconds; if it has none, the
    /// next row. None behind the last.
    ///
    /// # Errors
    /// There is no such project or logstore, or a part cannot be read.
    pub fn received(
        &self,
        project: &str,
        logstore: &str,
        seq: u64,
    ) -> Result<Option<i64>, CatalogError> {
        let snapshot = self.find(project, logstore)?.snapshot();
        let parts = snapshot.parts.clone();
        let mut rows = Rows::new(snapshot, seq..u64::MAX, Some(&[SEQ, RECEIVE_TIME]));
        let first = rows.next().transpose()?;
        let first = first.and_then(|batch| batch.into_iter().next());
        Ok(first.map(|row| row.received_s.unwrap_or_else(|| hour_of(&parts, row.seq))))
    }
}

/// The last second in which a row of `part` can have come.
fn last_second(part: &Part) -> i64 {
    let end_s = part.entry.hour.saturating_add(1).saturating_mul(3600);
    i64::try_from(end_s).unwrap_or(i64::MAX) - 1
}

/// When a row came whose part tells no more than its hour.
fn hour_of(parts: &[Arc<Part>], seq: u64) -> i64 {
    let part = parts.iter().find(|part| seq <= part.entry.last_seq);
    part.map_or(0, |part| last_second(part))
}
