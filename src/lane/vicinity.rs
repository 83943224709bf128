//! Under which addresses this daemon is reached, and whom it hears itself: by
//! them a record that comes by way of another collector is known to be here
//! already. P-705.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use hashbrown::HashSet;

use crate::listen::Own;

/// What the lanes of a daemon share of their neighbours.
#[derive(Debug)]
pub struct Vicinity {
    own: Arc<Own>,
    /// How long an exporter may be silent before it counts as silent, ms.
    silent_after_ms: u64,
    /// What each lane said last, ascending and without repetition.
    told: Mutex<Vec<Vec<IpAddr>>>,
    /// All of it; as many as there are sessions.
    heard: ArcSwap<HashSet<IpAddr, RandomState>>,
}

impl Vicinity {
    /// That of so many lanes that are reached there and have heard nobody yet.
    pub fn new(own: Arc<Own>, lanes: usize, silent_after: Duration) -> Self {
        Self {
            own,
            silent_after_ms: u64::try_from(silent_after.as_millis()).unwrap_or(u64::MAX),
            told: Mutex::new(vec![Vec::new(); lanes]),
            heard: ArcSwap::default(),
        }
    }

    /// Whether an address is one we listen on.
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.own.is(address)
    }

    /// Whether a lane hears this exporter itself.
    pub fn hears(&self, exporter: IpAddr) -> bool {
        self.heard.load().contains(&exporter)
    }

    /// How long after its last message an exporter counts as heard, ms.
    ///
    /// Its last flows may come back after they stayed here and at a mediator
    /// of the same timers, each time for `stay_ms` at most; taken for new ones
    /// they would circle until it speaks again.
    pub fn heard_within_ms(&self, stay_ms: u64) -> u64 {
        let under_way_ms = stay_ms.saturating_mul(2);
        self.silent_after_ms.saturating_add(under_way_ms)
    }

    /// Takes down whom a lane hears now, in any order.
    pub fn tell(&self, lane: usize, mut exporters: Vec<IpAddr>) {
        exporters.sort_unstable();
        exporters.dedup();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(before) = told.get_mut(lane).filter(|before| **before != exporters) else {
            return;
        };
        *before = exporters;
        // Under the lock, so that what is told last is what is known last.
        let all = told.iter().flatten().copied().collect();
        self.heard.store(Arc::new(all));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_is_heard_by_any_lane_is_heard_as_long_as_one_says_so() {
        let own = Arc::new(Own::new(Vec::new()));
        let vicinity = Vicinity::new(own, 2, Duration::from_secs(600));
        let (one, two) = (ip("192.0.2.1"), ip("192.0.2.2"));
        let heard = || [one, two].map(|exporter| vicinity.hears(exporter));
        assert_eq!(heard(), [false, false]);
        vicinity.tell(0, vec![one, one]);
        vicinity.tell(1, vec![two, one]);
        assert_eq!(heard(), [true, true]);
        vicinity.tell(0, Vec::new());
        assert_eq!(heard(), [true, true]);
        vicinity.tell(1, vec![two]);
        assert_eq!(heard(), [false, true]);
        vicinity.tell(2, vec![one]);
        assert_eq!(heard(), [false, true]);
    }
}
