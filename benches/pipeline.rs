//! What a record costs from its datagram to a row of Arrow, and to a row of
//! Parquet, on one core.

#![expect(clippy::print_stdout, reason = "criterion measures time, not rows")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

mod rig;

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use arrow_array::RecordBatch;
use criterion::BenchmarkGroup;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use criterion::measurement::WallTime;
use flowlogd::flow::PlanSettings;
use flowlogd::lane::Parcel;
use flowlogd::logstore::LogStore;
use flowlogd::logstore::Settings;
use flowlogd::wire::Version;

use rig::Exit;
use rig::Rig;

/// Records of a measured round; a part has them all.
const ROUND: u64 = 262_144;
/// 100 000 flows, and whether their records are merged.
const FLOWS: u32 = 100_000;
const CACHES: [(&str, &str); 2] = [
    ("cache off", "cache = \"off\""),
    ("aggregating", "active-s = 1\ninactive-s = 1"),
];
const VERSIONS: [(&str, Version); 3] = [
    ("v5", Version::V5),
    ("v9", Version::V9),
    ("ipfix", Version::Ipfix),
];

/// Where the rows of [`parquet`] go; a lane's exit holds nothing.
static STORE: OnceLock<LogStore> = OnceLock::new();

fn rows(parcel: Parcel) -> RecordBatch {
    parcel.batch.into_arrow(&*parcel.routes).unwrap()
}

fn arrow(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipeline/arrow");
    measure(&mut group, |parcel| drop(black_box(rows(parcel))), || {});
    group.finish();
}

fn parquet(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = STORE.get_or_init(|| LogStore::open(Settings::new(dir.path())).unwrap());
    let mut group = criterion.benchmark_group("pipeline/parquet");
    let keep = |parcel: Parcel| {
        let store = STORE.get().unwrap();
        let rows = rows(parcel);
        let taken = store.append_rows("flows", "all", &rows, store.next_seq(), rig::BEGIN_MS);
        black_box(taken).unwrap();
    };
    measure(&mut group, keep, || store.flush().unwrap());
    group.finish();
    let parts = store.parts();
    let sum = |of: fn(&_) -> u64| parts.iter().map(of).sum::<u64>();
    let (bytes, rows) = (sum(|part| part.bytes), sum(|part| part.rows));
    println!("{} octets a row", bytes / rows.max(1));
}

/// Measures records of each version on their way to `on_batch`; `end` ends a
/// round.
fn measure(group: &mut BenchmarkGroup<'_, WallTime>, on_batch: fn(Parcel), end: impl Fn()) {
    group.sample_size(10);
    group.throughput(Throughput::Elements(ROUND));
    for (version_name, version) in VERSIONS {
        for (cache_name, settings) in CACHES {
            let mut rig = rig(version, settings, on_batch);
            let mut all = 0;
            let before = rig.exit.taken.lock().unwrap().1;
            group.bench_function(format!("{version_name}, {cache_name}"), |bencher| {
                bencher.iter_custom(|rounds| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..rounds {
                        let (records, took) = round(&mut rig, &end);
                        all += records;
                        spent += took.mul_f64(ROUND as f64 / records as f64);
                    }
                    spent
                });
            });
            let rows = rig.exit.taken.lock().unwrap().1 - before;
            println!("{rows} rows of {all} records");
        }
    }
}

/// A lane to which ten exporters have sent everything they have.
fn rig(version: Version, settings: &str, on_batch: fn(Parcel)) -> Rig {
    let exit = Exit {
        on_batch: Some(on_batch),
        ..Exit::default()
    };
    let load = rig::load(version, FLOWS, 10);
    let mut rig = Rig::new(load, 2 * FLOWS as usize, exit);
    let table = rig::table(settings);
    rig.lane.route_by(table, PlanSettings::default());
    rig.warm_up();
    rig
}

/// Sends [`ROUND`] records or a few more; how many, and what they took once they
/// were datagrams.
fn round(rig: &mut Rig, end: impl Fn()) -> (u64, Duration) {
    let (mut records, mut spent) = (0, Duration::ZERO);
    while records < ROUND {
        records += rig.fill();
        let began = Instant::now();
        rig.take();
        spent += began.elapsed();
    }
    let began = Instant::now();
    end();
    (records, spent + began.elapsed())
}

criterion_group!(benches, arrow, parquet);
criterion_main!(benches);
