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

/// One of the ways out of the daemon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::daemon) enum Side {
    /// Into the log store.
    Store,
    /// Into the journal, for the log service.
    Sls,
    /// To other collectors.
    Netflow,
}

/// What one side did with what it was given.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ended {
    /// Taken.
    pub taken: Amount,
    /// Refused: dropped.
    pub refused: Amount,
    /// Not meant for it.
    pub spared: Amount,
}

impl Ended {
    /// Taken, and nothing else.
    pub(super) fn taken(taken: Amount) -> Self {
        Self {
            taken,
            ..Self::default()
        }
    }

    /// Refused, and nothing else.
    pub(super) fn refused(refused: Amount) -> Self {
        Self {
            refused,
            ..Self::default()
        }
    }

    /// All of it.
    pub fn sum(&self) -> Amount {
        self.taken + self.refused + self.spared
    }

    /// Adds more.
    pub fn add(&mut self, more: &Self) {
        self.taken += more.taken;
        self.refused += more.refused;
        self.spared += more.spared;
    }
}

/// Where it is written down what became of rows.
pub(in crate::daemon) trait Books {
    /// Rows that were on their way to a side ended there.
    fn settle(&self, side: Side, ended: Ended);
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

/// What is being settled of one batch.
pub(super) struct Settling<'a> {
    books: &'a dyn Books,
    /// What of the batch has not ended.
    store_left: Amount,
    sls_left: Amount,
    netflow_left: Amount,
    /// What was refused, and why.
    pub(super) refusals: Vec<Refusal>,
}

impl<'a> Settling<'a> {
    /// A batch of which nothing has ended.
    pub(super) fn new(amount: Amount, books: &'a dyn Books) -> Self {
        Self {
            books,
            store_left: amount,
            sls_left: amount,
            netflow_left: amount,
            refusals: Vec::new(),
        }
    }

    /// Some of it ended at a side.
    pub(super) fn settle(&mut self, side: Side, ended: Ended) {
        let left = match side {
            Side::Store => &mut self.store_left,
            Side::Sls => &mut self.sls_left,
            Side::Netflow => &mut self.netflow_left,
        };
        *left = *left - ended.sum();
        self.books.settle(side, ended);
    }

    /// Notes rows that were refused, and gives what they stand for.
    pub(super) fn refuse(&mut self, place: Place, rows: &RecordBatch, why: String) -> Amount {
        let amount = amount_of(rows);
        self.refusals.push(Refusal {
            place,
            amount,
            exporters: amounts_by_exporter(rows),
            why,
        });
        amount
    }

    /// What has not ended was not meant for its side.
    pub(super) fn close(mut self) -> Vec<Refusal> {
        let left = [
            (Side::Store, self.store_left),
            (Side::Sls, self.sls_left),
            (Side::Netflow, self.netflow_left),
        ];
        for (side, spared) in left {
            let ended = Ended {
                spared,
                ..Ended::default()
            };
            self.settle(side, ended);
        }
        self.refusals
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
