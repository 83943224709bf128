//! Structured data, RFC 6313.

use super::*;

const OCTETS: u16 = 1;
const PROTOCOL: u16 = 4;
const BASIC_LIST: u8 = 0x23; // Low octet of 291 = 0x0123.

/// Two Templates: 256 is fixed, 257 has a list of lists of itself.
fn known(id: u16) -> Option<Template> {
    match id {
        256 => Some(template(
            Version::Ipfix,
            256,
            &[field(PROTOCOL, 1), field(OCTETS, 2)],
        )),
        257 => Some(template(Version::Ipfix, 257, &[field(292, VARIABLE)])),
        258 => Some(template(Version::Ipfix, 258, &[field(OCTETS, 0)])),
        _ => None,
    }
}

fn read(kind: ListKind, octets: &[u8]) -> Result<List<'_>, WireError> {
    read_at_most(kind, octets, 65_536)
}

fn read_at_most(kind: ListKind, octets: &[u8], values: usize) -> Result<List<'_>, WireError> {
    let templates = [256, 257, 258].map(|id| known(id).unwrap());
    let lookup = |id: u16| templates.iter().find(|template| template.id == id);
    ListReader::new(&lookup, values).read(kind, octets)
}

fn number(value: u64) -> Item<'static> {
    Item::Value(Value::Unsigned(value))
}

fn record(protocol: u64, octets: u64) -> Vec<(ElementId, Item<'static>)> {
    vec![
        (ElementId::iana(PROTOCOL), number(protocol)),
        (ElementId::iana(OCTETS), number(octets)),
    ]
}

#[test]
fn a_basic_list_holds_values_of_one_element() {
    let list = read(ListKind::Basic, &[3, 0, 1, 0, 2, 0, 7, 1, 0]).unwrap();
    assert_eq!(list.semantic.name(), Some("allOf"));
    let items = vec![number(7), number(256)];
    assert_eq!(list.content, ListContent::Elements(field(OCTETS, 2), items));
}

/// P-300: the specifier is there even where no value is.
#[test]
fn a_basic_list_may_be_empty() {
    let list = read(ListKind::Basic, &[255, 0, 1, 0, 2]).unwrap();
    assert_eq!(list.semantic.name(), Some("undefined"));
    assert_eq!(
        list.content,
        ListContent::Elements(field(OCTETS, 2), vec![])
    );
    let found = read(ListKind::Basic, &[255, 0, 1, 0]);
    assert_eq!(found, Err(error(3, Reason::Truncated)));
}

#[test]
fn a_basic_list_of_variable_length_has_a_prefix_each() {
    let octets = [
        4, 0x80, 1, 0xff, 0xff, 0, 0, 0, 9, 1, b'a', 255, 0, 1, b'b', 0,
    ];
    let list = read(ListKind::Basic, &octets).unwrap();
    let field = FieldSpecifier {
        element: ElementId { pen: 9, id: 1 },
        length: VARIABLE,
    };
    let octets = |octets| Item::Value(Value::Octets(octets));
    let items = vec![octets(b"a"), octets(b"b"), Item::Value(Value::Null)];
    assert_eq!(list.content, ListContent::Elements(field, items));
}

/// P-455.
#[test]
fn a_basic_list_element_has_octets() {
    let found = read(ListKind::Basic, &[3, 0, 1, 0, 0, 1, 2]);
    assert_eq!(found, Err(error(1, Reason::ElementEmpty)));
}

#[test]
fn a_basic_list_element_may_not_leave_the_list() {
    let found = read(ListKind::Basic, &[3, 0, 1, 0, 2, 0, 7, 1]);
    assert_eq!(found, Err(error(7, Reason::ElementTooLong(2, 1))));
    let found = read(ListKind::Basic, &[3, 0, 1, 0xff, 0xff, 2, 1]);
    assert_eq!(found, Err(error(5, Reason::ElementTooLong(3, 2))));
    let found = read(ListKind::Basic, &[3, 0, 1, 0xff, 0xff, 255, 1]);
    assert_eq!(found, Err(error(5, Reason::Truncated)));
}

#[test]
fn a_sub_template_list_holds_records() {
    let list = read(ListKind::SubTemplate, &[4, 1, 0, 6, 0, 1, 17, 0, 2]).unwrap();
    let part = Part {
        template: 256,
        records: PartRecords::Known(vec![record(6, 1), record(17, 2)]),
    };
    assert_eq!(list.semantic, ListSemantic(4));
    assert_eq!(list.content, ListContent::Parts(vec![part]));
}

/// P-301.
#[test]
fn records_of_an_unknown_template_stay_octets() {
    let list = read(ListKind::SubTemplate, &[7, 2, 0, 1, 2, 3]).unwrap();
    assert_eq!(list.semantic.name(), None);
    let part = Part {
        template: 512,
        records: PartRecords::Unknown(&[1, 2, 3]),
    };
    assert_eq!(list.content, ListContent::Parts(vec![part]));
}

/// P-456.
#[test]
fn records_of_no_octets_are_refused() {
    let found = read(ListKind::SubTemplate, &[3, 1, 2, 0, 0, 0]);
    assert_eq!(found, Err(error(1, Reason::RecordEmpty(258))));
}

/// P-302: a length of 0 is empty, and takes its header's four octets.
#[test]
fn a_multi_list_holds_parts() {
    let octets = [3, 1, 0, 0, 7, 6, 0, 1, 2, 0, 0, 0, 1, 0, 0, 4];
    let list = read(ListKind::SubTemplateMulti, &octets).unwrap();
    let part = |template, records| Part { template, records };
    let parts = vec![
        part(256, PartRecords::Known(vec![record(6, 1)])),
        part(512, PartRecords::Unknown(&[])),
        part(256, PartRecords::Known(vec![])),
    ];
    assert_eq!(list.content, ListContent::Parts(parts));
}

/// P-457.
#[test]
fn a_part_is_no_shorter_than_its_header() {
    for length in [1, 2, 3] {
        let octets = [3, 1, 0, 0, length, 0, 0, 0, 0];
        let found = read(ListKind::SubTemplateMulti, &octets);
        assert_eq!(found, Err(error(3, Reason::PartTooShort(length.into()))));
    }
    let found = read(ListKind::SubTemplateMulti, &[3, 1, 0, 0, 8, 6, 0, 1]);
    assert_eq!(found, Err(error(3, Reason::PartTooLong(8, 7))));
    let zeros = [0; 65_533];
    let list = read(ListKind::SubTemplateMulti, &zeros).unwrap();
    let ListContent::Parts(parts) = list.content else {
        panic!("parts");
    };
    assert_eq!(parts.len(), 16_383);
}

#[test]
fn a_fault_in_a_record_has_its_place_in_the_list() {
    let found = read(ListKind::SubTemplate, &[3, 1, 1, 0, 9, 3]);
    assert_eq!(found, Err(error(4, Reason::RecordTooLong(10, 2))));
}

/// Lists of the same Template in themselves, `depth` deep.
fn nested(depth: usize) -> Vec<u8> {
    (1..depth).fold(vec![3, 1, 1], |inner, _| {
        let length = u8::try_from(inner.len()).unwrap();
        [&[3, 1, 1, length], &inner[..]].concat()
    })
}

/// P-303, P-823: each level consumes octets, and there is a limit.
#[test]
fn lists_may_be_nested_up_to_the_limit() {
    assert!(read(ListKind::SubTemplate, &nested(LIST_DEPTH_MAX)).is_ok());
    let too_deep = nested(LIST_DEPTH_MAX + 1);
    let found = read(ListKind::SubTemplate, &too_deep);
    let reason = Reason::ListTooDeep(LIST_DEPTH_MAX);
    assert_eq!(found, Err(error(4 * LIST_DEPTH_MAX, reason)));
}

#[test]
fn a_basic_list_may_hold_lists() {
    let octets = [3, 1, BASIC_LIST, 0xff, 0xff, 6, 4, 0, 4, 0, 1, 6];
    let list = read(ListKind::Basic, &octets).unwrap();
    let inner = List {
        semantic: ListSemantic(4),
        content: ListContent::Elements(field(PROTOCOL, 1), vec![number(6)]),
    };
    let outer = field(291, VARIABLE);
    assert_eq!(
        list.content,
        ListContent::Elements(outer, vec![Item::List(inner)])
    );
}

/// P-822.
#[test]
fn values_are_counted_over_all_lists() {
    let octets = [3, 1, 0, 6, 0, 1, 17, 0, 2];
    assert!(read_at_most(ListKind::SubTemplate, &octets, 4).is_ok());
    let found = read_at_most(ListKind::SubTemplate, &octets, 3);
    assert_eq!(found, Err(error(7, Reason::TooManyValues)));
}

#[test]
fn list_types_are_told_from_the_others() {
    use crate::element::DataType;
    assert_eq!(ListKind::of(DataType::BasicList), Some(ListKind::Basic));
    assert_eq!(
        ListKind::of(DataType::SubTemplateMultiList),
        Some(ListKind::SubTemplateMulti)
    );
    assert_eq!(ListKind::of(DataType::OctetArray), None);
}

/// RFC 6313: every cut of a good list is an error or a shorter list, never more.
#[test]
fn a_cut_list_never_panics() {
    let octets = [3, 1, 0, 0, 7, 6, 0, 1, 2, 0, 0, 0, 1, 1, 0, 8, 3, 3, 1, 1];
    for kind in [
        ListKind::Basic,
        ListKind::SubTemplate,
        ListKind::SubTemplateMulti,
    ] {
        for cut in 0..octets.len() {
            if let Err(error) = read(kind, &octets[..cut]) {
                assert!(error.offset <= cut);
            }
        }
    }
    assert!(read(ListKind::SubTemplateMulti, &octets).is_ok());
}
