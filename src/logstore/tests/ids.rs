//! What flows are known by: the journal that numbered them, and their number.

use super::super::manifest::MANIFEST;
use super::super::search;
use super::super::search::IndexConfig;
use super::super::search::Page;
use super::super::tail::HOUR_MS;
use super::*;

const FIRST: u64 = 0x0123_4567_89ab_cdef;
const SECOND: u64 = 0xff;

/// The store, its rows numbered by a journal from now on, if by any.
fn open(dir: &tempfile::TempDir, journal: Option<u64>) -> LogStore {
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    if let Some(journal) = journal {
        store.number_by(journal);
    }
    store
}

fn add(store: &LogStore, octets: &[u64], arrival_ms: u64) {
    let rows = rows(arrival_ms, octets);
    store
        .append_next("sag", "flows", &rows, arrival_ms)
        .unwrap();
}

/// Rows of a search or of SQL, in SLS's language.
fn searched(store: &LogStore, text: &str) -> Vec<Vec<Value>> {
    let index = IndexConfig::of_flows();
    let plan = search::plan(text, &index, 0, i64::MAX).unwrap();
    let answer = store.search("sag", "flows", plan, Page::default(), Limits::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let answer = runtime.block_on(answer).unwrap();
    let id = answer.columns.iter().position(|one| one.name == "flow-id");
    let rows = answer.rows.into_iter();
    rows.map(|row| id.map_or_else(|| row.clone(), |id| vec![row[id].clone()]))
        .collect()
}

/// The id of each row, as the SQL, the search and the pull of SLS tell it.
fn ids(store: &LogStore) -> Vec<Option<String>> {
    let sql = searched(store, "* | SELECT \"flow-id\" ORDER BY bytes");
    assert_eq!(searched(store, "*"), sql);
    let rows = store.rows("sag", "flows", 0..u64::MAX).unwrap();
    let rows = rows.flat_map(Result::unwrap);
    let pulled = rows.map(|row| {
        let mut ids = row.fields.into_iter().filter(|(name, _)| name == "flow-id");
        let id = ids.next().map(|(_, id)| String::from_utf8(id).unwrap());
        assert_eq!(ids.next(), None);
        id
    });
    let pulled: Vec<_> = pulled.collect();
    assert_eq!(json!(pulled), json!(sql.concat()));
    pulled
}

fn some(ids: &[&str]) -> Vec<Option<String>> {
    let known = |id: &&str| (!id.is_empty()).then(|| (*id).to_owned());
    ids.iter().map(known).collect()
}

#[test]
fn a_flow_has_the_id_of_its_journal_and_number_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, Some(FIRST));
    let rows = rows(HOUR, &[1, 2]);
    store.append_rows("sag", "flows", &rows, 40, HOUR).unwrap();
    let first = some(&["0123456789abcdef-40", "0123456789abcdef-41"]);
    assert_eq!(ids(&store), first, "in the tail");
    store.flush().unwrap();
    assert_eq!(ids(&store), first, "in a part");
    add(&store, &[3], HOUR);
    let all = [first, some(&["0123456789abcdef-42"])].concat();
    assert_eq!(ids(&store), all, "in both");
    let found = searched(&store, "flow-id: 0123456789abcdef-41 | SELECT bytes");
    assert_eq!(found, [[json!(2)]]);
    let none = searched(&store, "flow-id: 00000000000000ff-41 | SELECT bytes");
    assert_eq!(none, [[Value::Null; 0]; 0]);
    assert_eq!(
        searched(&store, "0123456789ABCDEF-42 | SELECT bytes"),
        [[json!(3)]]
    );
}

#[test]
fn rows_keep_the_journal_they_had_when_another_is_begun() {
    let dir = tempfile::tempdir().unwrap();
    for (journal, octets) in [
        (None, 1),
        (Some(FIRST), 2),
        (Some(FIRST), 3),
        (Some(SECOND), 4),
        (Some(SECOND), 5),
        (Some(FIRST), 6),
    ] {
        let store = open(&dir, journal);
        add(&store, &[octets], HOUR);
        store.flush().unwrap();
    }
    let expected = some(&[
        "",
        "0123456789abcdef-1",
        "0123456789abcdef-2",
        "00000000000000ff-3",
        "00000000000000ff-4",
        "0123456789abcdef-5",
    ]);
    let store = open(&dir, Some(SECOND));
    assert_eq!(ids(&store), expected);
    maintain(&store, HOUR + HOUR_MS);
    let merged: Vec<u64> = store.parts().iter().map(|part| part.rows).collect();
    assert_eq!(merged, [1, 2, 2, 1], "the parts of one journal, not of two");
    assert_eq!(ids(&store), expected);
    drop(store);
    // The parts themselves tell it when the MANIFEST is lost.
    std::fs::remove_file(dir.path().join("sag/flows").join(MANIFEST)).unwrap();
    assert_eq!(ids(&open(&dir, Some(SECOND))), expected);
}

#[test]
fn a_second_journal_is_left_unheard_while_the_store_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, Some(SECOND));
    store.number_by(FIRST);
    add(&store, &[1], HOUR);
    assert_eq!(ids(&store), some(&["00000000000000ff-0"]));
}

#[test]
fn a_log_has_the_id_it_came_with_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, Some(SECOND));
    let log = |fields: &[(&str, &str)]| Log {
        time_s: i64::try_from(HOUR / 1000).unwrap(),
        time_ns: None,
        fields: fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
    };
    let logs = Logs {
        logs: vec![
            log(&[("bytes", "1"), ("records", "1"), ("flow-id", "their-7")]),
            log(&[("bytes", "2"), ("flow-id", "their-8")]),
            log(&[("bytes", "3")]),
        ],
        ..Logs::default()
    };
    store.append_logs("sag", "flows", &logs, 0, HOUR).unwrap();
    add(&store, &[4], HOUR);
    let sql = searched(&store, "* | SELECT \"flow-id\" ORDER BY bytes");
    let expected = ["their-7", "their-8", "", "00000000000000ff-3"];
    assert_eq!(json!(sql.concat()), json!(some(&expected)));
    assert_eq!(
        searched(&store, "flow-id: their-8 | SELECT bytes"),
        [[json!(2)]]
    );
    let rows = store.rows("sag", "flows", 0..u64::MAX).unwrap();
    let pulled = rows.flat_map(Result::unwrap).map(|row| {
        let ids = row.fields.into_iter().filter(|(name, _)| name == "flow-id");
        let ids = ids.map(|(_, id)| String::from_utf8(id).unwrap());
        ids.collect::<Vec<_>>().join(", ")
    });
    assert_eq!(pulled.collect::<Vec<_>>(), expected);
}
