//! Version 1: `Authorization: LOG {key id}:{base64 signature}`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use jiff::Timestamp;
use sha1::Sha1;
use sha2::Sha256;

use super::Unsigned;
use super::header;
use super::is_of_service;
use crate::sink::sls::credentials::Secret;

/// Which hash is used; `x-log-signaturemethod` says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// What most SDKs use.
    HmacSha1,
    /// What `alibabacloud-sls20201230` uses.
    HmacSha256,
}

impl Algorithm {
    /// The name as the header has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
        }
    }

    /// The algorithm a header names.
    pub fn of_name(name: &str) -> Option<Self> {
        let known = [Self::HmacSha1, Self::HmacSha256];
        known.into_iter().find(|known| known.name() == name)
    }
}

/// Whether `x-log-date` was there when the request was signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogDate {
    /// It counts as any header of the service.
    Signed,
    /// It was added afterwards: what the Python SDK does.
    Unsigned,
}

/// What is signed: lines of method, MD5, type, date, service headers, resource.
///
/// Values of the query go in decoded, sorted by name.
pub fn string_to_sign(request: &Unsigned<'_>, log_date: LogDate) -> String {
    let mut text = String::new();
    for line in [
        request.method,
        header(request, "content-md5"),
        header(request, "content-type"),
        header(request, "date"),
    ] {
        text.push_str(line);
        text.push('\n');
    }
    let mut headers: Vec<(String, &str)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.as_ref()))
        .filter(|(name, _)| is_of_service(name))
        .filter(|(name, _)| log_date == LogDate::Signed || name != "x-log-date")
        .collect();
    headers.sort_unstable();
    for (name, value) in headers {
        text.push_str(&name);
        text.push(':');
        text.push_str(value);
        text.push('\n');
    }
    text.push_str(request.path);
    let mut query: Vec<_> = request.query.iter().collect();
    query.sort_unstable();
    for (place, (name, value)) in query.into_iter().enumerate() {
        text.push(if place == 0 { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// The signature of a string to sign, in base64.
pub fn signature(secret: &Secret, algorithm: Algorithm, to_sign: &str) -> String {
    let key = secret.expose().as_bytes();
    match algorithm {
        Algorithm::HmacSha1 => STANDARD.encode(hmac_sha1(key, to_sign.as_bytes())),
        Algorithm::HmacSha256 => STANDARD.encode(hmac_sha256(key, to_sign.as_bytes())),
    }
}

/// The `Date` header of a time in seconds since 1970.
pub fn date(unix_s: u64) -> String {
    written(unix_s, "%a, %d %b %Y %H:%M:%S GMT")
}

/// A time as a format writes it, in UTC; times after the year 9999 stop there.
pub(super) fn written(unix_s: u64, format: &str) -> String {
    let second = i64::try_from(unix_s).unwrap_or(i64::MAX);
    let time = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    time.strftime(format).to_string()
}

fn hmac_sha1(key: &[u8], text: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length")
    };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

pub(super) fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length")
    };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}
