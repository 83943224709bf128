//! From a frame of the journal to batches: what takes a thread of its own.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;

use super::collect::Collector;
use super::collect::Parcel;
use super::collect::Terms;
use super::shared::Shared;
use crate::flow;
use crate::journal::Frame;
use crate::journal::Kind;
use crate::sink::sls::FlowRows;
use crate::sink::sls::TimeWindow;

/// A frame whose rows are to be collected.
pub(super) struct Job {
    pub(super) collector: Collector,
    pub(super) frame: Frame,
    /// The rows that are wanted, by their numbers.
    pub(super) parts: Vec<Range<u64>>,
    pub(super) window: TimeWindow,
    pub(super) now_ms: u64,
}

/// What became of its rows.
pub(super) struct Done {
    pub(super) collector: Collector,
    pub(super) full: Vec<Parcel>,
    /// Rows that nobody can ever send, and why.
    pub(super) unfit: Vec<(Range<u64>, String)>,
    /// The frame's, for a dead letter.
    pub(super) body: Bytes,
}

impl Job {
    /// Decodes the frame once and adds its rows to the open batches.
    pub(super) fn run(self, shared: &Shared) -> Done {
        let body = self.frame.body.clone();
        match decode(&self.frame) {
            Ok(batch) => self.collect(shared, &batch, body),
            Err(problem) => Done {
                collector: self.collector,
                full: Vec::new(),
                unfit: self
                    .parts
                    .into_iter()
                    .map(|part| (part, problem.clone()))
                    .collect(),
                body,
            },
        }
    }

    fn collect(mut self, shared: &Shared, batch: &RecordBatch, body: Bytes) -> Done {
        let directory = shared.directory();
        let terms = Terms {
            settings: &shared.settings,
            directory: &*directory,
            window: self.window,
            now_ms: self.now_ms,
        };
        let first_seq = self.frame.first_seq;
        let rows = FlowRows {
            batch,
            journal: shared.journal.id(),
            first_seq,
        };
        let within = |seq: u64| usize::try_from(seq.saturating_sub(first_seq));
        let (mut full, mut unfit) = (Vec::new(), Vec::new());
        for part in &self.parts {
            let (Ok(start), Ok(end)) = (within(part.start), within(part.end)) else {
                continue;
            };
            let refused = self.collector.add(&rows, start..end, &terms, &mut full);
            let refused = refused.into_iter();
            unfit.extend(refused.map(|(run, error)| (rows_of(first_seq, &run), error.to_string())));
        }
        Done {
            collector: self.collector,
            full,
            unfit,
            body,
        }
    }
}

fn decode(frame: &Frame) -> Result<RecordBatch, String> {
    if frame.kind != Kind::Flows {
        return Err("a log group, not flows".to_owned());
    }
    let batch = flow::from_ipc(Bytes::clone(&frame.body)).map_err(|error| error.to_string())?;
    let rows = u64::try_from(batch.num_rows()).unwrap_or(0);
    if frame.rows().end.saturating_sub(frame.first_seq) > rows {
        return Err(format!("{rows} rows, fewer than its frame says"));
    }
    Ok(batch)
}

fn rows_of(first_seq: u64, run: &Range<usize>) -> Range<u64> {
    let seq = |row: usize| first_seq.saturating_add(u64::try_from(row).unwrap_or(u64::MAX));
    seq(run.start)..seq(run.end)
}

/// Runs a job where it keeps nobody waiting.
pub(super) async fn run(job: Job, shared: &Arc<Shared>) -> Result<Done, tokio::task::JoinError> {
    let shared = Arc::clone(shared);
    tokio::task::spawn_blocking(move || job.run(&shared)).await
}
