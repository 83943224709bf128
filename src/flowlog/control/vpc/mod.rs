//! The family of Tencent Cloud's private networks: flow logs of what is
//! attached to them (control-plane.md §3, §4, §8).
//!
//! Both versions of the API keep theirs here: what one makes, the other shows.

mod attributes;
mod describe;
mod operators;
mod refused;
mod tags;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::Ids;
use super::Inventory;
use super::id::Format;
use crate::flowlog::Attachment;
use crate::flowlog::Vpc;

pub use attributes::{Attributes, Given, Resource, ResourceKind, traffic_word};
pub use describe::{Asked, Described};
pub use refused::{BadTags, Param, Refused};
pub use tags::Tag;

pub(super) use operators::configured;

use attributes::some;

/// A flow log made by the API.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FlowLog {
    /// `fl-` and 8 letters or digits.
    pub id: String,
    /// Account that made it; empty where keys have none.
    pub account: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// Whether flows are logged.
    pub is_enabled: bool,
    /// What it does.
    pub attributes: Attributes,
}

impl FlowLog {
    /// Whether what is attached is logged: it is the resource, or is in it, and
    /// is not another account's. Of a whole network those are its network
    /// interfaces, of a subnet all in it.
    pub fn covers(&self, attachment: &Attachment) -> bool {
        let scope = Scope {
            account: &self.account,
        };
        scope.has_resource_of(attachment.account.as_deref())
            && self.attributes.resource.covers(attachment)
    }
}

/// All flow logs of the family.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// By id.
    flow_logs: BTreeMap<String, FlowLog>,
}

/// Whose flow logs a call is about: they are of one account, in every region.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Account of the caller; without one it has resources of every account.
    pub account: &'a str,
}

/// What a call may do beside its own rules.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// What there is to be logged.
    pub inventory: &'a Inventory,
    /// Flow logs of an account, at most.
    pub quota: usize,
    /// Flow logs of one resource, at most.
    pub per_resource: usize,
}

impl Scope<'_> {
    fn has(&self, log: &FlowLog) -> bool {
        log.account == self.account
    }

    /// Whether it shows one of the configuration: it has what that is bound to.
    fn sees(&self, log: &FlowLog) -> bool {
        let owner = Some(log.account.as_str()).filter(|owner| !owner.is_empty());
        self.has_resource_of(owner)
    }

    /// Whether a flow log may be changed.
    ///
    /// One of the configuration may not be. No action has an error of its own
    /// for that; of those that all have, this says that it is not to be tried
    /// again (control-plane.md §3).
    fn check_change(&self, id: &str, inventory: &Inventory) -> Result<(), Refused> {
        let operators = &inventory.operators.vpc;
        if operators.keeps(id, |log| self.sees(log)) {
            return Err(Refused::Configured(id.to_owned()));
        }
        Ok(())
    }

    fn has_resource_of(&self, account: Option<&str>) -> bool {
        self.account.is_empty() || account.is_none_or(|account| account == self.account)
    }

    /// The network with this id, or with this one from API 2.0.
    fn vpc<'a>(&self, id: &str, inventory: &'a Inventory) -> Option<&'a Vpc> {
        let is_it = |vpc: &&Vpc| vpc.legacy_id.as_deref() == Some(id);
        let found = inventory.vpcs.get(id);
        let found = found.or_else(|| inventory.vpcs.values().find(is_it));
        found.filter(|vpc| self.has_resource_of(vpc.account.as_deref()))
    }
}

impl Store {
    /// Makes a flow log, enabled from the start.
    ///
    /// # Errors
    /// A value is missing or none, the resource is not there, the name is in
    /// use, or resource or account have enough.
    pub fn create(
        &mut self,
        scope: &Scope<'_>,
        given: &Given<'_>,
        policy: &Policy<'_>,
        now_ms: u64,
        ids: &mut Ids<'_>,
    ) -> Result<&FlowLog, Refused> {
        let mut attributes = Attributes::new(given)?;
        look_up(&mut attributes, scope, policy.inventory)?;
        self.check_name(scope, &attributes.name, None)?;
        let all = self.flow_logs.values();
        let of_resource = all.filter(|log| log.attributes.resource == attributes.resource);
        if of_resource.count() >= policy.per_resource {
            return Err(Refused::PerResource);
        }
        if self.of_scope(scope).count() >= policy.quota {
            return Err(Refused::Quota);
        }
        let operators = &policy.inventory.operators.vpc;
        let is_taken = |id: &str| self.flow_logs.contains_key(id) || operators.has(id);
        let id = ids.fresh(ID, is_taken);
        let log = FlowLog {
            id: id.clone(),
            account: scope.account.to_owned(),
            created_ms: now_ms,
            is_enabled: true,
            attributes,
        };
        Ok(self.flow_logs.entry(id).or_insert(log))
    }

    /// Changes name, description and period of a flow log, as far as they are
    /// given.
    ///
    /// # Errors
    /// There is none, it is the configuration's, a value is none, or the name
    /// is another's.
    pub fn modify(
        &mut self,
        scope: &Scope<'_>,
        id: &str,
        given: &Given<'_>,
        inventory: &Inventory,
    ) -> Result<(), Refused> {
        scope.check_change(id, inventory)?;
        let known = self.flow_logs.get(id).filter(|log| scope.has(log));
        let has_no_vpc = known.is_some_and(|log| log.attributes.vpc.is_none());
        if has_no_vpc && some(given.vpc_id).is_some() {
            return Err(Refused::NoVpcNeeded);
        }
        let mut changed = self.find(scope, given.vpc_id, id, inventory)?.clone();
        let attributes = &mut changed.attributes;
        attributes.take_changes(given.name, given.description, given.period)?;
        self.check_name(scope, &attributes.name, Some(id))?;
        self.flow_logs.insert(id.to_owned(), changed);
        Ok(())
    }

    /// Removes a flow log, whatever its state.
    ///
    /// # Errors
    /// There is none, or it is the configuration's.
    pub fn delete(
        &mut self,
        scope: &Scope<'_>,
        vpc: Option<&str>,
        id: &str,
        inventory: &Inventory,
    ) -> Result<(), Refused> {
        scope.check_change(id, inventory)?;
        self.find(scope, vpc, id, inventory)?;
        self.flow_logs.remove(id);
        Ok(())
    }

    /// Starts or stops flow logs, all or none of them; again is no error.
    /// Returns whether that changed anything.
    ///
    /// # Errors
    /// There are too many, or one is not there or the configuration's.
    pub fn enable(
        &mut self,
        scope: &Scope<'_>,
        ids: &[&str],
        is_enabled: bool,
        inventory: &Inventory,
    ) -> Result<bool, Refused> {
        if ids.len() > IDS_MAX {
            return Err(Refused::TooMany);
        }
        for id in ids {
            scope.check_change(id, inventory)?;
            self.of_id(scope, id)?;
        }
        let mut has_changed = false;
        for id in ids {
            if let Some(log) = self.flow_logs.get_mut(*id) {
                has_changed |= log.is_enabled != is_enabled;
                log.is_enabled = is_enabled;
            }
        }
        Ok(has_changed)
    }

    /// Removes flow logs of network interfaces that are there no more, as the
    /// vendor does. Returns their ids.
    pub fn forget(&mut self, inventory: &Inventory) -> Vec<String> {
        let is_lost = |log: &FlowLog| {
            let resource = &log.attributes.resource;
            resource.kind == ResourceKind::NetworkInterface
                && !inventory.attachments.contains_key(&resource.id)
        };
        let lost = self.flow_logs.extract_if(.., |_, log| is_lost(log));
        lost.map(|(id, _)| id).collect()
    }

    /// A flow log of a network, or of none.
    ///
    /// # Errors
    /// There is no such network, or no such flow log of it; or it is not said
    /// of which network.
    pub fn find<'a>(
        &'a self,
        scope: &Scope<'_>,
        vpc: Option<&str>,
        id: &str,
        inventory: &'a Inventory,
    ) -> Result<&'a FlowLog, Refused> {
        let vpc = self.vpc_id(scope, vpc, inventory)?;
        let configured = inventory.operators.vpc.get(id);
        let log = match configured.filter(|log| scope.sees(log)) {
            Some(log) => log,
            None => self.of_id(scope, id)?,
        };
        match (&log.attributes.vpc, vpc) {
            (Some(_), None) => Err(Refused::Missing(Param::VpcId)),
            (own, asked) if *own == asked => Ok(log),
            (_, _) => Err(Refused::NoFlowLog(id.to_owned())),
        }
    }

    /// All flow logs, in the order of their ids.
    pub fn flow_logs(&self) -> impl Iterator<Item = &FlowLog> {
        self.flow_logs.values()
    }

    /// The id that a network has, if one is named: a known one, or one that the
    /// inventory lost while it had flow logs.
    fn vpc_id(
        &self,
        scope: &Scope<'_>,
        asked: Option<&str>,
        inventory: &Inventory,
    ) -> Result<Option<String>, Refused> {
        let Some(asked) = some(asked) else {
            return Ok(None);
        };
        if let Some(vpc) = scope.vpc(asked, inventory) {
            return Ok(Some(vpc.id.clone()));
        }
        let has_it = |log: &FlowLog| log.attributes.vpc.as_deref() == Some(asked);
        let is_known = self.of_scope(scope).any(has_it);
        is_known
            .then(|| Some(asked.to_owned()))
            .ok_or(Refused::NoVpc)
    }

    /// Whether a flow log may be called so.
    fn check_name(&self, scope: &Scope<'_>, name: &str, own: Option<&str>) -> Result<(), Refused> {
        let mut others = self.of_scope(scope).filter(|log| Some(&*log.id) != own);
        let is_taken = others.any(|log| log.attributes.name == name);
        (!is_taken).then_some(()).ok_or(Refused::NameTaken)
    }

    fn of_scope<'a>(&'a self, scope: &'a Scope<'_>) -> impl Iterator<Item = &'a FlowLog> {
        self.flow_logs.values().filter(|log| scope.has(log))
    }

    fn of_id(&self, scope: &Scope<'_>, id: &str) -> Result<&FlowLog, Refused> {
        let log = self.flow_logs.get(id).filter(|log| scope.has(log));
        log.ok_or_else(|| Refused::NoFlowLog(id.to_owned()))
    }
}

/// Finds network and resource of a flow log, and writes them as they are.
fn look_up(
    attributes: &mut Attributes,
    scope: &Scope<'_>,
    inventory: &Inventory,
) -> Result<(), Refused> {
    let vpc = match &attributes.vpc {
        None => None,
        Some(asked) => Some(scope.vpc(asked, inventory).ok_or(Refused::NoVpc)?),
    };
    attributes.vpc = vpc.map(|vpc| vpc.id.clone());
    let resource = &mut attributes.resource;
    if let Some(kind) = resource.kind.attachment() {
        let known = inventory.attachments.get(&resource.id).filter(|known| {
            known.kind == kind
                && known.network == attributes.vpc
                && scope.has_resource_of(known.account.as_deref())
        });
        return known.map(|_| ()).ok_or(Refused::NoAttachment(kind));
    }
    let vpc = vpc.ok_or(Refused::NoVpc)?;
    if resource.kind == ResourceKind::Subnet {
        let is_known = vpc.subnets.contains(&resource.id);
        return is_known.then_some(()).ok_or(Refused::NoSubnet);
    }
    let named = scope.vpc(&resource.id, inventory);
    if named.is_none_or(|named| named.id != vpc.id) {
        return Err(Refused::NoVpc);
    }
    resource.id.clone_from(&vpc.id);
    Ok(())
}

/// Ids (control-plane.md §10).
const ID: Format = Format {
    prefix: "fl-",
    length: 8,
};

/// Flow logs that one call may start or stop.
const IDS_MAX: usize = 100;

#[cfg(test)]
mod tests;
