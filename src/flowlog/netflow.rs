//! Collectors that a flow log re-exports to.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::flow::Filter;

use super::Server;

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

/// Protocol of a re-export.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
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

    #[test]
    fn a_target_is_named_by_version_transport_and_server() {
        let mut target = NetflowTarget::new("192.0.2.9".parse().unwrap(), NetflowVersion::V10);
        target.transport = Transport::Tcp;
        assert_eq!(target.to_string(), "v10 tcp 192.0.2.9:9995");
    }
}
