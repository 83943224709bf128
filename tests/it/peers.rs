//! Programs that tests talk to, ended when dropped.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::support::{PATIENCE, free_port, search_path};
use crate::traffic::Sums;

/// A child that does not outlive its test.
pub(crate) struct Ended(pub(crate) Child);

impl Ended {
    /// Asks it to end, and waits.
    pub(crate) fn terminate(&mut self) {
        run("kill", &format!("-TERM {}", self.0.id()));
        self.0.wait().unwrap();
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ended_before = self.0.kill();
        let _reaped_before = self.0.wait();
    }
}

/// A program that may be in a system folder; it tells times in UTC.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path()).env("TZ", "UTC");
    command
}

/// Runs a program to its end, which must be good; returns what it printed.
/// Words of `arguments` are parted by spaces.
pub(crate) fn run(program: &str, arguments: &str) -> String {
    let output = command(program)
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits for what another program does without saying so.
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Whether a UDP socket is bound to a port in this thread's network.
pub(crate) fn is_bound(port: u16) -> bool {
    !waiting(port).is_empty()
}

/// Octets that wait in each UDP socket bound to a port in this thread's network.
fn waiting(port: u16) -> Vec<u64> {
    let port = format!(":{port:04X}");
    let tables = ["udp", "udp6"].map(|table| {
        let sockets = fs::read_to_string(format!("/proc/thread-self/net/{table}"));
        sockets.unwrap_or_default()
    });
    let sockets = tables.iter().flat_map(|table| table.lines());
    let octets = sockets.filter_map(|socket| {
        let mut words = socket.split_whitespace().skip(1);
        let is_here = words.next()?.ends_with(&port);
        let (_, received) = words.nth(2)?.split_once(':')?;
        is_here.then(|| u64::from_str_radix(received, 16).unwrap())
    });
    octets.collect()
}

/// Sends messages to a port of this host, none before the one ahead of it was
/// taken: nothing is lost on the way.
pub(crate) fn feed(port: u16, messages: &[Vec<u8>]) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    for message in messages {
        socket.send(message).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while waiting(port).iter().any(|octets| *octets > 0) {
            assert!(Instant::now() < deadline, "port {port} is not read");
            std::thread::yield_now();
        }
    }
}

/// nfcapd on a port of its own.
pub(crate) struct Nfcapd {
    child: Ended,
    /// UDP port it collects on.
    pub(crate) port: u16,
    dir: PathBuf,
}

impl Nfcapd {
    /// Starts one that writes into `dir`, and waits until it listens.
    pub(crate) fn start(dir: &Path) -> Self {
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
            child: Ended(child),
            port,
            dir: dir.to_owned(),
        };
        // It says nothing when it is ready.
        wait_for("nfcapd to listen", || is_bound(port));
        nfcapd
    }

    /// Ends it, which writes its file, and sums what it stored.
    pub(crate) fn stop(self) -> Sums {
        self.read().sums
    }

    /// The same, with each flow.
    pub(crate) fn read(mut self) -> Stored {
        self.child.terminate();
        let said = run("nfdump", &format!("-R {} -I", self.dir.display()));
        let number = |name: &str| {
            let line = said.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
                .unwrap_or_else(|| panic!("nfdump says no {name} in {said}"))
        };
        let flows = run("nfdump", &format!("-R {} -o json", self.dir.display()));
        Stored {
            sums: Sums {
                flows: number("Flows:"),
                packets: number("Packets:"),
                bytes: number("Bytes:"),
            },
            gaps: number("Sequence failures:"),
            flows: serde_json::from_str(&flows).unwrap(),
        }
    }
}

/// What nfcapd stored.
pub(crate) struct Stored {
    /// Without events.
    pub(crate) sums: Sums,
    /// Sequence numbers that are not what those before lead to.
    pub(crate) gaps: u64,
    /// Each flow and event, in the order they came, as nfdump prints it.
    pub(crate) flows: Vec<Value>,
}
