//! HTTP: health, metrics, the admin API, the SLS API and the clouds' control
//! APIs on one listener; those that ask for signatures on another, too.
//!
//! The handlers know the daemon only through [`Backend`].

#[cfg(feature = "logstore")]
pub mod admin;
#[cfg(feature = "logstore")]
mod alibaba;
#[cfg(feature = "logstore")]
pub mod auth;
#[cfg(feature = "logstore")]
mod body;
#[cfg(feature = "logstore")]
pub mod control;
#[cfg(feature = "logstore")]
mod guard;
#[cfg(feature = "logstore")]
mod server;
#[cfg(feature = "logstore")]
pub mod sls;
#[cfg(feature = "logstore")]
mod stored;
#[cfg(feature = "logstore")]
mod tencent;

use std::future::Future;
use std::net::IpAddr;
use std::ops::Range;
use std::pin::Pin;

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(feature = "logstore")]
pub use server::{
    Audience, BadCertificate, CertificateFiles, Closed, Connections, Server, Settings,
};
#[cfg(feature = "logstore")]
pub use stored::part;

/// What the HTTP front needs from the daemon behind it.
pub trait Backend: Send + Sync + 'static {
    /// The Prometheus text of one consistent reading.
    fn metrics(&self) -> String;

    /// Why the daemon cannot do its work just now; empty when it can.
    fn unready(&self) -> Vec<String>;

    /// One of the admin API's views.
    fn view(&self, view: View) -> Answering<'_, Value>;

    /// Answers a question about stored flows.
    fn query(&self, query: QueryRequest) -> Answering<'_, QueryAnswer>;
}

/// An answer on its way.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// The views of `/api/v1`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the paths are named alike")]
pub enum View {
    Exporters(Page),
    Templates(Page),
    FlowLogs,
    Stats,
    Destinations,
    Parts,
}

/// Which part of a long view is wanted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// Only what this exporter sent.
    pub exporter: Option<IpAddr>,
    /// How many of the view's entries come before the page.
    pub offset: usize,
    /// Entries wanted, [`Page::LIMIT_MAX`] at most.
    pub limit: usize,
}

impl Page {
    /// Entries of a page, at most: a Template may have thousands of fields.
    pub const LIMIT_MAX: usize = 1_000;

    /// Its place among the view's entries.
    pub fn part(&self) -> Range<usize> {
        self.offset..self.offset.saturating_add(self.limit)
    }
}

impl Default for Page {
    fn default() -> Self {
        Self {
            exporter: None,
            offset: 0,
            limit: 100,
        }
    }
}

/// A question in SQL.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QueryRequest {
    /// One read-only SELECT.
    pub sql: String,
    /// Rows wanted at most; the configured maximum when absent.
    #[serde(default)]
    pub max_rows: Option<usize>,
}

/// The answer to a [`QueryRequest`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct QueryAnswer {
    /// Names and types, in order.
    pub columns: Vec<Column>,
    /// Values in the order of the columns.
    pub rows: Vec<Vec<Value>>,
    /// There were more rows than wanted.
    pub truncated: bool,
    /// Flows that ended before this moment (RFC 3339) are all included.
    pub complete_to: Option<String>,
    /// Flows still in the cache, not included.
    pub open_flows: u64,
    /// Rows read to answer.
    pub scanned_rows: u64,
    /// Time it took.
    pub elapsed_ms: u64,
}

/// One column of an answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Column {
    /// Name as selected.
    pub name: String,
    /// Type in the words of SQL.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Why a request was not answered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Who must act; decides the HTTP status.
    pub code: RefusalCode,
    /// What is wrong and what helps.
    pub message: String,
}

/// Who must act.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum RefusalCode {
    BadRequest,
    Forbidden,
    NotFound,
    TooMuch,
    Busy,
    Timeout,
    Internal,
}

impl RefusalCode {
    /// The word used in answers and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::TooMuch => "too-much",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
        }
    }
}
