//! Signatures that the vendor's own code computed.

use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::api::auth::{Pattern, Permission, Secret};

/// Ours, by the Python SDK's code under a pinned clock, and the vendor's.
struct Vector {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    keys: Keys,
    now: Timestamp,
}

impl Vector {
    fn head(&self) -> Head<'_> {
        Head {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
        }
    }

    fn verify(&self) -> Result<Proof<'_>, Denial> {
        verify(&self.head(), &self.keys, self.now)
    }

    fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

fn vectors() -> Option<Value> {
    let near = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures");
    let folder = std::env::var_os("FLOWLOGD_FIXTURES").map_or(near, PathBuf::from);
    let path = folder.join("sls/signature_vectors.json");
    match std::fs::read(&path) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(_) => {
            println!("skipped: no signature vectors in {}", path.display());
            None
        }
    }
}

const OURS: [&str; 6] = [
    "v1_putlogs_lb",
    "v1_putlogs_route_sts",
    "v1_getlogs_get",
    "v4_putlogs_lb",
    "v4_putlogs_route_sts",
    "v4_getlogs_get",
];

fn pairs(object: &Value) -> Vec<(String, String)> {
    let members = object.as_object().unwrap().iter();
    members
        .map(|(name, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), value)
        })
        .collect()
}

fn keys(id: &Value, secret: &Value) -> Keys {
    Keys::new([AccessKey {
        id: id.as_str().unwrap().to_owned(),
        secret: Secret::new(secret.as_str().unwrap().to_owned()),
        projects: vec![Pattern::new("*")],
        permission: Permission::ReadWrite,
    }])
}

fn vector(all: &Value, name: &str) -> Vector {
    let one = &all[name];
    let headers = pairs(&one["headers_after_sign"]).into_iter();
    Vector {
        method: one["method"].as_str().unwrap().to_owned(),
        path: one["resource"].as_str().unwrap().to_owned(),
        query: pairs(&one["params"]),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect(),
        keys: keys(&all["access_key_id"], &all["access_key_secret"]),
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

#[test]
fn our_vectors_verify_and_are_canonicalised_alike() {
    let Some(all) = vectors() else {
        return;
    };
    for name in OURS {
        let vector = vector(&all, name);
        assert!(vector.verify().is_ok(), "{name}");
        let head = vector.head();
        let said = |what: &str| all[name][what].as_str().unwrap_or_default();
        if name.starts_with("v1") {
            assert_eq!(
                head.signed(|request| sign::v1::string_to_sign(
                    request,
                    sign::v1::LogDate::Unsigned
                )),
                said("string_to_sign")
            );
        } else {
            let body = head.header("x-log-content-sha256").unwrap();
            let request = head.signed(|request| sign::v4::canonical_request(request, body));
            assert_eq!(request, said("canonical_request"));
            let text = sign::v4::string_to_sign(&request, "20260101T000000Z", "cn-hangzhou");
            assert_eq!(text, said("string_to_sign"));
        }
    }
}

/// The body is in the digest, and the digest is in the signature.
#[test]
fn a_signature_holds_for_one_body() {
    let Some(all) = vectors() else {
        return;
    };
    let digits = all["lz4_block_hex"].as_str().unwrap().as_bytes();
    let body: Vec<_> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    for name in OURS {
        let vector = vector(&all, name);
        let digest = vector.verify().unwrap().digest;
        let body = if vector.method == "GET" {
            &[][..]
        } else {
            &body
        };
        assert_eq!(digest.check(body), Ok(()), "{name}");
        let mut longer = body.to_vec();
        longer.push(0);
        assert_eq!(digest.check(&longer), Err(Denial::BodyMismatch), "{name}");
    }
}

#[test]
fn the_vendors_v1_vector_verifies() {
    let Some(all) = vectors() else {
        return;
    };
    let one = &all["go_sdk_official_v1_vector"];
    let signature = one["signature"].as_str().unwrap();
    let headers = pairs(&one["headers"]).into_iter();
    let vector = Vector {
        method: one["method"].as_str().unwrap().to_owned(),
        path: one["resource"].as_str().unwrap().to_owned(),
        query: Vec::new(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect(),
        keys: keys(&one["ak"], &one["sk"]),
        // That day was no Monday; the vendor's date says it was.
        now: "2010-01-03T08:40:00Z".parse().unwrap(),
    };
    let vector = vector.with_header("authorization", &format!("LOG mockAccessKeyID:{signature}"));
    assert!(vector.verify().is_ok());
    assert_eq!(vector.verify().unwrap().digest, Digest::Empty);
}

#[test]
fn the_vendors_v4_vectors_verify() {
    let Some(all) = vectors() else {
        return;
    };
    let all = &all["go_sdk_official_v4_vectors"];
    let body = all["body"].as_str().unwrap().as_bytes();
    let date = all["date"].as_str().unwrap();
    let full = &all["case1"];
    let bare = &all["case2_no_params_no_headers"];
    for (one, body) in [(full, body), (bare, body)] {
        let region = one["region"].as_str().unwrap();
        let signature = one["signature"].as_str().unwrap();
        let has_headers = one["headers"].is_object();
        let headers = if has_headers {
            pairs(&one["headers"])
        } else {
            Vec::new()
        };
        let query = if has_headers {
            pairs(&one["params"])
        } else {
            Vec::new()
        };
        let mut headers: Vec<_> = headers
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .filter(|(name, _)| name != "x-log-date")
            .collect();
        headers.push(("x-log-date".to_owned(), date.to_owned()));
        let vector = Vector {
            method: "POST".to_owned(),
            path: all["uri"].as_str().unwrap().to_owned(),
            query,
            headers,
            keys: keys(&all["ak"], &all["sk"]),
            now: "2022-08-08T03:30:00Z".parse().unwrap(),
        };
        let claim = format!(
            "SLS4-HMAC-SHA256 Credential=acsddda21dsd/20220808/{region}/sls/aliyun_v4_request,Signature={signature}"
        );
        let digest = sign::v4::content_sha256(body);
        let vector = vector
            .with_header("x-log-content-sha256", &digest)
            .with_header("authorization", &claim);
        assert!(vector.verify().is_ok(), "{region}");
    }
}

#[test]
fn each_octet_of_what_is_signed_counts() {
    let Some(all) = vectors() else {
        return;
    };
    for name in OURS {
        let is_v1 = name.starts_with("v1");
        let count = vector(&all, name).headers.len();
        for index in 0..count {
            let mut changed = vector(&all, name);
            let (header, value) = changed.headers[index].clone();
            // Python adds this one after it has signed; v1 has no Host.
            if is_v1 && (header == "x-log-date" || header == "host") {
                continue;
            }
            for octet in 0..value.len() {
                let mut octets = value.as_bytes().to_vec();
                octets[octet] ^= 1;
                changed.headers[index].1 = String::from_utf8(octets).unwrap();
                assert!(changed.verify().is_err(), "{name} {header} {octet}");
            }
        }
        for index in 0..vector(&all, name).query.len() {
            let mut changed = vector(&all, name);
            changed.query[index].1.push('x');
            assert_eq!(changed.verify().map(|_| ()), Err(Denial::Mismatch));
        }
        let mut changed = vector(&all, name);
        changed.method = "PUT".to_owned();
        assert_eq!(changed.verify().map(|_| ()), Err(Denial::Mismatch));
        let added = vector(&all, name).with_header("x-acs-added", "1");
        assert_eq!(added.verify().map(|_| ()), Err(Denial::Mismatch));
    }
}

/// Some clients sign `x-log-date` in v1, Python does not.
#[test]
fn v1_is_good_with_the_date_signed_and_without() {
    let Some(all) = vectors() else {
        return;
    };
    let mut vector = vector(&all, "v1_putlogs_lb");
    let text = vector
        .head()
        .signed(|request| sign::v1::string_to_sign(request, sign::v1::LogDate::Signed));
    assert!(text.contains("\nx-log-date:Thu, 01 Jan 2026 00:00:00 GMT\n"));
    let secret = Secret::new(all["access_key_secret"].as_str().unwrap());
    let signature = sign::v1::signature(&secret, sign::v1::Algorithm::HmacSha1, &text);
    vector.headers.retain(|(name, _)| name != "authorization");
    let claim = format!("LOG LTAIfakeAccessKeyId:{signature}");
    let vector = vector.with_header("authorization", &claim);
    assert!(vector.verify().is_ok());
}
