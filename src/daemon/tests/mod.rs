//! A lane without sockets, threads or clocks.

mod attached;
mod mediated;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Cache;
use crate::config::Config;
use crate::daemon::exchange::Exchange;
use crate::daemon::settings;
use crate::flow::Amount;
use crate::flowlog::RoutingTable;
use crate::lane::Cell;
use crate::lane::Vicinity;
use crate::lane::{HandOver, Lane, Parts};
use crate::lane::{TERMS, Terms};
use crate::listen::Own;
use crate::session::Arrival;
use crate::session::Sessions;
pub(super) use crate::session::testing::set;
use crate::session::testing::{peer, v9_at};

/// Active 300 s, inactive 15 s, or half as long again as the exporter's own
/// active timer.
pub(super) const LEARNING: &str = r#"
[[flow-log]]
name = "all"
project = "flows"
logstore = "all"
inactive-s = "auto"

[default-flow-log]
name = "all"
"#;

/// A lane and what it tells others.
pub(super) struct Bench {
    pub(super) lane: Lane,
    pub(super) vicinity: Arc<Vicinity>,
    pub(super) exchange: Arc<Exchange>,
    cell: Arc<Cell<TERMS>>,
    pub(super) now: Arrival,
    /// Of the next v9 Message.
    sequence: u32,
}

impl Bench {
    pub(super) fn new(config: &str) -> Self {
        let config = Config::parse(config, "test").unwrap();
        let table = RoutingTable::compile(&config.definition, None).unwrap();
        let exchange = Arc::new(Exchange::new(1 << 20, 16));
        let cell = Arc::new(Cell::new());
        let cache = settings::cache(&config, 1);
        let listening = vec!["192.0.2.100:9995".parse().unwrap()];
        let silent_after = config.exporters.silent_after;
        let vicinity = Arc::new(Vicinity::new(
            Arc::new(Own::new(listening)),
            2,
            silent_after,
        ));
        let lane = Lane::new(Parts {
            sessions: Sessions::new(
                settings::sessions(&config, 1),
                settings::template_scope(&config),
                settings::plan(&config.definition),
            ),
            sampling: settings::sampling(&config.exporters),
            cache: Cache::new(cache),
            max_flows: cache.max_flows,
            table: Arc::new(table),
            exit: Arc::clone(&exchange) as Arc<dyn HandOver>,
            cell: Arc::clone(&cell),
            vicinity: (Arc::clone(&vicinity), 0),
        });
        let now = Arrival {
            monotonic_ms: 1_000_000,
            unix_ms: 1_700_000_000_000,
        };
        Self {
            lane,
            vicinity,
            exchange,
            cell,
            now,
            sequence: 0,
        }
    }

    /// Receives Sets in a v9 Message of 192.0.2.1.
    pub(super) fn receive(&mut self, sets: &[Vec<u8>]) {
        self.receive_from(1, sets);
    }

    /// Receives Sets in a v9 Message of 192.0.2.`host`.
    pub(super) fn receive_from(&mut self, host: u8, sets: &[Vec<u8>]) {
        let message = self.message(sets);
        self.lane.datagram(&message, peer(host, 2055), self.now);
    }

    /// Sets in the next v9 Message.
    pub(super) fn message(&mut self, sets: &[Vec<u8>]) -> Vec<u8> {
        let export_secs = u32::try_from(self.now.unix_ms / 1_000).unwrap();
        let message = v9_at(0, self.sequence, 600_000, export_secs, sets);
        self.sequence += 1;
        message
    }

    /// Lets so many seconds pass, in turns of a tenth.
    pub(super) fn wait(&mut self, secs: u64) {
        for _ in 0..secs * 10 {
            self.now.monotonic_ms += 100;
            self.now.unix_ms += 100;
            self.lane.turn(self.now);
        }
    }

    /// Empties the lane; whose its rows are, ascending.
    pub(super) fn origins(&mut self) -> Vec<(IpAddr, u32)> {
        assert!(self.lane.drain(self.now));
        let mut origins = Vec::new();
        while let Some(parcel) = self.exchange.take(Duration::ZERO) {
            let rows = 0..parcel.batch.len();
            origins.extend(rows.map(|row| parcel.batch.origin(row).unwrap()));
        }
        origins.sort_unstable();
        origins
    }

    /// What the lane published.
    pub(super) fn terms(&self) -> Terms {
        self.published()()
    }

    /// The same where the lane goes its own way.
    pub(super) fn published(&self) -> impl Fn() -> Terms + use<> {
        let cell = Arc::clone(&self.cell);
        move || Terms::from_array(cell.read())
    }
}

/// Numbers of two octets.
pub(super) fn shorts(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// Template 256: addresses, octets, packets.
pub(super) fn template() -> Vec<u8> {
    set(0, &shorts(&[256, 4, 8, 4, 12, 4, 1, 4, 2, 4]))
}

/// So many flows, each of 100 octets and 1 packet.
pub(super) fn flows(hosts: std::ops::Range<u8>) -> Vec<u8> {
    let record = |host| [10, 0, 0, host, 10, 0, 1, 1, 0, 0, 0, 100, 0, 0, 0, 1];
    set(256, &hosts.flat_map(record).collect::<Vec<u8>>())
}

pub(super) fn amount(records: u64) -> Amount {
    Amount {
        records,
        octets: 100 * records,
        packets: records,
    }
}

#[test]
fn options_are_rows_where_a_flow_log_asks_for_what_they_say() {
    let asking = LEARNING.replace("inactive-s", "extra = [\"flowId\"]\ninactive-s");
    // Options Template 257: scope system (1), elements 8, 1 and 148 of 4 octets.
    let definition = set(1, &shorts(&[257, 4, 12, 1, 4, 8, 4, 1, 4, 148, 4]));
    let options = set(
        257,
        &[[0; 4], [10, 0, 0, 1], [0, 0, 0, 100], [0, 0, 0, 7]].concat(),
    );
    for (config, rows) in [(LEARNING, 0), (&asking, 1)] {
        let mut bench = Bench::new(config);
        bench.receive(&[definition.clone(), options.clone()]);
        assert_eq!(bench.origins().len(), rows);
        let terms = bench.terms();
        let expected = u64::try_from(rows).unwrap();
        assert_eq!((terms.flows.records, terms.flows.octets), (expected, 0));
        assert_eq!(terms.sessions.options_records, 1);
    }
}

#[test]
fn a_named_active_timer_lengthens_the_inactive_one() {
    let mut told = Bench::new(LEARNING);
    // Options Template 257: scope system (1), element 36 of 2 octets.
    let definition = set(1, &shorts(&[257, 4, 4, 1, 4, 36, 2]));
    let options = set(257, &[0, 0, 0, 0, 0, 60]);
    told.receive(&[definition, options]);
    let mut untold = Bench::new(LEARNING);
    for bench in [&mut told, &mut untold] {
        bench.receive(&[template(), flows(0..1)]);
        bench.wait(80);
    }
    assert_eq!(told.terms().held, amount(1));
    assert_eq!(untold.terms().held, Amount::default());
    assert_eq!(untold.terms().handed, amount(1));
    told.wait(20);
    assert_eq!(told.terms().handed, amount(1));
}

#[test]
fn what_waits_for_the_cache_is_in_it_when_terms_are_published() {
    let mut bench = Bench::new(LEARNING);
    bench.receive(&[template(), flows(0..40)]);
    bench.lane.turn(bench.now);
    let terms = bench.terms();
    assert_eq!(terms.routed, amount(40));
    assert_eq!(terms.held, amount(40));
    assert_eq!(terms.live, 40);
}

#[test]
fn a_stopping_lane_hands_over_what_waits_for_the_cache() {
    let mut bench = Bench::new(LEARNING);
    bench.receive(&[template(), flows(0..3)]);
    assert!(bench.lane.drain(bench.now));
    assert_eq!(bench.terms().handed, amount(3));
    let ((), accounts) = bench.exchange.read(|| ());
    assert_eq!(accounts.store.in_flight, amount(3));
}

#[test]
fn records_that_wait_keep_the_routes_they_were_given() {
    let mut bench = Bench::new(LEARNING);
    bench.receive(&[template(), flows(0..3)]);
    let ignoring = Config::parse("[default-flow-log]\naction = \"ignore\"\n", "test").unwrap();
    let table = RoutingTable::compile(&ignoring.definition, None).unwrap();
    let plan = settings::plan(&ignoring.definition);
    bench.lane.route_by(Arc::new(table), plan);
    bench.receive(&[flows(3..5)]);
    bench.wait(2);
    let terms = bench.terms();
    assert_eq!((terms.routed, terms.unclaimed), (amount(3), amount(2)));
    // The flow log is gone: what it had leaves at once.
    assert_eq!(terms.handed, amount(3));
}
