//! What lists show, in which order.

use super::*;

/// Asks for something.
type Edit<'a> = &'a dyn Fn(&mut Asked<'a>);

/// Three flow logs: of interfaces `a-one` and `a-two`, and `n` of a CCN, which
/// is the youngest.
fn world() -> World {
    let mut world = World::new();
    let one = Given {
        traffic_type: Some("REJECT"),
        tags: vec![("city", "shanghai")],
        ..interface("a-one")
    };
    world.create(&one).unwrap();
    let two = Given {
        cloud_log_region: Some("ap-guangzhou"),
        tags: vec![("city", "beijing"), ("k", "v")],
        ..interface("a-two")
    };
    world.create(&two).unwrap();
    world.create(&network()).unwrap();
    world
}

/// Names of flow logs, and the number of all.
fn listed(world: &World, asked: &Asked<'_>) -> Result<(String, usize), Refused> {
    let described = world.store.describe(&OURS, asked, &world.inventory)?;
    let logs = described.flow_logs.iter();
    let names: Vec<_> = logs.map(|log| log.attributes.name.as_str()).collect();
    Ok((names.join(" "), described.total))
}

#[test]
fn the_newest_come_first_if_nothing_else_is_asked() {
    let world = world();
    let order = |order_field, order_direction| {
        let asked = Asked {
            order_field,
            order_direction,
            ..Asked::default()
        };
        listed(&world, &asked)
    };
    let names = |names: &str| Ok((names.to_owned(), 3));
    assert_eq!(order(None, None), names("n a-two a-one"));
    assert_eq!(order(Some(""), Some("")), names("n a-two a-one"));
    assert_eq!(
        order(Some("createTime"), Some("ASC")),
        names("a-one a-two n")
    );
    assert_eq!(
        order(Some("flowLogName"), Some("asc")),
        names("a-one a-two n")
    );
    assert_eq!(
        order(Some("flowLogName"), Some("desc")),
        names("n a-two a-one")
    );
    assert_eq!(
        order(Some("FlowLogName"), None),
        Err(Refused::Range(Param::OrderField))
    );
    assert_eq!(
        order(None, Some("down")),
        Err(Refused::Range(Param::OrderDirection))
    );
}

#[test]
fn a_part_past_the_end_is_empty_and_tells_the_total() {
    let world = world();
    let part = |offset, limit| {
        let asked = Asked {
            offset,
            limit,
            ..Asked::default()
        };
        listed(&world, &asked)
    };
    let names = |names: &str| Ok((names.to_owned(), 3));
    assert_eq!(part(None, Some("2")), names("n a-two"));
    assert_eq!(part(Some("2"), Some("2")), names("a-one"));
    assert_eq!(part(Some("3"), Some("100")), names(""));
    assert_eq!(part(Some("9223372036854775807"), None), names(""));
    for (offset, limit, refused) in [
        (None, Some("0"), Refused::Range(Param::Limit)),
        (None, Some("101"), Refused::Range(Param::Limit)),
        (None, Some("-1"), Refused::Range(Param::Limit)),
        (None, Some("ten"), Refused::Malformed(Param::Limit)),
        (Some("-1"), None, Refused::Range(Param::Offset)),
        (Some("1.0"), None, Refused::Malformed(Param::Offset)),
    ] {
        assert_eq!(part(offset, limit), Err(refused));
    }
}

#[test]
fn filters_are_joined() {
    let world = world();
    let id = world.store.flow_logs().next().unwrap().id.clone();
    let part = id.strip_prefix("fl").unwrap();
    let name = world.log(&id).attributes.name.clone();
    let rows: [(Edit<'_>, &str); 22] = [
        (&|it| it.id = Some(&id), &name),
        (&|it| it.id = Some(part), ""),
        (&|it| (it.id, it.is_fuzzy) = (Some(part), true), &name),
        (&|it| it.name = Some("a-one"), "a-one"),
        (&|it| it.name = Some("a-"), ""),
        (
            &|it| (it.name, it.is_fuzzy) = (Some("a-"), true),
            "a-two a-one",
        ),
        (&|it| (it.name, it.is_fuzzy) = (Some("A-"), true), ""),
        (&|it| it.vpc_id = Some("gz_vpc_266"), "a-two a-one"),
        (&|it| it.vpc_id = Some("vpc-b"), ""),
        (&|it| it.resource_type = Some("CCN"), "n"),
        (&|it| it.resource_id = Some("eni-a"), "a-two a-one"),
        (&|it| it.traffic_type = Some("REJECT"), "a-one"),
        (
            &|it| (it.traffic_type, it.resource_type) = (Some("REJECT"), Some("CCN")),
            "",
        ),
        (&|it| it.cloud_log_id = Some("Topic-1"), "n a-two a-one"),
        (&|it| it.cloud_log_id = Some("topic-1"), ""),
        (&|it| it.cloud_log_state = Some("SUCCESS"), "n a-two a-one"),
        (&|it| it.cloud_log_state = Some("DELETED"), ""),
        (&|it| it.cloud_log_region = Some("ap-guangzhou"), "a-two"),
        (
            &|it| (it.filter, it.filter_values) = (Some("tag-key"), vec!["x", "k"]),
            "a-two",
        ),
        (
            &|it| (it.filter, it.filter_values) = (Some("tag-key"), vec!["city"]),
            "a-two a-one",
        ),
        (
            &|it| (it.filter, it.filter_values) = (Some("tag:city"), vec!["shanghai"]),
            "a-one",
        ),
        (
            &|it| (it.filter, it.filter_values) = (Some("tag:k"), vec!["shanghai"]),
            "",
        ),
    ];
    for (place, (edit, names)) in rows.into_iter().enumerate() {
        let mut asked = Asked::default();
        edit(&mut asked);
        let (found, total) = listed(&world, &asked).unwrap();
        assert_eq!(found, names, "{place}");
        assert_eq!(total, names.split_whitespace().count());
    }
}

#[test]
fn words_that_are_none_are_refused() {
    let world = world();
    let long = "n".repeat(61);
    let filters = Refused::Malformed(Param::Filters);
    let rows: [(Edit<'_>, Refused); 10] = [
        (
            &|it| it.name = Some(&long),
            Refused::TooLong(Param::FlowLogName),
        ),
        (&|it| it.vpc_id = Some("vpc-none"), Refused::NoVpc),
        (&|it| it.vpc_id = Some("vpc-foreign"), Refused::NoVpc),
        (
            &|it| it.resource_type = Some("ccn"),
            Refused::Range(Param::ResourceType),
        ),
        (
            &|it| it.traffic_type = Some("NONE"),
            Refused::Range(Param::TrafficType),
        ),
        (
            &|it| it.cloud_log_state = Some("success"),
            Refused::Range(Param::CloudLogState),
        ),
        (
            &|it| (it.filter, it.filter_values) = (Some("name"), vec!["n"]),
            filters.clone(),
        ),
        (&|it| it.filter = Some("tag-key"), filters.clone()),
        (&|it| it.filter_values = vec!["n"], filters.clone()),
        (
            &|it| {
                it.id = Some("fl-1");
                (it.filter, it.filter_values) = (Some("tag-key"), vec!["k"]);
            },
            filters,
        ),
    ];
    for (edit, refused) in rows {
        let mut asked = Asked::default();
        edit(&mut asked);
        assert_eq!(listed(&world, &asked), Err(refused));
    }
}

#[test]
fn an_account_sees_its_own() {
    let world = world();
    let asked = Asked::default();
    let described = world.store.describe(&ANYBODYS, &asked, &world.inventory);
    assert_eq!(described.unwrap().total, 0);
}
