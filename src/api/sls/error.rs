//! Why a request is refused, in the words of SLS.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::api::auth::sls::Denial;
use crate::api::body::Unread;

/// A refusal: `{"errorCode", "errorMessage"}` under an HTTP status.
///
/// Never 5xx for what is not implemented: the `aliyunlog` CLI repeats those
/// for ever.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// HTTP status.
    pub status: StatusCode,
    /// What programs judge by.
    pub code: &'static str,
    /// What people read.
    pub message: String,
}

impl Failure {
    /// A refusal under any status.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code,
            message,
        }
    }

    /// 400: the request itself is wrong.
    pub fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400 `ParameterInvalid`.
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::bad("ParameterInvalid", message)
    }

    /// 404: something named is not there.
    pub fn missing(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 404 `ProjectNotExist`.
    pub fn no_project(project: &str) -> Self {
        Self::missing(
            "ProjectNotExist",
            format!("The Project does not exist : {project}"),
        )
    }

    /// 404 `LogStoreNotExist`.
    pub fn no_logstore(logstore: &str) -> Self {
        Self::missing(
            "LogStoreNotExist",
            format!("logstore {logstore} does not exist"),
        )
    }

    /// 401 `Unauthorized`: known, but not allowed to do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    /// 403 `WriteQuotaExceed`: later it may work.
    pub fn throttled(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "WriteQuotaExceed", message)
    }

    /// 413 `PostBodyTooLarge`.
    pub fn too_large(octets: u64, octets_max: u64) -> Self {
        let message = format!("Body size {octets} must little than {octets_max}");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PostBodyTooLarge", message)
    }

    /// 405 `InvalidMethod`.
    pub fn method(method: &str) -> Self {
        let message = format!("The HTTP method {method} is not supported here");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "InvalidMethod", message)
    }

    /// 404 `NotSupported`: a path this server does not know.
    pub fn unknown_route(path: &str) -> Self {
        let path: String = path.chars().take(SHOWN_CHARACTERS).collect();
        let message = format!("{path} is not served by the embedded log store");
        Self::missing("NotSupported", message)
    }

    /// 500 `InternalServerError`: ours to fix; clients repeat the request.
    pub fn internal(message: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "InternalServerError", message)
    }
}

/// Characters of a foreign text that an answer repeats.
const SHOWN_CHARACTERS: usize = 128;

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        let message = denial.to_string();
        let unauthorized = |code| Self::new(StatusCode::UNAUTHORIZED, code, message.clone());
        match denial {
            Denial::Unsigned => unauthorized("Unauthorized"),
            Denial::UnknownKey(_) => unauthorized("Unauthorized"),
            Denial::Mismatch | Denial::BodyMismatch => unauthorized("SignatureNotMatch"),
            Denial::Malformed(_) => Self::bad("ParameterInvalid", message),
            Denial::Expired { .. } => Self::bad("RequestTimeExpired", message),
        }
    }
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        let message = unread.to_string();
        match unread {
            Unread::TooLarge { octets, octets_max } => Self::too_large(octets, octets_max),
            Unread::Cut => Self::bad("PostBodyInvalid", message),
            Unread::Late => Self::new(StatusCode::REQUEST_TIMEOUT, "RequestBodyTimeout", message),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({"errorCode": self.code, "errorMessage": self.message});
        (self.status, Json(body)).into_response()
    }
}
