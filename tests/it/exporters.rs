//! Real exporters into flowlogd and, from the same run, into nfcapd: flows,
//! packets and octets must be equal, and equal what the exporter says it sent.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::namespace::in_private_network;
use crate::peers::{Ended, Nfcapd, command, run, wait_for};
use crate::support::{Daemon, flow_log, have};
use crate::traffic::{Sums, write_capture};

const CACHED: &str = "active-s = 5\ninactive-s = 2\n";
const FLOWS: u32 = 320;

#[test]
fn softflowd_v5_v9_and_ipfix_arrive_complete() {
    if !have(&["softflowd", "nfcapd", "nfdump"]) {
        return;
    }
    for (version, with_ipv6) in [("5", false), ("9", true), ("10", true)] {
        compare(
            &format!("softflowd v{version}"),
            with_ipv6,
            |capture, ports| {
                assert_eq!(softflowd(version, capture, &ports), u64::from(FLOWS));
            },
        );
    }
}

#[test]
fn pmacctd_nfprobe_v5_v9_and_ipfix_arrive_complete() {
    if !have(&["pmacctd", "nfcapd", "nfdump"]) {
        return;
    }
    for (version, with_ipv6) in [("5", false), ("9", true), ("10", true)] {
        compare(
            &format!("pmacctd v{version}"),
            with_ipv6,
            |capture, ports| {
                let config = capture.with_extension("conf");
                let mut text = format!(
                    "daemonize: false\npcap_savefile: {}\nnfprobe_version: {version}\n\
                 aggregate: src_host,dst_host,src_port,dst_port,proto,tos\n\
                 nfprobe_timeouts: tcp=5:maxlife=3600\nplugins: nfprobe[p0], nfprobe[p1]\n",
                    capture.display(),
                );
                for (index, port) in ports.iter().enumerate() {
                    text += &format!("nfprobe_receiver[p{index}]: 127.0.0.1:{port}\n");
                }
                fs::write(&config, text).unwrap();
                // Its exit code says how its plugins ended, not whether all was sent;
                // what nfcapd got says that.
                let _ended = command("pmacctd")
                    .arg("-f")
                    .arg(&config)
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .unwrap();
            },
        );
    }
}

/// fprobe takes packets off an interface only.
#[test]
fn fprobe_v5_arrives_complete_from_a_live_interface() {
    if !have(&["fprobe", "tcpreplay", "ip", "nfcapd", "nfdump"]) {
        return;
    }
    in_private_network(|| {
        run("ip", "link add va type veth peer name vb");
        run("ip", "link set va up");
        run("ip", "link set vb up");
        compare("fprobe v5", false, |capture, ports| {
            let fprobe = Ended(
                command("fprobe")
                    .args(["-i", "vb", "-p", "-n", "5", "-e", "5", "-d", "3", "-s", "1"])
                    .args(["-q", "20000", "-B", "4096", "-v", "4", "-l", "2"])
                    // nfcapd first: the wait is for the daemon.
                    .args(ports.iter().rev().map(|port| format!("127.0.0.1:{port}")))
                    .stdout(Stdio::null())
                    .spawn()
                    .unwrap(),
            );
            let packet_sockets = || fs::read_to_string("/proc/thread-self/net/packet").unwrap();
            wait_for("fprobe to listen", || packet_sockets().lines().count() > 1);
            run(
                "tcpreplay",
                &format!("-q -i va --mbps 20 {}", capture.display()),
            );
            // It emits a flow that was idle for 3 s, and none when it ends.
            fprobe
        });
    });
}

/// Has softflowd export a capture's flows in a NetFlow version to these ports;
/// how many it says there were.
pub(crate) fn softflowd(version: &str, capture: &Path, ports: &[u16]) -> u64 {
    let targets: Vec<String> = ports.iter().map(|p| format!("127.0.0.1:{p}")).collect();
    let output = command("softflowd")
        .args(["-6", "-d", "-a", "-c", "none", "-v", version])
        .args(["-n", &targets.join(",")])
        .arg("-r")
        .arg(capture)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let exported = said
        .lines()
        .find(|line| line.starts_with("Flows exported:"));
    let flows = exported.and_then(|line| line.split_whitespace().nth(2));
    flows
        .and_then(|flows| flows.parse().ok())
        .unwrap_or_else(|| panic!("softflowd: {said}"))
}

/// Runs one exporter twice: to a daemon without and one with a cache, each
/// time beside nfcapd. What `export` returns lives until all is there.
fn compare<T>(name: &str, with_ipv6: bool, export: impl Fn(&Path, [u16; 2]) -> T) {
    let dir = TempDir::new().unwrap();
    let capture = dir.path().join("traffic.pcap");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let sent = write_capture(&capture, FLOWS, with_ipv6, now.as_secs() - 60);
    for (mode, settings) in [("off", "cache = \"off\"\n"), ("on", CACHED)] {
        let daemon = Daemon::start(&flow_log(settings));
        let nfcapd = Nfcapd::start(&dir.path().join(format!("nfcapd-{mode}")));
        let _exporter = export(&capture, [daemon.port, nfcapd.port]);
        daemon.wait_until("all packets stored", |daemon| {
            stored(daemon).packets >= sent.packets
        });
        let ours = stored(&daemon);
        let theirs = nfcapd.stop();
        println!("{name}, cache {mode}: sent {sent:?}, flowlogd {ours:?}, nfcapd {theirs:?}");
        assert_eq!(theirs, sent, "{name}: nfcapd");
        if mode == "off" {
            assert_eq!(ours, sent, "{name}: cache off");
        } else {
            let total = |sums: Sums| (sums.packets, sums.bytes);
            assert_eq!(total(ours), total(sent), "{name}: cache on");
        }
    }
}

fn stored(daemon: &Daemon) -> Sums {
    stored_where(daemon, "TRUE")
}

/// Flows in the log store of which a condition of SQL holds.
pub(crate) fn stored_where(daemon: &Daemon, condition: &str) -> Sums {
    let rows = daemon.query(&format!(
        "SELECT count(*), sum(packets), sum(bytes) FROM flows WHERE {condition}"
    ));
    let number = |index: usize| rows[0].get(index).and_then(Value::as_u64).unwrap_or(0);
    Sums {
        flows: number(0),
        packets: number(1),
        bytes: number(2),
    }
}
