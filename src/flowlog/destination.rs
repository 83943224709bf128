//! Where datagrams of ours may not go, whoever asks for it.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

use thiserror::Error;

/// Why nothing is sent to an address.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    /// RFC 768 has no port 0 to send to.
    #[error("port 0 is no port")]
    NoPort,
    /// An address that means "any"; Linux would send to itself. RFC 1122 §3.2.1.3.
    #[error("names no host")]
    Unspecified,
    /// One of our own sockets: what is sent there comes back for ever.
    #[error("is where this flowlogd itself listens, so that it would loop")]
    Own,
    /// Groups of hosts that did not ask for flows. RFC 1112 §4, RFC 4291 §2.7.
    #[error("is a multicast group")]
    Multicast,
    /// Every host of a link. RFC 919 §7.
    #[error("is the broadcast address")]
    Broadcast,
    /// A cloud's metadata service, which gives out keys.
    #[error("is a cloud's metadata service")]
    Metadata,
    /// Hosts of a link that need not be the one that is meant. RFC 3927, RFC 4291 §2.5.6.
    #[error("is link-local")]
    LinkLocal,
}

/// Why nothing may be sent to `address`; `None` if it may.
///
/// `own` are the addresses we listen on; an unspecified one stands for the
/// loopback addresses, and for those of its host's interfaces only if they are
/// listed too. IPv4-mapped addresses count as IPv4 (P-009). The broadcast
/// addresses of single subnets are the kernel's to refuse, which knows them.
pub fn refusal(address: SocketAddr, own: &[SocketAddr]) -> Option<Refusal> {
    let ip = address.ip().to_canonical();
    let address = SocketAddr::new(ip, address.port());
    let is_metadata = METADATA.contains(&ip);
    let reasons = [
        (address.port() == 0, Refusal::NoPort),
        (is_unspecified(ip), Refusal::Unspecified),
        (ip.is_multicast(), Refusal::Multicast),
        (ip == IpAddr::V4(Ipv4Addr::BROADCAST), Refusal::Broadcast),
        (is_metadata, Refusal::Metadata),
        (is_link_local(ip), Refusal::LinkLocal),
        (own.iter().any(|own| hears(own, &address)), Refusal::Own),
    ];
    let found = reasons.into_iter().find(|(applies, _)| *applies);
    found.map(|(_, refusal)| refusal)
}

/// 0.0.0.0/8 and `::`.
fn is_unspecified(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => matches!(v4.octets(), [0, ..]),
        IpAddr::V6(v6) => v6.is_unspecified(),
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Whether a socket bound to `own` takes what is sent to `address`.
fn hears(own: &SocketAddr, address: &SocketAddr) -> bool {
    if own.port() != address.port() {
        return false;
    }
    match (own.ip().to_canonical(), address.ip()) {
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), ip) => ip.is_loopback(),
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(ip)) => ip.is_loopback(),
        (own, ip) => own == ip,
    }
}

/// Alibaba Cloud's metadata service, that of Alibaba Cloud, AWS and others, and
/// AWS's for IPv6.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(address: &str, own: &[&str]) -> Option<Refusal> {
        let own: Vec<SocketAddr> = own.iter().map(|own| own.parse().unwrap()).collect();
        refusal(address.parse().unwrap(), &own)
    }

    #[test]
    fn other_collectors_are_no_problem() {
        for address in [
            "192.0.2.9:2055",
            "127.0.0.1:9995",
            "[2001:db8::9]:4739",
            "[::1]:1",
            "100.100.100.201:9995",
            "1.0.0.0:65535",
        ] {
            assert_eq!(judged(address, &[]), None, "{address}");
        }
    }

    #[test]
    fn each_unsound_address_has_its_reason() {
        for (address, reason) in [
            ("192.0.2.9:0", Refusal::NoPort),
            ("0.0.0.0:9995", Refusal::Unspecified),
            ("0.1.2.3:9995", Refusal::Unspecified),
            ("[::]:9995", Refusal::Unspecified),
            ("224.0.0.1:9995", Refusal::Multicast),
            ("239.255.255.255:9995", Refusal::Multicast),
            ("[ff02::1]:9995", Refusal::Multicast),
            ("255.255.255.255:9995", Refusal::Broadcast),
            ("169.254.169.254:80", Refusal::Metadata),
            ("100.100.100.200:80", Refusal::Metadata),
            ("[fd00:ec2::254]:80", Refusal::Metadata),
            ("169.254.0.1:9995", Refusal::LinkLocal),
            ("[fe80::1]:9995", Refusal::LinkLocal),
            ("[febf::1]:9995", Refusal::LinkLocal),
        ] {
            assert_eq!(judged(address, &[]), Some(reason), "{address}");
        }
    }

    /// P-009.
    #[test]
    fn a_mapped_address_is_judged_as_the_ipv4_address_it_is() {
        let mapped = "[::ffff:169.254.169.254]:80";
        assert_eq!(judged(mapped, &[]), Some(Refusal::Metadata));
        let own = &["192.0.2.1:9995"];
        let mapped = "[::ffff:192.0.2.1]:9995";
        assert_eq!(judged(mapped, own), Some(Refusal::Own));
        let own = &["[::ffff:192.0.2.1]:9995"];
        assert_eq!(judged("192.0.2.1:9995", own), Some(Refusal::Own));
    }

    #[test]
    fn what_we_listen_on_ourselves_would_loop() {
        let own = Some(Refusal::Own);
        assert_eq!(judged("192.0.2.1:9995", &["192.0.2.1:9995"]), own);
        assert_eq!(judged("192.0.2.1:9996", &["192.0.2.1:9995"]), None);
        assert_eq!(judged("192.0.2.2:9995", &["192.0.2.1:9995"]), None);
        for (any, v4, v6) in [("[::]:9995", own, own), ("0.0.0.0:9995", own, None)] {
            assert_eq!(judged("127.0.0.1:9995", &[any]), v4, "{any}");
            assert_eq!(judged("127.9.9.9:9995", &[any]), v4, "{any}");
            assert_eq!(judged("[::1]:9995", &[any]), v6, "{any}");
            assert_eq!(judged("192.0.2.1:9995", &[any]), None, "{any}");
            assert_eq!(judged("127.0.0.1:2055", &[any]), None, "{any}");
        }
    }
}
