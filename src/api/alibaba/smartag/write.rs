//! Actions that change something.

use super::Params;
use super::answers::created;
use crate::api::alibaba::Tree;
use crate::api::control::{Done, SagRules};
use crate::flowlog::control::Ids;
use crate::flowlog::control::Inventory;
use crate::flowlog::control::State;
use crate::flowlog::control::sag::Policy;
use crate::flowlog::control::sag::Refused;

/// What is changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Write {
    Create,
    Modify,
    Delete,
    Activate,
    Deactivate,
    Associate,
    Disassociate,
}

impl Write {
    /// The change itself, in the order of checks of §1.4: region, what is
    /// missing of the ids, then what the store finds.
    ///
    /// # Errors
    /// It is refused; nothing was changed.
    pub(super) fn edit(
        self,
        params: &Params,
        (state, inventory): (&mut State, &Inventory),
        rules: &SagRules,
        now_ms: u64,
        ids: &mut Ids<'_>,
    ) -> Result<Done<Tree>, Refused> {
        let store = &mut state.sag;
        let policy = Policy {
            inventory,
            quota: rules.quota,
            may_reactivate: rules.may_reactivate,
            destinations: &rules.destinations,
            own: &rules.own,
        };
        let scope = params.scope()?;
        let id = || {
            let id = params.flow_log_id()?;
            let is_ours = !inventory.operators.sag.has(id);
            is_ours.then_some(id).ok_or(Refused::State)
        };
        match self {
            Self::Create => {
                let group = params.resource_group(&rules.resource_group)?;
                let given = params.attributes();
                let made = store.create(&scope, &given, group, &policy, now_ms, ids)?;
                return Ok(Done::made(created(made), &made.id));
            }
            Self::Modify => store.modify(&scope, id()?, &params.attributes(), &policy)?,
            Self::Delete => store.delete(&scope, id()?)?,
            Self::Activate => store.activate(&scope, id()?, &policy)?,
            Self::Deactivate => store.deactivate(&scope, id()?)?,
            Self::Associate => store.associate(&scope, id()?, params.gateway_id()?, &policy)?,
            Self::Disassociate => store.disassociate(&scope, id()?, params.gateway_id()?)?,
        }
        Ok(Done::new(Tree::new()))
    }
}
