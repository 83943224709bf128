//! Columns of text: each different value is written once.

use std::hash::BuildHasher as _;
use std::hash::Hash;
use std::io::Write as _;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Arc;

use arrow_array::DictionaryArray;
use arrow_array::PrimitiveArray;
use arrow_array::StringArray;
use arrow_array::types::Int32Type;
use arrow_buffer::OffsetBuffer;
use arrow_buffer::ScalarBuffer;
use arrow_schema::ArrowError;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::nulls;
use crate::flow::Event;

/// The different values of many rows, and which of them each row has.
pub(super) struct Texts<T> {
    keys: Vec<i32>,
    /// By their keys.
    values: Vec<T>,
    /// Keys by the hashes of their values: so few octets each that those of a
    /// batch stay in the processor's caches.
    places: HashTable<i32>,
    hasher: RandomState,
    /// Value and key of the row before: in most columns those of the next, too.
    last: Option<(T, i32)>,
}

/// Stands for null among the keys of [`Texts`].
const NULL_KEY: i32 = -1;
/// Octets that suffice for most texts.
const TEXT_LEN: usize = 16;

impl<T: Copy + Eq + Hash> Texts<T> {
    /// No row yet; room for so many, and for so many different values.
    pub(super) fn with_room(rows: usize, different: usize) -> Self {
        Self {
            keys: Vec::with_capacity(rows),
            values: Vec::with_capacity(different),
            places: HashTable::with_capacity(different),
            hasher: RandomState::default(),
            last: None,
        }
    }

    /// Adds a row without text.
    pub(super) fn push_null(&mut self) {
        self.keys.push(NULL_KEY);
    }

    /// Adds a row.
    #[inline]
    pub(super) fn push(&mut self, value: T) {
        let key = match self.last {
            Some((last, key)) if last == value => key,
            Some(_) | None => self.key(value),
        };
        self.last = Some((value, key));
        self.keys.push(key);
    }

    fn key(&mut self, value: T) -> i32 {
        let values = &self.values;
        let of = |key: i32| values.get(usize::try_from(key).ok()?);
        let entry = self.places.entry(
            self.hasher.hash_one(value),
            |key| of(*key) == Some(&value),
            |key| of(*key).map_or(0, |known| self.hasher.hash_one(known)),
        );
        match entry {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                let key = i32::try_from(values.len()).unwrap_or(NULL_KEY);
                place.insert(key);
                self.values.push(value);
                key
            }
        }
    }

    /// The rows as a column; `write` is asked once for each different value.
    ///
    /// # Errors
    /// More than 2^31 octets of text.
    pub(super) fn finish(
        mut self,
        write: impl Fn(T, &mut Vec<u8>),
    ) -> Result<DictionaryArray<Int32Type>, ArrowError> {
        let nulls = nulls(self.keys.iter().map(|key| *key != NULL_KEY));
        for key in &mut self.keys {
            *key = (*key).max(0);
        }
        let keys = PrimitiveArray::new(ScalarBuffer::from(self.keys), nulls);
        let mut written = Vec::with_capacity(self.values.len() * TEXT_LEN);
        let mut ends = Vec::with_capacity(self.values.len() + 1);
        ends.push(0);
        for value in self.values {
            write(value, &mut written);
            let end = written.len();
            ends.push(i32::try_from(end).map_err(|_| ArrowError::OffsetOverflowError(end))?);
        }
        let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
        let texts = StringArray::try_new(ends, written.into(), None)?;
        DictionaryArray::try_new(keys, Arc::new(texts))
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

// Writing to memory cannot fail.

/// Text as it is.
pub(super) fn write_text(text: &str, to: &mut Vec<u8>) {
    to.extend_from_slice(text.as_bytes());
}

/// An IPv4-mapped address as IPv4, any other as it is.
pub(super) fn write_address(address: u128, to: &mut Vec<u8>) {
    write_ip(Ipv6Addr::from_bits(address).to_canonical(), to);
}

/// An address; IPv6 as RFC 5952 says.
pub(super) fn write_ip(address: IpAddr, to: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => write_dotted(address.octets(), to),
        IpAddr::V6(address) => {
            let _ = write!(to, "{address}");
        }
    }
}

/// Four numbers and dots: many times as fast as the library's, which serves any
/// width and fill, and without a branch that an address decides.
fn write_dotted(octets: [u8; 4], to: &mut Vec<u8>) {
    let mut text = [0; 16];
    let mut end = 0;
    for octet in octets {
        let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| b'0' + digit);
        let [hundreds, tens, ones] = digits;
        let leading_zeros = u8::from(octet < 100) + u8::from(octet < 10);
        let number = u32::from_le_bytes([hundreds, tens, ones, b'.']) >> (8 * leading_zeros);
        if let Some(place) = text.get_mut(end..).and_then(<[u8]>::first_chunk_mut) {
            *place = number.to_le_bytes();
        }
        end += 4 - usize::from(leading_zeros);
    }
    to.extend_from_slice(&text);
    // Neither the last dot nor what is behind it.
    to.truncate(to.len() - text.len() + end - 1);
}

/// Six octets in hexadecimal.
pub(super) fn write_mac([a, b, c, d, e, f]: [u8; 6], to: &mut Vec<u8>) {
    let _ = write!(to, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The different texts of a column.
    fn written(column: &DictionaryArray<Int32Type>) -> Vec<&str> {
        let texts = column.downcast_dict::<StringArray>().unwrap().values();
        texts.iter().flatten().collect()
    }

    #[test]
    fn an_address_is_written_as_the_library_writes_it() {
        let numbers = [0, 1, 9, 10, 11, 99, 100, 101, 199, 200, 255];
        let mut texts = Texts::with_room(0, 0);
        let mut expected = Vec::new();
        for first in numbers {
            for last in numbers {
                let address = std::net::Ipv4Addr::new(first, last, last, first);
                texts.push(address.to_ipv6_mapped().to_bits());
                expected.push(address.to_string());
            }
        }
        let six: Ipv6Addr = "2001:db8::1:0:0:7".parse().unwrap();
        texts.push(six.to_bits());
        expected.push(six.to_string());
        assert_eq!(written(&texts.finish(write_address).unwrap()), expected);
    }

    #[test]
    fn a_value_that_comes_again_has_the_key_it_had() {
        let mut texts = Texts::with_room(6, 2);
        for value in [7, 7, 8, 7] {
            texts.push(value);
        }
        texts.push_null();
        texts.push(8);
        let column = texts
            .finish(|value, to| write!(to, "{value}").unwrap())
            .unwrap();
        let keys: Vec<_> = column.keys().iter().collect();
        assert_eq!(keys, [Some(0), Some(0), Some(1), Some(0), None, Some(1)]);
        assert_eq!(written(&column), ["7", "8"]);
    }

    #[test]
    fn values_beyond_the_room_keep_their_keys() {
        let mut texts = Texts::with_room(0, 0);
        let numbers = || (0..5_000).chain(0..5_000);
        numbers().for_each(|number| texts.push(number));
        let column = texts
            .finish(|value, to| write!(to, "{value}").unwrap())
            .unwrap();
        assert_eq!(written(&column).len(), 5_000);
        let keys = column.keys().values().iter().copied();
        assert!(keys.eq(numbers()));
    }
}
