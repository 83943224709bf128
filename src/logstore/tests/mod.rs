//! The store as a whole: what is taken is found again, whatever happens.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::DictionaryArray;
use arrow_array::RecordBatch;
use arrow_array::TimestampMillisecondArray;
use arrow_array::UInt16Array;
use arrow_array::UInt64Array;
use arrow_array::types::Int32Type;
use serde_json::Value;
use serde_json::json;

use super::shard::Shard;
use super::*;
use crate::flow::Amount;

mod catalog;
mod compare;
mod compression;
mod crash;
mod damage;
mod dialect;
mod encoding;
mod flows;
mod full;
mod golden;
mod ids;
mod limits;
mod logs;
mod model;
mod numbers;
mod search;
mod upkeep;

/// 2026-11-21T04:00:00Z.
const HOUR: u64 = 1_795_233_600_000;

/// Rows that end at `end_ms` and carry the given octets, one packet and one record each.
fn rows(end_ms: u64, octets: &[u64]) -> RecordBatch {
    let count = octets.len();
    let end = i64::try_from(end_ms).unwrap();
    let sources: Vec<String> = octets
        .iter()
        .map(|octets| format!("10.0.0.{}", octets % 256))
        .collect();
    let sources: DictionaryArray<Int32Type> = sources.iter().map(String::as_str).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "end",
            Arc::new(TimestampMillisecondArray::from(vec![end; count]).with_timezone("UTC")),
        ),
        ("srcaddr", Arc::new(sources)),
        ("dstport", Arc::new(UInt16Array::from(vec![443; count]))),
        ("bytes", Arc::new(UInt64Array::from(octets.to_vec()))),
        ("packets", Arc::new(UInt64Array::from(vec![1; count]))),
        ("records", Arc::new(UInt64Array::from(vec![1; count]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

impl LogStore {
    /// Takes rows as `append_rows` does, numbered after those there are.
    fn append_next(
        &self,
        project: &str,
        logstore: &str,
        rows: &RecordBatch,
        arrival_ms: u64,
    ) -> Result<Amount, AppendError> {
        let is_it = |shard: &&Arc<Shard>| {
            shard.name.project() == project && shard.name.logstore() == logstore
        };
        let shards = self.shards();
        let next = shards
            .iter()
            .find(is_it)
            .map_or(0, |shard| shard.next_seqs().0);
        self.append_rows(project, logstore, rows, next, arrival_ms)
    }
}

/// All upkeep that is due, as the daemon's threads do it.
fn maintain(store: &LogStore, now_ms: u64) {
    store.tend(now_ms);
    store.merge(now_ms, &|| true);
}

fn ask(store: &LogStore, sql: &str) -> Result<Answer, QueryError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(store.query(Query::new(sql)))
}

fn rows_of(store: &LogStore, sql: &str) -> Vec<Vec<Value>> {
    ask(store, sql).unwrap().rows
}

#[test]
fn rows_are_found_in_the_tail_in_a_part_and_in_both() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let sql = "SELECT seq, bytes, srcaddr, dstport FROM flows ORDER BY seq";
    store
        .append_next("sag", "flows-1", &rows(HOUR, &[10, 20]), HOUR)
        .unwrap();
    let first = vec![
        vec![json!(0), json!(10), json!("10.0.0.10"), json!(443)],
        vec![json!(1), json!(20), json!("10.0.0.20"), json!(443)],
    ];
    assert_eq!(rows_of(&store, sql), first);
    store.flush().unwrap();
    assert_eq!(store.parts().len(), 1);
    assert_eq!(rows_of(&store, sql), first);
    store
        .append_next("sag", "flows-1", &rows(HOUR, &[30]), HOUR)
        .unwrap();
    let third = vec![json!(2), json!(30), json!("10.0.0.30"), json!(443)];
    let all: Vec<_> = first.into_iter().chain([third]).collect();
    assert_eq!(rows_of(&store, sql), all);
    assert_eq!(
        rows_of(&store, "SELECT sum(bytes) FROM sag.\"flows-1\""),
        [[json!(60)]]
    );
}

#[test]
fn rows_are_found_after_a_restart_and_counting_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    store
        .append_next("sag", "flows", &rows(HOUR, &[1, 2, 3]), HOUR)
        .unwrap();
    store.flush().unwrap();
    drop(store);
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    store
        .append_next("sag", "flows", &rows(HOUR, &[4]), HOUR)
        .unwrap();
    let found = rows_of(&store, "SELECT seq, bytes FROM flows ORDER BY seq");
    assert_eq!(
        found,
        [[0, 1], [1, 2], [2, 3], [3, 4]].map(|row| row.map(Value::from).to_vec())
    );
}

#[test]
fn a_directory_may_have_any_name() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a b#c%20d~é'\"?*/../x/./y");
    std::fs::create_dir_all(dir.path().join("a b#c%20d~é'\"?*")).unwrap();
    for odd in [dir.path().join("a b#c%20d~é'\"?*"), odd] {
        let store = LogStore::open(Settings::new(&odd)).unwrap();
        store
            .append_next("sag", "flows", &rows(HOUR, &[1]), HOUR)
            .unwrap();
        store.flush().unwrap();
        assert_eq!(
            rows_of(&store, "SELECT sum(bytes) FROM flows"),
            [[json!(1)]]
        );
        let reader = LogStore::open_read_only(Settings::new(&odd)).unwrap();
        assert_eq!(
            rows_of(&reader, "SELECT sum(bytes) FROM flows"),
            [[json!(1)]]
        );
    }
}
