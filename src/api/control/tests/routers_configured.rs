//! Flow logs of border routers that are the configuration's, or whose router
//! has left it.

use super::routers::{ROUTER, STORED, ecr, memory, stored, success};
use super::*;
use crate::flowlog::Attachment;
use crate::flowlog::Definition;
use crate::flowlog::FlowLog;
use crate::flowlog::control::Operators;

#[tokio::test]
async fn flow_logs_of_the_configuration_are_seen_and_not_changed() {
    let memory = memory(State::default());
    let definition = Definition {
        flow_logs: vec![FlowLog::new(STORED, "flow-proj", "flows")],
        attachments: vec![Attachment {
            id: "vbr-1".to_owned(),
            network: Some(ROUTER.to_owned()),
            flow_logs: vec![STORED.to_owned()],
            ..Attachment::default()
        }],
        ..Definition::default()
    };
    let inventory = Inventory {
        operators: Operators::new(&definition),
        ..Inventory::clone(&memory.look().inventory)
    };
    memory.made.lock().unwrap().inventory = Arc::new(inventory);
    let front = front_of(&memory, settings(Credentials::open()));
    let list = ecr("DescribeFlowLogs", "").to(&front).await.success();
    let log = json!({
        "FlowLogId": STORED, "FlowLogName": STORED, "EcrId": ROUTER, "InstanceId": "vbr-1",
        "InstanceType": "VBR", "Interval": 300, "LogStoreName": "flows",
        "ProjectName": "flow-proj", "RegionId": "cn-hangzhou", "ResourceGroupId": "",
        "SamplingRate": "1:1", "SlsRegionId": "", "Status": "Active",
        "CreationTime": "1970-01-01T00:00:00Z", "Description": "", "Tags": [],
    });
    let told = json!({"FlowLogs": [log], "MaxResults": 10, "TotalCount": 1, "NextToken": ""});
    assert_eq!(list, success(told));
    for action in [
        "ModifyFlowLogAttribute",
        "ActivateFlowLog",
        "DeactivateFlowLog",
        "DeleteFlowlog",
    ] {
        let params = format!("FlowLogId={STORED}&Description=d");
        let answer = ecr(action, &params).to(&front).await;
        let message = "The param of FlowLogId is illegal.";
        answer.is_error(400, "IllegalParam.FlowLogId", message);
    }
}

#[tokio::test]
async fn what_a_lost_router_left_behind_is_seen_and_can_be_removed() {
    let memory = memory(stored(STORED, ROUTER, true));
    memory.made.lock().unwrap().inventory = Arc::default();
    let front = front_of(&memory, settings(Credentials::open()));
    let list = ecr("DescribeFlowLogs", "").to(&front).await.success();
    let log = &list["FlowLogs"][0];
    let seen = ["FlowLogId", "EcrId", "RegionId"].map(|name| log[name].clone());
    assert_eq!(seen, [STORED, ROUTER, "cn-hangzhou"]);
    let id = format!("FlowLogId={STORED}");
    let stopped = ecr("DeactivateFlowLog", &id).to(&front).await;
    stopped.is_error(404, "ResourceNotFound.EcrId", "EcrId not found.");
    ecr("DeleteFlowlog", &id).to(&front).await.success();
    assert_eq!(memory.state().ecr.flow_logs().count(), 0);
    for action in ["DescribeFlowLogs", "DeleteFlowlog"] {
        let none = ecr(action, &id).to(&front).await;
        none.is_error(404, "ResourceNotFound.EcrId", "EcrId not found.");
    }
}
