//! The way of a record: routes, cache, open batch.

use super::sources::Sources;
use super::sources::Verdict;
use super::terms::Terms;
use crate::cache::Cache;
use crate::cache::OpenFlow;
use crate::cache::Outlet;
use crate::cache::Queue;
use crate::flow::Amount;
use crate::flow::Bare;
use crate::flow::Detail;
use crate::flow::FlowBatch;
use crate::flow::FlowRecord;
use crate::flowlog::RouteId;
use crate::flowlog::RoutingTable;
use crate::flowlog::Sieve;
use crate::session::Scope;
use crate::session::SourceId;

/// Rows at which a batch is handed over before its time.
pub(super) const BATCH_ROWS_MAX: usize = 16_384;

/// The way of a record: routes, cache, open batch.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) cache: Cache,
    /// Routed records on the doorstep of the cache: never full of them for long,
    /// so that there is a place for one more; empty between turns.
    pub(super) queue: Queue,
    pub(super) sources: Sources,
    pub(super) batch: FlowBatch,
    pub(super) terms: Terms,
    /// Arrival of the datagram that is being decoded.
    pub(super) now_ms: u64,
}

impl Way {
    /// Takes in what is queued, and ages the cache.
    pub(super) fn tick(&mut self, now_ms: u64) {
        self.take_in();
        self.now_ms = now_ms;
        let mut outward = Outward::new(&mut self.batch, &self.sources);
        self.cache.tick(now_ms, &mut outward);
    }

    /// Empties the cache into the batch, as far as the batch has room.
    pub(super) fn flush(&mut self) {
        self.take_in();
        let mut outward = Outward::new(&mut self.batch, &self.sources);
        self.cache.flush(&mut outward);
    }

    /// Brings the terms that are amounts held up to date.
    pub(super) fn settle(&mut self) {
        self.terms.held = self.cache.held();
        self.terms.cache = *self.cache.stats();
        self.terms.repeated = self.terms.cache.odometers.repeated;
        self.terms.open = self.batch.amount();
        self.terms.live = u64::try_from(self.cache.live()).unwrap_or(u64::MAX);
    }

    /// Takes in a flow of an earlier run under the route and source it has now.
    pub(super) fn resume(
        &mut self,
        flow: &OpenFlow<'_>,
        (route, source): (RouteId, SourceId),
        now_ms: u64,
        table: &RoutingTable,
    ) {
        if self.sources.verdict(source, flow.source).is_none() {
            self.sources.meet(source, flow.source, table);
        }
        let mut record = flow.record;
        record.key.route = route.0;
        record.key.source = source;
        self.now_ms = now_ms;
        self.terms.resumed += record.amount();
        let mut outward = Outward::new(&mut self.batch, &self.sources);
        self.cache.resume(now_ms, flow, &record, &mut outward);
    }

    /// Where the records of a scope's source go.
    ///
    /// An id comes to another exporter only when no flow bears it any more;
    /// what the cache learned of the exporter before goes here.
    pub(super) fn verdict(&mut self, scope: &Scope<'_>, table: &RoutingTable) -> Verdict {
        let (id, source) = (scope.source, (scope.exporter, scope.domain));
        if let Some(verdict) = self.sources.verdict(id, source) {
            return verdict;
        }
        self.cache.close_source(id);
        self.sources.meet(id, source, table)
    }

    /// Sends records along the one route that they were read onto; what they
    /// amount to, which [`Self::book`] counts.
    #[inline(never)]
    pub(super) fn take(&mut self, mut records: Bare<'_>) -> Amount {
        let mut sum = Amount::default();
        while !records.is_empty() {
            sum += self.queue.fill(|places| records.fill(places));
            if self.queue.is_full() {
                self.take_in();
            }
        }
        sum
    }

    /// Sends one record along all its routes; [`Self::book`] counts it.
    #[inline(always)]
    pub(super) fn route(
        &mut self,
        verdict: &Verdict,
        record: &FlowRecord,
        detail: Option<&Detail>,
    ) {
        match verdict {
            Verdict::Routes(routes) => {
                for route in routes.iter() {
                    self.send(*route, record, detail);
                }
            }
            Verdict::Sieve(sieve) => self.sift(sieve, record, detail),
            Verdict::Unclaimed | Verdict::Looped => {}
        }
    }

    /// Counts the records of a Data Set, which went by this verdict.
    pub(super) fn book(&mut self, verdict: &Verdict, amount: Amount) {
        self.terms.flows += amount;
        match verdict {
            Verdict::Routes(routes) => {
                for _ in routes.iter() {
                    self.terms.routed += amount;
                }
            }
            // It has counted each of them.
            Verdict::Sieve(_) => {}
            Verdict::Unclaimed => self.terms.unclaimed += amount,
            Verdict::Looped => self.terms.looped += amount,
        }
    }

    /// Sends one record along the routes that it may take.
    fn sift(&mut self, sieve: &Sieve, record: &FlowRecord, detail: Option<&Detail>) {
        let mut is_claimed = false;
        for gate in sieve.passed(record) {
            is_claimed = true;
            let mut routed = *record;
            if let Some(one_in) = gate.one_in {
                routed.assume_sampled(one_in);
            }
            self.terms.routed += routed.amount();
            self.send(gate.route, &routed, detail);
        }
        if !is_claimed {
            self.terms.unclaimed += record.amount();
        }
    }

    /// Sends one record along one route.
    #[inline(always)]
    fn send(&mut self, route: RouteId, record: &FlowRecord, detail: Option<&Detail>) {
        self.queue.push(route.0, record, detail);
        if self.queue.is_full() {
            self.take_in();
        }
    }

    /// Moves what is queued into the cache.
    #[inline(never)]
    pub(super) fn take_in(&mut self) {
        let mut outward = Outward::new(&mut self.batch, &self.sources);
        self.cache
            .insert_batch(self.now_ms, &self.queue, &mut outward);
        self.queue.clear();
    }
}

/// Where the cache's rows go: the open batch, with the exporter's own name.
struct Outward<'a> {
    batch: &'a mut FlowBatch,
    sources: &'a Sources,
}

impl<'a> Outward<'a> {
    fn new(batch: &'a mut FlowBatch, sources: &'a Sources) -> Self {
        Self { batch, sources }
    }
}

impl Outlet for Outward<'_> {
    fn take(&mut self, record: &FlowRecord, detail: Option<&Detail>, serial: u64) {
        // An id is not given again while the cache may hold a flow of it.
        if let Some(source) = self.sources.get(record.key.source) {
            let origin = (source.exporter, source.domain);
            self.batch.push_flow(record, detail, origin, serial);
        }
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= BATCH_ROWS_MAX
    }
}
