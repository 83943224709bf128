//! Virtual Private Cloud: the actions on flow logs of both APIs
//! (control-plane.md §3, §4).
//!
//! What they mean is said by [`Store`](crate::flowlog::control::vpc::Store);
//! here are their parameters, answers and errors.

mod answers;
mod call;
mod errors;

use super::failure::Failure;
use super::params::Params;
use super::{Edition, Tree};
use crate::api::auth::Product;
use crate::api::auth::control::Proof;
use crate::api::control::{Change, Rate, Request};
use crate::flowlog::control::Ids;
use crate::flowlog::control::Inventory;
use crate::flowlog::control::State;

use call::{Call, Read, Write};

/// Actions as they are documented, what each does, and whether API 2.0 has it,
/// too.
const ACTIONS: [(&str, Action, bool); 7] = [
    ("CreateFlowLog", Action::Write(Write::Create), true),
    ("DeleteFlowLog", Action::Write(Write::Delete), true),
    ("DescribeFlowLog", Action::Read(Read::One), true),
    ("DescribeFlowLogs", Action::Read(Read::FlowLogs), true),
    ("DisableFlowLogs", Action::Write(Write::Disable), false),
    ("EnableFlowLogs", Action::Write(Write::Enable), false),
    ("ModifyFlowLogAttribute", Action::Write(Write::Modify), true),
];

/// Calls of an action in a second, as documented for API 3.0. They count
/// together with those of 2.0.
const RATE: Rate = Rate {
    calls: 20,
    period_ms: 1_000,
};

/// What can be asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Action {
    Read(Read),
    Write(Write),
}

/// Answers a request that is believed.
///
/// # Errors
/// It is refused; nothing was changed.
pub(super) async fn answer(
    request: &Request<'_>,
    proof: Proof<'_>,
    edition: Edition,
    action: &str,
) -> Result<Tree, Failure> {
    let mut actions = ACTIONS.into_iter();
    let (name, action, _) = actions
        .find(|(name, _, is_old)| *name == action && (*is_old || edition == Edition::V3))
        .ok_or_else(|| Failure::no_action(action))?;
    let right = format!("vpc:{name}");
    let counted = request.count(proof, &right, RATE);
    counted.map_err(|rejection| Failure::from(&rejection))?;
    let credential = proof.credential;
    let account = credential.and_then(|credential| credential.account_uid.as_deref());
    let params = Params::new(request, edition, account.unwrap_or_default());
    let params = params.map_err(|rejection| Failure::from(&rejection))?;
    let call = Call::new(params, &request.desk.settings.vpc, request.now_ms());
    let allowed = if proof.may(Product::Vpc, name) {
        Ok(())
    } else {
        Err(Failure::forbidden(&right))
    };
    match action {
        Action::Read(read) => {
            allowed?;
            let made = request.desk.control.look();
            call.look(read, &made)
        }
        Action::Write(write) => {
            let (flow_log, instance) = call.shown(write);
            let change = Change::new(request, proof, right, (&flow_log, instance));
            let edit = move |state: &mut State, inventory: &Inventory, ids: &mut Ids<'_>| {
                call.edit(write, &mut state.vpc, inventory, ids)
            };
            change.make(allowed, edit).await
        }
    }
}
