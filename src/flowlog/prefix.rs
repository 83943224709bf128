//! Blocks of addresses, as operators write them: `10.0.0.0/8`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// A block of addresses of one family.
///
/// IPv4-mapped IPv6 is IPv4 (P-009): `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
/// Bits beyond the length are always 0.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Prefix {
    network: IpAddr,
    length: u8,
}

impl Prefix {
    /// The block of `length` leading bits that starts at `address`.
    ///
    /// # Errors
    /// The length exceeds the family's, or the address has bits beyond it.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let (address, length) = unmap(address, length);
        if length > width(address) {
            return Err(PrefixError::TooLong(length, width(address)));
        }
        let block = Self::around(address, length);
        if block.network == address {
            Ok(block)
        } else {
            Err(PrefixError::BitsBeyond(block))
        }
    }

    /// The block of exactly one address.
    pub fn host(address: IpAddr) -> Self {
        let network = address.to_canonical();
        let length = width(network);
        Self { network, length }
    }

    /// The block of `length` bits that holds `address`, which is not mapped;
    /// a length beyond the family's is the family's.
    pub(super) fn around(address: IpAddr, length: u8) -> Self {
        let length = length.min(width(address));
        let network = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(u32::from(32 - length)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(u32::from(128 - length)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Self { network, length }
    }

    /// First address of the block.
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// Leading bits that all its addresses share: 0–32 or 0–128.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Whether it holds an address; a mapped one counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.network.is_ipv4() && Self::around(address, self.length) == *self
    }

    /// Whether any address is in both blocks.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.network) || other.contains(self.network)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}

/// Reads `address/length`, or an address alone as the block of one.
impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let address = |text: &str| text.parse().map_err(|_| PrefixError::NoAddress);
        let Some((network, length)) = text.split_once('/') else {
            return address(text).map(Self::host);
        };
        // `u8` takes a sign and the like; a length is digits only.
        let is_number = length.bytes().all(|digit| digit.is_ascii_digit());
        let length = length.parse().ok().filter(|_| is_number);
        Self::new(address(network)?, length.ok_or(PrefixError::NoLength)?)
    }
}

/// Why a text is no block of addresses.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PrefixError {
    /// What stands before the slash is no address; names are not looked up.
    #[error("not an IP address or prefix such as 192.0.2.0/24")]
    NoAddress,
    /// What follows the slash is no number of bits.
    #[error("the prefix length must be a number")]
    NoLength,
    /// Length given, and the most the family has.
    #[error("the prefix length is {0} but must be at most {1}")]
    TooLong(u8, u8),
    /// The block that was probably meant.
    #[error("has bits beyond its length; the block is {0}")]
    BitsBeyond(Prefix),
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Bits before the IPv4 address in an IPv4-mapped one. RFC 4291 §2.5.5.2.
const MAPPED_BITS: u8 = 96;

/// A block that lies wholly within the IPv4-mapped addresses, as IPv4.
fn unmap(address: IpAddr, length: u8) -> (IpAddr, u8) {
    let v4 = address.to_canonical();
    match length.checked_sub(MAPPED_BITS) {
        Some(length) if address.is_ipv6() && v4.is_ipv4() && length <= 32 => (v4, length),
        _ => (address, length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn a_block_holds_its_addresses_and_no_others() {
        let block = prefix("10.16.0.0/12");
        for (address, inside) in [
            ("10.16.0.0", true),
            ("10.31.255.255", true),
            ("10.32.0.0", false),
            ("10.15.255.255", false),
            ("::ffff:10.20.0.1", true),
            ("::10.20.0.1", false),
        ] {
            assert_eq!(
                block.contains(address.parse().unwrap()),
                inside,
                "{address}"
            );
        }
    }

    #[test]
    fn the_empty_prefix_holds_its_whole_family_only() {
        let (v4, v6) = (prefix("0.0.0.0/0"), prefix("::/0"));
        let (four, six) = (
            "203.0.113.9".parse().unwrap(),
            "2001:db8::9".parse().unwrap(),
        );
        assert_eq!((v4.contains(four), v4.contains(six)), (true, false));
        assert_eq!((v6.contains(four), v6.contains(six)), (false, true));
    }

    #[test]
    fn mapped_blocks_are_ipv4() {
        assert_eq!(prefix("::ffff:10.0.0.0/104"), prefix("10.0.0.0/8"));
        assert_eq!(prefix("::ffff:0.0.0.0/96"), prefix("0.0.0.0/0"));
        assert_eq!(prefix("::ffff:192.0.2.1"), prefix("192.0.2.1/32"));
        assert_eq!(prefix("::/64").to_string(), "::/64");
    }

    #[test]
    fn an_address_alone_is_a_block_of_one() {
        assert_eq!(prefix("192.0.2.1").to_string(), "192.0.2.1/32");
        assert_eq!(prefix("2001:db8::1").to_string(), "2001:db8::1/128");
    }

    #[test]
    fn what_is_no_block_is_refused_with_the_reason() {
        let refusal = |text: &str| text.parse::<Prefix>().unwrap_err();
        assert_eq!(refusal("router.example"), PrefixError::NoAddress);
        assert_eq!(refusal("/8"), PrefixError::NoAddress);
        assert_eq!(refusal("10.0.0.0/"), PrefixError::NoLength);
        assert_eq!(refusal("10.0.0.0/+8"), PrefixError::NoLength);
        assert_eq!(refusal("10.0.0.0/300"), PrefixError::NoLength);
        assert_eq!(refusal("10.0.0.0/33"), PrefixError::TooLong(33, 32));
        assert_eq!(refusal("::/129"), PrefixError::TooLong(129, 128));
        let meant = PrefixError::BitsBeyond(prefix("10.0.0.0/8"));
        assert_eq!(refusal("10.1.2.3/8"), meant);
        assert_eq!(
            meant.to_string(),
            "has bits beyond its length; the block is 10.0.0.0/8"
        );
    }

    #[test]
    fn blocks_overlap_when_one_holds_the_other() {
        let wide = prefix("10.0.0.0/8");
        assert!(wide.overlaps(&prefix("10.9.0.0/16")));
        assert!(prefix("10.9.0.0/16").overlaps(&wide));
        assert!(!wide.overlaps(&prefix("11.0.0.0/8")));
        assert!(!prefix("::/0").overlaps(&wide));
    }
}
