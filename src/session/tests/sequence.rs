//! Sequence numbers over a network that loses, doubles and reorders.

use proptest::prelude::*;

use crate::session::SequenceCounts;
use crate::session::sequence::Sequence;
use crate::session::sequence::Step;
use crate::session::sequence::WINDOW;

fn step(start: u32, units: u32) -> Step {
    Step {
        start,
        units: Some(units),
        template_only: false,
    }
}

fn sequence(near: u32, steps: &[Step]) -> Sequence {
    let mut sequence = Sequence::new(near);
    for &step in steps {
        sequence.observe(step);
    }
    sequence
}

#[test]
fn a_gap_is_lost_once_it_stayed_open_for_64_messages() {
    let mut steps = vec![step(10, 1), step(14, 1)];
    let mut sequence = sequence(64, &steps);
    assert_eq!((sequence.counts().lost, sequence.pending()), (0, 3));
    steps = (15..15 + 65).map(|start| step(start, 1)).collect();
    for &step in &steps {
        sequence.observe(step);
    }
    assert_eq!((sequence.counts().lost, sequence.pending()), (3, 0));
}

#[test]
fn a_late_message_fills_its_part_of_a_gap() {
    let sequence = sequence(1920, &[step(0, 30), step(90, 30), step(30, 30)]);
    assert_eq!(sequence.pending(), 30);
    assert_eq!(sequence.counts().reordered, 1);
}

#[test]
fn numbers_wrap() {
    let sequence = sequence(64, &[step(u32::MAX, 1), step(0, 1), step(2, 1)]);
    assert_eq!(sequence.pending(), 1);
    assert_eq!(sequence.counts(), SequenceCounts::default());
}

/// RFC 7011 §11.6, P-423.
#[test]
fn one_forged_message_neither_blinds_nor_reports_loss() {
    let mut steps: Vec<Step> = (0..10).map(|start| step(start, 1)).collect();
    steps.push(step(3_000_000_000, 1));
    steps.extend((10..20).map(|start| step(start, 1)));
    steps.push(step(21, 1));
    let sequence = sequence(64, &steps);
    assert_eq!(sequence.pending(), 1);
    let strays = SequenceCounts {
        strays: 1,
        ..SequenceCounts::default()
    };
    assert_eq!(sequence.counts(), strays);
}

#[test]
fn an_outage_is_counted_when_two_messages_agree_on_it() {
    let sequence = sequence(64, &[step(0, 1), step(1001, 1), step(1002, 1)]);
    assert_eq!(sequence.pending(), 1000);
    assert_eq!(sequence.counts(), SequenceCounts::default());
}

#[test]
fn an_exporter_that_starts_again_from_zero_lost_nothing() {
    let sequence = sequence(64, &[step(70_000, 1), step(0, 1), step(1, 1), step(2, 1)]);
    let resynced = SequenceCounts {
        resyncs: 1,
        ..SequenceCounts::default()
    };
    assert_eq!((sequence.counts(), sequence.pending()), (resynced, 0));
}

/// RFC 7011 §3.1: Templates do not count.
#[test]
fn ipfix_messages_without_data_do_not_advance() {
    let template = Step {
        start: 5,
        units: Some(0),
        template_only: true,
    };
    let sequence = sequence(
        4096,
        &[step(0, 5), template, template, step(5, 2), step(7, 1)],
    );
    assert_eq!((sequence.counts().lost, sequence.pending()), (0, 0));
}

/// P-422.
#[test]
fn after_an_undecodable_set_the_next_header_is_believed() {
    let unknown = Step {
        start: 5,
        units: None,
        template_only: false,
    };
    let sequence = sequence(4096, &[step(0, 5), unknown, step(500, 2), step(502, 1)]);
    let expected = SequenceCounts {
        unknown: 1,
        ..SequenceCounts::default()
    };
    assert_eq!((sequence.counts(), sequence.pending()), (expected, 0));
}

/// P-424: H3C and Huawei number Messages with Templates apart.
#[test]
fn template_messages_with_numbers_of_their_own_are_no_loss() {
    let template = |start| Step {
        start,
        units: Some(1),
        template_only: true,
    };
    for own in [0_u32, 12, 140, 29_210, 60_342_277] {
        let mut steps: Vec<Step> = Vec::new();
        for round in 0..20 {
            let from = 133 + round * 20;
            steps.extend((from..from + 20).map(|start| step(start, 1)));
            steps.push(template(own.wrapping_add(round)));
        }
        let sequence = sequence(64, &steps);
        let found = (sequence.counts().lost, sequence.pending());
        assert_eq!(found, (0, 0), "templates from {own}");
        assert_eq!(sequence.counts().resyncs, 0);
    }
}

#[test]
fn a_template_message_that_overtook_data_is_no_loss() {
    let template = Step {
        start: 2,
        units: Some(1),
        template_only: true,
    };
    let sequence = sequence(
        64,
        &[step(0, 1), template, step(1, 1), step(3, 1), step(4, 1)],
    );
    assert_eq!((sequence.counts().lost, sequence.pending()), (0, 0));
}

#[test]
fn loss_before_a_template_message_is_counted_without_it() {
    let template = Step {
        start: 4,
        units: Some(1),
        template_only: true,
    };
    let sequence = sequence(64, &[step(0, 1), template, step(5, 1)]);
    assert_eq!(sequence.pending(), 3);
}

#[test]
fn only_the_same_message_is_a_duplicate() {
    let mut sequence = Sequence::new(64);
    for (start, print) in [(7, 70), (8, 80)] {
        assert!(!sequence.is_duplicate(start, print));
        sequence.remember(print);
        sequence.observe(step(start, 1));
    }
    assert!(sequence.is_duplicate(7, 70));
    // Another Message of the same number: an exporter that started again.
    assert!(!sequence.is_duplicate(7, 71 << 1));
    assert_eq!(sequence.counts().duplicates, 1);
}

/// What the network does to one Message.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    Lost,
    Doubled,
    /// Overtaken by so many Messages.
    Late(usize),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Arrives),
        2 => Just(Fate::Lost),
        1 => Just(Fate::Doubled),
        2 => (1..20_usize).prop_map(Fate::Late),
    ]
}

/// How a protocol counts: units of a Message, and how near is near.
fn protocol() -> impl Strategy<Value = (u32, std::ops::RangeInclusive<u32>)> {
    prop::sample::select(vec![(64 * 30, 1..=30), (64, 1..=1), (64 * 64, 0..=60)])
}

proptest! {
    /// P-923: reported loss is injected loss, for v5, v9 and IPFIX.
    #[test]
    fn reported_loss_is_injected_loss(
        (near, units) in protocol(),
        fates in prop::collection::vec((fate(), any::<u32>()), 1..300),
        first in any::<u32>(),
    ) {
        let mut next = first;
        let mut lost = 0;
        let mut doubled = 0;
        let mut sent = Vec::new();
        let mut burst = 0;
        let ends = [(Fate::Arrives, 1); WINDOW * 2];
        let all = [(Fate::Arrives, 1)].into_iter().chain(fates).chain(ends);
        for (position, (mut fate, choice)) in all.enumerate() {
            let span = units.end() - units.start() + 1;
            let count = units.start() + choice % span;
            // More than a window's worth in a row is an outage, tested above.
            burst = if matches!(fate, Fate::Arrives) { 0 } else { burst + 1 };
            if burst > 20 {
                fate = Fate::Arrives;
                burst = 0;
            }
            match fate {
                Fate::Arrives => sent.push((position, next, count)),
                Fate::Lost => lost += u64::from(count),
                Fate::Doubled => {
                    sent.push((position, next, count));
                    if count > 0 {
                        doubled += 1;
                        sent.push((position + 3, next, count));
                    }
                }
                Fate::Late(by) => sent.push((position + by, next, count)),
            }
            next = next.wrapping_add(count);
        }
        sent.sort_by_key(|&(arrives, ..)| arrives);
        let mut sequence = Sequence::new(near);
        for (_, start, count) in sent {
            let print = (u64::from(start) << 8 | u64::from(count)) << 1;
            if sequence.is_duplicate(start, print) {
                continue;
            }
            let units = Some(count);
            let template_only = count == 0;
            if count > 0 {
                sequence.remember(print);
            }
            sequence.observe(Step { start, units, template_only });
        }
        prop_assert_eq!(sequence.counts().lost + sequence.pending(), lost);
        prop_assert_eq!(sequence.counts().duplicates, doubled);
        prop_assert_eq!(sequence.counts().resyncs, 0);
    }

    /// Any input at all: no panic, no more gaps than the window.
    #[test]
    fn no_input_grows_the_calculation(
        steps in prop::collection::vec(any::<(u32, Option<u8>, bool)>(), 0..400),
    ) {
        let mut sequence = Sequence::new(64);
        for (start, units, template_only) in steps {
            let start = start % 5_000;
            let units = units.map(u32::from);
            sequence.observe(Step { start, units, template_only });
            prop_assert!(sequence.gaps() <= WINDOW + 1);
        }
    }
}

#[test]
fn a_stray_that_is_continued_after_all_is_taken_back_from_the_sum() {
    let stray = SequenceCounts {
        strays: 1,
        ..SequenceCounts::default()
    };
    let none = SequenceCounts::default();
    let mut sum = SequenceCounts::default();
    sum.add(none, stray);
    sum.add(stray, none);
    assert_eq!(sum, none);
}
