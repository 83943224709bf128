//! The family of Tencent Cloud's private networks: flow logs of what is
//! attached to them (control-plane.md §3, §4, §8).

use serde::Deserialize;
use serde::Serialize;

/// All flow logs of the family.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {}
