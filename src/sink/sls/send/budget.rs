//! Octets in memory over all outlets.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;

/// Counts octets that are held, and says when there is room for more.
#[derive(Debug)]
pub(super) struct Budget {
    octets_max: usize,
    held: AtomicUsize,
    /// The most that was held at once.
    peak: AtomicUsize,
    freed: Notify,
}

impl Budget {
    pub(super) fn new(octets_max: usize) -> Arc<Self> {
        Arc::new(Self {
            octets_max,
            held: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            freed: Notify::new(),
        })
    }

    /// Ends when there is room. Who takes it may take more than there is.
    pub(super) async fn room(&self) {
        loop {
            let freed = self.freed.notified();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }

    /// Whether there is room.
    pub(super) fn has_room(&self) -> bool {
        self.held() < self.octets_max
    }

    /// Octets held now.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The most octets held at once.
    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// What somebody holds; nothing yet.
    pub(super) fn charge(self: &Arc<Self>) -> Charge {
        Charge {
            budget: Arc::clone(self),
            octets: 0,
        }
    }
}

/// Octets that somebody holds, given back when it goes.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<Budget>,
    octets: usize,
}

impl Charge {
    /// Holds so many octets from now on.
    pub(super) fn set(&mut self, octets: usize) {
        let budget = &self.budget;
        if octets > self.octets {
            let more = octets - self.octets;
            let before = budget.held.fetch_add(more, Ordering::Relaxed);
            budget.peak.fetch_max(before + more, Ordering::Relaxed);
        } else {
            let less = self.octets - octets;
            budget.held.fetch_sub(less, Ordering::Relaxed);
            // All who wait look again; notified before they wait by the loop.
            budget.freed.notify_waiters();
        }
        self.octets = octets;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_finds_no_room_waits_for_some() {
        let budget = Budget::new(100);
        let (mut one, mut other) = (budget.charge(), budget.charge());
        one.set(60);
        budget.room().await;
        other.set(60);
        assert_eq!((budget.held(), budget.peak()), (120, 120));
        let waiting = budget.room();
        tokio::pin!(waiting);
        let at_once = tokio::time::timeout(std::time::Duration::ZERO, &mut waiting);
        assert!(at_once.await.is_err());
        drop(one);
        waiting.await;
        other.set(10);
        assert_eq!((budget.held(), budget.peak()), (10, 120));
    }
}
