//! Flow logs made through the clouds' flow-log APIs.
//!
//! Each family keeps its own store: ids, error codes and states differ, and an
//! id of one is no id of another. A store changes by one call at a time, which
//! either succeeds whole or says why nothing was changed. Nothing here knows
//! how a request looks on the wire or where a store is kept.

pub mod ecr;
mod id;
mod inventory;
mod joined;
mod operators;
pub mod sag;
mod state;
mod text;
pub mod vpc;

pub use id::Ids;
pub use inventory::Gateway;
pub use inventory::Inventory;
pub use operators::{Configured, Operators};
pub use state::State;
pub use text::is_resource_group;
