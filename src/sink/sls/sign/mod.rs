//! Signatures of the SLS API, version 4 and version 1: pure functions.
//!
//! A client signs with [`v4()`] or [`v1()`]. A server that checks a signature
//! takes the headers as they came and calls the same steps:
//! [`v4::canonical_request`], [`v4::string_to_sign`] and [`v4::signature`], or
//! [`v1::string_to_sign`] and [`v1::signature`].
//!
//! Written after the vendor's SDKs, and reproduces their vectors (spec sls.md §1).

pub mod v1;
pub mod v4;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Write;

use md5::Digest;
use md5::Md5;
use sha2::Sha256;

use super::credentials::Credentials;
#[cfg(test)]
use super::credentials::Secret;

/// What of a request goes into its signature.
#[derive(Clone, Copy, Debug)]
pub struct Unsigned<'a> {
    /// In capitals.
    pub method: &'a str,
    /// As it stands on the wire, without query.
    pub path: &'a str,
    /// Decoded names and values, in any order.
    pub query: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// Names in any case, in any order, `Host` among them; each name once.
    pub headers: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// As it is sent: compressed.
    pub body: &'a [u8],
}

/// Headers that make a request a signed one, to be sent with its own.
pub type Headers = Vec<(&'static str, String)>;

/// How requests are signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// Version 4, bound to a region and a day.
    V4 {
        /// Such as `cn-hangzhou`.
        region: String,
    },
    /// Version 1, for endpoints whose region is not known.
    V1(v1::Algorithm),
}

impl Scheme {
    /// Version 4 if the region is known, otherwise version 1.
    pub fn of_region(region: Option<&str>) -> Self {
        match region {
            Some(region) => Self::V4 {
                region: region.to_owned(),
            },
            None => Self::V1(v1::Algorithm::HmacSha1),
        }
    }

    /// The headers that sign a request at `unix_s`, in seconds.
    pub fn sign(&self, request: &Unsigned<'_>, by: &Credentials, unix_s: u64) -> Headers {
        match self {
            Self::V4 { region } => v4(request, by, region, unix_s),
            Self::V1(algorithm) => v1(request, by, *algorithm, unix_s),
        }
    }
}

/// Signs a request with version 4, at `unix_s` seconds, for a region.
pub fn v4(request: &Unsigned<'_>, by: &Credentials, region: &str, unix_s: u64) -> Headers {
    let date = v4::date(unix_s);
    let content = v4::content_sha256(request.body);
    let mut added = vec![
        ("x-log-date", date.clone()),
        ("x-log-content-sha256", content.clone()),
    ];
    added.extend(token(by));
    let headers = with(request.headers, &added);
    let request = Unsigned {
        headers: &headers,
        ..*request
    };
    let canonical = v4::canonical_request(&request, &content);
    let to_sign = v4::string_to_sign(&canonical, &date, region);
    let signature = v4::signature(&by.secret, &date, region, &to_sign);
    let scope = v4::scope(&date, region);
    let authorization = format!(
        "{} Credential={}/{scope},Signature={signature}",
        v4::NAME,
        by.key_id
    );
    added.push(("authorization", authorization));
    added
}

/// Signs a request with version 1, at `unix_s` seconds.
pub fn v1(
    request: &Unsigned<'_>,
    by: &Credentials,
    algorithm: v1::Algorithm,
    unix_s: u64,
) -> Headers {
    let mut added = vec![
        ("x-log-signaturemethod", algorithm.name().to_owned()),
        ("date", v1::date(unix_s)),
    ];
    if !request.body.is_empty() {
        added.push(("content-md5", content_md5(request.body)));
    }
    added.extend(token(by));
    let headers = with(request.headers, &added);
    let request = Unsigned {
        headers: &headers,
        ..*request
    };
    let to_sign = v1::string_to_sign(&request, v1::LogDate::Signed);
    let signature = v1::signature(&by.secret, algorithm, &to_sign);
    added.push(("authorization", format!("LOG {}:{signature}", by.key_id)));
    added
}

/// `Content-MD5` as SLS wants it: hex in capitals, not base64.
pub fn content_md5(body: &[u8]) -> String {
    let mut text = hex(&Md5::digest(body));
    text.make_ascii_uppercase();
    text
}

fn token(by: &Credentials) -> Option<(&'static str, String)> {
    let token = by.token.as_ref()?;
    Some(("x-acs-security-token", token.expose().to_owned()))
}

fn with<'a>(
    headers: &[(Cow<'a, str>, Cow<'a, str>)],
    added: &'a [(&'static str, String)],
) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let added = added
        .iter()
        .map(|(name, value)| (Cow::from(*name), Cow::from(value.as_str())));
    headers.iter().cloned().chain(added).collect()
}

/// The value of a header; empty if there is none.
fn header<'a>(request: &'a Unsigned<'_>, wanted: &str) -> &'a str {
    let found = request
        .headers
        .iter()
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
    found.map_or("", |(_, value)| value)
}

/// Whether a header is one of SLS's own, which every version signs.
///
/// `x-log-meta-*` are not signed: intermediaries add them.
fn is_of_service(name: &str) -> bool {
    let is_log = name.starts_with("x-log-") && !name.starts_with("x-log-meta-");
    is_log || name.starts_with("x-acs-")
}

fn sha256_hex(octets: &[u8]) -> String {
    hex(&Sha256::digest(octets))
}

/// Octets as hex digits in lower case.
fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
