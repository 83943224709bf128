//! One row, ready to be written.

use std::net::IpAddr;

use crate::flow::Detail;
use crate::flow::FlowBatch;
use crate::flow::FlowRecord;
use crate::flow::export::Lacks;
use crate::flow::export::fields::Value;
use crate::session::SamplingRate;

/// What the fields of a row's records are taken from.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) record: FlowRecord,
    pub(super) detail: Detail,
    pub(super) exporter: IpAddr,
    pub(super) domain: u32,
    /// The rate of sampling as our options name it; 0 where records name none.
    pub(super) selector: u32,
    /// Start and end as uptimes, where they are sent so.
    pub(super) uptimes: (u32, u32),
}

impl Row {
    pub(super) fn of(batch: &FlowBatch, row: usize) -> Option<Self> {
        let (exporter, domain) = batch.origin(row)?;
        Some(Self {
            record: batch.record(row)?,
            detail: batch.detail(row).unwrap_or_default(),
            exporter,
            domain,
            selector: 0,
            uptimes: (0, 0),
        })
    }

    /// Works out the uptimes; a time that is about 2^31 ms or more from `now_ms`
    /// would be read as another, so it becomes the nearest that is not (P-714).
    pub(super) fn place(&mut self, boot_ms: u64, now_ms: u64) -> Lacks {
        let (first, last) = (
            now_ms.saturating_sub(REACH_MS),
            now_ms.saturating_add(REACH_MS),
        );
        let nearest = |ms: u64| ms.clamp(first, last);
        let (start, end) = (self.record.start_ms, self.record.end_ms);
        let placed = (nearest(start), nearest(end));
        self.uptimes = (uptime(placed.0, boot_ms), uptime(placed.1, boot_ms));
        if placed == (start, end) {
            Lacks::empty()
        } else {
            Lacks::TIME
        }
    }

    /// Counts as if every packet had been metered; half a packet is one.
    pub(super) fn scale_up(&mut self) {
        let rate = self.record.key.sampling;
        self.record.octets = scaled(self.record.octets, rate);
        self.record.packets = scaled(self.record.packets, rate);
        let layer2 = self.detail.layer2_octets;
        self.detail.layer2_octets = layer2.map(|octets| scaled(octets, rate));
    }

    /// The part of it that has so many octets and packets; what else is
    /// counted stays with the first part.
    pub(super) fn take_part(&mut self, part: usize, (octets, packets): (u64, u64)) {
        self.record.octets = octets;
        self.record.packets = packets;
        if part > 0 {
            self.record.flows = 0;
            self.detail.layer2_octets = self.detail.layer2_octets.map(|_| 0);
        }
    }

    /// The number of a field.
    #[inline]
    pub(super) fn number(&self, value: Value) -> u128 {
        let Self { record, detail, .. } = self;
        let key = &record.key;
        match value {
            Value::Src => u128::from_be_bytes(key.src),
            Value::Dst => u128::from_be_bytes(key.dst),
            Value::Version4 => 4,
            Value::Version6 => 6,
            Value::Protocol => key.protocol.into(),
            Value::SrcPort => key.src_port.into(),
            Value::DstPort => key.dst_port.into(),
            Value::Tos => key.tos.into(),
            Value::TcpFlags => record.tcp_flags.into(),
            Value::InIf => key.in_if.into(),
            Value::OutIf => key.out_if.into(),
            Value::InVrf => key.vrfs(detail).0.into(),
            Value::OutVrf => key.vrfs(detail).1.into(),
            Value::Vlan => key.vlan.into(),
            Value::Direction => key.direction.into(),
            Value::Forwarding => record.forwarding_status.into(),
            Value::Octets => record.octets.into(),
            Value::Packets => record.packets.into(),
            Value::Layer2Octets => detail.layer2_octets.unwrap_or_default().into(),
            Value::Flows => record.flows.into(),
            Value::Start => record.start_ms.into(),
            Value::End => record.end_ms.into(),
            Value::StartUptime => self.uptimes.0.into(),
            Value::EndUptime => self.uptimes.1.into(),
            Value::EndReason => (record.end_reason as u8).into(),
            Value::SrcAs => record.src_as.into(),
            Value::DstAs => record.dst_as.into(),
            Value::SrcMask => record.src_mask.into(),
            Value::DstMask => record.dst_mask.into(),
            Value::NextHop => record.next_hop.into(),
            Value::NextHop6 => detail.next_hop_v6.map_or(0, u128::from_be_bytes),
            Value::SrcMac => detail.src_mac.map_or(0, mac),
            Value::DstMac => detail.dst_mac.map_or(0, mac),
            // Its 20 bits before 3 of experimental use and the bottom bit (P-208).
            Value::MplsLabel => (detail.mpls_label.unwrap_or_default() << 4).into(),
            Value::NatSrc => detail.nat_src.map_or(0, address),
            Value::NatDst => detail.nat_dst.map_or(0, address),
            Value::NatSrcPort => detail.nat_src_port.unwrap_or_default().into(),
            Value::NatDstPort => detail.nat_dst_port.unwrap_or_default().into(),
            Value::Selector => self.selector.into(),
            Value::Exporter => address(self.exporter),
            Value::Domain => self.domain.into(),
        }
    }
}

/// How far from the time of encoding an uptime of 32 bits is told: from the
/// header's, which is later by as long as the record waits, it is then less than
/// 2^31 ms, unless it waits for more than an hour.
const REACH_MS: u64 = (1 << 31) - 3_600_000;

/// Milliseconds since boot, modulo 2^32, also before it.
fn uptime(ms: u64, boot_ms: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "uptimes are modulo 2^32")]
    let uptime = ms.wrapping_sub(boot_ms) as u32;
    uptime
}

/// A counter times the rate, at most 2^64 - 1.
fn scaled(counter: u64, rate: SamplingRate) -> u64 {
    let picked = u128::from(rate.picked.max(1));
    let passed = u128::from(counter) * u128::from(rate.out_of);
    u64::try_from((passed + picked / 2) / picked).unwrap_or(u64::MAX)
}

fn address(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn mac([a, b, c, d, e, f]: [u8; 6]) -> u128 {
    u64::from_be_bytes([0, 0, a, b, c, d, e, f]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(out_of: u32, picked: u32) -> SamplingRate {
        SamplingRate { out_of, picked }
    }

    #[test]
    fn counters_are_scaled_to_the_nearest_and_never_beyond_64_bits() {
        assert_eq!(scaled(7, rate(1000, 1)), 7000);
        assert_eq!(scaled(1, rate(10, 3)), 3);
        assert_eq!(scaled(2, rate(10, 3)), 7);
        assert_eq!(scaled(1, rate(3, 2)), 2);
        assert_eq!(scaled(u64::MAX, rate(u32::MAX, 1)), u64::MAX);
        assert_eq!(scaled(u64::MAX, rate(5, 5)), u64::MAX);
    }

    #[test]
    fn uptimes_wrap_and_reach_before_boot() {
        assert_eq!(uptime(1_000, 400), 600);
        assert_eq!(uptime(400, 1_000), u32::MAX - 599);
        assert_eq!(uptime((1 << 32) + 7, 0), 7);
    }
}
