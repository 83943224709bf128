//! What a row costs on its way into a part, and a question about many rows.

#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::hint::black_box;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use criterion::BatchSize;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use flowlogd::flow::FlowBatch;
use flowlogd::flow::FlowRecord;
use flowlogd::flow::Presence;
use flowlogd::flowlog::Definition;
use flowlogd::flowlog::FlowLog;
use flowlogd::flowlog::RoutingTable;
use flowlogd::flowlog::Unclaimed;
use flowlogd::flowlog::Verdict;
use flowlogd::logstore::Log;
use flowlogd::logstore::LogStore;
use flowlogd::logstore::Logs;
use flowlogd::logstore::Query;
use flowlogd::logstore::Settings;

/// Rows of one batch, as a lane hands it over.
const BATCH: u64 = 16_384;
/// Logs of one group.
const LOGS: usize = 1_000;
/// 2026-11-21T04:00:00Z.
const NOW: u64 = 1_795_233_600_000;

fn exporter() -> IpAddr {
    Ipv4Addr::new(198, 51, 100, 1).into()
}

fn table() -> RoutingTable {
    let definition = Definition {
        flow_logs: vec![FlowLog::new("all", "bench", "flows")],
        unclaimed: Unclaimed::Take("all".to_owned()),
        ..Definition::default()
    };
    RoutingTable::compile(&definition, None).unwrap()
}

/// Rows of a branch: 4000 hosts that talk to 60 000, mostly on few ports.
fn batch(table: &RoutingTable, mut seed: u64) -> FlowBatch {
    let Verdict::Routes([route]) = table.verdict(exporter(), 0) else {
        unreachable!("the default flow log takes every exporter");
    };
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let address = |host: u64| {
        let host = u32::try_from(host).unwrap_or(0);
        Ipv4Addr::from(0x0a00_0000 + host).to_ipv6_mapped().octets()
    };
    let mut batch = FlowBatch::default();
    for _ in 0..BATCH {
        let packets = 1 + random(200);
        let mut record = FlowRecord {
            octets: packets * (60 + random(1_400)),
            packets,
            start_ms: NOW - random(300_000),
            end_ms: NOW - random(1_000),
            flows: 1,
            records: 1,
            tcp_flags: 0x1b,
            ..FlowRecord::default()
        };
        record.key.route = route.0;
        record.key.present = Presence::all();
        record.key.src = address(random(4_000));
        record.key.dst = address(100_000 + random(60_000));
        record.key.src_port = u16::try_from(1024 + random(60_000)).unwrap_or(0);
        let ports = [443, 443, 53, 80, 22, 8443].into_iter();
        record.key.dst_port = ports
            .cycle()
            .nth(usize::try_from(random(6)).unwrap())
            .unwrap();
        record.key.protocol = if record.key.dst_port == 53 { 17 } else { 6 };
        record.key.in_if = 1;
        record.key.out_if = 2;
        batch.push(&record, None, exporter(), 0);
    }
    batch
}

/// A lane's batch into the logstore of its flow log.
fn append(store: &LogStore, batch: FlowBatch, table: &RoutingTable) {
    let rows = batch.into_arrow(table).unwrap();
    let taken = store.append_rows("bench", "flows", &rows, store.next_seq(), NOW);
    black_box(taken).unwrap();
}

fn write(criterion: &mut Criterion) {
    let table = table();
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path());
    settings.tail_bytes = u64::MAX / 4;
    let store = LogStore::open(settings).unwrap();
    let mut group = criterion.benchmark_group("write");
    group.throughput(Throughput::Elements(BATCH));
    let mut seed = 0;
    let mut next = || {
        seed += 1;
        batch(&table, seed)
    };
    group.bench_function("into the tail", |bencher| {
        bencher.iter_batched(
            &mut next,
            |rows| append(&store, rows, &table),
            BatchSize::LargeInput,
        );
    });
    store.flush().unwrap();
    group.bench_function("into the tail and a part", |bencher| {
        let one = |rows| {
            append(&store, rows, &table);
            store.flush().unwrap();
        };
        bencher.iter_batched(&mut next, one, BatchSize::LargeInput);
    });
    group.finish();
}

/// Logs of a service, ten fields each, of which one has a column of its own.
fn logs() -> Logs {
    let log = |number: usize| {
        let field = |name: &str, value: String| (name.to_owned(), value.into_bytes());
        let other = |place: usize| field(&format!("field{place}"), format!("value {number}"));
        let mut fields: Vec<_> = (0..9).map(other).collect();
        fields.push(field("bytes", number.to_string()));
        Log {
            time_s: i64::try_from(NOW / 1000).unwrap(),
            time_ns: None,
            fields,
        }
    };
    Logs {
        topic: "app".to_owned(),
        source: "192.0.2.1".to_owned(),
        tags: vec![("host".to_owned(), "web".to_owned())],
        logs: (0..LOGS).map(log).collect(),
    }
}

fn write_logs(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let logs = logs();
    let mut group = criterion.benchmark_group("write");
    group.throughput(Throughput::Elements(LOGS as u64));
    group.bench_function("logs, the tail made parts when it is full", |bencher| {
        bencher.iter(|| store.append_logs("bench", "logs", &logs, store.next_seq(), NOW));
    });
    group.finish();
}

fn ask(criterion: &mut Criterion) {
    const ROWS: u64 = 64 * BATCH;
    let table = table();
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    for seed in 0..64 {
        append(&store, batch(&table, seed), &table);
    }
    store.flush().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut group = criterion.benchmark_group("ask");
    group.sample_size(10);
    group.throughput(Throughput::Elements(ROWS));
    for (name, sql) in [
        ("count", "SELECT count(*) FROM flows"),
        (
            "top 10 sources",
            "SELECT srcaddr, sum(bytes) FROM flows GROUP BY srcaddr ORDER BY 2 DESC LIMIT 10",
        ),
        (
            "one port, large",
            "SELECT count(*) FROM flows WHERE dstport = 22 AND bytes > 250000",
        ),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(store.query(Query::new(sql))).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, write, write_logs, ask);
criterion_main!(benches);
