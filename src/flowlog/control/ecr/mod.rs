//! The Express Connect Router family: flow logs of virtual border routers
//! (control-plane.md §2, §8).

use serde::Deserialize;
use serde::Serialize;

/// All flow logs of the family.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {}
