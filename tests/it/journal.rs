//! `flowlogd journal` beside a daemon that runs, and on what it left.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sender::V5Exporter;
use crate::support::{Daemon, PROGRAM, flow_log};

#[test]
fn a_journal_can_be_looked_into_while_it_is_written_and_after_a_kill() {
    let dir = TempDir::new().unwrap();
    let settings = flow_log("cache = \"off\"\n[logstore]\ntail-age-s = 60\n");
    let daemon = Daemon::start_in(dir.path(), &settings);
    let mut exporter = V5Exporter::new(51, daemon.port);
    for _ in 0..10 {
        exporter.send();
    }
    daemon.wait_until("durable", |daemon| {
        let stats = daemon.get("/api/v1/stats");
        stats["records"]["kept"]["records"] == 300
            && stats["journal"]["durable_to"] == stats["journal"]["next_seq"]
    });
    daemon.wait_until("noted in its progress", |_| {
        inspected(dir.path())["next_seq"] == 301
    });
    let beside = inspected(dir.path());
    assert_eq!(beside["destinations"][0]["name"], "embedded/test/flows");
    assert_eq!(beside["destinations"][0]["pending"]["records"], 300);
    let (code, said) = journal(dir.path(), &["verify"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with(" 300 rows\n"), "{said}");
    let letters = journal(dir.path(), &["dead-letters", "-o", "json"]);
    assert_eq!(letters, (Some(0), "[\n]\n".to_owned()));

    daemon.kill();
    let after = inspected(dir.path());
    assert_eq!(after["destinations"], beside["destinations"]);
    assert_eq!(after["segments"], beside["segments"]);
    let name = after["segments"][0]["name"].as_str().unwrap();
    let path = dir.path().join("journal").join(name);
    let whole = fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (code, said) = journal(dir.path(), &["verify"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with(&format!("{name}: ")), "{said}");
    // Nothing was changed by looking, and all comes back.
    assert_eq!(fs::read(&path).unwrap(), bytes);
    fs::write(&path, whole).unwrap();
    let daemon = Daemon::start_in(dir.path(), &settings);
    assert_eq!(daemon.query("SELECT count(*) FROM flows"), [[json!(300)]]);
}

/// How a command about the journal below `dir` ends, and what it prints.
fn journal(dir: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM)
        .arg("journal")
        .args(words)
        .arg("--dir")
        .arg(dir)
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), printed)
}

/// What `flowlogd journal inspect` finds below `dir`.
pub(crate) fn inspected(dir: &Path) -> Value {
    let (code, printed) = journal(dir, &["inspect", "-o", "json"]);
    assert_eq!(code, Some(0), "{printed}");
    serde_json::from_str(&printed).unwrap()
}
