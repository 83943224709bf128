//! Stores that earlier versions wrote, kept as they wrote them.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;

use super::flows::record;
use super::flows::route;
use super::flows::table;
use super::*;
use crate::element::ElementId;
use crate::flow::Detail;
use crate::flow::FlowBatch;

/// The store that the given version of the schema wrote.
fn golden(version: u32) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(format!("src/logstore/testdata/v{version}"))
}

/// Two parts of flows, the second with columns that the first has not, and one
/// of logs.
fn write_golden(dir: &Path) {
    let store = LogStore::open(Settings::new(dir)).unwrap();
    let table = table();
    let exporter: IpAddr = "198.51.100.1".parse().unwrap();
    let detail = Detail {
        src_mac: Some([2, 0, 0, 0, 0, 1]),
        layer2_octets: Some(99),
        extra: vec![(ElementId::iana(82), b"eth0".as_slice().into())],
        ..Detail::default()
    };
    for (octets, detail) in [(1, None), (u64::MAX, Some(&detail))] {
        let mut batch = FlowBatch::default();
        let record = record(route(&table, exporter), octets);
        batch.push(&record, detail, exporter, 7);
        let rows = batch.into_arrow(&table).unwrap();
        store.append_next("sag", "flows", &rows, HOUR).unwrap();
        store.flush().unwrap();
    }
    store.append_logs("sag", "flows", &logs(), 7, HOUR).unwrap();
    store.flush().unwrap();
    drop(store);
    fs::remove_file(dir.join("LOCK")).unwrap();
}

/// Logs that are no flows.
fn logs() -> Logs {
    let field = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    let log = |time_ns, fields| Log {
        time_s: 1_795_233_600,
        time_ns,
        fields,
    };
    Logs {
        topic: "audit".to_owned(),
        source: "192.0.2.1".to_owned(),
        tags: vec![("host".to_owned(), "web".to_owned())],
        logs: vec![
            log(None, vec![field("bytes", b"7"), field("message", b"hello")]),
            log(
                Some(5),
                vec![field("bytes", b"007"), field("octets", b"\xff")],
            ),
        ],
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}

#[test]
fn the_present_version_has_a_golden_store() {
    let dir = golden(SCHEMA_VERSION);
    if std::env::var_os("UPDATE").is_some() && !dir.exists() {
        write_golden(&dir);
    }
    assert!(
        dir.exists(),
        "run this test with UPDATE=1 and commit what it wrote"
    );
}

#[test]
fn a_store_of_version_1_reads_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    copy(&golden(1), dir.path());
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    reads_flows_as_written(&store);
    let own = "SELECT DISTINCT __topic__, __source__, __receive_time__, tags FROM flows";
    let nulls = vec![Value::Null; 4];
    assert_eq!(rows_of(&store, own), [nulls]);
    // Merging rewrites it with the columns of today.
    maintain(&store, HOUR + 3_600_000);
    assert_eq!(store.parts().len(), 1);
    reads_flows_as_written(&store);
    let batch = rows(HOUR, &[3]);
    store.append_next("sag", "flows", &batch, HOUR).unwrap();
    store.append_logs("sag", "flows", &logs(), 7, HOUR).unwrap();
    let newest = rows_of(&store, "SELECT max(seq), count(*) FROM flows");
    assert_eq!(newest, [[json!(8), json!(5)]]);
    reads_logs_as_written(&store);
}

#[test]
fn a_store_of_version_2_reads_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    copy(&golden(2), dir.path());
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let merged = |store: &LogStore| {
        reads_flows_as_written(store);
        reads_logs_as_written(store);
        let received = "SELECT DISTINCT __receive_time__ FROM flows";
        assert_eq!(rows_of(store, received), [[json!(HOUR / 1000)]]);
    };
    merged(&store);
    assert_eq!(store.parts().len(), 3);
    maintain(&store, HOUR + 3_600_000);
    assert_eq!(store.parts().len(), 1);
    merged(&store);
    assert_eq!(store.next_seq(), 9);
}

/// The two logs with numbers from 7 on.
fn reads_logs_as_written(store: &LogStore) {
    let sql = "SELECT seq, __time__, __time_ns_part__, __topic__, __source__, tags, bytes, rest \
               FROM flows WHERE seq >= 7 ORDER BY seq";
    let row = |seq: u64, nanoseconds: u32, octets: Value, rest: Value| {
        vec![
            json!(seq),
            json!(HOUR / 1000),
            json!(nanoseconds),
            json!("audit"),
            json!("192.0.2.1"),
            json!({"host": "web"}),
            octets,
            rest,
        ]
    };
    let expected = [
        row(7, 0, json!(7), json!({"message": "hello"})),
        row(8, 5, Value::Null, json!({"bytes": "007", "octets": "0xff"})),
    ];
    assert_eq!(rows_of(store, sql), expected);
}

/// The two flows with the numbers 0 and 1.
fn reads_flows_as_written(store: &LogStore) {
    let sql = "SELECT seq, __time__, __time_ns_part__, \"start\", \"end\", srcaddr, dstport, bytes, \
               packets, \"tcp-flags\", \"flow-end-reason\", exporter, domain, \"Instance_id\", snid, \
               records, srcmac, \"layer2-bytes\", rest FROM flows WHERE seq < 2 ORDER BY seq";
    let row = |seq: u64, octets: u64, mac: Value, layer2: Value, rest: Value| {
        vec![
            json!(seq),
            json!(HOUR / 1000),
            json!(500_000_000),
            json!("2026-11-21T04:00:00.000Z"),
            json!("2026-11-21T04:00:00.500Z"),
            json!("10.0.0.1"),
            json!(443),
            json!(octets),
            json!(1),
            json!(0x12),
            json!(1),
            json!("198.51.100.1"),
            json!(7),
            json!("sag-1"),
            json!("sn-sag-1"),
            json!(2),
            mac,
            layer2,
            rest,
        ]
    };
    let expected = [
        row(0, 1, Value::Null, Value::Null, Value::Null),
        row(
            1,
            u64::MAX,
            json!("02:00:00:00:00:01"),
            json!(99),
            json!({"interfaceName": "eth0"}),
        ),
    ];
    assert_eq!(rows_of(store, sql), expected);
}
