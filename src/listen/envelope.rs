//! What the kernel says of a datagram beside its octets.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

/// Octets of the longest socket address, `sockaddr_in6`.
pub(super) const NAME_BYTES: usize = 28;

/// Octets for control messages: a timestamp takes 32, the size of segments 24.
pub(super) const CONTROL_BYTES: usize = 64;

/// One received datagram, without its octets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Envelope {
    /// The port of ours it came to.
    pub(super) local_port: u16,
    /// Octets in the slot.
    pub(super) length: usize,
    /// Octets of each datagram, where the kernel put several of one sender into
    /// the slot; the last may be shorter. 0: there is one.
    pub(super) segment_bytes: usize,
    /// It was longer than its slot.
    pub(super) truncated: bool,
    /// Sender, IPv4-mapped addresses as IPv4; none if of another family.
    pub(super) peer: Option<SocketAddr>,
    /// When the kernel took it, in milliseconds since 1970.
    pub(super) unix_ms: Option<u64>,
}

impl Envelope {
    /// Reads what `recvmsg(2)` wrote into a message header's buffers.
    pub(super) fn read(
        local_port: u16,
        length: usize,
        truncated: bool,
        name: &[u8],
        control: &[u8],
    ) -> Self {
        let mut envelope = Self {
            local_port,
            length,
            segment_bytes: 0,
            truncated,
            peer: peer(name),
            unix_ms: None,
        };
        for (mark, data) in Messages(control) {
            match mark {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => envelope.unix_ms = milliseconds(data),
                (libc::SOL_UDP, libc::UDP_GRO) => envelope.segment_bytes = segment_bytes(data),
                _ => {}
            }
        }
        envelope
    }

    /// Takes the octets of its slot apart into datagrams, in order.
    pub(super) fn split<'a>(&self, octets: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        // An empty datagram is one, too, but no chunk.
        let empty = octets.is_empty().then_some(octets);
        let each = match self.segment_bytes {
            0 => octets.len(),
            each => each,
        };
        empty.into_iter().chain(octets.chunks(each.max(1)))
    }
}

/// A `sockaddr_in` or `sockaddr_in6` as an address (P-009).
fn peer(name: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = name.split_first_chunk()?;
    let (port, rest) = rest.split_first_chunk()?;
    let ip = match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(*rest.first_chunk::<4>()?)),
        libc::AF_INET6 => {
            // Four octets of flow label come before the address.
            let (_, rest) = rest.split_first_chunk::<4>()?;
            Ipv6Addr::from(*rest.first_chunk::<16>()?).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

/// Control messages with their levels and types.
///
/// Each is a header (length including itself, level, type), its data, and
/// padding to the size of a word: `cmsg(3)`.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = ((libc::c_int, libc::c_int), &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (level, rest) = rest.split_first_chunk()?;
        let (kind, data) = rest.split_first_chunk()?;
        // A length shorter than the header would not get us any further.
        let length = usize::from_ne_bytes(*length).max(HEADER_BYTES);
        let data = data.get(..length - HEADER_BYTES)?;
        let padded = length.checked_next_multiple_of(size_of::<usize>())?;
        self.0 = self.0.get(padded..).unwrap_or_default();
        let mark = (i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind));
        Some((mark, data))
    }
}

/// The `int` of `UDP_GRO`; 0 if it is none.
fn segment_bytes(data: &[u8]) -> usize {
    let bytes = data
        .first_chunk()
        .map(|data| libc::c_int::from_ne_bytes(*data));
    bytes.map_or(0, |bytes| usize::try_from(bytes).unwrap_or_default())
}

/// A `timespec` in milliseconds; none before 1970.
fn milliseconds(timespec: &[u8]) -> Option<u64> {
    let (seconds, rest) = timespec.split_first_chunk()?;
    let nanoseconds = rest.first_chunk()?;
    let seconds = u64::try_from(libc::time_t::from_ne_bytes(*seconds)).ok()?;
    let nanoseconds = u64::try_from(libc::c_long::from_ne_bytes(*nanoseconds)).ok()?;
    seconds
        .checked_mul(1_000)?
        .checked_add(nanoseconds / 1_000_000)
}

/// Octets of a `cmsghdr`: a word and two `int`.
const HEADER_BYTES: usize = size_of::<usize>() + 2 * size_of::<libc::c_int>();

#[cfg(test)]
mod tests {
    use super::*;

    fn control_message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut octets = (HEADER_BYTES + data.len()).to_ne_bytes().to_vec();
        octets.extend(level.to_ne_bytes());
        octets.extend(kind.to_ne_bytes());
        octets.extend(data);
        octets.resize(octets.len().next_multiple_of(size_of::<usize>()), 0);
        octets
    }

    fn timestamp(seconds: i64, nanoseconds: i64) -> Vec<u8> {
        [seconds.to_ne_bytes(), nanoseconds.to_ne_bytes()].concat()
    }

    /// What is read beside the octets of a slot.
    fn read(control: &[u8]) -> (Option<u64>, usize) {
        let envelope = Envelope::read(9995, 0, false, &[], control);
        (envelope.unix_ms, envelope.segment_bytes)
    }

    fn name(family: i32, rest: &[u8]) -> [u8; NAME_BYTES] {
        let mut name = [0; NAME_BYTES];
        let octets = [&u16::try_from(family).unwrap().to_ne_bytes(), rest].concat();
        name[..octets.len()].copy_from_slice(&octets);
        name
    }

    #[test]
    fn both_address_families_are_read() {
        let v4 = name(libc::AF_INET, &[0x27, 0x0b, 192, 0, 2, 1]);
        assert_eq!(peer(&v4), Some("192.0.2.1:9995".parse().unwrap()));

        let address: Ipv6Addr = "2001:db8::7".parse().unwrap();
        let v6 = name(
            libc::AF_INET6,
            &[&[0x27, 0x0b, 1, 2, 3, 4], address.octets().as_slice()].concat(),
        );
        assert_eq!(peer(&v6), Some("[2001:db8::7]:9995".parse().unwrap()));
    }

    /// P-009.
    #[test]
    fn a_mapped_address_is_ipv4() {
        let address: Ipv6Addr = "::ffff:192.0.2.1".parse().unwrap();
        let mapped = name(
            libc::AF_INET6,
            &[&[0, 53, 0, 0, 0, 0], address.octets().as_slice()].concat(),
        );
        assert_eq!(peer(&mapped), Some("192.0.2.1:53".parse().unwrap()));
    }

    #[test]
    fn another_family_or_a_cut_name_is_nobody() {
        assert_eq!(peer(&name(libc::AF_UNIX, &[])), None);
        for (family, needed) in [(libc::AF_INET, 8), (libc::AF_INET6, 24)] {
            let name = name(family, &[]);
            assert!((0..needed).all(|length| peer(&name[..length]).is_none()));
            assert!(peer(&name[..needed]).is_some());
        }
    }

    #[test]
    fn the_timestamp_is_found_behind_other_messages() {
        let mut control = control_message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &[1, 0, 0, 0]);
        control.extend(control_message(
            libc::SOL_SOCKET,
            libc::SCM_TIMESTAMPNS,
            &timestamp(1_700_000_000, 123_999_999),
        ));
        assert_eq!(read(&control), (Some(1_700_000_000_123), 0));
        let segments = 1_464_i32.to_ne_bytes();
        control.extend(control_message(libc::SOL_UDP, libc::UDP_GRO, &segments));
        assert_eq!(read(&control), (Some(1_700_000_000_123), 1_464));
    }

    #[test]
    fn a_size_of_segments_that_is_none_is_ignored() {
        for data in [[].as_slice(), &[1], &[0; 4], &[0xff; 4]] {
            let control = control_message(libc::SOL_UDP, libc::UDP_GRO, data);
            assert_eq!(read(&control), (None, 0), "{data:?}");
        }
    }

    #[test]
    fn a_slot_is_taken_apart_by_the_size_of_segments() {
        let split = |segment_bytes: usize, octets: &'static [u8]| {
            let mut envelope = Envelope::read(9995, octets.len(), false, &[], &[]);
            envelope.segment_bytes = segment_bytes;
            envelope.split(octets).collect::<Vec<_>>()
        };
        assert_eq!(split(0, b"abcde"), [b"abcde"]);
        assert_eq!(split(2, b"abcde"), [b"ab".as_slice(), b"cd", b"e"]);
        assert_eq!(split(2, b"abcd"), [b"ab", b"cd"]);
        assert_eq!(split(9, b"abcd"), [b"abcd"]);
        assert_eq!(split(0, b""), [b""]);
        assert_eq!(split(2, b""), [b""]);
    }

    #[test]
    fn control_messages_cut_anywhere_have_no_timestamp() {
        let mut control = control_message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &[1, 0, 0, 0]);
        control.extend(control_message(
            libc::SOL_SOCKET,
            libc::SCM_TIMESTAMPNS,
            &timestamp(1, 0),
        ));
        for length in 0..control.len() {
            assert_eq!(read(&control[..length]), (None, 0), "{length} octets");
        }
    }

    #[test]
    fn a_lying_control_length_ends_the_walk() {
        for length in [0, 1, usize::MAX] {
            let mut control = control_message(0, 0, &[0; 16]);
            control[..size_of::<usize>()].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(read(&control), (None, 0));
        }
    }

    #[test]
    fn a_time_before_1970_is_no_time() {
        assert_eq!(milliseconds(&timestamp(-1, 0)), None);
        assert_eq!(milliseconds(&timestamp(i64::MAX, 0)), None);
    }
}
