//! Octets of the records, field by field.

use std::net::Ipv6Addr;

use super::*;
use crate::wire::FieldSpecifier;

/// The record of a row, cut into its fields.
fn fields(settings: ExportSettings, row: &Flow) -> Vec<(u16, Vec<u8>)> {
    let mut encoder = RowEncoder::new(settings);
    encoder.set_now(NOW_MS);
    let mut records = Records::default();
    let rows = batch(std::slice::from_ref(row));
    encoder.encode(&rows, 0, &mut records).unwrap();
    let template = &encoder.templates()[records.template];
    let record = records.iter().next().unwrap();
    let fields = template.fields(record);
    let id = |field: FieldSpecifier| field.element.id;
    fields
        .map(|(field, octets)| (id(field), octets.to_vec()))
        .collect()
}

fn times(ms: [u64; 2]) -> [Vec<u8>; 2] {
    ms.map(|ms| ms.to_be_bytes().to_vec())
}

#[test]
fn a_tcp_flow_has_no_more_fields_than_it_needs() {
    let record = tcp();
    let [start, end] = times([record.start_ms, record.end_ms]);
    let ipfix = [
        (8, vec![10, 0, 0, 1]),
        (12, vec![10, 0, 0, 2]),
        (60, vec![4]),
        (4, vec![6]),
        (7, vec![0x9c, 0x40]),
        (11, vec![1, 0xbb]),
        (1, vec![0, 0, 0, 0, 0, 0, 5, 0xdc]),
        (2, vec![0, 0, 0, 0, 0, 0, 0, 3]),
        (3, vec![0, 0, 0, 1]),
        (152, start),
        (153, end),
    ];
    assert_eq!(fields(settings(Version::Ipfix), &(record, None)), ipfix);
    let narrow = ExportSettings {
        wide: false,
        reasons: false,
        ..settings(Version::V9)
    };
    let uptime = |ms: u64| u32::try_from(ms).unwrap().to_be_bytes().to_vec();
    let v9 = [
        (1, vec![0, 0, 5, 0xdc]),
        (2, vec![0, 0, 0, 3]),
        (22, uptime(20 * DAY_MS - 2_500)),
        (21, uptime(20 * DAY_MS - 1_001)),
    ];
    assert_eq!(fields(narrow, &(record, None))[6..], v9);
}

/// P-207: type and code take the place of ports.
#[test]
fn icmp_has_type_and_code_and_no_ports() {
    let mut record = tcp();
    record.key.protocol = 1;
    record.key.src_port = 0;
    record.key.dst_port = 0x0300;
    let found = fields(settings(Version::V9), &(record, None));
    assert!(found.contains(&(32, vec![3, 0])));
    let ids: Vec<_> = found.iter().map(|field| field.0).collect();
    assert!(ids.iter().all(|id| ![7, 11, 139].contains(id)), "{ids:?}");
    record.key.protocol = 58;
    record.key.src = Ipv6Addr::LOCALHOST.octets();
    let found = fields(settings(Version::Ipfix), &(record, None));
    assert!(found.contains(&(139, vec![3, 0])));
    assert!(found.contains(&(60, vec![6])));
}

/// A flow has one IP version: its mapped address is IPv6 too (P-039).
#[test]
fn one_ipv6_address_makes_both_ipv6() {
    let mut record = tcp();
    record.key.src = Ipv6Addr::LOCALHOST.octets();
    let ids = fields_of(settings(Version::Ipfix), &(record, None));
    assert_eq!(ids[..2], [27, 28]);
    let (lacks, received) = one(settings(Version::Ipfix), &(record, None));
    assert_eq!(lacks, Lacks::empty());
    assert_eq!(received.0.key.dst, record.key.dst);
}

#[test]
fn tcp_flags_take_two_octets_in_v9_only_if_they_must() {
    let mut record = tcp();
    let flags = |version, record: &FlowRecord| {
        let found = fields(settings(version), &(*record, None));
        found.into_iter().find(|field| field.0 == 6)
    };
    assert_eq!(flags(Version::V9, &record), None);
    record.tcp_flags = 0x1b;
    assert_eq!(flags(Version::V9, &record), Some((6, vec![0x1b])));
    assert_eq!(flags(Version::Ipfix, &record), Some((6, vec![0, 0x1b])));
    record.tcp_flags = 0x11b;
    assert_eq!(flags(Version::V9, &record), Some((6, vec![1, 0x1b])));
}

#[test]
fn a_label_stands_before_its_experimental_bits() {
    let detail = Detail {
        mpls_label: Some(0xabcde),
        src_mac: Some([1, 2, 3, 4, 5, 6]),
        ..Detail::default()
    };
    let found = fields(settings(Version::V9), &(tcp(), Some(detail)));
    assert!(found.contains(&(70, vec![0xab, 0xcd, 0xe0])));
    assert!(found.contains(&(56, vec![1, 2, 3, 4, 5, 6])));
}

/// Of 16 bits or 32, of one direction or both, there and back again.
#[test]
fn vrfs_of_any_id_are_told() {
    let ids = [0, 1, 65_535, 65_536, u32::MAX];
    let pairs = ids.iter().flat_map(|&one| ids.map(|two| (one, two)));
    let both = pairs.map(|(one, two)| vec![(ie(234), one), (ie(235), two)]);
    let ingress = ids.iter().map(|&id| vec![(ie(234), id)]);
    let egress = ids.iter().map(|&id| vec![(ie(235), id)]);
    for vrfs in both.chain(ingress).chain(egress) {
        let vrfs: Vec<_> = vrfs
            .iter()
            .map(|(id, vrf)| (*id, vrf.to_be_bytes()))
            .collect();
        let vrfs: Vec<_> = vrfs.iter().map(|(id, octets)| (*id, &octets[..])).collect();
        let mut encoded = decoded(&vrfs);
        for version in [Version::V9, Version::Ipfix] {
            let sent = fields(settings(version), &encoded);
            let sent = sent.iter().filter(|(id, _)| matches!(id, 234 | 235));
            let sent: Vec<_> = sent.map(|(id, octets)| (ie(*id), &octets[..])).collect();
            assert_eq!(sent, vrfs, "{version:?}");
            let (lacks, received) = one(settings(version), &encoded);
            assert_eq!(lacks, Lacks::empty());
            assert_eq!(received.0.key.vrf, encoded.0.key.vrf);
            let detail = |flow: &Flow| flow.1.as_ref().and_then(|detail| detail.vrfs);
            assert_eq!(detail(&received), detail(&encoded));
            encoded = received;
        }
    }
}

/// A flow as it is read out of a record with these fields.
fn decoded(fields: &[(ElementId, &[u8])]) -> Flow {
    let base: [(ElementId, &[u8]); 4] = [
        (ie(8), &[10, 0, 0, 1]),
        (ie(12), &[10, 0, 0, 2]),
        (ie(1), &[0, 0, 1, 0]),
        (ie(2), &[0, 0, 0, 3]),
    ];
    let fields = [&base[..], fields].concat();
    let message = message(TemplateKind::Data, Version::Ipfix, 0, &fields);
    collect(&[message], NOW_MS, &[]).remove(0)
}

/// Odometers stay odometers; v5 has none.
#[test]
fn totals_are_told_as_totals() {
    let mut record = tcp();
    record.flags = RecordFlags::TOTALS;
    let (lacks, received) = one(settings(Version::V9), &(record, None));
    assert_eq!(lacks, Lacks::empty());
    assert_eq!((received.0.octets, received.0.packets), (1_500, 3));
    assert!(received.0.flags.contains(RecordFlags::TOTALS));
    let (outcomes, _) = through(settings(Version::V5), &[(record, None)]);
    assert_eq!(outcomes, [Err(Unsent::Totals)]);
}

/// P-700.
#[test]
fn the_origin_is_told_as_it_is_asked_for() {
    let row = (tcp(), None);
    let with = |origin, version| ExportSettings {
        origin,
        ..settings(version)
    };
    let found = fields(with(Origin::Exporter, Version::V9), &row);
    assert_eq!(
        found[11..],
        [(130, vec![192, 0, 2, 1]), (405, vec![0, 0, 0, 7])]
    );
    let found = fields(with(Origin::Original, Version::Ipfix), &row);
    assert_eq!(
        found[11..],
        [(403, vec![192, 0, 2, 1]), (405, vec![0, 0, 0, 7])]
    );
    let mut rows = FlowBatch::default();
    let ipv6 = Ipv6Addr::LOCALHOST;
    rows.push(&row.0, None, ipv6.into(), 7);
    let mut encoder = RowEncoder::new(with(Origin::Original, Version::Ipfix));
    let mut records = Records::default();
    encoder.encode(&rows, 0, &mut records).unwrap();
    assert!(
        records
            .iter()
            .all(|record| record[..].ends_with(&[0, 0, 0, 1, 0, 0, 0, 7]))
    );
    let (outcomes, _) = through(with(Origin::Original, Version::V5), &[row]);
    let absent = Lacks::ORIGIN | Lacks::ABSENCE;
    assert_eq!(outcomes, [Ok((1, absent))]);
}

/// P-711, P-713: nothing of v5 is lost in silence.
#[test]
fn what_v5_cannot_carry_is_refused_or_told() {
    let refused = |record: FlowRecord| through(settings(Version::V5), &[(record, None)]).0[0];
    let mut record = tcp();
    record.key.dst = Ipv6Addr::LOCALHOST.octets();
    assert_eq!(refused(record), Err(Unsent::NotIpv4));
    record.key.present = Presence::PROTOCOL;
    assert_eq!(refused(record), Err(Unsent::NoAddress));
    record.event = Some(crate::flow::Event::Nat);
    assert_eq!(refused(record), Err(Unsent::Event));
    let huge = FlowRecord {
        octets: u64::MAX,
        ..tcp()
    };
    assert_eq!(refused(huge), Err(Unsent::Counters));
    let detail = Detail {
        nat_src_port: Some(1),
        dst_mac: Some([1; 6]),
        mpls_label: Some(3),
        layer2_octets: Some(4),
        next_hop_v6: Some([5; 16]),
        ..Detail::default()
    };
    let mut record = tcp();
    record.key.present |= strategies::v5_fields();
    record.flags |= RecordFlags::TCP_FLAGS;
    let (outcomes, flows) = through(settings(Version::V5), &[(record, Some(detail))]);
    let lacks = Lacks::NAT | Lacks::MAC | Lacks::MPLS | Lacks::LAYER2 | Lacks::NEXT_HOP;
    assert_eq!(outcomes, [Ok((1, lacks))]);
    assert_eq!(flows[0].0.octets, 1_500);
    record.key.protocol = 1;
    assert_eq!(refused(record), Ok((1, Lacks::PORT)));
}
