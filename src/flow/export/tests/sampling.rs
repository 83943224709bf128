//! Sampled flows: the rate is told or applied, never both. P-716, P-726, P-735.

use super::*;

fn sampled(out_of: u32, picked: u32) -> Flow {
    let mut record = tcp();
    record.key.sampling = SamplingRate { out_of, picked };
    let detail = Detail {
        layer2_octets: Some(1_542),
        ..Detail::default()
    };
    (record, Some(detail))
}

/// Octets, packets, layer-2 octets and rate as they come back.
fn counted((record, detail): &Flow) -> (u64, u64, Option<u64>, SamplingRate) {
    let layer2 = detail.as_ref().and_then(|detail| detail.layer2_octets);
    (record.octets, record.packets, layer2, record.key.sampling)
}

#[test]
fn a_rate_is_told_by_options() {
    for (version, rates) in [
        (Version::V9, vec![(1_000, 1), (64, 1)]),
        (Version::Ipfix, vec![(1_000, 1), (10, 3), (64, 1), (10, 3)]),
    ] {
        let rows: Vec<_> = rates.iter().map(|rate| sampled(rate.0, rate.1)).collect();
        let (outcomes, flows) = through(settings(version), &rows);
        assert!(
            outcomes
                .iter()
                .all(|outcome| *outcome == Ok((1, Lacks::empty())))
        );
        for (sent, received) in rows.iter().zip(&flows) {
            assert_eq!(counted(received), counted(sent));
            assert!(!received.0.flags.contains(RecordFlags::SAMPLING_UNKNOWN));
        }
    }
}

/// v9 knows one in N only.
#[test]
fn a_rate_that_v9_cannot_tell_is_applied() {
    let (lacks, received) = one(settings(Version::V9), &sampled(10, 3));
    assert_eq!(lacks, Lacks::SAMPLING);
    let scaled = (5_000, 10, Some(5_140), SamplingRate::UNSAMPLED);
    assert_eq!(counted(&received), scaled);
}

#[test]
fn a_rate_beyond_the_limit_is_applied() {
    let settings = ExportSettings {
        samplers_max: 1,
        ..settings(Version::Ipfix)
    };
    let rows = [sampled(100, 1), sampled(10, 1), sampled(100, 1)];
    let (outcomes, flows) = through(settings, &rows);
    let lacks = [Lacks::empty(), Lacks::SAMPLING, Lacks::empty()];
    assert_eq!(outcomes, lacks.map(|lacks| Ok((1, lacks))));
    assert_eq!(counted(&flows[0]), counted(&rows[0]));
    let scaled = (15_000, 30, Some(15_420), SamplingRate::UNSAMPLED);
    assert_eq!(counted(&flows[1]), scaled);
    assert_eq!(counted(&flows[2]), counted(&rows[2]));
}

/// P-735: a collector behind us would scale once more.
#[test]
fn counters_that_were_scaled_are_not_told_as_sampled() {
    for version in [Version::V5, Version::V9, Version::Ipfix] {
        let settings = ExportSettings {
            counters: Counters::Normalised,
            ..settings(version)
        };
        let (mut row, _) = sampled(1_000, 1);
        row.key.present |= strategies::v5_fields();
        row.flags |= RecordFlags::TCP_FLAGS;
        let mut sender = Sender::new(settings, NOW_MS);
        let outcomes = sender.send(&batch(&[(row, None)]));
        assert_eq!(outcomes, [Ok((1, Lacks::empty()))]);
        assert_eq!(sender.encoder.options().count(), 0);
        let flows = collect(&sender.messages, NOW_MS, &[]);
        let scaled = (1_500_000, 3_000, None, SamplingRate::UNSAMPLED);
        assert_eq!(counted(&flows[0]), scaled);
    }
}

/// P-716: 14 bits of interval, whole numbers only.
#[test]
fn v5_tells_a_rate_in_its_sampling_word() {
    let mut rows = [(16_383, 1), (16_384, 1), (10, 3), (1, 1)].map(|rate| {
        let (mut record, _) = sampled(rate.0, rate.1);
        record.key.present |= strategies::v5_fields();
        record.flags |= RecordFlags::TCP_FLAGS;
        (record, None)
    });
    rows[3].0.octets = 1;
    let mut encoder = RowEncoder::new(settings(Version::V5));
    encoder.set_now(NOW_MS);
    let rows = batch(&rows);
    let mut records = Records::default();
    let words = [0, 1, 2, 3].map(|row| {
        let lacks = encoder.encode(&rows, row, &mut records).unwrap();
        let octets = records.iter().next().unwrap()[20..24].to_vec();
        (
            records.sampling,
            lacks,
            u32::from_be_bytes(octets.try_into().unwrap()),
        )
    });
    let expected = [
        (0x7fff, Lacks::empty(), 1_500),
        (0, Lacks::SAMPLING, 24_576_000),
        (0, Lacks::SAMPLING, 5_000),
        (0, Lacks::empty(), 1),
    ];
    assert_eq!(words, expected);
}

/// Options stay the same, and are told when there are new ones.
#[test]
fn options_are_in_force_from_the_first_row_on() {
    let mut encoder = RowEncoder::new(settings(Version::Ipfix));
    let rows = batch(&[sampled(10, 1), sampled(10, 1), sampled(20, 1)]);
    let mut records = Records::default();
    let news = [0, 1, 2].map(|row| {
        encoder.encode(&rows, row, &mut records).unwrap();
        (
            records.is_new,
            encoder.generation(),
            encoder.options().count(),
        )
    });
    assert_eq!(news, [(true, 3, 1), (false, 3, 1), (true, 4, 2)]);
    let options: Vec<_> = encoder.options().collect();
    assert_eq!(
        options[0],
        (0, &[0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9][..])
    );
    assert_eq!(encoder.templates()[0].kind, TemplateKind::Options);
    assert_eq!(encoder.templates()[0].scopes, 1);
}
