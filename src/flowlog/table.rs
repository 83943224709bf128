//! The routing table: which routes the records of an exporter take.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Definition;
use super::Device;
use super::ExporterMatch;
use super::FlowLog;
use super::Prefix;
use super::Problem;
use super::Route;
use super::RouteId;
use super::Unclaimed;
use super::change::Routes;
use super::check::check;

/// What a [`Definition`] compiles to. The empty one claims nobody.
#[derive(Clone, Debug, Default)]
pub struct RoutingTable {
    /// Exporters that devices claim, sorted.
    claims: Vec<Claim>,
    /// Prefix lengths in `claims` by family, longest first.
    v4_lengths: Vec<u8>,
    v6_lengths: Vec<u8>,
    /// The route of exporters that no device claims; at most one.
    default: Option<RouteId>,
    allow: Vec<Prefix>,
    mediators: Vec<Prefix>,
    routes: Routes,
}

/// Where the records of an exporter go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict<'a> {
    /// Along these routes, 1 to [`super::ROUTES_MAX`].
    Routes(&'a [RouteId]),
    /// Nowhere: it belongs to no flow log.
    Unclaimed,
}

#[derive(Clone, Debug)]
struct Claim {
    exporter: ExporterMatch,
    routes: Arc<[RouteId]>,
}

impl RoutingTable {
    /// Compiles a definition to the table that follows `previous`.
    ///
    /// A route whose rows would be the same keeps its id, also when only its
    /// timers, its cache or its description changed. A changed one gets a new
    /// id and the next generation. The ids of the last 16 000 retired routes
    /// still resolve, so that their rows find their way out.
    ///
    /// # Errors
    /// Every problem of the definition; then `previous` should stay in force.
    pub fn compile(definition: &Definition, previous: Option<&Self>) -> Result<Self, Vec<Problem>> {
        let problems = check(definition);
        if !problems.is_empty() {
            return Err(problems);
        }
        let empty = Routes::default();
        let wanted = wanted(definition);
        let (routes, ids) = previous
            .map_or(&empty, |table| &table.routes)
            .successor(wanted);
        Ok(Self::assemble(definition, routes, ids))
    }

    /// Where the records of one exporter's domain go; allocates nothing.
    ///
    /// The longest prefix decides, and of equally long ones the one that
    /// names the domain. The allow-list does not: it is about senders, and
    /// the records of an exporter may come by way of another.
    pub fn verdict(&self, exporter: IpAddr, domain: u32) -> Verdict<'_> {
        match self.claim(exporter.to_canonical(), domain) {
            Some(claim) if !claim.routes.is_empty() => Verdict::Routes(&claim.routes),
            Some(_) => Verdict::Unclaimed,
            None if self.default.is_some() => Verdict::Routes(self.default.as_slice()),
            None => Verdict::Unclaimed,
        }
    }

    /// Whether a sender is heard at all (P-800); asked before any state is made.
    pub fn allows(&self, exporter: IpAddr) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|block| block.contains(exporter))
    }

    /// Whether the records of a sender may belong to another exporter that
    /// they name (P-223).
    pub fn mediates(&self, sender: IpAddr) -> bool {
        self.mediators.iter().any(|block| block.contains(sender))
    }

    /// Whether any sender's may.
    pub fn has_mediators(&self) -> bool {
        !self.mediators.is_empty()
    }

    /// The route of an id, live or among the last retired.
    pub fn route(&self, id: RouteId) -> Option<&Route> {
        self.routes.get(id)
    }

    /// Whether new records may take a route; others are on their way out.
    pub fn is_live(&self, id: RouteId) -> bool {
        self.routes.is_live(id)
    }

    /// The routes in use, in the order of their ids.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.live()
    }

    /// Whether the operator names an exporter, as a device's, as a mediator or
    /// in the allow-list; such a one needs no probation.
    pub fn names(&self, exporter: IpAddr) -> bool {
        let listed = !self.allow.is_empty() && self.allows(exporter);
        let address = exporter.to_canonical();
        listed
            || self.mediates(exporter)
            || self.lengths(address).iter().any(|&length| {
                let prefix = Prefix::around(address, length);
                let at = self
                    .claims
                    .partition_point(|claim| claim.exporter.prefix < prefix);
                let found = self.claims.get(at);
                found.is_some_and(|claim| claim.exporter.prefix == prefix)
            })
    }

    /// Lengths of claimed prefixes of an address's family, longest first.
    fn lengths(&self, address: IpAddr) -> &[u8] {
        match address {
            IpAddr::V4(_) => &self.v4_lengths,
            IpAddr::V6(_) => &self.v6_lengths,
        }
    }

    fn claim(&self, address: IpAddr, domain: u32) -> Option<&Claim> {
        self.lengths(address).iter().find_map(|&length| {
            let prefix = Prefix::around(address, length);
            let exactly = |domain| {
                let wanted = ExporterMatch { prefix, domain };
                let found = self
                    .claims
                    .binary_search_by(|claim| claim.exporter.cmp(&wanted));
                self.claims.get(found.ok()?)
            };
            exactly(Some(domain)).or_else(|| exactly(None))
        })
    }

    /// Hands the ids, in the order of [`wanted`], to those who asked for them.
    fn assemble(definition: &Definition, routes: Routes, ids: Vec<RouteId>) -> Self {
        let mut ids = ids.into_iter();
        let default = match definition.unclaimed {
            Unclaimed::Ignore => None,
            Unclaimed::Take(_) => ids.next(),
        };
        let mut claims = Vec::new();
        for device in &definition.devices {
            let count = names(definition, device).count();
            let routes: Arc<[RouteId]> = ids.by_ref().take(count).collect();
            claims.extend(device.exporters.iter().map(|&exporter| Claim {
                exporter,
                routes: Arc::clone(&routes),
            }));
        }
        claims.sort_by_key(|claim| claim.exporter);
        let (v4_lengths, v6_lengths) = lengths(&claims);
        Self {
            claims,
            v4_lengths,
            v6_lengths,
            default,
            allow: definition.allow.clone(),
            mediators: definition.mediators.clone(),
            routes,
        }
    }
}

/// The routes a sound definition asks for: the default one, then those of each device.
fn wanted(definition: &Definition) -> Vec<Route> {
    let logs: BTreeMap<&str, Arc<FlowLog>> = definition
        .flow_logs
        .iter()
        .map(|log| (&*log.name, Arc::new(log.clone())))
        .collect();
    let route = |log: &Arc<FlowLog>, device: Option<&Device>| {
        let id = |of: fn(&Device) -> Option<&str>| device.and_then(of).map(Arc::from);
        Route {
            id: RouteId::default(),
            generation: 0,
            flow_log: Arc::clone(log),
            instance_id: id(|device| Some(&device.instance_id)),
            snid: id(|device| device.snid.as_deref()),
            ali_uid: id(|device| device.ali_uid.as_deref()),
        }
    };
    let default = match &definition.unclaimed {
        Unclaimed::Ignore => None,
        Unclaimed::Take(name) => logs.get(&**name).map(|log| route(log, None)),
    };
    let claimed = definition.devices.iter().flat_map(|device| {
        names(definition, device)
            .filter_map(|name| logs.get(name))
            .map(|log| route(log, Some(device)))
            .collect::<Vec<_>>()
    });
    default.into_iter().chain(claimed).collect()
}

/// The flow logs of a device: its own, or the default one when it is bound to none.
fn names<'a>(definition: &'a Definition, device: &'a Device) -> impl Iterator<Item = &'a str> {
    let default = match &definition.unclaimed {
        Unclaimed::Take(name) if device.flow_logs.is_empty() => Some(&**name),
        Unclaimed::Take(_) | Unclaimed::Ignore => None,
    };
    device.flow_logs.iter().map(|name| &**name).chain(default)
}

/// The prefix lengths of each family, longest first.
fn lengths(claims: &[Claim]) -> (Vec<u8>, Vec<u8>) {
    let of = |is_v4: bool| {
        let family = claims.iter().map(|claim| claim.exporter.prefix);
        let family = family.filter(|prefix| prefix.network().is_ipv4() == is_v4);
        let mut lengths: Vec<u8> = family.map(|prefix| prefix.length()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        lengths
    };
    (of(true), of(false))
}
