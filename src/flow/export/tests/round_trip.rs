//! Any row comes back as it was sent. P-920.

use proptest::prelude::*;

use super::strategies::absent_addresses;
use super::strategies::flow;
use super::strategies::v5_fields;
use super::strategies::v5_flow;
use super::*;

/// Without what no record says: by what its times are known, who decoded it.
fn core(mut record: FlowRecord) -> FlowRecord {
    record.time_flags = TimeFlags::default();
    record.flags -= RecordFlags::SAMPLING_UNKNOWN;
    record.key.source = FlowRecord::default().key.source;
    absent_addresses(&mut record);
    record
}

fn same(sent: &Flow, received: &Flow) -> Result<(), TestCaseError> {
    prop_assert_eq!(core(received.0), core(sent.0));
    let of = |detail: &Option<Detail>| detail.clone().unwrap_or_default();
    prop_assert_eq!(of(&received.1), of(&sent.1));
    Ok(())
}

fn sent_with(settings: ExportSettings, rows: &[Flow], mtu: usize) -> (Vec<usize>, Vec<Flow>) {
    let mut sender = Sender::new(settings, NOW_MS);
    sender.mtu = mtu;
    let outcomes = sender.send(&batch(rows));
    let parts = outcomes.into_iter().map(|outcome| {
        let (parts, lacks) = outcome.unwrap();
        assert_eq!(lacks - Lacks::END_REASON - Lacks::FLOWS, Lacks::empty());
        parts
    });
    let parts = parts.collect();
    let longest = sender.messages.iter().map(Vec::len).max();
    assert!(longest <= Some(mtu), "{longest:?} octets");
    (parts, collect(&sender.messages, NOW_MS, &[]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flow_as_ipfix(rows in prop::collection::vec(flow(), 1..60), mtu in 512..9_000_usize) {
        let (parts, received) = sent_with(settings(Version::Ipfix), &rows, mtu);
        prop_assert!(parts.iter().all(|&parts| parts == 1));
        prop_assert_eq!(received.len(), rows.len());
        for (sent, received) in rows.iter().zip(&received) {
            same(sent, received)?;
        }
    }

    #[test]
    fn any_flow_as_v9(
        rows in prop::collection::vec(flow(), 1..60),
        mtu in 512..9_000_usize,
        (absolute, reasons) in any::<(bool, bool)>(),
    ) {
        let settings = ExportSettings { absolute, reasons, ..settings(Version::V9) };
        let (_, received) = sent_with(settings, &rows, mtu);
        prop_assert_eq!(received.len(), rows.len());
        for (sent, received) in rows.iter().zip(&received) {
            let mut sent = sent.clone();
            if !reasons {
                sent.0.flows = 1;
                sent.0.end_reason = EndReason::Unknown;
            }
            same(&sent, received)?;
        }
    }

    /// P-712: 32-bit counters sum up to what was metered.
    #[test]
    fn any_flow_as_v9_of_narrow_counters(rows in prop::collection::vec(flow(), 1..30)) {
        let settings = ExportSettings { wide: false, ..settings(Version::V9) };
        let (parts, received) = sent_with(settings, &rows, 1_400);
        prop_assert_eq!(received.len(), parts.iter().sum::<usize>());
        let mut received = received.as_slice();
        for (sent, parts) in rows.iter().zip(parts) {
            let (of_row, rest) = received.split_at(parts);
            received = rest;
            let mut first = of_row[0].clone();
            first.0.octets = of_row.iter().map(|part| part.0.octets).sum();
            first.0.packets = of_row.iter().map(|part| part.0.packets).sum();
            same(sent, &first)?;
            let layer2 = |part: &Flow| part.1.as_ref().and_then(|detail| detail.layer2_octets);
            prop_assert!(of_row[1..].iter().all(|part| layer2(part).is_none()));
        }
    }

    #[test]
    fn any_ipv4_flow_as_v5(rows in prop::collection::vec(v5_flow(), 1..60), mtu in 512..9_000_usize) {
        let mut sender = Sender::new(settings(Version::V5), NOW_MS);
        sender.mtu = mtu;
        let flows: Vec<_> = rows.iter().map(|record| (*record, None)).collect();
        let parts = sender.send(&batch(&flows));
        let received = collect(&sender.messages, NOW_MS, &[]);
        let mut received = received.as_slice();
        for (row, outcome) in rows.iter().zip(parts) {
            let (parts, lacks) = outcome.unwrap();
            prop_assert_eq!(lacks, lacks_of(row));
            let (of_row, rest) = received.split_at(parts);
            received = rest;
            let mut first = of_row[0].0;
            first.octets = of_row.iter().map(|part| part.0.octets).sum();
            first.packets = of_row.iter().map(|part| part.0.packets).sum();
            prop_assert_eq!(core(first), core(as_v5(row)));
        }
        prop_assert!(received.is_empty());
    }

    /// A field that the row lacks is in no Template (P-722).
    #[test]
    fn no_template_has_a_field_that_the_row_lacks(row in flow(), version in prop_oneof![
        Just(Version::V9),
        Just(Version::Ipfix),
    ]) {
        let ids = fields_of(settings(version), &row);
        let record = &row.0;
        let detail = row.1.clone().unwrap_or_default();
        let key = |bit| record.key.present.contains(bit);
        let pairs: [(&[u16], bool); 25] = [
            (&[8, 27], key(Presence::SRC)),
            (&[12, 28], key(Presence::DST)),
            (&[4], key(Presence::PROTOCOL)),
            (&[7], key(Presence::SRC_PORT)),
            (&[11, 32, 139], key(Presence::DST_PORT)),
            (&[5], key(Presence::TOS)),
            (&[10], key(Presence::IN_IF)),
            (&[14], key(Presence::OUT_IF)),
            (&[234], key(Presence::IN_VRF)),
            (&[235], key(Presence::OUT_VRF)),
            (&[58], key(Presence::VLAN)),
            (&[61], key(Presence::DIRECTION)),
            (&[89], key(Presence::FORWARDING)),
            (&[6], record.flags.contains(RecordFlags::TCP_FLAGS)),
            (&[16], record.src_as != 0),
            (&[17], record.dst_as != 0),
            (&[9, 29], record.src_mask != 0),
            (&[13, 30], record.dst_mask != 0),
            (&[15], record.next_hop != 0),
            (&[62], detail.next_hop_v6.is_some()),
            (&[56], detail.src_mac.is_some()),
            (&[80], detail.dst_mac.is_some()),
            (&[70], detail.mpls_label.is_some()),
            (&[225, 281], detail.nat_src.is_some()),
            (&[352], detail.layer2_octets.is_some()),
        ];
        for (fields, has) in pairs {
            let found = ids.iter().filter(|id| fields.contains(id)).count();
            prop_assert_eq!(found, usize::from(has), "{:?}", fields);
        }
        prop_assert_eq!(ids.contains(&136), record.end_reason != EndReason::Unknown);
        let mut distinct = ids.clone();
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), ids.len());
    }
}

/// What v5 makes of a flow.
fn as_v5(record: &FlowRecord) -> FlowRecord {
    let low = |number: u32| if number > 0xffff { 0 } else { number };
    let number = |number: u32| if number > 0xffff { 23_456 } else { number };
    let mut record = FlowRecord {
        flows: 1,
        src_as: number(record.src_as),
        dst_as: number(record.dst_as),
        tcp_flags: record.tcp_flags & 0xff,
        forwarding_status: 0,
        end_reason: EndReason::Unknown,
        flags: record.flags | RecordFlags::TCP_FLAGS,
        ..*record
    };
    let key = &mut record.key;
    key.present = v5_fields();
    (key.in_if, key.out_if) = (low(key.in_if), low(key.out_if));
    (key.vlan, key.vrf, key.direction, key.forwarding_class) = (0, 0, 255, 0);
    record
}

/// What [`as_v5`] lost.
fn lacks_of(record: &FlowRecord) -> Lacks {
    let sent = as_v5(record);
    let (key, kept) = (&record.key, &sent.key);
    let mut lacks = Lacks::empty();
    let interfaces = (key.in_if, key.out_if) != (kept.in_if, kept.out_if);
    let numbers = (record.src_as, record.dst_as) != (sent.src_as, sent.dst_as);
    lacks.set(Lacks::INTERFACE, interfaces);
    lacks.set(Lacks::AS, numbers);
    lacks.set(Lacks::TCP_FLAGS, record.tcp_flags != sent.tcp_flags);
    lacks.set(Lacks::FLOWS, record.flows != 1);
    lacks.set(Lacks::END_REASON, record.end_reason != EndReason::Unknown);
    lacks.set(Lacks::FORWARDING, record.forwarding_status != 0);
    lacks.set(Lacks::VLAN, key.vlan != 0);
    lacks.set(Lacks::VRF, key.vrf != 0);
    lacks.set(Lacks::DIRECTION, key.present.contains(Presence::DIRECTION));
    let is_untold = !record.flags.contains(RecordFlags::TCP_FLAGS);
    let is_absent = !key.present.contains(v5_fields());
    lacks.set(Lacks::ABSENCE, is_absent || is_untold);
    lacks
}
