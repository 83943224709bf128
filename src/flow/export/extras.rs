//! Elements beside the fields of [`super::fields`]: those that flows carry
//! because somebody asked for them, and all of an event.

use crate::element;
use crate::element::DataType;
use crate::element::ElementId;
use crate::element::REVERSE_PEN;
use crate::element::V9_HIGH_PEN;
use crate::element::V9_LOW_PEN;
use crate::element::V9_SCOPE_PEN;
use crate::flow::export::Lacks;
use crate::flow::export::fields::Features;
use crate::wire::FieldSpecifier;
use crate::wire::VARIABLE;
use crate::wire::Version;
use crate::wire::put_variable;

/// The bit that says in IPFIX that an enterprise number follows.
const TOP_BIT: u16 = 0x8000;

/// Longest number, address or time; longer values are text or opaque.
const NUMBER_MAX: usize = 16;
/// Longest value of an element no table knows that may well be a number.
const UNKNOWN_NUMBER_MAX: usize = 8;

bitflags::bitflags! {
    /// What the elements of a row say that a field would say again.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub(super) struct Told: u8 {
        /// Start or end, absolute: 150…157.
        const SPAN = 1;
        /// The moment of an event: 322…325.
        const MOMENT = 1 << 1;
        /// Times relative to the exporter's boot or Message, which we are not.
        const UPTIMES = 1 << 2;
        /// 130 or 131.
        const EXPORTER = 1 << 3;
        /// 403 or 404.
        const ORIGINAL = 1 << 4;
        /// 405.
        const DOMAIN = 1 << 5;
    }
}

impl Told {
    /// What these elements say.
    pub(super) fn by<'e>(elements: impl Iterator<Item = (ElementId, &'e [u8])>) -> Self {
        let plain = elements.filter(|(element, _)| element.pen == 0);
        plain.fold(Self::empty(), |told, (element, _)| {
            told | match element.id {
                150..=157 => Self::SPAN,
                322..=325 => Self::MOMENT,
                21 | 22 | 158 | 159 => Self::UPTIMES,
                130 | 131 => Self::EXPORTER,
                403 | 404 => Self::ORIGINAL,
                405 => Self::DOMAIN,
                _ => Self::empty(),
            }
        })
    }
}

/// Whose elements they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bearer {
    /// A flow, and what its record has without them.
    Flow(Features),
    /// An event whose counters are its own.
    Counting,
    /// An event whose counters other rows have, if any.
    Silent,
}

/// What becomes of an element.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Kept,
    /// The record says it in other words.
    Told,
    /// Other rows have counted it: nobody is to count it again.
    Counted,
    /// Not to be understood without the exporter's own session, or as
    /// something else than the row is.
    Foreign,
}

impl Fate {
    fn of(element: ElementId, bearer: Bearer) -> Self {
        let ElementId { pen, id } = element;
        if pen != 0 && pen != REVERSE_PEN {
            return Self::Kept;
        }
        // Selectors are renamed, times since its boot are told as ours; ids
        // of its Templates are its own.
        match (id, bearer) {
            (21 | 22 | 48 | 158..=160 | 302, _) => Self::Told,
            (145, _) => Self::Foreign,
            (_, Bearer::Flow(features)) => Self::of_flow(element, features),
            (1 | 2 | 23 | 24 | 85 | 86 | 171 | 172 | 231 | 232 | 298 | 299, Bearer::Silent) => {
                Self::Counted
            }
            (_, Bearer::Counting | Bearer::Silent) => Self::Kept,
        }
    }

    fn of_flow(ElementId { pen, id }: ElementId, features: Features) -> Self {
        match id {
            // The row's own times and sampling are those of all it merged.
            34 | 35 | 49 | 50 | 150..=157 | 304..=306 | 309..=311 => Self::Told,
            // It would make the flow a firewall's event (P-503).
            33_002 => Self::Foreign,
            _ if pen == 0 && features.have(id) => Self::Told,
            _ => Self::Kept,
        }
    }
}

/// A row's elements as a Template has them, and their octets.
///
/// Used again from row to row.
#[derive(Clone, Debug, Default)]
pub(super) struct Extras {
    pub(super) specifiers: Vec<FieldSpecifier>,
    pub(super) octets: Vec<u8>,
}

impl Extras {
    /// Takes a row's elements; what of them cannot be carried.
    pub(super) fn take<'e>(
        &mut self,
        elements: impl Iterator<Item = (ElementId, &'e [u8])>,
        version: Version,
        bearer: Bearer,
    ) -> Lacks {
        self.clear();
        let mut lacks = Lacks::empty();
        let mut before = None;
        for (element, octets) in elements {
            let again = before.replace(element) == Some(element);
            match Fate::of(element, bearer) {
                Fate::Kept => lacks |= self.keep(element, octets, version),
                // Several values of what the record has one of.
                Fate::Told if again => lacks |= Lacks::EXTRA,
                Fate::Told => {}
                Fate::Counted if is_zero(octets) => {}
                Fate::Counted => lacks |= Lacks::COUNTERS,
                Fate::Foreign => lacks |= Lacks::EXTRA,
            }
        }
        lacks
    }

    pub(super) fn clear(&mut self) {
        self.specifiers.clear();
        self.octets.clear();
    }

    pub(super) fn keep(&mut self, element: ElementId, octets: &[u8], version: Version) -> Lacks {
        let name = match version {
            Version::V5 => None,
            Version::V9 => v9_name(element),
            Version::Ipfix => ipfix_name(element),
        };
        let Some((name, form)) = name.zip(Form::of(element, octets)) else {
            return Lacks::EXTRA;
        };
        match version {
            Version::V5 | Version::V9 => self.put_fixed(name, form, octets),
            Version::Ipfix => self.put(name, form, octets),
        }
    }

    /// IPFIX: text and opaque octets have each record's own length. P-738.
    fn put(&mut self, element: ElementId, form: Form, octets: &[u8]) -> Lacks {
        let Ok(exact) = u16::try_from(octets.len()) else {
            return Lacks::EXTRA;
        };
        let length = if form == Form::Exact { exact } else { VARIABLE };
        if length == VARIABLE {
            put_variable(&mut self.octets, octets);
        } else {
            self.octets.extend_from_slice(octets);
        }
        self.specifiers.push(FieldSpecifier { element, length });
        Lacks::empty()
    }

    /// v9: every length is fixed, so text is filled up with zeros, and long
    /// opaque octets too, that there be no Template for each length. P-738.
    pub(super) fn put_fixed(&mut self, element: ElementId, form: Form, octets: &[u8]) -> Lacks {
        let (length, lacks) = match form {
            _ if octets.is_empty() => return Lacks::empty(),
            Form::List => return Lacks::EXTRA,
            Form::Exact => (octets.len(), Lacks::empty()),
            Form::Opaque if octets.len() <= NUMBER_MAX => (octets.len(), Lacks::empty()),
            Form::Text => (room(octets.len()), Lacks::empty()),
            Form::Opaque => {
                let length = room(octets.len());
                let is_exact = length == octets.len();
                (
                    length,
                    if is_exact {
                        Lacks::empty()
                    } else {
                        Lacks::LENGTH
                    },
                )
            }
        };
        let Some(field) = u16::try_from(length).ok().filter(|&all| all != VARIABLE) else {
            return Lacks::EXTRA;
        };
        let end = self.octets.len() + length;
        self.octets.extend_from_slice(octets);
        self.octets.resize(end, 0);
        self.specifiers.push(FieldSpecifier {
            element,
            length: field,
        });
        lacks
    }
}

/// How the octets of an element are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// A number, an address or a time: as long as it came.
    Exact,
    Text,
    Opaque,
    /// Only IPFIX has them.
    List,
}

impl Form {
    /// `None` for what names Templates, which another session does not have.
    fn of(element: ElementId, octets: &[u8]) -> Option<Self> {
        let known = element::lookup(element).map(|known| known.data_type);
        let number_max = match known {
            Some(DataType::SubTemplateList | DataType::SubTemplateMultiList) => return None,
            Some(DataType::BasicList) => return (!is_of_templates(octets)).then_some(Self::List),
            Some(DataType::String) => return Some(Self::Text),
            Some(DataType::OctetArray) => return Some(Self::Opaque),
            Some(_) => NUMBER_MAX,
            None => UNKNOWN_NUMBER_MAX,
        };
        let is_number = (1..=number_max).contains(&octets.len());
        Some(if is_number { Self::Exact } else { Self::Opaque })
    }
}

fn is_zero(octets: &[u8]) -> bool {
    octets.iter().all(|&octet| octet == 0)
}

/// Whether a basicList lists subTemplateLists (292, 293). RFC 6313 §4.5.1.
fn is_of_templates(octets: &[u8]) -> bool {
    matches!(octets, [_, high, low, ..] if matches!(u16::from_be_bytes([*high, *low]), 292 | 293))
}

/// Octets a text takes in v9: few lengths, so that there are few Templates.
fn room(octets: usize) -> usize {
    match octets {
        0..=16 => 16,
        17..=256 => octets.next_power_of_two(),
        _ => octets.next_multiple_of(256),
    }
}

/// The v9 type of an element; enterprises have none.
fn v9_name(element: ElementId) -> Option<ElementId> {
    (element.pen == 0).then_some(element)
}

/// The element under which IPFIX can carry it; v9's scopes have none.
fn ipfix_name(element: ElementId) -> Option<ElementId> {
    let ElementId { pen, id } = element;
    let is_vendors = || element::iana(id).is_none() && element::lookup(element).is_some();
    match pen {
        V9_SCOPE_PEN => None,
        0 if id & TOP_BIT != 0 => Some(ElementId {
            pen: V9_HIGH_PEN,
            id: id & !TOP_BIT,
        }),
        0 if is_vendors() => Some(ElementId {
            pen: V9_LOW_PEN,
            id,
        }),
        _ => (id & TOP_BIT == 0).then_some(element),
    }
}
