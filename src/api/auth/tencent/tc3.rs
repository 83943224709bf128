//! `TC3-HMAC-SHA256`: over method, path, query, signed headers and body.
//!
//! The SDKs sign type and host alone: action, version, region and token are
//! not protected, and there is no nonce.

use jiff::Timestamp;

use super::time;
use crate::api::auth::authorization::{Authorization, Headers};
use crate::api::auth::control::{Claim, Denial, Window};
use crate::api::auth::digest::{hex, hmac_sha256, is_equal, sha256_hex};
use crate::api::auth::replay::Nonce;
use crate::api::auth::{Arrived, Secret};

/// The algorithm's name, which the string to sign begins with.
const NAME: &str = "TC3-HMAC-SHA256";

/// The product whose signatures are taken.
const SERVICE: &str = "vpc";

const REQUIRED: [&str; 2] = ["content-type", "host"];

/// What a client hashes that leaves its body unsigned, and then says so.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// A request signed with `TC3-HMAC-SHA256`.
#[derive(Debug)]
pub(in crate::api::auth) struct Tc3<'a> {
    arrived: Arrived<'a>,
    authorization: Authorization<'a>,
    key_id: &'a str,
    /// What the signing key is good for, as the request has it.
    scope: &'a str,
    time: &'a str,
}

impl<'a> Tc3<'a> {
    /// Reads what the scheme needs.
    ///
    /// # Errors
    /// The request is unsigned, signed with another algorithm, or has no time.
    pub(in crate::api::auth) fn read(arrived: &Arrived<'a>) -> Result<Self, Denial> {
        let needed = |header, name| arrived.header(header).ok_or(Denial::MissingParam { name });
        let header = needed("authorization", "Authorization")?;
        let authorization = Authorization::read(header, NAME, "TC3-")?;
        let credential = authorization.credential.split_once('/');
        let (key_id, scope) = credential.ok_or(Denial::Malformed)?;
        Ok(Self {
            arrived: *arrived,
            authorization,
            key_id,
            scope,
            time: needed("x-tc-timestamp", "X-TC-Timestamp")?,
        })
    }

    /// The string to sign, with the date and the service as the server has
    /// them, so that a key of another day or product signs something else.
    fn string_to_sign(&self, headers: &Headers<'_>, case: Case, scope: &Scope) -> String {
        let request = canonical_request(&self.arrived, &self.authorization, headers, case);
        string_to_sign(self.time, &scope.text(), &request)
    }
}

impl Claim for Tc3<'_> {
    fn key_id(&self) -> &str {
        self.key_id
    }

    fn signed_at(&self) -> Option<Timestamp> {
        time(self.time)
    }

    fn check(&self, secret: &Secret, _: &Window) -> Result<(), Denial> {
        let headers = Headers::new(&self.arrived);
        let scope = Scope::at(self.signed_at().ok_or(Denial::TimeFormat)?);
        let text = self.string_to_sign(&headers, Case::AsSent, &scope);
        let names = self.authorization.names();
        if !self.authorization.covers(&REQUIRED) || !headers.have(names) {
            return Err(Denial::incomplete(text));
        }
        let key = scope.key(secret);
        let is_signature = |text: &str| {
            let expected = signature(&key, text);
            is_equal(&expected, self.authorization.signature)
        };
        let is_good = is_signature(&text)
            || is_signature(&self.string_to_sign(&headers, Case::Lower, &scope));
        if !is_good || self.scope != scope.text() {
            return Err(Denial::mismatch(text));
        }
        Ok(())
    }

    fn token(&self) -> Option<&str> {
        self.arrived.header("x-tc-token")
    }

    fn nonce(&self) -> Option<Nonce> {
        None
    }
}

/// What a signing key is good for.
#[derive(Debug)]
struct Scope {
    /// Such as `2026-01-02`, in UTC.
    date: String,
    service: &'static str,
}

impl Scope {
    fn at(time: Timestamp) -> Self {
        Self {
            date: time.strftime("%Y-%m-%d").to_string(),
            service: SERVICE,
        }
    }

    fn text(&self) -> String {
        format!("{}/{}/{REQUEST}", self.date, self.service)
    }

    fn key(&self, secret: &Secret) -> Vec<u8> {
        let first = format!("TC3{}", secret.expose()).into_bytes();
        let steps = [self.date.as_str(), self.service, REQUEST].into_iter();
        steps.fold(first, |key, step| hmac_sha256(&key, &[step]))
    }
}

const REQUEST: &str = "tc3_request";

/// How type and host are signed.
///
/// The documentation has all values in lower case, the SDKs leave these two as
/// they are: that shows when a host or a boundary has capitals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Case {
    AsSent,
    Lower,
}

/// What is hashed: method, path, query as sent, signed headers, their names,
/// the body's hash.
fn canonical_request(
    arrived: &Arrived<'_>,
    authorization: &Authorization<'_>,
    headers: &Headers<'_>,
    case: Case,
) -> String {
    let mut text = format!(
        "{}\n{}\n{}\n",
        arrived.method, arrived.path, arrived.raw_query
    );
    for name in authorization.names() {
        let value = headers.value(name);
        text.push_str(name);
        text.push(':');
        if case == Case::AsSent && REQUIRED.contains(&name) {
            text.push_str(&value);
        } else {
            text.push_str(&value.to_lowercase());
        }
        text.push('\n');
    }
    text.push('\n');
    text.push_str(authorization.signed_headers);
    text.push('\n');
    let payload = match arrived.header("x-tc-content-sha256") {
        Some(UNSIGNED_PAYLOAD) => UNSIGNED_PAYLOAD.as_bytes(),
        Some(_) | None => arrived.body,
    };
    text.push_str(&sha256_hex(payload));
    text
}

/// What is signed: the algorithm's name, the time, the scope, the request's hash.
fn string_to_sign(time: &str, scope: &str, canonical_request: &str) -> String {
    let hash = sha256_hex(canonical_request.as_bytes());
    format!("{NAME}\n{time}\n{scope}\n{hash}")
}

fn signature(key: &[u8], text: &str) -> String {
    hex(&hmac_sha256(key, &[text]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::auth::tests::{Sample, lines};

    /// With a derived key where the vendor publishes no other.
    fn key(vector: &serde_json::Value, scope: &Scope) -> Vec<u8> {
        if let Some(secret) = vector["secret"].as_str() {
            return scope.key(&Secret::new(secret));
        }
        let digits = vector["signing_key"].as_str().unwrap().as_bytes();
        let (pairs, _) = digits.as_chunks::<2>();
        let text = |pair| std::str::from_utf8(pair).unwrap();
        let octets = pairs.iter().map(|pair| u8::from_str_radix(text(pair), 16));
        octets.map(Result::unwrap).collect()
    }

    /// Of the vendor's, too, which are signed for another product.
    #[test]
    fn each_step_is_that_of_the_vectors() {
        let mut vectors = lines(include_str!("../testdata/control/vectors.jsonl"));
        vectors.retain(|vector| vector["scheme"] == "tc3");
        assert_eq!(vectors.len(), 4);
        for vector in vectors {
            let asked = Sample::of(&vector).arrived(|arrived| {
                let claim = Tc3::read(arrived).unwrap();
                let headers = Headers::new(arrived);
                let case = Case::AsSent;
                let request = canonical_request(arrived, &claim.authorization, &headers, case);
                let is_ours = claim.scope.contains("/vpc/");
                let scope = Scope {
                    service: if is_ours { SERVICE } else { "cvm" },
                    ..Scope::at(claim.signed_at().unwrap())
                };
                assert_eq!(scope.text(), claim.scope);
                let text = string_to_sign(claim.time, claim.scope, &request);
                (request, text, scope)
            });
            let (request, text, scope) = asked.unwrap();
            assert_eq!(request, vector["canonical_request"]);
            assert_eq!(text, vector["string_to_sign"]);
            assert_eq!(signature(&key(&vector, &scope), &text), vector["signature"]);
        }
    }
}
