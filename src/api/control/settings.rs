//! What a front is told at its start.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Clock, Window};
use crate::api::auth::{Credentials, Replays};
use crate::flowlog::Prefix;

/// What a front is told at its start.
pub struct Settings {
    /// Who may do what; open is for listeners that only this host reaches.
    pub credentials: Credentials,
    /// What requests are held against.
    pub window: Window,
    /// Nonces that are kept for each key.
    pub replays_max: usize,
    /// Whether a key may call no more often than at the vendors.
    pub has_rates: bool,
    /// Octets of a body.
    pub body_bytes_max: usize,
    /// Time a body may take to come.
    pub body_timeout: Duration,
    /// What time it is.
    pub clock: Clock,
    /// Where ids of requests come from.
    pub random: Random,
    /// Rules for flow logs of Smart Access Gateways.
    pub sag: SagRules,
    /// Rules for flow logs of Express Connect Routers.
    pub ecr: EcrRules,
    /// Rules for flow logs of Tencent Cloud's private networks.
    pub vpc: VpcRules,
}

/// Fills octets so that nobody can guess them.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

impl Settings {
    /// Octets of a body: the longest of the captured requests has 2 KiB.
    pub const BODY_BYTES_MAX: usize = 1 << 20;
    /// The largest body on a line of 1 Mbit/s.
    pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

    /// Defaults, for these credentials and rules.
    pub fn new(credentials: Credentials, rules: Rules, clock: Clock, random: Random) -> Self {
        let Rules { sag, ecr, vpc } = rules;
        Self {
            credentials,
            window: Window::default(),
            replays_max: Replays::NONCES_MAX,
            has_rates: false,
            body_bytes_max: Self::BODY_BYTES_MAX,
            body_timeout: Self::BODY_TIMEOUT,
            clock,
            random,
            sag,
            ecr,
            vpc,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("credentials", &self.credentials)
            .field("window", &self.window)
            .field("replays_max", &self.replays_max)
            .field("has_rates", &self.has_rates)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("body_timeout", &self.body_timeout)
            .field("sag", &self.sag)
            .field("ecr", &self.ecr)
            .field("vpc", &self.vpc)
            .finish_non_exhaustive()
    }
}

/// Rules for flow logs of all families.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "they are named like the families")]
pub struct Rules {
    pub sag: SagRules,
    pub ecr: EcrRules,
    pub vpc: VpcRules,
}

/// Rules for flow logs of Smart Access Gateways.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SagRules {
    /// Flow logs of an account in a region, at most.
    pub quota: usize,
    /// Whether what is active may be made active again, as Terraform does.
    pub may_reactivate: bool,
    /// Resource group of flow logs that are made without one; never empty, as
    /// Terraform insists on it.
    pub resource_group: String,
    /// Where flows may be sent to; empty is everywhere.
    pub destinations: Vec<Prefix>,
    /// Where this collector listens.
    pub own: Vec<SocketAddr>,
}

/// Rules for flow logs of Express Connect Routers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EcrRules {
    /// Flow logs of an account, at most.
    pub quota: usize,
    /// Resource group of flow logs that are made without one.
    pub resource_group: String,
    /// How many answers are kept by their client token, for a day.
    pub tokens_max: usize,
}

impl EcrRules {
    /// All of them are written with every change.
    pub const TOKENS_MAX: usize = 1_000;
}

/// Rules for flow logs of Tencent Cloud's private networks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VpcRules {
    /// Flow logs of an account, at most.
    pub quota: usize,
    /// Flow logs of one resource, at most.
    pub per_resource: usize,
    /// How far the times in answers are ahead of UTC.
    pub utc_offset_s: i32,
}

impl VpcRules {
    /// The vendor's own number.
    pub const PER_RESOURCE: usize = 2;
}
