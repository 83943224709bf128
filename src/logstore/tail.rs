//! The hot tail: rows in memory that are not in a part yet.

use std::collections::VecDeque;

use arrow_array::RecordBatch;

use super::numbering::Numbering;
use super::schema::Stamped;
use super::shard::Brought;
use crate::flow::Amount;

/// Runs of rows in `seq` order, each to become one part.
#[derive(Debug, Default)]
pub(super) struct Tail {
    runs: VecDeque<Run>,
}

/// Rows of one hour of arrival that one journal numbered, in `seq` order.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Hour of arrival, hours since 1970.
    pub(super) hour: u64,
    /// Arrival of its first row, milliseconds since 1970.
    pub(super) since_ms: u64,
    /// `seq` of its first and of its last row; not every number between is one
    /// of its rows.
    pub(super) seqs: (u64, u64),
    /// Rows, at least one.
    pub(super) rows: u64,
    /// Memory the batches take.
    pub(super) bytes: usize,
    /// Lowest and highest `__time__`.
    pub(super) times: (i64, i64),
    /// What the rows stand for.
    pub(super) amount: Amount,
    /// Rows that are no flows.
    pub(super) logs: u64,
    /// The journal that numbered them, if that is known.
    pub(super) journal: Option<u64>,
    /// The rows, none of the batches empty.
    pub(super) batches: Vec<RecordBatch>,
    /// It is being written and takes no more rows.
    sealed: bool,
}

impl Tail {
    /// Takes rows as they were brought, now stamped.
    pub(super) fn push(&mut self, rows: Stamped, brought: &Brought<'_>, amount: Amount, logs: u64) {
        let run = Run::new(rows, brought, amount, logs);
        let is_like = |last: &Run| (last.hour, last.journal) == (run.hour, run.journal);
        match self.runs.back_mut() {
            Some(last) if is_like(last) && !last.sealed => last.extend(run),
            Some(_) | None => self.runs.push_back(run),
        }
    }

    /// The oldest run, if it begins before `end`, sealed: it stays here,
    /// readable, until [`Tail::drop_oldest`].
    pub(super) fn seal_oldest(&mut self, end: u64) -> Option<Run> {
        let run = self.runs.front_mut().filter(|run| run.seqs.0 < end)?;
        run.sealed = true;
        Some(run.clone())
    }

    /// Forgets the oldest run: it is in a part now.
    pub(super) fn drop_oldest(&mut self) {
        self.runs.pop_front();
    }

    /// Memory all batches take.
    pub(super) fn bytes(&self) -> usize {
        self.runs.iter().map(|run| run.bytes).sum()
    }

    /// Arrival of the oldest row, milliseconds since 1970.
    pub(super) fn since_ms(&self) -> Option<u64> {
        self.runs.front().map(|run| run.since_ms)
    }

    /// `seq` of the oldest row.
    pub(super) fn first_seq(&self) -> Option<u64> {
        self.runs.front().map(|run| run.seqs.0)
    }

    /// What all rows stand for.
    pub(super) fn amount(&self) -> Amount {
        let amounts = self.runs.iter().map(|run| run.amount);
        amounts.fold(Amount::default(), |sum, amount| sum + amount)
    }

    /// Whether any rows are no flows.
    pub(super) fn has_logs(&self) -> bool {
        self.runs.iter().any(|run| run.logs > 0)
    }

    /// Adds which journals numbered the rows.
    pub(super) fn tell(&self, numbering: &mut Numbering) {
        for run in &self.runs {
            numbering.push(run.seqs, run.journal);
        }
    }

    /// All rows, in `seq` order.
    pub(super) fn batches(&self) -> Vec<RecordBatch> {
        self.runs
            .iter()
            .flat_map(|run| run.batches.iter().cloned())
            .collect()
    }
}

impl Run {
    fn new(rows: Stamped, brought: &Brought<'_>, amount: Amount, logs: u64) -> Self {
        Self {
            hour: hour_of(brought.arrival_ms),
            since_ms: brought.arrival_ms,
            seqs: rows.seqs,
            rows: u64::try_from(rows.batch.num_rows()).unwrap_or(u64::MAX),
            bytes: rows.batch.get_array_memory_size(),
            times: rows.times,
            amount,
            logs,
            journal: brought.journal,
            batches: vec![rows.batch],
            sealed: false,
        }
    }

    fn extend(&mut self, other: Self) {
        self.seqs.1 = other.seqs.1;
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.times = (
            self.times.0.min(other.times.0),
            self.times.1.max(other.times.1),
        );
        self.amount += other.amount;
        self.logs += other.logs;
        self.batches.extend(other.batches);
    }
}

/// Hours since 1970 of milliseconds since 1970.
pub(super) fn hour_of(ms: u64) -> u64 {
    ms / HOUR_MS
}

/// Milliseconds of an hour.
pub(super) const HOUR_MS: u64 = 3_600_000;
