//! PullLogs: `GET /logstores/{logstore}/shards/{shard}?type=log`.

use axum::response::Response;
use prost::Message as _;
use serde_json::{Value, json};

use super::put::PROTOBUF;
use super::request::Request;
use super::{
    Content, Failure, Front, Log, LogGroup, LogGroupList, LogTag, PullRange, Pulled, answer,
    cursors, shards,
};
use crate::api::auth::Access;

/// Log groups from a cursor on. At the end of the shard, or at `end_cursor`,
/// nothing, and the cursor of the request: clients ask until both are equal.
pub(super) async fn pull(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
    shard: u32,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let shard = shards::find(front, at, shard).await?;
    let parameters = request.parameters();
    let cursor = cursors::decode(parameters.required("cursor")?)?;
    if cursor > shard.end {
        return Err(cursors::invalid());
    }
    let end = parameters.text("end_cursor").map(cursors::decode);
    let until = end.transpose()?.unwrap_or(shard.end).min(shard.end);
    let groups_max = parameters.number("count")?.unwrap_or(COUNT_DEFAULT);
    let range = PullRange {
        shard: shard.id,
        // What is older has been retired since.
        from: cursor.max(shard.begin),
        until,
        groups_max: groups_max.clamp(1, COUNT_MAX),
    };
    let pulled = if range.from < range.until {
        front.backend.pull(at, range).await?
    } else {
        Pulled {
            groups: Vec::new(),
            next: cursor.max(until),
        }
    };
    let count = pulled.groups.len();
    let next = cursors::encode(pulled.next);
    let mut response = body(pulled.groups, request)?;
    answer::set(response.headers_mut(), "x-log-count", &count.to_string());
    answer::set(response.headers_mut(), "x-log-cursor", &next);
    Ok(response)
}

/// Groups wanted when a client does not say.
const COUNT_DEFAULT: usize = 100;
/// Groups of one answer, at most.
const COUNT_MAX: usize = 1_000;

/// Protobuf, or JSON for those who ask for it: `alibabacloud-sls20201230`
/// reads nothing else.
fn body(groups: Vec<LogGroup>, request: &Request<'_>) -> Result<Response, Failure> {
    let accepted = request.header("accept-encoding").unwrap_or_default();
    if request.header("accept") == Some(JSON) {
        let groups: Vec<_> = groups.iter().map(group).collect();
        let list = json!({"logGroupList": groups}).to_string();
        return answer::compressed(list.into_bytes(), JSON, accepted);
    }
    let list = LogGroupList { log_groups: groups };
    answer::compressed(list.encode_to_vec(), PROTOBUF, accepted)
}

const JSON: &str = "application/json";

/// A log group in the words of `alibabacloud-sls20201230`.
fn group(group: &LogGroup) -> Value {
    let tag = |tag: &LogTag| json!({"Key": tag.key, "Value": tag.value});
    json!({
        "LogItems": group.logs.iter().map(log).collect::<Vec<_>>(),
        "LogTags": group.log_tags.iter().map(tag).collect::<Vec<_>>(),
        "Source": group.source.as_deref().unwrap_or_default(),
        "Topic": group.topic.as_deref().unwrap_or_default(),
    })
}

fn log(log: &Log) -> Value {
    let content = |content: &Content| {
        let value = String::from_utf8_lossy(&content.value);
        json!({"Key": content.key, "Value": value})
    };
    let contents: Vec<_> = log.contents.iter().map(content).collect();
    let mut shown = json!({"Contents": contents, "Time": log.time});
    if let (Some(members), Some(time_ns)) = (shown.as_object_mut(), log.time_ns) {
        members.insert("TimeNs".to_owned(), time_ns.into());
    }
    shown
}
