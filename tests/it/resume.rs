//! The flows of the cache across an unclean end, and across a clean one.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sender::V5Exporter;
use crate::support::{Daemon, flow_log, free_port};

/// Flows stay open until the end; snapshots as often as may be.
fn settings() -> String {
    flow_log("active-s = 600\ninactive-s = 600\n[journal]\nsnapshot-interval-s = 1\n")
}

/// Datagrams of 30 flows, the same ones from each new exporter.
const DATAGRAMS: u32 = 10;
const FLOWS: u64 = 300;

fn send(port: u16) {
    let mut exporter = V5Exporter::new(91, port);
    for _ in 0..DATAGRAMS {
        exporter.send();
    }
}

fn records(daemon: &Daemon, account: &str) -> Value {
    daemon.get("/api/v1/stats")["records"][account]["records"].clone()
}

fn snapshots(daemon: &Daemon) -> u64 {
    let text = daemon.text("/metrics");
    let name = "flowlogd_cache_snapshots_total{result=\"success\"} ";
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines.next().map_or(0, |value| value.parse().unwrap())
}

/// Waits for a snapshot that began after now.
fn wait_for_snapshot(daemon: &Daemon) {
    let before = snapshots(daemon);
    daemon.wait_until("kept", |daemon| snapshots(daemon) >= before + 2);
}

fn snapshot_file(dir: &Path) -> std::path::PathBuf {
    dir.join("journal/snapshot")
}

#[test]
fn flows_go_on_after_kills_as_if_nothing_had_happened() {
    let (dir, port) = (TempDir::new().unwrap(), free_port());
    for life in 0..3 {
        let daemon = Daemon::start_on(port, dir.path(), &settings());
        let resumed = if life > 0 { FLOWS * life } else { 0 };
        assert_eq!(records(&daemon, "resumed"), resumed, "life {life}");
        send(port);
        let held = resumed + FLOWS;
        daemon.wait_until("held", |daemon| records(daemon, "held") == held);
        assert_eq!(daemon.get("/api/v1/stats")["live_flows"], FLOWS);
        assert_eq!(daemon.get("/api/v1/stats")["gaps"], json!([]));
        wait_for_snapshot(&daemon);
        daemon.kill();
    }
    let daemon = Daemon::start_on(port, dir.path(), &settings());
    assert!(snapshot_file(dir.path()).exists());
    assert_eq!(daemon.terminate().code(), Some(0));
    assert!(!snapshot_file(dir.path()).exists(), "a clean end");
    let daemon = Daemon::start_on(port, dir.path(), &settings());
    assert_eq!(records(&daemon, "resumed"), 0);
    let sql = "SELECT count(*), sum(records), sum(bytes), sum(packets), \
               count(DISTINCT srcaddr), min(\"flow-end-reason\") FROM flows";
    let rows = daemon.query(sql);
    let sums = [FLOWS, 3 * FLOWS, 300 * FLOWS, 3 * FLOWS, FLOWS, 4];
    assert_eq!(rows, [sums.map(|sum| json!(sum))]);
}

#[test]
fn a_snapshot_that_is_damaged_or_unwanted_is_removed() {
    let (dir, port) = (TempDir::new().unwrap(), free_port());
    let live = |settings: &str| {
        let daemon = Daemon::start_on(port, dir.path(), settings);
        assert_eq!(records(&daemon, "resumed"), 0);
        send(port);
        daemon.wait_until("held", |daemon| records(daemon, "held") == FLOWS);
        daemon
    };
    let daemon = live(&settings());
    wait_for_snapshot(&daemon);
    daemon.kill();
    let file = snapshot_file(dir.path());
    let mut octets = std::fs::read(&file).unwrap();
    octets[40] ^= 1;
    std::fs::write(&file, octets).unwrap();
    let daemon = live(&settings());
    wait_for_snapshot(&daemon);
    daemon.kill();
    // What was resumed has no snapshot any more.
    let off = settings().replace("snapshot-interval-s = 1", "snapshot-interval-s = 0");
    let daemon = Daemon::start_on(port, dir.path(), &off);
    assert_eq!(records(&daemon, "resumed"), FLOWS);
    assert!(!file.exists());
    daemon.kill();
    live(&off);
}
