//! A request on its way to its vendor's module.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::pace::Pace;
use super::{Control, Random, Rate, Raw, Settings};
use crate::api::auth::control::{Denial, Proof, Scheme};
use crate::api::body::Unread;

/// What answers are made with.
#[derive(Clone)]
pub(in crate::api) struct Desk {
    pub(in crate::api) control: Arc<dyn Control>,
    pub(in crate::api) settings: Arc<Settings>,
    /// What is called how often, if that matters.
    pub(super) pace: Option<Arc<Pace>>,
}

/// A request that was read and judged, as far as that went.
pub(in crate::api) struct Request<'a> {
    pub(in crate::api) raw: &'a Raw,
    pub(in crate::api) scheme: Scheme,
    /// Who sent it, or why it is refused already.
    pub(in crate::api) verdict: Result<Proof<'a>, Rejection>,
    pub(in crate::api) id: RequestId,
    pub(in crate::api) now: Timestamp,
    pub(in crate::api) desk: &'a Desk,
}

impl Request<'_> {
    /// Milliseconds since 1970.
    pub(in crate::api) fn now_ms(&self) -> u64 {
        u64::try_from(self.now.as_millisecond()).unwrap_or_default()
    }

    /// Counts a call of an action, `product:Action`, that is believed.
    ///
    /// # Errors
    /// The caller's key calls it more often than it may.
    pub(in crate::api) fn count(
        &self,
        proof: Proof<'_>,
        action: &str,
        rate: Rate,
    ) -> Result<(), Rejection> {
        let Some(pace) = &self.desk.pace else {
            return Ok(());
        };
        let key_id = proof.credential.map_or("", |credential| &credential.id);
        Ok(pace.count(key_id, action, rate, self.now_ms())?)
    }
}

/// Why a request is refused before its action is looked at, in no vendor's
/// words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(in crate::api) enum Rejection {
    #[error(transparent)]
    Denied(#[from] Denial),
    #[error(transparent)]
    Unread(#[from] Unread),
    /// With credentials nobody else could have sent it; without, a page could.
    #[error("the request may be one that a page of another site had sent")]
    Forged,
    #[error("the request has a method other than GET and POST")]
    Method,
    #[error("the path is not one of this API")]
    Path,
    #[error("the body is of a type that is not understood")]
    MediaType,
    #[error("the request has text that is not well-formed")]
    NotText,
    #[error("the request has too many parameters")]
    TooMany,
    #[error("there are too many requests at once")]
    Busy,
}

/// Name of a request: a random UUID, version 4.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::api) struct RequestId(u128);

impl RequestId {
    /// A new one.
    pub(super) fn new(random: &Random) -> Self {
        let mut octets = [0; 16];
        random(&mut octets);
        let version_and_variant = (0xf_u128 << 76) | (0x3 << 62);
        let number = u128::from_be_bytes(octets) & !version_and_variant;
        Self(number | (0x4 << 76) | (0x2 << 62))
    }

    /// As Tencent writes it.
    pub(in crate::api) fn lower(self) -> String {
        self.to_string().to_ascii_lowercase()
    }
}

/// As Alibaba writes it: in capitals.
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number) = self;
        let part = |shift: u32| (number >> shift) & 0xffff;
        write!(f, "{:08X}-{:04X}-{:04X}", number >> 96, part(80), part(64))?;
        write!(f, "-{:04X}-{:012X}", part(48), number & 0xffff_ffff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_a_random_uuid() {
        let id = |octet: u8| {
            let random: Random = Arc::new(move |octets: &mut [u8]| octets.fill(octet));
            RequestId::new(&random)
        };
        assert_eq!(id(0xff).to_string(), "FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF");
        assert_eq!(id(0x0a).lower(), "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a");
    }
}
