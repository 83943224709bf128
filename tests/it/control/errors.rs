//! Every error of the documents that the APIs were made from, as the vendors'
//! SDKs raise it: code, message and status.
//!
//! The unit tests of `api::control` raise the same from more causes; here it
//! counts that each row arrives.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Service;

const SETTINGS: &str = r#"
[[credential]]
id = "LTAItest"
secret-file = "DIR/secret"

[control]
quota = 2
reactivate = false

[[device]]
instance-id = "sag-one"
exporters = ["127.0.0.11"]

[[device]]
instance-id = "sag-old"
flow-log-support = "no-model"
exporters = ["127.0.0.12"]

[[device]]
instance-id = "sag-single"
flow-log-support = "no-edition"
exporters = ["127.0.0.13"]

[[device]]
instance-id = "sag-active"
role = "active"
flow-log-support = "no-edition"
exporters = ["127.0.0.14"]

[[device]]
instance-id = "sag-standby"
role = "standby"
flow-log-support = "no-edition"
exporters = ["127.0.0.15"]

[[router]]
id = "ecr-mezk2idmsd0vx20001"
status = "inactive"

[[router]]
id = "ecr-mezk2idmsd0vx20002"
status = "deleting"

[[vpc]]
id = "vpc-iqg1sdjj"
subnets = ["subnet-9bqkbq1a"]

[[attachment]]
id = "eni-08dhim01"
type = "network-interface"
network = "vpc-iqg1sdjj"
exporters = ["127.0.0.16"]
"#;

/// A call, and the error that it ends with: status, code, message.
type Row = (&'static str, Value, u16, &'static str, String);

/// Makes all calls with one client, and holds each error against its row.
fn raise(service: &Service, rows: &[Row]) {
    let calls: Vec<_> = rows.iter().map(|row| json!([row.0, row.1])).collect();
    let answers = service.call("-", &[&json!(calls).to_string()]);
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), rows.len());
    for ((action, parameters, status, code, message), answer) in rows.iter().zip(answers) {
        let expected = json!({"Code": code, "Message": message, "status": status});
        assert_eq!(*answer, expected, "{action} {parameters}");
    }
}

/// The codes of seeds 000, 001 and 002: DeactiveFlowLog, AssociateFlowLog and
/// CreateFlowLog.
const GATEWAY_CODES: [&str; 27] = [
    "DependencyViolation.FlowLog",
    "FeatureNotSupport",
    "FeatureNotSupportForActiveSmartAG",
    "FeatureNotSupportForStandBySmartAG",
    "IllegalParam.ActiveAging",
    "IllegalParam.InactiveAging",
    "IllegalParam.NetflowServerIp",
    "IllegalParam.NetflowServerPort",
    "IllegalParam.NetflowVersion",
    "IllegalParam.OutputType",
    "IllegalParam.RegionId",
    "IllegalParam.SlsRegionId",
    "IllegalParam.Status",
    "IncorrectStatus.FlowLog",
    "InvalidFlowLogId.NotFound",
    "InvalidSmartAGId.NotFound",
    "MissingParam.FlowLogId",
    "MissingParam.LogstoreName",
    "MissingParam.NetflowServerIp",
    "MissingParam.NetflowServerPort",
    "MissingParam.NetflowVersion",
    "MissingParam.ProjectName",
    "MissingParam.SlsRegionId",
    "OperationFailed.AssociateFlowLog",
    "OperationUnsupported.AssociateFlowLog",
    "QuotaExceeded.Flowlog",
    "InvalidParameter",
];

#[test]
fn every_error_of_smart_access_gateways_arrives_by_the_core_sdk() {
    every_error_of_gateways("core");
}

#[test]
fn every_error_of_smart_access_gateways_arrives_by_the_tea_sdk() {
    every_error_of_gateways("tea");
}

fn every_error_of_gateways(client: &'static str) {
    let Some(service) = Service::new(client, SETTINGS) else {
        return;
    };
    let _daemon = service.start();
    let create = ["Name=n", "OutputType=netflow", "NetflowServerIp=192.0.2.9"];
    let made = || service.call("CreateFlowLog", &create)["FlowLogId"].clone();
    let (one, two) = (made(), made());
    let bind = format!("FlowLogId={}", one.as_str().unwrap());
    service.call("AssociateFlowLog", &[&bind, "SmartAGId=sag-one"]);
    let mut rows = of_values();
    rows.extend(of_states(&one, &two));
    raise(&service, &rows);
    let raised: BTreeSet<_> = rows.iter().map(|row| row.3).collect();
    assert_eq!(raised, BTreeSet::from(GATEWAY_CODES));
}

/// Errors of parameters, each of one alone.
fn of_values() -> Vec<Row> {
    let netflow = json!({"OutputType": "netflow", "NetflowServerIp": "192.0.2.9"});
    let sls = json!({
        "OutputType": "sls", "ProjectName": "flow-proj", "LogstoreName": "flows",
        "SlsRegionId": "cn-a",
    });
    let create = |base: &Value, name: &str, value: &str, code: &'static str, message: String| {
        let mut parameters = base.clone();
        parameters[name] = value.into();
        ("CreateFlowLog", parameters, 400, code, message)
    };
    let named = |code: &'static str| code.split_once('.').unwrap().1;
    let illegal = |base, value, code| {
        let name = named(code);
        let message = format!("The specified {name} is invalid.");
        create(base, name, value, code, message)
    };
    let missing = |base, code| {
        let name = named(code);
        let message = format!("Specify the {name} parameter.");
        create(base, name, "", code, message)
    };
    let of_flow_log =
        |id: Value, code, message: &str| ("DeactiveFlowLog", id, 400, code, message.to_owned());
    let listed = |asked: Value, status, code, message: &str| {
        ("DescribeFlowLogs", asked, status, code, message.to_owned())
    };
    let quota = "The maximum number of FlowLog instances is exceeded.".to_owned();
    vec![
        illegal(&netflow, "59", "IllegalParam.ActiveAging"),
        illegal(&netflow, "601", "IllegalParam.InactiveAging"),
        illegal(&netflow, "nowhere", "IllegalParam.NetflowServerIp"),
        illegal(&netflow, "65536", "IllegalParam.NetflowServerPort"),
        illegal(&netflow, "V8", "IllegalParam.NetflowVersion"),
        illegal(&netflow, "none", "IllegalParam.OutputType"),
        illegal(&netflow, "Shanghai!", "IllegalParam.RegionId"),
        illegal(&sls, "CN A", "IllegalParam.SlsRegionId"),
        missing(&sls, "MissingParam.SlsRegionId"),
        missing(&sls, "MissingParam.ProjectName"),
        missing(&sls, "MissingParam.LogstoreName"),
        missing(&netflow, "MissingParam.NetflowServerIp"),
        missing(&netflow, "MissingParam.NetflowServerPort"),
        missing(&netflow, "MissingParam.NetflowVersion"),
        create(&netflow, "Name", "three", "QuotaExceeded.Flowlog", quota),
        listed(
            json!({"Status": "active"}),
            400,
            "IllegalParam.Status",
            "The specified Status parameter is invalid.",
        ),
        listed(
            json!({"PageSize": 0}),
            403,
            "InvalidParameter",
            "The specified parameter is invalid.",
        ),
        of_flow_log(
            json!({}),
            "MissingParam.FlowLogId",
            "Specify the FlowLogId parameter.",
        ),
        of_flow_log(
            json!({"FlowLogId": "fl-l934tsa5504yuc****"}),
            "InvalidFlowLogId.NotFound",
            "The specified FlowLogId does not exist.",
        ),
    ]
}

/// Errors of two flow logs, of which the first has a gateway.
fn of_states(one: &Value, two: &Value) -> Vec<Row> {
    let alone = |action, code, message: &str| {
        let id = json!({"FlowLogId": one});
        (action, id, 400, code, message.to_owned())
    };
    let associate = |id: &Value, gateway, status, code, message: &str| {
        let both = json!({"FlowLogId": id, "SmartAGId": gateway});
        ("AssociateFlowLog", both, status, code, message.to_owned())
    };
    let edition = |gateway, code, which| {
        let message = format!(
            "The current edition of the {which}smart access gateway does not support this feature."
        );
        associate(one, gateway, 403, code, &message)
    };
    vec![
        alone(
            "DeleteFlowLog",
            "DependencyViolation.FlowLog",
            "This FlowLog instance is bound to an SAG instance.",
        ),
        alone(
            "ActiveFlowLog",
            "IncorrectStatus.FlowLog",
            "The current FlowLog instance status does not support this operation.",
        ),
        associate(
            one,
            "sag-none",
            400,
            "InvalidSmartAGId.NotFound",
            "The specified SmartAGId does not exist.",
        ),
        associate(
            two,
            "sag-one",
            400,
            "OperationFailed.AssociateFlowLog",
            "The operation failed. The specified SAG instance has already been associated with \
                another FlowLog instance.",
        ),
        associate(
            one,
            "sag-old",
            400,
            "OperationUnsupported.AssociateFlowLog",
            "You cannot bind the SAG device of the current version or model to a FlowLog instance.",
        ),
        edition("sag-single", "FeatureNotSupport", ""),
        edition("sag-active", "FeatureNotSupportForActiveSmartAG", "active "),
        edition(
            "sag-standby",
            "FeatureNotSupportForStandBySmartAG",
            "standby ",
        ),
    ]
}

/// Seed 003 and the templates of the same product. No parameter of it names a
/// region, so that its `UnsupportedRegion` is for calls that this SDK cannot make.
#[test]
fn every_error_of_border_routers_arrives() {
    let Some(service) = Service::new("router", SETTINGS) else {
        return;
    };
    let _daemon = service.start();
    let delete = |router, status, code, message: &str| {
        let both = json!({"EcrId": router, "FlowLogId": "ecr-flog-m5evbtbpt****"});
        ("DeleteFlowlog", both, status, code, message.to_owned())
    };
    let rows = [
        delete(
            "ecr-mezk2idmsd0vx20001",
            400,
            "IncorrectStatus.Ecr",
            "Ecr Status does not allow current operation.",
        ),
        delete(
            "ecr-mezk2idmsd0vx20002",
            400,
            "OperationDenied.ForceDeleting",
            "The current instance is being deleted.",
        ),
        delete(
            "ecr-mezk2idmsd0vx2****",
            404,
            "ResourceNotFound.EcrId",
            "EcrId not found.",
        ),
        delete(
            "",
            400,
            "MissingParam.EcrId",
            "The param of EcrId is missing.",
        ),
        delete(
            "vbr-1",
            400,
            "IllegalParamFormat.EcrId",
            "The param format of EcrId is illegal.",
        ),
    ];
    raise(&service, &rows);
}

/// Seed 004: the texts it names are `codeDesc` of API 2.0.
#[test]
fn every_error_of_private_networks_arrives() {
    let Some(service) = Service::new("old", SETTINGS) else {
        return;
    };
    let _daemon = service.start();
    let create = |name: &str, value: &str| {
        let mut parameters = json!({
            "vpcId": "vpc-iqg1sdjj", "flowLogName": "n", "resourceType": "NETWORKINTERFACE",
            "resourceId": "eni-08dhim01", "trafficType": "ALL", "cloudLogId": "topic",
        });
        parameters[name] = value.into();
        json!(["CreateFlowLog", parameters])
    };
    let mut subnet = create("resourceType", "SUBNET");
    subnet[1]["resourceId"] = "subnet-00000000".into();
    let calls = json!([
        create("flowLogName", "taken"),
        create("vpcId", "vpc-00000000"),
        subnet,
        create("resourceId", "eni-00000000"),
        create("flowLogName", &"n".repeat(61)),
        create("flowLogName", "taken"),
        ["DeleteFlowLog", {"vpcId": "vpc-iqg1sdjj", "flowLogId": "fl-00000000"}],
    ]);
    let answers = service.call("-", &[&calls.to_string()]);
    let told = answers.as_array().unwrap().iter();
    let told: Vec<_> = told
        .map(|answer| json!([answer["code"], answer["codeDesc"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!([0, "Success"]),
            json!([5000, "InvalidVpc.NotFound"]),
            json!([5000, "InvalidSubnet.NotFound"]),
            json!([5000, "InvalidNetworkInterface.NotFound"]),
            json!([4000, "InvalidFlowLogName"]),
            json!([4000, "FlowLogNameDuplicate"]),
            json!([5000, "FlowLogIDNotFound"]),
        ]
    );
}
