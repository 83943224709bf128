//! The API of Alibaba Cloud SLS in front of the embedded log store: the
//! unmodified SDKs and the `aliyunlog` CLI write to it and read from it.
//!
//! Start at [`Front`]. It knows the store only through [`Backend`], which
//! [`Stored`] is over the embedded log store.
//!
//! # Invariants
//!
//! * Every answer, refusals included, has `x-log-requestid`: without one, C
//!   clients take it for a broken network.
//! * A request is judged by its head before its body is read; bodies are
//!   bounded compressed, raw and in what they hold.
//! * What is not implemented is refused with 4xx: the CLI repeats 5xx for ever.

mod answer;
mod backend;
mod compress;
mod consumers;
mod cursors;
mod error;
mod front;
mod groups;
mod histograms;
mod host;
mod index;
mod logs;
mod logstores;
mod measure;
#[cfg(test)]
mod memory;
mod projects;
mod pull;
mod put;
mod request;
mod route;
mod shards;
mod stored;
#[cfg(test)]
mod tests;
mod topics;

pub use crate::sink::Content;
pub use crate::sink::Log;
pub use crate::sink::LogGroup;
pub use crate::sink::LogGroupList;
pub use crate::sink::LogTag;
pub use backend::{
    Backend, Column, Document, Histogram, Incoming, LogAnswer, LogQuery, Logstore,
    LogstoreSettings, Place, Project, PullRange, Pulled, Reply, Shard,
};
pub use error::Failure;
pub use front::{Clock, Front, Settings, is_sls, router};
pub use host::Hosts;
pub use stored::{Inlet, Stored};
