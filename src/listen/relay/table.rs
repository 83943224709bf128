//! Rules, compiled to what a lane asks for each datagram.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::flowlog::Server;

use super::account::RelayAccount;
use super::rule::RELAY_TARGETS_MAX;
use super::rule::RelayRule;

/// Relay rules with their destinations, each of which stands in it once.
#[derive(Clone, Debug, Default)]
pub struct RelayTable {
    rules: Vec<(RelayRule, Way)>,
    pub(super) destinations: Vec<Destination>,
}

/// Where datagrams go.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) target: Server,
    /// Whether copies bear the exporter's address.
    pub(super) spoofs: bool,
    /// Where it is just now, if that is known.
    pub(super) address: Option<SocketAddr>,
    pub(super) account: Arc<RelayAccount>,
}

/// Where the datagrams of one exporter go.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Way {
    /// Destinations, one bit each, from the lowest.
    pub(super) destinations: u64,
    /// Whether they are not decoded here.
    pub(super) only: bool,
}

impl RelayTable {
    /// Compiles rules; `locate` says where a destination is and what it is
    /// booked in.
    ///
    /// A destination is spoofed if the first rule that names it is; those
    /// beyond [`RELAY_TARGETS_MAX`] get nothing. The configuration lets neither
    /// happen.
    pub fn new(
        rules: &[RelayRule],
        mut locate: impl FnMut(&Server) -> (Option<SocketAddr>, Arc<RelayAccount>),
    ) -> Self {
        let mut table = Self::default();
        for rule in rules {
            let mut way = Way {
                destinations: 0,
                only: rule.only,
            };
            for target in &rule.to {
                let mut known = table.destinations.iter();
                let found = known.position(|known| known.target == *target);
                let index = found.unwrap_or(table.destinations.len());
                if index >= RELAY_TARGETS_MAX {
                    continue;
                }
                way.destinations |= 1 << index;
                if found.is_none() {
                    let (address, account) = locate(target);
                    table.destinations.push(Destination {
                        target: target.clone(),
                        spoofs: rule.spoof_source,
                        address,
                        account,
                    });
                }
            }
            table.rules.push((rule.clone(), way));
        }
        table
    }

    /// Where an exporter's datagrams go by all rules together.
    pub(super) fn way(&self, exporter: IpAddr) -> Way {
        let rules = self.rules.iter();
        let applying = rules.filter(|(rule, _)| rule.applies(exporter));
        applying.fold(Way::default(), |sum, (_, way)| Way {
            destinations: sum.destinations | way.destinations,
            only: sum.only | way.only,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(exporters: &[&str], to: &[&str], only: bool) -> RelayRule {
        RelayRule {
            exporters: exporters.iter().map(|it| it.parse().unwrap()).collect(),
            to: to.iter().map(|it| it.parse().unwrap()).collect(),
            only,
            spoof_source: false,
        }
    }

    fn way(table: &RelayTable, exporter: &str) -> (u64, bool) {
        let way = table.way(exporter.parse().unwrap());
        (way.destinations, way.only)
    }

    #[test]
    fn all_rules_that_apply_add_up_and_each_destination_counts_once() {
        let rules = [
            rule(&[], &["192.0.2.1:1", "host.example:2"], false),
            rule(&["10.0.0.0/8", "2001:db8::/32"], &["192.0.2.2:1"], false),
            rule(&["10.1.0.0/16"], &["192.0.2.1:1", "192.0.2.3:1"], true),
        ];
        let mut located = Vec::new();
        let table = RelayTable::new(&rules, |target| {
            located.push(target.to_string());
            (None, Arc::default())
        });
        let expected = [
            "192.0.2.1:1",
            "host.example:2",
            "192.0.2.2:1",
            "192.0.2.3:1",
        ];
        assert_eq!(located, expected);
        assert_eq!(way(&table, "198.51.100.1"), (0b0011, false));
        assert_eq!(way(&table, "10.2.0.1"), (0b0111, false));
        assert_eq!(way(&table, "::ffff:10.2.0.1"), (0b0111, false));
        assert_eq!(way(&table, "2001:db8::7"), (0b0111, false));
        assert_eq!(way(&table, "10.1.0.1"), (0b1111, true));
        assert_eq!(way(&RelayTable::default(), "10.1.0.1"), (0, false));
    }

    #[test]
    fn destinations_beyond_the_most_get_nothing() {
        let to: Vec<String> = (1..=65).map(|port| format!("192.0.2.1:{port}")).collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        let table = RelayTable::new(&[rule(&[], &to, false)], |_| (None, Arc::default()));
        assert_eq!(table.destinations.len(), RELAY_TARGETS_MAX);
        assert_eq!(way(&table, "10.1.0.1"), (u64::MAX, false));
    }
}
