//! What the SLS front needs of the log store behind it, in plain types.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Failure, LogGroup};

/// An answer on its way.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// A log store that SLS clients can be served from.
///
/// Where a project or logstore is not there, a method answers
/// [`Failure::no_project`] or [`Failure::no_logstore`]. Names come as clients
/// wrote them: the store refuses, as a wrong parameter, to create what it could
/// not name a directory by.
pub trait Backend: Send + Sync + 'static {
    /// Stores a log group; answers once it is durable.
    fn put<'a>(&'a self, at: Place<'a>, logs: Incoming) -> Reply<'a, ()>;

    /// Searches, and computes where the query has SQL.
    fn logs<'a>(&'a self, at: Place<'a>, query: &'a LogQuery) -> Reply<'a, LogAnswer>;

    /// Counts the logs found in each of the steps: beginnings, ascending, the
    /// first `query.from_s`; the last ends at `query.to_s`.
    fn histogram<'a>(
        &'a self,
        at: Place<'a>,
        query: &'a LogQuery,
        steps: &'a [i64],
    ) -> Reply<'a, Histogram>;

    /// Topics in ascending order, from the first after `after`.
    fn topics<'a>(&'a self, at: Place<'a>, after: &'a str, limit: usize) -> Reply<'a, Vec<String>>;

    /// All projects in ascending order of their names.
    fn projects(&self) -> Reply<'_, Vec<Project>>;

    /// Creates a project, or changes the description of one that is there.
    fn set_project<'a>(&'a self, name: &'a str, description: &'a str) -> Reply<'a, ()>;

    /// Deletes a project and all that is in it.
    fn delete_project<'a>(&'a self, name: &'a str) -> Reply<'a, ()>;

    /// All logstores of a project in ascending order of their names.
    fn logstores<'a>(&'a self, project: &'a str) -> Reply<'a, Vec<Logstore>>;

    /// Creates a logstore, or changes one that is there.
    fn set_logstore<'a>(&'a self, at: Place<'a>, settings: LogstoreSettings) -> Reply<'a, ()>;

    /// Deletes a logstore and all that is in it.
    fn delete_logstore<'a>(&'a self, at: Place<'a>) -> Reply<'a, ()>;

    /// What is kept beside the logs.
    fn document<'a>(&'a self, at: Place<'a>, which: Document) -> Reply<'a, Option<Value>>;

    /// Replaces or removes a document; answers once that is durable.
    fn set_document<'a>(
        &'a self,
        at: Place<'a>,
        which: Document,
        document: Option<Value>,
    ) -> Reply<'a, ()>;

    /// The shards of a logstore, at least one, in ascending order.
    fn shards<'a>(&'a self, at: Place<'a>) -> Reply<'a, Vec<Shard>>;

    /// The first log of a shard received at this time (Unix seconds) or later.
    fn cursor_at<'a>(&'a self, at: Place<'a>, shard: u32, time_s: i64) -> Reply<'a, u64>;

    /// When the log at a cursor was received, in Unix seconds; none where
    /// there is no log.
    fn cursor_time<'a>(&'a self, at: Place<'a>, shard: u32, cursor: u64) -> Reply<'a, Option<i64>>;

    /// Reads logs in the order of their arrival.
    fn pull<'a>(&'a self, at: Place<'a>, range: PullRange) -> Reply<'a, Pulled>;
}

/// A logstore by its names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Place<'a> {
    pub project: &'a str,
    pub logstore: &'a str,
}

/// A log group as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// Decoded.
    pub group: LogGroup,
    /// Uncompressed protobuf, as the client wrote it.
    pub body: Bytes,
    /// Unix seconds.
    pub received_s: i64,
}

/// A question to the logs of a time range.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogQuery {
    /// First second, Unix time.
    pub from_s: i64,
    /// The second after the last.
    pub to_s: i64,
    /// Nanoseconds within the first second.
    pub from_ns: u32,
    /// Nanoseconds within the second after the last.
    pub to_ns: u32,
    /// Only logs of this topic.
    pub topic: Option<String>,
    /// `search | SQL`; empty finds all.
    pub query: String,
    /// Logs wanted at most, of a search; SQL has its own limit.
    pub line: usize,
    /// Logs that come before them.
    pub offset: u64,
    /// The newest first.
    pub reverse: bool,
}

/// Logs found, or rows computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogAnswer {
    /// Names and values, in the order to be shown.
    pub rows: Vec<Vec<(String, String)>>,
    /// Nothing was left out for want of time.
    pub complete: bool,
    /// Rows read to answer.
    pub processed_rows: u64,
    /// Octets read to answer.
    pub processed_bytes: u64,
    /// Time it took.
    pub elapsed_ms: u64,
    /// Rows are computed, not found.
    pub has_sql: bool,
    /// The search part of the query.
    pub where_query: String,
    /// The SQL part of the query.
    pub agg_query: String,
    /// Columns of the computed rows.
    pub columns: Vec<Column>,
    /// Rows that SQL's own limit allows; 0 without SQL.
    pub limited: u64,
}

/// A column of computed rows.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Column {
    pub name: String,
    pub kind: String,
}

/// How many logs there are in each step.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Histogram {
    /// As many as there are steps.
    pub counts: Vec<u64>,
    /// Nothing was left out for want of time.
    pub complete: bool,
}

/// A project.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Project {
    pub name: String,
    pub description: String,
    /// Unix seconds.
    pub created_s: i64,
    /// Unix seconds.
    pub changed_s: i64,
}

/// A logstore.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Logstore {
    pub name: String,
    pub settings: LogstoreSettings,
    /// Unix seconds.
    pub created_s: i64,
    /// Unix seconds.
    pub changed_s: i64,
}

/// What a client may choose for a logstore; what it may not is ignored.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LogstoreSettings {
    /// Days that logs are kept, 1 to 3650; 3650 is for ever.
    pub ttl: u32,
    /// Shards asked for.
    pub shard_count: u32,
    /// Whether browsers may write without a signature; not offered here.
    #[serde(rename = "enable_tracking")]
    pub enable_tracking: bool,
    /// Whether a busy shard may be split.
    pub auto_split: bool,
    /// Up to how many shards.
    pub max_split_shard: u32,
    /// Whether logs are told when and from where they came.
    pub append_meta: bool,
    /// `Metrics`, `None` or empty.
    pub telemetry_type: String,
    /// `standard` or `query`.
    pub mode: String,
}

impl Default for LogstoreSettings {
    /// What SLS itself presumes.
    fn default() -> Self {
        Self {
            ttl: 30,
            shard_count: 1,
            enable_tracking: false,
            auto_split: false,
            max_split_shard: 64,
            append_meta: false,
            telemetry_type: String::new(),
            mode: "standard".to_owned(),
        }
    }
}

/// What is kept beside the logs of a logstore.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Document {
    /// Which fields are found and computed with, as the client wrote it.
    Index,
    /// Consumer groups and their checkpoints, in the form the front writes them.
    ConsumerGroups,
}

/// A shard and what is in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shard {
    /// Its number.
    pub id: u32,
    /// Cursor of its oldest log.
    pub begin: u64,
    /// Cursor of the log that comes next.
    pub end: u64,
    /// Unix seconds.
    pub created_s: i64,
}

/// Which logs are to be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PullRange {
    /// Number of the shard.
    pub shard: u32,
    /// Cursor of the first log.
    pub from: u64,
    /// Cursor of the log after the last; at most the shard's end.
    pub until: u64,
    /// Log groups wanted at most, 1 to 1000.
    pub groups_max: usize,
}

/// Logs read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pulled {
    /// Each of one topic, source and set of tags.
    pub groups: Vec<LogGroup>,
    /// Where to go on; more than `from` unless there is nothing to read.
    pub next: u64,
}
