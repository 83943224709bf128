//! The messages of PutLogs and PullLogs, to read what others wrote.
//!
//! Values are octets: writers do not all mend their text. Our own rows are
//! written without these, see [`crate::sink::sls::LogGroupWriter`].

use bytes::Bytes;
use prost::Message;

/// One log.
#[derive(Clone, Eq, Hash, Message, PartialEq)]
pub struct Log {
    /// Log time, seconds since 1970.
    #[prost(uint32, required, tag = "1")]
    pub time: u32,
    /// Its fields, in order; a key may occur more than once.
    #[prost(message, repeated, tag = "2")]
    pub contents: Vec<Content>,
    /// Nanoseconds after [`Log::time`].
    #[prost(fixed32, optional, tag = "4")]
    pub time_ns: Option<u32>,
}

/// One field of a log.
#[derive(Clone, Eq, Hash, Message, PartialEq)]
pub struct Content {
    /// Its name.
    #[prost(string, required, tag = "1")]
    pub key: String,
    /// Its value: text, or so it should be.
    #[prost(bytes = "bytes", required, tag = "2")]
    pub value: Bytes,
}

/// What all logs of a group have in common, by name.
#[derive(Clone, Eq, Hash, Message, PartialEq)]
pub struct LogTag {
    /// Its name.
    #[prost(string, required, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(string, required, tag = "2")]
    pub value: String,
}

/// What one request of PutLogs carries.
#[derive(Clone, Eq, Hash, Message, PartialEq)]
pub struct LogGroup {
    /// The logs.
    #[prost(message, repeated, tag = "1")]
    pub logs: Vec<Log>,
    /// Not used by the service.
    #[prost(string, optional, tag = "2")]
    pub reserved: Option<String>,
    /// Topic of all logs.
    #[prost(string, optional, tag = "3")]
    pub topic: Option<String>,
    /// Source of all logs.
    #[prost(string, optional, tag = "4")]
    pub source: Option<String>,
    /// Machine of the writer.
    #[prost(string, optional, tag = "5")]
    pub machine_uuid: Option<String>,
    /// Tags of all logs.
    #[prost(message, repeated, tag = "6")]
    pub log_tags: Vec<LogTag>,
}

/// What an answer of PullLogs carries.
#[derive(Clone, Eq, Hash, Message, PartialEq)]
pub struct LogGroupList {
    /// The groups.
    #[prost(message, repeated, tag = "1")]
    pub log_groups: Vec<LogGroup>,
}
