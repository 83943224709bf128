//! A Template's fields with their places in a record.

use crate::element::ElementId;
use crate::element::REVERSE_PEN;
use crate::flow::plan::load::Span;
use crate::wire::Layout;
use crate::wire::Template;
use crate::wire::VARIABLE;

/// How many variable-length fields of a Template are looked at; what comes
/// after the last of them is not decoded, and counted as `unkept`.
pub(super) const RUNS_MAX: usize = 64;

/// YAF's own enterprise number, and the bit that turns its elements around. P-312.
pub(super) const CERT_PEN: u32 = 6871;
const CERT_REVERSE: u16 = 0x4000;

/// One field that records have octets of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Field {
    pub(super) element: ElementId,
    pub(super) place: Place,
}

/// Where a field's octets are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// Of fixed length.
    Fixed(Span),
    /// The variable-length field that ends this run.
    Variable(u8),
}

impl Field {
    /// The span of a field of fixed length.
    pub(super) fn span(&self) -> Option<Span> {
        match self.place {
            Place::Fixed(span) => Some(span),
            Place::Variable(_) => None,
        }
    }
}

/// A Template's fields without those of zero length, and how its records are cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) all: Vec<Field>,
    /// Octets of each run of fixed-length fields; between two lies a variable one.
    pub(super) runs: Vec<usize>,
    /// Fields after the last run that is looked at.
    pub(super) unreached: usize,
}

impl Fields {
    /// Places the fields; one pass.
    pub(super) fn of(template: &Template) -> Self {
        let mut fields = Self::default();
        let mut offset = 0_usize;
        for specifier in &template.fields {
            if specifier.length == 0 {
                continue;
            }
            let run = match u8::try_from(fields.runs.len()) {
                Ok(run) if usize::from(run) < RUNS_MAX => run,
                _ => {
                    fields.unreached += 1;
                    continue;
                }
            };
            let element = specifier.element;
            if specifier.length == VARIABLE {
                let place = Place::Variable(run);
                fields.all.push(Field { element, place });
                fields.runs.push(std::mem::take(&mut offset));
                continue;
            }
            let width = specifier.length;
            // A record is at most 65 535 octets long, so a field that begins
            // later is in no record.
            let Ok(start) = u16::try_from(offset) else {
                fields.unreached += 1;
                continue;
            };
            let place = Place::Fixed(Span {
                run,
                offset: start,
                width,
            });
            fields.all.push(Field { element, place });
            offset = offset.saturating_add(usize::from(width));
        }
        if fields.runs.len() < RUNS_MAX {
            fields.runs.push(offset);
        }
        fields
    }

    /// Octets of every record, if all have the same.
    pub(super) fn length(template: &Template) -> Option<usize> {
        match template.layout {
            Layout::Fixed(length) => Some(length),
            Layout::Variable(_) | Layout::Empty => None,
        }
    }

    /// The fields that tell of the way back, under the names of the way there. P-310, P-312.
    pub(super) fn reverse(&self) -> Vec<Field> {
        let turned = self.all.iter().filter_map(|field| {
            let element = match field.element {
                ElementId { pen, id } if pen == REVERSE_PEN => ElementId::iana(id),
                ElementId { pen, id } if pen == CERT_PEN && id & CERT_REVERSE != 0 => ElementId {
                    pen,
                    id: id & !CERT_REVERSE,
                },
                _ => return None,
            };
            Some(Field { element, ..*field })
        });
        turned.filter(is_reversible).collect()
    }
}

/// Whether the reverse of an element means anything. RFC 5103 §6.1.
///
/// Identifiers of no direction, configuration and statistics of processes,
/// padding and biflowDirection have none.
fn is_reversible(field: &Field) -> bool {
    let id = field.element.id;
    let one_way = matches!(id, 137 | 145 | 148 | 149 | 210 | 239)
        || matches!(id, 40..=42 | 130 | 131 | 163..=168 | 173 | 211..=217);
    field.element.pen != 0 || !one_way
}
