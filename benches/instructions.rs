//! Instructions a record costs, as callgrind counts them: the same in every run
//! and on every machine with the same compiler, however busy it is.
//!
//! `--growth` counts what more exporters, Templates and flows cost, which takes
//! minutes; what is counted otherwise is a gate: it fails beyond its limit.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "its only purpose"
)]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

mod rig;
mod traffic;

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::process::ExitCode;

use flowlogd::flow::Plan;
use flowlogd::flow::PlanSettings;
use flowlogd::session;
use flowlogd::wire::Version;

use rig::Exit;
use rig::Rig;

/// Records that are counted, at least.
const RECORDS: u64 = 100_000;

/// What is counted, and how many instructions a record may cost: 3 % more than
/// it did when this was written, by rustc 1.95.
const GATE: [(&str, u64); 8] = [
    ("decode v5", 147),
    ("decode v9", 147),
    ("decode ipfix", 137),
    ("decode ipfix-variable", 255),
    ("decode nsel", 7_150),
    ("lane v5 10000 10", 533),
    ("lane v9 10000 10", 565),
    ("lane ipfix 10000 10", 577),
];

/// What grows: version, flows, exporters with a Template each, and the addresses
/// they share if they are fewer.
const GROWTH: [&str; 6] = [
    "lane v9 10000 10",
    "lane v9 100000 10",
    "lane v9 100000 10000",
    "lane v9 100000 50000 1000",
    "lane v9 1000000 10",
    "lane v9 4000000 10",
];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let is_within = match arguments[..] {
        ["--run", case] => run(case),
        ["--growth", ..] => count(&GROWTH.map(|case| (case, u64::MAX))),
        _ => count(&GATE),
    };
    ExitCode::from(u8::from(!is_within))
}

/// Counts every case; whether none costs more than it may.
fn count(cases: &[(&str, u64)]) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let mut is_within = true;
    for (case, most) in cases {
        let each = instructions(case, dir.path());
        let verdict = if each > *most { "TOO MANY" } else { "" };
        println!("{case}: {each} instructions a record {verdict}");
        is_within &= each <= *most;
    }
    is_within
}

/// Instructions of [`counted`] a record, where the C library copies memory as it
/// does on any processor.
fn instructions(case: &str, dir: &Path) -> u64 {
    let file = dir.join("callgrind.out");
    let output = Command::new("valgrind")
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.hwcaps=-AVX_Fast_Unaligned_Load,-AVX2,-AVX512VL,-ERMS,-FSRM",
        )
        .args(["--tool=callgrind", "--quiet"])
        .arg("--toggle-collect=instructions::counted*")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env::current_exe().unwrap())
        .args(["--run", case])
        .output()
        .unwrap();
    assert!(output.status.success(), "{case}: {output:?}");
    let records: u64 = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let sum = lines
        .find_map(|line| line.strip_prefix("summary: "))
        .unwrap();
    sum.trim().parse::<u64>().unwrap() / records
}

/// What happens in here is counted.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}

/// Runs a case; prints how many records were counted.
fn run(case: &str) -> bool {
    let words: Vec<_> = case.split(' ').collect();
    let records = match words[..] {
        ["decode", name] => decode(name),
        ["lane", version, flows, exporters, ref hosts @ ..] => {
            let number = |word: &str| word.parse().unwrap();
            let hosts = hosts.first().unwrap_or(&exporters);
            lane(version, number(flows), (number(exporters), number(hosts)))
        }
        _ => return false,
    };
    println!("{records}");
    true
}

fn decode(name: &str) -> u64 {
    let mut cases = traffic::cases(1_000).into_iter();
    let case = cases.find(|known| known.name == name).unwrap();
    let plan = <Plan as session::Plan>::compile(&case.template, &PlanSettings::default());
    let mut records = 0;
    traffic::with_scope(|scope| {
        while records < RECORDS {
            counted(&mut || {
                plan.decode_all(&case.template, scope, &case.body, &mut |flow, _| {
                    black_box(flow);
                });
            });
            records += case.records as u64;
        }
    });
    records
}

fn lane(version: &str, flows: u32, (exporters, hosts): (u32, u32)) -> u64 {
    let version = match version {
        "v5" => Version::V5,
        "v9" => Version::V9,
        _ => Version::Ipfix,
    };
    let load = rig::load(version, flows, exporters);
    let mut rig = Rig::new(load, flows as usize * 2, Exit::default());
    rig.hosts = hosts;
    rig.warm_up();
    let taken = rig.lane.census().stats.records;
    let mut records = 0;
    while records < RECORDS {
        records += rig.fill();
        counted(&mut || rig.take());
    }
    let stats = rig.lane.census().stats;
    assert_eq!(
        stats.records - taken,
        records,
        "some were refused: {stats:?}"
    );
    let left = rig.exit.taken.lock().unwrap().0;
    eprintln!("records in flows that left the cache: {left}");
    records
}
