//! Flow logs of the configuration.

use super::*;
use crate::flowlog;
use crate::flowlog::Definition;
use crate::flowlog::control::Operators;

/// A name that is an id of the family.
const TAKEN_OVER: &str = "fl-01234567";

/// Attachments of a world with flow logs of the configuration.
fn configured() -> World {
    let mut world = World::new();
    let mut attachments: Vec<_> = world.inventory.attachments.values().cloned().collect();
    for attachment in &mut attachments {
        attachment.flow_logs = match attachment.id.as_str() {
            "eni-a" | "eni-c" | "ccn-a" | "vbr-a" => vec!["branches".to_owned()],
            "nat-a" => vec![TAKEN_OVER.to_owned()],
            _ => Vec::new(),
        };
    }
    let mut branches = flowlog::FlowLog::new("branches", "flow-proj", "flows");
    branches.traffic = Traffic::Reject;
    branches.region = Some("cn-hangzhou".to_owned());
    let other = flowlog::FlowLog::new(TAKEN_OVER, "flow-proj", "other");
    world.inventory.operators = Operators::new(&Definition {
        flow_logs: vec![branches, other],
        attachments,
        ..Definition::default()
    });
    world
}

/// Ids of what is asked for, and the number of all.
fn listed(world: &World, scope: Scope<'_>, asked: &Asked<'_>) -> (Vec<String>, usize) {
    let described = world.store.describe(&scope, asked, &world.inventory);
    let described = described.unwrap();
    let logs = described.flow_logs.iter();
    (logs.map(|log| log.id.clone()).collect(), described.total)
}

#[test]
fn each_resource_has_one_among_those_of_the_api() {
    let mut world = configured();
    world.now_ms = 1;
    let made = world.create(&interface("n")).unwrap();
    let oldest_first = |edit: &dyn Fn(&mut Asked<'_>)| {
        let mut asked = Asked {
            order_direction: Some("ASC"),
            ..Asked::default()
        };
        edit(&mut asked);
        listed(&world, OURS, &asked)
    };
    let all = ["fl-01234567", "fl-4i0ynod8", "fl-dhdhwx6f", &made].map(str::to_owned);
    assert_eq!(oldest_first(&|_| {}), (all.to_vec(), 4));
    for place in 0..4 {
        let offset = place.to_string();
        let (ids, total) = listed(
            &world,
            OURS,
            &Asked {
                order_direction: Some("ASC"),
                offset: Some(&offset),
                limit: Some("1"),
                ..Asked::default()
            },
        );
        assert_eq!((&ids[..], total), (&all[place..=place], 4));
    }
    // What is another account's is seen by who asks for all.
    let (ids, total) = listed(&world, ANYBODYS, &Asked::default());
    assert!(
        ids.contains(&"fl-ht4rheau".to_owned()) && total == 4,
        "{ids:?}"
    );
    let only = |id: &str| (vec![id.to_owned()], 1);
    assert_eq!(
        oldest_first(&|it| it.resource_type = Some("CCN")),
        only("fl-dhdhwx6f")
    );
    assert_eq!(
        oldest_first(&|it| {
            it.vpc_id = Some("gz_vpc_266");
            it.name = Some("branches");
        }),
        only("fl-4i0ynod8")
    );
    assert_eq!(
        oldest_first(&|it| it.id = Some(TAKEN_OVER)),
        only(TAKEN_OVER)
    );
    assert_eq!(oldest_first(&|it| it.id = Some("branches")).1, 0);
}

#[test]
fn one_tells_what_the_configuration_says_of_it() {
    let world = configured();
    let inventory = &world.inventory;
    let found = world.store.find(&OURS, None, "fl-dhdhwx6f", inventory);
    let expected = FlowLog {
        id: "fl-dhdhwx6f".to_owned(),
        account: String::new(),
        created_ms: 0,
        is_enabled: true,
        attributes: Attributes {
            vpc: None,
            name: "branches".to_owned(),
            description: String::new(),
            resource: Resource {
                kind: ResourceKind::Ccn,
                id: "ccn-a".to_owned(),
            },
            traffic: Traffic::Reject,
            topic: "flows".to_owned(),
            topic_region: "cn-hangzhou".to_owned(),
            period_s: Some(300),
            tags: Vec::new(),
        },
    };
    assert_eq!(found, Ok(&expected));
    let interface = world
        .store
        .find(&OURS, Some("vpc-a"), "fl-4i0ynod8", inventory);
    assert_eq!(interface.unwrap().attributes.period_s, None);
    let elsewhere = world
        .store
        .find(&OURS, Some("vpc-b"), "fl-4i0ynod8", inventory);
    assert_eq!(elsewhere, Err(Refused::NoFlowLog("fl-4i0ynod8".to_owned())));
}

#[test]
fn none_of_the_configuration_can_be_changed() {
    let mut world = configured();
    let made = world.create(&interface("n")).unwrap();
    let before = world.store.clone();
    for id in [TAKEN_OVER, "fl-4i0ynod8", "branches"] {
        let refused = Err(Refused::Configured(id.to_owned()));
        let named = Given {
            name: Some("other"),
            ..Given::default()
        };
        assert_eq!(world.modify(id, &named), refused);
        assert_eq!(world.delete(Some("vpc-a"), id), refused);
        for is_enabled in [false, true] {
            let ids = [made.as_str(), id];
            let inventory = &world.inventory;
            let enabled = world.store.enable(&OURS, &ids, is_enabled, inventory);
            assert_eq!(enabled, refused.clone().map(|()| false));
        }
    }
    // Another account's is not there.
    let refused = world.delete(Some("vpc-a"), "fl-ht4rheau");
    assert_eq!(refused, Err(Refused::NoFlowLog("fl-ht4rheau".to_owned())));
    assert_eq!(world.store, before);
}
