//! Addresses and networks as a filter writes them.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// All addresses of one family that share their leading bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    /// Lowest address.
    address: IpAddr,
    /// Leading bits that count: at most 32 or 128.
    bits: u8,
}

impl Network {
    /// The network an address lies in; `None` if it has fewer bits than that.
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(v4) if bits <= 32 => {
                Ipv4Addr::from_bits(v4.to_bits() & mask_v4(bits)).into()
            }
            IpAddr::V6(v6) if bits <= 128 => {
                Ipv6Addr::from_bits(v6.to_bits() & mask_v6(bits)).into()
            }
            IpAddr::V4(_) | IpAddr::V6(_) => return None,
        };
        Some(Self { address, bits })
    }

    /// Reads `10.1.2.3`, `10.0.0.0/8`, `10/8`, `2001:db8::/32`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            None => Self::host(text.parse().ok()?),
            Some((address, bits)) => Self::new(loose_address(address)?, bits.parse().ok()?),
        }
    }

    /// The network of one address.
    pub fn host(address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        Self::new(address, if address.is_ipv4() { 32 } else { 128 })
    }

    /// The one address, if it is a network of one.
    pub fn as_host(&self) -> Option<IpAddr> {
        let full = if self.address.is_ipv4() { 32 } else { 128 };
        (self.bits == full).then_some(self.address)
    }

    /// Whether an address lies in it; never one of the other family.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                other.to_bits() & mask_v4(self.bits) == own.to_bits()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                other.to_bits() & mask_v6(self.bits) == own.to_bits()
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Prints `10.0.0.0/8`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Leading bits of a netmask such as 255.255.0.0; `None` if it has holes.
pub(super) fn netmask_bits(mask: Ipv4Addr) -> Option<u8> {
    let ones = mask.to_bits().leading_ones();
    let bits = u8::try_from(ones).ok()?;
    (mask.to_bits() == mask_v4(bits)).then_some(bits)
}

/// An address, or the leading octets of an IPv4 one: `172.16` is 172.16.0.0.
fn loose_address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    let mut octets = [0; 4];
    let mut slots = octets.iter_mut();
    for part in text.split('.') {
        *slots.next()? = part.parse().ok()?;
    }
    Some(Ipv4Addr::from(octets).into())
}

fn mask_v4(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

fn mask_v6(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}
