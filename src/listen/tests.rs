//! Loopback: real datagrams through real sockets.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt;

use super::*;

/// Far longer than loopback takes; reached only by a test that fails.
const DEADLINE: Duration = Duration::from_secs(20);

pub(super) fn settings(address: &str, lanes: u32) -> Settings {
    Settings {
        addresses: vec![address.parse().unwrap()],
        lanes: NonZeroU32::new(lanes).unwrap(),
        receive_buffer_bytes: 2 << 20,
        datagram_bytes_max: DATAGRAM_BYTES_MAX,
        nap_max: Duration::from_millis(1),
        gro: false,
    }
}

fn one_lane(address: &str) -> (LaneSockets, SocketAddr) {
    let mut bound = bind(&settings(address, 1)).unwrap();
    (bound.lanes.remove(0), bound.addresses[0])
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_millis()).unwrap()
}

/// Octets, sender and time of so many datagrams, in order.
fn take(lane: &mut LaneSockets, count: usize) -> Vec<(Vec<u8>, SocketAddr, u64)> {
    let end = Instant::now() + DEADLINE;
    let mut taken = Vec::new();
    while taken.len() < count {
        assert!(Instant::now() < end, "{} of {count} came", taken.len());
        let received = lane.receive(Some(DEADLINE)).unwrap();
        let datagrams = received.datagrams();
        taken.extend(datagrams.map(|it| (it.bytes.to_vec(), it.peer, it.unix_ms)));
    }
    taken
}

/// Whatever is waiting now; loopback queues a datagram before `send` returns.
fn drain(lane: &mut LaneSockets) -> usize {
    let mut count = 0;
    loop {
        let came = lane
            .receive(Some(Duration::ZERO))
            .unwrap()
            .datagrams()
            .count();
        if came == 0 {
            return count;
        }
        count += came;
    }
}

#[test]
fn datagrams_of_every_size_come_whole_and_in_order() {
    let (mut lane, address) = one_lane("127.0.0.1:0");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let before = now_ms();
    let sent: Vec<Vec<u8>> = [0_usize, 1, 1_464, 65_507, 0, 7]
        .iter()
        .map(|&size| (0..=u8::MAX).cycle().take(size).collect())
        .collect();
    for datagram in &sent {
        sender.send_to(datagram, address).unwrap();
    }
    let taken = take(&mut lane, sent.len());
    for ((bytes, peer, unix_ms), sent) in taken.iter().zip(&sent) {
        assert!(bytes == sent, "{} octets of {}", bytes.len(), sent.len());
        assert_eq!(*peer, sender.local_addr().unwrap());
        assert!((before..=now_ms()).contains(unix_ms), "{unix_ms}");
    }
    let stats = *lane.stats().next().unwrap();
    assert_eq!(stats.local_port, address.port());
    assert_eq!((stats.datagrams, stats.octets), (6, 66_979));
    assert_eq!((stats.oversized, stats.errors), (0, 0));
}

#[test]
fn a_datagram_longer_than_the_maximum_is_dropped_and_counted() {
    let mut settings = settings("127.0.0.1:0", 1);
    settings.datagram_bytes_max = 100;
    let mut bound = bind(&settings).unwrap();
    let lane = &mut bound.lanes[0];
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for size in [100, 101, 65_507, 3] {
        sender.send_to(&vec![7; size], bound.addresses[0]).unwrap();
    }
    let taken = take(lane, 2);
    assert_eq!([taken[0].0.len(), taken[1].0.len()], [100, 3]);
    let stats = lane.stats().next().unwrap();
    assert_eq!(
        (stats.datagrams, stats.octets, stats.oversized),
        (2, 103, 2)
    );
}

/// Sends datagrams of so many octets each, and perhaps a shorter last one, in
/// one piece; gives them one by one.
pub(super) fn send_in_one(socket: &UdpSocket, each: usize, octets: &[u8]) -> Vec<Vec<u8>> {
    let segment = i32::try_from(each).unwrap();
    setsockopt(socket, sockopt::UdpGsoSegment, &segment).unwrap();
    socket.send(octets).unwrap();
    setsockopt(socket, sockopt::UdpGsoSegment, &0).unwrap();
    octets.chunks(each).map(<[u8]>::to_vec).collect()
}

/// Octets that tell each datagram of a piece from the others.
pub(super) fn numbered(count: usize) -> Vec<u8> {
    let numbers = (0_u8..251).flat_map(|number| [number; 7]);
    numbers.cycle().take(count).collect()
}

#[test]
fn what_comes_in_one_piece_is_taken_apart() {
    for gro in [true, false] {
        let settings = Settings {
            gro,
            ..settings("127.0.0.1:0", 1)
        };
        let mut bound = bind(&settings).unwrap();
        assert!(bound.warnings.is_empty(), "{:?}", bound.warnings);
        let lane = &mut bound.lanes[0];
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(bound.addresses[0]).unwrap();
        let before = now_ms();
        let mut sent = Vec::new();
        // All equal; a shorter last one; one alone; none; the most of them.
        for (each, octets) in [(1_464, 40 * 1_464), (1_000, 60_001), (100, 7)] {
            sent.extend(send_in_one(&sender, each, &numbered(octets)));
            sender.send(b"alone").unwrap();
            sender.send(b"").unwrap();
            sent.extend([b"alone".to_vec(), Vec::new()]);
        }
        sent.extend(send_in_one(&sender, 20, &numbered(64 * 20)));
        let together = lane.receive(Some(DEADLINE)).unwrap().datagrams().count();
        assert_eq!(together, if gro { sent.len() } else { 64 });
        for datagram in &sent {
            sender.send(datagram).unwrap();
        }
        let rest = take(lane, 2 * sent.len() - together);
        let expected = sent.iter().chain(&sent).skip(together);
        for ((bytes, peer, unix_ms), sent) in rest.iter().zip(expected) {
            assert!(bytes == sent, "{} octets of {}", bytes.len(), sent.len());
            assert_eq!(*peer, sender.local_addr().unwrap());
            assert!((before..=now_ms()).contains(unix_ms), "{unix_ms}");
        }
        let stats = lane.stats().next().unwrap();
        let octets: usize = sent.iter().map(Vec::len).sum();
        let expected = (2 * sent.len() as u64, 2 * octets as u64, 0);
        assert_eq!((stats.datagrams, stats.octets, stats.oversized), expected);
    }
}

#[test]
fn of_a_piece_too_the_datagrams_that_are_too_long_are_dropped() {
    let settings = Settings {
        gro: true,
        datagram_bytes_max: 100,
        ..settings("127.0.0.1:0", 1)
    };
    let mut bound = bind(&settings).unwrap();
    let lane = &mut bound.lanes[0];
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(bound.addresses[0]).unwrap();
    send_in_one(&sender, 101, &[1; 3 * 101 + 50]);
    send_in_one(&sender, 100, &[2; 3 * 100]);
    sender.send(&[3; 101]).unwrap();
    let lengths: Vec<_> = take(lane, 4).iter().map(|(it, _, _)| it.len()).collect();
    assert_eq!(lengths, [50, 100, 100, 100]);
    assert_eq!(drain(lane), 0);
    let stats = lane.stats().next().unwrap();
    assert_eq!((stats.datagrams, stats.oversized), (4, 4));
}

/// The kernel's own count equals what was sent and did not come; and what
/// comes afterwards still has the kernel's time.
#[test]
fn what_overflows_the_buffer_is_counted_by_the_kernel() {
    let mut settings = settings("127.0.0.1:0", 1);
    settings.receive_buffer_bytes = 64 << 10;
    let mut bound = bind(&settings).unwrap();
    let lane = &mut bound.lanes[0];
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |count| {
        for _ in 0..count {
            sender.send_to(&[1; 1_000], bound.addresses[0]).unwrap();
        }
    };
    assert_eq!(lane.drops().unwrap(), 0);
    send(5_000);
    let came = drain(lane);
    assert!((1..4_000).contains(&came), "{came} of 5000 fitted");
    assert_eq!(lane.drops().unwrap(), 5_000 - came as u64);

    let mut latest = 0;
    for _ in 0..100 {
        let before = now_ms();
        send(10);
        let after = now_ms();
        // Whoever asks the clock only now is late.
        while now_ms() == after {
            thread::yield_now();
        }
        for (_, _, unix_ms) in take(lane, 10) {
            assert!(
                (before.max(latest)..=after).contains(&unix_ms),
                "{unix_ms} after {after}, the one before at {latest}"
            );
            latest = unix_ms;
        }
    }
    assert_eq!(lane.drops().unwrap(), 5_000 - came as u64);
    let stats = lane.stats().next().unwrap();
    assert_eq!(stats.datagrams + stats.kernel_dropped, 6_000);
}

#[test]
fn one_socket_takes_ipv4_and_ipv6() {
    let (mut lane, address) = one_lane("[::]:0");
    for sender in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(sender) = UdpSocket::bind(sender) else {
            println!("skipped {sender}: this host has no such address");
            continue;
        };
        let sender_address = sender.local_addr().unwrap();
        let target = SocketAddr::new(sender_address.ip(), address.port());
        sender.send_to(b"hello", target).unwrap();
        let (bytes, peer, _) = take(&mut lane, 1).remove(0);
        assert_eq!(
            (bytes.as_slice(), peer),
            (b"hello".as_slice(), sender_address)
        );
    }
}

#[test]
fn a_waker_ends_a_wait_on_another_thread() {
    let (mut lane, _) = one_lane("127.0.0.1:0");
    let waker = lane.waker();
    let started = Instant::now();
    let waiting = thread::spawn(move || {
        let woken = lane.receive(Some(DEADLINE)).unwrap().woken();
        (lane, woken)
    });
    waker.wake();
    let (mut lane, woken) = waiting.join().unwrap();
    assert!(woken && started.elapsed() < DEADLINE);

    // Two calls count as one, and one is used up by one wait.
    waker.wake();
    waker.wake();
    assert!(lane.receive(None).unwrap().woken());
    assert!(!lane.receive(Some(Duration::ZERO)).unwrap().woken());
}

#[test]
fn a_wait_ends_with_its_timeout() {
    let (mut lane, _) = one_lane("127.0.0.1:0");
    let started = Instant::now();
    let received = lane.receive(Some(Duration::from_micros(1_500))).unwrap();
    assert!(started.elapsed() >= Duration::from_micros(1_500));
    assert_eq!((received.woken(), received.datagrams().count()), (false, 0));
}

/// Which lane has received from each sender, once so many datagrams came.
fn lanes_by_sender(lanes: &mut [LaneSockets], count: usize) -> HashMap<SocketAddr, usize> {
    let mut found = HashMap::new();
    let end = Instant::now() + DEADLINE;
    while found.len() < count {
        assert!(Instant::now() < end, "{} of {count} came", found.len());
        for (index, lane) in lanes.iter_mut().enumerate() {
            let received = lane.receive(Some(Duration::ZERO)).unwrap();
            found.extend(received.datagrams().map(|it| (it.peer, index)));
        }
    }
    found
}

/// Sends one datagram from each address, from a port of its own.
fn send_from(senders: impl Iterator<Item = Ipv4Addr>, port: u16) -> Vec<UdpSocket> {
    senders
        .map(|sender| {
            let socket = UdpSocket::bind((sender, 0)).unwrap();
            socket
                .send_to(b"hello", (Ipv4Addr::LOCALHOST, port))
                .unwrap();
            socket
        })
        .collect()
}

#[test]
fn an_exporter_stays_on_one_lane_whatever_its_port() {
    for (address, lanes) in [("0.0.0.0:0", 2), ("0.0.0.0:0", 8), ("[::]:0", 4)] {
        let mut bound = bind(&settings(address, lanes)).unwrap();
        assert_eq!(bound.lanes.len(), lanes as usize);
        let senders = std::iter::repeat_n(Ipv4Addr::new(127, 0, 0, 9), 60);
        let sockets = send_from(senders, bound.addresses[0].port());
        let found = lanes_by_sender(&mut bound.lanes, sockets.len());
        let lane = found.values().next();
        assert!(found.values().all(|other| Some(other) == lane), "{found:?}");
    }
}

#[test]
fn exporters_spread_over_the_lanes_alike_on_every_port() {
    for (lanes, fair) in [(2, 14..=26), (4, 3..=18), (8, 1..=10)] {
        let mut by_address = HashMap::new();
        for address in ["0.0.0.0:0", "[::]:0"] {
            let mut bound = bind(&settings(address, lanes)).unwrap();
            let senders = (1..=40).map(|last| Ipv4Addr::new(127, 0, 3, last));
            let sockets = send_from(senders, bound.addresses[0].port());
            let found = lanes_by_sender(&mut bound.lanes, sockets.len());
            let mut load = vec![0; lanes as usize];
            for (sender, lane) in found {
                load[lane] += 1;
                let other = by_address.insert(sender.ip(), lane);
                assert!(other.is_none_or(|other| other == lane), "{sender} moved");
            }
            assert!(load.iter().all(|share| fair.contains(share)), "{load:?}");
        }
    }
}

#[test]
fn a_flooded_port_does_not_starve_another() {
    let mut settings = settings("127.0.0.1:0", 1);
    settings.addresses = vec![settings.addresses[0]; 3];
    let mut bound = bind(&settings).unwrap();
    let [_, flooded, quiet] = bound.addresses[..] else {
        panic!("three addresses");
    };
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..500 {
        sender.send_to(b"flood", flooded).unwrap();
    }
    sender.send_to(b"quiet", quiet).unwrap();
    let lane = &mut bound.lanes[0];
    let is_quiet = |received: Received<'_>| {
        let mut datagrams = received.datagrams();
        datagrams.any(|it| (it.bytes, it.local_port) == (b"quiet", quiet.port()))
    };
    assert!((0..3).any(|_| is_quiet(lane.receive(Some(DEADLINE)).unwrap())));
}

#[test]
fn an_address_in_use_is_refused_even_if_it_could_be_shared() {
    let first = bind(&settings("127.0.0.1:0", 2)).unwrap();
    for lanes in [1, 2] {
        let mut again = settings("127.0.0.1:0", lanes);
        again.addresses.clone_from(&first.addresses);
        let Err(BindError::Refused { address, source }) = bind(&again) else {
            panic!("bound twice with {lanes} lanes");
        };
        assert_eq!(address, first.addresses[0]);
        assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);
    }
}

#[test]
fn more_addresses_than_a_lane_can_poll_are_refused() {
    let mut settings = settings("127.0.0.1:0", 1);
    settings.addresses = vec![settings.addresses[0]; PORTS_MAX];
    assert_eq!(bind(&settings).unwrap().lanes[0].stats().count(), PORTS_MAX);
    settings.addresses.push(settings.addresses[0]);
    assert!(matches!(bind(&settings), Err(BindError::TooMany(16))));
}

#[test]
fn an_error_that_was_sent_back_is_counted_and_survived() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Nobody listens where this goes, and the kernel says so.
    let nobody = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    socket.connect(nobody).unwrap();
    socket.send(b"hello").unwrap();
    let handle = socket.try_clone().unwrap();

    let mut bound = adopt(vec![socket], &settings("127.0.0.1:0", 1)).unwrap();
    let lane = &mut bound.lanes[0];
    assert_eq!(lane.receive(Some(DEADLINE)).unwrap().datagrams().count(), 0);
    assert_eq!(lane.stats().next().unwrap().errors, 1);

    handle.connect(sender.local_addr().unwrap()).unwrap();
    sender.send_to(b"still there", address).unwrap();
    assert_eq!(take(lane, 1)[0].0, b"still there");
}

#[test]
fn adopted_sockets_of_one_address_become_lanes() {
    let opened = |address: SocketAddr| {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::DGRAM,
            None,
        );
        let socket = socket.unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&address.into()).unwrap();
        UdpSocket::from(socket)
    };
    let first = opened("0.0.0.0:0".parse().unwrap());
    let address = first.local_addr().unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let other_address = other.local_addr().unwrap();
    let sockets = vec![first, other, opened(address), opened(address)];

    let mut bound = adopt(sockets, &settings("127.0.0.1:0", 1)).unwrap();
    assert_eq!(bound.addresses, [address, other_address]);
    let sockets: Vec<_> = bound
        .lanes
        .iter()
        .map(|lane| lane.stats().count())
        .collect();
    assert_eq!(sockets, [2, 1, 1]);
    let senders = (1..=30).map(|last| Ipv4Addr::new(127, 0, 4, last));
    let sent = send_from(senders, address.port());
    let found = lanes_by_sender(&mut bound.lanes, sent.len());
    assert!(
        (0..3).all(|lane| found.values().any(|it| *it == lane)),
        "{found:?}"
    );
}

/// The 19th word of `/proc/thread-self/stat`, proc_pid_stat(5).
fn niceness() -> i32 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    after_name.split(' ').nth(16).unwrap().parse().unwrap()
}

#[test]
fn one_thread_gives_way_and_the_others_do_not() {
    let before = niceness();
    let lowered = thread::spawn(|| {
        nice(19).unwrap();
        niceness()
    });
    assert_eq!(lowered.join().unwrap(), 19);
    assert_eq!(niceness(), before);
}
