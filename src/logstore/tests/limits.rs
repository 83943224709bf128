//! Questions that are answered exactly, and those that are not.

use std::time::Duration;

use super::super::query::QueryErrorKind;
use super::*;

fn store_with_rows(count: u64) -> (tempfile::TempDir, LogStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let octets: Vec<u64> = (0..count).collect();
    store
        .append_next("sag", "flows", &rows(HOUR, &octets), HOUR)
        .unwrap();
    store.flush().unwrap();
    (dir, store)
}

fn refusal(store: &LogStore, sql: &str) -> (QueryErrorKind, String) {
    let error = ask(store, sql).unwrap_err();
    (error.kind, error.message)
}

#[test]
fn values_are_written_as_what_they_are() {
    let (_dir, store) = store_with_rows(1);
    store
        .append_next("sag", "flows", &rows(HOUR + 1_234, &[u64::MAX]), HOUR)
        .unwrap();
    let sql = "SELECT seq, \"end\", __time__, __time_ns_part__, bytes, dstport, srcaddr, \"flow-log\", \
               bytes > 1 AS large, 0.5 AS half, __topic__ FROM flows ORDER BY seq DESC LIMIT 1";
    let answer = ask(&store, sql).unwrap();
    let row = vec![
        json!(1),
        json!("2026-11-21T04:00:01.234Z"),
        json!(1_795_233_601),
        json!(234_000_000),
        json!(u64::MAX),
        json!(443),
        json!("10.0.0.255"),
        Value::Null,
        json!(true),
        json!(0.5),
        Value::Null,
    ];
    assert_eq!(answer.rows, [row]);
    let kinds: Vec<_> = answer.columns.iter().map(|column| column.kind).collect();
    let expected = [
        "integer",
        "timestamp",
        "integer",
        "integer",
        "integer",
        "integer",
        "text",
        "text",
        "boolean",
        "number",
        "text",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(answer.columns[1].name, "end");
}

#[test]
fn log_time_is_clamped_around_arrival_and_the_truth_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let day = 24 * 3600 * 1000;
    for end in [HOUR - 8 * day, HOUR - 7 * day, HOUR + 900_000, HOUR + day] {
        store
            .append_next("sag", "flows", &rows(end, &[1]), HOUR)
            .unwrap();
    }
    let found = rows_of(&store, "SELECT __time__, \"end\" FROM flows ORDER BY seq");
    let seconds = i64::try_from(HOUR / 1000).unwrap();
    let expected = [
        [
            json!(seconds - 7 * 86_400),
            json!("2026-11-13T04:00:00.000Z"),
        ],
        [
            json!(seconds - 7 * 86_400),
            json!("2026-11-14T04:00:00.000Z"),
        ],
        [json!(seconds + 900), json!("2026-11-21T04:15:00.000Z")],
        [json!(seconds + 900), json!("2026-11-22T04:00:00.000Z")],
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_empty_store_has_the_table_and_no_rows() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    assert_eq!(
        rows_of(&store, "SELECT srcaddr FROM flows"),
        Vec::<Vec<Value>>::new()
    );
    assert_eq!(rows_of(&store, "SELECT count(*) FROM flows"), [[json!(0)]]);
}

#[test]
fn statistics_leave_out_what_cannot_match() {
    let (_dir, store) = store_with_rows(100);
    let later = HOUR + 3_600_000;
    store
        .append_next("sag", "flows", &rows(later, &[7; 50]), later)
        .unwrap();
    store.flush().unwrap();
    let scanned = |condition: &str| {
        let answer = ask(
            &store,
            &format!("SELECT max(srcaddr) FROM flows WHERE {condition}"),
        )
        .unwrap();
        answer.scanned_rows
    };
    assert_eq!(scanned("seq >= 100"), 50);
    assert_eq!(scanned(&format!("__time__ < {}", later / 1000)), 100);
    assert_eq!(
        scanned("bytes > 50"),
        100,
        "by the row group's own statistics"
    );
    assert_eq!(scanned("seq >= 150"), 0);
}

#[test]
fn counting_reads_no_row() {
    let (_dir, store) = store_with_rows(100);
    let answer = ask(&store, "SELECT count(*), max(seq) FROM flows").unwrap();
    assert_eq!(
        (answer.rows, answer.scanned_rows),
        (vec![vec![json!(100), json!(99)]], 0)
    );
}

#[test]
fn an_answer_stops_at_its_row_limit_and_says_so() {
    let (_dir, store) = store_with_rows(100);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut query = Query::new("SELECT seq FROM flows ORDER BY seq");
    query.limits.rows_max = 10;
    let answer = runtime.block_on(store.query(query.clone())).unwrap();
    assert_eq!((answer.rows.len(), answer.truncated), (10, true));
    query.limits.rows_max = 100;
    let answer = runtime.block_on(store.query(query)).unwrap();
    assert_eq!((answer.rows.len(), answer.truncated), (100, false));
}

#[test]
fn a_question_that_takes_too_long_is_ended() {
    let (_dir, store) = store_with_rows(2_000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut query = Query::new(
        "SELECT count(*) FROM flows a, flows b, flows c WHERE a.bytes + b.bytes > c.bytes",
    );
    query.limits.time_max = Duration::from_millis(50);
    let error = runtime.block_on(store.query(query)).unwrap_err();
    assert_eq!(error.kind, QueryErrorKind::Timeout);
    assert_eq!(
        error.message,
        "no answer within 0.05 s: ask for a shorter time or fewer columns"
    );
    assert_eq!(
        rows_of(&store, "SELECT 1"),
        [[json!(1)]],
        "and its turn is free again"
    );
}

#[test]
fn a_question_that_needs_too_much_memory_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path());
    settings.query.memory_max = 1 << 20;
    let store = LogStore::open(settings).unwrap();
    let octets: Vec<u64> = (0..100_000).collect();
    store
        .append_next("sag", "flows", &rows(HOUR, &octets), HOUR)
        .unwrap();
    let (kind, message) = refusal(
        &store,
        "SELECT bytes, count(*) FROM flows GROUP BY bytes ORDER BY 1",
    );
    assert_eq!(kind, QueryErrorKind::Memory);
    assert!(
        message.ends_with("group by fewer columns or ask for a shorter time"),
        "{message}"
    );
}

#[test]
fn only_one_select_or_explain_is_answered() {
    let (_dir, store) = store_with_rows(1);
    for sql in [
        "CREATE TABLE x AS SELECT 1",
        "CREATE VIEW x AS SELECT 1",
        "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/x.parquet'",
        "COPY flows TO '/tmp/x.parquet'",
        "EXPLAIN COPY flows TO '/tmp/x.parquet'",
        "CREATE UNBOUNDED EXTERNAL TABLE x STORED AS CSV LOCATION '/etc'",
        "CREATE FUNCTION x(INT) RETURNS INT RETURN 1",
        "DESCRIBE flows",
        "INSERT INTO flows SELECT * FROM flows",
        "DELETE FROM flows",
        "UPDATE flows SET bytes = 0",
        "DROP TABLE flows",
        "TRUNCATE TABLE flows",
        "SET datafusion.execution.target_partitions = 1",
        "RESET datafusion.execution.target_partitions",
        "BEGIN",
        "PREPARE x AS SELECT 1",
        "EXPLAIN DELETE FROM flows",
        "EXPLAIN ANALYZE INSERT INTO flows SELECT * FROM flows",
        "SELECT 1; SELECT 2",
        "WITH x AS (INSERT INTO flows SELECT * FROM flows RETURNING 1) SELECT * FROM x",
        "SELECT * INTO x FROM flows",
    ] {
        let (kind, message) = refusal(&store, sql);
        assert!(
            matches!(kind, QueryErrorKind::Unsupported | QueryErrorKind::Syntax),
            "{sql}: {kind:?} {message}"
        );
    }
    for sql in [
        "EXPLAIN SELECT * FROM flows",
        "EXPLAIN ANALYZE SELECT * FROM flows",
        "SELECT 1;",
        "VALUES (1)",
        "(SELECT 1)",
    ] {
        assert!(ask(&store, sql).is_ok(), "{sql}");
    }
    assert!(!std::path::Path::new("/tmp/x.parquet").exists());
}

#[test]
fn no_file_can_be_read_by_its_name() {
    let (_dir, store) = store_with_rows(1);
    let path = store.parts()[0].path.display().to_string();
    for sql in [
        format!("SELECT * FROM '{path}'"),
        format!("SELECT * FROM \"{path}\""),
        format!("SELECT * FROM 'file://{path}'"),
        format!("SELECT * FROM read_parquet('{path}')"),
        "SELECT * FROM read_csv('/etc/passwd')".to_owned(),
        "SELECT * FROM read_json('/etc/passwd')".to_owned(),
        "SELECT * FROM arrow_cast('/etc/passwd', 'Utf8')".to_owned(),
    ] {
        assert_eq!(refusal(&store, &sql).0, QueryErrorKind::Syntax, "{sql}");
    }
}

#[test]
fn expressions_may_nest_so_deep_and_no_deeper() {
    let (_dir, store) = store_with_rows(1);
    let nested = |depth: usize| format!("SELECT {}1{}", "abs(".repeat(depth), ")".repeat(depth));
    assert!(ask(&store, &nested(63)).is_ok());
    let expected = (
        QueryErrorKind::TooComplex,
        "too complex: expressions nest deeper than 64".to_owned(),
    );
    for sql in [
        nested(64),
        nested(900),
        format!("SELECT {}1", "NOT ".repeat(3_000)),
        format!("SELECT {}1", "- ".repeat(3_000)),
        format!("SELECT {}1{}", "(".repeat(1_500), ")".repeat(1_500)),
        format!("SELECT 1 {}", "IS NULL ".repeat(1_500)),
        format!(
            "SELECT * FROM flows WHERE {}1 = 1{}",
            "(bytes = 1 AND (bytes = 2 OR ".repeat(40),
            "))".repeat(40)
        ),
        format!(
            "{}SELECT 1{}",
            "SELECT * FROM (".repeat(700),
            ")".repeat(700)
        ),
    ] {
        assert_eq!(refusal(&store, &sql), expected, "{sql:.60}");
    }
}

#[test]
fn a_question_may_have_so_many_terms_and_no_more() {
    let (_dir, store) = store_with_rows(1);
    let list = |count: usize| {
        format!(
            "SELECT 1 FROM flows WHERE bytes IN ({})",
            vec!["1"; count].join(",")
        )
    };
    assert!(ask(&store, &list(998)).is_ok());
    let (kind, message) = refusal(&store, &list(999));
    assert_eq!(kind, QueryErrorKind::TooComplex);
    assert_eq!(message, "too complex: 1001 names and values, at most 1000");
    let chain = |count: usize| {
        format!(
            "SELECT 1 FROM flows WHERE {}",
            vec!["bytes = 1"; count].join(" OR ")
        )
    };
    assert!(ask(&store, &chain(499)).is_ok(), "a chain is not deep");
    assert_eq!(refusal(&store, &chain(500)).0, QueryErrorKind::TooComplex);
    let long = format!("SELECT '{}'", "x".repeat(70_000));
    assert_eq!(
        refusal(&store, &long).1,
        "too complex: 70009 octets of text, at most 65536"
    );
}

#[test]
fn more_questions_than_may_wait_are_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path());
    (settings.query.running_max, settings.query.waiting_max) = (1, 0);
    let store = LogStore::open(settings).unwrap();
    store
        .append_next("sag", "flows", &rows(HOUR, &[1; 2_000]), HOUR)
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let endless = "SELECT count(*) FROM flows a, flows b, flows c WHERE a.bytes + b.bytes > c.seq";
    let second = runtime.block_on(async {
        tokio::select! {
            biased;
            first = store.query(Query::new(endless)) => panic!("answered: {first:?}"),
            second = store.query(Query::new("SELECT 2")) => second,
        }
    });
    assert_eq!(second.unwrap_err().kind, QueryErrorKind::Busy);
    assert_eq!(rows_of(&store, "SELECT 3"), [[json!(3)]]);
}

#[test]
fn an_unknown_column_gets_advice() {
    let (_dir, store) = store_with_rows(1);
    let (kind, message) = refusal(&store, "SELECT tcp-flags FROM flows");
    assert_eq!(kind, QueryErrorKind::Syntax);
    assert!(
        message.contains("names with capitals or hyphens need double quotes"),
        "{message}"
    );
}

#[test]
fn sums_of_products_stay_exact() {
    let (_dir, store) = store_with_rows(1);
    let answer = ask(
        &store,
        "SELECT sum(9007199254740993 * (bytes + 1)) AS odd, max(bytes) - 1 AS less, max(bytes) * -8 AS none FROM flows",
    )
    .unwrap();
    assert_eq!(
        answer.rows,
        [[json!(9_007_199_254_740_993_u64), json!(-1), json!(0)]]
    );
    assert!(answer.columns.iter().all(|column| column.kind == "integer"));
}

#[test]
fn what_cannot_be_calculated_is_the_fault_of_who_asked() {
    let (_dir, store) = store_with_rows(1);
    for (sql, expected) in [
        ("SELECT 1 / 0", "Arrow error: Divide by zero error"),
        (
            "SELECT CAST('x' AS INT)",
            "Arrow error: Cast error: Cannot cast string 'x' to value of Int32 type",
        ),
        (
            "SELECT element(bytes, 'x') FROM flows",
            "Error during planning: element takes a map such as the column rest, and a name",
        ),
        (
            "SELECT element(rest, srcaddr) FROM flows",
            "Error during planning: the name of an element must be a text such as 'interfaceName'",
        ),
    ] {
        assert_eq!(
            refusal(&store, sql),
            (QueryErrorKind::Syntax, expected.to_owned())
        );
    }
}

/// Each of these is a thousand octets of question, or a few, and would be
/// gigabytes of text.
#[test]
fn no_question_makes_texts_without_bound() {
    let (_dir, store) = store_with_rows(1);
    let chain = |start: &str, step: &str| {
        let mut sql = format!("WITH t0 AS (SELECT {start} AS a FROM flows)");
        for level in 1..=36 {
            sql += &format!(", t{level} AS (SELECT {step} AS a FROM t{})", level - 1);
        }
        sql + " SELECT length(a) FROM t36"
    };
    let expected = (
        QueryErrorKind::TooComplex,
        "too complex: it makes texts of more than 16384 octets".to_owned(),
    );
    for sql in [
        chain("srcaddr", "a || a"),
        chain("'xxxxxxxx'", "a || a"),
        chain("srcaddr", "concat(a, a)"),
        chain("srcaddr", "concat_ws(a, a, a)"),
        chain("srcaddr", "CASE WHEN true THEN a || a END"),
        chain("srcaddr", "replace(a, '1', '11')"),
        chain("srcaddr", "regexp_replace(a, '.', '\\0\\0', 'g')"),
        chain("srcaddr", "(SELECT concat(a, a))"),
        format!(
            "SELECT replace('{0}', 'x', '{0}') FROM flows",
            "x".repeat(20_000)
        ),
        "SELECT string_agg(srcaddr, ',') OVER (ORDER BY seq) FROM flows".to_owned(),
    ] {
        assert_eq!(refusal(&store, &sql), expected, "{sql:.120}");
    }
    let recursive = "WITH RECURSIVE t AS (SELECT 'x' AS a UNION ALL SELECT a || a FROM t) \
                     SELECT length(a) FROM t";
    assert_eq!(refusal(&store, recursive).0, QueryErrorKind::Unsupported);
    for sql in [
        "SELECT srcaddr || ':' || dstport FROM flows",
        "SELECT concat_ws(' ', srcaddr, dstaddr, replace(srcaddr, '.', '-')) FROM flows",
        "SELECT a || ' ' || b FROM (SELECT srcaddr || '/32' AS a, \"flow-log\" AS b FROM flows)",
        "SELECT '[' || string_agg(DISTINCT srcaddr, ',') || ']' FROM flows",
    ] {
        let answer = ask(&store, sql);
        assert!(answer.is_ok(), "{sql}: {answer:?}");
    }
}

/// `levels` names, each of which reads the one before as `step` says.
fn chain_of_names(levels: usize, step: &str) -> String {
    let mut sql = "WITH a0 AS (SELECT 1 AS x)".to_owned();
    for level in 1..=levels {
        let step = step.replace("BEFORE", &format!("a{}", level - 1));
        sql += &format!(", a{level} AS ({step})");
    }
    format!("{sql} SELECT x FROM a{levels}")
}

/// Thirty-six names, and 2^36 tables: told from the text, for the planner would
/// never come back.
#[test]
fn no_question_repeats_itself_without_bound() {
    let (_dir, store) = store_with_rows(1);
    let tables = "too complex: it reads more than 64 tables, with everything that WITH repeats";
    let steps = [
        "SELECT l.x FROM BEFORE l, BEFORE r",
        "SELECT l.x FROM BEFORE l JOIN BEFORE r ON l.x = r.x",
        "SELECT x FROM BEFORE UNION ALL SELECT x FROM BEFORE",
        "SELECT x FROM BEFORE WHERE x IN (SELECT x FROM BEFORE)",
        "SELECT (SELECT max(x) FROM BEFORE) AS x FROM BEFORE",
        "SELECT x FROM (SELECT x FROM BEFORE) l, LATERAL (SELECT x AS y FROM BEFORE) r",
        "WITH b AS (SELECT x FROM BEFORE) SELECT l.x FROM b l, b r",
        "SELECT x FROM BEFORE ORDER BY (SELECT x FROM BEFORE)",
        "SELECT l.x FROM \"BEFORE\" l, flowlogd.public.BEFORE r, BEFORE b",
    ];
    for step in steps {
        let sql = chain_of_names(36, step);
        let asked = std::time::Instant::now();
        let refusal = refusal(&store, &sql);
        assert_eq!(
            refusal,
            (QueryErrorKind::TooComplex, tables.to_owned()),
            "{step}"
        );
        assert!(asked.elapsed() < Duration::from_millis(500), "{step}");
    }
    let twice = "WITH a AS (SELECT bytes FROM flows) SELECT l.bytes FROM a l, a r";
    assert_eq!(rows_of(&store, twice), [[json!(0)]]);
    let most = chain_of_names(6, "SELECT l.x FROM BEFORE l, BEFORE r");
    assert_eq!(rows_of(&store, &most), [[json!(1)]]);
    let long = chain_of_names(60, "SELECT x + 1 AS x FROM BEFORE");
    assert_eq!(rows_of(&store, &long), [[json!(61)]]);
}

/// Each name stands once in the next, but the text between grows.
#[test]
fn a_plan_may_have_so_many_steps_and_no_more() {
    let (_dir, store) = store_with_rows(1);
    let step = "SELECT x FROM (SELECT x + 1 AS x FROM BEFORE WHERE x > 0 ORDER BY x LIMIT 5)";
    let (kind, message) = refusal(&store, &chain_of_names(250, step));
    assert_eq!(kind, QueryErrorKind::TooComplex, "{message}");
}

#[test]
fn a_question_may_group_in_so_many_ways_and_no_more() {
    let (_dir, store) = store_with_rows(1);
    let expected = (
        QueryErrorKind::TooComplex,
        "too complex: it groups in more than 64 ways at once".to_owned(),
    );
    let columns = |count: usize| {
        let column = |index: usize| format!("bytes + {index}");
        (0..count).map(column).collect::<Vec<_>>().join(", ")
    };
    let grouped = |by: &str| format!("SELECT count(*) FROM flows GROUP BY {by}");
    for by in [
        format!("CUBE({})", columns(30)),
        format!("CUBE({})", columns(7)),
        format!("ROLLUP({})", columns(64)),
        format!("ROLLUP({0}), ROLLUP({0})", columns(8)),
    ] {
        assert_eq!(refusal(&store, &grouped(&by)), expected, "{by:.60}");
        let within = format!("SELECT 1 WHERE EXISTS ({})", grouped(&by));
        assert_eq!(refusal(&store, &within), expected, "{by:.60}");
    }
    let answer = ask(&store, &grouped("CUBE(bytes, seq, dstport)")).unwrap();
    assert_eq!(answer.rows.len(), 8);
}
