//! The signature of API 2.0, which API 3.0 still takes: HmacSHA1 or HmacSHA256
//! over method, host, path and parameters.
//!
//! Values are signed as they are, so that `a=1&b=2` in a value and two
//! parameters are one text, as are `_` and `.` in names. That lies in the
//! scheme; TC3 is without it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::{V2_PATH, time};
use crate::api::auth::control::{Claim, Denial, Window};
use crate::api::auth::digest::{hmac_sha1, hmac_sha256, is_equal};
use crate::api::auth::replay::Nonce;
use crate::api::auth::{Arrived, Secret};

/// A request signed with HmacSHA1 or HmacSHA256.
#[derive(Debug)]
pub(in crate::api::auth) struct Old<'a> {
    arrived: Arrived<'a>,
    parameters: BTreeMap<&'a str, &'a str>,
    algorithm: Algorithm,
    key_id: &'a str,
    signature: &'a str,
    time: &'a str,
    nonce: &'a str,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Algorithm {
    HmacSha1,
    HmacSha256,
}

impl<'a> Old<'a> {
    /// Reads what the scheme needs.
    ///
    /// # Errors
    /// A parameter is missing, the method is another, the nonce no number.
    pub(in crate::api::auth) fn read(arrived: &Arrived<'a>) -> Result<Self, Denial> {
        let parameters = arrived.merged();
        let some = |name| parameters.get(name).copied().filter(|it| !it.is_empty());
        let needed = |name| some(name).ok_or(Denial::MissingParam { name });
        let key_id = needed("SecretId")?;
        let signature = needed("Signature")?;
        let algorithm = match some("SignatureMethod") {
            None | Some("HmacSHA1") => Algorithm::HmacSha1,
            Some("HmacSHA256") => Algorithm::HmacSha256,
            Some(_) => return Err(Denial::Method),
        };
        // Python's goes up to 2^63 - 1.
        let nonce = needed("Nonce")?;
        if nonce.parse::<u64>().is_err() {
            return Err(Denial::InvalidParam { name: "Nonce" });
        }
        Ok(Self {
            arrived: *arrived,
            algorithm,
            key_id,
            signature,
            time: needed("Timestamp")?,
            nonce,
            parameters,
        })
    }

    /// What clients may have made of the parameters, the documented way first.
    ///
    /// On POST, clients of API 2.0 leave out values that begin with `@`, which
    /// once were files. Such a value is then not protected, but cannot take the
    /// place of a signed one either.
    fn texts(&self) -> Vec<String> {
        let all = || self.parameters.iter().map(|(name, value)| (*name, *value));
        let signed = || all().filter(|(name, _)| *name != "Signature");
        let is_file = |(_, value): &(&str, &str)| value.starts_with('@');
        let mut texts = Vec::new();
        let mut add = |parameters: &[(&str, &str)]| {
            for spelling in Spelling::ALL {
                let text = spelling.text(parameters);
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
        };
        add(&signed().collect::<Vec<_>>());
        let may_have_files = self.arrived.path == V2_PATH && self.arrived.method == "POST";
        if may_have_files && signed().any(|pair| is_file(&pair)) {
            let without_files = signed().filter(|pair| !is_file(pair));
            add(&without_files.collect::<Vec<_>>());
        }
        texts
    }

    /// Under what name the client may know this server: its `Host`, that
    /// without the port, the aliases.
    fn hosts<'b>(&'b self, window: &'b Window) -> Vec<&'b str> {
        let sent = self.arrived.header("host");
        let without_port = sent.and_then(|host| {
            let (name, port) = host.rsplit_once(':')?;
            let is_port = !port.is_empty() && port.bytes().all(|octet| octet.is_ascii_digit());
            is_port.then_some(name)
        });
        let aliases = window.hosts.iter().map(String::as_str);
        let sent = sent.into_iter().chain(without_port);
        sent.chain(aliases).collect()
    }

    fn signature(&self, secret: &Secret, host: &str, text: &str) -> String {
        let key = secret.expose().as_bytes();
        let parts = [self.arrived.method, host, self.arrived.path, "?", text];
        STANDARD.encode(match self.algorithm {
            Algorithm::HmacSha1 => hmac_sha1(key, &parts),
            Algorithm::HmacSha256 => hmac_sha256(key, &parts),
        })
    }
}

impl Claim for Old<'_> {
    fn key_id(&self) -> &str {
        self.key_id
    }

    fn signed_at(&self) -> Option<Timestamp> {
        time(self.time)
    }

    fn check(&self, secret: &Secret, window: &Window) -> Result<(), Denial> {
        let texts = self.texts();
        let hosts = self.hosts(window);
        let mut ways = texts
            .iter()
            .flat_map(|text| hosts.iter().map(move |host| (host, text)));
        let is_good = ways.any(|(host, text)| {
            let expected = self.signature(secret, host, text);
            is_equal(&expected, self.signature)
        });
        if !is_good {
            let host = hosts.first().copied().unwrap_or_default();
            let text = texts.first().map_or("", String::as_str);
            let (method, path) = (self.arrived.method, self.arrived.path);
            return Err(Denial::mismatch(format!("{method}{host}{path}?{text}")));
        }
        Ok(())
    }

    fn token(&self) -> Option<&str> {
        self.parameters.get("Token").copied()
    }

    /// With the time: Node's nonces are below 65 536.
    fn nonce(&self) -> Option<Nonce> {
        Some(Nonce::new(&["tencent", self.nonce, self.time]))
    }
}

/// What becomes of `_` in names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Spelling {
    /// `.` takes its place, then names are sorted.
    Documented,
    /// Names are sorted, then `.` takes its place: the SDK for Python.
    Python,
    /// As Python's, but a name that begins with `_` keeps all of them: the SDK
    /// for Node.
    Node,
}

impl Spelling {
    const ALL: [Self; 3] = [Self::Documented, Self::Python, Self::Node];

    /// Names and values as they are signed; the parameters come sorted by name.
    fn text(self, parameters: &[(&str, &str)]) -> String {
        let parameters = parameters.iter();
        let mut parameters: Vec<_> = parameters
            .map(|(name, value)| (self.name(name), *value))
            .collect();
        if self == Self::Documented {
            parameters.sort();
        }
        let mut text = String::new();
        for (place, (name, value)) in parameters.iter().enumerate() {
            if place > 0 {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        text
    }

    fn name(self, name: &str) -> Cow<'_, str> {
        if !name.contains('_') || self == Self::Node && name.starts_with('_') {
            Cow::Borrowed(name)
        } else {
            Cow::Owned(name.replace('_', "."))
        }
    }
}
