//! Which counters count, and records that are biflows or no flows.

use super::*;

fn amounts(record: &FlowRecord) -> (u64, u64) {
    (record.octets, record.packets)
}

const UNKNOWN: RecordFlags = RecordFlags::SAMPLING_UNKNOWN;

/// P-040.
#[test]
fn counters_have_any_width_up_to_eight() {
    for width in 1..=8 {
        let octets = vec![0x11; width];
        let expected = octets.iter().fold(0, |n, &o| (n << 8) | u64::from(o));
        assert_eq!(counted(&[(ie(1), &octets)]).octets, expected);
    }
    let record = counted(&[(ie(1), &[1; 9]), (ie(2), &[4])]);
    assert_eq!(amounts(&record), (0, 4));
}

/// P-505, P-506, P-644.
#[test]
fn post_counters_count_only_where_there_are_no_others() {
    let both = counted(&[(ie(1), &[9]), (ie(2), &[1]), (ie(23), &[9]), (ie(24), &[1])]);
    assert_eq!((amounts(&both), both.flags), ((9, 1), UNKNOWN));
    let post = UNKNOWN.union(RecordFlags::POST_COUNTERS);
    let zero = counted(&[(ie(1), &[0]), (ie(2), &[0]), (ie(23), &[9]), (ie(24), &[1])]);
    assert_eq!((amounts(&zero), zero.flags), ((9, 1), post));
    let only = counted(&[(ie(23), &[9]), (ie(24), &[1])]);
    assert_eq!((amounts(&only), only.flags), ((9, 1), post));
}

/// P-509, P-510, P-641: a delta of 0 is a delta.
#[test]
fn totals_count_only_where_there_are_no_deltas() {
    let both = counted(&[
        (ie(85), &[90]),
        (ie(86), &[9]),
        (ie(1), &[0]),
        (ie(2), &[0]),
    ]);
    assert_eq!((amounts(&both), both.flags), ((0, 0), UNKNOWN));
    let only = counted(&[(ie(85), &[90]), (ie(86), &[9])]);
    let totals = UNKNOWN.union(RecordFlags::TOTALS);
    assert_eq!((amounts(&only), only.flags), ((90, 9), totals));
}

/// P-508: WLC sends 1 twice, 4 and 8 octets wide.
#[test]
fn repeated_counters_count_once_and_are_kept() {
    let fields: Vec<_> = BASE[..2].to_vec();
    let counters = [(ie(1), &[0, 9][..]), (ie(1), &[0, 0, 9][..])];
    let (record, detail) = one(decode(&[&fields[..], &counters[..]].concat()));
    assert_eq!(record.octets, 9);
    let kept: Vec<_> = counters.iter().map(|(id, v)| (*id, (*v).into())).collect();
    assert_eq!(detail.unwrap().extra, kept);
}

/// P-312: a connection's counters are two flows; 239 says which is whose.
#[test]
fn initiator_and_responder_are_two_flows() {
    let fields = [
        (ie(231), &[50][..]),
        (ie(298), &[5]),
        (ie(232), &[70]),
        (ie(299), &[7]),
    ];
    let decoded = decode(&[&BASE[..2], &fields[..]].concat());
    assert_eq!(decoded.len(), 2);
    assert_eq!(amounts(&decoded[0].0), (50, 5));
    assert_eq!(amounts(&decoded[1].0), (70, 7));
    assert_eq!(decoded[1].0.key.src, v4(10, 0, 0, 2));
    let turned = [&BASE[..2], &fields[..], &[(ie(239), &[2][..])]].concat();
    let decoded = decode(&turned);
    assert_eq!(amounts(&decoded[0].0), (70, 7));
    assert_eq!(amounts(&decoded[1].0), (50, 5));
}

/// P-311.
#[test]
fn a_biflow_is_two_flows_the_second_turned_around() {
    let there = EXPORT_MS - 5_000;
    let back = EXPORT_MS - 4_900;
    let decoded = decode(
        &[
            &BASE[..],
            &[
                (ie(4), &[6]),
                (ie(7), &[0, 80]),
                (ie(11), &[1, 0]),
                (ie(10), &[1]),
                (ie(14), &[2]),
                (ie(16), &[3]),
                (ie(17), &[4]),
                (ie(9), &[24]),
                (ie(13), &[16]),
                (ie(58), &[0, 5]),
                (ie(59), &[0, 6]),
                (ie(61), &[1]),
                (ie(6), &[0x02]),
                (ie(15), &[10, 0, 0, 9]),
                (ie(152), &there.to_be_bytes()),
                (reverse(152), &back.to_be_bytes()),
                (reverse(1), &[0, 77]),
                (reverse(2), &[0, 2]),
                (reverse(6), &[0x12]),
                (reverse(148), &[9]),
            ],
        ]
        .concat(),
    );
    let [(there, None), (back, None)] = decoded[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(amounts(&there), (256, 3));
    assert_eq!(amounts(&back), (77, 2));
    let (one, two) = (there.key, back.key);
    assert_eq!((two.src, two.dst), (one.dst, one.src));
    assert_eq!((two.src_port, two.dst_port), (256, 80));
    assert_eq!((two.in_if, two.out_if), (2, 1));
    assert_eq!((one.vlan, two.vlan), (5, 6));
    assert_eq!((two.direction, two.protocol), (DIRECTION_ABSENT, 6));
    assert_eq!((back.src_as, back.dst_as), (4, 3));
    assert_eq!((back.src_mask, back.dst_mask), (16, 24));
    assert_eq!((there.tcp_flags, back.tcp_flags), (0x02, 0x12));
    assert_eq!((there.next_hop, back.next_hop), (0x0a00_0009, 0));
    assert_eq!(
        (there.start_ms, back.start_ms),
        (EXPORT_MS - 5_000, EXPORT_MS - 4_900)
    );
    let told = UNKNOWN.union(RecordFlags::TCP_FLAGS);
    assert_eq!(
        (there.flags, back.flags),
        (told, told.union(RecordFlags::REVERSE))
    );
    assert_eq!(two.present, one.present.difference(Presence::DIRECTION));
}

#[test]
fn a_biflow_without_a_way_back_is_one_flow() {
    let fields = [(reverse(1), &[0, 0][..]), (reverse(2), &[0])];
    let (record, _) = one(decode(&[&BASE[..], &fields[..]].concat()));
    assert_eq!(amounts(&record), (256, 3));
}

#[test]
fn the_way_back_of_icmp_keeps_type_and_code() {
    let fields = [(ie(4), &[1][..]), (ie(32), &[8, 0]), (reverse(2), &[4])];
    let decoded = decode(&[&BASE[..], &fields[..]].concat());
    let ports = |index: usize| (decoded[index].0.key.src_port, decoded[index].0.key.dst_port);
    assert_eq!((ports(0), ports(1)), ((0, 0x0800), (0, 0x0800)));
}

/// P-310.
#[test]
fn a_biflow_without_directional_key_says_nothing() {
    let decoded = decode(&[(ie(1), &[1]), (reverse(1), &[1]), (ie(4), &[6])]);
    assert_eq!(decoded, []);
    let undirected = |id| {
        let template = template_of(&[(ie(id), 1), (reverse(1), 1)]);
        plan_of(&template, &[]).is_undirected()
    };
    assert_eq!((undirected(1), undirected(7)), (true, false));
}

/// P-640 for the way back.
#[test]
fn reverse_totals_are_odometers() {
    let fields = [(ie(85), &[9][..]), (reverse(85), &[8])];
    let decoded = decode(&[&BASE[..2], &fields[..]].concat());
    let totals = UNKNOWN.union(RecordFlags::TOTALS);
    assert_eq!((decoded[0].0.octets, decoded[0].0.flags), (9, totals));
    let expected = (8, totals.union(RecordFlags::REVERSE));
    assert_eq!((decoded[1].0.octets, decoded[1].0.flags), expected);
}

proptest! {
    /// P-911.
    #[test]
    fn the_ways_of_a_biflow_sum_up(there: (u64, u64), back: (u64, u64)) {
        let decoded = decode(&[
            BASE[0],
            BASE[1],
            (ie(1), &there.0.to_be_bytes()),
            (ie(2), &there.1.to_be_bytes()),
            (reverse(1), &back.0.to_be_bytes()),
            (reverse(2), &back.1.to_be_bytes()),
        ]);
        let sum = |part: fn(&FlowRecord) -> u64| -> u128 {
            decoded.iter().map(|(record, _)| u128::from(part(record))).sum()
        };
        prop_assert_eq!(sum(|r| r.octets), u128::from(there.0) + u128::from(back.0));
        prop_assert_eq!(sum(|r| r.packets), u128::from(there.1) + u128::from(back.1));
    }

    /// P-824: no record of any Template panics or yields more than two.
    #[test]
    fn any_record_decodes(
        fields in prop::collection::vec((element(), length()), 1..40),
        record in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let template = template_of(&fields);
        let decoded = run(&template, &plan_of(&template, &[ie(1)]), &record);
        prop_assert!(decoded.len() <= 2);
    }
}

/// Elements of flows, of firewalls, and of the way back.
fn element() -> impl Strategy<Value = ElementId> {
    let nsel = prop_oneof![Just(233_u16), Just(33_002), Just(40_005), 225_u16..233];
    prop_oneof![
        (0_u16..500).prop_map(ie),
        nsel.prop_map(ie),
        (0_u16..160).prop_map(reverse),
    ]
}

fn length() -> impl Strategy<Value = u16> {
    prop_oneof![8 => 0_u16..=20, 1 => Just(VARIABLE), 1 => 0_u16..VARIABLE]
}

/// P-340, P-514: MikroTik sends NAT addresses with every flow.
#[test]
fn nat_addresses_alone_make_no_event() {
    let fields = [(ie(225), &[1, 2, 3, 4][..]), (ie(227), &[0, 9])];
    let (record, detail) = one(decode(&[&BASE[..], &fields[..]].concat()));
    assert_eq!(record.event, None);
    let detail = detail.unwrap();
    assert_eq!(detail.nat_src, Some(IpAddr::from([1, 2, 3, 4])));
    assert_eq!((detail.nat_src_port, detail.extra), (Some(9), vec![]));
}

#[test]
fn a_nat_event_carries_all_its_elements() {
    let fields = [
        BASE[0],
        BASE[1],
        (ie(230), &[4][..]),
        (ie(225), &[1, 2, 3, 4]),
    ];
    let (record, detail) = one(decode(&fields));
    assert_eq!(record.event, Some(Event::Nat));
    let kept: Vec<_> = fields.iter().map(|(id, v)| (*id, (*v).into())).collect();
    assert_eq!(detail.unwrap().extra, kept);
}

#[test]
fn a_nat_event_with_counters_is_a_flow() {
    assert_eq!(flow(&[(ie(230), &[4])]).event, None);
    let fields = [BASE[0], BASE[1], (ie(230), &[0][..]), (ie(1), &[0][..])];
    assert_eq!(one(decode(&fields)).0.event, None);
}

/// P-650.
#[test]
fn records_that_are_no_flows_are_events() {
    let event = |fields: &[Octets<'_>]| one(decode(fields)).0.event;
    for id in [104, 313, 314, 315] {
        let section = [&BASE[..], &[(ie(id), &[0; 20][..])]].concat();
        assert_eq!(event(&section), Some(Event::PacketSection));
    }
    assert_eq!(event(&BASE[2..]), Some(Event::Other));
    assert_eq!(event(&BASE[..2]), Some(Event::Other));
}

#[test]
fn an_event_keeps_deltas_and_drops_odometers() {
    let deltas = one(decode(&BASE[2..])).0;
    assert_eq!(amounts(&deltas), (256, 3));
    let totals = one(decode(&[(ie(85), &[1; 4])])).0;
    assert_eq!((amounts(&totals), totals.flags), ((0, 0), UNKNOWN));
}

#[test]
fn options_are_events_where_a_flow_log_asks_for_what_they_say() {
    let specifier = |id, length| FieldSpecifier {
        element: ie(id),
        length,
    };
    let fields = Box::new([specifier(145, 2), specifier(1, 4)]);
    let template = Template::new(Version::Ipfix, 300, TemplateKind::Options, 1, fields);
    let octets = [1, 0, 0, 0, 0, 9];
    let (record, detail) = one(run(&template, &plan_of(&template, &[ie(1)]), &octets));
    assert_eq!((record.event, record.octets), (Some(Event::Options), 0));
    let detail = detail.unwrap();
    assert_eq!((detail.extra.len(), detail.scopes), (2, Some(1)));
    for wanted in [&[][..], &[ie(2)], &[ie(145)]] {
        assert_eq!(run(&template, &plan_of(&template, wanted), &octets), []);
    }
}
