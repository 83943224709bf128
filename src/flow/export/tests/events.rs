//! Records that are no flows.

use super::*;
use crate::flow::Event;

fn event(event: Event, extra: &[(ElementId, &[u8])]) -> Flow {
    let extra = extra
        .iter()
        .map(|(element, octets)| (*element, (*octets).into()));
    let detail = Detail {
        extra: extra.collect(),
        ..Detail::default()
    };
    let record = FlowRecord {
        octets: 0,
        packets: 0,
        event: Some(event),
        ..tcp()
    };
    (record, Some(detail))
}

const ADDRESSES: [(ElementId, &[u8]); 3] = [
    (ie(8), &[10, 0, 0, 1]),
    (ie(12), &[10, 0, 0, 2]),
    (ie(4), &[6]),
];

fn with(more: &[(ElementId, &'static [u8])]) -> Vec<(ElementId, &'static [u8])> {
    ADDRESSES.iter().chain(more).copied().collect()
}

fn created(moment: &'static [u8]) -> Vec<(ElementId, &'static [u8])> {
    with(&[
        (ie(148), &[0, 0, 0, 42]),
        (ie(233), &[1]),
        (ie(33_002), &[0, 0]),
        (ie(323), moment),
    ])
}

fn ids(version: Version, row: &Flow) -> Vec<u16> {
    fields_of(settings(version), row)
}

/// 2023-11-14T22:13:20Z.
const MOMENT: [u8; 8] = 1_700_000_000_000_u64.to_be_bytes();

#[test]
fn an_event_is_its_elements_and_nothing_else() {
    let row = event(Event::NselCreated, &created(&MOMENT));
    let expected = [8, 12, 4, 148, 233, 33_002, 323];
    assert_eq!(ids(Version::V9, &row), expected);
    for version in [Version::V9, Version::Ipfix] {
        let (lacks, received) = one(settings(version), &row);
        assert_eq!(lacks, Lacks::empty());
        assert_eq!(received.0.event, Some(Event::NselCreated), "{version:?}");
        assert_eq!(received.0.end_ms, 1_700_000_000_000);
        assert_eq!(received.1.unwrap().extra, row.1.clone().unwrap().extra);
    }
}

#[test]
fn a_nat_event_stays_one() {
    let row = event(
        Event::Nat,
        &with(&[(ie(230), &[1]), (ie(225), &[192, 0, 2, 9])]),
    );
    for version in [Version::V9, Version::Ipfix] {
        let (lacks, received) = one(settings(version), &row);
        assert_eq!(lacks, Lacks::empty());
        assert_eq!(received.0.event, Some(Event::Nat));
        assert_eq!(received.0.start_ms, row.0.start_ms);
        assert_eq!(received.0.end_ms, row.0.end_ms);
    }
}

/// Uptimes are relative to the exporter's boot; ours is another.
#[test]
fn uptimes_of_the_exporter_become_ours() {
    let uptimes = with(&[
        (ie(22), &[0, 0, 0, 1]),
        (ie(21), &[0, 0, 0, 2]),
        (ie(160), &[0; 8]),
        (ie(230), &[1]),
    ]);
    let row = event(Event::Nat, &uptimes);
    assert_eq!(ids(Version::Ipfix, &row), [152, 153, 8, 12, 4, 230]);
    assert_eq!(ids(Version::V9, &row), [22, 21, 8, 12, 4, 230]);
    for version in [Version::V9, Version::Ipfix] {
        let (_, received) = one(settings(version), &row);
        assert_eq!(received.0.start_ms, row.0.start_ms);
        assert_eq!(received.0.end_ms, row.0.end_ms);
    }
    let both = [&uptimes[..], &[(ie(323), &MOMENT)]].concat();
    let row = event(Event::Nat, &both);
    assert_eq!(ids(Version::Ipfix, &row), [152, 153, 8, 12, 4, 230, 323]);
}

#[test]
fn an_event_without_times_is_given_some() {
    let row = event(Event::Other, &ADDRESSES);
    assert_eq!(ids(Version::Ipfix, &row), [152, 153, 8, 12, 4]);
    let settings = ExportSettings {
        origin: Origin::Original,
        absolute: true,
        ..settings(Version::V9)
    };
    let expected = [152, 153, 22, 21, 403, 405, 8, 12, 4];
    assert_eq!(fields_of(settings, &row), expected);
}

/// P-502: a teardown's totals are in rows of flows already; a collector behind
/// us must not count them again.
#[test]
fn counters_of_a_connection_are_not_sent_twice() {
    let teardown = with(&[
        (ie(148), &[0, 0, 0, 42]),
        (ie(233), &[2]),
        (ie(33_002), &[7, 0xd1]),
        (ie(231), &[0, 0, 1, 0]),
        (ie(232), &[0, 0, 2, 0]),
        (ie(298), &[0, 0, 0, 0]),
    ]);
    let row = event(Event::NselTeardown, &teardown);
    for version in [Version::V9, Version::Ipfix] {
        let (lacks, received) = one(settings(version), &row);
        assert_eq!(lacks, Lacks::COUNTERS);
        assert_eq!((received.0.octets, received.0.packets), (0, 0));
        assert!(received.0.event.is_some());
    }
    assert!(!ids(Version::V9, &row).contains(&298));
    let mut counting = event(Event::Other, &[(ie(1), &[0, 0, 0, 9]), (ie(56), &[1; 6])]);
    counting.0.octets = 9;
    assert_eq!(ids(Version::V9, &counting), [22, 21, 1, 56]);
}

/// Its own selectors are unknown to whoever does not have its options.
#[test]
fn the_selector_of_a_section_is_ours() {
    let section = [(ie(313), &[0x45; 20][..]), (ie(302), &[0, 0, 0, 77])];
    let mut row = event(Event::PacketSection, &section);
    row.0.key.sampling = SamplingRate {
        out_of: 512,
        picked: 1,
    };
    assert_eq!(ids(Version::Ipfix, &row), [152, 153, 302, 313]);
    let (lacks, received) = one(settings(Version::Ipfix), &row);
    assert_eq!(lacks, Lacks::empty());
    assert_eq!(received.0.event, Some(Event::PacketSection));
    assert_eq!(received.0.key.sampling, row.0.key.sampling);
    let normalised = ExportSettings {
        counters: Counters::Normalised,
        ..settings(Version::Ipfix)
    };
    assert_eq!(one(normalised, &row).0, Lacks::SAMPLING);
}

#[test]
fn an_event_of_which_nothing_is_left_is_not_sent() {
    let row = event(Event::Other, &[(ie(145), &[1, 0])]);
    for version in [Version::V5, Version::V9, Version::Ipfix] {
        let (outcomes, flows) = through(settings(version), std::slice::from_ref(&row));
        assert_eq!(outcomes, [Err(Unsent::Event)]);
        assert!(flows.is_empty());
    }
}
