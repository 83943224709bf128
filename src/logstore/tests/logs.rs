//! Logs of any kind: in as they are sent, out as they went in.

use std::collections::BTreeMap;
use std::fs::File;

use arrow_array::Array;
use arrow_array::MapArray;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::types::Int64Type;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::types::UInt32Type;
use arrow_array::types::UInt64Type;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use super::super::schema::conform;
use super::super::schema::table_schema;
use super::super::search;
use super::super::search::FieldIndex;
use super::super::search::FieldKind;
use super::super::search::IndexConfig;
use super::super::search::Page;
use super::super::search::Words;
use super::super::tail::HOUR_MS;
use super::*;
use crate::flow::COLUMNS;
use crate::flow::Kind;

/// Seconds of [`HOUR`].
const SECOND: i64 = 1_795_233_600;

/// A row as it is kept.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    seq: u64,
    time: (i64, u32),
    received_s: Option<i64>,
    topic: String,
    source: String,
    tags: BTreeMap<String, String>,
    fields: BTreeMap<String, Vec<u8>>,
}

/// All rows of all logstores, parts and tails alike.
fn stored(store: &LogStore) -> Vec<Row> {
    let mut rows = Vec::new();
    for shard in store.shards() {
        let snapshot = shard.snapshot();
        for part in &snapshot.parts {
            let file = File::open(&part.path).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            for batch in reader.build().unwrap() {
                rows.extend(rows_in(&batch.unwrap()));
            }
        }
        rows.extend(snapshot.tail.iter().flat_map(rows_in));
    }
    rows
}

fn rows_in(batch: &RecordBatch) -> Vec<Row> {
    let batch = conform(batch, table_schema()).unwrap();
    (0..batch.num_rows())
        .map(|row| row_at(&batch, row))
        .collect()
}

fn row_at(batch: &RecordBatch, row: usize) -> Row {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let seconds = |name: &str| column(name).as_primitive::<Int64Type>();
    let text = |name: &str| match column(name).is_valid(row) {
        true => column(name).as_string_view().value(row).to_owned(),
        false => String::new(),
    };
    let received = seconds("__receive_time__");
    let tags = entries(column("tags").as_map(), row).into_iter();
    let mut fields = entries(column("rest").as_map(), row);
    for flow in COLUMNS.iter().filter(|flow| flow.kind != Kind::Map) {
        if let Some(text) = shown(column(flow.name), flow.kind, row) {
            let twice = fields.insert(flow.name.to_owned(), text.into_bytes());
            assert_eq!(twice, None, "{} is in two places", flow.name);
        }
    }
    Row {
        seq: column("seq").as_primitive::<UInt64Type>().value(row),
        time: (
            seconds("__time__").value(row),
            column("__time_ns_part__")
                .as_primitive::<UInt32Type>()
                .value(row),
        ),
        received_s: received.is_valid(row).then(|| received.value(row)),
        topic: text("__topic__"),
        source: text("__source__"),
        tags: tags
            .map(|(name, value)| (name, String::from_utf8(value).unwrap()))
            .collect(),
        fields,
    }
}

fn entries(map: &MapArray, row: usize) -> BTreeMap<String, Vec<u8>> {
    if map.is_null(row) {
        return BTreeMap::new();
    }
    let entry = map.value(row);
    let names = entry.column(0).as_string::<i32>();
    let values = cast(entry.column(1), &DataType::Binary).unwrap();
    let values = values.as_binary::<i32>();
    let pairs: Vec<_> = names.iter().zip(values).collect();
    let count = pairs.len();
    let pairs = pairs.into_iter();
    let map: BTreeMap<_, _> = pairs
        .map(|(name, value)| (name.unwrap().to_owned(), value.unwrap().to_vec()))
        .collect();
    assert_eq!(map.len(), count, "a map has a key twice");
    map
}

/// What `docs/schema.md` says a log has for a value.
fn shown(column: &ArrayRef, kind: Kind, row: usize) -> Option<String> {
    let whole = || {
        cast(column, &DataType::UInt64)
            .unwrap()
            .as_primitive::<UInt64Type>()
            .value(row)
    };
    column.is_valid(row).then(|| match kind {
        Kind::Text => column.as_string_view().value(row).to_owned(),
        Kind::Time => {
            let times = column.as_primitive::<TimestampMillisecondType>();
            times.value(row).div_euclid(1000).to_string()
        }
        Kind::Factor => column.as_primitive::<Float64Type>().value(row).to_string(),
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 | Kind::Map => whole().to_string(),
    })
}

fn log(fields: &[(&str, &[u8])]) -> Log {
    let field = |(name, value): &(&str, &[u8])| ((*name).to_owned(), value.to_vec());
    Log {
        time_s: SECOND,
        time_ns: None,
        fields: fields.iter().map(field).collect(),
    }
}

fn group(logs: Vec<Log>) -> Logs {
    Logs {
        logs,
        ..Logs::default()
    }
}

/// Fields of one log, after it was kept.
fn kept(fields: &[(&str, &[u8])]) -> (BTreeMap<String, Vec<u8>>, Value) {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let logs = group(vec![log(fields)]);
    store.append_logs("sag", "app", &logs, 1, HOUR).unwrap();
    let rest = rows_of(&store, "SELECT rest FROM flows")
        .remove(0)
        .remove(0);
    (stored(&store).remove(0).fields, rest)
}

#[test]
fn a_value_is_kept_where_it_stays_what_it_is() {
    let cases: &[(&str, &[u8], bool)] = &[
        ("bytes", b"7", true),
        ("bytes", b"007", false),
        ("bytes", b"many", false),
        ("bytes", b"", false),
        ("protocol", b"6", true),
        ("protocol", b"tcp", false),
        ("protocol", b"256", false),
        ("start", b"1795233600", true),
        ("end", b"1795233600", true),
        ("end", b"1795233600.5", false),
        ("sampling", b"100", true),
        ("sampling", b"1e2", false),
        ("srcaddr", b"10.0.0.1", true),
        ("srcaddr", b"no address", true),
        ("srcaddr", b"\xff\xfe", false),
        ("event", b"", true),
        ("message", b"hello", false),
        ("Bytes", b"7", false),
        ("rest", b"7", false),
        ("tags", b"7", false),
        ("seq", b"7", false),
        ("__time__", b"7", false),
        ("", b"7", false),
    ];
    for (name, value, is_typed) in cases {
        let (fields, rest) = kept(&[(name, value)]);
        let expected = BTreeMap::from([((*name).to_owned(), value.to_vec())]);
        assert_eq!(fields, expected, "{name}");
        assert_eq!(rest.is_null(), *is_typed, "{name} {value:?}");
    }
}

#[test]
fn the_first_of_a_name_keeps_it_and_the_others_are_numbered() {
    let fields = |pairs: &[(&str, &[u8])]| {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), value.to_vec()));
        pairs.collect::<BTreeMap<_, _>>()
    };
    let (found, rest) = kept(&[("bytes", b"7"), ("bytes", b"8"), ("bytes", b"x")]);
    assert_eq!(
        found,
        fields(&[("bytes", b"7"), ("bytes#2", b"8"), ("bytes#3", b"x")])
    );
    assert_eq!(rest, json!({"bytes#2": "8", "bytes#3": "x"}));
    let (found, rest) = kept(&[("bytes", b"x"), ("bytes", b"8")]);
    assert_eq!(found, fields(&[("bytes", b"x"), ("bytes#2", b"8")]));
    assert_eq!(rest, json!({"bytes": "x", "bytes#2": "8"}));
    let (found, _) = kept(&[("k#2", b"a"), ("k", b"b"), ("k", b"c"), ("k#2", b"d")]);
    assert_eq!(
        found,
        fields(&[("k#2", b"a"), ("k", b"b"), ("k#3", b"c"), ("k#2#2", b"d")])
    );
}

#[test]
fn many_fields_of_one_name_cost_no_more_than_others() {
    let fields = vec![(String::new(), Vec::new()); 100_000];
    let log = Log { fields, ..log(&[]) };
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    store
        .append_logs("sag", "app", &group(vec![log]), 1, HOUR)
        .unwrap();
    let fields = stored(&store).remove(0).fields;
    assert_eq!(fields.len(), 100_000);
    assert!(fields.contains_key("#100000"));
}

#[test]
fn a_wide_log_makes_no_columns() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let names: Vec<String> = (0..1000).map(|number| format!("field{number}")).collect();
    let wide: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), &b"1"[..]))
        .collect();
    let logs = group(vec![log(&[]), log(&wide)]);
    store.append_logs("sag", "app", &logs, 1, HOUR).unwrap();
    let tail = store.shards()[0].snapshot().tail;
    let schema = tail[0].schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(
        names,
        [
            "seq",
            "__time__",
            "__time_ns_part__",
            "__receive_time__",
            "rest"
        ]
    );
    let widths: Vec<_> = stored(&store).iter().map(|row| row.fields.len()).collect();
    assert_eq!(widths, [0, 1000]);
}

#[test]
fn logs_are_counted_apart_from_the_loss_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let logs = group(vec![log(&[("bytes", b"7"), ("records", b"3")]); 4]);
    let append = |first_seq| store.append_logs("sag", "app", &logs, first_seq, HOUR);
    assert_eq!(append(1).unwrap(), Amount::default());
    assert_eq!(append(3).unwrap(), Amount::default(), "two of them again");
    let none = store.append_logs("sag", "none", &Logs::default(), 9, HOUR);
    assert_eq!(none.unwrap(), Amount::default());
    assert!(!dir.path().join("sag/none").exists());
    let refused = store.append_logs("..", "app", &logs, 9, HOUR);
    assert!(matches!(refused, Err(AppendError::Name(_))));
    store.flush().unwrap();
    maintain(&store, HOUR + HOUR_MS);
    let stats = store.stats();
    assert_eq!((stats.appended_logs, stats.refused_logs), (6, 4));
    assert_eq!(stats.appended, Amount::default());
    assert_eq!(stats.durable, Amount::default());
    assert_eq!(stats.refused_unfit, Amount::default());
    let sums = rows_of(&store, "SELECT count(*), sum(bytes), max(seq) FROM flows");
    assert_eq!(sums, [[json!(6), json!(42), json!(6)]]);
}

#[test]
fn tags_that_would_swell_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let mut logs = group(vec![log(&[]); 1024]);
    // With its name and what an entry takes: 64 KiB for each log.
    logs.tags = vec![("k".to_owned(), "v".repeat((64 << 10) - 17))];
    logs.check().unwrap();
    store.append_logs("sag", "app", &logs, 1, HOUR).unwrap();
    logs.source = "s".to_owned();
    let refused = store.append_logs("sag", "app", &logs, 2000, HOUR);
    let error = refused.unwrap_err().to_string();
    assert_eq!(
        error,
        "the logs take 67109888 octets: topic, source and tags at most 64 MiB over all logs, \
         fields at most 1 GiB"
    );
    assert_eq!(store.stats().refused_logs, 1024);
}

#[test]
fn logs_come_back_after_a_crash_with_the_numbers_they_had() {
    let dir = tempfile::tempdir().unwrap();
    let frame = |store: &LogStore, first_seq: u64| {
        let logs = (first_seq..first_seq + 3).map(|seq| log(&[("n", seq.to_string().as_bytes())]));
        let mut logs = group(logs.collect());
        logs.tags = vec![("host".to_owned(), format!("h{first_seq}"))];
        store
            .append_logs("sag", "app", &logs, first_seq, HOUR)
            .unwrap();
    };
    let open = || LogStore::open(Settings::new(dir.path())).unwrap();
    let store = open();
    frame(&store, 10);
    store.flush().unwrap();
    frame(&store, 20);
    let before = stored(&store);
    drop(store);
    let store = open();
    assert_eq!(stored(&store), before[..3]);
    assert_eq!(store.durable()[0].1, 13);
    frame(&store, 10);
    frame(&store, 20);
    frame(&store, 20);
    assert_eq!(stored(&store), before);
    let seqs: Vec<u64> = before.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, [10, 11, 12, 20, 21, 22]);
    store.flush().unwrap();
    maintain(&store, HOUR + HOUR_MS);
    assert_eq!(store.parts().len(), 1);
    assert_eq!(stored(&store), before);
    drop(store);
    std::fs::remove_file(dir.path().join("sag/app/MANIFEST")).unwrap();
    assert_eq!(stored(&open()), before);
}

/// Flows and logs of one logstore, half of each in a part.
fn mixed(store: &LogStore) {
    let flows = rows(HOUR, &[5, 7]);
    store.append_rows("sag", "app", &flows, 1, HOUR).unwrap();
    let mut logs = group(vec![
        log(&[("bytes", b"7"), ("message", b"Login failed")]),
        log(&[("bytes", b"007"), ("srcaddr", b"10.0.0.7"), ("seq", b"42")]),
    ]);
    logs.topic = "audit".to_owned();
    logs.source = "192.0.2.1".to_owned();
    logs.tags = vec![("host".to_owned(), "web one".to_owned())];
    store.append_logs("sag", "app", &logs, 3, HOUR).unwrap();
    store.flush().unwrap();
    let other = group(vec![
        log(&[("bytes", b"none"), ("message", b"login ok")]),
        log(&[
            ("message", b"\xfflogin"),
            ("__tag__:host", b"sent as a field"),
        ]),
    ]);
    store
        .append_logs("sag", "app", &other, 5, HOUR + 2000)
        .unwrap();
}

fn index() -> IndexConfig {
    let mut index = IndexConfig::of_flows();
    for name in ["message", "__tag__:host", "protocol"] {
        let field = FieldIndex::new(FieldKind::Text(Words::usual()));
        index.keys.insert(name.to_owned(), field);
    }
    index
        .keys
        .insert("seq".to_owned(), FieldIndex::new(FieldKind::Long));
    index
}

fn searched(store: &LogStore, text: &str, index: &IndexConfig) -> Answer {
    let plan = search::plan(text, index, SECOND - 10, SECOND + 10).unwrap();
    let answer = store.search("sag", "app", plan, Page::default(), Limits::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(answer).unwrap()
}

#[test]
fn a_search_finds_tags_and_fields_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    mixed(&store);
    let count = |text: &str| searched(&store, text, &index()).rows.len();
    let cases = [
        ("*", 6),
        ("bytes: 7", 3),
        ("bytes > 4", 4),
        ("bytes in [7 7]", 3),
        ("not bytes: 7", 3),
        ("bytes: *", 5),
        ("message: login", 2),
        ("message: \"login failed\"", 1),
        ("login", 2),
        ("none", 1),
        ("007", 1),
        ("10.0.0.7", 2),
        ("srcaddr: 10.0.0.7", 2),
        ("__tag__:host: web", 2),
        ("__tag__:host: one and bytes: 7", 2),
        ("__tag__:host: sent", 1),
        ("__tag__:host: *", 3),
        ("web", 2),
        ("__topic__: audit", 2),
        ("__source__: 192.0.2.1", 2),
        ("audit", 2),
        ("seq: 42", 1),
        ("seq: 1", 0),
        ("__tag__:__receive_time__: 1795233602", 2),
        ("__tag__:__receive_time__: 1795233600", 4),
    ];
    for (text, expected) in cases {
        assert_eq!(count(text), expected, "{text}");
    }
    store.flush().unwrap();
    maintain(&store, HOUR + HOUR_MS);
    for (text, expected) in cases {
        assert_eq!(count(text), expected, "{text}, merged");
    }
}

#[test]
fn sql_reads_tags_and_fields_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    mixed(&store);
    let sql = "* | SELECT bytes, \"__tag__:host\", message, seq FROM log \
               WHERE __topic__ = 'audit' ORDER BY message";
    let found = searched(&store, sql, &index()).rows;
    let host = || json!("web one");
    assert_eq!(
        found,
        [
            [json!(7), host(), json!("Login failed"), Value::Null],
            [json!(7), host(), Value::Null, json!(42)],
        ]
    );
    let sums = searched(&store, "* | SELECT sum(bytes), count(bytes)", &index()).rows;
    assert_eq!(sums, [[json!(26), json!(4)]]);
}

#[test]
fn a_log_that_is_found_brings_its_tags() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    mixed(&store);
    let answer = searched(&store, "seq: 42", &index());
    let columns = answer.columns.iter().map(|column| column.name.as_str());
    let log: BTreeMap<&str, &Value> = columns.zip(&answer.rows[0]).collect();
    assert_eq!(log["__topic__"], &json!("audit"));
    assert_eq!(log["__receive_time__"], &json!(SECOND));
    assert_eq!(log["tags"], &json!({"host": "web one"}));
    assert_eq!(log["bytes"], &Value::Null);
    assert_eq!(log["srcaddr"], &json!("10.0.0.7"));
    assert_eq!(log["rest"], &json!({"bytes": "007", "seq": "42"}));
    assert!(!log.contains_key("seq"));
}

#[test]
fn rows_of_flows_alone_are_still_left_out_by_statistics() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let append = |octets: &[u64], first_seq| {
        let flows = rows(HOUR, octets);
        store
            .append_rows("sag", "app", &flows, first_seq, HOUR)
            .unwrap();
        store.flush().unwrap();
    };
    append(&[1, 2, 3], 1);
    append(&[100, 200], 11);
    let scanned = |text: &str| searched(&store, text, &index()).scanned_rows;
    assert_eq!(scanned("bytes: 100"), 2);
    let logs = group(vec![log(&[("bytes", b"x")])]);
    store.append_logs("sag", "app", &logs, 21, HOUR).unwrap();
    assert_eq!(searched(&store, "bytes: 100", &index()).rows.len(), 1);
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{0,3}",
        prop::sample::select(COLUMNS).prop_map(|column| column.name.to_owned()),
        prop::sample::select(&["seq", "tags", "__time__", "__topic__", "__receive_time__"][..])
            .prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..6),
        any::<u64>().prop_map(|number| number.to_string().into_bytes()),
        (0_u32..300).prop_map(|number| number.to_string().into_bytes()),
        any::<f64>().prop_map(|number| number.to_string().into_bytes()),
        "[0-9.+-]{1,4}".prop_map(String::into_bytes),
    ]
}

fn any_group() -> impl Strategy<Value = Logs> {
    let log = (
        any::<i64>(),
        any::<Option<u32>>(),
        prop::collection::btree_map(name(), value(), 0..8),
    );
    let log = log.prop_map(|(time_s, time_ns, fields)| Log {
        time_s,
        time_ns,
        fields: fields.into_iter().collect(),
    });
    let tags = prop::collection::btree_map("[a-z]{0,2}", ".{0,4}", 0..3);
    let logs = prop::collection::vec(log, 1..6);
    (".{0,3}", ".{0,3}", tags, logs).prop_map(|(topic, source, tags, logs)| Logs {
        topic,
        source,
        tags: tags.into_iter().collect(),
        logs,
    })
}

/// The rows that a group is to become.
fn expected(logs: &Logs, first_seq: u64, arrival_ms: u64) -> Vec<Row> {
    let row = |(seq, log): (u64, &Log)| Row {
        seq,
        time: (log.time_s, log.time_ns.unwrap_or(0)),
        received_s: i64::try_from(arrival_ms / 1000).ok(),
        topic: logs.topic.clone(),
        source: logs.source.clone(),
        tags: logs.tags.iter().cloned().collect(),
        fields: log.fields.iter().cloned().collect(),
    };
    (first_seq..).zip(&logs.logs).map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_goes_in_comes_out(groups in prop::collection::vec(any_group(), 1..4)) {
        let dir = tempfile::tempdir().unwrap();
        let store = LogStore::open(Settings::new(dir.path())).unwrap();
        let mut all = Vec::new();
        for (group, first_seq) in groups.iter().zip((1..).step_by(10)) {
            store.append_logs("sag", "app", group, first_seq, HOUR).unwrap();
            all.extend(expected(group, first_seq, HOUR));
            prop_assert_eq!(&stored(&store), &all);
            store.flush().unwrap();
        }
        prop_assert_eq!(&stored(&store), &all);
        maintain(&store, HOUR + HOUR_MS);
        prop_assert_eq!(store.parts().len(), 1);
        prop_assert_eq!(&stored(&store), &all);
    }
}
