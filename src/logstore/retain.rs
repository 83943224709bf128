//! What to retire: by age and by the disk budget, whole hours of arrival.

use std::collections::BTreeMap;
use std::collections::HashSet;

use super::tail::HOUR_MS;

/// A live part as retention sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Candidate {
    /// Which logstore it belongs to.
    pub(super) owner: usize,
    /// Hour of arrival, hours since 1970.
    pub(super) hour: u64,
    /// Which part of the logstore.
    pub(super) first_seq: u64,
    /// Octets of the file.
    pub(super) bytes: u64,
    /// How long its rows are kept.
    pub(super) retention_ms: u64,
}

impl Candidate {
    /// Whether all of its hour is older than its rows are kept.
    pub(super) fn is_old(&self, now_ms: u64) -> bool {
        let end_ms = self.hour.saturating_add(1).saturating_mul(HOUR_MS);
        end_ms.saturating_add(self.retention_ms) <= now_ms
    }
}

/// The oldest hour that any candidate is too old in.
pub(super) fn too_old(candidates: &[Candidate], now_ms: u64) -> Option<u64> {
    let old = candidates
        .iter()
        .filter(|candidate| candidate.is_old(now_ms));
    old.map(|candidate| candidate.hour).min()
}

/// Parts, as (owner, first `seq`), without which the others fit into `budget`
/// octets: whole hours, oldest first, and of the newest hour its oldest parts.
pub(super) fn over_budget(candidates: &[Candidate], budget: u64) -> HashSet<(usize, u64)> {
    let mut total: u64 = candidates.iter().map(|candidate| candidate.bytes).sum();
    let mut hours: BTreeMap<u64, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        hours.entry(candidate.hour).or_default().push(*candidate);
    }
    let newest = hours.pop_last();
    let mut gone = HashSet::new();
    for part in hours.into_values() {
        if total <= budget {
            return gone;
        }
        for candidate in part {
            total -= candidate.bytes;
            gone.insert((candidate.owner, candidate.first_seq));
        }
    }
    let mut last = newest.map(|(_, parts)| parts).unwrap_or_default();
    last.sort_by_key(|candidate| (candidate.first_seq, candidate.owner));
    for candidate in last {
        if total <= budget {
            break;
        }
        total -= candidate.bytes;
        gone.insert((candidate.owner, candidate.first_seq));
    }
    gone
}
