//! What relaying costs a lane: CPU time and rate of receiving datagrams alone,
//! and of sending a copy of each on, over loopback; beside pmacct's tee plugin
//! on the same datagrams, if `nfacctd` is installed.
//!
//! Over loopback a sender pays for the receiver's half of the kernel too, so
//! that copies cost more than towards a network; `FLOWLOGD_RELAY_TO` names
//! another destination that counts for nothing, such as one behind a TUN device
//! that nobody reads.

#![expect(clippy::print_stdout, reason = "its only purpose")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flowlogd::flowlog::Server;
use flowlogd::listen;
use flowlogd::listen::{LaneSockets, Relay, RelayRule, RelayTable};
use nix::sys::signal::{Signal, killpg};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// Datagrams of one measurement.
const DATAGRAMS: u64 = 1_000_000;
/// Datagrams under way at a time: they fit into a receive buffer of 4 MiB.
const WINDOW: u64 = 768;
/// What Linux counts CPU time of processes in: proc(5), `USER_HZ`.
const TICKS_A_SECOND: u64 = 100;
/// Times everything is measured.
const ROUNDS: usize = 3;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    for _ in 0..ROUNDS {
        for (traffic, lengths) in [
            ("1464 octets each", vec![1464]),
            ("as long as no neighbour", (1401..=1464).collect::<Vec<_>>()),
        ] {
            say("received alone", traffic, &lane(&lengths, None));
            let sink = Sink::start();
            say("relayed", traffic, &lane(&lengths, Some(&sink)));
            if let Some(peer) = Peer::start(&sink) {
                say("pmacct tee", traffic, &peer.measure(&lengths, &sink));
            }
        }
    }
}

/// What became of [`DATAGRAMS`].
struct Measured {
    arrived: u64,
    cpu: Duration,
    wall: Duration,
}

fn say(what: &str, traffic: &str, measured: &Measured) {
    let Measured { arrived, cpu, wall } = measured;
    let arrived = u32::try_from(*arrived).unwrap();
    println!(
        "{what}, {traffic}: {arrived} datagrams, {:.3} CPU µs each, {:.0} a second",
        cpu.as_secs_f64() * 1e6 / f64::from(arrived),
        f64::from(arrived) / wall.as_secs_f64(),
    );
}

/// A lane that receives, and relays to a sink if there is one.
fn lane(lengths: &[usize], sink: Option<&Sink>) -> Measured {
    let (mut sockets, address) = bind();
    let to = std::env::var("FLOWLOGD_RELAY_TO").map(|to| to.parse().unwrap());
    let to = to.ok().or_else(|| sink.map(|sink| sink.address));
    let rule = |to| RelayRule {
        exporters: Vec::new(),
        to: vec![Server::Address(to)],
        only: true,
        spoof_source: false,
    };
    let rules: Vec<_> = to
        .filter(|_| sink.is_some())
        .map(rule)
        .into_iter()
        .collect();
    let table = RelayTable::new(&rules, |target| (target.address(), Arc::default()));
    let mut relay = Relay::new(Arc::new(table));
    let passed = AtomicU64::new(0);
    let start = Instant::now();
    let cpu = thread::scope(|scope| {
        scope.spawn(|| send(address, lengths, &passed));
        let began = thread_time();
        while passed.load(Ordering::Relaxed) < DATAGRAMS {
            let received = sockets.receive(Some(Duration::from_millis(100))).unwrap();
            relay.send(&received, 0, |_| true);
            let count = received.datagrams().count();
            passed.fetch_add(count as u64, Ordering::Relaxed);
        }
        thread_time().saturating_sub(began)
    });
    Measured {
        arrived: passed.into_inner(),
        cpu,
        wall: start.elapsed(),
    }
}

/// Sends all datagrams, with at most [`WINDOW`] that have not passed; those
/// that do not pass within a second are lost.
fn send(to: SocketAddr, lengths: &[usize], passed: &AtomicU64) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(to).unwrap();
    // NetFlow v5, or pmacct takes it for noise.
    let octets = [vec![0, 5, 0, 30], vec![7; 1460]].concat();
    let (mut lost, mut waited, first) = (0, None, passed.load(Ordering::Relaxed));
    for (length, sent) in lengths.iter().cycle().zip(0..DATAGRAMS) {
        while sent - lost >= passed.load(Ordering::Relaxed) - first + WINDOW {
            let since = waited.get_or_insert_with(Instant::now);
            if since.elapsed() > Duration::from_secs(1) {
                lost = sent - (passed.load(Ordering::Relaxed) - first);
            }
            thread::yield_now();
        }
        waited = None;
        socket.send(octets.get(..*length).unwrap()).unwrap();
    }
}

fn bind() -> (LaneSockets, SocketAddr) {
    let settings = listen::Settings {
        addresses: vec!["127.0.0.1:0".parse().unwrap()],
        lanes: NonZeroU32::MIN,
        receive_buffer_bytes: 4 << 20,
        datagram_bytes_max: 2048,
        nap_max: Duration::ZERO,
        gro: false,
    };
    let mut bound = listen::bind(&settings).unwrap();
    (bound.lanes.remove(0), *bound.addresses.first().unwrap())
}

/// Another collector, which only counts.
struct Sink {
    address: SocketAddr,
    arrived: Arc<AtomicU64>,
    is_done: Arc<AtomicBool>,
}

impl Sink {
    fn start() -> Self {
        let (mut sockets, address) = bind();
        let (arrived, is_done) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, end) = (Arc::clone(&arrived), Arc::clone(&is_done));
        thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let received = sockets.receive(Some(Duration::from_millis(100))).unwrap();
                count.fetch_add(received.datagrams().count() as u64, Ordering::Relaxed);
            }
        });
        Self {
            address,
            arrived,
            is_done,
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::Relaxed);
    }
}

/// `nfacctd` with its tee plugin, ended when dropped.
struct Peer {
    child: Child,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Peer {
    /// None if it is not installed.
    fn start(sink: &Sink) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        drop(socket);
        let receivers = dir.path().join("receivers");
        fs::write(&receivers, format!("id=1 ip={}\n", sink.address)).unwrap();
        let config = dir.path().join("nfacctd.conf");
        let text = format!(
            "daemonize: false\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {}\n\
             nfacctd_pipe_size: 4194304\nplugins: tee[a]\ntee_receivers[a]: {}\n",
            address.port(),
            receivers.display(),
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("/usr/sbin/nfacctd");
        command.arg("-f").arg(&config);
        command.process_group(0);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().ok()?;
        thread::sleep(Duration::from_secs(2));
        Some(Self {
            child,
            address,
            _dir: dir,
        })
    }

    fn measure(&self, lengths: &[usize], sink: &Sink) -> Measured {
        let before = sink.arrived.load(Ordering::Relaxed);
        let (began, start) = (self.cpu(), Instant::now());
        send(self.address, lengths, &sink.arrived);
        Measured {
            arrived: sink.arrived.load(Ordering::Relaxed) - before,
            cpu: self.cpu() - began,
            wall: start.elapsed(),
        }
    }

    /// CPU time of the process and its children, which are its plugins.
    fn cpu(&self) -> Duration {
        let parent = self.child.id();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let stats = processes.filter_map(|it| fs::read_to_string(it.path().join("stat")).ok());
        let of_one = |stat: String| {
            // The name may have spaces; it ends at the last bracket.
            let (id, rest) = (stat.split(' ').next()?, stat.rsplit_once(") ")?.1);
            let fields: Vec<u64> = rest.split(' ').map(|it| it.parse().unwrap_or(0)).collect();
            let is_of_peer = id.parse() == Ok(parent) || *fields.get(1)? == u64::from(parent);
            is_of_peer.then_some(fields.get(11)? + fields.get(12)?)
        };
        let ticks: u64 = stats.filter_map(of_one).sum();
        Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // With its plugins, which do not always end with it.
        let group = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        killpg(group, Signal::SIGKILL).unwrap();
        self.child.wait().unwrap();
    }
}

fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}
