//! Which element goes into which slot, and which of several is preferred.

use crate::element::ElementId;
use crate::flow::Presence;
use crate::flow::plan::fields::CERT_PEN;
use crate::flow::plan::fields::Field;
use crate::flow::plan::load::Load;
use crate::flow::plan::load::Span;
use crate::flow::plan::slot::Slot;

/// Which lengths a field may have. P-040, P-041, P-114, P-825.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Width {
    /// An unsigned integer of 1 to 8 octets; a value too large for its slot
    /// keeps its low octets.
    Number,
    /// Exactly so many octets: addresses and times.
    Exactly(u16),
    /// Four octets, or the eight of NX-OS, of which the low four count (P-041).
    Uptime,
}

/// One element and where it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) element: ElementId,
    pub(super) slot: Slot,
    pub(super) width: Width,
    pub(super) present: Presence,
}

/// Rules that hold for every Template, the most preferred of each slot first.
pub(super) const RULES: &[Rule] = &[
    address(8, Slot::Src4, Presence::SRC),
    address(44, Slot::Src4, Presence::SRC),
    address(12, Slot::Dst4, Presence::DST),
    address(45, Slot::Dst4, Presence::DST),
    key(4, Slot::Protocol, Presence::PROTOCOL),
    key(7, Slot::SrcPort, Presence::SRC_PORT),
    key(180, Slot::SrcPort, Presence::SRC_PORT),
    key(182, Slot::SrcPort, Presence::SRC_PORT),
    key(11, Slot::DstPort, Presence::DST_PORT),
    key(181, Slot::DstPort, Presence::DST_PORT),
    key(183, Slot::DstPort, Presence::DST_PORT),
    key(32, Slot::Icmp, Presence::DST_PORT),
    key(139, Slot::Icmp, Presence::DST_PORT),
    key(176, Slot::IcmpType, Presence::DST_PORT),
    key(178, Slot::IcmpType, Presence::DST_PORT),
    key(177, Slot::IcmpCode, Presence::DST_PORT),
    key(179, Slot::IcmpCode, Presence::DST_PORT),
    key(5, Slot::Tos, Presence::TOS),
    key(195, Slot::Dscp, Presence::TOS),
    key(10, Slot::InIf, Presence::IN_IF),
    key(252, Slot::InIf, Presence::IN_IF),
    key(14, Slot::OutIf, Presence::OUT_IF),
    key(253, Slot::OutIf, Presence::OUT_IF),
    key(234, Slot::InVrf, Presence::IN_VRF),
    key(235, Slot::OutVrf, Presence::OUT_VRF),
    key(58, Slot::InVlan, Presence::VLAN),
    key(243, Slot::InVlan, Presence::VLAN),
    key(59, Slot::OutVlan, Presence::VLAN),
    key(61, Slot::Direction, Presence::DIRECTION),
    key(89, Slot::Forwarding, Presence::FORWARDING),
    value(6, Slot::TcpFlags),
    enterprise(CERT_PEN, 14, Slot::InitialTcpFlags),
    enterprise(CERT_PEN, 15, Slot::UnionTcpFlags),
    address(15, Slot::NextHop, Presence::empty()),
    address(18, Slot::NextHop, Presence::empty()),
    value(16, Slot::SrcAs),
    value(17, Slot::DstAs),
    value(9, Slot::SrcMask),
    value(29, Slot::SrcMask),
    value(13, Slot::DstMask),
    value(30, Slot::DstMask),
    value(3, Slot::Flows),
    value(136, Slot::EndReason),
    uptime(22, Slot::StartUptime),
    uptime(21, Slot::EndUptime),
    value(158, Slot::StartDelta),
    value(159, Slot::EndDelta),
    time(160, 8, Slot::Boot),
    value(161, Slot::DurationMs),
    value(162, Slot::DurationUs),
    value(34, Slot::SamplingInterval),
    value(50, Slot::SamplingInterval),
    value(305, Slot::PacketInterval),
    value(306, Slot::PacketSpace),
    value(48, Slot::Selector),
    value(302, Slot::Selector),
    value(230, Slot::NatEvent),
    value(233, Slot::FirewallEvent),
    value(40_005, Slot::FirewallEvent),
    value(148, Slot::Connection),
    value(239, Slot::BiflowDirection),
];

/// IPv6 addresses, two slots each, the most preferred first.
const ADDRESSES_6: [(u16, Slot, Slot, Presence); 4] = [
    (27, Slot::SrcHigh, Slot::SrcLow, Presence::SRC),
    (170, Slot::SrcHigh, Slot::SrcLow, Presence::SRC),
    (28, Slot::DstHigh, Slot::DstLow, Presence::DST),
    (169, Slot::DstHigh, Slot::DstLow, Presence::DST),
];

const fn key(id: u16, slot: Slot, present: Presence) -> Rule {
    Rule {
        element: ElementId::iana(id),
        slot,
        width: Width::Number,
        present,
    }
}

const fn address(id: u16, slot: Slot, present: Presence) -> Rule {
    Rule {
        width: Width::Exactly(4),
        ..key(id, slot, present)
    }
}

pub(super) const fn value(id: u16, slot: Slot) -> Rule {
    key(id, slot, Presence::empty())
}

pub(super) const fn time(id: u16, octets: u16, slot: Slot) -> Rule {
    Rule {
        width: Width::Exactly(octets),
        ..value(id, slot)
    }
}

const fn uptime(id: u16, slot: Slot) -> Rule {
    Rule {
        width: Width::Uptime,
        ..value(id, slot)
    }
}

const fn enterprise(pen: u32, id: u16, slot: Slot) -> Rule {
    Rule {
        element: ElementId { pen, id },
        ..value(id, slot)
    }
}

impl Width {
    /// Whether a field of so many octets can be read.
    pub(super) fn takes(self, octets: u16) -> bool {
        match self {
            Self::Number => (1..=8).contains(&octets),
            Self::Exactly(width) => octets == width,
            Self::Uptime => octets == 4 || octets == 8,
        }
    }
}

/// What rules make of fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Loaded {
    /// From the least to the most preferred of each slot.
    pub(super) loads: Vec<Load>,
    /// Key fields that are loaded.
    pub(super) present: Presence,
    /// Fields that have a rule but a length it does not take.
    pub(super) opaque: usize,
}

impl Loaded {
    /// Applies rules; of a repeated element the first that is not 0 counts.
    pub(super) fn of<'r>(fields: &[Field], rules: impl Iterator<Item = &'r Rule> + Clone) -> Self {
        let mut loaded = Self::default();
        let mut ranked = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            let mut ranks = rules.clone().enumerate();
            let Some((rank, rule)) = ranks.find(|(_, rule)| rule.element == field.element) else {
                continue;
            };
            match field.span() {
                Some(span) if rule.width.takes(span.width) => {
                    let slot = rule.slot;
                    ranked.push((rank, index, Load { span, slot }));
                    loaded.present |= rule.present;
                }
                Some(_) | None => loaded.opaque += 1,
            }
        }
        ranked.sort_unstable_by_key(|&(rank, index, _)| std::cmp::Reverse((rank, index)));
        loaded.loads = ranked.into_iter().map(|(_, _, load)| load).collect();
        loaded.load_addresses_6(fields);
        loaded
    }

    /// Both halves of an address must come from one field, so only the most
    /// preferred is loaded.
    fn load_addresses_6(&mut self, fields: &[Field]) {
        for (id, high, low, present) in ADDRESSES_6 {
            let of_id = fields.iter().filter(|f| f.element == ElementId::iana(id));
            for field in of_id {
                let Some(span) = field.span().filter(|span| span.width == 16) else {
                    self.opaque += 1;
                    continue;
                };
                if self.loads.iter().any(|load| load.slot == high) {
                    continue;
                }
                let half = |at: u16| Span {
                    offset: span.offset.saturating_add(at),
                    width: 8,
                    ..span
                };
                self.loads.extend([
                    Load {
                        span: half(0),
                        slot: high,
                    },
                    Load {
                        span: half(8),
                        slot: low,
                    },
                ]);
                self.present |= present;
            }
        }
    }
}
