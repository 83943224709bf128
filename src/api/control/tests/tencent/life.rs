//! The life of a flow log, and what lists tell of it.

use super::*;

/// What makes a flow log of a network interface.
fn interface(name: &str) -> Value {
    json!({
        "VpcId": "vpc-iqg1sdjj", "FlowLogName": name, "ResourceType": "NETWORKINTERFACE",
        "ResourceId": "eni-08dhim", "TrafficType": "REJECT", "CloudLogId": "topic",
    })
}

/// What all clients do in the end.
#[tokio::test]
async fn a_flow_log_is_made_stopped_started_changed_and_removed() {
    let (front, memory) = open(State::default());
    let made = told(&front, "CreateFlowLog", interface("n")).await;
    let id = made["FlowLog"][0]["FlowLogId"].as_str().unwrap().to_owned();
    assert_eq!(
        (id.len(), made["FlowLog"][0]["Enable"].clone()),
        (11, json!(true))
    );
    let status = async || {
        let list = told(&front, "DescribeFlowLogs", json!({"FlowLogId": id})).await;
        assert_eq!(list["TotalNum"], 1);
        let log = &list["FlowLog"][0];
        (log["Enable"].clone(), log["FlowLogName"].clone())
    };
    let ids = json!({"FlowLogIds": [id]});
    let change = json!({"FlowLogId": id, "VpcId": "vpc-iqg1sdjj", "FlowLogName": "m"});
    for (action, body, is_enabled, name) in [
        ("EnableFlowLogs", &ids, true, "n"),
        ("DisableFlowLogs", &ids, false, "n"),
        ("DisableFlowLogs", &ids, false, "n"),
        ("ModifyFlowLogAttribute", &change, false, "m"),
        ("EnableFlowLogs", &ids, true, "m"),
    ] {
        assert_eq!(told(&front, action, body.clone()).await, json!({}));
        assert_eq!(status().await, (json!(is_enabled), json!(name)), "{action}");
    }
    let both = json!({"FlowLogId": id, "VpcId": "vpc-iqg1sdjj"});
    assert_eq!(told(&front, "DeleteFlowLog", both).await, json!({}));
    assert_eq!(memory.state().vpc.flow_logs().count(), 0);
    let list = told(&front, "DescribeFlowLogs", json!({"FlowLogId": id})).await;
    assert_eq!(list, json!({"FlowLog": [], "TotalNum": 0}));
}
