//! Loopback: real datagrams through a lane to real receivers.

use std::io;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::time::Duration;

use crate::flowlog::Server;

use super::*;
use crate::listen::DATAGRAM_BYTES_MAX;
use crate::listen::LaneSockets;
use crate::listen::Settings;
use crate::listen::bind;
use crate::listen::tests::numbered;
use crate::listen::tests::send_in_one;
use crate::listen::tests::settings;

/// Far longer than loopback takes; reached only by a test that fails.
const DEADLINE: Duration = Duration::from_secs(20);

/// A lane with a relay, and an exporter that sends to it.
struct Scene {
    lane: LaneSockets,
    relay: Relay,
    exporter: UdpSocket,
    /// Octets of datagrams that are not decoded here.
    only: Vec<Vec<u8>>,
    /// Octets of the others.
    decoded: Vec<Vec<u8>>,
}

impl Scene {
    fn new(rules: &[RelayRule]) -> Self {
        Self::on(&settings("127.0.0.1:0", 1), rules)
    }

    fn on(settings: &Settings, rules: &[RelayRule]) -> Self {
        let mut bound = bind(settings).unwrap();
        let exporter = UdpSocket::bind("127.0.0.1:0").unwrap();
        exporter.connect(bound.addresses[0]).unwrap();
        Self {
            lane: bound.lanes.remove(0),
            relay: Relay::new(Arc::new(table(rules))),
            exporter,
            only: Vec::new(),
            decoded: Vec::new(),
        }
    }

    /// Sends datagrams to the lane, and has it receive and relay them.
    fn pass(&mut self, datagrams: &[Vec<u8>], now_ms: u64) {
        for datagram in datagrams {
            self.exporter.send(datagram).unwrap();
        }
        let mut passed = 0;
        while passed < datagrams.len() {
            let received = self.lane.receive(Some(DEADLINE)).unwrap();
            self.relay.send(&received, now_ms, |_| true);
            for (index, datagram) in received.datagrams().enumerate() {
                let pile = if self.relay.is_only(index) {
                    &mut self.only
                } else {
                    &mut self.decoded
                };
                pile.push(datagram.bytes.to_vec());
                passed += 1;
            }
        }
    }

    fn totals(&self, destination: usize) -> RelayTotals {
        self.relay.table.destinations[destination].account.totals()
    }
}

fn table(rules: &[RelayRule]) -> RelayTable {
    RelayTable::new(rules, |target| (target.address(), Arc::default()))
}

fn rule(to: &[SocketAddr]) -> RelayRule {
    RelayRule {
        exporters: Vec::new(),
        to: to.iter().copied().map(Server::Address).collect(),
        only: false,
        spoof_source: false,
    }
}

fn receiver(address: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// So many datagrams, and who sent them.
fn take(receiver: &UdpSocket, count: usize) -> Vec<(Vec<u8>, SocketAddr)> {
    let mut room = vec![0; DATAGRAM_BYTES_MAX];
    let mut take = || {
        let (length, from) = receiver.recv_from(&mut room).unwrap();
        (room[..length].to_vec(), from)
    };
    (0..count).map(|_| take()).collect()
}

fn octets(taken: Vec<(Vec<u8>, SocketAddr)>) -> Vec<Vec<u8>> {
    taken.into_iter().map(|(octets, _)| octets).collect()
}

/// Datagrams of all lengths that matter: runs of equal ones, empty ones, the
/// longest.
fn datagrams() -> Vec<Vec<u8>> {
    let lengths = [
        1464, 1464, 1464, 20, 0, 0, 900, 900, 1, 65_507, 40_000, 40_000, 3,
    ];
    let numbered = lengths.into_iter().zip(1_u8..);
    numbered
        .map(|(length, number)| vec![number; length])
        .collect()
}

#[test]
fn all_datagrams_arrive_octet_by_octet_and_in_order() {
    let (one, to_one) = receiver("127.0.0.1:0");
    let (other, to_other) = receiver("[::1]:0");
    let mut scene = Scene::new(&[rule(&[to_one, to_other])]);
    let sent = datagrams();
    scene.pass(&sent, 0);
    assert_eq!(octets(take(&one, sent.len())), sent);
    assert_eq!(octets(take(&other, sent.len())), sent);
    let expected = RelayTotals {
        sent: sent.len() as u64,
        octets: sent.iter().map(|it| it.len() as u64).sum(),
        ..RelayTotals::default()
    };
    assert_eq!([scene.totals(0), scene.totals(1)], [expected; 2]);
    assert_eq!(scene.decoded, sent);
    assert_eq!(scene.only, Vec::<Vec<u8>>::new());
}

/// More of them than a batch has slots, and the number of each stays right.
#[test]
fn what_came_in_one_piece_is_relayed_one_by_one() {
    let (one, to_one) = receiver("127.0.0.1:0");
    let only = RelayRule {
        exporters: vec!["127.0.0.1".parse().unwrap()],
        only: true,
        ..rule(&[to_one])
    };
    let settings = Settings {
        gro: true,
        ..settings("127.0.0.1:0", 1)
    };
    let mut scene = Scene::on(&settings, &[only]);
    let other = UdpSocket::bind("127.0.0.2:0").unwrap();
    other.connect(scene.exporter.peer_addr().unwrap()).unwrap();
    let (mut relayed, mut decoded) = (Vec::new(), Vec::new());
    for (each, count) in [(100, 6_399), (99, 990), (1_464, 30_000), (7, 20)] {
        relayed.extend(send_in_one(&scene.exporter, each, &numbered(count)));
        decoded.extend(send_in_one(&other, each, &numbered(count + 1)));
    }
    let received = scene.lane.receive(Some(DEADLINE)).unwrap();
    scene.relay.send(&received, 0, |_| true);
    let (mut only, mut rest) = (Vec::new(), Vec::new());
    for (index, datagram) in received.datagrams().enumerate() {
        let is_only = scene.relay.is_only(index);
        let pile = if is_only { &mut only } else { &mut rest };
        pile.push(datagram.bytes.to_vec());
    }
    assert!(only == relayed && rest == decoded);
    assert!(octets(take(&one, relayed.len())) == relayed);
    assert_eq!(scene.totals(0).sent, relayed.len() as u64);
}

#[test]
fn nobody_there_costs_nothing_but_notices() {
    let (alive, to_alive) = receiver("127.0.0.1:0");
    let (gone, to_gone) = receiver("127.0.0.1:0");
    drop(gone);
    let mut scene = Scene::new(&[rule(&[to_gone, to_alive])]);
    let sent = datagrams();
    scene.pass(&sent, 0);
    assert_eq!(octets(take(&alive, sent.len())), sent);
    assert_eq!(scene.decoded, sent);
    let totals = scene.totals(0);
    assert!(totals.unreachable > 0, "{totals:?}");
    let all = totals.sent + totals.dropped.iter().sum::<u64>();
    assert_eq!(all, sent.len() as u64);
    // And it comes back.
    let gone = UdpSocket::bind(to_gone).unwrap();
    gone.set_read_timeout(Some(DEADLINE)).unwrap();
    scene.pass(&sent, 0);
    scene.pass(&sent, 0);
    let back = octets(take(&gone, sent.len()));
    assert_eq!(back.last(), sent.last());
}

#[test]
fn what_is_only_relayed_is_not_decoded() {
    let (one, to_one) = receiver("127.0.0.1:0");
    let others = RelayRule {
        exporters: vec!["192.0.2.0/24".parse().unwrap()],
        only: true,
        ..rule(&[to_one])
    };
    let mut scene = Scene::new(std::slice::from_ref(&others));
    let sent = datagrams();
    scene.pass(&sent, 0);
    assert_eq!((&scene.decoded, scene.only.len()), (&sent, 0));
    let own = RelayRule {
        exporters: vec!["127.0.0.0/8".parse().unwrap()],
        ..others
    };
    scene.relay.go_by(Arc::new(table(&[own])));
    scene.pass(&sent, 0);
    assert_eq!((&scene.only, scene.decoded.len()), (&sent, sent.len()));
    assert_eq!(octets(take(&one, sent.len())), sent);
}

#[test]
fn who_is_not_heard_is_not_relayed() {
    let (_one, to_one) = receiver("127.0.0.1:0");
    let only = RelayRule {
        only: true,
        ..rule(&[to_one])
    };
    let mut scene = Scene::new(&[only]);
    scene.exporter.send(&[1]).unwrap();
    let received = scene.lane.receive(Some(DEADLINE)).unwrap();
    scene.relay.send(&received, 0, |_| false);
    assert_eq!(received.datagrams().count(), 1);
    assert!(!scene.relay.is_only(0));
    assert_eq!(scene.totals(0), RelayTotals::default());
}

#[test]
fn a_name_without_address_is_waited_for_and_then_connected_to() {
    let (one, to_one) = receiver("127.0.0.1:0");
    let named = RelayRule {
        to: vec!["collector.example:9995".parse().unwrap()],
        ..rule(&[])
    };
    let mut scene = Scene::new(std::slice::from_ref(&named));
    scene.pass(&[vec![1], vec![2]], 0);
    let account = Arc::clone(&scene.relay.table.destinations[0].account);
    let mut expected = RelayTotals::default();
    expected.drop(RelayDrop::Unresolved, 2);
    assert_eq!(account.totals(), expected);
    let found = RelayTable::new(&[named], |_| (Some(to_one), Arc::clone(&account)));
    scene.relay.go_by(Arc::new(found));
    scene.pass(&[vec![3]], 0);
    assert_eq!(octets(take(&one, 1)), [[3]]);
    expected.send(1);
    assert_eq!(account.totals(), expected);
}

#[test]
fn our_port_outlives_reloads_and_other_addresses() {
    let (one, to_one) = receiver("127.0.0.1:0");
    let (other, to_other) = receiver("127.0.0.1:0");
    let rules = [RelayRule {
        to: vec!["collector.example:9995".parse().unwrap()],
        ..rule(&[])
    }];
    let at = |address| RelayTable::new(&rules, |_| (Some(address), Arc::default()));
    let mut scene = Scene::new(&[]);
    let mut from = Vec::new();
    for (address, receiver) in [(to_one, &one), (to_one, &one), (to_other, &other)] {
        scene.relay.go_by(Arc::new(at(address)));
        scene.pass(&[vec![7]], 0);
        from.extend(take(receiver, 1).into_iter().map(|(_, from)| from));
    }
    assert_eq!(from, [from[0]; 3]);
}

#[test]
fn what_cannot_be_connected_to_is_tried_once_a_second() {
    // A subnet's broadcast address: the kernel refuses it.
    let nowhere: SocketAddr = "127.255.255.255:9".parse().unwrap();
    let mut scene = Scene::new(&[rule(&[nowhere])]);
    let mut expected = RelayTotals::default();
    for now_ms in [0, 999] {
        scene.pass(&[vec![1]], now_ms);
        assert_eq!(scene.relay.outlets[0].retry_ms(), 1_000);
    }
    expected.drop(RelayDrop::Unreachable, 2);
    assert_eq!(scene.totals(0), expected);
    scene.pass(&[vec![1]], 1_000);
    assert_eq!(scene.relay.outlets[0].retry_ms(), 2_000);
}

#[test]
fn a_copy_bears_the_exporters_address_where_that_is_allowed() {
    if let Err(error) = may_spoof() {
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        return;
    }
    let (one, to_one) = receiver("127.0.0.1:0");
    let (six, to_six) = receiver("[::1]:0");
    let spoofed = RelayRule {
        spoof_source: true,
        ..rule(&[to_one, to_six])
    };
    let mut scene = Scene::new(&[spoofed]);
    let exporter = scene.exporter.local_addr().unwrap();
    let sent: Vec<_> = [1464, 1464, 0, 3, 9_000]
        .map(|length| vec![7; length])
        .into();
    scene.pass(&sent, 0);
    let taken = take(&one, sent.len());
    assert!(taken.iter().all(|(_, from)| *from == exporter));
    assert_eq!(octets(taken), sent);
    let mut expected = RelayTotals::default();
    expected.drop(RelayDrop::Family, sent.len());
    assert_eq!(scene.totals(1), expected);
    drop(six);
}
