//! When flows leave, and why. P-610…P-618, P-664…P-666.

use super::Cache;
use super::Outlet;
use super::entry::Entry;
use crate::flow::EndReason;

/// Entries an eviction passes over because they are due later after all.
const SKIPS_MAX: usize = 64;

/// One look at every slot, spread over ticks: after a timer became shorter, or
/// to let flows of a closed route or source leave.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sweep {
    next: u32,
    end: u32,
    /// Asked for while under way: slots looked at before must be looked at again.
    again: bool,
}

impl Sweep {
    /// Asks for a look at all `slots`.
    pub(super) fn request(&mut self, slots: u32) {
        if self.is_pending() {
            self.again = true;
        } else {
            *self = Self {
                next: 0,
                end: slots,
                again: false,
            };
        }
    }

    /// Whether slots remain to be looked at.
    pub(super) fn is_pending(&self) -> bool {
        self.next < self.end
    }

    /// The next slot to look at; there are `slots` by now.
    fn step(&mut self, slots: u32) -> Option<u32> {
        if !self.is_pending() {
            return None;
        }
        let slot = self.next;
        self.next += 1;
        if !self.is_pending() && std::mem::take(&mut self.again) {
            self.request(slots);
        }
        Some(slot)
    }
}

/// What a look at an entry leads to.
enum Verdict {
    Leave(EndReason),
    /// Not due before this tick.
    Stay(u64),
}

impl Cache {
    /// Lets flows leave that are due at `now_ms`, to the tick, until the budget
    /// is spent or the outlet full; the rest wait for the next call.
    ///
    /// To be called once per `tick_ms`; calls that are late or left out only
    /// delay.
    pub fn tick(&mut self, now_ms: u64, outlet: &mut impl Outlet) {
        self.advance(now_ms);
        let budget = self.settings.tick_budget;
        // A sweep keeps a quarter, so that a flood of due flows cannot starve it.
        let kept = if self.sweep.is_pending() {
            (budget / 4).max(1)
        } else {
            0
        };
        let mut looks = (budget - kept).max(1);
        let is_done = self.expire(&mut looks, outlet);
        looks += kept;
        self.do_sweep(&mut looks, outlet);
        self.is_behind = !is_done || self.sweep.is_pending();
        self.relieve(&mut looks, outlet);
        self.odometers
            .turn(self.now_ms, self.settings.odometer_hold_ms);
    }

    /// Lets every flow leave with reason 4, until the outlet is full: to be
    /// called again, once there is room, while [`Self::live`] is not 0 (P-618).
    pub fn flush(&mut self, outlet: &mut impl Outlet) {
        while !outlet.is_full() {
            let Some((_, slot)) = self.wheel.first() else {
                return;
            };
            self.leave(slot, EndReason::Forced, outlet);
        }
    }

    /// Whether the last tick left something over: the next need not wait for
    /// its time.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Looks at the buckets whose time has come; whether at all of them.
    fn expire(&mut self, looks: &mut usize, outlet: &mut impl Outlet) -> bool {
        let tick = self.tick_number();
        self.wheel.skip(tick);
        while *looks > 0 && !outlet.is_full() {
            let Some(slot) = self.wheel.due(tick) else {
                return true;
            };
            *looks -= 1;
            self.look_at(slot, outlet);
        }
        false
    }

    fn do_sweep(&mut self, looks: &mut usize, outlet: &mut impl Outlet) {
        while *looks > 0 && !outlet.is_full() {
            let Some(slot) = self.sweep.step(self.slab.slots()) else {
                return;
            };
            *looks -= 1;
            if self.slab.get(slot).is_some_and(|entry| !entry.is_free()) {
                self.look_at(slot, outlet);
            }
        }
    }

    /// Makes room ahead of need: emergency aging (P-666).
    fn relieve(&mut self, looks: &mut usize, outlet: &mut impl Outlet) {
        while *looks > 0 && !outlet.is_full() && self.slab.live() > self.settings.pressure() {
            *looks = looks.saturating_sub(self.evict(outlet));
        }
    }

    /// Lets the flow leave that is due first, or nearly so; how many it looked at.
    pub(super) fn evict(&mut self, outlet: &mut impl Outlet) -> usize {
        let mut looks = 0;
        while let Some((bucket, slot)) = self.wheel.first() {
            looks += 1;
            match self.verdict(slot, self.now_ms) {
                Verdict::Stay(tick) if tick > bucket && looks <= SKIPS_MAX => {
                    self.wheel.relink(&mut self.slab, slot, tick);
                }
                Verdict::Stay(_) => {
                    self.stats.evictions += 1;
                    self.leave(slot, EndReason::Resources, outlet);
                    break;
                }
                Verdict::Leave(reason) => {
                    self.leave(slot, reason, outlet);
                    break;
                }
            }
        }
        looks
    }

    /// Lets a flow leave if it is due, or puts it where it belongs.
    fn look_at(&mut self, slot: u32, outlet: &mut impl Outlet) {
        let tick_ms = self.tick_number() * self.settings.tick_ms;
        match self.verdict(slot, tick_ms) {
            Verdict::Leave(reason) => self.leave(slot, reason, outlet),
            Verdict::Stay(tick) => self.wheel.relink(&mut self.slab, slot, tick),
        }
    }

    /// The tick at which to look at a flow that is not due yet.
    pub(super) fn due_tick(&self, entry: &Entry) -> u64 {
        let due = self.due(entry);
        due.map_or(u64::MAX, |(due_ms, _)| self.tick_after(due_ms))
    }

    /// The first tick that begins at `time_ms` or later.
    fn tick_after(&self, time_ms: u64) -> u64 {
        time_ms.div_ceil(self.settings.tick_ms)
    }

    fn verdict(&self, slot: u32, until_ms: u64) -> Verdict {
        let Some(entry) = self.slab.get(slot) else {
            return Verdict::Stay(u64::MAX);
        };
        let key = &entry.record.key;
        let source = self.sources.get(key.source);
        if !self.route(key.route).mode.merges() || source.is_some_and(|it| it.closing) {
            return Verdict::Leave(EndReason::Forced);
        }
        match self.due(entry) {
            None => Verdict::Stay(u64::MAX),
            Some((due_ms, reason)) if due_ms <= until_ms => Verdict::Leave(reason),
            Some((due_ms, _)) => Verdict::Stay(self.tick_after(due_ms)),
        }
    }

    /// When a flow is due and why: the earliest of its timers; of two at once,
    /// the exporter's word, then the active timer.
    pub(super) fn due(&self, entry: &Entry) -> Option<(u64, EndReason)> {
        let key = &entry.record.key;
        let active_ms = self.route(key.route).active_ms;
        let inactive_ms = self.inactive_ms(key.route, key.source);
        let (first_ms, last_ms) = (entry.first(self.now_ms), entry.last(self.now_ms));
        let after_end = self.linger_ms(inactive_ms);
        let ended = entry.ended().map(|reason| (last_ms + after_end, reason));
        let active = (active_ms > 0).then(|| (first_ms + active_ms, EndReason::Active));
        let idle =
            (inactive_ms > 0 && ended.is_none()).then(|| (last_ms + inactive_ms, EndReason::Idle));
        let timers = [ended, active, idle].into_iter().flatten();
        timers.min_by_key(|&(due_ms, _)| due_ms)
    }

    /// How long an ended flow waits for stragglers: not longer than a silent one.
    fn linger_ms(&self, inactive_ms: u64) -> u64 {
        match inactive_ms {
            0 => self.settings.linger_ms,
            _ => self.settings.linger_ms.min(inactive_ms),
        }
    }
}
