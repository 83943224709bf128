//! What a row costs on its way into the body of a PutLogs request.

#![expect(clippy::print_stdout, reason = "criterion measures time, not octets")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

mod rows;

use std::hint::black_box;

use arrow_array::RecordBatch;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use flowlogd::sink::sls::Batch;
use flowlogd::sink::sls::BatchKey;
use flowlogd::sink::sls::Batcher;
use flowlogd::sink::sls::Compression;
use flowlogd::sink::sls::Compressor;
use flowlogd::sink::sls::FlowRows;
use flowlogd::sink::sls::GroupHeader;
use flowlogd::sink::sls::Limits;
use flowlogd::sink::sls::LogGroupWriter;
use flowlogd::sink::sls::PackIds;
use flowlogd::sink::sls::TimeWindow;
use rows::ROWS;
use rows::rows;

/// Seconds since 1970 of all that happens here.
const NOW_S: u64 = 1_767_225_600;

fn twenty_fields() -> LogGroupWriter {
    LogGroupWriter::new(&rows::twenty_fields())
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
    let (batch, mut writer, mut out) = (rows(1, NOW_S), twenty_fields(), Vec::new());
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
        let range = 0..batch.num_rows();
        bencher.iter(|| {
            full.clear();
            let all = std::slice::from_ref(&range);
            black_box(batcher.add(&mut writer, &rows, all, window, 0, &mut full))
        });
    });
    group.finish();
}

/// A LogGroup to a body.
fn compress(criterion: &mut Criterion) {
    let (batch, mut writer, mut raw) = (rows(1, NOW_S), twenty_fields(), Vec::new());
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
