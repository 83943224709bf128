//! Why a request is refused, in the words of Tencent Cloud's gateways.

use crate::api::auth::control::Denial;
use crate::api::body::Unread;
use crate::api::control::Rejection;

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
    /// A parameter that every action needs.
    pub(super) fn missing(name: &str) -> Self {
        let message = format!("The request is missing a required parameter `{name}`.");
        Self {
            message,
            ..of_words(MISSING)
        }
    }

    /// There is no such action.
    pub(super) fn no_action(action: &str) -> Self {
        let shown: String = action.chars().take(SHOWN_CHARACTERS).collect();
        Self {
            message: format!("The request action=`{shown}` is invalid or not found."),
            ..of_words(ACTION)
        }
    }

    /// There is no such version.
    pub(super) fn no_version() -> Self {
        let words = ("NoSuchVersion", (6100, "NoSuchVersion"));
        Self {
            message: "The requested API version does not exist.".to_owned(),
            ..of_words(words)
        }
    }
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
            Rejection::Forged => (
                "AuthFailure.UnauthorizedOperation",
                (4101, "UnauthorizedOperation"),
            ),
            Rejection::Method => ("UnsupportedProtocol", (4600, "UnsupportedProtocol")),
            Rejection::Path => ACTION,
            Rejection::Busy => LIMIT,
        };
        Self {
            message: format!("{rejection}."),
            ..of_words(words)
        }
    }
}

/// Code of API 3.0, code and its name of API 2.0.
type Words = (&'static str, (u16, &'static str));

const ACTION: Words = ("InvalidAction", (6100, "InvalidAction"));
const INVALID: Words = ("InvalidParameter", (4000, "InvalidParameter"));
const LIMIT: Words = ("RequestLimitExceeded", (4400, "RequestLimitExceeded"));
const MISSING: Words = ("MissingParameter", (4000, "MissingParameter"));
const SIGNATURE: Words = ("AuthFailure.SignatureFailure", (4100, "AuthFailure"));
const TOKEN: Words = ("AuthFailure.TokenFailure", (4105, "TokenFailure"));

/// Characters of a foreign text that an answer repeats.
const SHOWN_CHARACTERS: usize = 64;

fn of_words((code, old): Words) -> Failure {
    Failure {
        code,
        old,
        message: String::new(),
    }
}

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
