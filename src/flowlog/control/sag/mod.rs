//! The Smart Access Gateway family: flow logs that gateways are bound to
//! (control-plane.md §1, §8).

mod attributes;
mod describe;
mod operators;
mod refused;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;
use serde::Serialize;

use super::Gateway;
use super::Ids;
use super::Inventory;
use super::id::Format;
use super::text::is_region;
use crate::flowlog::Prefix;
use crate::flowlog::Refusal;
use crate::flowlog::refusal;

pub use attributes::{Attributes, Given, output_word};
pub use describe::{Filter, Page, Paged};
pub use operators::Operators;
pub use refused::{Param, Refused};

/// A flow log made by the API.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FlowLog {
    /// `fl-` and 18 letters or digits.
    pub id: String,
    /// Account that made it; empty where keys have none.
    pub account: String,
    /// Region it was made in.
    pub region: String,
    /// Resource group that answers show.
    pub resource_group: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// Whether its gateways' flows are logged.
    pub is_active: bool,
    /// What it does.
    pub attributes: Attributes,
}

/// All flow logs of the family, and which gateways are bound to them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Store {
    /// By id.
    flow_logs: BTreeMap<String, FlowLog>,
    /// Flow log ids by gateway: a gateway has one at most.
    bindings: BTreeMap<String, String>,
}

/// Whose flow logs a call is about: they are of one account and region.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Account of the caller; without one it has gateways of every account.
    pub account: &'a str,
    /// Region that the call names.
    pub region: &'a str,
}

/// What a call may do beside its own rules.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// What there is to be bound.
    pub inventory: &'a Inventory,
    /// Flow logs of an account in a region, at most.
    pub quota: usize,
    /// Whether a flow log that is active may be made active again: Terraform
    /// does that on each creation.
    pub may_reactivate: bool,
    /// Where flows may be sent to; empty is everywhere.
    pub destinations: &'a [Prefix],
    /// Where this collector listens: a flow log that names it ends here, so
    /// that nothing is sent.
    pub own: &'a [SocketAddr],
}

impl Policy<'_> {
    /// Whether the collector that the output needs, if it does, is one.
    fn check(&self, attributes: &Attributes) -> Result<(), Refused> {
        let needed = attributes
            .server_ip
            .filter(|_| attributes.output.has_netflow());
        let Some(ip) = needed else { return Ok(()) };
        let server = SocketAddr::new(ip, attributes.server_port);
        let is_allowed = match refusal(server, self.own) {
            Some(Refusal::Own) => true,
            Some(_) => false,
            None => {
                let mut allowed = self.destinations.iter();
                self.destinations.is_empty() || allowed.any(|block| block.contains(ip))
            }
        };
        let illegal = Refused::Illegal(Param::NetflowServerIp);
        is_allowed.then_some(()).ok_or(illegal)
    }
}

impl<'a> Scope<'a> {
    /// The scope of a call.
    ///
    /// # Errors
    /// What stands for a region is none.
    pub fn new(account: &'a str, region: &'a str) -> Result<Self, Refused> {
        if !is_region(region) {
            return Err(Refused::Illegal(Param::RegionId));
        }
        Ok(Self { account, region })
    }

    fn has(&self, log: &FlowLog) -> bool {
        log.account == self.account && log.region == self.region
    }

    fn has_gateway(&self, gateway: &Gateway) -> bool {
        let is_or_any = |own: &Option<String>, asked| own.as_deref().is_none_or(|own| own == asked);
        let is_own = self.account.is_empty() || is_or_any(&gateway.account, self.account);
        is_own && is_or_any(&gateway.region, self.region)
    }
}

impl Store {
    /// Makes a flow log, active from the start.
    ///
    /// # Errors
    /// A value is missing or none, or the account has enough.
    pub fn create(
        &mut self,
        scope: &Scope<'_>,
        given: &Given<'_>,
        resource_group: &str,
        policy: &Policy<'_>,
        now_ms: u64,
        ids: &mut Ids<'_>,
    ) -> Result<&FlowLog, Refused> {
        let attributes = Attributes::new(given)?;
        policy.check(&attributes)?;
        if self.of_scope(scope).count() >= policy.quota {
            return Err(Refused::Quota);
        }
        let id = ids.fresh(ID, |id| self.flow_logs.contains_key(id));
        let log = FlowLog {
            id: id.clone(),
            account: scope.account.to_owned(),
            region: scope.region.to_owned(),
            resource_group: resource_group.to_owned(),
            created_ms: now_ms,
            is_active: true,
            attributes,
        };
        Ok(self.flow_logs.entry(id).or_insert(log))
    }

    /// Changes what is given of a flow log, whatever its state.
    ///
    /// # Errors
    /// There is none, or what comes of it is not one.
    pub fn modify(
        &mut self,
        scope: &Scope<'_>,
        id: &str,
        given: &Given<'_>,
        policy: &Policy<'_>,
    ) -> Result<(), Refused> {
        let log = self.of_id_mut(scope, id)?;
        let attributes = log.attributes.with(given)?;
        policy.check(&attributes)?;
        log.attributes = attributes;
        Ok(())
    }

    /// Removes a flow log that no gateway is bound to.
    ///
    /// # Errors
    /// There is none, or gateways are bound.
    pub fn delete(&mut self, scope: &Scope<'_>, id: &str) -> Result<(), Refused> {
        self.of_id(scope, id)?;
        if self.bound_to(id).next().is_some() {
            return Err(Refused::InUse);
        }
        self.flow_logs.remove(id);
        Ok(())
    }

    /// Starts a flow log: the flows of gateways still bound to it are logged.
    ///
    /// # Errors
    /// There is none, it is active and may not be made so again, or a gateway
    /// lacks flow logs by now.
    pub fn activate(
        &mut self,
        scope: &Scope<'_>,
        id: &str,
        policy: &Policy<'_>,
    ) -> Result<(), Refused> {
        if self.of_id(scope, id)?.is_active && !policy.may_reactivate {
            return Err(Refused::State);
        }
        let gateways = self.bound_to(id);
        gateways
            .filter_map(|gateway| policy.inventory.gateways.get(gateway))
            .try_for_each(check_edition)?;
        self.of_id_mut(scope, id)?.is_active = true;
        Ok(())
    }

    /// Stops a flow log; its gateways stay bound.
    ///
    /// # Errors
    /// There is none, or it is stopped.
    pub fn deactivate(&mut self, scope: &Scope<'_>, id: &str) -> Result<(), Refused> {
        let log = self.of_id_mut(scope, id)?;
        if !log.is_active {
            return Err(Refused::State);
        }
        log.is_active = false;
        Ok(())
    }

    /// Binds a gateway to a flow log; again is no error.
    ///
    /// # Errors
    /// There is no such flow log or gateway, the gateway has another flow log,
    /// or has none at all.
    pub fn associate(
        &mut self,
        scope: &Scope<'_>,
        id: &str,
        gateway: &str,
        policy: &Policy<'_>,
    ) -> Result<(), Refused> {
        self.of_id(scope, id)?;
        let known = policy.inventory.gateways.get(gateway);
        let known = known.filter(|known| scope.has_gateway(known));
        let known = known.ok_or(Refused::NoGateway)?;
        match self.bindings.get(gateway) {
            Some(bound) if bound == id => return Ok(()),
            Some(_) => return Err(Refused::BoundElsewhere),
            None if policy.inventory.operators.sag.binds(gateway) => {
                return Err(Refused::BoundElsewhere);
            }
            None if !known.has_flow_logs => return Err(Refused::Unsupported),
            None => check_edition(known)?,
        }
        self.bindings.insert(gateway.to_owned(), id.to_owned());
        Ok(())
    }

    /// Takes a gateway off a flow log, also one that the inventory lost.
    ///
    /// # Errors
    /// There is no such flow log, or the gateway is not bound to it.
    pub fn disassociate(
        &mut self,
        scope: &Scope<'_>,
        id: &str,
        gateway: &str,
    ) -> Result<(), Refused> {
        self.of_id(scope, id)?;
        if self.bindings.get(gateway).is_none_or(|bound| bound != id) {
            return Err(Refused::NoGateway);
        }
        self.bindings.remove(gateway);
        Ok(())
    }

    /// All flow logs, in the order of their ids.
    pub fn flow_logs(&self) -> impl Iterator<Item = &FlowLog> {
        self.flow_logs.values()
    }

    /// All bindings: gateway, and id of its flow log.
    pub fn bindings(&self) -> impl Iterator<Item = (&str, &str)> {
        let bindings = self.bindings.iter();
        bindings.map(|(gateway, id)| (gateway.as_str(), id.as_str()))
    }

    /// Bindings to flow logs that are active.
    pub(super) fn active_bindings(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_active = |id: &str| self.flow_logs.get(id).is_some_and(|log| log.is_active);
        self.bindings().filter(move |(_, id)| is_active(id))
    }

    /// Gateways bound to a flow log, in the order of their ids.
    pub fn bound_to<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        let bound = self.bindings().filter(move |(_, bound)| *bound == id);
        bound.map(|(gateway, _)| gateway)
    }

    fn of_scope<'a>(&'a self, scope: &'a Scope<'_>) -> impl Iterator<Item = &'a FlowLog> {
        self.flow_logs.values().filter(|log| scope.has(log))
    }

    fn of_id(&self, scope: &Scope<'_>, id: &str) -> Result<&FlowLog, Refused> {
        let log = self.flow_logs.get(id);
        log.filter(|log| scope.has(log)).ok_or(Refused::NoFlowLog)
    }

    fn of_id_mut(&mut self, scope: &Scope<'_>, id: &str) -> Result<&mut FlowLog, Refused> {
        let log = self.flow_logs.get_mut(id);
        log.filter(|log| scope.has(log)).ok_or(Refused::NoFlowLog)
    }
}

/// Whether all devices of a gateway have flow logs.
fn check_edition(gateway: &Gateway) -> Result<(), Refused> {
    let first = gateway.lacking.iter().min();
    first.map_or(Ok(()), |role| Err(Refused::Lacking(*role)))
}

/// Ids (control-plane.md §10).
const ID: Format = Format {
    prefix: "fl-",
    length: 18,
};

#[cfg(test)]
mod tests;
