//! Options of exporters, which stay options.

use super::*;
use crate::element::V9_SCOPE_PEN;
use crate::flow::Event;

/// An element that no session keeps, so that it is an event when asked for.
const ASKED: ElementId = ie(12_232);

const fn v9_scope(id: u16) -> ElementId {
    ElementId {
        pen: V9_SCOPE_PEN,
        id,
    }
}

/// One options record as an exporter sends it: its first fields are the scope.
fn options(version: Version, scopes: usize, fields: &[(ElementId, &[u8])]) -> Vec<u8> {
    message(TemplateKind::Options, version, scopes, fields)
}

/// What the record becomes: the Template it is sent with, what it lacks, and
/// how it is read behind that.
fn sent_on(input: &[u8], settings: ExportSettings) -> (Template, Lacks, Flow) {
    let received = collect(&[input.to_vec()], NOW_MS, &[ASKED]);
    let [(options, Some(_))] = &received[..] else {
        panic!("{received:?}");
    };
    assert_eq!(options.event, Some(Event::Options));
    let mut sender = Sender::new(settings, NOW_MS);
    let outcomes = sender.send(&batch(&received));
    let [Ok((1, lacks))] = outcomes[..] else {
        panic!("{outcomes:?}");
    };
    let mut behind = collect(&sender.messages, NOW_MS, &[ASKED]);
    assert_eq!(behind.len(), 1);
    let [template] = sender.encoder.templates() else {
        panic!("{:?}", sender.encoder.templates());
    };
    (template.clone(), lacks, behind.remove(0))
}

fn elements(row: &Flow) -> Vec<(ElementId, Vec<u8>)> {
    let extra = &row.1.as_ref().unwrap().extra;
    let octets = |(element, octets): &(ElementId, Box<[u8]>)| (*element, octets.to_vec());
    extra.iter().map(octets).collect()
}

fn with_origin(version: Version) -> ExportSettings {
    ExportSettings {
        origin: Origin::Original,
        ..settings(version)
    }
}

/// 12 232 without an enterprise is in no table, but below the bit of IPFIX.
const SAID: [(ElementId, &[u8]); 4] = [
    (ie(8), &[10, 0, 0, 1]),
    (ie(12), &[10, 0, 0, 2]),
    (ie(1), &[0, 0, 1, 0]),
    (ASKED, &[0, 0, 0, 9]),
];

fn with(scope: (ElementId, &'static [u8])) -> Vec<(ElementId, &'static [u8])> {
    [&[scope], &SAID[..]].concat()
}

fn owned(elements: &[(ElementId, &[u8])]) -> Vec<(ElementId, Vec<u8>)> {
    let owned = elements.iter().map(|(id, octets)| (*id, octets.to_vec()));
    owned.collect()
}

const FIRST: [(ElementId, &[u8]); 2] = [(ie(403), &[192, 0, 2, 1]), (ie(405), &[0, 0, 0, 7])];

/// As data they would be a flow, with the octets they count.
#[test]
fn options_with_addresses_and_counters_are_no_flow_downstream() {
    let input = options(Version::Ipfix, 1, &with((ie(143), &[0, 0, 0, 5])));
    let (template, lacks, behind) = sent_on(&input, with_origin(Version::Ipfix));
    assert_eq!((template.kind, template.scopes), (TemplateKind::Options, 3));
    assert_eq!(lacks, Lacks::empty());
    assert_eq!(behind.0.event, Some(Event::Options));
    assert_eq!((behind.0.octets, behind.0.packets), (0, 0));
    let expected = [&FIRST[..], &[(ie(143), &[0, 0, 0, 5])], &SAID].concat();
    assert_eq!(elements(&behind), owned(&expected));
    assert_eq!(behind.1.unwrap().scopes, Some(3));
}

#[test]
fn v9_gives_options_of_ipfix_the_scope_of_the_system() {
    let input = options(Version::Ipfix, 1, &with((ie(143), &[0, 0, 0, 5])));
    let (template, lacks, behind) = sent_on(&input, with_origin(Version::V9));
    assert_eq!((template.kind, template.scopes), (TemplateKind::Options, 1));
    assert_eq!(lacks, Lacks::empty());
    let system: (ElementId, &[u8]) = (v9_scope(1), &[0; 4]);
    let scope: (ElementId, &[u8]) = (ie(143), &[0, 0, 0, 5]);
    let expected = [&[system], &FIRST[..], &[scope], &SAID].concat();
    assert_eq!(elements(&behind), owned(&expected));
    assert_eq!(behind.0.event, Some(Event::Options));
}

#[test]
fn a_scope_of_v9_stays_in_v9_and_is_an_element_in_ipfix() {
    let input = options(Version::V9, 1, &with((v9_scope(2), &[0, 0, 0, 3])));
    let (template, _, behind) = sent_on(&input, settings(Version::V9));
    assert_eq!(template.scopes, 1);
    let scope = (v9_scope(2), &[0, 0, 0, 3][..]);
    assert_eq!(elements(&behind), owned(&[&[scope], &SAID[..]].concat()));
    let (template, lacks, behind) = sent_on(&input, settings(Version::Ipfix));
    assert_eq!(template.scopes, 1);
    assert_eq!(elements(&behind)[0], (ie(10), vec![0, 0, 0, 3]));
    assert_eq!((lacks, elements(&behind).len()), (Lacks::empty(), 5));
}

/// RFC 7011 §3.4.2.2.
#[test]
fn options_of_a_whole_system_are_of_its_domain_in_ipfix() {
    let input = options(Version::V9, 1, &with((v9_scope(1), &[0, 0, 0, 0])));
    let (template, lacks, behind) = sent_on(&input, settings(Version::Ipfix));
    assert_eq!((template.scopes, lacks), (1, Lacks::empty()));
    assert_eq!(elements(&behind)[0], (ie(405), vec![0, 0, 0, 7]));
}

/// Whoever reads them would take them as said of our Templates and samplers.
#[test]
fn what_only_the_exporter_can_say_of_itself_is_left_out() {
    let own: [(ElementId, &[u8]); 3] = [
        (ie(34), &[0, 0, 3, 0xe8]),
        (ie(36), &[0, 60]),
        (ie(160), &[0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0]),
    ];
    let fields = [&with((v9_scope(5), &[1, 0])), &own[..]].concat();
    let input = options(Version::V9, 1, &fields);
    for version in [Version::V9, Version::Ipfix] {
        let (_, lacks, behind) = sent_on(&input, settings(version));
        assert_eq!(lacks, Lacks::EXTRA);
        assert_eq!(elements(&behind)[1..], owned(&SAID));
    }
    let nothing = [(ie(143), &[0, 0, 0, 5][..]), (ie(36), &[0, 60])];
    let mut row = collect(&[input], NOW_MS, &[ASKED]).remove(0);
    let detail = row.1.as_mut().unwrap();
    let boxed = nothing.map(|(element, octets)| (element, octets.into()));
    detail.extra = boxed.into();
    for version in [Version::V5, Version::V9, Version::Ipfix] {
        let (outcomes, _) = through(settings(version), std::slice::from_ref(&row));
        assert_eq!(outcomes, [Err(Unsent::Event)]);
    }
}

#[test]
fn options_that_nobody_asks_for_are_no_rows() {
    let input = options(Version::Ipfix, 1, &with((ie(143), &[0, 0, 0, 5])));
    assert_eq!(collect(std::slice::from_ref(&input), NOW_MS, &[]), []);
    // What sessions keep is not asked of them again.
    let names = [(ie(10), &[0, 0, 0, 1][..]), (ie(82), b"eth0")];
    let input = options(Version::Ipfix, 1, &names);
    assert_eq!(collect(&[input], NOW_MS, &[ie(82)]), []);
}
