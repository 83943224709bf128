//! Logs that clients bring through PutLogs.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use prost::DecodeError;
use prost::Message;
use thiserror::Error;

use crate::daemon::clock;
use crate::daemon::ingest::Ingest;
use crate::daemon::ingest::outlet::register;
use crate::flow::Amount;
use crate::journal::CommitError;
use crate::journal::DestinationError;
use crate::journal::Kind;
use crate::journal::Refused;
use crate::journal::Share;
use crate::logstore::AppendError;
use crate::logstore::Log;
use crate::logstore::Logs;
use crate::logstore::LogstoreName;
use crate::sink::LogGroup;

/// Why a log group was not stored.
#[derive(Debug, Error)]
pub(in crate::daemon) enum NotStored {
    /// The journal names no more destinations.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The journal has no room.
    #[error(transparent)]
    Journal(#[from] Refused),
    /// The log store does not take it.
    #[error(transparent)]
    Store(#[from] AppendError),
    /// It is in memory and may be durable later.
    #[error(transparent)]
    NotDurable(#[from] CommitError),
    /// The daemon is ending.
    #[error("flowlogd is stopping")]
    Stopping,
}

impl Ingest {
    /// Stores a log group; `body` is what it was read from. It is durable when
    /// this returns.
    ///
    /// # Errors
    /// It is not stored, or not durable.
    pub(in crate::daemon) async fn logs(
        self: &Arc<Self>,
        name: LogstoreName,
        group: LogGroup,
        body: Bytes,
    ) -> Result<(), NotStored> {
        let ingest = Arc::clone(self);
        let taken = tokio::task::spawn_blocking(move || ingest.take_logs(&name, group, body));
        let end = taken.await.map_err(|_| NotStored::Stopping)??;
        Ok(self.commits.until(end).await?)
    }

    /// Numbers the logs of a group and gives them to the log store; a group too
    /// large for the journal goes in parts. Gives the number after the last.
    pub(super) fn take_logs(
        &self,
        name: &LogstoreName,
        group: LogGroup,
        body: Bytes,
    ) -> Result<u64, NotStored> {
        let count = u32::try_from(group.logs.len()).unwrap_or(u32::MAX);
        let incoming = logs(&group);
        incoming.check()?;
        let destination = register(&self.journal, name)?;
        let share = Share {
            destination,
            rows: 0..count,
            // The loss ledger is of flows.
            amount: Amount::default(),
        };
        let order = self.order();
        let arrival_ms = clock::unix_ms();
        let numbered = self
            .journal
            .append(Kind::LogGroup, &[share], body, arrival_ms);
        let first_seq = match numbered {
            Err(Refused::TooLarge { .. }) if count > 1 => {
                drop(order);
                return self.take_halves_of(name, group);
            }
            numbered => numbered?,
        };
        let end = first_seq.saturating_add(u64::from(count));
        let (project, logstore) = (name.project(), name.logstore());
        let stored = self
            .store
            .append_logs(project, logstore, &incoming, first_seq, arrival_ms);
        if let Err(error) = stored {
            // The client is told: a later run must not bring them back.
            self.forget(name, first_seq, incoming.logs.len());
            return Err(error.into());
        }
        Ok(end)
    }

    fn take_halves_of(&self, name: &LogstoreName, mut group: LogGroup) -> Result<u64, NotStored> {
        let mut logs = std::mem::take(&mut group.logs);
        let second = LogGroup {
            logs: logs.split_off(logs.len() / 2),
            ..group.clone()
        };
        let group = LogGroup { logs, ..group };
        let mut end = 0;
        for half in [group, second] {
            let body = Bytes::from(half.encode_to_vec());
            end = self.take_logs(name, half, body)?;
        }
        Ok(end)
    }
}

/// Some of the logs of a group that was in the journal.
///
/// # Errors
/// The octets are no log group.
pub(super) fn decode(body: &Bytes, wanted: Range<u32>) -> Result<Logs, DecodeError> {
    let group = LogGroup::decode(body.clone())?;
    let mut logs = logs(&group);
    let row = |row: u32| usize::try_from(row).unwrap_or(usize::MAX);
    logs.logs.truncate(row(wanted.end));
    logs.logs.drain(..row(wanted.start).min(logs.logs.len()));
    Ok(logs)
}

/// A log group in the log store's own terms.
fn logs(group: &LogGroup) -> Logs {
    let log = |log: &crate::sink::Log| Log {
        time_s: i64::from(log.time),
        time_ns: log.time_ns,
        fields: log
            .contents
            .iter()
            .map(|content| (content.key.clone(), content.value.to_vec()))
            .collect(),
    };
    Logs {
        topic: group.topic.clone().unwrap_or_default(),
        source: group.source.clone().unwrap_or_default(),
        tags: group
            .log_tags
            .iter()
            .map(|tag| (tag.key.clone(), tag.value.clone()))
            .collect(),
        logs: group.logs.iter().map(log).collect(),
    }
}
