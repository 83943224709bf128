//! Data Records and their fields.

use std::slice;

use crate::wire::FieldSpecifier;
use crate::wire::Layout;
use crate::wire::Reason;
use crate::wire::Template;
use crate::wire::Version;
use crate::wire::WireError;

/// Sets are padded to multiples of this. RFC 3954 §5.3, RFC 7011 §3.3.1.
pub(super) const ALIGNMENT: usize = 4;
/// First octet of a variable-length field's long form. RFC 7011 §7.
pub(super) const LONG_FORM: u8 = 255;

/// Octets of the long form's prefix. RFC 7011 §7.
const LONG_PREFIX_LEN: usize = 3;

/// How much of a Data Set's body is well-formed records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// Octets of the records, without padding.
    pub octets: usize,
    /// How many records these are.
    pub records: u32,
    /// Why there are no more, where it is not padding; its offset is relative to the body.
    pub fault: Option<WireError>,
}

impl Extent {
    /// Measures a body; see [`Template::validate`].
    pub(super) fn of(template: &Template, body: &[u8]) -> Self {
        let (octets, records, fault) = match template.layout {
            Layout::Empty => (0, 0, None),
            Layout::Fixed(length) => {
                let records = fixed_records(template.version, length, body);
                (records * length, records, None)
            }
            Layout::Variable(_) => walk(template, body),
        };
        Self {
            octets,
            records: u32::try_from(records).unwrap_or(u32::MAX),
            fault,
        }
    }
}

/// How many records of `length` octets a body holds.
///
/// v9 pads with zeros, which for records below 4 octets look like records:
/// those in the last, incomplete word are padding (P-037).
fn fixed_records(version: Version, length: usize, body: &[u8]) -> usize {
    let whole = body.len() / length;
    if !is_ambiguous(version, length, body) {
        return whole;
    }
    let last_word = (body.len() + 1).saturating_sub(ALIGNMENT);
    let first_in_word = last_word.div_ceil(length).max(1);
    (first_in_word..whole)
        .find(|records| is_zero(body.get(records * length..)))
        .unwrap_or(whole)
}

/// Whether zero padding could be taken for records (P-037).
fn is_ambiguous(version: Version, minimum: usize, body: &[u8]) -> bool {
    version == Version::V9 && minimum < ALIGNMENT && body.len().is_multiple_of(ALIGNMENT)
}

fn is_zero(octets: Option<&[u8]>) -> bool {
    octets.is_some_and(|octets| octets.iter().all(|&octet| octet == 0))
}

/// Octets and number of the well-formed records of a variable layout.
fn walk(template: &Template, body: &[u8]) -> (usize, usize, Option<WireError>) {
    let mut records = template.records(body);
    let mut octets = 0;
    let mut count = 0;
    for record in records.by_ref() {
        match record {
            Ok(record) => {
                octets += record.len();
                count += 1;
            }
            Err(fault) => return (octets, count, Some(fault)),
        }
    }
    (octets, count, None)
}

/// Iterator over the records of one Data Set.
#[derive(Clone, Debug)]
pub struct Records<'t, 'a> {
    template: &'t Template,
    rest: &'a [u8],
    offset: usize,
    ambiguous: bool,
}

impl<'t, 'a> Records<'t, 'a> {
    /// Starts at the first octet of a body.
    pub(super) fn new(template: &'t Template, body: &'a [u8]) -> Self {
        let (rest, ambiguous) = match template.layout {
            Layout::Empty => (body.get(..0), false),
            Layout::Fixed(length) => {
                let records = fixed_records(template.version, length, body);
                (body.get(..records * length), false)
            }
            Layout::Variable(minimum) => {
                (Some(body), is_ambiguous(template.version, minimum, body))
            }
        };
        Self {
            template,
            rest: rest.unwrap_or_default(),
            offset: 0,
            ambiguous,
        }
    }

    /// Starts at the first of octets that are records to the last.
    pub(super) fn of_records(template: &'t Template, octets: &'a [u8]) -> Self {
        Self {
            template,
            rest: octets,
            offset: 0,
            ambiguous: false,
        }
    }

    /// Octets of the next record of a variable layout; `None` at padding.
    fn variable(&self, minimum: usize) -> Option<Result<usize, WireError>> {
        let is_padding = self.rest.len() < minimum
            || self.ambiguous
                && self.offset > 0
                && self.rest.len() < ALIGNMENT
                && is_zero(Some(self.rest));
        (!is_padding).then(|| self.measure())
    }

    /// Steps over the fixed runs and the variable-length fields between them.
    fn measure(&self) -> Result<usize, WireError> {
        let too_long = |at: usize, end: usize| WireError {
            offset: self.offset + at,
            reason: Reason::RecordTooLong(end, self.rest.len()),
        };
        let (last, gaps) = self.template.gaps().split_last().unwrap_or((&0, &[]));
        let mut end = 0;
        for gap in gaps {
            let at = end + gap;
            let rest = self.rest.get(at..).unwrap_or_default();
            let Some((prefix, octets)) = variable_length(rest) else {
                let prefix = if rest.is_empty() { 1 } else { LONG_PREFIX_LEN };
                return Err(too_long(at.min(self.rest.len()), at + prefix));
            };
            end = at + prefix + octets;
            if end > self.rest.len() {
                return Err(too_long(at, end));
            }
        }
        if end + last > self.rest.len() {
            return Err(too_long(end, end + last));
        }
        Ok(end + last)
    }
}

impl<'a> Iterator for Records<'_, 'a> {
    /// A record's octets; or the fault that ends the Set, its offset relative to the body.
    type Item = Result<&'a [u8], WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let length = match self.template.layout {
            Layout::Empty => return None,
            Layout::Fixed(length) => length,
            Layout::Variable(minimum) => match self.variable(minimum)? {
                Ok(length) => length,
                Err(fault) => {
                    self.rest = &[];
                    return Some(Err(fault));
                }
            },
        };
        let (record, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.offset += length;
        Some(Ok(record))
    }
}

/// Iterator over the fields of one record.
#[derive(Clone, Debug)]
pub struct Fields<'t, 'a> {
    fields: slice::Iter<'t, FieldSpecifier>,
    rest: &'a [u8],
}

impl<'t, 'a> Fields<'t, 'a> {
    pub(super) fn new(fields: &'t [FieldSpecifier], record: &'a [u8]) -> Self {
        Self {
            fields: fields.iter(),
            rest: record,
        }
    }
}

impl<'a> Iterator for Fields<'_, 'a> {
    type Item = (FieldSpecifier, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let field = *self.fields.next()?;
        let (value, rest) = match field.fixed() {
            Some(length) => self.rest.split_at_checked(length)?,
            None => variable_field(self.rest)?,
        };
        self.rest = rest;
        Some((field, value))
    }
}

/// Octets of a length prefix, and of the value it announces. RFC 7011 §7.
pub(super) fn variable_length(input: &[u8]) -> Option<(usize, usize)> {
    match input {
        [LONG_FORM, high, low, ..] => {
            Some((LONG_PREFIX_LEN, u16::from_be_bytes([*high, *low]).into()))
        }
        [LONG_FORM, ..] | [] => None,
        [length, ..] => Some((1, usize::from(*length))),
    }
}

/// A variable-length value, and what follows it.
fn variable_field(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (prefix, length) = variable_length(input)?;
    input.get(prefix..)?.split_at_checked(length)
}
