//! Tencent Cloud's flow logs, through both APIs.

mod configured;
mod life;
mod proved;
mod refused;
mod spelled;

use std::collections::BTreeMap;

use super::*;
use crate::flowlog::Attachment;
use crate::flowlog::AttachmentKind;
use crate::flowlog::Vpc;

/// To the letter: clients take an error under any other type for a success.
pub(super) const JSON: &str = "application/json";

/// Networks of which captured requests speak, and one of another account.
pub(super) fn vpcs() -> BTreeMap<String, Vpc> {
    let vpc = |id: &str, legacy_id: Option<&str>, account: Option<&str>| Vpc {
        id: id.to_owned(),
        legacy_id: legacy_id.map(str::to_owned),
        account: account.map(str::to_owned),
        subnets: vec![format!("subnet-of-{id}")],
    };
    let vpcs = [
        vpc("vpc-iqg1sdjj", Some("gz_vpc_266"), None),
        vpc("vpc-1", None, None),
        vpc("vpc-foreign", None, Some("5678")),
    ];
    vpcs.map(|vpc| (vpc.id.clone(), vpc)).into()
}

/// What is attached to them.
pub(super) fn attachments() -> BTreeMap<String, Attachment> {
    let attachment = |id: &str, kind, network: Option<&str>| Attachment {
        id: id.to_owned(),
        kind,
        network: network.map(str::to_owned),
        ..Attachment::default()
    };
    let vpc = Some("vpc-iqg1sdjj");
    let attachments = [
        attachment("eni-08dhim", AttachmentKind::NetworkInterface, vpc),
        attachment("eni-08dhim00", AttachmentKind::NetworkInterface, vpc),
        attachment("eni-1", AttachmentKind::NetworkInterface, Some("vpc-1")),
        attachment("nat-1", AttachmentKind::Nat, vpc),
        attachment("dcg-1", AttachmentKind::Dcg, vpc),
        attachment("ccn-1", AttachmentKind::Ccn, None),
    ];
    attachments
        .map(|attachment| (attachment.id.clone(), attachment))
        .into()
}

/// Flow logs of `eni-1`, each a second younger than the one before; of one
/// account, which is none.
pub(super) fn stored(ids: &[&str]) -> State {
    let logs = ids.iter().zip(0..).map(|(id, age_s)| {
        let attributes = json!({
            "vpc": "vpc-1", "name": format!("name of {id}"), "description": "",
            "resource": {"kind": "network-interface", "id": "eni-1"}, "traffic": "all",
            "topic": "topic", "topic_region": "", "period_s": null, "tags": [],
        });
        let log = json!({
            "id": id, "account": "", "created_ms": age_s * 1_000, "is_enabled": true,
            "attributes": attributes,
        });
        ((*id).to_owned(), log)
    });
    let logs: serde_json::Map<_, _> = logs.collect();
    serde_json::from_value(json!({"vpc": {"flow_logs": logs}})).unwrap()
}

/// The flow log `fl-ccn` of a Cloud Connect Network, and so of no one network.
fn stored_ccn() -> State {
    let mut state = serde_json::to_value(stored(&["fl-ccn"])).unwrap();
    let attributes = &mut state["vpc"]["flow_logs"]["fl-ccn"]["attributes"];
    attributes["vpc"] = Value::Null;
    attributes["resource"] = json!({"kind": "ccn", "id": "ccn-1"});
    serde_json::from_value(state).unwrap()
}

/// A flow log as API 3.0 tells of it: made now, or the first of [`stored`].
pub(super) fn log(id: &str, vpc: &str, resource: &str) -> Value {
    let is_new = id == "fl-01234567";
    let created_time = if is_new {
        "2026-11-21 10:01:00"
    } else {
        "1970-01-01 08:00:00"
    };
    json!({
        "VpcId": vpc, "FlowLogId": id, "FlowLogName": format!("name of {id}"),
        "ResourceType": "NETWORKINTERFACE", "ResourceId": resource, "TrafficType": "ALL",
        "CloudLogId": "topic", "CloudLogState": "SUCCESS", "FlowLogDescription": "",
        "CreatedTime": created_time, "TagSet": [], "Enable": true, "StorageType": "cls",
        "FlowLogStorage": null, "CloudLogRegion": "", "Period": null,
    })
}

/// One of [`stored`] as API 2.0 tells of it.
pub(super) fn old_log(id: &str, vpc: &str, resource: &str) -> Value {
    let second = u8::from(id != "fl-1");
    json!({
        "vpcId": vpc, "flowLogId": id, "flowLogName": format!("name of {id}"),
        "resourceType": "NETWORKINTERFACE", "resourceId": resource, "trafficType": "ALL",
        "cloudLogId": "topic", "cloudLogState": "SUCCESS", "flowLogDescription": "",
        "createdTime": format!("1970-01-01 08:00:0{second}"),
    })
}

/// A call of API 3.0 in JSON, unsigned.
fn v3(action: &str, body: &Value) -> Sent {
    let mut sent = Sent::new("POST", "/")
        .header("x-tc-action", action)
        .header("x-tc-version", "2017-03-12")
        .header("content-type", JSON);
    sent.body = body.to_string().into_bytes();
    sent
}

/// A call of API 2.0, unsigned.
fn v2(action: &str, params: &str) -> Sent {
    Sent::new("GET", &format!("/v2/index.php?Action={action}&{params}"))
}

/// What API 3.0 answers, beside the id of the request.
async fn told(front: &Front, action: &str, body: Value) -> Value {
    let answer = v3(action, &body).to(front).await;
    assert_eq!((answer.status, answer.content_type()), (200, JSON));
    let mut body = answer.json();
    let body = body["Response"].as_object_mut().unwrap();
    assert_eq!(body.remove("RequestId").unwrap(), ID.to_ascii_lowercase());
    Value::Object(body.clone())
}

/// What API 2.0 answers.
async fn told_old(front: &Front, action: &str, params: &str) -> Value {
    let answer = v2(action, params).to(front).await;
    assert_eq!((answer.status, answer.content_type()), (200, JSON));
    answer.json()
}
