//! What one record costs the flow cache, what one live flow weighs, and how long
//! a tick takes at most.

#![expect(clippy::print_stdout, reason = "criterion measures time, not memory")]

use std::fs;
use std::hint::black_box;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::time::Duration;
use std::time::Instant;

use criterion::BatchSize;
use criterion::BenchmarkGroup;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use criterion::measurement::WallTime;
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
/// Rows that a batch has when a lane hands it over.
const BATCH_ROWS: u32 = 16_384;
/// Timers and tick, ms, as they are if nobody says any.
const ACTIVE_MS: u64 = 300_000;
const INACTIVE_MS: u64 = 15_000;
const TICK_MS: u64 = 100;

/// Drops what it takes, and has room for so many rows.
struct Nowhere(u32);

impl Outlet for Nowhere {
    fn take(&mut self, record: &FlowRecord, _detail: Option<&Detail>, _serial: u64) {
        self.0 = self.0.saturating_sub(1);
        black_box(record);
    }

    fn is_full(&self) -> bool {
        self.0 == 0
    }
}

/// A cache with room for a quarter more than so many flows.
fn cache(flows: u64) -> Cache {
    let mut cache = Cache::new(Settings {
        max_flows: usize::try_from(flows + flows / 4).unwrap_or(usize::MAX),
        ..Settings::default()
    });
    let timers = Timers {
        active_ms: ACTIVE_MS,
        inactive: Inactive::Fixed(INACTIVE_MS),
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
fn record(flow: u64, now_ms: u64) -> FlowRecord {
    let mut record = FlowRecord {
        octets: 1_000,
        packets: 3,
        start_ms: now_ms,
        end_ms: now_ms,
        records: 1,
        ..FlowRecord::default()
    };
    let [.., a, b, c, d] = flow.to_be_bytes();
    record.key.src[12..].copy_from_slice(&[10, b, c, d]);
    record.key.dst[12..].copy_from_slice(&[192, 0, 2, a]);
    record.key.protocol = 6;
    record.key.dst_port = 443;
    record
}

/// A lane's cache, and what is at its door.
struct Bench {
    cache: Cache,
    queue: Queue,
    now_ms: u64,
}

impl Bench {
    /// Nothing is in the cache yet.
    fn new(flows: u64) -> Self {
        Self {
            cache: cache(flows),
            queue: Queue::default(),
            now_ms: 0,
        }
    }

    /// A record of each of these flows at the time it is.
    fn take(&mut self, flows: impl Iterator<Item = u64>) {
        for flow in flows {
            self.queue.push(0, &record(flow, self.now_ms), None);
            if self.queue.is_full() {
                self.take_in();
            }
        }
        self.take_in();
    }

    fn take_in(&mut self) {
        self.cache
            .insert_batch(self.now_ms, &self.queue, &mut Nowhere(u32::MAX));
        self.queue.clear();
    }

    /// A record of each of so many flows, all within so many ms.
    fn take_over(&mut self, ms: u64, flows: u64, flow: impl Fn(u64) -> u64) {
        let begin_ms = self.now_ms;
        for at in 0..flows {
            self.now_ms = begin_ms + at * ms / flows;
            self.take(std::iter::once(flow(at)));
        }
    }

    /// Ages the cache into a batch of its own; how long that took.
    fn tick(&mut self) -> Duration {
        let began = Instant::now();
        self.cache.tick(self.now_ms, &mut Nowhere(BATCH_ROWS));
        began.elapsed()
    }

    /// Ticks until nothing that is due is left; the longest time one took.
    fn catch_up(&mut self) -> Duration {
        let mut longest = self.tick();
        while self.cache.is_behind() {
            longest = longest.max(self.tick());
        }
        longest
    }
}

/// The law flows have their records by.
#[derive(Clone, Copy, Debug)]
enum Law {
    /// All alike.
    Uniform,
    /// The nth has 1/n of what the first has.
    Zipf,
}

impl Law {
    /// The flow of the next record.
    #[expect(clippy::cast_possible_truncation, reason = "it is below `flows`")]
    fn draw(self, state: &mut u64, flows: u64) -> u64 {
        let random = random(state);
        match self {
            Self::Uniform => random % flows,
            Self::Zipf => {
                let part = (random >> 11) as f64 / (1_u64 << 53) as f64;
                let rank = ((flows as f64).ln() * part).exp();
                // Neighbours in rank are none in memory.
                scattered(rank as u64, flows)
            }
        }
    }
}

/// The numbers below `flows`, of which 2 and 5 are the only factors, in another
/// order.
fn scattered(number: u64, flows: u64) -> u64 {
    number * 2_654_435_761 % flows
}

/// A fixed sequence of numbers without a pattern. Steele's SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A cache of flows of which none is as old as another, and whose records came
/// just now: a part of them is due in every tick to come.
fn in_use(flows: u64) -> Bench {
    let mut bench = Bench::new(flows);
    bench.take_over(ACTIVE_MS, flows, |flow| flow);
    bench.now_ms = ACTIVE_MS - INACTIVE_MS;
    bench.take_over(INACTIVE_MS, flows, |flow| flow);
    // Each is put where it is due by now.
    bench.catch_up();
    bench
}

/// Records of flows there are, a million of them a second, and what leaves by
/// its active timer meanwhile.
fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cache/update");
    group.throughput(Throughput::Elements(ROUND));
    quick(&mut group);
    for flows in [1_000, 100_000, 1_000_000, 4_000_000] {
        let before = resident_kib();
        let mut bench = in_use(flows);
        let octets = (resident_kib() - before) * 1_024;
        println!("{flows} flows: {} octets of RSS each", octets / flows);
        for law in [Law::Uniform, Law::Zipf] {
            let mut state = 1;
            group.bench_function(format!("{flows} flows, {law:?}"), |bencher| {
                bencher.iter_batched_ref(
                    || (0..ROUND).map(|_| law.draw(&mut state, flows)).collect(),
                    |drawn: &mut Vec<u64>| {
                        bench.now_ms += ROUND / 1_000;
                        bench.take(drawn.iter().copied());
                        bench.tick();
                    },
                    BatchSize::PerIteration,
                );
            });
            println!("{} flows are live", bench.cache.live());
        }
    }
    group.finish();
}

/// A flow's whole way: begun, due, gone.
fn turnover(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cache/turnover");
    quick(&mut group);
    for live in [1_000_000, 4_000_000] {
        // That many are live at any time.
        let begun = live * TICK_MS / INACTIVE_MS;
        let mut bench = Bench::new(live);
        let mut flow = 0;
        let mut one_tick = || {
            bench.take(flow..flow + begun);
            flow += begun;
            bench.now_ms += TICK_MS;
            bench.catch_up();
        };
        for _ in 0..2 * INACTIVE_MS / TICK_MS {
            one_tick();
        }
        group.throughput(Throughput::Elements(begun));
        group.bench_function(format!("{live} live"), |bencher| {
            bencher.iter(&mut one_tick);
        });
        println!("{} flows are live", bench.cache.live());
    }
    group.finish();
}

/// How long a tick keeps a lane from its datagrams at most: when all flows leave
/// in the same second, and when all are looked at and stay.
fn ticks(_: &mut Criterion) {
    for flows in [1_000_000, 4_000_000] {
        let mut bench = Bench::new(flows);
        // A life before, so that neighbours in time are none in memory.
        bench.take(0..flows);
        bench.take_over(INACTIVE_MS, flows, |at| scattered(at, flows));
        while bench.cache.live() > 0 {
            bench.now_ms += TICK_MS;
            bench.tick();
        }
        bench.take_over(1_000, flows, |at| flows + at);
        bench.now_ms += INACTIVE_MS - 2_000;
        bench.take_over(1_000, flows, |at| flows + at);
        let ended_ms = bench.now_ms;
        let mut longest = |name: &str, until_ms: u64| {
            bench.now_ms = until_ms;
            let longest = bench.catch_up();
            println!("{flows} flows {name}: the longest tick {longest:?}");
        };
        longest("stay", ended_ms + 2_000);
        longest("leave", ended_ms + INACTIVE_MS + TICK_MS);
        assert_eq!(bench.cache.live(), 0, "all of them were to leave");
    }
}

/// Fewer and shorter rounds than usual: a cache of millions of flows is its own
/// warm-up.
fn quick(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.sample_size(20);
    group.warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(3));
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
        cache.insert(0, &record(flow, 0), None, &mut Nowhere(u32::MAX));
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

criterion_group!(benches, updates, turnover, ticks, snapshot);
criterion_main!(benches);
