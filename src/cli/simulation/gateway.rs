//! A Smart Access Gateway: v9 with the fields its flow logs have.

use std::net::IpAddr;

use crate::cli::process::Process;
use crate::cli::process::numbers;
use crate::cli::process::template;
use crate::cli::simulation::traffic::Flow;
use crate::element::ElementId;
use crate::wire::EncodeError;
use crate::wire::Template;
use crate::wire::Version;

/// What both address families have: octets, packets, protocol, tos, flags,
/// ports, interfaces, times by uptime.
const COMMON: [(u16, u16); 11] = [
    (1, 4),
    (2, 4),
    (4, 1),
    (5, 1),
    (6, 1),
    (7, 2),
    (11, 2),
    (10, 2),
    (14, 2),
    (22, 4),
    (21, 4),
];
const LAN: u128 = 1;
const WAN: u128 = 2;

/// One gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    process: Process,
    v4: Template,
    v6: Template,
}

impl Gateway {
    pub(super) fn new(now_ms: u64) -> Self {
        let with = |id, addresses: [(u16, u16); 2]| {
            let fields = addresses.into_iter().chain(COMMON);
            let fields: Vec<_> = fields
                .map(|(id, length)| (ElementId::iana(id), length))
                .collect();
            template(Version::V9, id, 0, &fields)
        };
        Self {
            process: Process::new(Version::V9, 0, 0, now_ms),
            v4: with(256, [(8, 4), (12, 4)]),
            v6: with(257, [(27, 16), (28, 16)]),
        }
    }

    /// The datagrams that report these flows.
    pub(super) fn export(
        &mut self,
        flows: &[Flow],
        now_ms: u64,
    ) -> Result<Vec<Vec<u8>>, EncodeError> {
        let definitions: &[&Template] = if self.process.refresh(now_ms) {
            &[&self.v4, &self.v6]
        } else {
            &[]
        };
        let mut records = Vec::new();
        for flow in flows {
            let template = if flow.src.is_ipv4() {
                &self.v4
            } else {
                &self.v6
            };
            records.push(numbers(template, |element| {
                number(&self.process, flow, element)
            })?);
        }
        self.process.datagrams(definitions, &records, now_ms)
    }
}

fn number(process: &Process, flow: &Flow, element: ElementId) -> u128 {
    match element.id {
        21 => process.uptime(flow.end_ms).into(),
        22 => process.uptime(flow.start_ms).into(),
        10 => {
            if flow.outbound {
                LAN
            } else {
                WAN
            }
        }
        14 => {
            if flow.outbound {
                WAN
            } else {
                LAN
            }
        }
        _ => common(flow, element),
    }
}

/// Elements that mean the same everywhere; 0 for all others.
pub(super) fn common(flow: &Flow, element: ElementId) -> u128 {
    match element.id {
        1 => flow.octets.into(),
        2 => flow.packets.into(),
        4 => flow.protocol.into(),
        5 => flow.tos.into(),
        6 => flow.tcp_flags.into(),
        7 => flow.src_port.into(),
        8 | 27 => address(flow.src),
        11 => flow.dst_port.into(),
        12 | 28 => address(flow.dst),
        16 if !flow.outbound => flow.remote_as.into(),
        17 if flow.outbound => flow.remote_as.into(),
        136 => flow.end_reason.into(),
        152 => flow.start_ms.into(),
        153 => flow.end_ms.into(),
        _ => 0,
    }
}

pub(super) fn address(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}
