//! Decoded Data Sets, on their way to where their exporter's records go.

use std::net::IpAddr;
use std::sync::Arc;

use super::sampling::SamplingPolicies;
use super::sources::Verdict;
use super::vicinity::Vicinity;
use super::way::Way;
use crate::flow::Amount;
use crate::flow::FlowRecord;
use crate::flow::Nsel;
use crate::flow::Plan;
use crate::flow::RecordFlags;
use crate::flowlog::RouteId;
use crate::flowlog::RoutingTable;
use crate::session::Belief;
use crate::session::Consumer;
use crate::session::DataSet;
use crate::session::Known;
use crate::session::Origin;
use crate::session::SamplingPolicy;
use crate::session::Scope;
use crate::session::SourceId;

/// Takes decoded Data Sets, and sends their records on their way.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) table: Arc<RoutingTable>,
    pub(super) sampling: SamplingPolicies,
    pub(super) nsel: Nsel,
    pub(super) vicinity: Arc<Vicinity>,
    pub(super) way: Way,
}

impl Consumer<Plan> for Intake {
    fn is_listed(&self, exporter: IpAddr) -> bool {
        self.table.names(exporter)
    }

    fn sampling(&self, exporter: IpAddr) -> SamplingPolicy {
        self.sampling.of(exporter)
    }

    fn active_timer(&mut self, source: SourceId, active_ms: u64) {
        self.way.cache.learned(source, active_ms);
    }

    fn belief(&mut self, sender: IpAddr, origin: Origin) -> Belief {
        let (vicinity, exporter) = (&self.vicinity, origin.exporter);
        // A process of this host that names the host as exporter is one.
        let speaks_of_itself = !origin.is_original && vicinity.is_own(sender);
        if vicinity.is_own(exporter) && !speaks_of_itself {
            Belief::Copy
        } else if !self.table.mediates(sender) {
            Belief::Sender
        } else if exporter != sender && vicinity.hears(exporter) {
            Belief::Copy
        } else {
            Belief::Origin
        }
    }

    fn data(&mut self, scope: &Scope<'_>, known: &Known<Plan>, set: DataSet<'_>) {
        // Before what is learned of the source from options.
        let verdict = self.way.verdict(scope, &self.table);
        self.take(&verdict, scope, known, set);
    }

    fn copy(&mut self, scope: &Scope<'_>, known: &Known<Plan>, set: DataSet<'_>) {
        self.take(&Verdict::Looped, scope, known, set);
    }
}

impl Intake {
    /// Decodes the records of a Data Set and sends them where they belong.
    fn take(
        &mut self,
        verdict: &Verdict,
        scope: &Scope<'_>,
        known: &Known<Plan>,
        set: DataSet<'_>,
    ) {
        let Self { nsel, way, .. } = self;
        if known.plan.is_heard() {
            return;
        }
        if known.plan.is_undirected() {
            way.terms.undirected += u64::from(set.records);
            return;
        }
        way.terms.read_in_part(known.plan.faults(), set.records);
        let (template, plan) = (&known.template, &known.plan);
        let bare = |route: RouteId| plan.bare(template, scope, set.body, route.0);
        if let Some(records) = verdict.only_route().and_then(bare) {
            let sum = way.take(records);
            return way.book(verdict, sum);
        }
        let mut sum = Amount::default();
        let mut take = |flow: &FlowRecord, detail: Option<&_>| {
            sum += flow.amount();
            way.route(verdict, flow, detail);
        };
        plan.decode_all(template, scope, set.body, &mut |flow, detail| {
            if flow.flags.contains(RecordFlags::NSEL) {
                nsel.settle(flow, detail, &mut take);
            } else {
                take(flow, detail);
            }
        });
        way.book(verdict, sum);
    }
}
