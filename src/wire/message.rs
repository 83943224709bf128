//! Messages: the headers of v5, v9 and IPFIX.

use nom::Offset;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_u16;
use nom::number::complete::be_u32;

use crate::wire::Reason;
use crate::wire::WireError;
use crate::wire::error::Parsed;
use crate::wire::error::refuse;
use crate::wire::set::Sets;
use crate::wire::v5;

/// Octets of a v9 Packet Header. RFC 3954 §5.1.
pub(super) const V9_HEADER_LEN: usize = 20;
/// Octets of an IPFIX Message Header. RFC 7011 §3.1.
pub(super) const IPFIX_HEADER_LEN: usize = 16;

/// What a datagram speaks, by its first two octets. P-001.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Version {
    /// NetFlow v5.
    V5,
    /// NetFlow v9, RFC 3954.
    V9,
    /// IPFIX, RFC 7011.
    Ipfix,
}

/// The header of a Message, the same shape for all versions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Protocol version.
    pub version: Version,
    /// v5: records; v9: records as the exporter counts them (diagnostic only, P-021); IPFIX: 0.
    pub count: u16,
    /// Octets of the Message: IPFIX's own Length, v5's header and records, v9's whole datagram.
    pub length: usize,
    /// Milliseconds since the exporter's boot, modulo 2^32; absent in IPFIX.
    pub sys_uptime: Option<u32>,
    /// Export time, seconds since 1970 modulo 2^32.
    pub export_secs: u32,
    /// Nanoseconds to add, v5 only; 0 when the field is not below 1e9 (P-016).
    pub export_nanos: u32,
    /// v5: flows before; v9: Messages before; IPFIX: Data Records before.
    pub sequence: u32,
    /// Observation Domain id; v9: Source id; v5: engine type << 8 | engine id.
    pub domain: u32,
    /// v5's sampling word: mode in the top 2 bits, interval in the low 14; else 0.
    pub sampling: u16,
}

impl Header {
    /// A header to write: what all versions have, the rest 0.
    pub fn new(version: Version, export_secs: u32, sequence: u32, domain: u32) -> Self {
        Self {
            version,
            count: 0,
            length: 0,
            sys_uptime: (version != Version::Ipfix).then_some(0),
            export_secs,
            export_nanos: 0,
            sequence,
            domain,
            sampling: 0,
        }
    }
}

/// One Message: its header and the octets of its Sets.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The decoded header.
    pub header: Header,
    /// Octets between the header and the end of the Message: Sets, or v5's records.
    pub body: &'a [u8],
    /// Where `body` starts in the datagram.
    pub body_offset: usize,
    /// What follows the Message in the datagram: a further v5 Message (P-017) or trailing octets.
    pub rest: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads the header and checks the lengths it claims.
    ///
    /// # Errors
    /// Names the first octet that cannot be: unsupported version, impossible count or length.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, WireError> {
        Self::parse_at(datagram, datagram)
    }

    /// Reads the Message that `input`, a tail of `datagram`, starts with.
    fn parse_at(datagram: &'a [u8], input: &'a [u8]) -> Result<Self, WireError> {
        let (rest, (header, body)) =
            message(input).map_err(|fault| WireError::locate(0, datagram, fault))?;
        Ok(Self {
            header,
            body,
            body_offset: datagram.offset(body),
            rest,
        })
    }

    /// The Sets of a v9 or IPFIX Message in wire order; ends after the first
    /// Set whose length cannot be (P-024, P-025, P-102). A v5 Message has none.
    pub fn sets(&self) -> Sets<'a> {
        match self.header.version {
            Version::V5 => Sets::new(self.header.version, &[], self.body_offset),
            Version::V9 | Version::Ipfix => {
                Sets::new(self.header.version, self.body, self.body_offset)
            }
        }
    }
}

/// Iterator over the Messages of one datagram.
///
/// Only v5 puts several into one (P-017); ends after the first refused one.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    datagram: &'a [u8],
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Messages<'a> {
    /// Starts at the first octet of a datagram.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self {
            datagram,
            rest: datagram,
            ended: false,
        }
    }

    /// Octets after the last Message; meaningful once the iterator has ended (P-007, P-123).
    pub fn trailing(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Messages<'a> {
    /// A Message; or why the rest of the datagram is refused.
    type Item = Result<Message<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let message = Message::parse_at(self.datagram, self.rest);
        match &message {
            Ok(message) => {
                self.rest = message.rest;
                self.ended = message.header.version != Version::V5 || !v5::is_message(message.rest);
            }
            Err(_) => {
                self.rest = &[];
                self.ended = true;
            }
        }
        Some(message)
    }
}

/// A header and the octets it covers, whatever its version.
fn message(input: &[u8]) -> Parsed<'_, (Header, &[u8])> {
    let (rest, version) = be_u16(input)?;
    match version {
        v5::VERSION => v5::message(rest),
        9 => v9(input, rest),
        10 => ipfix(input, rest),
        1 | 6 | 7 | 8 => refuse(input, Reason::UnsupportedVersion(version)),
        _ => refuse(input, Reason::NotNetflow(version)),
    }
}

/// Export Packet Header after its version. RFC 3954 §5.1.
fn v9<'a>(input: &'a [u8], rest: &'a [u8]) -> Parsed<'a, (Header, &'a [u8])> {
    let (body, (count, sys_uptime, export_secs, sequence, domain)) =
        (be_u16, be_u32, be_u32, be_u32, be_u32).parse(rest)?;
    let header = Header {
        version: Version::V9,
        count,
        length: input.len(),
        sys_uptime: Some(sys_uptime),
        export_secs,
        export_nanos: 0,
        sequence,
        domain,
        sampling: 0,
    };
    take(body.len()).map(|body| (header, body)).parse(body)
}

/// Message Header after its version. RFC 7011 §3.1.
fn ipfix<'a>(input: &'a [u8], rest: &'a [u8]) -> Parsed<'a, (Header, &'a [u8])> {
    let (after, (length, export_secs, sequence, domain)) =
        (be_u16, be_u32, be_u32, be_u32).parse(rest)?;
    let Some(body_len) = usize::from(length).checked_sub(IPFIX_HEADER_LEN) else {
        return refuse(rest, Reason::MessageTooShort(length));
    };
    if body_len > after.len() {
        return refuse(rest, Reason::MessageTooLong(length, input.len()));
    }
    let header = Header {
        version: Version::Ipfix,
        count: 0,
        length: length.into(),
        sys_uptime: None,
        export_secs,
        export_nanos: 0,
        sequence,
        domain,
        sampling: 0,
    };
    take(body_len).map(|body| (header, body)).parse(after)
}
