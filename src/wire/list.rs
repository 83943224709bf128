//! Structured data: lists of elements and of records within a field. RFC 6313.

use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_u8;
use nom::number::complete::be_u16;
use nom::sequence::preceded;

use crate::element::DataType;
use crate::element::ElementId;
use crate::element::lookup;
use crate::wire::FieldSpecifier;
use crate::wire::Layout;
use crate::wire::Reason;
use crate::wire::Template;
use crate::wire::Value;
use crate::wire::Version;
use crate::wire::WireError;
use crate::wire::definition::specifier;
use crate::wire::error::Fault;
use crate::wire::error::Parsed;
use crate::wire::error::failure;
use crate::wire::error::refuse;
use crate::wire::records::variable_length;

/// How deep lists may lie within lists (P-303, P-823).
pub const LIST_DEPTH_MAX: usize = 8;
/// Octets before the records of a subTemplateMultiList's part. RFC 6313 §4.5.3.
const PART_HEADER_LEN: u16 = 4;

/// Which of the three structured data types. RFC 6313 §4.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListKind {
    /// basicList: values of one element.
    Basic,
    /// subTemplateList: records of one Template.
    SubTemplate,
    /// subTemplateMultiList: records of several Templates.
    SubTemplateMulti,
}

impl ListKind {
    /// The kind of list a data type is; `None` for all others.
    pub fn of(data_type: DataType) -> Option<Self> {
        let kinds = [
            (DataType::BasicList, Self::Basic),
            (DataType::SubTemplateList, Self::SubTemplate),
            (DataType::SubTemplateMultiList, Self::SubTemplateMulti),
        ];
        let found = kinds.into_iter().find(|(of, _)| *of == data_type)?;
        Some(found.1)
    }
}

/// How a list's members belong together, as sent (P-305). RFC 6313 §11.4.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ListSemantic(pub u8);

impl ListSemantic {
    /// The registry's name; `None` where it assigns none.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "noneOf",
            1 => "exactlyOneOf",
            2 => "oneOrMoreOf",
            3 => "allOf",
            4 => "ordered",
            255 => "undefined",
            _ => return None,
        })
    }
}

/// A decoded list.
#[derive(Clone, Debug, PartialEq)]
pub struct List<'a> {
    /// How its members belong together.
    pub semantic: ListSemantic,
    /// Its members.
    pub content: ListContent<'a>,
}

/// What a list holds.
#[derive(Clone, Debug, PartialEq)]
pub enum ListContent<'a> {
    /// basicList: the element and its values.
    Elements(FieldSpecifier, Vec<Item<'a>>),
    /// subTemplateList: one part; subTemplateMultiList: any number.
    Parts(Vec<Part<'a>>),
}

/// Records of one Template within a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Part<'a> {
    /// Template id as sent.
    pub template: u16,
    /// Its records.
    pub records: PartRecords<'a>,
}

/// The records of a part, as far as they can be read.
#[derive(Clone, Debug, PartialEq)]
pub enum PartRecords<'a> {
    /// One after the other, with the fields the Template names.
    Known(Vec<Vec<(ElementId, Item<'a>)>>),
    /// The Template is not known (P-301).
    Unknown(&'a [u8]),
}

/// A member of a list, or a field of a record in one.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// A plain value.
    Value(Value<'a>),
    /// A list in the list.
    List(List<'a>),
}

/// Result of reading all of the input.
type Whole<'a, T> = Result<T, nom::Err<Fault<'a>>>;

/// Decodes the lists of one datagram.
pub struct ListReader<'t> {
    templates: &'t dyn Fn(u16) -> Option<&'t Template>,
    values_left: usize,
}

impl<'t> ListReader<'t> {
    /// Starts with the Templates of the datagram's session and domain.
    ///
    /// `values_max` bounds the values of all lists it will read (P-822), and with
    /// them the memory.
    pub fn new(templates: &'t dyn Fn(u16) -> Option<&'t Template>, values_max: usize) -> Self {
        Self {
            templates,
            values_left: values_max,
        }
    }

    /// Decodes a field's octets as a list.
    ///
    /// # Errors
    /// Names the first octet, counted from the start of the list, that cannot be, or
    /// where a limit is passed. The record is sound without the list (P-304).
    pub fn read<'a>(&mut self, kind: ListKind, octets: &'a [u8]) -> Result<List<'a>, WireError> {
        self.list(kind, octets, 1)
            .map_err(|fault| WireError::locate(0, octets, fault))
    }

    /// A list that takes all of the input.
    fn list<'a>(&mut self, kind: ListKind, input: &'a [u8], depth: usize) -> Whole<'a, List<'a>> {
        if depth > LIST_DEPTH_MAX {
            return Err(failure(input, Reason::ListTooDeep(LIST_DEPTH_MAX)));
        }
        let (rest, semantic) = be_u8(input)?;
        let content = match kind {
            ListKind::Basic => self.elements(rest, depth)?,
            ListKind::SubTemplate => self.only_part(rest, depth)?,
            ListKind::SubTemplateMulti => self.parts(rest, depth)?,
        };
        let semantic = ListSemantic(semantic);
        Ok(List { semantic, content })
    }

    /// basicList after its semantic. RFC 6313 §4.5.1.
    fn elements<'a>(&mut self, input: &'a [u8], depth: usize) -> Whole<'a, ListContent<'a>> {
        let (mut rest, field) = specifier(input, Version::Ipfix, false)?;
        if field.length == 0 {
            return Err(failure(input, Reason::ElementEmpty));
        }
        let mut items = Vec::new();
        while !rest.is_empty() {
            let (next, octets) = element(rest, field)?;
            items.push(self.item(octets, field.element, depth)?);
            rest = next;
        }
        Ok(ListContent::Elements(field, items))
    }

    /// subTemplateList after its semantic. RFC 6313 §4.5.2.
    fn only_part<'a>(&mut self, input: &'a [u8], depth: usize) -> Whole<'a, ListContent<'a>> {
        let (body, template) = be_u16(input)?;
        let records = self.records(input, template, body, depth)?;
        let part = Part { template, records };
        Ok(ListContent::Parts(vec![part]))
    }

    /// subTemplateMultiList after its semantic. RFC 6313 §4.5.3.
    fn parts<'a>(&mut self, input: &'a [u8], depth: usize) -> Whole<'a, ListContent<'a>> {
        let mut rest = input;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (next, (template, body)) = part(rest)?;
            let records = self.records(rest, template, body, depth)?;
            parts.push(Part { template, records });
            rest = next;
        }
        Ok(ListContent::Parts(parts))
    }

    /// The records of a list or part, which take all of `body`.
    ///
    /// `at` is where a refusal of the Template points.
    fn records<'a>(
        &mut self,
        at: &'a [u8],
        id: u16,
        body: &'a [u8],
        depth: usize,
    ) -> Whole<'a, PartRecords<'a>> {
        let Some(template) = (self.templates)(id) else {
            return Ok(PartRecords::Unknown(body));
        };
        if template.layout == Layout::Empty {
            return Err(failure(at, Reason::RecordEmpty(id)));
        }
        let mut records = Vec::new();
        for record in template.records(body) {
            let record = record
                .map_err(|error| failure(body.get(error.offset..).unwrap_or(body), error.reason))?;
            let mut items = Vec::new();
            for (field, octets) in template.fields(record) {
                items.push((field.element, self.item(octets, field.element, depth)?));
            }
            records.push(items);
        }
        Ok(PartRecords::Known(records))
    }

    /// One value, or the list it is.
    fn item<'a>(
        &mut self,
        octets: &'a [u8],
        element: ElementId,
        depth: usize,
    ) -> Whole<'a, Item<'a>> {
        self.values_left = self
            .values_left
            .checked_sub(1)
            .ok_or_else(|| failure(octets, Reason::TooManyValues))?;
        let data_type = lookup(element).map_or(DataType::OctetArray, |known| known.data_type);
        match ListKind::of(data_type) {
            Some(kind) if !octets.is_empty() => self.list(kind, octets, depth + 1).map(Item::List),
            _ => Ok(Item::Value(Value::decode(data_type, octets))),
        }
    }
}

/// Template id and octets of a subTemplateMultiList's part.
fn part(input: &[u8]) -> Parsed<'_, (u16, &[u8])> {
    let (at_length, template) = be_u16(input)?;
    let (after, length) = be_u16(at_length)?;
    let octets = match length {
        // How §4.5.3 says that there is nothing; the header is still there (P-302).
        0 => 0,
        1..PART_HEADER_LEN => return refuse(at_length, Reason::PartTooShort(length)),
        PART_HEADER_LEN.. => usize::from(length - PART_HEADER_LEN),
    };
    if octets > after.len() {
        return refuse(at_length, Reason::PartTooLong(length, input.len()));
    }
    take(octets).map(|body| (template, body)).parse(after)
}

/// The octets of a basicList's next element.
fn element(input: &[u8], field: FieldSpecifier) -> Parsed<'_, &[u8]> {
    let (prefix, octets) = match field.fixed() {
        Some(octets) => (0, octets),
        None => variable_length(input).ok_or_else(|| failure(input, Reason::Truncated))?,
    };
    if prefix + octets > input.len() {
        return refuse(input, Reason::ElementTooLong(prefix + octets, input.len()));
    }
    preceded(take(prefix), take(octets)).parse(input)
}
