//! What of the last run's snapshot goes back into the lanes.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::cache::{Damage, OpenFlow, RouteName, Serials, Snapshot};
use crate::daemon::clock::{self, Monotonic};
use crate::daemon::metrics;
use crate::flow;
use crate::flowlog::{RouteId, RoutingTable};
use crate::journal::{Journal, Kind, SnapshotError};
use crate::lane::Lane;

/// How long rows wait for the writer, should no flow be merged any more.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether they still do.
const LOOK_EVERY: Duration = Duration::from_millis(10);

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

/// Gives to lanes what an unclean end left open; nothing after a clean one. Each
/// lane numbers its new flows differently, and above those. A snapshot that is
/// of no use is removed: flows in it may have been exported.
pub(in crate::daemon) fn resume(
    journal: &Journal,
    lanes: &mut [&mut Lane],
    table: &RoutingTable,
    monotonic: &Monotonic,
) -> Fates {
    number(lanes, 1);
    let fates = take_up(journal, lanes, table, monotonic).unwrap_or_else(|error| {
        tracing::error!(%error, "the flows that were open when the last run ended are lost");
        if let Err(error) = journal.remove_snapshot() {
            tracing::warn!(%error, "cannot remove the snapshot of the cache");
        }
        Fates::default()
    });
    metrics::snapshot_resumed(fates.resumed, fates.journaled, fates.unclaimed);
    fates
}

/// Numbers the flows that lanes begin, from `first` on.
fn number(lanes: &mut [&mut Lane], first: u64) {
    let step = lanes.len() as u64;
    for (lane, next) in lanes.iter_mut().zip(first..) {
        lane.number_by(Serials { next, step });
    }
}

fn take_up(
    journal: &Journal,
    lanes: &mut [&mut Lane],
    table: &RoutingTable,
    monotonic: &Monotonic,
) -> Result<Fates, Unusable> {
    let Some((seq, octets)) = journal.take_snapshot()? else {
        return Ok(Fates::default());
    };
    let snapshot = Snapshot::read(&octets)?;
    let gone = journaled(journal, seq, snapshot.serials_end())?;
    number(lanes, snapshot.serials_end());
    let mut giving = Giving {
        routes: routes(table),
        lanes,
        monotonic,
        deadline: Instant::now() + PATIENCE,
    };
    let mut fates = Fates::default();
    for flow in snapshot.flows() {
        let fate = if gone.contains(&flow.serial) {
            &mut fates.journaled
        } else if giving.give(&flow) {
            &mut fates.resumed
        } else {
            &mut fates.unclaimed
        };
        *fate += 1;
    }
    tracing::info!(?fates, "flows that were open when the last run ended");
    Ok(fates)
}

/// Serials below `end` that stand in rows journaled from `seq` on; those of
/// flows begun since then are not below it.
fn journaled(journal: &Journal, seq: u64, end: u64) -> Result<HashSet<u64>, Unusable> {
    let mut serials = HashSet::new();
    let mut are_sound = true;
    let is_whole = journal.rows_since(seq, |kind, body| match kind {
        Kind::Flows => match flow::from_ipc(body) {
            Ok(rows) => serials.extend(flow::serials(&rows).filter(|serial| *serial < end)),
            Err(_) => are_sound = false,
        },
        Kind::LogGroup => {}
    })?;
    match is_whole && are_sound {
        true => Ok(serials),
        false => Err(Unusable::NotWhole),
    }
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
        let mut now = clock::now(self.monotonic);
        while !lane.has_room(now) && Instant::now() < self.deadline {
            thread::sleep(LOOK_EVERY);
            now = clock::now(self.monotonic);
        }
        lane.resume(flow, route, now)
    }
}
