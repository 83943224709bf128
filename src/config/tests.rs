use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::cache::CacheType;
use crate::element::ElementId;
use crate::flow::Filter;
use crate::flowlog::Card;
use crate::flowlog::Device;
use crate::flowlog::ExporterMatch;
use crate::flowlog::FlowLog;
use crate::flowlog::Inactive;
use crate::flowlog::NetflowOutput;
use crate::flowlog::NetflowTarget;
use crate::flowlog::NetflowVersion;
use crate::flowlog::Problem;
use crate::flowlog::Timers;
use crate::flowlog::Unclaimed;
use crate::listen::may_run_on;
use crate::session;

/// The file a newcomer starts with.
const EXAMPLE: &str = include_str!("../../config/flowlogd.toml");

mod collectors;
mod example;
mod exported;
mod relays;

use example::uncommented;

fn parse(text: &str) -> Config {
    Config::parse(text, "flowlogd.toml").unwrap_or_else(|problems| panic!("{problems}"))
}

fn refusal(text: &str) -> String {
    Config::parse(text, "flowlogd.toml")
        .unwrap_err()
        .to_string()
}

/// `place: what` of every problem.
fn problems(text: &str) -> Vec<String> {
    let problems = Config::parse(text, "flowlogd.toml").unwrap_err();
    let line = |problem: &Problem| format!("{}: {}", problem.place, problem.what);
    problems.iter().map(line).collect()
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(parse(""), Config::default());
    assert_eq!(parse("[listen]\n[exporters.limits]\n"), Config::default());
}

#[test]
fn the_defaults_compile_to_a_table_that_takes_everything() {
    let table = RoutingTable::compile(&Config::default().definition, None).unwrap();
    let route = table.routes().next().unwrap();
    assert_eq!(
        *route.flow_log,
        FlowLog::new("default", "flowlogd", "flows")
    );
}

#[test]
fn every_key_can_be_set() {
    let config = parse(
        r#"
        [listen]
        addresses = ["192.0.2.1:2055", "[::]:4739", "0.0.0.0:9995"]
        receive-buffer-bytes = 0x20_0000
        max-nap-us = 0
        lanes = 3
        steering = "off"
        gro = true
        [exporters]
        template-scope = "ip-only"
        persist-templates = false
        sampling = [{ exporter = "10.0.0.1", one-in = 7, when = "always" }]
        [cache]
        linger-ms = 0
        [logstore]
        keep = "embedded-only"
        retention-days = 1
        query.timeout-s = 3
        [http]
        address = "[::1]:0"
        timeout-s = 4
        [log]
        level = "trace"
        format = "json"
        "#,
    );
    let expected = Listen {
        addresses: ["192.0.2.1:2055", "[::]:4739", "0.0.0.0:9995"]
            .map(|address| address.parse().unwrap())
            .to_vec(),
        receive_buffer_bytes: 2 << 20,
        nap_max: Duration::ZERO,
        lanes: Some(3),
        steering: Steering::Off,
        cpus: Vec::new(),
        gro: true,
    };
    assert_eq!(config.listen, expected);
    let sampling = Sampling {
        exporter: "10.0.0.1".parse().unwrap(),
        one_in: 7,
        when: SamplingUse::Always,
    };
    assert_eq!(config.exporters.sampling, [sampling]);
    assert_eq!(config.exporters.template_scope, TemplateScope::IpOnly);
    assert!(!config.exporters.persist_templates);
    assert_eq!(config.cache.linger, Duration::ZERO);
    assert_eq!(config.logstore.keep, Keep::EmbeddedOnly);
    assert_eq!(config.logstore.retention, Duration::from_hours(24));
    assert_eq!(config.logstore.query.timeout, Duration::from_secs(3));
    assert_eq!(config.http.address, "[::1]:0".parse().unwrap());
    assert_eq!(config.log.level, Level::Trace);
    assert_eq!(config.log.format, Format::Json);
}

#[test]
fn every_key_of_the_routing_can_be_set() {
    let text = r#"
        [exporters]
        allow = ["10.0.0.0/8", "2001:db8::/32"]
        mediators = ["10.0.0.5", "2001:db8::/64"]
        [default-flow-log]
        action = "ignore"
        [[flow-log]]
        name = "a"
        project = "abc"
        logstore = "ab"
        active-s = 5
        inactive-s = "auto"
        cache = "off"
        netflow-server = "2001:db8::9"
        netflow-version = "v10"
    "#;
    let definition = parse(text).definition;
    let allow: Vec<String> = definition.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allow, ["10.0.0.0/8", "2001:db8::/32"]);
    let mediators = definition.mediators.iter().map(ToString::to_string);
    let mediators: Vec<String> = mediators.collect();
    assert_eq!(mediators, ["10.0.0.5/32", "2001:db8::/64"]);
    assert_eq!(definition.unclaimed, Unclaimed::Ignore);
    let [log] = &definition.flow_logs[..] else {
        panic!("{:?}", definition.flow_logs);
    };
    let five = Duration::from_secs(5);
    assert_eq!(log.timers, Timers::new(five, Inactive::Auto(five)).unwrap());
    assert_eq!(log.cache, CacheType::Immediate);
    let server = "2001:db8::9".parse().unwrap();
    let output = NetflowOutput {
        target: NetflowTarget::new(server, NetflowVersion::V10),
        filter: None,
    };
    assert_eq!(log.netflow, [output]);
}

/// Table, key and range of every number; the example names the ranges, too.
const RANGES: &[(&str, &str, u64, u64)] = &[
    ("netflow", "max-collectors", 1, 1_024),
    ("netflow", "queue-bytes", 1 << 20, 1 << 34),
    ("netflow", "max-templates", 16, 60_000),
    ("netflow", "max-samplers", 1, 60_000),
    ("netflow", "reconnect-s", 1, 3_600),
    ("listen", "receive-buffer-bytes", 65_536, 1 << 30),
    ("listen", "max-nap-us", 0, 10_000),
    ("listen", "lanes", 0, 8),
    ("exporters", "template-lifetime-s", 60, 691_200),
    ("exporters", "template-lifetime-messages", 0, 1_000_000_000),
    ("exporters", "max-sampling", 1, 4_294_967_295),
    ("exporters", "max-export-skew-s", 1, 31_536_000),
    ("exporters", "max-flow-age-s", 60, 2_147_483),
    ("exporters.limits", "max-sessions", 1, 1_000_000),
    ("exporters.limits", "max-probation", 1, 1_000_000),
    ("exporters.limits", "max-sessions-per-second", 1, 1_000_000),
    ("exporters.limits", "max-sources", 1, 16_000_000),
    ("exporters.limits", "max-domains-per-session", 1, 65_536),
    ("exporters.limits", "max-templates-per-domain", 1, 65_280),
    (
        "exporters.limits",
        "max-session-definition-bytes",
        1,
        1 << 30,
    ),
    ("exporters.limits", "max-definition-bytes", 1, 64 << 30),
    ("exporters.limits", "max-fields-per-template", 1, 16_370),
    ("exporters.limits", "max-session-orphan-bytes", 0, 1 << 30),
    ("exporters.limits", "max-orphan-bytes", 0, 64 << 30),
    ("exporters.limits", "max-orphan-age-s", 1, 3600),
    ("exporters.limits", "max-option-entries", 1, 16_000_000),
    ("exporters.limits", "max-records-per-second", 0, 100_000_000),
    ("cache", "max-flows", 1000, 1 << 30),
    ("cache", "linger-ms", 0, 60_000),
    ("cache", "exporter-share-percent", 1, 100),
    ("cache", "max-odometers", 1000, 1 << 30),
    ("cache", "max-detail-bytes", 1 << 20, 64 << 30),
    ("logstore", "tail-age-s", 1, 3600),
    ("logstore", "tail-bytes", 1 << 20, 64 << 30),
    ("logstore", "retention-days", 1, 3650),
    ("logstore", "disk-budget-bytes", 16 << 20, 1 << 60),
    ("logstore.query", "max-rows", 1, 1_000_000),
    ("logstore.query", "timeout-s", 1, 3600),
    ("logstore.query", "memory-bytes", 16 << 20, 64 << 30),
    ("logstore.query", "max-concurrent", 1, 16),
    ("http", "max-body-bytes", 1024, 64 << 20),
    ("http", "timeout-s", 2, 7200),
    ("http", "header-timeout-s", 1, 60),
    ("http", "max-connections", 1, 65_536),
];

#[test]
fn every_number_has_the_range_that_the_example_says() {
    let prose = EXAMPLE.replace("\n# ", " ");
    for &(table, key, least, most) in RANGES {
        let range = format!("must be {least} to {most}, not ");
        let is_refused = |value: u64| {
            let text = format!("[{table}]\n{key} = {value}");
            let result = Config::parse(&text, "flowlogd.toml").map_err(|problems| {
                let mut whats = problems.iter().map(|problem| problem.what.clone());
                whats.any(|what| what == format!("{range}{value}"))
            });
            result == Err(true)
        };
        for value in [least, most] {
            assert!(!is_refused(value), "{key} = {value}");
        }
        assert!(is_refused(most + 1), "{key} = {}", most + 1);
        if let Some(below) = least.checked_sub(1) {
            assert!(is_refused(below), "{key} = {below}");
        }
        assert!(prose.contains(&format!("{least} to {most}")), "{key}");
    }
}

#[test]
fn a_negative_or_endless_number_is_out_of_range() {
    let text = "[cache]\nmax-flows = -1\nmax-odometers = 99999999999999999999";
    assert_eq!(
        problems(text),
        [
            "cache.max-flows: must be 1000 to 1073741824, not -1",
            "cache.max-odometers: must be 1000 to 1073741824, not 99999999999999999999",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flowlogd.toml");
    let name = path.display();
    let problems = || Config::load(&path).unwrap_err().to_string();
    let absent = format!(
        "error: cannot read {name}: No such file or directory (os error 2)\n\n{name}: 1 problem"
    );
    assert_eq!(problems(), absent);
    fs::write(&path, b"[log]\nlevel = \"\xff\"").unwrap();
    let binary = format!(
        "error: cannot read {name}: invalid utf-8 sequence of 1 bytes from index 15\n |\n \
         = help: TOML is UTF-8\n\n{name}: 1 problem"
    );
    assert_eq!(problems(), binary);
    fs::write(&path, "log.level = \"warn\"").unwrap();
    assert_eq!(Config::load(&path).unwrap().log.level, Level::Warn);
}

#[test]
fn a_misspelt_key_is_shown_with_the_likely_one() {
    insta::assert_snapshot!(refusal("[cache]\nmax-flow = 5\n[lisen]\n"), @r#"
    error: cache.max-flow: unknown key
     --> flowlogd.toml:2:1
      |
    2 | max-flow = 5
      | ^^^^^^^^
      |
      = help: did you mean `max-flows`?

    error: lisen: unknown key
     --> flowlogd.toml:3:2
      |
    3 | [lisen]
      |  ^^^^^
      |
      = help: did you mean `listen`?

    flowlogd.toml: 2 problems
    "#);
}

#[test]
fn a_file_that_is_no_toml_is_refused_before_its_meaning() {
    insta::assert_snapshot!(refusal("[cache\nmax-flow = = 5\n[log]\n[log]\n"), @r#"
    error: unclosed table, expected `]`
     --> flowlogd.toml:1:7
      |
    1 | [cache
      |       ^

    error: extra `=`, expected nothing
     --> flowlogd.toml:2:12
      |
    2 | max-flow = = 5
      |            ^

    error: unexpected key or value, expected newline, `#`
     --> flowlogd.toml:2:14
      |
    2 | max-flow = = 5
      |              ^

    error: duplicate key
     --> flowlogd.toml:4:2
      |
    4 | [log]
      |  ^^^

    flowlogd.toml: 4 problems
    "#);
}

#[test]
fn all_problems_of_a_file_are_shown_in_one_run() {
    let shown = refusal(include_str!("testdata/wrong.toml"));
    assert_eq!(shown, include_str!("testdata/wrong.txt").trim_end());
}

#[test]
fn a_crowd_of_problems_is_cut_short_and_counted() {
    let text: String = (0..52).map(|n| format!("unknown-{n} = 0\n")).collect();
    let shown = refusal(&text);
    assert_eq!(shown.matches("unknown key").count(), 50);
    assert!(shown.ends_with("... and 2 more\n\nflowlogd.toml: 52 problems"));
    assert_eq!(problems(&text).len(), 52);
}

#[test]
fn a_socket_that_another_covers_is_refused() {
    let of = |addresses: &str| problems(&format!("[listen]\naddresses = [{addresses}]"));
    let twice = ["listen.addresses[1]: 192.0.2.1:9995 covers 192.0.2.1:9995 already"];
    assert_eq!(of(r#""192.0.2.1:9995", "192.0.2.1:9995""#), twice);
    let later = ["listen.addresses[0]: [::]:9995 covers 192.0.2.1:9995 already"];
    assert_eq!(of(r#""192.0.2.1:9995", "[::]:9995""#), later);
    assert_eq!(of(""), ["listen.addresses: must name 1 to 15 addresses"]);
    parse("[listen]\naddresses = [\"0.0.0.0:9995\", \"[::1]:9995\", \"[::]:0\", \"[::]:0\"]");
}

#[test]
fn lanes_are_kept_to_cpus_that_are_there() {
    let there = (0..4_095).find(|cpu| may_run_on(*cpu)).unwrap();
    let cpus = parse(&format!("[listen]\ncpus = [{there}, {there}]"))
        .listen
        .cpus;
    assert_eq!(cpus, [there, there]);
    let refused = problems(&format!("[listen]\ncpus = [{there}, 4095]"));
    let expected = ["listen.cpus[1]: this host has no CPU 4095, or not for flowlogd"];
    assert_eq!(refused, expected);
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let text = "
        [exporters]
        max-sampling = 100
        sampling = [
            { exporter = '192.0.2.0/24', one-in = 101 },
            { exporter = '192.0.2.1', one-in = 100 },
            { exporter = '192.0.2.1', one-in = 10 },
        ]
        [exporters.limits]
        max-definition-bytes = 1000
        max-session-definition-bytes = 1001
        [logstore]
        tail-bytes = 33554433
        disk-budget-bytes = 33554432
        query.timeout-s = 60
        [http]
        timeout-s = 60
        [default-flow-log]
        action = 'ignore'
        name = 'x'
    ";
    assert_eq!(
        problems(text),
        [
            "exporters.sampling[0].one-in: must be 1 to 100, not 101",
            "exporters.sampling[1].exporter: 192.0.2.1/32 has a sampling already",
            "exporters.limits.max-session-definition-bytes: 1001 is more than all sessions \
             together may have",
            "logstore.tail-bytes: 33554433 is more than the disk budget",
            "http.timeout-s: 60 s end a request before its query",
            "default-flow-log.name: `action` is \"ignore\", so no flow log is taken",
        ]
    );
}

#[test]
fn a_certificate_has_a_key_and_a_key_a_certificate() {
    for (key, other) in [
        ("certificate-file", "key-file"),
        ("key-file", "certificate-file"),
    ] {
        let text = format!("[http]\n{key} = \"/etc/flowlogd/http.pem\"");
        assert_eq!(problems(&text), [format!("http.{other}: missing")]);
    }
    let text = "[http]\ncertificate-file = \"http.pem\"\nkey-file = \"/http.key\"";
    let refused = problems(text);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(
        refused[0].starts_with("http.certificate-file: "),
        "{refused:?}"
    );
}

#[test]
fn a_listener_for_others_needs_keys_and_tls() {
    let keys = "[[access-key]]\nid = \"k\"\nsecret-file = \"/k\"\n";
    let credentials = "[[credential]]\nid = \"k\"\nsecret-file = \"/k\"\n";
    let tls = "certificate-file = \"/c\"\nkey-file = \"/k\"\n";
    let text = |keys: &str, address: &str, rest: &str| {
        format!("{keys}[http.signed]\naddress = \"{address}\"\n{rest}")
    };
    for (keys, address, rest) in [
        (keys, "[::]:9993", tls),
        (credentials, "192.0.2.1:9993", tls),
        (credentials, "192.0.2.1:9993", "plaintext = true\n"),
        (credentials, "127.0.0.1:9993", ""),
        (credentials, "[::ffff:127.0.0.1]:9993", ""),
    ] {
        let signed = parse(&text(keys, address, rest)).http.signed.unwrap();
        assert_eq!(signed.address, address.parse().unwrap());
        assert_eq!(signed.certificate.is_some(), rest == tls);
    }
    let open = format!("[control]\nopen = true\n{credentials}");
    let unsigned = "http.signed.address: there is no key to sign a request with";
    let readable = "http.signed.address: without TLS what is sent to 0.0.0.0:9993 can be read on \
                    the way";
    for (text, problem) in [
        (text("", "0.0.0.0:9993", tls), unsigned),
        (text(&open, "0.0.0.0:9993", tls), unsigned),
        (text(keys, "0.0.0.0:9993", ""), readable),
        (text(keys, "0.0.0.0:9993", "plaintext = false"), readable),
        (
            text(keys, "127.0.0.1:9994", ""),
            "http.signed.address: 127.0.0.1:9994 is `http.address`",
        ),
        (
            format!("{keys}[http.signed]\n{tls}"),
            "http.signed.address: missing",
        ),
        (
            text(keys, "0.0.0.0:9993", "plaintext = true\nkey-file = \"/k\""),
            "http.signed.certificate-file: missing",
        ),
    ] {
        assert_eq!(problems(&text), [problem], "{text}");
    }
}

#[test]
fn a_host_is_named_by_letters_digits_and_hyphens() {
    let hosts = |hosts: &str| {
        format!(
            "[[access-key]]\nid = \"k\"\nsecret-file = \"/k\"\n\
             [http.signed]\naddress = \"127.0.0.1:1\"\nhosts = [{hosts}]"
        )
    };
    let signed = parse(&hosts("\"Flows.example.net\", \"*.a-1\""))
        .http
        .signed;
    assert_eq!(signed.unwrap().hosts, ["flows.example.net", "*.a-1"]);
    for bad in [
        "",
        ".",
        "a..b",
        "a.",
        "*",
        "a.*.b",
        "a b",
        "a:80",
        "https://a",
        "流",
    ] {
        let refused = problems(&hosts(&format!("{bad:?}")));
        assert_eq!(
            refused,
            ["http.signed.hosts[0]: is no name of a host"],
            "{bad}"
        );
    }
}

#[test]
fn what_is_believed_of_exporters_stands_in_their_sessions_limits() {
    let text = "
        [exporters]
        template-lifetime-s = 60
        template-lifetime-messages = 7
        max-export-skew-s = 5
        max-flow-age-s = 90
        [exporters.limits]
        max-orphan-age-s = 3
        max-records-per-second = 1000
    ";
    let expected = session::Limits {
        template_lifetime_ms: 60_000,
        template_messages_max: Some(7),
        clock: session::ClockLimits {
            export_skew_max_ms: 5_000,
            flow_age_max_ms: 90_000,
        },
        orphan_age_max_ms: Some(3_000),
        records_per_second_max: Some(1_000),
        ..session::Limits::default()
    };
    assert_eq!(parse(text).exporters.limits, expected);
    let patient = parse("exporters.template-lifetime-s = 691200").exporters;
    assert_eq!(patient.limits.session_idle_ms, 1_382_400_000);
}

#[test]
fn a_limit_of_all_sessions_lowers_that_of_one() {
    let limits = parse("exporters.limits.max-orphan-bytes = 0")
        .exporters
        .limits;
    assert_eq!(
        (limits.orphan_bytes_max, limits.session_orphan_bytes_max),
        (0, 0)
    );
    let limits = parse("exporters.limits.max-definition-bytes = 9")
        .exporters
        .limits;
    assert_eq!(limits.session_definition_bytes_max, 9);
}

#[test]
fn a_flow_log_may_take_the_place_of_the_built_in_one() {
    let text = "flow-log = [{ name = 'default', project = 'mine', logstore = 'all' }]";
    let logs = parse(text).definition.flow_logs;
    assert_eq!(logs, [FlowLog::new("default", "mine", "all")]);
}

#[test]
fn an_inactive_timer_that_is_not_set_is_never_the_longer_one() {
    let log = "name = 'a', project = 'abc', logstore = 'ab'";
    let text = format!("flow-log = [{{ {log}, active-s = 5 }}]");
    let timers = parse(&text).definition.flow_logs[0].timers;
    assert_eq!(timers.inactive(), Inactive::Fixed(Duration::from_secs(5)));
}

#[test]
fn a_shard_is_chosen_by_nothing_or_the_exporter() {
    assert_eq!(parse("").sls.shard_hash, ShardHash::None);
    let text = "sls.shard-hash = 'exporter'";
    assert_eq!(parse(text).sls.shard_hash, ShardHash::Exporter);
    let told = "sls.shard-hash: must be \"none\" or \"exporter\", not \"source\"";
    assert_eq!(problems("sls.shard-hash = 'source'"), [told]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is cut out of or put into a file, the answer is a whole one.
    #[test]
    fn a_damaged_file_is_answered(
        from in 0..20_000_usize,
        length in 0..200_usize,
        put in "[\\PC\n=\\[\\]\"'{}0-9]{0,12}",
    ) {
        let mut text: Vec<char> = uncommented().chars().collect();
        let from = from % text.len();
        let to = (from + length).min(text.len());
        text.splice(from..to, put.chars());
        let text: String = text.into_iter().collect();
        if let Err(problems) = Config::parse(&text, "flowlogd.toml") {
            let shown = problems.to_string();
            prop_assert_eq!(shown.matches("error: ").count(), problems.iter().count().min(50));
        }
    }
}
