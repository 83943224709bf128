//! What `/metrics` shows: the [`table`] read from one [`Scrape`], what parts of
//! the daemon [`tell`] as it happens, and the exporters' own series.

/// Metrics as a table: two lines each, whatever the formatter thinks of it.
macro_rules! table {
    ($($name:literal $help:literal $value:expr;)+) => {
        &[$(Metric { name: $name, help: $help, value: $value },)+]
    };
}

mod delivery;
mod export;
mod relay;
mod table;
mod tell;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};

use crate::api::Connections;
use crate::daemon::exporters;
use crate::daemon::ledger::Reading;
use crate::flow::Amount;
use crate::journal::DestinationId;
use crate::lane::{SIZES, Terms};
use crate::listen::RelayTotals;
use crate::logstore;
use crate::logstore::LogStore;
use crate::sink::Destination;
use crate::sink::Sender;
use crate::sink::sls::OutletStats;
use crate::telemetry::Family;
use crate::telemetry::Kind;
use crate::telemetry::Text;

pub(super) use tell::{
    answered, buffer_granted, committed, decoding_time, journal_committed, loaded, reloaded,
    settled, snapshot_failed, snapshot_resumed, snapshot_taken, waited,
};

/// All numbers of one scrape, those of the ledger of one moment.
#[derive(Debug)]
pub(super) struct Scrape {
    /// The ledger.
    reading: Reading,
    /// Its lanes together.
    sum: Terms,
    /// Octets of batches between the lanes and the log store.
    waiting_bytes: u64,
    stored: Stored,
    /// What is sent to the cloud.
    outlets: Vec<(DestinationId, Destination, OutletStats)>,
    /// Memory of requests, in octets.
    sending_bytes: u64,
    /// What is copied to other collectors.
    relays: Vec<(String, RelayTotals)>,
    /// What becomes of the HTTP listeners' connections.
    connections: Arc<Connections>,
}

/// What the log store says of itself.
#[derive(Debug, Default)]
struct Stored {
    stats: logstore::Stats,
    parts: u64,
    rows: u64,
    bytes: u64,
}

/// One row of the table.
struct Metric {
    /// Name, or what the three names of an account begin with.
    name: &'static str,
    help: &'static str,
    value: Value,
}

/// How a metric counts, and where it is read.
enum Value {
    /// Only grows.
    Count(fn(&Scrape) -> u64),
    /// Only grows; one series for each value of a label, all every time.
    CountBy(&'static str, fn(&Scrape) -> Vec<(String, u64)>),
    /// Only grows; one series for each pair of values of two labels, which stand
    /// side by side with a comma between.
    CountByTwo(&'static str, fn(&Scrape) -> Vec<Pair>),
    /// Goes up and down.
    Level(fn(&Scrape) -> u64),
    /// Goes up and down; one series for each value of a label, all every time.
    LevelBy(&'static str, fn(&Scrape) -> Vec<(String, u64)>),
    /// An account that only grows.
    Moved(fn(&Scrape) -> Amount),
    /// An account of what is somewhere just now.
    Held(fn(&Scrape) -> Amount),
    /// Not read here: [`tell`] has it when it happens.
    Told(Kind, Option<&'static str>),
}

/// Values of two labels, and what is counted for both.
type Pair = ([String; 2], u64);

/// Reads all numbers, sets every metric and renders the text: one scrape at a
/// time, so that all lines are of one reading.
pub(super) fn render(read: impl FnOnce() -> Scrape, text: impl FnOnce() -> String) -> String {
    static SCRAPE: Mutex<()> = Mutex::new(());
    let _one_at_a_time = SCRAPE.lock().unwrap_or_else(PoisonError::into_inner);
    let scrape = read();
    for (_, metrics) in table::ROOMS {
        for metric in metrics {
            metric.set(&scrape);
        }
    }
    let mut all = text();
    all.push_str(&scrape.sizes());
    all
}

/// Describes every metric, once at start.
pub(super) fn describe() {
    for family in families() {
        let (name, help) = (family.name.into_owned(), family.help.into_owned());
        match family.kind {
            Kind::Counter => describe_counter!(name, help),
            Kind::Gauge => describe_gauge!(name, help),
            Kind::Histogram => describe_histogram!(name, help),
        }
    }
}

/// Every metric this room knows, in the order of the table.
pub(super) fn families() -> impl Iterator<Item = Family> {
    let all = table::ROOMS.into_iter().flat_map(|(_, metrics)| metrics);
    let drawn = [sizes()].into_iter().chain(exporters::FAMILIES);
    all.flat_map(Metric::families).chain(drawn)
}

impl Scrape {
    /// Puts the numbers of one moment together.
    pub(super) fn new(
        reading: Reading,
        waiting_bytes: usize,
        store: &LogStore,
        sender: &Sender,
        relays: Vec<(String, RelayTotals)>,
        connections: &Arc<Connections>,
    ) -> Self {
        let parts = store.parts();
        let stored = Stored {
            stats: store.stats(),
            parts: u64::try_from(parts.len()).unwrap_or(u64::MAX),
            rows: parts.iter().map(|part| part.rows).sum(),
            bytes: parts.iter().map(|part| part.bytes).sum(),
        };
        Self {
            sum: reading.sum(),
            reading,
            waiting_bytes: u64::try_from(waiting_bytes).unwrap_or(u64::MAX),
            stored,
            outlets: sender.stats(),
            sending_bytes: u64::try_from(sender.memory().0).unwrap_or(u64::MAX),
            relays,
            connections: Arc::clone(connections),
        }
    }

    /// One number of each lane.
    fn lanes(&self, value: fn(&Terms) -> u64) -> Vec<(String, u64)> {
        let lanes = self.reading.lanes.iter().enumerate();
        lanes
            .map(|(index, lane)| (index.to_string(), value(lane)))
            .collect()
    }

    /// How long datagrams were: counted by the lanes themselves, as no
    /// datagram may cost a call to the recorder.
    fn sizes(&self) -> String {
        let Terms {
            received_sizes,
            received_octets,
            ..
        } = &self.sum;
        let mut text = Text::default();
        text.histogram(&sizes(), &SIZES, received_sizes, *received_octets);
        text.into_string()
    }
}

fn sizes() -> Family {
    Family::new(
        Kind::Histogram,
        "flowlogd_listen_datagram_bytes",
        None,
        "Size of datagrams received, in octets.",
    )
}

impl Metric {
    fn set(&self, scrape: &Scrape) {
        let name = self.name;
        match &self.value {
            Value::Count(read) => counter!(name).absolute(read(scrape)),
            Value::CountBy(key, read) => {
                for (label, count) in read(scrape) {
                    counter!(name, *key => label).absolute(count);
                }
            }
            Value::CountByTwo(keys, read) => {
                let (first, second) = keys.split_once(", ").unwrap_or((keys, ""));
                for ([one, other], count) in read(scrape) {
                    counter!(name, first => one, second => other).absolute(count);
                }
            }
            Value::Level(read) => gauge!(name).set(approximate(read(scrape))),
            Value::LevelBy(key, read) => {
                for (label, level) in read(scrape) {
                    gauge!(name, *key => label).set(approximate(level));
                }
            }
            Value::Moved(read) => {
                for (unit, amount) in units(read(scrape)) {
                    counter!(format!("{name}_{unit}_total")).absolute(amount);
                }
            }
            Value::Held(read) => {
                for (unit, amount) in units(read(scrape)) {
                    gauge!(format!("{name}_{unit}")).set(approximate(amount));
                }
            }
            Value::Told(..) => {}
        }
    }

    /// What it is for Prometheus; three metrics if it is an account.
    fn families(&self) -> Vec<Family> {
        let one = |kind, label| vec![Family::new(kind, self.name, label, self.help)];
        let account = |kind, end: &str| {
            let units = units(Amount::default()).map(|(unit, _)| Family {
                name: format!("{}_{unit}{end}", self.name).into(),
                kind,
                label: None,
                help: format!("{}: {unit}.", self.help).into(),
            });
            units.into()
        };
        match self.value {
            Value::Count(_) => one(Kind::Counter, None),
            Value::CountByTwo(label, _) | Value::CountBy(label, _) => {
                one(Kind::Counter, Some(label))
            }
            Value::Level(_) => one(Kind::Gauge, None),
            Value::LevelBy(label, _) => one(Kind::Gauge, Some(label)),
            Value::Moved(_) => account(Kind::Counter, "_total"),
            Value::Held(_) => account(Kind::Gauge, ""),
            Value::Told(kind, label) => one(kind, label),
        }
    }
}

fn units(amount: Amount) -> [(&'static str, u64); 3] {
    [
        ("records", amount.records),
        ("octets", amount.octets),
        ("packets", amount.packets),
    ]
}

/// Labels with their values, side by side.
fn labels<const N: usize>(labels: [&'static str; N], values: [u64; N]) -> Vec<(String, u64)> {
    labels.into_iter().zip(values).map(telling).collect()
}

fn telling((label, value): (&'static str, u64)) -> (String, u64) {
    (label.to_owned(), value)
}

/// Prometheus has floating point only; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn approximate(value: u64) -> f64 {
    value as f64
}
