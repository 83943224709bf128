//! Open vSwitch, which announces a Template for every shape a packet can have.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::peers::{Ended, command, run, wait_for};
use crate::support::{Daemon, flow_log, have};
use crate::traffic::write_datagrams;

/// Every kind of packet goes through this often.
const REPEATS: u64 = 3;
/// Octets of each frame.
const FRAME: u64 = 200;
const ETHERNET: u64 = 14;
const VLAN_TAG: u64 = 4;

const IPV4: &str = "eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=PROTO,tos=0,ttl=64)";
const IPV6: &str = "eth_type(0x86dd),ipv6(src=2001:db8::1,dst=2001:db8::2,label=0,proto=PROTO,\
                    tclass=0,hlimit=64,frag=no)";

/// Its own packets, with and without VLAN, over both protocols and three transports.
fn packets() -> Vec<String> {
    let transports = [
        ("6", "tcp(src=1001,dst=443)"),
        ("17", "udp(src=1002,dst=53)"),
        ("132", "sctp(src=1003,dst=2905)"),
    ];
    let mut packets = Vec::new();
    for network in [IPV4, IPV6] {
        for (protocol, transport) in transports {
            let network = network.replace("PROTO", protocol);
            let link = "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02)";
            packets.push(format!("{link},{network},{transport}"));
            packets.push(format!(
                "{link},eth_type(0x8100),vlan(vid=7,pcp=0),encap({network},{transport})"
            ));
        }
    }
    packets
}

#[test]
fn open_vswitch_ipfix_decodes_with_all_its_templates() {
    if !have(&["ovs-vswitchd", "ovsdb-server", "ovs-vsctl", "tshark"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(&flow_log("cache = \"off\"\n"));
    let witness = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ports = [daemon.port, witness.local_addr().unwrap().port()];
    let switch = Switch::start(dir.path(), ports);
    let packets = packets();
    for _ in 0..REPEATS {
        switch.receive(&packets);
    }
    let kinds = u64::try_from(packets.len()).unwrap();
    let octets = (FRAME - ETHERNET) * kinds - VLAN_TAG * kinds / 2;
    // Each packet is seen coming in and going out.
    let sums = |direction: u64| {
        let sums = [direction, kinds, kinds * REPEATS, octets * REPEATS];
        sums.map(Value::from).to_vec()
    };
    let stored = "SELECT \"direction\", count(*), sum(packets), sum(bytes) FROM flows \
                  GROUP BY 1 ORDER BY 1";
    daemon.wait_until("all packets stored", |daemon| {
        daemon.query(stored) == [sums(0), sums(1)]
    });
    let capture = dir.path().join("ovs.pcap");
    write_datagrams(&capture, ports[1], &datagrams(&witness));
    let announced = templates_tshark_sees(&capture, ports[1]);
    let views = daemon.get("/api/v1/templates?limit=1000");
    let known = templates_known(&views);
    println!(
        "Open vSwitch: {} templates announced, {} known, {kinds} flows of {} packets in each direction",
        announced.len(),
        known.len(),
        kinds * REPEATS,
    );
    assert_eq!(known, announced);
    // 3.1 announces 88, and one of options in domain 0.
    assert!(known.len() > 40, "{}", known.len());
    assert_eq!(complaints(&daemon.text("/metrics")), [""; 0]);
}

/// ovsdb-server and ovs-vswitchd with one bridge of dummy ports, which needs
/// no privilege: packets are handed to a port as text.
struct Switch {
    control: String,
    _processes: [Ended; 2],
}

impl Switch {
    /// Starts a switch that exports to `ports`, its files in `dir`.
    fn start(dir: &Path, ports: [u16; 2]) -> Self {
        let file = |name: &str| dir.join(name).display().to_string();
        let (database, control) = (file("db.sock"), file("vswitchd.ctl"));
        let start = |program: &str, arguments: &str| {
            let mut command = command(program);
            for name in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
                command.env(name, dir);
            }
            let child = command
                .args(arguments.split_whitespace())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            Ended(child.unwrap())
        };
        let conf = file("conf.db");
        run("ovsdb-tool", &format!("create {conf} {SCHEMA}"));
        let arguments = format!(
            "{conf} --remote=punix:{database} --unixctl={}",
            file("ovsdb.ctl")
        );
        let store = start("ovsdb-server", &arguments);
        wait_for("ovsdb-server", || dir.join("db.sock").exists());
        let vsctl = format!("--db=unix:{database} --timeout=20");
        run("ovs-vsctl", &format!("{vsctl} --no-wait init"));
        let arguments =
            format!("unix:{database} --disable-system --enable-dummy --unixctl={control}");
        let switch = start("ovs-vswitchd", &arguments);
        wait_for("ovs-vswitchd", || dir.join("vswitchd.ctl").exists());
        // Flows leave its cache after a second.
        run(
            "ovs-vsctl",
            &format!(
                "{vsctl} add-br br0 -- set bridge br0 datapath_type=dummy \
                 -- add-port br0 p1 -- set interface p1 type=dummy \
                 -- --id=@i create IPFIX targets=[\"127.0.0.1:{}\",\"127.0.0.1:{}\"] sampling=1 \
                 obs_domain_id=123 cache_active_timeout=1 cache_max_flows=1000 \
                 -- set bridge br0 ipfix=@i",
                ports[0], ports[1]
            ),
        );
        Self {
            control,
            _processes: [switch, store],
        }
    }

    /// Lets packets come in at the port.
    fn receive(&self, packets: &[String]) {
        for packet in packets {
            let status = format!("-t {} netdev-dummy/receive p1 {packet}", self.control);
            run("ovs-appctl", &format!("{status} --len {FRAME}"));
        }
    }
}

/// Where Debian puts the database's layout.
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// What has come to a socket so far.
fn datagrams(socket: &UdpSocket) -> Vec<Vec<u8>> {
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 65_535];
    std::iter::from_fn(|| {
        let length = socket.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    })
    .collect()
}

/// Domain and id of every Template in a capture, sorted.
fn templates_tshark_sees(capture: &Path, port: u16) -> Vec<(u64, u64)> {
    let said = run(
        "tshark",
        &format!(
            "-r {} -d udp.port=={port},cflow -T fields -e cflow.od_id -e cflow.template_id",
            capture.display()
        ),
    );
    let mut templates = BTreeSet::new();
    for line in said.lines() {
        let (domain, ids) = line.split_once('\t').unwrap();
        for id in ids.split(',').filter(|id| !id.is_empty()) {
            templates.insert((domain.parse().unwrap(), id.parse().unwrap()));
        }
    }
    templates.into_iter().collect()
}

/// Domain and id of every Template the daemon knows, sorted.
fn templates_known(views: &Value) -> Vec<(u64, u64)> {
    let number = |view: &Value, name: &str| view[name].as_u64().unwrap();
    let views = views["templates"].as_array().unwrap().iter();
    let templates: BTreeSet<(u64, u64)> = views
        .map(|view| (number(view, "domain"), number(view, "id")))
        .collect();
    templates.into_iter().collect()
}

/// Counters of what went wrong that are not 0.
fn complaints(metrics: &str) -> Vec<&str> {
    let bad = [
        "flowlogd_wire_faults_total",
        "flowlogd_session_refused_datagrams_total",
        "flowlogd_session_templates_received_total{fate=\"invalid\"}",
        "flowlogd_session_template_missing_sets_total",
        "flowlogd_session_sequence_lost_total",
    ];
    let lines = metrics.lines();
    lines
        .filter(|line| bad.iter().any(|name| line.starts_with(name)))
        .filter(|line| !line.ends_with(" 0"))
        .collect()
}
