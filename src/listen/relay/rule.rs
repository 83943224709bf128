//! What an operator says of relaying: whose datagrams go where.

use std::net::IpAddr;

use crate::flowlog::Prefix;
use crate::flowlog::Server;

/// Destinations of all rules together: one bit each in what a lane notes of a
/// datagram, and one socket each in every lane.
pub const RELAY_TARGETS_MAX: usize = 64;

/// Datagrams of some exporters, and where copies of them go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelayRule {
    /// Whose; all exporters' if empty.
    pub exporters: Vec<Prefix>,
    /// Where to; every one gets every datagram.
    pub to: Vec<Server>,
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
