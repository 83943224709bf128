//! One call: its parameters as the store takes them, and what it does.

use super::answers;
use super::errors::failure;
use crate::api::control::{Done, Made, VpcRules};
use crate::api::tencent::failure::Failure;
use crate::api::tencent::params::Params;
use crate::api::tencent::{Edition, Tree};
use crate::flowlog::control::Ids;
use crate::flowlog::control::Inventory;
use crate::flowlog::control::vpc::Asked;
use crate::flowlog::control::vpc::BadTags;
use crate::flowlog::control::vpc::FlowLog;
use crate::flowlog::control::vpc::Given;
use crate::flowlog::control::vpc::Param;
use crate::flowlog::control::vpc::Policy;
use crate::flowlog::control::vpc::Refused;
use crate::flowlog::control::vpc::ResourceKind;
use crate::flowlog::control::vpc::Scope;
use crate::flowlog::control::vpc::Store;

/// Actions that only look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Read {
    One,
    FlowLogs,
}

/// Actions that change something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Write {
    Create,
    Modify,
    Delete,
    Enable,
    Disable,
}

/// A call, and what it is held against.
#[derive(Clone, Debug)]
pub(super) struct Call {
    params: Params,
    rules: VpcRules,
    now_ms: u64,
}

impl Call {
    pub(super) fn new(params: Params, rules: &VpcRules, now_ms: u64) -> Self {
        Self {
            params,
            rules: rules.clone(),
            now_ms,
        }
    }

    /// Flow logs and resource that a change names, for the log.
    pub(super) fn shown(&self, write: Write) -> (String, &str) {
        let given = |name| self.params.given(name).unwrap_or_default();
        match write {
            Write::Create => (String::new(), given("ResourceId")),
            Write::Modify | Write::Delete => (given("FlowLogId").to_owned(), ""),
            Write::Enable | Write::Disable => {
                let ids = self.params.list("FlowLogIds").unwrap_or_default();
                (ids.join(","), "")
            }
        }
    }

    /// Answers an action that only looks.
    ///
    /// # Errors
    /// A parameter is missing or none, or what is named is not there.
    pub(super) fn look(&self, read: Read, made: &Made) -> Result<Tree, Failure> {
        let (store, inventory) = (&made.state.vpc, made.inventory.as_ref());
        let (edition, offset_s) = (self.params.edition, self.rules.utc_offset_s);
        let scope = self.scope();
        let told = match read {
            Read::One => self
                .one(store, inventory)
                .map(|log| answers::one(edition, log, offset_s)),
            Read::FlowLogs => self
                .asked()
                .and_then(|asked| store.describe(&scope, &asked, inventory))
                .map(|described| answers::list(edition, &described, offset_s)),
        };
        told.map_err(|refused| failure(&refused, edition))
    }

    /// Makes a change.
    ///
    /// # Errors
    /// It is refused; nothing was changed.
    pub(super) fn edit(
        &self,
        write: Write,
        store: &mut Store,
        inventory: &Inventory,
        ids: &mut Ids<'_>,
    ) -> Result<Done<Tree>, Failure> {
        let done = match write {
            Write::Create => self.create(store, inventory, ids),
            Write::Modify => self.modify(store, inventory),
            Write::Delete => self.delete(store, inventory),
            Write::Enable => self.enable(store, inventory, true),
            Write::Disable => self.enable(store, inventory, false),
        };
        done.map_err(|refused| failure(&refused, self.params.edition))
    }

    fn create(
        &self,
        store: &mut Store,
        inventory: &Inventory,
        ids: &mut Ids<'_>,
    ) -> Result<Done<Tree>, Refused> {
        let policy = Policy {
            inventory,
            quota: self.rules.quota,
            per_resource: self.rules.per_resource,
        };
        let given = self.attributes()?;
        let log = store.create(&self.scope(), &given, &policy, self.now_ms, ids)?;
        let told = answers::created(self.params.edition, log, self.rules.utc_offset_s);
        Ok(Done::made(told, &log.id))
    }

    fn modify(&self, store: &mut Store, inventory: &Inventory) -> Result<Done<Tree>, Refused> {
        self.check_vpc()?;
        let id = self.needed("FlowLogId", Param::FlowLogId)?;
        store.modify(&self.scope(), id, &self.changes(), inventory)?;
        Ok(Done::new(answers::changed(self.params.edition)))
    }

    fn delete(&self, store: &mut Store, inventory: &Inventory) -> Result<Done<Tree>, Refused> {
        self.check_vpc()?;
        let id = self.needed("FlowLogId", Param::FlowLogId)?;
        let vpc = self.params.given("VpcId");
        store.delete(&self.scope(), vpc, id, inventory)?;
        Ok(Done::new(answers::deleted(self.params.edition)))
    }

    fn enable(
        &self,
        store: &mut Store,
        inventory: &Inventory,
        is_enabled: bool,
    ) -> Result<Done<Tree>, Refused> {
        let ids = self.params.list("FlowLogIds");
        let ids = ids.ok_or(Refused::Malformed(Param::FlowLogIds))?;
        if ids.is_empty() {
            return Err(Refused::Missing(Param::FlowLogIds));
        }
        let is_new = store.enable(&self.scope(), &ids, is_enabled, inventory)?;
        Ok(Done {
            is_new,
            ..Done::new(answers::changed(self.params.edition))
        })
    }

    /// A flow log, of which both APIs want to know the network.
    fn one<'a>(&self, store: &'a Store, inventory: &'a Inventory) -> Result<&'a FlowLog, Refused> {
        let vpc = self.needed("VpcId", Param::VpcId)?;
        let id = self.needed("FlowLogId", Param::FlowLogId)?;
        store.find(&self.scope(), Some(vpc), id, inventory)
    }

    /// Whether the network is named, if it always has to be.
    fn check_vpc(&self) -> Result<(), Refused> {
        if self.params.edition == Edition::V2 {
            self.needed("VpcId", Param::VpcId)?;
        }
        Ok(())
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            account: &self.params.account,
        }
    }

    /// A text that is there and not empty.
    fn needed(&self, name: &str, param: Param) -> Result<&str, Refused> {
        let text = self.params.given(name).filter(|text| !text.is_empty());
        text.ok_or(Refused::Missing(param))
    }

    /// What a new flow log is to do.
    fn attributes(&self) -> Result<Given<'_>, Refused> {
        let params = &self.params;
        let old = Given {
            resource_type: params.given("ResourceType"),
            resource_id: params.given("ResourceId"),
            traffic_type: params.given("TrafficType"),
            cloud_log_id: params.given("CloudLogId"),
            ..self.changes()
        };
        match params.edition {
            Edition::V2 => {
                self.needed("VpcId", Param::VpcId)?;
                let is_old = |word| OLD_KINDS.iter().any(|kind| kind.word() == word);
                if old.resource_type.is_some_and(|word| !is_old(word)) {
                    return Err(Refused::Range(Param::ResourceType));
                }
                Ok(old)
            }
            Edition::V3 => Ok(Given {
                storage_type: params.given("StorageType"),
                storage_id: params.given("FlowLogStorage.StorageId"),
                cloud_log_region: params.given("CloudLogRegion"),
                tags: self.tags()?,
                ..old
            }),
        }
    }

    /// What can be changed of a flow log.
    fn changes(&self) -> Given<'_> {
        let params = &self.params;
        Given {
            vpc_id: params.given("VpcId"),
            name: params.given("FlowLogName"),
            description: params.given("FlowLogDescription"),
            period: params
                .given("Period")
                .filter(|_| params.edition == Edition::V3),
            ..Given::default()
        }
    }

    fn tags(&self) -> Result<Vec<(&str, &str)>, Refused> {
        let params = &self.params;
        let count = params.entries("Tags");
        let places = 0..count.ok_or(Refused::Malformed(Param::Tags))?;
        let tags = places.map(|place| {
            let key = params.given(&format!("Tags.{place}.Key"));
            let value = params.given(&format!("Tags.{place}.Value"));
            let key = key.ok_or(Refused::Tags(BadTags::InvalidKeyLen))?;
            Ok((key, value.unwrap_or_default()))
        });
        tags.collect()
    }

    /// Which flow logs are wanted.
    fn asked(&self) -> Result<Asked<'_>, Refused> {
        let params = &self.params;
        let old = Asked {
            vpc_id: params.given("VpcId"),
            id: params.given("FlowLogId"),
            name: params.given("FlowLogName"),
            resource_type: params.given("ResourceType"),
            resource_id: params.given("ResourceId"),
            traffic_type: params.given("TrafficType"),
            cloud_log_id: params.given("CloudLogId"),
            cloud_log_state: params.given("CloudLogState"),
            order_field: params.given("OrderField"),
            order_direction: params.given("OrderDirection"),
            offset: params.given("Offset"),
            limit: params.given("Limit"),
            is_fuzzy: params.edition == Edition::V2,
            ..Asked::default()
        };
        if params.edition == Edition::V2 {
            return Ok(old);
        }
        let values = params.list("Filters.Values");
        Ok(Asked {
            cloud_log_region: params.given("CloudLogRegion"),
            filter: params.given("Filters.Name"),
            filter_values: values.ok_or(Refused::Malformed(Param::Filters))?,
            ..old
        })
    }
}

/// What API 2.0 can log.
const OLD_KINDS: [ResourceKind; 3] = [
    ResourceKind::NetworkInterface,
    ResourceKind::Vpc,
    ResourceKind::Subnet,
];
