//! Actions that change something.

use super::Params;
use super::answers;
use crate::api::alibaba::Tree;
use crate::api::control::{Done, EcrRules};
use crate::flowlog::control::Ids;
use crate::flowlog::control::Inventory;
use crate::flowlog::control::State;
use crate::flowlog::control::ecr::Change;
use crate::flowlog::control::ecr::Outcome;
use crate::flowlog::control::ecr::Param;
use crate::flowlog::control::ecr::Policy;
use crate::flowlog::control::ecr::Refused;

/// What is changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Write {
    Create,
    Modify,
    Delete,
    Activate,
    Deactivate,
}

impl Write {
    /// The change itself, of the action with this name: what is missing comes
    /// first, then what the store finds. A trial is made as well as any change,
    /// and then not kept.
    ///
    /// # Errors
    /// It is refused; nothing was changed.
    pub(super) fn edit(
        self,
        name: &str,
        params: &Params,
        (state, inventory): (&mut State, &Inventory),
        rules: &EcrRules,
        now_ms: u64,
        ids: &mut Ids<'_>,
    ) -> Result<Done<Tree>, Refused> {
        params.needed(Param::EcrId)?;
        let change = self.change(params)?;
        let scope = params.scope()?;
        let digest = params.digest();
        let token = params.token(name, &digest)?;
        let is_trial = params.is_trial()?;
        let policy = policy(inventory, rules);
        let store = &mut state.ecr;
        let done = store.change(&change, &scope, token.as_ref(), &policy, now_ms, ids)?;
        let Outcome { flow_log, is_new } = done;
        let made = flow_log.filter(|_| !is_trial);
        Ok(Done {
            answer: answers::written(made.as_deref()),
            made,
            is_new: is_new && !is_trial,
        })
    }

    fn change(self, params: &Params) -> Result<Change<'_>, Refused> {
        let id = || params.needed(Param::FlowLogId);
        Ok(match self {
            Self::Create => Change::Create(params.wanted()?),
            Self::Modify => Change::Modify(id()?, params.attributes()),
            Self::Delete => Change::Delete(id()?),
            Self::Activate => Change::Activate(id()?),
            Self::Deactivate => Change::Deactivate(id()?),
        })
    }
}

/// What calls may do.
pub(super) fn policy<'a>(inventory: &'a Inventory, rules: &'a EcrRules) -> Policy<'a> {
    Policy {
        inventory,
        quota: rules.quota,
        resource_group: &rules.resource_group,
        tokens_max: rules.tokens_max,
    }
}
