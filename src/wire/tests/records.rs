//! Data Sets, split into records and fields.

use super::*;

fn split<'a>(template: &Template, body: &'a [u8]) -> Vec<Result<&'a [u8], WireError>> {
    template.records(body).collect()
}

#[test]
fn a_layout_is_the_sum_of_its_fields() {
    let layout = |fields: &[FieldSpecifier]| template(Version::Ipfix, 256, fields).layout;
    assert_eq!(layout(&[]), Layout::Empty);
    assert_eq!(layout(&[field(8, 0), field(12, 0)]), Layout::Empty);
    assert_eq!(
        layout(&[field(8, 4), field(1, 8), field(0, 0)]),
        Layout::Fixed(12)
    );
    let variable = [field(8, 4), field(82, VARIABLE), field(83, VARIABLE)];
    assert_eq!(layout(&variable), Layout::Variable(6));
    assert_eq!(layout(&[field(8, 65_534); 3]), Layout::Fixed(196_602));
}

#[test]
fn the_v5_template_is_as_long_as_a_v5_record() {
    assert_eq!(v5::template().layout, Layout::Fixed(v5::RECORD_LEN));
    let mut body = [0; 96];
    body[48..52].copy_from_slice(&[192, 0, 2, 1]);
    body[48 + 34..48 + 36].copy_from_slice(&443_u16.to_be_bytes());
    let template = v5::template();
    let records = split(&template, &body);
    assert_eq!(records.len(), 2);
    let fields: HashMap<_, _> = template.fields(records[1].unwrap()).collect();
    assert_eq!(fields[&field(8, 4)], [192, 0, 2, 1]);
    assert_eq!(fields[&field(11, 2)], [1, 187]);
}

/// P-036, P-110: whatever is shorter than a record is padding, zero or not.
#[test]
fn a_remainder_is_padding() {
    for version in [Version::V9, Version::Ipfix] {
        let flows = template(version, 256, &[field(8, 4), field(4, 1)]);
        let body = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0x61, 0x6e, 0x65, 0];
        assert_eq!(split(&flows, &body), [Ok(&body[..5]), Ok(&body[5..10])]);
        assert_eq!(split(&flows, &body[..4]), []);
        let extent = Extent {
            octets: 10,
            records: 2,
            fault: None,
        };
        assert_eq!(flows.validate(&body), extent);
    }
}

/// P-037.
#[test]
fn short_v9_records_end_at_the_zeros_of_the_last_word() {
    let count = |version, length, body: &[u8]| {
        let template = template(version, 256, &[field(4, length)]);
        let extent = template.validate(body);
        let read = template.records(body).count();
        assert_eq!(extent.records as usize, read);
        read
    };
    assert_eq!(count(Version::V9, 1, &[6, 0, 0, 0]), 1);
    assert_eq!(count(Version::V9, 1, &[0, 0, 0, 0]), 1);
    assert_eq!(count(Version::V9, 1, &[6, 6, 0, 6]), 4);
    assert_eq!(count(Version::V9, 1, &[0, 0, 0, 0, 6, 0, 0, 0]), 5);
    assert_eq!(count(Version::V9, 2, &[0, 1, 0, 0]), 1);
    assert_eq!(
        count(Version::V9, 3, &[1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0, 0]),
        3
    );
    assert_eq!(count(Version::V9, 3, &[1, 1, 1, 0]), 1);
    // A Set that is not aligned is not padded.
    assert_eq!(count(Version::V9, 1, &[6, 0, 0]), 3);
    assert_eq!(count(Version::V9, 4, &[0, 0, 0, 0]), 1);
    // In IPFIX padding is shorter than any record (P-109).
    assert_eq!(count(Version::Ipfix, 1, &[6, 0, 0, 0]), 4);
}

#[test]
fn short_variable_v9_records_end_at_the_zeros_of_the_last_word() {
    let names = template(Version::V9, 256, &[field(82, VARIABLE)]);
    assert_eq!(split(&names, &[2, 7, 7, 0]), [Ok(&[2, 7, 7][..])]);
    let names = template(Version::Ipfix, 256, &[field(82, VARIABLE)]);
    assert_eq!(split(&names, &[2, 7, 7, 0]), [Ok(&[2, 7, 7][..]), Ok(&[0])]);
}

/// P-113: the long form is legal for short values.
#[test]
fn variable_lengths_have_two_forms() {
    let flows = template(Version::Ipfix, 256, &[field(82, VARIABLE), field(4, 1)]);
    let body = [1, b'a', 6, 255, 0, 1, b'b', 17, 0, 1, 255, 0, 0, 47];
    let records: Vec<_> = flows.records(&body).map(Result::unwrap).collect();
    assert_eq!(
        records,
        [&body[..3], &body[3..8], &body[8..10], &body[10..]]
    );
    let names = records.iter().map(|record| flows.fields(record).next());
    let names: Vec<_> = names.map(|name| name.unwrap().1).collect();
    assert_eq!(names, [&b"a"[..], b"b", b"", b""]);
}

/// P-029: H3C sends VRF names so.
#[test]
fn v9_may_have_variable_lengths_too() {
    let names = template(Version::V9, 256, &[field(236, VARIABLE)]);
    let body = [3, b'v', b'p', b'n'];
    let record = split(&names, &body)[0].unwrap();
    assert_eq!(
        names.fields(record).next(),
        Some((field(236, VARIABLE), &b"vpn"[..]))
    );
}

/// P-111: what is before the fault stays, the fault has its place.
#[test]
fn a_variable_field_may_not_leave_its_set() {
    let fields = [field(4, 1), field(82, VARIABLE), field(5, 1)];
    let flows = template(Version::Ipfix, 256, &fields);
    let cases = [
        (
            &[6, 1, b'a', 0, 17, 4, 1, 2, 3][..],
            5,
            Reason::RecordTooLong(6, 5),
        ),
        (
            &[6, 1, b'a', 0, 17, 3, 1, 2, 3],
            9,
            Reason::RecordTooLong(6, 5),
        ),
        (
            &[6, 1, b'a', 0, 17, 255, 255],
            5,
            Reason::RecordTooLong(4, 3),
        ),
    ];
    for (body, offset, reason) in cases {
        let fault = error(offset, reason);
        let found = split(&flows, body);
        assert_eq!(found[0], Ok(&body[..4]));
        let extent = Extent {
            octets: 4,
            records: 1,
            fault: found[1].err(),
        };
        assert_eq!(flows.validate(body), extent);
        assert_eq!(found[1..], [Err(fault)], "{body:?}");
    }
}

/// P-452: no octets, no records, no division.
#[test]
fn an_empty_template_has_no_records() {
    let empty = template(Version::V9, 256, &[field(8, 0)]);
    assert_eq!(split(&empty, &[1, 2, 3, 4]), []);
    assert_eq!(empty.validate(&[1, 2, 3, 4]).octets, 0);
}

/// P-458.
#[test]
fn empty_variable_fields_consume_their_prefix() {
    let names = template(Version::Ipfix, 256, &[field(82, VARIABLE)]);
    let body = vec![0; 65_515];
    assert_eq!(names.records(&body).count(), 65_515);
}

/// P-030, P-461: work is in the octets, not in what the Template says of nothing.
#[test]
fn fields_without_octets_are_not_visited() {
    let mut fields = vec![field(8, 0); 16_369];
    fields.push(field(4, 1));
    for length in [1, VARIABLE] {
        fields[7_000].length = length;
        let flows = template(Version::Ipfix, 256, &fields);
        assert_eq!(flows.present(), [field(8, length), field(4, 1)]);
        let record = flows.records(&[0, 6]).next().unwrap().unwrap();
        assert_eq!(flows.fields(record).count(), 2);
        assert_eq!(flows.all_fields(record).count(), 16_370);
    }
}

/// P-038, P-115.
#[test]
fn a_repeated_field_keeps_all_its_values() {
    let flows = template(Version::V9, 256, &[field(1, 4), field(2, 1), field(1, 8)]);
    let record = [0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3];
    let found: Vec<_> = flows
        .fields(&record)
        .map(|(_, octets)| unsigned(octets))
        .collect();
    assert_eq!(found, [Some(1), Some(2), Some(3)]);
}

#[test]
fn a_record_that_is_too_short_ends_its_fields() {
    let flows = template(Version::Ipfix, 256, &[field(8, 4), field(82, VARIABLE)]);
    assert_eq!(flows.fields(&[1, 2, 3]).count(), 0);
    assert_eq!(flows.fields(&[1, 2, 3, 4]).count(), 1);
    assert_eq!(flows.fields(&[1, 2, 3, 4, 2, 0]).count(), 1);
}
