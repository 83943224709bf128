//! Flow logs and devices, as an operator defines them.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::cache::CacheType;
use crate::element::ElementId;

use super::Attachment;
use super::NetflowOutput;
use super::Prefix;
use super::Problem;
use super::Router;
use super::Traffic;
use super::Vpc;

/// All that routing follows from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Definition {
    /// Flow logs, names unique.
    pub flow_logs: Vec<FlowLog>,
    /// Inventory, instance ids unique.
    pub devices: Vec<Device>,
    /// What is attached to the networks below, ids unique.
    pub attachments: Vec<Attachment>,
    /// Express Connect Routers, ids unique.
    pub routers: Vec<Router>,
    /// Tencent Cloud's private networks, ids unique.
    pub vpcs: Vec<Vpc>,
    /// SLS project that stands for Tencent Cloud's log service, CLS; flow logs
    /// of Tencent's API go there. `None` is `tencent-cls`.
    pub cls_project: Option<String>,
    /// What becomes of exporters that belong to no flow log.
    pub unclaimed: Unclaimed,
    /// Exporters that are heard at all; empty means every one (P-800).
    pub allow: Vec<Prefix>,
    /// Senders whose records may belong to another exporter that they name
    /// (P-223); empty means none.
    pub mediators: Vec<Prefix>,
}

/// Where flows go, and how long they are merged before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FlowLog {
    /// Unique name, 1–128 characters.
    pub name: String,
    /// Free text, at most 256 characters.
    pub description: String,
    /// SLS project: 3–63 of `a-z 0-9 -`; empty when `output` needs none.
    pub project: String,
    /// Logstore in the project: 2–63 of `a-z 0-9 _ -`; empty like `project`.
    pub logstore: String,
    /// Region of the project: the flow log API's SlsRegionId; the configured
    /// one if there is none.
    pub region: Option<String>,
    /// Whose names the fields of its logs have.
    pub naming: Naming,
    /// Columns that its logs have beside those of `naming`, by name.
    pub fields: Vec<String>,
    /// Kind of destination.
    pub output: OutputType,
    /// Collectors to re-export to, at most [`super::OUTPUTS_MAX`]; kept also
    /// when `output` does not use them.
    pub netflow: Vec<NetflowOutput>,
    /// When merged flows leave the cache.
    pub timers: Timers,
    /// Whether records are merged, and what ends a flow beside the timers.
    pub cache: CacheType,
    /// Elements to keep beside the fixed columns, at most [`EXTRA_MAX`].
    pub extra: Vec<ElementId>,
    /// Which records it takes.
    pub traffic: Traffic,
    /// How many packets passed for each metered one, where the exporter does
    /// not say; `None` is not known.
    pub one_in: Option<NonZeroU32>,
}

impl FlowLog {
    /// A merging flow log with default timers that delivers to a logstore.
    pub fn new(name: &str, project: &str, logstore: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: String::new(),
            project: project.to_owned(),
            logstore: logstore.to_owned(),
            region: None,
            naming: Naming::default(),
            fields: Vec::new(),
            output: OutputType::Sls,
            netflow: Vec::new(),
            timers: Timers::default(),
            cache: CacheType::default(),
            extra: Vec::new(),
            traffic: Traffic::default(),
            one_in: None,
        }
    }

    /// Whether rows of both are the same rows in the same place: then timers,
    /// cache, description and how logs are written may differ, and a change of
    /// those is live.
    pub(super) fn delivers_like(&self, other: &Self) -> bool {
        self.name == other.name
            && self.project == other.project
            && self.logstore == other.logstore
            && self.region == other.region
            && self.output == other.output
            && self.netflow == other.netflow
            && self.extra == other.extra
    }
}

/// Whose names the fields of a log have.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Naming {
    /// Flow logs of a Smart Access Gateway.
    #[default]
    Sag,
    /// Flow logs of a VPC.
    Vpc,
}

/// Kind of destination: the flow log API's OutputType.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputType {
    /// A logstore.
    #[default]
    Sls,
    /// Another NetFlow collector.
    Netflow,
    /// Both.
    All,
}

impl OutputType {
    /// Whether rows go to a logstore.
    pub fn has_logstore(self) -> bool {
        matches!(self, Self::Sls | Self::All)
    }

    /// Whether flows are re-exported.
    pub fn has_netflow(self) -> bool {
        matches!(self, Self::Netflow | Self::All)
    }
}

/// When merged flows leave the cache; both on the arrival clock.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Timers {
    active: Duration,
    inactive: Inactive,
}

/// How long a flow without new records is kept.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Inactive {
    /// Always as long.
    Fixed(Duration),
    /// As long as the exporter's own active timer asks for (P-612), at least this.
    Auto(Duration),
}

impl Inactive {
    /// The shortest a silent flow is kept.
    pub fn floor(self) -> Duration {
        match self {
            Self::Fixed(period) | Self::Auto(period) => period,
        }
    }
}

impl Timers {
    /// Timers within [`ACTIVE_S`] and [`INACTIVE_S`].
    ///
    /// # Errors
    /// A timer is out of range, or the inactive one is the longer.
    pub fn new(active: Duration, inactive: Inactive) -> Result<Self, Problem> {
        in_range("active-s", active, ACTIVE_S)?;
        in_range("inactive-s", inactive.floor(), INACTIVE_S)?;
        if inactive.floor() > active {
            let what = format!(
                "the inactive timer ({} s) is longer than the active timer ({} s)",
                inactive.floor().as_secs(),
                active.as_secs()
            );
            let advice = "the active timer would always end a flow first; lower the inactive timer";
            return Err(Problem::new("inactive-s", what, advice));
        }
        Ok(Self { active, inactive })
    }

    /// Longest a flow is merged before it leaves.
    pub fn active(&self) -> Duration {
        self.active
    }

    /// Longest a flow without new records is kept.
    pub fn inactive(&self) -> Inactive {
        self.inactive
    }
}

/// The flow log API's defaults, 300 and 15 s.
impl Default for Timers {
    fn default() -> Self {
        Self {
            active: Duration::from_secs(ACTIVE_DEFAULT_S),
            inactive: Inactive::Fixed(Duration::from_secs(INACTIVE_DEFAULT_S)),
        }
    }
}

/// A SAG or any other device that exports flows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Device {
    /// `Instance_id` of its rows; 1–128 characters. Both devices of a pair for
    /// high availability have the same one, each with a serial number.
    pub instance_id: String,
    /// Serial number: `snid` of its rows; 1–128 characters.
    pub snid: Option<String>,
    /// Account it belongs to: `ali-uid` of its rows; 1–128 characters.
    pub ali_uid: Option<String>,
    /// Where its datagrams come from; at least one.
    pub exporters: Vec<ExporterMatch>,
    /// Names of the flow logs it is bound to, at most [`ROUTES_MAX`].
    ///
    /// With none its flows are treated like unclaimed ones, but keep its ids.
    pub flow_logs: Vec<String>,
    /// What the flow log API shows and knows of it.
    pub card: Card,
}

/// What the flow log API shows and knows of a device.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Card {
    /// Name, at most 128 characters; may be empty.
    pub name: String,
    /// Region it is in; `None` is every region.
    pub region: Option<String>,
    /// Its part in a pair.
    pub role: Role,
    /// Whether it can have flow logs.
    pub support: Support,
}

/// Part of a device in a pair for high availability.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// There is no other.
    #[default]
    Single,
    /// The one that works.
    Active,
    /// The one that waits.
    Standby,
}

/// Whether a device can have flow logs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Support {
    /// It can.
    #[default]
    Full,
    /// No device of its model can.
    NoModel,
    /// Its edition cannot.
    NoEdition,
}

/// A set of exporters: a block of addresses, or one domain of it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ExporterMatch {
    /// Addresses of the exporters.
    pub prefix: Prefix,
    /// Observation Domain (v9: source id, v5: engine); `None` is every one.
    pub domain: Option<u32>,
}

/// What becomes of exporters that belong to no flow log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Unclaimed {
    /// Their records are counted and go nowhere.
    #[default]
    Ignore,
    /// They go to the flow log of this name.
    Take(String),
}

/// Seconds the active timer may have here; the flow log API is narrower.
pub const ACTIVE_S: (u64, u64) = (1, 6000);
/// Seconds the inactive timer may have here; the flow log API is narrower.
pub const INACTIVE_S: (u64, u64) = (1, 6000);
/// Seconds the active timer may have when set through the flow log API.
pub const API_ACTIVE_S: (u64, u64) = (60, 6000);
/// Seconds the inactive timer may have when set through the flow log API.
pub const API_INACTIVE_S: (u64, u64) = (10, 600);
/// The flow log API's default active timer.
pub const ACTIVE_DEFAULT_S: u64 = 300;
/// The flow log API's default inactive timer.
pub const INACTIVE_DEFAULT_S: u64 = 15;
/// Routes one record may take, so that one record costs a bounded number of cache entries.
pub const ROUTES_MAX: usize = 8;
/// Extra elements of one flow log: what a reader still takes in, far below a
/// Template's 16 370.
pub const EXTRA_MAX: usize = 64;

fn in_range(key: &str, period: Duration, (least, most): (u64, u64)) -> Result<(), Problem> {
    if (Duration::from_secs(least)..=Duration::from_secs(most)).contains(&period) {
        return Ok(());
    }
    let what = format!(
        "must be {least} to {most} s, not {} s",
        period.as_secs_f64()
    );
    Err(Problem::new(key, what, "300 and 15 s are what SAG uses"))
}
