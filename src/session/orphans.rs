//! Data that came before its Template, kept for a while. P-045, P-414.

use std::collections::VecDeque;

use crate::session::Clock;
use crate::session::Limits;
use crate::session::OrphanStats;

/// A Data Set without its Template.
#[derive(Debug)]
pub(crate) struct Orphan {
    /// Which Template it waits for.
    pub(crate) id: u16,
    /// Octets after the Set header.
    pub(crate) body: Box<[u8]>,
    /// The clock of its own Message.
    pub(crate) clock: Clock,
    /// When it came, monotonic ms.
    pub(crate) arrived_ms: u64,
}

impl Orphan {
    fn cost(&self) -> usize {
        size_of::<Self>() + self.body.len()
    }
}

/// Octets kept, of one session or of all; never above its maximum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kept(pub(crate) usize);

/// What one domain waits to have explained, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    queue: VecDeque<Orphan>,
}

impl Orphans {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Keeps one more; older ones of the domain give way to it.
    pub(crate) fn keep(
        &mut self,
        orphan: Orphan,
        session: &mut Kept,
        all: &mut Kept,
        limits: &Limits,
        stats: &mut OrphanStats,
    ) {
        let cost = orphan.cost();
        let fits = |kept: usize, max: usize| kept.saturating_add(cost) <= max;
        if !fits(0, limits.session_orphan_bytes_max) {
            stats.refused += 1;
            return;
        }
        while !fits(session.0, limits.session_orphan_bytes_max)
            || !fits(all.0, limits.orphan_bytes_max)
        {
            let Some(oldest) = self.queue.pop_front() else {
                stats.refused += 1;
                return;
            };
            release(&oldest, session, all);
            stats.displaced += 1;
        }
        session.0 += cost;
        all.0 += cost;
        stats.kept += 1;
        self.queue.push_back(orphan);
    }

    /// Takes out all that wait for `id`, in the order they came.
    pub(crate) fn take(&mut self, id: u16, session: &mut Kept, all: &mut Kept) -> Vec<Orphan> {
        let mut taken = Vec::new();
        for _ in 0..self.queue.len() {
            let Some(orphan) = self.queue.pop_front() else {
                break;
            };
            if orphan.id == id {
                release(&orphan, session, all);
                taken.push(orphan);
            } else {
                self.queue.push_back(orphan);
            }
        }
        taken
    }

    /// Gives up those that waited too long; how many.
    pub(crate) fn age(
        &mut self,
        now_ms: u64,
        limits: &Limits,
        session: &mut Kept,
        all: &mut Kept,
    ) -> u64 {
        let mut aged = 0;
        while let Some(oldest) = self.queue.front()
            && is_aged(oldest, now_ms, limits)
        {
            release(oldest, session, all);
            self.queue.pop_front();
            aged += 1;
        }
        aged
    }

    /// Gives up all; how many.
    pub(crate) fn clear(&mut self, session: &mut Kept, all: &mut Kept) -> u64 {
        let mut count = 0;
        for orphan in self.queue.drain(..) {
            release(&orphan, session, all);
            count += 1;
        }
        count
    }
}

/// Whether an orphan waited longer than the limit.
pub(crate) fn is_aged(orphan: &Orphan, now_ms: u64, limits: &Limits) -> bool {
    let age_ms = now_ms.saturating_sub(orphan.arrived_ms);
    limits.orphan_age_max_ms.is_some_and(|max| age_ms > max)
}

fn release(orphan: &Orphan, session: &mut Kept, all: &mut Kept) {
    session.0 -= orphan.cost();
    all.0 -= orphan.cost();
}
