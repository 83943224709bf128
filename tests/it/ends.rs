//! How a daemon ends and comes back: SIGKILL, SIGTERM, a second process.

use std::collections::HashSet;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::sender::{V5Exporter, paced};
use crate::support::{Daemon, flow_log};

const SETTINGS: &str = "cache = \"off\"\n[logstore]\ntail-age-s = 1\n";

#[test]
fn a_killed_daemon_comes_back_with_all_parts_and_no_row_twice() {
    let dir = TempDir::new().unwrap();
    let mut stored_before = 0;
    let mut sent = 0;
    for round in 0..4 {
        let started = Instant::now();
        let daemon = Daemon::start_in(dir.path(), &flow_log(SETTINGS));
        let ready_after = started.elapsed();
        assert!(ready_after < Duration::from_secs(2), "{ready_after:?}");
        let (rows, distinct) = rows(&daemon);
        assert_eq!(rows, distinct, "a row is there twice");
        assert!(
            rows >= stored_before,
            "{rows} rows, {stored_before} were in parts"
        );
        assert!(rows <= sent);
        println!("round {round}: ready after {ready_after:?}, {rows} of {sent} rows");
        let mut exporter = V5Exporter::new(20 + round, daemon.port);
        // Long enough for parts to be written, and for the kill to hit a tail.
        paced(1_000, Duration::from_millis(3_500), |_| exporter.send());
        sent += u64::from(exporter.sent());
        stored_before = rows_in_parts(&daemon);
        assert!(stored_before > rows, "no part was written in this round");
        daemon.kill();
    }
}

#[test]
fn sigterm_loses_nothing_that_is_in_the_cache() {
    let dir = TempDir::new().unwrap();
    let settings = &flow_log("active-s = 600\ninactive-s = 600\n");
    let daemon = Daemon::start_in(dir.path(), settings);
    let mut exporter = V5Exporter::new(9, daemon.port);
    paced(1_000, Duration::from_secs(1), |_| exporter.send());
    let sent = u64::from(exporter.sent());
    let status = daemon.terminate();
    assert_eq!(status.code(), Some(0));
    let daemon = Daemon::start_in(dir.path(), settings);
    assert_eq!(rows(&daemon), (sent, sent));
    let reasons = daemon.query("SELECT DISTINCT \"flow-end-reason\" FROM flows");
    assert_eq!(reasons, [[Value::from(4)]]);
}

#[test]
fn a_second_daemon_on_the_same_directory_is_refused() {
    let dir = TempDir::new().unwrap();
    let _first = Daemon::start_in(dir.path(), &flow_log(SETTINGS));
    let config = dir.path().join("second.toml");
    let text = format!(
        "[listen]\naddresses = [\"127.0.0.1:0\"]\n[http]\naddress = \"127.0.0.1:0\"\n\
         [state]\ndir = {:?}\n",
        dir.path()
    );
    std::fs::write(&config, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_flowlogd"))
        .args(["run", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(75), "{said}");
    assert!(said.contains("is locked by process"), "{said}");
}

/// Rows, and how many different source addresses they have: one each.
fn rows(daemon: &Daemon) -> (u64, u64) {
    let answer =
        daemon.query("SELECT count(*), count(DISTINCT concat(exporter, srcaddr)) FROM flows");
    let number = |index: usize| answer[0].get(index).and_then(Value::as_u64).unwrap();
    (number(0), number(1))
}

fn rows_in_parts(daemon: &Daemon) -> u64 {
    let parts = daemon.get("/api/v1/parts");
    let rows = parts.as_array().unwrap().iter();
    let names: HashSet<&Value> = rows.clone().map(|part| &part["path"]).collect();
    assert_eq!(names.len(), rows.len());
    rows.map(|part| part["rows"].as_u64().unwrap()).sum()
}
