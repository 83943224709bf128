//! The routing table: which routes the records of an exporter take.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Definition;
use super::Device;
use super::FlowLog;
use super::Prefix;
use super::Problem;
use super::Route;
use super::RouteId;
use super::Unclaimed;
use super::change::Routes;
use super::check::check;
use super::claims::Claims;
use super::sieve::Gate;
use super::sieve::Sieve;

/// What a [`Definition`] compiles to. The empty one claims nobody.
#[derive(Clone, Debug, Default)]
pub struct RoutingTable {
    /// Exporters that devices claim.
    devices: Claims<Arc<Claim>>,
    /// Exporters of whose interfaces some are attached to a network.
    attachments: Claims<Branch>,
    /// What becomes of records that nobody claims; one route at most.
    default: Claim,
    allow: Vec<Prefix>,
    mediators: Vec<Prefix>,
    routes: Routes,
}

/// Where the records of an exporter go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict<'a> {
    /// Along these routes, 1 to [`super::ROUTES_MAX`].
    Routes(&'a [RouteId]),
    /// Where each says.
    Sieve(Sieve),
    /// Nowhere: it belongs to no flow log.
    Unclaimed,
}

/// The routes of what is claimed alike.
#[derive(Clone, Debug, Default)]
struct Claim {
    gates: Vec<Gate>,
    /// Those of `gates`.
    routes: Vec<RouteId>,
}

impl Claim {
    fn new(gates: Vec<Gate>) -> Self {
        let routes = gates.iter().map(|gate| gate.route).collect();
        Self { gates, routes }
    }
}

/// What is attached to an exporter.
#[derive(Clone, Debug, Default)]
struct Branch {
    /// As a whole.
    every: Vec<Gate>,
    /// To its interfaces, by ifIndex, sorted.
    interfaces: Arc<[(u32, Gate)]>,
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

    /// Where the records of one exporter's domain go.
    ///
    /// The longest prefix decides, and of equally long ones the one that
    /// names the domain; among devices, and for itself among attachments. The
    /// allow-list does not: it is about senders, and the records of an exporter
    /// may come by way of another.
    pub fn verdict(&self, exporter: IpAddr, domain: u32) -> Verdict<'_> {
        let exporter = exporter.to_canonical();
        let device = self.devices.find(exporter, domain);
        if let Some(branch) = self.attachments.find(exporter, domain) {
            let of_device = device.into_iter().flat_map(|claim| &claim.gates);
            let every = of_device.chain(&branch.every).copied().collect();
            let default = self.default.gates.first().copied();
            let otherwise = default.filter(|_| device.is_none());
            return Verdict::Sieve(Sieve::new(every, &branch.interfaces, otherwise));
        }
        let Claim { gates, routes } = device.map_or(&self.default, Arc::as_ref);
        if routes.is_empty() {
            Verdict::Unclaimed
        } else if gates.iter().all(Gate::is_open) {
            Verdict::Routes(routes)
        } else {
            Verdict::Sieve(Sieve::new(gates.clone(), &Arc::default(), None))
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

    /// Whether the operator names an exporter, as a device's, as an attached
    /// one, as a mediator or in the allow-list; such a one needs no probation.
    pub fn names(&self, exporter: IpAddr) -> bool {
        let listed = !self.allow.is_empty() && self.allows(exporter);
        let address = exporter.to_canonical();
        listed
            || self.mediates(exporter)
            || self.devices.names(address)
            || self.attachments.names(address)
    }

    /// Hands the ids, in the order of [`wanted`], to those who asked for them.
    fn assemble(definition: &Definition, routes: Routes, ids: Vec<RouteId>) -> Self {
        let mut ids = ids.into_iter();
        let mut gates = |count: usize| -> Vec<Gate> {
            let routes = ids.by_ref().take(count).filter_map(|id| routes.get(id));
            routes
                .map(|route| Gate::new(route.id, &route.flow_log))
                .collect()
        };
        let default = match definition.unclaimed {
            Unclaimed::Ignore => Claim::default(),
            Unclaimed::Take(_) => Claim::new(gates(1)),
        };
        let mut claims = Vec::new();
        for device in &definition.devices {
            let claim = Arc::new(Claim::new(gates(names(definition, device).count())));
            let exporters = device.exporters.iter();
            claims.extend(exporters.map(|&exporter| (exporter, Arc::clone(&claim))));
        }
        let mut attached = BTreeMap::new();
        for attachment in &definition.attachments {
            let gates = gates(attachment.flow_logs.len());
            for exporter in &attachment.exporters {
                let branch: &mut Attached = attached.entry(*exporter).or_default();
                branch.add(&attachment.interfaces, &gates);
            }
        }
        let branches = attached.into_iter();
        let branches = branches.map(|(exporter, attached)| (exporter, attached.sorted()));
        Self {
            devices: Claims::new(claims),
            attachments: Claims::new(branches.collect()),
            default,
            allow: definition.allow.clone(),
            mediators: definition.mediators.clone(),
            routes,
        }
    }
}

/// What is attached to an exporter, while it is put together.
#[derive(Default)]
struct Attached {
    every: Vec<Gate>,
    interfaces: Vec<(u32, Gate)>,
}

impl Attached {
    fn add(&mut self, interfaces: &[u32], gates: &[Gate]) {
        if interfaces.is_empty() {
            self.every.extend(gates);
        }
        for interface in interfaces {
            let gates = gates.iter().map(|gate| (*interface, *gate));
            self.interfaces.extend(gates);
        }
    }

    fn sorted(mut self) -> Branch {
        self.interfaces
            .sort_by_key(|(interface, gate)| (*interface, gate.route));
        Branch {
            every: self.every,
            interfaces: self.interfaces.into(),
        }
    }
}

/// The routes a sound definition asks for: the default one, those of each
/// device, then those of each attachment.
fn wanted(definition: &Definition) -> Vec<Route> {
    let logs: BTreeMap<&str, Arc<FlowLog>> = definition
        .flow_logs
        .iter()
        .map(|log| (&*log.name, Arc::new(log.clone())))
        .collect();
    let route = |name: &str, [instance_id, snid, ali_uid]: [Option<&str>; 3]| {
        let log = logs.get(name)?;
        Some(Route {
            id: RouteId::default(),
            generation: 0,
            flow_log: Arc::clone(log),
            instance_id: instance_id.map(Arc::from),
            snid: snid.map(Arc::from),
            ali_uid: ali_uid.map(Arc::from),
        })
    };
    let default = match &definition.unclaimed {
        Unclaimed::Ignore => None,
        Unclaimed::Take(name) => route(name, [None; 3]),
    };
    let mut wanted = Vec::from_iter(default);
    for device in &definition.devices {
        let id = Some(device.instance_id.as_str());
        let ids = [id, device.snid.as_deref(), device.ali_uid.as_deref()];
        wanted.extend(names(definition, device).filter_map(|name| route(name, ids)));
    }
    for attachment in &definition.attachments {
        let ids = [
            Some(attachment.id.as_str()),
            None,
            attachment.account.as_deref(),
        ];
        let names = attachment.flow_logs.iter();
        wanted.extend(names.filter_map(|name| route(name, ids)));
    }
    wanted
}

/// The flow logs of a device: its own, or the default one when it is bound to none.
fn names<'a>(definition: &'a Definition, device: &'a Device) -> impl Iterator<Item = &'a str> {
    let default = match &definition.unclaimed {
        Unclaimed::Take(name) if device.flow_logs.is_empty() => Some(&**name),
        Unclaimed::Take(_) | Unclaimed::Ignore => None,
    };
    device.flow_logs.iter().map(|name| &**name).chain(default)
}
