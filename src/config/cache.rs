//! `[cache]`: how many flows are merged at once.

use std::time::Duration;

use super::table::Table;

/// Bounds of the flow cache; timers are the flow logs'.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cache {
    /// Flows merged at once, of all lanes; about 200 octets each.
    pub flows_max: usize,
    /// How long a flow that its exporter ended waits for stragglers (P-613).
    pub linger: Duration,
    /// Part of the flows one exporter may have once the cache is full, 1–100 %.
    pub exporter_share_percent: u8,
    /// Last totals remembered of exporters that send odometers (P-643); 48
    /// octets each.
    pub odometers_max: usize,
    /// Octets of what few records carry: NAT, MAC, MPLS, extra elements.
    pub detail_bytes_max: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            flows_max: FLOWS_MAX,
            linger: LINGER,
            exporter_share_percent: EXPORTER_SHARE_PERCENT,
            odometers_max: ODOMETERS_MAX,
            detail_bytes_max: DETAIL_BYTES_MAX,
        }
    }
}

impl Cache {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            flows_max: table
                .integer("max-flows", 1_000..=1 << 30)
                .unwrap_or(default.flows_max),
            linger: table
                .integer("linger-ms", 0..=60_000)
                .map_or(default.linger, Duration::from_millis),
            exporter_share_percent: table
                .integer("exporter-share-percent", 1..=100)
                .unwrap_or(default.exporter_share_percent),
            odometers_max: table
                .integer("max-odometers", 1_000..=1 << 30)
                .unwrap_or(default.odometers_max),
            detail_bytes_max: table
                .integer("max-detail-bytes", 1 << 20..=64 << 30)
                .unwrap_or(default.detail_bytes_max),
        }
    }
}

/// About 200 MB: what any collector host can spare.
const FLOWS_MAX: usize = 1_000_000;
/// Records of one flow end in datagrams that overtake each other.
const LINGER: Duration = Duration::from_millis(2_000);
/// One flooded exporter leaves half to the others.
const EXPORTER_SHARE_PERCENT: u8 = 50;
/// 12 MB; only few exporters send totals.
const ODOMETERS_MAX: usize = 262_144;
/// 256 octets for a quarter of the flows.
const DETAIL_BYTES_MAX: usize = 64 << 20;
