//! Every vendor's flows through flowlogd: what it sends of them, other collectors
//! read without a complaint, and no flow, packet, octet or time is another.
//!
//! Runs when `FLOWLOGD_CORPUS` names the corpus directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::nfacctd::{Counted, Nfacctd, expected};
use super::receiver::Receiver;
use super::told::{Flow, Sent, by_nfdump, sent};
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

/// Flows that another collector reads otherwise than we.
struct Exception {
    peer: &'static str,
    version: &'static str,
    capture: &'static str,
    flows: usize,
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[];

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
        output.by_nfacctd(&mut differences);
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

    /// It multiplies by the rate of v5's header.
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
        assert_eq!(theirs.flows.len(), self.sent.len(), "{}", self.version);
        let flows = theirs.flows.iter().map(by_nfdump);
        for (at, (ours, theirs)) in self.sent.iter().zip(flows).enumerate() {
            let mut flow = ours.flow.clone();
            flow.packets *= ours.rate;
            flow.octets *= ours.rate;
            if flow != theirs {
                let what = format!("{flow:?}, not {theirs:?}");
                differences.add(("nfcapd", self.version, self.parts.name(at)), what);
            }
        }
    }

    fn by_nfacctd(&self, differences: &mut Differences) {
        let dir = TempDir::new().unwrap();
        let peer = Nfacctd::start(dir.path(), "");
        let theirs = peer.count(&self.messages);
        let count = |counted: &Counted| counted.values().map(|[flows, ..]| flows).sum::<u64>();
        println!("    nfacctd {} flows", count(&theirs));
        let ours = expected(&self.sent, self.version);
        for (at, sent) in self.sent.iter().enumerate() {
            let of_one = expected(std::slice::from_ref(sent), self.version);
            for key in of_one.keys() {
                if ours[key] != theirs.get(key).copied().unwrap_or_default() {
                    let what = format!("{key:?} {:?}, not {:?}", ours[key], theirs.get(key));
                    differences.add(("nfacctd", self.version, self.parts.name(at)), what);
                }
            }
        }
        let unknown = theirs.keys().filter(|key| !ours.contains_key(*key));
        println!(
            "    of keys we do not have: {:?}",
            unknown.collect::<Vec<_>>()
        );
    }
}

/// What others read otherwise, by peer, version and capture.
#[derive(Default)]
struct Differences(BTreeMap<(String, String, String), Vec<String>>);

impl Differences {
    fn add(&mut self, (peer, version, capture): (&str, &str, &str), what: String) {
        let place = (peer.to_owned(), version.to_owned(), capture.to_owned());
        self.0.entry(place).or_default().push(what);
    }

    /// They are those that are excepted, and as many.
    fn check(&self) {
        let found: BTreeMap<_, _> = self
            .0
            .iter()
            .map(|(place, all)| (place, all.len()))
            .collect();
        for ((peer, version, capture), all) in &self.0 {
            println!("{peer} {version} {capture}: {}\n    {}", all.len(), all[0]);
        }
        assert!(found.is_empty());
        let _ = EXCEPTIONS
            .iter()
            .map(|e| (e.peer, e.version, e.capture, e.flows, e.reason));
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
fn replay(capture: &PathBuf, daemon: &Daemon) -> u64 {
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
