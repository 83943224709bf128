//! What a row has, and so which fields its records have.

use std::net::IpAddr;

use crate::flow::Detail;
use crate::flow::EndReason;
use crate::flow::FlowKey;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::flow::export::ExportSettings;
use crate::flow::export::Lacks;
use crate::flow::export::Origin;
use crate::flow::export::extras::Told;
use crate::flow::export::fields::Features;
use crate::flow::export::row::Row;
use crate::wire::Version;

const ICMP: u8 = 1;
const ICMP6: u8 = 58;

/// What a flow has in v9 and IPFIX. Of numbers that are no key 0 is unknown.
pub(super) fn of_flow(row: &Row, told: Told, settings: &ExportSettings) -> (Features, Lacks) {
    let record = &row.record;
    let is_ipv4 = is_ipv4(&record.key);
    let mut features = of_key(&record.key, is_ipv4);
    features |= of_counters(record, settings);
    features |= of_values(record, is_ipv4, settings.version);
    features |= of_detail(&row.detail);
    features |= of_times(settings);
    features |= of_origin(row, told, settings.origin);
    features |= of_selector(row, settings.version);
    let (reasons, lacks) = of_reasons(record, settings);
    features |= reasons;
    (features, lacks)
}

/// What an event has beside its elements: its times, where they do not say
/// them, and who told it.
pub(super) fn of_event(row: &Row, told: Told, settings: &ExportSettings) -> Features {
    let lacks_times = !told.intersects(Told::SPAN)
        && (told.contains(Told::UPTIMES) || !told.contains(Told::MOMENT));
    let times = if lacks_times {
        of_times(settings)
    } else {
        Features::empty()
    };
    times | of_origin(row, told, settings.origin) | of_selector(row, settings.version)
}

/// Whether all its addresses are IPv4: a flow has one version (P-039).
pub(super) fn is_ipv4(key: &FlowKey) -> bool {
    const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    let is_mapped =
        |bit, address: &[u8; 16]| !key.present.contains(bit) || address.starts_with(&MAPPED);
    is_mapped(Presence::SRC, &key.src) && is_mapped(Presence::DST, &key.dst)
}

/// Whether its ports are type and code.
pub(super) fn is_icmp(key: &FlowKey) -> bool {
    key.present.contains(Presence::PROTOCOL) && matches!(key.protocol, ICMP | ICMP6)
}

/// The sum of features that hold.
fn sum<const N: usize>(features: [(bool, Features); N]) -> Features {
    let bits = features.map(|(has, feature)| if has { feature.bits() } else { 0 });
    Features::from_bits_retain(bits.iter().fold(0, |all, bit| all | bit))
}

fn of_key(key: &FlowKey, is_ipv4: bool) -> Features {
    let has = |bit| key.present.contains(bit);
    let (src, dst) = (has(Presence::SRC), has(Presence::DST));
    let icmp = is_icmp(key);
    let dst_port = has(Presence::DST_PORT);
    let typed = icmp && (dst_port || key.dst_port != 0);
    sum([
        (src && is_ipv4, Features::SRC),
        (dst && is_ipv4, Features::DST),
        (src && !is_ipv4, Features::SRC6),
        (dst && !is_ipv4, Features::DST6),
        ((src || dst) && is_ipv4, Features::VERSION),
        ((src || dst) && !is_ipv4, Features::VERSION6),
        (has(Presence::PROTOCOL), Features::PROTOCOL),
        (
            has(Presence::SRC_PORT) && (!icmp || key.src_port != 0),
            Features::SRC_PORT,
        ),
        (dst_port && !icmp, Features::DST_PORT),
        (typed && key.protocol == ICMP, Features::ICMP),
        (typed && key.protocol == ICMP6, Features::ICMP6),
        (has(Presence::TOS), Features::TOS),
        (has(Presence::IN_IF), Features::IN_IF),
        (has(Presence::OUT_IF), Features::OUT_IF),
        (has(Presence::IN_VRF), Features::IN_VRF),
        (has(Presence::OUT_VRF), Features::OUT_VRF),
        (has(Presence::VLAN), Features::VLAN),
        (has(Presence::DIRECTION), Features::DIRECTION),
        (has(Presence::FORWARDING), Features::FORWARDING),
    ])
}

fn of_counters(record: &FlowRecord, settings: &ExportSettings) -> Features {
    let is_narrow = settings.version == Version::V9 && !settings.wide;
    if record.flags.contains(RecordFlags::TOTALS) {
        Features::TOTALS
    } else if is_narrow {
        Features::DELTAS_32
    } else {
        Features::DELTAS
    }
}

fn of_values(record: &FlowRecord, is_ipv4: bool, version: Version) -> Features {
    let is_told = record.flags.contains(RecordFlags::TCP_FLAGS);
    let has_flags = is_told || record.tcp_flags != 0;
    let all_flags = version == Version::Ipfix || record.tcp_flags > 0xff;
    let (src_mask, dst_mask) = (record.src_mask != 0, record.dst_mask != 0);
    sum([
        (has_flags && !all_flags, Features::TCP_FLAGS),
        (has_flags && all_flags, Features::TCP_FLAGS_ALL),
        (record.src_as != 0, Features::SRC_AS),
        (record.dst_as != 0, Features::DST_AS),
        (src_mask && is_ipv4, Features::SRC_MASK),
        (dst_mask && is_ipv4, Features::DST_MASK),
        (src_mask && !is_ipv4, Features::SRC_MASK6),
        (dst_mask && !is_ipv4, Features::DST_MASK6),
        (record.next_hop != 0, Features::NEXT_HOP),
    ])
}

fn of_detail(detail: &Detail) -> Features {
    let is_ipv4 = |address: Option<IpAddr>| address.is_some_and(|address| address.is_ipv4());
    let is_ipv6 = |address: Option<IpAddr>| address.is_some_and(|address| address.is_ipv6());
    sum([
        (detail.layer2_octets.is_some(), Features::LAYER2),
        (detail.next_hop_v6.is_some(), Features::NEXT_HOP6),
        (detail.src_mac.is_some(), Features::SRC_MAC),
        (detail.dst_mac.is_some(), Features::DST_MAC),
        (detail.mpls_label.is_some(), Features::MPLS),
        (is_ipv4(detail.nat_src), Features::NAT_SRC),
        (is_ipv4(detail.nat_dst), Features::NAT_DST),
        (is_ipv6(detail.nat_src), Features::NAT_SRC6),
        (is_ipv6(detail.nat_dst), Features::NAT_DST6),
        (detail.nat_src_port.is_some(), Features::NAT_SRC_PORT),
        (detail.nat_dst_port.is_some(), Features::NAT_DST_PORT),
    ])
}

/// IPFIX has absolute times (P-701), v9 those since boot (P-724).
fn of_times(settings: &ExportSettings) -> Features {
    match settings.version {
        Version::V5 => Features::empty(),
        Version::V9 if settings.absolute => Features::UPTIMES | Features::ABSOLUTE,
        Version::V9 => Features::UPTIMES,
        Version::Ipfix => Features::ABSOLUTE,
    }
}

/// 136 and 3. P-736.
fn of_reasons(record: &FlowRecord, settings: &ExportSettings) -> (Features, Lacks) {
    let ended = record.end_reason != EndReason::Unknown;
    let mut lacks = Lacks::empty();
    if settings.version == Version::Ipfix || settings.reasons {
        let features = [(ended, Features::END_REASON), (true, Features::FLOWS)];
        return (sum(features), lacks);
    }
    lacks.set(Lacks::END_REASON, ended);
    lacks.set(Lacks::FLOWS, record.flows > 1);
    (Features::empty(), lacks)
}

/// What the record has of the origin already is not said again (P-700).
pub(super) fn of_origin(row: &Row, told: Told, origin: Origin) -> Features {
    let ipv4 = row.exporter.is_ipv4();
    let (address, is_told) = match origin {
        Origin::Omitted => return Features::empty(),
        Origin::Exporter if ipv4 => (Features::EXPORTER, Told::EXPORTER),
        Origin::Exporter => (Features::EXPORTER6, Told::EXPORTER),
        Origin::Original if ipv4 => (Features::ORIGINAL, Told::ORIGINAL),
        Origin::Original => (Features::ORIGINAL6, Told::ORIGINAL),
    };
    sum([
        (!told.contains(is_told), address),
        (!told.contains(Told::DOMAIN), Features::DOMAIN),
    ])
}

fn of_selector(row: &Row, version: Version) -> Features {
    match version {
        _ if row.selector == 0 => Features::empty(),
        Version::V9 => Features::SAMPLER,
        Version::V5 | Version::Ipfix => Features::SELECTOR,
    }
}
