//! What decoding one Data Record costs.

use std::hint::black_box;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use flowlogd::element::ElementId;
use flowlogd::flow::Plan;
use flowlogd::flow::PlanSettings;
use flowlogd::session;
use flowlogd::session::Arrival;
use flowlogd::session::Clock;
use flowlogd::session::ClockLimits;
use flowlogd::session::Samplers;
use flowlogd::session::SamplingPolicy;
use flowlogd::session::Scope;
use flowlogd::session::SourceId;
use flowlogd::wire::FieldSpecifier;
use flowlogd::wire::Header;
use flowlogd::wire::Template;
use flowlogd::wire::TemplateKind;
use flowlogd::wire::VARIABLE;
use flowlogd::wire::Version;

/// Records of one round, as many as a few datagrams bring.
const RECORDS: usize = 24 * 64;

/// Id and octets of the fields a router sends.
const FIELDS: [(u16, u16); 20] = [
    (8, 4),
    (12, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (5, 1),
    (6, 1),
    (10, 4),
    (14, 4),
    (1, 4),
    (2, 4),
    (22, 4),
    (21, 4),
    (15, 4),
    (16, 2),
    (17, 2),
    (9, 1),
    (13, 1),
    (61, 1),
    (58, 2),
];

/// A Template of these fields.
fn template(version: Version, fields: &[(u16, u16)]) -> Template {
    let specifier = |&(id, length): &(u16, u16)| FieldSpecifier {
        element: ElementId::iana(id),
        length,
    };
    let fields = fields.iter().map(specifier).collect();
    Template::new(version, 256, TemplateKind::Data, 0, fields)
}

/// Octets that differ from record to record, the same in every run.
fn records(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let octet = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let [octet, ..] = state.to_be_bytes();
        octet
    };
    std::iter::repeat_with(octet)
        .take(length * RECORDS)
        .collect()
}

/// The records of IPFIX with times in ms and a name of 4 octets at the end.
fn named(length: usize) -> Vec<u8> {
    let mut octets = records(length);
    for record in octets.chunks_exact_mut(length) {
        if let Some(prefix) = record.iter_mut().nth_back(4) {
            *prefix = 4;
        }
    }
    octets
}

fn decode(criterion: &mut Criterion) {
    let header = Header::new(Version::V9, 1_700_000_000, 1, 1);
    let mut clock = Clock::new(ClockLimits::default());
    let arrival = Arrival {
        monotonic_ms: 0,
        unix_ms: 1_700_000_000_000,
    };
    clock.begin(&header, arrival);
    let sampling = Samplers::new(SamplingPolicy::default());
    let scope = Scope {
        source: SourceId(0),
        exporter: IpAddr::V4(Ipv4Addr::LOCALHOST),
        domain: 0,
        clock: &clock,
        sampling: &sampling,
    };
    let mut ipfix = FIELDS;
    for field in &mut ipfix {
        match field.0 {
            22 => *field = (152, 8),
            21 => *field = (153, 8),
            _ => {}
        }
    }
    let mut variable = ipfix.to_vec();
    variable.push((82, VARIABLE));
    let cases = [
        ("v9-20-fields", template(Version::V9, &FIELDS), records(52)),
        (
            "ipfix-20-fields",
            template(Version::Ipfix, &ipfix),
            records(60),
        ),
        (
            "ipfix-variable",
            template(Version::Ipfix, &variable),
            named(65),
        ),
    ];
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for (name, template, octets) in cases {
        let plan = <Plan as session::Plan>::compile(&template, &PlanSettings::default());
        let length = octets.len() / RECORDS;
        group.bench_with_input(
            BenchmarkId::from_parameter(name),
            &octets,
            |bencher, octets| {
                bencher.iter(|| {
                    for record in octets.chunks_exact(length) {
                        plan.decode(&scope, record, &mut |flow, _| {
                            black_box(flow);
                        });
                    }
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
