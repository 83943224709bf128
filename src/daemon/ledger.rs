//! The loss ledger: every datagram and every record is in exactly one account.
//!
//! Two accounts, never mixed:
//!
//! * datagrams: `received = decoded + Σ refused`, per lane;
//! * records with their octets and packets, once per route they take:
//!   `routed = repeated + held + open + handed + dropped` per lane, and behind the lanes
//!   `Σ handed = in flight + kept + refused`.
//!
//! A lane publishes all its terms at once; amounts leave a lane only under the
//! lock of the [`Exchange`], which a reading holds too. So the sums are exact
//! at every reading, under load as well.

use std::sync::Arc;

use crate::daemon::cell::Cell;
use crate::daemon::exchange::{Accounts, Exchange};
use crate::daemon::terms::{TERMS, Terms};
use crate::flow::Amount;

/// All accounts, wherever they are kept.
#[derive(Clone, Debug)]
pub struct Ledger {
    cells: Vec<Arc<Cell<TERMS>>>,
    exchange: Arc<Exchange>,
}

/// The ledger at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    /// One per lane.
    pub lanes: Vec<Terms>,
    /// What is behind the lanes.
    pub accounts: Accounts,
}

impl Ledger {
    /// The ledger of these lanes and what is behind them.
    pub fn new(cells: Vec<Arc<Cell<TERMS>>>, exchange: Arc<Exchange>) -> Self {
        Self { cells, exchange }
    }

    /// Reads all accounts at one moment.
    pub fn read(&self) -> Reading {
        let lanes = || {
            let terms = self.cells.iter().map(|cell| cell.read());
            terms.map(Terms::from_array).collect()
        };
        let (lanes, accounts) = self.exchange.read(lanes);
        Reading { lanes, accounts }
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

    /// What does not add up, in words; empty as long as the house is in order.
    pub fn gaps(&self) -> Vec<String> {
        let sum = self.sum();
        let refused: u64 = sum.refused().map(|(_, count)| count).sum();
        let accounts = self.accounts;
        let handled = sum.repeated + sum.held + sum.open + sum.handed + sum.dropped;
        let behind = accounts.in_flight + accounts.kept + accounts.refused;
        let mut gaps = Vec::new();
        let received = sum.received + sum.cut_short;
        let decoded = sum.sessions.decoded;
        if received != decoded + refused {
            gaps.push(format!(
                "received {received} datagrams, decoded {decoded}, refused {refused}"
            ));
        }
        let mut expect = |what: &str, left: Amount, right: Amount| {
            if left != right {
                gaps.push(format!("{what}: {left:?} is not {right:?}"));
            }
        };
        expect("routed in the lanes", sum.routed, handled);
        expect("handed over by the lanes", sum.handed, accounts.handed);
        expect("handed over, behind the lanes", accounts.handed, behind);
        gaps
    }
}
