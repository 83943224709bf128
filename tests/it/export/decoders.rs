//! What nfcapd, nfacctd and tshark make of flows that softflowd exports and
//! flowlogd re-exports: each flow, with its times, beside what nfcapd has of
//! softflowd itself.

use std::path::Path;

use tempfile::TempDir;

use super::nfacctd::{Nfacctd, expected};
use super::receiver::Receiver;
use super::told::{Flow, by_nfdump, sent, sorted};
use super::tshark::Seen;
use super::{VERSIONS, capture, collectors, export, to_all};
use crate::exporters::stored_where;
use crate::peers::{Nfcapd, Stored};
use crate::support::{Daemon, have};
use crate::traffic::Sums;

const INPUTS: [&str; 3] = ["5", "9", "10"];

/// Flows that flowlogd stored; of `only_v4`, those with IPv4 addresses.
fn stored(daemon: &Daemon, only_v4: bool) -> Sums {
    let condition = if only_v4 {
        "srcaddr NOT LIKE '%:%'"
    } else {
        "TRUE"
    };
    stored_where(daemon, condition)
}

/// Has softflowd export a capture to nfcapd and to a flowlogd that re-exports
/// it to these ports; the flowlogd, and the flows as nfcapd read them.
fn re_export(input: &str, dir: &Path, ports: [u16; 3]) -> (Daemon, Vec<Flow>) {
    let (traffic, there) = capture(dir, input != "5");
    let beside = Nfcapd::start(&dir.join(format!("beside-{input}")));
    let daemon = Daemon::start(&to_all(ports));
    export(input, &traffic, &daemon, beside.port, 3);
    let given = beside.read();
    assert_eq!(given.sums, there, "v{input}");
    let mut given: Vec<_> = given.flows.iter().map(by_nfdump).collect();
    // softflowd has start and end the wrong way round in IPFIX.
    if input == "10" {
        given.iter_mut().for_each(|flow| flow.times.reverse());
    }
    let second = given.iter().find(|flow| flow.ports[0] == 1025);
    let boot_ms = second.map_or(0, |flow| flow.times[0] - 1);
    // softflowd boots with the first packet, all of flow 0, the next comes 1 ms
    // later; nfdump takes an uptime of 0 for none.
    let unknown = given.iter_mut().filter(|flow| flow.times == [0; 2]);
    for flow in unknown {
        assert_eq!((flow.ports[0], flow.packets), (1024, 1), "v{input}");
        flow.times = [boot_ms; 2];
    }
    (daemon, sorted(given))
}

fn flows(stored: &Stored) -> Vec<Flow> {
    sorted(stored.flows.iter().map(by_nfdump))
}

/// What of these flows a version can carry.
fn carried(given: &[Flow], version: &str) -> Vec<Flow> {
    let is_carried = |flow: &&Flow| version != "v5" || flow.hosts[0].is_ipv4();
    given.iter().filter(is_carried).cloned().collect()
}

#[test]
fn nfcapd_reads_all_nine_transcodings() {
    if !have(&["softflowd", "nfcapd", "nfdump"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    for input in INPUTS {
        let peers = VERSIONS.map(|version| {
            let place = dir.path().join(format!("nfcapd-{input}-{version}"));
            Nfcapd::start(&place)
        });
        let ports = [peers[0].port, peers[1].port, peers[2].port];
        let (daemon, given) = re_export(input, dir.path(), ports);
        let known = collectors(&daemon);
        for ((version, port), peer) in VERSIONS.iter().zip(ports).zip(peers) {
            let ours = &known[&format!("{version} udp 127.0.0.1:{port}")];
            let theirs = peer.read();
            println!(
                "v{input} to {version}: {:?}; unsent {:?}, lacking {:?}",
                theirs.sums, ours.unsent, ours.lacking
            );
            let is_v4_only = *version == "v5";
            let sums = theirs.sums;
            assert_eq!(sums, stored(&daemon, is_v4_only), "v{input} to {version}");
            assert_eq!(sums, ours.sent, "v{input} to {version}");
            let six: u64 = ours.unsent.values().sum();
            let offered = u64::try_from(given.len()).unwrap();
            assert_eq!(sums.flows + six, offered, "v{input} to {version}");
            let has_six = input != "5" && is_v4_only;
            assert_eq!(six > 0, has_six, "{:?}", ours.unsent);
            assert_eq!(theirs.gaps, 0, "v{input} to {version}");
            let wanted = carried(&given, version);
            assert_eq!(flows(&theirs), wanted, "v{input} to {version}");
        }
    }
}

#[test]
fn tshark_and_nfacctd_read_all_nine_transcodings() {
    if !have(&["softflowd", "nfcapd", "nfdump", "tshark", "nfacctd"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    for input in INPUTS {
        let receivers = [0, 0, 0].map(Receiver::start);
        let ports = [receivers[0].port, receivers[1].port, receivers[2].port];
        let (daemon, given) = re_export(input, dir.path(), ports);
        for (version, receiver) in VERSIONS.iter().zip(&receivers) {
            let wanted = carried(&given, version);
            let messages = receiver.all_of(&daemon, version);
            let sent = sent(&messages);
            let ours = sorted(sent.iter().map(|sent| sent.flow.clone()));
            assert_eq!(ours, wanted, "v{input} to {version}");

            let seen = Seen::of(&messages);
            println!("tshark, v{input} to {version}: {:?}", seen.sums);
            assert_eq!((seen.malformed, seen.unknown), (0, 0), "{version}");
            assert_eq!(seen.sums, stored(&daemon, *version == "v5"), "{version}");
            assert!(seen.gaps.is_empty(), "{version}: {:?}", seen.gaps);
            assert_eq!(seen.starts, times(&wanted, 0), "v{input} to {version}");
            assert_eq!(seen.ends, times(&wanted, 1), "v{input} to {version}");

            let peer = Nfacctd::start(&dir.path().join(format!("{input}-{version}")), "");
            assert_eq!(
                peer.count(&messages),
                expected(&sent, version),
                "v{input} to {version}"
            );
        }
    }
}

/// First or last of all flows, in order of their values.
fn times(flows: &[Flow], which: usize) -> Vec<u64> {
    let mut times: Vec<_> = flows.iter().map(|flow| flow.times[which]).collect();
    times.sort_unstable();
    times
}
