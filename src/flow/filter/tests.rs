use std::net::IpAddr;

use proptest::prelude::*;

use crate::flow::EndReason;
use crate::flow::Filter;
use crate::flow::FlowKey;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::flow::filter::DEPTH_MAX;
use crate::flow::filter::FilterError;
use crate::flow::filter::LENGTH_MAX;
use crate::flow::filter::Problem;
use crate::flow::filter::Subject;
use crate::session::SamplingRate;
use crate::session::SourceId;
use crate::session::TimeFlags;

/// Every key field there is.
const ALL: Presence = Presence::all();

/// 10.1.2.3:51000 → 192.0.2.80:443, TCP, 1 500 octets in 3 packets over 2 s.
fn record() -> FlowRecord {
    FlowRecord {
        key: FlowKey {
            src: mapped("10.1.2.3"),
            dst: mapped("192.0.2.80"),
            source: SourceId(0),
            in_if: 3,
            out_if: 7,
            vrf: 0,
            sampling: SamplingRate {
                out_of: 1,
                picked: 1,
            },
            present: ALL,
            src_port: 51_000,
            dst_port: 443,
            vlan: 12,
            route: 0,
            protocol: 6,
            tos: 0x10,
            direction: 0,
            forwarding_class: 0,
        },
        octets: 1_500,
        packets: 3,
        start_ms: 1_000,
        end_ms: 3_000,
        flows: 1,
        records: 1,
        src_as: 65_001,
        dst_as: 15_169,
        next_hop: 0xc000_0201,
        tcp_flags: 0x1b,
        src_mask: 8,
        dst_mask: 24,
        forwarding_status: 0,
        end_reason: EndReason::Unknown,
        time_flags: TimeFlags::empty(),
        flags: RecordFlags::empty(),
        event: None,
    }
}

fn mapped(address: &str) -> [u8; 16] {
    match address.parse().unwrap() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn passes(filter: &str, record: &FlowRecord) -> bool {
    let subject = Subject {
        record,
        detail: None,
        exporter: "203.0.113.9".parse().unwrap(),
        flow_log: "branch",
    };
    Filter::parse(filter).unwrap().matches(&subject)
}

fn sql(filter: &str) -> String {
    Filter::parse(filter).unwrap().to_sql()
}

fn refusal(filter: &str) -> (usize, Problem) {
    let FilterError { offset, problem } = Filter::parse(filter).unwrap_err();
    (offset, problem)
}

fn expected(offset: usize, expected: &'static str, found: &str) -> (usize, Problem) {
    let found = found.to_owned();
    (offset, Problem::Expected { expected, found })
}

#[test]
fn every_test_of_the_language_can_hold() {
    let filters = [
        "",
        "any",
        "src ip 10.1.2.3",
        "dst host 192.0.2.80",
        "ip 192.0.2.80",
        "ip in [10.9.9.9, 10.1.2.3 2001:db8::/32]",
        "net 10.0.0.0/8",
        "src net 10.0.0.0 255.0.0.0",
        "src net 10/8",
        "src or dst net 192.0.2.0/24",
        "not src and dst net 10.0.0.0/8",
        "port 443",
        "port in [80 443]",
        "dst port >= 443 and dst port le 443",
        "src port > 50000 && !dst port 80 || proto udp",
        "as 15169",
        "src as in [65001,65002]",
        "if 3 and in if 3 and out if 7",
        "next ip 192.0.2.1",
        "router ip 203.0.113.9",
        "exporter 203.0.113.0/24",
        "ident branch and flow-log 'branch'",
        "proto tcp and proto 6 and proto in [udp TCP]",
        "flags S and not flags RU",
        "bytes > 1k and bytes < 1m and packets = 3 and flows 1",
        "duration 2000 and bps 6000 and pps > 1 and pps < 2 and bpp 500",
        "tos 0x10 and vlan 12",
        "ipv4 and not inet6",
        "PROTO TCP AND NOT (DST PORT 80)",
    ];
    for filter in filters {
        assert!(passes(filter, &record()), "{filter}");
    }
}

#[test]
fn every_test_of_the_language_can_fail() {
    let filters = [
        "not any",
        "src ip 192.0.2.80",
        "ip in [10.9.9.9 2001:db8::/32]",
        "net ::/0",
        "src and dst net 10.0.0.0/8",
        "port 80",
        "src as 15169",
        "out if 3",
        "next ip 192.0.2.2",
        "router ip 10.1.2.3",
        "ident Branch",
        "proto udp",
        "flags SU",
        "not flags SU",
        "bytes > 1500",
        "bps > 6000",
        "ipv6",
    ];
    for filter in filters {
        assert!(!passes(filter, &record()), "{filter}");
    }
}

#[test]
fn and_binds_tighter_than_or() {
    assert!(passes("port 443 or port 80 and proto udp", &record()));
    assert!(!passes("(port 443 or port 80) and proto udp", &record()));
}

/// nfdump: "flags S and not flags AFRPU" are the flows with SYN alone.
#[test]
fn negated_flags_want_none_of_them() {
    let only_syn = "flags S and not flags AFRPU";
    assert!(!passes(
        only_syn,
        &FlowRecord {
            tcp_flags: 0x12,
            ..record()
        }
    ));
    assert!(passes(
        only_syn,
        &FlowRecord {
            tcp_flags: 0x02,
            ..record()
        }
    ));
}

/// As a null in SQL: the test fails, its negation holds.
#[test]
fn an_absent_field_fails_every_test_of_it() {
    let mut record = record();
    record.key.present = Presence::SRC;
    for filter in [
        "port 443",
        "port < 65535",
        "dst ip 192.0.2.80",
        "if 3",
        "proto tcp",
        "tos 16",
        "vlan 12",
    ] {
        assert!(!passes(filter, &record), "{filter}");
        assert!(passes(&format!("not {filter}"), &record), "{filter}");
    }
    assert!(passes("src ip 10.1.2.3", &record));
}

#[test]
fn a_rate_over_no_time_is_zero() {
    let instant = FlowRecord {
        end_ms: 1_000,
        ..record()
    };
    assert!(passes("bps 0 and pps = 0 and duration 0", &instant));
}

#[test]
fn refusals_name_the_byte_and_what_was_expected() {
    let test = "a test such as `dst port 443`, `not` or `(`";
    assert_eq!(
        refusal("src prot 80"),
        expected(4, "`ip`, `host`, `net`, `port` or `as`", "`prot`")
    );
    assert_eq!(
        refusal("port"),
        expected(4, "a port number or `in [`", "the end")
    );
    assert_eq!(
        refusal("port 80 443"),
        expected(8, "`and`, `or` or the end", "`443`")
    );
    assert_eq!(
        refusal("(port 80"),
        expected(8, "`and`, `or` or `)`", "the end")
    );
    assert_eq!(refusal("port 80 and"), expected(11, test, "the end"));
    assert_eq!(refusal("colour red"), expected(0, test, "`colour`"));
    assert_eq!(refusal("port in 80"), expected(8, "`[`", "`80`"));
    assert_eq!(
        refusal("port in []"),
        expected(9, "a port number or `in [`", "`]`")
    );
    assert_eq!(
        refusal("proto xyz"),
        expected(6, "a protocol's name or number", "`xyz`")
    );
    assert_eq!(
        refusal("flags Q"),
        expected(6, "TCP flags out of the letters FSRPAUECX", "`Q`")
    );
    assert_eq!(
        refusal("port 80 ; drop"),
        expected(8, "a word, number or address", "`;`")
    );
    assert_eq!(
        refusal("ident 'open"),
        expected(6, "a word, number or address", "`'`")
    );
    let address = "an address or network such as 10.0.0.0/8";
    assert_eq!(
        refusal("net 10.0.0.0/33"),
        expected(4, address, "`10.0.0.0/33`")
    );
    assert_eq!(refusal("ip in [10.0.0.1 x]"), expected(16, address, "`x`"));
    assert_eq!(
        refusal("port 65536"),
        (5, Problem::OutOfRange { max: 65_535 })
    );
    assert_eq!(
        refusal("port 80k"),
        expected(5, "a port number or `in [`", "`80k`")
    );
    assert_eq!(refusal("bytes 99999999999g").0, 6);
}

#[test]
fn a_caret_points_at_the_fault() {
    let text = "src ip ä";
    let error = Filter::parse(text).unwrap_err();
    let caret = "src ip ä\n       ^ expected an address or network such as 10.0.0.0/8, found `ä`";
    assert_eq!(error.caret(text), caret);
}

#[test]
fn nesting_and_length_have_a_limit() {
    let nested = |depth: usize| format!("{}port 80{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(
        refusal(&nested(DEPTH_MAX + 1)),
        (DEPTH_MAX + 1, Problem::TooDeep)
    );
    assert_eq!(
        refusal(&"not ".repeat(DEPTH_MAX + 1)),
        (4 * (DEPTH_MAX + 1), Problem::TooDeep)
    );
    assert!(Filter::parse(&" ".repeat(LENGTH_MAX)).is_ok());
    assert_eq!(
        refusal(&" ".repeat(LENGTH_MAX + 1)),
        (LENGTH_MAX, Problem::TooLong)
    );
}

#[test]
fn sql_quotes_names_and_prints_canonical_addresses() {
    assert_eq!(sql(""), "TRUE");
    assert_eq!(sql("ident \"o'brien\""), "\"flow-log\" = 'o''brien'");
    assert_eq!(sql("src ip 2001:DB8:0::1"), "\"srcaddr\" = '2001:db8::1'");
    assert_eq!(sql("src ip ::ffff:10.0.0.1"), "\"srcaddr\" = '10.0.0.1'");
    assert_eq!(
        sql("dst port 443 and src net 10.1.2.3/8"),
        "(\"dstport\" = 443 AND cidr_contains('10.0.0.0/8', \"srcaddr\"))"
    );
    assert_eq!(
        sql("host in [10.0.0.1 10.0.0.2 10.1.0.0/16]"),
        "((\"srcaddr\" IN ('10.0.0.1', '10.0.0.2') OR cidr_contains('10.1.0.0/16', \"srcaddr\")) \
         OR (\"dstaddr\" IN ('10.0.0.1', '10.0.0.2') OR cidr_contains('10.1.0.0/16', \"dstaddr\")))"
    );
    assert_eq!(sql("proto in [tcp 17]"), "\"protocol\" IN (6, 17)");
}

#[test]
fn sql_pushes_negation_to_the_tests_so_that_nulls_pass_them() {
    assert_eq!(
        sql("not (src port 80 or flags SA)"),
        "((\"srcport\" = 80) IS NOT TRUE AND ((\"tcp-flags\" & 18) <> 0) IS NOT TRUE)"
    );
    assert_eq!(sql("not not flags S"), "(\"tcp-flags\" & 2) = 2");
}

/// A filter built the naive way: text beside a closure.
#[derive(Clone, Debug)]
enum Naive {
    SrcNet(u8, u8),
    DstPort(u16),
    PortIn(u16, u16),
    BytesAbove(u64),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

impl Naive {
    fn text(&self) -> String {
        match self {
            Self::SrcNet(octet, bits) => format!("src net {octet}.77.3.9/{bits}"),
            Self::DstPort(port) => format!("DST port {port}"),
            Self::PortIn(a, b) => format!("port in [{a},{b}]"),
            Self::BytesAbove(k) => format!("bytes>{k}k"),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::And(a, b) => format!("({}) and ({})", a.text(), b.text()),
            Self::Or(a, b) => format!("({}) or ({})", a.text(), b.text()),
        }
    }

    fn passes(&self, record: &FlowRecord) -> bool {
        let key = &record.key;
        match self {
            Self::SrcNet(octet, bits) => {
                let own = u32::from_be_bytes([*octet, 77, 3, 9]);
                let [.., a, b, c, d] = key.src;
                let other = u32::from_be_bytes([a, b, c, d]);
                (0..u32::from(*bits)).all(|bit| (own ^ other) & (1 << (31 - bit)) == 0)
            }
            Self::DstPort(port) => key.dst_port == *port,
            Self::PortIn(a, b) => [key.src_port, key.dst_port]
                .iter()
                .any(|port| port == a || port == b),
            Self::BytesAbove(k) => record.octets > k * 1000,
            Self::Not(inner) => !inner.passes(record),
            Self::And(a, b) => a.passes(record) && b.passes(record),
            Self::Or(a, b) => a.passes(record) || b.passes(record),
        }
    }
}

fn naive() -> impl Strategy<Value = Naive> {
    let leaf = prop_oneof![
        (9..12_u8, 0..=32_u8).prop_map(|(octet, bits)| Naive::SrcNet(octet, bits)),
        (1..4_u16).prop_map(Naive::DstPort),
        (1..4_u16, 1..4_u16).prop_map(|(a, b)| Naive::PortIn(a, b)),
        (0..4_u64).prop_map(Naive::BytesAbove),
    ];
    leaf.prop_recursive(5, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| Naive::Not(Box::new(a))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Naive::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Naive::Or(Box::new(a), Box::new(b))),
        ]
    })
}

proptest! {
    #[test]
    fn evaluation_agrees_with_the_naive_one(
        filter in naive(), octet in 9..12_u8, src_port in 1..4_u16, dst_port in 1..4_u16, octets in 0..5_000_u64,
    ) {
        let mut record = record();
        record.key.src = mapped(&format!("{octet}.77.3.9"));
        record.key.src_port = src_port;
        record.key.dst_port = dst_port;
        record.octets = octets;
        prop_assert_eq!(passes(&filter.text(), &record), filter.passes(&record), "{}", filter.text());
    }

    #[test]
    fn any_text_is_read_or_refused_within_its_length(text in "[ -~äß\n]{0,80}") {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(error.offset <= text.len());
            prop_assert!(text.is_char_boundary(error.offset));
            prop_assert_eq!(error.caret(&text).lines().count(), 2);
        }
    }

    #[test]
    fn words_of_the_language_in_any_order_never_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "src", "dst", "and", "or", "not", "(", ")", "[", "]", "in", "port", "ip", "net", "10.0.0.0/8",
                "80", "flags", "SA", "proto", "tcp", ">", "bytes", "1k", "if", "'x'", ",", "255.0.0.0", "next",
            ]),
            0..12,
        ),
    ) {
        let text = words.join(" ");
        if let Ok(filter) = Filter::parse(&text) {
            let sql = filter.to_sql();
            prop_assert_eq!(sql.matches('(').count(), sql.matches(')').count());
        }
    }
}
