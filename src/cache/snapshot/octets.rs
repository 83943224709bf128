//! Numbers, addresses and texts as octets.

use std::net::IpAddr;
use std::net::Ipv6Addr;

/// Appends a number, 7 bits an octet, the lowest first.
pub(super) fn put(out: &mut Vec<u8>, number: impl Into<u64>) {
    let mut rest: u64 = number.into();
    while rest >= 0x80 {
        out.push(low(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low(rest));
}

/// The lowest 7 bits.
fn low(number: u64) -> u8 {
    let [octet, ..] = number.to_le_bytes();
    octet & 0x7f
}

/// Appends octets with their length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends an address in its shorter form.
pub(super) fn put_address(out: &mut Vec<u8>, address: [u8; 16]) {
    match Ipv6Addr::from(address).to_ipv4_mapped() {
        Some(address) => put_bytes(out, &address.octets()),
        None => put_bytes(out, &address),
    }
}

/// Appends an address of either family.
pub(super) fn put_ip(out: &mut Vec<u8>, address: IpAddr) {
    put_address(out, address.to_canonical().mapped());
}

/// Sixteen octets of either family.
trait Mapped {
    fn mapped(self) -> [u8; 16];
}

impl Mapped for IpAddr {
    fn mapped(self) -> [u8; 16] {
        match self {
            Self::V4(address) => address.to_ipv6_mapped().octets(),
            Self::V6(address) => address.octets(),
        }
    }
}

/// What is left to read. `None` is an end too early, or a number too great.
#[derive(Clone, Copy, Debug)]
pub(super) struct Octets<'a>(pub(super) &'a [u8]);

impl<'a> Octets<'a> {
    pub(super) fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number of at most as many bits as its type has.
    pub(super) fn number<N: TryFrom<u64>>(&mut self) -> Option<N> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7f);
            let shifted = bits << shift;
            if shifted >> shift != bits {
                return None;
            }
            number |= shifted;
            if octet & 0x80 == 0 {
                return N::try_from(number).ok();
            }
        }
        None
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub(super) fn address(&mut self) -> Option<[u8; 16]> {
        let bytes = self.bytes()?;
        if let Ok(four) = <[u8; 4]>::try_from(bytes) {
            return Some(IpAddr::from(four).mapped());
        }
        bytes.try_into().ok()
    }

    pub(super) fn ip(&mut self) -> Option<IpAddr> {
        let address = Ipv6Addr::from(self.address()?);
        Some(address.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_beyond_its_type_is_none() {
        let mut out = Vec::new();
        put(&mut out, 256_u64);
        assert_eq!(out, [0x80, 2]);
        assert_eq!(Octets(&out).number::<u8>(), None);
        assert_eq!(Octets(&out).number::<u16>(), Some(256));
        assert_eq!(Octets(&[0xff; 10]).number::<u64>(), None);
        assert_eq!(Octets(&[0x80; 20]).number::<u64>(), None);
    }

    proptest! {
        #[test]
        fn what_is_put_is_read(number: u64, address: [u8; 16], text: String) {
            let mut out = Vec::new();
            put(&mut out, number);
            put_address(&mut out, address);
            put_bytes(&mut out, text.as_bytes());
            let mut octets = Octets(&out);
            prop_assert_eq!(octets.number::<u64>(), Some(number));
            prop_assert_eq!(octets.address(), Some(address));
            prop_assert_eq!(octets.text(), Some(&*text));
            prop_assert!(octets.0.is_empty());
        }
    }
}
