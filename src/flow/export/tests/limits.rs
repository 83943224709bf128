//! What does not grow, and what stays.

use proptest::prelude::*;

use super::strategies::flow;
use super::*;

fn with_as(src_as: u32, dst_as: u32) -> Flow {
    let record = FlowRecord {
        src_as,
        dst_as,
        ..tcp()
    };
    (record, None)
}

/// P-722: the same rows have the same Template for as long as the encoder lives.
#[test]
fn a_template_keeps_its_id() {
    let rows = batch(&[with_as(0, 0), with_as(1, 0), with_as(0, 0), with_as(2, 0)]);
    let mut encoder = RowEncoder::new(settings(Version::V9));
    let mut records = Records::default();
    let told = [0, 1, 2, 3].map(|row| {
        encoder.encode(&rows, row, &mut records).unwrap();
        let id = encoder.templates()[records.template].id;
        (records.template, id, records.is_new)
    });
    let expected = [
        (0, 256, true),
        (1, 257, true),
        (0, 256, false),
        (1, 257, false),
    ];
    assert_eq!(told, expected);
}

#[test]
fn templates_beyond_the_limit_cost_their_rows_only() {
    let settings = ExportSettings {
        templates_max: 2,
        ..settings(Version::Ipfix)
    };
    let rows = [with_as(0, 0), with_as(1, 0), with_as(1, 1), with_as(5, 0)];
    let (outcomes, flows) = through(settings, &rows);
    let sent = Ok((1, Lacks::empty()));
    assert_eq!(outcomes, [sent, sent, Err(Unsent::Templates), sent]);
    assert_eq!(flows.len(), 3);
}

/// Options need a Template too; without one the rate is applied.
#[test]
fn a_sampler_without_room_for_its_template_is_applied() {
    let settings = ExportSettings {
        templates_max: 1,
        ..settings(Version::Ipfix)
    };
    let mut sampled = with_as(0, 0);
    sampled.0.key.sampling.out_of = 10;
    let rows = [with_as(0, 0), sampled];
    let (outcomes, flows) = through(settings, &rows);
    assert_eq!(outcomes[1], Ok((1, Lacks::SAMPLING)));
    assert_eq!(flows[1].0.octets, 15_000);
}

/// No id is left behind 65 535.
#[test]
fn there_are_no_more_templates_than_ids() {
    let settings = ExportSettings {
        templates_max: usize::MAX,
        ..settings(Version::Ipfix)
    };
    let mut encoder = RowEncoder::new(settings);
    let mut records = Records::default();
    let mut sent = 0_u32;
    for id in 0..=u16::MAX {
        let detail = Detail {
            extra: vec![(
                ElementId {
                    pen: 9,
                    id: id & 0x7fff,
                },
                [1].into(),
            )],
            ..Detail::default()
        };
        let row = with_as(u32::from(id >> 15), 0);
        let rows = batch(&[(row.0, Some(detail))]);
        match encoder.encode(&rows, 0, &mut records) {
            Ok(_) => sent += 1,
            Err(why) => assert_eq!(why, Unsent::Templates),
        }
    }
    assert_eq!(sent, 65_280);
    assert_eq!(encoder.templates().last().unwrap().id, u16::MAX);
}

#[test]
fn a_row_that_is_not_there_is_refused() {
    let mut encoder = RowEncoder::new(settings(Version::V5));
    let mut records = Records::default();
    let rows = batch(&[]);
    assert_eq!(encoder.encode(&rows, 0, &mut records), Err(Unsent::NoRow));
    assert!(records.is_empty());
}

/// What the row before left behind does not show.
#[test]
fn a_row_that_is_refused_leaves_no_records() {
    let mut encoder = RowEncoder::new(settings(Version::V5));
    let mut records = Records::default();
    let huge = FlowRecord {
        octets: u64::MAX,
        ..tcp()
    };
    let rows = batch(&[(tcp(), None), (huge, None)]);
    encoder.encode(&rows, 0, &mut records).unwrap();
    assert_eq!(records.bytes(), 48);
    assert_eq!(
        encoder.encode(&rows, 1, &mut records),
        Err(Unsent::Counters)
    );
    assert_eq!((records.len(), records.bytes()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// P-923: what is lost on the way is what the receiver misses, in the
    /// units of each version.
    #[test]
    fn a_receiver_misses_what_was_lost(
        rows in prop::collection::vec(flow(), 40..80),
        lost in prop::collection::btree_set(2..20_usize, 0..6),
        version in prop_oneof![Just(Version::V9), Just(Version::Ipfix)],
    ) {
        let mut sender = Sender::new(settings(version), NOW_MS);
        sender.mtu = 512;
        let rows = batch(&rows);
        // Definitions come once, so that every later Set is known.
        sender.send(&rows);
        let defined = sender.messages.len();
        for _ in 0..30 {
            sender.send(&rows);
        }
        let lost: Vec<_> = lost.into_iter().map(|at| at + defined).collect();
        prop_assert!(sender.messages.len() > defined + 90);
        let units = |at: &usize| match version {
            Version::V9 => 1,
            Version::V5 | Version::Ipfix => records_in(&sender.encoder, &sender.messages[*at]),
        };
        let expected: u64 = lost.iter().map(units).sum();
        let mut sessions = sessions(&[]);
        for (at, message) in sender.messages.iter().enumerate() {
            if !lost.contains(&at) {
                receive(&mut sessions, message);
            }
        }
        prop_assert_eq!(sessions.stats().sequence.lost, expected);
        prop_assert_eq!(sessions.stats().sequence.resyncs, 0);
    }
}

fn receive(sessions: &mut Sessions<Plan>, message: &[u8]) {
    let peer = Peer {
        exporter: exporter(),
        port: 2055,
        local_port: 9995,
    };
    let arrival = Arrival {
        monotonic_ms: 1,
        unix_ms: NOW_MS,
    };
    sessions.datagram(message, peer, arrival, &mut Collector::default());
}

/// Data Records of a Message without definitions.
fn records_in(encoder: &RowEncoder, message: &[u8]) -> u64 {
    let message = crate::wire::Message::parse(message).unwrap();
    let sets = message.sets().map(Result::unwrap);
    let of_set = sets.map(|set| {
        let mut templates = encoder.templates().iter();
        let template = templates.find(|template| template.id == set.id).unwrap();
        template.records(set.body).count() as u64
    });
    of_set.sum()
}
