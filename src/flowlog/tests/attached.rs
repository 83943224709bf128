//! What is attached to interfaces of an exporter.

use super::*;
use crate::flow::FlowKey;
use crate::flow::FlowRecord;

/// Something attached to interfaces of 192.0.2.1.
fn attachment(id: &str, interfaces: &[u32], flow_logs: &[&str]) -> Attachment {
    Attachment {
        id: id.to_owned(),
        kind: AttachmentKind::Ccn,
        exporters: vec![exporter("192.0.2.1", None)],
        interfaces: interfaces.to_vec(),
        flow_logs: flow_logs.iter().map(|&name| name.to_owned()).collect(),
        ..Attachment::default()
    }
}

/// `flow log/instance` of the routes that a record of 192.0.2.1 takes.
fn taken(table: &RoutingTable, (in_if, out_if): (u32, u32)) -> Vec<String> {
    let record = FlowRecord {
        key: FlowKey {
            in_if,
            out_if,
            ..FlowKey::default()
        },
        ..FlowRecord::default()
    };
    let ids = match table.verdict(ip("192.0.2.1"), 0) {
        Verdict::Sieve(sieve) => sieve.passed(&record).map(|gate| gate.route).collect(),
        Verdict::Routes(routes) => routes.to_vec(),
        Verdict::Unclaimed => Vec::new(),
    };
    names(table, Verdict::Routes(&ids))
}

#[test]
fn records_of_an_interface_go_its_way_beside_that_of_the_device() {
    let mut definition = three_logs();
    definition.devices = vec![device("box", &[exporter("192.0.2.0/24", None)], &["a"])];
    definition.attachments = vec![
        attachment("seven", &[7, 8], &["b"]),
        attachment("nine", &[9], &["b", "c"]),
    ];
    let table = compile(&definition);
    assert_eq!(taken(&table, (7, 1)), ["a/box", "b/seven"]);
    let both = ["a/box", "b/seven", "b/nine", "c/nine"];
    assert_eq!(taken(&table, (8, 9)), both);
    assert_eq!(taken(&table, (1, 2)), ["a/box"]);
    assert_eq!(
        names(&table, table.verdict(ip("192.0.2.2"), 0)),
        ["a/box"],
        "nothing is attached there"
    );
    assert!(table.names(ip("192.0.2.1")));
}

#[test]
fn other_records_of_an_exporter_that_no_device_claims_are_unclaimed() {
    let mut definition = three_logs();
    definition.attachments = vec![attachment("seven", &[7], &["b"])];
    let table = compile(&definition);
    assert_eq!(taken(&table, (1, 2)), [""; 0]);
    definition.unclaimed = Unclaimed::Take("c".to_owned());
    let table = compile(&definition);
    assert_eq!(taken(&table, (1, 2)), ["c/-"]);
    assert_eq!(taken(&table, (1, 7)), ["b/seven"]);
}

#[test]
fn an_attachment_without_interfaces_has_all_of_the_exporter() {
    let mut definition = three_logs();
    definition.unclaimed = Unclaimed::Take("c".to_owned());
    definition.attachments = vec![attachment("whole", &[], &["a"])];
    let table = compile(&definition);
    assert_eq!(taken(&table, (1, 2)), ["a/whole"]);
}

#[test]
fn a_flow_log_that_is_choosy_or_knows_the_sampling_looks_at_each_record() {
    let mut definition = three_logs();
    definition.devices = vec![device("box", &[exporter("192.0.2.1", None)], &["a", "b"])];
    let plain = compile(&definition);
    assert!(matches!(
        plain.verdict(ip("192.0.2.1"), 0),
        Verdict::Routes(_)
    ));
    definition.flow_logs[0].traffic = Traffic::Reject;
    definition.flow_logs[1].one_in = NonZeroU32::new(1024);
    let table = RoutingTable::compile(&definition, Some(&plain)).unwrap();
    assert_eq!(taken(&table, (1, 2)), ["b/box"]);
    let Verdict::Sieve(sieve) = table.verdict(ip("192.0.2.1"), 0) else {
        panic!("no sieve");
    };
    let gate = sieve.passed(&FlowRecord::default()).next().unwrap();
    assert_eq!(
        (gate.route, gate.one_in),
        (RouteId(2), NonZeroU32::new(1024))
    );
}

#[test]
fn every_problem_of_a_network_is_told() {
    let mut definition = three_logs();
    let router = |id: &str| Router {
        id: id.to_owned(),
        ..Router::default()
    };
    definition.routers = vec![router("ecr-1"), router("ecr-1")];
    definition.vpcs = vec![Vpc {
        id: "vpc-1".to_owned(),
        legacy_id: Some("ecr-1".to_owned()),
        subnets: vec!["s".to_owned(), "s".to_owned()],
        ..Vpc::default()
    }];
    let of = |id: &str, kind, network: Option<&str>| Attachment {
        kind,
        network: network.map(str::to_owned),
        ..attachment(id, &[1], &["a"])
    };
    definition.devices = vec![device("sag", &[exporter("192.0.2.1", None)], &[])];
    definition.attachments = vec![
        of("sag", AttachmentKind::Vbr, Some("vpc-1")),
        of("eni", AttachmentKind::NetworkInterface, None),
        of("ccn", AttachmentKind::Ccn, Some("vpc-1")),
        Attachment {
            subnet: Some("t".to_owned()),
            exporters: Vec::new(),
            interfaces: vec![1, 1],
            ..of("nat", AttachmentKind::Nat, Some("vpc-1"))
        },
    ];
    let places: Vec<_> = problems(&definition)
        .into_iter()
        .map(|problem| problem.split_once(" (").unwrap().0.to_owned())
        .collect();
    assert_eq!(
        places,
        [
            "router[1].id: `ecr-1` is something else already",
            "vpc[0].legacy-id: `ecr-1` is something else already",
            "vpc[0].subnets: subnet `s` is named twice",
            "attachment[0].id: `sag` is something else already",
            "attachment[0].network: `vpc-1` is none that this can be attached to",
            "attachment[1].network: missing",
            "attachment[2].network: `vpc-1` is none that this can be attached to",
            "attachment[3].subnet: its network has no subnet `t`",
            "attachment[3].exporters: names no exporter, so nothing can be seen of this \
                attachment",
            "attachment[3].interfaces: interface `1` is named twice",
        ]
    );
}

#[test]
fn one_interface_has_no_more_flow_logs_than_a_device() {
    let mut definition = three_logs();
    definition.attachments = (0..3)
        .map(|index| attachment(&format!("at-{index}"), &[7], &["a", "b", "c"]))
        .collect();
    assert_eq!(
        problems(&definition),
        [
            "attachment[2].flow-logs: 9 flow logs for one interface, at most 8 \
            (each record would enter the cache once for each of them)"
        ]
    );
    definition.attachments[2].interfaces = vec![8];
    compile(&definition);
}
