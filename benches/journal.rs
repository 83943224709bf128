//! What a row costs on its way into the journal, with group commit.

use std::hint::black_box;

use bytes::Bytes;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use flowlogd::flow::Amount;
use flowlogd::journal::Disk;
use flowlogd::journal::Journal;
use flowlogd::journal::Kind;
use flowlogd::journal::Settings;
use flowlogd::journal::Share;

/// Rows of a frame.
const ROWS: u32 = 4_096;
/// Octets of a row.
const ROW_LEN: usize = 100;
/// Frames between two commits: what comes in 200 ms at 400 000 rows a second.
const FRAMES: u32 = 20;

/// Frames are delivered as soon as they are durable, so that no segment stays.
fn append(criterion: &mut Criterion) {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let dir = std::path::PathBuf::from(target).join("bench-journal");
    std::fs::remove_dir_all(&dir).ok();
    let opened = Journal::open(Settings::default(), Disk::new(&dir));
    let Ok((journal, _)) = opened else {
        return;
    };
    let Ok(destination) = journal.destination("bench") else {
        return;
    };
    let rows = u64::from(ROWS);
    let amount = Amount {
        records: rows,
        octets: rows * 1_000,
        packets: rows * 3,
    };
    let shares = [Share {
        destination,
        rows: 0..ROWS,
        amount,
    }];
    let body = Bytes::from(vec![0x5A; ROWS as usize * ROW_LEN]);
    let mut group = criterion.benchmark_group("journal");
    group.sample_size(20);
    group.throughput(Throughput::Elements(rows));
    group.bench_function("append", |bencher| {
        let mut frames = 0;
        bencher.iter(|| {
            let first = journal.append(Kind::Flows, &shares, body.clone(), 0);
            frames += 1;
            if frames % FRAMES == 0 {
                black_box(journal.commit().ok());
                journal.ack(destination, 1..u64::MAX);
                black_box(journal.persist_progress().ok());
            }
            black_box(first)
        });
    });
    group.finish();
    std::fs::remove_dir_all(&dir).ok();
}

criterion_group!(benches, append);
criterion_main!(benches);
