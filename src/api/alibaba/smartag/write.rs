//! Actions that change something.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::Params;
use super::answers::created;
use crate::api::alibaba::Tree;
use crate::api::alibaba::failure::Failure;
use crate::api::control::{Audit, Desk, Edit, NotKept, RequestId};
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

/// A change that somebody asked for.
pub(super) struct Call {
    pub(super) write: Write,
    /// Product and action: `smartag:CreateFlowLog`.
    pub(super) action: String,
    pub(super) params: Params,
    /// Id of the caller's key, if there is one.
    pub(super) key_id: Option<String>,
    pub(super) from: Option<SocketAddr>,
    pub(super) request: RequestId,
    pub(super) now: Timestamp,
    pub(super) desk: Desk,
}

impl Call {
    /// Makes the change, if it is allowed, and tells the log of it.
    ///
    /// As a task of its own: the change ends, and is told, even if the client
    /// does not wait for it.
    ///
    /// # Errors
    /// It is refused; nothing was changed.
    pub(super) async fn answer(self, allowed: Result<(), Failure>) -> Result<Tree, Failure> {
        let task = tokio::spawn(async move {
            let call = Arc::new(self);
            let answered = match allowed {
                Ok(()) => call.change().await,
                Err(failure) => Err(failure),
            };
            call.audit(&answered);
            answered
        });
        task.await.unwrap_or_else(|_| Err(Failure::internal()))
    }

    async fn change(self: &Arc<Self>) -> Result<Tree, Failure> {
        let (tell, told) = oneshot::channel();
        let call = Arc::clone(self);
        let edit: Edit = Box::new(move |state, inventory, ids| {
            let edited = call.edit(state, inventory, ids);
            let is_good = edited.is_ok();
            // Only who waits no longer does not hear it.
            drop(tell.send(edited));
            is_good
        });
        if let Err(not_kept) = self.desk.control.change(edit).await {
            warn(&not_kept, self.request);
            return Err(Failure::from(&not_kept));
        }
        let edited = told.await.map_err(|_| Failure::internal())?;
        Ok(edited?)
    }

    /// The change itself, in the order of checks of §1.4: region, what is
    /// missing of the ids, then what the store finds.
    fn edit(
        &self,
        state: &mut State,
        inventory: &Inventory,
        ids: &mut Ids<'_>,
    ) -> Result<Tree, Refused> {
        let (params, store) = (&self.params, &mut state.sag);
        let rules = &self.desk.settings.sag;
        let policy = Policy {
            inventory,
            quota: rules.quota,
            may_reactivate: rules.may_reactivate,
            destinations: &rules.destinations,
            own: &rules.own,
        };
        let scope = params.scope()?;
        let id = || params.flow_log_id();
        match self.write {
            Write::Create => {
                let group = params.resource_group(&rules.resource_group)?;
                let now_ms = u64::try_from(self.now.as_millisecond()).unwrap_or_default();
                let given = params.attributes();
                let made = store.create(&scope, &given, group, &policy, now_ms, ids)?;
                return Ok(created(made));
            }
            Write::Modify => store.modify(&scope, id()?, &params.attributes(), &policy)?,
            Write::Delete => store.delete(&scope, id()?)?,
            Write::Activate => store.activate(&scope, id()?, &policy)?,
            Write::Deactivate => store.deactivate(&scope, id()?)?,
            Write::Associate => store.associate(&scope, id()?, params.gateway_id()?, &policy)?,
            Write::Disassociate => store.disassociate(&scope, id()?, params.gateway_id()?)?,
        }
        Ok(Tree::new())
    }

    fn audit(&self, answered: &Result<Tree, Failure>) {
        let made = answered.as_ref().ok();
        let made = made.and_then(|tree| tree.get("FlowLogId")?.as_str());
        Audit {
            who: self.key_id.as_deref(),
            from: self.from,
            request: self.request,
            action: &self.action,
            flow_log: made.unwrap_or_else(|| self.params.shown_flow_log()),
            instance: self.params.shown_gateway(),
            result: answered
                .as_ref()
                .map_or_else(|failure| &*failure.code, |_| "OK"),
        }
        .tell();
    }
}

/// Says what the client is not told.
fn warn(not_kept: &NotKept, request: RequestId) {
    match not_kept {
        NotKept::Contradiction(_) | NotKept::Stopping => {
            tracing::warn!(%request, "a change is not made: {not_kept}");
        }
        NotKept::Disk(_) => tracing::error!(%request, "a change is not made: {not_kept}"),
    }
}
