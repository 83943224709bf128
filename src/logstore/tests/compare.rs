//! What `compare` and `ts_compare` set side by side, over the eight logs.

use super::super::query::QueryErrorKind;
use super::super::search;
use super::super::search::IndexConfig;
use super::super::search::Page;
use super::search::FIRST;
use super::search::runtime;
use super::search::store;
use super::*;

/// Rows of `text` about the seconds from `from` to `to` after the first log.
fn ask(store: &LogStore, from: i64, to: i64, text: &str) -> Result<Value, QueryError> {
    let index = IndexConfig::of_flows();
    let plan = search::plan(text, &index, FIRST + from, FIRST + to)
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    let answer = store.search("sag", "flows", plan, Page::default(), Limits::default());
    Ok(json!(runtime().block_on(answer)?.rows))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_was_before_stands_beside_what_is_now() {
    let (_dir, store) = store();
    let t = FIRST;
    let cases = [
        (
            (60, 120),
            "* | SELECT compare(c, 60) FROM (SELECT count(*) AS c FROM log)",
            json!([[[2.0, 2.0, 1.0]]]),
        ),
        (
            (60, 120),
            "* | select Compare(B, 60) from (select sum(bytes) as b)",
            json!([[[400.0, 3000.0, 400.0 / 3000.0]]]),
        ),
        (
            (120, 360),
            "* | SELECT compare(c, 60, 120) FROM (SELECT count(*) AS c FROM log)",
            json!([[[4.0, 4.0, 6.0, 1.0, 4.0 / 6.0]]]),
        ),
        // The search in front is that of both.
        (
            (120, 360),
            "protocol:6 | SELECT compare(c, 120) FROM (SELECT count(*) AS c FROM log)",
            json!([[[3.0, 4.0, 0.75]]]),
        ),
        // Nothing was before: a sum of nothing is null, a count is 0, and JSON has no infinity.
        (
            (0, 60),
            "* | SELECT compare(b, 60), compare(c, 60), compare(c, 60)[3] > 9 \
             FROM (SELECT sum(bytes) AS b, count(*) AS c FROM log)",
            json!([[[3000.0, null, null], [2.0, 0.0, null], true]]),
        ),
        // Groups of now, whether they were before or not.
        (
            (120, 360),
            "* | SELECT protocol, compare(c, 60) FROM (SELECT protocol, count(*) AS c FROM log \
             GROUP BY protocol) GROUP BY protocol ORDER BY protocol",
            json!([[1, [1.0, null, null]], [6, [3.0, 2.0, 1.5]]]),
        ),
        // Null is a group like any other.
        (
            (120, 360),
            "* | SELECT \"tcp-flags\" AS f, compare(c, 60) FROM (SELECT \"tcp-flags\", count(*) AS c \
             FROM log GROUP BY \"tcp-flags\") GROUP BY f ORDER BY f",
            json!([
                [2, [1.0, 1.0, 1.0]],
                [16, [1.0, null, null]],
                [24, [1.0, 1.0, 1.0]],
                [null, [1.0, 2.0, 0.5]],
            ]),
        ),
        // Times are those of now.
        (
            (60, 360),
            "* | SELECT t, compare(b, 60) AS diff FROM (SELECT __time__ - __time__ % 60 AS t, \
             sum(bytes) AS b FROM log GROUP BY t LIMIT 9) GROUP BY t ORDER BY t",
            json!([
                [t + 60, [400.0, 3000.0, 400.0 / 3000.0]],
                [t + 120, [5700.0, 400.0, 14.25]],
                [t + 300, [64.0, null, null]],
            ]),
        ),
        (
            (60, 180),
            "* | SELECT t, p, compare(c, 60) AS diff FROM (SELECT date_format(__time__, '%H:%i') \
             AS t, protocol AS p, count(*) AS c FROM log GROUP BY 1, protocol) GROUP BY 1, p \
             ORDER BY t",
            json!([
                ["04:01", 17, [2.0, null, null]],
                ["04:02", 6, [2.0, null, null]]
            ]),
        ),
        // All tables of the SELECT are of before, those within others too.
        (
            (60, 120),
            "* | SELECT compare(c, 60) FROM (SELECT max(r.m) AS c FROM log l JOIN (SELECT \
             max(bytes) AS m FROM log) r ON l.bytes = r.m)",
            json!([[[300.0, 2000.0, 0.15]]]),
        ),
        (
            (60, 120),
            "* | SELECT compare(c, 60) FROM (SELECT sum(log.bytes) AS c FROM log WHERE bytes IN \
             (SELECT max(bytes) FROM log))",
            json!([[[300.0, 2000.0, 0.15]]]),
        ),
        // What else may stand beside it.
        (
            (120, 360),
            "* | SELECT p AS protocol, sum(c), compare(x.b, 60, 120)[3], round((compare(c, 120)[3] \
             - 1) * 100, 1) FROM (SELECT protocol, count(*), sum(bytes) FROM log GROUP BY protocol) \
             AS x (p, c, b) WHERE p > 1 GROUP BY p HAVING sum(c) > 1 ORDER BY 1 LIMIT 5",
            json!([[6, 3, 8700.0, -25.0]]),
        ),
        (
            (120, 360),
            "* | SELECT diff[1] AS today, diff [2], diff[3] * 100 AS ratio FROM (SELECT \
             compare(c, 60) AS diff FROM (SELECT protocol, count(*) AS c FROM log GROUP BY \
             protocol) GROUP BY protocol) WHERE diff[3] > 1",
            json!([[3.0, 2.0, 150.0]]),
        ),
        (
            (120, 180),
            "* | SELECT sum(d.diff[1]), sum(d.diff[2]) FROM (SELECT compare(c, 60) AS diff FROM \
             (SELECT count(*) AS c FROM log) UNION ALL SELECT compare(b, 120) FROM (SELECT \
             sum(bytes) AS b FROM log)) d",
            json!([[5702.0, 3002.0]]),
        ),
        // With the seconds at which the times before begin.
        (
            (60, 180),
            "* | SELECT t, ts_compare(c, 60, 120) AS diff FROM (SELECT date_trunc('minute', \
             __time__) AS t, count(*) AS c FROM log GROUP BY t ORDER BY t) GROUP BY t ORDER BY t",
            json!([
                [
                    "2026-11-21 04:01:00.000",
                    [2.0, 2.0, null, 1.0, null, 1_795_233_600.0, 1_795_233_540.0]
                ],
                [
                    "2026-11-21 04:02:00.000",
                    [2.0, 2.0, 2.0, 1.0, 1.0, 1_795_233_660.0, 1_795_233_600.0]
                ],
            ]),
        ),
    ];
    for ((from, to), text, expected) in cases {
        let found = ask(&store, from, to, text).unwrap_or_else(|error| json!(error.message));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_comparison_that_means_nothing_is_refused() {
    let usage = "compare is written compare(x, 86400), x a column of the SELECT in FROM, with up \
                 to 8 numbers of seconds";
    let place = "compare stands in the list of a SELECT that reads FROM another SELECT";
    let groups = "compare takes one row of each group: GROUP BY the columns that the SELECT in \
                  FROM groups by";
    let source = "compare reads FROM one SELECT whose columns have names";
    let sub = "(SELECT protocol AS p, count(*) AS c FROM log GROUP BY protocol)";
    for (list, from, message) in [
        ("compare(c)", "", usage),
        ("compare(c, 0)", "", usage),
        ("compare(c, -60)", "", usage),
        ("compare(c, 4294967296)", "", usage),
        ("compare(c, p)", "", usage),
        ("compare(c, 1, 2, 3, 4, 5, 6, 7, 8, 9)", "", usage),
        ("compare(c + 1, 60)", "", usage),
        ("compare(c, 60) OVER ()", "", usage),
        ("compare(compare(c, 60), 60)", "", usage),
        (
            "compare(d, 60)",
            "",
            "the SELECT in FROM has no column d to compare",
        ),
        ("compare(bytes, 60)", "FROM log", source),
        ("compare(bytes, 60)", "FROM (SELECT * FROM log)", source),
        (
            "compare(c, 60)",
            "FROM (SELECT 1 AS c UNION SELECT 2)",
            source,
        ),
        ("compare(c, 60)", "FROM SUB AS a (c)", source),
        ("compare(a.c, 60)", "FROM SUB a JOIN log ON true", source),
        ("compare(c, 60)", "", groups),
        ("compare(c, 60)", "FROM SUB GROUP BY c", groups),
        (
            "compare(c, 60)",
            "FROM (SELECT bytes AS c FROM log)",
            groups,
        ),
        (
            "compare(c, 60)",
            "FROM (SELECT count(*) OVER () AS c FROM log)",
            groups,
        ),
        (
            "compare(c, 60)",
            "FROM (SELECT bytes + (SELECT max(bytes) FROM log) AS c FROM log)",
            groups,
        ),
        (
            "compare(c, 60)",
            "FROM (SELECT ip_prefix(srcaddr, 8) AS srcaddr, count(*) AS c FROM log GROUP BY \
             srcaddr) GROUP BY srcaddr",
            groups,
        ),
        (
            "compare(c, 60)",
            "FROM SUB GROUP BY p + 1",
            "with compare, GROUP BY names columns of the SELECT in FROM",
        ),
        (
            "ts_compare(c, 60)",
            "FROM (SELECT count(*) AS c FROM log)",
            "with ts_compare, GROUP BY names one column, the time",
        ),
        (
            "compare(d, 60)",
            "FROM (SELECT max(x[1]) AS d FROM (SELECT compare(c, 60) AS x FROM SUB GROUP BY p))",
            "compare cannot be nested",
        ),
        (
            "compare(c, 60)",
            "FROM (WITH a AS (SELECT 1) SELECT count(*) AS c FROM a)",
            "compare is not there together with WITH",
        ),
        (
            "p",
            "FROM SUB GROUP BY p HAVING compare(c, 60)[3] > 1",
            place,
        ),
        ("p", "FROM SUB GROUP BY p ORDER BY compare(c, 60)[3]", place),
        ("p[1:2]", "", "p[1:2] is not part of SLS's SQL"),
    ] {
        let from = if from.is_empty() { "FROM SUB" } else { from };
        let text = format!("* | SELECT {list} {from}").replace("SUB", sub);
        let error = search::plan(&text, &IndexConfig::of_flows(), 0, 1).unwrap_err();
        assert_eq!(error.message, message, "{text}");
    }
    let text = "* | SELECT 1, compare(c) FROM (SELECT count(*) AS c)";
    let error = search::plan(text, &IndexConfig::of_flows(), 0, 1).unwrap_err();
    assert_eq!(error.at, 14);
}

#[test]
fn only_numbers_are_compared_and_lists_have_so_many_places() {
    let (_dir, store) = store();
    for (list, message) in [
        (
            "compare(s, 60)",
            "compare takes numbers, as of count(*) or sum(x)",
        ),
        ("compare(c, 60)[0]", "there is no [0] in a list of 3"),
        ("compare(c, 60, 120)[6]", "there is no [6] in a list of 5"),
        (
            "max(c)[1]",
            "a place in brackets is one of what compare gives, as in diff[1]",
        ),
    ] {
        let text =
            format!("* | SELECT {list} FROM (SELECT max(srcaddr) AS s, count(*) AS c FROM log)");
        let error = ask(&store, 0, 60, &text).unwrap_err();
        assert_eq!(error.kind, QueryErrorKind::Syntax, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
}

#[test]
fn comparisons_count_as_the_tables_that_they_read() {
    let tables = |count: usize| vec!["log"; count].join(" CROSS JOIN ");
    let text = |count| {
        let tables = tables(count);
        format!(
            "* | SELECT compare(c, 1, 2, 3, 4, 5, 6, 7) FROM (SELECT count(*) AS c FROM {tables})"
        )
    };
    let plan = |count| search::plan(&text(count), &IndexConfig::of_flows(), 0, 1);
    assert!(plan(8).is_ok());
    assert_eq!(
        plan(9).unwrap_err().message,
        "too complex: it reads more than 64 tables, with everything that WITH repeats"
    );
}
