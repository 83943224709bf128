//! What is written is read again.

use proptest::prelude::*;

use super::*;

/// A Template and the values of some of its records.
#[derive(Clone, Debug)]
struct Sample {
    template: Template,
    records: Vec<Vec<Vec<u8>>>,
}

fn specifier(version: Version) -> impl Strategy<Value = FieldSpecifier> {
    let length = prop_oneof![4 => 0..=20_u16, 1 => Just(VARIABLE)];
    let pen = prop_oneof![2 => Just(0), 1 => 1..=u32::MAX];
    (0..0x8000_u16, pen, length).prop_map(move |(id, pen, length)| FieldSpecifier {
        element: ElementId {
            pen: if version == Version::Ipfix { pen } else { 0 },
            id,
        },
        length,
    })
}

fn values(fields: &[FieldSpecifier]) -> impl Strategy<Value = Vec<Vec<u8>>> + use<> {
    let octet = 1..=255_u8;
    let value = |field: &FieldSpecifier| match field.fixed() {
        Some(length) => proptest::collection::vec(octet.clone(), length..=length),
        None => proptest::collection::vec(octet.clone(), 0..600),
    };
    fields.iter().map(value).collect::<Vec<_>>()
}

fn sample(version: Version) -> impl Strategy<Value = Sample> {
    let fields = proptest::collection::vec(specifier(version), 1..12);
    (fields, 256..=u16::MAX).prop_flat_map(move |(fields, id)| {
        let records = proptest::collection::vec(values(&fields), 0..5);
        records.prop_map(move |records| Sample {
            template: template(version, id, &fields),
            records,
        })
    })
}

fn round_trip(sample: &Sample) -> Result<(), TestCaseError> {
    let Sample { template, records } = sample;
    let mut writer = MessageWriter::new(Header::new(template.version, 1, 2, 3));
    let foretold = writer.len_with_definition(template);
    writer.define(template);
    prop_assert_eq!(writer.len(), foretold);
    for values in records {
        let mut record = Vec::new();
        let values = values.iter().map(Vec::as_slice);
        put_record(&mut record, template, values).unwrap();
        let foretold = writer.len_with(template, record.len());
        writer.record(template, &record);
        prop_assert_eq!(writer.len(), foretold);
    }
    prop_assert_eq!(writer.data_records(), records.len());
    let length = writer.len();
    let datagram = writer.finish().unwrap();
    prop_assert_eq!(datagram.len(), length);

    let sets: Vec<_> = sets(&datagram).into_iter().map(Result::unwrap).collect();
    let found: Vec<_> = sets[0].definitions(FIELDS_MAX).collect();
    prop_assert_eq!(found, [Ok(Definition::Define(template.clone()))]);
    let body = sets.get(1).map_or(&[][..], |set| set.body);
    let split = template.records(body).map(Result::unwrap);
    let found: Vec<Vec<_>> = split
        .map(|record| {
            let fields = template.all_fields(record);
            fields.map(|(_, octets)| octets.to_vec()).collect()
        })
        .collect();
    match template.layout {
        Layout::Empty => prop_assert_eq!(found.len(), 0),
        Layout::Fixed(_) | Layout::Variable(_) => prop_assert_eq!(&found, records),
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_v9_template_and_its_records(sample in sample(Version::V9)) {
        round_trip(&sample)?;
    }

    #[test]
    fn any_ipfix_template_and_its_records(sample in sample(Version::Ipfix)) {
        round_trip(&sample)?;
    }

    #[test]
    fn any_v5_message(records in proptest::collection::vec(any::<[u8; 24]>(), 0..=30), sampling: u16) {
        let mut header = Header::new(Version::V5, 1, 2, 0x0304);
        header.sampling = sampling;
        header.export_nanos = 5;
        let mut writer = MessageWriter::new(header);
        let flows = v5::template();
        for record in &records {
            writer.record(&flows, &[*record, *record].concat());
        }
        let datagram = writer.finish().unwrap();
        let message = Message::parse(&datagram).unwrap();
        header.count = u16::try_from(records.len()).unwrap();
        header.length = datagram.len();
        prop_assert_eq!(message.header, header);
        let body: Vec<u8> = records.iter().flat_map(|half| [*half, *half].concat()).collect();
        prop_assert_eq!(message.body, body);
    }
}

/// The Sets of one Message do not show in the next.
#[test]
fn a_writer_writes_one_message_after_another() {
    let first = template(Version::Ipfix, 256, &[field(8, 4), field(4, 1)]);
    let options = template(Version::Ipfix, 257, &[field(302, 4), field(304, 2)]);
    let options = Template::new(
        Version::Ipfix,
        257,
        TemplateKind::Options,
        1,
        options.fields,
    );
    let mut writer = MessageWriter::new(Header::new(Version::Ipfix, 0, 0, 0));
    let mut out = Vec::new();
    let mut ends = Vec::new();
    for sequence in 0..3 {
        let foretold = writer.len_with_definition(&options);
        writer.define(&options);
        assert_eq!(writer.len(), foretold);
        for (template, record) in [
            (&first, &[1; 5][..]),
            (&first, &[2; 5]),
            (&options, &[3; 6]),
        ] {
            let foretold = writer.len_with(template, record.len());
            writer.record(template, record);
            assert_eq!(writer.len(), foretold);
        }
        assert_eq!(writer.data_records(), 3);
        let header = Header::new(Version::Ipfix, 1, sequence, 3);
        assert_eq!(writer.finish_into(header, &mut out), Ok(()));
        assert!(writer.is_empty());
        ends.push(out.len());
    }
    let length = 16 + (4 + 6 + 8 + 2) + (4 + 10 + 2) + (4 + 6 + 2);
    assert_eq!(ends, [length, 2 * length, 3 * length]);
    let second = Message::parse(&out[length..2 * length]).unwrap();
    assert_eq!((second.header.sequence, second.header.length), (1, length));
    assert_eq!(second.body, Message::parse(&out).unwrap().body);
}

/// What was too long for one Message leaves the writer ready for the next.
#[test]
fn a_message_that_cannot_be_is_dropped_whole() {
    let flows = template(Version::Ipfix, 256, &[field(8, 4)]);
    let mut writer = MessageWriter::new(Header::new(Version::Ipfix, 1, 2, 3));
    let mut out = Vec::new();
    writer.record(&flows, &[0; 65_516]);
    let header = Header::new(Version::Ipfix, 1, 2, 3);
    let refused = writer.finish_into(header, &mut out);
    assert_eq!((refused, out.len()), (Err(EncodeError::TooLong(65_536)), 0));
    writer.record(&flows, &[0; 4]);
    assert_eq!(writer.finish_into(header, &mut out), Ok(()));
    assert_eq!(out.len(), 16 + 4 + 4);
}

#[test]
fn padding_is_never_a_record() {
    for version in [Version::V9, Version::Ipfix] {
        for length in 1..6 {
            let flows = template(version, 256, &[field(4, length)]);
            let record = vec![6; length.into()];
            for count in 1..6 {
                let mut writer = MessageWriter::new(Header::new(version, 1, 2, 3));
                for _ in 0..count {
                    writer.record(&flows, &record);
                }
                let datagram = writer.finish().unwrap();
                let set = sets(&datagram).remove(0).unwrap();
                assert_eq!(flows.records(set.body).count(), count);
            }
        }
    }
}

#[test]
fn withdrawals_are_written_as_they_are_read() {
    for kind in [TemplateKind::Data, TemplateKind::Options] {
        let mut writer = MessageWriter::new(Header::new(Version::Ipfix, 1, 2, 3));
        writer.withdraw(kind, 256);
        let all = if kind == TemplateKind::Data { 2 } else { 3 };
        writer.withdraw(kind, all);
        let found = definitions(&writer.finish().unwrap());
        let expected = [
            Ok(Definition::Withdraw(256)),
            Ok(Definition::WithdrawAll(kind)),
        ];
        assert_eq!(found, expected);
    }
}

/// RFC 7011 §3.3.1: shorter than any record the Template allows, not than those sent.
#[test]
fn padding_is_shorter_than_any_record_could_be() {
    let names = template(Version::Ipfix, 256, &[field(82, VARIABLE)]);
    let mut writer = MessageWriter::new(Header::new(Version::Ipfix, 1, 2, 3));
    writer.record(&names, &[1, b'a']);
    assert_eq!(writer.finish().unwrap().len(), 16 + 4 + 2);
}

#[test]
fn what_does_not_fit_is_not_written() {
    let mut writer = MessageWriter::new(Header::new(Version::V5, 1, 2, 3));
    for _ in 0..31 {
        writer.record(&v5::template(), &[0; 48]);
    }
    assert_eq!(writer.finish(), Err(EncodeError::TooManyRecords(31)));

    let flows = template(Version::Ipfix, 256, &[field(8, 4)]);
    let mut writer = MessageWriter::new(Header::new(Version::Ipfix, 1, 2, 3));
    writer.record(&flows, &[0; 65_512]);
    let fits = writer.clone().finish().map(|message| message.len());
    assert_eq!(fits, Ok(65_532));
    writer.record(&flows, &[0; 4]);
    assert_eq!(writer.finish(), Err(EncodeError::TooLong(65_536)));
}

#[test]
fn a_record_has_a_value_of_its_width_for_each_field() {
    let flows = template(Version::Ipfix, 256, &[field(8, 4), field(82, VARIABLE)]);
    let put = |values: &[&[u8]]| {
        let mut record = Vec::new();
        put_record(&mut record, &flows, values.iter().copied()).map(|()| record)
    };
    assert_eq!(put(&[&[1; 4], b"ab"]), Ok(vec![1, 1, 1, 1, 2, b'a', b'b']));
    assert_eq!(put(&[&[1; 3], b"ab"]), Err(EncodeError::WrongWidth(0, 3)));
    assert_eq!(put(&[&[1; 4]]), Err(EncodeError::WrongCount(2, 1)));
    assert_eq!(
        put(&[&[1; 4], b"", b""]),
        Err(EncodeError::WrongCount(2, 3))
    );
    let long = put(&[&[1; 4], &[7; 255]]).unwrap();
    assert_eq!(long[4..8], [255, 0, 255, 7]);
    let most = put(&[&[1; 4], &[7; 65_536]]);
    assert_eq!(most, Err(EncodeError::WrongWidth(1, 65_536)));
}
