//! Projects, logstores, indexes, shards and consumer groups.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{Answer, get, json, key, open, send};
use crate::api::auth::{Caller, Keys, Permission};
use crate::api::sls::Front;
use crate::api::sls::request::{Raw, Request as Judged};
use crate::api::sls::{Hosts, projects};

async fn delete(front: &Front, target: &str) -> Answer {
    json(front, "DELETE", target, "").await
}

#[tokio::test]
async fn a_project_is_created_shown_changed_and_deleted() {
    let front = open();
    let host = "new-proj.sls.local";
    let send = async |method: &str, body: &str| {
        let request = Request::builder()
            .method(method)
            .uri("/")
            .header("host", host);
        send(&front, request.body(Body::from(body.to_owned())).unwrap()).await
    };
    assert_eq!(
        send("GET", "").await.refusal(),
        (404, "ProjectNotExist".to_owned())
    );
    let body = r#"{"projectName":"new-proj","description":"one","resourceGroupId":""}"#;
    assert_eq!(send("POST", body).await.status, 200);
    assert_eq!(
        send("POST", body).await.refusal(),
        (400, "ProjectAlreadyExist".to_owned())
    );
    let other = r#"{"projectName":"other","description":"one"}"#;
    assert_eq!(
        send("POST", other).await.refusal(),
        (400, "ParameterInvalid".to_owned())
    );
    assert_eq!(send("PUT", r#"{"description":"two"}"#).await.status, 200);
    let shown = json!({
        "projectName": "new-proj",
        "description": "two",
        "status": "Normal",
        "region": "embedded",
        "owner": "",
        "createTime": "1970-01-01 00:00:00",
        "lastModifyTime": "1970-01-01 00:00:00",
    });
    assert_eq!(send("GET", "").await.json(), shown);
    assert_eq!(send("DELETE", "").await.status, 200);
    assert_eq!(
        send("DELETE", "").await.refusal(),
        (404, "ProjectNotExist".to_owned())
    );
}

/// A bare host names no project; `sls.local` is not the project `sls`.
#[tokio::test]
async fn a_bare_host_lists_projects() {
    let front = open();
    let request = Request::builder().uri("http://sls.local/?offset=0&size=100");
    let request = request
        .header("host", "sls.local")
        .body(Body::empty())
        .unwrap();
    let listed = send(&front, request).await.json();
    assert_eq!((&listed["count"], &listed["total"]), (&json!(1), &json!(1)));
    assert_eq!(listed["projects"][0]["projectName"], "flow-proj");
}

#[tokio::test]
async fn a_key_lists_and_changes_only_what_it_reaches() {
    let front = open();
    let request = Request::builder()
        .uri("/")
        .header("host", "sls.local")
        .body(())
        .unwrap();
    let raw = Raw::new(&request.into_parts().0, &Hosts::default()).unwrap();
    for (pattern, permission, count) in [
        ("flow-*", Permission::Read, 1),
        ("flow-*", Permission::Write, 0),
        ("other-*", Permission::ReadWrite, 0),
    ] {
        let keys = Keys::new([key("id", "secret", pattern, permission)]);
        let request = Judged {
            raw: &raw,
            caller: Caller::Key(keys.find("id").unwrap()),
            body: br#"{"projectName":"flow-new"}"#.as_slice().into(),
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let response = projects::list(&front, &request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        let listed: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(listed["total"], count, "{pattern} {permission:?}");
        let created = projects::create(&front, &request).await.map(|_| ());
        let may = permission == Permission::Write;
        assert_eq!(
            created.map_err(|refusal| refusal.code),
            may.then_some(()).ok_or("Unauthorized")
        );
        if may {
            front.backend.delete_project("flow-new").await.unwrap();
        }
    }
}

/// The size a Python client tells of a JSON body is 0; nobody minds.
#[tokio::test]
async fn a_logstore_is_created_shown_changed_and_deleted() {
    let front = open();
    let body = r#"{"logstoreName":"new","ttl":7,"shardCount":2,"enable_tracking":false,
        "autoSplit":true,"maxSplitShard":64,"appendMeta":false,"telemetryType":"","unheard":{"of":1}}"#;
    assert_eq!(json(&front, "POST", "/logstores", body).await.status, 200);
    let again = json(&front, "POST", "/logstores", body).await;
    assert_eq!(again.refusal(), (400, "LogStoreAlreadyExist".to_owned()));
    let body = r#"{"logstoreName":"new","ttl":30,"telemetryType":null}"#;
    assert_eq!(
        json(&front, "PUT", "/logstores/new", body).await.status,
        200
    );
    let expected = json!({
        "logstoreName": "new",
        "ttl": 30,
        "shardCount": 2,
        "enable_tracking": false,
        "autoSplit": true,
        "maxSplitShard": 64,
        "appendMeta": false,
        "telemetryType": "",
        "mode": "standard",
        "createTime": 0,
        "lastModifyTime": 0,
    });
    assert_eq!(get(&front, "/logstores/new").await.json(), expected);
    let listed = get(&front, "/logstores?offset=1&size=1&logstoreName=")
        .await
        .json();
    assert_eq!(
        listed,
        json!({"count": 1, "total": 2, "logstores": ["new"]})
    );
    assert_eq!(delete(&front, "/logstores/new").await.status, 200);
    let gone = get(&front, "/logstores/new").await;
    assert_eq!(gone.refusal(), (404, "LogStoreNotExist".to_owned()));
    let never = json(
        &front,
        "POST",
        "/logstores",
        r#"{"logstoreName":"x1","ttl":0}"#,
    )
    .await;
    assert_eq!(never.refusal(), (400, "LogStoreInfoInvalid".to_owned()));
}

#[tokio::test]
async fn an_index_is_given_back_as_it_came() {
    let front = open();
    let target = "/logstores/flows/index";
    let missing = (404, "IndexConfigNotExist".to_owned());
    assert_eq!(get(&front, target).await.refusal(), missing);
    let index = r#"{"keys":{"srcaddr":{"type":"text","token":[]}},"ttl":30,"log_reduce":false}"#;
    assert_eq!(json(&front, "PUT", target, index).await.refusal(), missing);
    assert_eq!(json(&front, "POST", target, index).await.status, 200);
    let again = json(&front, "POST", target, index).await;
    assert_eq!(again.refusal(), (400, "IndexAlreadyExist".to_owned()));
    assert_eq!(get(&front, target).await.body, index);
    assert_eq!(
        json(&front, "PUT", target, r#"{"ttl":1}"#).await.status,
        200
    );
    assert_eq!(get(&front, target).await.body, r#"{"ttl":1}"#);
    assert_eq!(delete(&front, target).await.status, 200);
    assert_eq!(delete(&front, target).await.refusal(), missing);
    let refused = json(&front, "POST", target, "[]").await;
    assert_eq!(refused.refusal(), (400, "PostBodyInvalid".to_owned()));
}

#[tokio::test]
async fn shards_are_listed() {
    let expected = json!([{
        "shardID": 0,
        "status": "readwrite",
        "inclusiveBeginKey": "0".repeat(32),
        "exclusiveEndKey": "f".repeat(32),
        "createTime": 0,
    }]);
    assert_eq!(
        get(&open(), "/logstores/flows/shards").await.json(),
        expected
    );
}

#[tokio::test]
async fn a_consumer_group_hands_out_shards_and_keeps_checkpoints() {
    let front = open();
    let target = "/logstores/flows/consumergroups";
    let group = format!("{target}/readers");
    let create = r#"{"consumerGroup":"readers","timeout":20,"order":true}"#;
    assert_eq!(json(&front, "POST", target, create).await.status, 200);
    // The consumer library looks for this very code.
    let again = json(&front, "POST", target, create).await;
    assert_eq!(
        again.refusal(),
        (400, "ConsumerGroupAlreadyExist".to_owned())
    );
    let listed = get(&front, target).await.json();
    assert_eq!(
        listed,
        json!([{"name": "readers", "timeout": 20, "order": true}])
    );
    let unread = json!([{"shard": 0, "checkpoint": "", "updateTime": 0, "consumer": ""}]);
    assert_eq!(get(&front, &group).await.json(), unread);
    let heartbeat = format!("{group}?type=heartbeat&consumer=one");
    let other = format!("{group}?type=heartbeat&consumer=two");
    assert_eq!(json(&front, "POST", &heartbeat, "[]").await.body, "[0]");
    assert_eq!(json(&front, "POST", &other, "[]").await.body, "[]");
    let commit = format!("{group}?type=checkpoint&consumer=one&forceSuccess=False");
    let checkpoint = r#"{"shard":0,"checkpoint":"MA=="}"#;
    assert_eq!(json(&front, "POST", &commit, checkpoint).await.status, 200);
    let refused = json(&front, "POST", &commit.replace("one", "two"), checkpoint).await;
    assert_eq!(refused.refusal(), (400, "ConsumerNotMatch".to_owned()));
    let forced = format!("{group}?type=checkpoint&forceSuccess=True");
    assert_eq!(
        json(
            &front,
            "POST",
            &forced,
            r#"{"shard":0,"checkpoint":"MQ=="}"#
        )
        .await
        .status,
        200
    );
    // A front that starts anew over the same store knows them still.
    let settings = super::settings(Keys::open());
    let front = Front::new(front.backend.clone(), settings);
    let kept = get(&front, &format!("{group}?shard=0")).await.json();
    let update_time = jiff::Timestamp::from_second(i64::from(super::NOW_S))
        .unwrap()
        .as_microsecond();
    let expected =
        json!([{"shard": 0, "checkpoint": "MQ==", "updateTime": update_time, "consumer": ""}]);
    assert_eq!(kept, expected);
    assert_eq!(
        get(&front, &format!("{group}?shard=1")).await.json(),
        json!([])
    );
    assert_eq!(
        json(&front, "PUT", &group, r#"{"timeout":30}"#)
            .await
            .status,
        200
    );
    let listed = get(&front, target).await.json();
    assert_eq!(
        listed,
        json!([{"name": "readers", "timeout": 30, "order": true}])
    );
    assert_eq!(delete(&front, &group).await.status, 200);
    let gone = get(&front, &group).await;
    assert_eq!(gone.refusal(), (404, "ConsumerGroupNotExist".to_owned()));
}

#[tokio::test]
async fn what_is_wrong_with_a_consumer_group_is_said() {
    let front = open();
    let target = "/logstores/flows/consumergroups";
    json(&front, "POST", target, r#"{"consumerGroup":"g"}"#).await;
    for (target, body, code) in [
        ("", r#"{"timeout":5}"#, "MissingParameter"),
        (
            "",
            r#"{"consumerGroup":"h","timeout":0}"#,
            "ParameterInvalid",
        ),
        ("", r#"{"consumerGroup":"a b"}"#, "ParameterInvalid"),
        ("/g?type=heartbeat", "[]", "MissingParameter"),
        ("/g?type=heartbeat&consumer=c", "{}", "PostBodyInvalid"),
        (
            "/g?type=checkpoint&consumer=c",
            r#"{"shard":0}"#,
            "MissingParameter",
        ),
        (
            "/g?type=checkpoint&consumer=c",
            r#"{"shard":0,"checkpoint":"x"}"#,
            "InvalidCursor",
        ),
        ("/g?type=other", "[]", "ParameterInvalid"),
    ] {
        let target = format!("/logstores/flows/consumergroups{target}");
        let refused = json(&front, "POST", &target, body).await;
        assert_eq!(refused.refusal(), (400, code.to_owned()), "{target} {body}");
    }
    let shard = "/logstores/flows/consumergroups/g?type=checkpoint&forceSuccess=True";
    let refused = json(&front, "POST", shard, r#"{"shard":7,"checkpoint":"MA=="}"#).await;
    assert_eq!(refused.refusal(), (404, "ShardNotExist".to_owned()));
}

/// A logstore of the same name later is another one.
#[tokio::test]
async fn the_groups_of_a_deleted_logstore_are_forgotten() {
    let front = open();
    let target = "/logstores/flows/consumergroups";
    json(&front, "POST", target, r#"{"consumerGroup":"g"}"#).await;
    delete(&front, "/logstores/flows").await;
    json(&front, "POST", "/logstores", r#"{"logstoreName":"flows"}"#).await;
    assert_eq!(get(&front, target).await.json(), json!([]));
}
