//! Logs found, rows computed, logs counted.

use super::*;

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
