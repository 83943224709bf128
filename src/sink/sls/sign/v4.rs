//! Version 4: `Authorization: SLS4-HMAC-SHA256 Credential=…,Signature=…`.
//!
//! The header does not say which headers were signed: content type, host and
//! all of the service's are, so that one more of these breaks a signature.

use std::borrow::Cow;

use super::Unsigned;
use super::hex;
use super::is_of_service;
use super::sha256_hex;
use super::v1::hmac_sha256;
use super::v1::written;
use crate::sink::sls::credentials::Secret;

/// The scheme's name in the `Authorization` header.
pub const NAME: &str = "SLS4-HMAC-SHA256";

/// `x-log-content-sha256` of a body: hex in lower case.
pub fn content_sha256(body: &[u8]) -> String {
    sha256_hex(body)
}

/// The `x-log-date` of a time in seconds since 1970.
pub fn date(unix_s: u64) -> String {
    written(unix_s, "%Y%m%dT%H%M%SZ")
}

/// What a key derived from `date` and `region` is good for.
pub fn scope(date: &str, region: &str) -> String {
    format!("{}/{region}/{SERVICE}/{REQUEST}", day(date))
}

/// What is hashed: method, path, query, signed headers, their names, content hash.
pub fn canonical_request(request: &Unsigned<'_>, content_sha256: &str) -> String {
    let mut headers: Vec<(String, &str)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .filter(|(name, _)| is_signed(name))
        .collect();
    headers.sort_unstable();
    let mut text = format!("{}\n{}\n", request.method, request.path);
    push_query(&mut text, request.query);
    text.push('\n');
    for (name, value) in &headers {
        text.push_str(name);
        text.push(':');
        text.push_str(value);
        text.push('\n');
    }
    text.push('\n');
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    text.push_str(&names.join(";"));
    text.push('\n');
    text.push_str(content_sha256);
    text
}

/// What is signed: the scheme, the date, the scope and the request's hash.
pub fn string_to_sign(canonical_request: &str, date: &str, region: &str) -> String {
    let hash = sha256_hex(canonical_request.as_bytes());
    format!("{NAME}\n{date}\n{}\n{hash}", scope(date, region))
}

/// The signature of a string to sign: hex in lower case.
///
/// `date` is the `x-log-date`, whose day the key is derived for.
pub fn signature(secret: &Secret, date: &str, region: &str, to_sign: &str) -> String {
    let first = format!("aliyun_v4{}", secret.expose()).into_bytes();
    let steps = [day(date), region, SERVICE, REQUEST];
    let key = steps
        .into_iter()
        .fold(first, |key, step| hmac_sha256(&key, step.as_bytes()));
    hex(&hmac_sha256(&key, to_sign.as_bytes()))
}

/// Percent-encoding of RFC 3986, which leaves letters, digits and `-_.~` alone.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.~".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            encoded.push('%');
            encoded.push_str(&hex(&[octet]).to_ascii_uppercase());
        }
    }
    encoded
}

/// Appends the query sorted by name; an empty value loses its `=`.
///
/// Only values are encoded: the Go SDK's vectors have plain names.
fn push_query(text: &mut String, query: &[(Cow<'_, str>, Cow<'_, str>)]) {
    let mut sorted: Vec<_> = query.iter().collect();
    sorted.sort_unstable();
    for (place, (name, value)) in sorted.into_iter().enumerate() {
        if place > 0 {
            text.push('&');
        }
        text.push_str(name);
        if !value.is_empty() {
            text.push('=');
            text.push_str(&percent_encoded(value));
        }
    }
}

fn is_signed(name: &str) -> bool {
    ["content-type", "host"].contains(&name) || is_of_service(name)
}

/// The day of an `x-log-date`, which a hostile request may have cut short.
fn day(date: &str) -> &str {
    date.get(..8).unwrap_or(date)
}

const SERVICE: &str = "sls";
const REQUEST: &str = "aliyun_v4_request";
