//! Cursors: places in a shard, written as base64 of a decimal number.
//!
//! The SDKs compute with them: `get_previous_cursor_time` takes one away.

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::request::Request;
use super::{Failure, Front, answer, shards};
use crate::api::auth::Access;

/// A cursor as clients see it.
pub(super) fn encode(cursor: u64) -> String {
    STANDARD.encode(cursor.to_string())
}

/// The cursor that a client names.
///
/// # Errors
/// `InvalidCursor`.
pub(super) fn decode(text: &str) -> Result<u64, Failure> {
    let digits = STANDARD.decode(text).ok();
    let digits = digits.and_then(|digits| String::from_utf8(digits).ok());
    let is_number = |digits: &String| digits.bytes().all(|digit| digit.is_ascii_digit());
    let cursor = digits
        .filter(is_number)
        .and_then(|digits| digits.parse().ok());
    cursor.ok_or_else(invalid)
}

pub(super) fn invalid() -> Failure {
    Failure::bad("InvalidCursor", "the cursor is invalid")
}

/// GetCursor: `?type=cursor&from=begin|end|{Unix seconds of receipt}`.
pub(super) async fn cursor(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
    shard: u32,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let shard = shards::find(front, at, shard).await?;
    let parameters = request.parameters();
    let cursor = match parameters.required("from")? {
        "begin" => shard.begin,
        "end" => shard.end,
        _ => {
            let time_s = parameters.number("from")?.unwrap_or(0);
            let found = front.backend.cursor_at(at, shard.id, time_s).await?;
            found.clamp(shard.begin, shard.end)
        }
    };
    answer::json(&json!({"cursor": encode(cursor)}))
}

/// GetCursorTime: `?type=cursor_time&cursor=`; at the end of the shard, now.
pub(super) async fn time(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
    shard: u32,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let shard = shards::find(front, at, shard).await?;
    let parameters = request.parameters();
    let cursor = decode(parameters.required("cursor")?)?;
    let time_s = if cursor == shard.end {
        Some(request.now.as_second())
    } else {
        front.backend.cursor_time(at, shard.id, cursor).await?
    };
    let time_s = time_s.ok_or_else(invalid)?;
    answer::json(&json!({"cursor_time": time_s}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_base64_of_a_decimal_number() {
        assert_eq!(encode(0), "MA==");
        assert_eq!(decode("MA=="), Ok(0));
        assert_eq!(decode(&encode(u64::MAX)), Ok(u64::MAX));
    }

    #[test]
    fn what_is_no_number_is_no_cursor() {
        let words = ["", "-1", "+1", "1.5", "18446744073709551616", "begin"];
        let texts = words.map(|word| STANDARD.encode(word));
        for text in texts.iter().map(String::as_str).chain(["MA", "%"]) {
            assert_eq!(decode(text), Err(invalid()), "{text}");
        }
    }
}
