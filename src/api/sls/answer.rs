//! Answers in the shapes that clients read.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Failure;
use super::compress;
use crate::sink::Compression;

/// Success with nothing to say.
pub(super) fn empty() -> Response {
    ().into_response()
}

/// Success with a JSON body.
///
/// # Errors
/// It cannot be written as JSON.
pub(super) fn json(body: &impl Serialize) -> Result<Response, Failure> {
    let body = serde_json::to_vec(body);
    let body = body.map_err(|_| Failure::internal("the answer is no JSON"))?;
    Ok(with_type(body, "application/json"))
}

/// Success with a body that is compressed when the client asks for it; its
/// raw size is always told.
///
/// # Errors
/// It cannot be compressed.
pub(super) fn compressed(
    body: Vec<u8>,
    content_type: &'static str,
    accepted: &str,
) -> Result<Response, Failure> {
    let raw_bytes = body.len();
    let compression = compress::of_answer(accepted).filter(|_| raw_bytes > 0);
    let body = match compression {
        Some(compression) => compress::apply(compression, &body)?,
        None => body,
    };
    let mut response = with_type(body, content_type);
    let headers = response.headers_mut();
    set(headers, "x-log-bodyrawsize", &raw_bytes.to_string());
    if let Some(name) = compression.and_then(Compression::name) {
        set(headers, "x-log-compresstype", name);
    }
    Ok(response)
}

fn with_type(body: Vec<u8>, content_type: &'static str) -> Response {
    let content_type = HeaderValue::from_static(content_type);
    ([(CONTENT_TYPE, content_type)], body).into_response()
}

/// Sets a header; left out where its value cannot be one.
pub(super) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// `Complete` or `Incomplete`, which clients compare to the letter.
pub(super) const fn progress(complete: bool) -> &'static str {
    if complete { "Complete" } else { "Incomplete" }
}

/// `2026-11-21 02:11:31`, as projects show their times.
pub(super) fn date_time(unix_s: i64) -> String {
    let time = Timestamp::from_second(unix_s).unwrap_or(Timestamp::UNIX_EPOCH);
    let time = time.to_zoned(TimeZone::UTC);
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `offset` and `size` of a list, as clients name them.
pub(super) fn page<T>(all: Vec<T>, offset: usize, size: usize) -> (usize, Vec<T>) {
    let total = all.len();
    (total, all.into_iter().skip(offset).take(size).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_projects_show_them() {
        assert_eq!(date_time(1_795_227_091), "2026-11-21 02:11:31");
    }

    #[test]
    fn an_empty_body_is_not_compressed() {
        let response = compressed(Vec::new(), "application/x-protobuf", "lz4").unwrap();
        assert_eq!(response.headers()["x-log-bodyrawsize"], "0");
        assert!(!response.headers().contains_key("x-log-compresstype"));
    }
}
