//! Rows that differ, the same in every run.

use std::net::Ipv4Addr;

use arrow_array::RecordBatch;
use flowlogd::flow::EndReason;
use flowlogd::flow::FlowBatch;
use flowlogd::flow::FlowKey;
use flowlogd::flow::FlowRecord;
use flowlogd::flow::Names;
use flowlogd::flow::Presence;
use flowlogd::flow::RouteNames;
use flowlogd::flowlog::Naming;
use flowlogd::sink::sls::FieldChoice;

/// Rows of one round, as many as a LogGroup of the official producers has.
pub(crate) const ROWS: u32 = 4096;

struct Gateway;

impl RouteNames for Gateway {
    fn names(&self, _route: u16) -> Names<'_> {
        Names {
            flow_log: "branch",
            instance_id: Some("sag-8vb2xmpl0q1w2e3r4t"),
            snid: Some("sag0a1b2c3d"),
            ali_uid: Some("1234567890123456"),
        }
    }
}

/// Numbers that differ, the same in every run.
fn random(state: &mut u64) -> u32 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    let [.., a, b, c, d] = state.to_be_bytes().map(u32::from);
    (a << 24 | b << 16 | c << 8 | d) ^ u32::try_from(*state >> 40).unwrap_or(0)
}

fn address(network: u8, host: u32) -> [u8; 16] {
    let [_, _, third, fourth] = host.to_be_bytes();
    Ipv4Addr::new(10, network, third, fourth)
        .to_ipv6_mapped()
        .octets()
}

fn port(number: u32) -> u16 {
    u16::try_from(number & 0xffff).unwrap_or(0)
}

/// A flow of one of some thousand clients with one of some hundred servers.
fn record(state: &mut u64, now_s: u64) -> FlowRecord {
    let end_ms = now_s * 1000 - u64::from(random(state) % 60_000);
    FlowRecord {
        key: FlowKey {
            src: address(1, random(state) % 3000),
            dst: address(2, random(state) % 300),
            in_if: random(state) % 24,
            out_if: 1,
            present: Presence::all(),
            src_port: port(random(state) | 0x8000),
            dst_port: 443,
            vlan: port(random(state) % 64),
            protocol: 6,
            tos: 0,
            direction: 0,
            ..FlowKey::default()
        },
        octets: u64::from(random(state) % 1_000_000),
        packets: u64::from(random(state) % 1000),
        start_ms: end_ms - u64::from(random(state) % 30_000),
        end_ms,
        flows: 1,
        records: 1,
        tcp_flags: 27,
        end_reason: EndReason::Idle,
        ..FlowRecord::default()
    }
}

/// [`ROWS`] rows, others for each seed, of flows that ended in the minute
/// before `now_s`.
pub(crate) fn flows(seed: u64, now_s: u64) -> FlowBatch {
    let mut batch = FlowBatch::default();
    let mut state = seed;
    for _ in 0..ROWS {
        let exporter = Ipv4Addr::new(192, 0, 2, 1).into();
        batch.push(&record(&mut state, now_s), None, exporter, 0);
    }
    batch
}

/// [`flows`] as destinations take them.
pub(crate) fn rows(seed: u64, now_s: u64) -> RecordBatch {
    flows(seed, now_s).into_arrow(&Gateway).unwrap()
}

/// The 16 fields of the contract, 3 more, and `flow-id`.
pub(crate) fn twenty_fields() -> FieldChoice {
    let extra = ["exporter", "vlan", "direction"];
    let choice = FieldChoice::new(Naming::Sag, extra);
    choice.unwrap_or_default()
}
