//! What a flow is known by: here and in the cloud the same.

use std::collections::BTreeSet;
use std::fs;

use flowlogd::sink::sls::Credentials;
use serde_json::json;
use tempfile::TempDir;

use super::service::Service;
use crate::bridge::{Cloud, arrived, bridge};
use crate::sender::V5Exporter;
use crate::support::{Daemon, free_tcp_port};

/// Ids of all flows that a log service has.
fn ids(service: &Service) -> BTreeSet<String> {
    let body = json!({
        "from": 0,
        "to": 1_u64 << 40,
        "query": "* | SELECT \"flow-id\" AS id LIMIT 1000",
    });
    let path = "/logstores/flows/logs";
    let answer = service.send("POST", path, &[], body.to_string()).unwrap();
    let rows = answer["data"].as_array().unwrap();
    let ids: BTreeSet<_> = rows
        .iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), rows.len(), "each is there once");
    ids
}

/// Journals that ids begin with.
fn journals(ids: &BTreeSet<String>) -> BTreeSet<&str> {
    ids.iter().map(|id| id.split_once('-').unwrap().0).collect()
}

#[test]
fn a_flow_has_the_same_id_here_and_in_the_cloud_also_when_its_journal_is_gone() {
    let (cloud, dir, port) = (Cloud::new(), TempDir::new().unwrap(), free_tcp_port());
    cloud.write_secret();
    let daemon = cloud.start();
    let key = |id, secret| Credentials::new(id, secret, None);
    let there = Service::new(cloud.port, key("bridge", "cloud-secret"));
    let here = Service::new(port, key("any", "key"));
    let settings = bridge(dir.path(), &cloud, "");
    for life in 1..=3_u32 {
        let bridge = Daemon::start_serving(port, dir.path(), &settings);
        let mut exporter = V5Exporter::new(90, bridge.port);
        for _ in 0..3 {
            exporter.send();
        }
        let rows = u64::from(life * exporter.sent());
        daemon.wait_until("arrived", |daemon| arrived(daemon) == (rows, rows));
        let ids = ids(&here);
        assert_eq!(ids, self::ids(&there));
        // The second life has the journal of the first, the third one of its own.
        assert_eq!(journals(&ids).len(), if life < 3 { 1 } else { 2 });
        assert_eq!(bridge.terminate().code(), Some(0));
        if life == 2 {
            fs::remove_dir_all(dir.path().join("journal")).unwrap();
        }
    }
}
