//! Rows as v5 records. P-710…P-716.

use crate::flow::EndReason;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::flow::export::Lacks;
use crate::flow::export::Records;
use crate::flow::export::Unsent;
use crate::flow::export::features::is_icmp;
use crate::flow::export::features::is_ipv4;
use crate::flow::export::row::Row;
use crate::flow::export::split::Parts;
use crate::session::SamplingRate;
use crate::wire;

/// AS that stands for one of 32 bits. RFC 6793 §9 (P-713).
const AS_TRANS: u16 = 23_456;
/// Mode 01 of the sampling word: one in so many packets, as they come.
const SAMPLED: u16 = 1 << 14;

/// The sampling word of a rate, if v5 can tell it. P-716.
pub(super) fn sampling(rate: SamplingRate) -> Option<u16> {
    let interval = u16::try_from(rate.out_of).ok()?;
    (rate.picked == 1 && interval < SAMPLED).then_some(SAMPLED | interval)
}

/// Why a row cannot be a v5 record. P-711.
pub(super) fn refuse(row: &Row) -> Result<(), Unsent> {
    let key = &row.record.key;
    if row.record.event.is_some() {
        Err(Unsent::Event)
    } else if row.record.flags.contains(RecordFlags::TOTALS) {
        Err(Unsent::Totals)
    } else if !key.present.intersects(Presence::SRC | Presence::DST) {
        Err(Unsent::NoAddress)
    } else if !is_ipv4(key) {
        Err(Unsent::NotIpv4)
    } else {
        Ok(())
    }
}

/// Writes a row that is not refused, in as many records as its counters need.
pub(super) fn put(row: &Row, out: &mut Records) -> Result<(), Unsent> {
    let parts = Parts::of(row.record.octets, row.record.packets).ok_or(Unsent::Counters)?;
    for counters in parts.iter() {
        let words = words(row, counters).map(u32::to_be_bytes);
        out.push(|octets| octets.extend_from_slice(words.as_flattened()));
    }
    Ok(())
}

/// What a v5 record of the row does not tell.
pub(super) fn lacks(row: &Row) -> Lacks {
    let (record, detail) = (&row.record, &row.detail);
    let key = &record.key;
    let has = |bit| key.present.contains(bit);
    let wide = |number: u32| u16::try_from(number).is_err();
    let sent = Presence::SRC
        | Presence::DST
        | Presence::PROTOCOL
        | Presence::SRC_PORT
        | Presence::DST_PORT
        | Presence::TOS
        | Presence::IN_IF
        | Presence::OUT_IF;
    let nat = detail.nat_src.is_some()
        || detail.nat_dst.is_some()
        || detail.nat_src_port.is_some()
        || detail.nat_dst_port.is_some();
    let found = [
        (Lacks::NEXT_HOP, detail.next_hop_v6.is_some()),
        (Lacks::INTERFACE, wide(key.in_if) || wide(key.out_if)),
        (Lacks::AS, wide(record.src_as) || wide(record.dst_as)),
        (Lacks::VLAN, key.vlan != 0),
        (
            Lacks::MAC,
            detail.src_mac.is_some() || detail.dst_mac.is_some(),
        ),
        (Lacks::MPLS, detail.mpls_label.is_some()),
        (Lacks::NAT, nat),
        (Lacks::DIRECTION, has(Presence::DIRECTION)),
        (Lacks::VRF, key.vrfs(detail) != (0, 0)),
        (Lacks::FORWARDING, record.forwarding_status != 0),
        (Lacks::END_REASON, record.end_reason != EndReason::Unknown),
        (Lacks::FLOWS, record.flows > 1),
        (Lacks::LAYER2, detail.layer2_octets.is_some()),
        (Lacks::TCP_FLAGS, record.tcp_flags > 0xff),
        (
            Lacks::ABSENCE,
            !key.present.contains(sent) || is_untold(record),
        ),
        (Lacks::PORT, is_icmp(key) && key.src_port != 0),
    ];
    let set = found.into_iter().filter_map(|(bit, is)| is.then_some(bit));
    set.collect()
}

/// Whether TCP flags are not known: v5's 0 says that there were none.
fn is_untold(record: &FlowRecord) -> bool {
    record.tcp_flags == 0 && !record.flags.contains(RecordFlags::TCP_FLAGS)
}

/// One record, word by word (P-011).
fn words(row: &Row, (octets, packets): (u64, u64)) -> [u32; wire::v5::RECORD_LEN / 4] {
    let record = &row.record;
    let key = &record.key;
    // Type and code are in the other port (P-018).
    let src_port = if is_icmp(key) { 0 } else { key.src_port };
    let [_, tcp_flags] = record.tcp_flags.to_be_bytes();
    [
        ipv4(key.src),
        ipv4(key.dst),
        record.next_hop,
        pair(interface(key.in_if), interface(key.out_if)),
        part(packets),
        part(octets),
        row.uptimes.0,
        row.uptimes.1,
        pair(src_port, key.dst_port),
        u32::from_be_bytes([0, tcp_flags, key.protocol, key.tos]),
        pair(as_number(record.src_as), as_number(record.dst_as)),
        u32::from_be_bytes([record.src_mask, record.dst_mask, 0, 0]),
    ]
}

fn ipv4([.., a, b, c, d]: [u8; 16]) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

fn pair(high: u16, low: u16) -> u32 {
    u32::from(high) << 16 | u32::from(low)
}

/// A counter of one of [`Parts`], which fits.
fn part(counter: u64) -> u32 {
    u32::try_from(counter).unwrap_or(u32::MAX)
}

fn interface(index: u32) -> u16 {
    u16::try_from(index).unwrap_or(0)
}

fn as_number(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(AS_TRANS)
}
