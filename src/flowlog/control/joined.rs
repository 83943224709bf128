//! The routing that the APIs' flow logs stand for.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use super::State;
use super::ecr;
use super::sag;
use super::vpc;
use crate::flowlog::Attachment;
use crate::flowlog::AttachmentKind;
use crate::flowlog::Definition;
use crate::flowlog::FlowLog;
use crate::flowlog::INACTIVE_DEFAULT_S;
use crate::flowlog::Inactive;
use crate::flowlog::Naming;
use crate::flowlog::NetflowOutput;
use crate::flowlog::NetflowTarget;
use crate::flowlog::Server;
use crate::flowlog::Timers;
use crate::flowlog::check::DESCRIPTION_MAX;

impl State {
    /// What an operator defined, and with it what the APIs have made.
    ///
    /// A flow log is named by its id, and is not there while the operator has
    /// one of that name: so a file can take it over. Only an active one has
    /// routes; those of a gateway that the inventory lost come back with it.
    pub fn joined_to(&self, operators: &Definition) -> Definition {
        let names = operators.flow_logs.iter().map(|log| log.name.as_str());
        let names: BTreeSet<_> = names.collect();
        let mut joined = operators.clone();
        self.join_gateways(&mut joined, &names);
        self.join_routers(&mut joined, &names);
        self.join_vpcs(&mut joined, &names);
        joined
    }

    fn join_gateways(&self, joined: &mut Definition, taken: &BTreeSet<&str>) {
        let made = self.sag.flow_logs().filter(|log| !taken.contains(&*log.id));
        joined.flow_logs.extend(made.map(of_gateways));
        let bindings = self.sag.active_bindings();
        for (gateway, id) in bindings.filter(|(_, id)| !taken.contains(id)) {
            let devices = joined.devices.iter_mut();
            for device in devices.filter(|device| device.instance_id == gateway) {
                device.flow_logs.push(id.to_owned());
            }
        }
    }

    fn join_routers(&self, joined: &mut Definition, taken: &BTreeSet<&str>) {
        for made in self.ecr.flow_logs().filter(|log| !taken.contains(&*log.id)) {
            joined.flow_logs.push(of_router(made));
            let is_its = |it: &Attachment| {
                it.kind == AttachmentKind::Vbr
                    && it.id == made.attributes.vbr
                    && it.network.as_ref() == Some(&made.router)
            };
            if made.is_active {
                bind(joined, &made.id, is_its);
            }
        }
    }

    fn join_vpcs(&self, joined: &mut Definition, taken: &BTreeSet<&str>) {
        let project = joined.cls_project.clone();
        let project = project.as_deref().unwrap_or(CLS_PROJECT);
        for made in self.vpc.flow_logs().filter(|log| !taken.contains(&*log.id)) {
            joined.flow_logs.push(of_vpc(made, project));
            if made.is_enabled {
                bind(joined, &made.id, |attachment| made.covers(attachment));
            }
        }
    }
}

/// Binds all attachments that are meant to a flow log.
fn bind(joined: &mut Definition, id: &str, is_meant: impl Fn(&Attachment) -> bool) {
    let attachments = joined.attachments.iter_mut();
    for attachment in attachments.filter(|it| is_meant(it)) {
        attachment.flow_logs.push(id.to_owned());
    }
}

fn of_gateways(made: &sag::FlowLog) -> FlowLog {
    let attributes = &made.attributes;
    let mut log = FlowLog::new(&made.id, "", "");
    log.description.clone_from(&attributes.description);
    log.output = attributes.output;
    if log.output.has_logstore() {
        log.project.clone_from(&attributes.project);
        log.logstore.clone_from(&attributes.logstore);
        log.region = Some(attributes.sls_region.clone());
    }
    if log.output.has_netflow()
        && let Some(ip) = attributes.server_ip
    {
        let server = Server::Address((ip, attributes.server_port).into());
        let target = NetflowTarget::new(server, attributes.version);
        log.netflow = vec![NetflowOutput {
            target,
            filter: None,
        }];
    }
    log.timers = timers(attributes.active_s, attributes.inactive_s);
    log
}

/// The API lets the inactive timer be the longer one, which then never ends a
/// flow.
fn timers(active_s: u64, inactive_s: u64) -> Timers {
    let active = Duration::from_secs(active_s);
    let inactive = Duration::from_secs(inactive_s.min(active_s));
    Timers::new(active, Inactive::Fixed(inactive)).unwrap_or_default()
}

/// What is sampled is said in its logs; an exporter that knows better is
/// believed.
fn of_router(made: &ecr::FlowLog) -> FlowLog {
    let attributes = &made.attributes;
    let mut log = FlowLog::new(&made.id, &attributes.project, &attributes.logstore);
    log.description.clone_from(&attributes.description);
    let region = Some(attributes.sls_region.clone());
    log.region = region.filter(|region| !region.is_empty());
    log.naming = Naming::Vpc;
    log.fields = vec!["sampling".to_owned()];
    log.timers = timers(attributes.interval_s.into(), INACTIVE_DEFAULT_S);
    log.one_in = NonZeroU32::new(attributes.one_in);
    log
}

/// A topic of CLS is a logstore of one project. Its region is none of the log
/// service's.
fn of_vpc(made: &vpc::FlowLog, project: &str) -> FlowLog {
    let attributes = &made.attributes;
    let logstore = attributes.topic.to_ascii_lowercase();
    let mut log = FlowLog::new(&made.id, project, &logstore);
    log.description = shortened(&attributes.description);
    log.naming = Naming::Vpc;
    log.traffic = attributes.traffic;
    if let Some(period_s) = attributes.period_s {
        log.timers = timers(period_s.into(), INACTIVE_DEFAULT_S);
    }
    log
}

/// This API allows longer descriptions than others do.
fn shortened(description: &str) -> String {
    description.chars().take(DESCRIPTION_MAX).collect()
}

/// What stands for Tencent Cloud's log service, if the operator names nothing.
const CLS_PROJECT: &str = "tencent-cls";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::flowlog::Device;
    use crate::flowlog::ExporterMatch;
    use crate::flowlog::NetflowVersion;
    use crate::flowlog::OutputType;
    use crate::flowlog::Prefix;
    use crate::flowlog::RoutingTable;
    use crate::flowlog::Traffic;
    use crate::flowlog::Verdict;
    use crate::flowlog::Vpc;
    use crate::flowlog::control::Ids;
    use crate::flowlog::control::Inventory;
    use crate::flowlog::control::sag::Given;
    use crate::flowlog::control::sag::Policy;
    use crate::flowlog::control::sag::Scope;

    const HERE: Scope<'static> = Scope {
        account: "",
        region: "cn-shanghai",
    };

    fn operators() -> Definition {
        let device = |snid: &str, exporter: [u8; 4]| Device {
            instance_id: "sag-a".to_owned(),
            snid: Some(snid.to_owned()),
            exporters: vec![ExporterMatch {
                prefix: Prefix::around(exporter.into(), 32),
                domain: None,
            }],
            ..Device::default()
        };
        Definition {
            devices: vec![device("one", [192, 0, 2, 1]), device("two", [192, 0, 2, 2])],
            ..Definition::default()
        }
    }

    fn made(given: &Given<'_>) -> (State, String) {
        let definition = operators();
        let inventory = Inventory::new(&definition);
        let policy = Policy {
            inventory: &inventory,
            quota: 1,
            may_reactivate: false,
            destinations: &[],
            own: &[],
        };
        let mut state = State::default();
        let mut random = |octets: &mut [u8]| octets.fill(1);
        let mut ids = Ids::new(&mut random);
        let log = state.sag.create(&HERE, given, "rg", &policy, 0, &mut ids);
        let id = log.unwrap().id.clone();
        let bound = state.sag.associate(&HERE, &id, "sag-a", &policy);
        bound.unwrap();
        (state, id)
    }

    fn all<'a>() -> Given<'a> {
        Given {
            output_type: Some("all"),
            active_aging: Some("60"),
            inactive_aging: Some("600"),
            netflow_server_ip: Some("192.0.2.9"),
            netflow_server_port: Some("2055"),
            netflow_version: Some("V10"),
            project_name: Some("flow-proj"),
            logstore_name: Some("flows"),
            sls_region_id: Some("cn-hangzhou"),
            ..Given::default()
        }
    }

    #[test]
    fn both_devices_of_a_pair_have_the_route_while_the_flow_log_is_active() {
        let (mut state, id) = made(&all());
        let table = RoutingTable::compile(&state.joined_to(&operators()), None).unwrap();
        for (exporter, snid) in [([192, 0, 2, 1], "one"), ([192, 0, 2, 2], "two")] {
            let Verdict::Routes(&[route]) = table.verdict(exporter.into(), 0) else {
                panic!("no route of {snid}");
            };
            let route = table.route(route).unwrap();
            assert_eq!(route.flow_log.name, id);
            assert_eq!(route.instance_id.as_deref(), Some("sag-a"));
            assert_eq!(route.snid.as_deref(), Some(snid));
        }
        state.sag.deactivate(&HERE, &id).unwrap();
        let stopped = RoutingTable::compile(&state.joined_to(&operators()), Some(&table)).unwrap();
        let exporter = [192, 0, 2, 1].into();
        assert_eq!(stopped.verdict(exporter, 0), Verdict::Unclaimed);
    }

    #[test]
    fn a_flow_log_does_what_the_api_was_told() {
        let (state, id) = made(&all());
        let joined = state.joined_to(&operators());
        let log = joined.flow_logs.last().unwrap();
        assert_eq!(log.name, id);
        assert_eq!(log.output, OutputType::All);
        assert_eq!((&*log.project, &*log.logstore), ("flow-proj", "flows"));
        assert_eq!(log.region.as_deref(), Some("cn-hangzhou"));
        let minute = Duration::from_secs(60);
        assert_eq!(
            log.timers,
            Timers::new(minute, Inactive::Fixed(minute)).unwrap()
        );
        let targets: Vec<_> = log.netflow.iter().map(|it| it.target.clone()).collect();
        let server = "192.0.2.9:2055".parse().unwrap();
        assert_eq!(targets, [NetflowTarget::new(server, NetflowVersion::V10)]);
    }

    #[test]
    fn what_the_output_does_not_need_has_no_effect() {
        let given = Given {
            output_type: Some("netflow"),
            ..all()
        };
        let log = made(&given).0.joined_to(&operators()).flow_logs.remove(0);
        assert_eq!((&*log.project, log.region), ("", None));
        let given = Given {
            output_type: Some("sls"),
            ..all()
        };
        let log = made(&given).0.joined_to(&operators()).flow_logs.remove(0);
        assert!(log.netflow.is_empty());
    }

    /// An attachment of 192.0.2.1, interface 7.
    fn attached(id: &str, kind: AttachmentKind, network: &str) -> Attachment {
        let exporter = ExporterMatch {
            prefix: Prefix::around([192, 0, 2, 1].into(), 32),
            domain: None,
        };
        Attachment {
            id: id.to_owned(),
            kind,
            network: Some(network.to_owned()),
            exporters: vec![exporter],
            interfaces: vec![7],
            ..Attachment::default()
        }
    }

    fn state(made: serde_json::Value) -> State {
        serde_json::from_value(made).unwrap()
    }

    #[test]
    fn a_border_routers_flow_log_samples_and_merges_as_told() {
        let of = |is_active: bool| {
            state(json!({"ecr": {"flow_logs": {"ecr-flog-1": {
                "id": "ecr-flog-1", "account": "", "router": "ecr-1", "created_ms": 1,
                "is_active": is_active,
                "attributes": {
                    "name": "n", "description": "d", "vbr": "vbr-1", "project": "flow-proj",
                    "logstore": "flows", "sls_region": "", "resource_group": "rg",
                    "interval_s": 60, "one_in": 2048, "tags": [],
                },
            }}}}))
        };
        let definition = Definition {
            attachments: vec![
                attached("vbr-1", AttachmentKind::Vbr, "ecr-1"),
                attached("vbr-2", AttachmentKind::Vbr, "ecr-1"),
            ],
            ..Definition::default()
        };
        let joined = of(true).joined_to(&definition);
        let log = &joined.flow_logs[0];
        let places = (log.project.as_str(), log.logstore.as_str(), &log.region);
        assert_eq!(places, ("flow-proj", "flows", &None));
        assert_eq!(log.one_in, NonZeroU32::new(2048));
        assert_eq!(log.timers, timers(60, 15));
        assert_eq!(
            (log.naming, &log.fields),
            (Naming::Vpc, &vec!["sampling".to_owned()])
        );
        assert_eq!(joined.attachments[0].flow_logs, ["ecr-flog-1"]);
        assert_eq!(joined.attachments[1].flow_logs, [""; 0]);
        let stopped = of(false).joined_to(&definition);
        assert_eq!(
            (stopped.flow_logs.len(), &stopped.attachments),
            (1, &definition.attachments)
        );
    }

    #[test]
    fn a_private_networks_flow_log_has_all_that_it_covers() {
        let of = |kind: &str, id: &str| {
            state(json!({"vpc": {"flow_logs": {"fl-1": {
                "id": "fl-1", "account": "", "created_ms": 1, "is_enabled": true,
                "attributes": {
                    "vpc": "vpc-1", "name": "n", "description": "d".repeat(512),
                    "resource": {"kind": kind, "id": id}, "traffic": "reject",
                    "topic": "Topic-1", "topic_region": "ap-guangzhou", "period_s": 600,
                    "tags": [],
                },
            }}}}))
        };
        let mut definition = Definition {
            cls_project: Some("topics".to_owned()),
            attachments: vec![
                attached("eni-1", AttachmentKind::NetworkInterface, "vpc-1"),
                attached("nat-1", AttachmentKind::Nat, "vpc-1"),
                attached("eni-2", AttachmentKind::NetworkInterface, "vpc-2"),
            ],
            ..Definition::default()
        };
        let bound = |kind: &str, id: &str| {
            let joined = of(kind, id).joined_to(&definition);
            let all = joined.attachments.into_iter();
            let bound = all.filter(|it| it.flow_logs == ["fl-1"]);
            bound.map(|it| it.id).collect::<Vec<_>>()
        };
        assert_eq!(bound("network-interface", "eni-2"), ["eni-2"]);
        assert_eq!(bound("vpc", "vpc-1"), ["eni-1"]);
        assert_eq!(bound("nat", "nat-1"), ["nat-1"]);
        let joined = of("vpc", "vpc-1").joined_to(&definition);
        let log = &joined.flow_logs[0];
        let places = (log.project.as_str(), log.logstore.as_str(), &log.region);
        assert_eq!(places, ("topics", "topic-1", &None));
        assert_eq!(
            (log.traffic, log.timers),
            (Traffic::Reject, timers(600, 15))
        );
        RoutingTable::compile(&joined, None).unwrap_err();
        definition.vpcs = ["vpc-1", "vpc-2"]
            .map(|id| Vpc {
                id: id.to_owned(),
                ..Vpc::default()
            })
            .into();
        let joined = of("vpc", "vpc-1").joined_to(&definition);
        RoutingTable::compile(&joined, None).unwrap();
    }

    #[test]
    fn a_file_takes_over_what_it_defines() {
        let (state, id) = made(&all());
        let mut definition = operators();
        definition
            .flow_logs
            .push(FlowLog::new(&id, "mine", "flows"));
        let joined = state.joined_to(&definition);
        assert_eq!(joined, definition);
    }
}
