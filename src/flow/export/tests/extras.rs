//! Elements that flows carry because somebody asked for them.

use super::*;
use crate::element::V9_HIGH_PEN;
use crate::element::V9_LOW_PEN;

const CISCO: ElementId = ElementId { pen: 9, id: 12_234 };

fn with(extra: &[(ElementId, &[u8])]) -> Flow {
    let extra = extra
        .iter()
        .map(|(element, octets)| (*element, (*octets).into()));
    let detail = Detail {
        extra: extra.collect(),
        ..Detail::default()
    };
    (tcp(), Some(detail))
}

/// Extra elements as they come back.
fn extras((_, detail): &Flow) -> Vec<(ElementId, Vec<u8>)> {
    let extra = detail.iter().flat_map(|detail| &detail.extra);
    extra
        .map(|(element, octets)| (*element, octets.to_vec()))
        .collect()
}

/// Fields of the Template behind those of [`tcp`], and the record's octets there.
fn tail(version: Version, row: &Flow) -> (Vec<(ElementId, u16)>, Vec<u8>, Lacks) {
    let mut encoder = RowEncoder::new(settings(version));
    encoder.set_now(NOW_MS);
    let mut records = Records::default();
    let rows = batch(std::slice::from_ref(row));
    let lacks = encoder.encode(&rows, 0, &mut records).unwrap();
    let template = &encoder.templates()[records.template];
    let own = 11;
    let before = template.fields[..own].iter();
    let before: usize = before.filter_map(|field| field.fixed()).sum();
    let fields = template.fields[own..].iter();
    let fields = fields.map(|field| (field.element, field.length)).collect();
    (
        fields,
        records.iter().next().unwrap()[before..].to_vec(),
        lacks,
    )
}

#[test]
fn elements_follow_in_the_order_they_came_in() {
    let row = with(&[
        (ie(82), b"eth0"),
        (CISCO, &[0, 0, 1, 9]),
        (ie(95), &[3, 0, 1, 187]),
        (ie(82), b""),
        (ie(192), &[64]),
    ]);
    let (lacks, received) = one(settings(Version::Ipfix), &row);
    assert_eq!((lacks, extras(&received)), (Lacks::empty(), extras(&row)));
}

/// P-738.
#[test]
fn ipfix_gives_text_and_opaque_octets_their_own_length() {
    let long = [b'x'; 255];
    let row = with(&[
        (ie(82), b"ab"),
        (ie(95), &[1, 2]),
        (ie(192), &[64]),
        (ie(96), &long),
    ]);
    let (fields, octets, lacks) = tail(Version::Ipfix, &row);
    let variable = u16::MAX;
    let expected = [
        (ie(82), variable),
        (ie(95), variable),
        (ie(192), 1),
        (ie(96), variable),
    ];
    assert_eq!((&fields[..], lacks), (&expected[..], Lacks::empty()));
    assert_eq!(
        octets[..11],
        [2, b'a', b'b', 2, 1, 2, 64, 255, 0, 255, b'x']
    );
}

/// P-738: few lengths, so that there are few Templates.
#[test]
fn v9_fills_text_up_and_leaves_enterprises_out() {
    let row = with(&[
        (ie(82), b"ab"),
        (CISCO, &[1]),
        (ie(95), &[1, 2, 3]),
        (ie(96), &[b'x'; 100]),
        (ie(83), b""),
    ]);
    let (fields, octets, lacks) = tail(Version::V9, &row);
    assert_eq!(fields, [(ie(82), 16), (ie(95), 3), (ie(96), 128)]);
    assert_eq!(lacks, Lacks::EXTRA);
    assert_eq!(
        octets[..20],
        *b"ab\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x02\x03x"
    );
    assert_eq!(octets.len(), 16 + 3 + 128);
    let opaque = with(&[(ie(104), &[7; 20])]);
    let (fields, _, lacks) = tail(Version::V9, &opaque);
    assert_eq!((fields, lacks), (vec![(ie(104), 32)], Lacks::LENGTH));
    let text = |length| tail(Version::V9, &with(&[(ie(82), &vec![b'x'; length])])).0;
    assert_eq!(text(256), [(ie(82), 256)]);
    assert_eq!(text(257), [(ie(82), 512)]);
    assert_eq!(text(1_300), [(ie(82), 1_536)]);
}

/// P-028: v9's own types go through IPFIX and come out again as they were.
#[test]
fn v9_types_have_an_enterprise_of_their_own_in_ipfix() {
    let row = with(&[(ie(8_192), &[0, 0, 0, 5]), (ie(40_000), &[1])]);
    let (fields, _, lacks) = tail(Version::Ipfix, &row);
    let pseudo = |pen, id| ElementId { pen, id };
    let low = (pseudo(V9_LOW_PEN, 8_192), 4);
    let high = (pseudo(V9_HIGH_PEN, 40_000 - 0x8000), u16::MAX);
    assert_eq!((&fields[..], lacks), (&[low, high][..], Lacks::empty()));
    for (named, back) in [(low.0, 8_192), (high.0, 40_000)] {
        assert_eq!(ElementId::in_ipfix(named.pen, named.id), ie(back));
    }
}

/// Times, sampling and counters of one record are not those of the flow it was
/// merged into.
#[test]
fn what_the_record_says_is_not_said_again() {
    let row = with(&[
        (ie(8), &[10, 0, 0, 1]),
        (ie(22), &[0; 4]),
        (ie(152), &[0; 8]),
        (ie(160), &[0; 8]),
        (ie(34), &[0, 0, 0, 100]),
        (ie(48), &[1]),
        (ie(1), &[9; 8]),
    ]);
    let (fields, _, lacks) = tail(Version::Ipfix, &row);
    assert_eq!((fields, lacks), (vec![], Lacks::empty()));
}

/// P-115: of a field that came twice one value is left, and that is told.
#[test]
fn a_second_value_of_a_field_is_lost_but_not_in_silence() {
    let mut row = with(&[(ie(10), &[0, 1]), (ie(10), &[0, 2]), (ie(145), &[1, 0])]);
    row.0.key.present |= Presence::IN_IF;
    row.0.key.in_if = 1;
    let (lacks, _) = one(settings(Version::Ipfix), &row);
    assert_eq!(lacks, Lacks::EXTRA);
    let ids = fields_of(settings(Version::Ipfix), &row);
    assert_eq!(ids.iter().filter(|id| [10, 145].contains(id)).count(), 1);
    let twice = with(&[(ie(10), &[0, 1]), (ie(10), &[0, 2])]);
    let (lacks, received) = one(settings(Version::Ipfix), &twice);
    assert_eq!((lacks, extras(&received)), (Lacks::empty(), extras(&twice)));
}

/// Lists of Templates mean nothing in another session. RFC 6313 §4.5.2.
#[test]
fn lists_of_templates_are_left_out() {
    let of_numbers: &[u8] = &[3, 0, 10, 0, 2, 0, 1];
    let of_lists: &[u8] = &[3, 1, 36, 255, 255, 3, 0, 1, 0];
    let row = with(&[
        (ie(291), of_numbers),
        (ie(291), of_lists),
        (ie(292), &[0, 1, 0]),
    ]);
    let (fields, _, lacks) = tail(Version::Ipfix, &row);
    assert_eq!((fields, lacks), (vec![(ie(291), u16::MAX)], Lacks::EXTRA));
    assert_eq!(tail(Version::V9, &row).0, []);
}

/// P-700: what was said before us stands.
#[test]
fn an_origin_that_the_row_has_is_not_overwritten() {
    let settings = ExportSettings {
        origin: Origin::Original,
        ..settings(Version::Ipfix)
    };
    let own = with(&[(ie(403), &[198, 51, 100, 1]), (ie(405), &[0, 0, 0, 9])]);
    let (lacks, received) = one(settings, &own);
    assert_eq!((lacks, extras(&received)), (Lacks::empty(), extras(&own)));
    let half = with(&[(ie(405), &[0, 0, 0, 9])]);
    let ids = fields_of(settings, &half);
    assert_eq!(ids.iter().filter(|id| **id == 405).count(), 1);
    assert!(ids.contains(&403));
}

/// An odd length is no reason to lose an element that no table knows.
#[test]
fn unknown_elements_are_numbers_if_they_are_short() {
    let unknown = ElementId {
        pen: 637,
        id: 9_999,
    };
    let fields = |octets: &[u8]| tail(Version::Ipfix, &with(&[(unknown, octets)])).0;
    assert_eq!(fields(&[1; 8]), [(unknown, 8)]);
    assert_eq!(fields(&[1; 9]), [(unknown, u16::MAX)]);
}
