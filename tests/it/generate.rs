//! Load of our own making: what was sent is what the daemon accounts for.

use std::process::Command;

use serde_json::Value;

use crate::ledger::Metrics;
use crate::support::{Daemon, PROGRAM, flow_log};

/// Sends so many records and gives the row that says what was sent.
fn generate(daemon: &Daemon, words: &str) -> Value {
    let output = Command::new(PROGRAM)
        .args(["generate", "--output", "json", "--to"])
        .arg(format!("127.0.0.1:{}", daemon.port))
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let mut rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

#[test]
fn the_ledger_has_exactly_what_was_sent() {
    let daemon = Daemon::start(&flow_log("active-s = 2\ninactive-s = 1\n"));
    let mut sums = [0; 4];
    for version in ["v5", "v9", "ipfix"] {
        let sent = generate(
            &daemon,
            &format!(
                "--version {version} --records 20001 --rate 100000 --flows 5000 --exporters 4 \
                 --distribution zipf"
            ),
        );
        assert_eq!(sent["version"], version);
        assert_eq!(sent["records"], 20_001);
        assert_eq!(sent["unreachable"], 0);
        for (sum, key) in sums
            .iter_mut()
            .zip(["datagrams", "records", "octets", "packets"])
        {
            *sum += sent[key].as_u64().unwrap();
        }
    }
    let [datagrams, records, octets, packets] = sums;
    daemon.wait_until("all kept", |daemon| {
        let metrics = Metrics::scrape(daemon);
        metrics.check();
        metrics.get("flowlogd_logstore_kept_records_total") == records
    });
    let metrics = Metrics::scrape(&daemon);
    assert_eq!(metrics.missed(), 0);
    assert_eq!(metrics.get("flowlogd_listen_datagrams_total"), datagrams);
    assert_eq!(metrics.get("flowlogd_flow_decoded_records_total"), records);
    assert_eq!(metrics.get("flowlogd_logstore_kept_octets_total"), octets);
    assert_eq!(metrics.get("flowlogd_logstore_kept_packets_total"), packets);
    assert_eq!(metrics.get("flowlogd_session_sequence_lost_total"), 0);
    let exporters = daemon.query("SELECT DISTINCT exporter FROM flows ORDER BY 1");
    let expected = [1, 2, 3, 4].map(|host| vec![Value::from(format!("127.1.0.{host}"))]);
    assert_eq!(exporters, expected);
}
