//! The fixed data set: flows of two exporters and logs of a client, whose times
//! follow the begin of an hour that is past.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use serde::Deserialize;

use crate::support::Daemon;

const FLOWS: &str = include_str!("flows.txt");
const LOGS: &str = include_str!("logs.jsonl");

/// One flow: cells by the names of their columns, without those that are `-`.
pub(super) struct Flow(BTreeMap<&'static str, &'static str>);

impl Flow {
    fn text(&self, name: &str) -> Option<&'static str> {
        self.0.get(name).copied()
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).map_or(0, |text| text.parse().unwrap())
    }

    fn address(&self, name: &str) -> IpAddr {
        self.text(name).unwrap().parse().unwrap()
    }

    /// Milliseconds after the begin of the hour.
    fn ms(&self, name: &str) -> u32 {
        self.text(name).unwrap().replace('.', "").parse().unwrap()
    }

    fn is_of(&self, exporter: &str) -> bool {
        self.text("exporter") == Some(exporter)
    }
}

/// All flows, in the order of their numbers.
pub(super) fn flows() -> Vec<Flow> {
    let mut lines = FLOWS.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    let flow = |line: &'static str| {
        let cells = names.iter().copied().zip(line.split_whitespace());
        Flow(cells.filter(|(_, cell)| *cell != "-").collect())
    };
    lines.map(flow).collect()
}

/// One log, and what its log group says of it.
#[derive(Deserialize)]
pub(super) struct Log {
    /// Seconds after the begin of the hour.
    pub(super) at: u32,
    pub(super) topic: String,
    pub(super) source: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) fields: BTreeMap<String, String>,
}

/// All logs, in the order of their numbers.
pub(super) fn logs() -> Vec<Log> {
    let logs = LOGS.lines().map(serde_json::from_str);
    logs.collect::<Result<_, _>>().unwrap()
}

/// Sends flows, each as its exporter does, in datagrams of at most twenty.
pub(super) fn export(daemon: &Daemon, flows: &[Flow], begin_s: u64) {
    for (name, host, write) in [("a", 81, v5 as Write), ("b", 82, ipfix as Write)] {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, host), 0)).unwrap();
        let own: Vec<_> = flows.iter().filter(|flow| flow.is_of(name)).collect();
        let mut sequence = 0;
        for some in own.chunks(20) {
            let datagram = write(some, begin_s, sequence);
            sequence += u32::try_from(some.len()).unwrap();
            let to = (Ipv4Addr::LOCALHOST, daemon.port);
            socket.send_to(&datagram, to).unwrap();
        }
    }
}

/// Writes flows as one datagram, given the begin of the hour and the flows sent
/// before.
type Write = fn(&[&Flow], u64, u32) -> Vec<u8>;

/// When all is exported, seconds after the begin of the hour.
const EXPORT_S: u64 = 3600;

fn v5(flows: &[&Flow], begin_s: u64, sequence: u32) -> Vec<u8> {
    // The exporter was booted as the hour began.
    let mut datagram = Vec::new();
    put(&mut datagram, 2, 5);
    put(&mut datagram, 2, flows.len() as u64);
    put(&mut datagram, 4, EXPORT_S * 1000);
    put(&mut datagram, 4, begin_s + EXPORT_S);
    put(&mut datagram, 4, 0);
    put(&mut datagram, 4, u64::from(sequence));
    put(&mut datagram, 4, 0);
    for flow in flows {
        put_address(&mut datagram, flow.address("srcaddr"));
        put_address(&mut datagram, flow.address("dstaddr"));
        put(&mut datagram, 4, 0);
        for (name, width) in [("id", 2), ("none", 2), ("packets", 4), ("bytes", 4)] {
            put(&mut datagram, width, flow.number(name));
        }
        put(&mut datagram, 4, u64::from(flow.ms("start")));
        put(&mut datagram, 4, u64::from(flow.ms("end")));
        for (name, width) in [
            ("srcport", 2),
            ("dstport", 2),
            ("none", 1),
            ("flags", 1),
            ("protocol", 1),
            ("tos", 1),
            ("srcas", 2),
            ("dstas", 2),
            ("none", 4),
        ] {
            put(&mut datagram, width, flow.number(name));
        }
    }
    datagram
}

/// Columns, Information Elements and their octets. What is dstport of ICMP is
/// icmpTypeCodeIPv4.
const ELEMENTS: [(&str, u16, u16); 10] = [
    ("srcport", 7, 2),
    ("dstport", 11, 2),
    ("protocol", 4, 1),
    ("packets", 2, 8),
    ("bytes", 1, 8),
    ("flags", 6, 1),
    ("tos", 5, 1),
    ("id", 10, 4),
    ("vlan", 58, 2),
    ("dstport", 32, 2),
];

/// A Template for each combination of fields, ahead of its first record.
fn ipfix(flows: &[&Flow], begin_s: u64, sequence: u32) -> Vec<u8> {
    let mut sets = Vec::new();
    for flow in flows {
        let is_icmp = flow.number("protocol") == 1;
        let is_there = |element: &&(&str, u16, u16)| match element.1 {
            11 => !is_icmp && flow.text("dstport").is_some(),
            32 => is_icmp,
            _ => flow.text(element.0).is_some(),
        };
        let elements: Vec<_> = ELEMENTS.iter().filter(is_there).collect();
        let (source, destination) = (flow.address("srcaddr"), flow.address("dstaddr"));
        let (addresses, width) = match source {
            IpAddr::V4(_) => ([8, 12], 4),
            IpAddr::V6(_) => ([27, 28], 16),
        };
        let mut template = Vec::new();
        put(&mut template, 2, 256);
        put(&mut template, 2, elements.len() as u64 + 4);
        let times = [(152, 8), (153, 8)];
        let fixed = addresses.map(|id| (id, width)).into_iter().chain(times);
        let others = elements.iter().map(|(_, id, width)| (*id, *width));
        for (id, width) in fixed.chain(others) {
            put(&mut template, 2, u64::from(id));
            put(&mut template, 2, u64::from(width));
        }
        let mut record = Vec::new();
        put_address(&mut record, source);
        put_address(&mut record, destination);
        for name in ["start", "end"] {
            put(&mut record, 8, begin_s * 1000 + u64::from(flow.ms(name)));
        }
        for (name, _, width) in elements {
            put(&mut record, usize::from(*width), flow.number(name));
        }
        for (id, body) in [(2, template), (256, record)] {
            put(&mut sets, 2, id);
            put(&mut sets, 2, body.len() as u64 + 4);
            sets.extend(body);
        }
    }
    let mut datagram = Vec::new();
    put(&mut datagram, 2, 10);
    put(&mut datagram, 2, sets.len() as u64 + 16);
    put(&mut datagram, 4, begin_s + EXPORT_S);
    put(&mut datagram, 4, u64::from(sequence));
    put(&mut datagram, 4, 7);
    datagram.extend(sets);
    datagram
}

/// The last `width` octets of a number.
fn put(octets: &mut Vec<u8>, width: usize, number: u64) {
    octets.extend(&number.to_be_bytes()[8 - width..]);
}

fn put_address(octets: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => octets.extend(address.octets()),
        IpAddr::V6(address) => octets.extend(address.octets()),
    }
}
