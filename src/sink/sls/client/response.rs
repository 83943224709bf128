//! Whole answers of the service, or of whoever answers in its place.

use std::time::Duration;

use bytes::Bytes;
use jiff::fmt::rfc2822;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::failure::MESSAGE_MAX;
use super::failure::printable;
use crate::sink::sls::verdict::Hold;
use crate::sink::sls::verdict::Verdict;
use crate::sink::sls::verdict::verdict;

/// A whole answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `errorCode`, printable ASCII, if there is one.
    pub error_code: Option<String>,
    /// `errorMessage`; otherwise the beginning of the body of a failure.
    pub message: String,
    /// `x-log-time`, else `Date`: the service's clock, in seconds since 1970.
    pub server_unix_s: Option<u64>,
    /// `x-log-requestid`, which every answer of the service has.
    pub request_id: Option<String>,
    /// When it wants to be asked again.
    pub retry_after: Option<Duration>,
    /// The body as it came.
    pub body: Bytes,
}

impl Response {
    /// How large an answer may be, in octets: PutLogs answers with nothing.
    pub const BODY_MAX: usize = 1 << 20;

    /// What it means for the rows.
    ///
    /// Success without a request id is not the service's: a portal or proxy
    /// that says yes to everything would make rows disappear.
    pub fn verdict(&self) -> Verdict {
        if self.status == 200 && self.request_id.is_none() {
            return Verdict::Hold(Hold::NotTheService);
        }
        verdict(self.status, self.error_code.as_deref(), &self.message)
    }

    pub(super) fn new(status: u16, headers: &HeaderMap, body: Bytes) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let date = text("date").and_then(unix_s);
        let log_time = text("x-log-time").and_then(|time| time.trim().parse().ok());
        let error = serde_json::from_slice::<ErrorBody>(&body).unwrap_or_default();
        let is_failure = !(200..300).contains(&status);
        let said = error.message.unwrap_or_else(|| match is_failure {
            true => String::from_utf8_lossy(&body)
                .chars()
                .take(MESSAGE_MAX)
                .collect(),
            false => String::new(),
        });
        Self {
            status,
            error_code: error.code.map(|code| printable(&code, CODE_MAX)),
            message: printable(&said, MESSAGE_MAX),
            server_unix_s: log_time.or(date),
            request_id: text("x-log-requestid").map(|id| printable(id, CODE_MAX)),
            retry_after: text("retry-after").and_then(|wish| wait(wish, date)),
            body,
        }
    }
}

#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(rename = "errorCode")]
    code: Option<String>,
    #[serde(rename = "errorMessage")]
    message: Option<String>,
}

/// Seconds since 1970 of a `Date` header; none before that.
fn unix_s(date: &str) -> Option<u64> {
    let time = rfc2822::parse(date.trim()).ok()?;
    u64::try_from(time.timestamp().as_second()).ok()
}

/// A `Retry-After`: seconds, or a date, which counts from the answer's own.
fn wait(wish: &str, date: Option<u64>) -> Option<Duration> {
    let seconds = match wish.trim().parse() {
        Ok(seconds) => seconds,
        Err(_) => unix_s(wish)?.saturating_sub(date?),
    };
    Some(Duration::from_secs(seconds))
}

/// Characters kept of an error code or request id.
const CODE_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;
    use reqwest::header::HeaderValue;

    use super::*;

    fn response(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_static(name);
            map.insert(name, HeaderValue::from_static(value));
        }
        Response::new(status, &map, Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn an_answer_is_read() {
        let headers = [
            ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("x-log-requestid", "6A"),
            ("retry-after", "7"),
        ];
        let body = r#"{"errorCode":"ServerBusy","errorMessage":"busy\nnow"}"#;
        let read = response(503, &headers, body);
        assert_eq!(read.error_code.as_deref(), Some("ServerBusy"));
        assert_eq!(read.message, "busy now");
        assert_eq!(read.server_unix_s, Some(1_767_225_600));
        assert_eq!(read.request_id.as_deref(), Some("6A"));
        assert_eq!(read.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(read.verdict(), Verdict::Retry);
    }

    #[test]
    fn the_services_own_clock_comes_first() {
        let headers = [
            ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("x-log-time", "1767225601"),
            ("retry-after", "Thu, 01 Jan 2026 00:00:09 GMT"),
        ];
        let read = response(200, &headers, "");
        assert_eq!(read.server_unix_s, Some(1_767_225_601));
        assert_eq!(read.retry_after, Some(Duration::from_secs(9)));
    }

    #[test]
    fn nonsense_in_headers_is_no_time() {
        let headers = [
            ("date", "tomorrow"),
            ("x-log-time", "-3"),
            ("retry-after", "soon"),
        ];
        let read = response(200, &headers, "");
        assert_eq!(read.server_unix_s, None);
        assert_eq!(read.retry_after, None);
    }

    #[test]
    fn success_of_a_stranger_is_no_success() {
        let portal = response(200, &[], "<html>Welcome</html>");
        assert_eq!(portal.verdict(), Verdict::Hold(Hold::NotTheService));
        let service = response(200, &[("x-log-requestid", "6A")], "");
        assert_eq!(service.verdict(), Verdict::Delivered);
    }

    #[test]
    fn a_body_that_is_no_json_is_the_message_in_short() {
        let long = format!("<html>\u{7}{}", "x".repeat(10_000));
        let read = response(502, &[], &long);
        assert_eq!(read.error_code, None);
        assert_eq!(read.message.chars().count(), MESSAGE_MAX);
        assert!(read.message.starts_with("<html> xxx"));
    }
}
