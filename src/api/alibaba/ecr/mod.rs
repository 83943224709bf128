//! Express Connect Router, 2023-09-01: six actions on flow logs of its border
//! routers (control-plane.md §2).
//!
//! What they mean is said by [`Store`](crate::flowlog::control::ecr::Store);
//! here are their parameters, answers and errors.

mod answers;
mod errors;
mod params;
mod write;

use std::sync::Arc;

use super::failure::Failure;
use super::{Call, Tree};
use crate::api::auth::Product;
use crate::api::auth::control::Proof;
use crate::api::control::{Change, Rate, Request};
use crate::flowlog::control::Ids;
use crate::flowlog::control::Inventory;
use crate::flowlog::control::State;

use params::Params;
use write::Write;

/// The version that means this product.
pub(super) const VERSION: &str = "2023-09-01";

/// The product's name in errors.
pub(super) const PRODUCT: &str = "ExpressConnectRouter";

/// Actions as they are documented, and what each does. It is Activate and
/// Deactivate here, and one has a small letter where the others have a capital.
const ACTIONS: [(&str, Action); 6] = [
    ("ActivateFlowLog", Action::Write(Write::Activate)),
    ("CreateFlowLog", Action::Write(Write::Create)),
    ("DeactivateFlowLog", Action::Write(Write::Deactivate)),
    ("DeleteFlowlog", Action::Write(Write::Delete)),
    ("DescribeFlowLogs", Action::Describe),
    ("ModifyFlowLogAttribute", Action::Write(Write::Modify)),
];

/// Calls of an action in a minute, as documented for those that only look, and
/// for all others.
const READS: Rate = Rate {
    calls: 300,
    period_ms: 60_000,
};
const WRITES: Rate = Rate {
    calls: 120,
    ..READS
};

/// What can be asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Action {
    Describe,
    Write(Write),
}

/// Answers a request that is believed.
///
/// # Errors
/// It is refused; nothing was changed.
pub(super) async fn answer(
    request: &Request<'_>,
    proof: Proof<'_>,
    action: &str,
) -> Result<Tree, Failure> {
    // Some write it as it is written elsewhere.
    let documented = match action {
        "DeleteFlowLog" => "DeleteFlowlog",
        action => action,
    };
    let mut actions = ACTIONS.into_iter();
    let (name, action) = actions
        .find(|(name, _)| *name == documented)
        .ok_or_else(Failure::no_action)?;
    let right = format!("expressconnectrouter:{name}");
    let rate = match action {
        Action::Describe => READS,
        Action::Write(_) => WRITES,
    };
    let counted = request.count(proof, &right, rate);
    counted.map_err(|rejection| Failure::rejected(&rejection, request.scheme))?;
    let allowed = Call::allowed(proof, Product::ExpressConnectRouter, name, &right);
    let params = Params(Call::new(request, proof));
    let settings = Arc::clone(&request.desk.settings);
    match action {
        Action::Describe => {
            allowed?;
            let made = request.desk.control.look();
            Ok(answers::describe(&params, &made, &settings.ecr)?)
        }
        Action::Write(write) => {
            let named = (params.shown_flow_log(), params.shown_vbr());
            let change = Change::new(request, proof, right, named);
            let now_ms = request.now_ms();
            let edit = move |state: &mut State, inventory: &Inventory, ids: &mut Ids<'_>| {
                let held = (state, inventory);
                Ok(write.edit(name, &params, held, &settings.ecr, now_ms, ids)?)
            };
            change.make(allowed, edit).await
        }
    }
}
