//! Columns of text: each different value is written once.

use std::fmt::Write as _;
use std::hash::Hash;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Arc;

use arrow_array::DictionaryArray;
use arrow_array::PrimitiveArray;
use arrow_array::builder::ArrayBuilder as _;
use arrow_array::builder::StringBuilder;
use arrow_array::types::Int32Type;
use arrow_buffer::ScalarBuffer;
use arrow_schema::ArrowError;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::nulls;
use crate::flow::Event;

/// Text of many rows, each different one written once.
pub(super) struct Texts<T> {
    keys: Vec<i32>,
    written: StringBuilder,
    seen: HashMap<T, i32, RandomState>,
    /// Value and key of the row before: in most columns those of the next, too.
    last: Option<(T, i32)>,
}

/// Stands for null among the keys of [`Texts`].
const NULL_KEY: i32 = -1;
/// Octets that suffice for most texts.
const TEXT_LEN: usize = 16;

impl<T: Copy + Eq + Hash> Texts<T> {
    /// No row yet; room for so many, and for so many different texts.
    pub(super) fn with_room(rows: usize, different: usize) -> Self {
        Self {
            keys: Vec::with_capacity(rows),
            written: StringBuilder::with_capacity(different, different * TEXT_LEN),
            seen: HashMap::with_capacity_and_hasher(different, RandomState::default()),
            last: None,
        }
    }

    /// Adds a row without text.
    pub(super) fn push_null(&mut self) {
        self.keys.push(NULL_KEY);
    }

    /// Adds a row; `write` is asked once for each different value.
    #[inline]
    pub(super) fn push(&mut self, value: T, write: impl FnOnce(T, &mut StringBuilder)) {
        let key = match self.last {
            Some((last, key)) if last == value => key,
            Some(_) | None => self.key(value, write),
        };
        self.last = Some((value, key));
        self.keys.push(key);
    }

    fn key(&mut self, value: T, write: impl FnOnce(T, &mut StringBuilder)) -> i32 {
        let written = &mut self.written;
        *self.seen.entry(value).or_insert_with(|| {
            write(value, written);
            // Ends the value that was written piece by piece.
            written.append_value("");
            i32::try_from(written.len() - 1).unwrap_or(NULL_KEY)
        })
    }

    /// The rows as a column.
    ///
    /// # Errors
    /// What the library says; none is known.
    pub(super) fn finish(mut self) -> Result<DictionaryArray<Int32Type>, ArrowError> {
        let nulls = nulls(self.keys.iter().map(|key| *key != NULL_KEY));
        for key in &mut self.keys {
            *key = (*key).max(0);
        }
        let keys = PrimitiveArray::new(ScalarBuffer::from(self.keys), nulls);
        DictionaryArray::try_new(keys, Arc::new(self.written.finish()))
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

// Writing to a builder cannot fail.

/// Text as it is.
pub(super) fn write_text(text: &str, to: &mut StringBuilder) {
    let _ = to.write_str(text);
}

/// An IPv4-mapped address as IPv4, any other as it is.
pub(super) fn write_address(address: u128, to: &mut StringBuilder) {
    write_ip(Ipv6Addr::from_bits(address).to_canonical(), to);
}

/// An address; IPv6 as RFC 5952 says.
pub(super) fn write_ip(address: IpAddr, to: &mut StringBuilder) {
    match address {
        IpAddr::V4(address) => write_dotted(address.octets(), to),
        IpAddr::V6(address) => {
            let _ = write!(to, "{address}");
        }
    }
}

/// Four numbers and dots: several times as fast as the library's, which serves
/// any width and fill.
fn write_dotted(octets: [u8; 4], to: &mut StringBuilder) {
    let mut text = [0; "255.255.255.255".len()];
    let mut len = 0;
    let mut put = |octet: u8| {
        if let Some(place) = text.get_mut(len) {
            *place = octet;
        }
        len += 1;
    };
    for (index, number) in octets.into_iter().enumerate() {
        if index > 0 {
            put(b'.');
        }
        if number >= 100 {
            put(b'0' + number / 100);
        }
        if number >= 10 {
            put(b'0' + number / 10 % 10);
        }
        put(b'0' + number % 10);
    }
    let text = text.get(..len).map(str::from_utf8);
    write_text(text.and_then(Result::ok).unwrap_or_default(), to);
}

/// Six octets in hexadecimal.
pub(super) fn write_mac([a, b, c, d, e, f]: [u8; 6], to: &mut StringBuilder) {
    let _ = write!(to, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_the_library_writes_it() {
        let numbers = [0, 1, 9, 10, 11, 99, 100, 101, 199, 200, 255];
        let mut builder = StringBuilder::new();
        let mut expected = Vec::new();
        for first in numbers {
            for last in numbers {
                let address = std::net::Ipv4Addr::new(first, last, last, first);
                write_address(address.to_ipv6_mapped().to_bits(), &mut builder);
                builder.append_value("");
                expected.push(address.to_string());
            }
        }
        let six: Ipv6Addr = "2001:db8::1:0:0:7".parse().unwrap();
        write_address(six.to_bits(), &mut builder);
        builder.append_value("");
        expected.push(six.to_string());
        let written = builder.finish();
        assert_eq!(written.iter().flatten().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_value_that_comes_again_has_the_key_it_had() {
        let mut texts = Texts::with_room(6, 2);
        for value in [7, 7, 8, 7] {
            texts.push(value, |value, to| write!(to, "{value}").unwrap());
        }
        texts.push_null();
        texts.push(8, |_, _| unreachable!("it is written"));
        let column = texts.finish().unwrap();
        let keys: Vec<_> = column.keys().iter().collect();
        assert_eq!(keys, [Some(0), Some(0), Some(1), Some(0), None, Some(1)]);
        assert_eq!(column.values().len(), 2);
    }
}
