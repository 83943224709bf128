//! Every exporter's own series, as many as there is room for, and who is silent.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::daemon::losses::Losses;
use crate::lane::Census;
use crate::session::ExporterView;
use crate::session::Trust;
use crate::telemetry::Family;
use crate::telemetry::Kind;
use crate::telemetry::Text;

/// How much is shown of exporters.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Exporters with series of their own; the others share one.
    pub named_max: usize,
    /// How long an exporter may send nothing before it counts as silent.
    pub silent_after: Duration,
}

/// What all looks at the lanes' exporters add up to.
#[derive(Debug)]
pub struct Exporters {
    settings: Settings,
    book: Mutex<Book>,
}

/// One domain of one exporter's port.
type Place = (IpAddr, u16, u16, u32);

#[derive(Debug, Default)]
struct Book {
    /// Counters at the last look.
    places: HashMap<Place, Tally, RandomState>,
    named: BTreeMap<IpAddr, Named>,
    /// Of all exporters, also of those that are gone.
    total: Tally,
    known: usize,
    silent: usize,
}

/// An exporter with series of its own.
#[derive(Clone, Copy, Debug)]
struct Named {
    /// Since it has them.
    tally: Tally,
    /// Records dropped before that.
    dropped_before: u64,
    last_seen_unix_ms: u64,
    is_listed: bool,
}

/// What is counted of each exporter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Tally {
    records: u64,
    lost: u64,
    missing_sets: u64,
}

/// What one look found of an exporter.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    /// Since the look before.
    tally: Tally,
    last_seen_unix_ms: u64,
    is_trusted: bool,
}

impl Exporters {
    /// Nobody has been seen.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            book: Mutex::default(),
        }
    }

    /// Takes in one look at all lanes. `is_listed` says whom the operator
    /// names: they and established exporters get series of their own, the
    /// former in place of the latter.
    pub fn note(
        &self,
        lanes: &[Census],
        is_listed: impl Fn(IpAddr) -> bool,
        losses: &Losses,
        now_unix_ms: u64,
    ) {
        let mut book = self.lock();
        let found = book.compare(lanes);
        // Who is gone counts with the others from now on.
        book.named
            .retain(|exporter, _| found.contains_key(exporter));
        let silent_ms = u64::try_from(self.settings.silent_after.as_millis()).unwrap_or(u64::MAX);
        book.known = found.len();
        book.silent = 0;
        for (exporter, found) in found {
            let is_listed = is_listed(exporter);
            let silence_ms = now_unix_ms.saturating_sub(found.last_seen_unix_ms);
            if is_listed || found.is_trusted {
                book.silent += usize::from(silence_ms > silent_ms);
                book.name(exporter, is_listed, losses, self.settings.named_max);
            }
            if let Some(named) = book.named.get_mut(&exporter) {
                named.tally.add(found.tally);
                named.last_seen_unix_ms = found.last_seen_unix_ms;
            }
        }
    }

    /// The series, in Prometheus' text form.
    pub fn render(&self, losses: &Losses) -> String {
        let book = self.lock();
        let mut text = Text::default();
        let [records, lost, missing, dropped, seen, known, silent] = &FAMILIES;
        let mut tally = |family, value: fn(Tally) -> u64| {
            let named = |named: &Named, _| value(named.tally);
            text.labelled(family, book.series(value(book.total), named));
        };
        tally(records, |tally| tally.records);
        tally(lost, |tally| tally.lost);
        tally(missing, |tally| tally.missing_sets);
        let named = |named: &Named, exporter| {
            losses
                .of(exporter)
                .records()
                .saturating_sub(named.dropped_before)
        };
        text.labelled(dropped, book.series(losses.total().records(), named));
        let times = book.named.iter().map(|(exporter, named)| {
            let time = Duration::from_millis(named.last_seen_unix_ms);
            (exporter.to_string(), time.as_secs_f64())
        });
        text.labelled(seen, times);
        text.single(known, book.known);
        text.single(silent, book.silent);
        text.into_string()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// What is new of each exporter since the last look.
    fn compare(&mut self, lanes: &[Census]) -> BTreeMap<IpAddr, Found> {
        let mut found: BTreeMap<IpAddr, Found> = BTreeMap::new();
        let mut places = HashMap::default();
        for view in lanes.iter().flat_map(|lane| &lane.exporters) {
            let peer = view.peer;
            let place = (peer.exporter, peer.port, peer.local_port, view.domain);
            let now = Tally::of(view);
            let before = self.places.get(&place).copied().unwrap_or_default();
            let exporter = found.entry(peer.exporter).or_default();
            exporter.tally.add(now.since(before));
            exporter.last_seen_unix_ms = exporter.last_seen_unix_ms.max(view.last_seen_unix_ms);
            exporter.is_trusted |= view.standing == Trust::Established;
            places.insert(place, now);
        }
        self.places = places;
        self.total = Tally::default();
        for lane in lanes {
            self.total.add(Tally {
                records: lane.stats.records,
                lost: lane.stats.sequence.lost,
                missing_sets: lane.stats.orphans.missing,
            });
        }
        found
    }

    /// Gives an exporter series of its own, if there is room or it can have
    /// that of one the operator does not name.
    fn name(&mut self, exporter: IpAddr, is_listed: bool, losses: &Losses, named_max: usize) {
        if self.named.contains_key(&exporter) {
            return;
        }
        if self.named.len() >= named_max {
            let unlisted = self.named.iter().filter(|(_, named)| !named.is_listed);
            let quietest = unlisted.min_by_key(|(_, named)| named.last_seen_unix_ms);
            match quietest.map(|(exporter, _)| *exporter) {
                Some(other) if is_listed => self.named.remove(&other),
                Some(_) | None => return,
            };
        }
        let named = Named {
            tally: Tally::default(),
            dropped_before: losses.of(exporter).records(),
            last_seen_unix_ms: 0,
            is_listed,
        };
        self.named.insert(exporter, named);
    }

    /// A series for each named exporter, and the rest of the total.
    fn series(&self, total: u64, value: impl Fn(&Named, IpAddr) -> u64) -> Vec<(String, u64)> {
        let named = self.named.iter();
        let mut series: Vec<_> = named
            .map(|(exporter, named)| (exporter.to_string(), value(named, *exporter)))
            .collect();
        let sum: u64 = series.iter().map(|(_, value)| value).sum();
        series.push((OTHER.to_owned(), total.saturating_sub(sum)));
        series
    }
}

impl Tally {
    fn of(view: &ExporterView) -> Self {
        Self {
            records: view.records,
            lost: view.sequence.lost,
            missing_sets: view.missing_sets,
        }
    }

    /// What came after an earlier reading; all of it if counting began anew.
    fn since(self, before: Self) -> Self {
        if self.records < before.records || self.missing_sets < before.missing_sets {
            return self;
        }
        Self {
            records: self.records - before.records,
            lost: self.lost.saturating_sub(before.lost),
            missing_sets: self.missing_sets - before.missing_sets,
        }
    }

    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.lost += other.lost;
        self.missing_sets += other.missing_sets;
    }
}

/// Label of all that have no series of their own.
const OTHER: &str = "other";

/// What is shown.
pub(super) const FAMILIES: [Family; 7] = [
    Family::new(
        Kind::Counter,
        "flowlogd_session_exporter_records_total",
        Some("exporter"),
        "Data Records decoded, those of options too.",
    ),
    Family::new(
        Kind::Counter,
        "flowlogd_session_exporter_sequence_lost_total",
        Some("exporter"),
        "Units missing by sequence number: flows in v5, messages in v9, records in IPFIX.",
    ),
    Family::new(
        Kind::Counter,
        "flowlogd_session_exporter_template_missing_sets_total",
        Some("exporter"),
        "Data Sets that came before their template.",
    ),
    Family::new(
        Kind::Counter,
        "flowlogd_daemon_exporter_dropped_records_total",
        Some("exporter"),
        "Records dropped after they were routed: hand-over full, or refused by the log store.",
    ),
    Family::new(
        Kind::Gauge,
        "flowlogd_session_exporter_last_seen_timestamp_seconds",
        Some("exporter"),
        "When the exporter last sent a sound message, in seconds since 1970.",
    ),
    Family::new(
        Kind::Gauge,
        "flowlogd_session_exporters",
        None,
        "Addresses that sent something and are not forgotten.",
    ),
    Family::new(
        Kind::Gauge,
        "flowlogd_session_silent_exporters",
        None,
        "Of these, established or named ones that sent nothing for longer than silent-after-s.",
    ),
];
