//! Why no answer came.

use std::error::Error as StdError;

use thiserror::Error;

/// Why no answer came; none of it shows a header or a body.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum TransportError {
    /// The host could not be reached.
    #[error("connecting: {0}")]
    Connect(String),
    /// The host's name did not resolve.
    #[error("resolving: {0}")]
    Resolve(String),
    /// The host is not who it should be, or speaks no TLS we accept.
    #[error("TLS: {0}")]
    Tls(String),
    /// It took too long.
    #[error("timed out: {0}")]
    Timeout(String),
    /// The connection broke in the middle.
    #[error("broken off: {0}")]
    Broken(String),
    /// The answer is larger than any of the service's.
    #[error("answer of more than {0} octets")]
    TooLarge(usize),
}

impl TransportError {
    /// The name in metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Resolve(_) => "resolve",
            Self::Tls(_) => "tls",
            Self::Timeout(_) => "timeout",
            Self::Broken(_) => "broken",
            Self::TooLarge(_) => "too-large",
        }
    }

    /// What the operator can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Connect(_) | Self::Broken(_) => "check the endpoint and what lies before it",
            Self::Resolve(_) => "check the endpoint's name and the resolver",
            Self::Tls(_) => "check the endpoint's certificate; name a private CA in ca-file",
            Self::Timeout(_) => "check the line; raise the timeouts or send smaller batches",
            Self::TooLarge(_) => "check that the endpoint is the log service",
        }
    }

    /// The kind of a client's error, and the innermost reason that was given.
    pub(in crate::sink::sls) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let (is_timeout, is_dns) = (error.is_timeout(), error.is_dns());
        let is_connect = error.is_connect();
        let mut reasons = vec![error.to_string()];
        let mut source = error.source();
        while let Some(inner) = source {
            reasons.push(inner.to_string());
            source = inner.source();
        }
        let is_tls = reasons.iter().any(|reason| {
            let reason = reason.to_ascii_lowercase();
            reason.contains("certificate") || reason.contains("tls") || reason.contains("alert")
        });
        let last = reasons.last().map_or("", String::as_str);
        let what = printable(last, MESSAGE_MAX);
        if is_timeout {
            Self::Timeout(what)
        } else if is_dns {
            Self::Resolve(what)
        } else if is_tls {
            Self::Tls(what)
        } else if is_connect {
            Self::Connect(what)
        } else {
            Self::Broken(what)
        }
    }
}

/// A stranger's text, fit for a log line.
pub(super) fn printable(text: &str, characters_max: usize) -> String {
    let kept = text.chars().take(characters_max);
    kept.map(|character| match character.is_control() {
        true => ' ',
        false => character,
    })
    .collect()
}

/// Characters kept of a message.
pub(super) const MESSAGE_MAX: usize = 512;
