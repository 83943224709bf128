//! IP and UDP headers of copies that bear the exporter's address.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

use super::account::RelayDrop;

/// What stands before a datagram's octets on a raw socket.
#[derive(Clone, Copy)]
pub(super) struct Header {
    octets: [u8; V6_BYTES + UDP_BYTES],
    length: usize,
}

impl Header {
    /// No header.
    pub(super) const EMPTY: Self = Self {
        octets: [0; V6_BYTES + UDP_BYTES],
        length: 0,
    };

    /// The headers of a datagram from one host to another.
    ///
    /// For IPv4 the kernel fills in length, identification and checksum of the
    /// IP header: raw(7). The UDP checksum is ours (RFC 768, RFC 8200 §8.1).
    ///
    /// # Errors
    ///
    /// The addresses are of two families, or the octets are too many for one
    /// IP datagram.
    pub(super) fn new(from: SocketAddr, to: SocketAddr, octets: &[u8]) -> Result<Self, RelayDrop> {
        let ports = (from.port(), to.port());
        match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => Self::v4(from, to, ports, octets),
            (IpAddr::V6(from), IpAddr::V6(to)) => Self::v6(from, to, ports, octets),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                Err(RelayDrop::Family)
            }
        }
    }

    /// Its octets.
    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// RFC 791 §3.1.
    fn v4(
        from: Ipv4Addr,
        to: Ipv4Addr,
        ports: (u16, u16),
        octets: &[u8],
    ) -> Result<Self, RelayDrop> {
        let udp_bytes = udp_bytes(octets, V4_BYTES)?;
        let mut header = Self::EMPTY;
        // Version 4, five words.
        header.push(&[0x45, 0]);
        header.push(&[0; 6]);
        header.push(&[HOPS, UDP, 0, 0]);
        header.push(&from.octets());
        header.push(&to.octets());
        let addresses = sum(&from.octets()) + sum(&to.octets());
        header.push_udp(ports, udp_bytes, addresses + sum(octets));
        Ok(header)
    }

    /// RFC 8200 §3.
    fn v6(
        from: Ipv6Addr,
        to: Ipv6Addr,
        ports: (u16, u16),
        octets: &[u8],
    ) -> Result<Self, RelayDrop> {
        let udp_bytes = udp_bytes(octets, 0)?;
        let mut header = Self::EMPTY;
        header.push(&[0x60, 0, 0, 0]);
        header.push(&udp_bytes.to_be_bytes());
        header.push(&[UDP, HOPS]);
        header.push(&from.octets());
        header.push(&to.octets());
        let addresses = sum(&from.octets()) + sum(&to.octets());
        header.push_udp(ports, udp_bytes, addresses + sum(octets));
        Ok(header)
    }

    /// RFC 768; `others` is the sum of the addresses and the octets.
    fn push_udp(&mut self, (from, to): (u16, u16), udp_bytes: u16, others: u64) {
        // The length counts twice: in the pseudo header too.
        let own = [from, to, udp_bytes, udp_bytes, UDP.into()];
        let sum = others + own.into_iter().map(u64::from).sum::<u64>();
        // 0 would say that there is none.
        let checksum = match checksum(sum) {
            0 => u16::MAX,
            checksum => checksum,
        };
        for word in [from, to, udp_bytes, checksum] {
            self.push(&word.to_be_bytes());
        }
    }

    fn push(&mut self, octets: &[u8]) {
        let end = self.length + octets.len();
        if let Some(room) = self.octets.get_mut(self.length..end) {
            room.copy_from_slice(octets);
            self.length = end;
        }
    }
}

/// Appends a datagram as an IP packet, as a capture has it: nothing is left to
/// the kernel.
///
/// # Errors
///
/// The addresses are of two families, or the octets are too many for one IP
/// datagram; then nothing is appended.
pub fn put_packet(
    out: &mut Vec<u8>,
    from: SocketAddr,
    to: SocketAddr,
    octets: &[u8],
) -> Result<(), RelayDrop> {
    let mut header = Header::new(from, to, octets)?;
    if from.is_ipv4() {
        let length = header.length + octets.len();
        let length = u16::try_from(length).map_err(|_| RelayDrop::TooLong)?;
        put(&mut header.octets, 2, length);
        let own = header.octets.get(..V4_BYTES).unwrap_or_default();
        let checksum = checksum(sum(own));
        put(&mut header.octets, 10, checksum);
    }
    out.extend_from_slice(header.octets());
    out.extend_from_slice(octets);
    Ok(())
}

fn put(header: &mut [u8], at: usize, number: u16) {
    let room = header.get_mut(at..).and_then(|room| room.first_chunk_mut());
    if let Some(room) = room {
        *room = number.to_be_bytes();
    }
}

/// The complement of a sum. RFC 1071 §1.
fn checksum(sum: u64) -> u16 {
    !folded(sum)
}

/// A sum with its carries added to it.
fn folded(mut sum: u64) -> u16 {
    while sum > u16::MAX.into() {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Octets of a UDP datagram, if it fits behind so many of the IP header that
/// count for its length.
fn udp_bytes(octets: &[u8], ip_bytes: usize) -> Result<u16, RelayDrop> {
    let whole = octets.len() + UDP_BYTES + ip_bytes;
    let fits = u16::try_from(whole).map_err(|_| RelayDrop::TooLong)?;
    let ip_bytes = u16::try_from(ip_bytes).map_err(|_| RelayDrop::TooLong)?;
    Ok(fits.saturating_sub(ip_bytes))
}

/// Sum of 16-bit words, the last one filled up with 0. RFC 1071 §2: once it is
/// folded, words twice as long have the same sum, and words in another order of
/// octets the same in that order.
fn sum(octets: &[u8]) -> u64 {
    let (words, rest) = octets.as_chunks::<4>();
    let words = words
        .iter()
        .map(|word| u64::from(u32::from_ne_bytes(*word)));
    let mut last = [0; 4];
    for (slot, octet) in last.iter_mut().zip(rest) {
        *slot = *octet;
    }
    let sum = words.sum::<u64>() + u64::from(u32::from_ne_bytes(last));
    u16::from_be(folded(sum)).into()
}

const V4_BYTES: usize = 20;
const V6_BYTES: usize = 40;
const UDP_BYTES: usize = 8;
/// Protocol number of UDP.
const UDP: u8 = 17;
/// Hops a copy may make; RFC 1700's default.
const HOPS: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn header(from: &str, to: &str, octets: &[u8]) -> Result<Vec<u8>, RelayDrop> {
        let header = Header::new(from.parse().unwrap(), to.parse().unwrap(), octets);
        header.map(|header| header.octets().to_vec())
    }

    /// RFC 768: the words of pseudo header, header and octets add up to 0xffff.
    #[test]
    fn an_ipv4_header_has_both_addresses_and_a_udp_checksum() {
        let header = header("192.0.2.7:2055", "198.51.100.9:9995", b"abc").unwrap();
        #[rustfmt::skip]
        let expected = [
            0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 7, 198, 51, 100, 9,
            0x08, 0x07, 0x27, 0x0b, 0, 11, 0x20, 0x1f,
        ];
        assert_eq!(header, expected);
        let pseudo: [u16; 6] = [0xc000, 0x0207, 0xc633, 0x6409, 17, 11];
        let rest: [u16; 6] = [0x0807, 0x270b, 11, 0x201f, 0x6162, 0x6300];
        let sum: u32 = pseudo.into_iter().chain(rest).map(u32::from).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[test]
    fn an_ipv6_header_has_the_length_of_what_follows() {
        let header = header("[2001:db8::7]:1", "[2001:db8::9]:2", &[]).unwrap();
        assert_eq!(header.len(), 48);
        assert_eq!(header[..8], [0x60, 0, 0, 0, 0, 8, 17, 64]);
        assert_eq!(header[40..46], [0, 1, 0, 2, 0, 8]);
        let words = header[8..]
            .chunks(2)
            .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
        let sum: u32 = words.sum::<u32>() + 8 + 17;
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    /// RFC 768: a checksum of 0 is sent as all ones.
    #[test]
    fn a_checksum_that_comes_to_0_is_not_sent_as_none() {
        let plain = header("0.0.0.1:0", "0.0.0.0:0", &[0, 0]).unwrap();
        let checksum = u16::from_be_bytes([plain[26], plain[27]]);
        let again = header("0.0.0.1:0", "0.0.0.0:0", &checksum.to_be_bytes()).unwrap();
        assert_eq!(again[26..28], [0xff, 0xff]);
    }

    /// RFC 791 §3.1: the words of the header add up to 0xffff.
    #[test]
    fn a_packet_of_a_capture_has_length_and_checksum() {
        let from = "192.0.2.7:2055".parse().unwrap();
        let mut packet = Vec::new();
        put_packet(
            &mut packet,
            from,
            "198.51.100.9:9995".parse().unwrap(),
            b"abc",
        )
        .unwrap();
        assert_eq!(packet[..4], [0x45, 0, 0, 31]);
        assert_eq!(packet[28..], *b"abc");
        assert_eq!(checksum(sum(&packet[..20])), 0);
        assert_ne!(packet[10..12], [0, 0]);
    }

    #[test]
    fn what_no_datagram_can_bear_is_refused() {
        let mixed = header("192.0.2.7:1", "[2001:db8::9]:2", &[]);
        assert_eq!(mixed, Err(RelayDrop::Family));
        let octets = vec![0; 65_535];
        for (from, to, most) in [
            ("192.0.2.7:1", "192.0.2.9:2", 65_507),
            ("[2001:db8::7]:1", "[2001:db8::9]:2", 65_527),
        ] {
            assert!(header(from, to, &octets[..most]).is_ok());
            let refused = header(from, to, &octets[..=most]);
            assert_eq!(refused, Err(RelayDrop::TooLong));
        }
    }
}
