//! What the family's lists show.

use super::*;

#[test]
fn filters_are_joined_and_exact() {
    let mut world = World::new();
    let named = Given {
        name: Some("one"),
        description: Some("first"),
        ..netflow()
    };
    let one = world.create(&named).unwrap();
    let two = world.create(&sls()).unwrap();
    world.store.deactivate(&HERE, &two).unwrap();
    let page = Page::new(None, None).unwrap();
    let ids = |id, name, description, status, output| {
        let filter = Filter::new(id, name, description, status, output).unwrap();
        let found = world
            .store
            .describe(&HERE, &world.inventory.operators.sag, &filter, page);
        assert_eq!(found.total, found.entries.len());
        let ids = found.entries.iter();
        ids.map(|log| log.id.clone()).collect::<Vec<_>>()
    };
    let both = [one.clone(), two.clone()];
    assert_eq!(ids(None, None, None, None, None), both);
    assert_eq!(ids(Some(""), Some(""), Some(""), Some(""), Some("")), both);
    assert_eq!(
        ids(Some(&two), None, None, None, None),
        std::slice::from_ref(&two)
    );
    assert_eq!(
        ids(None, Some("one"), None, None, None),
        std::slice::from_ref(&one)
    );
    assert!(ids(None, None, Some("first_fake"), None, None).is_empty());
    assert_eq!(
        ids(None, None, None, Some("Inactive"), None),
        std::slice::from_ref(&two)
    );
    assert_eq!(
        ids(None, None, None, Some("Active"), Some("netflow")),
        [one]
    );
    assert!(ids(None, None, None, Some("Active"), Some("sls")).is_empty());
    let status = Filter::new(None, None, None, Some("active"), None).map(|_| ());
    assert_eq!(status, Err(Refused::Illegal(Param::Status)));
}

#[test]
fn a_page_past_the_end_is_empty_and_tells_the_total() {
    let mut world = World::new();
    world.quota = 100;
    let made: Vec<_> = (0..60).map(|_| world.create(&netflow()).unwrap()).collect();
    let page = |number, size| {
        let page = Page::new(Some(number), Some(size)).unwrap();
        let paged = world.store.describe(
            &HERE,
            &world.inventory.operators.sag,
            &Filter::default(),
            page,
        );
        (paged.total, paged.entries.len())
    };
    assert_eq!(made.len(), 60);
    assert_eq!(page("1", ""), (60, 10));
    assert_eq!(page("1", "50"), (60, 50));
    assert_eq!(page("1", "500"), (60, 50));
    assert_eq!(page("2", "50"), (60, 10));
    assert_eq!(page("3", "50"), (60, 0));
    assert_eq!(page("18446744073709551615", "50"), (60, 0));
    for (number, size) in [("0", "10"), ("1", "0"), ("x", "10"), ("1", "-1")] {
        assert_eq!(Page::new(Some(number), Some(size)), Err(Refused::Invalid));
    }
}

#[test]
fn unbound_gateways_are_those_that_could_be_bound() {
    let mut world = World::new();
    let id = world.create(&netflow()).unwrap();
    let free = |world: &World| {
        let free = world.store.describe_unbound(&HERE, &world.inventory);
        free.iter()
            .map(|(id, _)| (*id).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(free(&world), ["sag-a", "sag-b", "sag-pair", "sag-standby"]);
    world.associate(&id, "sag-b").unwrap();
    assert_eq!(free(&world), ["sag-a", "sag-pair", "sag-standby"]);
    let page = Page::new(None, None).unwrap();
    let bound = world
        .store
        .describe_bound(&HERE, &world.inventory.operators.sag, &id, page)
        .unwrap();
    assert_eq!((bound.total, bound.entries), (1, vec!["sag-b"]));
    let unknown = world
        .store
        .describe_bound(&HERE, &world.inventory.operators.sag, "fl-x", page);
    assert_eq!(unknown, Err(Refused::NoFlowLog));
}

#[test]
fn flow_logs_of_the_configuration_are_seen_and_have_their_gateways() {
    let mut world = World::new();
    let device = |id: &str, flow_logs: &[&str]| crate::flowlog::Device {
        instance_id: id.to_owned(),
        flow_logs: flow_logs.iter().map(|&name| name.to_owned()).collect(),
        ..crate::flowlog::Device::default()
    };
    let named = |name| crate::flowlog::FlowLog::new(name, "branches", "flows");
    world.inventory.operators.sag = Operators::new(&crate::flowlog::Definition {
        flow_logs: vec![named("one"), named("two")],
        devices: vec![device("sag-a", &["one", "two"]), device("sag-b", &["two"])],
        ..crate::flowlog::Definition::default()
    });
    let made = world.create(&sls()).unwrap();
    assert_eq!(
        world.associate(&made, "sag-a"),
        Err(Refused::BoundElsewhere)
    );
    let operators = &world.inventory.operators.sag;
    let page = Page::new(None, None).unwrap();
    let all = world
        .store
        .describe(&HERE, operators, &Filter::default(), page);
    let ids: Vec<_> = all.entries.iter().map(|log| log.id.as_str()).collect();
    assert_eq!(ids, ["one", "two", &made]);
    assert_eq!(all.entries[0].attributes.project, "branches");
    let bound = world.store.describe_bound(&HERE, operators, "two", page);
    assert_eq!(bound.unwrap().entries, ["sag-a", "sag-b"]);
    let free = world.store.describe_unbound(&HERE, &world.inventory);
    assert!(free.iter().all(|(id, _)| !["sag-a", "sag-b"].contains(id)));
}
