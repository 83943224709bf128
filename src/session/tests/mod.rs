//! Datagrams through a lane's sessions.

mod admission;
mod clock;
mod corpus;
mod options;
mod origins;
mod packets;
mod sequence;
mod templates;

use crate::session::Outcome;
use crate::session::Refusal;
use crate::session::SetOutcome;
use crate::session::testing::Bench;
use crate::session::testing::ipfix;
use crate::session::testing::set;
use crate::session::testing::template;
use crate::session::testing::v5;
use crate::session::testing::v9;
use crate::wire::Reason;
use crate::wire::WireError;

#[test]
fn a_v5_datagram_may_hold_several_messages() {
    let mut bench = Bench::default();
    let datagram = [v5(1, 0, 2, 0), v5(1, 2, 3, 0)].concat();
    assert_eq!(bench.send(&datagram), Outcome::Decoded);
    let records: Vec<u32> = bench.recorder.seen.iter().map(|set| set.records).collect();
    assert_eq!(records, [2, 3]);
    assert_eq!(bench.recorder.seen[1].body.len(), 3 * 48);
    assert_eq!(bench.sessions.stats().messages, [2, 0, 0]);
    assert_eq!(bench.sessions.stats().decoded, 1);
}

#[test]
fn a_v9_template_explains_data_of_the_same_and_later_messages() {
    let mut bench = Bench::default();
    let definition = set(0, &template(256, &[(8, 4), (1, 4)]));
    let message = v9(1, 10, &[definition, set(256, &[1; 19])]);
    assert_eq!(bench.send(&message), Outcome::Decoded);
    assert_eq!(
        bench.send(&v9(1, 11, &[set(256, &[2; 8])])),
        Outcome::Decoded
    );
    let seen = &bench.recorder.seen;
    assert_eq!((seen[0].records, seen[0].body.len()), (2, 16));
    assert_eq!((seen[1].records, seen[1].body.len()), (1, 8));
    assert_eq!(bench.recorder.templates, [256]);
    assert_eq!(
        bench.recorder.sets,
        [
            (0, SetOutcome::Ok(1)),
            (256, SetOutcome::Ok(2)),
            (256, SetOutcome::Ok(1))
        ]
    );
}

#[test]
fn ipfix_templates_and_data_take_effect_in_wire_order() {
    let mut bench = Bench::default();
    let first = set(2, &template(300, &[(8, 4)]));
    let second = set(2, &template(300, &[(8, 4), (12, 4)]));
    let data = set(300, &[1; 8]);
    let message = ipfix(7, 0, &[first, data.clone(), second, data]);
    assert_eq!(bench.send(&message), Outcome::Decoded);
    let records: Vec<u32> = bench.recorder.seen.iter().map(|set| set.records).collect();
    assert_eq!(records, [2, 1]);
}

/// RFC 7011 §9.1.
#[test]
fn a_malformed_ipfix_message_teaches_nothing() {
    let mut bench = Bench::default();
    let definition = set(2, &template(300, &[(8, 4), (82, 65535)]));
    // A name of 9 octets in a Set that holds 3 of them: its length is at fault.
    let data = set(300, &[1, 2, 3, 4, 9, 0, 0, 0]);
    let message = ipfix(7, 0, &[definition, data.clone()]);
    assert_eq!(bench.send(&message), Outcome::Refused(Refusal::Malformed));
    let fault = WireError {
        offset: 40,
        reason: Reason::RecordTooLong(14, 8),
    };
    assert_eq!(bench.recorder.faults, [fault]);
    assert!(bench.recorder.templates.is_empty());
    assert_eq!(bench.send(&ipfix(7, 0, &[data])), Outcome::Decoded);
    assert_eq!(bench.recorder.sets, [(300, SetOutcome::NoTemplate)]);
}

/// RFC 7011 §9.1: what a malformed Message held was refused, not lost.
#[test]
fn a_malformed_ipfix_message_is_no_loss() {
    let mut bench = Bench::default();
    let define = set(2, &template(300, &[(8, 4)]));
    bench.send(&ipfix(7, 0, &[define, set(300, &[1; 8])]));
    let mut malformed = ipfix(7, 2, &[set(300, &[1; 40])]);
    malformed[19] = 2;
    assert_eq!(bench.send(&malformed), Outcome::Refused(Refusal::Malformed));
    bench.send(&ipfix(7, 12, &[set(300, &[1; 8])]));
    let view = bench.sessions.exporters().next().unwrap();
    assert_eq!((view.sequence.lost, view.sequence_pending), (0, 0));
    assert_eq!(view.sequence.unknown, 1);
}

#[test]
fn a_datagram_is_decoded_if_any_message_of_it_is() {
    let mut bench = Bench::default();
    let first = v5(1, 0, 2, 0);
    bench.send(&first);
    bench.send(&v5(1, 2, 2, 0));
    let repeated = [first, v5(1, 4, 1, 0)].concat();
    assert_eq!(bench.send(&repeated), Outcome::Decoded);
    assert_eq!(bench.recorder.seen.len(), 3);
    assert_eq!(bench.sessions.stats().sequence.duplicates, 1);
}

/// P-037: padding is told from records once, before the consumer sees them.
#[test]
fn short_v9_records_of_zeros_are_parted_as_they_were_counted() {
    let mut bench = Bench::default();
    let define = set(0, &template(300, &[(4, 2)]));
    bench.send(&v9(1, 0, &[define, set(300, &[6, 6, 0, 0, 0, 0, 0, 0])]));
    let seen = &bench.recorder.seen[0];
    assert_eq!((seen.records, &seen.body[..]), (3, &[6, 6, 0, 0, 0, 0][..]));
    assert_eq!(seen.split, 3);
    bench.send(&v9(1, 1, &[set(300, &[6, 6, 6, 6, 6, 6, 0, 0])]));
    assert_eq!(
        (bench.recorder.seen[1].records, bench.recorder.seen[1].split),
        (3, 3)
    );
}
