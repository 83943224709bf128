//! The front over the embedded log store: what was put is found, counted and
//! pulled, and all of it is there after a restart.

use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use arrow_array::ArrayRef;
use arrow_array::Float64Array;
use arrow_array::RecordBatch;
use arrow_array::TimestampMillisecondArray;
use arrow_array::UInt32Array;
use arrow_array::UInt64Array;
use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};

use super::{Answer, NOW_S, get, group, json as send_json, put, request, send, settings};
use crate::api::auth::Keys;
use crate::api::sls::{
    Backend, Content, Failure, Front, Incoming, Inlet, Log, LogGroup, LogGroupList, LogTag, Place,
    PullRange, Reply, Stored, cursors,
};
use crate::logstore;
use crate::logstore::Limits;
use crate::logstore::LogStore;
use crate::logstore::Logs;
use crate::logstore::LogstoreOptions;

/// The log store at `dir`, with the project and logstore that requests name.
pub(super) fn open_store(dir: &Path) -> Arc<LogStore> {
    let store = LogStore::open(logstore::Settings::new(dir)).unwrap();
    if store.logstore("flow-proj", "flows").is_err() {
        let options = LogstoreOptions {
            ttl_days: 30,
            settings: json!({}),
        };
        store.set_project("flow-proj", "", 0).unwrap();
        store
            .set_logstore("flow-proj", "flows", options, 0)
            .unwrap();
    }
    Arc::new(store)
}

/// A backend that takes logs without a journal, with gaps between the groups.
pub(super) fn over(store: Arc<LogStore>) -> Stored {
    let inlet = Straight {
        next: Mutex::new(store.next_seq() + 3),
        store: Arc::clone(&store),
    };
    Stored::new(store, Arc::new(inlet), Limits::default())
}

struct Straight {
    store: Arc<LogStore>,
    next: Mutex<u64>,
}

impl Inlet for Straight {
    fn put<'a>(&'a self, at: Place<'a>, incoming: Incoming) -> Reply<'a, ()> {
        let group = incoming.group;
        let log = |log: Log| logstore::Log {
            time_s: i64::from(log.time),
            time_ns: log.time_ns,
            fields: (log.contents.into_iter())
                .map(|content| (content.key, content.value.to_vec()))
                .collect(),
        };
        let tags = group.log_tags.into_iter();
        let logs = Logs {
            topic: group.topic.unwrap_or_default(),
            source: group.source.unwrap_or_default(),
            tags: tags.map(|tag| (tag.key, tag.value)).collect(),
            logs: group.logs.into_iter().map(log).collect(),
        };
        let mut next = self.next.lock().unwrap();
        let first_seq = *next;
        *next += logs.logs.len() as u64 + 5;
        let arrival_ms = u64::try_from(incoming.received_s).unwrap() * 1_000;
        let (project, name) = (at.project, at.logstore);
        let taken = self
            .store
            .append_logs(project, name, &logs, first_seq, arrival_ms);
        let taken = taken.map(drop);
        Box::pin(ready(
            taken.map_err(|why| Failure::internal(why.to_string())),
        ))
    }
}

fn front(store: &Arc<LogStore>) -> Front {
    Front::new(Arc::new(over(Arc::clone(store))), settings(Keys::open()))
}

async fn ask(front: &Front, query: &str) -> Answer {
    ask_beside(front, query, "").await
}

async fn ask_beside(front: &Front, query: &str, beside: &str) -> Answer {
    let (from, to) = (NOW_S - 100, NOW_S + 100);
    let query = Value::from(query);
    let body = format!(r#"{{"from":{from},"to":{to},"query":{query}{beside}}}"#);
    send_json(front, "POST", "/logstores/flows/logs", &body).await
}

/// One log with these fields, a second before now.
fn one(fields: &[(&str, &'static [u8])]) -> LogGroup {
    let content = |(key, value): &(&str, &'static [u8])| Content {
        key: (*key).to_owned(),
        value: Bytes::from_static(value),
    };
    LogGroup {
        logs: vec![Log {
            time: NOW_S - 1,
            contents: fields.iter().map(content).collect(),
            time_ns: None,
        }],
        ..LogGroup::default()
    }
}

#[tokio::test]
async fn a_log_is_shown_as_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path());
    let front = front(&store);
    let mut group = one(&[
        ("bytes", b"7"),
        ("packets", b"007"),
        ("note", "你好".as_bytes()),
        ("raw", b"\xff\x00"),
        ("sampling", b"100"),
    ]);
    group.topic = Some("netflow".to_owned());
    group.source = Some("192.0.2.9".to_owned());
    group.logs[0].time_ns = Some(12);
    group.log_tags = vec![LogTag {
        key: "exporter".to_owned(),
        value: "r1".to_owned(),
    }];
    put(&front, &group).await;
    let mut expected = json!({
        "__time__": (NOW_S - 1).to_string(),
        "__time_ns_part__": "12",
        "__topic__": "netflow",
        "__source__": "192.0.2.9",
        "__tag__:exporter": "r1",
        "bytes": "7",
        "packets": "007",
        "note": "你好",
        "raw": "0xff00",
        "sampling": "100",
    });
    for _ in ["in the tail", "in a part"] {
        let answer = ask(&front, "bytes = 7").await.json();
        assert_eq!(answer["data"], json!([expected]));
        let meta = &answer["meta"];
        assert_eq!(
            (&meta["count"], &meta["hasSQL"]),
            (&json!(1), &json!(false))
        );
        assert_eq!(
            (&meta["whereQuery"], &meta["keys"]),
            (&json!("bytes = 7"), &json!([]))
        );
        store.flush().unwrap();
    }
    let meta = r#"{"logstoreName":"flows","appendMeta":true}"#;
    let set = send_json(&front, "PUT", "/logstores/flows", meta).await;
    assert_eq!(set.status, 200, "{set:?}");
    expected["__tag__:__receive_time__"] = NOW_S.to_string().into();
    assert_eq!(ask(&front, "").await.json()["data"], json!([expected]));
    put(&front, &one(&[])).await;
    let bare = json!([{"__time__": (NOW_S - 1).to_string(), "__topic__": "", "__source__": "",
        "__tag__:__receive_time__": NOW_S.to_string()}]);
    assert_eq!(ask(&front, "not bytes: 7").await.json()["data"], bare);
}

/// What was put is pulled octet for octet.
#[tokio::test]
async fn a_log_is_pulled_as_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path());
    let front = front(&store);
    let mut group = one(&[("bytes", b"7"), ("note", b"x"), ("raw", b"\xff\x00")]);
    put(&front, &group).await;
    group.topic = Some("t".to_owned());
    group.log_tags = vec![LogTag {
        key: "k".to_owned(),
        value: "v".to_owned(),
    }];
    put(&front, &group).await;
    put(&front, &group).await;
    for _ in ["in the tail", "in a part"] {
        let range = PullRange {
            shard: 0,
            from: 0,
            until: store.next_seq(),
            groups_max: 10,
        };
        let pulled = front.backend.pull(PLACE, range).await.unwrap();
        let mut both = group.clone();
        both.logs.extend(group.logs.clone());
        let first = LogGroup {
            topic: None,
            log_tags: Vec::new(),
            ..group.clone()
        };
        assert_eq!(pulled.groups, [first, both]);
        assert_eq!(pulled.next, store.next_seq());
        store.flush().unwrap();
    }
}

const PLACE: Place<'_> = Place {
    project: "flow-proj",
    logstore: "flows",
};

#[tokio::test]
async fn sql_is_computed_over_what_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path());
    let front = front(&store);
    put(&front, &group("netflow", 5)).await;
    put(&front, &group("firewall", 2)).await;
    let sql = "srcport > 0 | SELECT __topic__ AS t, count(*) AS n, avg(srcport) AS a, max(bytes) AS b \
               GROUP BY t ORDER BY t LIMIT 7";
    let answer = ask(&front, sql).await.json();
    let expected = json!([
        {"t": "firewall", "n": "1", "a": "1.0", "b": "null"},
        {"t": "netflow", "n": "4", "a": "2.5", "b": "null"},
    ]);
    assert_eq!(answer["data"], expected);
    let meta = &answer["meta"];
    assert_eq!(meta["keys"], json!(["t", "n", "a", "b"]));
    assert_eq!(
        meta["columnTypes"],
        json!(["varchar", "bigint", "double", "bigint"])
    );
    assert_eq!(
        (&meta["hasSQL"], &meta["limited"]),
        (&json!(true), &json!(7))
    );
    assert_eq!(meta["whereQuery"], "srcport > 0");
    assert!(meta["aggQuery"].as_str().unwrap().starts_with("SELECT"));
    let of_topic = ask_beside(&front, "* | SELECT count(*) AS n", r#","topic":"firewall""#).await;
    assert_eq!(of_topic.json()["data"], json!([{"n": "2"}]));
}

/// Clients repeat 5xx, some for ever.
#[tokio::test]
async fn what_a_question_gets_wrong_is_its_own_fault() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path());
    let front = front(&store);
    put(&front, &group("netflow", 5)).await;
    for query in [
        "(",
        "nosuch: 1",
        "* | SELECT",
        "* | SELECT nosuch",
        "* | SELECT nosuch(srcport)",
        "* | SELECT srcport / 0",
        "* | SELECT count(*) LIMIT 1000001",
        "* | SELECT 'x' AS __time__",
    ] {
        let refused = ask(&front, query).await;
        assert_eq!(
            refused.refusal(),
            (400, "ParameterInvalid".to_owned()),
            "{query}"
        );
    }
    let hasty = Limits {
        rows_max: 2,
        time_max: std::time::Duration::ZERO,
    };
    let inlet = Straight {
        store: Arc::clone(&store),
        next: Mutex::new(0),
    };
    let stored = Stored::new(Arc::clone(&store), Arc::new(inlet), hasty);
    let front = Front::new(Arc::new(stored), settings(Keys::open()));
    let refused = ask(&front, "").await;
    assert_eq!(refused.refusal(), (400, "ParameterInvalid".to_owned()));
}

#[tokio::test]
async fn times_are_counted_to_the_nanosecond() {
    let dir = tempfile::tempdir().unwrap();
    let front = front(&open_store(dir.path()));
    let mut logs = one(&[]);
    for ns in [0, 5, 999_999_999] {
        logs.logs[0].time_ns = Some(ns);
        put(&front, &logs).await;
    }
    for (from, from_ns, to, to_ns, count) in [
        (1, 0, 0, 0, 3),
        (1, 5, 0, 0, 2),
        (1, 6, 0, 0, 1),
        (1, 0, 1, 5, 1),
        (1, 0, 1, 6, 2),
        (1, 5, 1, 999_999_999, 1),
        (2, 5, 0, 1, 3),
    ] {
        let (from, to) = (NOW_S - from, NOW_S - to);
        let range = format!("from={from}&fromNs={from_ns}&to={to}&toNs={to_ns}");
        let found = get(&front, &format!("/logstores/flows?type=log&{range}")).await;
        assert_eq!(found.header("x-log-count"), count.to_string(), "{range}");
        let counted = get(&front, &format!("/logstores/flows?type=histogram&{range}")).await;
        let counted = counted.header("x-log-count");
        // A range within one second has no step.
        let expected = if from == to { 0 } else { count };
        assert_eq!(counted, expected.to_string(), "{range}");
    }
}

#[tokio::test]
async fn histograms_count_what_is_found_in_each_step() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path());
    let front = front(&store);
    put(&front, &group("netflow", 30)).await;
    store.flush().unwrap();
    put(&front, &group("firewall", 5)).await;
    let (from, to) = (NOW_S - 57, NOW_S - 40);
    for (rest, counts) in [
        ("", "[2,2,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"),
        ("&topic=firewall", "[1,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]"),
        ("&query=srcport%3E10", "[0,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1]"),
        (
            "&query=%2A+%7C+SELECT+1",
            "[2,2,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
        ),
    ] {
        let target = format!("/logstores/flows?type=histogram&from={from}&to={to}{rest}");
        let answer = get(&front, &target).await.json();
        let steps = answer.as_array().unwrap().iter();
        let found: Value = steps.map(|step| step["count"].clone()).collect();
        assert_eq!(found.to_string(), counts, "{rest}");
    }
    let topics = get(&front, "/logstores/flows?type=topic&line=1").await;
    assert_eq!(topics.body, r#"["firewall"]"#);
    let token = topics.header("x-log-nexttoken");
    let topics = get(
        &front,
        &format!("/logstores/flows?type=topic&token={token}"),
    )
    .await;
    assert_eq!(topics.body, r#"["netflow"]"#);
}

/// A logstore that came with its rows is there for clients too.
#[tokio::test]
async fn flows_are_found_and_pulled_without_anybody_making_a_logstore() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(LogStore::open(logstore::Settings::new(dir.path())).unwrap());
    let end_ms = i64::from(NOW_S) * 1_000 - 500;
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "end",
            Arc::new(TimestampMillisecondArray::from(vec![end_ms; 2]).with_timezone("UTC")),
        ),
        ("bytes", Arc::new(UInt64Array::from(vec![Some(9), None]))),
        ("sampling", Arc::new(Float64Array::from(vec![100.0, 0.5]))),
        ("records", Arc::new(UInt32Array::from(vec![1, 1]))),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let arrival_ms = u64::from(NOW_S) * 1_000;
    store
        .append_rows("flow-proj", "flows", &rows, 40, arrival_ms)
        .unwrap();
    let front = front(&store);
    let index = get(&front, "/logstores/flows/index").await.json();
    assert_eq!(index["keys"]["bytes"]["type"], "long");
    let shown = get(&front, "/logstores/flows").await.json();
    assert_eq!(
        (&shown["ttl"], &shown["shardCount"]),
        (&json!(30), &json!(1))
    );
    let found = ask(&front, "bytes > 1").await.json();
    let expected = json!([{
        "__time__": (NOW_S - 1).to_string(),
        "__time_ns_part__": "500000000",
        "__topic__": "",
        "__source__": "",
        "end": NOW_S.to_string(),
        "bytes": "9",
        "sampling": "100",
        "records": "1",
    }]);
    assert_eq!(found["data"], expected);
    let cursor = cursors::encode(41);
    let target = format!("/logstores/flows/shards/0?type=log&cursor={cursor}");
    let pulled = send(
        &front,
        request("GET", &target).body(Vec::new().into()).unwrap(),
    )
    .await;
    let list = LogGroupList::decode(pulled.body).unwrap();
    let content = |key: &str, value: &str| Content {
        key: key.to_owned(),
        value: Bytes::from(value.to_owned()),
    };
    let log = Log {
        time: NOW_S - 1,
        contents: vec![
            content("end", &NOW_S.to_string()),
            content("sampling", "0.5"),
            content("records", "1"),
        ],
        time_ns: Some(500_000_000),
    };
    let expected = LogGroup {
        logs: vec![log],
        ..LogGroup::default()
    };
    assert_eq!(list.log_groups, [expected]);
    assert_eq!(
        pulled.headers["x-log-cursor"].to_str().unwrap(),
        cursors::encode(42)
    );
}

#[tokio::test]
async fn cursors_are_found_by_time_and_times_by_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path());
    let front = front(&store);
    put(&front, &group("netflow", 5)).await;
    let numbers = store.numbers("flow-proj", "flows").unwrap();
    let shard = "/logstores/flows/shards/0?type=";
    for (from, cursor) in [
        ("begin".to_owned(), numbers.start),
        ("end".to_owned(), numbers.end),
        (NOW_S.to_string(), numbers.start),
        ((NOW_S + 1).to_string(), numbers.end),
    ] {
        let answer = get(&front, &format!("{shard}cursor&from={from}")).await;
        assert_eq!(answer.json()["cursor"], cursors::encode(cursor), "{from}");
    }
    let last = cursors::encode(numbers.end - 1);
    let answer = get(&front, &format!("{shard}cursor_time&cursor={last}")).await;
    assert_eq!(answer.json()["cursor_time"], NOW_S);
    let beyond = cursors::encode(numbers.end + 1);
    let answer = get(&front, &format!("{shard}cursor_time&cursor={beyond}")).await;
    assert_eq!(answer.refusal(), (400, "InvalidCursor".to_owned()));
}

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// With gaps between the numbers, written out now and then, in pieces of
    /// any size, each by a new range.
    #[test]
    fn pulling_gives_every_log_once_and_in_order(
        puts in prop::collection::vec((0_u32..3, 1_u32..1_500, any::<bool>()), 1..6),
        pieces in prop::collection::vec((1_usize..4, 1_u64..5_000), 1..20),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = open_store(dir.path());
        let stored = over(Arc::clone(&store));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (mut expected, mut number) = (Vec::new(), 0_u32);
        for (topic, count, is_flushed) in puts {
            let mut incoming = group(&topic.to_string(), count);
            for log in &mut incoming.logs {
                number += 1;
                log.contents[0].value = Bytes::from(number.to_string());
                expected.push((topic.to_string(), log.contents[0].value.clone()));
            }
            let incoming = Incoming { group: incoming, body: Bytes::new(), received_s: i64::from(NOW_S) };
            runtime.block_on(stored.put(PLACE, incoming)).unwrap();
            if is_flushed {
                store.flush().unwrap();
            }
        }
        let numbers = store.numbers("flow-proj", "flows").unwrap();
        let (mut from, mut found) = (numbers.start, Vec::new());
        for (groups_max, length) in pieces.into_iter().cycle() {
            let until = (from + length).min(numbers.end);
            let range = PullRange { shard: 0, from, until, groups_max };
            let pulled = runtime.block_on(stored.pull(PLACE, range)).unwrap();
            prop_assert!(from < pulled.next && pulled.next <= until);
            prop_assert!(pulled.groups.len() <= groups_max);
            for group in pulled.groups {
                prop_assert!(!group.logs.is_empty() && group.logs.len() <= 1_000);
                let topic = group.topic.unwrap();
                let logs = group.logs.into_iter();
                found.extend(logs.map(|log| (topic.clone(), log.contents[0].value.clone())));
            }
            from = pulled.next;
            if from == numbers.end {
                break;
            }
        }
        prop_assert_eq!(found, expected);
    }
}
