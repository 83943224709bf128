//! What the product's answers tell, in the two APIs' words.

use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Value, json};

use crate::api::tencent::{Edition, Tree};
use crate::flowlog::control::vpc::Described;
use crate::flowlog::control::vpc::FlowLog;
use crate::flowlog::control::vpc::traffic_word;

/// Every topic is there: the data plane makes it when it needs it.
const CLOUD_LOG_STATE: &str = "SUCCESS";

/// The answer to `CreateFlowLog`.
///
/// In API 2.0 two of the words begin with a capital, and the topic's state is
/// left out, as in the vendor's own example.
pub(super) fn created(edition: Edition, log: &FlowLog, offset_s: i32) -> Tree {
    if edition == Edition::V3 {
        return one(edition, log, offset_s);
    }
    let attributes = &log.attributes;
    let description = attributes.description.as_str();
    let fields = [
        ("flowLogId", log.id.as_str()),
        ("flowLogName", &attributes.name),
        ("resourceType", attributes.resource.kind.word()),
        ("resourceId", &attributes.resource.id),
        ("TrafficType", traffic_word(attributes.traffic)),
        ("CloudLogId", &attributes.topic),
        ("FlowLogDescription", description),
        ("createdTime", &created_time(log, offset_s)),
    ];
    let fields = fields.into_iter().filter(|(_, text)| !text.is_empty());
    let data = fields.map(|(name, text)| (name.to_owned(), text.into()));
    success(Value::Object(data.collect()))
}

/// The answer to `DescribeFlowLog`: a list of one, or one in two boxes.
pub(super) fn one(edition: Edition, log: &FlowLog, offset_s: i32) -> Tree {
    match edition {
        Edition::V2 => success(json!({"data": old(log, offset_s)})),
        Edition::V3 => tree([("FlowLog", json!([new(log, offset_s)]))]),
    }
}

/// The answer to `DescribeFlowLogs`. The older API's documents call the number
/// of all by two names.
pub(super) fn list(edition: Edition, described: &Described<'_>, offset_s: i32) -> Tree {
    let (total, logs) = (described.total, described.flow_logs.iter());
    match edition {
        Edition::V2 => {
            let logs: Vec<_> = logs.map(|log| old(log, offset_s)).collect();
            success(json!({"totalNum": total, "totalCount": total, "data": logs}))
        }
        Edition::V3 => {
            let logs: Vec<_> = logs.map(|log| new(log, offset_s)).collect();
            tree([("FlowLog", logs.into()), ("TotalNum", total.into())])
        }
    }
}

/// The answer to `DeleteFlowLog`.
pub(super) fn deleted(edition: Edition) -> Tree {
    match edition {
        Edition::V2 => success(json!([])),
        Edition::V3 => Tree::new(),
    }
}

/// The answer to a change that there is nothing to tell of.
pub(super) fn changed(edition: Edition) -> Tree {
    match edition {
        Edition::V2 => tree([("code", 0.into()), ("message", "".into())]),
        Edition::V3 => Tree::new(),
    }
}

/// Success, as API 2.0 says it.
fn success(data: Value) -> Tree {
    tree([
        ("code", 0.into()),
        ("message", "".into()),
        ("codeDesc", "Success".into()),
        ("data", data),
    ])
}

fn tree<const N: usize>(fields: [(&str, Value); N]) -> Tree {
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    Tree::from_iter(fields)
}

/// A flow log in API 3.0. What is delivered to a topic has no other storage.
fn new(log: &FlowLog, offset_s: i32) -> Value {
    let attributes = &log.attributes;
    let tags = attributes.tags.iter();
    let tags: Vec<_> = tags
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    json!({
        "VpcId": attributes.vpc,
        "FlowLogId": log.id,
        "FlowLogName": attributes.name,
        "ResourceType": attributes.resource.kind.word(),
        "ResourceId": attributes.resource.id,
        "TrafficType": traffic_word(attributes.traffic),
        "CloudLogId": attributes.topic,
        "CloudLogState": CLOUD_LOG_STATE,
        "FlowLogDescription": attributes.description,
        "CreatedTime": created_time(log, offset_s),
        "TagSet": tags,
        "Enable": log.is_enabled,
        "StorageType": "cls",
        "FlowLogStorage": null,
        "CloudLogRegion": attributes.topic_region,
        "Period": attributes.period_s,
    })
}

/// A flow log in API 2.0.
fn old(log: &FlowLog, offset_s: i32) -> Value {
    let attributes = &log.attributes;
    json!({
        "vpcId": attributes.vpc.as_deref().unwrap_or_default(),
        "flowLogId": log.id,
        "flowLogName": attributes.name,
        "resourceType": attributes.resource.kind.word(),
        "resourceId": attributes.resource.id,
        "trafficType": traffic_word(attributes.traffic),
        "cloudLogId": attributes.topic,
        "cloudLogState": CLOUD_LOG_STATE,
        "flowLogDescription": attributes.description,
        "createdTime": created_time(log, offset_s),
    })
}

/// When a flow log was made, such as `2019-05-08 10:48:26`, by a clock that is
/// so far ahead of UTC.
fn created_time(log: &FlowLog, offset_s: i32) -> String {
    let made = i64::try_from(log.created_ms).unwrap_or(i64::MAX);
    let made = Timestamp::from_millisecond(made).unwrap_or_default();
    let offset = Offset::from_seconds(offset_s).unwrap_or(Offset::UTC);
    let made = offset.to_datetime(made);
    made.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
