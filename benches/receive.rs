//! What receiving costs a lane: CPU time for each datagram, with naps and
//! without, beside a plain loop around `recvmmsg`, in turn on the same traffic.
//!
//! The sender is paced: datagram n has its own moment, n / rate after the first,
//! and goes as soon as that has come, alone; the sender spins in between, on a
//! CPU of its own where there are two. What it sends late it makes up for at
//! once, and the rate it kept is printed. With GSO it sends 40 datagrams in one
//! call every 40 moments.
//!
//! `FLOWLOGD_ROUNDS` repeats (5), `FLOWLOGD_RATES` sets datagrams a second. Beside
//! other work it means something only under `chrt -f 50`: a receiver that has to
//! wait for its CPU has naps it did not ask for.

#![expect(clippy::print_stdout, reason = "its only purpose")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::array;
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flowlogd::listen;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, setsockopt, sockopt};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// How long each receiver receives.
const PERIOD: Duration = Duration::from_secs(2);
/// A full frame: 30 records of NetFlow v5.
const DATAGRAM_BYTES: usize = 1_464;
/// Datagrams of one call with GSO; 64 KiB hold no more than 44.
const SEGMENTS: usize = 40;
const BUFFER_BYTES: usize = 64 << 20;
/// Datagrams of one call, as many as a lane's.
const SLOTS: usize = 64;
/// After the last datagram.
const PATIENCE: Duration = Duration::from_millis(100);
/// What the daemon has by default.
const NAP_MAX: Duration = Duration::from_millis(1);

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let rates = std::env::var("FLOWLOGD_RATES");
    let rates = rates.as_deref().unwrap_or("20000 100000 200000");
    let rounds = std::env::var("FLOWLOGD_ROUNDS").map_or(5, |rounds| rounds.parse().unwrap());
    for rate in rates.split(' ').map(|rate| rate.parse().unwrap()) {
        for sender in [Sender::Plain, Sender::Gso] {
            compare(rate, sender, rounds);
        }
    }
}

/// Who receives.
#[derive(Clone, Copy, Debug)]
enum Receiver {
    /// Blocking `recvmmsg` for at least one, as one writes it.
    Loop,
    /// A lane that does not nap.
    Awake,
    /// A lane as it is by default.
    Lane,
    /// The same, with `UDP_GRO`.
    Gro,
}

/// How datagrams are sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sender {
    /// Each in a call of its own.
    Plain,
    /// [`SEGMENTS`] in one call.
    Gso,
}

/// What came of one measurement.
struct Measured {
    sent: u64,
    came: u64,
    looks: u64,
    cpu: Duration,
    wall: Duration,
}

impl Measured {
    fn cpu_ns(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e9 / self.came as f64
    }
}

fn compare(rate: u64, sender: Sender, rounds: usize) {
    let receivers = [
        Receiver::Loop,
        Receiver::Awake,
        Receiver::Lane,
        Receiver::Gro,
    ];
    let mut all: [Vec<Measured>; 4] = Default::default();
    for round in 0..rounds {
        for turn in 0..receivers.len() {
            // Another one begins each time.
            let index = (turn + round) % receivers.len();
            let measured = measure(*receivers.get(index).unwrap(), rate, sender);
            all.get_mut(index).unwrap().push(measured);
        }
    }
    let baseline: Vec<f64> = all.first().unwrap().iter().map(Measured::cpu_ns).collect();
    for (receiver, measured) in receivers.iter().zip(&all) {
        let cpu = spread(measured.iter().map(Measured::cpu_ns).collect());
        let pairs = measured.iter().zip(&baseline);
        let ratio = spread(pairs.map(|(it, base)| it.cpu_ns() / base).collect());
        let looks = measured.iter().map(|it| it.came as f64 / it.looks as f64);
        let looks = spread(looks.collect());
        let kept = measured
            .iter()
            .map(|it| it.sent as f64 / it.wall.as_secs_f64());
        let kept = spread(kept.collect());
        let lost: u64 = measured.iter().map(|it| it.sent - it.came).sum();
        println!(
            "{rate}/s {sender:?} {receiver:?}: {:.0} ns ({:.0}-{:.0}), {:.2} x loop ({:.2}-{:.2}), \
             {:.1} a look, {:.0} sent a second, {lost} lost",
            cpu.1, cpu.0, cpu.2, ratio.1, ratio.0, ratio.2, looks.1, kept.1
        );
    }
}

/// Least, median and most.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len() / 2);
    (
        *values.first().unwrap(),
        *middle.unwrap(),
        *values.last().unwrap(),
    )
}

fn measure(receiver: Receiver, rate: u64, sender: Sender) -> Measured {
    let nap_max = match receiver {
        Receiver::Loop => return measure_loop(rate, sender),
        Receiver::Awake => Duration::ZERO,
        Receiver::Lane | Receiver::Gro => NAP_MAX,
    };
    let settings = listen::Settings {
        addresses: vec!["127.0.0.1:0".parse().unwrap()],
        lanes: NonZeroU32::MIN,
        receive_buffer_bytes: BUFFER_BYTES,
        datagram_bytes_max: listen::DATAGRAM_BYTES_MAX,
        nap_max,
        gro: matches!(receiver, Receiver::Gro),
    };
    let mut bound = listen::bind(&settings).unwrap();
    let mut lane = bound.lanes.remove(0);
    receive(*bound.addresses.first().unwrap(), rate, sender, || {
        let received = lane.receive(Some(PATIENCE)).unwrap();
        received.datagrams().count()
    })
}

/// A socket with the same buffer, times of receipt and arena, and no more.
fn measure_loop(rate: u64, sender: Sender) -> Measured {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
    if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER_BYTES).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES).unwrap();
    }
    let mut octets = vec![0; SLOTS * listen::DATAGRAM_BYTES_MAX];
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(SLOTS, Some(vec![0; 64]));
    receive(socket.local_addr().unwrap(), rate, sender, || {
        let mut slots = octets.chunks_exact_mut(listen::DATAGRAM_BYTES_MAX);
        let mut vectors: [_; SLOTS] =
            array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
        let flags = MsgFlags::MSG_WAITFORONE;
        let received = recvmmsg(socket.as_raw_fd(), &mut headers, &mut vectors, flags, None);
        received.map_or(0, Iterator::count)
    })
}

/// Receives by `take`, which waits [`PATIENCE`] at the most, what is sent.
fn receive(
    address: SocketAddr,
    rate: u64,
    sender: Sender,
    mut take: impl FnMut() -> usize,
) -> Measured {
    let is_over = AtomicBool::new(false);
    pin(0);
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            pin(1);
            let sent = send(address, rate, sender);
            is_over.store(true, Ordering::Release);
            sent
        });
        let (mut came, mut looks) = (0, 0);
        let (began, start) = (thread_time(), Instant::now());
        let mut last = start;
        loop {
            let is_last = is_over.load(Ordering::Acquire);
            let count = take();
            came += count as u64;
            looks += u64::from(count > 0);
            if count > 0 {
                last = Instant::now();
            } else if is_last {
                break;
            }
        }
        Measured {
            sent: sending.join().unwrap(),
            came,
            looks,
            cpu: thread_time().saturating_sub(began),
            wall: last - start,
        }
    })
}

/// Sends for [`PERIOD`]; gives how many it sent.
fn send(to: SocketAddr, rate: u64, sender: Sender) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(to).unwrap();
    let at_once = if sender == Sender::Gso { SEGMENTS } else { 1 };
    if sender == Sender::Gso {
        let bytes = i32::try_from(DATAGRAM_BYTES).unwrap();
        setsockopt(&socket, sockopt::UdpGsoSegment, &bytes).unwrap();
    }
    let octets = vec![7; DATAGRAM_BYTES * at_once];
    let (at_once, start) = (at_once as u64, Instant::now());
    let mut sent = 0;
    loop {
        let moment = Duration::from_nanos(sent * 1_000_000_000 / rate);
        if moment >= PERIOD {
            return sent;
        }
        while start.elapsed() < moment {
            std::hint::spin_loop();
        }
        socket.send(&octets).unwrap();
        sent += at_once;
    }
}

/// Keeps the calling thread to one CPU, if there is that one.
fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).unwrap();
    let _ = sched_setaffinity(Pid::from_raw(0), &set);
}

fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}
