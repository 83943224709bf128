//! Why a request is refused, in the words of Alibaba Cloud's gateway
//! (control-plane.md §5.6).

use std::borrow::Cow;

use axum::http::StatusCode;

use super::Tree;
use crate::api::auth::control::{Denial, Scheme};
use crate::api::body::Unread;
use crate::api::control::{Failed, NotKept, Rejection};

/// A refusal: a code and a message under an HTTP status.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    /// What programs judge by.
    pub(super) code: Cow<'static, str>,
    /// What people read, and some clients too.
    pub(super) message: Cow<'static, str>,
    /// Which right was missing, if it is that.
    pub(super) denied: Option<Denied>,
    /// What the product tells besides.
    pub(super) rest: Box<Tree>,
}

/// A right that a key has not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Denied {
    /// Product and action: `smartag:CreateFlowLog`.
    pub(super) action: String,
    pub(super) key_id: String,
}

impl Failure {
    /// A refusal under any status.
    pub(super) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            denied: None,
            rest: Box::default(),
        }
    }

    /// 400: the request itself is wrong.
    pub(super) fn bad(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// `Missing…`: a parameter that every action needs.
    pub(super) fn mandatory(name: &str) -> Self {
        Self::bad(
            format!("Missing{name}"),
            format!("{name} is mandatory for this action."),
        )
    }

    /// `Invalid…`: a parameter of the gateway's own has no such value.
    pub(super) fn invalid(name: &str) -> Self {
        Self::bad(
            format!("Invalid{name}"),
            format!("Specified parameter {name} is not valid."),
        )
    }

    /// The format asked for is none.
    pub(super) fn format() -> Self {
        let message = "Specified parameter format is not valid.";
        Self::bad("InvalidParameter.Format", message)
    }

    /// There is no such action, or no such path.
    pub(super) fn no_action() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "InvalidAction.NotFound",
            "Specified api is not found, please check your url and method.",
        )
    }

    /// The key may not do this.
    pub(super) fn forbidden(action: String, key_id: &str) -> Self {
        let message = "User not authorized to operate on the specified resource, \
            or this API doesn't support RAM.";
        Self {
            denied: Some(Denied {
                action,
                key_id: key_id.to_owned(),
            }),
            ..Self::new(StatusCode::FORBIDDEN, "Forbidden.RAM", message)
        }
    }

    /// 403: a value that is none, of which no error says more.
    pub(super) fn parameter() -> Self {
        let message = "The specified parameter is invalid.";
        Self::new(StatusCode::FORBIDDEN, "InvalidParameter", message)
    }

    /// A request that did not get as far as its action.
    pub(super) fn rejected(rejection: &Rejection, scheme: Scheme) -> Self {
        match rejection {
            Rejection::Denied(denial) => Self::denial(denial, scheme),
            Rejection::Unread(unread) => Self::unread(*unread),
            Rejection::Forged => Self::new(
                StatusCode::FORBIDDEN,
                "Forbidden",
                "User not authorized to operate on the specified resource.",
            ),
            Rejection::Method => {
                Self::bad("UnsupportedHTTPMethod", "This http method not supported.")
            }
            Rejection::Path => Self::no_action(),
            Rejection::MediaType => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                "The body must be application/x-www-form-urlencoded.",
            ),
            Rejection::NotText | Rejection::TooMany => {
                Self::bad("InvalidParameter", "The specified parameter is invalid.")
            }
            Rejection::Busy => Self::bad(
                "Throttling",
                "Request was denied due to request throttling.",
            ),
        }
    }

    fn unread(unread: Unread) -> Self {
        let (status, code) = match unread {
            Unread::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge"),
            Unread::Cut => (StatusCode::BAD_REQUEST, "IncompleteBody"),
            Unread::Late => (StatusCode::REQUEST_TIMEOUT, "RequestTimeout"),
        };
        Self::new(status, code, unread.to_string())
    }

    fn denial(denial: &Denial, scheme: Scheme) -> Self {
        match denial {
            Denial::MissingParam { name } => Self::mandatory(name),
            Denial::InvalidParam { name } => Self::invalid(name),
            Denial::Malformed => Self::incomplete(""),
            Denial::Incomplete { string_to_sign } => Self::incomplete(string_to_sign),
            Denial::Mismatch { string_to_sign } => Self::mismatch(string_to_sign, scheme),
            Denial::Method => Self::bad(
                "InvalidSignatureMethod",
                "Specified signature method is not valid.",
            ),
            Denial::UnknownKey => Self::new(
                StatusCode::NOT_FOUND,
                "InvalidAccessKeyId.NotFound",
                "Specified access key is not found.",
            ),
            Denial::TimeFormat => Self::bad(
                "InvalidTimeStamp.Format",
                "Specified time stamp or date value is not well formatted.",
            ),
            Denial::TimeExpired { .. } => Self::bad(
                "InvalidTimeStamp.Expired",
                "Specified time stamp or date value is expired.",
            ),
            Denial::TokenMissing => Self::mandatory("SecurityToken"),
            Denial::TokenMalformed => Self::bad(
                "InvalidSecurityToken.Malformed",
                "Specified SecurityToken is malformed.",
            ),
            Denial::TokenMismatch => Self::bad(
                "InvalidSecurityToken.MismatchWithAccessKey",
                "Specified SecurityToken mismatch with the AccessKey.",
            ),
            Denial::NonceUsed => Self::bad(
                "SignatureNonceUsed",
                "Specified signature nonce was used already.",
            ),
            Denial::Throttled => Self::bad(
                "Throttling.User",
                "Request was denied due to user flow control.",
            ),
        }
    }

    fn incomplete(string_to_sign: &str) -> Self {
        let message = "The request signature does not conform to Aliyun standards. \
            server string to sign is:";
        Self::bad("IncompleteSignature", format!("{message}{string_to_sign}"))
    }

    /// Clients take the message apart to tell a wrong secret from a wrong way
    /// of signing; that of the older scheme's has to have a colon.
    fn mismatch(string_to_sign: &str, scheme: Scheme) -> Self {
        let message = match scheme {
            Scheme::AlibabaV3 => format!(
                "Specified signature does not match our calculation. \
                    server StringToSign is [{string_to_sign}]"
            ),
            Scheme::AlibabaRpc | Scheme::TencentV3 | Scheme::TencentOld => format!(
                "Specified signature is not matched with our calculation. \
                    server string to sign is:{string_to_sign}"
            ),
        };
        Self::bad("SignatureDoesNotMatch", message)
    }
}

impl Failed for Failure {
    fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "The request processing has failed due to some unknown error, exception or failure.",
        )
    }

    fn code(&self) -> &str {
        &self.code
    }
}

/// 5xx only where nothing is in force: clients repeat it.
impl From<&NotKept> for Failure {
    fn from(not_kept: &NotKept) -> Self {
        match not_kept {
            NotKept::Contradiction(_) => Self::parameter(),
            NotKept::Disk(_) | NotKept::Stopping => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "The request has failed due to a temporary failure of the server.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(denial: &Denial, scheme: Scheme, status: u16, code: &str, message: &str) {
        let failure = Failure::denial(denial, scheme);
        let found = (failure.status.as_u16(), &*failure.code, &*failure.message);
        assert_eq!(found, (status, code, message));
    }

    #[test]
    fn each_denial_is_a_row_of_the_gateways_table() {
        let string_to_sign = || "POST&%2F".to_owned();
        let incomplete = "The request signature does not conform to Aliyun standards. \
            server string to sign is:";
        let rows = [
            (
                Denial::InvalidParam {
                    name: "SignatureVersion",
                },
                "InvalidSignatureVersion",
                "Specified parameter SignatureVersion is not valid.".to_owned(),
            ),
            (
                Denial::Malformed,
                "IncompleteSignature",
                incomplete.to_owned(),
            ),
            (
                Denial::Incomplete {
                    string_to_sign: string_to_sign(),
                },
                "IncompleteSignature",
                format!("{incomplete}POST&%2F"),
            ),
            (
                Denial::Method,
                "InvalidSignatureMethod",
                "Specified signature method is not valid.".to_owned(),
            ),
            (
                Denial::TimeFormat,
                "InvalidTimeStamp.Format",
                "Specified time stamp or date value is not well formatted.".to_owned(),
            ),
            (
                Denial::TokenMissing,
                "MissingSecurityToken",
                "SecurityToken is mandatory for this action.".to_owned(),
            ),
            (
                Denial::TokenMalformed,
                "InvalidSecurityToken.Malformed",
                "Specified SecurityToken is malformed.".to_owned(),
            ),
            (
                Denial::TokenMismatch,
                "InvalidSecurityToken.MismatchWithAccessKey",
                "Specified SecurityToken mismatch with the AccessKey.".to_owned(),
            ),
        ];
        for (denial, code, message) in rows {
            is(&denial, Scheme::AlibabaRpc, 400, code, &message);
        }
    }

    #[test]
    fn a_body_that_ends_early_is_the_requests_fault() {
        let cut = Failure::rejected(&Rejection::Unread(Unread::Cut), Scheme::AlibabaRpc);
        let expected = Failure::bad("IncompleteBody", "the body ended early");
        assert_eq!(cut, expected);
    }
}
