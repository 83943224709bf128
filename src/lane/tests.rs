//! Records of exporters with one route, with two, and with a sieve, by turns, and
//! a log store that does not take them for a while.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::cache::Settings;
use crate::config::Config;
use crate::flow::Amount;
use crate::listen::Own;
use crate::session::Limits;
use crate::session::SamplingPolicy;
use crate::session::ScopeMode;
use crate::session::testing::peer;
use crate::session::testing::set;
use crate::session::testing::template;
use crate::session::testing::v9_at;

/// 192.0.2.1 has one route, 192.0.2.2 has two, and of 192.0.2.3 it depends on
/// interfaces, of which its records tell nothing.
const TABLE: &str = r#"
    [[flow-log]]
    name = "all"
    project = "one"
    logstore = "flows"
    [[flow-log]]
    name = "some"
    project = "two"
    logstore = "flows"
    [default-flow-log]
    name = "all"
    [[attachment]]
    id = "both"
    type = "ccn"
    exporters = ["192.0.2.2"]
    flow-logs = ["all", "some"]
    [[attachment]]
    id = "seven"
    type = "ccn"
    exporters = ["192.0.2.3"]
    interfaces = [7]
    flow-logs = ["some"]
"#;

const NOW: Arrival = Arrival {
    monotonic_ms: 1_000_000,
    unix_ms: 1_700_000_000_000,
};

/// Keeps what the lane hands over, unless it is stalled.
#[derive(Debug, Default)]
struct Kept {
    parcels: Mutex<Vec<Parcel>>,
    is_stalled: AtomicBool,
}

impl HandOver for Kept {
    fn offer(&self, parcel: Parcel, publish: &mut dyn FnMut()) -> Result<(), Box<Parcel>> {
        if self.is_stalled.load(Ordering::Relaxed) {
            return Err(Box::new(parcel));
        }
        publish();
        self.parcels.lock().unwrap().push(parcel);
        Ok(())
    }

    fn lost(&self, _exporters: &[(IpAddr, Amount)]) {}
}

struct Bench {
    lane: Lane,
    kept: Arc<Kept>,
    now: Arrival,
    /// Of the next Message.
    sequence: u32,
}

impl Bench {
    fn new(table: &str) -> Self {
        let config = Config::parse(table, "test").unwrap();
        let table = RoutingTable::compile(&config.definition, None).unwrap();
        let kept = Arc::new(Kept::default());
        let own = Arc::new(Own::new(Vec::new()));
        let settings = Settings::default();
        let lane = Lane::new(Parts {
            sessions: Sessions::new(
                Limits::default(),
                ScopeMode::default(),
                PlanSettings::default(),
            ),
            sampling: SamplingPolicies::new(Vec::new(), SamplingPolicy::default()),
            cache: Cache::new(settings),
            max_flows: settings.max_flows,
            table: Arc::new(table),
            exit: Arc::clone(&kept) as Arc<dyn HandOver>,
            cell: Arc::new(Cell::new()),
            vicinity: (Arc::new(Vicinity::new(own, 1, Duration::from_secs(600))), 0),
        });
        Self {
            lane,
            kept,
            now: NOW,
            sequence: 0,
        }
    }

    /// Receives a Set in a v9 Message of 192.0.2.`exporter`.
    fn receive(&mut self, exporter: u8, id: u16, content: &[u8]) {
        let sets = [set(id, content)];
        let message = v9_at(0, self.sequence, 600_000, 1_700_000_000, &sets);
        self.sequence += 1;
        self.lane.datagram(&message, peer(exporter, 2055), self.now);
    }

    /// Template 256: addresses, octets, packets.
    fn template(&mut self, exporter: u8) {
        let fields = [(8, 4), (12, 4), (1, 4), (2, 4)];
        self.receive(exporter, 0, &template(256, &fields));
    }

    /// A flow of each host, of 100 octets and a packet.
    fn flows(&mut self, exporter: u8, hosts: Range<u8>) {
        let host = |host| 0x0a00_0000 | u32::from(host);
        self.flows_of(exporter, hosts.map(host));
    }

    /// A flow of each address, of 100 octets and a packet.
    fn flows_of(&mut self, exporter: u8, addresses: impl Iterator<Item = u32>) {
        let numbers = addresses.flat_map(|address| [address, 0x0a00_0101, 100, 1]);
        let records: Vec<u8> = numbers.flat_map(u32::to_be_bytes).collect();
        self.receive(exporter, 256, &records);
    }

    /// Lets time pass until the lane's next look.
    fn wait(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.unix_ms += ms;
        self.lane.turn(self.now);
    }

    fn terms(&self) -> Terms {
        Terms::from_array(self.lane.cell.read())
    }

    /// Empties the lane. Exporter, host and route of each row, ascending; route 1
    /// is that of exporters without attachment, 2 and 3 are those of `both`.
    fn rows(&mut self) -> Vec<(u8, u8, u16)> {
        assert!(self.lane.drain(self.now));
        let mut rows = Vec::new();
        for parcel in self.kept.parcels.lock().unwrap().drain(..) {
            for row in 0..parcel.batch.len() {
                let record = parcel.batch.record(row).unwrap();
                let IpAddr::V4(exporter) = parcel.batch.origin(row).unwrap().0 else {
                    panic!("{record:?} is of nobody");
                };
                rows.push((exporter.octets()[3], record.key.src[15], record.key.route));
            }
        }
        rows.sort_unstable();
        rows
    }
}

fn amount(records: u64) -> Amount {
    Amount {
        records,
        octets: 100 * records,
        packets: records,
    }
}

#[test]
fn data_sets_of_any_length_are_taken_whole() {
    let mut bench = Bench::new(TABLE);
    bench.template(1);
    let lengths: [Range<u8>; 6] = [0..1, 1..32, 32..33, 33..64, 64..128, 128..255];
    for (number, hosts) in lengths.into_iter().enumerate() {
        let taken = u64::from(hosts.end);
        bench.flows(1, hosts);
        if number % 2 == 0 {
            bench.lane.turn(NOW);
            let terms = bench.terms();
            assert_eq!((terms.flows, terms.routed), (amount(taken), amount(taken)));
            assert_eq!((terms.held, terms.live), (amount(taken), taken));
        }
    }
    let expected: Vec<_> = (0..255).map(|host| (1, host, 1)).collect();
    assert_eq!(bench.rows(), expected);
    assert_eq!(bench.terms().handed, amount(255));
}

#[test]
fn records_of_several_routes_wait_beside_those_of_one() {
    let mut bench = Bench::new(TABLE);
    for exporter in [1, 2, 3] {
        bench.template(exporter);
    }
    for hosts in [0..5, 5..25, 25..60, 60..62] {
        for exporter in [1, 2, 3] {
            bench.flows(exporter, hosts.clone());
        }
    }
    let ways = [(1, 1), (2, 2), (2, 3), (3, 1)];
    let rows = |(exporter, route)| (0..62).map(move |host| (exporter, host, route));
    let mut expected: Vec<_> = ways.into_iter().flat_map(rows).collect();
    expected.sort_unstable();
    assert_eq!(bench.rows(), expected);
    let terms = bench.terms();
    assert_eq!((terms.flows, terms.routed), (amount(186), amount(248)));
    assert_eq!(terms.handed, amount(248));
}

/// 10 000 new flows a second, of which each is due after one: what is due while
/// nobody takes it waits in the cache, and goes when somebody does.
#[test]
fn a_log_store_that_stalls_for_five_seconds_costs_room_in_the_cache_alone() {
    let mut bench = Bench::new(
        "[[flow-log]]\nname = \"all\"\nproject = \"one\"\nlogstore = \"flows\"\n\
         active-s = 1\ninactive-s = 1\n[default-flow-log]\nname = \"all\"\n",
    );
    bench.template(1);
    let mut sent = 0..0;
    let mut send_for = |bench: &mut Bench, ms: u32| {
        for _ in 0..ms / 10 {
            sent = sent.end..sent.end + 100;
            bench.flows_of(1, sent.clone());
            bench.wait(10);
        }
        sent.end
    };
    send_for(&mut bench, 3_000);
    let live_before = bench.terms().live;
    assert!((9_000..15_000).contains(&live_before), "{live_before}");
    bench.kept.is_stalled.store(true, Ordering::Relaxed);
    send_for(&mut bench, 5_000);
    let terms = bench.terms();
    let waiting = terms.live + terms.open.records;
    assert!(waiting >= live_before + 49_000, "{waiting}");
    assert_eq!(terms.dropped, Amount::default());
    bench.kept.is_stalled.store(false, Ordering::Relaxed);
    let sent = u64::from(send_for(&mut bench, 3_000));
    let live_after = bench.terms().live;
    assert!((9_000..15_000).contains(&live_after), "{live_after}");
    assert_eq!(bench.rows().len(), 110_000);
    let terms = bench.terms();
    assert_eq!((sent, terms.handed), (110_000, amount(110_000)));
    assert_eq!(terms.dropped, Amount::default());
}
