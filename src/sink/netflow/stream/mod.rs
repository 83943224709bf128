//! Rows as the messages that one collector gets: no socket, no thread, no clock.

mod domain;
mod open;
mod report;

#[cfg(test)]
mod tests;

pub use report::Account;

use std::collections::VecDeque;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::flow::Amount;
use crate::flow::ExportSettings;
use crate::flow::FlowBatch;
use crate::flow::Lacks;
use crate::flow::Records;
use crate::flow::Unsent;
use crate::flowlog::ExportedDomains;
use crate::wire::Version;

use domain::Domain;
use domain::Numbers;
use report::Reporter;

/// How messages are built.
#[derive(Clone, Copy, Debug)]
pub struct StreamSettings {
    /// How records are written.
    pub export: ExportSettings,
    /// Observation Domains of the messages.
    pub domains: ExportedDomains,
    /// Octets a message may have.
    pub message_bytes: usize,
    /// How often Templates are repeated; over TCP they are sent once.
    pub refresh: Option<RefreshEvery>,
}

/// When Templates are repeated, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct RefreshEvery {
    /// Milliseconds.
    pub ms: u64,
    /// Messages with flows.
    pub messages: u32,
}

/// The time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Milliseconds since 1970: what headers say.
    pub unix_ms: u64,
    /// Milliseconds of a clock that nobody sets: what waits go by.
    pub monotonic_ms: u64,
}

/// A finished message.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Message {
    /// As it is sent.
    pub octets: Vec<u8>,
    /// The rows whose last record it has.
    pub amount: Amount,
    /// Data Records.
    pub records: u64,
}

/// Why a row is in no message.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Refused {
    /// It cannot be written as a record.
    Row(Unsent),
    /// A record is longer than a message may be.
    TooLong,
    /// It is of one domain more than `DOMAINS_MAX`.
    Domains,
}

impl Refused {
    /// Label for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Row(unsent) => unsent.label(),
            Self::TooLong => "too-long",
            Self::Domains => "domains",
        }
    }
}

/// The messages to one collector: Templates, sequence numbers and all.
///
/// Rows are collected until a message is full or `HELD_MS` old; finished
/// messages wait for [`Self::take`].
#[derive(Debug)]
pub struct Stream {
    settings: StreamSettings,
    domains: HashMap<Option<(IpAddr, u32)>, Domain, RandomState>,
    numbers: Numbers,
    reporter: Reporter,
    /// Records of the row at hand.
    records: Records,
    ready: VecDeque<Message>,
}

impl Stream {
    /// A stream that has sent nothing.
    pub fn new(settings: StreamSettings) -> Self {
        Self {
            settings,
            domains: HashMap::default(),
            numbers: Numbers::new(settings.domains),
            reporter: Reporter::new(settings.refresh),
            records: Records::default(),
            ready: VecDeque::new(),
        }
    }

    /// Adds a row of a batch; what of it cannot be carried.
    ///
    /// # Errors
    /// Why nothing was added.
    pub fn add(&mut self, batch: &FlowBatch, row: usize, now: Moment) -> Result<Lacks, Refused> {
        let origin = match self.settings.domains {
            ExportedDomains::One(_) => None,
            ExportedDomains::PerExporter => batch.origin(row),
        };
        let has_room = self.domains.len() < DOMAINS_MAX;
        let domain = match self.domains.get_mut(&origin) {
            Some(domain) => domain,
            None if has_room => {
                let new = Domain::new(&self.settings, now);
                self.domains.entry(origin).or_insert(new)
            }
            None => return Err(Refused::Domains),
        };
        let lacks = domain.encode(batch, row, now, &mut self.records)?;
        let amount = batch.amount_of(row).unwrap_or_default();
        let Self {
            numbers,
            records,
            ready,
            ..
        } = self;
        domain.add(records, amount, now, numbers, ready)?;
        Ok(lacks)
    }

    /// Takes in how things stand, which the collector is told from time to
    /// time; by v5 nothing can be told.
    pub fn see(&mut self, account: Account, now: Moment) {
        if self.settings.export.version != Version::V5 {
            self.reporter.see(account, now);
        }
    }

    /// Tells the account of the process (P-737), once there were flows: in the
    /// domain all share, or in that of no exporter.
    fn report(&mut self, now: Moment) {
        if self.domains.is_empty() {
            return;
        }
        let Some(report) = self.reporter.report(now) else {
            return;
        };
        let Self {
            settings,
            domains,
            records,
            ready,
            ..
        } = self;
        let domain = domains
            .entry(None)
            .or_insert_with(|| Domain::new(settings, now));
        let mut number = Numbers::of_process();
        domain.report(&report, now, records, &mut number, ready);
    }

    /// Finishes what was held long enough, and repeats Templates and reports
    /// that are due.
    pub fn tick(&mut self, now: Moment) {
        self.report(now);
        for domain in self.domains.values_mut() {
            domain.tick(now, &mut self.ready);
        }
    }

    /// Finishes all that is held.
    pub fn flush(&mut self, now: Moment) {
        for domain in self.domains.values_mut() {
            domain.flush(now, &mut self.ready);
        }
    }

    /// When [`Self::tick`] has something to do, by the monotonic clock.
    pub fn due_ms(&self) -> Option<u64> {
        let due = self.domains.values().filter_map(Domain::due_ms);
        // Until there were flows, nothing is told.
        let reports = self.reporter.due_ms().filter(|_| !self.domains.is_empty());
        due.chain(reports).min()
    }

    /// The next finished message.
    pub fn take(&mut self) -> Option<Message> {
        self.ready.pop_front()
    }

    /// Says that the collector knows no Template, be it another one or the same
    /// again: they are sent before anything else.
    pub fn introduce(&mut self, now: Moment) {
        for domain in self.domains.values_mut() {
            domain.introduce(now, &mut self.ready);
        }
    }

    /// Begins a new transport session: sequence numbers from 0, and Templates
    /// first (P-732, P-733). What was finished for the session before is given
    /// up; what it held is the answer.
    pub fn restart(&mut self, now: Moment) -> Amount {
        let lost = self.ready.drain(..).map(|message| message.amount);
        let lost = lost.fold(Amount::default(), |sum, amount| sum + amount);
        for domain in self.domains.values_mut() {
            domain.restart(now, &mut self.ready);
        }
        lost
    }

    /// Templates there are, those of options among them.
    pub fn templates(&self) -> usize {
        let templates = self.domains.values().map(Domain::templates);
        templates.sum()
    }
}

/// Longest a row waits for others to share its message (P-704).
const HELD_MS: u64 = 1_000;
/// Domains of exporters that one collector is told apart, at most.
const DOMAINS_MAX: usize = 4_096;
