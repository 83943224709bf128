//! TCP to a collector, for IPFIX. RFC 7011 §10.4.

use std::io;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;

use super::Outcome;
use super::label;

/// A connection; it ends with the first message that cannot be written whole.
#[derive(Debug)]
pub(in crate::sink::netflow) struct Tcp {
    stream: TcpStream,
    peer: SocketAddr,
}

impl Tcp {
    /// Connects.
    ///
    /// # Errors
    /// Nobody answers within 5 s, or what the system says.
    pub(in crate::sink::netflow) fn open(peer: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&peer, CONNECT_PATIENCE)?;
        stream.set_write_timeout(Some(WRITE_PATIENCE))?;
        // A message is whole when it is written: it need not wait for more.
        stream.set_nodelay(true)?;
        Ok(Self { stream, peer })
    }

    pub(super) fn send(&mut self, octets: &[u8]) -> Outcome {
        match self.stream.write_all(octets) {
            Ok(()) => Outcome::Sent,
            // Part of it may be there: what followed could not be read.
            Err(error) => Outcome::Broken(label(&error)),
        }
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }
}

/// Longest a collector may take to accept.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Longest a collector may read nothing while its window is full.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
