//! What goes into the key.

use super::*;

#[test]
fn a_record_of_every_key_field_fills_the_key() {
    let record = flow(&[
        (ie(4), &[6]),
        (ie(7), &[0x04, 0x00]),
        (ie(11), &[0x01, 0xbb]),
        (ie(5), &[0xb8]),
        (ie(10), &[0, 0, 0, 9]),
        (ie(14), &[0, 11]),
        (ie(234), &[0, 0, 0, 5]),
        (ie(58), &[0, 100]),
        (ie(61), &[1]),
        (ie(89), &[0x80]),
    ]);
    let key = record.key;
    assert_eq!((key.src, key.dst), (v4(10, 0, 0, 1), v4(10, 0, 0, 2)));
    assert_eq!((key.protocol, key.src_port, key.dst_port), (6, 1_024, 443));
    assert_eq!((key.tos, key.in_if, key.out_if), (0xb8, 9, 11));
    assert_eq!((key.vlan, key.direction, key.forwarding_class), (100, 1, 2));
    assert_eq!(key.source, SourceId(7));
    assert_eq!(key.route, 0);
    assert_eq!(key.present, Presence::from_bits_retain(0b1_1101_1111_1111));
    assert_eq!(record.forwarding_status, 0x80);
    assert_eq!((record.octets, record.packets), (256, 3));
}

#[test]
fn absent_fields_leave_their_bits_clear() {
    let key = flow(&[]).key;
    assert_eq!(key.present, Presence::SRC.union(Presence::DST));
    assert_eq!(key.direction, DIRECTION_ABSENT);
    assert_eq!(key.sampling, SamplingRate::UNSAMPLED);
}

const SIX: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
const ZERO: [u8; 16] = [0; 16];

/// P-039.
#[test]
fn of_both_families_the_one_that_is_not_zero_counts() {
    let six = flow(&[(ie(27), &SIX), (ie(28), &SIX)]).key;
    assert_eq!((six.src, six.dst), (SIX, SIX));
    let four = flow(&[(ie(27), &ZERO), (ie(28), &ZERO)]).key;
    assert_eq!((four.src, four.dst), (v4(10, 0, 0, 1), v4(10, 0, 0, 2)));
}

#[test]
fn addresses_of_zero_keep_their_family() {
    let counters = [BASE[2], BASE[3]];
    let six = decode(&[[(ie(27), &ZERO[..]), (ie(28), &ZERO[..])], counters].concat());
    assert_eq!(one(six).0.key.src, ZERO);
    let four = decode(&[[(ie(8), &ZERO[..4]), (ie(12), &ZERO[..4])], counters].concat());
    assert_eq!(one(four).0.key.src, v4(0, 0, 0, 0));
}

#[test]
fn prefixes_stand_in_for_addresses() {
    let counters = [BASE[2], BASE[3]];
    let four = [(ie(44), &[10, 1, 0, 0][..]), (ie(45), &[10, 2, 0, 0][..])];
    let key = one(decode(&[four, counters].concat())).0.key;
    assert_eq!((key.src, key.dst), (v4(10, 1, 0, 0), v4(10, 2, 0, 0)));
    let six = [(ie(170), &SIX[..]), (ie(169), &ZERO[..])];
    let key = one(decode(&[six, counters].concat())).0.key;
    assert_eq!((key.src, key.dst), (SIX, ZERO));
}

#[test]
fn an_address_is_preferred_to_its_prefix() {
    let key = flow(&[(ie(44), &[10, 9, 0, 0]), (ie(45), &[10, 9, 0, 0])]).key;
    assert_eq!((key.src, key.dst), (v4(10, 0, 0, 1), v4(10, 0, 0, 2)));
}

#[test]
fn ports_by_protocol_stand_in_for_ports() {
    let udp = flow(&[(ie(180), &[0, 53]), (ie(181), &[0, 54])]).key;
    assert_eq!((udp.src_port, udp.dst_port), (53, 54));
    let tcp = flow(&[(ie(182), &[0, 80]), (ie(183), &[0, 81])]).key;
    assert_eq!((tcp.src_port, tcp.dst_port), (80, 81));
    let both = flow(&[(ie(180), &[0, 53]), (ie(7), &[0, 1])]).key;
    assert_eq!(both.src_port, 1);
}

/// P-207: echo request, and with it echo reply, whose type and code are 0.
#[test]
fn icmp_type_and_code_become_the_destination_port() {
    let icmp = |fields: &[Octets<'_>]| {
        let protocol: &[Octets<'_>] = &[(ie(4), &[1]), (ie(11), &[0, 99])];
        flow(&[protocol, fields].concat()).key.dst_port
    };
    assert_eq!(icmp(&[(ie(32), &[3, 1])]), 0x0301);
    assert_eq!(icmp(&[(ie(139), &[128, 0])]), 0x8000);
    assert_eq!(icmp(&[(ie(176), &[8]), (ie(177), &[2])]), 0x0802);
    assert_eq!(icmp(&[(ie(178), &[129]), (ie(179), &[0])]), 0x8100);
    assert_eq!(icmp(&[(ie(32), &[0, 0])]), 0);
    assert_eq!(icmp(&[]), 99);
}

#[test]
fn icmp_elements_say_nothing_of_tcp() {
    let key = flow(&[(ie(4), &[6]), (ie(11), &[0, 99]), (ie(32), &[3, 1])]).key;
    assert_eq!(key.dst_port, 99);
}

/// P-018: nfdump calls it odd Cisco behavior.
#[test]
fn icmp_in_the_source_port_is_swapped_back() {
    let ports = |src: &[u8], dst: &[u8]| {
        let key = flow(&[(ie(4), &[1]), (ie(7), src), (ie(11), dst)]).key;
        (key.src_port, key.dst_port)
    };
    assert_eq!(ports(&[1, 3], &[0, 0]), (0, 0x0301));
    assert_eq!(ports(&[1, 3], &[3, 1]), (0, 0x0301));
    assert_eq!(ports(&[0, 7], &[3, 1]), (7, 0x0301));
}

#[test]
fn dscp_stands_in_for_tos() {
    assert_eq!(flow(&[(ie(195), &[46])]).key.tos, 0xb8);
}

#[test]
fn physical_interfaces_stand_in_for_absent_or_zero_ones() {
    let absent = flow(&[(ie(252), &[0, 0, 0, 3]), (ie(253), &[0, 0, 0, 4])]).key;
    assert_eq!((absent.in_if, absent.out_if), (3, 4));
    let zero = flow(&[(ie(10), &[0, 0]), (ie(252), &[0, 0, 0, 3])]).key;
    assert_eq!(zero.in_if, 3);
    let given = flow(&[(ie(252), &[0, 0, 0, 3]), (ie(10), &[0, 2])]).key;
    assert_eq!(given.in_if, 2);
}

#[test]
fn vrfs_fold_without_merging() {
    let vrf = |ingress: u8, egress: u8| {
        flow(&[
            (ie(234), &[0, 0, 0, ingress]),
            (ie(235), &[0, 0, 0, egress]),
        ])
        .key
        .vrf
    };
    assert_eq!(vrf(5, 5), 5);
    assert_eq!(vrf(5, 0), 0x0005_0005);
    assert_eq!(vrf(5, 6), 0x0003_0005);
    assert_eq!(vrf(0, 5), 0x0005_0000);
    let alone = |id| flow(&[(ie(id), &[0xff, 0xff, 0, 5])]).key.vrf;
    assert_eq!((alone(234), alone(235)), (0xffff_0005, 0xffff_0005));
}

#[test]
fn vlan_is_that_of_ingress_before_egress() {
    assert_eq!(flow(&[(ie(58), &[0, 7]), (ie(59), &[0, 8])]).key.vlan, 7);
    assert_eq!(flow(&[(ie(58), &[0, 0]), (ie(243), &[0, 9])]).key.vlan, 9);
    assert_eq!(flow(&[(ie(59), &[0, 8])]).key.vlan, 8);
}

/// P-205: 1, 2 or 4 octets, the last counts.
#[test]
fn forwarding_status_is_its_last_octet() {
    for status in [&[0xc1][..], &[0, 0xc1], &[0, 0, 0, 0xc1]] {
        let record = flow(&[(ie(89), status)]);
        assert_eq!(record.key.forwarding_class, 3);
        assert_eq!(record.forwarding_status, 0xc1);
    }
}

/// P-038.
#[test]
fn of_repeated_fields_the_first_that_is_not_zero_counts() {
    let key = flow(&[(ie(10), &[0, 0]), (ie(10), &[0, 2]), (ie(10), &[0, 3])]).key;
    assert_eq!(key.in_if, 2);
}

#[test]
fn sampling_of_the_record_is_in_the_key() {
    let rate = |out_of, picked| SamplingRate { out_of, picked };
    let known = flow(&[(ie(34), &[0, 0, 3, 0xe8])]);
    assert_eq!(known.key.sampling, rate(1_000, 1));
    assert_eq!(known.flags, RecordFlags::empty());
    let interval = flow(&[(ie(305), &[2]), (ie(306), &[0, 98])]);
    assert_eq!(interval.key.sampling, rate(50, 1));
    assert_eq!(flow(&[]).flags, RecordFlags::SAMPLING_UNKNOWN);
}

/// P-041, P-825: a record of 20 IPv4 octets where 4 belong is no address.
#[test]
fn a_field_of_impossible_length_is_not_read() {
    let template = template_of(&[
        (ie(8), 5),
        (ie(12), 4),
        (ie(22), 2),
        (ie(10), 9),
        (ie(1), 4),
    ]);
    let plan = plan_of(&template, &[]);
    assert_eq!(plan.faults().opaque, 3);
    let (record, _) = one(run(&template, &plan, &[1; 30]));
    assert_eq!(record.key.present, Presence::DST);
    assert_eq!(record.key.in_if, 0);
    assert_eq!(record.octets, 0x0101_0101);
}
