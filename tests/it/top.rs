//! `flowlogd top` beside `nfdump -s`: the same flows, the same ranking.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::peers::{Nfcapd, command};
use crate::support::{Daemon, flow_log, have};
use crate::traffic::write_capture;

const FLOWS: u32 = 320;

/// What we rank by, and nfdump's word for it.
const DIMENSIONS: [(&str, &str); 5] = [
    ("srcaddr", "srcip"),
    ("dstaddr", "dstip"),
    ("srcport", "srcport"),
    ("dstport", "dstport"),
    ("proto", "proto"),
];

const FILTERS: [&str; 14] = [
    "any",
    "proto tcp",
    "proto udp and not src net 10.0.0.0/27",
    "src net 10.0.0.0/28 or dst ip 192.0.2.77",
    "src ip 10.0.0.5",
    "host 192.0.2.12",
    "dst port 443 and src port > 1300",
    "src port in [1024 1100 1200]",
    "port 1111",
    "bytes > 4000",
    "bytes < 1k and packets < 3",
    "packets > 11",
    "flags A and not flags S",
    "not (proto tcp or inet6)",
];

#[test]
fn top_ranks_as_nfdump_does() {
    if !have(&["softflowd", "nfcapd", "nfdump"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let capture = dir.path().join("traffic.pcap");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let sent = write_capture(&capture, FLOWS, true, now.as_secs() - 60);
    let daemon = Daemon::start(&flow_log("cache = \"off\"\n"));
    let nfcapd = Nfcapd::start(&dir.path().join("nfcapd"));
    let files = dir.path().join("nfcapd");
    let status = command("softflowd")
        .args(["-6", "-d", "-a", "-c", "none", "-v", "9", "-n"])
        .arg(format!(
            "127.0.0.1:{},127.0.0.1:{}",
            nfcapd.port, daemon.port
        ))
        .arg("-r")
        .arg(&capture)
        .output();
    assert!(status.unwrap().status.success());
    daemon.wait_until("all flows kept", |daemon| {
        daemon.get("/api/v1/stats")["records"]["kept"]["records"] == sent.flows
    });
    assert_eq!(nfcapd.stop(), sent);
    let mut different = Vec::new();
    let mut compared = 0;
    for filter in FILTERS {
        for (ours, theirs) in DIMENSIONS {
            let wanted = nfdump(&files, theirs, filter);
            let found = top(&daemon, ours, filter);
            compared += wanted.len();
            if found != wanted {
                different.push(format!(
                    "{ours} '{filter}':\n top    {found:?}\n nfdump {wanted:?}"
                ));
            }
        }
    }
    println!(
        "{} filters by {} dimensions, {compared} rows compared",
        FILTERS.len(),
        DIMENSIONS.len()
    );
    assert!(compared > 200, "{compared}");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// One row of a ranking.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Group {
    name: String,
    flows: u64,
    packets: u64,
    bytes: u64,
}

/// Bytes of the best ten, with the rest of those that no other equals: which
/// of equals comes first, or at all, is anyone's choice.
type Ranking = Vec<(u64, Option<Group>)>;

/// Reads nfdump's CSV, which both print.
fn ranking(filter: &str, output: &Output) -> Ranking {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "'{filter}': {said}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().skip_while(|line| !line.starts_with("ts,te"));
    let groups: Vec<Group> = lines.skip(1).map_while(group).collect();
    let last = groups.last().map(|group| group.bytes);
    let is_tied = |group: &Group| {
        let equal = groups.iter().filter(|other| other.bytes == group.bytes);
        // The tenth may equal an eleventh that is not shown.
        equal.count() > 1 || groups.len() == 10 && Some(group.bytes) == last
    };
    groups
        .iter()
        .map(|group| {
            let sums = (!is_tied(group)).then(|| group.clone());
            (group.bytes, sums)
        })
        .collect()
}

/// A line up to the empty one before nfdump's summary.
fn group(line: &str) -> Option<Group> {
    let columns: Vec<&str> = line.split(',').collect();
    let number = |at: usize| columns.get(at)?.trim().parse().ok();
    // nfdump 1.7 numbers protocols where it ranks them and names them elsewhere.
    let name = match columns.get(4)?.trim() {
        "TCP" => "6",
        "UDP" => "17",
        other => other,
    };
    Some(Group {
        name: name.to_owned(),
        flows: number(5)?,
        packets: number(7)?,
        bytes: number(9)?,
    })
}

fn top(daemon: &Daemon, dimension: &str, filter: &str) -> Ranking {
    let output = Command::new(env!("CARGO_BIN_EXE_flowlogd"))
        .args(["top", dimension, "--by", "bytes", "-n", "10", "-o", "csv"])
        .args(["--url", &daemon.url, filter])
        .output()
        .unwrap();
    ranking(filter, &output)
}

fn nfdump(files: &Path, statistic: &str, filter: &str) -> Ranking {
    let output = command("nfdump")
        .arg("-R")
        .arg(files)
        .args(["-s", &format!("{statistic}/bytes"), "-n", "10", "-o", "csv"])
        .arg(filter)
        .output()
        .unwrap();
    ranking(filter, &output)
}
