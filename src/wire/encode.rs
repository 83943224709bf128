//! Messages written: the way back, for v5, v9 and IPFIX.

use crate::wire::FieldSpecifier;
use crate::wire::Header;
use crate::wire::SET_HEADER_LEN;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::Version;
use crate::wire::definition::DEFINITION_LEN_MIN;
use crate::wire::definition::ENTERPRISE_BIT;
use crate::wire::definition::SPECIFIER_LEN;
use crate::wire::message::IPFIX_HEADER_LEN;
use crate::wire::message::V9_HEADER_LEN;
use crate::wire::records::ALIGNMENT;
use crate::wire::records::LONG_FORM;
use crate::wire::v5;

/// Why something cannot be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A length or count that its 16 bits cannot hold.
    #[error("length or count {0} is too big (must be 65535 or less)")]
    TooLong(usize),
    /// Records of a v5 Message.
    #[error("{0} records are too many for a v5 message (must be 30 or less)")]
    TooManyRecords(usize),
    /// Position of a field, and octets of the value that does not fit it.
    #[error("value of {1} octets does not fit field {0}")]
    WrongWidth(usize, usize),
    /// Fields of a Template, and values given.
    #[error("template has {0} fields, {1} values were given")]
    WrongCount(usize, usize),
}

/// Builds one Message: give it definitions and records, then [`Self::finish`].
///
/// What follows each other and belongs in the same Set shares it. Lengths,
/// counts and padding are the writer's.
#[derive(Clone, Debug)]
pub struct MessageWriter {
    header: Header,
    /// The Sets that are done; for v5 the records.
    done: Vec<u8>,
    open: Option<OpenSet>,
    records: usize,
    longest_set: usize,
}

/// The Set that is being written.
#[derive(Clone, Debug)]
struct OpenSet {
    id: u16,
    body: Vec<u8>,
    /// Octets of the shortest record it can have: padding must be shorter. RFC 7011 §3.3.1.
    minimum: usize,
}

impl MessageWriter {
    /// Starts a Message; `count` and `length` of the header are worked out by [`Self::finish`].
    pub fn new(header: Header) -> Self {
        Self {
            header,
            done: Vec::new(),
            open: None,
            records: 0,
            longest_set: 0,
        }
    }

    /// Adds a Template or Options Template; v5 has none.
    pub fn define(&mut self, template: &Template) {
        let mut record = Vec::new();
        let is_options = template.kind == TemplateKind::Options;
        let (scopes, others) = template
            .fields
            .split_at_checked(template.scopes)
            .unwrap_or((&template.fields, &[]));
        put_u16(&mut record, template.id);
        match self.header.version {
            Version::V5 => return,
            Version::V9 if is_options => {
                put_len(&mut record, scopes.len() * SPECIFIER_LEN);
                put_len(&mut record, others.len() * SPECIFIER_LEN);
            }
            Version::V9 => put_len(&mut record, template.fields.len()),
            Version::Ipfix => {
                put_len(&mut record, template.fields.len());
                if is_options {
                    put_len(&mut record, scopes.len());
                }
            }
        }
        for field in &template.fields {
            put_specifier(&mut record, self.header.version, *field);
        }
        self.add(
            definition_set(self.header.version, template.kind),
            DEFINITION_LEN_MIN,
            &record,
        );
    }

    /// Adds the withdrawal of one Template, or of all with the id of the Set (2, 3).
    /// RFC 7011 §8.1; only IPFIX has it.
    pub fn withdraw(&mut self, kind: TemplateKind, id: u16) {
        if self.header.version == Version::Ipfix {
            let mut record = Vec::new();
            put_u16(&mut record, id);
            put_u16(&mut record, 0);
            self.add(
                definition_set(self.header.version, kind),
                DEFINITION_LEN_MIN,
                &record,
            );
        }
    }

    /// Adds a Data Record; a v5 Message takes those of [`v5::template`].
    pub fn record(&mut self, template: &Template, record: &[u8]) {
        self.add(template.id, template.layout.minimum(), record);
    }

    /// Octets the Message would have if it were finished now.
    pub fn len(&self) -> usize {
        let open = self.open.as_ref().map_or(0, |set| {
            let length = SET_HEADER_LEN + set.body.len();
            length + set.padding()
        });
        header_len(self.header.version) + self.done.len() + open
    }

    /// Whether nothing has been added.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The Message's octets.
    ///
    /// # Errors
    /// When a Set, the Message or the number of records outgrows its header field.
    pub fn finish(mut self) -> Result<Vec<u8>, EncodeError> {
        self.close();
        let length = header_len(self.header.version) + self.done.len();
        let largest = length.max(self.longest_set);
        let message_len = u16::try_from(largest).map_err(|_| EncodeError::TooLong(largest))?;
        let count = u16::try_from(self.records).map_err(|_| EncodeError::TooLong(self.records))?;
        if self.header.version == Version::V5 && count > v5::RECORDS_MAX {
            return Err(EncodeError::TooManyRecords(self.records));
        }
        let mut message = Vec::with_capacity(length);
        put_header(&mut message, &self.header, count, message_len);
        message.append(&mut self.done);
        Ok(message)
    }

    /// Appends to the open Set if it is this one, else opens it.
    fn add(&mut self, set_id: u16, minimum: usize, record: &[u8]) {
        self.records += 1;
        if self.header.version == Version::V5 {
            self.done.extend_from_slice(record);
            return;
        }
        if self.open.as_ref().is_some_and(|set| set.id != set_id) {
            self.close();
        }
        let set = self.open.get_or_insert_with(|| OpenSet {
            id: set_id,
            body: Vec::new(),
            minimum,
        });
        set.body.extend_from_slice(record);
    }

    /// Ends the open Set.
    fn close(&mut self) {
        let Some(mut set) = self.open.take() else {
            return;
        };
        set.body.resize(set.body.len() + set.padding(), 0);
        let length = SET_HEADER_LEN + set.body.len();
        self.longest_set = self.longest_set.max(length);
        put_u16(&mut self.done, set.id);
        put_len(&mut self.done, length);
        self.done.append(&mut set.body);
    }
}

impl OpenSet {
    /// Octets to the next word, unless they could be taken for a record.
    fn padding(&self) -> usize {
        let padding = self.body.len().next_multiple_of(ALIGNMENT) - self.body.len();
        if padding < self.minimum { padding } else { 0 }
    }
}

/// Writes one record: a value for each field of the Template, zero-length ones too.
///
/// # Errors
/// When a value has not its field's width, or their numbers differ; what was
/// written until then stays in `record`.
pub fn put_record<'v>(
    record: &mut Vec<u8>,
    template: &Template,
    values: impl IntoIterator<Item = &'v [u8]>,
) -> Result<(), EncodeError> {
    let mut count = 0;
    for value in values {
        let Some(field) = template.fields.get(count) else {
            return Err(EncodeError::WrongCount(template.fields.len(), count + 1));
        };
        let is_wrong = field.fixed().is_some_and(|length| length != value.len());
        if is_wrong || value.len() > u16::MAX.into() {
            return Err(EncodeError::WrongWidth(count, value.len()));
        }
        if field.fixed().is_none() {
            put_variable_length(record, value.len());
        }
        record.extend_from_slice(value);
        count += 1;
    }
    if count < template.fields.len() {
        return Err(EncodeError::WrongCount(template.fields.len(), count));
    }
    Ok(())
}

/// Id of the Set that definitions of a kind go into.
fn definition_set(version: Version, kind: TemplateKind) -> u16 {
    match (version, kind) {
        (Version::V5 | Version::V9, TemplateKind::Data) => 0,
        (Version::V5 | Version::V9, TemplateKind::Options) => 1,
        (Version::Ipfix, TemplateKind::Data) => 2,
        (Version::Ipfix, TemplateKind::Options) => 3,
    }
}

fn header_len(version: Version) -> usize {
    match version {
        Version::V5 => v5::HEADER_LEN,
        Version::V9 => V9_HEADER_LEN,
        Version::Ipfix => IPFIX_HEADER_LEN,
    }
}

/// The header, with the count and length of what follows it.
fn put_header(out: &mut Vec<u8>, header: &Header, count: u16, length: u16) {
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

/// Field Specifier; v9 has no enterprise numbers, its scopes are told by position.
fn put_specifier(out: &mut Vec<u8>, version: Version, field: FieldSpecifier) {
    let has_pen = version == Version::Ipfix && field.element.pen != 0;
    let bit = if has_pen { ENTERPRISE_BIT } else { 0 };
    put_u16(out, field.element.id | bit);
    put_u16(out, field.length);
    if has_pen {
        put_u32(out, field.element.pen);
    }
}

/// Prefix of a variable-length value, short where it can be. RFC 7011 §7.
fn put_variable_length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short != LONG_FORM => out.push(short),
        _ => {
            out.push(LONG_FORM);
            put_len(out, length);
        }
    }
}

/// A length or count; one that does not fit is found by [`MessageWriter::finish`],
/// because what it counts does not fit either.
fn put_len(out: &mut Vec<u8>, length: usize) {
    put_u16(out, u16::try_from(length).unwrap_or(u16::MAX));
}

fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}
