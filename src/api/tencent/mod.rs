//! Tencent Cloud's control APIs, 3.0 and 2.0 (control-plane.md §3–5).
//!
//! Both answer with HTTP 200 whatever happens: their clients take any other
//! status for a broken network.

mod failure;
mod params;
mod vpc;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use failure::Failure;

use super::control::Request;

/// What an answer tells, in the order in which it is written.
type Tree = Map<String, Value>;

/// Which edition of the API is spoken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Edition {
    V2,
    V3,
}

impl Edition {
    /// A parameter as this edition spells it, by its name in API 3.0: in 2.0
    /// only common ones begin with a capital.
    fn spelled(self, name: &str) -> String {
        let mut letters = name.chars();
        match (self, letters.next()) {
            (Self::V2, Some(first)) => first.to_lowercase().chain(letters).collect(),
            (Self::V3, _) | (Self::V2, None) => name.to_owned(),
        }
    }
}

/// The version of API 3.0 that this product has.
const VERSION: &str = "2017-03-12";

/// Answers a request of API 3.0.
pub(super) async fn answer_v3(request: &Request<'_>) -> Response {
    let arrived = request.raw.arrived();
    let scheme = request.scheme;
    let answered = match (&request.verdict, scheme.action(&arrived)) {
        (Err(rejection), _) => Err(Failure::from(rejection)),
        (Ok(_), None | Some("")) => Err(Failure::missing("Action")),
        (Ok(proof), Some(action)) => match scheme.version(&arrived) {
            None | Some("") => Err(Failure::missing("Version")),
            Some(VERSION) => vpc::answer(request, *proof, Edition::V3, action).await,
            Some(_) => Err(Failure::no_version()),
        },
    };
    let mut body = answered.unwrap_or_else(|failure| {
        let error = json!({"Code": failure.code, "Message": failure.message});
        Tree::from_iter([("Error".to_owned(), error)])
    });
    body.insert("RequestId".to_owned(), request.id.lower().into());
    response(&json!({"Response": body}))
}

/// Answers a request of API 2.0.
pub(super) async fn answer_v2(request: &Request<'_>) -> Response {
    let arrived = request.raw.arrived();
    let answered = match (&request.verdict, request.scheme.action(&arrived)) {
        (Err(rejection), _) => Err(Failure::from(rejection)),
        (Ok(_), None | Some("")) => Err(Failure::missing("Action")),
        (Ok(proof), Some(action)) => vpc::answer(request, *proof, Edition::V2, action).await,
    };
    let body = answered.unwrap_or_else(|failure| {
        let (number, name) = failure.old;
        let message = format!("({number}){}", failure.message);
        let fields = [
            ("code", number.into()),
            ("message", message.into()),
            ("codeDesc", name.into()),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        Tree::from_iter(fields)
    });
    response(&Value::Object(body))
}

/// The type is exactly this: with a charset, a client takes an error for an
/// empty success.
fn response(body: &Value) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    let headers = [(CONTENT_TYPE, content_type)];
    (StatusCode::OK, headers, body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_common_parameters_of_the_older_api_begin_with_a_capital() {
        assert_eq!(Edition::V2.spelled("FlowLogId"), "flowLogId");
        assert_eq!(Edition::V2.spelled("VpcId"), "vpcId");
        assert_eq!(Edition::V3.spelled("VpcId"), "VpcId");
        assert_eq!(Edition::V2.spelled(""), "");
    }
}
