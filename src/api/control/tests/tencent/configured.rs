//! Flow logs of the configuration, through both APIs.

use super::*;
use crate::flowlog::Definition;
use crate::flowlog::FlowLog;
use crate::flowlog::control::Operators;

/// The one of `eni-1`; its name is no id of the product.
const ID: &str = "fl-u94aabvj";

/// A front with two flow logs of the API, and one of the configuration.
fn front() -> (Front, Arc<Memory>) {
    let memory = Arc::new(Memory::new(stored(&["fl-1", "fl-2"])));
    let mut attached = attachments();
    attached.get_mut("eni-1").unwrap().flow_logs = vec!["branches".to_owned()];
    let definition = Definition {
        flow_logs: vec![FlowLog::new("branches", "flow-proj", "flows")],
        attachments: attached.into_values().collect(),
        ..Definition::default()
    };
    let inventory = Inventory {
        operators: Operators::new(&definition),
        ..inventory()
    };
    memory.made.lock().unwrap().inventory = Arc::new(inventory);
    (front_of(&memory, settings(Credentials::open())), memory)
}

#[tokio::test]
async fn they_are_seen_and_not_changed_in_api_3() {
    let (front, memory) = front();
    let one = json!({"VpcId": "vpc-1", "FlowLogId": ID});
    let mut log = log(ID, "vpc-1", "eni-1");
    log["FlowLogName"] = "branches".into();
    log["CloudLogId"] = "flows".into();
    let seen = told(&front, "DescribeFlowLog", one.clone()).await;
    assert_eq!(seen, json!({"FlowLog": [log]}));
    // On a page with others.
    let part = json!({"Limit": 2});
    let list = told(&front, "DescribeFlowLogs", part).await;
    let ids = [0, 1].map(|place| list["FlowLog"][place]["FlowLogId"].clone());
    assert_eq!(
        (ids, &list["TotalNum"]),
        (["fl-2", ID].map(Value::from), &json!(3))
    );
    let before = memory.state();
    let message =
        format!("The flow log `{ID}` is one of the configuration file and is changed there.");
    let error = json!({"Error": {"Code": "UnsupportedOperation", "Message": message}});
    for (action, body) in [
        ("ModifyFlowLogAttribute", one.clone()),
        ("DeleteFlowLog", one),
        ("EnableFlowLogs", json!({"FlowLogIds": ["fl-1", ID]})),
        ("DisableFlowLogs", json!({"FlowLogIds": ["fl-1", ID]})),
    ] {
        assert_eq!(told(&front, action, body).await, error, "{action}");
    }
    assert_eq!(memory.state(), before);
}

#[tokio::test]
async fn they_are_seen_and_not_changed_in_api_2() {
    let (front, _) = front();
    let one = format!("vpcId=vpc-1&flowLogId={ID}");
    let seen = told_old(&front, "DescribeFlowLog", &one).await;
    let log = &seen["data"]["data"];
    let shown = ["flowLogId", "flowLogName", "cloudLogId"].map(|name| log[name].clone());
    assert_eq!(shown, [ID, "branches", "flows"]);
    // A part of the name is enough here.
    let list = told_old(&front, "DescribeFlowLogs", "flowLogName=ranch").await;
    assert_eq!(
        (&list["data"]["totalNum"], &list["data"]["data"][0]),
        (&json!(1), log)
    );
    for action in ["ModifyFlowLogAttribute", "DeleteFlowLog"] {
        let refused = told_old(&front, action, &one).await;
        let codes = (&refused["code"], &refused["codeDesc"]);
        assert_eq!(codes, (&json!(5100), &json!("OperationFailed")), "{action}");
    }
}
