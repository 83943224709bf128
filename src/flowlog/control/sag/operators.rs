//! Flow logs of the configuration: seen through the API, and changed in the
//! file only.

use std::collections::BTreeSet;

use super::Attributes;
use super::FlowLog;
use crate::flowlog;
use crate::flowlog::Definition;
use crate::flowlog::NETFLOW_PORT;
use crate::flowlog::NetflowVersion;
use crate::flowlog::control::Configured;

/// Flow logs of the configuration, which every account sees in every region.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Operators {
    /// Their ids are their names.
    configured: Configured<FlowLog>,
    /// Gateways and the flow logs they are bound to: a gateway may have several.
    bindings: BTreeSet<(String, String)>,
}

impl Operators {
    /// Those of a definition.
    pub fn new(definition: &Definition) -> Self {
        let bindings = definition.devices.iter().flat_map(|device| {
            let names = device.flow_logs.iter();
            names.map(|name| (device.instance_id.clone(), name.clone()))
        });
        Self {
            configured: Configured::by_name(definition, shown),
            bindings: bindings.collect(),
        }
    }

    /// Whether a flow log is one of these.
    pub fn has(&self, id: &str) -> bool {
        self.configured.has(id)
    }

    /// Whether a gateway is bound to any.
    pub fn binds(&self, gateway: &str) -> bool {
        self.bindings.iter().any(|(bound, _)| bound == gateway)
    }

    /// All, in the order of their ids.
    pub fn flow_logs(&self) -> impl Iterator<Item = &FlowLog> {
        self.configured.flow_logs()
    }

    /// Gateways bound to one, in the order of their ids.
    pub fn bound_to<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        let bound = self.bindings.iter().filter(move |(_, bound)| bound == id);
        bound.map(|(gateway, _)| gateway.as_str())
    }
}

/// As far as the API has words for it: the first collector, if that has an
/// address.
fn shown(log: &flowlog::FlowLog) -> FlowLog {
    let target = log.netflow.first().map(|output| &output.target);
    let server = target.and_then(|target| target.server.address());
    let version = target.map_or_else(NetflowVersion::default, |target| target.version);
    FlowLog {
        id: log.name.clone(),
        account: String::new(),
        region: String::new(),
        resource_group: String::new(),
        created_ms: 0,
        is_active: true,
        attributes: Attributes {
            name: log.name.clone(),
            description: log.description.clone(),
            output: log.output,
            active_s: log.timers.active().as_secs(),
            inactive_s: log.timers.inactive().floor().as_secs(),
            server_ip: server.map(|server| server.ip()),
            server_port: server.map_or(NETFLOW_PORT, |server| server.port()),
            version,
            project: log.project.clone(),
            logstore: log.logstore.clone(),
            sls_region: log.region.clone().unwrap_or_default(),
        },
    }
}
