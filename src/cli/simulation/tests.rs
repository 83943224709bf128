use std::collections::HashMap;

use crate::cli::process::DATAGRAM_MAX;
use crate::cli::simulation::DEVICES;
use crate::cli::simulation::Export;
use crate::cli::simulation::Network;
use crate::cli::testing::Collected;
use crate::session::Arrival;
use crate::session::Limits;
use crate::session::Outcome;
use crate::session::Peer;
use crate::session::ScopeMode;
use crate::session::Sessions;
use crate::wire::Version;

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
    let mut collected = Collected::of_flows_up_to(8_000);
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
    for device in DEVICES.iter().take(3) {
        let (octets, records) = collected.sum(device.address.into(), 1);
        assert!(
            octets > 1_000_000 && records > 100,
            "{}: {octets} octets",
            device.name
        );
    }
    let firewall = DEVICES[3].address.into();
    let (events, records) = collected.sum(firewall, 233);
    assert!(events > records && collected.sum(firewall, 231).0 > 0);
}
