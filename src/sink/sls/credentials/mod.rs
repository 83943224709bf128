//! Access keys: where they come from, and how they are kept fresh.
//!
//! [`Chain`] is the order of the vendor's default chain (spec sls.md §9);
//! [`Keeper`] refreshes what expires and keeps the old keys when that fails.
//! Nothing here formats a [`Secret`]; errors name places, never contents.

mod chain;
mod document;
mod environment;
mod files;
mod guard;
mod keeper;
mod remote;
mod secret;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

pub use chain::Chain;
pub use chain::Origin;
pub use environment::Environment;
pub use guard::key_file_problem;
pub use keeper::Keeper;
pub use remote::Fetcher;
pub use secret::Secret;

use super::client::TransportError;

/// Keys to sign with; one snapshot serves one attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credentials {
    /// The access key's id, which is no secret.
    pub key_id: String,
    /// What signatures are made with.
    pub secret: Secret,
    /// Goes with keys that a security token service issued.
    pub token: Option<Secret>,
    /// When they expire, in seconds since 1970; none if never.
    pub expires_unix_s: Option<u64>,
}

impl Credentials {
    /// Keys that do not expire by themselves.
    pub fn new(key_id: &str, secret: &str, token: Option<&str>) -> Self {
        Self {
            key_id: key_id.to_owned(),
            secret: Secret::new(secret),
            token: token.map(Secret::new),
            expires_unix_s: None,
        }
    }
}

/// Why there are no keys. Shows paths, names of settings and codes only.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// Nothing of the chain had any.
    #[error("no credentials found: {}", tried.join("; "))]
    None {
        /// What each origin said.
        tried: Vec<String>,
    },
    /// Half of what belongs together is missing.
    #[error("{origin}: {what} is missing")]
    Incomplete {
        /// Where it was looked for.
        origin: String,
        /// What is missing.
        what: &'static str,
    },
    /// A file cannot be read.
    #[error("{}", guard::refusal(path, source))]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file or an answer is not what it should be.
    #[error("{origin}: {problem}")]
    Malformed {
        /// Which.
        origin: String,
        /// What is wrong, without the content.
        problem: String,
    },
    /// A way of getting keys that is not supported.
    #[error("{origin}: mode {mode:?} is not supported")]
    Unsupported {
        /// Where it is asked for.
        origin: String,
        /// Its name.
        mode: String,
    },
    /// A service did not answer.
    #[error("{origin}: {source}")]
    Unreachable {
        /// Which service.
        origin: String,
        /// Why.
        source: TransportError,
    },
    /// A service refused.
    #[error("{origin}: refused with status {status} {code}")]
    Refused {
        /// Which service.
        origin: String,
        /// HTTP status.
        status: u16,
        /// The service's code, if it said one.
        code: String,
    },
}
