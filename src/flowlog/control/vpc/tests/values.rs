//! What a flow log may be told, and what comes of it.

use super::*;

#[test]
fn a_new_flow_log_is_enabled_and_does_what_it_was_told() {
    let mut world = World::new();
    let tags = [("city", "shanghai"), ("empty", "")];
    let given = Given {
        description: Some("d"),
        storage_type: Some("cls"),
        storage_id: Some("unheeded"),
        cloud_log_region: Some("ap-guangzhou"),
        period: Some("300"),
        tags: tags.to_vec(),
        traffic_type: Some("REJECT"),
        ..network()
    };
    let id = world.create(&given).unwrap();
    assert!(id.starts_with("fl-") && id.len() == 11, "{id}");
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let log = FlowLog {
        id: id.clone(),
        account: "1234".to_owned(),
        created_ms: 0,
        is_enabled: true,
        attributes: Attributes {
            vpc: None,
            name: "n".to_owned(),
            description: "d".to_owned(),
            resource: Resource {
                kind: ResourceKind::Ccn,
                id: "ccn-a".to_owned(),
            },
            traffic: Traffic::Reject,
            topic: "Topic-1".to_owned(),
            topic_region: "ap-guangzhou".to_owned(),
            period_s: Some(300),
            tags: tags.to_vec(),
        },
    };
    assert_eq!(world.log(&id), &log);
}

fn is_refused(given: &Given<'_>, refused: Refused) {
    assert_eq!(World::new().create(given), Err(refused), "{given:?}");
}

#[test]
fn names_and_descriptions_are_bounded_and_have_no_control_characters() {
    let (long, longer) = ("n".repeat(61), "d".repeat(513));
    let name = |name| with(|it| it.name = name);
    is_refused(&name(None), Refused::Missing(Param::FlowLogName));
    is_refused(&name(Some("")), Refused::Empty(Param::FlowLogName));
    is_refused(&name(Some("a\nb")), Refused::Malformed(Param::FlowLogName));
    is_refused(&name(Some(&long)), Refused::Range(Param::FlowLogName));
    let description = |text| with(|it| it.description = Some(text));
    let param = Param::FlowLogDescription;
    is_refused(&description("\u{7f}"), Refused::Malformed(param));
    is_refused(&description(&longer), Refused::Range(param));
    // Characters, not octets.
    let (name, longest) = ("名".repeat(60), "d".repeat(512));
    let given = Given {
        name: Some(&name),
        ..description(&longest)
    };
    let id = World::new().create(&given);
    assert!(id.is_ok(), "{id:?}");
}

#[test]
fn a_resource_is_named_by_its_kind_id_and_network() {
    let kind = |kind| with(|it| it.resource_type = kind);
    is_refused(&kind(None), Refused::Missing(Param::ResourceType));
    is_refused(&kind(Some("")), Refused::Empty(Param::ResourceType));
    is_refused(&kind(Some("eni")), Refused::Range(Param::ResourceType));
    let id = |id| with(|it| it.resource_id = id);
    is_refused(&id(None), Refused::Missing(Param::ResourceId));
    is_refused(&id(Some("")), Refused::Empty(Param::ResourceId));
    let vpc = |vpc| with(|it| it.vpc_id = vpc);
    is_refused(&vpc(None), Refused::Empty(Param::VpcId));
    is_refused(&vpc(Some("")), Refused::Empty(Param::VpcId));
    let ccn = Given {
        vpc_id: Some("vpc-a"),
        ..network()
    };
    is_refused(&ccn, Refused::NoVpcNeeded);
}

#[test]
fn flows_are_chosen_by_a_word_and_go_to_a_topic() {
    let traffic = |traffic| with(|it| it.traffic_type = traffic);
    is_refused(&traffic(None), Refused::Missing(Param::TrafficType));
    is_refused(&traffic(Some("all")), Refused::Range(Param::TrafficType));
    let topic = |topic| with(|it| it.cloud_log_id = topic);
    is_refused(&topic(None), Refused::Empty(Param::CloudLogId));
    for text in ["a/b", "-a-", "a", "a.b", "日志主题"] {
        is_refused(&topic(Some(text)), Refused::Malformed(Param::CloudLogId));
    }
    let region = with(|it| it.cloud_log_region = Some("AP"));
    is_refused(&region, Refused::Malformed(Param::CloudLogRegion));
    let storage = |kind, id| with(|it| (it.storage_type, it.storage_id) = (Some(kind), id));
    is_refused(&storage("cos", None), Refused::Range(Param::StorageType));
    let kafka = storage("ckafka", None);
    is_refused(&kafka, Refused::Empty(Param::FlowLogStorage));
    is_refused(&storage("ckafka", Some("s")), Refused::Kafka);
}

#[test]
fn a_period_is_one_of_three_and_of_a_cloud_connect_network() {
    let interface = with(|it| it.period = Some("60"));
    is_refused(&interface, Refused::Range(Param::Period));
    let period = |period| Given {
        period: Some(period),
        ..network()
    };
    is_refused(&period("61"), Refused::Range(Param::Period));
    is_refused(&period("1m"), Refused::Malformed(Param::Period));
    is_refused(&period("-60"), Refused::Malformed(Param::Period));
    for text in ["60", "300", "600", ""] {
        let id = World::new().create(&period(text));
        assert!(id.is_ok(), "{id:?}");
    }
}

#[test]
fn tags_are_those_that_the_vendor_takes() {
    let (key, value) = ("k".repeat(127), "v".repeat(255));
    let (long_key, long_value) = (format!("{key}k"), format!("{value}v"));
    let keys: Vec<_> = (0..51).map(|number| format!("k{number}")).collect();
    let all: Vec<_> = keys.iter().map(|key| (key.as_str(), "")).collect();
    let rows: [(&[(&str, &str)], BadTags); 11] = [
        (&[("k", "1"), ("k", "2")], BadTags::DuplicateKey),
        (&[("k\n", "")], BadTags::InvalidKey),
        (&[("k;", "")], BadTags::InvalidKey),
        (&[("", "v")], BadTags::InvalidKeyLen),
        (&[(&long_key, "")], BadTags::InvalidKeyLen),
        (&[("k", "<v>")], BadTags::InvalidVal),
        (&[("k", &long_value)], BadTags::InvalidVal),
        (&[("qcs:k", "")], BadTags::SystemReservedKey),
        (&[("project", "")], BadTags::SystemReservedKey),
        (&[("tencentcloud", "")], BadTags::SystemReservedKey),
        (&all, BadTags::KeyPerResourceExceeded),
    ];
    for (tags, bad) in rows {
        is_refused(&with(|it| it.tags = tags.to_vec()), Refused::Tags(bad));
    }
    let names = [
        (&*key, &*value),
        ("名 +-=._:/@", "值"),
        ("K", ""),
        ("k", ""),
    ];
    let (_, fifty) = all.split_last().unwrap();
    for tags in [&names[..], fifty] {
        let id = World::new().create(&with(|it| it.tags = tags.to_vec()));
        assert!(id.is_ok(), "{id:?}");
    }
}
