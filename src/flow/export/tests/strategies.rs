//! Rows of every kind.

use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::*;
use crate::flow::DIRECTION_ABSENT;

/// A flow as a decoder makes it: what is absent is 0, an IPv6 address is not
/// an IPv4-mapped one, two VRFs are folded.
pub(super) fn flow() -> impl Strategy<Value = Flow> {
    (record(), proptest::option::weighted(0.3, detail()))
}

/// As [`flow`], of IPv4 with all fields of v5.
pub(super) fn v5_flow() -> impl Strategy<Value = FlowRecord> {
    (record(), any::<(u32, u32)>()).prop_map(|(mut record, (src, dst))| {
        record.key.src = Ipv4Addr::from(src).to_ipv6_mapped().octets();
        record.key.dst = Ipv4Addr::from(dst).to_ipv6_mapped().octets();
        record.key.present |= v5_fields();
        tidy(record)
    })
}

pub(super) fn v5_fields() -> Presence {
    Presence::SRC
        | Presence::DST
        | Presence::PROTOCOL
        | Presence::SRC_PORT
        | Presence::DST_PORT
        | Presence::TOS
        | Presence::IN_IF
        | Presence::OUT_IF
}

fn address(is_ipv6: bool, bits: u128) -> [u8; 16] {
    let [.., a, b, c, d] = bits.to_be_bytes();
    if is_ipv6 {
        (bits | 1 << 125).to_be_bytes()
    } else {
        Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().octets()
    }
}

fn record() -> impl Strategy<Value = FlowRecord> {
    let protocol = prop_oneof![Just(1_u8), Just(6), Just(17), Just(58), any::<u8>()];
    let key = (
        any::<(bool, u128, u128)>(),
        any::<(u32, u32, u16, u16, u32)>(),
        any::<(u16, u16, u16, u8, u8)>(),
        protocol,
    );
    let small = || prop_oneof![Just(0_u32), 1..100_u32, any::<u32>()];
    let counters = (0..1_u64 << 34, 0..1_u64 << 33, 0..DAY_MS, 0..3_000_000_u64);
    let values = (
        small(),
        small(),
        small(),
        0..0x1000_u16,
        any::<(u8, u8, u8)>(),
        0..=5_u8,
        1..1_000_u32,
    );
    (key, counters, values).prop_map(|(key, counters, values)| {
        let (octets, packets, age, duration) = counters;
        let (src_as, dst_as, next_hop, tcp_flags, bytes, end_reason, flows) = values;
        let mut record = FlowRecord {
            octets,
            packets,
            start_ms: NOW_MS - age - duration,
            end_ms: NOW_MS - age,
            flows,
            src_as,
            dst_as,
            next_hop,
            tcp_flags,
            src_mask: bytes.0,
            dst_mask: bytes.1,
            forwarding_status: bytes.2,
            end_reason: EndReason::from(end_reason),
            ..FlowRecord::default()
        };
        let (addresses, path, ports, protocol) = key;
        record.key.src = address(addresses.0, addresses.1);
        record.key.dst = address(addresses.0, addresses.2);
        (record.key.in_if, record.key.out_if) = (path.0, path.1);
        record.key.vrf = u32::from(path.2) << 16 | u32::from(path.3);
        record.key.present = Presence::from_bits_truncate(path.4);
        (record.key.src_port, record.key.dst_port) = (ports.0, ports.1);
        record.key.vlan = ports.2;
        (record.key.tos, record.key.direction) = (ports.3, ports.4);
        record.key.protocol = protocol;
        if !record.key.present.intersects(Presence::SRC | Presence::DST) {
            record.key.present |= Presence::SRC;
        }
        tidy(record)
    })
}

/// Makes a record one that a decoder could have made.
fn tidy(mut record: FlowRecord) -> FlowRecord {
    let key = &mut record.key;
    let lacks = |bit| !key.present.contains(bit);
    if lacks(Presence::IN_VRF) && lacks(Presence::OUT_VRF) {
        key.vrf = 0;
    }
    let zero = |number: u16, absent: bool| if absent { 0 } else { number };
    if lacks(Presence::PROTOCOL) {
        key.protocol = 0;
    }
    if matches!(key.protocol, 1 | 58) {
        key.present -= Presence::SRC_PORT;
    }
    let lacks = |bit| !key.present.contains(bit);
    key.src_port = zero(key.src_port, lacks(Presence::SRC_PORT));
    key.dst_port = zero(key.dst_port, lacks(Presence::DST_PORT));
    key.vlan = zero(key.vlan, lacks(Presence::VLAN));
    key.tos *= u8::from(!lacks(Presence::TOS));
    key.in_if *= u32::from(!lacks(Presence::IN_IF));
    key.out_if *= u32::from(!lacks(Presence::OUT_IF));
    if lacks(Presence::DIRECTION) {
        key.direction = DIRECTION_ABSENT;
    }
    if lacks(Presence::FORWARDING) {
        record.forwarding_status = 0;
    }
    record.key.forwarding_class = record.forwarding_status >> 6;
    absent_addresses(&mut record);
    // Told, though there are none, of half the flows.
    let is_told = record.tcp_flags != 0 || record.src_mask.is_multiple_of(2);
    record.flags.set(RecordFlags::TCP_FLAGS, is_told);
    record
}

/// An address that is absent is 0, mapped or not.
pub(super) fn absent_addresses(record: &mut FlowRecord) {
    if !record.key.present.contains(Presence::SRC) {
        record.key.src = [0; 16];
    }
    if !record.key.present.contains(Presence::DST) {
        record.key.dst = [0; 16];
    }
}

fn detail() -> impl Strategy<Value = Detail> {
    let address = || {
        let v4 = (1..=u32::MAX).prop_map(|bits| IpAddr::from(Ipv4Addr::from(bits)));
        let v6 = (1..=u128::MAX).prop_map(|bits| IpAddr::from(Ipv6Addr::from(bits)));
        proptest::option::of(prop_oneof![v4, v6])
    };
    let port = || proptest::option::of(1..=u16::MAX);
    let mac = || proptest::option::of((1..=u8::MAX).prop_map(|octet| [octet, 0, 2, 3, 4, octet]));
    let rest = (
        proptest::option::of(1..1_u32 << 20),
        proptest::option::of(1..=u64::MAX),
        proptest::option::of((1..=u128::MAX).prop_map(u128::to_be_bytes)),
    );
    (address(), address(), port(), port(), mac(), mac(), rest).prop_map(
        |(nat_src, nat_dst, nat_src_port, nat_dst_port, src_mac, dst_mac, rest)| Detail {
            nat_src,
            nat_dst,
            nat_src_port,
            nat_dst_port,
            src_mac,
            dst_mac,
            mpls_label: rest.0,
            layer2_octets: rest.1,
            next_hop_v6: rest.2,
            ..Detail::default()
        },
    )
}
