//! Flows to the log service: one flowlogd sends, another is the cloud.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sender::{V5Exporter, paced};
use crate::support::{Daemon, flow_log, free_tcp_port};

/// What stands in for the cloud.
pub(crate) struct Cloud {
    dir: TempDir,
    /// TCP port of its HTTP listener.
    pub(crate) port: u16,
}

impl Cloud {
    pub(crate) fn new() -> Self {
        let (dir, port) = (TempDir::new().unwrap(), free_tcp_port());
        Self { dir, port }
    }

    /// Starts it with the logstore that the bridge writes to, or without.
    pub(crate) fn start(&self) -> Daemon {
        let daemon = Daemon::start_serving(self.port, self.dir.path(), KEYS);
        assert!(daemon.url.ends_with(&format!(":{}", self.port)));
        daemon
    }

    /// Writes the secret of the access key `bridge`.
    pub(crate) fn write_secret(&self) {
        fs::write(self.dir.path().join("secret"), "cloud-secret\n").unwrap();
    }
}

const KEYS: &str = "[[access-key]]\nid = \"bridge\"\nsecret-file = \"DIR/secret\"\n\
                    projects = [\"test*\"]\n";

/// Settings of a bridge to a cloud: every record a row, sent as soon as may be.
pub(crate) fn bridge(dir: &Path, cloud: &Cloud, more: &str) -> String {
    bridge_with(dir, cloud, "cache = \"off\"", more)
}

/// The same with settings of the flow log.
pub(crate) fn bridge_with(dir: &Path, cloud: &Cloud, of_log: &str, more: &str) -> String {
    let key = dir.join("key");
    fs::write(
        &key,
        "access-key-id = bridge\naccess-key-secret = cloud-secret\n",
    )
    .unwrap();
    flow_log(&format!(
        "{of_log}\nfields = [\"exporter\"]\n\
         [sls]\nendpoint = \"127.0.0.1:{}\"\ncreate = true\nlinger-ms = 100\n\
         access-key-file = {key:?}\n{more}",
        cloud.port
    ))
}

/// Flows the log service has of a bridge's, and how many different.
pub(crate) fn arrived(cloud: &Daemon) -> (u64, u64) {
    let sql = "SELECT count(*), count(DISTINCT element(rest, 'flow-id')) FROM test.flows";
    let rows = cloud.try_query(sql);
    let number = |index: usize| rows.first()?.get(index)?.as_u64();
    (number(0).unwrap_or(0), number(1).unwrap_or(0))
}

pub(crate) fn sls(daemon: &Daemon) -> BTreeMap<String, u64> {
    let stats = daemon.get("/api/v1/stats");
    let accounts = stats["sls"].as_object().into_iter().flatten();
    let records = |account: &Value| account["records"].as_u64().unwrap_or(0);
    accounts
        .map(|(name, account)| (name.clone(), records(account)))
        .collect()
}

#[test]
fn flows_reach_the_log_service_with_their_sums() {
    let cloud = Cloud::new();
    cloud.write_secret();
    let service = cloud.start();
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start_in(dir.path(), &bridge(dir.path(), &cloud, ""));
    let mut exporter = V5Exporter::new(61, daemon.port);
    paced(200, Duration::from_secs(2), |_| exporter.send());
    let sent = u64::from(exporter.sent());
    daemon.wait_until("all acknowledged", |daemon| sls(daemon)["acked"] == sent);
    assert_eq!(arrived(&service), (sent, sent));
    let sums = service.query("SELECT sum(bytes), sum(packets), min(exporter) FROM test.flows");
    let exporter = "127.0.0.61";
    assert_eq!(sums, [[json!(sent * 100), json!(sent), json!(exporter)]]);
    // Kept here as well, under the numbers that the flow ids have.
    let kept = daemon.query("SELECT count(*), min(seq), max(seq) FROM flows");
    let ids = service
        .query("SELECT count(*), min(element(rest, 'flow-id')), max(element(rest, 'flow-id')) FROM test.flows");
    let number = |id: &Value| {
        let (_, number) = id.as_str().unwrap().rsplit_once('-').unwrap();
        number.parse::<u64>().unwrap()
    };
    assert_eq!(kept[0][0], ids[0][0]);
    assert!(number(&ids[0][1]) >= kept[0][1].as_u64().unwrap());
    assert!(number(&ids[0][2]) <= kept[0][2].as_u64().unwrap());
    assert_eq!(daemon.get("/api/v1/stats")["gaps"], json!([]));
}

#[test]
fn rows_that_have_a_shard_arrive_all_the_same() {
    let cloud = Cloud::new();
    cloud.write_secret();
    let service = cloud.start();
    let dir = TempDir::new().unwrap();
    let settings = bridge(dir.path(), &cloud, "shard-hash = \"exporter\"\n");
    let daemon = Daemon::start_in(dir.path(), &settings);
    let mut exporters = [64, 65, 66].map(|host| V5Exporter::new(host, daemon.port));
    for _ in 0..10 {
        exporters.iter_mut().for_each(V5Exporter::send);
    }
    daemon.wait_until("all acknowledged", |daemon| sls(daemon)["acked"] == 900);
    assert_eq!(arrived(&service), (900, 900));
    let counts = service.query("SELECT exporter, count(*) FROM test.flows GROUP BY 1 ORDER BY 1");
    let expected = [64, 65, 66].map(|host| vec![json!(format!("127.0.0.{host}")), json!(300)]);
    assert_eq!(counts, expected);
}

#[test]
fn an_outage_of_the_log_service_delays_and_loses_nothing() {
    let cloud = Cloud::new();
    cloud.write_secret();
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start_in(dir.path(), &bridge(dir.path(), &cloud, ""));
    let mut exporter = V5Exporter::new(62, daemon.port);
    for _ in 0..20 {
        exporter.send();
    }
    daemon.wait_until("journaled", |daemon| sls(daemon)["journaled"] == 600);
    assert_eq!(sls(&daemon)["acked"], 0);
    assert_eq!(daemon.terminate().code(), Some(0));
    let service = cloud.start();
    // The backlog of the last run goes out with the next.
    let daemon = Daemon::start_in(dir.path(), &bridge(dir.path(), &cloud, ""));
    daemon.wait_until("drained", |daemon| sls(daemon)["pending"] == 0);
    assert_eq!(sls(&daemon)["carried_over"], 600);
    assert_eq!(arrived(&service), (600, 600));
    let mut exporter = V5Exporter::new(63, daemon.port);
    exporter.send();
    daemon.wait_until("goes on", |daemon| sls(daemon)["acked"] == 630);
    service.kill();
    for _ in 0..10 {
        exporter.send();
    }
    daemon.wait_until("journaled", |daemon| sls(daemon)["journaled"] == 330);
    let service = cloud.start();
    daemon.wait_until("drained again", |daemon| sls(daemon)["pending"] == 0);
    let (rows, distinct) = arrived(&service);
    println!("{rows} rows, {distinct} different, after the service was killed once");
    assert_eq!(distinct, 930);
    assert_eq!(daemon.get("/api/v1/stats")["gaps"], json!([]));
}

#[test]
fn a_killed_bridge_repeats_little_and_loses_nothing_that_was_durable() {
    let cloud = Cloud::new();
    cloud.write_secret();
    let service = cloud.start();
    let dir = TempDir::new().unwrap();
    let mut sent = 0;
    for round in 0..3 {
        let daemon = Daemon::start_in(dir.path(), &bridge(dir.path(), &cloud, ""));
        let mut exporter = V5Exporter::new(70 + round, daemon.port);
        paced(100, Duration::from_secs(2), |_| exporter.send());
        sent += u64::from(exporter.sent());
        daemon.wait_until("durable", |daemon| {
            let journal = daemon.get("/api/v1/stats")["journal"].clone();
            let is_durable = journal["durable_to"] == journal["next_seq"];
            is_durable && sls(daemon)["journaled"] == u64::from(exporter.sent())
        });
        daemon.kill();
    }
    let daemon = Daemon::start_in(dir.path(), &bridge(dir.path(), &cloud, ""));
    daemon.wait_until("drained", |daemon| sls(daemon)["pending"] == 0);
    let (rows, distinct) = arrived(&service);
    println!("{sent} sent, {rows} rows arrived, {distinct} different");
    assert_eq!(distinct, sent);
    let kept =
        daemon.query("SELECT count(*), count(DISTINCT concat(exporter, srcaddr)) FROM flows");
    assert_eq!(kept, [[json!(sent), json!(sent)]]);
}
