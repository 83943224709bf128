//! Tencent Cloud's control APIs, 3.0 and 2.0 (control-plane.md §3–5).
//!
//! Both answer with HTTP 200 whatever happens: their clients take any other
//! status for a broken network.

mod failure;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use failure::Failure;

use super::control::Request;

/// The version of API 3.0 that this product has.
const VERSION: &str = "2017-03-12";

/// Answers a request of API 3.0.
pub(super) fn answer_v3(request: &Request<'_>) -> Response {
    let arrived = request.raw.arrived();
    let scheme = request.scheme;
    let failure = match (&request.verdict, scheme.action(&arrived)) {
        (Err(rejection), _) => Failure::from(rejection),
        (Ok(_), None | Some("")) => Failure::missing("Action"),
        (Ok(_), Some(action)) => match scheme.version(&arrived) {
            None | Some("") => Failure::missing("Version"),
            Some(VERSION) => Failure::no_action(action),
            Some(_) => Failure::no_version(),
        },
    };
    let error = json!({"Code": failure.code, "Message": failure.message});
    let request_id = request.id.lower();
    response(&json!({"Response": {"Error": error, "RequestId": request_id}}))
}

/// Answers a request of API 2.0.
pub(super) fn answer_v2(request: &Request<'_>) -> Response {
    let arrived = request.raw.arrived();
    let failure = match (&request.verdict, request.scheme.action(&arrived)) {
        (Err(rejection), _) => Failure::from(rejection),
        (Ok(_), None | Some("")) => Failure::missing("Action"),
        (Ok(_), Some(action)) => Failure::no_action(action),
    };
    let (number, name) = failure.old;
    let message = format!("({number}){}", failure.message);
    response(&json!({"code": number, "message": message, "codeDesc": name}))
}

/// The type is exactly this: with a charset, a client takes an error for an
/// empty success.
fn response(body: &Value) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    let headers = [(CONTENT_TYPE, content_type)];
    (StatusCode::OK, headers, body.to_string()).into_response()
}
