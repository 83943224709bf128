//! The family's calls against its states.

mod configured;
mod listed;
mod model;
mod values;

use super::*;
use crate::flowlog::AttachmentKind;
use crate::flowlog::Traffic;

const OURS: Scope<'static> = Scope { account: "1234" };
const ANYBODYS: Scope<'static> = Scope { account: "" };

/// A store with what its calls need.
struct World {
    store: Store,
    inventory: Inventory,
    quota: usize,
    now_ms: u64,
    seed: u64,
}

/// Two networks with what is attached to them, one of which is another's.
fn inventory() -> Inventory {
    let vpc = |id: &str, legacy_id: Option<&str>, account: Option<&str>| Vpc {
        id: id.to_owned(),
        legacy_id: legacy_id.map(str::to_owned),
        account: account.map(str::to_owned),
        subnets: vec![format!("subnet-of-{id}")],
    };
    let vpcs = [
        vpc("vpc-a", Some("gz_vpc_266"), None),
        vpc("vpc-b", None, Some("1234")),
        vpc("vpc-foreign", None, Some("5678")),
    ];
    let attachments = [
        attachment("eni-a", AttachmentKind::NetworkInterface, Some("vpc-a")),
        attachment("eni-b", AttachmentKind::NetworkInterface, Some("vpc-b")),
        Attachment {
            account: Some("5678".to_owned()),
            ..attachment("eni-c", AttachmentKind::NetworkInterface, Some("vpc-a"))
        },
        attachment("nat-a", AttachmentKind::Nat, Some("vpc-a")),
        attachment("dcg-a", AttachmentKind::Dcg, Some("vpc-a")),
        attachment("ccn-a", AttachmentKind::Ccn, None),
        attachment("vbr-a", AttachmentKind::Vbr, Some("ecr-a")),
    ];
    Inventory {
        vpcs: vpcs.map(|vpc| (vpc.id.clone(), vpc)).into(),
        attachments: attachments.map(|it| (it.id.clone(), it)).into(),
        ..Inventory::default()
    }
}

fn attachment(id: &str, kind: AttachmentKind, network: Option<&str>) -> Attachment {
    Attachment {
        id: id.to_owned(),
        kind,
        network: network.map(str::to_owned),
        ..Attachment::default()
    }
}

impl World {
    fn new() -> Self {
        Self {
            store: Store::default(),
            inventory: inventory(),
            quota: 10,
            now_ms: 0,
            seed: 0,
        }
    }

    /// Each is a millisecond younger than the one before.
    fn create_as(&mut self, scope: Scope<'_>, given: &Given<'_>) -> Result<String, Refused> {
        let policy = Policy {
            inventory: &self.inventory,
            quota: self.quota,
            per_resource: 2,
        };
        let seed = &mut self.seed;
        let mut random = |octets: &mut [u8]| {
            for octet in octets {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *octet = seed.to_be_bytes()[0];
            }
        };
        let mut ids = Ids::new(&mut random);
        let before = self.store.clone();
        let made = self
            .store
            .create(&scope, given, &policy, self.now_ms, &mut ids);
        let made = made.map(|log| log.id.clone());
        if made.is_err() {
            assert_eq!(self.store, before, "{given:?}");
        }
        self.now_ms += 1;
        made
    }

    fn create(&mut self, given: &Given<'_>) -> Result<String, Refused> {
        self.create_as(OURS, given)
    }

    fn modify(&mut self, id: &str, given: &Given<'_>) -> Result<(), Refused> {
        self.store.modify(&OURS, id, given, &self.inventory)
    }

    fn delete(&mut self, vpc: Option<&str>, id: &str) -> Result<(), Refused> {
        self.store.delete(&OURS, vpc, id, &self.inventory)
    }

    fn log(&self, id: &str) -> &FlowLog {
        &self.store.flow_logs[id]
    }
}

/// A flow log of `eni-a`.
fn interface(name: &str) -> Given<'_> {
    Given {
        vpc_id: Some("vpc-a"),
        name: Some(name),
        resource_type: Some("NETWORKINTERFACE"),
        resource_id: Some("eni-a"),
        traffic_type: Some("ALL"),
        cloud_log_id: Some("Topic-1"),
        ..Given::default()
    }
}

/// A flow log of `eni-a`, with something else about it.
fn with<'a>(edit: impl FnOnce(&mut Given<'a>)) -> Given<'a> {
    let mut given = interface("n");
    edit(&mut given);
    given
}

/// A flow log of a Cloud Connect Network.
fn network<'a>() -> Given<'a> {
    Given {
        vpc_id: None,
        resource_type: Some("CCN"),
        resource_id: Some("ccn-a"),
        ..interface("n")
    }
}

#[test]
fn what_is_to_be_logged_has_to_be_there() {
    let eni = Refused::NoAttachment(AttachmentKind::NetworkInterface);
    for (vpc, kind, id, refused) in [
        ("vpc-none", "NETWORKINTERFACE", "eni-a", Refused::NoVpc),
        ("vpc-foreign", "VPC", "vpc-foreign", Refused::NoVpc),
        ("vpc-a", "NETWORKINTERFACE", "eni-none", eni.clone()),
        ("vpc-a", "NETWORKINTERFACE", "eni-b", eni.clone()),
        ("vpc-a", "NETWORKINTERFACE", "eni-c", eni.clone()),
        ("vpc-a", "NETWORKINTERFACE", "nat-a", eni),
        (
            "vpc-a",
            "NAT",
            "eni-a",
            Refused::NoAttachment(AttachmentKind::Nat),
        ),
        (
            "vpc-b",
            "DCG",
            "dcg-a",
            Refused::NoAttachment(AttachmentKind::Dcg),
        ),
        (
            "",
            "CCN",
            "ccn-none",
            Refused::NoAttachment(AttachmentKind::Ccn),
        ),
        ("vpc-a", "SUBNET", "subnet-of-vpc-b", Refused::NoSubnet),
        ("vpc-a", "VPC", "vpc-b", Refused::NoVpc),
    ] {
        let given = Given {
            vpc_id: Some(vpc),
            resource_type: Some(kind),
            resource_id: Some(id),
            ..interface("n")
        };
        assert_eq!(
            World::new().create(&given),
            Err(refused),
            "{vpc} {kind} {id}"
        );
    }
}

#[test]
fn a_network_may_be_named_by_its_older_id() {
    let mut world = World::new();
    let given = Given {
        vpc_id: Some("gz_vpc_266"),
        resource_type: Some("VPC"),
        resource_id: Some("gz_vpc_266"),
        ..interface("n")
    };
    let id = world.create(&given).unwrap();
    let attributes = &world.log(&id).attributes;
    assert_eq!(attributes.vpc.as_deref(), Some("vpc-a"));
    assert_eq!(attributes.resource.id, "vpc-a");
    world.delete(Some("gz_vpc_266"), &id).unwrap();
}

#[test]
fn a_caller_without_an_account_has_the_resources_of_all() {
    let mut world = World::new();
    let given = Given {
        vpc_id: Some("vpc-foreign"),
        resource_type: Some("SUBNET"),
        resource_id: Some("subnet-of-vpc-foreign"),
        ..interface("n")
    };
    assert_eq!(world.create(&given), Err(Refused::NoVpc));
    let id = world.create_as(ANYBODYS, &given).unwrap();
    assert_eq!(world.log(&id).account, "");
    let not_there = Err(Refused::NoFlowLog(id.clone()));
    assert_eq!(
        world.store.enable(&OURS, &[&id], false, &world.inventory),
        not_there
    );
}

#[test]
fn names_and_numbers_are_limited() {
    let mut world = World::new();
    world.create(&interface("one")).unwrap();
    assert_eq!(world.create(&interface("one")), Err(Refused::NameTaken));
    // Of another account it is another name, of the same resource.
    world.create_as(ANYBODYS, &interface("one")).unwrap();
    assert_eq!(world.create(&interface("two")), Err(Refused::PerResource));
    world.quota = 2;
    world.create(&network()).unwrap();
    let given = Given {
        resource_type: Some("NAT"),
        resource_id: Some("nat-a"),
        ..interface("three")
    };
    assert_eq!(world.create(&given), Err(Refused::Quota));
}

#[test]
fn a_change_is_of_what_is_given() {
    let mut world = World::new();
    let one = world.create(&interface("one")).unwrap();
    let two = world.create(&network()).unwrap();
    let change = |name, description, period| Given {
        vpc_id: Some("vpc-a"),
        name,
        description,
        period,
        ..Given::default()
    };
    world.modify(&one, &change(None, Some("d"), None)).unwrap();
    assert_eq!(world.log(&one).attributes.description, "d");
    world
        .modify(&one, &change(Some("one"), Some(""), Some("")))
        .unwrap();
    let attributes = &world.log(&one).attributes;
    assert_eq!((&*attributes.name, &*attributes.description), ("one", ""));
    let before = world.store.clone();
    for (id, given, refused) in [
        (
            &one,
            change(Some("n"), Some("lost"), None),
            Refused::NameTaken,
        ),
        (
            &one,
            change(Some(""), None, None),
            Refused::Malformed(Param::FlowLogName),
        ),
        (
            &one,
            change(None, None, Some("60")),
            Refused::Range(Param::Period),
        ),
        (&two, change(Some("x"), None, None), Refused::NoVpcNeeded),
        (
            &one,
            Given {
                vpc_id: None,
                ..change(Some("x"), None, None)
            },
            Refused::Missing(Param::VpcId),
        ),
        (
            &one,
            Given {
                vpc_id: Some("vpc-b"),
                ..change(Some("x"), None, None)
            },
            Refused::NoFlowLog(one.clone()),
        ),
        (
            &one,
            Given {
                vpc_id: Some("vpc-c"),
                ..change(Some("x"), None, None)
            },
            Refused::NoVpc,
        ),
    ] {
        assert_eq!(world.modify(id, &given), Err(refused), "{given:?}");
        assert_eq!(world.store, before);
    }
    let period = Given {
        vpc_id: None,
        ..change(None, None, Some("600"))
    };
    world.modify(&two, &period).unwrap();
    assert_eq!(world.log(&two).attributes.period_s, Some(600));
}

#[test]
fn flow_logs_are_started_and_stopped_all_or_none() {
    let mut world = World::new();
    let one = world.create(&interface("one")).unwrap();
    let two = world.create(&interface("two")).unwrap();
    let both = [one.as_str(), &two];
    assert_eq!(
        world.store.enable(&OURS, &both, true, &world.inventory),
        Ok(false)
    );
    let none = Refused::NoFlowLog("fl-none".to_owned());
    let with_none = [one.as_str(), "fl-none"];
    assert_eq!(
        world
            .store
            .enable(&OURS, &with_none, false, &world.inventory),
        Err(none)
    );
    assert!(world.log(&one).is_enabled);
    assert_eq!(
        world.store.enable(&OURS, &both, false, &world.inventory),
        Ok(true)
    );
    assert!(!world.log(&one).is_enabled && !world.log(&two).is_enabled);
    assert_eq!(
        world.store.enable(&OURS, &both, false, &world.inventory),
        Ok(false)
    );
    let many = [one.as_str(); 101];
    assert_eq!(
        world.store.enable(&OURS, &many, true, &world.inventory),
        Err(Refused::TooMany)
    );
    assert_eq!(
        world
            .store
            .enable(&OURS, &many[..100], true, &world.inventory),
        Ok(true)
    );
}

#[test]
fn what_the_inventory_lost_can_still_be_removed() {
    let mut world = World::new();
    let one = world.create(&interface("one")).unwrap();
    let two = world.create(&network()).unwrap();
    world.inventory = Inventory::default();
    assert_eq!(world.delete(Some("vpc-b"), &one), Err(Refused::NoVpc));
    world.delete(Some("vpc-a"), &one).unwrap();
    world.delete(None, &two).unwrap();
    assert_eq!(world.store, Store::default());
}

#[test]
fn flow_logs_go_with_their_network_interfaces() {
    let mut world = World::new();
    let one = world.create(&interface("one")).unwrap();
    let two = world.create(&network()).unwrap();
    assert_eq!(world.store.forget(&world.inventory), [""; 0]);
    assert_eq!(world.store.forget(&Inventory::default()), [one]);
    assert_eq!(world.store.flow_logs().next().unwrap().id, two);
}

#[test]
fn a_resource_is_what_is_attached_to_it() {
    let mut world = World::new();
    let mut log = |scope, kind, id| {
        let given = Given {
            vpc_id: Some(if kind == "CCN" { "" } else { "vpc-a" }),
            resource_type: Some(kind),
            resource_id: Some(id),
            ..interface(id)
        };
        let id = world.create_as(scope, &given).unwrap();
        world.log(&id).clone()
    };
    let inventory = inventory();
    let covered = |log: &FlowLog| {
        let all = inventory.attachments.values();
        let covered = all.filter(|attachment| log.covers(attachment));
        let covered: Vec<_> = covered.map(|it| it.id.as_str()).collect();
        covered.join(" ")
    };
    for (kind, id) in [
        ("NETWORKINTERFACE", "eni-a"),
        ("NAT", "nat-a"),
        ("DCG", "dcg-a"),
        ("CCN", "ccn-a"),
    ] {
        assert_eq!(covered(&log(OURS, kind, id)), id);
    }
    let whole = log(OURS, "VPC", "vpc-a");
    assert_eq!(covered(&whole), "eni-a");
    // That of another account, too.
    assert_eq!(covered(&log(ANYBODYS, "VPC", "vpc-a")), "eni-a eni-c");
    let subnet = log(OURS, "SUBNET", "subnet-of-vpc-a");
    assert_eq!(covered(&subnet), "");
    let in_it = Attachment {
        subnet: Some("subnet-of-vpc-a".to_owned()),
        ..attachment("nat-b", AttachmentKind::Nat, Some("vpc-a"))
    };
    assert!(subnet.covers(&in_it) && !whole.covers(&in_it));
}

#[test]
fn a_store_is_the_same_after_it_was_written_and_read() {
    let mut world = World::new();
    world.create(&network()).unwrap();
    world
        .create(&with(|it| it.tags = vec![("k", "v")]))
        .unwrap_err();
    let given = Given {
        tags: vec![("k", "v")],
        ..interface("other")
    };
    world.create(&given).unwrap();
    let written = serde_json::to_string(&world.store).unwrap();
    let read: Store = serde_json::from_str(&written).unwrap();
    assert_eq!(read, world.store);
}
