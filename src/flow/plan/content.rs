//! What the records of a Template are: flows, connections or events.

use crate::element::ElementId;
use crate::flow::Event;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::flow::plan::fields::Field;
use crate::flow::plan::fields::Place;
use crate::flow::plan::rules::Rule;
use crate::flow::plan::rules::value;
use crate::flow::plan::slot::Slot;
use crate::session::is_heard;

/// What every record of a Template is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Content {
    /// One flow.
    Flow,
    /// Both directions of a connection: 231/298 there, 232/299 back (P-312).
    Connection,
    /// What a firewall reports; each record says which event it is (P-500).
    Nsel,
    /// No flow (P-650).
    Event(Kind),
    /// Reverse elements without a directional key: nothing (P-310).
    Undirected,
    /// Options that only the session needs to understand (P-210).
    Heard,
}

/// Records that are no flows whatever they contain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A section of a packet: 313, 314, 315, 104.
    PacketSection,
    /// Options that a flow log asks for.
    Options,
    /// Records without addresses or without counters.
    Other,
}

/// How the counters of a Template's records are to be read. P-501, P-506, P-640…P-644.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Counters {
    /// 1/2, and 23/24 where those are 0.
    Deltas,
    /// 85/86, or 171/172 where those are 0: odometers.
    Totals,
    /// 231/298 of the initiator, 232/299 of the responder.
    Directional,
    /// 85 of an ASA older than 8.4: the sum of both directions, said once at teardown.
    Teardown,
    /// None at all.
    Missing,
}

impl Kind {
    /// What such a record is called.
    pub(super) fn event(self) -> Event {
        match self {
            Self::PacketSection => Event::PacketSection,
            Self::Options => Event::Options,
            Self::Other => Event::Other,
        }
    }
}

impl Counters {
    /// Chooses the counters: deltas before totals before those of connections.
    pub(super) fn choose(fields: &[Field]) -> Self {
        let has = |ids| has_number(fields, ids);
        match is_nsel(fields) {
            true if has(&[231, 232, 298, 299]) => Self::Directional,
            true if has(&[85]) => Self::Teardown,
            true => Self::Missing,
            false if has(&[1, 2, 23, 24]) => Self::Deltas,
            false if has(&[85, 86, 171, 172]) => Self::Totals,
            // Huawei's NetStream v9 has a type 232 that is another thing (P-511).
            false if has(&[231, 298]) => Self::Directional,
            false => Self::Missing,
        }
    }

    /// The rules that load them.
    pub(super) const fn rules(self) -> &'static [Rule] {
        match self {
            Self::Deltas => {
                const {
                    &[
                        value(1, Slot::Octets),
                        value(2, Slot::Packets),
                        value(23, Slot::PostOctets),
                        value(24, Slot::PostPackets),
                    ]
                }
            }
            Self::Totals => {
                const {
                    &[
                        value(85, Slot::Octets),
                        value(86, Slot::Packets),
                        value(171, Slot::PostOctets),
                        value(172, Slot::PostPackets),
                    ]
                }
            }
            Self::Directional => {
                const {
                    &[
                        value(231, Slot::Octets),
                        value(298, Slot::Packets),
                        value(232, Slot::ResponderOctets),
                        value(299, Slot::ResponderPackets),
                    ]
                }
            }
            Self::Teardown => const { &[value(85, Slot::Octets)] },
            Self::Missing => &[],
        }
    }
}

impl Counters {
    /// What is to be said of records that have these.
    pub(super) fn flags(self) -> RecordFlags {
        match self {
            Self::Totals => RecordFlags::TOTALS,
            Self::Deltas | Self::Directional | Self::Teardown | Self::Missing => {
                RecordFlags::empty()
            }
        }
    }
}

impl Content {
    /// Decides it from the fields, their counters and the key fields present.
    pub(super) fn choose(fields: &[Field], counters: Counters, present: Presence) -> Self {
        let addressed = present.intersects(Presence::SRC.union(Presence::DST));
        if has(fields, &[104, 313, 314, 315]) {
            Self::Event(Kind::PacketSection)
        } else if is_nsel(fields) {
            Self::Nsel
        } else if !addressed || (counters == Counters::Missing && !has(fields, &[230])) {
            Self::Event(Kind::Other)
        } else if counters == Counters::Directional {
            Self::Connection
        } else {
            Self::Flow
        }
    }

    /// Decides it for options: events are those that have what a flow log asks
    /// for and the session does not keep.
    pub(super) fn of_options(fields: &[Field], wanted: &[ElementId]) -> Self {
        let mut elements = fields.iter().map(|field| field.element);
        match elements.any(|element| wanted.contains(&element) && !is_heard(element)) {
            true => Self::Event(Kind::Options),
            false => Self::Heard,
        }
    }

    /// Whether records may be events, which carry all their elements.
    pub(super) fn may_be_event(self, fields: &[Field]) -> bool {
        match self {
            Self::Nsel | Self::Event(_) => true,
            Self::Flow | Self::Connection => has(fields, &[230]),
            Self::Undirected | Self::Heard => false,
        }
    }
}

/// Whether the Template is a firewall's. P-503.
///
/// 233 alone is not enough: PAN-OS and Barracuda send it with ordinary flows.
/// 33002 is Cisco's extended event, 40005 the event of an old ASA.
fn is_nsel(fields: &[Field]) -> bool {
    has_number(fields, &[233, 40_005]) && has(fields, &[33_002])
}

/// Whether one of these IANA elements (or v9 types) is there.
pub(super) fn has(fields: &[Field], ids: &[u16]) -> bool {
    let mut elements = fields.iter().map(|field| field.element);
    elements.any(|element| element.pen == 0 && ids.contains(&element.id))
}

/// Whether one of them is there and a number.
fn has_number(fields: &[Field], ids: &[u16]) -> bool {
    let mut fields = fields.iter();
    fields.any(|field| {
        let number = matches!(field.place, Place::Fixed(span) if span.width <= 8);
        number && has(std::slice::from_ref(field), ids)
    })
}
