//! What decoding one Data Record costs.

mod traffic;

use std::hint::black_box;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use flowlogd::flow::Plan;
use flowlogd::flow::PlanSettings;
use flowlogd::session;

/// Records of one round, as many as a few datagrams bring.
const RECORDS: usize = 24 * 64;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for case in traffic::cases(RECORDS) {
        group.throughput(Throughput::Elements(case.records as u64));
        let plan = <Plan as session::Plan>::compile(&case.template, &PlanSettings::default());
        traffic::with_scope(|scope| {
            let id = BenchmarkId::from_parameter(case.name);
            group.bench_with_input(id, &case.body, |bencher, body| {
                bencher.iter(|| {
                    plan.decode_all(&case.template, scope, body, &mut |flow, _| {
                        black_box(flow);
                    });
                });
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
