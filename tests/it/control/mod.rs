//! Flow logs that the clouds' own SDKs make on a running daemon, and what they
//! do to the flows that come in.

mod caller;
mod crash;
mod effect;
mod errors;
mod guide;
mod load;
mod node;
mod people;
mod routers;
mod terraform;
mod vpcs;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sender::V5Exporter;
use crate::support::{Daemon, free_tcp_port};
use crate::venv::{Venv, run_within};

const CALL: &str = include_str!("call.py");
const CALL_BY_NODE: &str = include_str!("call.js");
/// How long one call may take on a busy machine, Python's start included.
const LIMIT: Duration = Duration::from_secs(60);

const SETTINGS: &str = r#"
[[credential]]
id = "LTAItest"
secret-file = "DIR/secret"

[[device]]
instance-id = "sag-one"
name = "Branch one"
snid = "sn-1"
ali-uid = "1001"
exporters = ["127.0.0.11"]

[[device]]
instance-id = "sag-two"
snid = "sn-2"
exporters = ["127.0.0.12"]

[default-flow-log]
action = "ignore"
"#;

/// Records of one datagram of [`V5Exporter`].
const RECORDS: u64 = 30;

/// A daemon that SDKs are pointed at, and that may be killed.
struct Service {
    language: Language,
    dir: TempDir,
    port: u16,
    client: &'static str,
    settings: &'static str,
}

/// What an SDK is written for.
enum Language {
    Python(Venv),
    /// With the folder of its modules.
    Node(PathBuf),
}

impl Service {
    /// None where the SDK cannot be installed.
    fn new(client: &'static str, settings: &'static str) -> Option<Self> {
        let language = match client {
            "pop-core" | "qcloud" => Language::Node(node::modules()?),
            _ => Language::Python(Venv::shared()?),
        };
        let (dir, port) = (TempDir::new().unwrap(), free_tcp_port());
        fs::write(dir.path().join("secret"), "secret").unwrap();
        Some(Self {
            language,
            dir,
            port,
            client,
            settings,
        })
    }

    fn start(&self) -> Daemon {
        Daemon::start_serving(self.port, self.dir.path(), self.settings)
    }

    /// What the SDK makes of a call; parameters are `Name=value`.
    fn call(&self, action: &str, parameters: &[&str]) -> Value {
        let port = self.port.to_string();
        let mut command = match &self.language {
            Language::Python(venv) => {
                let mut command = venv.command("python");
                command.args(["-c", CALL]);
                command
            }
            Language::Node(modules) => {
                let mut command = Command::new("node");
                command.args(["-e", CALL_BY_NODE]).env("NODE_PATH", modules);
                command
            }
        };
        command.args([self.client, &port, action]);
        let ran = run_within(LIMIT, command.args(parameters)).unwrap();
        assert_eq!(ran.code, Some(0), "{action}: {ran:?}");
        serde_json::from_str(&ran.out).unwrap()
    }

    /// A call that succeeds and answers with nothing but its request id.
    fn done(&self, action: &str, parameters: &[&str]) {
        let answer = self.call(action, parameters);
        let answer = answer.as_object().unwrap();
        assert!(answer["RequestId"].is_string(), "{action}: {answer:?}");
        assert_eq!(answer.len(), 1, "{action}: {answer:?}");
    }

    /// The error that a call ends with.
    fn refused(&self, action: &str, parameters: &[&str]) -> Value {
        self.call(action, parameters)["Code"].clone()
    }
}

/// Sends one datagram of each gateway, and waits until so many of all since the
/// start were taken by a flow log or belonged to none.
fn send(daemon: &Daemon, routed: u64, unclaimed: u64) {
    for host in [11, 12] {
        V5Exporter::new(host, daemon.port).send();
    }
    daemon.wait_until("all flows where they belong", |daemon| {
        let records = &daemon.get("/api/v1/stats")["records"];
        records["routed"]["records"] == routed * RECORDS
            && records["unclaimed"]["records"] == unclaimed * RECORDS
    });
}

/// Waits until the rows of the gateways stand for so many datagrams.
fn kept(daemon: &Daemon, one: u64, two: u64) {
    let of = |name, datagrams| vec![json!(name), json!(datagrams * RECORDS)];
    let all = [("sag-one", one), ("sag-two", two)];
    let some = all.into_iter().filter(|(_, datagrams)| *datagrams > 0);
    let expected: Vec<_> = some.map(|(name, datagrams)| of(name, datagrams)).collect();
    daemon.wait_until("all rows kept", |daemon| {
        daemon.try_query(
            "SELECT \"Instance_id\", sum(records) FROM branches.flows \
             WHERE \"flow-end-reason\" = 4 GROUP BY 1 ORDER BY 1",
        ) == expected
    });
}

const MAKE: [&str; 7] = [
    "Name=branches",
    "OutputType=sls",
    "ActiveAging=60",
    "InactiveAging=10",
    "ProjectName=branches",
    "LogstoreName=flows",
    "SlsRegionId=cn-shanghai",
];

#[test]
fn a_flow_log_of_the_core_sdk_takes_its_gateways_flows() {
    live("core");
}

#[test]
fn a_flow_log_of_the_tea_sdk_takes_its_gateways_flows() {
    live("tea");
}

#[test]
fn a_flow_log_of_pop_core_takes_its_gateways_flows() {
    live("pop-core");
}

/// Made, bound, stopped, started, killed, unbound and removed.
fn live(client: &'static str) {
    let Some(service) = Service::new(client, SETTINGS) else {
        return;
    };
    let daemon = service.start();
    let made = service.call("CreateFlowLog", &MAKE);
    let id = format!("FlowLogId={}", made["FlowLogId"].as_str().unwrap());
    assert_eq!(made["ResourceGroupId"], "rg-flowlogd0000001");
    send(&daemon, 0, 2);
    let one = [&*id, "SmartAGId=sag-one"];
    let two = [&*id, "SmartAGId=sag-two"];
    service.done("AssociateFlowLog", &one);
    send(&daemon, 1, 3);
    let bound = service.refused("DeleteFlowLog", &[&id]);
    assert_eq!(bound, "DependencyViolation.FlowLog");
    service.done("DeactiveFlowLog", &[&id]);
    kept(&daemon, 1, 0);
    let stopped = service.refused("DeactiveFlowLog", &[&id]);
    assert_eq!(stopped, "IncorrectStatus.FlowLog");
    send(&daemon, 1, 5);
    service.done("ActiveFlowLog", &[&id]);
    service.done("AssociateFlowLog", &two);
    send(&daemon, 3, 5);
    // What a flow log is changes: what it was ends its flows.
    service.done("ModifyFlowLogAttribute", &[&id, "LogstoreName=other"]);
    service.done("ModifyFlowLogAttribute", &[&id, "LogstoreName=flows"]);
    kept(&daemon, 2, 1);
    let before = service.call("DescribeFlowLogs", &[]);
    drop(daemon);
    let daemon = service.start();
    let after = service.call("DescribeFlowLogs", &[]);
    assert_eq!(after["FlowLogs"], before["FlowLogs"]);
    let log = &after["FlowLogs"]["FlowLogSetType"][0];
    assert_eq!(
        (&log["TotalSagNum"], &log["Status"]),
        (&json!(2), &json!("Active"))
    );
    send(&daemon, 2, 0);
    service.done("DisassociateFlowLog", &one);
    kept(&daemon, 3, 1);
    let free = service.call("DescribeUnbindFlowLogSags", &[]);
    let gateway = json!([{ "SmartAGId": "sag-one", "Name": "Branch one" }]);
    assert_eq!(
        (&free["Count"], &free["Sags"]["Sag"]),
        (&json!(1), &gateway)
    );
    send(&daemon, 3, 1);
    service.done("DisassociateFlowLog", &two);
    kept(&daemon, 3, 3);
    service.done("DeleteFlowLog", &[&id]);
    let gone = service.refused("DeleteFlowLog", &[&id]);
    assert_eq!(gone, "InvalidFlowLogId.NotFound");
    let none = service.call("DescribeFlowLogs", &[]);
    assert_eq!(none["FlowLogs"]["FlowLogSetType"], json!([]));
    send(&daemon, 3, 3);
}
