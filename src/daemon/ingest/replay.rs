//! What was in the log store's memory when the last run ended.

use std::sync::Arc;

use arrow_schema::ArrowError;
use thiserror::Error;

use crate::daemon::ingest::logs;
use crate::daemon::ingest::outlet::logstore_of;
use crate::flow;
use crate::journal::DestinationId;
use crate::journal::Frame;
use crate::journal::Journal;
use crate::journal::Kind;
use crate::journal::ReadError;
use crate::logstore::AppendError;
use crate::logstore::LogStore;
use crate::logstore::LogstoreName;

/// Why the journal's rows are not in the log store.
#[derive(Debug, Error)]
#[error("cannot read the journal: {0}")]
pub(in crate::daemon) struct ReplayError(#[from] ReadError);

/// Gives the log store all rows that it had not in parts; those it has after
/// all, it passes over.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn replay(journal: &Arc<Journal>, store: &LogStore) -> Result<(), ReplayError> {
    let destinations = journal.stats(0).destinations;
    for (id, destination) in (0..).map(DestinationId).zip(destinations) {
        let Some(name) = logstore_of(&destination.name) else {
            continue;
        };
        journal.deliver_directly(id);
        let rows = replay_one(journal, store, id, &name)?;
        if rows > 0 {
            tracing::info!(logstore = %name, rows, "took up what the last run had not put into parts");
        }
    }
    Ok(())
}

fn replay_one(
    journal: &Journal,
    store: &LogStore,
    id: DestinationId,
    name: &LogstoreName,
) -> Result<u64, ReplayError> {
    let (mut after, mut rows) = (0, 0);
    while let Some(frame) = journal.next(id, after)? {
        let numbers = frame.rows();
        after = numbers.end.saturating_sub(1);
        match give(store, name, &frame) {
            // Acknowledged when they are in parts, like all others.
            Ok(()) => rows += numbers.end - numbers.start,
            Err(error) => {
                tracing::error!(logstore = %name, ?numbers, %error, "rows of the last run are lost");
            }
        }
    }
    Ok(rows)
}

/// Why a frame's rows are not in the log store.
#[derive(Debug, Error)]
enum NotGiven {
    #[error(transparent)]
    Rows(#[from] ArrowError),
    #[error(transparent)]
    Logs(#[from] prost::DecodeError),
    #[error(transparent)]
    Store(#[from] AppendError),
}

fn give(store: &LogStore, name: &LogstoreName, frame: &Frame) -> Result<(), NotGiven> {
    let (project, logstore) = (name.project(), name.logstore());
    let first_seq = frame.rows().start;
    match frame.kind {
        Kind::Flows => {
            let rows = flow::from_ipc(frame.body.clone())?;
            let start = usize::try_from(frame.share.rows.start).unwrap_or(usize::MAX);
            let start = start.min(rows.num_rows());
            let count = frame.share.rows.len().min(rows.num_rows() - start);
            let rows = rows.slice(start, count);
            store.append_rows(project, logstore, &rows, first_seq, frame.at_ms)?;
        }
        Kind::LogGroup => {
            let logs = logs::decode(&frame.body, frame.share.rows.clone())?;
            store.append_logs(project, logstore, &logs, first_seq, frame.at_ms)?;
        }
    }
    Ok(())
}
