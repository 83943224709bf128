//! From a captured frame to the UDP datagram in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A UDP datagram within a frame.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Datagram<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) payload: &'a [u8],
}

/// Why a frame gives no datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Skipped {
    LinkType,
    NotIp,
    NotUdp,
    Fragment,
    Truncated,
}

impl Skipped {
    pub(super) const ALL: [Self; 5] = [
        Self::LinkType,
        Self::NotIp,
        Self::NotUdp,
        Self::Fragment,
        Self::Truncated,
    ];

    /// What a count of them is called.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::LinkType => "of an unknown link type",
            Self::NotIp => "not IP",
            Self::NotUdp => "not UDP",
            Self::Fragment => "IP fragments",
            Self::Truncated => "cut short by the capture",
        }
    }
}

/// LINKTYPE_ numbers, <https://www.tcpdump.org/linktypes.html>.
mod link {
    pub(super) const NULL: u32 = 0;
    pub(super) const ETHERNET: u32 = 1;
    pub(super) const RAW_BSD: u32 = 12;
    pub(super) const RAW_OPENBSD: u32 = 14;
    pub(super) const RAW: u32 = 101;
    pub(super) const LOOP: u32 = 108;
    pub(super) const LINUX_SLL: u32 = 113;
    pub(super) const IPV4: u32 = 228;
    pub(super) const IPV6: u32 = 229;
    pub(super) const LINUX_SLL2: u32 = 276;
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad and the old QinQ.
const ETHERTYPES_VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const PROTOCOL_UDP: u8 = 17;
/// Extension headers whose second octet is their length in units of 8:
/// hop-by-hop, routing, destination options.
const EXTENSIONS: [u8; 3] = [0, 43, 60];
const EXTENSION_FRAGMENT: u8 = 44;
/// Extension headers and VLAN tags of one frame at most.
const HEADERS_MAX: usize = 8;

/// Finds the datagram in a frame of this link type.
pub(super) fn datagram(link_type: u32, frame: &[u8]) -> Result<Datagram<'_>, Skipped> {
    match link_type {
        link::ETHERNET => ethertype(rest(frame, 12)?),
        link::LINUX_SLL => ethertype(rest(frame, 14)?),
        // The protocol comes first, 18 octets of other things follow it.
        link::LINUX_SLL2 => by_ethertype(u16_at(frame, 0)?, rest(frame, 20)?),
        link::NULL | link::LOOP => ip(rest(frame, 4)?),
        link::RAW | link::RAW_BSD | link::RAW_OPENBSD | link::IPV4 | link::IPV6 => ip(frame),
        _ => Err(Skipped::LinkType),
    }
}

/// Reads an EtherType, after any VLAN tags, and what it announces.
fn ethertype(mut octets: &[u8]) -> Result<Datagram<'_>, Skipped> {
    for _ in 0..HEADERS_MAX {
        let ethertype = u16_at(octets, 0)?;
        if !ETHERTYPES_VLAN.contains(&ethertype) {
            return by_ethertype(ethertype, rest(octets, 2)?);
        }
        octets = rest(octets, 4)?;
    }
    Err(Skipped::NotIp)
}

fn by_ethertype(ethertype: u16, octets: &[u8]) -> Result<Datagram<'_>, Skipped> {
    match ethertype {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => ip(octets),
        _ => Err(Skipped::NotIp),
    }
}

fn ip(octets: &[u8]) -> Result<Datagram<'_>, Skipped> {
    match octets.first().map(|first| first >> 4) {
        Some(4) => ipv4(octets),
        Some(6) => ipv6(octets),
        Some(_) => Err(Skipped::NotIp),
        None => Err(Skipped::Truncated),
    }
}

/// RFC 791 §3.1.
fn ipv4(octets: &[u8]) -> Result<Datagram<'_>, Skipped> {
    let (header, _) = octets.split_first_chunk::<20>().ok_or(Skipped::Truncated)?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    if header[9] != PROTOCOL_UDP {
        return Err(Skipped::NotUdp);
    }
    // More fragments, or not the first one.
    if fragment & 0x3fff != 0 {
        return Err(Skipped::Fragment);
    }
    let source = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
    let destination = Ipv4Addr::new(header[16], header[17], header[18], header[19]);
    // Segmentation offload leaves a total length of 0; Ethernet pads short packets.
    let octets = octets
        .get(..total_len)
        .filter(|_| total_len > 0)
        .unwrap_or(octets);
    udp(
        source.into(),
        destination.into(),
        rest(octets, header_len.max(20))?,
    )
}

/// RFC 8200 §3, §4.
fn ipv6(octets: &[u8]) -> Result<Datagram<'_>, Skipped> {
    let (header, mut octets) = octets.split_first_chunk::<40>().ok_or(Skipped::Truncated)?;
    let source = address_v6(header.get(8..24))?;
    let destination = address_v6(header.get(24..40))?;
    let mut next = header[6];
    for _ in 0..HEADERS_MAX {
        let (length, fragmented) = match next {
            PROTOCOL_UDP => return udp(source, destination, octets),
            EXTENSION_FRAGMENT => (8, u16_at(octets, 2)? & 0xfff9 != 0),
            extension if EXTENSIONS.contains(&extension) => {
                let units = *octets.get(1).ok_or(Skipped::Truncated)?;
                (8 + 8 * usize::from(units), false)
            }
            _ => return Err(Skipped::NotUdp),
        };
        if fragmented {
            return Err(Skipped::Fragment);
        }
        next = *octets.first().ok_or(Skipped::Truncated)?;
        octets = rest(octets, length)?;
    }
    Err(Skipped::NotUdp)
}

/// RFC 768.
fn udp(source: IpAddr, destination: IpAddr, octets: &[u8]) -> Result<Datagram<'_>, Skipped> {
    let (header, payload) = octets.split_first_chunk::<8>().ok_or(Skipped::Truncated)?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let payload = match length.checked_sub(8) {
        Some(length) => payload.get(..length).ok_or(Skipped::Truncated)?,
        None => payload,
    };
    Ok(Datagram {
        source: SocketAddr::new(source, u16::from_be_bytes([header[0], header[1]])),
        destination: SocketAddr::new(destination, u16::from_be_bytes([header[2], header[3]])),
        payload,
    })
}

fn address_v6(octets: Option<&[u8]>) -> Result<IpAddr, Skipped> {
    let octets = octets.and_then(|octets| <[u8; 16]>::try_from(octets).ok());
    octets
        .map(|octets| Ipv6Addr::from(octets).into())
        .ok_or(Skipped::Truncated)
}

fn u16_at(octets: &[u8], at: usize) -> Result<u16, Skipped> {
    let octets = octets.get(at..).and_then(|octets| octets.first_chunk());
    octets
        .copied()
        .map(u16::from_be_bytes)
        .ok_or(Skipped::Truncated)
}

fn rest(octets: &[u8], from: usize) -> Result<&[u8], Skipped> {
    octets.get(from..).ok_or(Skipped::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 192.0.2.10:2055 → 192.0.2.1:9995, "hi", and two octets of Ethernet padding.
    const IPV4: &[u8] = &[
        0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 10, 192, 0, 2, 1, // IPv4
        0x08, 0x07, 0x27, 0x0b, 0, 10, 0, 0, // UDP
        b'h', b'i', 0, 0,
    ];

    fn hi() -> Result<Datagram<'static>, Skipped> {
        Ok(Datagram {
            source: "192.0.2.10:2055".parse().unwrap(),
            destination: "192.0.2.1:9995".parse().unwrap(),
            payload: b"hi",
        })
    }

    fn with_ipv4(header: &[u8]) -> Vec<u8> {
        [header, IPV4].concat()
    }

    #[test]
    fn every_known_link_layer_leads_to_the_datagram() {
        let ethernet = [&[0; 12][..], &[0x08, 0x00]].concat();
        assert_eq!(datagram(link::ETHERNET, &with_ipv4(&ethernet)), hi());
        let tagged = [
            &[0; 12][..],
            &[0x88, 0xa8, 0, 1, 0x81, 0x00, 0, 2, 0x08, 0x00],
        ]
        .concat();
        assert_eq!(datagram(link::ETHERNET, &with_ipv4(&tagged)), hi());
        let sll = [&[0; 14][..], &[0x08, 0x00]].concat();
        assert_eq!(datagram(link::LINUX_SLL, &with_ipv4(&sll)), hi());
        let sll2 = [&[0x08, 0x00][..], &[0; 18]].concat();
        assert_eq!(datagram(link::LINUX_SLL2, &with_ipv4(&sll2)), hi());
        assert_eq!(datagram(link::NULL, &with_ipv4(&[2, 0, 0, 0])), hi());
        assert_eq!(datagram(link::RAW, IPV4), hi());
        assert_eq!(datagram(147, IPV4), Err(Skipped::LinkType));
    }

    #[test]
    fn an_ipv6_datagram_is_found_behind_extension_headers() {
        let mut packet = vec![0x60, 0, 0, 0, 0, 26, 0, 64];
        packet.extend([0x20; 16]);
        packet.extend([0x30; 16]);
        packet.extend([44, 0, 1, 4, 0, 0, 0, 0]); // hop-by-hop, then fragment
        packet.extend([17, 0, 0, 0, 0, 0, 0, 7]); // the only fragment, then UDP
        packet.extend([0x08, 0x07, 0x27, 0x0b, 0, 10, 0, 0, b'h', b'i']);
        let found = datagram(link::RAW, &packet).unwrap();
        assert_eq!(found.payload, b"hi");
        assert_eq!(
            found.source.to_string(),
            "[2020:2020:2020:2020:2020:2020:2020:2020]:2055"
        );
        packet[51] = 1;
        assert_eq!(datagram(link::RAW, &packet), Err(Skipped::Fragment));
    }

    #[test]
    fn fragments_and_other_protocols_are_told_apart() {
        let mut packet = IPV4.to_vec();
        packet[6] = 0x20;
        assert_eq!(datagram(link::RAW, &packet), Err(Skipped::Fragment));
        packet[6] = 0x40; // don't fragment
        assert_eq!(datagram(link::RAW, &packet).unwrap().payload, b"hi");
        packet[9] = 6;
        assert_eq!(datagram(link::RAW, &packet), Err(Skipped::NotUdp));
        assert_eq!(datagram(link::ETHERNET, &[0; 64]), Err(Skipped::NotIp));
    }

    #[test]
    fn a_frame_cut_at_any_length_is_refused() {
        for length in 0..30 {
            assert_eq!(
                datagram(link::RAW, &IPV4[..length]),
                Err(Skipped::Truncated),
                "{length}"
            );
        }
    }
}
