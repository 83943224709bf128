//! Data Records, laid out as routers lay them out: twenty fields.

use zerocopy::Immutable;
use zerocopy::IntoBytes;
use zerocopy::Unaligned;
use zerocopy::big_endian::U16;
use zerocopy::big_endian::U32;
use zerocopy::big_endian::U64;

use crate::cli::process::template;
use crate::cli::random::Random;
use crate::cli::random::mixed;
use crate::element::ElementId;
use crate::wire::Template;
use crate::wire::Version;
use crate::wire::v5;

/// Distinct flows at most: so many have an address and a port of their own.
pub(super) const FLOWS_MAX: u32 = 1 << 24;

/// What records of a [`Load`](super::Load) look like: of v5 its fixed format, of others
/// twenty fields as routers send them.
pub fn template_of(version: Version) -> Template {
    let (start, end) = match version {
        Version::V5 => return v5::template(),
        Version::V9 => ((22, 4), (21, 4)),
        Version::Ipfix => ((152, 8), (153, 8)),
    };
    // The fields of `Record`.
    let fields = [
        (8, 4),
        (12, 4),
        (7, 2),
        (11, 2),
        (4, 1),
        (5, 1),
        (6, 1),
        (10, 4),
        (14, 4),
        (1, 4),
        (2, 4),
        start,
        end,
        (15, 4),
        (16, 2),
        (17, 2),
        (9, 1),
        (13, 1),
        (61, 1),
        (58, 2),
    ];
    let fields = fields.map(|(id, length)| (ElementId::iana(id), length));
    template(version, TEMPLATE, 0, &fields)
}

/// A record of v9, with times since boot, or of IPFIX, with times since 1970.
#[derive(Immutable, IntoBytes, Unaligned)]
#[repr(C)]
pub(super) struct Record<T> {
    source: U32,
    destination: U32,
    source_port: U16,
    destination_port: U16,
    protocol: u8,
    tos: u8,
    flags: u8,
    input: U32,
    output: U32,
    octets: U32,
    packets: U32,
    start: T,
    end: T,
    next_hop: U32,
    source_as: U16,
    destination_as: U16,
    source_mask: u8,
    destination_mask: u8,
    direction: u8,
    vlan: U16,
}

/// A record of v5. P-011.
#[derive(Immutable, IntoBytes, Unaligned)]
#[repr(C)]
pub(super) struct V5Record {
    source: U32,
    destination: U32,
    next_hop: U32,
    input: U16,
    output: U16,
    packets: U32,
    octets: U32,
    start: U32,
    end: U32,
    source_port: U16,
    destination_port: U16,
    padding: u8,
    flags: u8,
    protocol: u8,
    tos: u8,
    source_as: U16,
    destination_as: U16,
    source_mask: u8,
    destination_mask: u8,
    padding_at_end: U16,
}

/// What stays the same of a flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    source: u32,
    source_port: u16,
    destination: u32,
    service: Service,
    input: u16,
    output: u16,
    next_hop: u32,
    source_as: u16,
    destination_as: u16,
    vlan: u16,
}

/// What a server listens on, and how it marks its packets.
#[derive(Clone, Copy, Debug)]
struct Service {
    port: u16,
    protocol: u8,
    tos: u8,
    flags: u8,
}

impl Flow {
    /// The flow of this number, below [`FLOWS_MAX`]; the seed decides what it is.
    ///
    /// Clients are of 10.0.0.0/16, each with many ports; servers
    /// of the network for benchmarks, RFC 2544.
    pub(super) fn new(number: u32, seed: u64) -> Self {
        // Multiplied by an odd number, no two are the same modulo 2^24.
        let own = number.wrapping_mul(SPREAD) & (FLOWS_MAX - 1);
        let [low, ..] = own.to_le_bytes();
        let [a, b, c, d, e, f, g, h] = mixed(u64::from(number) ^ seed).to_be_bytes();
        let service = SERVICES.get(usize::from(e >> 4)).copied();
        let service = service.unwrap_or(SERVICES[0]);
        Self {
            source: u32::from_be_bytes([10, 0, 0, 0]) | own >> 8,
            // 256 × 252 ports from 1024 on: which of 252 is left to chance.
            source_port: 1_024 + u16::from(low) * 252 + ((u16::from(a) * 252) >> 8),
            destination: SERVERS | u32::from_be_bytes([a, b, c, d]) & 0x0001_ffff,
            service,
            input: 1 + u16::from(f & 0x0f),
            output: 17 + u16::from(f >> 4),
            next_hop: u32::from_be_bytes([192, 0, 2, 1 + (b >> 5)]),
            source_as: 64_512 + u16::from(g & 0x3f),
            destination_as: 1_000 + u16::from_be_bytes([b >> 4, h]),
            vlan: 100 + u16::from(h & 0x07),
        }
    }
}

const fn tcp(port: u16) -> Service {
    Service {
        port,
        protocol: 6,
        tos: 0,
        // PSH and ACK: the connection goes on.
        flags: 0x18,
    }
}

const fn udp(port: u16, tos: u8) -> Service {
    Service {
        port,
        protocol: 17,
        tos,
        flags: 0,
    }
}

/// Each has a sixteenth of all flows. A table, as chance cannot be predicted.
const SERVICES: [Service; 16] = [
    tcp(443),
    tcp(443),
    tcp(443),
    tcp(443),
    tcp(443),
    tcp(443),
    tcp(443),
    udp(443, 0),
    udp(443, 0),
    udp(53, 0),
    udp(53, 0),
    tcp(80),
    tcp(22),
    tcp(3_306),
    udp(123, 0),
    udp(5_004, 0xb8),
];

/// What was metered of a flow since its last record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metered {
    pub(super) octets: u32,
    pub(super) packets: u32,
    /// Milliseconds before its export.
    start_ms: u32,
    /// Milliseconds before its export.
    end_ms: u32,
}

impl Metered {
    /// 1 to 255 packets, few more often, of 64 to 1500 octets, within the last minute or so.
    pub(super) fn new(random: &mut Random) -> Self {
        let [a, b, c, d, gap, ago, ..] = random.bits().to_be_bytes();
        let packets = 1 + ((u32::from(a) * u32::from(b)) >> 8);
        let size = 64 + ((u32::from(u16::from_be_bytes([c, d])) * 1_437) >> 16);
        let end_ms = u32::from(ago) * 4;
        Self {
            octets: packets * size,
            packets,
            start_ms: end_ms + (packets - 1) * u32::from(gap),
            end_ms,
        }
    }
}

/// A record of v5.
pub(super) fn v5_record(flow: &Flow, metered: &Metered, uptime_ms: u32) -> V5Record {
    V5Record {
        source: flow.source.into(),
        destination: flow.destination.into(),
        next_hop: flow.next_hop.into(),
        input: flow.input.into(),
        output: flow.output.into(),
        packets: metered.packets.into(),
        octets: metered.octets.into(),
        start: uptime_ms.wrapping_sub(metered.start_ms).into(),
        end: uptime_ms.wrapping_sub(metered.end_ms).into(),
        source_port: flow.source_port.into(),
        destination_port: flow.service.port.into(),
        padding: 0,
        flags: flow.service.flags,
        protocol: flow.service.protocol,
        tos: flow.service.tos,
        source_as: flow.source_as.into(),
        destination_as: flow.destination_as.into(),
        source_mask: SOURCE_MASK,
        destination_mask: DESTINATION_MASK,
        padding_at_end: U16::ZERO,
    }
}

/// A record of v9.
pub(super) fn v9_record(flow: &Flow, metered: &Metered, uptime_ms: u32) -> Record<U32> {
    let start = uptime_ms.wrapping_sub(metered.start_ms);
    let end = uptime_ms.wrapping_sub(metered.end_ms);
    record(flow, metered, start.into(), end.into())
}

/// A record of IPFIX.
pub(super) fn ipfix_record(flow: &Flow, metered: &Metered, now_ms: u64) -> Record<U64> {
    let start = now_ms.saturating_sub(metered.start_ms.into());
    let end = now_ms.saturating_sub(metered.end_ms.into());
    record(flow, metered, start.into(), end.into())
}

fn record<T>(flow: &Flow, metered: &Metered, start: T, end: T) -> Record<T> {
    Record {
        source: flow.source.into(),
        destination: flow.destination.into(),
        source_port: flow.source_port.into(),
        destination_port: flow.service.port.into(),
        protocol: flow.service.protocol,
        tos: flow.service.tos,
        flags: flow.service.flags,
        input: u32::from(flow.input).into(),
        output: u32::from(flow.output).into(),
        octets: metered.octets.into(),
        packets: metered.packets.into(),
        start,
        end,
        next_hop: flow.next_hop.into(),
        source_as: flow.source_as.into(),
        destination_as: flow.destination_as.into(),
        source_mask: SOURCE_MASK,
        destination_mask: DESTINATION_MASK,
        direction: 0,
        vlan: flow.vlan.into(),
    }
}

/// Id of the one Template.
const TEMPLATE: u16 = 256;
/// Odd, and about 2^24 divided by the golden ratio: neighbours are far apart.
const SPREAD: u32 = 0x009e_3779;
/// 198.18.0.0/15.
const SERVERS: u32 = 0xc612_0000;
const SOURCE_MASK: u8 = 16;
const DESTINATION_MASK: u8 = 24;
