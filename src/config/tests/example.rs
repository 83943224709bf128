//! The file a newcomer starts with says what the defaults are.

use std::num::NonZeroU32;

use super::*;
use crate::flowlog::Attachment;
use crate::flowlog::AttachmentKind;
use crate::flowlog::Router;
use crate::flowlog::RouterStatus;
use crate::flowlog::Vpc;

/// The example with every setting in force.
pub(super) fn uncommented() -> String {
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c == '[' || c.is_alphabetic()) => setting,
        _ => line,
    };
    EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_runs_unedited_and_means_the_defaults() {
    assert_eq!(parse(EXAMPLE), Config::default());
}

fn shown_device() -> Device {
    let exporter = |prefix: &str, domain| ExporterMatch {
        prefix: prefix.parse().unwrap(),
        domain,
    };
    Device {
        instance_id: "sag-branch-1".to_owned(),
        snid: Some("sag0123456789".to_owned()),
        ali_uid: Some("1234567890123456".to_owned()),
        exporters: vec![
            exporter("192.0.2.1", None),
            exporter("198.51.100.0/24", Some(5)),
        ],
        flow_logs: vec!["branches".to_owned()],
        card: Card {
            name: "Branch 1".to_owned(),
            region: Some("cn-shanghai".to_owned()),
            ..Card::default()
        },
    }
}

fn shown_credential() -> Credential {
    Credential {
        id: "LTAI5tExample".to_owned(),
        secret_file: "/etc/flowlogd/credentials/terraform".into(),
        token_file: Some("/run/flowlogd/token".into()),
        account: Some("1234567890123456".to_owned()),
        products: vec![
            Product::Smartag,
            Product::ExpressConnectRouter,
            Product::Vpc,
        ],
        actions: vec!["*".to_owned()],
    }
}

/// What the example shows where there is no default to show.
fn shown() -> Config {
    let mut shown = Config::default();
    shown.exporters.sampling = vec![Sampling {
        exporter: "198.51.100.0/24".parse().unwrap(),
        one_in: 1000,
        when: SamplingUse::default(),
    }];
    shown.sls.region = Some("cn-hangzhou".to_owned());
    shown.sls.key_file = Some("/etc/flowlogd/sls-key".into());
    shown.sls.proxy = Some("http://192.0.2.3:3128".to_owned());
    shown.sls.ca_file = Some("/etc/flowlogd/ca.pem".into());
    let endpoint = "https://cn-shanghai-intranet.log.aliyuncs.com";
    let service = Service::Cloud(endpoint.to_owned());
    shown.sls.regions.insert("cn-shanghai".to_owned(), service);
    let key = "/etc/flowlogd/sls-key-branch".into();
    shown
        .sls
        .accounts
        .insert("1234567890123456".to_owned(), key);
    shown.journal.quota = Some(4 << 30);
    shown.access_keys = vec![AccessKey {
        id: "grafana".to_owned(),
        secret_file: "/etc/flowlogd/access/grafana".into(),
        projects: vec!["*".to_owned()],
        permission: Permission::ReadWrite,
    }];
    shown.control.destinations = vec!["192.0.2.0/24".parse().unwrap()];
    shown.control.credentials = vec![shown_credential()];
    show_certificates(&mut shown.http);
    shown.logstore.dir = Some("/var/lib/flowlogd/logstore".into());
    shown.logstore.disk_budget = Some(10 << 30);
    shown.state.dir = Some("/var/lib/flowlogd".into());
    let mut log = FlowLog::new("branches", "branches", "flows");
    let server = "192.0.2.9".parse().unwrap();
    let mut target = NetflowTarget::new(server, NetflowVersion::default());
    log.netflow.push(NetflowOutput {
        target: target.clone(),
        filter: None,
    });
    target.server = "collector.example.net:4739".parse().unwrap();
    target.version = NetflowVersion::V10;
    log.netflow.push(NetflowOutput {
        target,
        filter: Some(Filter::parse("proto tcp and bytes > 1000").unwrap()),
    });
    log.region = Some("cn-hangzhou".to_owned());
    log.fields = vec!["exporter".to_owned(), "vlan".to_owned()];
    log.extra = vec![ElementId::iana(95), ElementId { pen: 9, id: 12232 }];
    log.one_in = NonZeroU32::new(4096);
    shown.definition.flow_logs.insert(0, log);
    shown.definition.devices = vec![shown_device()];
    shown.control.cls_project = Some("tencent-cls".to_owned());
    shown
        .definition
        .cls_project
        .clone_from(&shown.control.cls_project);
    show_networks(&mut shown.definition);
    shown.relays = vec![RelayRule {
        exporters: vec!["198.51.100.0/24".parse().unwrap()],
        to: ["192.0.2.9:2055", "collector.example.net:9995"]
            .map(|target| target.parse().unwrap())
            .into(),
        only: false,
        spoof_source: false,
    }];
    shown
}

fn show_certificates(http: &mut Http) {
    let files = |name: &str| Certificate {
        certificate_file: format!("/etc/flowlogd/{name}.pem").into(),
        key_file: format!("/etc/flowlogd/{name}.key").into(),
    };
    http.certificate = Some(files("http"));
    http.signed = Some(Signed {
        address: "0.0.0.0:9993".parse().unwrap(),
        certificate: Some(files("signed")),
        hosts: vec!["flows.example.net".to_owned()],
    });
}

fn show_networks(definition: &mut Definition) {
    let account = Some("100001234567".to_owned());
    definition.routers = vec![Router {
        id: "ecr-mezk2idmsd0vx20001".to_owned(),
        region: Some("cn-hangzhou".to_owned()),
        account: Some("1234567890123456".to_owned()),
        status: RouterStatus::Active,
    }];
    definition.vpcs = vec![Vpc {
        id: "vpc-iqg1sdjj".to_owned(),
        legacy_id: Some("gz_vpc_266".to_owned()),
        account: account.clone(),
        subnets: vec!["subnet-9bqkbq1a".to_owned()],
    }];
    definition.attachments = vec![Attachment {
        id: "eni-08dhim01".to_owned(),
        kind: AttachmentKind::NetworkInterface,
        network: Some("vpc-iqg1sdjj".to_owned()),
        subnet: Some("subnet-9bqkbq1a".to_owned()),
        account,
        exporters: vec![ExporterMatch {
            prefix: "203.0.113.5".parse().unwrap(),
            domain: None,
        }],
        interfaces: vec![7],
        flow_logs: vec!["branches".to_owned()],
    }];
}

#[test]
fn every_commented_default_of_the_example_is_the_default() {
    assert_eq!(parse(&uncommented()), shown());
}

/// Provokes the list of known keys in every table of the example.
#[test]
fn every_key_occurs_in_the_example() {
    let example = uncommented();
    let document: toml::Table = example.parse().unwrap();
    let planted: String = example
        .lines()
        .map(|line| match line.starts_with('[') {
            true => format!("{line}\nqqqqqqqq = 0\n"),
            false => format!("{line}\n").replace("domain = 5", "domain = 5, qqqqqqqq = 0"),
        })
        .collect();
    let planted = format!("qqqqqqqq = 0\n{planted}");
    let problems = Config::parse(&planted, "flowlogd.toml").unwrap_err();
    let mut tables = 0;
    for problem in problems.iter() {
        let keys = problem.advice.strip_prefix("known keys are ").unwrap();
        let table = table_at(&document, problem.place.strip_suffix("qqqqqqqq").unwrap());
        for key in keys.split(", ") {
            assert!(table.contains_key(key), "{} without {key}", problem.place);
        }
        tables += 1;
    }
    assert_eq!(tables, planted.matches("qqqqqqqq").count());
}

/// The table at a path such as `device[0].exporters[1].`.
fn table_at<'a>(document: &'a toml::Table, path: &str) -> &'a toml::Table {
    path.split_terminator('.').fold(document, |table, step| {
        let (key, index) = step.split_once('[').unwrap_or((step, ""));
        let value = &table[key];
        match index.strip_suffix(']') {
            Some(index) => value[index.parse::<usize>().unwrap()].as_table().unwrap(),
            None => value.as_table().unwrap(),
        }
    })
}
