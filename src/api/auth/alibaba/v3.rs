//! `ACS3-HMAC-SHA256`: over method, path, query, signed headers and body.

use jiff::Timestamp;

use super::{nonce, time};
use crate::api::auth::authorization::{Authorization, Headers};
use crate::api::auth::control::{Claim, Denial, Window};
use crate::api::auth::digest::{hex, hmac_sha256, is_equal, sha256_hex};
use crate::api::auth::replay::Nonce;
use crate::api::auth::{Arrived, Secret, escape};

/// The algorithm's name, which the string to sign begins with.
const NAME: &str = "ACS3-HMAC-SHA256";

/// What the server acts on and a signature therefore has to cover; beside
/// these the type of a body and the token, when there are such.
const REQUIRED: [&str; 6] = [
    "host",
    "x-acs-action",
    "x-acs-version",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-content-sha256",
];

/// A request signed with `ACS3-HMAC-SHA256`.
#[derive(Debug)]
pub(in crate::api::auth) struct V3<'a> {
    arrived: Arrived<'a>,
    authorization: Authorization<'a>,
    time: &'a str,
    nonce: &'a str,
}

impl<'a> V3<'a> {
    /// Reads what the scheme needs.
    ///
    /// # Errors
    /// The request is unsigned, signed with another algorithm, or lacks what
    /// Alibaba's older scheme has as a parameter.
    pub(in crate::api::auth) fn read(arrived: &Arrived<'a>) -> Result<Self, Denial> {
        let needed = |header, name| arrived.header(header).ok_or(Denial::MissingParam { name });
        if arrived.header("x-acs-bearer-token").is_some() {
            return Err(Denial::Method);
        }
        let header = needed("authorization", "AccessKeyId")?;
        let authorization = Authorization::read(header, NAME, "ACS3-")?;
        needed("x-acs-action", "Action")?;
        needed("x-acs-version", "Version")?;
        Ok(Self {
            arrived: *arrived,
            authorization,
            time: needed("x-acs-date", "Timestamp")?,
            nonce: needed("x-acs-signature-nonce", "SignatureNonce")?,
        })
    }

    /// Whether all that the server acts on is signed, and all that is said to
    /// be signed came.
    fn is_complete(&self, headers: &Headers<'_>) -> bool {
        let is_there = |name: &&str| headers.have([*name].into_iter());
        let has_body = !self.arrived.body.is_empty();
        let optional = [TOKEN]
            .into_iter()
            .chain(has_body.then_some("content-type"));
        let required: Vec<_> = optional.filter(is_there).chain(REQUIRED).collect();
        self.authorization.covers(&required) && headers.have(self.authorization.names())
    }
}

impl Claim for V3<'_> {
    fn key_id(&self) -> &str {
        self.authorization.credential
    }

    fn signed_at(&self) -> Option<Timestamp> {
        time(self.time)
    }

    fn check(&self, secret: &Secret, _: &Window) -> Result<(), Denial> {
        let headers = Headers::new(&self.arrived);
        let body = sha256_hex(self.arrived.body);
        let request = canonical_request(&self.arrived, &self.authorization, &headers, &body);
        let text = string_to_sign(&request);
        if !self.is_complete(&headers) {
            return Err(Denial::incomplete(text));
        }
        let expected = signature(secret, &text);
        let is_good = is_equal(&expected, self.authorization.signature);
        if !is_good || headers.value("x-acs-content-sha256") != body {
            return Err(Denial::mismatch(text));
        }
        Ok(())
    }

    fn token(&self) -> Option<&str> {
        self.arrived.header(TOKEN)
    }

    fn nonce(&self) -> Option<Nonce> {
        Some(nonce(self.nonce))
    }
}

/// Where the session token is.
const TOKEN: &str = "x-acs-security-token";

/// What is hashed: method, path, query, signed headers, their names, the
/// body's hash.
fn canonical_request(
    arrived: &Arrived<'_>,
    authorization: &Authorization<'_>,
    headers: &Headers<'_>,
    body_sha256: &str,
) -> String {
    let mut text = format!("{}\n{}\n", arrived.method, arrived.path);
    push_query(&mut text, arrived.raw_query);
    text.push('\n');
    for name in authorization.names() {
        text.push_str(name);
        text.push(':');
        text.push_str(&headers.value(name));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(authorization.signed_headers);
    text.push('\n');
    text.push_str(body_sha256);
    text
}

/// Appends the query unescaped, sorted and escaped again: on the wire it may
/// have `+` where `%20` is signed. Every one of several alike is signed.
fn push_query(text: &mut String, query: &str) {
    // Half an escape stands for itself; a front has refused it before.
    let plain = |text: &str| escape::unescaped(text).unwrap_or_else(|| text.as_bytes().to_vec());
    let pairs = escape::pairs(query).map(|(name, value)| (plain(name), plain(value)));
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable();
    for (place, (name, value)) in pairs.iter().enumerate() {
        if place > 0 {
            text.push('&');
        }
        escape::push(text, name);
        text.push('=');
        escape::push(text, value);
    }
}

/// What is signed: the algorithm's name and the request's hash.
fn string_to_sign(canonical_request: &str) -> String {
    format!("{NAME}\n{}", sha256_hex(canonical_request.as_bytes()))
}

/// The secret is the key as it is: nothing is derived from it.
fn signature(secret: &Secret, text: &str) -> String {
    hex(&hmac_sha256(secret.expose().as_bytes(), &[text]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::auth::tests::{Sample, lines};

    #[test]
    fn canonical_requests_are_those_of_the_vectors() {
        let mut vectors = lines(include_str!("../testdata/control/vectors.jsonl"));
        vectors.retain(|vector| vector["scheme"] == "acs3");
        assert_eq!(vectors.len(), 7);
        for vector in vectors {
            let request = Sample::of(&vector).arrived(|arrived| {
                let headers = Headers::new(arrived);
                let header = arrived.header("authorization").unwrap();
                let authorization = Authorization::read(header, NAME, "ACS3-").unwrap();
                let body = sha256_hex(arrived.body);
                canonical_request(arrived, &authorization, &headers, &body)
            });
            let request = request.unwrap();
            assert_eq!(request, vector["canonical_request"]);
            assert_eq!(string_to_sign(&request), vector["string_to_sign"]);
        }
    }
}
