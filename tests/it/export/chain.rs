//! Two flowlogd, one behind the other, the second of which points back.

use tempfile::TempDir;

use super::{collectors, settle};
use crate::sender::V5Exporter;
use crate::support::{Daemon, flow_log, free_port};

/// A flow log that sends its flows on to a port, and believes what comes from
/// there to be other exporters'.
fn settings(version: &str, port: u16) -> String {
    format!(
        "[exporters]\nmediators = [\"127.0.0.1\"]\n{}netflow-server = \"127.0.0.1:{port}\"\n\
         netflow-version = \"{version}\"\n",
        flow_log("cache = \"off\"\noutput = \"all\"\n")
    )
}

#[test]
fn sums_and_exporters_are_kept_and_nothing_goes_round() {
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let ports = [free_port(), free_port()];
    let first = Daemon::start_on(ports[0], dirs[0].path(), &settings("v9", ports[1]));
    let second = Daemon::start_on(ports[1], dirs[1].path(), &settings("v10", ports[0]));
    let mut exporters = [21, 22].map(|host| V5Exporter::new(host, ports[0]));
    for exporter in &mut exporters {
        exporter.burst(10);
    }
    let sent: u64 = exporters.iter().map(|of| u64::from(of.sent())).sum();
    settle(&first, sent);
    // What the first gets back it knows to have.
    first.wait_until("all of it to come back", |daemon| {
        daemon.get("/api/v1/stats")["records"]["looped"]["records"] == sent
    });
    settle(&second, sent);
    let rows = |daemon: &Daemon| {
        daemon.query(
            "SELECT exporter, count(*), sum(packets), sum(bytes), min(\"start\"), max(\"end\") \
             FROM flows GROUP BY exporter ORDER BY exporter",
        )
    };
    assert_eq!(rows(&first).len(), 2);
    assert_eq!(rows(&first), rows(&second));
    assert_eq!(rows(&second)[0][0], "127.0.0.21");
    for daemon in [&first, &second] {
        let sent_on: u64 = collectors(daemon).values().map(|of| of.sent.flows).sum();
        assert_eq!(sent_on, sent);
        assert_eq!(daemon.get("/api/v1/stats")["gaps"], serde_json::json!([]));
    }
}
