//! What `/metrics` and the views of exporters show, and that it stays bounded.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sender::{Spoofer, V5Exporter, paced};
use crate::support::{Daemon, flow_log, have};

const SPOOFED: u32 = 10_000;

#[test]
fn ten_thousand_spoofed_sources_cost_less_than_two_thousand_series() {
    let daemon = Daemon::start(&flow_log(
        "cache = \"off\"\n[exporters.limits]\nmax-sessions-per-second = 1000000\n\
         max-sessions = 20000\nmax-probation = 20000\n",
    ));
    let mut known = V5Exporter::new(9, daemon.port);
    known.send();
    let spoofer = Spoofer::new(daemon.port);
    // Three consistent messages establish a session.
    let datagrams = u64::from(3 * SPOOFED);
    let mut sent = 0_u32;
    while sent < 3 * SPOOFED {
        paced(10_000, Duration::from_millis(300), |_| {
            if sent < 3 * SPOOFED {
                let source = Ipv4Addr::from(0x7f02_0000 + sent % SPOOFED);
                spoofer.send(source, &datagram(sent / SPOOFED));
                sent += 1;
            }
        });
    }
    daemon.wait_until("all received", |daemon| {
        daemon.get("/api/v1/stats")["datagrams"]["received"] == datagrams + 1
    });
    let metric = |text: &str, name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |value| value.trim().parse().unwrap())
    };
    daemon.wait_until("all looked at", |daemon| {
        metric(&daemon.text("/metrics"), "flowlogd_session_exporters ") == u64::from(SPOOFED) + 1
    });
    let text = daemon.text("/metrics");
    let series = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let series = series.count();
    println!("{series} series after {SPOOFED} spoofed sources");
    assert!((1_500..2_000).contains(&series), "{series}");
    let records: u64 = text
        .lines()
        .filter_map(|line| line.strip_prefix("flowlogd_session_exporter_records_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(
        records,
        metric(&text, "flowlogd_session_data_records_total ")
    );

    let page = daemon.get("/api/v1/exporters?offset=9999&limit=10");
    assert_eq!(page["total"], json!(SPOOFED + 1));
    assert_eq!(page["exporters"].as_array().unwrap().len(), 2);
    let one = daemon.get("/api/v1/exporters?exporter=127.0.0.9");
    assert_eq!(one["exporters"][0]["records"], json!(30));
    let refused = daemon.get("/api/v1/exporters?limit=1001");
    assert_eq!(refused["error"]["code"], json!("bad-request"));
    let refused = daemon.get("/api/v1/exporters?page=2");
    assert_eq!(refused["error"]["code"], json!("bad-request"));
}

/// A v5 datagram of one flow.
fn datagram(sequence: u32) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut datagram = Vec::new();
    datagram.extend(5_u16.to_be_bytes());
    datagram.extend(1_u16.to_be_bytes());
    datagram.extend(100_000_u32.to_be_bytes());
    datagram.extend(u32::try_from(now.as_secs()).unwrap().to_be_bytes());
    datagram.extend([0; 4]);
    datagram.extend(sequence.to_be_bytes());
    datagram.extend([0; 4]);
    datagram.extend([10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 2]);
    datagram.extend([0, 0, 0, 1, 0, 0, 0, 100]);
    datagram.extend(99_000_u32.to_be_bytes());
    datagram.extend(99_500_u32.to_be_bytes());
    datagram.extend([4, 0, 1, 187, 0, 0x10, 6, 0, 0, 0, 0, 0, 24, 24, 0, 0]);
    datagram
}

#[test]
fn the_templates_come_in_pages() {
    let daemon = Daemon::start("");
    let spoofer = Spoofer::new(daemon.port);
    for host in [1, 2] {
        for id in 256..266_u16 {
            let source = Ipv4Addr::new(127, 3, 0, host);
            spoofer.send(source, &template(id));
        }
    }
    daemon.wait_until("all templates known", |daemon| {
        daemon.get("/api/v1/templates?limit=0")["total"] == json!(20)
    });
    let ids = |path: &str| -> Vec<Value> {
        let page = daemon.get(path);
        let templates = page["templates"].as_array().unwrap().clone();
        templates
            .iter()
            .map(|template| json!([template["exporter"], template["id"]]))
            .collect()
    };
    let mut seen = BTreeSet::new();
    for offset in (0..20).step_by(7) {
        let page = ids(&format!("/api/v1/templates?limit=7&offset={offset}"));
        assert_eq!(page.len(), 7.min(20 - offset));
        seen.extend(page.iter().map(Value::to_string));
    }
    assert_eq!(seen.len(), 20);
    let of_one = ids("/api/v1/templates?exporter=127.3.0.2");
    let expected: Vec<_> = (256..266).map(|id| json!(["127.3.0.2", id])).collect();
    assert_eq!(of_one, expected);
}

/// An IPFIX Message with one Template of one field.
fn template(id: u16) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend([0, 10, 0, 28]);
    datagram.extend(1_790_000_000_u32.to_be_bytes());
    datagram.extend([0; 8]);
    datagram.extend([0, 2, 0, 12]);
    datagram.extend(id.to_be_bytes());
    datagram.extend([0, 1, 0, 1, 0, 4]);
    datagram
}

#[test]
fn a_scrape_is_what_the_document_says_and_promtool_likes_it() {
    let dir = TempDir::new().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "access-key-id = id\naccess-key-secret = secret\n").unwrap();
    // A log service and collectors that nobody runs.
    let settings = format!(
        "active-s = 2\ninactive-s = 1\noutput = \"all\"\n\
         [[flow-log.netflow]]\nserver = \"127.0.0.1:9\"\nversion = \"v5\"\nmessage-bytes = 512\n\
         [[flow-log.netflow]]\nserver = \"127.0.0.1:9\"\nfilter = \"dst port 1\"\n[sls]\nendpoint = \"127.0.0.1:9\"\nlinger-ms = 10\n\
         access-key-file = {key:?}\n[[relay]]\nto = [\"127.0.0.1:9\"]\n"
    );
    let daemon = Daemon::start(&flow_log(&settings));
    let mut exporter = V5Exporter::new(9, daemon.port);
    // Three consistent messages establish an exporter.
    for _ in 0..3 {
        exporter.send();
    }
    daemon.wait_until("flows kept", |daemon| {
        daemon.get("/api/v1/stats")["records"]["kept"]["records"] == 90
    });
    daemon.query("SELECT count(*) FROM flows");
    daemon.wait_until("all metrics there", |daemon| {
        let text = daemon.text("/metrics");
        let told = [
            "{exporter=\"127.0.0.9\"}",
            "verdict=\"connect\"",
            "reason=\"refused\"}",
        ];
        told.iter().all(|words| text.contains(words))
    });
    let text = daemon.text("/metrics");
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let document = std::fs::read_to_string(document).unwrap();
    let written: BTreeSet<(&str, &str)> = document
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
            let kind = rest.split(' ').next()?;
            ["counter", "gauge", "histogram"]
                .contains(&kind)
                .then_some((name, kind))
        })
        .collect();
    let shown: BTreeSet<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    // No part is due within the few seconds of this test.
    let absent = ("flowlogd_logstore_commit_seconds", "histogram");
    let missing: Vec<_> = written
        .difference(&shown)
        .filter(|it| **it != absent)
        .collect();
    assert!(missing.is_empty(), "not shown: {missing:?}");
    let unknown: Vec<_> = shown.difference(&written).collect();
    assert!(unknown.is_empty(), "not in docs/metrics.md: {unknown:?}");
    if have(&["promtool"]) {
        lint(&text);
    }
}

fn lint(text: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    assert_eq!(said, ["", ""], "promtool");
    assert!(output.status.success());
}
