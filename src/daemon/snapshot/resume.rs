//! What of the last run's snapshot goes back into the lanes.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use thiserror::Error;

use crate::cache::{Damage, OpenFlow, RouteName, Serials, Snapshot};
use crate::daemon::clock::{self, Monotonic};
use crate::daemon::lane::Lane;
use crate::daemon::metrics;
use crate::flow;
use crate::flowlog::{RouteId, RoutingTable};
use crate::journal::{Journal, Kind, SnapshotError};

/// How long rows wait for the writer, should no flow be merged any more.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether they still do.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Flows of the last run that are in no row.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Resumption {
    octets: Bytes,
    /// Serials of the flows that are.
    gone: HashSet<u64>,
    serials_end: u64,
}

/// What became of the flows of a snapshot.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::daemon) struct Fates {
    /// Taken in again.
    pub resumed: u64,
    /// In the journal as rows.
    pub journaled: u64,
    /// Of a flow log that is no more, or of one exporter too many.
    pub unclaimed: u64,
}

/// Why nothing is resumed though there is a snapshot.
#[derive(Debug, Error)]
enum Unusable {
    #[error(transparent)]
    File(#[from] SnapshotError),
    #[error(transparent)]
    Flows(#[from] Damage),
    #[error("rows journaled since it was taken cannot be read: {0}")]
    Unread(#[from] io::Error),
    #[error("rows journaled since it was taken are damaged or were dropped for the quota")]
    NotWhole,
}

impl Resumption {
    /// What an unclean end left; nothing after a clean one. A snapshot that is
    /// of no use is removed: flows in it may have been exported.
    pub(in crate::daemon) fn read(journal: &Journal) -> Self {
        match read(journal) {
            Ok(found) => found.unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "the flows that were open when the last run ended are lost");
                if let Err(error) = journal.remove_snapshot() {
                    tracing::warn!(%error, "cannot remove the snapshot of the cache");
                }
                Self::default()
            }
        }
    }

    /// Gives the flows to lanes; each lane numbers its new flows differently,
    /// and above those.
    pub(in crate::daemon) fn give(
        &self,
        lanes: &mut [&mut Lane],
        table: &RoutingTable,
        monotonic: &Monotonic,
    ) -> Fates {
        let step = lanes.len() as u64;
        for (lane, first) in lanes.iter_mut().zip(self.serials_end.max(1)..) {
            lane.number_by(Serials { next: first, step });
        }
        let Ok(snapshot) = Snapshot::read(&self.octets) else {
            // There is none.
            metrics::snapshot_resumed(0, 0, 0);
            return Fates::default();
        };
        let mut giving = Giving {
            routes: routes(table),
            lanes,
            monotonic,
            deadline: Instant::now() + PATIENCE,
        };
        let mut fates = Fates::default();
        for flow in snapshot.flows() {
            let fate = if self.gone.contains(&flow.serial) {
                &mut fates.journaled
            } else if giving.give(&flow) {
                &mut fates.resumed
            } else {
                &mut fates.unclaimed
            };
            *fate += 1;
        }
        tracing::info!(?fates, "flows that were open when the last run ended");
        metrics::snapshot_resumed(fates.resumed, fates.journaled, fates.unclaimed);
        fates
    }
}

fn read(journal: &Journal) -> Result<Option<Resumption>, Unusable> {
    let Some((seq, octets)) = journal.take_snapshot()? else {
        return Ok(None);
    };
    let serials_end = Snapshot::read(&octets)?.serials_end();
    let mut gone = HashSet::new();
    let mut are_sound = true;
    let is_whole = journal.rows_since(seq, |kind, body| match kind {
        Kind::Flows => match flow::from_ipc(body) {
            // Flows begun since then have later numbers.
            Ok(rows) => gone.extend(flow::serials(&rows).filter(|serial| *serial < serials_end)),
            Err(_) => are_sound = false,
        },
        Kind::LogGroup => {}
    })?;
    if !(is_whole && are_sound) {
        return Err(Unusable::NotWhole);
    }
    Ok(Some(Resumption {
        octets,
        gone,
        serials_end,
    }))
}

fn routes(table: &RoutingTable) -> BTreeMap<RouteName<'_>, RouteId> {
    let name = |route| {
        let names = flow::RouteNames::names(table, route);
        RouteName {
            flow_log: names.flow_log,
            instance_id: names.instance_id,
        }
    };
    let routes = table.routes().map(|route| route.id);
    routes.map(|id| (name(id.0), id)).collect()
}

struct Giving<'a, 'l> {
    routes: BTreeMap<RouteName<'a>, RouteId>,
    lanes: &'a mut [&'l mut Lane],
    monotonic: &'a Monotonic,
    /// When rows that nobody takes over may be dropped.
    deadline: Instant,
}

impl Giving<'_, '_> {
    /// Gives a flow to the lane it was in, of the lanes there are now; whether
    /// it has a place there.
    fn give(&mut self, flow: &OpenFlow<'_>) -> bool {
        let count = self.lanes.len();
        let index = usize::try_from(flow.lane).map_or(0, |lane| lane % count.max(1));
        let (Some(&route), Some(lane)) = (self.routes.get(&flow.route), self.lanes.get_mut(index))
        else {
            return false;
        };
        while !lane.has_room(clock::now(self.monotonic)) && Instant::now() < self.deadline {
            thread::sleep(LOOK_EVERY);
        }
        lane.resume(flow, route, clock::now(self.monotonic))
    }
}
