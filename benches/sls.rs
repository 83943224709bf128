//! What a row costs on its way into the body of a PutLogs request.

#![expect(clippy::print_stdout, reason = "criterion measures time, not octets")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::hint::black_box;
use std::net::Ipv4Addr;

use arrow_array::RecordBatch;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use flowlogd::flow::EndReason;
use flowlogd::flow::FlowBatch;
use flowlogd::flow::FlowKey;
use flowlogd::flow::FlowRecord;
use flowlogd::flow::Names;
use flowlogd::flow::Presence;
use flowlogd::flow::RouteNames;
use flowlogd::flowlog::Naming;
use flowlogd::sink::sls::Batch;
use flowlogd::sink::sls::BatchKey;
use flowlogd::sink::sls::Batcher;
use flowlogd::sink::sls::Compression;
use flowlogd::sink::sls::Compressor;
use flowlogd::sink::sls::FieldChoice;
use flowlogd::sink::sls::FlowRows;
use flowlogd::sink::sls::GroupHeader;
use flowlogd::sink::sls::Limits;
use flowlogd::sink::sls::LogGroupWriter;
use flowlogd::sink::sls::PackIds;
use flowlogd::sink::sls::TimeWindow;

/// Rows of one round, as many as a LogGroup of the official producers has.
const ROWS: u32 = 4096;

/// Seconds since 1970 of all that happens here.
const NOW_S: u64 = 1_767_225_600;

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
fn record(state: &mut u64) -> FlowRecord {
    let end_ms = NOW_S * 1000 - u64::from(random(state) % 60_000);
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

fn rows() -> RecordBatch {
    let mut batch = FlowBatch::default();
    let mut state = 1;
    for _ in 0..ROWS {
        let exporter = Ipv4Addr::new(192, 0, 2, 1).into();
        batch.push(&record(&mut state), None, exporter, 0);
    }
    batch.into_arrow(&Gateway).unwrap()
}

/// The 16 fields of the contract, 3 more, and `flow-id`.
fn twenty_fields() -> LogGroupWriter {
    let extra = ["exporter", "vlan", "direction"];
    let choice = FieldChoice::new(Naming::Sag, extra);
    LogGroupWriter::new(&choice.unwrap_or_default())
}

fn write(writer: &mut LogGroupWriter, batch: &RecordBatch, out: &mut Vec<u8>) {
    let rows = FlowRows {
        batch,
        journal: 0x0123_4567_89ab_cdef,
        first_seq: 1_000_000,
    };
    let (header, window) = (GroupHeader::default(), TimeWindow::around(NOW_S));
    out.clear();
    let written = writer.write(&rows, 0..batch.num_rows(), &header, window, out);
    black_box(written).unwrap();
}

/// Columns to a LogGroup.
fn encode(criterion: &mut Criterion) {
    let (batch, mut writer, mut out) = (rows(), twenty_fields(), Vec::new());
    let mut group = criterion.benchmark_group("sls/encode");
    group.throughput(Throughput::Elements(ROWS.into()));
    group.bench_function("20 fields", |bencher| {
        bencher.iter(|| write(&mut writer, &batch, &mut out));
    });
    println!("{} octets a record", out.len() / ROWS as usize);
    group.bench_function("20 fields, collected", |bencher| {
        let (key, packs) = (BatchKey::default(), PackIds::new(1));
        let mut batcher = Batcher::new(key, Vec::new(), packs, Limits::default());
        let mut full: Vec<Batch> = Vec::new();
        let rows = FlowRows {
            batch: &batch,
            journal: 0x0123_4567_89ab_cdef,
            first_seq: 1_000_000,
        };
        let window = TimeWindow::around(NOW_S);
        bencher.iter(|| {
            full.clear();
            let range = 0..batch.num_rows();
            black_box(batcher.add(&mut writer, &rows, range, window, 0, &mut full))
        });
    });
    group.finish();
}

/// A LogGroup to a body.
fn compress(criterion: &mut Criterion) {
    let (batch, mut writer, mut raw) = (rows(), twenty_fields(), Vec::new());
    write(&mut writer, &batch, &mut raw);
    let mut group = criterion.benchmark_group("sls/compress");
    group.throughput(Throughput::Elements(ROWS.into()));
    for compression in [Compression::Lz4, Compression::Zstd] {
        let name = compression.name().unwrap_or_default();
        let compressor = Compressor::new(compression);
        let mut compressor = compressor.unwrap();
        let mut body = Vec::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(compressor.compress(&raw, &mut body)).is_ok());
        });
        println!("{} octets a record", body.len() / ROWS as usize);
    }
    group.finish();
}

criterion_group!(benches, encode, compress);
criterion_main!(benches);
