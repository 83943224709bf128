//! Flows of an earlier run on their way back into a cache.

use crate::cache::Cache;
use crate::cache::Outlet;
use crate::cache::entry::Entry;
use crate::cache::entry::NIL;
use crate::cache::insert::hand_over;
use crate::cache::insert::upper;
use crate::cache::snapshot::OpenFlow;
use crate::flow::EndReason;
use crate::flow::FlowRecord;

impl Cache {
    /// Takes in a flow of an earlier run as `record`, which is that of `flow`
    /// with this run's route and source; under its own serial and with the time
    /// left to it: `now_ms` is to be greater than its ages, and that no process
    /// ran meanwhile does not count as silence.
    ///
    /// Where it cannot be merged any more it goes to `outlet` at once, with
    /// reason 4: its route does not merge, there is no room, or a flow of its
    /// key is there, as when it was in two lanes that are one now.
    pub fn resume(
        &mut self,
        now_ms: u64,
        flow: &OpenFlow<'_>,
        record: &FlowRecord,
        outlet: &mut impl Outlet,
    ) {
        self.advance(now_ms);
        let detail = flow.detail.as_ref();
        let hash = self.hash(&record.key);
        let merges = self.route(record.key.route).mode.merges()
            && self
                .sources
                .admit(record.key.source)
                .is_some_and(|it| !it.closing)
            && self.slab.live() < self.slab.capacity()
            && !self.must_pass(record, detail)
            && self.find(hash, &record.key).is_none();
        if !merges {
            return hand_over(record, detail, EndReason::Forced, flow.serial, outlet);
        }
        if self.slab.live() == 0 {
            self.wheel.start(self.tick_number());
        }
        let kept = detail.map_or(NIL, |detail| self.details.put(detail));
        let ages_ms = (flow.first_age_ms, flow.last_age_ms);
        let entry = Entry::resumed(record, self.now_ms, ages_ms, kept);
        let tick = self.due_tick(&entry);
        let Some(slot) = self.slab.put(entry, flow.serial) else {
            self.details.take(kept);
            return hand_over(record, detail, EndReason::Forced, flow.serial, outlet);
        };
        self.index.insert(upper(hash), slot);
        self.wheel.link(&mut self.slab, slot, tick);
        self.count_in(record);
        self.stats.resumed += 1;
    }
}
