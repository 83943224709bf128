//! A firewall: v9 with NSEL, events instead of flows. Cisco ASA 9.x NSEL guide.

use std::net::Ipv4Addr;

use crate::cli::process::Process;
use crate::cli::process::Record;
use crate::cli::process::numbers;
use crate::cli::process::template;
use crate::cli::random::Random;
use crate::cli::simulation::gateway::address;
use crate::cli::simulation::gateway::common;
use crate::cli::simulation::traffic::END_DETECTED;
use crate::cli::simulation::traffic::Flow;
use crate::element::ElementId;
use crate::wire::EncodeError;
use crate::wire::Template;
use crate::wire::Version;

/// firewallEvent (233).
const CREATED: u128 = 1;
const DELETED: u128 = 2;
const DENIED: u128 = 3;
/// NF_F_FW_EXT_EVENT: denied by an ingress access list.
const DENIED_BY_INGRESS_ACL: u128 = 1_001;
const INSIDE: u128 = 2;
const OUTSIDE: u128 = 3;
/// The public address that inside hosts share.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);
/// Telnet, SMB, RDP: what strangers try.
const UNWANTED_PORTS: [u16; 3] = [23, 445, 3389];
/// Connection, addresses and ports, interfaces, protocol, translation, event,
/// extended event, event time.
const COMMON: [(u16, u16); 15] = [
    (148, 4),
    (8, 4),
    (7, 2),
    (10, 2),
    (12, 4),
    (11, 2),
    (14, 2),
    (4, 1),
    (225, 4),
    (226, 4),
    (227, 2),
    (228, 2),
    (233, 1),
    (33002, 2),
    (323, 8),
];
/// Creation time, initiator's and responder's octets.
const TEARDOWN: [(u16, u16); 3] = [(152, 8), (231, 4), (232, 4)];

/// The firewall.
#[derive(Debug)]
pub(super) struct Firewall {
    process: Process,
    short: Template,
    teardown: Template,
    strangers: Strangers,
}

/// Who tries to get in from outside.
#[derive(Debug)]
struct Strangers {
    random: Random,
    next_id: u32,
}

/// One event of a connection.
struct Event<'a> {
    event: u128,
    extended: u128,
    at_ms: u64,
    flow: &'a Flow,
    /// Octets of both directions.
    octets: (u64, u64),
}

/// What a firewall says when a connection ends: eighteen fields of v9.
pub fn teardown_template() -> Template {
    event_template(263, &[&COMMON[..], &TEARDOWN].concat())
}

fn event_template(id: u16, fields: &[(u16, u16)]) -> Template {
    let fields = fields.iter();
    let fields = fields.map(|(id, length)| (ElementId::iana(*id), *length));
    template(Version::V9, id, 0, &fields.collect::<Vec<_>>())
}

impl Firewall {
    pub(super) fn new(now_ms: u64, random: Random) -> Self {
        Self {
            process: Process::new(Version::V9, 0, 0, now_ms),
            short: event_template(256, &COMMON),
            teardown: teardown_template(),
            strangers: Strangers {
                random,
                next_id: 1 << 31,
            },
        }
    }

    /// The datagrams that report the beginnings and ends among these flows, and refusals.
    pub(super) fn export(
        &mut self,
        flows: &[Flow],
        now_ms: u64,
    ) -> Result<Vec<Vec<u8>>, EncodeError> {
        let mut records = Vec::new();
        // Both directions of a conversation follow each other, outbound first.
        for pair in flows.chunks(2) {
            if let [outbound, inbound] = pair
                && outbound.src.is_ipv4()
            {
                let templates = (&self.short, &self.teardown);
                connection(templates, outbound, inbound, &mut records)?;
            }
        }
        if let Some(stranger) = self.strangers.knock(now_ms) {
            records.push(denied(&self.short, &stranger)?);
        }
        let definitions: &[&Template] = if self.process.refresh(now_ms) {
            &[&self.short, &self.teardown]
        } else {
            &[]
        };
        self.process.datagrams(definitions, &records, now_ms)
    }
}

impl Strangers {
    /// An attempt from outside, now and then.
    fn knock(&mut self, now_ms: u64) -> Option<Flow> {
        if !self.random.percent(30) {
            return None;
        }
        self.next_id = self.next_id.wrapping_add(1);
        let last = u8::try_from(self.random.below(250)).unwrap_or(0);
        Some(Flow {
            src: Ipv4Addr::new(203, 0, 113, last).into(),
            dst: PUBLIC.into(),
            src_port: u16::try_from(1_024 + self.random.below(60_000)).unwrap_or(1_024),
            dst_port: *self.random.pick(&UNWANTED_PORTS)?,
            protocol: 6,
            tos: 0,
            tcp_flags: 2,
            octets: 0,
            total_octets: 0,
            packets: 0,
            start_ms: now_ms,
            end_ms: now_ms,
            end_reason: 0,
            outbound: false,
            remote_as: 0,
            conversation: self.next_id,
            is_first: true,
        })
    }
}

impl Event<'_> {
    fn number(&self, element: ElementId) -> u128 {
        let flow = self.flow;
        match element.id {
            10 => {
                if flow.outbound {
                    INSIDE
                } else {
                    OUTSIDE
                }
            }
            14 => {
                if flow.outbound {
                    OUTSIDE
                } else {
                    INSIDE
                }
            }
            148 => flow.conversation.into(),
            225 if flow.outbound => PUBLIC.to_bits().into(),
            225 => address(flow.src),
            226 => address(flow.dst),
            227 => flow.src_port.into(),
            228 => flow.dst_port.into(),
            231 => self.octets.0.into(),
            232 => self.octets.1.into(),
            233 => self.event,
            323 => self.at_ms.into(),
            33002 => self.extended,
            _ => common(flow, element),
        }
    }
}

/// The events of one conversation: its beginning, its end, both or none.
fn connection<'t>(
    (short, teardown): (&'t Template, &'t Template),
    outbound: &Flow,
    inbound: &Flow,
    records: &mut Vec<Record<'t>>,
) -> Result<(), EncodeError> {
    let event = |event, at_ms| Event {
        event,
        extended: 0,
        at_ms,
        flow: outbound,
        octets: (outbound.total_octets, inbound.total_octets),
    };
    if outbound.is_first {
        let created = event(CREATED, outbound.start_ms);
        records.push(numbers(short, |element| created.number(element))?);
    }
    if outbound.end_reason == END_DETECTED {
        let deleted = event(DELETED, outbound.end_ms);
        records.push(numbers(teardown, |element| deleted.number(element))?);
    }
    Ok(())
}

fn denied<'t>(short: &'t Template, stranger: &Flow) -> Result<Record<'t>, EncodeError> {
    let event = Event {
        event: DENIED,
        extended: DENIED_BY_INGRESS_ACL,
        at_ms: stranger.start_ms,
        flow: stranger,
        octets: (0, 0),
    };
    numbers(short, |element| event.number(element))
}
