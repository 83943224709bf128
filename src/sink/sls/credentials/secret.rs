//! Text that is never shown.

use std::fmt;
use std::hint;
use std::sync::Arc;

use serde::Deserialize;
use serde::Deserializer;
use subtle::ConstantTimeEq;

/// An access key's secret or a security token: no formatting shows it.
///
/// Clones share one copy, which is overwritten when the last of them goes.
/// Compared in time that tells nothing but the length. Not serializable.
#[derive(Clone)]
pub struct Secret(Arc<Octets>);

impl Secret {
    /// Keeps a text secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Octets(text.into())))
    }

    /// The text itself, to be signed with or sent, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0.0
    }
}

impl Eq for Secret {}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.expose().as_bytes(), other.expose().as_bytes());
        ours.ct_eq(theirs).into()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

struct Octets(String);

impl Drop for Octets {
    fn drop(&mut self) {
        let mut octets = std::mem::take(&mut self.0).into_bytes();
        octets.fill(0);
        // Keeps the overwriting from being optimised away.
        hint::black_box(&octets);
    }
}
