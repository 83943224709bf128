//! PutLogs: `POST /logstores/{logstore}`, `…/shards/lb` and `…/shards/route`.
//!
//! The hash key of `route` chooses a shard; with one shard it chooses nothing.

use std::ops::RangeInclusive;

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use prost::Message as _;

use super::backend::Incoming;
use super::compress;
use super::measure::measure;
use super::request::{Raw, Request};
use super::{Failure, Front, LogGroup, answer};
use crate::api::auth::Access;

/// Whether a request brings logs, and so a larger body than others.
pub(super) fn is_put(raw: &Raw) -> bool {
    let path: Vec<_> = raw.path.split('/').collect();
    let puts = matches!(
        *path.as_slice(),
        ["", "logstores", _] | ["", "logstores", _, "shards", "lb" | "route"]
    );
    puts && raw.method == "POST"
}

/// Octets that a request will take, as sent and uncompressed, if it keeps to
/// what it says; a body without length may be of any.
pub(super) fn octets_to_come(raw: &Raw, octets_max: usize) -> u32 {
    let head = raw.head();
    let told = |name| {
        head.header(name)
            .and_then(|text| text.parse::<usize>().ok())
    };
    let sent = match (told("content-length"), head.header("transfer-encoding")) {
        (Some(sent), _) => sent.min(octets_max),
        (None, None) => 0,
        (None, Some(_)) => octets_max,
    };
    let grown = match head.header("x-log-compresstype") {
        Some(_) => told("x-log-bodyrawsize").map_or(0, |raw| raw.min(octets_max)),
        None => 0,
    };
    u32::try_from(sent + grown).unwrap_or(u32::MAX)
}

/// Stores a log group, and answers once it is durable.
pub(super) async fn put(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Write, logstore)?;
    let content_type = request.header("content-type").unwrap_or_default();
    if content_type != PROTOBUF {
        let message = format!("Content-Type {content_type} is unsupported");
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Failure::new(status, "InvalidContentType", message));
    }
    if let Some(mode) = request.header("x-log-mode") {
        return Err(Failure::parameter(format!(
            "x-log-mode {mode} is unsupported"
        )));
    }
    let body = uncompressed(request, front.settings.body_bytes_max)?;
    let group = decode(&body)?;
    let received_s = request.now.as_second();
    check_times(&group, received_s)?;
    let logs = Incoming {
        group,
        body,
        received_s,
    };
    if !logs.group.logs.is_empty() {
        front.backend.put(at, logs).await?;
    }
    Ok(answer::empty())
}

/// Content type of log groups.
pub(super) const PROTOBUF: &str = "application/x-protobuf";

fn uncompressed(request: &Request<'_>, octets_max: usize) -> Result<Bytes, Failure> {
    let Some(name) = request.header("x-log-compresstype") else {
        return Ok(request.body.clone());
    };
    let compression = compress::of_body(name)?;
    let size = request.header("x-log-bodyrawsize");
    let size = size.ok_or_else(|| {
        let message = "x-log-bodyrawsize does not exist in header when it is necessary";
        Failure::bad("MissingBodyRawSize", message)
    })?;
    let invalid = |_| Failure::bad("InvalidBodyRawSize", "x-log-bodyrawsize is invalid");
    let raw_bytes: u64 = size.parse().map_err(invalid)?;
    let raw_bytes = usize::try_from(raw_bytes)
        .ok()
        .filter(|raw| *raw <= octets_max);
    let Some(raw_bytes) = raw_bytes else {
        let told = size.parse().unwrap_or(u64::MAX);
        return Err(Failure::too_large(told, octets_max as u64));
    };
    compress::undo(compression, &request.body, raw_bytes)
}

fn decode(body: &Bytes) -> Result<LogGroup, Failure> {
    let malformed = || Failure::bad("PostBodyInvalid", "the body is no LogGroup");
    let measure = measure(body).ok_or_else(malformed)?;
    if measure.logs > LOGS_MAX || measure.fields > FIELDS_MAX {
        let message = format!(
            "{} logs with {} fields; at most {LOGS_MAX} with {FIELDS_MAX} are taken",
            measure.logs, measure.fields
        );
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return Err(Failure::new(status, "PostBodyTooLarge", message));
    }
    let group = LogGroup::decode(body.clone());
    group.map_err(|why| Failure::bad("InvalidEncoding", format!("no LogGroup: {why}")))
}

/// Logs of one request: more than any producer batches.
const LOGS_MAX: usize = 100_000;
/// Fields of one request, of twenty to a log.
const FIELDS_MAX: usize = 1_000_000;

/// SLS refuses the whole request for one log out of its window.
fn check_times(group: &LogGroup, received_s: i64) -> Result<(), Failure> {
    let window = window(received_s);
    let mut times = group.logs.iter().map(|log| i64::from(log.time));
    match times.find(|time| !window.contains(time)) {
        None => Ok(()),
        Some(time) => {
            let message = format!("The post data time is out of range: {time}");
            Err(Failure::bad("PostBodyInvalid", message))
        }
    }
}

/// Seven days back to a quarter of an hour ahead.
const fn window(received_s: i64) -> RangeInclusive<i64> {
    received_s.saturating_sub(7 * 86_400)..=received_s.saturating_add(15 * 60)
}
