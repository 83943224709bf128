//! Why a request is refused, in the words of Tencent Cloud's gateways.

use crate::api::auth::control::Denial;
use crate::api::body::Unread;
use crate::api::control::{Failed, NotKept, Rejection};

/// A refusal, as both APIs say it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Failure {
    /// `Code` of API 3.0.
    pub(super) code: &'static str,
    /// `code` and `codeDesc` of API 2.0.
    pub(super) old: (u16, &'static str),
    /// What people read.
    pub(super) message: String,
}

impl Failure {
    /// A refusal by its codes in both APIs.
    pub(super) fn new(
        code: &'static str,
        old: (u16, &'static str),
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            old,
            message: message.into(),
        }
    }

    fn of((code, old): Words, message: impl Into<String>) -> Self {
        Self::new(code, old, message)
    }

    /// A parameter that is needed.
    pub(super) fn missing(name: &str) -> Self {
        let message = format!("The request is missing a required parameter `{name}`.");
        Self::of(MISSING, message)
    }

    /// There is no such action.
    pub(super) fn no_action(action: &str) -> Self {
        let message = format!(
            "The request action=`{}` is invalid or not found.",
            shown(action)
        );
        Self::of(ACTION, message)
    }

    /// There is no such version.
    pub(super) fn no_version() -> Self {
        let words = ("NoSuchVersion", (6100, "NoSuchVersion"));
        Self::of(words, "The requested API version does not exist.")
    }

    /// The key may not do this: product and action.
    pub(super) fn forbidden(right: &str) -> Self {
        let message = format!("You are not authorized to perform the operation ({right}).");
        Self::of(FORBIDDEN, message)
    }
}

impl Failed for Failure {
    fn internal() -> Self {
        Self::of(INTERNAL, "An internal error occurred.")
    }

    fn code(&self) -> &str {
        self.code
    }
}

/// Nothing is in force, so that a client may try again.
impl From<&NotKept> for Failure {
    fn from(not_kept: &NotKept) -> Self {
        match not_kept {
            NotKept::Contradiction(_) => {
                let words = ("UnsupportedOperation", (5100, "OperationFailed"));
                Self::of(words, "The resource cannot be logged like this.")
            }
            NotKept::Disk(_) | NotKept::Stopping => {
                let words = ("InternalError.ModuleError", (6200, "ServiceUnavailable"));
                Self::of(words, "An internal module failed. Please try again later.")
            }
        }
    }
}

/// A foreign text, as far as an answer repeats it.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS).collect()
}

impl From<&Rejection> for Failure {
    fn from(rejection: &Rejection) -> Self {
        let words = match rejection {
            Rejection::Denied(denial) => denial_words(denial),
            Rejection::Unread(Unread::TooLarge { .. }) => {
                ("RequestSizeLimitExceeded", (4000, "InvalidParameter"))
            }
            Rejection::Unread(Unread::Cut | Unread::Late) | Rejection::MediaType => {
                ("InvalidRequest", (4000, "InvalidParameter"))
            }
            Rejection::NotText | Rejection::TooMany => INVALID,
            Rejection::Forged => FORBIDDEN,
            Rejection::Method => ("UnsupportedProtocol", (4600, "UnsupportedProtocol")),
            Rejection::Path => ACTION,
            Rejection::Busy => LIMIT,
        };
        Self::of(words, format!("{rejection}."))
    }
}

/// Code of API 3.0, code and its name of API 2.0.
type Words = (&'static str, (u16, &'static str));

const ACTION: Words = ("InvalidAction", (6100, "InvalidAction"));
const FORBIDDEN: Words = (
    "AuthFailure.UnauthorizedOperation",
    (4101, "UnauthorizedOperation"),
);
const INTERNAL: Words = ("InternalError", (6000, "InternalError"));
const INVALID: Words = ("InvalidParameter", (4000, "InvalidParameter"));
const LIMIT: Words = ("RequestLimitExceeded", (4400, "RequestLimitExceeded"));
const MISSING: Words = ("MissingParameter", (4000, "MissingParameter"));
const SIGNATURE: Words = ("AuthFailure.SignatureFailure", (4100, "AuthFailure"));
const TOKEN: Words = ("AuthFailure.TokenFailure", (4105, "TokenFailure"));

/// Characters of a foreign text that an answer repeats.
const SHOWN_CHARACTERS: usize = 64;

fn denial_words(denial: &Denial) -> Words {
    match denial {
        Denial::MissingParam { name } if *name == "Authorization" => {
            ("AuthFailure.InvalidAuthorization", (4100, "AuthFailure"))
        }
        Denial::MissingParam { .. } => MISSING,
        Denial::InvalidParam { .. } | Denial::TimeFormat => INVALID,
        Denial::Malformed | Denial::Method => {
            ("AuthFailure.InvalidAuthorization", (4100, "AuthFailure"))
        }
        Denial::UnknownKey => ("AuthFailure.SecretIdNotFound", (4104, "SecretIdNotFound")),
        Denial::TimeExpired { .. } => ("AuthFailure.SignatureExpire", (4200, "RequestExpired")),
        Denial::Incomplete { .. } | Denial::Mismatch { .. } => SIGNATURE,
        Denial::TokenMissing | Denial::TokenMalformed | Denial::TokenMismatch => TOKEN,
        Denial::NonceUsed => ("AuthFailure.SignatureFailure", (4500, "ReplayAttack")),
        Denial::Throttled => LIMIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_denial_has_a_code_in_both_apis() {
        let expired = || {
            let at = jiff::Timestamp::UNIX_EPOCH;
            Denial::TimeExpired {
                request: at,
                server: at,
            }
        };
        let mismatch = || Denial::Mismatch {
            string_to_sign: "GETvpc".to_owned(),
        };
        let name = "Authorization";
        for (denial, code, number) in [
            (mismatch(), "AuthFailure.SignatureFailure", 4100),
            (expired(), "AuthFailure.SignatureExpire", 4200),
            (Denial::UnknownKey, "AuthFailure.SecretIdNotFound", 4104),
            (Denial::TokenMismatch, "AuthFailure.TokenFailure", 4105),
            (Denial::NonceUsed, "AuthFailure.SignatureFailure", 4500),
            (Denial::Throttled, "RequestLimitExceeded", 4400),
            (Denial::Malformed, "AuthFailure.InvalidAuthorization", 4100),
            (
                Denial::MissingParam { name },
                "AuthFailure.InvalidAuthorization",
                4100,
            ),
            (
                Denial::MissingParam { name: "Nonce" },
                "MissingParameter",
                4000,
            ),
            (
                Denial::InvalidParam { name: "Nonce" },
                "InvalidParameter",
                4000,
            ),
        ] {
            let failure = Failure::from(&Rejection::Denied(denial));
            assert_eq!((failure.code, failure.old.0), (code, number));
            // What the server would have signed is no stranger's business here:
            // no client of these APIs looks at it.
            assert!(!failure.message.contains("GETvpc"), "{}", failure.message);
        }
    }
}
