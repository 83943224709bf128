//! The family's calls against its states.

mod configured;
mod listed;
mod model;
mod repeated;

use super::*;

const HOME: &str = "ecr-home";
const NOW_MS: u64 = 1_795_226_412_000;

/// A store with what its calls need.
struct World {
    store: Store,
    inventory: Inventory,
    account: &'static str,
    quota: usize,
    tokens_max: usize,
    now_ms: u64,
    seed: u64,
}

impl World {
    fn new() -> Self {
        let router = |id: &str, status, account: Option<&str>, region: Option<&str>| Router {
            id: id.to_owned(),
            region: region.map(str::to_owned),
            account: account.map(str::to_owned),
            status,
        };
        let routers = [
            router(HOME, RouterStatus::Active, None, Some("cn-hangzhou")),
            router("ecr-other", RouterStatus::Active, Some("1234"), None),
            router("ecr-foreign", RouterStatus::Active, Some("5678"), None),
            router("ecr-inactive", RouterStatus::Inactive, None, None),
            router("ecr-deleting", RouterStatus::Deleting, None, None),
            router("named-otherwise", RouterStatus::Active, None, None),
        ];
        let attachment = |id: &str, kind, network: &str| Attachment {
            id: id.to_owned(),
            kind,
            network: Some(network.to_owned()),
            ..Attachment::default()
        };
        let attachments = [
            attachment("vbr-a", AttachmentKind::Vbr, HOME),
            attachment("vbr-b", AttachmentKind::Vbr, HOME),
            attachment("vbr-other", AttachmentKind::Vbr, "ecr-other"),
            attachment("eni-a", AttachmentKind::NetworkInterface, HOME),
            Attachment {
                account: Some("5678".to_owned()),
                ..attachment("vbr-foreign", AttachmentKind::Vbr, HOME)
            },
            Attachment {
                flow_logs: vec!["file".to_owned(); ROUTES_MAX],
                ..attachment("vbr-full", AttachmentKind::Vbr, HOME)
            },
        ];
        Self {
            store: Store::default(),
            inventory: Inventory {
                routers: routers.map(|it| (it.id.clone(), it)).into(),
                attachments: attachments.map(|it| (it.id.clone(), it)).into(),
                ..Inventory::default()
            },
            account: "1234",
            quota: 100,
            tokens_max: 100,
            now_ms: NOW_MS,
            seed: 0,
        }
    }

    fn policy(&self) -> Policy<'_> {
        Policy {
            inventory: &self.inventory,
            quota: self.quota,
            resource_group: "rg-default",
            tokens_max: self.tokens_max,
        }
    }

    /// A call; one that is refused changes nothing.
    fn call(
        &mut self,
        change: &Change<'_>,
        router: &str,
        token: Option<&Token<'_>>,
    ) -> Result<Outcome, Refused> {
        let mut seed = self.seed;
        let mut random = |octets: &mut [u8]| {
            for octet in octets {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *octet = seed.to_be_bytes()[0];
            }
        };
        let mut ids = Ids::new(&mut random);
        let scope = Scope::new(self.account, router, None).unwrap();
        let mut store = self.store.clone();
        let policy = self.policy();
        let done = store.change(change, &scope, token, &policy, self.now_ms, &mut ids);
        if done.is_err() {
            assert_eq!(store, self.store, "{change:?}");
        }
        (self.store, self.seed) = (store, seed);
        done
    }

    fn create(&mut self, wanted: &Wanted<'_>) -> Result<String, Refused> {
        let done = self.call(&Change::Create(wanted.clone()), HOME, None)?;
        Ok(done.flow_log.unwrap())
    }

    fn at_home(&mut self, change: &Change<'_>) -> Result<(), Refused> {
        self.call(change, HOME, None).map(|_| ())
    }

    fn log(&self, id: &str) -> &FlowLog {
        &self.store.flow_logs[id]
    }
}

fn wanted<'a>() -> Wanted<'a> {
    Wanted {
        instance_type: "VBR",
        instance_id: "vbr-a",
        project_name: "flow-proj",
        log_store_name: "flows",
        ..Wanted::default()
    }
}

fn given<'a>(edit: fn(&mut Given<'a>)) -> Given<'a> {
    let mut given = Given::default();
    edit(&mut given);
    given
}

#[test]
fn a_new_flow_log_is_active_and_has_the_defaults() {
    let mut world = World::new();
    let id = world.create(&wanted()).unwrap();
    assert_eq!(id.strip_prefix("ecr-flog-").map(str::len), Some(13));
    let expected = FlowLog {
        id: id.clone(),
        account: "1234".to_owned(),
        router: HOME.to_owned(),
        created_ms: NOW_MS,
        is_active: true,
        attributes: Attributes {
            name: String::new(),
            description: String::new(),
            vbr: "vbr-a".to_owned(),
            project: "flow-proj".to_owned(),
            logstore: "flows".to_owned(),
            sls_region: "cn-hangzhou".to_owned(),
            resource_group: "rg-default".to_owned(),
            interval_s: 600,
            one_in: 4096,
            tags: Vec::new(),
        },
    };
    assert_eq!(*world.log(&id), expected);
}

#[test]
fn a_flow_log_keeps_what_it_was_told() {
    let mut world = World::new();
    let told = Wanted {
        given: Given {
            flow_log_name: Some("n"),
            description: Some("流"),
            interval: Some("60"),
            sampling_rate: Some("1:1024"),
        },
        target_sls_region_id: Some("cn-hanghzou"),
        resource_group_id: Some("rg-mine"),
        tags: vec![("b", "2"), ("a", "")],
        ..wanted()
    };
    let id = world.create(&told).unwrap();
    let attributes = &world.log(&id).attributes;
    assert_eq!((&*attributes.name, &*attributes.description), ("n", "流"));
    assert_eq!((attributes.interval_s, attributes.one_in), (60, 1024));
    assert_eq!(attributes.sls_region, "cn-hanghzou");
    assert_eq!(attributes.resource_group, "rg-mine");
    let tags = [("b", "2"), ("a", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(attributes.tags, tags);
}

#[test]
fn a_router_without_a_region_leaves_that_of_the_logstore_open() {
    let mut world = World::new();
    let elsewhere = Wanted {
        instance_id: "vbr-other",
        ..wanted()
    };
    let made = world.call(&Change::Create(elsewhere), "ecr-other", None);
    let id = made.unwrap().flow_log.unwrap();
    assert_eq!(world.log(&id).attributes.sls_region, "");
}

#[test]
fn each_value_that_is_none_has_its_error() {
    use Param as P;
    use Refused::{Illegal, Malformed};
    let mut world = World::new();
    let mut refused = |wanted: Wanted<'_>| world.create(&wanted).unwrap_err();
    for kind in ["vbr", "VPC", ""] {
        let wanted = Wanted {
            instance_type: kind,
            ..wanted()
        };
        assert_eq!(refused(wanted), Illegal(P::InstanceType), "{kind}");
    }
    let long = "x".repeat(64);
    for project_name in ["ab", "Proj", "a_b", "-abc", "abc-", &long] {
        let wanted = Wanted {
            project_name,
            ..wanted()
        };
        assert_eq!(refused(wanted), Malformed(P::ProjectName), "{project_name}");
    }
    for log_store_name in ["ab", "Flows", "_ab", "ab_", "a.b", &long] {
        let wanted = Wanted {
            log_store_name,
            ..wanted()
        };
        let malformed = Malformed(P::LogStoreName);
        assert_eq!(refused(wanted), malformed, "{log_store_name}");
    }
    let region = Wanted {
        target_sls_region_id: Some("CN Hangzhou"),
        ..wanted()
    };
    assert_eq!(refused(region), Malformed(P::TargetSlsRegionId));
    let group = Wanted {
        resource_group_id: Some("<rg>"),
        ..wanted()
    };
    assert_eq!(refused(group), Malformed(P::ResourceGroupId));
}

/// Both when a flow log is made and when it is changed.
#[test]
fn what_can_be_told_again_is_judged_alike_each_time() {
    use Param as P;
    let mut world = World::new();
    let id = world.create(&wanted()).unwrap();
    let (name, description) = ("n".repeat(128), "流".repeat(256));
    let (long_name, long_description) = ("n".repeat(129), "流".repeat(257));
    let mut check = |given: Given<'_>, expected: Result<(), Refused>| {
        let told = Wanted { given, ..wanted() };
        assert_eq!(world.create(&told).map(|_| ()), expected, "{given:?}");
        let changed = world.at_home(&Change::Modify(&id, given));
        assert_eq!(changed, expected, "{given:?}");
    };
    let named = |name| Given {
        flow_log_name: Some(name),
        ..Given::default()
    };
    let described = |description| Given {
        description: Some(description),
        ..Given::default()
    };
    for fine in ["", "a http://b", "流", &name] {
        check(named(fine), Ok(()));
    }
    check(described(&description), Ok(()));
    for none in ["http://a", "https://", "a\nb", &long_name] {
        check(named(none), Err(Refused::Malformed(P::FlowLogName)));
    }
    for none in ["http://a", "\u{1b}", &long_description] {
        check(described(none), Err(Refused::Malformed(P::Description)));
    }
    for none in ["61", "0", "-60", "060", "ten"] {
        let interval = Given {
            interval: Some(none),
            ..Given::default()
        };
        check(interval, Err(Refused::Illegal(P::Interval)));
    }
    for none in ["4096", "1:1", "1:512", "1: 1024"] {
        let rate = Given {
            sampling_rate: Some(none),
            ..Given::default()
        };
        check(rate, Err(Refused::Illegal(P::SamplingRate)));
    }
}

#[test]
fn tags_have_keys_of_their_own_and_no_links() {
    let mut world = World::new();
    let long = "x".repeat(129);
    let fine = "x".repeat(128);
    let many: Vec<_> = (0..21).map(|number| number.to_string()).collect();
    let many: Vec<_> = many.iter().map(|key| (key.as_str(), "")).collect();
    let mut made = |tags: &[(&str, &str)]| {
        let wanted = Wanted {
            tags: tags.to_vec(),
            ..wanted()
        };
        world.create(&wanted).map(|_| ())
    };
    assert_eq!(made(&[(&fine, &fine), ("k", "aliyun")]), Ok(()));
    assert_eq!(made(&many[..20]), Ok(()));
    for none in [
        &many[..],
        &[("k", "1"), ("k", "2")],
        &[("", "v")],
        &[(&long, "")],
        &[("k", &long)],
        &[("aliyun-k", "")],
        &[("acs:k", "")],
        &[("k", "acs:v")],
        &[("k", "see http://v")],
        &[("https://k", "")],
        &[("k", "\0")],
    ] {
        assert_eq!(made(none), Err(Refused::Illegal(Param::Tag)), "{none:?}");
    }
}

#[test]
fn only_border_routers_of_the_router_have_flow_logs() {
    let mut world = World::new();
    for instance_id in ["vbr-none", "vbr-other", "vbr-foreign", "eni-a"] {
        let wanted = Wanted {
            instance_id,
            ..wanted()
        };
        let refused = world.create(&wanted);
        assert_eq!(refused, Err(Refused::NoAttachment), "{instance_id}");
    }
    world.account = "";
    let foreign = Wanted {
        instance_id: "vbr-foreign",
        ..wanted()
    };
    assert!(world.create(&foreign).is_ok());
}

/// No change of a router that is not ready, whichever it is; but a look.
#[test]
fn the_router_decides_what_may_be_changed() {
    let mut world = World::new();
    let page = Page::new(None, None).unwrap();
    for (router, refused, is_seen) in [
        ("ecr-none", Refused::NoRouter, false),
        ("ecr-foreign", Refused::NoRouter, false),
        ("vbr-a", Refused::Malformed(Param::EcrId), false),
        ("ecr-inactive", Refused::RouterState, true),
        ("ecr-deleting", Refused::Deleting, true),
        ("named-otherwise", Refused::NoFlowLog, true),
    ] {
        for change in [
            Change::Modify("ecr-flog-x", Given::default()),
            Change::Delete("ecr-flog-x"),
            Change::Activate("ecr-flog-x"),
            Change::Deactivate("ecr-flog-x"),
        ] {
            let done = world.call(&change, router, None);
            assert_eq!(done, Err(refused), "{router} {change:?}");
        }
        let scope = Scope::new("1234", router, None).unwrap();
        let seen = world
            .store
            .describe(&scope, &Filter::default(), page, &world.policy());
        let total = seen.map(|paged| paged.total);
        assert_eq!(total, if is_seen { Ok(0) } else { Err(refused) });
    }
    let done = world.call(&Change::Create(wanted()), "ecr-deleting", None);
    assert_eq!(done, Err(Refused::Deleting));
}

/// What is written wrongly is said before it is looked at whether it is there.
#[test]
fn the_first_error_in_the_documented_order_counts() {
    let mut world = World::new();
    let illegal = given(|it| it.interval = Some("1"));
    let told = Wanted {
        given: illegal,
        instance_id: "vbr-none",
        ..wanted()
    };
    let refused = Err(Refused::Illegal(Param::Interval));
    let create = Change::Create(told);
    assert_eq!(world.call(&create, "ecr-none", None), refused);
    let modify = Change::Modify("ecr-flog-x", illegal);
    assert_eq!(world.call(&modify, "ecr-none", None), refused);
    world.quota = 0;
    let absent = Wanted {
        instance_id: "vbr-none",
        ..wanted()
    };
    assert_eq!(world.create(&absent), Err(Refused::NoAttachment));
    assert_eq!(world.create(&wanted()), Err(Refused::Quota));
}

/// The table of control-plane.md §8.
#[test]
fn each_call_does_in_each_state_what_the_table_says() {
    for is_active in [true, false] {
        let state = || {
            let mut world = World::new();
            let id = world.create(&wanted()).unwrap();
            if !is_active {
                world.at_home(&Change::Deactivate(&id)).unwrap();
            }
            (world, id)
        };
        let when = |fails: bool| if fails { Err(Refused::State) } else { Ok(()) };
        let (mut world, id) = state();
        assert_eq!(world.at_home(&Change::Activate(&id)), when(is_active));
        assert!(world.log(&id).is_active);
        let (mut world, id) = state();
        assert_eq!(world.at_home(&Change::Deactivate(&id)), when(!is_active));
        assert!(!world.log(&id).is_active);
        let (mut world, id) = state();
        let named = given(|it| it.flow_log_name = Some("n"));
        assert_eq!(world.at_home(&Change::Modify(&id, named)), Ok(()));
        assert_eq!(world.log(&id).is_active, is_active);
        assert_eq!(world.at_home(&Change::Delete(&id)), Ok(()));
        assert_eq!(world.store.flow_logs().count(), 0);
        assert_eq!(world.at_home(&Change::Delete(&id)), Err(Refused::NoFlowLog));
    }
}

#[test]
fn a_change_leaves_what_it_does_not_name() {
    let mut world = World::new();
    let told = Wanted {
        given: Given {
            flow_log_name: Some("n"),
            description: Some("d"),
            interval: Some("60"),
            sampling_rate: Some("1:2048"),
        },
        ..wanted()
    };
    let id = world.create(&told).unwrap();
    let before = world.log(&id).attributes.clone();
    let nothing = given(|it| it.interval = Some(""));
    world.at_home(&Change::Modify(&id, nothing)).unwrap();
    assert_eq!(world.log(&id).attributes, before);
    let some = Given {
        description: Some(""),
        sampling_rate: Some("1:4096"),
        ..Given::default()
    };
    world.at_home(&Change::Modify(&id, some)).unwrap();
    let expected = Attributes {
        description: String::new(),
        one_in: 4096,
        ..before
    };
    assert_eq!(world.log(&id).attributes, expected);
}

#[test]
fn no_more_flow_logs_than_the_quota_are_made() {
    let mut world = World::new();
    world.quota = 2;
    let first = world.create(&wanted()).unwrap();
    world.create(&wanted()).unwrap();
    assert_eq!(world.create(&wanted()), Err(Refused::Quota));
    world.account = "5678";
    assert!(world.create(&wanted()).is_ok());
    world.account = "1234";
    world.at_home(&Change::Delete(&first)).unwrap();
    assert!(world.create(&wanted()).is_ok());
}

/// More could not be routed.
#[test]
fn a_border_router_has_as_many_flow_logs_as_there_are_routes() {
    let mut world = World::new();
    for _ in 0..ROUTES_MAX {
        world.create(&wanted()).unwrap();
    }
    assert_eq!(world.create(&wanted()), Err(Refused::Quota));
    let beside = |instance_id| Wanted {
        instance_id,
        ..wanted()
    };
    assert!(world.create(&beside("vbr-b")).is_ok());
    // It has that many of the configuration.
    assert_eq!(world.create(&beside("vbr-full")), Err(Refused::Quota));
}

#[test]
fn flow_logs_of_another_router_or_account_are_not_there() {
    let mut world = World::new();
    let id = world.create(&wanted()).unwrap();
    let delete = Change::Delete(&id);
    let elsewhere = world.call(&delete, "ecr-other", None);
    assert_eq!(elsewhere, Err(Refused::NoFlowLog));
    for account in ["", "5678"] {
        world.account = account;
        assert_eq!(world.at_home(&delete), Err(Refused::NoFlowLog));
    }
    world.account = "1234";
    assert_eq!(world.at_home(&delete), Ok(()));
}

#[test]
fn a_call_may_name_a_region_if_it_is_one() {
    let region = |region| Scope::new("", HOME, region).map(|_| ());
    assert_eq!(region(None), Ok(()));
    assert_eq!(region(Some("cn-mars")), Ok(()));
    for none in ["", "CN", "cn shanghai"] {
        assert_eq!(region(Some(none)), Err(Refused::Region));
    }
}

#[test]
fn a_store_is_the_same_after_it_was_written_and_read() {
    let mut world = World::new();
    let tagged = Wanted {
        tags: vec![("k", "v")],
        ..wanted()
    };
    let token = Token::new("1234", "CreateFlowLog", "t", "d").unwrap();
    let made = world.call(&Change::Create(tagged), HOME, Some(&token));
    assert!(made.is_ok());
    let written = serde_json::to_string(&world.store).unwrap();
    let read: Store = serde_json::from_str(&written).unwrap();
    assert_eq!(read, world.store);
    let earlier: Store = serde_json::from_str("{}").unwrap();
    assert_eq!(earlier, Store::default());
}
