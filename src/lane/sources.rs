//! Where the records of each exporter go, asked of the routing table once.

use std::net::IpAddr;
use std::sync::Arc;

use crate::flowlog::RouteId;
use crate::flowlog::RoutingTable;
use crate::flowlog::Sieve;
use crate::flowlog::Verdict as Claim;
use crate::session::SourceId;

/// What the routing table says of a source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Its records take all of these routes.
    Routes(Arc<[RouteId]>),
    /// Each of its records says which routes it takes.
    Sieve(Arc<Sieve>),
    /// No flow log claims it, and unclaimed exporters are ignored.
    Unclaimed,
    /// Its records are a second copy of what is here already.
    Looped,
}

impl Verdict {
    /// The route that all records take and that is the only one.
    pub(super) fn only_route(&self) -> Option<RouteId> {
        match self {
            Self::Routes(routes) => match **routes {
                [route] => Some(route),
                _ => None,
            },
            Self::Sieve(_) | Self::Unclaimed | Self::Looped => None,
        }
    }
}

/// One (exporter, Observation Domain) that has sent flows.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Exporter's address.
    pub exporter: IpAddr,
    /// Observation Domain.
    pub domain: u32,
    verdict: Verdict,
}

/// The sources of a lane by their id; as many as the lane's sessions give ids.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Option<Source>>);

impl Sources {
    /// What is known of a source.
    pub(super) fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get(usize::try_from(id.0).ok()?)?.as_ref()
    }

    /// Where the records of a source go; `None` if the id is new, or stood for
    /// another exporter or domain.
    pub(super) fn verdict(&self, id: SourceId, source: (IpAddr, u32)) -> Option<Verdict> {
        let known = self.get(id)?;
        ((known.exporter, known.domain) == source).then(|| known.verdict.clone())
    }

    /// Asks the routing table about a source, and remembers what it says.
    pub(super) fn meet(
        &mut self,
        id: SourceId,
        (exporter, domain): (IpAddr, u32),
        table: &RoutingTable,
    ) -> Verdict {
        let verdict = ask(table, exporter, domain);
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        if index >= self.0.len() && index < SOURCES_MAX {
            self.0.resize(index + 1, None);
        }
        if let Some(slot) = self.0.get_mut(index) {
            *slot = Some(Source {
                exporter,
                domain,
                verdict: verdict.clone(),
            });
        }
        verdict
    }

    /// Asks a new routing table about every source.
    pub(super) fn ask_again(&mut self, table: &RoutingTable) {
        for source in self.0.iter_mut().flatten() {
            source.verdict = ask(table, source.exporter, source.domain);
        }
    }
}

fn ask(table: &RoutingTable, exporter: IpAddr, domain: u32) -> Verdict {
    match table.verdict(exporter, domain) {
        Claim::Routes(routes) => Verdict::Routes(routes.into()),
        Claim::Sieve(sieve) => Verdict::Sieve(Arc::new(sieve)),
        Claim::Unclaimed => Verdict::Unclaimed,
    }
}

/// Ids are dense and bounded by the sessions' own limits; this only keeps a
/// wrong id from growing the table without end.
const SOURCES_MAX: usize = 1 << 24;
