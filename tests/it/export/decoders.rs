//! What nfcapd, nfacctd and tshark make of flows that are re-exported, beside
//! what flowlogd itself stored of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use super::receiver::Receiver;
use super::{capture, collectors, export};
use crate::exporters::stored_where;
use crate::peers::{Ended, Nfcapd, command, is_bound, run, wait_for};
use crate::support::{Daemon, flow_log, free_port, have};
use crate::traffic::{Sums, write_datagrams};

const VERSIONS: [&str; 3] = ["v5", "v9", "v10"];

/// One flow log that stores its flows and re-exports them in each version.
fn to_all(ports: [u16; 3]) -> String {
    let outputs = VERSIONS.iter().zip(ports).map(|(version, port)| {
        format!("[[flow-log.netflow]]\nserver = \"127.0.0.1:{port}\"\nversion = \"{version}\"\n")
    });
    flow_log("cache = \"off\"\noutput = \"all\"\n") + &outputs.collect::<String>()
}

/// Flows that flowlogd stored; of `only_v4`, those with IPv4 addresses.
fn stored(daemon: &Daemon, only_v4: bool) -> Sums {
    let condition = if only_v4 {
        "srcaddr NOT LIKE '%:%'"
    } else {
        "TRUE"
    };
    stored_where(daemon, condition)
}

#[test]
fn nfcapd_reads_all_nine_transcodings() {
    if !have(&["softflowd", "nfcapd", "nfdump"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    for input in ["5", "9", "10"] {
        let with_ipv6 = input != "5";
        let (traffic, sent) = capture(dir.path(), with_ipv6);
        let peers = VERSIONS.map(|version| {
            let place = dir.path().join(format!("nfcapd-{input}-{version}"));
            Nfcapd::start(&place)
        });
        let ports = [peers[0].port, peers[1].port, peers[2].port];
        let daemon = Daemon::start(&to_all(ports));
        export(input, &traffic, &daemon, 3);
        let known = collectors(&daemon);
        for ((version, port), peer) in VERSIONS.iter().zip(ports).zip(peers) {
            let ours = &known[&format!("{version} udp 127.0.0.1:{port}")];
            let theirs = peer.stop();
            println!(
                "v{input} to {version}: {theirs:?}; unsent {:?}, lacking {:?}",
                ours.unsent, ours.lacking
            );
            let is_v4_only = *version == "v5";
            assert_eq!(theirs, stored(&daemon, is_v4_only), "v{input} to {version}");
            assert_eq!(theirs, ours.sent, "v{input} to {version}");
            let six: u64 = ours.unsent.values().sum();
            assert_eq!(theirs.flows + six, sent.flows, "v{input} to {version}");
            assert_eq!(six > 0, with_ipv6 && is_v4_only, "{:?}", ours.unsent);
        }
    }
}

#[test]
fn tshark_finds_nothing_malformed_and_every_template() {
    if !have(&["softflowd", "tshark"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let (traffic, _) = capture(dir.path(), true);
    let receivers = [0, 0, 0].map(Receiver::start);
    let ports = [receivers[0].port, receivers[1].port, receivers[2].port];
    let daemon = Daemon::start(&to_all(ports));
    export("10", &traffic, &daemon, 3);
    for (version, receiver) in VERSIONS.iter().zip(&receivers) {
        let file = dir.path().join(format!("{version}.pcap"));
        write_datagrams(&file, receiver.port, &receiver.messages());
        let seen = Seen::of(&file, receiver.port);
        println!("tshark, {version}: {seen:?}");
        assert_eq!((seen.malformed, seen.unknown), (0, 0), "{version}");
        assert_eq!(seen.sums, stored(&daemon, *version == "v5"), "{version}");
        assert!(seen.gaps.is_empty(), "{version}: {:?}", seen.gaps);
    }
}

/// What tshark says of a capture.
#[derive(Debug, Default)]
struct Seen {
    sums: Sums,
    /// Packets it cannot dissect.
    malformed: usize,
    /// Sets whose Template it does not know.
    unknown: usize,
    /// Sequence numbers that are not what those before lead to.
    gaps: Vec<String>,
}

impl Seen {
    fn of(file: &Path, port: u16) -> Self {
        // Deltas, totals, and those of a connection's initiator.
        let fields = ["", "permanent_", "initiator_"]
            .map(|kind| format!("-e cflow.{kind}packets -e cflow.{kind}octets"))
            .join(" ");
        let said = run(
            "tshark",
            &format!(
                "-r {} -d udp.port=={port},cflow -T fields {fields} -E occurrence=a \
                 -E aggregator=,",
                file.display()
            ),
        );
        let mut seen = Self::default();
        for line in said.lines() {
            for (index, column) in line.split('\t').enumerate() {
                let numbers = column.split(',').filter(|number| !number.is_empty());
                let numbers = numbers.map(|number| number.parse::<u64>().unwrap());
                if index.is_multiple_of(2) {
                    seen.sums.flows += u64::try_from(numbers.clone().count()).unwrap();
                    seen.sums.packets += numbers.sum::<u64>();
                } else {
                    seen.sums.bytes += numbers.sum::<u64>();
                }
            }
        }
        let text = run(
            "tshark",
            &format!("-r {} -d udp.port=={port},cflow -V", file.display()),
        );
        seen.malformed = text.matches("Malformed").count();
        seen.unknown = text.matches("No template found").count();
        let expected = text.lines().filter(|line| line.contains("(expected "));
        seen.gaps = expected.map(|line| line.trim().to_owned()).collect();
        seen
    }
}

#[test]
fn nfacctd_counts_the_same() {
    if !have(&["softflowd", "nfacctd"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let (traffic, _) = capture(dir.path(), true);
    let peers = VERSIONS.map(|version| Nfacctd::start(&dir.path().join(version)));
    let ports = [peers[0].port, peers[1].port, peers[2].port];
    let daemon = Daemon::start(&to_all(ports));
    export("9", &traffic, &daemon, 3);
    for (version, peer) in VERSIONS.iter().zip(peers) {
        let theirs = peer.stop();
        println!("nfacctd, {version}: {theirs:?}");
        assert_eq!(theirs, stored(&daemon, *version == "v5"), "{version}");
    }
}

/// nfacctd, which prints what it counted to a file when it ends.
struct Nfacctd {
    child: Ended,
    port: u16,
    printed: std::path::PathBuf,
}

impl Nfacctd {
    fn start(dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        let (port, printed) = (free_port(), dir.join("printed"));
        let config = dir.join("nfacctd.conf");
        let text = format!(
            "daemonize: false\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: print\n\
             aggregate: src_host,dst_host,src_port,dst_port,proto\nprint_output: csv\n\
             print_output_file: {}\nprint_refresh_time: 3600\nnfacctd_pro_rating: false\n\
             plugin_buffer_size: 102400\nplugin_pipe_size: 10240000\n",
            printed.display()
        );
        fs::write(&config, text).unwrap();
        let child = command("nfacctd")
            .arg("-f")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("nfacctd to listen", || is_bound(port));
        Self {
            child: Ended(child),
            port,
            printed,
        }
    }

    fn stop(mut self) -> Sums {
        run("kill", &format!("-INT {}", self.child.0.id()));
        self.child.0.wait().unwrap();
        wait_for("nfacctd to print", || self.printed.exists());
        let text = fs::read_to_string(&self.printed).unwrap();
        let mut lines = text.lines();
        let header: Vec<_> = lines.next().unwrap().split(',').collect();
        let place = |name: &str| header.iter().position(|known| *known == name).unwrap();
        let (packets, bytes) = (place("PACKETS"), place("BYTES"));
        let mut flows = BTreeMap::new();
        for line in lines {
            let values: Vec<_> = line.split(',').collect();
            let number = |place: usize| values[place].parse::<u64>().unwrap();
            let key = values[..5].join(",");
            flows.insert(key, (number(packets), number(bytes)));
        }
        Sums {
            flows: u64::try_from(flows.len()).unwrap(),
            packets: flows.values().map(|(packets, _)| packets).sum(),
            bytes: flows.values().map(|(_, bytes)| bytes).sum(),
        }
    }
}

/// Every vendor's flows through flowlogd: what it sends of them, tshark reads
/// without a complaint, and no flow, packet or octet is missing.
#[test]
fn tshark_reads_what_becomes_of_the_vendor_corpus() {
    let Some(corpus) = std::env::var_os("FLOWLOGD_CORPUS") else {
        println!("skipped: FLOWLOGD_CORPUS is not set");
        return;
    };
    if !have(&["tshark"]) {
        return;
    }
    let receivers = [0, 0, 0].map(Receiver::start);
    let ports = [receivers[0].port, receivers[1].port, receivers[2].port];
    // No faster than the receivers here, which share two cores with all else.
    let slowly = to_all(ports).replace("version = ", "messages-per-s = 1000\nversion = ");
    let listed = format!("{slowly}[exporters]\nallow = [\"127.0.0.1\"]\n");
    let daemon = Daemon::start(&listed);
    replay_all(Path::new(&corpus), &daemon);
    let known = collectors(&daemon);
    for ((version, port), receiver) in VERSIONS.iter().zip(ports).zip(&receivers) {
        let ours = &known[&format!("{version} udp 127.0.0.1:{port}")];
        println!(
            "corpus to {version}: sent {:?}\n    unsent {:?}\n    lacking {:?}",
            ours.sent, ours.unsent, ours.lacking
        );
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("sent.pcap");
        write_datagrams(&file, receiver.port, &receiver.messages());
        let seen = Seen::of(&file, receiver.port);
        println!("    tshark {seen:?}");
        assert_eq!((seen.malformed, seen.unknown), (0, 0), "{version}");
        assert!(seen.gaps.is_empty(), "{version}: {:?}", seen.gaps);
        let traffic = |sums: Sums| (sums.packets, sums.bytes);
        assert_eq!(traffic(seen.sums), traffic(ours.sent), "{version}");
    }
}

/// Captures with sections of packets (315). tshark dissects these, which are
/// cut, and gives up the rest of a message where that fails.
const SECTIONS: [&str; 4] = [
    "juniper-cpid-ipfix-01",
    "unknown-datalink-ipfix-01",
    "unknown-eompls-ipfix-01",
    "unknown-srv6-ipfix-01",
];

/// Replays all captures of a directory, and waits until all flows have ended.
fn replay_all(corpus: &Path, daemon: &Daemon) {
    let mut captures: Vec<_> = fs::read_dir(corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|is| is == "pcap"))
        .filter(|path| !SECTIONS.contains(&path.file_stem().unwrap().to_str().unwrap()))
        .collect();
    captures.sort();
    assert!(captures.len() > 100, "{}", captures.len());
    for capture in &captures {
        let replayed = std::process::Command::new(env!("CARGO_BIN_EXE_flowlogd"))
            .args(["replay", "--rate", "2000", "--to"])
            .arg(format!("127.0.0.1:{}", daemon.port))
            .arg(capture)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(replayed.unwrap().success(), "{}", capture.display());
    }
    daemon.wait_until("all flows to end", |daemon| {
        let stats = daemon.get("/api/v1/stats");
        let records = |part: &Value, account: &str| part[account]["records"].as_u64().unwrap();
        let inside = ["held", "open", "in_flight"].map(|of| records(&stats["records"], of));
        let waiting = collectors(daemon)
            .values()
            .map(|of| of.pending)
            .sum::<u64>();
        let offered = collectors(daemon)
            .values()
            .map(|of| of.offered)
            .sum::<u64>();
        let routed = records(&stats["records"], "routed");
        inside == [0; 3] && waiting == 0 && offered == 3 * routed
    });
}
