//! Columns of text: each different value is written once.

use std::hash::Hash;
use std::net::IpAddr;
use std::net::Ipv6Addr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::flow::Event;

/// Text of many rows, each different one written once.
pub(super) struct Texts<T> {
    pub(super) keys: Vec<i32>,
    pub(super) values: Vec<String>,
    seen: HashMap<T, i32, RandomState>,
}

/// Stands for null among the keys of [`Texts`].
pub(super) const NULL_KEY: i32 = -1;

impl<T: Copy + Eq + Hash> Texts<T> {
    pub(super) fn new() -> Self {
        Self {
            keys: Vec::new(),
            values: Vec::new(),
            seen: HashMap::default(),
        }
    }

    /// Adds a row; `text` is asked once for each different value.
    pub(super) fn push(&mut self, value: T, text: impl FnOnce(T) -> Option<String>) {
        let values = &mut self.values;
        let key = *self.seen.entry(value).or_insert_with(|| match text(value) {
            Some(text) => {
                values.push(text);
                i32::try_from(values.len() - 1).unwrap_or(NULL_KEY)
            }
            None => NULL_KEY,
        });
        self.keys.push(key);
    }
}

impl Event {
    /// The word in the column `event`.
    pub fn label(self) -> &'static str {
        match self {
            Self::NselCreated => "nsel-created",
            Self::NselTeardown => "nsel-teardown",
            Self::NselDenied => "nsel-denied",
            Self::NselAlert => "nsel-alert",
            Self::NselUpdate => "nsel-update",
            Self::Nat => "nat",
            Self::PacketSection => "packet-section",
            Self::Options => "options",
            Self::Other => "other",
        }
    }
}

/// An address; IPv6 as RFC 5952 says.
pub(super) fn address_text(address: [u8; 16]) -> String {
    IpAddr::from(Ipv6Addr::from(address))
        .to_canonical()
        .to_string()
}

/// Six octets in hexadecimal.
pub(super) fn mac([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}
