//! The family's calls against its states.

mod listed;

use std::net::IpAddr;
use std::net::Ipv4Addr;

use super::*;
use crate::flowlog::NetflowVersion;
use crate::flowlog::OutputType;
use crate::flowlog::Role;

const HERE: Scope<'static> = Scope {
    account: "1234",
    region: "cn-shanghai",
};

/// A store with what its calls need.
struct World {
    store: Store,
    inventory: Inventory,
    quota: usize,
    may_reactivate: bool,
    destinations: Vec<Prefix>,
    seed: u64,
}

const OWN: &[SocketAddr] = &[SocketAddr::new(
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
    9995,
)];

impl World {
    fn new() -> Self {
        let gateway = |edit: fn(&mut Gateway)| {
            let mut gateway = Gateway {
                has_flow_logs: true,
                name: String::new(),
                region: None,
                account: None,
                lacking: Vec::new(),
            };
            edit(&mut gateway);
            gateway
        };
        let gateways = [
            ("sag-a", gateway(|_| {})),
            (
                "sag-b",
                gateway(|it| it.region = Some("cn-shanghai".to_owned())),
            ),
            (
                "sag-elsewhere",
                gateway(|it| it.region = Some("cn-beijing".to_owned())),
            ),
            (
                "sag-foreign",
                gateway(|it| it.account = Some("5678".to_owned())),
            ),
            ("sag-old", gateway(|it| it.has_flow_logs = false)),
            (
                "sag-pair",
                gateway(|it| it.lacking = vec![Role::Standby, Role::Active]),
            ),
            (
                "sag-standby",
                gateway(|it| it.lacking = vec![Role::Standby]),
            ),
        ];
        let gateways = gateways.map(|(id, gateway)| (id.to_owned(), gateway));
        Self {
            store: Store::default(),
            inventory: Inventory {
                gateways: gateways.into(),
                ..Inventory::default()
            },
            quota: 10,
            may_reactivate: false,
            destinations: Vec::new(),
            seed: 0,
        }
    }

    fn policy(&self) -> Policy<'_> {
        Policy {
            inventory: &self.inventory,
            quota: self.quota,
            may_reactivate: self.may_reactivate,
            destinations: &self.destinations,
            own: OWN,
        }
    }

    fn create(&mut self, given: &Given<'_>) -> Result<String, Refused> {
        let mut seed = self.seed;
        let mut random = |octets: &mut [u8]| {
            for octet in octets {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *octet = seed.to_be_bytes()[0];
            }
        };
        let mut ids = Ids::new(&mut random);
        let mut store = self.store.clone();
        let made = store.create(&HERE, given, "rg-x", &self.policy(), 7, &mut ids)?;
        let id = made.id.clone();
        (self.store, self.seed) = (store, seed);
        Ok(id)
    }

    fn modify(&mut self, id: &str, given: &Given<'_>) -> Result<(), Refused> {
        let mut store = self.store.clone();
        store.modify(&HERE, id, given, &self.policy())?;
        self.store = store;
        Ok(())
    }

    fn associate(&mut self, id: &str, gateway: &str) -> Result<(), Refused> {
        let mut store = self.store.clone();
        store.associate(&HERE, id, gateway, &self.policy())?;
        self.store = store;
        Ok(())
    }

    fn activate(&mut self, id: &str) -> Result<(), Refused> {
        let mut store = self.store.clone();
        store.activate(&HERE, id, &self.policy())?;
        self.store = store;
        Ok(())
    }

    fn log(&self, id: &str) -> &FlowLog {
        &self.store.flow_logs[id]
    }
}

fn sls<'a>() -> Given<'a> {
    Given {
        output_type: Some("sls"),
        project_name: Some("flow-proj"),
        logstore_name: Some("flows"),
        sls_region_id: Some("cn-shanghai"),
        ..Given::default()
    }
}

fn netflow<'a>() -> Given<'a> {
    Given {
        output_type: Some("netflow"),
        netflow_server_ip: Some("192.168.0.2"),
        ..Given::default()
    }
}

#[test]
fn a_new_flow_log_is_active_and_has_the_defaults() {
    let mut world = World::new();
    let id = world.create(&netflow()).unwrap();
    let log = world.log(&id);
    assert_eq!(log.id.strip_prefix("fl-").map(str::len), Some(18));
    assert!(log.is_active);
    assert_eq!(log.created_ms, 7);
    let attributes = &log.attributes;
    assert_eq!((attributes.active_s, attributes.inactive_s), (300, 15));
    assert_eq!(attributes.server_port, 9995);
    assert_eq!(attributes.version, NetflowVersion::V9);
    assert_eq!(attributes.name, "");
}

/// The seed's sample names a collector for an output that needs none.
#[test]
fn what_the_other_output_needs_is_kept() {
    let mut world = World::new();
    let given = Given {
        netflow_server_ip: Some("192.168.0.2"),
        netflow_server_port: Some("2055"),
        netflow_version: Some("V10"),
        ..sls()
    };
    let id = world.create(&given).unwrap();
    let attributes = &world.log(&id).attributes;
    assert_eq!(attributes.output, OutputType::Sls);
    assert_eq!(attributes.server_ip, Some([192, 168, 0, 2].into()));
    assert_eq!(
        (attributes.server_port, attributes.version),
        (2055, NetflowVersion::V10)
    );
}

/// What `all` outputs need, but for one parameter.
fn all_but<'a>(param: Param, value: Option<&'a str>) -> Given<'a> {
    let mut given = Given {
        output_type: Some("all"),
        netflow_server_ip: Some("192.168.0.2"),
        ..sls()
    };
    let changed = match param {
        Param::ActiveAging => &mut given.active_aging,
        Param::InactiveAging => &mut given.inactive_aging,
        Param::LogstoreName => &mut given.logstore_name,
        Param::NetflowServerIp => &mut given.netflow_server_ip,
        Param::NetflowServerPort => &mut given.netflow_server_port,
        Param::NetflowVersion => &mut given.netflow_version,
        Param::OutputType => &mut given.output_type,
        Param::ProjectName => &mut given.project_name,
        Param::SlsRegionId => &mut given.sls_region_id,
        Param::FlowLogId | Param::RegionId | Param::SmartAgId | Param::Status => unreachable!(),
    };
    *changed = value;
    given
}

#[test]
fn each_value_that_is_missing_or_none_has_its_error() {
    use Refused::{Illegal, Missing};
    let mut world = World::new();
    let mut refused = |param, value| world.create(&all_but(param, value)).unwrap_err();
    for (param, missing) in [
        (Param::ProjectName, &[None, Some("")][..]),
        (Param::LogstoreName, &[None, Some("")]),
        (Param::SlsRegionId, &[None, Some("")]),
        (Param::NetflowServerIp, &[None, Some("")]),
        (Param::NetflowServerPort, &[Some("")]),
        (Param::NetflowVersion, &[Some("")]),
    ] {
        for value in missing {
            assert_eq!(refused(param, *value), Missing(param), "{value:?}");
        }
    }
    for (param, illegal) in [
        (Param::OutputType, &["", "SLS", "kafka"][..]),
        (Param::ActiveAging, &["59", "6001", "1e2", "-60"]),
        (Param::InactiveAging, &["9", "601", "x"]),
        (Param::SlsRegionId, &["Shanghai", "cn shanghai"]),
        (
            Param::NetflowServerIp,
            &["host", "192.168.0.256", "192.168.0.2:9995"],
        ),
        (Param::NetflowServerPort, &["0", "65536", "x"]),
        (Param::NetflowVersion, &["v9", "V7"]),
    ] {
        for value in illegal {
            assert_eq!(refused(param, Some(*value)), Illegal(param), "{value}");
        }
    }
    assert_eq!(refused(Param::OutputType, None), Illegal(Param::OutputType));
    assert_eq!(
        refused(Param::ProjectName, Some("Flow_Proj")),
        Refused::Invalid
    );
}

#[test]
fn the_first_error_in_the_documented_order_counts() {
    let mut world = World::new();
    let aging = Given {
        project_name: None,
        ..all_but(Param::ActiveAging, Some("1"))
    };
    let refused = Err(Refused::Illegal(Param::ActiveAging));
    assert_eq!(world.create(&aging), refused);
    let project = Given {
        project_name: None,
        ..all_but(Param::NetflowVersion, Some("x"))
    };
    let refused = Err(Refused::Missing(Param::ProjectName));
    assert_eq!(world.create(&project), refused);
}

#[test]
fn texts_are_bounded_and_have_no_control_characters() {
    let mut world = World::new();
    let (name, description) = ("n".repeat(128), "d".repeat(256));
    let mut made = |name: &str, description: &str| {
        let given = Given {
            name: Some(name),
            description: Some(description),
            ..sls()
        };
        world.create(&given).map(|_| ())
    };
    assert_eq!(made(&name, &description), Ok(()));
    assert_eq!(made(&format!("{name}n"), ""), Err(Refused::Invalid));
    assert_eq!(made("", &format!("{description}d")), Err(Refused::Invalid));
    assert_eq!(made("\u{7}", ""), Err(Refused::Invalid));
}

/// `alicloud_smartag_flow_log` sends the whole set, empty where it has none.
#[test]
fn a_change_with_empty_texts_for_the_other_output_is_taken() {
    let mut world = World::new();
    let id = world.create(&netflow()).unwrap();
    let given = Given {
        active_aging: Some("600"),
        project_name: Some(""),
        logstore_name: Some(""),
        sls_region_id: Some(""),
        ..netflow()
    };
    world.modify(&id, &given).unwrap();
    assert_eq!(world.log(&id).attributes.active_s, 600);
}

#[test]
fn a_change_is_judged_with_what_was_there() {
    let mut world = World::new();
    let id = world.create(&netflow()).unwrap();
    let before = world.log(&id).clone();
    let to_sls = Given {
        output_type: Some("sls"),
        ..Given::default()
    };
    let refused = Err(Refused::Missing(Param::ProjectName));
    assert_eq!(world.modify(&id, &to_sls), refused);
    assert_eq!(*world.log(&id), before);
    let kept = Given {
        netflow_server_port: Some("2055"),
        ..Given::default()
    };
    world.modify(&id, &kept).unwrap();
    let attributes = &world.log(&id).attributes;
    assert_eq!(
        (attributes.server_port, attributes.output),
        (2055, OutputType::Netflow)
    );
}

/// The table of control-plane.md §8.
#[test]
fn each_call_does_in_each_state_what_the_table_says() {
    for (is_active, is_bound) in [(true, false), (true, true), (false, false), (false, true)] {
        let state = || {
            let mut world = World::new();
            let id = world.create(&netflow()).unwrap();
            if is_bound {
                world.associate(&id, "sag-a").unwrap();
            }
            if !is_active {
                world.store.deactivate(&HERE, &id).unwrap();
            }
            (world, id)
        };
        let when = |fails: bool, why| if fails { Err(why) } else { Ok(()) };
        let (mut world, id) = state();
        assert_eq!(world.activate(&id), when(is_active, Refused::State));
        let (mut world, id) = state();
        assert_eq!(
            world.store.deactivate(&HERE, &id),
            when(!is_active, Refused::State)
        );
        assert_eq!(world.store.bound_to(&id).count(), usize::from(is_bound));
        let (mut world, id) = state();
        assert_eq!(world.modify(&id, &netflow()), Ok(()));
        assert_eq!(world.associate(&id, "sag-b"), Ok(()));
        let (mut world, id) = state();
        let removed = world.store.disassociate(&HERE, &id, "sag-a");
        assert_eq!(removed, when(!is_bound, Refused::NoGateway));
        let (mut world, id) = state();
        assert_eq!(
            world.store.delete(&HERE, &id),
            when(is_bound, Refused::InUse)
        );
        assert_eq!(world.store.flow_logs().count(), usize::from(is_bound));
    }
}

#[test]
fn flows_are_sent_only_where_they_may() {
    let mut world = World::new();
    let to = |ip| Given {
        netflow_server_ip: Some(ip),
        ..netflow()
    };
    let illegal = Err::<String, _>(Refused::Illegal(Param::NetflowServerIp));
    for refused in [
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "fe80::1",
    ] {
        assert_eq!(world.create(&to(refused)), illegal, "{refused}");
    }
    world.destinations = vec!["198.51.100.0/24".parse().unwrap()];
    assert_eq!(world.create(&to("192.168.0.2")), illegal);
    // Its own socket means that nothing is sent.
    let id = world.create(&to("192.0.2.7")).unwrap();
    assert_eq!(world.modify(&id, &to("198.51.100.7")), Ok(()));
    assert_eq!(world.modify(&id, &to("198.51.101.7")), illegal.map(|_| ()));
    let kept = Given {
        netflow_server_ip: Some("198.51.101.7"),
        ..sls()
    };
    assert_eq!(world.modify(&id, &kept), Ok(()));
}

#[test]
fn terraform_may_activate_what_is_active() {
    let mut world = World::new();
    let id = world.create(&netflow()).unwrap();
    world.may_reactivate = true;
    assert_eq!(world.activate(&id), Ok(()));
}

#[test]
fn a_gateway_has_one_flow_log() {
    let mut world = World::new();
    let (one, other) = (
        world.create(&netflow()).unwrap(),
        world.create(&sls()).unwrap(),
    );
    assert_eq!(world.associate(&one, "sag-a"), Ok(()));
    assert_eq!(world.associate(&one, "sag-a"), Ok(()));
    assert_eq!(
        world.associate(&other, "sag-a"),
        Err(Refused::BoundElsewhere)
    );
    assert_eq!(
        world.store.bindings().collect::<Vec<_>>(),
        [("sag-a", &*one)]
    );
}

#[test]
fn gateways_without_flow_logs_are_not_bound() {
    let mut world = World::new();
    let id = world.create(&netflow()).unwrap();
    for (gateway, refused) in [
        ("sag-none", Refused::NoGateway),
        ("sag-elsewhere", Refused::NoGateway),
        ("sag-foreign", Refused::NoGateway),
        ("sag-old", Refused::Unsupported),
        ("sag-pair", Refused::Lacking(Role::Active)),
        ("sag-standby", Refused::Lacking(Role::Standby)),
    ] {
        assert_eq!(world.associate(&id, gateway), Err(refused), "{gateway}");
    }
}

#[test]
fn a_gateway_that_lost_its_flow_logs_keeps_one_from_starting() {
    let mut world = World::new();
    let id = world.create(&netflow()).unwrap();
    world.associate(&id, "sag-a").unwrap();
    world.store.deactivate(&HERE, &id).unwrap();
    world.inventory.gateways.get_mut("sag-a").unwrap().lacking = vec![Role::Single];
    assert_eq!(world.activate(&id), Err(Refused::Lacking(Role::Single)));
    // One that left the inventory does not: nothing comes from it.
    world.inventory.gateways.remove("sag-a");
    assert_eq!(world.activate(&id), Ok(()));
    assert_eq!(world.store.disassociate(&HERE, &id, "sag-a"), Ok(()));
}

#[test]
fn flow_logs_of_another_region_or_account_are_not_there() {
    let mut world = World::new();
    let id = world.create(&netflow()).unwrap();
    for (account, region) in [("1234", "cn-beijing"), ("", "cn-shanghai")] {
        let scope = Scope::new(account, region).unwrap();
        assert_eq!(world.store.delete(&scope, &id), Err(Refused::NoFlowLog));
        let page = Page::new(None, None).unwrap();
        assert_eq!(
            world
                .store
                .describe(
                    &scope,
                    &world.inventory.operators.sag,
                    &Filter::default(),
                    page
                )
                .total,
            0
        );
    }
    let illegal = Scope::new("", "Shanghai").map(|_| ());
    assert_eq!(illegal, Err(Refused::Illegal(Param::RegionId)));
}

#[test]
fn a_caller_without_an_account_has_the_gateways_of_all() {
    let world = World::new();
    let free = |account| {
        let scope = Scope::new(account, "cn-shanghai").unwrap();
        let free = world.store.describe_unbound(&scope, &world.inventory);
        free.iter().any(|(id, _)| *id == "sag-foreign")
    };
    assert_eq!([free(""), free("5678"), free("1234")], [true, true, false]);
}

#[test]
fn no_more_flow_logs_than_the_quota_are_made() {
    let mut world = World::new();
    world.quota = 2;
    let first = world.create(&netflow()).unwrap();
    world.create(&netflow()).unwrap();
    assert_eq!(world.create(&netflow()), Err(Refused::Quota));
    world.store.delete(&HERE, &first).unwrap();
    assert!(world.create(&netflow()).is_ok());
}

#[test]
fn a_store_is_the_same_after_it_was_written_and_read() {
    let mut world = World::new();
    let id = world.create(&sls()).unwrap();
    world.associate(&id, "sag-a").unwrap();
    let written = serde_json::to_string(&world.store).unwrap();
    assert_eq!(
        serde_json::from_str::<Store>(&written).unwrap(),
        world.store
    );
}
