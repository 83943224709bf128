//! What holds for all collectors.

use std::sync::Arc;
use std::time::Duration;

use crate::flow::Counters;
use crate::flow::ExportSettings;
use crate::flow::Origin;
use crate::flowlog::ExportedOrigin;
use crate::flowlog::ExportedSampling;
use crate::flowlog::NetflowTarget;
use crate::flowlog::NetflowVersion;
use crate::flowlog::Refusal;
use crate::flowlog::Server;
use crate::flowlog::Transport;
use crate::listen::Own;
use crate::wire::Version;

use super::stream::RefreshEvery;
use super::stream::Stream;
use super::stream::StreamSettings;

/// Limits, and what follows from the process.
#[derive(Clone, Debug)]
pub struct ExportsSettings {
    /// Where we ourselves are reached: nothing is sent there.
    pub own: Arc<Own>,
    /// How long to wait after a connection failed. RFC 7011 §10.4.4.
    pub reconnect: Duration,
    /// Collectors at most.
    pub collectors_max: usize,
    /// Octets of batches that may wait for one collector; batches are shared.
    pub queue_bytes_max: usize,
    /// Templates of one domain of one collector at most.
    pub templates_max: usize,
    /// Rates of sampling that one domain of one collector is told at most.
    pub samplers_max: usize,
    /// Start of the process, ms since 1970.
    pub started_ms: u64,
}

impl ExportsSettings {
    /// Whether a collector is this very process.
    pub(super) fn is_own(&self, server: &Server) -> bool {
        let address = server.address();
        address.is_some_and(|address| self.own.refusal(address) == Some(Refusal::Own))
    }

    /// How a collector's messages are built.
    pub(super) fn stream(&self, target: &NetflowTarget) -> Stream {
        let version = match target.version {
            NetflowVersion::V5 => Version::V5,
            NetflowVersion::V9 => Version::V9,
            NetflowVersion::V10 => Version::Ipfix,
        };
        let refresh = RefreshEvery {
            ms: u64::try_from(target.refresh.period.as_millis()).unwrap_or(u64::MAX),
            messages: target.refresh.messages,
        };
        Stream::new(StreamSettings {
            export: ExportSettings {
                version,
                origin: origin(target),
                counters: match target.sampling {
                    ExportedSampling::Raw => Counters::AsMetered,
                    ExportedSampling::Normalised => Counters::Normalised,
                },
                wide: true,
                reasons: true,
                absolute: false,
                boot_ms: self.started_ms.saturating_sub(UP_BEFORE_START_MS),
                templates_max: self.templates_max,
                samplers_max: self.samplers_max,
            },
            domains: target.domains,
            message_bytes: target.message_bytes.into(),
            refresh: (target.transport == Transport::Udp).then_some(refresh),
        })
    }
}

fn origin(target: &NetflowTarget) -> Origin {
    match (target.origin, target.version) {
        (ExportedOrigin::Omitted, _) => Origin::Omitted,
        (ExportedOrigin::Exporter, _) => Origin::Exporter,
        (ExportedOrigin::Original, _) => Origin::Original,
        // Collectors of v9 know 130 and 131 only.
        (ExportedOrigin::Auto, NetflowVersion::V5 | NetflowVersion::V9) => Origin::Exporter,
        (ExportedOrigin::Auto, NetflowVersion::V10) => Origin::Original,
    }
}

/// Flows that began before the process did have times after its virtual boot
/// (P-714), as far back as uptimes reach, 24.8 days less an hour: nfdump does not
/// know that an uptime before boot has turned around.
const UP_BEFORE_START_MS: u64 = (1 << 31) - 3_540_000;
