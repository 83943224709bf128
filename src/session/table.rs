//! Which sessions there are, and who may start one.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::hash::BuildHasher;

use crate::session::Clock;
use crate::session::Limits;
use crate::session::Peer;
use crate::session::Refusal;
use crate::session::Samplers;
use crate::session::SamplingPolicy;
use crate::session::SourceId;
use crate::session::entry::Owner;
use crate::session::limits::TokenBucket;
use crate::session::options::Options;
use crate::session::orphans::Kept;
use crate::session::orphans::Orphans;
use crate::session::restart::Quarantine;
use crate::session::restart::Restart;
use crate::session::sequence::Sequence;
use crate::session::slab::Slab;
use crate::wire::Reason;
use crate::wire::Version;

/// One exporter socket talking to one of ours.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) peer: Peer,
    pub(crate) standing: Standing,
    pub(crate) quarantine: Quarantine,
    /// Its domains.
    pub(crate) domains: Vec<u32>,
    /// New definitions it may send (P-801).
    pub(crate) definitions: TokenBucket,
    pub(crate) orphan_bytes: Kept,
    /// Entries in the option tables of its domains.
    pub(crate) option_entries: usize,
    /// By `Reason::index`.
    pub(crate) faults: [u32; Reason::LABELS.len()],
    /// Monotonic ms.
    pub(crate) last_seen_ms: u64,
}

/// Whether a session is believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// New: it may have to make room for another new one.
    Probation {
        /// Its place in the list of those on probation.
        place: usize,
        /// Consistent Messages so far.
        sound: u8,
    },
    /// Named by the operator, or three Messages long consistent.
    Established,
}

/// One Observation Domain of one version within a session.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) owner: Owner,
    pub(crate) peer: Peer,
    pub(crate) version: Version,
    pub(crate) id: u32,
    /// None while too many sources are new.
    pub(crate) source: Option<SourceId>,
    pub(crate) clock: Clock,
    pub(crate) sequence: Sequence,
    pub(crate) restart: Restart,
    pub(crate) samplers: Samplers,
    pub(crate) options: Box<Options>,
    pub(crate) orphans: Orphans,
    pub(crate) tally: DomainTally,
}

impl Domain {
    /// Entries in its option tables.
    pub(crate) fn entries(&self) -> usize {
        self.options.len() + self.samplers.len()
    }
}

/// What a domain did, for display.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DomainTally {
    pub(crate) messages: u64,
    pub(crate) records: u64,
    pub(crate) records_throttled: u64,
    pub(crate) missing_sets: u64,
    pub(crate) restarts: u64,
    /// Monotonic ms.
    pub(crate) last_seen_ms: u64,
    /// Ms since 1970.
    pub(crate) last_seen_unix_ms: u64,
    /// Seconds modulo 2^32, as sent.
    pub(crate) export_secs: u32,
    pub(crate) clock_offset_ms: i64,
}

/// All sessions of a lane and their domains.
#[derive(Debug)]
pub(crate) struct Table {
    sessions: Slab<Session>,
    domains: Slab<Domain>,
    peers: HashMap<Peer, u32, RandomState>,
    routes: HashMap<(Peer, Version, u32), u32, RandomState>,
    /// Sessions on probation.
    probation: Vec<u32>,
    established: usize,
    newcomers: TokenBucket,
    draws: u64,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            sessions: Slab::new(),
            domains: Slab::new(),
            peers: HashMap::default(),
            routes: HashMap::default(),
            probation: Vec::new(),
            established: 0,
            newcomers: TokenBucket::new(),
            draws: 0,
        }
    }

    /// The domain a Message belongs to, in one lookup.
    pub(crate) fn find(&self, peer: Peer, version: Version, domain: u32) -> Option<u32> {
        self.routes.get(&(peer, version, domain)).copied()
    }

    /// The session of a peer.
    pub(crate) fn session_of(&self, peer: Peer) -> Option<u32> {
        self.peers.get(&peer).copied()
    }

    pub(crate) fn session(&self, at: u32) -> Option<&Session> {
        self.sessions.get(at)
    }

    pub(crate) fn session_mut(&mut self, at: u32) -> Option<&mut Session> {
        self.sessions.get_mut(at)
    }

    pub(crate) fn domain(&self, at: u32) -> Option<&Domain> {
        self.domains.get(at)
    }

    pub(crate) fn domain_mut(&mut self, at: u32) -> Option<&mut Domain> {
        self.domains.get_mut(at)
    }

    /// A domain with its session.
    pub(crate) fn both_mut(&mut self, at: u32) -> Option<(&mut Session, &mut Domain)> {
        let domain = self.domains.get_mut(at)?;
        let session = self.sessions.get_mut(domain.owner.session)?;
        Some((session, domain))
    }

    pub(crate) fn domains(&self) -> impl Iterator<Item = &Domain> {
        self.domains.values()
    }

    /// Domains of all sessions.
    pub(crate) fn domain_count(&self) -> usize {
        self.domains.len()
    }

    /// Slots of domains, empty ones too: for sweeps.
    pub(crate) fn domain_slots(&self) -> u32 {
        self.domains.slots()
    }

    /// Slots of sessions, empty ones too: for sweeps.
    pub(crate) fn session_slots(&self) -> u32 {
        self.sessions.slots()
    }

    /// Whether a session is past probation.
    pub(crate) fn is_established(&self, session: u32) -> bool {
        self.session(session)
            .is_some_and(|session| session.standing == Standing::Established)
    }

    /// Sessions past probation, and on it.
    pub(crate) fn standing(&self) -> (usize, usize) {
        (self.established, self.probation.len())
    }

    /// Whether one more session may start now; those of `known` exporters always.
    ///
    /// # Errors
    /// Too many new ones came at once.
    pub(crate) fn admit(
        &mut self,
        known: bool,
        now_ms: u64,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        let (rate, burst) = (limits.sessions_per_second, limits.sessions_per_second);
        let is_admitted = if known {
            self.established < limits.sessions_max
        } else {
            limits.probation_max > 0 && self.newcomers.take(now_ms, rate, burst)
        };
        is_admitted.then_some(()).ok_or(Refusal::TooManySessions)
    }

    /// A session on probation, drawn at random, when a new one needs its place.
    pub(crate) fn displaced(&mut self, limits: &Limits) -> Option<u32> {
        if self.probation.len() < limits.probation_max {
            return None;
        }
        // The hasher's secret makes the draw one that senders cannot foresee.
        self.draws = self.draws.wrapping_add(1);
        let draw = self.peers.hasher().hash_one(self.draws);
        let count = u64::try_from(self.probation.len()).ok()?;
        let place = usize::try_from(draw.checked_rem(count)?).ok()?;
        self.probation.get(place).copied()
    }

    /// Adds a session.
    pub(crate) fn start(&mut self, peer: Peer, known: bool, now_ms: u64) -> Option<u32> {
        let standing = if known {
            Standing::Established
        } else {
            Standing::Probation {
                place: self.probation.len(),
                sound: 0,
            }
        };
        let at = self.sessions.insert(Session {
            peer,
            standing,
            quarantine: Quarantine::default(),
            domains: Vec::new(),
            definitions: TokenBucket::new(),
            orphan_bytes: Kept::default(),
            option_entries: 0,
            faults: [0; Reason::LABELS.len()],
            last_seen_ms: now_ms,
        })?;
        if known {
            self.established += 1;
        } else {
            self.probation.push(at);
        }
        self.peers.insert(peer, at);
        Some(at)
    }

    /// Notes a consistent Message; `true` when it ends the probation, `false`
    /// when it would but the table is full: no session displaces an
    /// established one.
    pub(crate) fn vouch(&mut self, at: u32, limits: &Limits) -> Option<bool> {
        let session = self.sessions.get_mut(at)?;
        let Standing::Probation { place, sound } = &mut session.standing else {
            return None;
        };
        *sound = sound.saturating_add(1);
        if *sound < CONSISTENT_MESSAGES {
            return None;
        }
        if self.established >= limits.sessions_max {
            return (*sound == CONSISTENT_MESSAGES).then_some(false);
        }
        let place = *place;
        session.standing = Standing::Established;
        self.established += 1;
        self.leave_probation(place);
        Some(true)
    }

    /// Adds a domain to a session.
    pub(crate) fn add_domain(
        &mut self,
        session: u32,
        version: Version,
        id: u32,
        limits: &Limits,
        policy: SamplingPolicy,
    ) -> Option<u32> {
        let peer = self.sessions.get(session)?.peer;
        let owner = Owner { session, domain: 0 };
        let at = self.domains.insert(Domain {
            owner,
            peer,
            version,
            id,
            source: None,
            clock: Clock::new(limits.clock),
            sequence: Sequence::new(near(version)),
            restart: Restart::default(),
            samplers: Samplers::new(policy),
            options: Box::default(),
            orphans: Orphans::default(),
            tally: DomainTally::default(),
        })?;
        self.domains.get_mut(at)?.owner.domain = at;
        self.sessions.get_mut(session)?.domains.push(at);
        self.routes.insert((peer, version, id), at);
        Some(at)
    }

    /// Takes a domain out of its session.
    pub(crate) fn remove_domain(&mut self, at: u32) -> Option<Domain> {
        let domain = self.domains.remove(at)?;
        self.routes
            .remove(&(domain.peer, domain.version, domain.id));
        if let Some(session) = self.sessions.get_mut(domain.owner.session) {
            session.domains.retain(|&other| other != at);
        }
        Some(domain)
    }

    /// Takes out a session whose domains are gone.
    pub(crate) fn remove_session(&mut self, at: u32) {
        let Some(session) = self.sessions.remove(at) else {
            return;
        };
        self.peers.remove(&session.peer);
        match session.standing {
            Standing::Probation { place, .. } => self.leave_probation(place),
            Standing::Established => self.established -= 1,
        }
    }

    /// The session's domain that was silent longest.
    pub(crate) fn idlest_domain(&self, session: u32) -> Option<u32> {
        let domains = &self.sessions.get(session)?.domains;
        let seen = |&at: &u32| self.domain(at).map(|domain| domain.tally.last_seen_ms);
        domains.iter().copied().min_by_key(seen)
    }

    fn leave_probation(&mut self, place: usize) {
        if place < self.probation.len() {
            self.probation.swap_remove(place);
        }
        let moved = self.probation.get(place).copied();
        if let Some(session) = moved.and_then(|at| self.sessions.get_mut(at))
            && let Standing::Probation { place: was, .. } = &mut session.standing
        {
            *was = place;
        }
    }
}

/// How far the sequence may step without a second look: 64 full Messages.
fn near(version: Version) -> u32 {
    match version {
        Version::V9 => 64,
        Version::V5 => 64 * 30,
        Version::Ipfix => 64 * 64,
    }
}

/// Messages that make a session established.
const CONSISTENT_MESSAGES: u8 = 3;
