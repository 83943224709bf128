//! What is there, and what of it stays.

use super::*;

#[tokio::test]
async fn what_is_not_there_takes_and_gives_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let front = front(&open_store(dir.path()));
    let incoming = || Incoming {
        group: group("t", 1),
        body: Bytes::new(),
        received_s: i64::from(NOW_S),
    };
    for (project, logstore, code) in [
        ("flow-proj", "none", "LogStoreNotExist"),
        ("flow-proj", "../x", "LogStoreNotExist"),
        ("none", "flows", "ProjectNotExist"),
    ] {
        let at = Place { project, logstore };
        let refused = front.backend.put(at, incoming()).await.unwrap_err();
        assert_eq!(refused.code, code);
        let refused = front.backend.shards(at).await.unwrap_err();
        assert_eq!(refused.code, code);
    }
    let refused = send_json(&front, "POST", "/logstores", r#"{"logstoreName":"../x"}"#).await;
    assert_eq!(refused.refusal(), (400, "ParameterInvalid".to_owned()));
    let index = r#"{"keys":{"a":{"type":"number"}}}"#;
    let refused = send_json(&front, "POST", "/logstores/flows/index", index).await;
    assert_eq!(refused.refusal(), (400, "IndexInfoInvalid".to_owned()));
}

#[tokio::test]
async fn all_that_clients_set_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path());
    let before = front(&store);
    let index = r#"{"keys":{"srcport":{"type":"text","token":[]}},"ttl":30}"#;
    let groups = "/logstores/flows/consumergroups";
    let commit = format!("{groups}/readers?type=checkpoint&forceSuccess=True");
    for (method, target, body) in [
        ("PUT", "/logstores/flows", r#"{"ttl":9}"#),
        ("POST", "/logstores/flows/index", index),
        (
            "POST",
            groups,
            r#"{"consumerGroup":"readers","timeout":20}"#,
        ),
        ("POST", &commit, r#"{"shard":0,"checkpoint":"MQ=="}"#),
    ] {
        let set = send_json(&before, method, target, body).await;
        assert_eq!(set.status, 200, "{target}: {set:?}");
    }
    put(&before, &group("netflow", 5)).await;
    store.flush().unwrap();
    drop((before, store));
    let after = front(&open_store(dir.path()));
    assert_eq!(get(&after, "/logstores/flows").await.json()["ttl"], 9);
    assert_eq!(get(&after, "/logstores/flows/index").await.body, index);
    let read = get(&after, &format!("{groups}/readers")).await.json();
    assert_eq!(read[0]["checkpoint"], "MQ==");
    // The index tells what a question means: of texts none is more than another.
    assert_eq!(ask(&after, "srcport > 3").await.json()["meta"]["count"], 0);
    assert_eq!(ask(&after, "srcport: 3").await.json()["meta"]["count"], 1);
    let deleted = send_json(&after, "DELETE", "/logstores/flows", "").await;
    assert_eq!(deleted.status, 200);
    send_json(&after, "POST", "/logstores", r#"{"logstoreName":"flows"}"#).await;
    assert_eq!(get(&after, "/logstores/flows/index").await.status, 404);
    assert_eq!(get(&after, groups).await.json(), json!([]));
    assert_eq!(ask(&after, "").await.json()["meta"]["count"], 0);
}
