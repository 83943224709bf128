use clap::Parser;
use serde_json::json;

use super::*;
use crate::api::QueryAnswer;
use crate::cli::Exit;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(words: &[&str]) -> Args {
    Line::try_parse_from(["top"].iter().chain(words))
        .unwrap()
        .args
}

fn asked(words: &[&str]) -> Result<Question, Failure> {
    question(
        &args(words),
        "2026-11-21T12:00:00Z".parse().unwrap(),
        &TimeZone::UTC,
    )
}

fn answer(rows: serde_json::Value) -> QueryAnswer {
    QueryAnswer {
        rows: serde_json::from_value(rows).unwrap(),
        complete_to: Some("2026-11-21T11:59:50Z".to_owned()),
        open_flows: 12,
        ..QueryAnswer::default()
    }
}

/// Two sources over 20 s; 11:45:00.250 is 1 795 261 500 250.
fn two_sources() -> QueryAnswer {
    let total = [
        1_795_261_500_250_u64,
        1_795_261_520_250,
        4,
        3_000_100,
        2_500_000_000,
    ];
    let row = |key: &str, first: u64, flows: u64, packets: u64, bytes: u64| {
        let mut row = vec![json!(key), json!(first), json!(1_795_261_520_250_u64)];
        row.extend([json!(flows), json!(packets), json!(bytes)]);
        row.extend(total.map(|number| json!(number)));
        row
    };
    answer(json!([
        row("10.0.0.1", 1_795_261_500_250, 3, 3_000_000, 2_000_000_000),
        row("2001:db8::1\u{1b}", 1_795_261_510_250, 1, 100, 500_000_000),
    ]))
}

fn printed(ranking: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    ranking(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_table_is_nfdumps() {
    let question = asked(&["srcaddr", "--by", "bytes"]).unwrap();
    let ranking = Ranking::new(&question, &two_sources());
    let table = printed(|out| ranking.table(out, &TimeZone::UTC));
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[..7],
        [
            "Top 2 Src IP Addr ordered by bytes:",
            "Date first seen          Duration Proto       Src IP Addr    Flows(%)     Packets(%)       Bytes(%)         pps      bps   bpp",
            "2026-11-21 11:45:00.250    20.000 any            10.0.0.1        3(75.0)    3.0 M(100.0)    2.0 G(80.0)   150000  800.0 M   666",
            "2026-11-21 11:45:10.250    10.000 any   2001:db8::1\\u{1b}        1(25.0)      100( 0.0)  500.0 M(20.0)       10  400.0 M 5000000",
            "",
            "Summary: total flows: 4, total bytes: 2.5 G, total packets: 3.0 M, avg bps: 1.0 G, avg pps: 150005, avg bpp: 833",
            "Time window: 2026-11-21 11:45:00.250 - 2026-11-21 11:45:20.250",
        ]
    );
    assert!(lines[7].starts_with("complete to "), "{}", lines[7]);
    assert!(
        lines[7].ends_with("; 12 open flows not included"),
        "{}",
        lines[7]
    );
}

#[test]
fn csv_and_json_carry_the_same_numbers() {
    let question = asked(&["srcaddr"]).unwrap();
    let ranking = Ranking::new(&question, &two_sources());
    let csv = printed(|out| ranking.csv(out, &TimeZone::UTC));
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(
        lines[0],
        "ts,te,td,pr,val,fl,flP,ipkt,ipktP,ibyt,ibytP,ipps,ibps,ibpp"
    );
    assert_eq!(
        lines[1],
        "2026-11-21 11:45:00.250,2026-11-21 11:45:20.250,20.000,any,10.0.0.1,3,75.0,3000000,100.0,2000000000,80.0,150000,800000000,666"
    );
    let json: serde_json::Value = serde_json::from_str(&printed(|out| ranking.json(out))).unwrap();
    assert_eq!(json["top"][0]["srcaddr"], "10.0.0.1");
    assert_eq!(json["top"][1]["bytes"], 500_000_000);
    assert_eq!(json["total"]["bps"], 1_000_000_000);
}

#[test]
fn protocols_have_names_and_absent_values_are_dashes() {
    let question = asked(&["proto,dstport"]).unwrap();
    let rows = json!([
        [6, 443, 0, 1000, 1, 1, 40, 0, 1000, 2, 2, 80],
        [1, null, 0, 0, 1, 1, 40, 0, 1000, 2, 2, 80]
    ]);
    let ranking = Ranking::new(&question, &answer(rows));
    let table = printed(|out| ranking.table(out, &TimeZone::UTC));
    assert!(
        table.starts_with("Top 2 Protocol,Dst Port ordered by flows:\n"),
        "{table}"
    );
    let line = "1970-01-01 00:00:00.000     1.000 TCP                 TCP               443        1(50.0)";
    assert!(table.contains(line), "{table}");
    let line = "1970-01-01 00:00:00.000     0.000 ICMP               ICMP                 -        1(50.0)";
    assert!(table.contains(line), "{table}");
}

#[test]
fn each_end_counts_for_either_but_the_total_counts_flows_once() {
    let question = asked(&["port", "--by", "bytes"]).unwrap();
    assert_eq!(sql::question(&question).matches("UNION ALL").count(), 1);
    let rows = json!([[443, 0, 1000, 2, 4, 80, 0, 1000, 4, 8, 160]]);
    let table = printed(|out| Ranking::new(&question, &answer(rows)).table(out, &TimeZone::UTC));
    assert!(
        table.contains("2(100.0)        4(100.0)       80(100.0)"),
        "{table}"
    );
    assert!(table.contains("total flows: 2, total bytes: 80"), "{table}");
}

#[test]
fn nothing_found_is_an_empty_table() {
    let question = asked(&["srcaddr"]).unwrap();
    let table =
        printed(|out| Ranking::new(&question, &answer(json!([]))).table(out, &TimeZone::UTC));
    assert!(
        table.contains("Summary: total flows: 0, total bytes: 0"),
        "{table}"
    );
    assert!(!table.contains("Time window"), "{table}");
}

#[test]
fn the_query_groups_filters_orders_and_totals() {
    let question = asked(&[
        "srcaddr,dstport",
        "proto tcp",
        "--by",
        "bytes",
        "-n",
        "3",
        "--last",
        "15m",
    ])
    .unwrap();
    assert_eq!(
        sql::question(&question),
        "SELECT * FROM (SELECT \"key0\", \"key1\", \
         min(CAST(\"start\" AS BIGINT)) AS first_ms, max(CAST(\"end\" AS BIGINT)) AS last_ms, \
         sum(\"flows\") AS flows, sum(\"packets\") AS packets, sum(\"bytes\") AS bytes, \
         min(min(CAST(\"start\" AS BIGINT))) OVER () AS total_first_ms, \
         max(max(CAST(\"end\" AS BIGINT))) OVER () AS total_last_ms, \
         sum(sum(\"flows\")) OVER () AS total_flows, sum(sum(\"packets\")) OVER () AS total_packets, \
         sum(sum(\"bytes\")) OVER () AS total_bytes \
         FROM (SELECT \"srcaddr\" AS \"key0\", \"dstport\" AS \"key1\", \"start\", \"end\", \"flows\", \"packets\", \"bytes\" \
         FROM flows WHERE \"event\" IS NULL AND \"end\" >= TIMESTAMP '2026-11-21T11:45:00.000Z' AND \"protocol\" = 6) \
         GROUP BY \"key0\", \"key1\") ORDER BY bytes DESC NULLS LAST, \"key0\", \"key1\" LIMIT 3"
    );
}

#[test]
fn wrong_arguments_are_usage_errors_that_show_the_place() {
    let failure = asked(&["srcaddr", "prot tcp"]).unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
    let message = "the filter makes no sense\nprot tcp\n\
                   ^ expected a test such as `dst port 443`, `not` or `(`, found `prot`";
    assert_eq!(failure.message(), message);
    let twice = Line::try_parse_from(["top", "srcaddr,srcip"])
        .map(|_| ())
        .unwrap_err();
    assert!(
        twice.to_string().contains("srcaddr is named twice"),
        "{twice}"
    );
    assert!(Line::try_parse_from(["top", "srcaddr", "-n", "0"]).is_err());
    assert!(Line::try_parse_from(["top", "colour"]).is_err());
    assert!(Line::try_parse_from(["top", "srcaddr", "--last", "5m", "--from", "10:00"]).is_err());
}
