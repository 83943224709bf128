//! One lane's part of a snapshot: a walk over its cache between datagrams.

use std::net::IpAddr;

use crossbeam_channel::Sender;
use crossbeam_channel::TrySendError;

use super::sources::Sources;
use crate::cache::Cache;
use crate::cache::FlowNames;
use crate::cache::RouteName;
use crate::cache::Walk;
use crate::flowlog::RouteId;
use crate::flowlog::RoutingTable;
use crate::session::SourceId;

/// Slots of a cache that are looked at in one go: 2 ms at the most.
const SLOTS_MAX: usize = 4_096;
/// Time from one piece to the next, so that datagrams come first.
const PAUSE_MS: u64 = 20;

/// Flows of one lane on their way into a snapshot.
#[derive(Debug, Default)]
pub struct Piece {
    /// Flows as octets.
    pub octets: Vec<u8>,
    /// How many.
    pub flows: u64,
    /// Whether it is the lane's last.
    pub is_last: bool,
}

/// A walk that is under way.
#[derive(Debug)]
pub(super) struct Sweep {
    lane: u32,
    walk: Walk,
    to: Sender<Piece>,
    /// A piece that nobody had room for.
    held: Option<Piece>,
    /// When the next piece is due.
    due_ms: u64,
}

impl Sweep {
    /// A walk over what is in a lane's cache now.
    pub(super) fn new(lane: u32, cache: &Cache, to: Sender<Piece>) -> Self {
        Self {
            lane,
            walk: Walk::new(cache),
            to,
            held: None,
            due_ms: 0,
        }
    }

    /// Sends the next piece if one is due; whether it is over.
    pub(super) fn step(
        &mut self,
        now_ms: u64,
        cache: &Cache,
        table: &RoutingTable,
        sources: &Sources,
    ) -> bool {
        if now_ms < self.due_ms {
            return false;
        }
        self.due_ms = now_ms.saturating_add(PAUSE_MS);
        let piece = self.held.take().unwrap_or_else(|| {
            let mut octets = Vec::new();
            let names = Names { table, sources };
            let flows = self
                .walk
                .piece(cache, self.lane, SLOTS_MAX, &names, &mut octets);
            Piece {
                octets,
                flows,
                is_last: self.walk.is_done(),
            }
        });
        let is_last = piece.is_last;
        match self.to.try_send(piece) {
            Ok(()) => is_last,
            Err(TrySendError::Full(piece)) => {
                self.held = Some(piece);
                false
            }
            // Nobody wants it any more.
            Err(TrySendError::Disconnected(_)) => true,
        }
    }
}

/// What the ids in keys stand for.
struct Names<'a> {
    table: &'a RoutingTable,
    sources: &'a Sources,
}

impl FlowNames for Names<'_> {
    fn route(&self, route: u16) -> Option<RouteName<'_>> {
        let route = self.table.route(RouteId(route))?;
        Some(RouteName {
            flow_log: &route.flow_log.name,
            instance_id: route.instance_id.as_deref(),
        })
    }

    fn source(&self, source: SourceId) -> Option<(IpAddr, u32)> {
        let source = self.sources.get(source)?;
        Some((source.exporter, source.domain))
    }
}
