//! What goes into one frame of the journal.

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_array::UInt32Array;
use datafusion::arrow::compute::take_record_batch;

use crate::daemon::ingest::outlet::{Outlet, register};
use crate::flow::Amount;
use crate::journal::DestinationError;
use crate::journal::DestinationId;
use crate::journal::Journal;
use crate::journal::Share;
use crate::logstore::LogstoreName;
use crate::logstore::amount_of;

/// Rows of one frame, and who gets which of them.
#[derive(Debug)]
pub(super) struct Frame {
    /// The rows.
    pub rows: RecordBatch,
    runs: Vec<(Outlet, Range<usize>)>,
}

impl Frame {
    /// All rows of sorted runs.
    pub(super) fn new(rows: RecordBatch, runs: Vec<(Outlet, Range<usize>)>) -> Self {
        Self { rows, runs }
    }

    /// Both halves of its rows; nothing of one row.
    pub(super) fn halves(&self) -> Option<(Self, Self)> {
        let middle = self.rows.num_rows() / 2;
        let part = |rows: Range<usize>| Self {
            rows: self.rows.slice(rows.start, rows.len()),
            runs: self
                .runs
                .iter()
                .map(|(outlet, run)| (outlet, clip(run, &rows)))
                .filter(|(_, run)| !run.is_empty())
                .map(|(outlet, run)| (outlet.clone(), run))
                .collect(),
        };
        let whole = 0..self.rows.num_rows();
        (middle > 0).then(|| (part(0..middle), part(middle..whole.end)))
    }

    /// The logstores that keep rows, and which.
    pub(super) fn kept(&self) -> Vec<(&LogstoreName, Range<usize>)> {
        joined(&self.runs, |outlet| outlet.store.as_ref())
    }

    /// Some of the rows, with memory of their own: the log store counts what it
    /// holds, and a slice holds all of the frame's.
    pub(super) fn part(&self, run: &Range<usize>) -> RecordBatch {
        let slice = self.rows.slice(run.start, run.len());
        if run.len() == self.rows.num_rows() {
            return slice;
        }
        let all: UInt32Array = (0..index(run.len())).collect();
        // All indices are within; where memory could not be had, it is shared.
        take_record_batch(&slice, &all).unwrap_or(slice)
    }

    /// What the rows stand for whose outlet is such.
    pub(super) fn amount_where(&self, is_such: impl Fn(&Outlet) -> bool) -> Amount {
        let runs = self.runs.iter().filter(|(outlet, _)| is_such(outlet));
        runs.fold(Amount::default(), |sum, (_, run)| sum + self.amount(run))
    }

    /// What of it each destination of the journal gets.
    ///
    /// # Errors
    /// More destinations than the journal may have.
    pub(super) fn shares(&self, journal: &Journal) -> Result<Vec<Share>, DestinationError> {
        let mut shares = Vec::new();
        for (name, run) in self.kept() {
            let id = register(journal, name)?;
            shares.push(self.share(id, &run));
        }
        for (cloud, run) in joined(&self.runs, |outlet| outlet.cloud.as_ref()) {
            let id = journal.destination(&cloud.to_string())?;
            shares.push(self.share(id, &run));
        }
        Ok(shares)
    }

    fn share(&self, destination: DestinationId, run: &Range<usize>) -> Share {
        Share {
            destination,
            rows: index(run.start)..index(run.end),
            amount: self.amount(run),
        }
    }

    fn amount(&self, run: &Range<usize>) -> Amount {
        amount_of(&self.rows.slice(run.start, run.len()))
    }
}

fn index(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}

/// The part of a run that lies within `rows`, counted from there.
fn clip(run: &Range<usize>, rows: &Range<usize>) -> Range<usize> {
    let start = run.start.clamp(rows.start, rows.end);
    let end = run.end.clamp(rows.start, rows.end);
    start - rows.start..end - rows.start
}

/// Neighbouring runs of the same kind as one.
fn joined<'a, T: PartialEq>(
    runs: &'a [(Outlet, Range<usize>)],
    of: impl Fn(&'a Outlet) -> Option<&'a T>,
) -> Vec<(&'a T, Range<usize>)> {
    let mut joined: Vec<(&T, Range<usize>)> = Vec::new();
    for (outlet, run) in runs {
        let Some(kind) = of(outlet) else {
            continue;
        };
        match joined.last_mut() {
            Some((last, rows)) if *last == kind => rows.end = run.end,
            Some(_) | None => joined.push((kind, run.clone())),
        }
    }
    joined
}
