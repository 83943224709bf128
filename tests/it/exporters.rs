//! Real exporters into flowlogd and, from the same run, into nfcapd: flows,
//! packets and octets must be equal, and equal what the exporter says it sent.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::flow_log;
use crate::support::{Daemon, PATIENCE, free_port, have, search_path};
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
                assert_eq!(flows, Some("320"), "softflowd: {said}");
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

/// Runs one exporter twice: to a daemon without and one with a cache, each
/// time beside nfcapd.
fn compare(name: &str, with_ipv6: bool, export: impl Fn(&Path, [u16; 2])) {
    let dir = TempDir::new().unwrap();
    let capture = dir.path().join("traffic.pcap");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let sent = write_capture(&capture, FLOWS, with_ipv6, now.as_secs() - 60);
    for (mode, settings) in [("off", "cache = \"off\"\n"), ("on", CACHED)] {
        let daemon = Daemon::start(&flow_log(settings));
        let nfcapd = Nfcapd::start(&dir.path().join(format!("nfcapd-{mode}")));
        export(&capture, [daemon.port, nfcapd.port]);
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
    let rows = daemon.query("SELECT count(*), sum(packets), sum(bytes) FROM flows");
    let number = |index: usize| rows[0].get(index).and_then(Value::as_u64).unwrap_or(0);
    Sums {
        flows: number(0),
        packets: number(1),
        bytes: number(2),
    }
}

/// nfcapd on a port of its own.
struct Nfcapd {
    child: Child,
    port: u16,
    dir: std::path::PathBuf,
}

impl Nfcapd {
    fn start(dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        let port = free_port();
        let child = command("nfcapd")
            .args(["-t", "3600", "-p", &port.to_string(), "-w"])
            .arg(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let nfcapd = Self {
            child,
            port,
            dir: dir.to_owned(),
        };
        nfcapd.wait_until_bound();
        nfcapd
    }

    /// nfcapd says nothing when it is ready: look for its socket.
    fn wait_until_bound(&self) {
        let port = format!(":{:04X} ", self.port);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let tables = ["/proc/net/udp", "/proc/net/udp6"];
            let bound = tables.iter().any(|table| {
                fs::read_to_string(table).is_ok_and(|sockets| sockets.contains(&port))
            });
            if bound {
                return;
            }
            assert!(Instant::now() < deadline, "nfcapd did not bind");
            std::thread::yield_now();
        }
    }

    /// Ends it, which writes its file, and sums what it stored.
    fn stop(mut self) -> Sums {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        self.child.wait().unwrap();
        let output = command("nfdump")
            .arg("-R")
            .arg(&self.dir)
            .arg("-I")
            .output();
        let said = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
        let number = |name: &str| {
            let line = said.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
                .unwrap_or_else(|| panic!("nfdump says no {name} in {said}"))
        };
        Sums {
            flows: number("Flows:"),
            packets: number("Packets:"),
            bytes: number("Bytes:"),
        }
    }
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path());
    command
}
