//! Flow logs of Tencent Cloud's private networks, by the vendor's SDKs.

use serde_json::{Value, json};

use super::Service;
use crate::sender::V5Exporter;

/// Every flow of [`V5Exporter`] comes in by interface 1 and goes out by 2.
const SETTINGS: &str = r#"
[[credential]]
id = "LTAItest"
secret-file = "DIR/secret"
account = "100001234567"

[[vpc]]
id = "vpc-iqg1sdjj"
legacy-id = "gz_vpc_266"
subnets = ["subnet-9bqkbq1a"]

[[attachment]]
id = "eni-08dhim01"
type = "network-interface"
network = "vpc-iqg1sdjj"
subnet = "subnet-9bqkbq1a"
exporters = ["127.0.0.31"]
interfaces = [2]

[default-flow-log]
action = "ignore"
"#;

const RECORDS: u64 = 30;

#[test]
fn a_flow_log_of_api_3_signed_tc3_takes_its_interfaces_flows() {
    of_api_3("tc3");
}

#[test]
fn a_flow_log_of_api_3_in_a_query_takes_its_interfaces_flows() {
    of_api_3("tc3-get");
}

#[test]
fn a_flow_log_of_api_3_signed_hmac_sha1_takes_its_interfaces_flows() {
    of_api_3("sha1");
}

#[test]
fn a_flow_log_of_api_3_signed_hmac_sha256_takes_its_interfaces_flows() {
    of_api_3("sha256-get");
}

/// Made, seen, stopped, started, renamed and removed.
fn of_api_3(client: &'static str) {
    let Some(service) = Service::new(client, SETTINGS) else {
        return;
    };
    let daemon = service.start();
    let mut exporter = V5Exporter::new(31, daemon.port);
    let mut send = |routed: u64, unclaimed: u64| {
        exporter.send();
        daemon.wait_until("all flows where they belong", |daemon| {
            let records = &daemon.get("/api/v1/stats")["records"];
            records["routed"]["records"] == routed * RECORDS
                && records["unclaimed"]["records"] == unclaimed * RECORDS
        });
    };
    let make = [
        "VpcId=vpc-iqg1sdjj",
        "FlowLogName=eni",
        "ResourceType=NETWORKINTERFACE",
        "ResourceId=eni-08dhim01",
        "TrafficType=ALL",
        "CloudLogId=d5a8f1a6-0001",
        "Tags:=[{\"Key\": \"team\", \"Value\": \"net\"}]",
    ];
    let made = service.call("CreateFlowLog", &make);
    let log = &made["FlowLog"][0];
    let id = log["FlowLogId"].as_str().unwrap();
    assert_eq!((id.len(), &log["Enable"]), (11, &json!(true)), "{made}");
    assert_eq!(log["TagSet"], json!([{"Key": "team", "Value": "net"}]));
    send(1, 0);
    let ids = format!("FlowLogIds:=[\"{id}\"]");
    service.call("DisableFlowLogs", &[&ids]);
    send(1, 1);
    daemon.wait_until("all rows kept", |daemon| {
        daemon.try_query(
            "SELECT \"Instance_id\", sum(records) \
             FROM \"tencent-cls\".\"d5a8f1a6-0001\" GROUP BY 1",
        ) == [vec![json!("eni-08dhim01"), json!(RECORDS)]]
    });
    service.call("EnableFlowLogs", &[&ids]);
    send(2, 1);
    let one = format!("FlowLogId={id}");
    let network = "VpcId=vpc-iqg1sdjj";
    service.call(
        "ModifyFlowLogAttribute",
        &[network, &one, "FlowLogName=renamed"],
    );
    let list = service.call("DescribeFlowLogs", &["Limit:=1", &one]);
    let name = &list["FlowLog"][0]["FlowLogName"];
    assert_eq!((&list["TotalNum"], name), (&json!(1), &json!("renamed")));
    service.call("DeleteFlowLog", &[network, &one]);
    send(2, 2);
    assert_eq!(
        service.refused("DeleteFlowLog", &[network, &one]),
        "ResourceNotFound"
    );
    let wrong = [&make[..4], &["TrafficType=SOME", make[5]]].concat();
    assert_eq!(
        service.refused("CreateFlowLog", &wrong),
        "InvalidParameterValue.Range"
    );
}

#[test]
fn a_flow_log_of_api_2_by_python_takes_its_interfaces_flows() {
    of_api_2("old");
}

#[test]
fn a_flow_log_of_api_2_by_node_takes_its_interfaces_flows() {
    of_api_2("qcloud");
}

fn of_api_2(client: &'static str) {
    let Some(service) = Service::new(client, SETTINGS) else {
        return;
    };
    let daemon = service.start();
    let well = |answer: &Value| {
        let told = (&answer["code"], &answer["codeDesc"]);
        assert_eq!(told, (&json!(0), &json!("Success")), "{answer}");
    };
    let make = [
        "vpcId=gz_vpc_266",
        "flowLogName=eni",
        "resourceType=NETWORKINTERFACE",
        "resourceId=eni-08dhim01",
        "trafficType=ALL",
        "cloudLogId=d5a8f1a6-0001",
    ];
    let made = service.call("CreateFlowLog", &make);
    well(&made);
    let id = made["data"]["flowLogId"].as_str().unwrap();
    let mut exporter = V5Exporter::new(31, daemon.port);
    exporter.send();
    daemon.wait_until("all flows routed", |daemon| {
        daemon.get("/api/v1/stats")["records"]["routed"]["records"] == RECORDS
    });
    let log = [make[0], &*format!("flowLogId={id}")];
    let described = service.call("DescribeFlowLog", &log);
    assert_eq!(described["data"]["data"]["resourceId"], "eni-08dhim01");
    let renamed = service.call(
        "ModifyFlowLogAttribute",
        &[log[0], log[1], "flowLogName=new"],
    );
    assert_eq!(
        (&renamed["code"], &renamed["message"]),
        (&json!(0), &json!(""))
    );
    let list = service.call("DescribeFlowLogs", &["flowLogName=ne"]);
    assert_eq!(list["data"]["totalNum"], 1, "{list}");
    assert_eq!(list["data"]["data"][0]["flowLogName"], "new");
    let deleted = service.call("DeleteFlowLog", &log);
    well(&deleted);
    assert_eq!(deleted["data"], json!([]));
    let gone = service.call("DeleteFlowLog", &log);
    assert_eq!(
        (&gone["code"], &gone["codeDesc"]),
        (&json!(5000), &json!("FlowLogIDNotFound"))
    );
}
