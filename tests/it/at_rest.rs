//! A store's files answer as the daemon that wrote them did.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

use crate::sender::{V5Exporter, paced};
use crate::support::{Daemon, flow_log};

const TOTALS: &str = "SELECT count(*) AS rows, sum(records) AS records, sum(bytes) AS bytes, \
                      sum(packets) AS packets FROM flows";

fn flowlogd(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowlogd"));
    command.args(words).output().unwrap()
}

/// What it prints, after checking that it succeeded.
fn printed(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{err}");
    (out, err)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_store_at_rest_answers_as_its_daemon_did() {
    let dir = TempDir::new().unwrap();
    let state = text(dir.path());
    let daemon = Daemon::start_in(dir.path(), &flow_log("cache = \"off\"\n"));
    let mut exporter = V5Exporter::new(9, daemon.port);
    paced(500, Duration::from_secs(1), |_| exporter.send());
    let sent = u64::from(exporter.sent());
    daemon.wait_until("kept", |daemon| {
        daemon.get("/api/v1/stats")["records"]["kept"]["records"] == sent
    });
    let top = ["top", "srcaddr", "--by", "bytes", "--last", "7300d"];
    let asked = |words: &[&str], source: [&str; 2]| {
        printed(&flowlogd(&[words, &["-o", "csv"], &source].concat()))
    };
    let url = ["--url", daemon.url.as_str()];
    let totals = asked(&["query", TOTALS], url);
    let ranking = asked(&top, url);
    assert!(totals.0.contains(&sent.to_string()), "{}", totals.0);
    let (_, beside) = asked(&["query", TOTALS], ["--data-dir", state]);
    let reservation = "flowlogd: a flowlogd is writing to this store";
    assert!(beside.starts_with(reservation), "{beside}");
    assert_eq!(daemon.terminate().code(), Some(0));
    let store = dir.path().join("logstore");
    for dir in [state, text(&store)] {
        let source = ["--data-dir", dir];
        assert_eq!(asked(&["query", TOTALS], source), totals);
        assert_eq!(asked(&top, source), ranking);
        let (parts, _) = asked(&["parts"], source);
        assert!(parts.contains(".parquet"), "{parts}");
    }
}

#[test]
fn what_is_no_store_is_a_usage_error() {
    let dir = TempDir::new().unwrap();
    let output = flowlogd(&["query", "--data-dir", text(dir.path()), "SELECT 1"]);
    assert_eq!(output.status.code(), Some(64));
}
