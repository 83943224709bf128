//! What carries messages to a collector.

mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;

pub(super) use tcp::Tcp;
pub(super) use udp::Udp;

/// A way to one collector, blocking.
#[derive(Debug)]
pub(super) enum Link {
    /// Datagrams.
    Udp(Udp),
    /// A connection.
    Tcp(Tcp),
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It is on its way.
    Sent,
    /// It is on its way, but an earlier one met this.
    SentAfter(&'static str),
    /// It is lost.
    Failed(&'static str),
    /// It is lost, and with it the transport session.
    Broken(&'static str),
}

impl Link {
    /// Sends a message.
    pub(super) fn send(&mut self, octets: &[u8]) -> Outcome {
        match self {
            Self::Udp(udp) => udp.send(octets),
            Self::Tcp(tcp) => tcp.send(octets),
        }
    }

    /// Where it leads.
    pub(super) fn peer(&self) -> SocketAddr {
        match self {
            Self::Udp(udp) => udp.peer(),
            Self::Tcp(tcp) => tcp.peer(),
        }
    }
}

/// A reason of the system in one word, for metrics.
fn label(error: &io::Error) -> &'static str {
    let is = |kind| error.kind() == kind;
    let reasons = [
        (is(io::ErrorKind::ConnectionRefused), "refused"),
        (is(io::ErrorKind::HostUnreachable), "unreachable"),
        (is(io::ErrorKind::NetworkUnreachable), "unreachable"),
        (is(io::ErrorKind::WouldBlock), "slow"),
        (is(io::ErrorKind::TimedOut), "slow"),
        (is(io::ErrorKind::PermissionDenied), "forbidden"),
        (is(io::ErrorKind::ConnectionReset), "closed"),
        (is(io::ErrorKind::ConnectionAborted), "closed"),
        (is(io::ErrorKind::BrokenPipe), "closed"),
        (error.raw_os_error() == Some(libc::EMSGSIZE), "too-long"),
    ];
    let found = reasons.into_iter().find(|(applies, _)| *applies);
    found.map_or("other", |(_, label)| label)
}
