//! Hashes and how they are written and compared.

use std::fmt::Write;

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha1::Sha1;
use sha2::Digest;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Compares texts, not what they decode to: each octet of a signature counts.
///
/// Takes time that tells nothing but the length.
pub(super) fn is_equal(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

/// HMAC-SHA1 of the parts, one after the other.
pub(super) fn hmac_sha1(key: &[u8], parts: &[&str]) -> Vec<u8> {
    let Ok(mac) = Hmac::<Sha1>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length")
    };
    finished(mac, parts)
}

/// HMAC-SHA256 of the parts, one after the other.
pub(super) fn hmac_sha256(key: &[u8], parts: &[&str]) -> Vec<u8> {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length")
    };
    finished(mac, parts)
}

fn finished(mut mac: impl Mac, parts: &[&str]) -> Vec<u8> {
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

/// SHA-256 in hex digits of lower case.
pub(in crate::api) fn sha256_hex(octets: &[u8]) -> String {
    hex(&Sha256::digest(octets))
}

/// Octets as hex digits in lower case.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
