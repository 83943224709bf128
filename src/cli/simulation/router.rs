//! A router: IPFIX with sampling and interface options, and a v5 line card.

use crate::cli::process::Process;
use crate::cli::process::Record;
use crate::cli::process::numbers;
use crate::cli::process::octets;
use crate::cli::process::template;
use crate::cli::simulation::gateway::common;
use crate::cli::simulation::traffic::Flow;
use crate::element::ElementId;
use crate::wire::EncodeError;
use crate::wire::Template;
use crate::wire::Version;
use crate::wire::v5;

/// One packet in so many is metered.
const SAMPLING: u16 = 100;
/// Mode 1, deterministic, in the top two bits of v5's sampling word.
const V5_DETERMINISTIC: u16 = 1 << 14;
const SELECTOR: u128 = 1;
const DOMAIN: u32 = 512;
/// Octets of an interface's name in options.
const NAME_LEN: usize = 16;
const INTERFACES: [(u32, &str); 2] = [(10, "TenGigE0/0/0/1"), (20, "HundredGigE0/1/0")];
/// 10.255.0.1, where outbound traffic goes.
const NEXT_HOP: u128 = 0x0aff_0001;
/// What both address families have: octets, packets, protocol, tos, flags,
/// ports, interfaces, ASes, times, end reason, selector.
const COMMON: [(u16, u16); 15] = [
    (1, 8),
    (2, 8),
    (4, 1),
    (5, 1),
    (6, 2),
    (7, 2),
    (11, 2),
    (10, 4),
    (14, 4),
    (16, 4),
    (17, 4),
    (152, 8),
    (153, 8),
    (136, 1),
    (302, 4),
];

/// The router itself.
#[derive(Debug)]
pub(super) struct Router {
    process: Process,
    v4: Template,
    v6: Template,
    sampling: Template,
    interfaces: Template,
}

impl Router {
    pub(super) fn new(now_ms: u64) -> Self {
        let with = |id, scopes, fields: &[(u16, u16)]| {
            let fields: Vec<_> = fields
                .iter()
                .map(|(id, length)| (ElementId::iana(*id), *length))
                .collect();
            template(Version::Ipfix, id, scopes, &fields)
        };
        Self {
            process: Process::new(Version::Ipfix, DOMAIN, 0, now_ms),
            v4: with(256, 0, &[&[(8, 4), (12, 4), (15, 4)], &COMMON[..]].concat()),
            v6: with(257, 0, &[&[(27, 16), (28, 16)], &COMMON[..]].concat()),
            // selectorId; selectorAlgorithm, samplingPacketInterval, samplingPacketSpace.
            sampling: with(258, 1, &[(302, 4), (304, 2), (305, 4), (306, 4)]),
            // ingressInterface; interfaceName.
            interfaces: with(259, 1, &[(10, 4), (82, 16)]),
        }
    }

    /// The datagrams that report these flows.
    pub(super) fn export(
        &mut self,
        flows: &[Flow],
        now_ms: u64,
    ) -> Result<Vec<Vec<u8>>, EncodeError> {
        let is_due = self.process.refresh(now_ms);
        let definitions: &[&Template] = if is_due {
            &[&self.v4, &self.v6, &self.sampling, &self.interfaces]
        } else {
            &[]
        };
        let mut records = Vec::new();
        if is_due {
            records = options(&self.sampling, &self.interfaces)?;
        }
        for flow in flows {
            let template = if flow.src.is_ipv4() {
                &self.v4
            } else {
                &self.v6
            };
            records.push(numbers(template, |element| sampled(flow, element))?);
        }
        self.process.datagrams(definitions, &records, now_ms)
    }
}

/// How the router samples, and what its interfaces are called.
fn options<'t>(
    sampling: &'t Template,
    interfaces: &'t Template,
) -> Result<Vec<Record<'t>>, EncodeError> {
    let mut records = vec![numbers(sampling, |element| match element.id {
        // Systematic count-based sampling. RFC 5477 §8.2.2.
        302 => SELECTOR,
        304 | 305 => 1,
        _ => u128::from(SAMPLING - 1),
    })?];
    for (index, name) in INTERFACES {
        let mut padded = name.as_bytes().to_vec();
        padded.resize(NAME_LEN, 0);
        records.push(octets(interfaces, &[index.to_be_bytes().to_vec(), padded])?);
    }
    Ok(records)
}

/// What is metered of a flow when one packet in [`SAMPLING`] is.
fn sampled(flow: &Flow, element: ElementId) -> u128 {
    match element.id {
        1 => u128::from(metered(flow.octets)),
        2 => u128::from(metered(flow.packets)),
        302 => SELECTOR,
        _ => routed(flow, element),
    }
}

fn metered(count: u64) -> u64 {
    (count / u64::from(SAMPLING)).max(1)
}

fn routed(flow: &Flow, element: ElementId) -> u128 {
    let [(inside, _), (outside, _)] = INTERFACES;
    match element.id {
        10 => if flow.outbound { inside } else { outside }.into(),
        14 => if flow.outbound { outside } else { inside }.into(),
        15 if flow.outbound => NEXT_HOP,
        _ => common(flow, element),
    }
}

/// An old line card of the router, with a process of its own.
#[derive(Debug)]
pub(super) struct LineCard {
    process: Process,
    template: Template,
}

impl LineCard {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            process: Process::new(Version::V5, 1, V5_DETERMINISTIC | SAMPLING, now_ms),
            template: v5::template(),
        }
    }

    /// The datagrams that report these flows; v5 knows IPv4 only.
    pub(super) fn export(
        &mut self,
        flows: &[Flow],
        now_ms: u64,
    ) -> Result<Vec<Vec<u8>>, EncodeError> {
        let mut records = Vec::new();
        for flow in flows.iter().filter(|flow| flow.src.is_ipv4()) {
            records.push(numbers(&self.template, |element| match element.id {
                21 => self.process.uptime(flow.end_ms).into(),
                22 => self.process.uptime(flow.start_ms).into(),
                9 | 13 => 24,
                _ => sampled(flow, element),
            })?);
        }
        self.process.datagrams(&[], &records, now_ms)
    }
}
