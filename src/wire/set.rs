//! Sets: the length-delimited parts of a v9 or IPFIX Message.

use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_u16;

use crate::wire::Reason;
use crate::wire::Version;
use crate::wire::WireError;
use crate::wire::definition::Definitions;
use crate::wire::error::Parsed;
use crate::wire::error::refuse;

/// Octets of a Set Header. RFC 7011 §3.3.2.
pub const SET_HEADER_LEN: usize = 4;
/// Data Sets, and so Templates, have ids from here on. RFC 7011 §3.3.2.
pub const DATA_SET_ID_MIN: u16 = 256;

/// A length-delimited part of a Message. RFC 7011 §3.3, RFC 3954 §5.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    /// What it holds.
    pub kind: SetKind,
    /// Set id as sent.
    pub id: u16,
    /// Octets after the Set header.
    pub body: &'a [u8],
    /// Where `body` starts in the datagram.
    pub body_offset: usize,
    /// Protocol version of its Message.
    pub version: Version,
}

impl<'a> Set<'a> {
    /// What a Template Set or Options Template Set defines; other kinds define nothing.
    ///
    /// A definition of more than `fields_max` fields is invalid (P-820).
    pub fn definitions(&self, fields_max: usize) -> Definitions<'a> {
        Definitions::new(self, fields_max)
    }
}

/// The three kinds of Set, and what is none of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SetKind {
    /// v9 id 0, IPFIX id 2.
    Templates,
    /// v9 id 1, IPFIX id 3.
    OptionsTemplates,
    /// Id 256 and above: records of that Template.
    Data,
    /// Ids without meaning; skipped by length and counted (P-022, P-101).
    Reserved,
}

impl SetKind {
    /// What a Set id means in a version.
    pub fn of(version: Version, id: u16) -> Self {
        match (version, id) {
            (Version::V9, 0) | (Version::Ipfix, 2) => Self::Templates,
            (Version::V9, 1) | (Version::Ipfix, 3) => Self::OptionsTemplates,
            (Version::V9 | Version::Ipfix, DATA_SET_ID_MIN..) => Self::Data,
            (Version::V5 | Version::V9 | Version::Ipfix, _) => Self::Reserved,
        }
    }
}

/// Iterator over the Sets of a Message.
#[derive(Clone, Debug)]
pub struct Sets<'a> {
    version: Version,
    rest: &'a [u8],
    offset: usize,
    zero_tail: usize,
}

impl<'a> Sets<'a> {
    /// Starts at the first octet after a header; `offset` is its place in the datagram.
    pub(super) fn new(version: Version, body: &'a [u8], offset: usize) -> Self {
        Self {
            version,
            rest: body,
            offset,
            zero_tail: 0,
        }
    }

    /// Zero octets after the last Set of a v9 Message; known once the iterator has ended.
    ///
    /// Cisco ACI and PAN-OS pad so; it is no fault (P-024).
    pub fn zero_tail(&self) -> usize {
        self.zero_tail
    }

    /// Takes the zero tail, if that is all there is left.
    fn take_zero_tail(&mut self) -> bool {
        let is_tail = self.version == Version::V9
            && self.rest.iter().skip(2).take(2).all(|&octet| octet == 0)
            && self.rest.iter().all(|&octet| octet == 0);
        if is_tail {
            self.zero_tail = self.rest.len();
            self.rest = &[];
        }
        is_tail
    }
}

impl<'a> Iterator for Sets<'a> {
    /// A Set; or why the Message ends here.
    type Item = Result<Set<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.take_zero_tail() {
            return None;
        }
        let (next, (id, body)) = match set(self.rest) {
            Ok(parsed) => parsed,
            Err(fault) => {
                let error = WireError::locate(self.offset, self.rest, fault);
                self.rest = &[];
                return Some(Err(error));
            }
        };
        let found = Set {
            kind: SetKind::of(self.version, id),
            id,
            body,
            body_offset: self.offset + SET_HEADER_LEN,
            version: self.version,
        };
        self.offset += SET_HEADER_LEN + body.len();
        self.rest = next;
        Some(Ok(found))
    }
}

/// Set Header, RFC 7011 §3.3.2, and the octets it covers.
fn set(input: &[u8]) -> Parsed<'_, (u16, &[u8])> {
    let (at_length, id) = be_u16(input)?;
    let (after, length) = be_u16(at_length)?;
    let Some(body_len) = usize::from(length).checked_sub(SET_HEADER_LEN) else {
        return refuse(at_length, Reason::SetTooShort(length));
    };
    if body_len > after.len() {
        return refuse(at_length, Reason::SetTooLong(length, input.len()));
    }
    take(body_len).map(|body| (id, body)).parse(after)
}
