//! What DuckDB says about the same rows, in the Parquet files.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::Filled;
use super::table::{Expected, questions};
use crate::support::PROGRAM;
use crate::venv::{Venv, run_within};

const SCRIPT: &str = include_str!("parquet.py");

/// How long it may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn duckdb_answers_the_same_over_the_parquet_files() {
    let Some(venv) = Venv::shared() else {
        return;
    };
    let mut filled = Filled::new();
    filled.daemon.stop();
    let questions: Vec<_> = questions()
        .into_iter()
        .filter_map(|question| Some((question.duckdb_at(filled.begin_s)?, question)))
        .collect();
    let parts = parts(&filled);
    assert!(parts.len() >= 2, "{parts:?}");
    let asked = filled.dir.path().join("asked.json");
    let sql: Vec<_> = questions.iter().map(|(sql, _)| sql).collect();
    fs::write(
        &asked,
        json!({"parts": parts, "questions": sql}).to_string(),
    )
    .unwrap();
    let ran = run_within(
        LIMIT,
        venv.command("python").args(["-c", SCRIPT]).arg(&asked),
    )
    .unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let answers: Vec<Vec<Vec<String>>> = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(answers.len(), questions.len());
    for ((sql, question), rows) in questions.iter().zip(&answers) {
        let Expected::Rows(_, expected) = question.expected(filled.begin_s) else {
            panic!("line {}: no rows", question.at);
        };
        let are_equal = rows.len() == expected.len()
            && rows.iter().zip(&expected).all(|(row, expected)| {
                row.len() == expected.len() && row.iter().zip(expected).all(|(a, b)| is_equal(a, b))
            });
        assert!(
            are_equal,
            "line {}: {sql}\n{rows:?}\n{expected:?}",
            question.at
        );
    }
    println!("DuckDB agrees on {} questions", questions.len());
    assert!(questions.len() >= 50);
}

/// The flows' files, as the program lists them.
fn parts(filled: &Filled) -> Vec<Value> {
    let mut command = Command::new(PROGRAM);
    command.args(["parts", "-o", "json", "--data-dir"]);
    command.arg(filled.dir.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let parts: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let of_flows = parts.iter().filter(|part| part["logstore"] == "flows");
    of_flows.map(|part| part["path"].clone()).collect()
}

/// Whether two cells are the same text, or numbers whose last digits alone differ:
/// sums of fractions depend on their order.
fn is_equal(a: &str, b: &str) -> bool {
    let numbers = (a.parse::<f64>(), b.parse::<f64>());
    let (Ok(x), Ok(y)) = numbers else {
        return a == b;
    };
    a == b || (a.contains('.') && (x - y).abs() <= x.abs() * 1e-12)
}
