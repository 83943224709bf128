//! The inner end of a lane: records in, rows of a batch out.

use std::net::IpAddr;
use std::sync::Arc;

use crate::cache::Cache;
use crate::cache::Outlet;
use crate::daemon::sampling::SamplingPolicies;
use crate::daemon::sources::{Sources, Verdict};
use crate::daemon::terms::Terms;
use crate::flow::Detail;
use crate::flow::FlowBatch;
use crate::flow::FlowRecord;
use crate::flow::Nsel;
use crate::flow::Plan;
use crate::flow::RecordFlags;
use crate::flowlog::RoutingTable;
use crate::session::Consumer;
use crate::session::DataSet;
use crate::session::Known;
use crate::session::SamplingPolicy;
use crate::session::Scope;
use crate::wire::TemplateKind;

/// Rows at which a batch is handed over before its time.
pub(super) const BATCH_ROWS_MAX: usize = 16_384;

/// Takes decoded Data Sets, and sends their records on their way.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) table: Arc<RoutingTable>,
    pub(super) sampling: SamplingPolicies,
    pub(super) nsel: Nsel,
    pub(super) way: Way,
}

/// The way of a record: routes, cache, open batch.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) cache: Cache,
    pub(super) sources: Sources,
    pub(super) batch: FlowBatch,
    pub(super) terms: Terms,
    /// Arrival of the datagram that is being decoded.
    pub(super) now_ms: u64,
}

impl Way {
    /// Ages the cache.
    pub(super) fn tick(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        let mut outward = Outward::new(&mut self.batch, &self.sources);
        self.cache.tick(now_ms, &mut outward);
    }

    /// Empties the cache into the batch, as far as the batch has room.
    pub(super) fn flush(&mut self) {
        let mut outward = Outward::new(&mut self.batch, &self.sources);
        self.cache.flush(&mut outward);
    }

    /// Brings the terms that are amounts held up to date.
    pub(super) fn settle(&mut self) {
        self.terms.held = self.cache.held();
        self.terms.repeated = self.cache.stats().odometers.repeated;
        self.terms.open = self.batch.amount();
        self.terms.live = u64::try_from(self.cache.live()).unwrap_or(u64::MAX);
    }

    /// Sends one record along all its routes.
    fn route(&mut self, verdict: &Verdict, record: &FlowRecord, detail: Option<&Detail>) {
        let amount = record.amount();
        self.terms.flows += amount;
        let Verdict::Routes(routes, count) = verdict else {
            self.terms.unclaimed += amount;
            return;
        };
        let mut routed = *record;
        for route in routes.iter().take(*count) {
            routed.key.route = route.0;
            self.terms.routed += amount;
            let mut outward = Outward::new(&mut self.batch, &self.sources);
            self.cache
                .insert(self.now_ms, &routed, detail, &mut outward);
        }
    }
}

impl Consumer<Plan> for Intake {
    fn is_listed(&self, exporter: IpAddr) -> bool {
        self.table.names(exporter)
    }

    fn sampling(&self, exporter: IpAddr) -> SamplingPolicy {
        self.sampling.of(exporter)
    }

    fn data(&mut self, scope: &Scope<'_>, known: &Known<Plan>, set: DataSet<'_>) {
        if known.template.kind == TemplateKind::Options {
            return;
        }
        if known.plan.is_undirected() {
            self.way.terms.undirected += u64::from(set.records);
            return;
        }
        let Self {
            table, nsel, way, ..
        } = self;
        let verdict = way
            .sources
            .verdict(scope.source, scope.exporter, scope.domain, table);
        for record in known.template.split(set.body) {
            let Ok(record) = record else { return };
            known.plan.decode(scope, record, &mut |flow, detail| {
                if flow.flags.contains(RecordFlags::NSEL) {
                    nsel.settle(flow, detail, &mut |flow, detail| {
                        way.route(&verdict, flow, detail);
                    });
                } else {
                    way.route(&verdict, flow, detail);
                }
            });
        }
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
    fn take(&mut self, record: &FlowRecord, detail: Option<&Detail>) {
        // An id is not given again while the cache may hold a flow of it.
        if let Some(source) = self.sources.get(record.key.source) {
            self.batch
                .push(record, detail, source.exporter, source.domain);
        }
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= BATCH_ROWS_MAX
    }
}
