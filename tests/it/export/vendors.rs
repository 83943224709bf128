//! Every vendor's flows through flowlogd: what it sends of them, other collectors
//! read without a complaint, and no flow, packet, octet or time is another.
//!
//! Runs when `FLOWLOGD_CORPUS` names the corpus directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::nfacctd::Nfacctd;
use super::receiver::Receiver;
use super::told::{Flow, Sent, by_nfdump, sent, with_options};
use super::tshark::Seen;
use super::{VERSIONS, collectors, to_all};
use crate::peers::{Nfcapd, feed};
use crate::support::{Daemon, PROGRAM, have};
use crate::traffic::Sums;

/// Captures with sections of packets (315). tshark dissects these, which are
/// cut, and gives up the rest of a message where that fails.
const SECTIONS: [&str; 4] = [
    "juniper-cpid-ipfix-01",
    "unknown-datalink-ipfix-01",
    "unknown-eompls-ipfix-01",
    "unknown-srv6-ipfix-01",
];

/// Flows that nfdump reads otherwise than we.
struct Exception {
    version: &'static str,
    capture: &'static str,
    flows: usize,
    reason: &'static str,
}

const SECONDS: &str = "nfdump 1.7.1 reads no flowStartSeconds (150) and flowEndSeconds (151)";

const EXCEPTIONS: &[Exception] = &[
    Exception {
        version: "v9",
        capture: "procera-packetlogic-ipfix-01",
        flows: 8,
        reason: SECONDS, // Each has addresses of both families, one of them zero.
    },
    Exception {
        version: "v9",
        capture: "procera-packetlogic-ipfix-03",
        flows: 26,
        reason: SECONDS,
    },
    Exception {
        version: "v10",
        capture: "procera-packetlogic-ipfix-01",
        flows: 8,
        reason: SECONDS,
    },
    Exception {
        version: "v10",
        capture: "procera-packetlogic-ipfix-03",
        flows: 26,
        reason: SECONDS,
    },
    Exception {
        version: "v10",
        capture: "cisco-avc-ipfix-02",
        flows: 12,
        reason: "nfdump 1.7.1 reads no initiatorOctets (231) of IPFIX, but those of v9",
    },
];

/// Flows that nfacctd does not count.
struct Uncounted {
    versions: &'static [&'static str],
    capture: &'static str,
    sums: Sums,
    reason: &'static str,
}

const UNCOUNTED: &[Uncounted] = &[
    Uncounted {
        versions: &["v9", "v10"],
        capture: "cisco-wlc-v9-01",
        sums: Sums {
            flows: 19,
            packets: 133_708,
            bytes: 142_991_108,
        },
        reason: "flows of stations, without addresses of IP",
    },
    Uncounted {
        versions: &["v9", "v10"],
        capture: "cisco-avc-ipfix-02",
        sums: Sums {
            flows: 12,
            packets: 1_291,
            bytes: 223_649,
        },
        reason: "counters of the initiator only (231, 298)",
    },
    Uncounted {
        versions: &["v10"],
        capture: "cisco-asa-nsel-v9-02",
        sums: Sums {
            flows: 8,
            packets: 0,
            bytes: 28_495,
        },
        reason: "flows of a firewall that counted no packets; those of v9 are counted",
    },
];

#[test]
fn other_collectors_read_what_becomes_of_the_vendor_corpus() {
    let Some(corpus) = std::env::var_os("FLOWLOGD_CORPUS") else {
        println!("skipped: FLOWLOGD_CORPUS is not set");
        return;
    };
    if !have(&["tshark", "nfcapd", "nfdump", "nfacctd"]) {
        return;
    }
    let receivers = [0, 0, 0].map(Receiver::start);
    let ports = [receivers[0].port, receivers[1].port, receivers[2].port];
    // No faster than the receivers here, which share two cores with all else.
    let slowly = to_all(ports).replace("version = ", "messages-per-s = 1000\nversion = ");
    let listed = format!("{slowly}[exporters]\nallow = [\"127.0.0.1\"]\n");
    let daemon = Daemon::start(&listed);
    let parts = replay_all(Path::new(&corpus), &daemon);
    let known = collectors(&daemon);
    let mut differences = Differences::default();
    for ((version, port), receiver) in VERSIONS.iter().zip(ports).zip(&receivers) {
        let ours = &known[&format!("{version} udp 127.0.0.1:{port}")];
        println!(
            "corpus to {version}: sent {:?}\n    unsent {:?}\n    lacking {:?}",
            ours.sent, ours.unsent, ours.lacking
        );
        let messages = receiver.all_of(&daemon, version);
        let sent = sent(&messages);
        assert_eq!(sums(&sent), ours.sent, "{version}");
        let parts = match *version {
            "v5" => Parts::default(),
            _ => parts.clone(),
        };
        let output = Output {
            version,
            messages,
            sent,
            parts,
        };
        output.by_tshark();
        output.by_nfcapd(&mut differences);
        output.by_nfacctd();
    }
    differences.check();
}

fn sums(sent: &[Sent]) -> Sums {
    let sum = |number: fn(&Flow) -> u64| sent.iter().map(|sent| number(&sent.flow)).sum();
    Sums {
        flows: u64::try_from(sent.len()).unwrap(),
        packets: sum(|flow| flow.packets),
        bytes: sum(|flow| flow.octets),
    }
}

/// Where the flows of each capture end among those that were sent.
#[derive(Clone, Default)]
struct Parts(Vec<(String, usize)>);

impl Parts {
    /// The capture that a flow is of; none of v5, which not all can be sent in.
    fn name(&self, flow: usize) -> &str {
        let end = self.0.partition_point(|(_, end)| *end <= flow);
        self.0.get(end).map_or("any", |(name, _)| name)
    }
}

/// What was sent in a version.
struct Output<'v> {
    version: &'v str,
    messages: Vec<Vec<u8>>,
    sent: Vec<Sent>,
    parts: Parts,
}

impl Output<'_> {
    fn by_tshark(&self) {
        let version = self.version;
        let seen = Seen::of(&self.messages);
        println!("    tshark {:?}", seen.sums);
        assert_eq!((seen.malformed, seen.unknown), (0, 0), "{version}");
        assert!(seen.gaps.is_empty(), "{version}: {:?}", seen.gaps);
        let traffic = |sums: Sums| (sums.packets, sums.bytes);
        assert_eq!(traffic(seen.sums), traffic(sums(&self.sent)), "{version}");
        let times = |which: usize| {
            let told = self.sent.iter().map(|sent| sent.flow.times[which]);
            let mut times: Vec<_> = told.filter(|ms| *ms > 0).collect();
            times.sort_unstable();
            times
        };
        assert!(seen.starts == times(0), "{version}: starts");
        assert!(seen.ends == times(1), "{version}: ends");
    }

    /// It multiplies by the rate of v5's header, and has types of ICMPv6 of
    /// IPFIX only.
    fn by_nfcapd(&self, differences: &mut Differences) {
        let dir = TempDir::new().unwrap();
        let peer = Nfcapd::start(dir.path());
        feed(peer.port, &self.messages);
        let theirs = peer.read();
        println!(
            "    nfcapd {} flows, {} gaps",
            theirs.flows.len(),
            theirs.gaps
        );
        // It does not count records of options (RFC 7011 §3.1), and notices so
        // with the next message.
        let uncounted = match (self.version, self.messages.split_last()) {
            ("v10", Some((_, but_last))) => with_options(but_last),
            _ => 0,
        };
        assert_eq!(theirs.gaps, uncounted, "{}", self.version);
        assert_eq!(theirs.flows.len(), self.sent.len(), "{}", self.version);
        let flows = theirs.flows.iter().map(by_nfdump);
        for (at, (ours, theirs)) in self.sent.iter().zip(flows).enumerate() {
            let mut flow = ours.flow.clone();
            flow.packets *= ours.rate;
            flow.octets *= ours.rate;
            if (self.version, flow.protocol) == ("v9", 58) {
                flow.ports = [0; 2];
            }
            if flow != theirs {
                let what = format!("{flow:?}, not {theirs:?}");
                differences.add(self.version, self.parts.name(at), what);
            }
        }
    }

    /// Its times are compared beside softflowd: of flows that are older than
    /// uptimes can tell it has others.
    fn by_nfacctd(&self) {
        let dir = TempDir::new().unwrap();
        let theirs = Nfacctd::start(dir.path(), "").count(&self.messages);
        let sum = |which: usize| theirs.values().map(|counters| counters[which]).sum();
        let mut theirs = Sums {
            flows: sum(0),
            packets: sum(1),
            bytes: sum(2),
        };
        println!("    nfacctd {theirs:?}");
        let uncounted = UNCOUNTED.iter();
        for uncounted in uncounted.filter(|it| it.versions.contains(&self.version)) {
            let Uncounted {
                capture,
                sums,
                reason,
                ..
            } = uncounted;
            println!("    nfacctd, without {capture}: {sums:?}: {reason}");
            theirs.flows += sums.flows;
            theirs.packets += sums.packets;
            theirs.bytes += sums.bytes;
        }
        assert_eq!(theirs, sums(&self.sent), "{}", self.version);
    }
}

/// What nfdump reads otherwise, by version and capture.
#[derive(Default)]
struct Differences(BTreeMap<(String, String), Vec<String>>);

impl Differences {
    fn add(&mut self, version: &str, capture: &str, what: String) {
        let place = (version.to_owned(), capture.to_owned());
        self.0.entry(place).or_default().push(what);
    }

    /// They are those that are excepted, and as many.
    fn check(mut self) {
        for exception in EXCEPTIONS {
            let Exception {
                version, capture, ..
            } = exception;
            let place = ((*version).to_owned(), (*capture).to_owned());
            let found = self.0.remove(&place).unwrap_or_default();
            let reason = exception.reason;
            println!("nfdump, {version} {capture}: {}: {reason}", found.len());
            assert_eq!(
                found.len(),
                exception.flows,
                "{version} {capture}: {reason}"
            );
        }
        assert!(self.0.is_empty(), "{:#?}", self.0);
    }
}

/// Replays all captures of a directory, one after the other, and waits until
/// all flows have ended.
fn replay_all(corpus: &Path, daemon: &Daemon) -> Parts {
    let mut captures: Vec<_> = fs::read_dir(corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|is| is == "pcap"))
        .filter(|path| !SECTIONS.contains(&stem(path)))
        .collect();
    captures.sort();
    assert!(captures.len() > 100, "{}", captures.len());
    let mut datagrams = 0;
    let mut parts = Parts::default();
    for capture in &captures {
        datagrams += replay(capture, daemon);
        daemon.wait_until("all flows to be offered", |daemon| {
            let stats = daemon.get("/api/v1/stats");
            let inside = ["held", "open", "in_flight"].map(|of| records(&stats, of));
            let known = collectors(daemon);
            let offered = known.values().map(|of| of.offered).sum::<u64>();
            stats["datagrams"]["received"] == datagrams
                && inside == [0; 3]
                && offered == 3 * records(&stats, "routed")
        });
        let routed = records(&daemon.get("/api/v1/stats"), "routed");
        let end = usize::try_from(routed).unwrap();
        parts.0.push((stem(capture).to_owned(), end));
    }
    daemon.wait_until("all flows to end", |daemon| {
        let known = collectors(daemon);
        known.values().all(|of| of.pending == 0)
    });
    parts
}

fn stem(capture: &Path) -> &str {
    capture.file_stem().unwrap().to_str().unwrap()
}

fn records(stats: &Value, account: &str) -> u64 {
    stats["records"][account]["records"].as_u64().unwrap()
}

/// Replays a capture; how many datagrams it has.
fn replay(capture: &Path, daemon: &Daemon) -> u64 {
    let output = Command::new(PROGRAM)
        .args(["replay", "--rate", "2000", "--to"])
        .arg(format!("127.0.0.1:{}", daemon.port))
        .arg(capture)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {output:?}", capture.display());
    // "sent 7 datagrams, …"
    let said = String::from_utf8(output.stdout).unwrap();
    let count = said.split(' ').nth(1).unwrap();
    count.parse().unwrap()
}
