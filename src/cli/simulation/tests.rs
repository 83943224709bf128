use std::collections::HashMap;
use std::net::IpAddr;

use crate::cli::simulation::DEVICES;
use crate::cli::simulation::Export;
use crate::cli::simulation::Network;
use crate::cli::simulation::process::DATAGRAM_MAX;
use crate::session::Arrival;
use crate::session::Consumer;
use crate::session::DataSet;
use crate::session::Known;
use crate::session::Limits;
use crate::session::Outcome;
use crate::session::Peer;
use crate::session::Plan;
use crate::session::Scope;
use crate::session::ScopeMode;
use crate::session::Sessions;
use crate::wire::Header;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::Version;
use crate::wire::unsigned;

/// 2026-11-21T10:00:00.250Z.
const START_MS: u64 = 1_795_255_200_250;
const SECONDS: u64 = 90;

fn exports(seed: u64) -> Vec<(u64, Export)> {
    let mut network = Network::new(seed, START_MS);
    let seconds = (1..=SECONDS).map(|second| START_MS + second * 1_000);
    seconds
        .flat_map(|now_ms| {
            let exports = network.advance(now_ms).unwrap();
            exports.into_iter().map(move |export| (now_ms, export))
        })
        .collect()
}

struct Uncompiled;

impl Plan for Uncompiled {
    type Settings = ();

    fn compile(_template: &Template, _settings: &()) -> Self {
        Self
    }
}

/// Sums up what a collector understands.
#[derive(Default)]
struct Collected {
    now_ms: u64,
    header: Option<Header>,
    /// By exporter and element: sums, and records that have it.
    sums: HashMap<(IpAddr, u16), (u64, u64)>,
    options: u64,
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
        let longest = if element == 152 { 70_000 } else { 8_000 };
        assert!(
            at_ms <= self.now_ms && at_ms + longest > self.now_ms,
            "{element}: {at_ms} at {}",
            self.now_ms
        );
    }

    fn sum(&self, device: usize, element: u16) -> (u64, u64) {
        let address = DEVICES[device].address.into();
        self.sums
            .get(&(address, element))
            .copied()
            .unwrap_or_default()
    }
}

#[test]
fn the_same_seed_gives_the_same_octets_and_another_seed_others() {
    let octets = |seed| {
        exports(seed)
            .into_iter()
            .map(|(_, export)| export)
            .collect::<Vec<_>>()
    };
    assert_eq!(octets(7), octets(7));
    assert_ne!(octets(7), octets(8));
}

#[test]
fn a_collector_understands_every_datagram_and_misses_none() {
    let mut sessions = Sessions::new(Limits::default(), ScopeMode::Strict, ());
    let mut collected = Collected::default();
    let mut versions = HashMap::new();
    for (now_ms, export) in exports(7) {
        assert!(export.datagram.len() <= DATAGRAM_MAX);
        let peer = Peer {
            exporter: DEVICES[export.device].address.into(),
            port: 2_055 + u16::try_from(export.socket).unwrap(),
            local_port: 9_995,
        };
        let arrival = Arrival {
            monotonic_ms: now_ms,
            unix_ms: now_ms,
        };
        collected.now_ms = now_ms;
        let outcome = sessions.datagram(&export.datagram, peer, arrival, &mut collected);
        assert_eq!(outcome, Outcome::Decoded);
        let header = collected.header.unwrap();
        *versions.entry((export.device, header.version)).or_insert(0) += 1;
    }
    let stats = sessions.stats();
    assert_eq!(stats.faults.iter().sum::<u64>(), 0);
    assert_eq!((stats.malformed_sets, stats.trailing_bytes), (0, 0));
    assert_eq!((stats.orphans.missing, stats.sequence.lost), (0, 0));
    assert_eq!(stats.templates.redefined, 0);
    for sender in [
        (0, Version::V9),
        (1, Version::V9),
        (2, Version::Ipfix),
        (2, Version::V5),
        (3, Version::V9),
    ] {
        assert!(versions[&sender] > 10, "{sender:?}: {versions:?}");
    }
    // One sampler and two interfaces, at the start and every 30 s.
    assert_eq!(collected.options, 9);
    for (at, device) in DEVICES.iter().enumerate().take(3) {
        let (octets, records) = collected.sum(at, 1);
        assert!(
            octets > 1_000_000 && records > 100,
            "{}: {octets} octets",
            device.name
        );
    }
    let (events, records) = collected.sum(3, 233);
    assert!(events > records && collected.sum(3, 231).0 > 0);
}
