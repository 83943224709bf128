//! The checked-in tables, read once.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{DataType, Element, ElementId, REVERSE_PEN, Semantics};

const IANA: &str = include_str!("iana.tsv");
const ENTERPRISE: &str = include_str!("enterprise.tsv");
const V9: &str = include_str!("v9.tsv");

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::read);

/// Finds an element in the IANA, v9 vendor, reverse and enterprise tables.
///
/// IANA's registry wins over the v9 vendors' types (P-028). The reverse of an
/// IANA element is named `reverse…`, RFC 5103 §6.1.
pub fn lookup(id: ElementId) -> Option<&'static Element> {
    match id.pen {
        0 => iana(id.id).or_else(|| TABLES.other.get(&id)),
        _ => TABLES.other.get(&id),
    }
}

/// Finds an element of IANA's registry.
pub fn iana(id: u16) -> Option<&'static Element> {
    TABLES.iana.get(usize::from(id))?.as_ref()
}

/// Finds an element by its exact name; IANA's come first where enterprises
/// share a name.
pub fn by_name(name: &str) -> Option<&'static Element> {
    TABLES.names.get(name).copied().and_then(lookup)
}

/// All elements, by id and by name.
struct Tables {
    /// Indexed by id.
    iana: Vec<Option<Element>>,
    /// Enterprise, reverse and v9 vendor elements.
    other: HashMap<ElementId, Element>,
    names: HashMap<&'static str, ElementId>,
}

impl Tables {
    fn read() -> Self {
        let mut iana = Vec::new();
        for element in rows(IANA).filter_map(iana_row) {
            let index = usize::from(element.id.id);
            iana.resize(iana.len().max(index + 1), None);
            if let Some(slot) = iana.get_mut(index) {
                *slot = Some(element);
            }
        }
        let known = || iana.iter().flatten();
        let listed = rows(ENTERPRISE)
            .filter_map(enterprise_row)
            .chain(rows(V9).filter_map(v9_row));
        let other: Vec<Element> = known().map(reverse).chain(listed).collect();
        let mut names = HashMap::new();
        for element in known().chain(&other) {
            names.entry(element.name).or_insert(element.id);
        }
        let other = other.into_iter().map(|element| (element.id, element));
        Self {
            other: other.collect(),
            names,
            iana,
        }
    }
}

/// Splits a table into rows of columns, without its comment lines.
fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
}

fn iana_row(row: Vec<&'static str>) -> Option<Element> {
    let &[id, name, data_type, semantics, unit] = row.as_slice() else {
        return None;
    };
    element(0, id.parse().ok()?, name, data_type, semantics, unit)
}

fn enterprise_row(row: Vec<&'static str>) -> Option<Element> {
    let &[pen, id, name, data_type, semantics, unit] = row.as_slice() else {
        return None;
    };
    let (pen, id) = (pen.parse().ok()?, id.parse().ok()?);
    element(pen, id, name, data_type, semantics, unit)
}

fn v9_row(row: Vec<&'static str>) -> Option<Element> {
    let &[id, name, data_type] = row.as_slice() else {
        return None;
    };
    element(0, id.parse().ok()?, name, data_type, "", "")
}

fn element(
    pen: u32,
    id: u16,
    name: &'static str,
    data_type: &str,
    semantics: &str,
    unit: &'static str,
) -> Option<Element> {
    let semantics = if semantics.is_empty() {
        Semantics::Default
    } else {
        Semantics::parse(semantics)?
    };
    Some(Element {
        id: ElementId { pen, id },
        name,
        data_type: DataType::parse(data_type)?,
        semantics,
        unit,
    })
}

/// The same element, metered in the other direction of a biflow.
fn reverse(element: &Element) -> Element {
    let mut name = String::from("reverse");
    let mut letters = element.name.chars();
    name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
    name.extend(letters);
    Element {
        id: ElementId {
            pen: REVERSE_PEN,
            id: element.id.id,
        },
        // Once per registry row and process: names live as long as the tables.
        name: name.leak(),
        ..*element
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table_rows(table: &'static str) -> usize {
        rows(table).count()
    }

    #[test]
    fn every_row_of_every_table_is_read() {
        let read = |table, row: fn(Vec<&'static str>) -> Option<Element>| {
            rows(table).filter_map(row).count()
        };
        assert_eq!(read(IANA, iana_row), table_rows(IANA));
        assert_eq!(table_rows(IANA), 502);
        assert_eq!(read(ENTERPRISE, enterprise_row), table_rows(ENTERPRISE));
        assert_eq!(table_rows(ENTERPRISE), 840);
        assert_eq!(read(V9, v9_row), table_rows(V9));
        assert_eq!(table_rows(V9), 42);
    }

    #[test]
    fn rows_are_unique_and_ascending() {
        for (table, row) in [
            (IANA, iana_row as fn(Vec<&'static str>) -> Option<Element>),
            (ENTERPRISE, enterprise_row),
            (V9, v9_row),
        ] {
            let ids: Vec<ElementId> = rows(table).filter_map(row).map(|e| e.id).collect();
            assert!(ids.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn known_rows_have_their_registry_values() {
        let octets = lookup(ElementId::iana(1)).unwrap();
        assert_eq!(octets.name, "octetDeltaCount");
        assert_eq!(octets.data_type, DataType::Unsigned64);
        assert_eq!(octets.semantics, Semantics::DeltaCounter);
        assert_eq!(octets.unit, "octets");
        let flags = lookup(ElementId::iana(6)).unwrap();
        assert_eq!(flags.data_type, DataType::Unsigned16);
        assert_eq!(flags.semantics, Semantics::Flags);
        let nanos = lookup(ElementId::iana(156)).unwrap();
        assert_eq!(nanos.data_type, DataType::DateTimeNanoseconds);
        assert_eq!(
            lookup(ElementId::iana(293)).unwrap().data_type,
            DataType::SubTemplateMultiList
        );
        let cisco = lookup(ElementId { pen: 9, id: 4315 }).unwrap();
        assert_eq!(cisco.name, "tcpWindowSizeMin");
    }

    #[test]
    fn the_reverse_of_an_element_has_its_type() {
        let id = ElementId {
            pen: REVERSE_PEN,
            id: 1,
        };
        let element = lookup(id).unwrap();
        assert_eq!(element.name, "reverseOctetDeltaCount");
        assert_eq!(element.data_type, DataType::Unsigned64);
        assert_eq!(by_name("reverseOctetDeltaCount"), Some(element));
    }

    #[test]
    fn a_v9_vendor_type_never_hides_an_iana_element() {
        assert_eq!(lookup(ElementId::iana(33002)).unwrap().name, "fwExtEvent");
        for element in rows(V9).filter_map(v9_row) {
            assert_eq!(iana(element.id.id), None, "{}", element.name);
        }
    }

    #[test]
    fn an_unknown_element_prints_as_pen_and_id() {
        let id = ElementId { pen: 637, id: 9999 };
        assert_eq!(lookup(id), None);
        assert_eq!(id.to_string(), "637/9999");
        assert_eq!(ElementId::iana(8).to_string(), "sourceIPv4Address");
    }

    #[test]
    fn names_lead_back_to_their_element() {
        for element in TABLES.iana.iter().flatten() {
            assert_eq!(by_name(element.name), Some(element));
        }
        assert_eq!(by_name("noSuchElement"), None);
    }
}
