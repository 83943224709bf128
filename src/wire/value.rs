//! Values: a field's octets read as its abstract data type. RFC 7011 §6.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use crate::element::DataType;

/// Fraction bits that dateTimeMicroseconds leaves undefined. RFC 7011 §6.1.9.
const NTP_MICROS_UNDEFINED: u32 = 0x7ff;

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// No octets, or a boolean that is neither true nor false.
    Null,
    /// unsigned8…unsigned64 of any width up to 8 octets (P-040, P-114), and
    /// unsigned256 that is reduced to as few. RFC 9740 §4.
    Unsigned(u64),
    /// signed8…signed64, sign-extended from any width up to 8 octets.
    Signed(i64),
    /// float32, float64, and float64 reduced to float32.
    Float(f64),
    /// boolean.
    Boolean(bool),
    /// macAddress.
    Mac([u8; 6]),
    /// ipv4Address.
    Ipv4(Ipv4Addr),
    /// ipv6Address.
    Ipv6(Ipv6Addr),
    /// string, without trailing NULs; octets that are not UTF-8 are replaced (P-201).
    Text(Cow<'a, str>),
    /// dateTimeSeconds: since 1970, modulo 2^32.
    Seconds(u32),
    /// dateTimeMilliseconds: since 1970.
    Milliseconds(u64),
    /// dateTimeMicroseconds, dateTimeNanoseconds.
    Ntp(NtpTime),
    /// octetArray, wider unsigned256, lists, and whatever has a width that its type forbids (P-041).
    Octets(&'a [u8]),
}

/// An NTP timestamp: since 1900, modulo 2^32 seconds. RFC 7011 §6.1.9, §6.1.10.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NtpTime {
    /// Seconds, the era being implicit (P-121).
    pub seconds: u32,
    /// 2^-32 seconds.
    pub fraction: u32,
}

impl<'a> Value<'a> {
    /// Reads octets as a type; what does not fit the type stays octets.
    pub fn decode(data_type: DataType, octets: &'a [u8]) -> Self {
        if octets.is_empty() {
            return Self::Null;
        }
        typed(data_type, octets).unwrap_or(Self::Octets(octets))
    }
}

/// An unsigned integer of 1 to 8 octets; `None` for other widths.
pub fn unsigned(octets: &[u8]) -> Option<u64> {
    let start = size_of::<u64>().checked_sub(octets.len())?;
    let mut wide = [0; size_of::<u64>()];
    wide.get_mut(start..)?.copy_from_slice(octets);
    (!octets.is_empty()).then(|| u64::from_be_bytes(wide))
}

/// A two's complement integer of 1 to 8 octets; `None` for other widths.
pub fn signed(octets: &[u8]) -> Option<i64> {
    let unused_bits = u64::BITS - 8 * u32::try_from(octets.len()).ok()?.min(8);
    unsigned(octets).map(|value| value.cast_signed() << unused_bits >> unused_bits)
}

/// A value whose width its type allows.
fn typed(data_type: DataType, octets: &[u8]) -> Option<Value<'_>> {
    match data_type {
        DataType::Unsigned8
        | DataType::Unsigned16
        | DataType::Unsigned32
        | DataType::Unsigned64
        | DataType::Unsigned256 => unsigned(octets).map(Value::Unsigned),
        DataType::Signed8 | DataType::Signed16 | DataType::Signed32 | DataType::Signed64 => {
            signed(octets).map(Value::Signed)
        }
        DataType::Float32 => float32(octets),
        DataType::Float64 => float32(octets)
            .or_else(|| exactly(octets).map(|octets| Value::Float(f64::from_be_bytes(octets)))),
        DataType::Boolean => exactly(octets).map(|[octet]| boolean(octet)),
        DataType::MacAddress => exactly(octets).map(Value::Mac),
        DataType::String => Some(Value::Text(text(octets))),
        DataType::DateTimeSeconds => {
            exactly(octets).map(|octets| Value::Seconds(u32::from_be_bytes(octets)))
        }
        DataType::DateTimeMilliseconds => {
            exactly(octets).map(|octets| Value::Milliseconds(u64::from_be_bytes(octets)))
        }
        DataType::DateTimeMicroseconds => ntp(octets, NTP_MICROS_UNDEFINED),
        DataType::DateTimeNanoseconds => ntp(octets, 0),
        DataType::Ipv4Address => exactly(octets).map(|octets: [u8; 4]| Value::Ipv4(octets.into())),
        DataType::Ipv6Address => exactly(octets).map(|octets: [u8; 16]| Value::Ipv6(octets.into())),
        DataType::OctetArray
        | DataType::BasicList
        | DataType::SubTemplateList
        | DataType::SubTemplateMultiList => None,
    }
}

/// Octets of exactly the type's width (P-825).
fn exactly<const WIDTH: usize>(octets: &[u8]) -> Option<[u8; WIDTH]> {
    octets.try_into().ok()
}

fn float32(octets: &[u8]) -> Option<Value<'_>> {
    exactly(octets).map(|octets| Value::Float(f32::from_be_bytes(octets).into()))
}

/// RFC 7011 §6.1.5: 1 is true, 2 is false, others are undefined.
fn boolean(octet: u8) -> Value<'static> {
    match octet {
        1 => Value::Boolean(true),
        2 => Value::Boolean(false),
        _ => Value::Null,
    }
}

/// PAN-OS, WLC and NBAR fill fixed-length strings with NULs (P-201).
fn text(octets: &[u8]) -> Cow<'_, str> {
    let length = octets
        .iter()
        .rposition(|&octet| octet != 0)
        .map_or(0, |last| last + 1);
    String::from_utf8_lossy(octets.get(..length).unwrap_or_default())
}

fn ntp(octets: &[u8], undefined: u32) -> Option<Value<'_>> {
    let wide = u64::from_be_bytes(exactly(octets)?);
    let [a, b, c, d, e, f, g, h] = wide.to_be_bytes();
    Some(Value::Ntp(NtpTime {
        seconds: u32::from_be_bytes([a, b, c, d]),
        fraction: u32::from_be_bytes([e, f, g, h]) & !undefined,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_may_have_any_width_up_to_eight() {
        assert_eq!(unsigned(&[]), None);
        assert_eq!(unsigned(&[0x12]), Some(0x12));
        assert_eq!(unsigned(&[1, 2, 3]), Some(0x01_02_03));
        assert_eq!(unsigned(&[0xff; 8]), Some(u64::MAX));
        assert_eq!(unsigned(&[0; 9]), None);
    }

    #[test]
    fn reduced_signed_integers_keep_their_sign() {
        assert_eq!(signed(&[]), None);
        assert_eq!(signed(&[0xff]), Some(-1));
        assert_eq!(signed(&[0x80, 0x00]), Some(-32_768));
        assert_eq!(signed(&[0x7f, 0xff, 0xff]), Some(8_388_607));
        assert_eq!(signed(&[0x80, 0, 0, 0, 0, 0, 0, 0]), Some(i64::MIN));
        assert_eq!(signed(&[0; 9]), None);
    }

    /// P-114, P-825: a reduced address is no address.
    #[test]
    fn a_width_that_the_type_forbids_leaves_octets() {
        let cases = [
            (DataType::Ipv4Address, 3),
            (DataType::Ipv4Address, 16),
            (DataType::Ipv6Address, 4),
            (DataType::MacAddress, 8),
            (DataType::Boolean, 2),
            (DataType::Float32, 8),
            (DataType::Float64, 2),
            (DataType::DateTimeSeconds, 8),
            (DataType::DateTimeMilliseconds, 4),
            (DataType::DateTimeMicroseconds, 4),
            (DataType::DateTimeNanoseconds, 9),
            (DataType::Unsigned64, 9),
            (DataType::Signed32, 12),
        ];
        for (data_type, width) in cases {
            let octets = vec![1; width];
            assert_eq!(Value::decode(data_type, &octets), Value::Octets(&octets));
        }
    }

    #[test]
    fn every_type_without_octets_is_null() {
        for data_type in [DataType::Unsigned32, DataType::String, DataType::BasicList] {
            assert_eq!(Value::decode(data_type, &[]), Value::Null);
        }
    }

    #[test]
    fn floats_may_be_reduced_to_four_octets() {
        let narrow = 1.5_f32.to_be_bytes();
        assert_eq!(Value::decode(DataType::Float32, &narrow), Value::Float(1.5));
        assert_eq!(Value::decode(DataType::Float64, &narrow), Value::Float(1.5));
        let wide = (-0.1_f64).to_be_bytes();
        assert_eq!(Value::decode(DataType::Float64, &wide), Value::Float(-0.1));
    }

    #[test]
    fn booleans_are_one_or_two() {
        let decode = |octet: &'static [u8]| Value::decode(DataType::Boolean, octet);
        assert_eq!(decode(&[1]), Value::Boolean(true));
        assert_eq!(decode(&[2]), Value::Boolean(false));
        assert_eq!(decode(&[0]), Value::Null);
        assert_eq!(decode(&[3]), Value::Null);
    }

    #[test]
    fn strings_lose_trailing_nuls_and_ill_formed_octets() {
        let decode = |octets: &'static [u8]| Value::decode(DataType::String, octets);
        assert_eq!(decode(b"a\0b\0\0"), Value::Text("a\0b".into()));
        assert_eq!(decode(b"\0\0"), Value::Text("".into()));
        assert_eq!(decode(b"a\xffb"), Value::Text("a\u{fffd}b".into()));
    }

    /// RFC 7011 §6.1.9: the low 11 bits of microseconds are to be ignored.
    #[test]
    fn ntp_times_keep_the_bits_they_define() {
        let octets = [0xdd, 0, 0, 1, 0x80, 0, 0x0f, 0xff];
        let ntp = |fraction| {
            Value::Ntp(NtpTime {
                seconds: 0xdd00_0001,
                fraction,
            })
        };
        let micros = Value::decode(DataType::DateTimeMicroseconds, &octets);
        assert_eq!(micros, ntp(0x8000_0800));
        let nanos = Value::decode(DataType::DateTimeNanoseconds, &octets);
        assert_eq!(nanos, ntp(0x8000_0fff));
    }

    #[test]
    fn times_and_addresses_are_read_whole() {
        let seconds = Value::decode(DataType::DateTimeSeconds, &[0, 0, 1, 0]);
        assert_eq!(seconds, Value::Seconds(256));
        let millis = Value::decode(DataType::DateTimeMilliseconds, &[0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(millis, Value::Milliseconds(256));
        let v4 = Value::decode(DataType::Ipv4Address, &[192, 0, 2, 1]);
        assert_eq!(v4, Value::Ipv4(Ipv4Addr::new(192, 0, 2, 1)));
        let v6 = Value::decode(DataType::Ipv6Address, &[0; 16]);
        assert_eq!(v6, Value::Ipv6(Ipv6Addr::UNSPECIFIED));
        let mac = Value::decode(DataType::MacAddress, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(mac, Value::Mac([1, 2, 3, 4, 5, 6]));
        // RFC 9740: as wide as no integer of ours.
        let wide = Value::decode(DataType::Unsigned256, &[7; 32]);
        assert_eq!(wide, Value::Octets(&[7; 32]));
        // Huawei VRP sends ipv6ExtensionHeadersFull in four octets.
        let reduced = Value::decode(DataType::Unsigned256, &[0, 0, 0, 7]);
        assert_eq!(reduced, Value::Unsigned(7));
    }
}
