//! Where loads of one record land before they become a [`crate::flow::FlowRecord`].

/// One number of a record; `rules` says which elements it may come from.
///
/// IPv6 addresses take two.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub(super) enum Slot {
    Src4,
    Dst4,
    SrcHigh,
    SrcLow,
    DstHigh,
    DstLow,
    Protocol,
    SrcPort,
    DstPort,
    Icmp,
    IcmpType,
    IcmpCode,
    Tos,
    Dscp,
    InIf,
    OutIf,
    InVrf,
    OutVrf,
    InVlan,
    OutVlan,
    Direction,
    Forwarding,
    Octets,
    Packets,
    PostOctets,
    PostPackets,
    ResponderOctets,
    ResponderPackets,
    TcpFlags,
    InitialTcpFlags,
    UnionTcpFlags,
    NextHop,
    SrcAs,
    DstAs,
    SrcMask,
    DstMask,
    Flows,
    EndReason,
    StartUptime,
    EndUptime,
    Start,
    End,
    StartDelta,
    EndDelta,
    Boot,
    DurationMs,
    DurationUs,
    Observed,
    SamplingInterval,
    PacketInterval,
    PacketSpace,
    Selector,
    NatEvent,
    FirewallEvent,
    Connection,
    BiflowDirection,
}

/// How many slots there are.
const COUNT: usize = Slot::BiflowDirection as usize + 1;

/// The numbers of one record; 0 where its Template lacks the field.
#[derive(Clone, Debug)]
pub(super) struct Slots([u64; COUNT]);

impl Slots {
    pub(super) const fn empty() -> Self {
        Self([0; COUNT])
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> u64 {
        self.0.get(slot as usize).copied().unwrap_or_default()
    }

    #[inline]
    pub(super) fn set(&mut self, slot: Slot, value: u64) {
        if let Some(place) = self.0.get_mut(slot as usize) {
            *place = value;
        }
    }

    /// Low 8 bits: a wider field keeps its least significant octet (P-205).
    #[inline]
    pub(super) fn u8(&self, slot: Slot) -> u8 {
        let [.., low] = self.get(slot).to_be_bytes();
        low
    }

    /// Low 16 bits.
    #[inline]
    pub(super) fn u16(&self, slot: Slot) -> u16 {
        let [.., high, low] = self.get(slot).to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    /// Low 32 bits.
    #[inline]
    pub(super) fn u32(&self, slot: Slot) -> u32 {
        let [.., a, b, c, d] = self.get(slot).to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// Turns the record around: what was source becomes destination. P-311.
    ///
    /// Counters, flags, next hop, direction and forwarding status are those of
    /// the other way and become 0. The destination port stays where it is an
    /// ICMP type.
    pub(super) fn turn(&mut self, icmp: bool) {
        for (one, two) in DIRECTED {
            self.0.swap(one as usize, two as usize);
        }
        if !icmp {
            self.0.swap(Slot::SrcPort as usize, Slot::DstPort as usize);
        }
        if self.get(Slot::OutVlan) != 0 {
            self.0.swap(Slot::InVlan as usize, Slot::OutVlan as usize);
        }
        for slot in ONE_WAY {
            self.set(slot, 0);
        }
    }
}

/// Pairs that trade places when a record is turned around.
const DIRECTED: [(Slot, Slot); 7] = [
    (Slot::Src4, Slot::Dst4),
    (Slot::SrcHigh, Slot::DstHigh),
    (Slot::SrcLow, Slot::DstLow),
    (Slot::InIf, Slot::OutIf),
    (Slot::InVrf, Slot::OutVrf),
    (Slot::SrcAs, Slot::DstAs),
    (Slot::SrcMask, Slot::DstMask),
];

/// What is known of one way only.
const ONE_WAY: [Slot; 11] = [
    Slot::Direction,
    Slot::Forwarding,
    Slot::Octets,
    Slot::Packets,
    Slot::PostOctets,
    Slot::PostPackets,
    Slot::TcpFlags,
    Slot::InitialTcpFlags,
    Slot::UnionTcpFlags,
    Slot::NextHop,
    Slot::Flows,
];
