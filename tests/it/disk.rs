//! A disk that is full for a while, and a journal at its quota.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bridge::{Cloud, arrived, bridge, sls};
use crate::namespace::with_private_mounts;
use crate::peers::run;
use crate::sender::{V5Exporter, paced};
use crate::support::{Daemon, flow_log};

const SETTINGS: &str = "cache = \"off\"\n[logstore]\ntail-age-s = 1\ntail-bytes = 1048576\n";

#[test]
fn a_full_disk_costs_counted_flows_until_there_is_space_again() {
    with_private_mounts(|| {
        let dir = TempDir::new().unwrap();
        let place = dir.path().display();
        run("mount", &format!("-t tmpfs -o size=16m none {place}"));
        let daemon = Daemon::start_in(dir.path(), &flow_log(SETTINGS));
        let mut exporter = V5Exporter::new(41, daemon.port);
        exporter.send();
        daemon.wait_until("a first part written", |daemon| {
            daemon.get("/api/v1/stats")["log_store"]["durable"]["records"] == json!(30)
        });
        let ballast = dir.path().join("ballast");
        let refusals = send_until_refused(&daemon, &mut exporter, &ballast);
        assert_eq!(daemon.text("/healthz"), "ok\n");
        assert_eq!(fault_metric(&daemon), "1");
        assert_eq!(daemon.get("/api/v1/stats")["gaps"], json!([]));
        let refused = records(&daemon, "refused");

        fs::remove_file(&ballast).unwrap();
        daemon.wait_until("written again", |daemon| {
            let stats = daemon.get("/api/v1/stats");
            settled(daemon) == u64::from(exporter.sent())
                && stats["log_store"]["unflushed"]["records"] == json!(0)
                && stats["journal"]["fault"].is_null()
        });
        let refused_at_all = records(&daemon, "refused");
        let kept = records(&daemon, "kept");
        for _ in 0..10 {
            exporter.send();
        }
        daemon.wait_until("goes on", |daemon| records(daemon, "kept") == kept + 300);
        println!(
            "{} flows: {refused} refused while the disk was full, \
             {refused_at_all} at all",
            exporter.sent()
        );
        assert_eq!(records(&daemon, "refused"), refused_at_all);
        assert_eq!(settled(&daemon), u64::from(exporter.sent()));
        assert_eq!(daemon.get("/api/v1/stats")["gaps"], json!([]));
        let stored = daemon.query("SELECT count(*) FROM flows");
        assert_eq!(stored, [[Value::from(records(&daemon, "kept"))]]);
        has_begun_and_ended(&daemon);
        let complaints = daemon.logged("the log store refused flows");
        assert!(
            (1..refusals).contains(&complaints),
            "{complaints} lines for {refusals} rounds of refused batches"
        );
        assert_eq!(fault_metric(&daemon), "0");
        daemon.wait_until("durable", |daemon| {
            let journal = daemon.get("/api/v1/stats")["journal"].clone();
            journal["durable_to"] == journal["next_seq"]
        });
        drop(daemon);
        run("umount", &place.to_string());
    });
}

/// Fills the disk, again in each round, for the journal and merged parts give
/// room back, and sends until flows were refused in six rounds and the journal's
/// disk is full too; says in how many.
fn send_until_refused(daemon: &Daemon, exporter: &mut V5Exporter, ballast: &Path) -> usize {
    let mut refusals = 0;
    for _ in 0..60 {
        fill(ballast);
        let before = records(daemon, "refused");
        for _ in 0..200 {
            exporter.send();
        }
        daemon.wait_until("settled", |daemon| {
            settled(daemon) == u64::from(exporter.sent())
        });
        refusals += usize::from(records(daemon, "refused") > before);
        if refusals >= 6 && fault(daemon) == json!("enospc") {
            return refusals;
        }
    }
    panic!("the disk is not full: {}", daemon.get("/api/v1/stats"));
}

/// Makes a file as large as its disk allows.
fn fill(path: &Path) {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let mut file = file.unwrap();
    while file.write(&[1; 4096]).is_ok() {}
}

/// Each state has its begin and its end in the log; what the journal gives back
/// while the disk is full may be room for a part.
fn has_begun_and_ended(daemon: &Daemon) {
    for (begin, end) in [
        (
            "cannot write to the log store",
            "the log store can be written again",
        ),
        ("rows cannot be made durable", "rows are durable again"),
    ] {
        assert!(daemon.logged(begin) > 0, "{begin}");
        assert_eq!(daemon.logged(begin), daemon.logged(end), "{begin}");
    }
}

/// Waits until all is sent; how long that takes is the machine's, but it goes on.
fn drain(daemon: &Daemon) {
    let mut pending = sls(daemon)["pending"];
    while pending > 0 {
        daemon.wait_until("fewer pending", |daemon| sls(daemon)["pending"] < pending);
        pending = sls(daemon)["pending"];
    }
}

/// reliability.md row 6.
#[test]
fn a_journal_at_its_quota_drops_the_oldest_and_counts_them() {
    let cloud = Cloud::new();
    cloud.write_secret();
    let dir = TempDir::new().unwrap();
    let quota = 16 << 20;
    let settings = format!("[logstore]\ntail-age-s = 1\n[journal]\nquota-bytes = {quota}\n");
    let daemon = Daemon::start_in(dir.path(), &bridge(dir.path(), &cloud, &settings));
    let mut exporter = V5Exporter::new(42, daemon.port);
    let mut rounds = 0;
    while sls(&daemon)["evicted"] == 0 {
        rounds += 1;
        assert!(
            rounds < 60,
            "nothing is dropped: {}",
            daemon.get("/api/v1/stats")
        );
        paced(1_000, Duration::from_secs(1), |_| exporter.send());
        let stats = daemon.get("/api/v1/stats");
        assert!(stats["journal"]["disk_bytes"].as_u64().unwrap() <= quota);
        assert_eq!(stats["gaps"], json!([]));
    }
    let sent = u64::from(exporter.sent());
    daemon.wait_until("journaled", |daemon| sls(daemon)["journaled"] == sent);
    let before = sls(&daemon);
    let places = daemon.get("/api/v1/destinations");
    let mut places = places.as_array().unwrap().iter();
    let place = places
        .find(|place| place["name"] == "sls/-/-/test/flows")
        .unwrap();
    assert_eq!(place["evicted"]["records"], before["evicted"]);
    assert_eq!(place["evicted"]["octets"], before["evicted"] * 100);
    assert_eq!(before["acked"] + before["refused"] + before["damaged"], 0);
    assert_eq!(before["pending"] + before["evicted"], sent);

    let service = cloud.start();
    drain(&daemon);
    println!(
        "{sent} flows: {} dropped within {quota} octets",
        before["evicted"]
    );
    let left = sent - before["evicted"];
    assert_eq!(arrived(&service).1, left);
    // The newest are there without a gap.
    let kept = daemon.query(&format!(
        "SELECT min(srcaddr) FROM flows WHERE seq > (SELECT max(seq) FROM flows) - {left}"
    ));
    let there = service.query("SELECT min(srcaddr) FROM test.flows");
    assert_eq!(there, kept);
    assert_eq!(daemon.get("/api/v1/stats")["gaps"], json!([]));
    assert_eq!(daemon.query("SELECT count(*) FROM flows"), [[json!(sent)]]);
}

/// What keeps the journal from writing.
fn fault(daemon: &Daemon) -> Value {
    daemon.get("/api/v1/stats")["journal"]["fault"].clone()
}

/// The same as a metric: whether it is a full disk.
fn fault_metric(daemon: &Daemon) -> String {
    let text = daemon.text("/metrics");
    let mut values = text
        .lines()
        .filter_map(|line| line.strip_prefix("flowlogd_journal_fault{reason=\"enospc\"} "));
    values.next().unwrap().to_owned()
}

/// Flows whose end is known.
fn settled(daemon: &Daemon) -> u64 {
    records(daemon, "kept") + records(daemon, "refused")
}

fn records(daemon: &Daemon, account: &str) -> u64 {
    daemon.get("/api/v1/stats")["records"][account]["records"]
        .as_u64()
        .unwrap()
}
