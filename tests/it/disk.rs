//! A disk that is full for a while.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::namespace::with_private_mounts;
use crate::peers::run;
use crate::sender::V5Exporter;
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
        let filled = fs::write(&ballast, vec![1; 16 << 20]);
        assert!(filled.is_err(), "the disk is not full");
        let mut refusals = 0;
        while refusals < 6 {
            let before = records(&daemon, "refused");
            for _ in 0..200 {
                exporter.send();
            }
            daemon.wait_until("settled", |daemon| {
                settled(daemon) == u64::from(exporter.sent())
            });
            refusals += u32::from(records(&daemon, "refused") > before);
        }
        assert_eq!(daemon.text("/healthz"), "ok\n");
        let refused = records(&daemon, "refused");
        let complaints = [
            "cannot write to the log store",
            "the log store refused flows",
        ]
        .map(|words| daemon.logged(words));

        fs::remove_file(&ballast).unwrap();
        daemon.wait_until("written again", |daemon| {
            let stats = daemon.get("/api/v1/stats");
            settled(daemon) == u64::from(exporter.sent())
                && stats["log_store"]["unflushed"]["records"] == json!(0)
        });
        let refused_at_all = records(&daemon, "refused");
        let kept = records(&daemon, "kept");
        for _ in 0..10 {
            exporter.send();
        }
        daemon.wait_until("goes on", |daemon| records(daemon, "kept") == kept + 300);
        println!(
            "{} flows: {refused} refused while the disk was full, {refused_at_all} at all; \
             complaints {complaints:?}",
            exporter.sent()
        );
        assert_eq!(records(&daemon, "refused"), refused_at_all);
        assert_eq!(settled(&daemon), u64::from(exporter.sent()));
        assert_eq!(daemon.get("/api/v1/stats")["gaps"], json!([]));
        let stored = daemon.query("SELECT count(*) FROM flows");
        assert_eq!(stored, [[Value::from(records(&daemon, "kept"))]]);
        assert_eq!(complaints[0], 1);
        assert_eq!(complaints[1], 3, "six and more batches were refused");
        assert_eq!(daemon.logged("the log store can be written again"), 1);
        drop(daemon);
        run("umount", &place.to_string());
    });
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
