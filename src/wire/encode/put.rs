//! The parts of Messages, put behind one another.

use crate::wire::FieldSpecifier;
use crate::wire::Header;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::Version;
use crate::wire::definition::DEFINITION_LEN_MIN;
use crate::wire::definition::ENTERPRISE_BIT;
use crate::wire::definition::SPECIFIER_LEN;
use crate::wire::message::IPFIX_HEADER_LEN;
use crate::wire::message::V9_HEADER_LEN;
use crate::wire::records::LONG_FORM;
use crate::wire::v5;

/// Id of the Set that definitions of a kind go into.
pub(super) fn definition_set(version: Version, kind: TemplateKind) -> u16 {
    match (version, kind) {
        (Version::V5 | Version::V9, TemplateKind::Data) => 0,
        (Version::V5 | Version::V9, TemplateKind::Options) => 1,
        (Version::Ipfix, TemplateKind::Data) => 2,
        (Version::Ipfix, TemplateKind::Options) => 3,
    }
}

pub(super) fn header_len(version: Version) -> usize {
    match version {
        Version::V5 => v5::HEADER_LEN,
        Version::V9 => V9_HEADER_LEN,
        Version::Ipfix => IPFIX_HEADER_LEN,
    }
}

/// The header, with the count and length of what follows it.
pub(super) fn put_header(out: &mut Vec<u8>, header: &Header, count: u16, length: u16) {
    let (version, count_or_length) = match header.version {
        Version::V5 => (5, count),
        Version::V9 => (9, count),
        Version::Ipfix => (10, length),
    };
    put_u16(out, version);
    put_u16(out, count_or_length);
    if header.version != Version::Ipfix {
        put_u32(out, header.sys_uptime.unwrap_or_default());
    }
    put_u32(out, header.export_secs);
    if header.version == Version::V5 {
        put_u32(out, header.export_nanos);
    }
    put_u32(out, header.sequence);
    if header.version == Version::V5 {
        // Engine type and id: the low half of the domain.
        put_u32(out, header.domain << 16 | u32::from(header.sampling));
    } else {
        put_u32(out, header.domain);
    }
}

/// A Template Record or Options Template Record. RFC 7011 §3.4, RFC 3954 §5.2, §6.1.
pub(super) fn put_definition(out: &mut Vec<u8>, version: Version, template: &Template) {
    let is_options = template.kind == TemplateKind::Options;
    let fields = template.fields.len();
    put_u16(out, template.id);
    if version == Version::V9 && is_options {
        put_len(out, template.scopes * SPECIFIER_LEN);
        put_len(out, fields.saturating_sub(template.scopes) * SPECIFIER_LEN);
    } else {
        put_len(out, fields);
        if is_options {
            put_len(out, template.scopes);
        }
    }
    for field in &template.fields {
        put_specifier(out, version, *field);
    }
}

/// Octets that [`put_definition`] puts.
pub(super) fn definition_len(version: Version, template: &Template) -> usize {
    let head = match template.kind {
        TemplateKind::Data => DEFINITION_LEN_MIN,
        TemplateKind::Options => DEFINITION_LEN_MIN + size_of::<u16>(),
    };
    let specifier = |field: &FieldSpecifier| match has_pen(version, *field) {
        true => SPECIFIER_LEN + size_of::<u32>(),
        false => SPECIFIER_LEN,
    };
    head + template.fields.iter().map(specifier).sum::<usize>()
}

/// Field Specifier; v9 has no enterprise numbers, its scopes are told by position.
fn put_specifier(out: &mut Vec<u8>, version: Version, field: FieldSpecifier) {
    let has_pen = has_pen(version, field);
    let bit = if has_pen { ENTERPRISE_BIT } else { 0 };
    put_u16(out, field.element.id | bit);
    put_u16(out, field.length);
    if has_pen {
        put_u32(out, field.element.pen);
    }
}

fn has_pen(version: Version, field: FieldSpecifier) -> bool {
    version == Version::Ipfix && field.element.pen != 0
}

/// A variable-length value of up to 65 535 octets behind its length, which is
/// short where it can be. RFC 7011 §7.
pub fn put_variable(out: &mut Vec<u8>, value: &[u8]) {
    match u8::try_from(value.len()) {
        Ok(short) if short != LONG_FORM => out.push(short),
        _ => {
            out.push(LONG_FORM);
            put_len(out, value.len());
        }
    }
    out.extend_from_slice(value);
}

/// A length or count; one that does not fit is found by [`crate::wire::MessageWriter::finish`],
/// because what it counts does not fit either.
fn put_len(out: &mut Vec<u8>, length: usize) {
    put_u16(out, u16::try_from(length).unwrap_or(u16::MAX));
}

pub(super) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}
