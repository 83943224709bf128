//! The Express Connect Router family: flow logs of virtual border routers
//! (control-plane.md §2, §8).

mod attributes;
mod describe;
mod operators;
mod refused;
mod tokens;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::Ids;
use super::Inventory;
use super::id::Format;
use super::text::is_region;
use crate::flowlog::Attachment;
use crate::flowlog::AttachmentKind;
use crate::flowlog::ROUTES_MAX;
use crate::flowlog::Router;
use crate::flowlog::RouterStatus;
use tokens::Tokens;

pub use attributes::{Attributes, Given, INSTANCE_TYPE, Wanted};
pub use describe::{Filter, Page, Paged};
pub use refused::{Param, Refused};
pub use tokens::Token;

pub(super) use operators::configured;

/// A flow log made by the API.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FlowLog {
    /// `ecr-flog-` and 13 letters or digits.
    pub id: String,
    /// Account that made it; empty where keys have none.
    pub account: String,
    /// Id of the router that its border router belongs to.
    pub router: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// Whether its border router's flows are logged.
    pub is_active: bool,
    /// What it does.
    pub attributes: Attributes,
}

/// All flow logs of the family, and the requests that are not to be done again.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// By id.
    flow_logs: BTreeMap<String, FlowLog>,
    tokens: Tokens,
}

/// Whose flow logs a call is about: they are of one account and router.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Account of the caller; without one it has routers of every account.
    pub account: &'a str,
    /// Router that the call names.
    pub router: &'a str,
}

/// What a call may do beside its own rules.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// What there is to have flow logs.
    pub inventory: &'a Inventory,
    /// Flow logs of an account, at most.
    pub quota: usize,
    /// Resource group of flow logs that are made without one.
    pub resource_group: &'a str,
    /// Requests whose tokens are kept, at most.
    pub tokens_max: usize,
}

/// One change, with its parameters as they came.
#[derive(Clone, Debug)]
pub enum Change<'a> {
    /// Makes a flow log, active from the start.
    Create(Wanted<'a>),
    /// Changes what is given of the flow log, whatever its state.
    Modify(&'a str, Given<'a>),
    /// Removes the flow log, whatever its state, and also when its router is
    /// there no more.
    Delete(&'a str),
    /// Starts the flow log.
    Activate(&'a str),
    /// Stops the flow log.
    Deactivate(&'a str),
}

/// What came of a change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The flow log that was made, if one was.
    pub flow_log: Option<String>,
    /// Whether it was done now, not before.
    pub is_new: bool,
}

impl<'a> Scope<'a> {
    /// The scope of a call. It need not name a region: routers have no bounds.
    ///
    /// # Errors
    /// What stands for a region is none.
    pub fn new(account: &'a str, router: &'a str, region: Option<&str>) -> Result<Self, Refused> {
        if !region.is_none_or(is_region) {
            return Err(Refused::Region);
        }
        Ok(Self { account, router })
    }

    fn has(&self, log: &FlowLog) -> bool {
        log.account == self.account && log.router == self.router
    }

    /// Whether it shows one of the configuration: it may use what that is
    /// bound to.
    fn sees(&self, log: &FlowLog) -> bool {
        let owner = Some(log.account.as_str()).filter(|owner| !owner.is_empty());
        log.router == self.router && self.may_use(owner)
    }

    /// Whether what has this owner may be used.
    fn may_use(&self, owner: Option<&str>) -> bool {
        self.account.is_empty() || owner.is_none_or(|owner| owner == self.account)
    }
}

impl<'a> Policy<'a> {
    /// The router that a call names. What is no router's id to begin with is
    /// malformed, unless there is one of that name.
    fn router(&self, scope: &Scope<'_>) -> Result<&'a Router, Refused> {
        let router = self.inventory.routers.get(scope.router);
        match router.filter(|router| scope.may_use(router.account.as_deref())) {
            Some(router) => Ok(router),
            None if scope.router.starts_with(ROUTER_PREFIX) => Err(Refused::NoRouter),
            None => Err(Refused::Malformed(Param::EcrId)),
        }
    }

    /// The same, if it may be changed.
    fn ready_router(&self, scope: &Scope<'_>) -> Result<&'a Router, Refused> {
        let router = self.router(scope)?;
        match router.status {
            RouterStatus::Active => Ok(router),
            RouterStatus::Inactive => Err(Refused::RouterState),
            RouterStatus::Deleting => Err(Refused::Deleting),
        }
    }

    /// A border router of the router that a call names.
    fn vbr(&self, scope: &Scope<'_>, id: &str) -> Result<&'a Attachment, Refused> {
        let found = self.inventory.attachments.get(id).filter(|it| {
            it.kind == AttachmentKind::Vbr
                && it.network.as_deref() == Some(scope.router)
                && scope.may_use(it.account.as_deref())
        });
        found.ok_or(Refused::NoAttachment)
    }
}

impl Store {
    /// Makes a change, unless its token says that it was made before: then
    /// again the same is answered.
    ///
    /// # Errors
    /// Something is missing, none, not there, or not allowed; nothing was
    /// changed.
    pub fn change(
        &mut self,
        change: &Change<'_>,
        scope: &Scope<'_>,
        token: Option<&Token<'_>>,
        policy: &Policy<'_>,
        now_ms: u64,
        ids: &mut Ids<'_>,
    ) -> Result<Outcome, Refused> {
        if let Some(token) = token
            && let Some(before) = self.tokens.before(token, now_ms)?
        {
            return Ok(before);
        }
        let flow_log = match change {
            Change::Create(wanted) => Some(self.create(wanted, scope, policy, now_ms, ids)?),
            Change::Modify(id, given) => {
                let changes = given.read()?;
                self.of_id(id, scope, policy)?.attributes.take(changes);
                None
            }
            Change::Delete(id) => {
                if !self.is_left_behind(id, scope, policy) {
                    self.of_id(id, scope, policy)?;
                }
                self.flow_logs.remove(*id);
                None
            }
            Change::Activate(id) => {
                self.of_id(id, scope, policy)?.turn(true)?;
                None
            }
            Change::Deactivate(id) => {
                self.of_id(id, scope, policy)?.turn(false)?;
                None
            }
        };
        if let Some(token) = token {
            let made = flow_log.as_deref();
            self.tokens.keep(token, made, now_ms, policy.tokens_max);
        }
        Ok(Outcome {
            flow_log,
            is_new: true,
        })
    }

    /// All flow logs, in the order of their ids.
    pub fn flow_logs(&self) -> impl Iterator<Item = &FlowLog> {
        self.flow_logs.values()
    }

    fn create(
        &mut self,
        wanted: &Wanted<'_>,
        scope: &Scope<'_>,
        policy: &Policy<'_>,
        now_ms: u64,
        ids: &mut Ids<'_>,
    ) -> Result<String, Refused> {
        let mut attributes = Attributes::new(wanted, policy.resource_group)?;
        let router = policy.ready_router(scope)?;
        let vbr = policy.vbr(scope, &attributes.vbr)?;
        if attributes.sls_region.is_empty() {
            attributes.sls_region = router.region.clone().unwrap_or_default();
        }
        let logs = || self.flow_logs.values();
        let own = logs().filter(|log| log.account == scope.account).count();
        let of_vbr = logs().filter(|log| log.attributes.vbr == vbr.id).count();
        if own >= policy.quota || of_vbr + vbr.flow_logs.len() >= ROUTES_MAX {
            return Err(Refused::Quota);
        }
        let operators = &policy.inventory.operators.ecr;
        let is_taken = |id: &str| self.flow_logs.contains_key(id) || operators.has(id);
        let id = ids.fresh(ID, is_taken);
        let log = FlowLog {
            id: id.clone(),
            account: scope.account.to_owned(),
            router: scope.router.to_owned(),
            created_ms: now_ms,
            is_active: true,
            attributes,
        };
        self.flow_logs.insert(id.clone(), log);
        Ok(id)
    }

    /// Whether a flow log is of a router that is there no more: then it can be
    /// removed, or it would count for the quota for ever.
    fn is_left_behind(&self, id: &str, scope: &Scope<'_>, policy: &Policy<'_>) -> bool {
        let log = self.flow_logs.get(id);
        log.is_some_and(|log| scope.has(log)) && policy.router(scope).is_err()
    }

    /// A flow log that is to be changed, of a router that may be.
    ///
    /// One of the configuration may not be. The product has no error for that:
    /// `IncorrectStatus` would send a client to the state of router or flow
    /// log, which no call mends, and `ResourceNotFound` would deny what the
    /// list shows. That this id is none to name here is the template that is
    /// left (control-plane.md §2).
    fn of_id(
        &mut self,
        id: &str,
        scope: &Scope<'_>,
        policy: &Policy<'_>,
    ) -> Result<&mut FlowLog, Refused> {
        policy.ready_router(scope)?;
        let operators = &policy.inventory.operators.ecr;
        if operators.keeps(id, |log| scope.sees(log)) {
            return Err(Refused::Illegal(Param::FlowLogId));
        }
        let log = self.flow_logs.get_mut(id);
        log.filter(|log| scope.has(log)).ok_or(Refused::NoFlowLog)
    }
}

impl FlowLog {
    /// Starts or stops it, if it is not.
    fn turn(&mut self, is_active: bool) -> Result<(), Refused> {
        if self.is_active == is_active {
            return Err(Refused::State);
        }
        self.is_active = is_active;
        Ok(())
    }
}

/// Ids (control-plane.md §10).
const ID: Format = Format {
    prefix: "ecr-flog-",
    length: 13,
};
const ROUTER_PREFIX: &str = "ecr-";

#[cfg(test)]
mod tests;
