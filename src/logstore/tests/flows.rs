//! Batches as lanes hand them over.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use super::*;
use crate::element::ElementId;
use crate::flow::Detail;
use crate::flow::EndReason;
use crate::flow::FlowBatch;
use crate::flow::FlowKey;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::flowlog::Definition;
use crate::flowlog::Device;
use crate::flowlog::ExporterMatch;
use crate::flowlog::FlowLog;
use crate::flowlog::OutputType;
use crate::flowlog::RoutingTable;
use crate::flowlog::Verdict;
use crate::logstore::disk::Disk;
use crate::logstore::faults::Faults;
use crate::session::TimeFlags;

/// Two gateways, one in a logstore, the other only re-exported.
pub(super) fn table() -> RoutingTable {
    let mut exported = FlowLog::new("exported", "", "");
    exported.output = OutputType::Netflow;
    let server = "192.0.2.9:2055".parse().unwrap();
    exported.netflow.push(crate::flowlog::NetflowOutput {
        target: crate::flowlog::NetflowTarget::new(server, crate::flowlog::NetflowVersion::V9),
        filter: None,
    });
    let device = |id: &str, exporter: &str, log: &str| Device {
        instance_id: id.to_owned(),
        snid: Some(format!("sn-{id}")),
        ali_uid: None,
        exporters: vec![ExporterMatch {
            prefix: exporter.parse().unwrap(),
            domain: None,
        }],
        flow_logs: vec![log.to_owned()],
        ..Device::default()
    };
    let definition = Definition {
        flow_logs: vec![FlowLog::new("kept", "sag", "flows"), exported],
        devices: vec![
            device("sag-1", "198.51.100.1/32", "kept"),
            device("sag-2", "198.51.100.2/32", "exported"),
        ],
        ..Definition::default()
    };
    RoutingTable::compile(&definition, None).unwrap()
}

pub(super) fn route(table: &RoutingTable, exporter: IpAddr) -> u16 {
    let Verdict::Routes([route]) = table.verdict(exporter, 0) else {
        panic!("{exporter} has not one route");
    };
    route.0
}

pub(super) fn record(route: u16, octets: u64) -> FlowRecord {
    let address = |last| Ipv4Addr::new(10, 0, 0, last).to_ipv6_mapped().octets();
    FlowRecord {
        key: FlowKey {
            src: address(1),
            dst: address(2),
            dst_port: 443,
            present: Presence::all(),
            route,
            ..FlowKey::default()
        },
        octets,
        packets: 1,
        start_ms: HOUR,
        end_ms: HOUR + 500,
        flows: 1,
        records: 2,
        src_as: 0,
        dst_as: 0,
        next_hop: 0,
        tcp_flags: 0x12,
        src_mask: 0,
        dst_mask: 0,
        forwarding_status: 0,
        end_reason: EndReason::Idle,
        time_flags: TimeFlags::empty(),
        flags: RecordFlags::empty(),
        event: None,
    }
}

fn amount(records: u64, octets: u64, packets: u64) -> Amount {
    Amount {
        records,
        octets,
        packets,
    }
}

/// Two flows of each of two exporters, by turns.
fn four_flows(table: &RoutingTable) -> RecordBatch {
    let exporters: [IpAddr; 2] = ["198.51.100.1", "198.51.100.2"].map(|ip| ip.parse().unwrap());
    let extra = Detail {
        extra: vec![(ElementId::iana(82), b"eth0".as_slice().into())],
        ..Detail::default()
    };
    let mut batch = FlowBatch::default();
    for (octets, detail) in [(1, None), (2, Some(&extra))] {
        for exporter in exporters {
            let record = record(route(table, exporter), octets);
            batch.push(&record, detail, exporter, 7);
        }
    }
    batch.into_arrow(table).unwrap()
}

#[test]
fn every_column_comes_back_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let table = table();
    let rows = four_flows(&table);
    // As they were pushed: one row of each exporter, then another.
    for (row, place) in [("sag", "flows"), ("flowlogd", "netflow")]
        .into_iter()
        .cycle()
        .take(4)
        .enumerate()
    {
        let rows = rows.slice(row, 1);
        store.append_next(place.0, place.1, &rows, HOUR).unwrap();
    }
    let sql = "SELECT seq, \"Instance_id\", snid, \"flow-log\", exporter, srcaddr, dstport, bytes, \
               \"tcp-flags\", domain, records, \"end\", rest, nexthop \
               FROM flows ORDER BY \"Instance_id\", seq";
    let row = |seq: u64, id: &str, log: &str, exporter: &str, octets: u64, rest: Value| {
        vec![
            json!(seq),
            json!(id),
            json!(format!("sn-{id}")),
            json!(log),
            json!(exporter),
            json!("10.0.0.1"),
            json!(443),
            json!(octets),
            json!(0x12),
            json!(7),
            json!(2),
            json!("2026-11-21T04:00:00.500Z"),
            rest,
            Value::Null,
        ]
    };
    let rest = json!({"interfaceName": "eth0"});
    let expected = [
        row(0, "sag-1", "kept", "198.51.100.1", 1, Value::Null),
        row(1, "sag-1", "kept", "198.51.100.1", 2, rest.clone()),
        row(0, "sag-2", "exported", "198.51.100.2", 1, Value::Null),
        row(1, "sag-2", "exported", "198.51.100.2", 2, rest),
    ];
    assert_eq!(rows_of(&store, sql), expected);
    let count = "SELECT count(*) FROM flows WHERE element(rest, 'interfaceName') = 'eth0'";
    assert_eq!(rows_of(&store, count), [[json!(2)]]);
    store.flush().unwrap();
    assert_eq!(rows_of(&store, count), [[json!(2)]]);
    assert_eq!(rows_of(&store, sql), expected);
    maintain(&store, HOUR + 3_600_000);
    assert_eq!(rows_of(&store, sql), expected);
    let names: Vec<String> = store
        .parts()
        .iter()
        .map(|part| part.logstore.to_string())
        .collect();
    assert_eq!(names, ["flowlogd/netflow", "sag/flows"]);
    let stats = store.stats();
    assert_eq!(
        (stats.appended, stats.durable),
        (amount(8, 6, 4), amount(8, 6, 4))
    );
}

#[test]
fn rows_that_fit_no_logstore_are_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path());
    settings.logstores_max = 1;
    let store = LogStore::open(settings).unwrap();
    let refusal = |project: &str, logstore: &str, rows: &RecordBatch| {
        let refused = store.append_next(project, logstore, rows, HOUR);
        refused.unwrap_err().to_string()
    };
    let good = rows(HOUR, &[1]);
    store.append_next("sag", "flows", &good, HOUR).unwrap();
    assert_eq!(
        refusal("sag", "others", &good),
        "there are 1 logstores already, the most there may be"
    );
    assert_eq!(
        refusal("..", "flows", &good),
        "project name \"..\" must be 3 to 63 characters long"
    );
    let column: ArrayRef = Arc::new(UInt64Array::from(vec![1]));
    let unknown = RecordBatch::try_from_iter([("surprise", column)]).unwrap();
    assert_eq!(
        refusal("sag", "flows", &unknown),
        "column \"surprise\" is not in schema version 2"
    );
    assert_eq!(store.stats().refused_unfit, amount(2, 2, 2));
    assert_eq!(store.stats().appended, amount(1, 1, 1));
    assert!(!dir.path().join("sag/others").exists());
}

#[test]
fn half_a_log_time_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let seconds: ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![5]));
    let rows = RecordBatch::try_from_iter([("__time__", seconds)]).unwrap();
    store
        .append_rows("sag", "flows", &rows, 1, HOUR + 250)
        .unwrap();
    store.flush().unwrap();
    let times = rows_of(&store, "SELECT __time__, __time_ns_part__ FROM flows");
    assert_eq!(times, [[json!(HOUR / 1000), json!(250_000_000)]]);
    let numbers: ArrayRef = Arc::new(UInt64Array::from(vec![5]));
    let rows = RecordBatch::try_from_iter([("seq", numbers)]).unwrap();
    let refused = store.append_rows("sag", "flows", &rows, 2, HOUR);
    assert!(
        matches!(refused, Err(AppendError::Schema(_))),
        "{refused:?}"
    );
}

#[test]
fn a_full_memory_refuses_rows_only_when_the_disk_takes_none() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::after(usize::MAX));
    let disk = Disk::failing(&faults);
    let mut settings = Settings::new(dir.path());
    settings.tail_bytes = 200_000;
    let store = LogStore::open_on(settings, disk).unwrap();
    let many = rows(HOUR, &(0..1000).collect::<Vec<_>>());
    store.append_next("sag", "flows", &many, HOUR).unwrap();
    faults.stop_after(0);
    let mut taken = 1;
    let error = loop {
        match store.append_next("sag", "flows", &many, HOUR) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 20, "memory grows without end");
    };
    assert!(matches!(error, AppendError::Full(_)), "{error}");
    assert!(store.stats().tail_bytes <= 400_000);
    assert_eq!(store.stats().appended.records, taken * 1000);
    assert_eq!(store.stats().refused_full.records, 1000);
    assert_eq!(store.stats().write_errors, 1, "a failing disk is let be");
    faults.heal();
    let rested = HOUR + 5_000;
    store.append_next("sag", "flows", &many, rested).unwrap();
    let count = rows_of(&store, "SELECT count(*) FROM flows");
    assert_eq!(count, [[json!((taken + 1) * 1000)]]);
}

#[test]
fn the_numbers_flows_had_in_the_cache_are_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let table = table();
    let exporter: IpAddr = "198.51.100.1".parse().unwrap();
    let mut batch = FlowBatch::default();
    let flow = record(route(&table, exporter), 9);
    batch.push_flow(&flow, None, (exporter, 7), 1234);
    let rows = batch.into_arrow(&table).unwrap();
    assert_eq!(crate::flow::serials(&rows).collect::<Vec<_>>(), [1234]);
    store.append_next("sag", "flows", &rows, HOUR).unwrap();
    for _ in 0..2 {
        let answer = ask(&store, "SELECT * FROM flows").unwrap();
        assert_eq!(answer.rows.len(), 1);
        let names: Vec<_> = answer.columns.iter().map(|column| &column.name).collect();
        assert!(
            names.iter().all(|name| **name != crate::flow::SERIAL),
            "{names:?}"
        );
        store.flush().unwrap();
    }
}
