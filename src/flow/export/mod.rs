//! Rows of flows as records of v5, v9 and IPFIX: the way back of [`crate::flow::plan`].
//!
//! A row decides by what it has which Template it is written with, so no record
//! carries a field that its row lacks (P-722). What a version cannot carry is
//! told with each row ([`Lacks`], [`Unsent`]); headers, Sets and the times at
//! which Templates are repeated are for the sender.

mod encode;
mod extras;
mod features;
mod fields;
mod lacks;
mod layouts;
mod options;
mod records;
mod report;
mod row;
mod samplers;
mod split;
#[cfg(test)]
mod tests;
mod v5;

pub use encode::RowEncoder;
pub use lacks::Lacks;
pub use lacks::Unsent;
pub use records::Records;
pub use report::Report;
pub use report::ReportPart;

use crate::wire::Version;

/// How rows are written for one destination and outgoing domain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExportSettings {
    /// Protocol the records are for.
    pub version: Version,
    /// Whether and as what records name who exported them first (P-700).
    pub origin: Origin,
    /// Whether sampled counters are scaled up (P-716, P-735).
    pub counters: Counters,
    /// Counters of 8 octets in v9; of 4, flows that need more are split (P-725).
    pub wide: bool,
    /// flowEndReason (136) and deltaFlowCount (3) in v9 too (P-736).
    pub reasons: bool,
    /// 152 and 153 in v9 beside 22 and 21 (P-724).
    pub absolute: bool,
    /// Virtual boot, ms since 1970: what uptimes are relative to (P-714).
    pub boot_ms: u64,
    /// Templates at most, those of options among them; 65 280 are possible.
    pub templates_max: usize,
    /// Rates of sampling at most; flows of further ones are scaled up.
    pub samplers_max: usize,
}

/// Who exported the flow first, as records name it. P-700.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Not at all.
    Omitted,
    /// As exporterIPv4Address or exporterIPv6Address (130, 131), and its domain (405).
    Exporter,
    /// As originalExporterIPv4Address or …IPv6Address (403, 404), and its domain (405).
    Original,
}

/// Counters of sampled flows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counters {
    /// As metered; the rate is told beside them where the version can (P-726, P-735).
    AsMetered,
    /// Multiplied by the rate, which is not told: never both (P-716, P-735).
    Normalised,
}
