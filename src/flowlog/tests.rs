mod attached;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::cache::CacheType;
use crate::element::ElementId;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn exporter(prefix: &str, domain: Option<u32>) -> ExporterMatch {
    ExporterMatch {
        prefix: prefix.parse().unwrap(),
        domain,
    }
}

fn device(id: &str, exporters: &[ExporterMatch], flow_logs: &[&str]) -> Device {
    Device {
        instance_id: id.to_owned(),
        exporters: exporters.to_vec(),
        flow_logs: flow_logs.iter().map(|&name| name.to_owned()).collect(),
        ..Device::default()
    }
}

/// Flow logs a, b and c, and nothing bound to them.
fn three_logs() -> Definition {
    let log = |name| FlowLog::new(name, "branches", "flows");
    Definition {
        flow_logs: vec![log("a"), log("b"), log("c")],
        ..Definition::default()
    }
}

fn compile(definition: &Definition) -> RoutingTable {
    RoutingTable::compile(definition, None).unwrap()
}

fn problems(definition: &Definition) -> Vec<String> {
    let problems = RoutingTable::compile(definition, None).unwrap_err();
    problems.iter().map(Problem::to_string).collect()
}

/// `flow log/device` of each route of a verdict.
fn names(table: &RoutingTable, verdict: Verdict<'_>) -> Vec<String> {
    let Verdict::Routes(ids) = verdict else {
        panic!("{verdict:?} are no routes");
    };
    let name = |route: &Route| {
        let device = route.instance_id.as_deref().unwrap_or("-");
        format!("{}/{device}", route.flow_log.name)
    };
    ids.iter()
        .map(|id| name(table.route(*id).unwrap()))
        .collect()
}

#[test]
fn the_longest_prefix_decides() {
    let mut definition = three_logs();
    definition.devices = vec![
        device("wide", &[exporter("10.0.0.0/8", None)], &["a"]),
        device("site", &[exporter("10.9.0.0/16", None)], &["b", "c"]),
        device("box", &[exporter("10.9.1.1", None)], &["c"]),
    ];
    let table = compile(&definition);
    let of = |address| names(&table, table.verdict(ip(address), 7));
    assert_eq!(of("10.1.1.1"), ["a/wide"]);
    assert_eq!(of("10.9.1.2"), ["b/site", "c/site"]);
    assert_eq!(of("10.9.1.1"), ["c/box"]);
    assert_eq!(of("::ffff:10.9.1.1"), ["c/box"]);
    assert_eq!(table.verdict(ip("11.0.0.1"), 7), Verdict::Unclaimed);
    assert_eq!(table.verdict(ip("2001:db8::1"), 7), Verdict::Unclaimed);
}

#[test]
fn a_named_domain_beats_the_prefix_alone_but_not_a_longer_prefix() {
    let mut definition = three_logs();
    definition.devices = vec![
        device("site", &[exporter("10.9.0.0/16", None)], &["a"]),
        device("card", &[exporter("10.9.0.0/16", Some(5))], &["b"]),
        device("box", &[exporter("10.9.1.1", None)], &["c"]),
    ];
    let table = compile(&definition);
    let of = |address, domain| names(&table, table.verdict(ip(address), domain));
    assert_eq!(of("10.9.0.1", 4), ["a/site"]);
    assert_eq!(of("10.9.0.1", 5), ["b/card"]);
    assert_eq!(of("10.9.1.1", 5), ["c/box"]);
}

#[test]
fn unclaimed_exporters_take_the_default_flow_log() {
    let mut definition = three_logs();
    definition.unclaimed = Unclaimed::Take("b".to_owned());
    let table = compile(&definition);
    assert_eq!(names(&table, table.verdict(ip("192.0.2.1"), 0)), ["b/-"]);
    assert_eq!(table.routes().count(), 1);
}

#[test]
fn a_device_bound_to_nothing_takes_the_default_flow_log_under_its_own_id() {
    let mut definition = three_logs();
    definition.devices = vec![device("sag-1", &[exporter("192.0.2.1", None)], &[])];
    let table = compile(&definition);
    assert_eq!(table.verdict(ip("192.0.2.1"), 0), Verdict::Unclaimed);
    definition.unclaimed = Unclaimed::Take("b".to_owned());
    let table = compile(&definition);
    assert_eq!(
        names(&table, table.verdict(ip("192.0.2.1"), 0)),
        ["b/sag-1"]
    );
}

#[test]
fn the_allow_list_says_who_is_heard_not_where_records_go() {
    let mut definition = three_logs();
    definition.unclaimed = Unclaimed::Take("a".to_owned());
    definition.allow = vec!["10.0.0.0/8".parse().unwrap()];
    let table = compile(&definition);
    assert_eq!(names(&table, table.verdict(ip("192.0.2.1"), 0)), ["a/-"]);
    assert!(!table.allows(ip("192.0.2.1")));
    assert!(table.allows(ip("::ffff:10.0.0.1")));
    assert_eq!(names(&table, table.verdict(ip("10.0.0.1"), 0)), ["a/-"]);
}

#[test]
fn a_route_carries_the_ids_of_its_device() {
    let mut definition = three_logs();
    let mut sag = device("sag-1", &[exporter("192.0.2.1", None)], &["a"]);
    sag.snid = Some("sn1".to_owned());
    sag.ali_uid = Some("1234".to_owned());
    definition.devices = vec![sag];
    let table = compile(&definition);
    let route = table.routes().next().unwrap();
    assert_eq!((route.id, route.generation), (RouteId(1), 1));
    assert_eq!(route.instance_id.as_deref(), Some("sag-1"));
    assert_eq!(route.snid.as_deref(), Some("sn1"));
    assert_eq!(route.ali_uid.as_deref(), Some("1234"));
}

#[test]
fn the_empty_table_claims_nobody_and_allows_everybody() {
    let table = RoutingTable::default();
    assert_eq!(table.verdict(ip("192.0.2.1"), 0), Verdict::Unclaimed);
    assert_eq!(table.route(RouteId(0)), None);
    assert_eq!(table.routes().count(), 0);
}

/// One device on two flow logs, and the table that follows from it.
fn two_routes() -> (Definition, RoutingTable) {
    let mut definition = three_logs();
    let exporters = [exporter("192.0.2.1", None)];
    definition.devices = vec![device("sag-1", &exporters, &["a", "b"])];
    let table = compile(&definition);
    (definition, table)
}

#[test]
fn what_changes_no_row_keeps_the_id() {
    let (mut definition, table) = two_routes();
    let timers = Timers::new(
        Duration::from_secs(60),
        Inactive::Auto(Duration::from_secs(9)),
    );
    for log in &mut definition.flow_logs {
        log.timers = timers.clone().unwrap();
        log.cache = CacheType::Immediate;
        log.description = "changed".to_owned();
    }
    definition.devices[0].exporters = vec![exporter("198.51.100.0/24", None)];
    definition.flow_logs.reverse();
    let next = RoutingTable::compile(&definition, Some(&table)).unwrap();
    let expected = Verdict::Routes(&[RouteId(1), RouteId(2)]);
    assert_eq!(next.verdict(ip("198.51.100.7"), 0), expected);
    assert_eq!(next.verdict(ip("192.0.2.1"), 0), Verdict::Unclaimed);
    let route = next.route(RouteId(1)).unwrap();
    assert_eq!(route.generation, 1);
    assert_eq!(route.flow_log.timers, timers.unwrap());
    assert_eq!(next.routes().count(), 2);
}

#[test]
fn a_changed_route_gets_a_new_id_and_the_old_one_resolves_to_what_it_was() {
    let (mut definition, table) = two_routes();
    definition.flow_logs[0].logstore = "other".to_owned();
    let next = RoutingTable::compile(&definition, Some(&table)).unwrap();
    let expected = Verdict::Routes(&[RouteId(3), RouteId(2)]);
    assert_eq!(next.verdict(ip("192.0.2.1"), 0), expected);
    let (old, new) = (
        next.route(RouteId(1)).unwrap(),
        next.route(RouteId(3)).unwrap(),
    );
    assert_eq!((&*old.flow_log.logstore, old.generation), ("flows", 1));
    assert_eq!((&*new.flow_log.logstore, new.generation), ("other", 2));
    assert_eq!((next.is_live(old.id), next.is_live(new.id)), (false, true));
}

#[test]
fn every_part_of_a_row_is_a_change() {
    let (definition, table) = two_routes();
    let server = "192.0.2.9:2055".parse().unwrap();
    let output = NetflowOutput {
        target: NetflowTarget::new(server, NetflowVersion::V9),
        filter: None,
    };
    let changes: [fn(&mut Definition, NetflowOutput); 7] = [
        |it, _| it.flow_logs[0].project = "other".to_owned(),
        |it, _| it.flow_logs[0].logstore = "other".to_owned(),
        |it, output| it.flow_logs[0].netflow.push(output),
        |it, output| {
            it.flow_logs[0].netflow.push(output);
            it.flow_logs[0].output = OutputType::All;
        },
        |it, _| it.flow_logs[0].extra = vec![ElementId::iana(96)],
        |it, _| it.devices[0].snid = Some("sn".to_owned()),
        |it, _| it.devices[0].ali_uid = Some("uid".to_owned()),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut changed = definition.clone();
        change(&mut changed, output.clone());
        let next = RoutingTable::compile(&changed, Some(&table)).unwrap();
        assert!(!next.is_live(RouteId(1)), "change {index}");
    }
}

#[test]
fn a_removed_route_stays_resolvable_and_returns_under_a_new_id() {
    let (definition, table) = two_routes();
    let removed = RoutingTable::compile(&three_logs(), Some(&table)).unwrap();
    assert_eq!(removed.routes().count(), 0);
    assert_eq!(removed.route(RouteId(1)).unwrap().flow_log.name, "a");
    let back = RoutingTable::compile(&definition, Some(&removed)).unwrap();
    let expected = Verdict::Routes(&[RouteId(3), RouteId(4)]);
    assert_eq!(back.verdict(ip("192.0.2.1"), 0), expected);
    assert_eq!(back.route(RouteId(3)).unwrap().generation, 2);
}

/// 66 000 changes of one route, more than there are ids.
#[test]
fn retired_ids_are_bounded_and_never_stand_for_two_routes() {
    let route = |name: &str, logstore: String| Route {
        id: RouteId(0),
        generation: 0,
        flow_log: Arc::new(FlowLog::new(name, "branches", &logstore)),
        instance_id: None,
        snid: None,
        ali_uid: None,
    };
    let mut routes = change::Routes::default();
    let mut ids = Vec::new();
    for change in 0..66 {
        // A thousand live routes change at once, beside one that never does.
        let mut wanted = vec![route("steady", "flows".to_owned())];
        wanted.extend((0..1000).map(|n| route(&format!("n{n}"), format!("logs-{change}"))));
        (routes, ids) = routes.successor(wanted);
        assert_eq!(ids[0], RouteId(1));
        assert!(ids.iter().all(|id| routes.is_live(*id)));
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1001);
    }
    assert!(ids.iter().all(|id| id.0 != 0));
    assert_eq!(routes.get(ids[1]).unwrap().generation, 66);
    let known = (0..=u16::MAX).filter(|id| routes.get(RouteId(*id)).is_some());
    assert_eq!(known.count(), 1001 + change::RETIRED_MAX);
}

#[test]
fn every_problem_is_reported_at_once() {
    let mut definition = three_logs();
    definition.flow_logs[1].name = "a".to_owned();
    definition.flow_logs[2].project = "Über".to_owned();
    definition.flow_logs[2].output = OutputType::All;
    let shared = exporter("10.0.0.0/8", Some(3));
    definition.devices = vec![
        device("x", &[shared], &["a", "nowhere", "a"]),
        device("x", &[shared], &["a"; 9]),
        device("", &[], &[]),
    ];
    definition.unclaimed = Unclaimed::Take("none".to_owned());
    definition.allow = vec!["192.0.2.0/24".parse().unwrap()];
    assert_eq!(
        problems(&definition),
        [
            "flow-log[1].name: another flow log is named `a` too (give it a name of its own)",
            "flow-log[2].project: `Über` is no name that SLS takes \
             (3 to 63 of a-z, 0-9, -, with a letter or digit at both ends)",
            "flow-log[2].netflow-server: missing, but the output needs it \
             (name the collector, or use output = \"sls\")",
            "device[1].instance-id: another device is `x` too \
             (list all its exporters in one device, or give each its own snid)",
            "device[2].instance-id: must have 1 to 128 characters, not 0 \
             (it becomes a column of every row)",
            "device[2].exporters: names no exporter, so nothing can come from this device \
             (list the addresses its datagrams come from)",
            "device[0].flow-logs[1]: no flow log is named `nowhere` (flow logs are: a, c)",
            "device[0].flow-logs: flow log `a` is named twice (name it once)",
            "device[1].flow-logs: 9 flow logs, at most 8 \
             (each record would enter the cache once for each of them)",
            "device[1].flow-logs: flow log `a` is named twice (name it once)",
            "default-flow-log.name: no flow log is named `none` (flow logs are: a, c)",
            "device[0].exporters[0]: exporters.allow excludes 10.0.0.0/8 \
             (nothing would be heard from it; extend the list or remove it here)",
            "device[1].exporters[0]: device `x` claims domain 3 of 10.0.0.0/8 too \
             (an exporter belongs to one device; bind that to all flow logs)",
            "device[1].exporters[0]: exporters.allow excludes 10.0.0.0/8 \
             (nothing would be heard from it; extend the list or remove it here)",
        ]
    );
}

#[test]
fn timers_have_ranges_and_an_order() {
    let seconds = Duration::from_secs;
    let refusal = |active, inactive| {
        let refusal = Timers::new(seconds(active), Inactive::Fixed(seconds(inactive)));
        refusal
            .map_err(|problem| (problem.place, problem.what))
            .unwrap_err()
    };
    let range = |key: &str, value| {
        (
            key.to_owned(),
            format!("must be 1 to 6000 s, not {value} s"),
        )
    };
    assert_eq!(refusal(0, 1), range("active-s", 0));
    assert_eq!(refusal(6001, 1), range("active-s", 6001));
    assert_eq!(refusal(60, 0), range("inactive-s", 0));
    assert_eq!(refusal(6000, 6001), range("inactive-s", 6001));
    let order = "the inactive timer (61 s) is longer than the active timer (60 s)";
    assert_eq!(refusal(60, 61), ("inactive-s".to_owned(), order.to_owned()));
    let equal = Timers::new(seconds(1), Inactive::Auto(seconds(1))).unwrap();
    assert_eq!(
        (equal.active(), equal.inactive().floor()),
        (seconds(1), seconds(1))
    );
}

/// Few networks and domains, so that claims nest and collide.
fn any_exporter() -> impl Strategy<Value = ExporterMatch> {
    let address = prop_oneof![
        any::<[u8; 1]>().prop_map(|[low]| IpAddr::from([10, 0, 0, low & 7])),
        (0..4_u16).prop_map(|low| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, low])),
    ];
    let domain = prop_oneof![Just(None), (0..3_u32).prop_map(Some)];
    (address, 0..=6_u8, domain).prop_map(|(address, missing, domain)| {
        let full = Prefix::host(address).length();
        // 0 to 3 bits short of the whole address, or nearly or wholly empty.
        let length = if missing < 4 {
            full - missing
        } else {
            6 - missing
        };
        ExporterMatch {
            prefix: Prefix::around(address, length),
            domain,
        }
    })
}

proptest! {
    #[test]
    fn a_verdict_is_what_a_scan_of_all_claims_finds(
        exporters in prop::collection::btree_set(any_exporter(), 1..12),
        address in any_exporter().prop_map(|it| it.prefix.network()),
        domain in 0..4_u32,
    ) {
        let mut definition = three_logs();
        definition.devices = exporters
            .iter()
            .enumerate()
            .map(|(index, exporter)| device(&index.to_string(), &[*exporter], &["a"]))
            .collect();
        let table = compile(&definition);
        let best = exporters
            .iter()
            .enumerate()
            .filter(|(_, it)| it.prefix.contains(address))
            .filter(|(_, it)| it.domain.is_none_or(|of| of == domain))
            .max_by_key(|(_, it)| (it.prefix.length(), it.domain.is_some()));
        match best {
            None => prop_assert_eq!(table.verdict(address, domain), Verdict::Unclaimed),
            Some((index, _)) => {
                let expected = vec![format!("a/{index}")];
                prop_assert_eq!(names(&table, table.verdict(address, domain)), expected);
            }
        }
    }

    #[test]
    fn any_chain_of_definitions_keeps_ids_apart(
        steps in prop::collection::vec((0..4_u8, 0..8_u8), 1..20),
    ) {
        let (_, mut table) = two_routes();
        for (logstore, bound) in steps {
            let mut definition = three_logs();
            definition.flow_logs[0].logstore = format!("logs-{logstore}");
            let logs = [(1, "a"), (2, "b"), (4, "c")].into_iter();
            let bound: Vec<&str> = logs
                .filter(|(bit, _)| bound & bit != 0)
                .map(|(_, log)| log)
                .collect();
            definition.devices = vec![device("sag-1", &[exporter("192.0.2.1", None)], &bound)];
            let next = RoutingTable::compile(&definition, Some(&table)).unwrap();
            for route in next.routes() {
                let before = table.route(route.id);
                prop_assert!(before.is_none_or(|old| old == route));
            }
            for old in table.routes() {
                prop_assert_eq!(next.route(old.id), Some(old));
            }
            table = next;
        }
    }
}

#[test]
fn an_exporter_is_named_by_its_device_or_by_the_allow_list() {
    let mut definition = three_logs();
    let claims = [
        exporter("10.0.0.0/8", Some(7)),
        exporter("192.0.2.1/32", None),
    ];
    definition.devices = vec![device("one", &claims, &["a"])];
    let table = compile(&definition);
    assert!(table.names(ip("10.1.2.3")));
    assert!(table.names(ip("::ffff:192.0.2.1")));
    assert!(!table.names(ip("192.0.2.2")));
    definition.devices.clear();
    definition.allow = vec!["192.0.2.0/24".parse().unwrap()];
    let table = compile(&definition);
    assert!(table.names(ip("192.0.2.2")));
    assert!(!table.names(ip("198.51.100.1")));
}

#[test]
fn a_mediator_is_named_and_believed() {
    let mut definition = three_logs();
    let table = compile(&definition);
    assert!(!table.has_mediators() && !table.mediates(ip("192.0.2.1")));
    definition.mediators = vec!["192.0.2.0/28".parse().unwrap()];
    let table = compile(&definition);
    assert!(table.has_mediators());
    assert!(table.mediates(ip("::ffff:192.0.2.1")) && table.names(ip("192.0.2.1")));
    assert!(!table.mediates(ip("192.0.2.16")) && !table.names(ip("192.0.2.16")));
}

#[test]
fn a_mediator_must_be_heard_but_not_whom_it_speaks_for() {
    let mut definition = three_logs();
    definition.devices = vec![device("one", &[exporter("10.0.0.0/8", None)], &["a"])];
    definition.allow = vec!["192.0.2.0/24".parse().unwrap()];
    definition.mediators = vec![
        "192.0.2.1".parse().unwrap(),
        "198.51.100.1".parse().unwrap(),
    ];
    assert_eq!(
        problems(&definition),
        [
            "exporters.mediators[1]: exporters.allow excludes 198.51.100.1/32 \
          (nothing would be heard from it; extend that list or remove it here)"
        ]
    );
}
