//! What Terraform's `alicloud_smartag_flow_log` calls, in its order
//! (control-plane.md §7): it takes any other answer for a failure.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::SETTINGS;
use super::caller::Caller;
use crate::support::{Daemon, free_tcp_port};

/// A provider in front of a service of its own.
struct Provider {
    caller: Caller,
    daemon: Daemon,
    _dir: TempDir,
}

impl Provider {
    fn new() -> Self {
        let (dir, port) = (TempDir::new().unwrap(), free_tcp_port());
        fs::write(dir.path().join("secret"), "secret").unwrap();
        Self {
            daemon: Daemon::start_serving(port, dir.path(), SETTINGS),
            caller: Caller::gateways(port),
            _dir: dir,
        }
    }

    /// Makes a flow log, and puts it in the state that its configuration names,
    /// whatever it is in; the id as a parameter.
    fn create(&self, parameters: &[&str], status: Option<&str>) -> String {
        let made = self.caller.done("CreateFlowLog", parameters);
        let id = made["FlowLogId"].as_str().unwrap();
        let letters = id.strip_prefix("fl-").unwrap().bytes();
        let is_one = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit();
        assert!(id.len() == 21 && letters.clone().all(is_one), "{id}");
        assert!(!made["ResourceGroupId"].as_str().unwrap().is_empty());
        let id = format!("FlowLogId={id}");
        if let Some(status) = status {
            self.turn(&id, status);
        }
        id
    }

    fn turn(&self, id: &str, status: &str) {
        let action = match status {
            "Active" => "ActiveFlowLog",
            _ => "DeactiveFlowLog",
        };
        self.only_request_id(action, &[id]);
        self.daemon
            .wait_until(status, |_| self.read(id)["Status"] == status);
    }

    /// A call that answers with its request id and nothing else.
    fn only_request_id(&self, action: &str, parameters: &[&str]) {
        let answer = self.caller.done(action, parameters);
        let fields: Vec<_> = answer.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["RequestId"], "{action}");
    }

    /// The one that is read, which must be the one that was asked for.
    fn read(&self, id: &str) -> Value {
        let found = self.list(&[id]);
        assert_eq!(found.len(), 1, "{found:?}");
        let told = format!("FlowLogId={}", found[0]["FlowLogId"].as_str().unwrap());
        assert_eq!(told, id);
        found[0].clone()
    }

    /// All pages of the data source.
    fn list(&self, filter: &[&str]) -> Vec<Value> {
        let mut all = Vec::new();
        for page in 1.. {
            let number = format!("PageNumber={page}");
            let paged = [filter, &["PageSize=50", &number]].concat();
            let answer = self.caller.done("DescribeFlowLogs", &paged);
            let found = answer["FlowLogs"]["FlowLogSetType"].as_array().unwrap();
            all.extend(found.iter().cloned());
            let told = ["PageSize", "PageNumber", "TotalCount"].map(|name| answer[name].clone());
            if found.len() < 50 {
                assert_eq!(told, [json!(50), json!(page), json!(all.len())]);
                break;
            }
        }
        all
    }

    fn ids(&self, filter: &[&str]) -> Vec<String> {
        let id = |log: Value| format!("FlowLogId={}", log["FlowLogId"].as_str().unwrap());
        self.list(filter).into_iter().map(id).collect()
    }
}

/// Fields of an answer that has these and no others.
fn assert_fields(log: &Value, id: &str, fields: &Value) {
    let mut expected = fields.clone();
    expected["FlowLogId"] = json!(id.strip_prefix("FlowLogId=").unwrap());
    expected["TotalSagNum"] = json!(0);
    expected["ResourceGroupId"] = json!("rg-flowlogd0000001");
    assert_eq!(*log, expected);
}

#[test]
fn a_resource_is_made_read_changed_and_destroyed() {
    let provider = Provider::new();
    let make = ["OutputType=netflow", "NetflowServerIp=192.0.2.2"];
    let id = provider.create(&make, Some("Active"));
    let computed = json!({
        "Status": "Active", "Name": "", "OutputType": "netflow",
        "ActiveAging": 300, "InactiveAging": 15,
        "NetflowServerIp": "192.0.2.2", "NetflowServerPort": 9995, "NetflowVersion": "V9",
    });
    assert_fields(&provider.read(&id), &id, &computed);
    // All that the resource has, and nothing in what it has not.
    let all = [
        &*id,
        "ActiveAging=6000",
        "InactiveAging=600",
        "NetflowServerIp=192.0.2.3",
        "NetflowServerPort=9996",
        "NetflowVersion=V10",
        "OutputType=netflow",
        "Name=tf-flow-log",
        "Description=tf-testacc",
        "LogstoreName=",
        "ProjectName=",
        "SlsRegionId=",
    ];
    provider.only_request_id("ModifyFlowLogAttribute", &all);
    let mut changed = json!({
        "Status": "Active", "Name": "tf-flow-log", "Description": "tf-testacc",
        "OutputType": "netflow", "ActiveAging": 6000, "InactiveAging": 600,
        "NetflowServerIp": "192.0.2.3", "NetflowServerPort": 9996, "NetflowVersion": "V10",
    });
    assert_fields(&provider.read(&id), &id, &changed);
    provider.turn(&id, "Inactive");
    changed["Status"] = json!("Inactive");
    assert_fields(&provider.read(&id), &id, &changed);
    provider.turn(&id, "Active");
    // It is destroyed as it is: active.
    provider.only_request_id("DeleteFlowLog", &[&id]);
    assert_eq!(provider.list(&[&id]), [Value::Null; 0]);
    let again = provider.caller.call("DeleteFlowLog", &[&id]);
    assert_eq!(again, Err("InvalidFlowLogId.NotFound".to_owned()));
}

#[test]
fn a_resource_may_start_inactive_and_go_to_another_output() {
    let provider = Provider::new();
    let make = [
        "OutputType=sls",
        "ProjectName=branches",
        "LogstoreName=flows",
        "SlsRegionId=cn-shanghai",
    ];
    let id = provider.create(&make, Some("Inactive"));
    let mut fields = json!({
        "Status": "Inactive", "Name": "", "OutputType": "sls",
        "ActiveAging": 300, "InactiveAging": 15,
        "NetflowServerPort": 9995, "NetflowVersion": "V9",
        "ProjectName": "branches", "LogstoreName": "flows", "SlsRegionId": "cn-shanghai",
    });
    assert_fields(&provider.read(&id), &id, &fields);
    let all = [&[&*id, "OutputType=all"], &make[1..], &SERVER].concat();
    provider.only_request_id("ModifyFlowLogAttribute", &all);
    fields["OutputType"] = json!("all");
    fields["NetflowServerIp"] = json!("192.0.2.2");
    assert_fields(&provider.read(&id), &id, &fields);
    provider.only_request_id("DeleteFlowLog", &[&id]);
}

const SERVER: [&str; 1] = ["NetflowServerIp=192.0.2.2"];

#[test]
fn a_data_source_finds_what_its_filters_mean_and_nothing_else() {
    let provider = Provider::new();
    let make = |description| {
        let parameters = ["OutputType=netflow", SERVER[0], description];
        provider.create(&parameters, None)
    };
    let (one, two) = (make("Description=tf-one"), make("Description=tf-two"));
    // What nobody said is active.
    assert_eq!(provider.ids(&["Status=Inactive"]), [""; 0]);
    provider.turn(&two, "Inactive");
    assert_eq!(provider.ids(&["Status=Active"]), [&*one]);
    assert_eq!(provider.ids(&["Status=Inactive"]), [&*two]);
    assert_eq!(provider.ids(&["Description=tf-two"]), [&*two]);
    assert_eq!(provider.ids(&["Description=tf-two_fake"]), [""; 0]);
    assert_eq!(
        provider.ids(&["Description=tf-one", "Status=Inactive"]),
        [""; 0]
    );
    let mut all = provider.ids(&[]);
    // Made within a millisecond they are in the order of their ids.
    all.sort_by_key(|id| *id == two);
    assert_eq!(all, [one, two]);
}
