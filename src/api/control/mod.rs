//! The clouds' control APIs: what every family of them has in common.
//!
//! Start at [`Front`]. It knows the daemon only through [`Control`]; which
//! flow logs there may be is said by [`crate::flowlog::control`], how requests
//! and answers look by one module for each vendor.
//!
//! # Invariants
//!
//! * Every answer, refusals included, has the shape of the API that the
//!   request speaks: clients read no other.
//! * A request is believed before anything in it is acted upon, and what is
//!   acted upon is what was signed.
//! * A change is kept before it is answered, and is never answered with 5xx
//!   once it is kept: clients would repeat it.
//! * A change that has begun ends, and is told to the log, also when its client
//!   is gone by then.

mod audit;
mod change;
mod front;
mod pace;
mod raw;
mod request;
mod settings;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::flowlog::control::Ids;
use crate::flowlog::control::Inventory;
use crate::flowlog::control::State;

pub use super::auth::control::Window;
pub use super::sls::Clock;
pub use front::Front;
pub use settings::{EcrRules, Random, Rules, SagRules, Settings, VpcRules};

pub(super) use change::{Change, Done, Failed};
pub(super) use pace::Rate;
pub(super) use raw::{PARAMETERS_MAX, Raw};
pub(super) use request::{Desk, Rejection, Request, RequestId};

/// What the control APIs need of the daemon behind them.
pub trait Control: Send + Sync + 'static {
    /// What is in force.
    fn look(&self) -> Made;

    /// Has `edit` change a copy of the state.
    ///
    /// If it returns true, the copy is kept on disk and put in force before
    /// this resolves, else it is dropped. One change at a time.
    fn change(&self, edit: Edit) -> Changing<'_>;
}

/// What is in force: both are of one moment.
#[derive(Clone, Debug)]
pub struct Made {
    /// What the APIs have made.
    pub state: Arc<State>,
    /// What there is to make it of.
    pub inventory: Arc<Inventory>,
}

/// One change; returns whether it is to be kept.
pub type Edit = Box<dyn FnOnce(&mut State, &Inventory, &mut Ids<'_>) -> bool + Send>;

/// A change on its way.
pub type Changing<'a> = Pin<Box<dyn Future<Output = Result<(), NotKept>> + Send + 'a>>;

/// Why a change was not kept; nothing of it is in force.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotKept {
    /// No routing can be so, such as with too many flow logs for a device.
    #[error("the routing cannot be so: {0}")]
    Contradiction(String),
    /// It cannot be written.
    #[error("the state cannot be written: {0}")]
    Disk(String),
    /// There will be no more changes.
    #[error("flowlogd is stopping")]
    Stopping,
}
