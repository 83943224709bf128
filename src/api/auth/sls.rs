//! Signatures of SLS requests: `LOG ak:signature` (v1) and
//! `SLS4-HMAC-SHA256` (v4).
//!
//! A signature covers the head of a request and, through it, a digest of the
//! body, so that the head is judged before the body is read.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;

use super::digest::is_equal;
use super::{AccessKey, Caller, Keys};
use crate::sink::sign;

/// The signed part of a request, as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path, still escaped.
    pub path: &'a str,
    /// Parameters, unescaped, in any order.
    pub query: &'a [(String, String)],
    /// All headers; names in lower case.
    pub headers: &'a [(String, String)],
}

impl<'a> Head<'a> {
    /// A header's value; none when it is missing or empty.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut named = self.headers.iter().filter(|(key, _)| key == name);
        let value = named.next().map(|(_, value)| value.trim());
        value.filter(|value| !value.is_empty())
    }

    /// Hands what is signed to `sign`, in the form that signers take.
    fn signed<T>(&self, sign: impl FnOnce(&sign::Unsigned<'_>) -> T) -> T {
        let query = borrowed(self.query, |value| value);
        let headers = borrowed(self.headers, str::trim);
        sign(&sign::Unsigned {
            method: self.method,
            path: self.path,
            query: &query,
            headers: &headers,
            // The digest among the headers stands for it.
            body: &[],
        })
    }
}

fn borrowed(
    pairs: &[(String, String)],
    value_of: fn(&str) -> &str,
) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (Cow::from(name.as_str()), Cow::from(value_of(value))))
        .collect()
}

/// What a valid signature says.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// Who signed.
    pub caller: Caller<'a>,
    /// What the signature says of the body.
    pub digest: Digest<'a>,
}

/// What a signature says of the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Digest<'a> {
    /// Nothing: the server is open.
    Unknown,
    /// There is none.
    Empty,
    /// Its MD5 in hexadecimal digits.
    Md5(&'a str),
    /// Its SHA-256 in lower-case hexadecimal digits.
    Sha256(&'a str),
}

impl Digest<'_> {
    /// Whether this is the body that was signed.
    ///
    /// # Errors
    /// It is another one.
    pub fn check(&self, body: &[u8]) -> Result<(), Denial> {
        let is_same = match *self {
            Self::Unknown => true,
            Self::Empty => body.is_empty(),
            Self::Md5(said) => said.eq_ignore_ascii_case(&sign::content_md5(body)),
            Self::Sha256(said) => said == sign::v4::content_sha256(body),
        };
        is_same.then_some(()).ok_or(Denial::BodyMismatch)
    }
}

/// Why a caller is not believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denial {
    /// There is no Authorization header.
    #[error("Authorization does not exist in http header")]
    Unsigned,
    /// A header that the signature needs is missing or cannot be read.
    #[error("{0}")]
    Malformed(&'static str),
    /// The key is not one of ours.
    #[error("AccessKeyId not found: {0}")]
    UnknownKey(String),
    /// Signed too long ago, or in the future.
    #[error("Request time {request} has been expired while server time is {server}")]
    Expired {
        /// When the request says it was signed.
        request: Timestamp,
        /// Our time.
        server: Timestamp,
    },
    /// The signature is another's or of another request.
    #[error("The request signature we calculated does not match the signature you provided")]
    Mismatch,
    /// The body is not the one that was signed.
    #[error("the body does not match its signed digest")]
    BodyMismatch,
}

/// How far a request's time may be from ours: SLS allows 15 minutes.
const WINDOW_S: u64 = 15 * 60;

/// Finds out who signed a request.
///
/// # Errors
/// Why the caller is not believed.
pub fn verify<'a>(head: &Head<'a>, keys: &'a Keys, now: Timestamp) -> Result<Proof<'a>, Denial> {
    if keys.is_open() {
        return Ok(Proof {
            caller: Caller::Anyone,
            digest: Digest::Unknown,
        });
    }
    let claim = head.header("authorization").ok_or(Denial::Unsigned)?;
    if let Some(claim) = claim.strip_prefix("LOG ") {
        verify_v1(head, claim, keys, now)
    } else if let Some(claim) = claim.strip_prefix("SLS4-HMAC-SHA256 ") {
        verify_v4(head, claim, keys, now)
    } else {
        Err(Denial::Malformed(
            "Authorization must begin with LOG or SLS4-HMAC-SHA256",
        ))
    }
}

/// `{access key id}:{base64 of the signature}`.
///
/// The official Python SDK adds `x-log-date` after it has signed, so a
/// signature is good with that header and without.
fn verify_v1<'a>(
    head: &Head<'a>,
    claim: &'a str,
    keys: &'a Keys,
    now: Timestamp,
) -> Result<Proof<'a>, Denial> {
    let malformed = Denial::Malformed("Authorization must be LOG AccessKeyId:Signature");
    let (id, signature) = claim.split_once(':').ok_or(malformed)?;
    let key = find(keys, id)?;
    let date = head.header("date").ok_or(Denial::Malformed(
        "Date does not exist in http header when it is necessary",
    ))?;
    let signed_at = DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(date)
        .map_err(|_| Denial::Malformed("Date must follow RFC822"))?;
    check_time(signed_at, now)?;
    let algorithm = head
        .header("x-log-signaturemethod")
        .and_then(sign::v1::Algorithm::of_name)
        .ok_or(Denial::Malformed(
            "x-log-signaturemethod must be hmac-sha1 or hmac-sha256",
        ))?;
    let is_good = LOG_DATES.into_iter().any(|log_date| {
        let text = head.signed(|request| sign::v1::string_to_sign(request, log_date));
        is_equal(
            &sign::v1::signature(&key.secret, algorithm, &text),
            signature,
        )
    });
    if !is_good {
        return Err(Denial::Mismatch);
    }
    let digest = head
        .header("content-md5")
        .map_or(Digest::Empty, Digest::Md5);
    Ok(Proof {
        caller: Caller::Key(key),
        digest,
    })
}

/// Signed without the header, or with it.
const LOG_DATES: [sign::v1::LogDate; 2] = [sign::v1::LogDate::Unsigned, sign::v1::LogDate::Signed];

/// `Credential={id}/{date}/{region}/sls/aliyun_v4_request,Signature={hex}`.
///
/// The region is the client's choice: a local server has none.
fn verify_v4<'a>(
    head: &Head<'a>,
    claim: &'a str,
    keys: &'a Keys,
    now: Timestamp,
) -> Result<Proof<'a>, Denial> {
    let malformed = Denial::Malformed("Authorization must be Credential=…,Signature=…");
    let (credential, signature) = claim
        .strip_prefix("Credential=")
        .and_then(|claim| claim.split_once(",Signature="))
        .ok_or_else(|| malformed.clone())?;
    let (id, scope) = credential
        .split_once('/')
        .ok_or_else(|| malformed.clone())?;
    let (date, region) = scope
        .strip_suffix("/sls/aliyun_v4_request")
        .and_then(|scope| scope.split_once('/'))
        .ok_or(malformed)?;
    let key = find(keys, id)?;
    let time = head.header("x-log-date").ok_or(Denial::Malformed(
        "x-log-date does not exist in http header when it is necessary",
    ))?;
    let signed_at = DateTime::strptime("%Y%m%dT%H%M%SZ", time)
        .and_then(|time| time.to_zoned(TimeZone::UTC))
        .map_err(|_| Denial::Malformed("x-log-date must be like 20260101T000000Z"))?
        .timestamp();
    check_time(signed_at, now)?;
    let body = head
        .header("x-log-content-sha256")
        .ok_or(Denial::Malformed(
            "x-log-content-sha256 does not exist in http header when it is necessary",
        ))?;
    let request = head.signed(|request| sign::v4::canonical_request(request, body));
    let text = sign::v4::string_to_sign(&request, time, region);
    let expected = sign::v4::signature(&key.secret, time, region, &text);
    let is_good = is_equal(&expected, signature);
    if !is_good || time.split_once('T').map(|(day, _)| day) != Some(date) {
        return Err(Denial::Mismatch);
    }
    Ok(Proof {
        caller: Caller::Key(key),
        digest: Digest::Sha256(body),
    })
}

fn find<'a>(keys: &'a Keys, id: &str) -> Result<&'a AccessKey, Denial> {
    let shown = || id.chars().take(SHOWN_CHARACTERS).collect();
    keys.find(id).ok_or_else(|| Denial::UnknownKey(shown()))
}

/// Characters of a foreign text that an answer repeats.
const SHOWN_CHARACTERS: usize = 64;

fn check_time(request: Timestamp, server: Timestamp) -> Result<(), Denial> {
    let apart = request.as_second().abs_diff(server.as_second());
    if apart > WINDOW_S {
        return Err(Denial::Expired { request, server });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
