//! A ranking as one SQL query, totals included, so that both see the same rows.

use crate::cli::top::Order;
use crate::cli::top::Question;
use crate::cli::top::dimension::Dimension;

/// Columns of the answer after the dimensions, in this order.
pub(super) const MEASURES: [&str; 5] = ["first_ms", "last_ms", "flows", "packets", "bytes"];
/// Columns after the measures: the same over all groups.
pub(super) const TOTALS: [&str; 5] = [
    "total_first_ms",
    "total_last_ms",
    "total_flows",
    "total_packets",
    "total_bytes",
];

/// What each measure is per group and over all of them.
const AGGREGATES: [(&str, &str); 5] = [
    ("min", "CAST(\"start\" AS BIGINT)"),
    ("max", "CAST(\"end\" AS BIGINT)"),
    ("sum", "\"flows\""),
    ("sum", "\"packets\""),
    ("sum", "\"bytes\""),
];

/// Builds the query.
pub(super) fn question(question: &Question) -> String {
    let keys: Vec<String> = (0..question.dimensions.len())
        .map(|at| format!("\"key{at}\""))
        .collect();
    let keys = keys.join(", ");
    let measures = named(&MEASURES, |function, value| format!("{function}({value})"));
    let totals = named(&TOTALS, |function, value| {
        format!("{function}({function}({value})) OVER ()")
    });
    format!(
        "SELECT * FROM (SELECT {keys}, {measures}, {totals} FROM ({}) GROUP BY {keys}) \
         ORDER BY {} DESC NULLS LAST, {keys} LIMIT {}",
        selected(question),
        order(question.order),
        question.rows
    )
}

fn named(names: &[&str; 5], render: impl Fn(&str, &str) -> String) -> String {
    let pairs = names.iter().zip(AGGREGATES);
    let columns: Vec<String> = pairs
        .map(|(name, (function, value))| format!("{} AS {name}", render(function, value)))
        .collect();
    columns.join(", ")
}

/// The flows in question, once, or once for each end; events are no flows.
fn selected(question: &Question) -> String {
    let from_source = side(question, |dimension| dimension.columns().0);
    if !question
        .dimensions
        .iter()
        .any(|dimension| dimension.is_either())
    {
        return from_source;
    }
    let from_destination = side(question, |dimension| dimension.columns().1);
    format!("{from_source} UNION ALL {from_destination}")
}

fn side(question: &Question, column: impl Fn(Dimension) -> &'static str) -> String {
    let dimensions = question.dimensions.iter().enumerate();
    let keys: Vec<String> = dimensions
        .map(|(at, dimension)| format!("\"{}\" AS \"key{at}\"", column(*dimension)))
        .collect();
    format!(
        "SELECT {}, \"start\", \"end\", \"flows\", \"packets\", \"bytes\" FROM flows WHERE \"event\" IS NULL AND {} AND {}",
        keys.join(", "),
        question.window.to_sql(),
        question.filter.to_sql()
    )
}

/// A rate over no time counts as 0, as in the table.
fn order(order: Order) -> String {
    let rate = |count: &str| {
        format!(
            "CASE WHEN last_ms > first_ms THEN {count} * 1.0 / (last_ms - first_ms) ELSE 0.0 END"
        )
    };
    match order {
        Order::Bytes => "bytes".to_owned(),
        Order::Packets => "packets".to_owned(),
        Order::Flows => "flows".to_owned(),
        Order::Pps => rate("packets"),
        Order::Bps => rate("bytes"),
    }
}
