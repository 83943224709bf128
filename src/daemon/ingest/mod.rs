//! The way of rows behind the lanes: numbered and kept by the journal, taken by
//! the log store at once, sent by the sender when they are durable.
//!
//! ```text
//!                    ┌─► collectors of flow logs
//! exchange ─► writer ─┴► sort by outlet ─► journal ──► sender ─► cloud
//!                                            │ number
//! PutLogs ───────────────────────────────────┴──► log store
//! committer: commit, acknowledge what is in parts, persist progress
//! ```

mod account;
mod commit;
mod frame;
mod logs;
mod outlet;
mod replay;
mod sort;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use crate::daemon::clock;
use crate::daemon::losses::Place;
use crate::flow;
use crate::flow::Amount;
use crate::flow::FlowBatch;
use crate::flowlog::RoutingTable;
use crate::journal::DestinationId;
use crate::journal::Journal;
use crate::journal::Kind;
use crate::journal::Refused;
use crate::lane::Parcel;
use crate::logstore::LogStore;
use crate::logstore::LogstoreName;
use crate::sink::Destination;
use crate::sink::Exports;

pub(super) use account::{Books, Ended, Refusal, Side, sent};
pub(super) use commit::{Commits, commit};
pub(super) use logs::NotStored;
pub(super) use outlet::Policy;

use account::Settling;
use frame::Frame;
use outlet::register;

/// Takes rows from the lanes and logs from the API.
#[derive(Debug)]
pub(super) struct Ingest {
    journal: Arc<Journal>,
    store: Arc<LogStore>,
    exports: Arc<Exports>,
    policy: ArcSwap<Policy>,
    commits: Commits,
    /// Held from a row's number to its place in the log store, which takes
    /// numbers in rising order only.
    order: Mutex<()>,
    /// Held while rows pass into the journal and that is booked: whoever reads
    /// all accounts at one moment holds it too.
    passing: Mutex<()>,
    /// What waited for the cloud when the journal was opened.
    carried: Amount,
}

impl Ingest {
    /// Takes up what an earlier run left in the journal.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(super) fn new(
        journal: Arc<Journal>,
        store: Arc<LogStore>,
        exports: Arc<Exports>,
        policy: Policy,
    ) -> Result<Self, replay::ReplayError> {
        store.number_by(journal.id());
        let carried = sent(&journal.stats(clock::unix_ms())).appended();
        replay::replay(&journal, &store)?;
        Ok(Self {
            journal,
            store,
            exports,
            policy: ArcSwap::from_pointee(policy),
            commits: Commits::default(),
            order: Mutex::default(),
            passing: Mutex::default(),
            carried,
        })
    }

    /// Names all destinations of a routing table to the journal: a name that
    /// comes later costs a segment. Gives those of the cloud.
    pub(super) fn name(&self, table: &RoutingTable) -> Vec<(DestinationId, Destination)> {
        let policy = self.policy.load();
        let mut clouds = Vec::new();
        for outlet in table.routes().filter_map(|route| policy.outlet(route)) {
            // One too many is refused, and counted, with its first rows.
            if let Some(name) = &outlet.store {
                let _refused_later = register(&self.journal, name).is_err();
            }
            if let Some(cloud) = outlet.cloud
                && let Ok(id) = self.journal.destination(&cloud.to_string())
            {
                clouds.push((id, cloud));
            }
        }
        clouds
    }

    /// Lets rows go by another policy from now on.
    pub(super) fn go_by(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    /// Takes a batch; `books` are told where its rows end. What was refused is
    /// the answer.
    pub(super) fn flows(&self, parcel: Parcel, books: &dyn Books) -> Vec<Refusal> {
        let Parcel {
            batch,
            routes,
            amount,
        } = parcel;
        let mut settling = Settling::new(amount, books);
        self.export(&batch, &routes, &mut settling);
        match self.sorted(batch, &routes) {
            Ok(sorted) => {
                if sorted.lost.num_rows() > 0 {
                    let why = "the route leads to no flow log".to_owned();
                    let lost = settling.refuse(Place::LogStore, &sorted.lost, why);
                    settling.settle(Side::Store, Ended::refused(lost));
                }
                self.take(&Frame::new(sorted.rows, sorted.runs), &mut settling);
            }
            Err(refusal) => {
                settling.settle(Side::Store, Ended::refused(refusal.amount));
                settling.refusals.push(refusal);
            }
        }
        settling.close()
    }

    /// Hands rows to the collectors of their flow logs.
    fn export(&self, batch: &FlowBatch, routes: &Arc<RoutingTable>, settling: &mut Settling<'_>) {
        // At no moment a reader of all accounts finds the rows in two, or in none.
        let still = self.still();
        let offered = self.exports.offer(batch, routes);
        settling.settle(Side::Netflow, Ended::taken(offered.taken));
        drop(still);
        if !offered.full.is_empty() {
            settling.refusals.push(Refusal {
                place: Place::Export,
                amount: offered.full_amount(),
                exporters: offered.full,
                why: "a collector takes them too slowly".to_owned(),
            });
        }
    }

    fn sorted(&self, batch: FlowBatch, table: &RoutingTable) -> Result<sort::Sorted, Refusal> {
        let exporters = batch.exporters().to_vec();
        let amount = batch.amount();
        sort::sort(batch, table, &self.policy.load()).map_err(|error| Refusal {
            place: Place::LogStore,
            amount,
            exporters,
            why: error.to_string(),
        })
    }

    /// Numbers the rows of a frame and gives them to the log store; a frame too
    /// large for the journal goes in parts.
    fn take(&self, frame: &Frame, settling: &mut Settling<'_>) {
        if frame.rows.num_rows() == 0 {
            return;
        }
        let Err(refused) = self.take_whole(frame, settling) else {
            return;
        };
        let halves = refused.is_too_large().then(|| frame.halves()).flatten();
        if let Some((first, second)) = halves {
            self.take(&first, settling);
            self.take(&second, settling);
            return;
        }
        settling.refuse(Place::Journal, &frame.rows, refused.to_string());
        let kept = frame.amount_where(|outlet| outlet.store.is_some());
        let sent = frame.amount_where(|outlet| outlet.cloud.is_some());
        settling.settle(Side::Store, Ended::refused(kept));
        settling.settle(Side::Sls, Ended::refused(sent));
    }

    fn take_whole(&self, frame: &Frame, settling: &mut Settling<'_>) -> Result<(), NotTaken> {
        let shares = frame.shares(&self.journal)?;
        let body = flow::to_ipc(&frame.rows)?.into();
        let sent = frame.amount_where(|outlet| outlet.cloud.is_some());
        let _order = self.order();
        let arrival_ms = clock::unix_ms();
        // At no moment a reader of all accounts finds the rows in two, or in none.
        let still = self.still();
        let first_seq = self
            .journal
            .append(Kind::Flows, &shares, body, arrival_ms)?;
        settling.settle(Side::Sls, Ended::taken(sent));
        drop(still);
        self.keep(frame, first_seq, arrival_ms, settling);
        Ok(())
    }

    fn keep(&self, frame: &Frame, first_seq: u64, arrival_ms: u64, settling: &mut Settling<'_>) {
        for (name, run) in frame.kept() {
            let rows = frame.part(&run);
            let first_seq = first_seq.saturating_add(number_of(run.start));
            let (project, logstore) = (name.project(), name.logstore());
            let kept = self
                .store
                .append_rows(project, logstore, &rows, first_seq, arrival_ms);
            let ended = match kept {
                Ok(taken) => Ended::taken(taken),
                Err(error) => {
                    // Booked as dropped: a later run must not bring them back.
                    self.forget(name, first_seq, rows.num_rows());
                    let why = error.to_string();
                    Ended::refused(settling.refuse(Place::LogStore, &rows, why))
                }
            };
            settling.settle(Side::Store, ended);
        }
    }

    /// Has the journal forget rows that the log store does not take.
    fn forget(&self, name: &LogstoreName, first_seq: u64, rows: usize) {
        if let Ok(id) = register(&self.journal, name) {
            let end = first_seq.saturating_add(number_of(rows));
            self.journal.ack(id, first_seq..end);
        }
    }

    /// Takes the order of numbers for oneself.
    fn order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets nothing pass from the exchange's accounts to the journal's.
    pub(super) fn still(&self) -> MutexGuard<'_, ()> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The journal.
    pub(super) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// What is re-exported.
    pub(super) fn exports(&self) -> &Arc<Exports> {
        &self.exports
    }

    /// The log store.
    pub(super) fn store(&self) -> &Arc<LogStore> {
        &self.store
    }

    /// What waited for the cloud when the journal was opened.
    pub(super) fn carried(&self) -> Amount {
        self.carried
    }
}

/// Why a frame is not in the journal.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Destination(#[from] crate::journal::DestinationError),
    #[error("rows cannot be written down: {0}")]
    Unfit(#[from] arrow_schema::ArrowError),
}

impl NotTaken {
    /// Whether less at a time may be taken.
    fn is_too_large(&self) -> bool {
        matches!(
            self,
            Self::Refused(Refused::TooLarge { .. } | Refused::Shares)
        )
    }
}

fn number_of(row: usize) -> u64 {
    u64::try_from(row).unwrap_or(u64::MAX)
}
