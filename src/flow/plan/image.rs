//! What nearly all flows say, each number in a place of its own.

use zerocopy::FromBytes;
use zerocopy::Immutable;
use zerocopy::IntoBytes;
use zerocopy::KnownLayout;

use super::load::Span;
use super::slot::Slot;
use crate::flow::FlowRecord;

/// The numbers of a record before they are finished; 0 where its Template lacks
/// the field.
///
/// They lie as in a [`FlowRecord`], which begins as one: what needs no finishing
/// is in its place at once.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct Image {
    pub(super) src: [u8; 16],
    pub(super) dst: [u8; 16],
    pub(super) source: u32,
    pub(super) in_if: u32,
    pub(super) out_if: u32,
    /// Of the direction that has one.
    pub(super) vrf: u32,
    pub(super) out_of: u32,
    pub(super) picked: u32,
    pub(super) present: u32,
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    pub(super) vlan: u16,
    pub(super) route: u16,
    pub(super) protocol: u8,
    pub(super) tos: u8,
    pub(super) direction: u8,
    pub(super) forwarding: u8,
    pub(super) octets: u64,
    pub(super) packets: u64,
    /// Start and end as sent, whatever their unit.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) flows: u32,
    /// Where a record has how many it stands for.
    pub(super) icmp: u16,
    pub(super) end_reason: u8,
    pub(super) spare: u8,
    pub(super) src_as: u32,
    pub(super) dst_as: u32,
    pub(super) next_hop: u32,
    pub(super) tcp_flags: u16,
    pub(super) src_mask: u8,
    pub(super) dst_mask: u8,
}

/// Octets of an [`Image`].
pub(super) const IMAGE_LEN: usize = size_of::<Image>();

macro_rules! lie_alike {
    ($($image:ident: $($record:ident).+),* $(,)?) => {
        $(assert!(
            std::mem::offset_of!(Image, $image) == std::mem::offset_of!(FlowRecord, $($record).+)
        );)*
    };
}

// Numbers alone, of which any octets are one, without a gap: `shuffle` puts an
// image where a record is to be.
const _: () = {
    lie_alike!(
        src: key.src,
        dst: key.dst,
        source: key.source,
        in_if: key.in_if,
        out_if: key.out_if,
        vrf: key.vrf,
        out_of: key.sampling.out_of,
        picked: key.sampling.picked,
        present: key.present,
        src_port: key.src_port,
        dst_port: key.dst_port,
        vlan: key.vlan,
        route: key.route,
        protocol: key.protocol,
        tos: key.tos,
        direction: key.direction,
        forwarding: key.forwarding_class,
        octets: octets,
        packets: packets,
        start: start_ms,
        end: end_ms,
        flows: flows,
        icmp: records,
        src_as: src_as,
        dst_as: dst_as,
        next_hop: next_hop,
        tcp_flags: tcp_flags,
        src_mask: src_mask,
        dst_mask: dst_mask,
    );
    assert!(IMAGE_LEN == std::mem::offset_of!(FlowRecord, forwarding_status));
};

/// A field on its way into an [`Image`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    /// Offset of its most significant octet in a record.
    from: usize,
    /// Octets it has in a record.
    width: usize,
    to: Place,
}

/// Where in an [`Image`] a number goes.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: usize,
    width: usize,
    /// As it was sent, instead of in our byte order.
    is_sent_order: bool,
}

impl Move {
    /// From a span of the first run to a slot's place; `None` if the image has
    /// none.
    pub(super) fn of(span: Span, slot: Slot) -> Option<Self> {
        Some(Self {
            from: span.offset.into(),
            width: span.width.into(),
            to: place(slot)?,
        })
    }

    /// Whether two of them have one place: which counts is not told by where
    /// their octets are.
    pub(super) fn collide(moves: &[Self]) -> bool {
        let mut octets: Vec<_> = moves.iter().flat_map(Self::octets).collect();
        let all = octets.len();
        octets.sort_unstable_by_key(|(_, to)| *to);
        octets.dedup_by_key(|(_, to)| *to);
        octets.len() < all
    }

    /// Each octet's offset in a record, and in the image; a number too large
    /// for its place keeps its low octets (P-205).
    pub(super) fn octets(&self) -> impl Iterator<Item = (usize, usize)> {
        let Self { from, width, to } = *self;
        let kept = width.min(to.width);
        (0..kept).map(move |low| {
            let at = if to.is_sent_order {
                to.width - 1 - low
            } else {
                low
            };
            (from + width - 1 - low, to.offset + at)
        })
    }
}

macro_rules! number {
    ($field:ident: $type:ty) => {
        Place {
            offset: std::mem::offset_of!(Image, $field),
            width: size_of::<$type>(),
            is_sent_order: false,
        }
    };
}

/// The octets of an address from here on, as sent.
const fn address(offset: usize, width: usize) -> Place {
    Place {
        offset,
        width,
        is_sent_order: true,
    }
}

fn place(slot: Slot) -> Option<Place> {
    const SRC: usize = std::mem::offset_of!(Image, src);
    const DST: usize = std::mem::offset_of!(Image, dst);
    Some(match slot {
        Slot::Src4 => address(SRC + 12, 4),
        Slot::Dst4 => address(DST + 12, 4),
        Slot::SrcHigh => address(SRC, 8),
        Slot::SrcLow => address(SRC + 8, 8),
        Slot::DstHigh => address(DST, 8),
        Slot::DstLow => address(DST + 8, 8),
        Slot::Protocol => number!(protocol: u8),
        Slot::SrcPort => number!(src_port: u16),
        Slot::DstPort => number!(dst_port: u16),
        Slot::Icmp => number!(icmp: u16),
        Slot::Tos => number!(tos: u8),
        Slot::InIf => number!(in_if: u32),
        Slot::OutIf => number!(out_if: u32),
        Slot::InVrf | Slot::OutVrf => number!(vrf: u32),
        Slot::InVlan | Slot::OutVlan => number!(vlan: u16),
        Slot::Direction => number!(direction: u8),
        Slot::Forwarding => number!(forwarding: u8),
        Slot::Octets => number!(octets: u64),
        Slot::Packets => number!(packets: u64),
        Slot::TcpFlags => number!(tcp_flags: u16),
        Slot::NextHop => number!(next_hop: u32),
        Slot::SrcAs => number!(src_as: u32),
        Slot::DstAs => number!(dst_as: u32),
        Slot::SrcMask => number!(src_mask: u8),
        Slot::DstMask => number!(dst_mask: u8),
        Slot::Flows => number!(flows: u32),
        Slot::EndReason => number!(end_reason: u8),
        // Modulo 2^32, as exporters count (P-230).
        Slot::StartUptime => Place {
            width: 4,
            ..number!(start: u64)
        },
        Slot::EndUptime => Place {
            width: 4,
            ..number!(end: u64)
        },
        Slot::Start => number!(start: u64),
        Slot::End => number!(end: u64),
        Slot::IcmpType
        | Slot::IcmpCode
        | Slot::Dscp
        | Slot::PostOctets
        | Slot::PostPackets
        | Slot::ResponderOctets
        | Slot::ResponderPackets
        | Slot::InitialTcpFlags
        | Slot::UnionTcpFlags
        | Slot::StartDelta
        | Slot::EndDelta
        | Slot::Boot
        | Slot::DurationMs
        | Slot::DurationUs
        | Slot::Observed
        | Slot::SamplingInterval
        | Slot::PacketInterval
        | Slot::PacketSpace
        | Slot::Selector
        | Slot::NatEvent
        | Slot::FirewallEvent
        | Slot::Connection
        | Slot::BiflowDirection => return None,
    })
}
