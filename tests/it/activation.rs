//! Sockets that a service manager opens, and keeps while the daemon restarts.

use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;
use socket2::SockRef;
use tempfile::TempDir;

use crate::peers::{command, is_bound, wait_for};
use crate::sender::V5Exporter;
use crate::support::{Daemon, PROGRAM, configure, flow_log, free_port, have};

/// Datagrams of 30 flows each that come while no daemon runs, where the kernel
/// grants the buffer for them, and where not.
const MEANWHILE: [u64; 2] = [1_000, 50];
/// Kernel memory of one, octets, at the most.
const DATAGRAM_MEMORY: u64 = 4_096;

#[test]
fn systemd_passes_a_socket_with_the_datagram_that_woke_it() {
    if !have(&["systemd-socket-activate"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let port = free_port();
    let config = configure(port, dir.path(), &settings());
    let mut command = command("systemd-socket-activate");
    command.args(["-E", "RUST_LOG", "-d", "-l", &format!("127.0.0.1:{port}")]);
    command.args([PROGRAM, "run", "--config"]).arg(config);
    let waking = thread::spawn(move || {
        wait_for("systemd-socket-activate to listen", || is_bound(port));
        let mut exporter = V5Exporter::new(31, port);
        exporter.send();
        exporter
    });
    let daemon = Daemon::launch(command, port);
    let mut exporter = waking.join().unwrap();
    for _ in 0..9 {
        exporter.send();
    }
    wait_for_flows(&daemon, 300);
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn a_passed_socket_keeps_datagrams_over_a_restart() {
    let dir = TempDir::new().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let config = configure(port, dir.path(), &settings());
    let mut exporter = V5Exporter::new(32, port);
    let daemon = Daemon::launch(with_socket(&socket, &config), port);
    exporter.send();
    wait_for_flows(&daemon, 30);
    assert_eq!(daemon.terminate().code(), Some(0));
    // As the daemon has left it; the kernel says it as it counts it.
    let granted = SockRef::from(&socket).recv_buffer_size().unwrap() as u64;
    let fits = |datagrams: &u64| datagrams * DATAGRAM_MEMORY <= granted;
    let meanwhile = MEANWHILE.into_iter().find(fits).unwrap();
    for _ in 0..meanwhile {
        exporter.send();
    }
    let daemon = Daemon::launch(with_socket(&socket, &config), port);
    exporter.send();
    wait_for_flows(&daemon, 30 * (meanwhile + 2));
    println!("{meanwhile} datagrams sent while no daemon ran, all flows stored");
    let stats = daemon.get("/api/v1/stats");
    assert_eq!(stats["datagrams"]["received"], meanwhile + 1);
    assert_eq!(stats["datagrams"]["missed"], 0);
}

fn settings() -> String {
    flow_log("cache = \"off\"\n")
}

fn wait_for_flows(daemon: &Daemon, flows: u64) {
    daemon.wait_until("all flows stored", |daemon| {
        daemon.query("SELECT count(*) FROM flows") == [[Value::from(flows)]]
    });
}

/// A daemon that gets the socket as `sd_listen_fds(3)` says: descriptor 3,
/// meant for the process of this number.
fn with_socket(socket: &UdpSocket, config: &Path) -> Command {
    let script = "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" run --config \"$1\" 3<&0 0</dev/null";
    let mut command = Command::new("sh");
    command.args(["-c", script, PROGRAM]).arg(config);
    command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
    command
}
