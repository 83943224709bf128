//! From a request to its answer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, HttpBody};
use axum::extract::Request as HttpRequest;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::pace::Pace;
use super::{Control, Desk, Raw, Rejection, Request, RequestId, Settings};
use crate::api::auth::Replays;
use crate::api::auth::control::{Api, Proof, Scheme, verify};
use crate::api::{alibaba, body, tencent};

/// The control APIs in front of a daemon.
pub struct Front {
    desk: Desk,
    /// Requests that were heard already.
    replays: Mutex<Replays>,
    /// Octets that bodies may still take.
    pub(super) open: Semaphore,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("settings", &self.desk.settings)
            .finish_non_exhaustive()
    }
}

impl Front {
    /// A front that has heard nothing yet.
    pub fn new(control: Arc<dyn Control>, settings: Settings) -> Self {
        let open_bytes_max = OPEN_BYTES_MAX.max(settings.body_bytes_max);
        Self {
            replays: Mutex::new(Replays::new(settings.replays_max)),
            open: Semaphore::new(open_bytes_max.min(Semaphore::MAX_PERMITS)),
            desk: Desk {
                control,
                pace: settings.has_rates.then(|| Arc::new(Pace::new())),
                settings: Arc::new(settings),
            },
        }
    }

    /// Whether nobody is believed without a signature.
    pub fn asks_for_signatures(&self) -> bool {
        !self.desk.settings.credentials.is_open()
    }

    /// Answers a request, whatever it is, in the API that it speaks.
    pub async fn answer(&self, request: HttpRequest) -> Response {
        let id = RequestId::new(&self.desk.settings.random);
        let (parts, body) = request.into_parts();
        let mut raw = Raw::new(&parts);
        // Held until the end: so long the body takes its room.
        let room = self.read(&mut raw, body).await;
        let read = room.as_ref().map_err(Rejection::clone);
        // Taken here: a body that is long in coming must not stretch the time
        // in which a request is believed.
        let now = (self.desk.settings.clock)();
        let (api, scheme) = Scheme::of(&raw.arrived());
        let request = Request {
            verdict: read.and_then(|_| self.judge(&raw, (api, scheme), now)),
            raw: &raw,
            scheme,
            id,
            now,
            desk: &self.desk,
        };
        let mut response = match api {
            Api::Alibaba => alibaba::answer(&request).await,
            Api::TencentV3 => tencent::answer_v3(&request).await,
            Api::TencentV2 => tencent::answer_v2(&request).await,
        };
        let (name, id) = match api {
            Api::Alibaba => ("x-acs-request-id", id.to_string()),
            Api::TencentV3 | Api::TencentV2 => ("x-tc-requestid", id.lower()),
        };
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(HeaderName::from_static(name), id);
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    /// Reads parameters and body. The query comes first: it says which API is
    /// spoken, also where the body is none.
    async fn read(&self, raw: &mut Raw, body: Body) -> Result<SemaphorePermit<'_>, Rejection> {
        raw.read_query()?;
        if !["GET", "POST"].contains(&raw.arrived().method) {
            return Err(Rejection::Method);
        }
        let settings = &self.desk.settings;
        let octets_max = settings.body_bytes_max;
        let wanted = octets_to_come(&body, octets_max);
        let room = tokio::time::timeout(settings.body_timeout, self.open.acquire_many(wanted));
        let Ok(Ok(room)) = room.await else {
            return Err(Rejection::Busy);
        };
        let body = body::read(body, octets_max, settings.body_timeout).await?;
        raw.read_body(body)?;
        Ok(room)
    }

    /// Finds out who sent a request.
    fn judge(
        &self,
        raw: &Raw,
        (api, scheme): (Api, Scheme),
        now: Timestamp,
    ) -> Result<Proof<'_>, Rejection> {
        let settings = &self.desk.settings;
        let arrived = raw.arrived();
        if settings.credentials.is_open() && raw.may_be_forged() {
            return Err(Rejection::Forged);
        }
        if api != Api::TencentV2 && arrived.path != "/" {
            return Err(Rejection::Path);
        }
        // Schemes that sign parameters sign no other body.
        let is_signed = scheme == Scheme::TencentV3 || raw.is_form();
        if !arrived.body.is_empty() && !is_signed {
            return Err(Rejection::MediaType);
        }
        // A panic within would have left no half-made nonce behind.
        let mut replays = self.replays.lock().unwrap_or_else(PoisonError::into_inner);
        let (credentials, window) = (&settings.credentials, &settings.window);
        let proof = verify(&arrived, scheme, credentials, window, now, &mut replays)?;
        Ok(proof)
    }
}

/// Octets of all bodies being read at once: 64 of the largest, thousands of
/// those that clients send.
const OPEN_BYTES_MAX: usize = 64 << 20;

/// Octets to make room for: those told of, else as many as there may be.
fn octets_to_come(body: &Body, octets_max: usize) -> u32 {
    let octets_max = octets_max as u64;
    let hint = body.size_hint();
    let octets = hint.exact().unwrap_or(octets_max).min(octets_max);
    u32::try_from(octets).unwrap_or(u32::MAX)
}
