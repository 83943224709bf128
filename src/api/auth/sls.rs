//! Signatures of SLS requests: `LOG ak:signature` (v1) and
//! `SLS4-HMAC-SHA256` (v4).
//!
//! A signature covers the head of a request and, through it, a digest of the
//! body, so that the head is judged before the body is read.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::{AccessKey, Caller, Keys};

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
            Self::Md5(said) => said.eq_ignore_ascii_case(&hex(&Md5::digest(body))),
            Self::Sha256(said) => said == hex(&Sha256::digest(body)),
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
    let mac = match head.header("x-log-signaturemethod") {
        Some("hmac-sha1") => hmac_sha1,
        Some("hmac-sha256") => hmac_sha256,
        _ => {
            let what = "x-log-signaturemethod must be hmac-sha1 or hmac-sha256";
            return Err(Denial::Malformed(what));
        }
    };
    let is_good = [false, true].into_iter().any(|with_date| {
        let text = string_to_sign_v1(head, with_date);
        let expected = mac(key.secret.expose().as_bytes(), text.as_bytes());
        expected.is_some_and(|expected| is_equal(&base64(&expected), signature))
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

/// What v1 signs: six lines, the last without its end.
pub(in crate::api) fn string_to_sign_v1(head: &Head<'_>, with_date: bool) -> String {
    let mut text = String::new();
    let line = |name| head.header(name).unwrap_or_default();
    let first = [
        head.method,
        line("content-md5"),
        line("content-type"),
        line("date"),
    ];
    for line in first {
        text.push_str(line);
        text.push('\n');
    }
    for (name, value) in signed_headers(head, is_service_header) {
        if with_date || name != "x-log-date" {
            text.extend([name, ":", value, "\n"]);
        }
    }
    text.push_str(head.path);
    let mut query: Vec<_> = head.query.iter().collect();
    query.sort();
    for (index, (name, value)) in query.into_iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.extend([name, "=", value]);
    }
    text
}

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
    let request = canonical_request_v4(head, body);
    let text = string_to_sign_v4(&request, time, scope);
    let expected = sign_v4(key.secret.expose(), date, region, &text);
    let is_good = expected.is_some_and(|expected| is_equal(&hex(&expected), signature));
    if !is_good || time.split_once('T').map(|(day, _)| day) != Some(date) {
        return Err(Denial::Mismatch);
    }
    Ok(Proof {
        caller: Caller::Key(key),
        digest: Digest::Sha256(body),
    })
}

/// What v4 takes a digest of.
pub(in crate::api) fn canonical_request_v4(head: &Head<'_>, body: &str) -> String {
    let mut query: Vec<_> = head.query.iter().collect();
    query.sort();
    let query = query.into_iter().map(|(name, value)| match value.as_str() {
        "" => name.clone(),
        value => format!("{name}={}", escape(value)),
    });
    let query = query.collect::<Vec<_>>().join("&");
    let is_signed = |name: &str| matches!(name, "content-type" | "host") || is_service_header(name);
    let headers = signed_headers(head, is_signed);
    let lines: String = headers
        .iter()
        .flat_map(|(name, value)| [name, ":", value, "\n"])
        .collect();
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let (method, path, names) = (head.method, head.path, names.join(";"));
    format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{body}")
}

/// What v4 signs.
pub(in crate::api) fn string_to_sign_v4(request: &str, time: &str, scope: &str) -> String {
    let request = hex(&Sha256::digest(request.as_bytes()));
    format!("SLS4-HMAC-SHA256\n{time}\n{scope}\n{request}")
}

/// The signature under a key derived for one day and region.
fn sign_v4(secret: &str, date: &str, region: &str, text: &str) -> Option<Vec<u8>> {
    let key = format!("aliyun_v4{secret}").into_bytes();
    [date, region, "sls", "aliyun_v4_request", text]
        .into_iter()
        .try_fold(key, |key, part| hmac_sha256(&key, part.as_bytes()))
}

/// Headers that a signature covers, by name.
fn signed_headers<'a>(
    head: &Head<'a>,
    is_signed: impl Fn(&str) -> bool,
) -> Vec<(&'a str, &'a str)> {
    let headers = head.headers.iter();
    let mut signed: Vec<_> = headers
        .filter(|(name, _)| is_signed(name))
        .map(|(name, value)| (name.as_str(), value.trim()))
        .collect();
    signed.sort_unstable();
    signed
}

/// Headers of the service itself; `x-log-meta-` is the user's.
fn is_service_header(name: &str) -> bool {
    let is_log = name.starts_with("x-log-") && !name.starts_with("x-log-meta-");
    is_log || name.starts_with("x-acs-")
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

/// Compares texts, not what they decode to: each octet of a signature counts.
fn is_equal(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

fn hmac_sha1(key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mac = Hmac::<Sha1>::new_from_slice(key).ok()?;
    Some(mac.chain_update(text).finalize().into_bytes().to_vec())
}

fn hmac_sha256(key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    Some(mac.chain_update(text).finalize().into_bytes().to_vec())
}

fn base64(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// RFC 3986 §2.3: all but the unreserved characters as `%XX`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(octet));
            }
            _ => escaped.push_str(&format!("%{octet:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
