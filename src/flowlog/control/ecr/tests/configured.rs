//! Flow logs of the configuration, and those whose router has left it.

use super::*;
use crate::flowlog;
use crate::flowlog::Definition;
use crate::flowlog::control::Operators;

/// A name that is an id of the family.
const TAKEN_OVER: &str = "ecr-flog-0123456789abc";

/// Border routers of a world with flow logs of the configuration.
fn configured() -> World {
    let mut world = World::new();
    let mut attachments: Vec<_> = world.inventory.attachments.values().cloned().collect();
    for attachment in &mut attachments {
        attachment.flow_logs = match attachment.id.as_str() {
            "vbr-a" => vec!["branches".to_owned(), TAKEN_OVER.to_owned()],
            "vbr-b" | "vbr-other" | "vbr-foreign" | "eni-a" => vec!["branches".to_owned()],
            _ => Vec::new(),
        };
    }
    let mut branches = flowlog::FlowLog::new("branches", "flow-proj", "flows");
    branches.one_in = std::num::NonZeroU32::new(2048);
    let other = flowlog::FlowLog::new(TAKEN_OVER, "other-proj", "flows");
    world.inventory.operators = Operators::new(&Definition {
        flow_logs: vec![branches, other],
        attachments,
        ..Definition::default()
    });
    world
}

/// Ids and border routers of a page, and what asks for the next.
fn page(world: &World, size: &str, token: &str) -> (Vec<(String, String)>, usize, String) {
    let scope = Scope::new(world.account, HOME, None).unwrap();
    let page = Page::new(Some(size), Some(token)).unwrap();
    let policy = world.policy();
    let found = world
        .store
        .describe(&scope, &Filter::default(), page, &policy)
        .unwrap();
    let logs = found.entries.iter();
    let logs = logs.map(|log| (log.id.clone(), log.attributes.vbr.clone()));
    (logs.collect(), found.total, found.next)
}

#[test]
fn each_border_router_has_one_under_an_id_of_its_own() {
    let mut world = configured();
    let made = world.create(&wanted()).unwrap();
    let (listed, total, _) = page(&world, "", "");
    // That of a border router of another account is not seen.
    let expected = [
        (TAKEN_OVER, "vbr-a"),
        ("ecr-flog-i831eef2n73o1", "vbr-a"),
        ("ecr-flog-qwfwmxgfl4873", "vbr-b"),
        (&made, "vbr-a"),
    ];
    let expected = expected.map(|(id, vbr)| (id.to_owned(), vbr.to_owned()));
    assert_eq!((listed, total), (expected.to_vec(), 4));
    // One order, whatever the pages.
    let mut token = String::new();
    for entry in expected {
        let (listed, total, next) = page(&world, "1", &token);
        assert_eq!((listed, total), (vec![entry], 4));
        token = next;
    }
    assert_eq!(token, "");
}

#[test]
fn one_tells_what_the_configuration_says_of_it() {
    let world = configured();
    let operators = &world.inventory.operators.ecr;
    let expected = FlowLog {
        id: "ecr-flog-qwfwmxgfl4873".to_owned(),
        account: String::new(),
        router: HOME.to_owned(),
        created_ms: 0,
        is_active: true,
        attributes: Attributes {
            name: "branches".to_owned(),
            description: String::new(),
            vbr: "vbr-b".to_owned(),
            project: "flow-proj".to_owned(),
            logstore: "flows".to_owned(),
            sls_region: String::new(),
            resource_group: String::new(),
            interval_s: 300,
            one_in: 2048,
            tags: Vec::new(),
        },
    };
    assert_eq!(operators.get("ecr-flog-qwfwmxgfl4873"), Some(&expected));
    assert_eq!(operators.get(TAKEN_OVER).unwrap().attributes.one_in, 1);
}

#[test]
fn none_of_the_configuration_can_be_changed() {
    let mut world = configured();
    for id in [TAKEN_OVER, "ecr-flog-i831eef2n73o1", "branches"] {
        for change in [
            Change::Modify(id, Given::default()),
            Change::Delete(id),
            Change::Activate(id),
            Change::Deactivate(id),
        ] {
            let refused = world.at_home(&change);
            assert_eq!(
                refused,
                Err(Refused::Illegal(Param::FlowLogId)),
                "{change:?}"
            );
        }
    }
    // Elsewhere it is none.
    let elsewhere = world.call(&Change::Delete("ecr-flog-i831eef2n73o1"), "ecr-other", None);
    assert_eq!(elsewhere, Err(Refused::NoFlowLog));
}

#[test]
fn what_a_file_takes_over_is_shown_once() {
    let mut world = World::new();
    let id = world.create(&wanted()).unwrap();
    world.inventory.operators = Operators::new(&Definition {
        flow_logs: vec![flowlog::FlowLog::new(&id, "flow-proj", "flows")],
        attachments: vec![Attachment {
            id: "vbr-a".to_owned(),
            network: Some(HOME.to_owned()),
            flow_logs: vec![id.clone()],
            ..Attachment::default()
        }],
        ..Definition::default()
    });
    assert_eq!(
        page(&world, "", ""),
        (vec![(id, "vbr-a".to_owned())], 1, String::new())
    );
}

#[test]
fn what_a_lost_router_left_behind_is_seen_and_can_be_removed() {
    let mut world = World::new();
    world.quota = 1;
    let id = world.create(&wanted()).unwrap();
    let router = world.inventory.routers.remove(HOME).unwrap();
    assert_eq!(page(&world, "", "").1, 1);
    for change in [
        Change::Modify(&id, Given::default()),
        Change::Activate(&id),
        Change::Deactivate(&id),
        Change::Delete("ecr-flog-none"),
    ] {
        assert_eq!(world.at_home(&change), Err(Refused::NoRouter), "{change:?}");
    }
    // Another's is not there.
    world.account = "5678";
    assert_eq!(world.at_home(&Change::Delete(&id)), Err(Refused::NoRouter));
    world.account = "1234";
    world.at_home(&Change::Delete(&id)).unwrap();
    let gone = world
        .store
        .describe(
            &Scope::new("1234", HOME, None).unwrap(),
            &Filter::default(),
            Page::new(None, None).unwrap(),
            &world.policy(),
        )
        .unwrap_err();
    assert_eq!(gone, Refused::NoRouter);
    world.inventory.routers.insert(HOME.to_owned(), router);
    world.create(&wanted()).unwrap();
}

#[test]
fn a_router_that_another_account_has_now_gives_back_what_was_left_behind() {
    let mut world = World::new();
    let id = world.create(&wanted()).unwrap();
    let router = world.inventory.routers.get_mut(HOME).unwrap();
    router.account = Some("5678".to_owned());
    assert_eq!(page(&world, "", "").1, 1);
    world.at_home(&Change::Delete(&id)).unwrap();
    assert_eq!(world.store.flow_logs().count(), 0);
}
