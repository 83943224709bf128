//! Where rows end, in the terms of the loss ledger.

use std::net::IpAddr;

use arrow_array::RecordBatch;

use crate::daemon::losses::Place;
use crate::flow::Amount;
use crate::journal::Amounts;
use crate::journal::Stats;
use crate::logstore::amount_of;
use crate::logstore::amounts_by_exporter;
use crate::sink::Destination;

/// What one output did with what it was given.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Output {
    /// Taken.
    pub taken: Amount,
    /// Refused: dropped.
    pub refused: Amount,
    /// Not meant for it.
    pub spared: Amount,
}

impl Output {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.taken += other.taken;
        self.refused += other.refused;
        self.spared += other.spared;
    }

    /// All of it.
    pub fn sum(&self) -> Amount {
        self.taken + self.refused + self.spared
    }
}

/// Where the rows of one batch ended, in each output.
#[derive(Debug)]
pub(in crate::daemon) struct Settled {
    /// What the rows stand for.
    pub amount: Amount,
    /// In the log store.
    pub store: Output,
    /// In the journal, on their way to the cloud.
    pub sls: Output,
    /// What was refused, and why.
    pub refusals: Vec<Refusal>,
}

/// Rows that were refused.
#[derive(Debug)]
pub(in crate::daemon) struct Refusal {
    /// By whom.
    pub place: Place,
    /// What they stand for.
    pub amount: Amount,
    /// Whose they are; an exporter may be there more than once.
    pub exporters: Vec<(IpAddr, Amount)>,
    /// Why.
    pub why: String,
}

impl Settled {
    /// Rows of which nothing is known yet.
    pub(super) fn new(amount: Amount) -> Self {
        Self {
            amount,
            store: Output::default(),
            sls: Output::default(),
            refusals: Vec::new(),
        }
    }

    /// No output could take any row.
    pub(super) fn refuse_all(&mut self, refusal: Refusal) {
        self.store.refused = refusal.amount;
        self.refusals.push(refusal);
    }

    /// Rows whose route leads nowhere any more.
    pub(super) fn refuse_unrouted(&mut self, rows: &RecordBatch) {
        if rows.num_rows() > 0 {
            let why = "the route leads to no flow log".to_owned();
            self.refuse_by_store(rows, why);
        }
    }

    /// The log store did not take rows.
    pub(super) fn refuse_by_store(&mut self, rows: &RecordBatch, why: String) {
        let amount = self.refuse(Place::LogStore, rows, why);
        self.store.refused += amount;
    }

    /// The journal did not take rows: so nobody did.
    pub(super) fn refuse_by_journal(
        &mut self,
        rows: &RecordBatch,
        kept: Amount,
        sent: Amount,
        why: String,
    ) {
        self.refuse(Place::Journal, rows, why);
        self.store.refused += kept;
        self.sls.refused += sent;
    }

    /// What no output took or refused was not meant for it.
    pub(super) fn close(&mut self) {
        for output in [&mut self.store, &mut self.sls] {
            output.spared = self.amount - output.taken - output.refused;
        }
    }

    fn refuse(&mut self, place: Place, rows: &RecordBatch, why: String) -> Amount {
        let amount = amount_of(rows);
        self.refusals.push(Refusal {
            place,
            amount,
            exporters: amounts_by_exporter(rows),
            why,
        });
        amount
    }
}

/// What became of what the journal has for the cloud.
pub(in crate::daemon) fn sent(stats: &Stats) -> Amounts {
    let clouds = stats.destinations.iter();
    let clouds = clouds.filter(|destination| Destination::is_meant(&destination.name));
    clouds.fold(Amounts::default(), |mut sum, destination| {
        let amounts = destination.amounts;
        sum.pending += amounts.pending;
        sum.acked += amounts.acked;
        sum.evicted += amounts.evicted;
        sum.damaged += amounts.damaged;
        sum.refused += amounts.refused;
        sum
    })
}
