//! From a request to its answer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request as HttpRequest;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore};

use super::groups::ConsumerGroups;
use super::request::{Raw, Request};
use super::{Backend, Failure, Hosts, put, route};
use crate::api::auth::{Keys, sls};
use crate::api::body;

/// Whether a request is one for SLS, by the marks that every client sets.
pub fn is_sls(headers: &HeaderMap) -> bool {
    let is_signed = |value: &HeaderValue| {
        let value = value.as_bytes();
        value.starts_with(b"LOG ") || value.starts_with(b"SLS4-")
    };
    headers.contains_key("x-log-apiversion") || headers.get("authorization").is_some_and(is_signed)
}

/// All requests to one front, whatever their path.
pub fn router(front: Arc<Front>) -> Router {
    Router::new().fallback(async move |request: HttpRequest| front.answer(request).await)
}

/// What a front is told at its start.
pub struct Settings {
    /// Who may do what.
    pub keys: Keys,
    /// The names it answers to.
    pub hosts: Hosts,
    /// Octets of a body, as sent and uncompressed; SLS allows 10 MiB.
    pub body_bytes_max: usize,
    /// Octets of all bodies being read and stored at once; twice the above at
    /// least, or the largest body waits in vain.
    pub open_bytes_max: usize,
    /// Time a body may take to come.
    pub body_timeout: Duration,
    /// What time it is.
    pub clock: Clock,
    /// Name of the region that projects are said to be in.
    pub region: String,
}

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

impl Settings {
    /// As much as SLS takes.
    pub const BODY_BYTES_MAX: usize = 10 << 20;
    /// A dozen of the largest bodies.
    pub const OPEN_BYTES_MAX: usize = 256 << 20;
    /// The largest body on a line of 3 Mbit/s.
    pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

    /// Defaults, for these keys.
    pub fn new(keys: Keys, clock: Clock) -> Self {
        Self {
            keys,
            hosts: Hosts::default(),
            body_bytes_max: Self::BODY_BYTES_MAX,
            open_bytes_max: Self::OPEN_BYTES_MAX,
            body_timeout: Self::BODY_TIMEOUT,
            clock,
            region: "embedded".to_owned(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("keys", &self.keys)
            .field("hosts", &self.hosts)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("open_bytes_max", &self.open_bytes_max)
            .field("body_timeout", &self.body_timeout)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// The SLS API in front of a log store.
pub struct Front {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) settings: Settings,
    /// Consumer groups in use; held while one changes.
    pub(super) groups: Mutex<ConsumerGroups>,
    /// Held while a project, logstore or index is looked at and then changed.
    pub(super) changes: Mutex<()>,
    /// Octets that bodies may still take.
    open: Semaphore,
    requests: AtomicU64,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Front {
    /// A front that has answered nothing yet.
    pub fn new(backend: Arc<dyn Backend>, settings: Settings) -> Self {
        Self {
            backend,
            open: Semaphore::new(settings.open_bytes_max.min(Semaphore::MAX_PERMITS)),
            settings,
            groups: Mutex::default(),
            changes: Mutex::default(),
            requests: AtomicU64::new(0),
        }
    }

    /// Whether nobody is believed without a signature.
    pub fn asks_for_signatures(&self) -> bool {
        !self.settings.keys.is_open()
    }

    /// Answers a request.
    pub async fn answer(&self, request: HttpRequest) -> Response {
        let now = (self.settings.clock)();
        let answer = self.judge(request, now).await;
        let mut response = answer.unwrap_or_else(Failure::into_response);
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let headers = response.headers_mut();
        mark(headers, "x-log-requestid", &request_id(now, number));
        mark(headers, "x-log-time", &now.as_second().to_string());
        response
    }

    async fn judge(&self, request: HttpRequest, now: Timestamp) -> Result<Response, Failure> {
        let (parts, body) = request.into_parts();
        let raw = Raw::new(&parts, &self.settings.hosts)?;
        let proof = sls::verify(&raw.head(), &self.settings.keys, now)?;
        let octets_max = if put::is_put(&raw) {
            self.settings.body_bytes_max
        } else {
            self.settings.body_bytes_max.min(QUESTION_BYTES_MAX)
        };
        let wanted = put::octets_to_come(&raw, octets_max);
        let room = tokio::time::timeout(self.settings.body_timeout, self.open.acquire_many(wanted));
        let Ok(Ok(_room)) = room.await else {
            return Err(Failure::throttled("too many bodies at once; try again"));
        };
        let body = body::read(body, octets_max, self.settings.body_timeout).await?;
        proof.digest.check(&body)?;
        let request = Request {
            raw: &raw,
            caller: proof.caller,
            body,
            now,
        };
        route::answer(self, &request).await
    }
}

/// Octets of a body that is no log group: questions, settings, an index.
const QUESTION_BYTES_MAX: usize = 1 << 20;

/// 24 hexadecimal digits, as SLS has them: the time, then a running number.
fn request_id(now: Timestamp, number: u64) -> String {
    let low = (1 << 48) - 1;
    let time = now.as_millisecond().unsigned_abs() & low;
    format!("{time:012X}{:012X}", number & low)
}

fn mark(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
