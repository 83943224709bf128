//! NetFlow v5: a fixed header and fixed records. Cisco's layout.

use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_u16;
use nom::number::complete::be_u32;

use crate::element::ElementId;
use crate::wire::FieldSpecifier;
use crate::wire::Header;
use crate::wire::Reason;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::Version;
use crate::wire::error::Parsed;
use crate::wire::error::refuse;

/// First two octets of a v5 Message.
pub(super) const VERSION: u16 = 5;
/// Octets of the header (P-010).
pub const HEADER_LEN: usize = 24;
/// Octets of a record (P-011).
pub const RECORD_LEN: usize = 48;
/// Most records of one Message (P-012).
pub const RECORDS_MAX: u16 = 30;
/// Below this, `unix_nsecs` is a fraction of a second (P-016).
const NANOS_PER_SEC: u32 = 1_000_000_000;

/// Element id and octets of each field of a record, in wire order (P-011).
///
/// 210 is paddingOctets. `dOctets` counts layer-3 octets, so it is octetDeltaCount.
const FIELDS: [(u16, u16); 20] = [
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 2),
    (14, 2),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
    (7, 2),
    (11, 2),
    (210, 1),
    (6, 1),
    (4, 1),
    (5, 1),
    (16, 2),
    (17, 2),
    (9, 1),
    (13, 1),
    (210, 2),
];

/// The Template that v5 never sends: its records in the words of IPFIX.
///
/// Its id is 0, which no sent Template can have.
pub fn template() -> Template {
    let fields = FIELDS.map(|(id, length)| FieldSpecifier {
        element: ElementId::iana(id),
        length,
    });
    Template::new(Version::V5, 0, TemplateKind::Data, 0, fields.into())
}

/// Whether another v5 Message may follow within a datagram (P-017).
pub(super) fn is_message(input: &[u8]) -> bool {
    input.len() >= HEADER_LEN && input.starts_with(&VERSION.to_be_bytes())
}

/// Header after its version, and the octets of its records.
pub(super) fn message(input: &[u8]) -> Parsed<'_, (Header, &[u8])> {
    let (body, (count, sys_uptime, export_secs, nanos, sequence, engine, sampling)) =
        (be_u16, be_u32, be_u32, be_u32, be_u32, be_u16, be_u16).parse(input)?;
    if count > RECORDS_MAX {
        return refuse(input, Reason::RecordCount(count));
    }
    let records_len = usize::from(count) * RECORD_LEN;
    if records_len > body.len() {
        return refuse(input, Reason::CountTooLong(count, body.len() / RECORD_LEN));
    }
    let header = Header {
        version: Version::V5,
        count,
        length: HEADER_LEN + records_len,
        sys_uptime: Some(sys_uptime),
        export_secs,
        export_nanos: if nanos < NANOS_PER_SEC { nanos } else { 0 },
        sequence,
        domain: engine.into(),
        sampling,
    };
    take(records_len)
        .map(|records| (header, records))
        .parse(body)
}
