//! Records that go by the interfaces they name and by what became of them.

use std::time::Duration;

use crate::daemon::tests::{Bench, amount, set, shorts};
use crate::flow::Amount;
use crate::session::SamplingRate;

/// Two attachments of one exporter, one with a choosy flow log, and nobody else.
const ATTACHED: &str = r#"
    [default-flow-log]
    action = "ignore"
    [[flow-log]]
    name = "all"
    project = "one"
    logstore = "flows"
    sampling-one-in = 1024
    [[flow-log]]
    name = "dropped"
    project = "two"
    logstore = "flows"
    traffic = "reject"
    [[attachment]]
    id = "seven"
    type = "ccn"
    exporters = ["192.0.2.1"]
    interfaces = [7]
    flow-logs = ["all", "dropped"]
    [[attachment]]
    id = "nine"
    type = "ccn"
    exporters = ["192.0.2.1"]
    interfaces = [9]
    flow-logs = ["all"]
"#;

/// Template 256: addresses, octets, packets, both interfaces, forwarding status.
fn template() -> Vec<u8> {
    let fields = [256, 7, 8, 4, 12, 4, 1, 4, 2, 4, 10, 2, 14, 2, 89, 1];
    set(0, &shorts(&fields))
}

fn flow(host: u8, (in_if, out_if): (u8, u8), status: u8) -> Vec<u8> {
    let flow = [10, 0, 0, host, 10, 0, 1, 1, 0, 0, 0, 100, 0, 0, 0, 1];
    let record = [&flow[..], &[0, in_if, 0, out_if, status]].concat();
    set(256, &record)
}

#[test]
fn each_record_takes_the_routes_of_its_interfaces_and_its_fate() {
    let mut bench = Bench::new(ATTACHED);
    bench.receive(&[
        template(),
        flow(1, (7, 1), 64),
        flow(2, (7, 9), 128),
        flow(3, (1, 9), 0),
        flow(4, (1, 2), 64),
    ]);
    assert!(bench.lane.drain(bench.now));
    let terms = bench.terms();
    assert_eq!(terms.flows, amount(4));
    assert_eq!(terms.unclaimed, amount(1));
    assert_eq!((terms.routed, terms.handed), (amount(5), amount(5)));
}

#[test]
fn a_sampling_that_the_exporter_does_not_tell_is_the_flow_logs() {
    let mut bench = Bench::new(ATTACHED);
    bench.receive(&[template(), flow(1, (7, 1), 128)]);
    assert!(bench.lane.drain(bench.now));
    let parcel = bench.exchange.take(Duration::ZERO).unwrap();
    let rows = 0..parcel.batch.len();
    let records = rows.map(|row| parcel.batch.record(row).unwrap());
    let mut rates: Vec<_> = records.map(|record| record.key.sampling).collect();
    rates.sort_unstable_by_key(|rate| rate.out_of);
    let rate = |out_of| SamplingRate { out_of, picked: 1 };
    assert_eq!(rates, [rate(1), rate(1024)]);
    assert_eq!(bench.terms().unclaimed, Amount::default());
}
