//! Who may ask what: access keys, and the signatures that prove them.
//!
//! Pure: the time is an argument, nothing is read or logged.

mod credential;
mod keys;
pub mod sls;

pub use crate::sink::Secret;
pub use credential::{Credential, Credentials, Product};
pub use keys::{Access, AccessKey, Caller, Keys, Pattern, Permission};
