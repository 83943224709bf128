//! GetLogs, histograms, topics, cursors and PullLogs, and their traps.

use axum::body::Body;
use prost::Message as _;

use super::{Answer, get};
use super::{NOW_S, group, json, open, put, request, send};
use crate::api::sls::compress;
use crate::api::sls::{Front, LogGroupList, cursors};
use crate::sink::Compression;

async fn filled() -> Front {
    let front = open();
    put(&front, &group("netflow", 5)).await;
    put(&front, &group("firewall", 2)).await;
    front
}

fn v1(rest: &str) -> String {
    let (from, to) = (NOW_S - 100, NOW_S);
    format!("/logstores/flows?type=log&from={from}&to={to}{rest}")
}

/// `get_log_all` asks on until a page is empty.
#[tokio::test]
async fn the_page_after_the_last_is_empty() {
    let front = filled().await;
    for (offset, count) in [(0, "3"), (3, "3"), (6, "1"), (7, "0"), (9, "0")] {
        let answer = get(&front, &v1(&format!("&line=3&offset={offset}"))).await;
        assert_eq!(answer.header("x-log-count"), count);
        assert_eq!(answer.header("x-log-progress"), "Complete");
    }
}

#[tokio::test]
async fn both_versions_find_the_same() {
    let front = filled().await;
    let found = get(&front, &v1("&query=srcport%3A+1")).await.json();
    assert_eq!(found.as_array().unwrap().len(), 2);
    let (from, to) = (NOW_S - 100, NOW_S);
    let question = format!(
        r#"{{"from":{from},"to":{to},"query":"srcport: 1","line":100,"offset":0,"reverse":false,
            "powerSql":false,"session":null,"forward":true}}"#
    );
    let v3 = json(&front, "POST", "/logstores/flows/logs", &question)
        .await
        .json();
    assert_eq!(v3["data"], found);
    assert_eq!(v3["meta"]["count"], 2);
}

#[tokio::test]
async fn an_answer_is_compressed_as_asked() {
    let front = filled().await;
    let question = format!(r#"{{"from":0,"to":{NOW_S}}}"#);
    for (accepted, kind) in [("lz4", Compression::Lz4), ("zstd", Compression::Zstd)] {
        let request = request("POST", "/logstores/flows/logs").header("accept-encoding", accepted);
        let request = request.body(Body::from(question.clone())).unwrap();
        let answer = send(&front, request).await;
        assert_eq!(answer.header("x-log-compresstype"), accepted);
        let raw_bytes = answer.header("x-log-bodyrawsize").parse().unwrap();
        let body = compress::undo(kind, &answer.body, raw_bytes).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["meta"]["count"], 7);
    }
}

/// Python writes `True` into targets, and `true` into JSON.
#[tokio::test]
async fn flags_are_understood_as_python_writes_them() {
    let front = filled().await;
    for (flag, first) in [("True", "1"), ("true", "1"), ("False", "0"), ("false", "0")] {
        let target = v1(&format!("&reverse={flag}&powerSql=False&accurate=True"));
        let found = get(&front, &target).await;
        assert_eq!(found.json()[0]["srcport"], first, "{flag}");
    }
}

#[tokio::test]
async fn a_topic_is_asked_for_beside_the_query() {
    let front = filled().await;
    let found = get(&front, &v1("&topic=firewall")).await;
    assert_eq!(found.header("x-log-count"), "2");
    assert_eq!(get(&front, &v1("&topic=")).await.header("x-log-count"), "7");
}

#[tokio::test]
async fn a_page_has_a_hundred_logs_at_most() {
    let front = open();
    put(&front, &group("netflow", 150)).await;
    let to = NOW_S + 100;
    let target = format!("/logstores/flows?type=log&from=0&to={to}&line=1000");
    let answer = get(&front, &target).await;
    assert_eq!(answer.header("x-log-count"), "100");
    let refused = get(&front, &v1("&line=-1")).await;
    assert_eq!(refused.refusal(), (400, "ParameterInvalid".to_owned()));
}

#[tokio::test]
async fn questions_without_a_sound_time_range_are_refused() {
    let front = open();
    for (target, code) in [
        ("/logstores/flows?type=log&to=5", "MissingParameter"),
        ("/logstores/flows?type=log&from=5", "MissingParameter"),
        ("/logstores/flows?type=log&from=6&to=5", "ParameterInvalid"),
        ("/logstores/flows?type=log&from=x&to=5", "ParameterInvalid"),
        ("/logstores/flows?type=log&from=-1&to=5", "ParameterInvalid"),
        (
            "/logstores/flows?type=log&from=1&to=5&fromNs=1000000000",
            "ParameterInvalid",
        ),
        ("/logstores/flows?type=histogram&from=1", "MissingParameter"),
    ] {
        assert_eq!(
            get(&front, target).await.refusal(),
            (400, code.to_owned()),
            "{target}"
        );
    }
    let refused = json(&front, "POST", "/logstores/flows/logs", "[]").await;
    assert_eq!(refused.refusal(), (400, "PostBodyInvalid".to_owned()));
}

/// The SDKs make a number of it, and fail.
#[tokio::test]
async fn a_column_may_not_be_a_text_named_time() {
    let front = filled().await;
    let refused = get(&front, &v1("&query=*+%7C+select+1+as+__time__")).await;
    assert_eq!(refused.refusal(), (400, "ParameterInvalid".to_owned()));
    let fine = get(&front, &v1("&query=*+%7C+select+count(1)+as+c")).await;
    assert_eq!(fine.json()[0]["c"], "7");
    assert_eq!(fine.header("x-log-has-sql"), "true");
}

#[tokio::test]
async fn a_histogram_adds_up() {
    let front = filled().await;
    let target = v1("").replace("type=log", "type=histogram");
    let answer = get(&front, &target).await;
    assert_eq!(answer.header("x-log-count"), "7");
    assert_eq!(answer.header("x-log-progress"), "Complete");
    let buckets = answer.json();
    let buckets = buckets.as_array().unwrap();
    let number = |index: usize, name: &str| buckets[index][name].as_u64().unwrap();
    let counts: u64 = (0..buckets.len()).map(|index| number(index, "count")).sum();
    assert_eq!(counts, 7);
    assert_eq!(number(0, "from"), u64::from(NOW_S - 100));
    assert_eq!(number(buckets.len() - 1, "to"), u64::from(NOW_S));
    for index in 1..buckets.len() {
        assert_eq!(number(index, "from"), number(index - 1, "to"));
    }
}

/// `alibabacloud-sls20201230` asks for one at the index.
#[tokio::test]
async fn a_histogram_is_the_same_at_both_its_paths() {
    let front = filled().await;
    let target = v1("").replace("type=log", "type=histogram");
    let answer = get(&front, &target).await;
    let at_index = get(&front, &target.replace("flows?", "flows/index?")).await;
    assert_eq!(at_index.header("x-log-count"), "7");
    assert_eq!(at_index.json(), answer.json());
}

#[tokio::test]
async fn topics_come_in_pages() {
    let front = filled().await;
    let first = get(&front, "/logstores/flows?type=topic&token=&line=1").await;
    assert_eq!(first.body, r#"["firewall"]"#);
    assert_eq!(first.header("x-log-count"), "1");
    let token = first.header("x-log-nexttoken");
    let target = format!("/logstores/flows?type=topic&line=1&token={token}");
    let last = get(&front, &target).await;
    assert_eq!(last.body, r#"["netflow"]"#);
    assert_eq!(last.header("x-log-nexttoken"), "");
}

async fn pull(front: &Front, rest: &str, accept: &str) -> Answer {
    let target = format!("/logstores/flows/shards/0?type=log{rest}");
    let request = request("GET", &target).header("accept", accept);
    send(front, request.body(Body::empty()).unwrap()).await
}

const PROTOBUF: &str = "application/x-protobuf";

/// Clients pull until the cursor they get is the one they stop at.
#[tokio::test]
async fn pulling_ends_at_the_end_cursor_and_at_the_tail() {
    let front = filled().await;
    let mut cursor = cursors::encode(0);
    let mut counts = Vec::new();
    while cursor != cursors::encode(5) {
        let end = cursors::encode(5);
        let rest = format!("&cursor={cursor}&end_cursor={end}&count=3");
        let answer = pull(&front, &rest, PROTOBUF).await;
        let list = LogGroupList::decode(answer.body.clone()).unwrap();
        counts.push(list.log_groups.len());
        assert_eq!(
            answer.header("x-log-count"),
            counts[counts.len() - 1].to_string()
        );
        cursor = answer.header("x-log-cursor").to_owned();
    }
    assert_eq!(counts, [3, 2]);
    let tail = cursors::encode(7);
    for rest in [
        format!("&cursor={tail}&count=3"),
        format!("&cursor={tail}&end_cursor={tail}"),
        format!("&cursor={tail}&end_cursor={}", cursors::encode(9)),
    ] {
        let answer = pull(&front, &rest, PROTOBUF).await;
        assert_eq!(answer.header("x-log-cursor"), tail);
        assert_eq!(answer.header("x-log-count"), "0");
        assert_eq!(answer.header("x-log-bodyrawsize"), "0");
        assert_eq!(answer.body.len(), 0);
    }
    let beyond = pull(&front, &format!("&cursor={}", cursors::encode(8)), PROTOBUF).await;
    assert_eq!(beyond.refusal(), (400, "InvalidCursor".to_owned()));
    let nonsense = pull(&front, "&cursor=x", PROTOBUF).await;
    assert_eq!(nonsense.refusal(), (400, "InvalidCursor".to_owned()));
}

/// `alibabacloud-sls20201230` reads nothing else.
#[tokio::test]
async fn logs_are_pulled_as_json_by_those_who_ask_for_it() {
    let front = filled().await;
    let cursor = cursors::encode(6);
    let answer = pull(&front, &format!("&cursor={cursor}"), "application/json").await;
    let time = NOW_S - 59;
    let expected = serde_json::json!({"logGroupList": [{
        "LogItems": [{"Contents": [{"Key": "srcport", "Value": "1"}], "Time": time}],
        "LogTags": [],
        "Source": "192.0.2.9",
        "Topic": "firewall",
    }]});
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.header("x-log-cursor"), cursors::encode(7));
}

#[tokio::test]
async fn cursors_are_found_by_time_and_times_by_cursor() {
    let front = filled().await;
    let shard = "/logstores/flows/shards/0?type=";
    for (from, cursor) in [
        ("begin".to_owned(), 0),
        ("end".to_owned(), 7),
        ("0".to_owned(), 0),
        (NOW_S.to_string(), 0),
        ((NOW_S + 1).to_string(), 7),
    ] {
        let answer = get(&front, &format!("{shard}cursor&from={from}")).await;
        assert_eq!(answer.json()["cursor"], cursors::encode(cursor), "{from}");
    }
    for cursor in [0, 6, 7] {
        let cursor = cursors::encode(cursor);
        let answer = get(&front, &format!("{shard}cursor_time&cursor={cursor}")).await;
        assert_eq!(answer.json()["cursor_time"], NOW_S);
    }
    let beyond = cursors::encode(8);
    let beyond = get(&front, &format!("{shard}cursor_time&cursor={beyond}")).await;
    assert_eq!(beyond.refusal(), (400, "InvalidCursor".to_owned()));
    let soon = get(&front, &format!("{shard}cursor&from=soon")).await;
    assert_eq!(soon.refusal(), (400, "ParameterInvalid".to_owned()));
}
