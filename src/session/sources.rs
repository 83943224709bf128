//! Ids of exporters and their domains.

use std::collections::VecDeque;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::session::Limits;
use crate::session::SourceId;
use crate::session::limits::TokenBucket;

/// One exporter and Observation Domain, whatever ports and versions it uses.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) exporter: IpAddr,
    pub(crate) domain: u32,
    /// Records it may still send (P-822).
    records: TokenBucket,
    /// Domains of sessions that are this source.
    pub(crate) members: Vec<u32>,
    /// When the last member went, or a record last came by way of another.
    released_ms: u64,
    /// Whether it stands in [`Sources::released`].
    is_queued: bool,
    /// What came of it by way of another collector.
    pub(crate) mediated: Option<Mediated>,
}

/// Records of a source that a mediator sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mediated {
    /// Address and domain of the mediator, the last if there were several.
    pub(crate) by: (IpAddr, u32),
    /// Since the source has its id.
    pub(crate) records: u64,
    /// When the last one came, ms since 1970.
    pub(crate) last_seen_unix_ms: u64,
}

/// Gives ids to sources, and does not give them again while a flow may bear them.
#[derive(Debug)]
pub(crate) struct Sources {
    slots: Vec<Source>,
    ids: HashMap<(IpAddr, u32), u32, RandomState>,
    /// Ids without members, the longest released first.
    released: VecDeque<Released>,
}

/// An id without members.
#[derive(Clone, Copy, Debug)]
struct Released {
    id: u32,
    /// What its source's `released_ms` was when it was queued; by now that may
    /// be later.
    since_ms: u64,
}

impl Sources {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            ids: HashMap::default(),
            released: VecDeque::new(),
        }
    }

    /// What an id stands for; also for some time after its last session went.
    pub(crate) fn get(&self, id: SourceId) -> Option<&Source> {
        self.slots.get(usize::try_from(id.0).ok()?)
    }

    /// Sources of which records came by way of a mediator, with those.
    pub(crate) fn mediated(&self) -> impl Iterator<Item = (&Source, Mediated)> {
        let slots = self.slots.iter();
        slots.filter_map(|source| Some((source, source.mediated?)))
    }

    /// Notes records of a source that a mediator sent.
    pub(crate) fn note(&mut self, id: SourceId, by: (IpAddr, u32), records: u32, unix_ms: u64) {
        let slot = usize::try_from(id.0).ok();
        if let Some(source) = slot.and_then(|slot| self.slots.get_mut(slot)) {
            let before = source.mediated.map_or(0, |mediated| mediated.records);
            source.mediated = Some(Mediated {
                by,
                records: before + u64::from(records),
                last_seen_unix_ms: unix_ms,
            });
        }
    }

    /// How many of `wanted` records of flows a source may send now. P-822.
    pub(crate) fn grant(&mut self, id: SourceId, wanted: u32, now_ms: u64, limits: &Limits) -> u32 {
        let Some(rate) = limits.records_per_second_max else {
            return wanted;
        };
        let slot = usize::try_from(id.0).ok();
        let source = slot.and_then(|slot| self.slots.get_mut(slot));
        source.map_or(0, |source| {
            source.records.take_up_to(wanted, now_ms, rate, rate)
        })
    }

    /// Joins a domain to its source, a new one while there are fewer than `max`.
    pub(crate) fn join(
        &mut self,
        exporter: IpAddr,
        domain: u32,
        member: u32,
        max: usize,
        reusable_before_ms: u64,
    ) -> Option<SourceId> {
        let id = self.find_or_create(exporter, domain, max, reusable_before_ms)?;
        let source = self.slots.get_mut(usize::try_from(id.0).ok()?)?;
        source.members.push(member);
        Some(id)
    }

    /// The id of an exporter's domain that no session may have, as if its last
    /// one had gone just now: while it has none, it stays for as long after as
    /// then.
    pub(crate) fn expect(
        &mut self,
        exporter: IpAddr,
        domain: u32,
        max: usize,
        (now_ms, reusable_before_ms): (u64, u64),
    ) -> Option<SourceId> {
        let id = self.find_or_create(exporter, domain, max, reusable_before_ms)?;
        let source = self.slots.get_mut(usize::try_from(id.0).ok()?)?;
        if source.members.is_empty() {
            source.released_ms = now_ms;
            self.queue(id.0);
        }
        Some(id)
    }

    /// Queues an id without members, unless it is queued already.
    fn queue(&mut self, id: u32) {
        let slot = usize::try_from(id).ok();
        let source = slot.and_then(|slot| self.slots.get_mut(slot));
        if let Some(source) = source.filter(|source| !source.is_queued) {
            source.is_queued = true;
            let since_ms = source.released_ms;
            self.released.push_back(Released { id, since_ms });
        }
    }

    fn find_or_create(
        &mut self,
        exporter: IpAddr,
        domain: u32,
        max: usize,
        reusable_before_ms: u64,
    ) -> Option<SourceId> {
        let id = match self.ids.get(&(exporter, domain)) {
            Some(&id) => id,
            None => self.create(exporter, domain, max, reusable_before_ms)?,
        };
        Some(SourceId(id))
    }

    /// Parts a domain from its source.
    pub(crate) fn leave(&mut self, id: SourceId, member: u32, now_ms: u64) {
        let slot = usize::try_from(id.0).ok();
        let Some(source) = slot.and_then(|slot| self.slots.get_mut(slot)) else {
            return;
        };
        source.members.retain(|&other| other != member);
        if source.members.is_empty() {
            source.released_ms = now_ms;
            self.queue(id.0);
        }
    }

    fn create(
        &mut self,
        exporter: IpAddr,
        domain: u32,
        max: usize,
        reusable_before_ms: u64,
    ) -> Option<u32> {
        let source = Source {
            exporter,
            domain,
            records: TokenBucket::new(),
            members: Vec::new(),
            released_ms: 0,
            is_queued: false,
            mediated: None,
        };
        let id = match self.reusable(reusable_before_ms) {
            Some(id) => {
                let slot = self.slots.get_mut(usize::try_from(id).ok()?)?;
                self.ids.remove(&(slot.exporter, slot.domain));
                *slot = source;
                id
            }
            None if self.slots.len() < max => {
                let id = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(source);
                id
            }
            None => return None,
        };
        self.ids.insert((exporter, domain), id);
        Some(id)
    }

    /// The longest released id, if that is long enough ago.
    fn reusable(&mut self, before_ms: u64) -> Option<u32> {
        while let Some(&Released { id, since_ms }) = self.released.front() {
            let source = self.slots.get_mut(usize::try_from(id).ok()?)?;
            if since_ms >= before_ms && source.members.is_empty() {
                return None;
            }
            self.released.pop_front();
            source.is_queued = false;
            if !source.members.is_empty() {
                // It came back; it is queued again when it goes again.
                continue;
            }
            if source.released_ms < before_ms {
                return Some(id);
            }
            // It was named since: as if queued then, once in a hold time.
            self.queue(id);
        }
        None
    }
}
