//! What we write is what prost reads, and what others wrote.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::Just;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prop_assert_eq;
use proptest::prop_oneof;
use proptest::proptest;
use proptest::strategy::BoxedStrategy;
use prost::Message;

use super::*;
use crate::flow::COLUMNS;
use crate::flow::Kind;
use crate::flowlog::Naming;
use crate::sink::sls::LOG_BYTES_MAX;
use crate::sink::sls::VALUE_BYTES_MAX;
use crate::sink::sls::proto;
use crate::sink::sls::proto::LogGroup;
use crate::sink::sls::testing::Columns;
use crate::sink::sls::testing::Data;
use crate::sink::sls::testing::batch;

const NOW_S: u64 = 1_767_225_600;
const NOW_MS: i64 = 1_767_225_600_000;

fn rows(batch: &RecordBatch) -> FlowRows<'_> {
    FlowRows {
        batch,
        journal: 0xabc,
        first_seq: 41,
    }
}

fn header() -> GroupHeader {
    GroupHeader {
        topic: "netflow".to_owned(),
        source: "192.0.2.1".to_owned(),
        tags: vec![("site".to_owned(), "北京".to_owned())],
        pack_id: Some(PackId {
            prefix: 0x0123_4567_89ab_cdef,
            sequence: 0x1f,
        }),
    }
}

fn write(choice: &FieldChoice, batch: &RecordBatch) -> (Vec<u8>, Written) {
    let mut out = b"before".to_vec();
    let mut writer = LogGroupWriter::new(choice);
    let window = TimeWindow::around(NOW_S);
    let range = 0..batch.num_rows();
    let written = writer.write(&rows(batch), range, &header(), window, &mut out);
    let written = written.unwrap();
    assert_eq!(out.drain(..6).as_slice(), b"before");
    assert_eq!(written.raw_bytes, out.len());
    (out, written)
}

fn all_columns() -> FieldChoice {
    let names = COLUMNS.iter().map(|column| column.name);
    FieldChoice::new(Naming::Sag, names).unwrap()
}

/// Contents of the only log, `key=value` each.
fn only_log(choice: &FieldChoice, columns: &Columns) -> Vec<String> {
    let (octets, _) = write(choice, &batch(columns, 1));
    let mut group = LogGroup::decode(octets.as_slice()).unwrap();
    let contents = group.logs.remove(0).contents.into_iter();
    contents
        .map(|content| {
            let value = std::str::from_utf8(&content.value).unwrap();
            format!("{}={value}", content.key)
        })
        .collect()
}

fn text(value: &str) -> Data {
    Data::Text(vec![Some(value.to_owned())])
}

#[test]
fn a_flow_becomes_the_log_of_a_gateway() {
    let columns = vec![
        ("start", Data::Time(vec![Some(NOW_MS - 1)])),
        ("end", Data::Time(vec![Some(NOW_MS + 1)])),
        ("srcaddr", text("2001:db8::1")),
        ("dstaddr", text("10.0.0.1")),
        ("srcport", Data::U16(vec![Some(65_535)])),
        ("dstport", Data::U16(vec![Some(0)])),
        ("protocol", Data::U8(vec![Some(6)])),
        ("bytes", Data::U64(vec![Some(u64::MAX)])),
        ("packets", Data::U64(vec![Some(1)])),
        ("tcp-flags", Data::U16(vec![Some(27)])),
        ("tos", Data::U8(vec![None])),
        ("inport", Data::U32(vec![Some(u32::MAX)])),
        ("vlan", Data::U16(vec![Some(1)])),
        ("Instance_id", text("sag-1")),
    ];
    let log = only_log(&FieldChoice::default(), &columns);
    let expected = "Instance_id=sag-1 start=1767225599 end=1767225601 protocol=6 \
                    srcaddr=2001:db8::1 srcport=65535 dstaddr=10.0.0.1 dstport=0 packets=1 \
                    bytes=18446744073709551615 tcp-flags=27 inport=4294967295 \
                    flow-id=0000000000000abc-41";
    assert_eq!(log.join(" "), expected);
}

#[test]
fn a_flow_becomes_the_log_of_a_vpc() {
    let columns = vec![
        ("protocol", Data::U8(vec![Some(17)])),
        ("direction", Data::U8(vec![Some(1)])),
        ("forwarding-status", Data::U8(vec![Some(0x80)])),
        ("ali-uid", text("123")),
        ("Instance_id", text("eni-1")),
    ];
    let choice = FieldChoice::new(Naming::Vpc, []).unwrap();
    let log = only_log(&choice, &columns);
    let expected = "version=1 account-id=123 eni-id=eni-1 protocol=17 direction=out \
                    action=REJECT log-status=OK flow-id=0000000000000abc-41";
    assert_eq!(log.join(" "), expected);
}

#[test]
fn words_stand_only_for_what_is_known() {
    let choice = FieldChoice::new(Naming::Vpc, []).unwrap();
    let words = |direction, status| {
        let columns = vec![
            ("direction", Data::U8(vec![Some(direction)])),
            ("forwarding-status", Data::U8(vec![Some(status)])),
        ];
        let log = only_log(&choice, &columns);
        let words = log.into_iter();
        let words = words.filter(|field| field.starts_with("di") || field.starts_with("ac"));
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(words(0, 0x40), "direction=in action=ACCEPT");
    assert_eq!(words(1, 0xbf), "direction=out action=REJECT");
    assert_eq!(words(255, 0xc0), "action=ACCEPT");
    assert_eq!(words(2, 0x3f), "");
}

#[test]
fn a_factor_has_a_fraction_only_if_it_is_none_whole() {
    let choice = FieldChoice::new(Naming::Sag, ["sampling"]).unwrap();
    let factor = |value| {
        only_log(
            &choice,
            &vec![("sampling", Data::Factor(vec![Some(value)]))],
        )
    };
    assert_eq!(factor(64.0)[0], "sampling=64");
    assert_eq!(factor(1.5)[0], "sampling=1.5");
    assert_eq!(factor(f64::NAN), ["flow-id=0000000000000abc-41"]);
}

#[test]
fn elements_are_fields_of_their_own() {
    let elements = vec![
        ("interfaceName".to_owned(), Some(b"eth\xff0".to_vec())),
        ("interfaceName#2".to_owned(), Some("über".into())),
        ("octetDeltaCount".to_owned(), Some(vec![0, 0x1f])),
        ("9/99".to_owned(), Some(b"text?".to_vec())),
        ("flowId".to_owned(), None),
    ];
    let log = only_log(
        &FieldChoice::default(),
        &vec![("rest", Data::Map(vec![Some(elements)]))],
    );
    let expected = [
        "interfaceName=eth\u{fffd}0",
        "interfaceName#2=über",
        "octetDeltaCount=0x001f",
        "9/99=0x74657874 3f".replace(' ', "").as_str(),
        "flow-id=0000000000000abc-41",
    ]
    .map(str::to_owned);
    assert_eq!(log, expected);
}

#[test]
fn times_outside_the_window_are_clamped_and_counted() {
    let day_ms = 24 * 3600 * 1000;
    let ends = [-1, NOW_MS - 8 * day_ms, NOW_MS, NOW_MS + day_ms];
    let columns = vec![("end", Data::Time(ends.map(Some).to_vec()))];
    let (octets, written) = write(&FieldChoice::default(), &batch(&columns, 4));
    let group = LogGroup::decode(octets.as_slice()).unwrap();
    let times: Vec<_> = group.logs.iter().map(|log| log.time).collect();
    let (earliest, latest) = (1_767_225_600 - 604_740, 1_767_225_600 + 840);
    assert_eq!(times, [earliest, earliest, 1_767_225_600, latest]);
    assert_eq!((written.rows, written.clamped), (4, 3));
    let ends: Vec<_> = group
        .logs
        .iter()
        .map(|log| &log.contents[0].value)
        .collect();
    assert_eq!(ends, ["0", "1766534400", "1767225600", "1767312000"]);
}

#[test]
fn a_value_that_is_too_long_is_cut_between_characters() {
    let long = format!("a{}", "é".repeat(VALUE_BYTES_MAX / 2));
    let columns = vec![("flow-log", text(&long)), ("snid", text("sn"))];
    let choice = FieldChoice::new(Naming::Sag, ["flow-log"]).unwrap();
    let (octets, written) = write(&choice, &batch(&columns, 1));
    let group = LogGroup::decode(octets.as_slice()).unwrap();
    let value = &group.logs[0].contents[1].value;
    assert_eq!(value.len(), VALUE_BYTES_MAX - 1);
    assert_eq!(value.as_ref(), &long.as_bytes()[..VALUE_BYTES_MAX - 1]);
    assert_eq!(written.cut, 1);
}

#[test]
fn what_a_log_has_no_room_for_is_left_out() {
    let element = |n| (format!("9/{n}"), Some(vec![0xab; 400_000]));
    let elements = (0..9).map(element).collect();
    let columns = vec![("rest", Data::Map(vec![Some(elements)]))];
    let (octets, written) = write(&FieldChoice::default(), &batch(&columns, 1));
    let group = LogGroup::decode(octets.as_slice()).unwrap();
    let keys: Vec<_> = group.logs[0]
        .contents
        .iter()
        .map(|content| &content.key)
        .collect();
    assert_eq!(keys, ["9/0", "9/1", "9/2", "9/3", "9/4", "flow-id"]);
    assert_eq!(written.cut, 4);
    assert!(octets.len() <= LOG_BYTES_MAX + 200);
}

#[test]
fn a_column_of_another_type_is_our_fault() {
    let schema = arrow_schema::Field::new("bytes", arrow_schema::DataType::UInt8, true);
    let array = std::sync::Arc::new(arrow_array::UInt8Array::from(vec![1]));
    let schema = std::sync::Arc::new(arrow_schema::Schema::new(vec![schema]));
    let batch = RecordBatch::try_new(schema, vec![array]).unwrap();
    let mut out = Vec::new();
    let mut writer = LogGroupWriter::new(&FieldChoice::default());
    let window = TimeWindow::around(NOW_S);
    let refusal = writer.write(&rows(&batch), 0..1, &header(), window, &mut out);
    assert_eq!(refusal, Err(Unfit { column: "bytes" }));
    assert_eq!(out, b"");
}

/// A dictionary of one batch says nothing about that of the next.
#[test]
fn a_writer_remembers_nothing_of_the_batch_before() {
    let mut writer = LogGroupWriter::new(&FieldChoice::default());
    let mut sources = |journal, addresses: &[&str]| {
        let texts = addresses.iter().map(|text| Some((*text).to_owned()));
        let columns = vec![("srcaddr", Data::Text(texts.collect()))];
        let batch = batch(&columns, addresses.len());
        let rows = FlowRows {
            batch: &batch,
            journal,
            first_seq: 1,
        };
        let (mut out, window) = (Vec::new(), TimeWindow::around(NOW_S));
        let written = writer.write(&rows, 1..9, &header(), window, &mut out);
        assert_eq!(written.unwrap().rows, addresses.len() - 1);
        let group = LogGroup::decode(out.as_slice()).unwrap();
        let values = group.logs.into_iter().flat_map(|log| log.contents);
        let values = values.map(|content| String::from_utf8(content.value.to_vec()).unwrap());
        values.collect::<Vec<_>>()
    };
    assert_eq!(
        sources(1, &["a", "b", "a"]),
        ["b", "0000000000000001-2", "a", "0000000000000001-3"]
    );
    assert_eq!(sources(2, &["c", "d"]), ["d", "0000000000000002-2"]);
}

/// The LogGroup of `signature_vectors.json`, which Python's protobuf wrote; of
/// its two logs the first has nanoseconds, which ours never have.
const VECTOR: &str = "0a4a0880f2d6ca0612140a087372635f61646472120831302e302e302e3112180a0864\
    73745f61646472120c3139382e35312e3130302e37120d0a0562797465731204313530302515cd5b070a450881\
    f2d6ca0612140a087372635f61646472120831302e302e302e3212180a086473745f61646472120c3139382e35\
    312e3130302e37120d0a0562797465731204333030301a076e6574666c6f7722093139322e302e322e3132210a\
    0b5f5f7061636b5f69645f5f1212303132333435363738394142434445462d30";

fn vector() -> Vec<u8> {
    let digits = VECTOR.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn the_messages_are_those_of_the_official_sdk() {
    let group = LogGroup::decode(vector().as_slice()).unwrap();
    assert_eq!(group.logs[0].time_ns, Some(123_456_789));
    assert_eq!(group.logs[1].contents[0].value, "10.0.0.2");
    assert_eq!(group.topic.as_deref(), Some("netflow"));
    assert_eq!(group.encode_to_vec(), vector());
}

#[test]
fn the_official_sdk_writes_the_same_octets() {
    let field = |name, column| field::Field {
        name,
        source: field::Source::Column(column),
    };
    let choice = FieldChoice {
        fields: vec![
            field("src_addr", "srcaddr"),
            field("dst_addr", "dstaddr"),
            field("bytes", "bytes"),
        ],
    };
    let text = |texts: [&str; 2]| Data::Text(texts.map(|text| Some(text.to_owned())).to_vec());
    let columns = vec![
        ("end", Data::Time(vec![Some(NOW_MS), Some(NOW_MS + 1000)])),
        ("srcaddr", text(["10.0.0.1", "10.0.0.2"])),
        ("dstaddr", text(["198.51.100.7", "198.51.100.7"])),
        ("bytes", Data::U64(vec![Some(1500), Some(3000)])),
    ];
    let header = GroupHeader {
        topic: "netflow".to_owned(),
        source: "192.0.2.1".to_owned(),
        tags: Vec::new(),
        pack_id: Some(PackId {
            prefix: 0x0123_4567_89ab_cdef,
            sequence: 0,
        }),
    };
    let batch = batch(&columns, 2);
    let (mut out, window) = (Vec::new(), TimeWindow::around(NOW_S));
    let mut writer = LogGroupWriter::new(&choice);
    writer
        .write(&rows(&batch), 0..2, &header, window, &mut out)
        .unwrap();
    let mut expected = LogGroup::decode(vector().as_slice()).unwrap();
    expected.logs[0].time_ns = None;
    assert_eq!(out, expected.encode_to_vec());
}

fn data(kind: Kind, rows: usize) -> BoxedStrategy<Data> {
    let element = prop_oneof![
        Just("interfaceName".to_owned()),
        Just("interfaceName#2".to_owned()),
        Just("octetDeltaCount".to_owned()),
        "[0-9]{1,5}/[0-9]{1,5}",
    ];
    let texts = prop_oneof![Just(String::new()), "[a-c]", any::<String>()];
    let times = prop_oneof![any::<i64>(), NOW_MS - 2_000_000..NOW_MS + 2_000_000];
    match kind {
        Kind::Time => vec(of(times), rows).prop_map(Data::Time).boxed(),
        Kind::Text => vec(of(texts), rows).prop_map(Data::Text).boxed(),
        Kind::U8 => vec(any::<Option<u8>>(), rows).prop_map(Data::U8).boxed(),
        Kind::U16 => vec(any::<Option<u16>>(), rows).prop_map(Data::U16).boxed(),
        Kind::U32 => vec(any::<Option<u32>>(), rows).prop_map(Data::U32).boxed(),
        Kind::U64 => {
            let values = (any::<u64>(), 0_u32..64).prop_map(|(value, shift)| value >> shift);
            vec(of(values), rows).prop_map(Data::U64).boxed()
        }
        Kind::Factor => vec(of(any::<f64>()), rows).prop_map(Data::Factor).boxed(),
        Kind::Map => {
            let octets = prop_oneof![vec(any::<u8>(), 0..200), Just(b"eth\xff0".to_vec())];
            let elements = vec((element, of(octets)), 0..4);
            vec(of(elements), rows).prop_map(Data::Map).boxed()
        }
    }
}

/// Any values in any of the columns.
fn columns() -> impl Strategy<Value = (usize, Columns)> {
    (0_usize..6).prop_flat_map(|rows| {
        let column = |column: &'static crate::flow::Column| {
            let values = data(column.kind, rows);
            of(values).prop_map(move |values| values.map(|values| (column.name, values)))
        };
        let columns: Vec<_> = COLUMNS.iter().map(column).collect();
        let columns = columns.prop_map(|columns| columns.into_iter().flatten().collect());
        (Just(rows), columns)
    })
}

/// The log of a row, put together without Arrow.
fn expected(choice: &FieldChoice, columns: &Columns, row: usize) -> proto::Log {
    let named = |name: &str| columns.iter().find(|(column, _)| *column == name);
    let mut contents = Vec::new();
    for field in &choice.fields {
        let values = match named(field.name) {
            Some((name, data)) => data.contents(name, row),
            None if field.name == "flow-id" => {
                let id = format!("{:016x}-{}", 0xabc, 41 + row);
                vec![(field.name.to_owned(), id.into_bytes())]
            }
            None => Vec::new(),
        };
        contents.extend(values.into_iter().map(|(key, value)| proto::Content {
            key,
            value: value.into(),
        }));
    }
    let end = named("end").and_then(|(_, data)| {
        let Data::Time(times) = data else { return None };
        times[row]
    });
    let own = end.map_or(1_767_225_600, |ms| ms.div_euclid(1000));
    let time = own.clamp(1_767_225_600 - 604_740, 1_767_225_600 + 840);
    proto::Log {
        time: time.try_into().unwrap(),
        contents,
        time_ns: None,
    }
}

proptest! {
    #[test]
    fn prost_reads_what_the_rows_say((rows, columns) in columns()) {
        let choice = all_columns();
        let (octets, written) = write(&choice, &batch(&columns, rows));
        let tag = |key: &str, value: &str| proto::LogTag {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let group = LogGroup {
            logs: (0..rows).map(|row| expected(&choice, &columns, row)).collect(),
            topic: Some("netflow".to_owned()),
            source: Some("192.0.2.1".to_owned()),
            log_tags: vec![
                tag("site", "北京"),
                tag("__pack_id__", "0123456789ABCDEF-1F"),
            ],
            ..LogGroup::default()
        };
        prop_assert_eq!(written.rows, rows);
        let read = LogGroup::decode(octets.as_slice());
        prop_assert_eq!(read.as_ref(), Ok(&group));
        // Not only the same content: the shortest form of it.
        prop_assert_eq!(octets, group.encode_to_vec());
    }
}
