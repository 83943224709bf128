//! What a row costs on its way out again, as v5, v9 and IPFIX.

#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

#[expect(dead_code, reason = "columns and log groups are for other benches")]
mod rows;

use std::hint::black_box;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use flowlogd::flow::Counters;
use flowlogd::flow::ExportSettings;
use flowlogd::flow::FlowBatch;
use flowlogd::flow::Origin;
use flowlogd::flow::Records;
use flowlogd::flow::RowEncoder;
use flowlogd::wire::Header;
use flowlogd::wire::MessageWriter;
use flowlogd::wire::Version;
use flowlogd::wire::v5::RECORDS_MAX;
use rows::ROWS;
use rows::flows;

const NOW_S: u64 = 1_795_000_000;
/// Octets of a Message at most (P-730).
const MESSAGE_MAX: usize = 1_400;

fn settings(version: Version) -> ExportSettings {
    ExportSettings {
        version,
        origin: Origin::Original,
        counters: Counters::AsMetered,
        wide: true,
        reasons: true,
        absolute: false,
        boot_ms: NOW_S * 1000 - 20 * 86_400_000,
        templates_max: 256,
        samplers_max: 256,
    }
}

/// Writes all rows into Messages; octets of those.
fn send(
    encoder: &mut RowEncoder,
    batch: &FlowBatch,
    records: &mut Records,
    writer: &mut MessageWriter,
    header: Header,
    out: &mut Vec<u8>,
) -> usize {
    let most = match header.version {
        Version::V5 => RECORDS_MAX.into(),
        Version::V9 | Version::Ipfix => usize::MAX,
    };
    let mut octets = 0;
    for row in 0..batch.len() {
        if encoder.encode(batch, row, records).is_err() {
            continue;
        }
        let Some(template) = encoder.templates().get(records.template) else {
            continue;
        };
        for record in records.iter() {
            let length = writer.len_with(template, record.len());
            if length > MESSAGE_MAX || writer.data_records() == most {
                out.clear();
                writer.finish_into(header, out).unwrap();
                octets += black_box(&*out).len();
            }
            writer.record(template, record);
        }
    }
    octets
}

fn rows_to_messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("export");
    group.throughput(Throughput::Elements(ROWS.into()));
    let batch = flows(1, NOW_S);
    for version in [Version::V5, Version::V9, Version::Ipfix] {
        let mut encoder = RowEncoder::new(settings(version));
        encoder.set_now(NOW_S * 1000);
        let header = Header::new(version, 0, 0, 0);
        let mut writer = MessageWriter::new(header);
        let (mut records, mut out) = (Records::default(), Vec::new());
        group.bench_function(format!("{version:?}"), |bencher| {
            bencher.iter(|| {
                send(
                    &mut encoder,
                    &batch,
                    &mut records,
                    &mut writer,
                    header,
                    &mut out,
                )
            });
        });
    }
    group.finish();
}

criterion_group!(benches, rows_to_messages);
criterion_main!(benches);
