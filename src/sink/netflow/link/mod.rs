//! What carries messages to a collector.

mod tcp;
mod udp;

#[cfg(test)]
mod tests;

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
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable",
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "slow",
        io::ErrorKind::PermissionDenied => "forbidden",
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted => "closed",
        _ if error.raw_os_error() == Some(libc::EMSGSIZE) => "too-long",
        _ => "other",
    }
}
