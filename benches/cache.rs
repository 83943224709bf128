//! What one update of the flow cache costs, and what one live flow weighs.

#![expect(clippy::print_stdout, reason = "criterion measures time, not memory")]

use std::fs;
use std::hint::black_box;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use flowlogd::cache::Cache;
use flowlogd::cache::CacheType;
use flowlogd::cache::FlowNames;
use flowlogd::cache::Inactive;
use flowlogd::cache::Outlet;
use flowlogd::cache::Queue;
use flowlogd::cache::RouteName;
use flowlogd::cache::RouteTimers;
use flowlogd::cache::Settings;
use flowlogd::cache::Timers;
use flowlogd::cache::Walk;
use flowlogd::flow::Detail;
use flowlogd::flow::FlowRecord;
use flowlogd::session::SourceId;

/// Updates in one measured round.
const ROUND: u64 = 65_536;

/// Drops what it takes.
struct Nowhere;

impl Outlet for Nowhere {
    fn take(&mut self, record: &FlowRecord, _detail: Option<&Detail>, _serial: u64) {
        black_box(record);
    }

    fn is_full(&self) -> bool {
        false
    }
}

/// A cache whose flows stay.
fn cache(flows: u32) -> Cache {
    let mut cache = Cache::new(Settings {
        max_flows: (flows + flows / 4) as usize,
        ..Settings::default()
    });
    let timers = Timers {
        active_ms: 0,
        inactive: Inactive::Fixed(600_000),
    };
    cache.set_route(
        0,
        RouteTimers {
            timers,
            kind: CacheType::Timeout,
        },
    );
    cache
}

/// The record of one flow, as an exporter reports it again and again.
fn record(flow: u64) -> FlowRecord {
    let mut record = FlowRecord {
        octets: 1_000,
        packets: 3,
        start_ms: 1_000,
        end_ms: 1_500,
        ..FlowRecord::default()
    };
    let [.., a, b, c, d] = flow.to_be_bytes();
    record.key.src[12..].copy_from_slice(&[10, b, c, d]);
    record.key.dst[12..].copy_from_slice(&[192, 0, 2, a]);
    record.key.protocol = 6;
    record.key.dst_port = 443;
    record
}

/// A fixed sequence of numbers without a pattern. Steele's SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cache/update");
    group.throughput(Throughput::Elements(ROUND));
    for flows in [1_000_u32, 100_000, 1_000_000] {
        let before = resident_kib();
        let mut cache = cache(flows);
        for flow in 0..flows {
            cache.insert(0, &record(flow.into()), None, &mut Nowhere);
        }
        let octets = (resident_kib() - before) * 1_024;
        println!(
            "{flows} live flows: {} octets of RSS each",
            octets / u64::from(flows)
        );
        let (mut state, mut now_ms) = (1, 1);
        group.bench_function(format!("{flows} live, one by one"), |bencher| {
            bencher.iter(|| {
                for _ in 0..ROUND {
                    let flow = random(&mut state) % u64::from(flows);
                    cache.insert(now_ms, &record(flow), None, &mut Nowhere);
                }
                now_ms += 1;
            });
        });
        let mut queue = Queue::default();
        group.bench_function(format!("{flows} live, in batches"), |bencher| {
            bencher.iter(|| {
                for _ in 0..ROUND / 32 {
                    queue.clear();
                    for _ in 0..32 {
                        queue.push(0, &record(random(&mut state) % u64::from(flows)), None);
                    }
                    cache.insert_batch(now_ms, &queue, &mut Nowhere);
                }
                now_ms += 1;
            });
        });
    }
    group.finish();
}

/// A flow's whole way: begun, due, gone.
fn turnover(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cache/turnover");
    group.throughput(Throughput::Elements(ROUND));
    let mut cache = cache(1_000_000);
    let (mut flow, mut now_ms) = (0, 0);
    // A million of them are live at any time.
    let step_ms = 600_000 * ROUND / 1_000_000;
    group.bench_function("1000000 live", |bencher| {
        bencher.iter(|| {
            for _ in 0..ROUND {
                flow += 1;
                cache.insert(now_ms, &record(flow), None, &mut Nowhere);
            }
            now_ms += step_ms;
            cache.tick(now_ms, &mut Nowhere);
        });
    });
    group.finish();
}

/// Names as they are in a daemon.
struct Named;

impl FlowNames for Named {
    fn route(&self, _route: u16) -> Option<RouteName<'_>> {
        Some(RouteName {
            flow_log: "branch",
            instance_id: Some("sag-8vb2xmpl0q1w2e3r4t"),
        })
    }

    fn source(&self, source: SourceId) -> Option<(IpAddr, u32)> {
        Some((Ipv4Addr::new(192, 0, 2, 1).into(), source.0))
    }
}

/// How long a piece of a snapshot keeps a lane from its datagrams.
fn snapshot(criterion: &mut Criterion) {
    const SLOTS: usize = 4_096;
    let mut cache = cache(1_000_000);
    for flow in 0..1_000_000 {
        cache.insert(0, &record(flow), None, &mut Nowhere);
    }
    let mut group = criterion.benchmark_group("cache/snapshot");
    let (mut walk, mut octets, mut flows, mut sum) = (Walk::new(&cache), Vec::new(), 0, 0);
    group.bench_function("piece of 4096 flows, 1000000 live", |bencher| {
        bencher.iter(|| {
            if walk.is_done() {
                walk = Walk::new(&cache);
            }
            octets.clear();
            flows += walk.piece(&cache, 0, SLOTS, &Named, &mut octets);
            sum += octets.len() as u64;
        });
    });
    println!("{} octets a flow", sum / flows.max(1));
    group.finish();
}

/// Resident memory of this process.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let digits = line.and_then(|line| line.split_whitespace().nth(1));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

criterion_group!(benches, updates, turnover, snapshot);
criterion_main!(benches);
