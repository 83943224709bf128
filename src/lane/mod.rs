//! One lane: datagrams in, batches of rows out, without sockets or threads.
//!
//! ```text
//! Lane: sessions ─► intake: sources, routes ─► way: queue ─► cache ─► batch
//!                                                               hand_over │
//! ```
//!
//! It takes (octets, peer, time) from whoever has them: a socket, a file, a
//! bench. Each lane has exporters, a cache and a batch of its own; lanes share
//! what [`Vicinity`] says and nothing else. DESIGN §2.

mod cell;
mod hand_over;
mod intake;
mod sampling;
mod sources;
mod sweep;
mod terms;
mod timers;
mod vicinity;
mod way;

#[cfg(test)]
mod tests;

pub use cell::Cell;
pub use hand_over::HandOver;
pub use hand_over::Parcel;
pub use sampling::SamplingPolicies;
pub use sweep::Piece;
pub use terms::SIZES;
pub use terms::TERMS;
pub use terms::Tables;
pub use terms::Terms;
pub use vicinity::Vicinity;

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::cache::Cache;
use crate::cache::OpenFlow;
use crate::cache::Queue;
use crate::cache::Serials;
use crate::flow::FlowBatch;
use crate::flow::Nsel;
use crate::flow::NselSettings;
use crate::flow::Plan;
use crate::flow::PlanSettings;
use crate::flowlog::RouteId;
use crate::flowlog::RoutingTable;
use crate::session::Arrival;
use crate::session::ExporterView;
use crate::session::OriginView;
use crate::session::Peer;
use crate::session::Sessions;
use crate::session::Stats;
use crate::session::TemplateView;

use intake::Intake;
use sources::Sources;
use sweep::Sweep;
use way::BATCH_ROWS_MAX;
use way::Way;

/// How often a lane forgets what is too old: a sweep looks at thousands of
/// slots, which no datagram should wait for.
const SWEEP_EVERY_MS: u64 = 1_000;

/// A lane's state and its way out.
#[derive(Debug)]
pub struct Lane {
    /// Which of all lanes it is.
    index: usize,
    sessions: Sessions<Plan>,
    intake: Intake,
    exit: Arc<dyn HandOver>,
    cell: Arc<Cell<TERMS>>,
    /// When the open batch got its first row.
    opened_ms: u64,
    /// When what is due once a second was last done.
    swept_ms: u64,
    /// Flows at which a batch nobody takes over is dropped.
    live_max: usize,
    /// The snapshot that is being taken.
    sweep: Option<Sweep>,
}

/// What a lane is made of.
#[derive(Debug)]
pub struct Parts {
    /// What is known of exporters.
    pub sessions: Sessions<Plan>,
    /// What the operator says of sampling.
    pub sampling: SamplingPolicies,
    /// An empty flow cache.
    pub cache: Cache,
    /// Flows the cache may hold.
    pub max_flows: usize,
    /// Where records go.
    pub table: Arc<RoutingTable>,
    /// Where batches go.
    pub exit: Arc<dyn HandOver>,
    /// Where the lane's terms are published.
    pub cell: Arc<Cell<TERMS>>,
    /// What all lanes know of their neighbours, and which lane this is.
    pub vicinity: (Arc<Vicinity>, usize),
}

/// Who sends to one lane, with the lane's counters of the same moment.
#[derive(Clone, Debug)]
pub struct Census {
    /// Every domain of every session that is known.
    pub exporters: Vec<ExporterView>,
    /// Every exporter that mediators among them speak for.
    pub origins: Vec<OriginView>,
    /// What all sessions did, forgotten ones too.
    pub stats: Stats,
}

impl Lane {
    /// A lane that has seen nothing.
    pub fn new(parts: Parts) -> Self {
        let (vicinity, index) = parts.vicinity;
        let mut lane = Self {
            index,
            sessions: parts.sessions,
            intake: Intake {
                table: parts.table,
                sampling: parts.sampling,
                nsel: Nsel::new(NselSettings::default()),
                vicinity,
                way: Way {
                    cache: parts.cache,
                    queue: Queue::default(),
                    sources: Sources::default(),
                    batch: FlowBatch::default(),
                    terms: Terms::default(),
                    now_ms: 0,
                },
            },
            exit: parts.exit,
            cell: parts.cell,
            opened_ms: 0,
            swept_ms: 0,
            live_max: parts.max_flows / 10 * 9,
            sweep: None,
        };
        lane.apply_timers();
        lane
    }

    /// Whether an exporter's datagrams are taken at all.
    pub fn hears(&self, exporter: IpAddr) -> bool {
        self.intake.table.allows(exporter)
    }

    /// Counts one datagram that was relayed and is not decoded.
    pub fn pass_by(&mut self, bytes: &[u8]) {
        let terms = &mut self.intake.way.terms;
        terms.receive(bytes.len());
        terms.relayed_only += 1;
    }

    /// Takes one datagram.
    pub fn datagram(&mut self, bytes: &[u8], peer: Peer, arrival: Arrival) {
        let terms = &mut self.intake.way.terms;
        terms.receive(bytes.len());
        if !self.intake.table.allows(peer.exporter) {
            terms.not_allowed += 1;
            return;
        }
        self.intake.way.now_ms = arrival.monotonic_ms;
        self.sessions
            .datagram(bytes, peer, arrival, &mut self.intake);
    }

    /// Notes how many datagrams were longer than the buffer so far, and how
    /// often receiving failed.
    pub fn cut_short(&mut self, datagrams: u64, errors: u64) {
        self.intake.way.terms.cut_short = datagrams;
        self.intake.way.terms.receive_errors = errors;
    }

    /// What is due when the sockets are empty or a batch of datagrams is done:
    /// aging, hand-over, publication.
    pub fn turn(&mut self, now: Arrival) {
        if now.monotonic_ms >= self.swept_ms.saturating_add(SWEEP_EVERY_MS) {
            self.swept_ms = now.monotonic_ms;
            self.sessions.tick(now.monotonic_ms);
            self.note_longest_stay();
            self.note_tables();
            self.tell_of_exporters(now.monotonic_ms);
        }
        self.intake.way.tick(now.monotonic_ms);
        self.hand_over_if_due(now.monotonic_ms);
        self.step_sweep(now.monotonic_ms);
        self.publish();
    }

    /// Whether more flows are due than the last turn could let go: the next
    /// need not wait for datagrams.
    pub fn is_behind(&self) -> bool {
        self.intake.way.cache.is_behind()
    }

    /// Looks at how long flows may stay by now.
    fn note_longest_stay(&mut self) {
        let way = &mut self.intake.way;
        let routes = self.intake.table.routes();
        let stays = routes
            .filter(|route| way.cache.route_live(route.id.0) > 0)
            .map(|route| timers::of(route).timers.active_ms);
        way.terms.longest_stay_ms = stays.max().unwrap_or(0);
    }

    /// Looks at how full the tables are by now.
    fn note_tables(&mut self) {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let (established, probation) = self.sessions.sessions();
        let (templates, definition_bytes) = self.sessions.templates_held();
        let Intake { nsel, way, .. } = &mut self.intake;
        way.terms.nsel_forgotten = nsel.forgotten();
        way.terms.tables = Tables {
            established: count(established),
            probation: count(probation),
            templates,
            definition_bytes: count(definition_bytes),
            orphan_bytes: count(self.sessions.orphan_bytes()),
            connections: count(nsel.len()),
            odometers: count(way.cache.odometers()),
        };
    }

    /// Tells the other lanes who is heard here, for whom mediators may speak there.
    fn tell_of_exporters(&self, now_ms: u64) {
        if self.intake.table.has_mediators() {
            let Intake {
                table, vicinity, ..
            } = &self.intake;
            let stays = table
                .routes()
                .map(|route| timers::of(route).timers.active_ms);
            let within_ms = vicinity.heard_within_ms(stays.max().unwrap_or(0));
            let heard = self.sessions.heard(now_ms, within_ms);
            vicinity.tell(self.index, heard.collect());
        }
    }

    /// Notes what the kernel dropped so far.
    pub fn missed(&mut self, datagrams: u64) {
        self.intake.way.terms.missed = datagrams;
    }

    /// Takes a new routing table into force.
    pub fn route_by(&mut self, table: Arc<RoutingTable>, settings: PlanSettings) {
        self.intake.way.take_in();
        let before = std::mem::replace(&mut self.intake.table, table);
        for route in before.routes() {
            if !self.intake.table.is_live(route.id) {
                self.intake.way.cache.close_route(route.id.0);
            }
        }
        self.intake.way.sources.ask_again(&self.intake.table);
        self.apply_timers();
        self.sessions.recompile(settings);
    }

    fn apply_timers(&mut self) {
        let Intake { table, way, .. } = &mut self.intake;
        for route in table.routes() {
            way.cache.set_route(route.id.0, timers::of(route));
        }
    }

    /// Empties the cache: every flow leaves with reason 4 (P-618). Returns
    /// whether all of it is handed over; if not, nobody takes more just now.
    pub fn drain(&mut self, now: Arrival) -> bool {
        self.intake.way.now_ms = now.monotonic_ms;
        loop {
            self.intake.way.flush();
            if self.intake.way.batch.is_empty() {
                self.publish();
                return true;
            }
            self.hand_over(now.monotonic_ms);
            if !self.intake.way.batch.is_empty() {
                self.publish();
                return false;
            }
        }
    }

    /// Who sends, and what is known of them.
    pub fn census(&self) -> Census {
        Census {
            exporters: self.sessions.exporters().collect(),
            origins: self.sessions.origins().collect(),
            stats: self.sessions.stats(),
        }
    }

    /// A part of the Templates known, of one exporter or of all, and how many
    /// there are.
    pub fn templates(
        &self,
        exporter: Option<IpAddr>,
        part: Range<usize>,
        now: Arrival,
    ) -> (usize, Vec<TemplateView>) {
        self.sessions
            .templates_part(now.monotonic_ms, exporter, part)
    }

    /// Has the flows that are in the cache go to `to` over the next turns, in
    /// place of a snapshot that is under way; this is lane `index`.
    pub fn snapshot(&mut self, index: u32, to: Sender<Piece>) {
        self.sweep = Some(Sweep::new(index, &self.intake.way.cache, to));
    }

    fn step_sweep(&mut self, now_ms: u64) {
        let Intake { table, way, .. } = &self.intake;
        let step = |sweep: &mut Sweep| sweep.step(now_ms, &way.cache, table, &way.sources);
        if self.sweep.as_mut().is_some_and(step) {
            self.sweep = None;
        }
    }

    /// Numbers the flows that begin from now on.
    pub fn number_by(&mut self, serials: Serials) {
        self.intake.way.cache.number_by(serials);
    }

    /// Takes in a flow of an earlier run; refused if its source gets no id.
    pub fn resume(&mut self, flow: &OpenFlow<'_>, route: RouteId, now: Arrival) -> bool {
        let (exporter, domain) = flow.source;
        let now_ms = now.monotonic_ms;
        let source = self.sessions.expect(exporter, domain, now_ms);
        let Some(source) = source else {
            return false;
        };
        self.intake
            .way
            .resume(flow, (route, source), now_ms, &self.intake.table);
        true
    }

    /// Whether the open batch has room, after it was offered if it had none.
    pub fn has_room(&mut self, now: Arrival) -> bool {
        if self.intake.way.batch.len() >= BATCH_ROWS_MAX {
            self.hand_over(now.monotonic_ms);
        }
        self.intake.way.batch.len() < BATCH_ROWS_MAX
    }

    /// The Templates in the form that survives a restart.
    pub fn remember(&self, now: Arrival) -> Vec<u8> {
        self.sessions.export(now)
    }

    fn publish(&mut self) {
        self.settle();
        self.cell.publish(&self.intake.way.terms.to_array());
    }

    fn settle(&mut self) {
        self.intake.way.settle();
        self.intake.way.terms.sessions = self.sessions.stats();
    }
}
