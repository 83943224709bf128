//! What a flow log of the API does to flows, from an exporter to those who read
//! them: at once, and to no others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::UdpSocket;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::caller::Caller;
use super::{LIMIT, RECORDS, Service};
use crate::clients::through;
use crate::exporters::softflowd;
use crate::peers::Nfcapd;
use crate::sender::V5Exporter;
use crate::support::{Daemon, PATIENCE, free_tcp_port, have};
use crate::traffic::{Sums, write_capture};
use crate::venv::{Venv, run_within};

const READ: &str = include_str!("read.py");

/// Softflowd sends from the address that it sends to.
const SETTINGS: &str = r#"
[[credential]]
id = "LTAItest"
secret-file = "DIR/secret"

[[access-key]]
id = "id"
secret-file = "DIR/secret"
permission = "read"

[[device]]
instance-id = "sag-one"
snid = "sn-1"
ali-uid = "1001"
exporters = ["127.0.0.1"]

[default-flow-log]
action = "ignore"
"#;

const FLOWS: u32 = 320;

#[test]
fn flows_of_a_gateway_reach_the_log_service_and_a_collector_until_it_is_stopped() {
    if !have(&["softflowd", "nfcapd", "nfdump"]) {
        return;
    }
    let Some(service) = Service::new("core", SETTINGS) else {
        return;
    };
    let daemon = service.start();
    let dir = TempDir::new().unwrap();
    let nfcapd = Nfcapd::start(&dir.path().join("nfcapd"));
    let collector = format!("v10 udp 127.0.0.1:{}", nfcapd.port);
    let port = format!("NetflowServerPort={}", nfcapd.port);
    let made = service.call(
        "CreateFlowLog",
        &[
            "OutputType=all",
            "NetflowServerIp=127.0.0.1",
            &port,
            "NetflowVersion=V10",
            "ProjectName=branches",
            "LogstoreName=flows",
            "SlsRegionId=cn-shanghai",
        ],
    );
    let id = format!("FlowLogId={}", made["FlowLogId"].as_str().unwrap());
    let pair = [&*id, "SmartAGId=sag-one"];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let capture = dir.path().join("traffic.pcap");
    let sums = write_capture(&capture, FLOWS, true, now.as_secs() - 60);
    let export = |routed: u32, unclaimed: u32| {
        let exported = softflowd("9", &capture, &[daemon.port]);
        assert_eq!(exported, u64::from(FLOWS));
        settle(&daemon, routed * FLOWS, unclaimed * FLOWS);
    };
    export(0, 1);
    service.done("AssociateFlowLog", &pair);
    export(1, 1);
    service.done("DeactiveFlowLog", &[&id]);
    arrived(&daemon, &collector, "branches.flows", FLOWS);
    export(1, 2);
    let bound = service.refused("DeleteFlowLog", &[&id]);
    assert_eq!(bound, "DependencyViolation.FlowLog");
    let logs = read(&service);
    assert_eq!(sums_of(&logs), sums);
    for log in &logs {
        let columns = ["Instance_id", "snid", "ali-uid"].map(|name| &log[name]);
        assert_eq!(columns, ["sag-one", "sn-1", "1001"], "{log}");
    }
    service.done("ActiveFlowLog", &[&id]);
    export(2, 2);
    service.done("DisassociateFlowLog", &pair);
    arrived(&daemon, &collector, "branches.flows", 2 * FLOWS);
    service.done("DeleteFlowLog", &[&id]);
    export(2, 3);
    let both = Sums {
        flows: 2 * sums.flows,
        packets: 2 * sums.packets,
        bytes: 2 * sums.bytes,
    };
    assert_eq!(sums_of(&read(&service)), both);
    let stored = nfcapd.read();
    assert_eq!((stored.sums, stored.gaps), (both, 0));
}

/// Waits until so many flows were taken by a flow log or belonged to none.
fn settle(daemon: &Daemon, routed: u32, unclaimed: u32) {
    daemon.wait_until("all flows where they belong", |daemon| {
        let records = &daemon.get("/api/v1/stats")["records"];
        records["routed"]["records"] == routed && records["unclaimed"]["records"] == unclaimed
    });
}

/// Waits until so many flows are in a logstore and were sent to a collector.
fn arrived(daemon: &Daemon, collector: &str, logstore: &str, flows: u32) {
    let sql = format!("SELECT count(*) FROM {logstore}");
    daemon.wait_until("all flows at both ends", |daemon| {
        sent(daemon).get(collector) == Some(&u64::from(flows))
            && daemon.try_query(&sql) == [[json!(flows)]]
    });
    assert_eq!(daemon.get("/api/v1/stats")["gaps"], json!([]));
}

/// Flows sent to each collector.
fn sent(daemon: &Daemon) -> BTreeMap<String, u64> {
    let stats = daemon.get("/api/v1/stats");
    let collectors = stats["netflow"]["collectors"].as_array().unwrap();
    let sent = collectors.iter().map(|of| {
        let records = of["sent"]["records"].as_u64().unwrap();
        (of["name"].as_str().unwrap().to_owned(), records)
    });
    sent.collect()
}

/// All logs, by the log service's SDK.
fn read(service: &Service) -> Vec<Value> {
    let mut command = Venv::shared().unwrap().command("python");
    command.args(["-c", READ, "branches", "flows"]);
    let ran = run_within(LIMIT, through(&mut command, service.port)).unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

fn sums_of(logs: &[Value]) -> Sums {
    let sum = |name: &str| {
        let numbers = logs.iter().map(|log| log[name].as_str().unwrap());
        numbers.map(|text| text.parse::<u64>().unwrap()).sum()
    };
    Sums {
        flows: logs.len() as u64,
        packets: sum("packets"),
        bytes: sum("bytes"),
    }
}

/// A daemon, who changes it, and the gateway `sag-one`.
struct Branch {
    caller: Caller,
    daemon: Daemon,
    gateway: V5Exporter,
    _dir: TempDir,
}

const SLS: [&str; 4] = [
    "OutputType=sls",
    "ProjectName=branches",
    "LogstoreName=flows",
    "SlsRegionId=cn-shanghai",
];

impl Branch {
    fn new() -> Self {
        let (dir, port) = (TempDir::new().unwrap(), free_tcp_port());
        fs::write(dir.path().join("secret"), "secret").unwrap();
        let daemon = Daemon::start_serving(port, dir.path(), SETTINGS);
        Self {
            caller: Caller::gateways(port),
            gateway: V5Exporter::new(1, daemon.port),
            daemon,
            _dir: dir,
        }
    }

    /// Makes a flow log; its id as a parameter.
    fn make(&self, parameters: &[&str]) -> String {
        let made = self.caller.done("CreateFlowLog", parameters);
        format!("FlowLogId={}", made["FlowLogId"].as_str().unwrap())
    }

    /// Sends a datagram, and waits until so many of all were routed, and were
    /// claimed by nobody.
    fn send(&mut self, routed: u32, unclaimed: u32) {
        self.gateway.send();
        settle(&self.daemon, routed * DATAGRAM, unclaimed * DATAGRAM);
    }

    /// Rows of a logstore.
    fn rows(&self, logstore: &str) -> Vec<Vec<Value>> {
        let sql = format!("SELECT count(*) FROM {logstore}");
        self.daemon.try_query(&sql)
    }
}

/// Records of a datagram.
#[expect(clippy::cast_possible_truncation, reason = "they are 30")]
const DATAGRAM: u32 = RECORDS as u32;

#[test]
fn what_comes_after_an_answer_goes_where_the_answer_says() {
    const ROUNDS: u32 = 20;
    let mut branch = Branch::new();
    let id = branch.make(&SLS);
    let pair = [&*id, "SmartAGId=sag-one"];
    for round in 0..ROUNDS {
        branch.caller.done("AssociateFlowLog", &pair);
        branch.send(2 * round + 1, 2 * round);
        branch.caller.done("DeactiveFlowLog", &[&id]);
        branch.send(2 * round + 1, 2 * round + 1);
        branch.caller.done("ActiveFlowLog", &[&id]);
        branch.send(2 * round + 2, 2 * round + 1);
        branch.caller.done("DisassociateFlowLog", &pair);
        branch.send(2 * round + 2, 2 * round + 2);
    }
    branch.daemon.wait_until("all rows kept", |_| {
        branch.rows("branches.flows") == [[json!(2 * ROUNDS * DATAGRAM)]]
    });
    branch.caller.done("DeleteFlowLog", &[&id]);
}

#[test]
fn what_comes_after_a_modification_has_the_new_settings() {
    let mut branch = Branch::new();
    let collectors = [(), ()].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let ports = collectors.each_ref().map(|collector| {
        collector.set_read_timeout(Some(PATIENCE)).unwrap();
        collector.local_addr().unwrap().port()
    });
    let id = branch.make(&SLS);
    let pair = [&*id, "SmartAGId=sag-one"];
    branch.caller.done("AssociateFlowLog", &pair);
    let settings = [(10, 0), (9, 1), (5, 0), (10, 1)];
    for (count, (version, to)) in (1..).zip(settings) {
        let texts = [
            format!("NetflowVersion=V{version}"),
            format!("NetflowServerPort={}", ports[to]),
            format!("LogstoreName=v{version}-{to}"),
            format!("ActiveAging={}", 60 + version),
        ];
        let texts = texts.each_ref().map(|text| &**text);
        let fixed = [&*id, "OutputType=all", "NetflowServerIp=127.0.0.1"];
        branch
            .caller
            .done("ModifyFlowLogAttribute", &[&fixed[..], &texts].concat());
        branch.send(count, 0);
        let in_force = branch.daemon.get("/api/v1/flow-logs");
        let times = in_force.as_array().unwrap().iter();
        let times: Vec<_> = times.map(|log| log["active_s"].clone()).collect();
        assert_eq!(times, [json!(60 + version)], "{in_force}");
    }
    branch.caller.done("DisassociateFlowLog", &pair);
    let names = settings.map(|(version, to)| format!("v{version} udp 127.0.0.1:{}", ports[to]));
    let expected = names.map(|name| (name, u64::from(DATAGRAM)));
    branch
        .daemon
        .wait_until("all sent", |daemon| sent(daemon) == expected.clone().into());
    for (to, collector) in collectors.iter().enumerate() {
        // Each version has a thread of its own: nobody knows which sends first.
        let of_it = settings.iter().filter(|(_, port)| *port == to);
        let mut missing: BTreeSet<_> = of_it.map(|(version, _)| *version).collect();
        while !missing.is_empty() {
            let mut message = [0; 1500];
            collector.recv(&mut message).unwrap();
            missing.remove(&message[1]);
        }
    }
    for (version, to) in settings {
        let logstore = format!("branches.\"v{version}-{to}\"");
        branch.daemon.wait_until("all rows kept", |_| {
            branch.rows(&logstore) == [[json!(DATAGRAM)]]
        });
    }
}

/// An existing Terraform file says so (control-plane.md §9).
#[test]
fn a_flow_log_to_this_very_collector_ends_here() {
    let mut branch = Branch::new();
    let port = format!("NetflowServerPort={}", branch.daemon.port);
    let own = ["NetflowServerIp=127.0.0.1", &port];
    let ids = ["OutputType=netflow", "OutputType=all"]
        .map(|output| branch.make(&[&SLS[1..], &[output], &own].concat()));
    for (count, id) in (1..).zip(&ids) {
        let pair = [&**id, "SmartAGId=sag-one"];
        branch.caller.done("AssociateFlowLog", &pair);
        branch.send(count, 0);
        branch.caller.done("DisassociateFlowLog", &pair);
    }
    branch.send(2, 1);
    // Kept all the same, if need be where flow logs without a logstore are.
    for logstore in ["flowlogd.netflow", "branches.flows"] {
        branch.daemon.wait_until("all rows kept", |_| {
            branch.rows(logstore) == [[json!(DATAGRAM)]]
        });
    }
    assert_eq!(sent(&branch.daemon), BTreeMap::new());
    let stats = branch.daemon.get("/api/v1/stats");
    assert_eq!(stats["datagrams"]["received"], 3);
    assert_eq!(stats["gaps"], json!([]));
}
