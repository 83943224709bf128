//! Logs in the order of their arrival, and cursors.

use super::*;

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
