//! Where Templates lie: found in one lookup, listed by use, charged to their
//! session.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::session::Known;
use crate::session::Limits;
use crate::session::Transport;
use crate::session::entry::Entry;
use crate::session::entry::NONE;
use crate::session::entry::Owner;
use crate::session::entry::State;
use crate::session::slab::Slab;
use crate::wire::Layout;

/// Templates by (domain, id), each session's in a list by last use.
#[derive(Debug)]
pub(crate) struct Shelf<P> {
    slots: Slab<Entry<P>>,
    index: HashTable<u32>,
    hasher: RandomState,
    sessions: Vec<Holding>,
    domains: Vec<Held>,
    bytes: usize,
    live: u64,
}

/// What one session holds.
#[derive(Clone, Copy, Debug)]
struct Holding {
    bytes: usize,
    newest: u32,
    oldest: u32,
}

/// What one domain holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    count: usize,
    variable: usize,
    /// Messages since the domain has Templates, modulo 2^32.
    messages: u32,
}

impl<P> Shelf<P> {
    pub(crate) fn new() -> Self {
        Self {
            slots: Slab::new(),
            index: HashTable::new(),
            hasher: RandomState::default(),
            sessions: Vec::new(),
            domains: Vec::new(),
            bytes: 0,
            live: 0,
        }
    }

    pub(crate) fn entry(&self, slot: u32) -> Option<&Entry<P>> {
        self.slots.get(slot)
    }

    pub(crate) fn entry_mut(&mut self, slot: u32) -> Option<&mut Entry<P>> {
        self.slots.get_mut(slot)
    }

    /// The Template in a slot.
    pub(crate) fn get(&self, slot: u32) -> Option<&Known<P>> {
        self.entry(slot).map(|entry| &entry.known)
    }

    /// Whether a domain has Templates of variable length.
    pub(crate) fn has_variable(&self, domain: u32) -> bool {
        index(domain)
            .and_then(|domain| self.domains.get(domain))
            .is_some_and(|held| held.variable > 0)
    }

    /// Templates a domain holds.
    pub(crate) fn count(&self, domain: u32) -> usize {
        index(domain)
            .and_then(|domain| self.domains.get(domain))
            .map_or(0, |held| held.count)
    }

    /// Counts a Message of a domain.
    pub(crate) fn heard(&mut self, domain: u32) {
        let held = index(domain).and_then(|domain| self.domains.get_mut(domain));
        if let Some(held) = held {
            held.messages = held.messages.wrapping_add(1);
        }
    }

    /// Messages of a domain so far.
    pub(crate) fn messages(&self, domain: u32) -> u32 {
        let held = index(domain).and_then(|domain| self.domains.get(domain));
        held.map_or(0, |held| held.messages)
    }

    /// Whether a definition is too old to be used, by time or by Messages.
    pub(crate) fn is_due(
        &self,
        entry: &Entry<P>,
        now_ms: u64,
        transport: Transport,
        limits: &Limits,
    ) -> bool {
        let too_many = |max| {
            let heard = self.messages(entry.owner.domain);
            transport == Transport::Datagrams && heard.wrapping_sub(entry.heard) > max
        };
        entry.is_due(now_ms, transport, limits)
            || limits.template_messages_max.is_some_and(too_many)
    }

    /// Templates that can be used, in all sessions.
    pub(crate) fn live(&self) -> u64 {
        self.live
    }

    /// Octets of all definitions.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All definitions held.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry<P>> {
        self.slots.values()
    }

    /// Slots given so far: for sweeps.
    pub(crate) fn slots(&self) -> u32 {
        self.slots.slots()
    }

    /// Octets of a session's definitions.
    pub(crate) fn bytes_of(&self, session: u32) -> usize {
        self.holding(session).map_or(0, |held| held.bytes)
    }

    /// A session's least recently used slot.
    pub(crate) fn oldest(&self, session: u32) -> Option<u32> {
        let oldest = self.holding(session)?.oldest;
        (oldest != NONE).then_some(oldest)
    }

    /// A domain's least recently used slot.
    pub(crate) fn oldest_of(&self, owner: Owner) -> Option<u32> {
        let mut slot = self.oldest(owner.session)?;
        loop {
            let entry = self.entry(slot)?;
            if entry.owner == owner {
                return Some(slot);
            }
            slot = entry.newer;
        }
    }

    /// Marks a use.
    pub(crate) fn touch(&mut self, slot: u32) {
        let Some(entry) = self.entry(slot) else {
            return;
        };
        if entry.newer != NONE {
            let session = entry.owner.session;
            self.unlink(session, slot);
            self.link(session, slot);
        }
    }

    /// Changes whether a Template can be used; whether it could.
    pub(crate) fn set(&mut self, slot: u32, state: State) -> bool {
        let Some(entry) = self.entry_mut(slot) else {
            return false;
        };
        let was = std::mem::replace(&mut entry.state, state) == State::Live;
        self.live -= u64::from(was);
        self.live += u64::from(state == State::Live);
        was
    }

    /// Adds a Template; its owner must have none of this id.
    pub(crate) fn place(&mut self, mut entry: Entry<P>) -> Option<u32> {
        let owner = entry.owner;
        entry.heard = self.messages(owner.domain);
        let (id, bytes) = (entry.known.template.id, entry.bytes);
        let is_variable = matches!(entry.known.template.layout, Layout::Variable(_));
        let slot = self.slots.insert(entry)?;
        let slots = &self.slots;
        let hasher = &self.hasher;
        let rehash = |&slot: &u32| {
            slots.get(slot).map_or(0, |entry| {
                hasher.hash_one((entry.owner.domain, entry.known.template.id))
            })
        };
        let hash = hasher.hash_one((owner.domain, id));
        self.index.insert_unique(hash, slot, rehash);
        self.bytes += bytes;
        self.live += 1;
        grow(&mut self.domains, owner.domain, Held::default());
        if let Some(held) = index(owner.domain).and_then(|domain| self.domains.get_mut(domain)) {
            held.count += 1;
            held.variable += usize::from(is_variable);
        }
        grow(&mut self.sessions, owner.session, Holding::EMPTY);
        if let Some(holding) = self.holding_mut(owner.session) {
            holding.bytes += bytes;
        }
        self.link(owner.session, slot);
        Some(slot)
    }

    /// Takes a Template away.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(entry) = self.entry(slot) else {
            return;
        };
        let owner = entry.owner;
        let hash = self
            .hasher
            .hash_one((owner.domain, entry.known.template.id));
        if let Ok(found) = self.index.find_entry(hash, |&other| other == slot) {
            found.remove();
        }
        self.unlink(owner.session, slot);
        let Some(entry) = self.slots.remove(slot) else {
            return;
        };
        self.bytes -= entry.bytes;
        self.live -= u64::from(entry.state == State::Live);
        if let Some(holding) = self.holding_mut(owner.session) {
            holding.bytes -= entry.bytes;
        }
        if let Some(held) = index(owner.domain).and_then(|domain| self.domains.get_mut(domain)) {
            let is_variable = matches!(entry.known.template.layout, Layout::Variable(_));
            held.count -= 1;
            held.variable -= usize::from(is_variable);
        }
    }

    /// All slots of a domain.
    pub(crate) fn of_domain(&self, owner: Owner) -> Vec<u32> {
        let mut slots = Vec::new();
        let mut slot = self.holding(owner.session).map_or(NONE, |held| held.newest);
        while let Some(entry) = self.entry(slot) {
            if entry.owner == owner {
                slots.push(slot);
            }
            slot = entry.older;
        }
        slots
    }

    /// The slot of a domain's id.
    pub(crate) fn position(&self, domain: u32, id: u16) -> Option<u32> {
        let hash = self.hasher.hash_one((domain, id));
        let is_it = |&slot: &u32| {
            self.entry(slot)
                .is_some_and(|entry| entry.owner.domain == domain && entry.known.template.id == id)
        };
        self.index.find(hash, is_it).copied()
    }

    fn holding(&self, session: u32) -> Option<&Holding> {
        self.sessions.get(index(session)?)
    }

    fn holding_mut(&mut self, session: u32) -> Option<&mut Holding> {
        self.sessions.get_mut(index(session)?)
    }

    /// Puts a slot at the recent end of its session's list.
    fn link(&mut self, session: u32, slot: u32) {
        let Some(holding) = self.holding_mut(session) else {
            return;
        };
        let newest = std::mem::replace(&mut holding.newest, slot);
        if newest == NONE {
            holding.oldest = slot;
        } else if let Some(entry) = self.entry_mut(newest) {
            entry.newer = slot;
        }
        if let Some(entry) = self.entry_mut(slot) {
            entry.newer = NONE;
            entry.older = newest;
        }
    }

    /// Takes a slot out of its session's list.
    fn unlink(&mut self, session: u32, slot: u32) {
        let Some(entry) = self.entry(slot) else {
            return;
        };
        let (newer, older) = (entry.newer, entry.older);
        if let Some(entry) = self.entry_mut(newer) {
            entry.older = older;
        } else if let Some(holding) = self.holding_mut(session) {
            holding.newest = older;
        }
        if let Some(entry) = self.entry_mut(older) {
            entry.newer = newer;
        } else if let Some(holding) = self.holding_mut(session) {
            holding.oldest = newer;
        }
    }
}

impl Holding {
    const EMPTY: Self = Self {
        bytes: 0,
        newest: NONE,
        oldest: NONE,
    };
}

fn index(slot: u32) -> Option<usize> {
    usize::try_from(slot).ok()
}

/// Makes room for position `at`.
fn grow<T: Clone>(table: &mut Vec<T>, at: u32, empty: T) {
    let needed = index(at).map_or(0, |at| at + 1);
    if table.len() < needed {
        table.resize(needed, empty);
    }
}
