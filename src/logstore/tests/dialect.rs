//! The SQL after the bar: a table of questions with their answers.

use super::super::search::Page;
use super::search::FIRST;
use super::search::answer;
use super::search::store;
use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn sql_answers_what_it_says() {
    let (_dir, store) = store();
    let t = FIRST;
    let cases = [
        ("* | SELECT count(*) AS c", json!([[8]])),
        ("* | select Count(1) c from LOG", json!([[8]])),
        ("| SELECT count(*)", json!([[8]])),
        ("dstport:443 | SELECT sum(bytes) AS s", json!([[8000]])),
        (
            "dstport:443 or dstport:53 | SELECT sum(bytes) AS s",
            json!([[8400]]),
        ),
        (
            "* | SELECT sum(bytes), max(bytes), min(bytes)",
            json!([[9164, 5000, 0]]),
        ),
        ("* | SELECT sum(Bytes) AS Total FROM log", json!([[9164]])),
        ("* | SELECT avg(packets)", json!([[11.625]])),
        ("* | SELECT count(tcp)", json!("No field named")),
        ("* | SELECT count(\"tcp-flags\")", json!([[5]])),
        ("* | SELECT count(\"TCP-Flags\")", json!([[5]])),
        (
            "* | SELECT protocol, count(*) AS c GROUP BY protocol ORDER BY protocol",
            json!([[1, 1], [6, 5], [17, 2]]),
        ),
        (
            "* | SELECT protocol, count(*) AS c GROUP BY 1 ORDER BY 2 DESC",
            json!([[6, 5], [17, 2], [1, 1]]),
        ),
        (
            "* | SELECT protocol AS p, sum(bytes) AS b GROUP BY p ORDER BY b DESC",
            json!([[6, 8700], [17, 400], [1, 64]]),
        ),
        (
            "* | SELECT protocol GROUP BY protocol HAVING count(*) > 1 ORDER BY protocol",
            json!([[6], [17]]),
        ),
        ("* | SELECT count(*) WHERE dstport = 443", json!([[3]])),
        (
            "* | SELECT count(*) WHERE dstport IN (53, 22)",
            json!([[3]]),
        ),
        (
            "* | SELECT count(*) WHERE srcaddr LIKE '10.0.%'",
            json!([[5]]),
        ),
        (
            "* | SELECT count(*) WHERE bytes BETWEEN 100 AND 700",
            json!([[3]]),
        ),
        ("* | SELECT count(*) WHERE event IS NULL", json!([[6]])),
        (
            "* | SELECT \"tcp-flags\" AS f WHERE \"tcp-flags\" IS NOT NULL ORDER BY f",
            json!([[2], [16], [18], [24], [27]]),
        ),
        (
            "* | SELECT dstport ORDER BY __time__ LIMIT 2",
            json!([[443], [443]]),
        ),
        (
            "* | SELECT dstport ORDER BY __time__ LIMIT 2, 2",
            json!([[53], [53]]),
        ),
        (
            "* | SELECT DISTINCT protocol ORDER BY protocol",
            json!([[1], [6], [17]]),
        ),
        (
            "* | SELECT approx_distinct(srcaddr), count(DISTINCT srcaddr)",
            json!([[5, 5]]),
        ),
        ("* | SELECT approx_distinct(srcaddr, 0.1)", json!([[5]])),
        (
            "dstport:443 | SELECT approx_percentile(dstport, 0.95)",
            json!([[443.0]]),
        ),
        (
            "dstport:443 | SELECT approx_percentile(dstport, packets, 0.5)",
            json!([[443.0]]),
        ),
        (
            "* | SELECT max_by(srcaddr, bytes)",
            json!([["2001:db8::1"]]),
        ),
        (
            "* | SELECT min_by(dstport, bytes), max_by(dstport, bytes)",
            json!([[8443, 443]]),
        ),
        (
            "* | SELECT max_by(srcport, \"tcp-flags\")",
            json!([[40_001]]),
        ),
        ("* | SELECT count_if(protocol = 6)", json!([[5]])),
        (
            "* | SELECT sum(bytes) FILTER (WHERE protocol = 17)",
            json!([[400]]),
        ),
        (
            "* | SELECT date_trunc('minute', __time__) AS t, count(*) AS c GROUP BY t ORDER BY t LIMIT 2",
            json!([
                ["2026-11-21 04:00:00.000", 2],
                ["2026-11-21 04:01:00.000", 2]
            ]),
        ),
        (
            "* | SELECT date_format(from_unixtime(__time__), '%H:%i') AS t, sum(bytes) AS b GROUP BY t ORDER BY t",
            json!([
                ["04:00", 3000],
                ["04:01", 400],
                ["04:02", 5700],
                ["04:05", 64]
            ]),
        ),
        (
            "* | SELECT DISTINCT date_format(__time__, '%Y-%m-%d')",
            json!([["2026-11-21"]]),
        ),
        (
            "* | SELECT __time__ - __time__ % 60 AS t, count(*) GROUP BY t ORDER BY t",
            json!([[t, 2], [t + 60, 2], [t + 120, 2], [t + 300, 2]]),
        ),
        (
            "* | SELECT from_unixtime(1795233600.5) LIMIT 1",
            json!([["2026-11-21 04:00:00.500"]]),
        ),
        (
            "* | SELECT to_unixtime(from_unixtime(1795233600)) LIMIT 1",
            json!([[1_795_233_600.0]]),
        ),
        ("* | SELECT to_unixtime(now()) > 0 LIMIT 1", json!([[true]])),
        (
            "* | SELECT split_part('a.b.c', '.', 2) LIMIT 1",
            json!([["b"]]),
        ),
        (
            "* | SELECT count(*) WHERE regexp_like(srcaddr, '^10\\.')",
            json!([[6]]),
        ),
        (
            "* | SELECT regexp_extract('eth12', '[0-9]+') LIMIT 1",
            json!([["12"]]),
        ),
        (
            "* | SELECT regexp_extract('eth12', '(e)(t)', 2) LIMIT 1",
            json!([["t"]]),
        ),
        (
            "* | SELECT regexp_extract('eth12', 'x') LIMIT 1",
            json!([[null]]),
        ),
        (
            "* | SELECT try_cast('x' AS bigint), try_cast('5' AS bigint) LIMIT 1",
            json!([[null, 5]]),
        ),
        ("* | SELECT cast(443 AS varchar) LIMIT 1", json!([["443"]])),
        (
            "* | SELECT CASE WHEN protocol = 6 THEN 'tcp' ELSE 'other' END AS p, count(*) GROUP BY p ORDER BY p",
            json!([["other", 3], ["tcp", 5]]),
        ),
        (
            "* | SELECT if(1 > 2, 'a', 'b'), if(1 > 2, 'a') LIMIT 1",
            json!([["b", null]]),
        ),
        (
            "* | SELECT coalesce(\"tcp-flags\", 0) ORDER BY __time__ LIMIT 3",
            json!([[18], [27], [0]]),
        ),
        ("* | SELECT nullif(1, 1) LIMIT 1", json!([[null]])),
        (
            "* | SELECT concat('a', 'b'), length('abc'), upper('a'), lower('A') LIMIT 1",
            json!([["ab", 3, "A", "a"]]),
        ),
        (
            "* | SELECT substr('abc', 2), replace('abc', 'b', 'x'), strpos('abc', 'c') LIMIT 1",
            json!([["bc", "axc", 3]]),
        ),
        (
            "* | SELECT trim(' a '), reverse('ab'), starts_with('ab', 'a') LIMIT 1",
            json!([["a", "ba", true]]),
        ),
        (
            "* | SELECT abs(-5), mod(7, 4), 7 % 4, greatest(1, 2), least(1, 2) LIMIT 1",
            json!([[5, 3, 3, 2, 1]]),
        ),
        (
            "* | SELECT sqrt(9), ceil(1.2), floor(1.8), round(2.5), truncate(2.7) LIMIT 1",
            json!([[3.0, 2.0, 1.0, 3.0, 2.0]]),
        ),
        (
            "* | SELECT __time__, lag(bytes) OVER (ORDER BY __time__) AS l ORDER BY __time__ LIMIT 2",
            json!([[t, null], [t + 10, 1000]]),
        ),
        (
            "* | SELECT lead(bytes, 1) OVER (ORDER BY __time__) AS l ORDER BY __time__ LIMIT 1",
            json!([[2000]]),
        ),
        (
            "* | SELECT dstport, rank() OVER (ORDER BY bytes DESC) AS r ORDER BY r LIMIT 2",
            json!([[443, 1], [443, 2]]),
        ),
        (
            "* | SELECT max(c) AS m FROM (SELECT protocol, count(*) AS c GROUP BY protocol)",
            json!([[5]]),
        ),
        (
            "* | WITH x AS (SELECT bytes FROM log) SELECT sum(bytes) FROM x",
            json!([[9164]]),
        ),
        (
            "* | WITH X AS (SELECT bytes AS B FROM log) SELECT sum(b) FROM x",
            json!([[9164]]),
        ),
        ("* | SELECT 1 AS a LIMIT 1", json!([[1]])),
        (
            "* | SELECT count(*) FROM log l JOIN log r ON l.__time__ = r.__time__",
            json!([[8]]),
        ),
        (
            "* | SELECT l.bytes FROM log AS L ORDER BY l.Bytes LIMIT 1",
            json!([[0]]),
        ),
        (
            "srcaddr:10.1.0.3 | SELECT ip_prefix(srcaddr, 24)",
            json!([["10.1.0.0/24"]]),
        ),
        (
            "srcaddr:fd* | SELECT ip_prefix(srcaddr, 8)",
            json!([["fd00::/8"]]),
        ),
        (
            "* | SELECT count(*) WHERE is_subnet_of('10.0.0.0/8', srcaddr)",
            json!([[6]]),
        ),
        (
            "* | SELECT is_prefix_subnet_of('10.0.0.0/8', '10.1.0.0/16') LIMIT 1",
            json!([[true]]),
        ),
        (
            "* | SELECT ip_subnet_min('192.168.1.7/24'), ip_subnet_max('192.168.1.7/24') LIMIT 1",
            json!([["192.168.1.0", "192.168.1.255"]]),
        ),
        (
            "* | SELECT ip_subnet_range('10.1.2.3/30') LIMIT 1",
            json!([["[10.1.2.0, 10.1.2.3]"]]),
        ),
        (
            "* | SELECT ip_to_domain(dstaddr) AS d, count(*) GROUP BY d ORDER BY d",
            json!([["internet", 4], ["intranet", 4]]),
        ),
        (
            "* | SELECT json_extract_scalar('{\"a\":{\"b\":[1,2]}}', '$.a.b[1]') LIMIT 1",
            json!([["2"]]),
        ),
        (
            "* | SELECT interfaceName WHERE interfacename IS NOT NULL ORDER BY __time__",
            json!([["eth0 Uplink/WAN"], ["eth1 uplink"]]),
        ),
        (
            "* | SELECT min(start), max(\"end\")",
            json!([[t - 5, t + 310]]),
        ),
        (
            "srcport:40000 | SELECT bytes / 3, bytes * 8, bytes - 1001",
            json!([[333, 8000, -1]]),
        ),
        (
            "* | SELECT arbitrary(protocol) WHERE protocol = 17",
            json!([[17]]),
        ),
        ("* | SELECT seq", json!("No field named")),
        ("* | SELECT rest", json!("No field named")),
    ];
    let wrong = cases.into_iter().filter_map(|(text, expected)| {
        let found = match (answer(&store, text, Page::default()), &expected) {
            (Ok(answer), expected) if json!(answer.rows) == *expected => return None,
            (Err(error), Value::String(expected)) if error.contains(expected) => return None,
            (Ok(answer), _) => format!("{:?}", answer.rows),
            (Err(error), _) => error,
        };
        Some(format!("{text}: {found}, not {expected}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn columns_without_a_name_are_numbered() {
    let (_dir, store) = store();
    let text = "* | SELECT protocol, count(*), sum(bytes) AS b, 1 + 1 GROUP BY protocol";
    let answer = answer(&store, text, Page::default()).unwrap();
    let names: Vec<_> = answer.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["protocol", "_col1", "b", "_col3"]);
}

#[test]
fn gaps_of_a_time_series_are_filled() {
    let (_dir, store) = store();
    let series = |fill: &str, order: &str| {
        let sql = format!(
            "* | SELECT time_series(__time__, '1m', '%i', '{fill}') AS t, count(*) AS c \
             GROUP BY t ORDER BY t {order}"
        );
        let answer = answer(&store, &sql, Page::default()).unwrap();
        let counts = answer.rows.into_iter().map(|row| row[1].clone());
        json!(counts.collect::<Vec<_>>())
    };
    assert_eq!(series("0", ""), json!([2, 2, 2, 0, 0, 2]));
    assert_eq!(series("null", ""), json!([2, 2, 2, null, null, 2]));
    assert_eq!(series("last", ""), json!([2, 2, 2, 2, 2, 2]));
    assert_eq!(series("next", "DESC"), json!([2, 2, 2, 2, 2, 2]));
    assert_eq!(series("avg", ""), json!([2, 2, 2, 2.0, 2.0, 2]));
    assert_eq!(series("0", "DESC"), json!([2, 0, 0, 2, 2, 2]));
}

#[test]
fn an_answer_has_a_hundred_rows_unless_told_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let octets: Vec<u64> = (0..150).collect();
    store
        .append_next("sag", "flows", &rows(HOUR, &octets), HOUR)
        .unwrap();
    let count = |text: &str| answer(&store, text, Page::default()).unwrap().rows.len();
    assert_eq!(count("* | SELECT bytes"), 100);
    assert_eq!(count("* | SELECT bytes LIMIT 120"), 120);
    assert_eq!(count("* | SELECT bytes LIMIT 1000000"), 150);
    let page = Page {
        line: 1000,
        ..Page::default()
    };
    assert_eq!(answer(&store, "*", page).unwrap().rows.len(), 100);
}
