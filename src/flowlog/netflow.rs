//! Collectors that a flow log re-exports to.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::flow::Filter;

/// One way of a flow log's flows to another collector.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetflowOutput {
    /// The collector; outputs with equal targets share one session.
    pub target: NetflowTarget,
    /// Which flows it gets; all if there is none.
    pub filter: Option<Filter>,
}

/// A collector to re-export to, and how.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct NetflowTarget {
    /// Where it listens.
    pub server: Server,
    /// Protocol it is spoken to.
    pub version: NetflowVersion,
    /// What carries the messages; TCP is for [`NetflowVersion::V10`] only.
    pub transport: Transport,
    /// What becomes of sampled counters.
    pub sampling: ExportedSampling,
    /// How records say who exported them first.
    pub origin: ExportedOrigin,
    /// Which Observation Domains the messages are of.
    pub domains: ExportedDomains,
    /// Octets a message may have, without IP and UDP headers: [`MESSAGE_BYTES`].
    pub message_bytes: u16,
    /// Messages a second at most; a few may come at once.
    pub messages_per_s: u32,
    /// How often Templates are repeated over UDP.
    pub refresh: Refresh,
}

impl NetflowTarget {
    /// A collector that is spoken to with the defaults.
    pub fn new(server: Server, version: NetflowVersion) -> Self {
        Self {
            server,
            version,
            transport: Transport::default(),
            sampling: ExportedSampling::default(),
            origin: ExportedOrigin::default(),
            domains: ExportedDomains::default(),
            message_bytes: MESSAGE_BYTES_DEFAULT,
            messages_per_s: MESSAGES_PER_S_DEFAULT,
            refresh: Refresh::default(),
        }
    }
}

/// Version, transport and server: `v10 tcp 192.0.2.9:4739`.
impl fmt::Display for NetflowTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.label();
        let transport = self.transport.label();
        write!(f, "{version} {transport} {}", self.server)
    }
}

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
        match is_host_name(name) {
            true => Ok(Self::Name(name.to_owned(), port)),
            false => Err(ServerError),
        }
    }
}

/// RFC 1123 §2.1: letters, digits and hyphens between dots. A last label of
/// digits only would be a mistyped address.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let mut octets = label.bytes();
        let is_plain = octets.all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
        let has_edge = label.starts_with('-') || label.ends_with('-');
        is_plain && !has_edge && (1..=63).contains(&label.len())
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|octet| octet.is_ascii_digit());
    name.len() <= 253 && name.split('.').all(is_label) && !is_number
}

/// Protocol of a re-export.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum NetflowVersion {
    /// NetFlow v5.
    V5,
    /// NetFlow v9: the API's default.
    #[default]
    V9,
    /// IPFIX.
    V10,
}

impl NetflowVersion {
    /// The word for it in settings, answers and labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::V5 => "v5",
            Self::V9 => "v9",
            Self::V10 => "v10",
        }
    }
}

/// What carries messages to a collector.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Transport {
    /// UDP.
    #[default]
    Udp,
    /// TCP, RFC 7011 §10.4.
    Tcp,
}

impl Transport {
    /// The word for it in settings, answers and labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// What becomes of the counters of sampled flows (P-716, P-735): never both.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum ExportedSampling {
    /// As they were metered, and the rate is told.
    #[default]
    Raw,
    /// Multiplied by the rate, and told to be unsampled.
    Normalised,
}

/// How a record says who exported it first (P-700).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum ExportedOrigin {
    /// V9 by `exporterIPv4Address`, V10 by `originalExporterIPv4Address`.
    #[default]
    Auto,
    /// `exporterIPv4Address`, `exporterIPv6Address`: 130, 131.
    Exporter,
    /// `originalExporterIPv4Address`, `…6…`: 403, 404.
    Original,
    /// Not at all.
    Omitted,
}

/// Observation Domains (v9: source ids) of what is sent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ExportedDomains {
    /// One for all exporters.
    One(u32),
    /// One for each domain of each exporter, from 1.
    PerExporter,
}

/// Domain 0: one message has records of many domains. RFC 7119 §6.
impl Default for ExportedDomains {
    fn default() -> Self {
        Self::One(0)
    }
}

/// How often Templates are repeated over UDP, whichever comes first.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Refresh {
    /// After this long.
    pub period: Duration,
    /// After so many messages with flows.
    pub messages: u32,
}

/// 600 s and 20 messages: RFC 5153 §6.2, P-721.
impl Default for Refresh {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(600),
            messages: 20,
        }
    }
}

/// The flow log API's default NetflowServerPort.
pub const NETFLOW_PORT: u16 = 9995;
/// Octets a message may have at least and at most.
pub const MESSAGE_BYTES: (u64, u64) = (512, 65_000);
/// Octets of a message that fits into one packet on most ways: RFC 7011
/// §10.3.3 asks for less than the path's MTU, and tunnels take of 1 500.
pub const MESSAGE_BYTES_DEFAULT: u16 = 1_400;
/// Messages a second: 1.4 million flows of v9 in messages of 1 400 octets.
pub const MESSAGES_PER_S_DEFAULT: u32 = 50_000;
/// Collectors that one flow log may re-export to.
pub const OUTPUTS_MAX: usize = 8;

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

    #[test]
    fn a_target_is_named_by_version_transport_and_server() {
        let mut target = NetflowTarget::new("192.0.2.9".parse().unwrap(), NetflowVersion::V10);
        target.transport = Transport::Tcp;
        assert_eq!(target.to_string(), "v10 tcp 192.0.2.9:9995");
    }
}
