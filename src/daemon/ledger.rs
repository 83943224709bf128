//! The loss ledger: every datagram and every record is in exactly one account.
//!
//! Two accounts, never mixed:
//!
//! * datagrams: `received = decoded + Σ refused + relayed only`, per lane;
//! * records with their octets and packets, once per route they take:
//!   `routed + resumed = repeated + held + open + handed + dropped` per lane;
//!   behind the lanes, for each output, `Σ handed = in flight + taken + refused +
//!   spared`; for the cloud `carried over + taken = pending + acked + evicted +
//!   damaged`; and for each collector `offered = pending + sent + Σ unsent`, with
//!   `Σ offered = taken + copies`.
//!
//! A lane publishes all its terms at once; amounts leave a lane only under the
//! lock of the [`Exchange`], and reach the journal only under that of
//! [`Ingest`]; a reading holds both. So the sums are exact at every reading,
//! under load as well.

use std::sync::Arc;

use crate::daemon::exchange::{Accounts, Exchange};
use crate::daemon::ingest::{Ingest, sent};
use crate::flow::Amount;
use crate::journal;
use crate::lane::Cell;
use crate::lane::{TERMS, Terms};
use crate::sink::ExportsReading;

/// All accounts, wherever they are kept.
#[derive(Clone, Debug)]
pub struct Ledger {
    cells: Vec<Arc<Cell<TERMS>>>,
    exchange: Arc<Exchange>,
    ingest: Arc<Ingest>,
}

/// The ledger at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    /// One per lane.
    pub lanes: Vec<Terms>,
    /// What is behind the lanes.
    pub accounts: Accounts,
    /// What waited for the cloud at the start.
    pub carried: Amount,
    /// The journal, with what each destination has.
    pub journal: journal::Stats,
    /// What is re-exported, with what each collector has.
    pub exports: ExportsReading,
}

impl Ledger {
    /// The ledger of these lanes and what is behind them.
    pub(super) fn new(
        cells: Vec<Arc<Cell<TERMS>>>,
        exchange: Arc<Exchange>,
        ingest: Arc<Ingest>,
    ) -> Self {
        Self {
            cells,
            exchange,
            ingest,
        }
    }

    /// Reads all accounts at one moment.
    pub fn read(&self) -> Reading {
        let lanes = || {
            let terms = self.cells.iter().map(|cell| cell.read());
            terms.map(Terms::from_array).collect()
        };
        let _still = self.ingest.still();
        let (lanes, accounts) = self.exchange.read(lanes);
        Reading {
            lanes,
            accounts,
            carried: self.ingest.carried(),
            journal: self.ingest.journal_stats(),
            exports: self.ingest.exports().read(),
        }
    }
}

impl Reading {
    /// All lanes together.
    pub fn sum(&self) -> Terms {
        let mut sum = Terms::default();
        for lane in &self.lanes {
            sum.add(lane);
        }
        sum
    }

    /// What became of what the journal has for the cloud.
    pub fn sent(&self) -> journal::Amounts {
        sent(&self.journal)
    }

    /// What does not add up, in words; empty as long as the house is in order.
    pub fn gaps(&self) -> Vec<String> {
        let sum = self.sum();
        let refused: u64 = sum.refused().map(|(_, count)| count).sum();
        let accounts = self.accounts;
        let handled = sum.repeated + sum.held + sum.open + sum.handed + sum.dropped;
        let mut gaps = Vec::new();
        let received = sum.received + sum.cut_short;
        let decoded = sum.sessions.decoded;
        let only = sum.relayed_only;
        if received != decoded + refused + only {
            gaps.push(format!(
                "received {received} datagrams, decoded {decoded}, refused {refused}, \
                 relayed only {only}"
            ));
        }
        let mut expect = |what: &str, left: Amount, right: Amount| {
            if left != right {
                gaps.push(format!("{what}: {left:?} is not {right:?}"));
            }
        };
        expect("routed in the lanes", sum.routed + sum.resumed, handled);
        expect("handed over by the lanes", sum.handed, accounts.handed);
        let outputs = [
            ("log store", accounts.store),
            ("SLS", accounts.sls),
            ("collectors", accounts.netflow),
        ];
        for (what, output) in outputs {
            let behind = output.in_flight + output.ended.sum();
            expect(&format!("handed over, for {what}"), accounts.handed, behind);
        }
        let behind = self.sent().appended();
        expect(
            "journaled for SLS",
            self.carried + accounts.sls.ended.taken,
            behind,
        );
        let exports = &self.exports;
        let offered = exports.sum();
        let copied = exports.taken + exports.copies;
        expect("offered to collectors", copied, offered.offered);
        expect(
            "taken for collectors",
            accounts.netflow.ended.taken,
            exports.taken,
        );
        expect("ended at collectors", offered.offered, offered.sum());
        gaps
    }
}
