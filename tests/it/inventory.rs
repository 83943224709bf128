//! Devices, flow logs and the allow-list, and changing them while running.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sender::V5Exporter;
use crate::support::Daemon;

const TWO_SAGS: &str = r#"
[[flow-log]]
name = "branches"
project = "network"
logstore = "branches"
cache = "off"

[[device]]
instance-id = "sag-one"
snid = "sn-1"
ali-uid = "1001"
exporters = [{ address = "127.0.0.11" }]
flow-logs = ["branches"]

[[device]]
instance-id = "sag-two"
snid = "sn-2"
ali-uid = "1002"
exporters = [{ address = "127.0.0.12" }]
flow-logs = ["branches"]

[default-flow-log]
action = "ignore"
"#;

#[test]
fn every_row_names_the_device_that_its_exporter_is() {
    let daemon = Daemon::start(TWO_SAGS);
    for host in [11, 12, 12, 13] {
        V5Exporter::new(host, daemon.port).send();
    }
    daemon.wait_until("all flows kept", |daemon| {
        let stats = daemon.get("/api/v1/stats");
        stats["records"]["kept"]["records"] == 90 && stats["records"]["unclaimed"]["records"] == 30
    });
    let rows = daemon.query(
        "SELECT \"Instance_id\", snid, \"ali-uid\", exporter, count(*) \
         FROM network.branches GROUP BY 1, 2, 3, 4 ORDER BY 1",
    );
    let expected = [
        json!(["sag-one", "sn-1", "1001", "127.0.0.11", 30]),
        json!(["sag-two", "sn-2", "1002", "127.0.0.12", 60]),
    ];
    let rows: Vec<Value> = rows.into_iter().map(Value::from).collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_reload_moves_exporters_and_a_bad_file_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start_in(dir.path(), TWO_SAGS);
    let config = dir.path().join("flowlogd.toml");
    let good = fs::read_to_string(&config).unwrap();
    let first = |daemon: &Daemon| daemon.get("/api/v1/flow-logs")[0].clone();
    assert_eq!(first(&daemon)["instance_id"], json!("sag-one"));

    fs::write(
        &config,
        good.replace("sag-one", "sag-three")
            .replace("ignore", "explode"),
    )
    .unwrap();
    daemon.signal("HUP");
    daemon.wait_until("refused", |daemon| reload_metric(daemon) == Some(0));
    assert_eq!(first(&daemon)["instance_id"], json!("sag-one"));

    fs::write(&config, good.replace("sag-one", "sag-three")).unwrap();
    daemon.signal("HUP");
    daemon.wait_until("reloaded", |daemon| reload_metric(daemon) == Some(1));
    V5Exporter::new(11, daemon.port).send();
    daemon.wait_until("flows kept", |daemon| {
        daemon.get("/api/v1/stats")["records"]["kept"]["records"] == 30
    });
    let rows = daemon.query("SELECT DISTINCT \"Instance_id\" FROM flows");
    assert_eq!(rows, [[json!("sag-three")]]);
}

#[test]
fn an_exporter_on_no_allow_list_gets_no_session() {
    let daemon = Daemon::start("[exporters]\nallow = [\"127.0.0.11/32\"]\n");
    V5Exporter::new(12, daemon.port).send();
    V5Exporter::new(11, daemon.port).send();
    daemon.wait_until("both received", |daemon| {
        daemon.get("/api/v1/stats")["datagrams"]["received"] == 2
    });
    let stats = daemon.get("/api/v1/stats");
    let refused = &stats["datagrams"]["refused"]["exporter-not-allowed"];
    assert_eq!((refused, &stats["gaps"]), (&json!(1), &json!([])));
    let exporters = daemon.get("/api/v1/exporters");
    let names: Vec<&Value> = exporters["exporters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|exporter| &exporter["exporter"])
        .collect();
    assert_eq!(names, [&json!("127.0.0.11")]);
}

fn reload_metric(daemon: &Daemon) -> Option<u8> {
    let metrics = daemon.text("/metrics");
    let line = metrics
        .lines()
        .find(|line| line.starts_with("flowlogd_config_last_reload_successful"))?;
    line.rsplit(' ').next()?.parse().ok()
}
