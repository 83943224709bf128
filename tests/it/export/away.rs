//! Collectors that are away, come back, or read too slowly: what they miss is
//! counted, nobody else notices, and they are served again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::receiver::{Receiver, listen, read_messages};
use super::told::sent;
use super::{collectors, settle};
use crate::sender::{V5Exporter, paced};
use crate::support::{Daemon, flow_log, free_port, free_tcp_port};

fn flow_log_to(version: &str, transport: &str, port: u16, more: &str) -> String {
    flow_log("cache = \"off\"\noutput = \"netflow\"\n")
        + &format!(
            "[[flow-log.netflow]]\nserver = \"127.0.0.1:{port}\"\nversion = \"{version}\"\n\
             transport = \"{transport}\"\n{more}"
        )
}

/// Data Records of messages of IPFIX whose records are all in one Set.
fn sequences(messages: &[Vec<u8>]) -> Vec<u32> {
    let word = |message: &Vec<u8>| u32::from_be_bytes(message[8..12].try_into().unwrap());
    messages.iter().map(word).collect()
}

#[test]
fn a_udp_collector_that_nobody_runs_costs_nothing_but_counters() {
    let port = free_port();
    let daemon = Daemon::start(&flow_log_to("v9", "udp", port, "message-bytes = 512\n"));
    let mut exporter = V5Exporter::new(1, daemon.port);
    exporter.burst(40);
    settle(&daemon, u64::from(exporter.sent()));
    let known = collectors(&daemon);
    let of = &known[&format!("v9 udp 127.0.0.1:{port}")];
    assert!(of.failures["refused"] > 0, "{:?}", of.failures);
    let lost: u64 = of.unsent.values().sum();
    assert_eq!(of.sent.flows + lost, of.offered);
    let rows = daemon.query("SELECT count(*) FROM flows");
    assert_eq!(rows[0][0], exporter.sent());
    // Somebody comes: what is sent from now on arrives.
    let receiver = Receiver::start(port);
    exporter.burst(40);
    settle(&daemon, u64::from(exporter.sent()));
    daemon.wait_until("messages to arrive", |_| !receiver.messages().is_empty());
    assert_eq!(daemon.logged("flows do not reach a collector"), 1);
}

#[test]
fn rows_wait_for_a_tcp_collector_that_is_not_there_yet() {
    let port = free_tcp_port();
    let bounds = "[netflow]\nreconnect-s = 1\n";
    let daemon = Daemon::start(&flow_log_to("v10", "tcp", port, bounds));
    let mut exporter = V5Exporter::new(1, daemon.port);
    exporter.burst(10);
    let name = format!("v10 tcp 127.0.0.1:{port}");
    daemon.wait_until("rows to wait", |daemon| {
        let known = collectors(daemon);
        let of = known.get(&name);
        of.is_some_and(|of| of.pending == u64::from(exporter.sent()) && !of.failures.is_empty())
    });
    let (listener, _) = listen(port);
    for session in 1..=2 {
        let (mut stream, _) = listener.accept().unwrap();
        let sent = u64::from(exporter.sent());
        let is_pending = || collectors(&daemon)[&name].pending > 0;
        let messages = read_messages(&mut stream, is_pending);
        assert_eq!(sequences(&messages)[0], 0, "session {session}");
        // A Template Set is first.
        assert_eq!(messages[0][16..18], [0, 2], "session {session}");
        let known = collectors(&daemon);
        assert_eq!(
            (known[&name].offered, known[&name].sessions),
            (sent, session)
        );
        drop(stream);
        // TCP tells of a peer that is gone with the second message after it.
        exporter.burst(1);
        daemon.wait_until("the end of the session to be noticed", |daemon| {
            exporter.burst(1);
            let known = collectors(daemon);
            known[&name].failures.contains_key("closed")
        });
    }
}

#[test]
fn a_tcp_collector_that_reads_too_slowly_loses_what_does_not_fit() {
    let (listener, port) = listen(0);
    let bounds = "[netflow]\nqueue-bytes = 1048576\n";
    let daemon = Daemon::start(&flow_log_to("v10", "tcp", port, bounds));
    let mut exporter = V5Exporter::new(1, daemon.port);
    exporter.burst(1);
    let (mut stream, _) = listener.accept().unwrap();
    let name = format!("v10 tcp 127.0.0.1:{port}");
    let before = daemon.resident_bytes();
    daemon.wait_until("the queue to overflow", |daemon| {
        exporter.burst(400);
        std::thread::sleep(Duration::from_millis(100));
        collectors(daemon)[&name].unsent.contains_key("queue-full")
    });
    let grown = daemon.resident_bytes().saturating_sub(before);
    assert!(grown < 256 << 20, "{grown} octets more");
    assert!(daemon.logged("refused flows") >= 1);
    read_messages(&mut stream, || collectors(&daemon)[&name].pending > 0);
    let sent = u64::from(exporter.sent());
    settle(&daemon, sent);
    let rows = daemon.query("SELECT count(*) FROM flows");
    assert_eq!(rows[0][0], sent, "the log store has all");
    let of = &collectors(&daemon)[&name];
    assert_eq!(of.sent.flows + of.unsent["queue-full"], sent);
}

#[test]
fn a_collector_that_is_ourselves_is_where_the_flow_log_ends() {
    let port = free_port();
    let dir = tempfile::TempDir::new().unwrap();
    let settings = flow_log_to("v9", "udp", port, "");
    let daemon = Daemon::start_on(port, dir.path(), &settings);
    let mut exporter = V5Exporter::new(1, daemon.port);
    exporter.burst(5);
    daemon.wait_until("rows", |daemon| {
        daemon.query("SELECT count(*) FROM flows")[0][0] == exporter.sent()
    });
    assert!(collectors(&daemon).is_empty());
}

/// How long a collector stays away: `FLOWLOGD_AWAY_S`, 3 s without.
fn away() -> Duration {
    let seconds = std::env::var("FLOWLOGD_AWAY_S").map_or(3, |s| s.parse().unwrap());
    Duration::from_secs(seconds)
}

/// Sends 6000 flows a second for as long as the collector is away; by how many
/// octets the daemon grew at most.
fn send_into_the_void(exporter: &mut V5Exporter, daemon: &Daemon) -> u64 {
    let before = daemon.resident_bytes();
    let mut most = before;
    paced(200, away(), |step| {
        exporter.send();
        if step % 50 == 0 {
            most = most.max(daemon.resident_bytes());
        }
    });
    most.max(daemon.resident_bytes()) - before
}

/// What a daemon may grow by for flows that it stores and cannot send.
const GROWN_MAX: u64 = 128 << 20;

#[test]
fn a_udp_collector_that_is_away_for_long_costs_no_memory_and_comes_back() {
    let receiver = Receiver::start(0);
    let port = receiver.port;
    let daemon = Daemon::start(&flow_log_to("v10", "udp", port, ""));
    let name = format!("v10 udp 127.0.0.1:{port}");
    let mut exporter = V5Exporter::new(1, daemon.port);
    exporter.burst(10);
    settle(&daemon, u64::from(exporter.sent()));
    assert_eq!(sent(&receiver.all_of(&daemon, "v10")).len(), 300);
    receiver.stop();

    let grown = send_into_the_void(&mut exporter, &daemon);
    settle(&daemon, u64::from(exporter.sent()));
    let of = &collectors(&daemon)[&name];
    println!("away over UDP: {grown} octets more, {of:?}");
    assert!(grown < GROWN_MAX, "{grown} octets more");
    // Nobody says of a message whether it arrived; ICMP says it of some that did
    // not, when the next is sent.
    assert_eq!(of.sent.flows, u64::from(exporter.sent()));
    assert_eq!(of.unsent, BTreeMap::new());
    let refused = usize::try_from(of.failures["refused"]).unwrap();
    assert!((1..of.messages).contains(&refused), "{of:?}");

    let receiver = Receiver::start(port);
    let (flows, messages) = (of.sent.flows, of.messages);
    exporter.burst(10);
    settle(&daemon, u64::from(exporter.sent()));
    let of = &collectors(&daemon)[&name];
    assert_eq!(of.unsent, BTreeMap::new());
    assert_eq!(of.sent.flows, flows + 300);
    daemon.wait_until("all of it to arrive", |_| {
        receiver.messages().len() == of.messages - messages
    });
    let rows = daemon.query("SELECT count(*) FROM flows");
    assert_eq!(rows[0][0], exporter.sent(), "the log store has all");
}

#[test]
fn a_tcp_collector_that_is_away_for_long_gets_what_fits_in_the_queue() {
    let (listener, port) = listen(free_tcp_port());
    let bounds = "[netflow]\nreconnect-s = 1\nqueue-bytes = 1048576\n";
    let daemon = Daemon::start(&flow_log_to("v10", "tcp", port, bounds));
    let name = format!("v10 tcp 127.0.0.1:{port}");
    let mut exporter = V5Exporter::new(1, daemon.port);
    exporter.burst(10);
    let (mut stream, _) = listener.accept().unwrap();
    let is_pending = || collectors(&daemon)[&name].pending > 0;
    settle(&daemon, u64::from(exporter.sent()));
    assert_eq!(sent(&read_messages(&mut stream, is_pending)).len(), 300);
    drop((listener, stream));
    // TCP tells of a peer that is gone with the second message after it.
    daemon.wait_until("the end of the session to be noticed", |daemon| {
        exporter.send();
        collectors(daemon)[&name].failures.contains_key("closed")
    });

    let before = collectors(&daemon)[&name].sent.flows;
    let grown = send_into_the_void(&mut exporter, &daemon);
    daemon.wait_until("all flows to be offered", |daemon| {
        collectors(daemon)[&name].offered == u64::from(exporter.sent())
    });
    let of = &collectors(&daemon)[&name];
    println!("away over TCP: {grown} octets more, {of:?}");
    assert!(grown < GROWN_MAX, "{grown} octets more");
    assert!(of.failures["unreachable"] > 0, "{of:?}");
    let lost: u64 = of.unsent.values().sum();
    assert!(of.unsent["queue-full"] > 0, "{of:?}");
    assert_eq!(of.sent.flows, before);
    assert_eq!(before + of.pending + lost, u64::from(exporter.sent()));

    let (listener, _) = listen(port);
    let (mut stream, _) = listener.accept().unwrap();
    let messages = read_messages(&mut stream, is_pending);
    settle(&daemon, u64::from(exporter.sent()));
    let after = &collectors(&daemon)[&name];
    assert_eq!(after.sent.flows, before + of.pending, "all that waited");
    assert_eq!(after.unsent, of.unsent);
    assert_eq!(after.sessions, 2);
    let arrived = u64::try_from(sent(&messages).len()).unwrap();
    assert_eq!(arrived, of.pending);
    let rows = daemon.query("SELECT count(*) FROM flows");
    assert_eq!(rows[0][0], exporter.sent(), "the log store has all");
}
