//! Records that come by way of another collector. P-223, P-700, P-705.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use serde_json::json;

use crate::api::Page;
use crate::daemon::losses::Losses;
use crate::daemon::tests::{Bench, LEARNING, amount, flows, set, shorts, template};
use crate::daemon::views;
use crate::flow::Amount;

/// The sender of [`Bench::receive`] is a mediator.
const MEDIATOR: &str = "[exporters]\nmediators = [\"192.0.2.1/32\"]\n";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mediator(more: &str) -> Bench {
    Bench::new(&format!("{LEARNING}{MEDIATOR}{more}"))
}

/// Template 260: a flow as of [`template`], its exporter by 130 and by 403.
fn naming() -> Vec<u8> {
    let fields = [8, 4, 12, 4, 1, 4, 2, 4, 130, 4, 403, 4, 405, 4];
    set(0, &shorts(&[&[260, 7], &fields[..]].concat()))
}

/// A flow of host `host` that names an exporter by 130 and one by 403, and domain 5.
fn named(host: u8, exporter: [u8; 4], original: [u8; 4]) -> Vec<u8> {
    let flow = [10, 0, 0, host, 10, 0, 1, 1, 0, 0, 0, 100, 0, 0, 0, 1];
    let record = [&flow[..], &exporter, &original, &[0, 0, 0, 5]].concat();
    set(260, &record)
}

const NOBODY: [u8; 4] = [0; 4];
const FAR: [u8; 4] = [198, 51, 100, 7];
const FARTHER: [u8; 4] = [198, 51, 100, 8];
/// What the lane of a [`Bench`] listens on.
const OWN: [u8; 4] = [192, 0, 2, 100];
const NEAR: u8 = 9;

#[test]
fn a_mediators_records_belong_to_whom_they_name() {
    let mut bench = mediator("");
    let sets = [
        naming(),
        named(1, NOBODY, FAR),
        named(2, FARTHER, NOBODY),
        named(3, FARTHER, FAR),
        named(4, NOBODY, NOBODY),
    ];
    bench.receive(&sets);
    let expected = [
        (ip("192.0.2.1"), 0),
        (ip("198.51.100.7"), 5),
        (ip("198.51.100.7"), 5),
        (ip("198.51.100.8"), 5),
    ];
    assert_eq!(bench.origins(), expected);
    assert_eq!(bench.terms().looped, Amount::default());
}

#[test]
fn whom_a_mediator_speaks_for_is_shown_beneath_it() {
    let mut bench = mediator("");
    let sets = [
        naming(),
        named(1, NOBODY, FARTHER),
        named(2, NOBODY, FAR),
        named(3, NOBODY, FAR),
    ];
    bench.receive(&sets);
    bench.receive_from(3, &[template(), flows(0..1)]);
    let shown = |exporter: Option<&str>| {
        let page = Page {
            exporter: exporter.map(ip),
            ..Page::default()
        };
        let lanes = vec![bench.lane.census()];
        views::exporters(lanes, page, &Losses::new(0))["exporters"].take()
    };
    let origin = |exporter: &str, records: u64| {
        json!({
            "exporter": exporter,
            "domain": 5,
            "records": records,
            "last_seen_ms": bench.now.unix_ms,
        })
    };
    let all = shown(None);
    let both = json!([origin("198.51.100.7", 2), origin("198.51.100.8", 1)]);
    assert_eq!(
        (&all[0]["origins"], &all[0]["origins_total"]),
        (&both, &json!(2))
    );
    assert_eq!(
        (&all[1]["exporter"], &all[1]["origins"]),
        (&json!("192.0.2.3"), &json!([]))
    );
    assert_eq!(shown(Some("192.0.2.1"))[0]["origins"], both);
    let one = shown(Some("198.51.100.8"));
    assert_eq!(one.as_array().map(Vec::len), Some(1));
    assert_eq!(one[0]["origins"], json!([origin("198.51.100.8", 1)]));
    assert_eq!(shown(Some("198.51.100.9")), json!([]));
}

#[test]
fn flows_of_two_exporters_behind_a_mediator_are_not_merged() {
    let mut bench = mediator("");
    let sets = [
        naming(),
        named(1, NOBODY, FAR),
        named(1, NOBODY, FARTHER),
        named(1, FAR, NOBODY),
    ];
    bench.receive(&sets);
    bench.lane.turn(bench.now);
    assert_eq!((bench.terms().held, bench.terms().live), (amount(3), 2));
}

#[test]
fn the_names_of_a_stranger_mean_nothing() {
    let mut bench = Bench::new(LEARNING);
    bench.receive(&[naming(), named(1, FARTHER, FAR)]);
    assert_eq!(bench.origins(), [(ip("192.0.2.1"), 0)]);
}

#[test]
fn a_device_claims_what_comes_by_way_of_a_mediator() {
    let config = format!(
        "{LEARNING}action = \"ignore\"\n{}\n\
         [exporters]\nallow = [\"192.0.2.0/24\"]\nmediators = [\"192.0.2.1\"]\n",
        "[[device]]\ninstance-id = \"sag-1\"\n\
         exporters = [\"198.51.100.7\"]\nflow-logs = [\"all\"]\n"
    )
    .replace("[default-flow-log]\nname = \"all\"", "[default-flow-log]");
    let mut bench = Bench::new(&config);
    bench.receive(&[naming(), named(1, NOBODY, FAR), named(2, NOBODY, FARTHER)]);
    assert_eq!(bench.origins(), [(ip("198.51.100.7"), 5)]);
    assert_eq!(bench.terms().unclaimed, amount(1));
}

#[test]
fn what_names_us_was_here_before() {
    for config in [LEARNING, &format!("{LEARNING}{MEDIATOR}")] {
        let mut bench = Bench::new(config);
        bench.receive(&[naming(), named(1, NOBODY, OWN), named(2, OWN, NOBODY)]);
        assert_eq!(bench.origins(), []);
        assert_eq!(bench.terms().looped, amount(2), "{config}");
        assert_eq!(bench.terms().flows, amount(2));
    }
}

#[test]
fn a_process_of_this_host_may_name_the_host() {
    let mut bench = Bench::new(LEARNING);
    let sets = [naming(), named(1, OWN, NOBODY), named(2, NOBODY, OWN)];
    bench.receive_from(100, &sets);
    assert_eq!(bench.origins(), [(ip("192.0.2.100"), 0)]);
    assert_eq!(bench.terms().looped, amount(1));
}

#[test]
fn a_copy_of_what_is_heard_here_is_dropped_until_it_is_heard_no_more() {
    let mut bench = mediator("silent-after-s = 20\n");
    let copy = |host| named(host, NOBODY, [192, 0, 2, NEAR]);
    for _ in 0..3 {
        bench.receive_from(NEAR, &[template(), flows(0..1)]);
    }
    bench.receive(&[naming(), copy(1)]);
    assert_eq!(bench.terms().looped, Amount::default());
    bench.wait(1);
    bench.receive(&[copy(2)]);
    // 20 s, and twice the 300 s that a flow stays in a cache.
    bench.wait(618);
    assert_eq!(bench.terms().looped, amount(1));
    bench.receive(&[copy(3)]);
    bench.wait(2);
    assert_eq!(bench.terms().looped, amount(2));
    bench.receive(&[copy(4)]);
    bench.wait(1);
    assert_eq!(bench.terms().looped, amount(2));
}

#[test]
fn a_copy_of_what_another_lane_hears_is_dropped_as_well() {
    let mut bench = mediator("");
    bench.vicinity.tell(1, vec![Ipv4Addr::from(FAR).into()]);
    bench.receive(&[naming(), named(1, NOBODY, FAR), named(2, FAR, FARTHER)]);
    assert_eq!(bench.origins(), [(ip("198.51.100.8"), 5)]);
    assert_eq!(bench.terms().looped, amount(1));
    // Of a stranger it is no copy: nothing shows that it came from there.
    bench.receive_from(2, &[naming(), named(3, NOBODY, FAR)]);
    assert_eq!(bench.origins(), [(ip("192.0.2.2"), 0)]);
}

#[test]
fn a_mediator_that_names_itself_is_an_exporter_as_well() {
    let mut bench = mediator("");
    bench.receive(&[naming(), named(1, NOBODY, [192, 0, 2, 1])]);
    bench.wait(1);
    bench.receive(&[named(2, [192, 0, 2, 1], NOBODY)]);
    let expected = [(ip("192.0.2.1"), 5); 2];
    assert_eq!(bench.origins(), expected);
}

#[test]
fn exporters_beyond_the_limit_are_counted_and_stay_the_senders() {
    let mut bench = mediator("[exporters.limits]\nmax-sources = 4\n");
    bench.receive(&[naming(), named(1, NOBODY, FAR), named(2, NOBODY, FARTHER)]);
    let expected = [(ip("192.0.2.1"), 0), (ip("198.51.100.7"), 5)];
    assert_eq!(bench.origins(), expected);
    assert_eq!(bench.terms().sessions.records_unnamed, 1);
}

/// P-900.
#[test]
fn what_came_is_routed_unclaimed_or_looped_at_every_look() {
    let mut bench = mediator("");
    bench.receive(&[naming(), template()]);
    let exporters = [NOBODY, FAR, FARTHER, OWN, [192, 0, 2, 1], [192, 0, 2, NEAR]];
    for round in 0..60_u8 {
        let pick = |step: u8| exporters[usize::from((round / step) % 6)];
        bench.receive(&[named(round % 7, pick(6), pick(1)), flows(0..2)]);
        bench.receive_from(NEAR, &[naming(), named(round % 5, pick(1), pick(6))]);
        bench.now.monotonic_ms += 500;
        bench.now.unix_ms += 500;
        bench.lane.turn(bench.now);
        let terms = bench.terms();
        assert_eq!(terms.flows, amount(4 * (u64::from(round) + 1)));
        assert_eq!(terms.flows, terms.routed + terms.unclaimed + terms.looped);
        let handled = terms.repeated + terms.held + terms.open + terms.handed + terms.dropped;
        assert_eq!(terms.routed, handled);
    }
    assert!(
        bench.terms().looped.records > 20,
        "{:?}",
        bench.terms().looped
    );
    let looped = bench.terms().looped;
    assert_eq!(looped, amount(looped.records));
}
