//! Messages written: the way back, for v5, v9 and IPFIX.

mod put;

use put::definition_len;
use put::definition_set;
use put::header_len;
use put::put_definition;
use put::put_header;
use put::put_u16;

pub use put::put_variable;

use crate::wire::Header;
use crate::wire::SET_HEADER_LEN;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::Version;
use crate::wire::definition::DEFINITION_LEN_MIN;
use crate::wire::records::ALIGNMENT;
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

/// Builds Messages, one after the other: give it definitions and records, then
/// [`Self::finish`], or [`Self::finish_into`] and the next.
///
/// What follows each other and belongs in the same Set shares it. Lengths,
/// counts and padding are the writer's.
#[derive(Clone, Debug)]
pub struct MessageWriter {
    header: Header,
    /// The Sets, the last of them still open; for v5 the records.
    body: Vec<u8>,
    open: Option<OpenSet>,
    /// Definitions and records.
    count: usize,
    data_records: usize,
    longest_set: usize,
}

/// The Set that is being written.
#[derive(Clone, Copy, Debug)]
struct OpenSet {
    id: u16,
    /// Where in the body its header is.
    start: usize,
    /// Octets of the shortest record it can have: padding must be shorter. RFC 7011 §3.3.1.
    minimum: usize,
}

impl MessageWriter {
    /// Starts a Message; `count` and `length` of the header are worked out when it is finished.
    pub fn new(header: Header) -> Self {
        Self {
            header,
            body: Vec::new(),
            open: None,
            count: 0,
            data_records: 0,
            longest_set: 0,
        }
    }

    /// Adds a Template or Options Template; v5 has none.
    pub fn define(&mut self, template: &Template) {
        let version = self.header.version;
        if version == Version::V5 {
            return;
        }
        self.open(definition_set(version, template.kind), DEFINITION_LEN_MIN);
        put_definition(&mut self.body, version, template);
        self.count += 1;
    }

    /// Adds the withdrawal of one Template, or of all with the id of the Set (2, 3).
    /// RFC 7011 §8.1; only IPFIX has it.
    pub fn withdraw(&mut self, kind: TemplateKind, id: u16) {
        let version = self.header.version;
        if version == Version::Ipfix {
            self.open(definition_set(version, kind), DEFINITION_LEN_MIN);
            put_u16(&mut self.body, id);
            put_u16(&mut self.body, 0);
            self.count += 1;
        }
    }

    /// Adds a Data Record; a v5 Message takes those of [`v5::template`].
    pub fn record(&mut self, template: &Template, record: &[u8]) {
        if self.header.version != Version::V5 {
            self.open(template.id, template.layout.minimum());
        }
        self.body.extend_from_slice(record);
        self.count += 1;
        self.data_records += 1;
    }

    /// Octets the Message would have if it were finished now.
    pub fn len(&self) -> usize {
        let padding = self.open.map_or(0, |set| set.padding(self.body.len()));
        header_len(self.header.version) + self.body.len() + padding
    }

    /// Octets the Message would have with one more record of this Template:
    /// in the open Set or in a new one, padding included.
    pub fn len_with(&self, template: &Template, record: usize) -> usize {
        match self.header.version {
            Version::V5 => self.len() + record,
            Version::V9 | Version::Ipfix => {
                self.len_after(template.id, template.layout.minimum(), record)
            }
        }
    }

    /// Octets the Message would have with the definition of this Template.
    pub fn len_with_definition(&self, template: &Template) -> usize {
        let version = self.header.version;
        match version {
            Version::V5 => self.len(),
            Version::V9 | Version::Ipfix => self.len_after(
                definition_set(version, template.kind),
                DEFINITION_LEN_MIN,
                definition_len(version, template),
            ),
        }
    }

    /// Whether nothing has been added.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Data Records added, those of options too: what the sequence numbers of
    /// v5 and IPFIX count.
    pub fn data_records(&self) -> usize {
        self.data_records
    }

    /// The Message's octets.
    ///
    /// # Errors
    /// When a Set, the Message or the number of records outgrows its header field.
    pub fn finish(mut self) -> Result<Vec<u8>, EncodeError> {
        let mut message = Vec::with_capacity(self.len());
        let header = self.header;
        self.finish_into(header, &mut message)?;
        Ok(message)
    }

    /// Appends the Message's octets under a header that is known only now, and
    /// starts the next Message with the room this one had. The version stays
    /// that of [`Self::new`].
    ///
    /// # Errors
    /// As [`Self::finish`]; then nothing is appended, and the Message is gone.
    pub fn finish_into(&mut self, header: Header, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let version = self.header.version;
        self.close();
        let checked = self.check();
        if let Ok((count, length)) = checked {
            put_header(out, &Header { version, ..header }, count, length);
            out.extend_from_slice(&self.body);
        }
        self.body.clear();
        self.count = 0;
        self.data_records = 0;
        self.longest_set = 0;
        checked.map(|_| ())
    }

    /// Count and length as the header has them, if it can.
    fn check(&self) -> Result<(u16, u16), EncodeError> {
        let largest = self.len().max(self.longest_set);
        let length = u16::try_from(largest).map_err(|_| EncodeError::TooLong(largest))?;
        let count = u16::try_from(self.count).map_err(|_| EncodeError::TooLong(self.count))?;
        if self.header.version == Version::V5 && count > v5::RECORDS_MAX {
            return Err(EncodeError::TooManyRecords(self.count));
        }
        Ok((count, length))
    }

    /// Octets of the Message with so many more in a Set.
    fn len_after(&self, set_id: u16, minimum: usize, octets: usize) -> usize {
        let header = header_len(self.header.version);
        let (set, end) = match self.open {
            Some(set) if set.id == set_id => (set, self.body.len()),
            Some(_) | None => {
                let start = self.len() - header;
                let set = OpenSet {
                    id: set_id,
                    start,
                    minimum,
                };
                (set, start + SET_HEADER_LEN)
            }
        };
        let end = end + octets;
        header + end + set.padding(end)
    }

    /// Goes on with the open Set if it is this one, else opens it.
    #[inline]
    fn open(&mut self, id: u16, minimum: usize) {
        if self.open.is_none_or(|set| set.id != id) {
            self.begin(id, minimum);
        }
    }

    /// Ends the open Set, and opens another.
    fn begin(&mut self, id: u16, minimum: usize) {
        self.close();
        self.open = Some(OpenSet {
            id,
            start: self.body.len(),
            minimum,
        });
        put_u16(&mut self.body, id);
        // Its length, until it is closed.
        put_u16(&mut self.body, 0);
    }

    /// Ends the open Set.
    fn close(&mut self) {
        let Some(set) = self.open.take() else {
            return;
        };
        let end = self.body.len() + set.padding(self.body.len());
        self.body.resize(end, 0);
        let length = end - set.start;
        self.longest_set = self.longest_set.max(length);
        let header = self.body.get_mut(set.start..).unwrap_or_default();
        if let Some([_, _, high, low]) = header.first_chunk_mut() {
            // One that does not fit is found by `check`.
            [*high, *low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        }
    }
}

impl OpenSet {
    /// Octets from the end of its records to the next word, unless they could
    /// be taken for a record.
    fn padding(self, end: usize) -> usize {
        let octets = end - self.start;
        let padding = octets.next_multiple_of(ALIGNMENT) - octets;
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
            put_variable(record, value);
        } else {
            record.extend_from_slice(value);
        }
        count += 1;
    }
    if count < template.fields.len() {
        return Err(EncodeError::WrongCount(template.fields.len(), count));
    }
    Ok(())
}
