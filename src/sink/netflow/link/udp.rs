//! UDP to a collector.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::time::Duration;

use super::Outcome;
use super::label;

/// A socket that stays, and with it the source port that makes a UDP session
/// (P-703).
#[derive(Debug)]
pub(in crate::sink::netflow) struct Udp {
    socket: UdpSocket,
    peer: SocketAddr,
}

impl Udp {
    /// Makes a socket that sends to `peer`.
    ///
    /// # Errors
    /// What the system says: no socket, no way there.
    pub(in crate::sink::netflow) fn open(peer: SocketAddr) -> io::Result<Self> {
        let any: IpAddr = match peer {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        // ICMP errors are told to connected sockets only.
        socket.connect(peer)?;
        Ok(Self { socket, peer })
    }

    /// Sends to another address of the collector's from now on, from the same
    /// port where the family is the same.
    ///
    /// # Errors
    /// As [`Self::open`]; then it sends to the old one.
    pub(in crate::sink::netflow) fn turn_to(&mut self, peer: SocketAddr) -> io::Result<()> {
        if self.peer.is_ipv4() == peer.is_ipv4() {
            self.socket.connect(peer)?;
            self.peer = peer;
        } else {
            *self = Self::open(peer)?;
        }
        Ok(())
    }

    pub(super) fn send(&self, octets: &[u8]) -> Outcome {
        let Err(error) = self.socket.send(octets) else {
            return Outcome::Sent;
        };
        // What ICMP said of an earlier message is told once, in place of
        // sending this one.
        let earlier = label(&error);
        match self.socket.send(octets) {
            Ok(_) => Outcome::SentAfter(earlier),
            Err(error) => Outcome::Failed(label(&error)),
        }
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }
}

/// Longest the system's send buffer may be full.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[test]
    fn a_host_that_has_nobody_there_is_told_of_with_the_next_message() {
        let (socket, address) = receiver();
        drop(socket);
        let udp = Udp::open(address).unwrap();
        assert_eq!(udp.send(b"one"), Outcome::Sent);
        assert_eq!(udp.send(b"two"), Outcome::SentAfter("refused"));
    }

    #[test]
    fn the_source_port_stays_when_the_collector_moves() {
        let ((first, here), (second, there)) = (receiver(), receiver());
        let mut udp = Udp::open(here).unwrap();
        assert_eq!(udp.send(b"one"), Outcome::Sent);
        udp.turn_to(there).unwrap();
        assert_eq!((udp.send(b"two"), udp.peer()), (Outcome::Sent, there));
        let from = |socket: &UdpSocket, expected: &[u8]| {
            let mut buffer = [0; 16];
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], expected);
            from
        };
        assert_eq!(from(&first, b"one"), from(&second, b"two"));
    }

    #[test]
    fn a_message_longer_than_a_datagram_is_lost_by_itself() {
        let (socket, address) = receiver();
        let udp = Udp::open(address).unwrap();
        assert_eq!(udp.send(&[0; 70_000]), Outcome::Failed("too-long"));
        assert_eq!(udp.send(b"short"), Outcome::Sent);
        assert_eq!(socket.recv(&mut [0; 16]).unwrap(), 5);
    }
}
