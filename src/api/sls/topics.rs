//! ListTopics: `GET /logstores/{logstore}?type=topic`.

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::request::Request;
use super::{Failure, Front, answer};
use crate::api::auth::Access;

/// A page of topics; the token of the next page is empty on the last.
pub(super) async fn list(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let parameters = request.parameters();
    let after = topic(parameters.text("token").unwrap_or_default())?;
    let limit = parameters.number("line")?.unwrap_or(LINE_MAX);
    let limit = limit.clamp(1, LINE_MAX);
    let mut topics = front.backend.topics(at, &after, limit + 1).await?;
    let is_last = topics.len() <= limit;
    topics.truncate(limit);
    let last = topics.last().filter(|_| !is_last);
    // A topic may hold what a header may not.
    let token = last.map(|last| URL_SAFE_NO_PAD.encode(last));
    let mut response = answer::json(&topics)?;
    let headers = response.headers_mut();
    answer::set(headers, "x-log-count", &topics.len().to_string());
    answer::set(headers, "x-log-nexttoken", &token.unwrap_or_default());
    Ok(response)
}

/// Topics of one page, at most.
const LINE_MAX: usize = 100;

fn topic(token: &str) -> Result<String, Failure> {
    let topic = URL_SAFE_NO_PAD.decode(token).ok();
    let topic = topic.and_then(|topic| String::from_utf8(topic).ok());
    topic.ok_or_else(|| Failure::parameter("token is not one of ours"))
}
