//! Packets that other collectors got wrong.

use crate::session::Outcome;
use crate::session::Refusal;
use crate::session::SetOutcome;
use crate::session::Transport;
use crate::session::testing::Bench;
use crate::session::testing::ipfix;
use crate::session::testing::options_template;
use crate::session::testing::set;
use crate::session::testing::template;
use crate::session::testing::v9;
use crate::session::testing::v9_options;

/// Octets of a Template of one 4-octet field.
fn one_field(id: u16) -> Vec<u8> {
    template(id, &[(8, 4)])
}

/// What became of the Sets of one Message.
fn sets(bench: &mut Bench, message: &[u8]) -> Vec<(u16, SetOutcome)> {
    assert_eq!(bench.send(message), Outcome::Decoded);
    std::mem::take(&mut bench.recorder.sets)
}

/// P-033, P-034: a scope without options, options without a scope.
#[test]
fn v9_options_may_be_all_scope_or_have_none() {
    let mut bench = Bench::default();
    let definitions = [
        v9_options(256, &[(1, 4), (2, 2)], &[]),
        v9_options(257, &[], &[(34, 4)]),
    ];
    let message = v9(
        1,
        0,
        &[
            set(1, &definitions.concat()),
            set(256, &[7; 13]),
            set(257, &[0, 0, 0, 9]),
        ],
    );
    let expected = [
        (1, SetOutcome::Ok(2)),
        (256, SetOutcome::Ok(2)),
        (257, SetOutcome::Ok(1)),
    ];
    assert_eq!(sets(&mut bench, &message), expected);
    assert_eq!(bench.sessions.stats().options_records, 3);
    let view = bench.sessions.exporters().next().unwrap();
    assert_eq!(view.sampling.map(|rate| rate.out_of), Some(9));
}

/// P-453, P-454, P-030: FastNetMon divided by this length.
#[test]
fn templates_of_no_octets_have_no_records() {
    let mut bench = Bench::default();
    let empty = [
        set(
            0,
            &[template(256, &[]), template(257, &[(1, 0), (2, 0)])].concat(),
        ),
        set(
            1,
            &[
                v9_options(258, &[], &[]),
                v9_options(259, &[(1, 0)], &[(34, 0)]),
            ]
            .concat(),
        ),
    ];
    let data = [256, 257, 258, 259].map(|id| set(id, &[1; 8]));
    let message = v9(1, 0, &[&empty[..], &data[..]].concat());
    let outcomes = sets(&mut bench, &message);
    assert_eq!(
        outcomes[..2],
        [(0, SetOutcome::Ok(2)), (1, SetOutcome::Ok(2))]
    );
    for (id, outcome) in &outcomes[2..] {
        assert_eq!(*outcome, SetOutcome::EmptyTemplate, "{id}");
    }
    assert_eq!(bench.sessions.stats().empty_sets, 4);
    assert_eq!(bench.recorder.seen, []);
}

/// P-035, P-109: padding of any value behind definitions and records.
#[test]
fn padding_need_not_be_zero() {
    let mut bench = Bench::default();
    let padded = |mut octets: Vec<u8>, padding: &[u8]| {
        octets.extend(padding);
        octets
    };
    let in_v9 = v9(
        1,
        0,
        &[
            set(0, &padded(one_field(256), b"an")),
            set(
                1,
                &padded(v9_options(257, &[(1, 4)], &[(34, 2)]), &[0, 0x67]),
            ),
            set(256, &[1, 1, 1, 1, 0x6e, 0x65]),
        ],
    );
    let expected = [
        (0, SetOutcome::Ok(1)),
        (1, SetOutcome::Ok(1)),
        (256, SetOutcome::Ok(1)),
    ];
    assert_eq!(sets(&mut bench, &in_v9), expected);
    let in_ipfix = ipfix(
        1,
        0,
        &[
            set(2, &padded(one_field(256), b"abc")),
            set(
                3,
                &padded(options_template(257, 1, &[(149, 4), (34, 2)]), b"ab"),
            ),
            set(256, &[1, 1, 1, 1, 9, 9, 9]),
        ],
    );
    let expected = [
        (2, SetOutcome::Ok(1)),
        (3, SetOutcome::Ok(1)),
        (256, SetOutcome::Ok(1)),
    ];
    assert_eq!(sets(&mut bench, &in_ipfix), expected);
}

/// P-120: RFC 7011 §8 wants no order.
#[test]
fn data_may_stand_before_its_template_in_one_message() {
    for (definition, message) in [(0, v9 as fn(u32, u32, &[Vec<u8>]) -> Vec<u8>), (2, ipfix)] {
        let mut bench = Bench::default();
        let message = message(1, 0, &[set(256, &[1; 8]), set(definition, &one_field(256))]);
        let expected = [
            (256, SetOutcome::NoTemplate),
            (definition, SetOutcome::Ok(1)),
        ];
        assert_eq!(sets(&mut bench, &message), expected);
        assert_eq!(bench.recorder.records(256), 2);
        assert!(bench.recorder.seen[0].replayed);
        assert_eq!(bench.sessions.stats().orphans.replayed_records, 2);
    }
}

/// P-404, P-108, P-122: over UDP withdrawals are read and not obeyed; over TCP
/// each ends its own kind.
#[test]
fn a_withdrawal_of_any_kind_is_read_to_its_end() {
    let definitions = [
        set(2, &[one_field(256), one_field(257)].concat()),
        set(3, &options_template(300, 1, &[(149, 4), (34, 4)])),
    ];
    let withdrawals = [
        // One Template; behind it a definition that must not be swallowed.
        set(2, &[vec![1, 0, 0, 0], one_field(258)].concat()),
        set(
            3,
            &[
                vec![1, 44, 0, 0],
                options_template(301, 1, &[(149, 4), (34, 4)]),
            ]
            .concat(),
        ),
        set(2, &[0, 2, 0, 0]),
        set(3, &[0, 3, 0, 0]),
    ];
    let data = [256, 257, 258, 300, 301].map(|id| set(id, &[0; 8]));
    for (transport, expected) in [
        (Transport::Datagrams, [2, 2, 2, 1, 1].map(SetOutcome::Ok)),
        (Transport::Stream, [SetOutcome::NoTemplate; 5]),
    ] {
        let mut bench = Bench::default();
        bench.sessions = bench.sessions.over(transport);
        let message = [&definitions[..], &withdrawals[..], &data[..]].concat();
        let outcomes = sets(&mut bench, &ipfix(1, 0, &message));
        let taken = [2, 1, 2, 2, 1, 1].map(SetOutcome::Ok);
        let became: Vec<SetOutcome> = outcomes.iter().map(|(_, outcome)| *outcome).collect();
        assert_eq!(became[..6], taken, "{transport:?}");
        assert_eq!(became[6..], expected, "{transport:?}");
    }
}

/// P-101, P-022, P-036: Sets without meaning or content hide nothing.
#[test]
fn a_set_without_meaning_or_content_hides_nothing() {
    let mut bench = Bench::default();
    let message = ipfix(
        1,
        0,
        &[
            set(2, &one_field(256)),
            set(1, &[1; 7]),
            set(255, &[]),
            set(256, &[]),
            set(256, &[1; 3]),
            set(2, &[]),
            set(256, &[1; 4]),
        ],
    );
    let expected = [
        (2, SetOutcome::Ok(1)),
        (1, SetOutcome::Reserved),
        (255, SetOutcome::Reserved),
        (256, SetOutcome::Ok(0)),
        (256, SetOutcome::Ok(0)),
        (2, SetOutcome::Ok(0)),
        (256, SetOutcome::Ok(1)),
    ];
    assert_eq!(sets(&mut bench, &message), expected);
}

/// P-102, P-111, P-451: whatever stands before it.
#[test]
fn a_set_length_that_cannot_be_costs_the_whole_ipfix_message() {
    for length in [0, 1, 2, 3, 13, 65_535_u16] {
        let mut bench = Bench::default();
        let mut bad = set(256, &[1; 8]);
        bad[2..4].copy_from_slice(&length.to_be_bytes());
        let message = ipfix(1, 0, &[set(2, &one_field(256)), set(256, &[1; 4]), bad]);
        let expected = Outcome::Refused(Refusal::Malformed);
        assert_eq!(bench.send(&message), expected, "{length}");
        assert_eq!(bench.recorder.seen, []);
        assert_eq!(bench.sessions.templates_held().0, 0);
        assert_eq!(bench.sessions.stats().malformed_sets, 0);
    }
}

/// P-023, P-024, P-450: the same costs only itself in v9.
#[test]
fn a_set_length_that_cannot_be_ends_a_v9_message() {
    for (length, faults) in [(0, 1), (1, 1), (3, 1), (13, 1)] {
        let mut bench = Bench::default();
        let mut bad = set(256, &[1; 8]);
        bad[2..4].copy_from_slice(&u16::to_be_bytes(length));
        let message = v9(1, 0, &[set(0, &one_field(256)), set(256, &[1; 5]), bad]);
        let expected = [(0, SetOutcome::Ok(1)), (256, SetOutcome::Ok(1))];
        assert_eq!(sets(&mut bench, &message), expected, "{length}");
        assert_eq!(bench.recorder.faults.len(), faults);
    }
}

/// P-417, RFC 5473: what 137 refers to is not looked up, and the record stays.
#[test]
fn a_record_with_common_properties_is_kept_before_they_are_defined() {
    let mut bench = Bench::default();
    let data = [0, 0, 0, 0, 0, 0, 0, 5, 10, 0, 0, 1];
    let message = ipfix(
        1,
        0,
        &[
            set(2, &template(256, &[(137, 8), (8, 4)])),
            set(256, &data),
            set(3, &options_template(257, 1, &[(137, 8), (12, 4)])),
            set(257, &data),
            set(256, &data),
        ],
    );
    assert!(
        sets(&mut bench, &message)
            .iter()
            .all(|(_, outcome)| *outcome == SetOutcome::Ok(1))
    );
    assert_eq!(bench.recorder.records(256), 2);
    assert_eq!(bench.recorder.seen[0].body, data);
    assert_eq!(bench.sessions.stats().options_records, 1);
}
