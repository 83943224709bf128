//! One change that somebody asked for: made, kept, told to the log, answered.

use std::net::SocketAddr;

use tokio::sync::oneshot;

use super::audit::Audit;
use super::{Desk, Edit, NotKept, Request, RequestId};
use crate::api::auth::control::Proof;
use crate::flowlog::control::Ids;
use crate::flowlog::control::Inventory;
use crate::flowlog::control::State;

/// A change that somebody asked for.
pub(in crate::api) struct Change {
    /// Product and action: `smartag:CreateFlowLog`.
    action: String,
    /// The flow log that the request names; empty if none.
    flow_log: String,
    /// What is to be bound to it or freed from it; empty if nothing.
    instance: String,
    /// Id of the caller's key, if there is one.
    key_id: Option<String>,
    from: Option<SocketAddr>,
    request: RequestId,
    desk: Desk,
}

/// What came of a change.
pub(in crate::api) struct Done<T> {
    /// What the answer tells.
    pub(in crate::api) answer: T,
    /// The flow log that was made, if one was.
    pub(in crate::api) made: Option<String>,
    /// Whether there is anything to keep: not if it was a trial, or was done
    /// before.
    pub(in crate::api) is_new: bool,
}

impl<T> Done<T> {
    /// Something was changed.
    pub(in crate::api) fn new(answer: T) -> Self {
        Self {
            answer,
            made: None,
            is_new: true,
        }
    }

    /// A flow log was made.
    pub(in crate::api) fn made(answer: T, id: &str) -> Self {
        Self {
            made: Some(id.to_owned()),
            ..Self::new(answer)
        }
    }
}

/// A refusal in a vendor's words.
pub(in crate::api) trait Failed: for<'a> From<&'a NotKept> + Send + 'static {
    /// Ours to mend; nothing was changed.
    fn internal() -> Self;

    /// What programs judge by.
    fn code(&self) -> &str;
}

impl Change {
    /// The change that a request asks for.
    pub(in crate::api) fn new(
        request: &Request<'_>,
        proof: Proof<'_>,
        action: String,
        (flow_log, instance): (&str, &str),
    ) -> Self {
        Self {
            action,
            flow_log: flow_log.to_owned(),
            instance: instance.to_owned(),
            key_id: proof.credential.map(|credential| credential.id.clone()),
            from: request.raw.from,
            request: request.id,
            desk: request.desk.clone(),
        }
    }

    /// Makes the change, if it is allowed, and tells the log of it.
    ///
    /// As a task of its own: the change ends, and is told, even if the client
    /// does not wait for it.
    ///
    /// # Errors
    /// It is refused; nothing was changed.
    pub(in crate::api) async fn make<T, F>(
        self,
        allowed: Result<(), F>,
        edit: impl FnOnce(&mut State, &Inventory, &mut Ids<'_>) -> Result<Done<T>, F> + Send + 'static,
    ) -> Result<T, F>
    where
        T: Send + 'static,
        F: Failed,
    {
        let task = tokio::spawn(async move {
            let done = match allowed {
                Ok(()) => self.carry_out(edit).await,
                Err(failure) => Err(failure),
            };
            self.audit(&done);
            done.map(|done| done.answer)
        });
        task.await.unwrap_or_else(|_| Err(F::internal()))
    }

    async fn carry_out<T, F>(
        &self,
        edit: impl FnOnce(&mut State, &Inventory, &mut Ids<'_>) -> Result<Done<T>, F> + Send + 'static,
    ) -> Result<Done<T>, F>
    where
        T: Send + 'static,
        F: Failed,
    {
        let (tell, told) = oneshot::channel();
        let edit: Edit = Box::new(move |state, inventory, ids| {
            let done = edit(state, inventory, ids);
            let is_kept = done.as_ref().is_ok_and(|done| done.is_new);
            // Only who waits no longer does not hear it.
            drop(tell.send(done));
            is_kept
        });
        if let Err(not_kept) = self.desk.control.change(edit).await {
            warn(&not_kept, self.request);
            return Err(F::from(&not_kept));
        }
        told.await.unwrap_or_else(|_| Err(F::internal()))
    }

    fn audit<T, F: Failed>(&self, done: &Result<Done<T>, F>) {
        let made = done.as_ref().ok().and_then(|done| done.made.as_deref());
        let result = |done: &Done<T>| if done.is_new { "OK" } else { UNCHANGED };
        Audit {
            who: self.key_id.as_deref(),
            from: self.from,
            request: self.request,
            action: &self.action,
            flow_log: made.unwrap_or(&self.flow_log),
            instance: &self.instance,
            result: done.as_ref().map_or_else(F::code, result),
        }
        .tell();
    }
}

/// What the log says of success without any change.
const UNCHANGED: &str = "unchanged";

/// Says what the client is not told.
fn warn(not_kept: &NotKept, request: RequestId) {
    match not_kept {
        NotKept::Contradiction(_) | NotKept::Stopping => {
            tracing::warn!(%request, "a change is not made: {not_kept}");
        }
        NotKept::Disk(_) => tracing::error!(%request, "a change is not made: {not_kept}"),
    }
}
