//! `[[relay]]`: copies of datagrams to other collectors.

use std::net::SocketAddr;
use std::str::FromStr;

use crate::flowlog::Server;
use crate::flowlog::WithPortError;
use crate::flowlog::refusal;
use crate::listen::RELAY_TARGETS_MAX;
use crate::listen::RelayRule;

use super::table::Table;
use super::value::Value;

/// Reads the rules; `own` is where we listen.
pub(super) fn read(table: &mut Table<'_, '_>, own: &[SocketAddr]) -> Vec<RelayRule> {
    let rules = table.each("relay", |table| rule(table, own));
    if rules.len() > RULES_MAX {
        let what = format!("{} relays, at most {RULES_MAX}", rules.len());
        table.refuse("relay", what, "list more exporters in one of them");
    }
    refuse_two_ways(table, &rules);
    rules
}

fn rule(table: &mut Table<'_, '_>, own: &[SocketAddr]) -> Option<RelayRule> {
    table.misplaced(
        RECORD_KEYS,
        "a relay copies datagrams as they are and looks at no record",
        "what is said of records belongs into a [[flow-log]]",
    );
    let exporters = table.list("exporters", |value| value.parsed(""));
    let exporters = exporters.unwrap_or_default();
    if exporters.len() > EXPORTERS_MAX {
        let what = format!("{} prefixes, at most {EXPORTERS_MAX}", exporters.len());
        let advice = "each datagram is compared with all of them; use shorter prefixes";
        table.refuse("exporters", what, advice);
    }
    let only = table.boolean("only").unwrap_or_default();
    let spoof_source = table.boolean("spoof-source").unwrap_or_default();
    let (to, named) = table.required("to", "list collectors as address:port", targets)?;
    if !(1..=TARGETS_MAX).contains(&named) {
        let what = format!("must name 1 to {TARGETS_MAX} collectors");
        table.refuse("to", what, "");
    }
    for (index, target) in to.iter().enumerate() {
        let place = format!("to[{index}]");
        if to.iter().take(index).any(|before| before == target) {
            table.refuse(&place, format!("{target} is named twice"), "name it once");
        }
        // A name is judged by its addresses, once they are known.
        let refused = target.address().and_then(|address| refusal(address, own));
        if let Some(why) = refused {
            table.refuse(&place, format!("{target} {why}"), "name a collector");
        }
    }
    Some(RelayRule {
        exporters,
        to,
        only,
        spoof_source,
    })
}

/// Destinations, and how many were named, those that are none too.
fn targets(value: Value<'_, '_>) -> Option<(Vec<Server>, usize)> {
    let mut named = 0;
    let targets = value.list(|value| {
        named += 1;
        let written = value.parsed::<WithPort>("write address:port or name:port");
        written.map(|WithPort(server)| server)
    });
    Some((targets?, named))
}

/// A destination as it is written: its port is not left out.
struct WithPort(Server);

impl FromStr for WithPort {
    type Err = WithPortError;

    fn from_str(text: &str) -> Result<Self, WithPortError> {
        Server::with_port(text).map(Self)
    }
}

/// A destination has one socket, which forges senders or does not.
fn refuse_two_ways(table: &Table<'_, '_>, rules: &[RelayRule]) {
    let mut seen: Vec<(&Server, bool)> = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        for (place, target) in rule.to.iter().enumerate() {
            let at = format!("relay[{index}].to[{place}]");
            match seen.iter().find(|(known, _)| *known == target) {
                Some((_, spoofed)) if *spoofed != rule.spoof_source => {
                    let what = format!("{target} is in two relays, one with `spoof-source`");
                    table.refuse(&at, what, "set it in both, or in none");
                }
                Some(_) => {}
                None => seen.push((target, rule.spoof_source)),
            }
        }
    }
    if seen.len() > RELAY_TARGETS_MAX {
        let what = format!(
            "{} collectors in all relays, at most {RELAY_TARGETS_MAX}",
            seen.len()
        );
        table.refuse("relay", what, "each has a socket in every lane");
    }
}

/// What other tables have for records.
const RECORD_KEYS: &[&str] = &[
    "active-s",
    "cache",
    "extra",
    "fields",
    "filter",
    "flow-log",
    "flow-logs",
    "inactive-s",
    "logstore",
    "naming",
    "netflow-version",
    "output",
    "project",
    "sampling",
];
/// Rules: a datagram is compared with each.
const RULES_MAX: usize = 64;
/// Prefixes of a rule.
const EXPORTERS_MAX: usize = 256;
/// Destinations of a rule.
const TARGETS_MAX: usize = 8;
