//! Rows that wait for one collector, and the account of all that it got.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::flow::Amount;
use crate::flow::Filter;
use crate::flow::FlowBatch;
use crate::flow::Subject;
use crate::flowlog::NetflowTarget;
use crate::flowlog::RouteId;
use crate::flowlog::RoutingTable;

use super::tally::FULL;
use super::tally::Tally;

/// A batch, some rows of which are for a collector.
#[derive(Clone, Debug)]
pub(super) struct Shipment {
    /// Shared with other collectors.
    pub(super) batch: Arc<FlowBatch>,
    /// What the rows' routes are resolved by.
    pub(super) routes: Arc<RoutingTable>,
    /// Routes of the rows that are for this collector, sorted.
    pub(super) chosen: Vec<u16>,
}

impl Shipment {
    /// The routes of this collector, sorted, each with what it lets pass to it.
    pub(super) fn ways(&self, target: &NetflowTarget) -> Vec<Way<'_>> {
        let way = |&route: &u16| {
            let flow_log = &self.routes.route(RouteId(route))?.flow_log;
            let mut outputs = flow_log.netflow.iter();
            let output = outputs.find(|output| output.target == *target);
            Some(Way {
                route,
                flow_log: &flow_log.name,
                filter: output.and_then(|output| output.filter.as_ref()),
            })
        };
        self.chosen.iter().filter_map(way).collect()
    }
}

/// A route to a collector.
#[derive(Debug)]
pub(super) struct Way<'a> {
    /// Its number.
    pub(super) route: u16,
    flow_log: &'a str,
    filter: Option<&'a Filter>,
}

impl Way<'_> {
    /// Whether the flow log's filter lets a row pass.
    pub(super) fn passes(&self, batch: &FlowBatch, row: usize) -> bool {
        let Some(filter) = self.filter else {
            return true;
        };
        let (Some(record), Some((exporter, _))) = (batch.record(row), batch.origin(row)) else {
            return false;
        };
        filter.matches(&Subject {
            record: &record,
            detail: batch.detail(row).as_ref(),
            exporter,
            flow_log: self.flow_log,
        })
    }
}

/// What [`Inbox::take`] found.
#[derive(Debug)]
pub(super) enum Taken {
    /// The oldest shipment.
    Shipment(Shipment),
    /// Nothing came.
    Nothing,
    /// Nothing will come any more.
    Closed,
}

/// A queue that is bounded in octets, with its account.
#[derive(Debug)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    bytes_max: usize,
    book: Mutex<Tally>,
}

#[derive(Debug)]
struct Waiting {
    queue: VecDeque<Shipment>,
    bytes: usize,
    is_closed: bool,
    /// When something was last offered.
    offered: Instant,
}

impl Inbox {
    /// Holds at most `bytes_max` octets of batches, and always room for one.
    pub(super) fn new(bytes_max: usize) -> Self {
        let waiting = Waiting {
            queue: VecDeque::new(),
            bytes: 0,
            is_closed: false,
            offered: Instant::now(),
        };
        Self {
            waiting: Mutex::new(waiting),
            arrived: Condvar::new(),
            bytes_max,
            book: Mutex::default(),
        }
    }

    /// Takes over rows that stand for `amount`; whether there was room.
    pub(super) fn offer(&self, shipment: Shipment, amount: Amount) -> bool {
        let bytes = shipment.batch.bytes();
        let mut waiting = self.lock();
        waiting.offered = Instant::now();
        let is_full = waiting.bytes.saturating_add(bytes) > self.bytes_max;
        let is_taken = !waiting.is_closed && (waiting.queue.is_empty() || !is_full);
        // Before the thread can take it: what it sends was pending before.
        self.book(|book| {
            book.offer(amount);
            if !is_taken {
                book.drop(FULL, amount);
            }
        });
        if is_taken {
            waiting.bytes += bytes;
            waiting.queue.push_back(shipment);
            drop(waiting);
            self.arrived.notify_one();
        }
        is_taken
    }

    /// Waits for the oldest shipment.
    pub(super) fn take(&self, patience: Duration) -> Taken {
        let mut waiting = self.lock();
        if waiting.queue.is_empty() && !waiting.is_closed {
            let waited = self.arrived.wait_timeout(waiting, patience);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        match waiting.queue.pop_front() {
            Some(shipment) => {
                waiting.bytes = waiting.bytes.saturating_sub(shipment.batch.bytes());
                Taken::Shipment(shipment)
            }
            None if waiting.is_closed => Taken::Closed,
            None => Taken::Nothing,
        }
    }

    /// Waits, but not beyond the closing.
    pub(super) fn rest(&self, period: Duration) {
        let waiting = self.lock();
        let is_open = |waiting: &mut Waiting| !waiting.is_closed;
        drop(self.arrived.wait_timeout_while(waiting, period, is_open));
    }

    /// Has nothing more come in.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_all();
    }

    /// Whether nothing more comes in.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// How long nothing was offered.
    pub(super) fn idle(&self) -> Duration {
        self.lock().offered.elapsed()
    }

    /// Octets of batches that wait.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Writes in the account.
    pub(super) fn book<T>(&self, write: impl FnOnce(&mut Tally) -> T) -> T {
        write(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::FlowRecord;
    use crate::flowlog::Definition;
    use crate::flowlog::Device;
    use crate::flowlog::ExporterMatch;
    use crate::flowlog::FlowLog;
    use crate::flowlog::NetflowOutput;
    use crate::flowlog::NetflowVersion;

    fn shipment(rows: usize) -> (Shipment, Amount) {
        let mut batch = FlowBatch::default();
        for route in [3, 4].into_iter().cycle().take(rows) {
            let mut record = FlowRecord {
                octets: 100,
                packets: 2,
                ..FlowRecord::default()
            };
            record.key.route = route;
            batch.push(&record, None, [192, 0, 2, 1].into(), 0);
        }
        let amount = batch.amount();
        let shipment = Shipment {
            batch: Arc::new(batch),
            routes: Arc::default(),
            chosen: vec![4],
        };
        (shipment, amount)
    }

    #[test]
    fn a_shipment_knows_the_rows_of_its_routes() {
        let target = NetflowTarget::new("192.0.2.9".parse().unwrap(), NetflowVersion::V9);
        let log = |name: &str, filter: Option<&str>| FlowLog {
            netflow: vec![NetflowOutput {
                target: target.clone(),
                filter: filter.map(|text| Filter::parse(text).unwrap()),
            }],
            ..FlowLog::new(name, "project", "logstore")
        };
        let device = |name: &str, last: u8| Device {
            instance_id: name.to_owned(),
            exporters: vec![ExporterMatch {
                prefix: format!("192.0.2.{last}").parse().unwrap(),
                domain: None,
            }],
            flow_logs: vec![name.to_owned()],
            ..Device::default()
        };
        let definition = Definition {
            flow_logs: ["a", "b", "c", "d"]
                .map(|name| log(name, (name == "c").then_some("packets > 2")))
                .into(),
            devices: vec![
                device("a", 1),
                device("b", 2),
                device("c", 3),
                device("d", 4),
            ],
            ..Definition::default()
        };
        let (three, _) = shipment(3);
        let all = Shipment {
            routes: Arc::new(RoutingTable::compile(&definition, None).unwrap()),
            ..three
        };
        let rows = |shipment: &Shipment| {
            let ways = shipment.ways(&target);
            let routes = shipment.batch.routes().iter().enumerate();
            let way = |route: &u16| ways.iter().find(|way| way.route == *route);
            let passes = |(row, route)| way(route).map(|way| way.passes(&shipment.batch, row));
            routes.map(passes).collect::<Vec<_>>()
        };
        assert_eq!(rows(&all), [None, Some(true), None]);
        let filtered = Shipment {
            chosen: vec![3, 4],
            ..all
        };
        assert_eq!(rows(&filtered), [Some(false), Some(true), Some(false)]);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_one_always_fits() {
        let (large, amount) = shipment(50);
        let inbox = Inbox::new(large.batch.bytes() / 2);
        assert!(inbox.offer(large.clone(), amount));
        assert!(!inbox.offer(large.clone(), amount));
        let tally = inbox.book(|book| book.clone());
        assert_eq!((tally.offered, tally.pending), (amount + amount, amount));
        assert_eq!(tally.unsent[FULL], amount);
        assert_eq!(inbox.bytes(), large.batch.bytes());
        assert!(matches!(inbox.take(Duration::ZERO), Taken::Shipment(_)));
        assert_eq!(inbox.bytes(), 0);
        assert!(inbox.offer(large, amount));
    }

    #[test]
    fn what_came_before_the_closing_is_taken_and_nothing_after_it() {
        let (shipment, amount) = shipment(1);
        let inbox = Inbox::new(1 << 20);
        assert!(matches!(inbox.take(Duration::ZERO), Taken::Nothing));
        assert!(inbox.offer(shipment.clone(), amount));
        inbox.close();
        assert!(!inbox.offer(shipment, amount));
        assert!(matches!(inbox.take(Duration::ZERO), Taken::Shipment(_)));
        assert!(matches!(inbox.take(Duration::ZERO), Taken::Closed));
        // Nobody rests who is to end.
        inbox.rest(Duration::from_secs(3_600));
    }
}
