//! Which batch goes next, and how many at a time.

use std::sync::Arc;

use super::Outlet;
use crate::sink::sls::send::collect::Parcel;
use crate::sink::sls::send::courier::Courier;
use crate::sink::sls::send::course::Lane;

impl Outlet {
    /// How many couriers may be under way.
    pub(super) fn slots(&self) -> usize {
        let now = self.shared.clock.now();
        match &self.rest {
            Some(rest) if rest.setback.until > now => 0,
            Some(_) => 1,
            None => {
                let limiters = self.shared.limiters();
                let room = limiters.room(&self.desk.quota, &self.desk.destination.logstore);
                usize::try_from(room).unwrap_or(1)
            }
        }
    }

    /// Sends couriers with what is ready, fresh rows first.
    pub(super) fn dispatch(&mut self) {
        let slots = self.slots();
        while self.couriers.len() < slots {
            let fresh = self.next_of_fresh();
            let Some(parcel) = fresh.or_else(|| self.next_of_backlog(slots)) else {
                break;
            };
            let failures = self.rest.as_ref().map_or(0, |rest| rest.setback.failures);
            let (shared, desk) = (Arc::clone(&self.shared), Arc::clone(&self.desk));
            self.draining += usize::from(parcel.lane == Lane::Backlog);
            self.shards.extend(parcel.shard());
            let course = Arc::clone(&self.course);
            let courier = Courier::new(shared, desk, course, parcel, failures);
            self.couriers.spawn(courier.run());
        }
        if self.known.is_stopping && slots == 0 {
            self.give_back_lane(Lane::Fresh);
        }
    }

    fn next_of_fresh(&mut self) -> Option<Parcel> {
        let first = self.fresh.first(|parcel| self.may_go(parcel))?;
        self.fresh.ready.remove(first)
    }

    /// Whether none of its shard hash is on its way: the second of two must not
    /// overtake the first.
    pub(super) fn may_go(&self, parcel: &Parcel) -> bool {
        let shard = parcel.shard();
        shard.is_none_or(|shard| !self.shards.contains(&shard))
    }

    /// A batch of the backlog, if its rate and its part of the slots allow.
    fn next_of_backlog(&mut self, slots: usize) -> Option<Parcel> {
        if !self.may_drain(slots) {
            return None;
        }
        let first = self.backlog.first(|parcel| self.may_go(parcel))?;
        let octets = self.backlog.ready.get(first)?.batch.body().len();
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        let now = self.shared.clock.now();
        if let Err(at) = self.drain.take(octets, now) {
            self.drain_at = at;
            return None;
        }
        self.backlog.ready.remove(first)
    }

    /// Whether one more courier may carry backlog: half of them leave room for
    /// fresh rows.
    pub(super) fn may_drain(&self, slots: usize) -> bool {
        self.draining < (slots / 2).max(1) && self.shared.clock.now() >= self.drain_at
    }
}
