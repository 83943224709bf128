//! Rules on a host that is made up, with a resolver that says what it is told.

use std::collections::VecDeque;

use super::*;
use crate::listen::Looking;

/// Answers with these addresses, one list for each look-up; then with none.
#[derive(Default)]
struct Script(Mutex<VecDeque<Option<Vec<IpAddr>>>>);

impl Script {
    fn of(answers: &[&[&str]]) -> Self {
        let read = |texts: &&[&str]| {
            let addresses = texts.iter().map(|text| text.parse().unwrap());
            Some(addresses.collect())
        };
        Self(Mutex::new(answers.iter().map(read).collect()))
    }
}

impl Lookup for Script {
    fn look_up(&self, name: &str) -> Looking {
        assert_eq!(name, "collector.example");
        let answer = self.0.lock().unwrap().pop_front().flatten();
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

fn rule(to: &[&str]) -> RelayRule {
    RelayRule {
        exporters: Vec::new(),
        to: to.iter().map(|target| target.parse().unwrap()).collect(),
        only: false,
        spoof_source: false,
    }
}

/// Rules on a daemon that listens on all interfaces.
fn relays(answers: &[&[&str]]) -> Relays {
    let listening = vec!["[::]:9995".parse().unwrap()];
    Relays::new(Arc::new(Own::new(listening)), Script::of(answers))
}

/// Looks names up; whether lanes were given a table, and the address that the
/// name has now.
async fn resolve(relays: &Relays) -> (bool, Option<String>) {
    let mut is_told = false;
    relays.resolve(|_| is_told = true).await;
    let target = "collector.example:2055".parse().unwrap();
    let state = relays.state();
    let resolved = state
        .destinations
        .get(&target)
        .and_then(|of| of.resolved.address());
    (is_told, resolved.map(|address| address.to_string()))
}

fn places(problems: &[Problem]) -> Vec<(&str, &str)> {
    let problems = problems.iter();
    problems
        .map(|it| (it.place.as_str(), it.what.as_str()))
        .collect()
}

#[tokio::test]
async fn a_name_keeps_its_last_good_address() {
    let relays = relays(&[
        &["192.0.2.1", "192.0.2.2"],
        &["192.0.2.2", "192.0.2.1"],
        &["192.0.2.3"],
        &[],
        &["169.254.169.254"],
        &["127.0.0.1"],
        &["224.0.0.1", "::ffff:192.0.2.4"],
    ]);
    let rules = [rule(&["collector.example:2055", "192.0.2.9:1"])];
    relays.go_by(&rules, |_| {}).unwrap();
    let at = |address: &str| Some(format!("{address}:2055"));
    for (is_told, address) in [
        (true, at("192.0.2.1")),
        (false, at("192.0.2.1")),
        (true, at("192.0.2.3")),
        (false, at("192.0.2.3")),
        (false, at("192.0.2.3")),
        (true, at("127.0.0.1")),
        (true, at("192.0.2.4")),
        (false, at("192.0.2.4")),
    ] {
        assert_eq!(resolve(&relays).await, (is_told, address));
    }
}

#[tokio::test]
async fn a_name_that_leads_back_to_us_has_no_address() {
    let relays = relays(&[&["127.0.0.1"]]);
    let rules = [rule(&["collector.example:9995"])];
    relays.go_by(&rules, |_| {}).unwrap();
    assert_eq!(resolve(&relays).await, (false, None));
    let target = "collector.example:9995".parse().unwrap();
    let state = relays.state();
    let resolved = &state.destinations[&target].resolved;
    assert_eq!(resolved.address(), None);
    assert!(resolved.trouble().is_some());
}

#[test]
fn an_address_of_this_host_is_refused_and_the_old_rules_stay() {
    let relays = relays(&[]);
    relays.go_by(&[rule(&["192.0.2.9:1"])], |_| {}).unwrap();
    let own = [
        rule(&["192.0.2.9:1"]),
        rule(&["127.0.0.1:9996", "127.9.9.9:9995"]),
    ];
    let problems = relays.go_by(&own, |_| panic!("told")).unwrap_err();
    let what = "127.9.9.9:9995 is where this flowlogd itself listens, so that it would loop";
    assert_eq!(places(&problems), [("relay[1].to[1]", what)]);
    assert_eq!(relays.state().rules, [rule(&["192.0.2.9:1"])]);
}

#[test]
fn senders_are_forged_with_the_capability_only() {
    let spoofing = RelayRule {
        spoof_source: true,
        ..rule(&["192.0.2.9:1"])
    };
    let rules = [rule(&["192.0.2.8:1"]), spoofing];
    let denied = || Err(io::Error::from(io::ErrorKind::PermissionDenied));
    let problems = relays(&[]).problems(&rules, denied);
    let what = "the system does not let us send in the name of others: permission denied";
    assert_eq!(places(&problems), [("relay[1].spoof-source", what)]);
    assert!(problems[0].advice.contains("CAP_NET_RAW"));
    assert_eq!(relays(&[]).problems(&rules, || Ok(())), []);
    // Nobody asks where nobody wants to.
    let asked = || panic!("asked");
    assert_eq!(relays(&[]).problems(&rules[..1], asked), []);
}

#[test]
fn counters_outlive_the_rules() {
    let relays = relays(&[]);
    let both = [rule(&["192.0.2.9:1", "192.0.2.8:1"])];
    let mut table = Arc::default();
    relays.go_by(&both, |given| table = given).unwrap();
    relays.go_by(&[], |given| table = given).unwrap();
    let names: Vec<_> = relays.totals().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["192.0.2.8:1", "192.0.2.9:1"]);
    drop(table);
}

#[test]
fn the_log_says_once_that_a_destination_fails_and_once_that_it_works() {
    let mut health = Health::default();
    let mut now = RelayTotals::default();
    assert_eq!(health.look(now), None);
    now.sent = 100;
    assert_eq!(health.look(now), None);
    now.dropped[RelayDrop::Full as usize] = 7;
    let mut failed = RelayTotals::default();
    failed.dropped[RelayDrop::Full as usize] = 7;
    assert_eq!(health.look(now), Some(News::Fails(failed)));
    now.unreachable = 1;
    assert_eq!(health.look(now), None);
    // Silence proves nothing.
    for _ in 0..10 {
        assert_eq!(health.look(now), None);
    }
    let news = [(); 4].map(|()| {
        now.sent += 1;
        health.look(now)
    });
    assert_eq!(news, [None, None, Some(News::Works), None]);
    assert_eq!(Reasons(&failed.dropped).to_string(), "full=7");
}
