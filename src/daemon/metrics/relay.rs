//! What is copied to other collectors, by destination.

use super::Pair;
use super::Scrape;
use crate::listen::RelayDrop;
use crate::listen::RelayTotals;

/// One number of each destination.
pub(super) fn by_destination(now: &Scrape, value: fn(&RelayTotals) -> u64) -> Vec<(String, u64)> {
    let all = now.relays.iter();
    all.map(|(destination, of)| (destination.clone(), value(of)))
        .collect()
}

/// Copies that were not sent, by destination and reason, all every time.
pub(super) fn dropped(now: &Scrape) -> Vec<Pair> {
    let all = now.relays.iter().flat_map(|(destination, of)| {
        let reasons = RelayDrop::LABELS.iter().zip(of.dropped);
        reasons.map(|(reason, count)| ([destination.clone(), (*reason).to_owned()], count))
    });
    all.collect()
}
