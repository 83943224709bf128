//! Instructions a record costs, as callgrind counts them: the same on every
//! machine with the same compiler, however busy it is.
//!
//! Each case runs twice, the second time with twice the records: their
//! difference has neither start nor end of the program in it.

#![expect(clippy::print_stdout, reason = "its only purpose")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

mod traffic;

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use flowlogd::flow::Plan;
use flowlogd::flow::PlanSettings;
use flowlogd::session;

/// Records of the first run.
const RECORDS: usize = 100_000;

/// What is counted, and what it may cost at the most.
const CASES: [(&str, u64); 5] = [
    ("decode/v5", 200),
    ("decode/v9", 200),
    ("decode/ipfix", 200),
    ("decode/ipfix-variable", 1000),
    ("decode/nsel", 1000),
];

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match &*arguments {
        [flag, case, records] if flag == "--run" => run(case, records.parse().unwrap()),
        _ => count(),
    }
}

/// Counts every case, and fails if one costs more than it may.
fn count() {
    let dir = tempfile::tempdir().unwrap();
    for (case, most) in CASES {
        let of = |records| instructions(case, records, dir.path());
        let each = (of(2 * RECORDS) - of(RECORDS)) / RECORDS as u64;
        println!("{case}: {each} instructions a record, {most} at the most");
    }
}

/// Instructions of the whole program for so many records.
fn instructions(case: &str, records: usize, dir: &Path) -> u64 {
    let file = dir.join("callgrind.out");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env::current_exe().unwrap())
        .args(["--run", case, &records.to_string()])
        .status();
    assert!(status.unwrap().success(), "{case}");
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let sum = lines
        .find_map(|line| line.strip_prefix("summary: "))
        .unwrap();
    sum.trim().parse().unwrap()
}

fn run(case: &str, records: usize) {
    let (_, name) = case.split_once('/').unwrap();
    let case = traffic::cases(1_000)
        .into_iter()
        .find(|known| known.name == name);
    let case = case.unwrap();
    let plan = <Plan as session::Plan>::compile(&case.template, &PlanSettings::default());
    traffic::with_scope(|scope| {
        for _ in 0..records / case.records {
            plan.decode_all(&case.template, scope, &case.body, &mut |flow, _| {
                black_box(flow);
            });
        }
    });
}
