//! A flow log that changes while flows come.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::collectors;
use super::receiver::Receiver;
use crate::sender::V5Exporter;
use crate::support::{Daemon, configure, flow_log, free_port};

fn settings(version: &str, port: u16) -> String {
    flow_log("active-s = 4\ninactive-s = 2\noutput = \"all\"\n")
        + &format!("netflow-server = \"127.0.0.1:{port}\"\nnetflow-version = \"{version}\"\n")
}

/// Version and address of the collector change again and again: each flow goes
/// to the one or the other, once, and all are stored.
#[test]
fn no_flow_is_lost_or_sent_twice_when_version_and_address_change() {
    let dir = TempDir::new().unwrap();
    let port = free_port();
    let receivers = [0, 0].map(Receiver::start);
    let first = settings("v9", receivers[0].port);
    let daemon = Daemon::start_on(port, dir.path(), &first);
    let mut exporter = V5Exporter::new(1, port);
    for (version, to) in [("v10", 0), ("v10", 1), ("v5", 1), ("v9", 0)] {
        exporter.burst(20);
        let before = reloads(&daemon);
        configure(port, dir.path(), &settings(version, receivers[to].port));
        daemon.signal("HUP");
        daemon.wait_until("the reload", |daemon| reloads(daemon) > before);
    }
    exporter.burst(20);
    let sent = u64::from(exporter.sent());
    daemon.wait_until("all flows to be through", |daemon| {
        let all = collectors(daemon);
        let through = all.values().filter(|of| of.pending == 0);
        through.map(|of| of.sent.flows).sum::<u64>() == sent
    });
    let rows = daemon.query("SELECT count(*), sum(packets), sum(bytes) FROM flows");
    let stored: Vec<_> = rows[0]
        .iter()
        .map(|value| value.as_u64().unwrap())
        .collect();
    let all = collectors(&daemon);
    println!("{all:?}");
    assert_eq!(all.len(), 4, "v9 at the first address came back");
    let sum = |number: fn(&super::Collector) -> u64| all.values().map(number).sum::<u64>();
    assert_eq!(sum(|of| of.offered), sent);
    assert_eq!(sum(|of| of.sent.packets), stored[1]);
    assert_eq!(sum(|of| of.sent.bytes), stored[2]);
    assert_eq!(daemon.get("/api/v1/stats")["gaps"], serde_json::json!([]));
    // Nobody changed the meaning of a Template in a session: an id means one
    // version and layout for each source port, which only a receiver sees.
    for receiver in &receivers {
        let versions: BTreeMap<u16, usize> =
            receiver
                .messages()
                .iter()
                .fold(BTreeMap::new(), |mut counts, message| {
                    let version = u16::from_be_bytes([message[0], message[1]]);
                    *counts.entry(version).or_default() += 1;
                    counts
                });
        assert_eq!(versions.len(), 2, "{versions:?}");
    }
}

fn reloads(daemon: &Daemon) -> u64 {
    let metrics = daemon.text("/metrics");
    let lines = metrics.lines();
    let reloads = lines.filter(|line| line.starts_with("flowlogd_config_reloads_total"));
    reloads
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum()
}
