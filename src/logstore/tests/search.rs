//! What SLS's language answers, over eight logs.

use std::collections::BTreeMap;

use arrow_array::UInt8Array;
use arrow_array::builder::BinaryBuilder;
use arrow_array::builder::MapBuilder;
use arrow_array::builder::StringBuilder;

use super::super::query::QueryErrorKind;
use super::super::search;
use super::super::search::FieldIndex;
use super::super::search::FieldKind;
use super::super::search::IndexConfig;
use super::super::search::Page;
use super::super::search::Words;
use super::*;

/// The first log's second.
pub(super) const FIRST: i64 = 1_795_233_600;
/// Seconds after it at which the logs end.
const ENDS: [i64; 8] = [0, 10, 60, 70, 120, 130, 300, 310];

/// | # | source        | destination   | port | protocol | octets | event        | interface       |
/// |---|---------------|---------------|------|----------|--------|--------------|-----------------|
/// | 0 | 10.0.0.1      | 192.168.1.10  | 443  | 6        | 1000   |              | eth0 Uplink/WAN |
/// | 1 | 10.0.0.2      | 192.168.1.10  | 443  | 6        | 2000   |              |                 |
/// | 2 | 10.0.0.1      | 8.8.8.8       | 53   | 17       | 100    |              |                 |
/// | 3 | 10.1.0.3      | 8.8.8.8       | 53   | 17       | 300    | Flow Denied  | eth1 uplink     |
/// | 4 | 2001:db8::1   | 2001:db8::2   | 443  | 6        | 5000   | Flow Created |                 |
/// | 5 | fd00::1       | 2001:db8::2   | 22   | 6        | 700    |              |                 |
/// | 6 | 10.0.0.2      | 192.168.1.11  | 2048 | 1        | 64     |              |                 |
/// | 7 | 10.0.0.1      | 192.168.1.10  | 8443 | 6        | 0      |              |                 |
#[expect(clippy::too_many_lines, reason = "a table")]
fn logs() -> RecordBatch {
    let times = |before: i64| {
        let ms = ENDS.map(|end| (FIRST + end - before) * 1000);
        Arc::new(TimestampMillisecondArray::from(ms.to_vec()).with_timezone("UTC")) as ArrayRef
    };
    let texts = |texts: [&str; 8]| {
        let texts = texts.map(|text| (!text.is_empty()).then_some(text));
        Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>()) as ArrayRef
    };
    let ports = |ports: [Option<u16>; 8]| Arc::new(UInt16Array::from(ports.to_vec())) as ArrayRef;
    let counts = |counts: [u64; 8]| Arc::new(UInt64Array::from(counts.to_vec())) as ArrayRef;
    let mut rest = MapBuilder::new(None, StringBuilder::new(), BinaryBuilder::new());
    for row in 0..8 {
        let name = match row {
            0 => Some("eth0 Uplink/WAN"),
            3 => Some("eth1 uplink"),
            _ => None,
        };
        if let Some(name) = name {
            rest.keys().append_value("interfaceName");
            rest.values().append_value(name);
        }
        rest.append(true).unwrap();
    }
    let flags = [
        Some(18),
        Some(27),
        None,
        None,
        Some(2),
        Some(24),
        None,
        Some(16),
    ];
    let sources = [0, 1, 2, 3, 4, 5, 7].map(|port| Some(40_000 + port));
    let [a, b, c, d, e, f, g] = sources;
    RecordBatch::try_from_iter([
        ("start", times(5)),
        ("end", times(0)),
        (
            "srcaddr",
            texts([
                "10.0.0.1",
                "10.0.0.2",
                "10.0.0.1",
                "10.1.0.3",
                "2001:db8::1",
                "fd00::1",
                "10.0.0.2",
                "10.0.0.1",
            ]),
        ),
        (
            "dstaddr",
            texts([
                "192.168.1.10",
                "192.168.1.10",
                "8.8.8.8",
                "8.8.8.8",
                "2001:db8::2",
                "2001:db8::2",
                "192.168.1.11",
                "192.168.1.10",
            ]),
        ),
        ("srcport", ports([a, b, c, d, e, f, None, g])),
        (
            "dstport",
            ports([443, 443, 53, 53, 443, 22, 2048, 8443].map(Some)),
        ),
        (
            "protocol",
            Arc::new(UInt8Array::from(vec![6, 6, 17, 17, 6, 6, 1, 6])) as ArrayRef,
        ),
        ("bytes", counts([1000, 2000, 100, 300, 5000, 700, 64, 0])),
        ("packets", counts([10, 20, 1, 3, 50, 7, 1, 1])),
        ("tcp-flags", ports(flags)),
        (
            "event",
            texts(["", "", "", "Flow Denied", "Flow Created", "", "", ""]),
        ),
        ("rest", Arc::new(rest.finish()) as ArrayRef),
    ])
    .unwrap()
}

pub(super) fn store() -> (tempfile::TempDir, LogStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let logs = logs();
    // Half of them in a part, half in the tail.
    store
        .append_next("sag", "flows", &logs.slice(0, 4), HOUR)
        .unwrap();
    store.flush().unwrap();
    store
        .append_next("sag", "flows", &logs.slice(4, 4), HOUR)
        .unwrap();
    store.append_next("sag", "others", &logs, HOUR).unwrap();
    (dir, store)
}

fn index() -> IndexConfig {
    let mut index = IndexConfig::of_flows();
    for name in ["event", "interfaceName", "note"] {
        let field = FieldIndex::new(FieldKind::Text(Words::usual()));
        index.keys.insert(name.to_owned(), field);
    }
    index
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

pub(super) fn answer(store: &LogStore, text: &str, page: Page) -> Result<Answer, String> {
    let plan =
        search::plan(text, &index(), FIRST, FIRST + 360).map_err(|error| error.to_string())?;
    let answer = store.search("sag", "flows", plan, page, Limits::default());
    runtime()
        .block_on(answer)
        .map_err(|error| format!("{:?}: {error}", error.kind))
}

/// Which of the logs a search finds.
fn found(store: &LogStore, text: &str, page: Page) -> Vec<usize> {
    let answer = answer(store, text, page).unwrap_or_else(|error| panic!("{text}: {error}"));
    let time = answer
        .columns
        .iter()
        .position(|column| column.name == "__time__")
        .unwrap();
    let places: BTreeMap<i64, usize> = ENDS.into_iter().zip(0..).collect();
    let place = |row: &Vec<Value>| places[&(row[time].as_i64().unwrap() - FIRST)];
    answer.rows.iter().map(place).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn searches_find_what_they_say() {
    let (_dir, store) = store();
    let all: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7];
    let cases: &[(&str, &[usize])] = &[
        ("", all),
        ("*", all),
        ("not *", &[]),
        // Whole values.
        ("srcaddr:10.0.0.1", &[0, 2, 7]),
        ("srcaddr:\"10.0.0.1\"", &[0, 2, 7]),
        ("srcaddr:#\"10.0.0.1\"", &[0, 2, 7]),
        ("srcaddr:10.0.0", &[]),
        ("srcaddr:10.0.0.*", &[0, 1, 2, 6, 7]),
        ("srcaddr:10.*.0.3", &[3]),
        ("srcaddr:10.0.0.?", &[0, 1, 2, 6, 7]),
        ("srcaddr:10.?.0.?", &[0, 1, 2, 3, 6, 7]),
        ("srcaddr:\"10.0.0.*\"", &[]),
        ("srcaddr:\"2001:db8::1\"", &[4]),
        ("srcaddr:\"2001:DB8::1\"", &[4]),
        ("srcaddr:2001*", &[4]),
        ("dstaddr:\"2001:db8::2\"", &[4, 5]),
        ("srcaddr:*", all),
        ("not srcaddr:*", &[]),
        ("srcaddr:\"\"", &[]),
        // How conditions join.
        ("not srcaddr:10.0.0.1", &[1, 3, 4, 5, 6]),
        ("srcaddr:10.0.0.1 and dstport:443", &[0]),
        ("srcaddr:10.0.0.1 AND dstport:443", &[0]),
        ("srcaddr:10.0.0.1 dstport:443", &[0]),
        ("srcaddr:10.0.0.1 or dstport:443", &[0, 1, 2, 4, 7]),
        (
            "srcaddr:10.0.0.1 or dstport:443 and bytes>1000",
            &[0, 1, 2, 4, 7],
        ),
        (
            "dstport:443 and bytes>1000 or srcaddr:10.0.0.1",
            &[0, 1, 2, 4, 7],
        ),
        ("(srcaddr:10.0.0.1 or dstport:443) and bytes>1000", &[1, 4]),
        ("not dstport:443", &[2, 3, 5, 6, 7]),
        ("NOT dstport:443", &[2, 3, 5, 6, 7]),
        ("dstport:443 not srcaddr:10.0.0.1", &[1, 4]),
        ("dstport:443 and not srcaddr:10.0.0.1", &[1, 4]),
        ("not dstport:443 and srcaddr:10.0.0.1", &[2, 7]),
        ("not (dstport:443 or dstport:53)", &[5, 6, 7]),
        ("not not dstport:22", &[5]),
        ("dstport:53 OR dstport:22", &[2, 3, 5]),
        ("protocol:6 or protocol:1", &[0, 1, 4, 5, 6, 7]),
        // Numbers.
        ("dstport=443", &[0, 1, 4]),
        ("dstport = 443", &[0, 1, 4]),
        ("dstport:443.0", &[0, 1, 4]),
        ("dstport>443", &[6, 7]),
        ("dstport>=443", &[0, 1, 4, 6, 7]),
        ("dstport<53", &[5]),
        ("dstport<=53", &[2, 3, 5]),
        ("dstport in [53 443]", &[0, 1, 2, 3, 4]),
        ("dstport in (53 443]", &[0, 1, 4]),
        ("dstport in [53 443)", &[2, 3]),
        ("dstport in (53 443)", &[]),
        ("dstport in [443 53]", &[]),
        ("dstport in [53 443] and protocol:17", &[2, 3]),
        ("not dstport in [53 443]", &[5, 6, 7]),
        ("bytes in [100, 300]", &[2, 3]),
        ("bytes > 99.5", &[0, 1, 2, 3, 4, 5]),
        ("bytes:100", &[2]),
        ("bytes:0", &[7]),
        ("bytes = -1", &[]),
        ("bytes > -1", all),
        ("bytes < 0", &[]),
        ("bytes = 99.5", &[]),
        ("start >= 1795233655", &[2, 3, 4, 5, 6, 7]),
        ("end:1795233610", &[1]),
        ("end = 1795233610.0", &[1]),
        // Names in quotes, and fields that are not there.
        ("\"tcp-flags\":2", &[4]),
        ("tcp-flags:18", &[0]),
        ("tcp-flags:*", &[0, 1, 4, 5, 7]),
        ("not tcp-flags:*", &[2, 3, 6]),
        ("not tcp-flags:2", &[0, 1, 2, 3, 5, 6, 7]),
        ("not tcp-flags>2", &[2, 3, 4, 6]),
        ("srcport:*", &[0, 1, 2, 3, 4, 5, 7]),
        ("not srcport:*", &[6]),
        ("srcport:\"\"", &[]),
        ("note:a", &[]),
        ("not note:a", all),
        ("note:*", &[]),
        ("note:\"\"", &[]),
        ("source:x", &[]),
        ("__topic__:flow_log", &[]),
        ("not __topic__:flow_log", all),
        ("__source__:*", &[]),
        ("__tag__:host:a", &[]),
        ("not __tag__:host:*", all),
        // Words.
        ("event:denied", &[3]),
        ("event:Flow", &[3, 4]),
        ("event:flow denied", &[3]),
        ("event:\"denied flow\"", &[3]),
        ("event:#\"denied flow\"", &[]),
        ("event:#\"flow denied\"", &[3]),
        ("event:flo", &[]),
        ("event:fl*", &[3, 4]),
        ("event:f?ow", &[3, 4]),
        ("event:f?w", &[]),
        ("event:den*d", &[3]),
        ("event:*", &[3, 4]),
        ("not event:*", &[0, 1, 2, 5, 6, 7]),
        ("interfaceName:uplink", &[0, 3]),
        ("interfaceName:eth0", &[0]),
        ("interfaceName:wan", &[0]),
        ("interfaceName:\"wan/uplink\"", &[0]),
        ("interfaceName:#\"uplink/wan\"", &[0]),
        ("interfaceName:eth*", &[0, 3]),
        ("interfaceName:*", &[0, 3]),
        ("not interfaceName:eth0", &[1, 2, 3, 4, 5, 6, 7]),
        // Whole logs.
        ("443", &[0, 1, 4]),
        ("not 443", &[2, 3, 5, 6, 7]),
        ("10.0.0.1", &[0, 2, 7]),
        ("10.0.0.1 443", &[0]),
        ("10.1*", &[3]),
        ("uplink", &[0, 3]),
        ("eth? and 10.0.0.1", &[0]),
        ("denied", &[3]),
        ("created or denied", &[3, 4]),
        ("#\"flow created\"", &[4]),
        ("\"2001:db8::2\"", &[4, 5]),
        ("nothing", &[]),
        // A number asked of a text is words, as in SLS.
        ("srcaddr>5", &[]),
        ("event in [1 2]", &[]),
    ];
    let wrong = cases.iter().filter_map(|(text, expected)| {
        let found = found(&store, text, Page::default());
        (found != *expected).then(|| format!("{text}: {found:?}, not {expected:?}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pages_go_from_either_end() {
    let (_dir, store) = store();
    let page = |offset, line, newest_first| Page {
        offset,
        line,
        newest_first,
    };
    assert_eq!(found(&store, "*", page(0, 3, false)), [0, 1, 2]);
    assert_eq!(found(&store, "*", page(3, 3, false)), [3, 4, 5]);
    assert_eq!(found(&store, "*", page(6, 3, true)), [1, 0]);
    assert_eq!(found(&store, "dstport:443", page(1, 100, true)), [1, 0]);
    assert_eq!(found(&store, "*", page(8, 100, false)), [0_usize; 0]);
    assert_eq!(found(&store, "*", page(0, 0, false)), [0_usize; 0]);
}

#[test]
fn times_end_before_the_last_second() {
    let (_dir, store) = store();
    let count = |from: i64, to: i64| {
        let plan = search::plan("*", &index(), FIRST + from, FIRST + to).unwrap();
        let answer = store.search("sag", "flows", plan, Page::default(), Limits::default());
        runtime().block_on(answer).unwrap().rows.len()
    };
    assert_eq!(count(0, 0), 0);
    assert_eq!(count(0, 1), 1);
    assert_eq!(count(0, 10), 1);
    assert_eq!(count(10, 60), 1);
    assert_eq!(count(10, 61), 2);
    assert_eq!(count(311, 1000), 0);
    let plan = search::plan("*", &index(), 0, i64::MAX).unwrap();
    let none = store.search("sag", "none", plan, Page::default(), Limits::default());
    assert!(runtime().block_on(none).unwrap().rows.is_empty());
}

#[test]
fn a_log_brings_all_its_fields() {
    let (_dir, store) = store();
    let answer = answer(&store, "srcport:40000", Page::default()).unwrap();
    let columns = answer.columns.iter().map(|column| column.name.as_str());
    let log: BTreeMap<&str, &Value> = columns.zip(&answer.rows[0]).collect();
    assert_eq!(log["__time__"], &json!(FIRST));
    assert_eq!(log["start"], &json!(FIRST - 5));
    assert_eq!(log["end"], &json!(FIRST));
    assert_eq!(log["srcaddr"], &json!("10.0.0.1"));
    assert_eq!(log["bytes"], &json!(1000));
    assert_eq!(log["rest"], &json!({"interfaceName": "eth0 Uplink/WAN"}));
    assert_eq!(log["event"], &Value::Null);
    assert!(!log.contains_key("seq"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_means_nothing_is_refused_where_it_stands() {
    let function = "there is no function foo";
    let unindexed =
        "\"nokey\" is not in the index: add it there, or put a text with a colon in quotes";
    let number = "\"bytes\" is a number: write bytes:5, bytes > 5 or bytes in [1 5]";
    let series = "write time_series(__time__, '1m', '%H:%i:%s', '0'); windows in s, m, h or d, \
                  gaps as 0, null, last, next or avg";
    for (text, at, message) in [
        ("nokey:1", 0, unindexed),
        ("a nokey>1", 2, unindexed),
        ("bytes:abc", 0, number),
        ("a or bytes:1*", 5, number),
        ("bytes:#\"1\"", 0, number),
        (
            "event:\"::\"",
            0,
            "there is no word to look for: all of it divides words",
        ),
        ("a and", 5, "a condition is missing here"),
        ("* |", 3, "there is no question: write a SELECT"),
        ("* | SELECT foo(1)", 11, function),
        ("流 | SELECT foo(1)", 13, function),
        ("* | SELECT 1,\n foo(1)", 15, function),
        (
            "* | SELECT repeat('a', 9)",
            11,
            "there is no function repeat",
        ),
        (
            "* | SELECT cidr_contains('::/0', srcaddr)",
            11,
            "there is no function cidr_contains",
        ),
        (
            "* | SELECT compare_result(c, 86400) FROM (SELECT count(*) AS c)",
            11,
            "there is no function compare_result",
        ),
        (
            "* | SELECT ip_to_country(srcaddr)",
            11,
            "ip_to_country is not there: it needs geographic data",
        ),
        (
            "* | SELECT if(1)",
            11,
            "if is written if(condition, then, else)",
        ),
        (
            "* | SELECT max_by(bytes)",
            11,
            "max_by is written max_by(x, y)",
        ),
        (
            "* | SELECT 1 FROM flows",
            18,
            "there is no table flows: write FROM log, or nothing",
        ),
        (
            "* | SELECT 1 FROM sag.log",
            18,
            "there is no table sag.log: write FROM log, or nothing",
        ),
        (
            "* | SELECT 1 LIMIT 1000001",
            19,
            "LIMIT takes a number up to 1000000",
        ),
        (
            "* | SELECT time_series(__time__, '1x', '%H', '0')",
            11,
            series,
        ),
        (
            "* | DELETE FROM log",
            3,
            "only SELECT and EXPLAIN of a SELECT are answered",
        ),
        ("* | EXPLAIN SELECT 1", 3, "write SELECT after the bar"),
    ] {
        let error = search::plan(text, &index(), 0, 1).unwrap_err();
        assert_eq!((error.message.as_str(), error.at), (message, at), "{text}");
    }
    let mut bare = index();
    bare.line = None;
    bare.keys.clear();
    assert!(search::plan("__topic__:a", &bare, 0, 1).is_ok());
    let error = search::plan("__topic__:a and a", &bare, 0, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "whole logs are not in the index: name a field, as in srcaddr:10.0.0.1 (at octet 16)"
    );
}

#[test]
fn sql_cannot_be_made_too_large_here_either() {
    let (_dir, store) = store();
    let mut sql = "* | WITH a0 AS (SELECT 1 AS x)".to_owned();
    for level in 1..=36 {
        let before = level - 1;
        sql += &format!(", a{level} AS (SELECT l.x FROM a{before} l, a{before} r)");
    }
    let error = search::plan(&(sql + " SELECT x FROM a36"), &index(), 0, 1).unwrap_err();
    assert_eq!(
        error.message,
        "too complex: it reads more than 64 tables, with everything that WITH repeats"
    );
    let texts = "* | SELECT concat(x, x) FROM (SELECT replace(event, 'a', event) AS x)";
    assert_eq!(
        answer(&store, texts, Page::default()).unwrap_err(),
        "TooComplex: too complex: it makes texts of more than 16384 octets"
    );
    let plan = search::plan("* | SELECT bytes + srcaddr", &index(), 0, 1).unwrap();
    let wrong = store.search("sag", "flows", plan, Page::default(), Limits::default());
    assert_eq!(
        runtime().block_on(wrong).unwrap_err().kind,
        QueryErrorKind::Syntax
    );
}
