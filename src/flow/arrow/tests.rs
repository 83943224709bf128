//! Every column by value.

use std::net::Ipv6Addr;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::types::TimestampMillisecondType;

use super::*;
use crate::element::ElementId;
use crate::flow::COLUMNS;
use crate::flow::Detail;
use crate::flow::EndReason;
use crate::flow::Event;
use crate::flow::FlowKey;
use crate::flow::FlowRecord;
use crate::flow::RecordFlags;
use crate::session::SamplingRate;
use crate::session::TimeFlags;

struct Routes;

impl RouteNames for Routes {
    fn names(&self, route: u16) -> Names<'_> {
        match route {
            1 => Names {
                flow_log: "branch",
                instance_id: Some("sag-1"),
                snid: Some("sn-1"),
                ali_uid: Some("123"),
            },
            _ => Names {
                flow_log: "default",
                ..Names::default()
            },
        }
    }
}

fn v4(last: u8) -> [u8; 16] {
    Ipv4Addr::new(10, 0, 0, last).to_ipv6_mapped().octets()
}

/// A record with a value in every column.
fn full() -> FlowRecord {
    FlowRecord {
        key: FlowKey {
            src: v4(1),
            dst: v4(2),
            in_if: 3,
            out_if: 4,
            vrf: 5,
            sampling: SamplingRate {
                out_of: 3,
                picked: 2,
            },
            present: Presence::all(),
            src_port: 6,
            dst_port: 7,
            vlan: 8,
            route: 1,
            protocol: 9,
            tos: 10,
            direction: 1,
            forwarding_class: 1,
            ..FlowKey::default()
        },
        octets: 11,
        packets: 12,
        start_ms: 13,
        end_ms: 14,
        flows: 15,
        records: 16,
        src_as: 17,
        dst_as: 18,
        next_hop: 0x0a00_0009,
        tcp_flags: 19,
        src_mask: 20,
        dst_mask: 21,
        forwarding_status: 64,
        end_reason: EndReason::Active,
        time_flags: TimeFlags::EXPORTER,
        flags: RecordFlags::empty(),
        event: None,
    }
}

fn detail() -> Detail {
    Detail {
        nat_src: Some(Ipv4Addr::new(192, 0, 2, 1).into()),
        nat_dst: Some(Ipv6Addr::LOCALHOST.into()),
        nat_src_port: Some(22),
        nat_dst_port: Some(23),
        src_mac: Some([1, 2, 3, 4, 5, 0xff]),
        dst_mac: Some([0; 6]),
        mpls_label: Some(24),
        layer2_octets: Some(25),
        extra: vec![
            (ElementId::iana(82), b"eth0\0\0".as_slice().into()),
            (ElementId::iana(1), [1, 2].as_slice().into()),
            (ElementId::iana(1), [3].as_slice().into()),
        ],
        ..Detail::default()
    }
}

fn batch(rows: &[(FlowRecord, Option<Detail>)]) -> RecordBatch {
    let mut batch = FlowBatch::default();
    for (record, detail) in rows {
        let exporter = Ipv4Addr::new(198, 51, 100, 1).into();
        batch.push(record, detail.as_ref(), exporter, 77);
    }
    batch.into_arrow(&Routes).unwrap()
}

/// The value of a column as text, null as `-`.
fn value(batch: &RecordBatch, name: &str, row: usize) -> String {
    let array = batch.column_by_name(name).unwrap();
    if array.is_null(row) {
        return "-".to_owned();
    }
    let numbers = [
        number::<UInt8Type>,
        number::<UInt16Type>,
        number::<UInt32Type>,
        number::<UInt64Type>,
        number::<Float64Type>,
        number::<TimestampMillisecondType>,
    ];
    if let Some(number) = numbers.iter().find_map(|number| number(array, row)) {
        return number;
    }
    let array = array.as_dictionary::<Int32Type>();
    let key = usize::try_from(array.keys().value(row)).unwrap();
    array.values().as_string::<i32>().value(key).to_owned()
}

fn number<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize) -> Option<String>
where
    T::Native: ToString,
{
    let array = array.as_primitive_opt::<T>()?;
    Some(array.value(row).to_string())
}

/// What a firewall says of a connection it made: no counters.
fn event() -> FlowRecord {
    FlowRecord {
        event: Some(Event::NselCreated),
        flags: RecordFlags::SAMPLING_UNKNOWN,
        ..FlowRecord::default()
    }
}

#[test]
fn every_column_says_what_the_record_says() {
    let batch = batch(&[(full(), Some(detail())), (event(), None)]);
    let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
    let schema = batch.schema();
    let found: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(found, names);
    let row = |row| {
        let values = names[..42].iter().map(|name| value(&batch, name, row));
        values.collect::<Vec<_>>().join(" ")
    };
    let flow = "13 14 10.0.0.1 10.0.0.2 6 7 9 11 12 15 19 10 3 4 17 18 20 21 10.0.0.9 8 1 5 \
                1.5 64 2 198.51.100.1 77 branch sag-1 sn-1 123 16 - 1 192.0.2.1 ::1 22 23 \
                01:02:03:04:05:ff 00:00:00:00:00:00 24 25";
    assert_eq!(row(0), flow);
    let event = "0 0 - - - - - - - - - - - - - - - - - - - - - - - 198.51.100.1 77 default - - - \
                 1 nsel-created 0 - - - - - - - -";
    assert_eq!(row(1), event);
}

#[test]
fn columns_that_all_rows_lack_are_left_out() {
    let batch = batch(&[(event(), None), (event(), None)]);
    let schema = batch.schema();
    let found: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let expected = [
        "start",
        "end",
        "exporter",
        "domain",
        "flow-log",
        "records",
        "event",
        "time-quality",
    ];
    assert_eq!(found, expected);
    assert_eq!(batch.num_rows(), 2);
}

#[test]
fn a_batch_without_rows_has_no_columns() {
    let batch = batch(&[]);
    assert_eq!((batch.num_rows(), batch.num_columns()), (0, 0));
}

#[test]
fn a_flow_that_counted_nothing_counted_zero() {
    let batch = batch(&[(FlowRecord::default(), None)]);
    assert_eq!(value(&batch, "bytes", 0), "0");
}

#[test]
fn tcp_flags_are_there_where_they_were_told() {
    let flow = |tcp_flags, flags| FlowRecord {
        tcp_flags,
        flags,
        ..FlowRecord::default()
    };
    let batch = batch(&[
        (flow(0, RecordFlags::empty()), None),
        (flow(0, RecordFlags::TCP_FLAGS), None),
        (flow(0x12, RecordFlags::TCP_FLAGS), None),
    ]);
    let column = batch.column_by_name("tcp-flags").unwrap();
    assert!(column.is_null(0));
    assert_eq!(value(&batch, "tcp-flags", 1), "0");
    assert_eq!(value(&batch, "tcp-flags", 2), "18");
}

#[test]
fn an_ipv6_next_hop_stands_where_there_is_no_ipv4_one() {
    let six = Detail {
        next_hop_v6: Some(Ipv6Addr::LOCALHOST.octets()),
        ..Detail::default()
    };
    let batch = batch(&[
        (event(), None),
        (event(), Some(six.clone())),
        (full(), Some(six)),
    ]);
    let hop = |row| value(&batch, "nexthop", row);
    assert_eq!([hop(0), hop(1), hop(2)], ["-", "::1", "10.0.0.9"]);
}

#[test]
fn extra_elements_are_text_or_octets_by_name() {
    let batch = batch(&[(event(), None), (event(), Some(detail()))]);
    let rest = batch.column_by_name("rest").unwrap().as_map();
    assert!(rest.is_null(0));
    let entries = rest.value(1);
    let keys: Vec<_> = entries
        .column(0)
        .as_string::<i32>()
        .iter()
        .flatten()
        .collect();
    let values: Vec<_> = entries
        .column(1)
        .as_binary::<i32>()
        .iter()
        .flatten()
        .collect();
    assert_eq!(
        keys,
        ["interfaceName", "octetDeltaCount", "octetDeltaCount#2"]
    );
    let expected: [&[u8]; 3] = [b"eth0", &[1, 2], &[3]];
    assert_eq!(values, expected);
}

#[test]
fn text_that_is_none_is_mended() {
    let detail = Detail {
        extra: vec![(ElementId::iana(82), [b'a', 0xff, 0].as_slice().into())],
        ..Detail::default()
    };
    let batch = batch(&[(event(), Some(detail))]);
    let entries = batch.column_by_name("rest").unwrap().as_map().value(0);
    let value = entries.column(1).as_binary::<i32>().value(0).to_vec();
    assert_eq!(value, "a\u{fffd}".as_bytes());
}

#[test]
fn numbers_are_handed_over_without_a_copy() {
    let mut batch = FlowBatch::default();
    batch.push(&full(), None, Ipv4Addr::LOCALHOST.into(), 0);
    let octets = batch.columns.octets.as_ptr();
    let batch = batch.into_arrow(&Routes).unwrap();
    let column = batch.column_by_name("bytes").unwrap();
    assert_eq!(
        column.as_primitive::<UInt64Type>().values().as_ptr(),
        octets
    );
}

#[test]
fn the_schema_of_a_batch_is_part_of_the_schema() {
    let batch = batch(&[(full(), Some(detail()))]);
    for field in batch.schema().fields() {
        assert_eq!(
            schema().field_with_name(field.name()).unwrap(),
            field.as_ref()
        );
    }
    assert_eq!(batch.schema().metadata(), schema().metadata());
}

#[test]
fn rows_of_the_cache_carry_their_flows_numbers_through_the_journals_form() {
    let mut flows = FlowBatch::default();
    let origin = (std::net::IpAddr::from([192, 0, 2, 1]), 7);
    flows.push_flow(&full(), None, origin, 5);
    flows.push(&full(), None, origin.0, origin.1);
    flows.push_flow(&full(), None, origin, u64::MAX);
    let rows = flows.into_arrow(&Routes).unwrap();
    assert!(schema().column_with_name(SERIAL).is_none());
    let read = from_ipc(to_ipc(&rows).unwrap().into()).unwrap();
    assert_eq!(serials(&read).collect::<Vec<_>>(), [5, u64::MAX]);
    // Records that were in no cache need no such column.
    assert_eq!(serials(&batch(&[(full(), None)])).count(), 0);
}
