//! Logs in the order of their arrival.

use bytes::Bytes;

use super::failures::of_catalog;
use super::places;
use crate::api::sls::{Content, Failure, Log, LogGroup, LogTag, Place, PullRange, Pulled};
use crate::logstore::CatalogError;
use crate::logstore::LogStore;
use crate::logstore::Row;

pub(super) fn cursor_at(store: &LogStore, at: Place<'_>, time_s: i64) -> Result<u64, Failure> {
    let found = store.first_received(at.project, at.logstore, time_s);
    found.map_err(|error| of_catalog(error, at))
}

pub(super) fn cursor_time(
    store: &LogStore,
    at: Place<'_>,
    cursor: u64,
) -> Result<Option<i64>, Failure> {
    let found = store.received(at.project, at.logstore, cursor);
    found.map_err(|error| of_catalog(error, at))
}

/// Rows become log groups until one of the limits is reached. The cursor to go
/// on at is behind the last row given, wherever the next one is.
pub(super) fn pull(store: &LogStore, at: Place<'_>, range: PullRange) -> Result<Pulled, Failure> {
    let has_meta = places::find(store, at)?.settings.append_meta;
    let failed = |error: CatalogError| of_catalog(error, at);
    let batches = store.rows(at.project, at.logstore, range.from..range.until);
    let mut groups = Groups::new(range.groups_max, has_meta);
    let mut next = range.from;
    for batch in batches.map_err(failed)? {
        for row in batch.map_err(|error| failed(error.into()))? {
            let seq = row.seq;
            if !groups.take(row) {
                return Ok(Pulled {
                    groups: groups.done,
                    next,
                });
            }
            next = seq.saturating_add(1);
        }
    }
    Ok(Pulled {
        groups: groups.done,
        next: range.until,
    })
}

/// Log groups that rows are put into.
struct Groups {
    done: Vec<LogGroup>,
    groups_max: usize,
    /// Whether tags say when logs came.
    has_meta: bool,
    octets: usize,
}

impl Groups {
    const fn new(groups_max: usize, has_meta: bool) -> Self {
        Self {
            done: Vec::new(),
            groups_max,
            has_meta,
            octets: 0,
        }
    }

    /// Puts a row into the last group, if it is of its kind, or else into one
    /// of its own; false, and nothing done, if there is no room for it. The
    /// first row always has room.
    fn take(&mut self, row: Row) -> bool {
        let octets = size(&row);
        if !self.done.is_empty() && self.octets.saturating_add(octets) > OCTETS_MAX {
            return false;
        }
        let mut header = LogGroup {
            topic: Some(row.topic).filter(|topic| !topic.is_empty()),
            source: Some(row.source).filter(|source| !source.is_empty()),
            log_tags: row.tags.into_iter().map(tag).collect(),
            ..LogGroup::default()
        };
        if let Some(received_s) = row.received_s.filter(|_| self.has_meta) {
            let received = ("__receive_time__".to_owned(), received_s.to_string());
            header.log_tags.push(tag(received));
        }
        let contents = row.fields.into_iter().map(|(key, value)| Content {
            key,
            value: Bytes::from(value),
        });
        let log = Log {
            time: u32::try_from(row.time_s).unwrap_or(0),
            contents: contents.collect(),
            time_ns: Some(row.time_ns).filter(|ns| *ns > 0),
        };
        let is_full = self.done.len() >= self.groups_max;
        match self.done.last_mut() {
            Some(last) if is_alike(last, &header) => last.logs.push(log),
            Some(_) if is_full => return false,
            Some(_) | None => {
                header.logs.push(log);
                self.done.push(header);
            }
        }
        self.octets += octets;
        true
    }
}

/// Whether a group has room for a log with such a header.
fn is_alike(group: &LogGroup, header: &LogGroup) -> bool {
    group.logs.len() < LOGS_MAX
        && group.topic == header.topic
        && group.source == header.source
        && group.log_tags == header.log_tags
}

fn tag((key, value): (String, String)) -> LogTag {
    LogTag { key, value }
}

/// About as many octets as a row takes in the answer.
fn size(row: &Row) -> usize {
    let tags = row.tags.iter().map(|(key, value)| key.len() + value.len());
    let fields = row
        .fields
        .iter()
        .map(|(key, value)| key.len() + value.len());
    let texts: usize = tags.chain(fields).map(|octets| octets + FRAME_OCTETS).sum();
    texts + row.topic.len() + row.source.len() + FRAME_OCTETS
}

/// Logs of one group, at most.
const LOGS_MAX: usize = 1_000;
/// Octets of an answer, about; one log may take more.
const OCTETS_MAX: usize = 4 << 20;
/// What a key and a value, or a log, take beside themselves.
const FRAME_OCTETS: usize = 8;
