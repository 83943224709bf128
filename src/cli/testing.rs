//! A collector that adds up what it understands.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::cli::decode::Uncompiled;
use crate::session::Consumer;
use crate::session::DataSet;
use crate::session::Known;
use crate::session::Scope;
use crate::wire::Header;
use crate::wire::TemplateKind;
use crate::wire::unsigned;

/// Sums up what a collector understands.
#[derive(Default)]
pub(super) struct Collected {
    /// Time of arrival, since 1970.
    pub(super) now_ms: u64,
    /// Longest time from the start of a flow to its arrival.
    longest_ms: u64,
    /// Of the last Message.
    pub(super) header: Option<Header>,
    /// By exporter and element: sums, and records that have it.
    sums: HashMap<(IpAddr, u16), (u64, u64)>,
    /// Records of options.
    pub(super) options: u64,
}

impl Consumer<Uncompiled> for Collected {
    fn message(&mut self, header: &Header) {
        self.header = Some(*header);
    }

    fn data(&mut self, scope: &Scope<'_>, known: &Known<Uncompiled>, set: DataSet<'_>) {
        assert!(!set.replayed);
        if known.template.kind == TemplateKind::Options {
            self.options += u64::from(set.records);
            return;
        }
        for record in known.template.records(set.body) {
            for (field, octets) in known.template.fields(record.unwrap()) {
                let number = unsigned(octets).unwrap_or(0);
                let sum = self
                    .sums
                    .entry((scope.exporter, field.element.id))
                    .or_default();
                sum.0 += number;
                sum.1 += 1;
                self.check_time(field.element.id, number);
            }
        }
    }
}

impl Collected {
    /// Nothing so far, of flows that are not longer than this.
    pub(super) fn of_flows_up_to(longest_ms: u64) -> Self {
        Self {
            longest_ms,
            ..Self::default()
        }
    }

    /// Every time lies within the reporting interval that is just over.
    fn check_time(&self, element: u16, number: u64) {
        let header = self.header.unwrap();
        let at_ms = match (element, header.sys_uptime) {
            (152 | 153 | 323, _) => number,
            (21 | 22, Some(uptime)) => {
                let before = u64::from(uptime) - number;
                let nanos = u64::from(header.export_nanos);
                u64::from(header.export_secs) * 1_000 + nanos / 1_000_000 - before
            }
            _ => return,
        };
        // A teardown tells when the connection began.
        let longest = if element == 152 {
            70_000
        } else {
            self.longest_ms
        };
        assert!(
            at_ms <= self.now_ms && at_ms + longest > self.now_ms,
            "{element}: {at_ms} at {}",
            self.now_ms
        );
    }

    /// Sum of an exporter's element, and records that have it.
    pub(super) fn sum(&self, exporter: IpAddr, element: u16) -> (u64, u64) {
        let sum = self.sums.get(&(exporter, element));
        sum.copied().unwrap_or_default()
    }
}
