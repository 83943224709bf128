//! Host and port of another collector, as an operator writes them.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::str::FromStr;

use thiserror::Error;

/// Host and port of a collector.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Server {
    /// By its address.
    Address(SocketAddr),
    /// By a name that is resolved again and again, and a port.
    Name(String, u16),
}

impl Server {
    /// The address, if it is known without resolving a name.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(..) => None,
        }
    }

    /// Reads `address:port` or `name:port`; IPv4-mapped addresses become IPv4,
    /// and names may have underscores.
    ///
    /// # Errors
    /// There is no port, or neither address nor name before it.
    pub fn with_port(text: &str) -> Result<Self, WithPortError> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            let ip = address.ip().to_canonical();
            return Ok(Self::Address(SocketAddr::new(ip, address.port())));
        }
        let (name, port) = text.rsplit_once(':').ok_or(WithPortError::NoPort)?;
        let is_number = !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
        let port = port.parse().ok().filter(|port| is_number && *port > 0);
        let port = port.ok_or(WithPortError::NoPort)?;
        if !is_host_name(name, "-_") {
            return Err(WithPortError::NoName);
        }
        Ok(Self::Name(name.to_ascii_lowercase(), port))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// A text that names no collector.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not an address or a host name, with or without a port")]
pub struct ServerError;

/// `192.0.2.9`, `192.0.2.9:9995`, `[2001:db8::9]:9995`, `collector.example.net:9995`;
/// without a port, [`NETFLOW_PORT`].
impl FromStr for Server {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(SocketAddr::new(address, NETFLOW_PORT)));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().map_err(|_| ServerError)?),
            None => (text, NETFLOW_PORT),
        };
        match is_host_name(name, "-") {
            true => Ok(Self::Name(name.to_owned(), port)),
            false => Err(ServerError),
        }
    }
}

/// Why a text is no collector with a port.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum WithPortError {
    /// There is no port from 1 to 65535 at its end.
    #[error("a port from 1 to 65535 must follow a colon at the end")]
    NoPort,
    /// What stands before the port is neither an address nor a name.
    #[error("not an address or host name before the port")]
    NoName,
}

/// RFC 1123 §2.1: letters, digits and `others` between dots. A last label of
/// digits only would be a mistyped address.
fn is_host_name(name: &str, others: &str) -> bool {
    let is_label = |label: &str| {
        let is_sound = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        let has_edge = label.starts_with('-') || label.ends_with('-');
        label.chars().all(is_sound) && !has_edge && (1..=63).contains(&label.len())
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|octet| octet.is_ascii_digit());
    name.len() <= 253 && name.split('.').all(is_label) && !is_number
}

/// The flow log API's default NetflowServerPort.
pub const NETFLOW_PORT: u16 = 9995;

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Result<String, ServerError> {
        text.parse::<Server>().map(|server| server.to_string())
    }

    #[test]
    fn a_server_is_an_address_or_a_name_with_a_port() {
        for (text, expected) in [
            ("192.0.2.9", "192.0.2.9:9995"),
            ("192.0.2.9:2055", "192.0.2.9:2055"),
            ("2001:db8::9", "[2001:db8::9]:9995"),
            ("[2001:db8::9]:4739", "[2001:db8::9]:4739"),
            ("collector", "collector:9995"),
            ("flow-1.example.net:4739", "flow-1.example.net:4739"),
        ] {
            assert_eq!(server(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        let long = format!("{}.net", "a".repeat(64));
        for text in [
            "",
            ":9995",
            "192.0.2.900",
            "192.0.2.9:65536",
            "-a.net",
            "a..net",
            "a_b.net",
            "http://a.net",
            "10.1",
            &long,
        ] {
            assert_eq!(server(text), Err(ServerError), "{text}");
        }
    }

    fn with_port(text: &str) -> Result<String, WithPortError> {
        Server::with_port(text).map(|server| server.to_string())
    }

    #[test]
    fn with_a_port_addresses_and_names_are_told_apart() {
        let address: SocketAddr = "192.0.2.9:2055".parse().unwrap();
        let target = Server::with_port("[::ffff:192.0.2.9]:2055");
        assert_eq!(target, Ok(Server::Address(address)));
        let name = Server::Name("collector.example.net".to_owned(), 9995);
        assert_eq!(Server::with_port("Collector.example.NET:9995"), Ok(name));
        for text in ["[2001:db8::9]:1", "localhost:65535", "a_b.example.:2"] {
            assert_eq!(with_port(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_port_may_have_to_be_there() {
        for text in [
            "192.0.2.9",
            "host",
            "host:",
            "host:0",
            "host:+1",
            "host:65536",
        ] {
            assert_eq!(with_port(text), Err(WithPortError::NoPort), "{text}");
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
            assert_eq!(with_port(text), Err(WithPortError::NoName), "{text}");
        }
    }
}
