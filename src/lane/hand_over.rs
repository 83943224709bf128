//! What leaves a lane, and what becomes of it where nobody takes it.

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use super::Lane;
use super::way::BATCH_ROWS_MAX;
use crate::flow::Amount;
use crate::flow::FlowBatch;
use crate::flowlog::RoutingTable;

/// Longest time a row waits in an open batch.
const BATCH_AGE_MAX_MS: u64 = 1_000;
/// Rows an open batch may have while nobody takes it over.
const BATCH_ROWS_HARD_MAX: usize = 8 * BATCH_ROWS_MAX;

/// A batch on its way, with the table its routes are resolved by.
#[derive(Debug)]
pub struct Parcel {
    /// The rows.
    pub batch: FlowBatch,
    /// The routing table in force when they entered the cache, or a later one.
    pub routes: Arc<RoutingTable>,
    /// What the rows stand for.
    pub amount: Amount,
}

/// Whoever takes batches from lanes.
pub trait HandOver: Debug + Send + Sync {
    /// Takes over a batch; `publish` runs before anybody can see the amount on
    /// either side, so that it leaves one account as it enters the other.
    ///
    /// # Errors
    /// Gives the parcel back when there is no room; nothing was booked.
    fn offer(&self, parcel: Parcel, publish: &mut dyn FnMut()) -> Result<(), Box<Parcel>>;

    /// Learns whose rows a batch held that a lane had to drop.
    fn lost(&self, exporters: &[(IpAddr, Amount)]);
}

impl Lane {
    pub(super) fn hand_over_if_due(&mut self, now_ms: u64) {
        let batch = &self.intake.way.batch;
        if batch.is_empty() {
            self.opened_ms = now_ms;
            return;
        }
        let aged = now_ms.saturating_sub(self.opened_ms) >= BATCH_AGE_MAX_MS;
        if aged || batch.len() >= BATCH_ROWS_MAX {
            self.hand_over(now_ms);
        }
    }

    /// Offers the open batch; keeps it when there is no room, unless the cache
    /// or the batch itself has no more room either.
    pub(super) fn hand_over(&mut self, now_ms: u64) {
        if self.intake.way.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.intake.way.batch);
        let (rows, amount) = (batch.len(), batch.amount());
        let parcel = Parcel {
            batch,
            routes: Arc::clone(&self.intake.table),
            amount,
        };
        let exit = Arc::clone(&self.exit);
        let offered = exit.offer(parcel, &mut || {
            self.intake.way.terms.handed += amount;
            self.publish();
        });
        match offered {
            Ok(()) => {
                self.opened_ms = now_ms;
                // The next one will be about as large: columns that grow row by
                // row are moved a dozen times.
                self.intake.way.batch.reserve(rows + rows / 8);
            }
            Err(parcel) => {
                let crowded = self.intake.way.cache.live() > self.live_max;
                if crowded || parcel.batch.len() >= BATCH_ROWS_HARD_MAX {
                    self.intake.way.terms.dropped += amount;
                    let exporters = parcel.batch.exporters();
                    self.exit.lost(exporters);
                    self.opened_ms = now_ms;
                } else {
                    self.intake.way.batch = parcel.batch;
                }
            }
        }
    }
}
