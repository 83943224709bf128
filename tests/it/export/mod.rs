//! Flows re-exported: what other collectors make of them, what becomes of them
//! when a collector is away, and when the flow log changes.

mod away;
mod chain;
mod change;
mod decoders;
mod nfacctd;
mod receiver;
mod sampled;
mod told;
mod tshark;
mod vendors;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::exporters::softflowd;
use crate::support::{Daemon, flow_log};
use crate::traffic::{Sums, write_capture};

const VERSIONS: [&str; 3] = ["v5", "v9", "v10"];

/// One flow log that stores its flows and re-exports them in each version.
fn to_all(ports: [u16; 3]) -> String {
    let outputs = VERSIONS.iter().zip(ports).map(|(version, port)| {
        format!("[[flow-log.netflow]]\nserver = \"127.0.0.1:{port}\"\nversion = \"{version}\"\n")
    });
    flow_log("cache = \"off\"\noutput = \"all\"\n") + &outputs.collect::<String>()
}

/// Flows of the capture that softflowd reads.
const FLOWS: u32 = 320;

/// A capture that ended a minute ago, and what is in it.
fn capture(dir: &Path, with_ipv6: bool) -> (PathBuf, Sums) {
    let path = dir.join(format!("traffic-{with_ipv6}.pcap"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let sums = write_capture(&path, FLOWS, with_ipv6, now.unwrap().as_secs() - 60);
    (path, sums)
}

/// Has softflowd export the capture to a daemon and a port beside it, and waits
/// until all rows have ended at all collectors, of which there are `collectors`.
fn export(version: &str, capture: &Path, daemon: &Daemon, beside: u16, collectors: u64) {
    let ports = [daemon.port, beside];
    assert_eq!(softflowd(version, capture, &ports), u64::from(FLOWS));
    settle(daemon, u64::from(FLOWS) * collectors);
}

/// Waits until so many rows were offered to collectors, and none waits.
fn settle(daemon: &Daemon, offered: u64) {
    daemon.wait_until("all rows to end at collectors", |daemon| {
        let all = collectors(daemon);
        let sum = |what: fn(&Collector) -> u64| all.values().map(what).sum::<u64>();
        sum(|of| of.offered) == offered && sum(|of| of.pending) == 0
    });
    assert_eq!(
        daemon.get("/api/v1/stats")["gaps"],
        serde_json::json!([]),
        "the ledger"
    );
}

/// What became of the rows of one collector.
#[derive(Debug)]
struct Collector {
    offered: u64,
    pending: u64,
    sent: Sums,
    unsent: BTreeMap<String, u64>,
    failures: BTreeMap<String, u64>,
    lacking: BTreeMap<String, u64>,
    sessions: u64,
    messages: usize,
}

/// All collectors, by name.
fn collectors(daemon: &Daemon) -> BTreeMap<String, Collector> {
    let stats = daemon.get("/api/v1/stats");
    let all = stats["netflow"]["collectors"].as_array().unwrap();
    all.iter()
        .map(|of| (of["name"].as_str().unwrap().to_owned(), collector(of)))
        .collect()
}

fn collector(of: &Value) -> Collector {
    let number = |value: &Value| value.as_u64().unwrap();
    let counts = |what: &str, number: &dyn Fn(&Value) -> u64| {
        let counts = of[what].as_object().unwrap().iter();
        counts
            .map(|(label, value)| (label.clone(), number(value)))
            .collect()
    };
    Collector {
        offered: number(&of["offered"]["records"]),
        pending: number(&of["pending"]["records"]),
        sent: Sums {
            flows: number(&of["sent"]["records"]),
            packets: number(&of["sent"]["packets"]),
            bytes: number(&of["sent"]["octets"]),
        },
        unsent: counts("unsent", &|value| number(&value["records"])),
        failures: counts("failures", &number),
        lacking: counts("lacking", &number),
        sessions: number(&of["sessions"]),
        messages: usize::try_from(number(&of["messages"])).unwrap(),
    }
}
