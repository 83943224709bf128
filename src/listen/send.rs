//! Datagrams sent many to a call, for whoever makes them.

use std::io;
use std::io::IoSlice;
use std::os::fd::BorrowedFd;

use super::batch;
use super::batch::Outgoing;
use super::batch::SLOTS;

/// Datagrams of one call at most.
pub const SEND_MAX: usize = SLOTS;

/// Sends datagrams in order through a connected socket, without waiting.
///
/// Gives how many were sent, [`SEND_MAX`] at the most; what ended the call early
/// the next one tells, unless it has gone by.
///
/// # Errors
///
/// Those of `sendmmsg(2)`, of the first datagram; `WouldBlock` if there is no room.
pub fn send_datagrams(socket: BorrowedFd<'_>, datagrams: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut outgoing = [Outgoing::default(); SLOTS];
    let mut used = 0;
    for (entry, datagram) in outgoing.iter_mut().zip(datagrams.chunks(1)) {
        entry.parts = datagram;
        used += 1;
    }
    batch::send(socket, outgoing.get(..used).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn datagrams_go_in_order_as_many_as_a_call_takes() {
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(collector.local_addr().unwrap()).unwrap();
        let octets: Vec<[u8; 2]> = (0..100_u8).map(|number| [number, 0]).collect();
        let datagrams: Vec<_> = octets.iter().map(|octets| IoSlice::new(octets)).collect();

        let sent = send_datagrams(socket.as_fd(), &datagrams).unwrap();
        assert_eq!(sent, SEND_MAX);
        let rest = send_datagrams(socket.as_fd(), &datagrams[sent..]).unwrap();
        assert_eq!(sent + rest, 100);

        let mut buffer = [0; 8];
        for octets in &octets {
            let length = collector.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], octets);
        }
    }

    #[test]
    fn a_collector_that_is_gone_is_told_with_the_next_call() {
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(collector.local_addr().unwrap()).unwrap();
        drop(collector);
        let datagram = [IoSlice::new(b"hi")];
        assert_eq!(send_datagrams(socket.as_fd(), &datagram).unwrap(), 1);
        let refused = send_datagrams(socket.as_fd(), &datagram).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
