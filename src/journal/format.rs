//! The octets of a segment: a header, then frames.
//!
//! ```text
//! header  64 octets: "FLOWJRNL", version, journal id, number, first seq, CRC
//! frame   head 44 octets, shares 36 octets each, body
//! ```
//!
//! All numbers are little-endian. Each CRC-32C of a frame starts from one over
//! the journal's id, so that neither a frame of another journal nor octets a
//! sender chose pass for a frame of this one.

use bytes::Bytes;
use zerocopy::FromBytes;
use zerocopy::Immutable;
use zerocopy::IntoBytes;
use zerocopy::KnownLayout;
use zerocopy::Unaligned;
use zerocopy::little_endian::U16;
use zerocopy::little_endian::U32;
use zerocopy::little_endian::U64;

use super::frame::DestinationId;
use super::frame::Kind;
use super::frame::Share;
use crate::flow::Amount;

/// Newest version of the format.
pub(super) const VERSION: u32 = 1;
/// Octets of a segment's header.
pub(super) const HEADER_LEN: usize = size_of::<RawHeader>();
/// Octets of a frame's head.
pub(super) const HEAD_LEN: usize = size_of::<RawHead>();
/// Octets of one share.
pub(super) const SHARE_LEN: usize = size_of::<RawShare>();
/// Most shares of a frame.
pub(super) const SHARES_MAX: usize = 4096;
/// Most octets of a destination's name.
pub(super) const NAME_LEN_MAX: usize = 512;
/// How a frame begins.
pub(super) const FRAME_MAGIC: [u8; 4] = *b"FLJ\xF1";
/// Sequence numbers stay below, so that none can wrap.
pub(super) const SEQ_MAX: u64 = u64::MAX / 2;

const HEADER_MAGIC: [u8; 8] = *b"FLOWJRNL";
const NAMES_KIND: u8 = 0;

/// What the CRCs of a journal start from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Seal(u32);

impl Seal {
    pub(super) fn new(uuid: &[u8; 16]) -> Self {
        Self(crc32c::crc32c(uuid))
    }

    pub(super) fn of(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }
}

/// What stands at the beginning of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) uuid: [u8; 16],
    /// Number of the segment, as in its name.
    pub(super) number: u64,
    /// No frame of this segment begins before it, and no older segment
    /// counts from it on.
    pub(super) first_seq: u64,
    pub(super) created_ms: u64,
}

#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct RawHeader {
    magic: [u8; 8],
    version: U32,
    uuid: [u8; 16],
    number: U64,
    first_seq: U64,
    created_ms: U64,
    reserved: [u8; 8],
    crc: U32,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut raw = RawHeader {
            magic: HEADER_MAGIC,
            version: self.version.into(),
            uuid: self.uuid,
            number: self.number.into(),
            first_seq: self.first_seq.into(),
            created_ms: self.created_ms.into(),
            reserved: [0; 8],
            crc: U32::ZERO,
        };
        raw.crc = raw.computed_crc().into();
        zerocopy::transmute!(raw)
    }

    /// `None` where it is damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (raw, _) = RawHeader::read_from_prefix(bytes).ok()?;
        let is_sound = raw.magic == HEADER_MAGIC && raw.crc.get() == raw.computed_crc();
        is_sound.then(|| Self {
            version: raw.version.get(),
            uuid: raw.uuid,
            number: raw.number.get(),
            first_seq: raw.first_seq.get(),
            created_ms: raw.created_ms.get(),
        })
    }
}

impl RawHeader {
    fn computed_crc(&self) -> u32 {
        let covered = self.as_bytes().split_last_chunk::<4>();
        covered.map_or(0, |(covered, _)| crc32c::crc32c(covered))
    }
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Content {
    /// Rows.
    Rows(Kind),
    /// Names of destinations; no rows.
    Names,
}

/// The fixed part of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) first_seq: u64,
    pub(super) rows: u32,
    pub(super) content: Content,
    pub(super) at_ms: u64,
    pub(super) shares: u16,
    pub(super) body_len: u32,
    pub(super) shares_crc: u32,
    pub(super) body_crc: u32,
}

#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct RawHead {
    magic: [u8; 4],
    body_len: U32,
    first_seq: U64,
    at_ms: U64,
    rows: U32,
    shares: U16,
    kind: u8,
    reserved: u8,
    shares_crc: U32,
    body_crc: U32,
    crc: U32,
}

impl Head {
    /// Octets of the shares.
    pub(super) fn shares_len(&self) -> usize {
        usize::from(self.shares) * SHARE_LEN
    }

    /// Octets before the body.
    pub(super) fn prefix_len(&self) -> usize {
        HEAD_LEN + self.shares_len()
    }

    /// Octets of the whole frame.
    pub(super) fn frame_len(&self) -> u64 {
        self.prefix_len() as u64 + u64::from(self.body_len)
    }

    /// First sequence number after the frame.
    pub(super) fn end_seq(&self) -> u64 {
        self.first_seq + u64::from(self.rows)
    }

    fn encode(&self, seal: Seal) -> [u8; HEAD_LEN] {
        let mut raw = RawHead {
            magic: FRAME_MAGIC,
            body_len: self.body_len.into(),
            first_seq: self.first_seq.into(),
            at_ms: self.at_ms.into(),
            rows: self.rows.into(),
            shares: self.shares.into(),
            kind: match self.content {
                Content::Names => NAMES_KIND,
                Content::Rows(kind) => kind.code(),
            },
            reserved: 0,
            shares_crc: self.shares_crc.into(),
            body_crc: self.body_crc.into(),
            crc: U32::ZERO,
        };
        raw.crc = raw.computed_crc(seal).into();
        zerocopy::transmute!(raw)
    }

    /// `None` where it is damaged or not a head.
    pub(super) fn decode(bytes: &[u8], seal: Seal) -> Option<Self> {
        let (raw, _) = RawHead::read_from_prefix(bytes).ok()?;
        if raw.magic != FRAME_MAGIC || raw.crc.get() != raw.computed_crc(seal) {
            return None;
        }
        let content = match raw.kind {
            NAMES_KIND => Content::Names,
            code => Content::Rows(Kind::from_code(code)?),
        };
        let has_rows = raw.rows.get() != 0;
        let is_possible = raw.first_seq.get() <= SEQ_MAX
            && usize::from(raw.shares.get()) <= SHARES_MAX
            && has_rows == (content != Content::Names);
        is_possible.then(|| Self {
            first_seq: raw.first_seq.get(),
            rows: raw.rows.get(),
            content,
            at_ms: raw.at_ms.get(),
            shares: raw.shares.get(),
            body_len: raw.body_len.get(),
            shares_crc: raw.shares_crc.get(),
            body_crc: raw.body_crc.get(),
        })
    }
}

impl RawHead {
    fn computed_crc(&self, seal: Seal) -> u32 {
        let covered = self.as_bytes().split_last_chunk::<4>();
        covered.map_or(0, |(covered, _)| seal.of(covered))
    }
}

#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct RawShare {
    destination: U32,
    start: U32,
    end: U32,
    records: U64,
    octets: U64,
    packets: U64,
}

impl RawShare {
    fn new(share: &Share) -> Self {
        Self {
            destination: share.destination.0.into(),
            start: share.rows.start.into(),
            end: share.rows.end.into(),
            records: share.amount.records.into(),
            octets: share.amount.octets.into(),
            packets: share.amount.packets.into(),
        }
    }

    fn share(&self) -> Share {
        Share {
            destination: DestinationId(self.destination.get()),
            rows: self.start.get()..self.end.get(),
            amount: Amount {
                records: self.records.get(),
                octets: self.octets.get(),
                packets: self.packets.get(),
            },
        }
    }
}

/// The shares of a frame; `None` where they are damaged.
pub(super) fn decode_shares(bytes: &[u8], head: &Head, seal: Seal) -> Option<Vec<Share>> {
    if seal.of(bytes) != head.shares_crc {
        return None;
    }
    let (raw, _) = <[RawShare]>::ref_from_prefix_with_elems(bytes, head.shares.into()).ok()?;
    let shares: Vec<_> = raw.iter().map(RawShare::share).collect();
    are_shares_of(&shares, head.rows).then_some(shares)
}

/// Whether shares are ones that a frame of so many rows may have.
pub(super) fn are_shares_of(shares: &[Share], rows: u32) -> bool {
    let are_within = shares
        .iter()
        .all(|share| share.rows.start < share.rows.end && share.rows.end <= rows);
    let mut seen: Vec<_> = shares.iter().map(|share| share.destination).collect();
    seen.sort_unstable();
    seen.dedup();
    are_within && seen.len() == shares.len()
}

/// A frame as it is written: what comes before the body.
pub(super) fn encode_prefix(
    content: Content,
    first_seq: u64,
    shares: &[Share],
    body: &[u8],
    at_ms: u64,
    seal: Seal,
) -> Option<(Head, Bytes)> {
    let raw: Vec<_> = shares.iter().map(RawShare::new).collect();
    let rows = shares.iter().map(|share| share.rows.end).max();
    let head = Head {
        first_seq,
        rows: rows.unwrap_or(0),
        content,
        at_ms,
        shares: u16::try_from(shares.len()).ok()?,
        body_len: u32::try_from(body.len()).ok()?,
        shares_crc: seal.of(raw.as_bytes()),
        body_crc: seal.of(body),
    };
    let mut prefix = Vec::with_capacity(head.prefix_len());
    prefix.extend_from_slice(&head.encode(seal));
    prefix.extend_from_slice(raw.as_bytes());
    Some((head, prefix.into()))
}

/// Body of a frame of names: those with ids from `first` on.
pub(super) fn encode_names<'a>(first: usize, names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut body = Vec::new();
    for (id, name) in (first..).zip(names) {
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        let len = u16::try_from(name.len()).unwrap_or(0);
        body.extend_from_slice(&id.to_le_bytes());
        body.extend_from_slice(&len.to_le_bytes());
        body.extend_from_slice(name.as_bytes());
    }
    body
}

/// The names of such a body, as far as they make sense.
pub(super) fn decode_names(mut body: &[u8]) -> Vec<(u32, String)> {
    let mut names = Vec::new();
    while let Some((id, name, rest)) = decode_name(body) {
        names.push((id, name));
        body = rest;
    }
    names
}

/// One id with its name, and what follows.
pub(super) fn decode_name(body: &[u8]) -> Option<(u32, String, &[u8])> {
    let (id, rest) = body.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(u16::from_le_bytes(*len).into())?;
    let name = String::from_utf8(name.to_vec()).ok()?;
    Some((u32::from_le_bytes(*id), name, rest))
}

/// Name of a segment's file.
pub(super) fn segment_name(number: u64) -> String {
    format!("{number:016x}{SEGMENT}")
}

/// Number of the segment that has this file name.
pub(super) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SEGMENT)?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    (segment_name(number) == name).then_some(number)
}

/// How names of segments end.
pub(super) const SEGMENT: &str = ".seg";

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            version: VERSION,
            uuid: [7; 16],
            number: 5,
            first_seq: 1 << 40,
            created_ms: 1_700_000_000_000,
        }
    }

    #[test]
    fn a_header_has_64_octets_and_no_bit_to_spare() {
        let bytes = header().encode();
        assert_eq!(bytes.len(), 64);
        assert_eq!(Header::decode(&bytes), Some(header()));
        assert_eq!(Header::decode(&bytes[..63]), None);
        for at in 0..64 {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert_eq!(Header::decode(&damaged), None, "octet {at}");
        }
    }

    #[test]
    fn a_frame_of_another_journal_is_none_of_ours() {
        let ours = Seal::new(&[1; 16]);
        let share = Share {
            destination: DestinationId(3),
            rows: 0..7,
            amount: Amount {
                records: 8,
                octets: 9,
                packets: 10,
            },
        };
        let shares = [share];
        let content = Content::Rows(Kind::LogGroup);
        let (head, prefix) = encode_prefix(content, 11, &shares, b"body", 12, ours).unwrap();
        assert_eq!((HEAD_LEN, SHARE_LEN), (44, 36));
        assert_eq!(prefix.len(), 80);
        assert_eq!((head.frame_len(), head.end_seq()), (84, 18));
        assert_eq!(Head::decode(&prefix, ours), Some(head));
        assert_eq!(
            decode_shares(&prefix[44..], &head, ours),
            Some(shares.to_vec())
        );
        assert_eq!(Head::decode(&prefix, Seal::new(&[2; 16])), None);
    }

    #[test]
    fn shares_lie_within_the_frame_and_are_one_per_destination() {
        let share = |destination, rows| Share {
            destination: DestinationId(destination),
            rows,
            amount: Amount::default(),
        };
        assert!(are_shares_of(&[share(1, 0..2), share(0, 0..2)], 2));
        assert!(!are_shares_of(&[share(1, 0..3)], 2));
        assert!(!are_shares_of(&[share(1, 1..1)], 2));
        assert!(!are_shares_of(&[share(1, 0..1), share(1, 1..2)], 2));
    }

    #[test]
    fn names_come_back_with_their_ids() {
        let body = encode_names(3, ["a", "", "sls/ü"].into_iter());
        let names = decode_names(&body);
        let expected = [(3, "a"), (4, ""), (5, "sls/ü")];
        assert_eq!(names, expected.map(|(id, name)| (id, name.to_owned())));
        assert_eq!(decode_names(&body[..body.len() - 1]).len(), 2);
    }

    #[test]
    fn only_the_canonical_name_is_a_segment() {
        assert_eq!(segment_number("000000000000002a.seg"), Some(42));
        assert_eq!(segment_number("2a.seg"), None);
        assert_eq!(segment_number("000000000000002A.seg"), None);
        assert_eq!(segment_number("000000000000002a.seg.tmp"), None);
        assert_eq!(segment_number("+00000000000002a.seg"), None);
    }
}
