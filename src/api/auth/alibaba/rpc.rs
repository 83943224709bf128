//! RPC signature 1.0: HMAC-SHA1 over the parameters of query and form.
//!
//! Neither the path nor any header is signed, nor a body that is not a form.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::{nonce, time};
use crate::api::auth::control::{Claim, Denial, Window};
use crate::api::auth::digest::{hmac_sha1, is_equal};
use crate::api::auth::replay::Nonce;
use crate::api::auth::{Arrived, Secret, escape};

/// A request signed with RPC signature 1.0.
#[derive(Debug)]
pub(in crate::api::auth) struct Rpc<'a> {
    method: &'a str,
    parameters: BTreeMap<&'a str, &'a str>,
    key_id: &'a str,
    signature: &'a str,
    time: &'a str,
    nonce: &'a str,
}

impl<'a> Rpc<'a> {
    /// Reads what the scheme needs.
    ///
    /// # Errors
    /// A parameter is missing or names another method or version.
    pub(in crate::api::auth) fn read(arrived: &Arrived<'a>) -> Result<Self, Denial> {
        let parameters = arrived.merged();
        let some = |name| parameters.get(name).copied().filter(|it| !it.is_empty());
        let needed = |name| some(name).ok_or(Denial::MissingParam { name });
        // Empty with HMAC; BEARERTOKEN and PRIVATEKEY stand for other methods.
        if some("SignatureType").is_some() {
            return Err(Denial::Method);
        }
        let key_id = needed("AccessKeyId")?;
        let signature = needed("Signature")?;
        if !needed("SignatureMethod")?.eq_ignore_ascii_case("HMAC-SHA1") {
            return Err(Denial::Method);
        }
        if needed("SignatureVersion")? != "1.0" {
            let name = "SignatureVersion";
            return Err(Denial::InvalidParam { name });
        }
        Ok(Self {
            method: arrived.method,
            key_id,
            signature,
            time: needed("Timestamp")?,
            nonce: needed("SignatureNonce")?,
            parameters,
        })
    }
}

impl Claim for Rpc<'_> {
    fn key_id(&self) -> &str {
        self.key_id
    }

    fn signed_at(&self) -> Option<Timestamp> {
        time(self.time)
    }

    fn check(&self, secret: &Secret, _: &Window) -> Result<(), Denial> {
        let text = string_to_sign(self.method, &self.parameters);
        let key = format!("{}&", secret.expose());
        let expected = STANDARD.encode(hmac_sha1(key.as_bytes(), &[&text]));
        if !is_equal(&expected, self.signature) {
            return Err(Denial::mismatch(text));
        }
        Ok(())
    }

    fn token(&self) -> Option<&str> {
        self.parameters.get("SecurityToken").copied()
    }

    fn nonce(&self) -> Option<Nonce> {
        Some(nonce(self.nonce))
    }
}

/// Signs a request: adds to its parameters all that the scheme needs. A nonce
/// is used once.
pub fn sign_rpc(
    method: &str,
    parameters: &mut BTreeMap<String, String>,
    (key_id, secret): (&str, &Secret),
    token: Option<&Secret>,
    now: Timestamp,
    nonce: &str,
) {
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let of_scheme = [
        ("AccessKeyId", key_id),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", nonce),
        ("Timestamp", &time),
    ];
    let token = token.map(|token| ("SecurityToken", token.expose()));
    for (name, value) in of_scheme.into_iter().chain(token) {
        parameters.insert(name.to_owned(), value.to_owned());
    }
    let signed = parameters.iter();
    let signed = signed.map(|(name, value)| (name.as_str(), value.as_str()));
    let text = string_to_sign(method, &signed.collect());
    let key = format!("{}&", secret.expose());
    let signature = STANDARD.encode(hmac_sha1(key.as_bytes(), &[&text]));
    parameters.insert("Signature".to_owned(), signature);
}

/// What is signed: method, `/` and all parameters but `Signature`, sorted by
/// name, each escaped and the whole escaped once more.
fn string_to_sign(method: &str, parameters: &BTreeMap<&str, &str>) -> String {
    let mut text = format!("{method}&%2F&");
    let signed = parameters.iter().filter(|(name, _)| **name != "Signature");
    for (place, (name, value)) in signed.enumerate() {
        if place > 0 {
            text.push_str("%26");
        }
        escape::push_twice(&mut text, name.as_bytes());
        text.push_str("%3D");
        escape::push_twice(&mut text, value.as_bytes());
    }
    text
}
