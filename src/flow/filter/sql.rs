//! A filter as SQL over the flow columns.
//!
//! Tests stand bare, so that the engine can prune by statistics; a null makes
//! them false. A negated test is `(…) IS NOT TRUE`, which a null passes.

use crate::flow::filter::Condition;
use crate::flow::filter::Expression;
use crate::flow::filter::Family;
use crate::flow::filter::Network;
use crate::flow::filter::Quantity;
use crate::flow::filter::Side;
use crate::flow::filter::Test;

/// Milliseconds a flow took.
const DURATION: &str = "(CAST(\"end\" AS BIGINT) - CAST(\"start\" AS BIGINT))";

/// Renders an expression.
pub(super) fn expression(root: &Expression) -> String {
    signed(root, false)
}

fn signed(expression: &Expression, negated: bool) -> String {
    match expression {
        Expression::Any => if negated { "FALSE" } else { "TRUE" }.to_owned(),
        Expression::Not(inner) => signed(inner, !negated),
        Expression::AllOf(terms) => joined(terms, negated, if negated { " OR " } else { " AND " }),
        Expression::OneOf(terms) => joined(terms, negated, if negated { " AND " } else { " OR " }),
        Expression::Test(Test::Flags(flags)) if negated => {
            format!("((\"tcp-flags\" & {flags}) <> 0) IS NOT TRUE")
        }
        Expression::Test(test) if negated => format!("({}) IS NOT TRUE", rendered(test)),
        Expression::Test(test) => rendered(test),
    }
}

fn joined(terms: &[Expression], negated: bool, join: &str) -> String {
    let terms: Vec<String> = terms.iter().map(|term| signed(term, negated)).collect();
    format!("({})", terms.join(join))
}

fn rendered(test: &Test) -> String {
    match test {
        Test::Address(side, networks) => on_side(*side, "\"srcaddr\"", "\"dstaddr\"", |column| {
            within(networks, column)
        }),
        Test::NextHop(networks) => within(networks, "\"nexthop\""),
        Test::Exporter(networks) => within(networks, "\"exporter\""),
        Test::Family(Family::V4) => "\"srcaddr\" NOT LIKE '%:%'".to_owned(),
        Test::Family(Family::V6) => "\"srcaddr\" LIKE '%:%'".to_owned(),
        Test::Flags(flags) => format!("(\"tcp-flags\" & {flags}) = {flags}"),
        Test::FlowLog(name) => format!("\"flow-log\" = {}", quoted(name)),
        Test::Number(quantity, condition) => number(*quantity, condition),
    }
}

fn number(quantity: Quantity, condition: &Condition) -> String {
    let compare = |value: &str| compared(value, condition);
    match quantity {
        Quantity::Port(side) => on_side(side, "\"srcport\"", "\"dstport\"", compare),
        Quantity::As(side) => on_side(side, "\"srcas\"", "\"dstas\"", compare),
        Quantity::Interface(side) => on_side(side, "\"inport\"", "\"outport\"", compare),
        Quantity::Protocol => compare("\"protocol\""),
        Quantity::Tos => compare("\"tos\""),
        Quantity::Vlan => compare("\"vlan\""),
        Quantity::Bytes => compare("\"bytes\""),
        Quantity::Packets => compare("\"packets\""),
        Quantity::Flows => compare("\"flows\""),
        Quantity::Duration => compare(DURATION),
        Quantity::BitsPerSecond => compare(&ratio("\"bytes\" * 8000.0", DURATION)),
        Quantity::PacketsPerSecond => compare(&ratio("\"packets\" * 1000.0", DURATION)),
        Quantity::BytesPerPacket => compare(&ratio("\"bytes\" * 1.0", "\"packets\"")),
    }
}

/// A rate; over nothing it is 0.
fn ratio(dividend: &str, divisor: &str) -> String {
    format!("CASE WHEN {divisor} > 0 THEN {dividend} / {divisor} ELSE 0.0 END")
}

fn compared(value: &str, condition: &Condition) -> String {
    match condition {
        Condition::Compare(comparison, number) => {
            format!("{value} {} {number}", comparison.symbol())
        }
        Condition::In(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            format!("{value} IN ({})", numbers.join(", "))
        }
    }
}

fn on_side(side: Side, source: &str, destination: &str, ask: impl Fn(&str) -> String) -> String {
    match side {
        Side::Source => ask(source),
        Side::Destination => ask(destination),
        Side::Either => format!("({} OR {})", ask(source), ask(destination)),
        Side::Both => format!("({} AND {})", ask(source), ask(destination)),
    }
}

/// Hosts by equality, which statistics can prune, wider networks by function.
fn within(networks: &[Network], column: &str) -> String {
    let mut hosts = Vec::new();
    let mut terms = Vec::new();
    for network in networks {
        match network.as_host() {
            Some(host) => hosts.push(quoted(&host.to_string())),
            None => terms.push(format!(
                "cidr_contains({}, {column})",
                quoted(&network.to_string())
            )),
        }
    }
    match hosts.as_slice() {
        [] => {}
        [host] => terms.insert(0, format!("{column} = {host}")),
        [_, _, ..] => terms.insert(0, format!("{column} IN ({})", hosts.join(", "))),
    }
    match terms.as_slice() {
        [term] => term.clone(),
        _ => format!("({})", terms.join(" OR ")),
    }
}

/// A text literal: quotes doubled, nothing else is special in SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
