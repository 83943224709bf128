//! Who may ask what: access keys, and the signatures that prove them.
//!
//! [`sls`] believes requests of the log service's API, [`control`] those of the
//! control APIs. Pure: the time is an argument, nothing is read or logged.

mod alibaba;
mod arrived;
mod authorization;
pub mod control;
mod credential;
pub(super) mod digest;
mod escape;
mod keys;
mod replay;
pub mod sls;
mod tencent;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

pub use crate::sink::Secret;
pub use alibaba::sign_rpc;
pub use arrived::Arrived;
pub use credential::{Credential, Credentials, Product};
pub use escape::{NotText, parameters};
pub use keys::{Access, AccessKey, Caller, Keys, Pattern, Permission};
pub use replay::Replays;
