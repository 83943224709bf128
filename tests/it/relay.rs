//! Datagrams copied to other collectors, octet by octet.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::ledger::Metrics;
use crate::sender::{V5Exporter, paced};
use crate::support::{Daemon, PATIENCE, PROGRAM, configure, flow_log, free_port, skip};

/// Another collector.
struct Receiver {
    socket: UdpSocket,
    address: SocketAddr,
}

impl Receiver {
    fn new() -> Self {
        Self::on("127.0.0.1:0")
    }

    /// One that hears whatever address a name of this host has.
    fn of_any_family() -> Self {
        match UdpSocket::bind("[::]:0") {
            Ok(_) => Self::on("[::]:0"),
            Err(_) => Self::on("0.0.0.0:0"),
        }
    }

    fn on(address: &str) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    /// The next datagrams, and who sent them.
    fn take(&self, count: usize) -> Vec<(Vec<u8>, SocketAddr)> {
        let mut room = vec![0; 65_535];
        let mut take = || {
            let (length, from) = self.socket.recv_from(&mut room).unwrap();
            (room[..length].to_vec(), from)
        };
        (0..count).map(|_| take()).collect()
    }

    fn octets(&self, count: usize) -> Vec<Vec<u8>> {
        let taken = self.take(count);
        taken.into_iter().map(|(octets, _)| octets).collect()
    }

    /// Nothing waits here.
    fn has_nothing(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let outcome = self.socket.recv_from(&mut [0; 16]);
        self.socket.set_nonblocking(false).unwrap();
        outcome.is_err()
    }
}

/// A relay to these addresses; `more` are its other keys.
fn relay(to: &[SocketAddr], more: &str) -> String {
    let to: Vec<_> = to.iter().map(|it| format!("\"{it}\"")).collect();
    format!("[[relay]]\nto = [{}]\n{more}\n", to.join(", "))
}

/// One of each kind: v5, v9 and IPFIX headers with what may follow, nonsense,
/// nothing, and the longest there is.
fn datagrams() -> Vec<Vec<u8>> {
    let header = |version: u8, length: usize| {
        let mut datagram = vec![0; length];
        datagram[1] = version;
        datagram[3] = 1;
        datagram
    };
    vec![
        header(5, 72),
        header(9, 20),
        header(10, 16),
        b"no flow at all".to_vec(),
        Vec::new(),
        header(5, 1464),
        header(5, 1464),
        vec![0xff; 65_507],
        Vec::new(),
        header(9, 60),
    ]
}

fn exporter(host: u8, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, host), 0)).unwrap();
    socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket
}

fn dropped(daemon: &Daemon, destination: SocketAddr, reason: &str) -> u64 {
    let series = format!(
        "flowlogd_listen_relay_dropped_datagrams_total\
         {{destination=\"{destination}\",reason=\"{reason}\"}} "
    );
    series_of(daemon, &series)
}

fn sent(daemon: &Daemon, destination: SocketAddr) -> u64 {
    let series =
        format!("flowlogd_listen_relayed_datagrams_total{{destination=\"{destination}\"}} ");
    series_of(daemon, &series)
}

fn series_of(daemon: &Daemon, series: &str) -> u64 {
    let text = daemon.text("/metrics");
    let value = text.lines().find_map(|line| line.strip_prefix(series));
    value.map_or(0, |value| value.parse().unwrap())
}

#[test]
fn two_collectors_get_every_datagram_octet_by_octet_and_in_order() {
    let (one, other) = (Receiver::new(), Receiver::of_any_family());
    // A name is as good as an address.
    let named = format!("localhost:{}", other.address.port());
    let rules = format!(
        "[[relay]]\nto = [\"{}\", \"{named}\"]\n[exporters]\nallow = [\"127.0.0.1\"]\n",
        one.address
    );
    let daemon = Daemon::start(&flow_log(&rules));
    let stranger = exporter(9, daemon.port);
    let known = exporter(1, daemon.port);
    let all = datagrams();
    // Until the name is looked up there is nowhere to send to.
    let named_sent = format!("flowlogd_listen_relayed_datagrams_total{{destination=\"{named}\"}} ");
    daemon.wait_until("name known", |daemon| {
        known.send(b"probe").unwrap();
        daemon.text("/metrics").contains(&named_sent) && series_of(daemon, &named_sent) > 0
    });
    daemon.wait_until("probes relayed", |daemon| {
        let datagrams = &daemon.get("/api/v1/stats")["datagrams"];
        let received = datagrams["received"].as_u64().unwrap();
        received == sent(daemon, one.address)
    });
    let probes = sent(&daemon, one.address);
    let first = one.take(usize::try_from(probes).unwrap());
    assert!(first.iter().all(|(octets, _)| octets == b"probe"));
    let named_probes = usize::try_from(series_of(&daemon, &named_sent)).unwrap();
    other.take(named_probes);
    for datagram in &all {
        stranger.send(b"not on the list").unwrap();
        known.send(datagram).unwrap();
    }
    for receiver in [&one, &other] {
        assert_eq!(receiver.octets(all.len()), all);
        assert!(receiver.has_nothing());
    }
    let count = u64::try_from(all.len()).unwrap();
    daemon.wait_until("all counted", |daemon| {
        sent(daemon, one.address) == probes + count
    });
    let octets = format!(
        "flowlogd_listen_relayed_octets_total{{destination=\"{}\"}} ",
        one.address
    );
    let expected: usize = all.iter().map(Vec::len).sum::<usize>() + first.len() * 5;
    assert_eq!(series_of(&daemon, &octets), expected as u64);
    let datagrams = &daemon.get("/api/v1/stats")["datagrams"];
    assert_eq!(datagrams["refused"]["exporter-not-allowed"], count);
    assert_eq!(datagrams["relayed_only"], 0);
}

#[test]
fn what_is_only_relayed_has_an_account_of_its_own() {
    let receiver = Receiver::new();
    let only = "only = true\nexporters = [\"127.0.0.7\"]";
    let daemon = Daemon::start(&flow_log(&relay(&[receiver.address], only)));
    let mut decoded = V5Exporter::new(8, daemon.port);
    let mut passed = V5Exporter::new(7, daemon.port);
    for _ in 0..5 {
        decoded.send();
        passed.send();
    }
    receiver.take(5);
    daemon.wait_until("ten received", |daemon| {
        daemon.get("/api/v1/stats")["datagrams"]["received"] == 10
    });
    let datagrams = &daemon.get("/api/v1/stats")["datagrams"];
    assert_eq!(
        [
            &datagrams["decoded"],
            &datagrams["relayed_only"],
            &datagrams["refused"]
        ],
        [&json!(5), &json!(5), &json!({})]
    );
    let metrics = Metrics::scrape(&daemon);
    metrics.check();
    assert_eq!(metrics.get("flowlogd_flow_decoded_records_total"), 150);
}

/// A destination that is gone, one that does not read and one that does, while
/// flows are kept: nobody waits for anybody.
#[test]
fn the_ledger_is_exact_while_collectors_fail() {
    let (alive, slow) = (Receiver::new(), Receiver::new());
    let gone = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let rules = relay(&[gone, slow.address, alive.address], "")
        + &relay(&[alive.address], "only = true\nexporters = [\"127.0.0.7\"]");
    let daemon = Daemon::start(&flow_log(&rules));
    let mut kept = V5Exporter::new(9, daemon.port);
    let mut passed = V5Exporter::new(7, daemon.port);
    let is_done = AtomicBool::new(false);
    let (scrapes, taken) = std::thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let mut scrapes = 0;
            while !is_done.load(Ordering::Relaxed) {
                Metrics::scrape(&daemon).check();
                scrapes += 1;
            }
            scrapes
        });
        let reader = scope.spawn(|| {
            let mut taken = 0_u64;
            alive
                .socket
                .set_read_timeout(Some(Duration::from_secs(2)))
                .unwrap();
            while alive.socket.recv_from(&mut [0; 2048]).is_ok() {
                taken += 1;
            }
            taken
        });
        paced(2_000, Duration::from_secs(3), |_| {
            kept.send();
            passed.send();
        });
        is_done.store(true, Ordering::Relaxed);
        (scraper.join().unwrap(), reader.join().unwrap())
    });
    let each = u64::from(kept.sent() / 30);
    let metrics = Metrics::scrape(&daemon);
    metrics.check();
    assert!(scrapes > 10, "{scrapes}");
    assert_eq!(metrics.missed(), 0);
    let received = metrics.get("flowlogd_listen_datagrams_total");
    assert_eq!(received, 2 * each);
    assert_eq!(
        metrics.get("flowlogd_listen_relayed_only_datagrams_total"),
        each
    );
    assert_eq!(
        metrics.get("flowlogd_session_decoded_datagrams_total"),
        each
    );
    assert_eq!(sent(&daemon, alive.address), 2 * each);
    // What its own socket has no room for is the reader's loss.
    assert!(taken > each, "{taken} of {}", 2 * each);
    // The kernel takes what is for one who does not read.
    assert_eq!(sent(&daemon, slow.address), 2 * each);
    let lost = dropped(&daemon, gone, "unreachable");
    assert_eq!(sent(&daemon, gone) + lost, 2 * each);
    let notices = format!("flowlogd_listen_relay_unreachable_total{{destination=\"{gone}\"}} ");
    assert!(series_of(&daemon, &notices) > 0);
    println!(
        "{scrapes} exact scrapes; {} notices, {lost} lost",
        series_of(&daemon, &notices)
    );
    daemon.wait_until("the log says so", |daemon| {
        daemon.logged("copies of datagrams do not reach a collector") == 1
    });
}

#[test]
fn a_reload_keeps_the_ports_of_destinations_that_stay() {
    let (stays, goes, comes) = (Receiver::new(), Receiver::new(), Receiver::new());
    let dir = TempDir::new().unwrap();
    let before = flow_log(&relay(&[goes.address, stays.address], ""));
    let daemon = Daemon::start_in(dir.path(), &before);
    let exporter = exporter(1, daemon.port);
    exporter.send(b"before").unwrap();
    assert_eq!(goes.octets(1), [b"before"]);
    let (_, from) = stays.take(1).remove(0);

    let after = flow_log(&relay(&[stays.address, comes.address], ""));
    configure(daemon.port, dir.path(), &after);
    daemon.signal("HUP");
    daemon.wait_until("reloaded", |daemon| {
        daemon.logged("reloaded flow logs") == 1
    });
    daemon.wait_until("the lane knows", |_| {
        exporter.send(b"after").unwrap();
        comes
            .socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        comes.socket.recv_from(&mut [0; 16]).is_ok()
    });
    assert_eq!(stays.take(1), [(b"after".to_vec(), from)]);

    // A bad one changes nothing.
    let loops = SocketAddr::from((Ipv4Addr::LOCALHOST, daemon.port));
    configure(daemon.port, dir.path(), &flow_log(&relay(&[loops], "")));
    daemon.signal("HUP");
    daemon.wait_until("refused", |daemon| daemon.logged("the old one stays") == 1);
    while goes.socket.set_nonblocking(true).is_ok() && goes.socket.recv_from(&mut [0; 16]).is_ok() {
    }
    comes.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    exporter.send(b"still").unwrap();
    while comes.octets(1) != [b"still"] {}
    assert!(goes.has_nothing());
}

/// All addresses that relays refuse are tested beside the code; this is how an
/// operator hears of it.
#[test]
fn a_relay_into_our_own_socket_is_a_problem_of_the_configuration() {
    let dir = TempDir::new().unwrap();
    let port = free_port();
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (code, said) = check(
        dir.path(),
        port,
        &relay(&[own], "filter = \"dstport = 53\""),
    );
    assert_eq!(code, Some(78));
    assert!(
        said.contains("is where this flowlogd itself listens"),
        "{said}"
    );
    assert!(said.contains("looks at no record"), "{said}");
}

fn check(dir: &Path, port: u16, settings: &str) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM)
        .args(["check", "--config"])
        .arg(configure(port, dir, settings))
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_copy_bears_the_exporters_address_and_port() {
    let receiver = Receiver::new();
    let dir = TempDir::new().unwrap();
    let settings = flow_log(&relay(&[receiver.address], "spoof-source = true"));
    if !may_spoof() {
        skip("no CAP_NET_RAW");
        return;
    }
    let daemon = Daemon::start_in(dir.path(), &settings);
    let sender = exporter(77, daemon.port);
    let all = [b"one".to_vec(), Vec::new(), vec![7; 1464]];
    for datagram in &all {
        sender.send(datagram).unwrap();
    }
    let from = sender.local_addr().unwrap();
    let expected = all.map(|datagram| (datagram, from));
    assert_eq!(receiver.take(3), expected);
}

/// What an operator without the capability reads.
#[test]
fn without_the_capability_start_says_what_to_do() {
    if !may_spoof() || !crate::support::have(&["setpriv"]) {
        skip("takes CAP_NET_RAW and setpriv, to do without");
        return;
    }
    let dir = TempDir::new().unwrap();
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let settings = flow_log(&relay(&[to], "spoof-source = true"));
    let output = Command::new("setpriv")
        .args([
            "--bounding-set=-net_raw",
            "--inh-caps=-net_raw",
            PROGRAM,
            "run",
            "--config",
        ])
        .arg(configure(free_port(), dir.path(), &settings))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("relay[0].spoof-source"), "{said}");
    assert!(said.contains("CAP_NET_RAW"), "{said}");
}

fn may_spoof() -> bool {
    flowlogd::listen::may_spoof().is_ok()
}
