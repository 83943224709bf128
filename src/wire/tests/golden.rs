//! The examples of the standards, octet by octet.

use super::*;

/// RFC 3954 §11: Count is records of all kinds (P-021).
#[rustfmt::skip]
pub(super) const RFC_3954: [u8; 152] = [
    0x00, 0x09, 0x00, 0x07, // version 9, count 7
    0x00, 0x00, 0x00, 0x01, // uptime
    0x00, 0x00, 0x00, 0x02, // seconds
    0x00, 0x00, 0x00, 0x03, // sequence
    0x00, 0x00, 0x00, 0x04, // source id
    0x00, 0x00, 0x00, 0x1c, // Template FlowSet, length 28
    0x01, 0x00, 0x00, 0x05, // template 256, 5 fields
    0x00, 0x08, 0x00, 0x04,
    0x00, 0x0c, 0x00, 0x04,
    0x00, 0x0f, 0x00, 0x04,
    0x00, 0x02, 0x00, 0x04,
    0x00, 0x01, 0x00, 0x04,
    0x01, 0x00, 0x00, 0x40, // Data FlowSet 256, length 64
    198, 168, 1, 12, 10, 5, 12, 254, 192, 168, 1, 1,
    0x00, 0x00, 0x13, 0x91, // 5009
    0x00, 0x51, 0x8c, 0x81, // 5344385
    192, 168, 1, 27, 10, 5, 12, 23, 192, 168, 1, 1,
    0x00, 0x00, 0x02, 0xec, // 748
    0x00, 0x05, 0xef, 0x46, // 388934
    192, 168, 1, 56, 10, 5, 12, 65, 192, 168, 1, 1,
    0x00, 0x00, 0x00, 0x05, // 5
    0x00, 0x00, 0x19, 0x86, // 6534
    0x00, 0x01, 0x00, 0x18, // Options Template FlowSet, length 24
    0x01, 0x01, 0x00, 0x04, // template 257, scope length 4
    0x00, 0x08, 0x00, 0x03, // option length 8; scope LineCard
    0x00, 0x02, 0x00, 0x29, // 2 octets; TOTAL_PKTS_EXP
    0x00, 0x02, 0x00, 0x2a, // 2 octets; TOTAL_FLOWS_EXP
    0x00, 0x02, 0x00, 0x00, // 2 octets; padding
    0x01, 0x01, 0x00, 0x10, // Data FlowSet 257, length 16
    0x00, 0x01, 0x01, 0x59, 0x27, 0xd9, // card 1: 345, 10201
    0x00, 0x02, 0x02, 0xb2, 0x4f, 0xb2, // card 2: 690, 20402
];

/// RFC 7011 appendix A.
#[rustfmt::skip]
pub(super) const RFC_7011: [u8; 152] = [
    0x00, 0x0a, 0x00, 0x98, // version 10, length 152
    0x00, 0x00, 0x00, 0x01, // seconds
    0x00, 0x00, 0x00, 0x00, // sequence
    0x00, 0x00, 0x00, 0x00, // domain
    0x00, 0x02, 0x00, 0x1c, // Template Set, length 28
    0x01, 0x00, 0x00, 0x05, // template 256, 5 fields
    0x00, 0x08, 0x00, 0x04,
    0x00, 0x0c, 0x00, 0x04,
    0x00, 0x0f, 0x00, 0x04,
    0x00, 0x02, 0x00, 0x04,
    0x00, 0x01, 0x00, 0x04,
    0x01, 0x00, 0x00, 0x40, // Data Set 256, length 64
    192, 0, 2, 12, 192, 0, 2, 254, 192, 0, 2, 1,
    0x00, 0x00, 0x13, 0x91,
    0x00, 0x51, 0x8c, 0x81,
    192, 0, 2, 27, 192, 0, 2, 23, 192, 0, 2, 2,
    0x00, 0x00, 0x02, 0xec,
    0x00, 0x05, 0xef, 0x46,
    192, 0, 2, 56, 192, 0, 2, 65, 192, 0, 2, 3,
    0x00, 0x00, 0x00, 0x05,
    0x00, 0x00, 0x19, 0x86,
    0x00, 0x03, 0x00, 0x18, // Options Template Set, length 24
    0x01, 0x02, 0x00, 0x03, // template 258, 3 fields
    0x00, 0x01, 0x00, 0x8d, // 1 scope: lineCardId
    0x00, 0x04, 0x00, 0x29, // 4 octets; exportedMessageTotalCount
    0x00, 0x02, 0x00, 0x2a, // 2 octets; exportedFlowRecordTotalCount
    0x00, 0x02, 0x00, 0x00, // 2 octets; padding
    0x01, 0x02, 0x00, 0x14, // Data Set 258, length 20
    0x00, 0x00, 0x00, 0x01, 0x01, 0x59, 0x27, 0xd9,
    0x00, 0x00, 0x00, 0x02, 0x02, 0xb2, 0x4f, 0xb2,
];

fn numbers(template: &Template, body: &[u8]) -> Vec<Vec<u64>> {
    let number = |(_, octets): (_, &[u8])| unsigned(octets).unwrap();
    let records = template.records(body).map(Result::unwrap);
    let numbers = records.map(|record| template.fields(record).map(number).collect());
    numbers.collect()
}

fn templates(datagram: &[u8]) -> Vec<Template> {
    let sets = sets(datagram).into_iter().map(Result::unwrap);
    let definitions = sets.flat_map(|set| set.definitions(FIELDS_MAX));
    definitions
        .map(|definition| defined(definition.unwrap()))
        .collect()
}

fn defined(definition: Definition) -> Template {
    let Definition::Define(template) = definition else {
        panic!("{definition:?}");
    };
    template
}

#[test]
fn the_example_of_rfc_3954_is_understood() {
    let found = survey(&RFC_3954);
    assert_eq!((found.templates, found.records), (2, 5));
    assert_eq!(found.errors, []);
    let header = Message::parse(&RFC_3954).unwrap().header;
    assert_eq!(usize::from(header.count), found.templates + found.records);

    let [flows, cards] = &templates(&RFC_3954)[..] else {
        panic!("two templates");
    };
    let bodies = sets(&RFC_3954);
    let body = |index: usize| bodies[index].unwrap().body;
    let found = numbers(flows, body(1));
    assert_eq!(found[0][3..], [5009, 5_344_385]);
    assert_eq!(found[1][3..], [748, 388_934]);
    assert_eq!(found[2][3..], [5, 6534]);
    assert_eq!(
        numbers(cards, body(3)),
        [[1, 345, 10_201], [2, 690, 20_402]]
    );
}

#[test]
fn the_example_of_rfc_7011_is_understood() {
    let found = survey(&RFC_7011);
    assert_eq!((found.sets, found.templates, found.records), (4, 2, 5));
    assert_eq!(found.errors, []);

    let [flows, cards] = &templates(&RFC_7011)[..] else {
        panic!("two templates");
    };
    assert_eq!((cards.kind, cards.scopes), (TemplateKind::Options, 1));
    let bodies = sets(&RFC_7011);
    let body = |index: usize| bodies[index].unwrap().body;
    let found = numbers(flows, body(1));
    assert_eq!(
        found[0],
        [0xc000_020c, 0xc000_02fe, 0xc000_0201, 5009, 5_344_385]
    );
    assert_eq!(found[2], [0xc000_0238, 0xc000_0241, 0xc000_0203, 5, 6534]);
    assert_eq!(
        numbers(cards, body(3)),
        [[1, 345, 10_201], [2, 690, 20_402]]
    );
}

/// The same Templates and records, written, are the same octets.
#[test]
fn the_examples_are_written_octet_by_octet() {
    for example in [&RFC_3954, &RFC_7011] {
        let message = Message::parse(example).unwrap();
        let mut writer = MessageWriter::new(message.header);
        let mut known = Vec::new();
        for set in message.sets().map(Result::unwrap) {
            for definition in set.definitions(FIELDS_MAX) {
                let template = defined(definition.unwrap());
                writer.define(&template);
                known.push(template);
            }
            let Some(template) = known.iter().find(|template| template.id == set.id) else {
                continue;
            };
            for record in template.records(set.body).map(Result::unwrap) {
                writer.record(template, record);
            }
        }
        assert_eq!(writer.len(), example.len());
        assert_eq!(writer.finish().unwrap(), example);
    }
}
