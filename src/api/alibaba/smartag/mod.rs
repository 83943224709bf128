//! Smart Access Gateway, 2018-03-13: ten actions on its flow logs
//! (control-plane.md §1).
//!
//! What they mean is said by [`Store`](crate::flowlog::control::sag::Store);
//! here are their parameters, answers and errors.

mod answers;
mod errors;
mod params;
mod write;

use std::sync::Arc;

use super::Call;
use super::Tree;
use super::failure::Failure;
use crate::api::auth::Product;
use crate::api::auth::control::Proof;
use crate::api::control::{Change, Request};
use crate::flowlog::control::Ids;
use crate::flowlog::control::Inventory;
use crate::flowlog::control::State;

use params::Params;
use write::Write;

/// The version that means this product.
pub(super) const VERSION: &str = "2018-03-13";

/// The product's name in errors.
pub(super) const PRODUCT: &str = "Smartag";

/// Actions as they are documented, and what each does. It is Active and
/// Deactive here, and Name where the filter says FlowLogName.
const ACTIONS: [(&str, Action); 10] = [
    ("ActiveFlowLog", Action::Write(Write::Activate)),
    ("AssociateFlowLog", Action::Write(Write::Associate)),
    ("CreateFlowLog", Action::Write(Write::Create)),
    ("DeactiveFlowLog", Action::Write(Write::Deactivate)),
    ("DeleteFlowLog", Action::Write(Write::Delete)),
    ("DescribeFlowLogSags", Action::Read(Read::Bound)),
    ("DescribeFlowLogs", Action::Read(Read::FlowLogs)),
    ("DescribeUnbindFlowLogSags", Action::Read(Read::Unbound)),
    ("DisassociateFlowLog", Action::Write(Write::Disassociate)),
    ("ModifyFlowLogAttribute", Action::Write(Write::Modify)),
];

/// What can be asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Action {
    Read(Read),
    Write(Write),
}

/// Actions that only look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Read {
    FlowLogs,
    /// Gateways of a flow log.
    Bound,
    /// Gateways that have none.
    Unbound,
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
    let mut actions = ACTIONS.into_iter();
    let (name, action) = actions
        .find(|(name, _)| *name == action)
        .ok_or_else(Failure::no_action)?;
    let right = format!("smartag:{name}");
    let allowed = Call::allowed(proof, Product::Smartag, name, &right);
    let params = Params(Call::new(request, proof));
    match action {
        Action::Read(read) => {
            allowed?;
            let made = request.desk.control.look();
            answers::read(read, &params, &made)
        }
        Action::Write(write) => {
            let named = (params.shown_flow_log(), params.shown_gateway());
            let change = Change::new(request, proof, right, named);
            let settings = Arc::clone(&request.desk.settings);
            let now_ms = request.now_ms();
            let edit = move |state: &mut State, inventory: &Inventory, ids: &mut Ids<'_>| {
                let held = (state, inventory);
                Ok(write.edit(&params, held, &settings.sag, now_ms, ids)?)
            };
            change.make(allowed, edit).await
        }
    }
}
