//! What SLS's functions of addresses and networks answer.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// An address and how many of its first bits are the network's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Subnet {
    address: IpAddr,
    bits: u8,
}

impl Subnet {
    /// From text such as `10.1.2.3/8`; an address alone is a network of one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        match bits {
            None => Some(Self {
                address,
                bits: width(address),
            }),
            Some(bits) => Self::new(address, bits.parse().ok()?),
        }
    }

    /// None if the address has fewer bits.
    pub(super) fn new(address: IpAddr, bits: u8) -> Option<Self> {
        (bits <= width(address)).then_some(Self { address, bits })
    }

    pub(super) fn lowest(self) -> IpAddr {
        self.with_host_bits(false)
    }

    pub(super) fn highest(self) -> IpAddr {
        self.with_host_bits(true)
    }

    pub(super) fn contains(self, other: Self) -> bool {
        let outer = Self::new(other.address, self.bits);
        let is_within = outer.is_some_and(|outer| outer.lowest() == self.lowest());
        is_within && other.bits >= self.bits
    }

    pub(super) fn prefix(self) -> String {
        format!("{}/{}", self.lowest(), self.bits)
    }

    /// The address with all bits after the network's set, or none of them.
    fn with_host_bits(self, set: bool) -> IpAddr {
        let bits = u32::from(self.bits);
        match self.address {
            IpAddr::V4(address) => {
                let host = u32::MAX.checked_shr(bits).unwrap_or(0);
                let address = u32::from(address);
                IpAddr::V4(Ipv4Addr::from(match set {
                    true => address | host,
                    false => address & !host,
                }))
            }
            IpAddr::V6(address) => {
                let host = u128::MAX.checked_shr(bits).unwrap_or(0);
                let address = u128::from(address);
                IpAddr::V6(Ipv6Addr::from(match set {
                    true => address | host,
                    false => address & !host,
                }))
            }
        }
    }
}

/// Whether an address is of a private network or a public one.
pub(super) fn domain(text: &str) -> &'static str {
    match text.parse() {
        Ok(IpAddr::V4(address)) if address.is_private() || address.is_loopback() => "intranet",
        Ok(IpAddr::V6(address)) if address.is_unique_local() || address.is_loopback() => "intranet",
        Ok(_) => "internet",
        Err(_) => "invalid",
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_ends_and_parts() {
        let subnet = |text: &str| Subnet::parse(text).unwrap();
        for (text, prefix, highest) in [
            ("10.1.2.3/8", "10.0.0.0/8", "10.255.255.255"),
            ("10.1.2.3", "10.1.2.3/32", "10.1.2.3"),
            ("10.1.2.3/0", "0.0.0.0/0", "255.255.255.255"),
            (
                "2001:db8::1/32",
                "2001:db8::/32",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            ),
            ("::1/128", "::1/128", "::1"),
        ] {
            assert_eq!(subnet(text).prefix(), prefix);
            assert_eq!(subnet(text).highest().to_string(), highest);
        }
        assert!(subnet("10.0.0.0/8").contains(subnet("10.1.0.0/16")));
        assert!(!subnet("10.1.0.0/16").contains(subnet("10.0.0.0/8")));
        assert!(!subnet("10.0.0.0/8").contains(subnet("11.0.0.1")));
        assert!(!subnet("0.0.0.0/0").contains(subnet("::1")));
        assert!(subnet("::/0").contains(subnet("::1")));
        for wrong in ["", "10.0.0.1/33", "10.0.0/8", "::/129", "a", "10.0.0.1/-1"] {
            assert_eq!(Subnet::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_are_of_private_networks_or_not() {
        for (text, expected) in [
            ("10.0.0.1", "intranet"),
            ("172.16.0.1", "intranet"),
            ("192.168.1.1", "intranet"),
            ("127.0.0.1", "intranet"),
            ("8.8.8.8", "internet"),
            ("fd00::1", "intranet"),
            ("2001:db8::1", "internet"),
            ("x", "invalid"),
        ] {
            assert_eq!(domain(text), expected, "{text}");
        }
    }
}
