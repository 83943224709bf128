//! From [`Slots`] to a [`FlowRecord`].

use crate::flow::DIRECTION_ABSENT;
use crate::flow::EndReason;
use crate::flow::FlowKey;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::flow::plan::content::Counters;
use crate::flow::plan::slot::Slot;
use crate::flow::plan::slot::Slots;
use crate::flow::plan::times::TimeShape;
use crate::flow::record::folded_vrfs;
use crate::session::SamplerLookup;
use crate::session::Scope;

/// What of a record is the same for all records of its Template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) template: u16,
    pub(super) present: Presence,
    /// Whether it has IPv4 addresses; without, all-zero ones are IPv6.
    pub(super) ipv4: bool,
    /// Whether it has ICMP type and code of their own.
    pub(super) icmp: bool,
    /// Whether it tells TCP flags.
    pub(super) tcp_flags: bool,
    pub(super) counters: Counters,
    pub(super) times: TimeShape,
    pub(super) sampling: SamplingShape,
}

/// Which elements of a record tell of its sampling.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SamplingShape {
    pub(super) interval: bool,
    pub(super) packet_interval: bool,
    pub(super) packet_space: bool,
    pub(super) selector: bool,
}

impl SamplingShape {
    fn or(self, other: Self) -> Self {
        Self {
            interval: self.interval || other.interval,
            packet_interval: self.packet_interval || other.packet_interval,
            packet_space: self.packet_space || other.packet_space,
            selector: self.selector || other.selector,
        }
    }
}

const ICMP: u8 = 1;
const ICMP6: u8 = 58;

impl Shape {
    /// Whether a key field tells one end from the other (RFC 5103 §4).
    pub(super) fn is_directed(&self) -> bool {
        let undirected = Presence::PROTOCOL
            .union(Presence::TOS)
            .union(Presence::DIRECTION)
            .union(Presence::FORWARDING);
        self.present.difference(undirected) != Presence::empty()
    }

    /// The shape of the way back, without elements of its own.
    pub(super) fn turned(&self) -> Self {
        Self {
            present: self.present.turned(),
            ..*self
        }
    }

    /// The shape of the way back, of which `self` is what it has of its own.
    pub(super) fn joined_to(&self, there: &Self) -> Self {
        Self {
            present: self.present.union(there.present.turned()),
            ipv4: self.ipv4 || there.ipv4,
            icmp: self.icmp || there.icmp,
            tcp_flags: self.tcp_flags || there.tcp_flags,
            times: self.times.or(there.times),
            sampling: self.sampling.or(there.sampling),
            ..*self
        }
    }

    /// The flow that the loaded numbers describe.
    #[inline]
    pub(super) fn finish(&self, slots: &Slots, scope: &Scope<'_>) -> FlowRecord {
        let (octets, packets, mut flags) = self.count(slots);
        let (key, sampling_known) = self.key(slots, scope);
        let times = scope.clock.resolve(&self.times.raw(slots, scope.clock));
        flags.set(RecordFlags::SAMPLING_UNKNOWN, !sampling_known);
        flags.set(RecordFlags::TCP_FLAGS, self.tcp_flags);
        FlowRecord {
            key,
            octets,
            packets,
            start_ms: times.start_ms,
            end_ms: times.end_ms,
            // An exporter's 0 stands for 1 (P-048).
            flows: slots.u32(Slot::Flows).max(1),
            records: 1,
            src_as: slots.u32(Slot::SrcAs),
            dst_as: slots.u32(Slot::DstAs),
            next_hop: slots.u32(Slot::NextHop),
            tcp_flags: tcp_flags(slots),
            src_mask: slots.u8(Slot::SrcMask),
            dst_mask: slots.u8(Slot::DstMask),
            forwarding_status: slots.u8(Slot::Forwarding),
            end_reason: EndReason::from(slots.u8(Slot::EndReason)),
            time_flags: times.flags,
            flags,
            event: None,
        }
    }

    #[inline]
    fn key(&self, slots: &Slots, scope: &Scope<'_>) -> (FlowKey, bool) {
        let (src, dst) = self.addresses(slots);
        let protocol = slots.u8(Slot::Protocol);
        let (src_port, dst_port) = self.ports(protocol, slots);
        let in_if = slots.u32(Slot::InIf);
        let lookup = self.sampler(slots, in_if);
        let (sampling, sampling_known) = scope.sampling.rate(&lookup);
        let key = FlowKey {
            src: src.to_be_bytes(),
            dst: dst.to_be_bytes(),
            source: scope.source,
            in_if,
            out_if: slots.u32(Slot::OutIf),
            vrf: self.vrf(slots),
            sampling,
            present: self.present,
            src_port,
            dst_port,
            vlan: match slots.u16(Slot::InVlan) {
                0 => slots.u16(Slot::OutVlan),
                vlan => vlan,
            },
            route: 0,
            protocol,
            tos: slots.u8(Slot::Tos) | (slots.u8(Slot::Dscp) << 2),
            direction: if self.present.contains(Presence::DIRECTION) {
                slots.u8(Slot::Direction)
            } else {
                DIRECTION_ABSENT
            },
            forwarding_class: slots.u8(Slot::Forwarding) >> 6,
        };
        (key, sampling_known)
    }

    /// Both addresses of one family: IPv6 unless that is zero (P-039).
    #[inline]
    fn addresses(&self, slots: &Slots) -> (u128, u128) {
        let src = [slots.get(Slot::SrcHigh), slots.get(Slot::SrcLow)];
        let dst = [slots.get(Slot::DstHigh), slots.get(Slot::DstLow)];
        let zero = (src[0] | src[1] | dst[0] | dst[1]) == 0;
        if zero && self.ipv4 {
            (mapped(slots.u32(Slot::Src4)), mapped(slots.u32(Slot::Dst4)))
        } else {
            (joined(src), joined(dst))
        }
    }

    /// Ports; for ICMP the second is type * 256 + code.
    #[inline]
    fn ports(&self, protocol: u8, slots: &Slots) -> (u16, u16) {
        let (src, dst) = (slots.u16(Slot::SrcPort), slots.u16(Slot::DstPort));
        if !is_icmp(protocol) {
            return (src, dst);
        }
        let icmp = self.icmp.then(|| {
            let (kind, code) = (slots.u8(Slot::IcmpType), slots.u8(Slot::IcmpCode));
            slots.u16(Slot::Icmp) | u16::from_be_bytes([kind, code])
        });
        ports(src, dst, icmp)
    }

    /// What tells one pair of VRFs from another in a key.
    #[inline]
    fn vrf(&self, slots: &Slots) -> u32 {
        let (ingress, egress) = (slots.u32(Slot::InVrf), slots.u32(Slot::OutVrf));
        if self.has_two_vrfs() {
            folded_vrfs(ingress, egress)
        } else {
            ingress | egress
        }
    }

    /// Whether records tell both VRFs.
    pub(super) fn has_two_vrfs(&self) -> bool {
        let both = Presence::IN_VRF.union(Presence::OUT_VRF);
        self.present.contains(both)
    }

    /// Both VRFs, where their ids are too large to be found in the key again.
    pub(super) fn wide_vrfs(&self, slots: &Slots) -> Option<(u32, u32)> {
        let vrfs = (slots.u32(Slot::InVrf), slots.u32(Slot::OutVrf));
        let is_wide = self.has_two_vrfs() && vrfs.0.max(vrfs.1) > u16::MAX.into();
        is_wide.then_some(vrfs)
    }

    /// Octets and packets, and what is to be said of them.
    #[inline]
    fn count(&self, slots: &Slots) -> (u64, u64, RecordFlags) {
        let totals = self.counters.flags();
        let (octets, packets) = (slots.get(Slot::Octets), slots.get(Slot::Packets));
        let post = (slots.get(Slot::PostOctets), slots.get(Slot::PostPackets));
        // P-506: what the exporter counted behind the middlebox, only where it
        // counted nothing in front of it; never the sum of both (P-505).
        if (octets | packets) == 0 && (post.0 | post.1) != 0 {
            (post.0, post.1, totals.union(RecordFlags::POST_COUNTERS))
        } else {
            (octets, packets, totals)
        }
    }

    #[inline]
    fn sampler(&self, slots: &Slots, in_if: u32) -> SamplerLookup {
        let shape = self.sampling;
        let given = |has: bool, slot| has.then(|| slots.get(slot));
        SamplerLookup {
            interval: given(shape.interval, Slot::SamplingInterval),
            packet_interval: given(shape.packet_interval, Slot::PacketInterval),
            packet_space: given(shape.packet_space, Slot::PacketSpace),
            selector: given(shape.selector, Slot::Selector),
            ..self.lookup(Some(in_if))
        }
    }

    /// What records that say nothing of their sampling are looked up by.
    pub(super) fn lookup(&self, in_if: Option<u32>) -> SamplerLookup {
        SamplerLookup {
            template: self.template,
            interface: in_if.filter(|_| self.present.contains(Presence::IN_IF)),
            ..SamplerLookup::default()
        }
    }
}

/// The ports of an ICMP record, the second being type * 256 + code. P-018, P-207.
///
/// Elements of their own come first. Without, some Cisco v5 exporters have
/// type and code in the source port, their octets swapped.
pub(super) fn ports(src: u16, dst: u16, icmp: Option<u16>) -> (u16, u16) {
    match (icmp, src, dst) {
        (Some(icmp), src, _) => (src, icmp),
        (None, src, 0) => (0, src.swap_bytes()),
        (None, src, dst) if src == dst.swap_bytes() => (0, dst),
        (None, src, dst) => (src, dst),
    }
}

/// Whether ports are type and code.
pub(super) fn is_icmp(protocol: u8) -> bool {
    protocol == ICMP || protocol == ICMP6
}

/// An IPv4-mapped IPv6 address.
fn mapped(address: u32) -> u128 {
    0xffff_0000_0000 | u128::from(address)
}

fn joined([high, low]: [u64; 2]) -> u128 {
    (u128::from(high) << 64) | u128::from(low)
}

/// YAF's flags are those of the first packet and the union of the others.
fn tcp_flags(slots: &Slots) -> u16 {
    let yaf = slots.u16(Slot::InitialTcpFlags) | slots.u16(Slot::UnionTcpFlags);
    (slots.u16(Slot::TcpFlags) | yaf) & TCP_FLAGS
}

/// Without the 4 bits of the data offset (P-204).
pub(super) const TCP_FLAGS: u16 = 0x0fff;
