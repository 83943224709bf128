//! What an operator says of relaying: whose datagrams go where.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::str::FromStr;

use thiserror::Error;

use crate::flowlog::Prefix;

/// Destinations of all rules together: one bit each in what a lane notes of a
/// datagram, and one socket each in every lane.
pub const RELAY_TARGETS_MAX: usize = 64;

/// Datagrams of some exporters, and where copies of them go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelayRule {
    /// Whose; all exporters' if empty.
    pub exporters: Vec<Prefix>,
    /// Where to; every one gets every datagram.
    pub to: Vec<RelayTarget>,
    /// Whether the datagrams are not decoded here.
    pub only: bool,
    /// Whether copies bear the exporter's address and port instead of ours.
    pub spoof_source: bool,
}

impl RelayRule {
    /// Whether an exporter's datagrams are meant.
    pub(super) fn applies(&self, exporter: IpAddr) -> bool {
        let mut blocks = self.exporters.iter();
        self.exporters.is_empty() || blocks.any(|block| block.contains(exporter))
    }
}

/// Where copies go: an address, or a name that is looked up again and again.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum RelayTarget {
    /// An address, never IPv4-mapped.
    Address(SocketAddr),
    /// A name of the DNS or of the hosts file, and a port.
    Name(String, u16),
}

impl fmt::Display for RelayTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// Reads `address:port` or `name:port`.
impl FromStr for RelayTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            let ip = address.ip().to_canonical();
            return Ok(Self::Address(SocketAddr::new(ip, address.port())));
        }
        let (name, port) = text.rsplit_once(':').ok_or(TargetError::NoPort)?;
        let is_number = !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
        let port = port.parse().ok().filter(|port| is_number && *port > 0);
        let port = port.ok_or(TargetError::NoPort)?;
        if !is_name(name) {
            return Err(TargetError::NoName);
        }
        Ok(Self::Name(name.to_ascii_lowercase(), port))
    }
}

/// Why a text is no destination.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TargetError {
    /// There is no port from 1 to 65535 at its end.
    #[error("a port from 1 to 65535 must follow a colon at the end")]
    NoPort,
    /// What stands before the port is neither an address nor a name.
    #[error("not an address or host name before the port")]
    NoName,
}

/// Whether a text may be a host's name, and no mistyped address: RFC 1123 §2.1
/// with underscores; the last label is not all digits.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len())
            && label.chars().all(sound)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(is_label) && !last.bytes().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, TargetError> {
        text.parse::<RelayTarget>().map(|target| target.to_string())
    }

    #[test]
    fn addresses_and_names_are_told_apart() {
        let address: SocketAddr = "192.0.2.9:2055".parse().unwrap();
        let target = "[::ffff:192.0.2.9]:2055".parse();
        assert_eq!(target, Ok(RelayTarget::Address(address)));
        let name = RelayTarget::Name("collector.example.net".to_owned(), 9995);
        assert_eq!("Collector.example.NET:9995".parse(), Ok(name));
        for text in ["[2001:db8::9]:1", "localhost:65535", "a_b.example.:2"] {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_no_destination_is_refused() {
        for text in [
            "192.0.2.9",
            "host",
            "host:",
            "host:0",
            "host:+1",
            "host:65536",
        ] {
            assert_eq!(read(text), Err(TargetError::NoPort), "{text}");
        }
        let label = "a".repeat(64);
        for text in [
            "192.0.2.300:1",
            "2001:db8::9:1",
            ":1",
            "-a.example:1",
            "a..example:1",
            "a b:1",
            &format!("{label}:1"),
        ] {
            assert_eq!(read(text), Err(TargetError::NoName), "{text}");
        }
    }
}
