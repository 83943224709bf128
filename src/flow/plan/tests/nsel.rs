//! Records of firewalls. P-500…P-503.

use super::*;
use crate::flow::Connection;
use crate::flow::Nsel;
use crate::flow::NselSettings;

const CREATED: u64 = EXPORT_MS - 60_000;

/// A record of a current ASA: 148, 152, 233, 323, 33002, 231, 232, 298, 299.
fn record(event: u8, octets: (u32, u32), at_ms: u64) -> Decoded {
    let packets = |octets: u32| (octets / 10).to_be_bytes();
    decode(&[
        (ie(148), &[0, 0, 0, 42]),
        BASE[0],
        (ie(7), &[0, 80]),
        BASE[1],
        (ie(11), &[1, 0]),
        (ie(4), &[6]),
        (ie(225), &[1, 1, 1, 1]),
        (ie(233), &[event]),
        (ie(33_002), &[0, 0]),
        (ie(323), &at_ms.to_be_bytes()),
        (ie(152), &CREATED.to_be_bytes()),
        (ie(231), &octets.0.to_be_bytes()),
        (ie(232), &octets.1.to_be_bytes()),
        (ie(298), &packets(octets.0)),
        (ie(299), &packets(octets.1)),
    ])
}

/// A record of an ASA before 8.4: event in 40005, octets of both ways in 85.
fn old_record(event: u8, octets: u32) -> Decoded {
    decode(&[
        (ie(148), &[0, 0, 0, 42]),
        BASE[0],
        BASE[1],
        (ie(40_005), &[event]),
        (ie(33_002), &[0, 0]),
        (ie(85), &octets.to_be_bytes()),
    ])
}

fn settle(nsel: &mut Nsel, records: &[Decoded]) -> Decoded {
    let mut settled = Vec::new();
    for (record, detail) in records.iter().flatten() {
        assert!(record.flags.contains(RecordFlags::NSEL));
        nsel.settle(record, detail.as_ref(), &mut |record, detail| {
            assert!(!record.flags.contains(RecordFlags::NSEL));
            settled.push((*record, detail.cloned()));
        });
    }
    settled
}

/// Octets of the flows there and back, and the events.
fn outcome(records: &[Decoded]) -> (u64, u64, Vec<Event>) {
    let settled = settle(&mut Nsel::new(NselSettings::default()), records);
    let is_back = |record: &FlowRecord| record.flags.contains(RecordFlags::REVERSE);
    let sum = |back: bool| {
        let ways = settled.iter().filter(|(r, _)| is_back(r) == back);
        ways.map(|(record, _)| record.octets).sum()
    };
    let events = settled.iter().filter_map(|(r, _)| r.event).collect();
    (sum(false), sum(true), events)
}

#[test]
fn the_event_stands_in_the_record() {
    for (value, event) in [
        (1, Event::NselCreated),
        (3, Event::NselDenied),
        (4, Event::NselAlert),
        (0, Event::Other),
        (9, Event::Other),
    ] {
        let (record, detail) = one(record(value, (500, 700), EXPORT_MS));
        assert_eq!(
            (record.event, record.octets, record.packets),
            (Some(event), 0, 0)
        );
        assert_eq!(detail.unwrap().extra.len(), 15);
    }
}

#[test]
fn an_update_is_two_flows() {
    let decoded = record(5, (500, 700), EXPORT_MS);
    let [(there, Some(detail)), (back, Some(turned))] = &decoded[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!((there.event, there.octets, there.packets), (None, 500, 50));
    assert_eq!((back.event, back.octets, back.packets), (None, 700, 70));
    assert_eq!((back.key.src_port, back.key.dst_port), (256, 80));
    assert_eq!(back.key.dst, v4(10, 0, 0, 1));
    let nat = Some(IpAddr::from([1, 1, 1, 1]));
    assert_eq!((detail.nat_src, turned.nat_dst), (nat, nat));
    let connection = Connection {
        id: 42,
        created_ms: CREATED,
        event_ms: EXPORT_MS,
    };
    assert_eq!(detail.connection, Some(connection));
}

/// P-503: PAN-OS and Barracuda send 233 with ordinary flows.
#[test]
fn a_firewall_event_alone_makes_no_nsel() {
    let record = flow(&[(ie(233), &[2])]);
    assert_eq!((record.event, record.octets), (None, 256));
}

/// P-910.
#[test]
fn updates_count_and_the_teardown_does_not() {
    let trace = [
        record(1, (0, 0), CREATED),
        record(5, (100, 10), CREATED + 10),
        record(5, (50, 0), CREATED + 20),
        record(2, (150, 10), CREATED + 30),
    ];
    let events = vec![Event::NselCreated, Event::NselTeardown];
    assert_eq!(outcome(&trace), (150, 10, events));
}

/// P-501: a short connection has no update.
#[test]
fn a_teardown_without_updates_counts() {
    let trace = [
        record(1, (0, 0), CREATED),
        record(2, (150, 10), CREATED + 30),
    ];
    assert_eq!(outcome(&trace), (150, 10, vec![Event::NselCreated]));
    let mut nsel = Nsel::new(NselSettings::default());
    let settled = settle(&mut nsel, &trace[1..]);
    assert_eq!(settled[0].0.end_reason, EndReason::End);
    let detail = settled[0].1.clone().unwrap();
    assert_eq!((detail.extra, detail.connection), (vec![], None));
}

proptest! {
    /// P-910, P-502: in whatever order they arrive.
    #[test]
    fn a_connection_counts_once_in_any_order(
        updates in prop::collection::vec((1_u32..1_000, 1_u32..1_000), 0..6),
        order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let sum = |part: fn(&(u32, u32)) -> u32| updates.iter().map(part).sum::<u32>();
        let totals = match updates.len() {
            0 => (70, 30),
            _ => (sum(|u| u.0), sum(|u| u.1)),
        };
        let mut trace = vec![record(1, (0, 0), CREATED), record(2, totals, EXPORT_MS)];
        let update = |(at, octets): (u64, &(u32, u32))| record(5, *octets, CREATED + at);
        trace.extend((1..).zip(&updates).map(update));
        let shuffled: Vec<_> = order.iter().filter_map(|&i| trace.get(i).cloned()).collect();
        // A late update is counted with the teardown that came before it.
        let late = shuffled
            .iter()
            .position(|decoded| decoded[0].0.event == Some(Event::NselTeardown))
            .is_some_and(|at| shuffled[..at].iter().all(|d| d[0].0.event.is_some()));
        let (there, back, events) = outcome(&shuffled);
        prop_assert_eq!((there, back), (u64::from(totals.0), u64::from(totals.1)));
        let updates_late = events.iter().filter(|e| **e == Event::NselUpdate).count();
        prop_assert_eq!(updates_late, if late { updates.len() } else { 0 });
    }
}

#[test]
fn a_repeated_teardown_counts_once() {
    let teardown = record(2, (150, 10), CREATED + 30);
    let (there, back, events) = outcome(&[teardown.clone(), teardown]);
    assert_eq!((there, back, events), (150, 10, vec![Event::NselTeardown]));
}

/// Ids are used again: another creation time is another connection.
#[test]
fn an_id_with_another_creation_is_another_connection() {
    let mut trace = [
        record(5, (100, 0), EXPORT_MS),
        record(2, (150, 10), EXPORT_MS),
    ];
    for (_, detail) in &mut trace[1] {
        detail
            .as_mut()
            .unwrap()
            .connection
            .as_mut()
            .unwrap()
            .created_ms += 1;
    }
    assert_eq!(outcome(&trace), (250, 10, vec![]));
}

/// Without creation time in updates, the creation of the next life ends the first.
#[test]
fn a_creation_begins_a_new_life() {
    let mut trace = [
        record(5, (100, 0), CREATED + 10),
        record(1, (0, 0), CREATED + 20),
        record(2, (150, 0), CREATED + 30),
    ];
    for (_, detail) in trace.iter_mut().flatten() {
        detail
            .as_mut()
            .unwrap()
            .connection
            .as_mut()
            .unwrap()
            .created_ms = 0;
    }
    assert_eq!(outcome(&trace), (250, 0, vec![Event::NselCreated]));
    trace.swap(0, 1);
    trace[0][0]
        .1
        .as_mut()
        .unwrap()
        .connection
        .as_mut()
        .unwrap()
        .event_ms = CREATED;
    let events = vec![Event::NselCreated, Event::NselTeardown];
    assert_eq!(outcome(&trace), (100, 0, events));
}

#[test]
fn the_memory_ends_at_its_maximum() {
    let mut nsel = Nsel::new(NselSettings {
        connections_max: 4,
        wanted: vec![],
    });
    let mut update = record(5, (1, 0), EXPORT_MS);
    for id in 0..10 {
        update[0]
            .1
            .as_mut()
            .unwrap()
            .connection
            .as_mut()
            .unwrap()
            .id = id;
        settle(&mut nsel, std::slice::from_ref(&update));
        assert!(nsel.len() <= 4);
    }
    assert_eq!(nsel.len(), 4);
    assert_eq!(nsel.forgotten(), 6);
}

/// P-501: no updates before 8.4; 85 is the octets of both ways.
#[test]
fn an_old_teardown_counts_once_as_the_way_there() {
    let (record, detail) = one(old_record(2, 900));
    assert_eq!(
        (record.event, record.octets, record.flags),
        (None, 900, RecordFlags::SAMPLING_UNKNOWN)
    );
    assert_eq!((record.end_reason, detail), (EndReason::End, None));
    let (created, _) = one(old_record(1, 900));
    assert_eq!(
        (created.event, created.octets),
        (Some(Event::NselCreated), 0)
    );
}

#[test]
fn a_teardown_without_connection_stays_an_event() {
    let mut teardown = record(2, (150, 10), EXPORT_MS);
    for (_, detail) in &mut teardown {
        detail.as_mut().unwrap().connection = None;
    }
    assert_eq!(outcome(&[teardown]), (0, 0, vec![Event::NselTeardown]));
}
