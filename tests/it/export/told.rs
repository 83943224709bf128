//! Flows as programs tell them, one by one, with their times.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::support::PROGRAM;
use crate::traffic::write_datagrams;

/// What every version and program can tell of a flow.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Flow {
    /// Source and destination; `0.0.0.0` without one.
    pub(super) hosts: [IpAddr; 2],
    /// Of ICMP 0, and type and code.
    pub(super) ports: [u16; 2],
    pub(super) protocol: u8,
    /// First and last packet, ms since 1970; 0 where it is not told.
    pub(super) times: [u64; 2],
    pub(super) packets: u64,
    pub(super) octets: u64,
}

/// A flow in a message of ours.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) flow: Flow,
    /// The time of its message, ms since 1970: in v5 exact, else in seconds.
    pub(super) message_ms: u64,
    /// Of how many packets one is metered, where its message says so (v5).
    pub(super) rate: u64,
}

/// Flows in messages, as `flowlogd decode` reads them.
pub(super) fn sent(messages: &[Vec<u8>]) -> Vec<Sent> {
    let lines = decode(messages);
    let of_each = lines.iter().zip(messages);
    of_each
        .flat_map(|(line, message)| of_message(line, message))
        .collect()
}

/// How many messages have records of options.
pub(super) fn with_options(messages: &[Vec<u8>]) -> u64 {
    let lines = decode(messages);
    let with_options = lines.iter().filter(|line| {
        let mut records = line["records"].as_array().unwrap().iter();
        records.any(|record| record["kind"] == OPTIONS)
    });
    u64::try_from(with_options.count()).unwrap()
}

const OPTIONS: &str = "options-data";

/// A line of `flowlogd decode` for each message, none of which has errors.
fn decode(messages: &[Vec<u8>]) -> Vec<Value> {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("sent.pcap");
    write_datagrams(&file, 9995, messages);
    let output = Command::new(PROGRAM).arg("decode").arg(&file).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    assert!(lines.iter().all(|line| errors(line) == 0));
    assert_eq!(lines.len(), messages.len());
    lines
}

fn errors(line: &Value) -> usize {
    line["errors"].as_array().unwrap().len()
}

fn of_message(line: &Value, message: &[u8]) -> Vec<Sent> {
    let word = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().unwrap());
    let is_v5 = line["version"] == 5;
    let nanos = if is_v5 { word(12) } else { 0 };
    let seconds = line["export_time"].as_u64().unwrap();
    let message_ms = seconds * 1000 + u64::from(nanos) / 1_000_000;
    let uptime = line["sys_uptime"].as_u64();
    let rate = match line["sampling"].as_u64().unwrap_or(0) & 0x3fff {
        0 => 1,
        interval => interval,
    };
    let records = line["records"].as_array().unwrap().iter();
    let data = records.filter(|record| record["kind"] != OPTIONS);
    data.map(|record| {
        let fields = record["fields"].as_object().unwrap();
        let since_boot = |name: &str| {
            let then = fields.get(name)?.as_u64()?;
            Some(since_boot(then, uptime?, message_ms))
        };
        let times = ["Start", "End"].map(|end| {
            let milliseconds = number(fields, &[&format!("flow{end}Milliseconds")]);
            let seconds = number(fields, &[&format!("flow{end}Seconds")]);
            let absolute = milliseconds.or_else(|| seconds.map(|seconds| seconds * 1000));
            absolute.or_else(|| since_boot(&format!("flow{end}SysUpTime")))
        });
        Sent {
            flow: of_fields(fields, times.map(Option::unwrap_or_default)),
            message_ms,
            rate,
        }
    })
    .collect()
}

/// The time of an uptime, given that and the time of a header: uptimes are
/// modulo 2^32, and within 2^31 ms of the header's.
pub(super) fn since_boot(then: u64, uptime: u64, message_ms: u64) -> u64 {
    let ago = (uptime + (1 << 31)).wrapping_sub(then) % (1 << 32);
    message_ms + (1 << 31) - ago
}

fn of_fields(fields: &Map<String, Value>, times: [u64; 2]) -> Flow {
    let number = |names: &[&str]| number(fields, names).unwrap_or(0);
    let protocol = number(&["protocolIdentifier"]);
    let destination = "destinationTransportPort";
    let ports = match protocol {
        1 | 58 => [
            0,
            number(&["icmpTypeCodeIPv4", "icmpTypeCodeIPv6", destination]),
        ],
        _ => [number(&["sourceTransportPort"]), number(&[destination])],
    };
    let host = |end: &str| {
        let names = ["4", "6"].map(|family| format!("{end}IPv{family}Address"));
        let mut told = names.iter().filter_map(|name| fields.get(name)?.as_str());
        host(told.next())
    };
    Flow {
        hosts: [host("source"), host("destination")],
        ports: ports.map(|port| u16::try_from(port).unwrap()),
        protocol: u8::try_from(protocol).unwrap(),
        times,
        packets: number(&["packetDeltaCount", "packetTotalCount", "initiatorPackets"]),
        octets: number(&["octetDeltaCount", "octetTotalCount", "initiatorOctets"]),
    }
}

/// The first of these numbers that is there.
fn number(fields: &Map<String, Value>, names: &[&str]) -> Option<u64> {
    names.iter().find_map(|name| fields.get(*name)?.as_u64())
}

fn host(text: Option<&str>) -> IpAddr {
    let address = text.map(|text| text.parse::<IpAddr>().unwrap());
    let told = address.filter(|address| !address.is_unspecified());
    told.unwrap_or_else(|| Ipv4Addr::UNSPECIFIED.into())
}

/// A flow as nfdump prints it in JSON.
pub(super) fn by_nfdump(printed: &Value) -> Flow {
    let number = |name: &str| printed.get(name).and_then(Value::as_u64).unwrap_or(0);
    let host = |end: &str| {
        let of = |family: u8| printed.get(format!("{end}{family}_addr"))?.as_str();
        host(of(4).or_else(|| of(6)))
    };
    let protocol = number("proto");
    let ports = match protocol {
        1 | 58 => [0, number("icmp_type") << 8 | number("icmp_code")],
        _ => [number("src_port"), number("dst_port")],
    };
    let time = |name: &str| {
        printed
            .get(name)
            .and_then(Value::as_str)
            .map_or(0, epoch_ms)
    };
    Flow {
        hosts: [host("src"), host("dst")],
        ports: ports.map(|port| u16::try_from(port).unwrap()),
        protocol: u8::try_from(protocol).unwrap(),
        times: [time("first"), time("last")],
        packets: number("in_packets"),
        octets: number("in_bytes"),
    }
}

/// A time in UTC, ms since 1970.
pub(super) fn epoch_ms(text: &str) -> u64 {
    let time: DateTime = text.parse().unwrap();
    let time = TimeZone::UTC.to_timestamp(time).unwrap();
    u64::try_from(time.as_millisecond()).unwrap()
}

/// In the order of their values.
pub(super) fn sorted(flows: impl IntoIterator<Item = Flow>) -> Vec<Flow> {
    let mut flows: Vec<_> = flows.into_iter().collect();
    flows.sort();
    flows
}
