//! The rules by which Templates come, serve and go.
//!
//! Each session loses only its own Templates: the least recently used ones go
//! when it defines too much (P-820).

use crate::session::Known;
use crate::session::Limits;
use crate::session::Plan;
use crate::session::TemplateStats;
use crate::session::Transport;
use crate::session::entry::Entry;
use crate::session::entry::Owner;
use crate::session::entry::Received;
use crate::session::entry::Replaced;
use crate::session::entry::State;
use crate::session::shelf::Shelf;
use crate::wire::Template;
use crate::wire::TemplateKind;

/// The Templates of all sessions of a lane.
#[derive(Debug)]
pub(crate) struct Templates<P> {
    pub(crate) shelf: Shelf<P>,
    /// Grows with every change of what Templates are compiled with.
    generation: u32,
    swept: u32,
    pub(crate) stats: TemplateStats,
}

/// What became of a definition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Defined {
    /// A new id, or one that could not be used until now.
    New,
    /// The same definition again.
    Same,
    /// Another definition of a known id.
    Other,
    /// No room, or not believed.
    Refused,
}

/// Where a Template is, or why it cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lookup {
    /// In this slot.
    Found(u32),
    /// Never defined, or forgotten since: data may be kept for it.
    Unknown,
    /// Too old to be used: data may be kept (P-412).
    Expired,
    /// The exporter's last word is that it has none: data is not kept.
    Gone,
    /// Its other ports disagree about it (P-403).
    Disputed,
}

/// What a definition is judged and compiled by.
#[derive(Debug)]
pub(crate) struct Terms<'t, S> {
    pub(crate) at: Received,
    pub(crate) limits: &'t Limits,
    pub(crate) settings: &'t S,
}

impl<P: Plan> Templates<P> {
    pub(crate) fn new() -> Self {
        Self {
            shelf: Shelf::new(),
            generation: 0,
            swept: 0,
            stats: TemplateStats::default(),
        }
    }

    /// Takes a definition. P-042, P-406…P-408.
    pub(crate) fn define(
        &mut self,
        owner: Owner,
        template: Template,
        terms: &Terms<'_, P::Settings>,
    ) -> Defined {
        let slot = self.shelf.position(owner.domain, template.id);
        let known = slot.and_then(|slot| Some((slot, self.shelf.get(slot)?)));
        let defined = match known {
            None => self.insert(owner, template, terms),
            Some((slot, known)) if known.template == template => self.refresh(slot, terms),
            Some((slot, _)) => self.redefine(slot, template, terms),
        };
        self.stats.refused += u64::from(defined == Defined::Refused);
        defined
    }

    /// Whether the same definition is there already, so that it costs nothing.
    pub(crate) fn holds(&self, domain: u32, template: &Template) -> bool {
        self.of(domain, template.id)
            .is_some_and(|known| known.template == *template)
    }

    /// Ends the use of a Template whose new definition cannot be used (P-408).
    pub(crate) fn invalidate(&mut self, domain: u32, id: u16) {
        self.stats.invalid += 1;
        self.stats.invalidated += u64::from(self.end(domain, id));
    }

    /// Ends the use of a Template. P-405.
    pub(crate) fn withdraw(&mut self, domain: u32, id: u16) {
        if self.end(domain, id) {
            self.stats.withdrawn += 1;
        } else {
            self.stats.withdrawals_ignored += 1;
        }
    }

    /// Ends the use of all Templates of a kind in one domain. P-405.
    pub(crate) fn withdraw_all(&mut self, owner: Owner, kind: TemplateKind) {
        for slot in self.shelf.of_domain(owner) {
            let known = self.shelf.get(slot).map(|known| &known.template);
            let ended = known.filter(|template| template.kind == kind);
            if let Some(id) = ended.map(|template| template.id) {
                self.withdraw(owner.domain, id);
            }
        }
    }

    /// Finds a Template by the domain it was defined in.
    pub(crate) fn find(&self, domain: u32, id: u16, at: Received, limits: &Limits) -> Lookup {
        let slot = self.shelf.position(domain, id);
        let entry = slot.and_then(|slot| Some((slot, self.shelf.entry(slot)?)));
        let Some((slot, entry)) = entry else {
            return Lookup::Unknown;
        };
        match entry.state {
            State::Live if self.shelf.is_due(entry, at.now_ms, at.transport, limits) => {
                Lookup::Expired
            }
            State::Live => Lookup::Found(slot),
            State::Expired => Lookup::Expired,
            State::Gone => Lookup::Gone,
        }
    }

    /// The Template in a slot, compiled with the latest settings; marks its use.
    pub(crate) fn take(&mut self, slot: u32, settings: &P::Settings) -> Option<&Known<P>> {
        self.shelf.touch(slot);
        let generation = self.generation;
        let entry = self.shelf.entry_mut(slot)?;
        if entry.generation != generation {
            entry.generation = generation;
            entry.known.plan = P::compile(&entry.known.template, settings);
        }
        Some(&entry.known)
    }

    /// What a domain knows under an id, usable or not.
    pub(crate) fn of(&self, domain: u32, id: u16) -> Option<&Known<P>> {
        self.shelf.get(self.shelf.position(domain, id)?)
    }

    /// Has every plan compiled anew before its next use.
    pub(crate) fn recompile(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Gives a domain's Templates half a lifetime: its exporter restarted (P-418).
    pub(crate) fn suspect(&mut self, owner: Owner, now_ms: u64) {
        for slot in self.shelf.of_domain(owner) {
            if let Some(entry) = self.shelf.entry_mut(slot) {
                entry.is_suspect = true;
                entry.received_ms = entry.received_ms.max(now_ms);
            }
        }
    }

    /// Forgets all that a domain defined.
    pub(crate) fn remove_domain(&mut self, owner: Owner) {
        for slot in self.shelf.of_domain(owner) {
            self.shelf.remove(slot);
        }
    }

    /// Expires what is due among the next `budget` slots.
    pub(crate) fn sweep(
        &mut self,
        now_ms: u64,
        transport: Transport,
        limits: &Limits,
        budget: u32,
    ) {
        for _ in 0..budget.min(self.shelf.slots()) {
            self.swept = (self.swept + 1) % self.shelf.slots();
            let slot = self.swept;
            let Some(entry) = self.shelf.entry(slot) else {
                continue;
            };
            if entry.state == State::Live {
                if self.shelf.is_due(entry, now_ms, transport, limits) {
                    self.shelf.set(slot, State::Expired);
                    self.stats.expired += 1;
                }
            } else if entry.age_ms(now_ms) > limits.template_lifetime_max_ms {
                self.shelf.remove(slot);
            }
        }
    }

    /// The same definition again. P-406, P-410.
    fn refresh(&mut self, slot: u32, terms: &Terms<'_, P::Settings>) -> Defined {
        let (at, limits) = (terms.at, terms.limits);
        let known = self.shelf.entry(slot);
        let is_due =
            known.is_some_and(|known| self.shelf.is_due(known, at.now_ms, at.transport, limits));
        let heard = known.map_or(0, |known| self.shelf.messages(known.owner.domain));
        let Some(entry) = self.shelf.entry_mut(slot) else {
            return Defined::Refused;
        };
        entry.heard = heard;
        if !entry.is_imported {
            let interval = at.now_ms.saturating_sub(entry.received_ms);
            entry.slowest_ms = entry.slowest_ms.max(interval);
        }
        entry.is_imported = false;
        entry.received_ms = at.now_ms;
        entry.spent_ms = 0;
        entry.is_suspect = false;
        self.stats.refreshed += 1;
        let was_live = self.shelf.set(slot, State::Live);
        if was_live && !is_due {
            Defined::Same
        } else {
            Defined::New
        }
    }

    /// Another definition of a known id. P-406, P-407.
    fn redefine(
        &mut self,
        slot: u32,
        template: Template,
        terms: &Terms<'_, P::Settings>,
    ) -> Defined {
        let at = terms.at;
        let Some(entry) = self.shelf.entry(slot) else {
            return Defined::Refused;
        };
        let owner = entry.owner;
        if entry.is_imported || entry.state == State::Gone {
            // Neither what an earlier run knew (P-413) nor what was ended is changed.
            self.shelf.remove(slot);
            return self.insert(owner, template, terms);
        }
        self.stats.redefined += 1;
        if at.transport == Transport::Stream {
            // RFC 7011 §8.1 wants it withdrawn first: neither can be trusted.
            self.shelf.set(slot, State::Gone);
            return Defined::Refused;
        }
        let mut changes = entry.changes;
        let slowest_ms = entry.slowest_ms;
        let is_flapping = changes.note(at.now_ms, terms.limits.redefinitions_per_minute);
        self.stats.flaps += u64::from(is_flapping);
        self.shelf.remove(slot);
        let mut entry = Entry::new(owner, template, at, self.generation, terms.settings);
        entry.changes = changes;
        entry.slowest_ms = slowest_ms;
        entry.replaced_at = Some(Replaced {
            export_secs: at.export_secs,
            now_ms: at.now_ms,
        });
        self.place(entry, terms.limits, Defined::Other)
    }

    fn insert(
        &mut self,
        owner: Owner,
        template: Template,
        terms: &Terms<'_, P::Settings>,
    ) -> Defined {
        let at = terms.at;
        let entry = Entry::new(owner, template, at, self.generation, terms.settings);
        let defined = self.place(entry, terms.limits, Defined::New);
        self.stats.defined += u64::from(defined == Defined::New);
        defined
    }

    fn place(&mut self, entry: Entry<P>, limits: &Limits, defined: Defined) -> Defined {
        let has_room = self.make_room(entry.owner, entry.bytes, limits);
        if has_room && self.shelf.place(entry).is_some() {
            defined
        } else {
            Defined::Refused
        }
    }

    /// Evicts the session's own least recently used Templates until one more
    /// of `bytes` fits; `false` when it cannot.
    fn make_room(&mut self, owner: Owner, bytes: usize, limits: &Limits) -> bool {
        let session_max = limits.session_definition_bytes_max;
        let all_max = limits.definition_bytes_max;
        if bytes > session_max || bytes > all_max || limits.templates_per_domain_max == 0 {
            return false;
        }
        if self.shelf.count(owner.domain) >= limits.templates_per_domain_max
            && let Some(oldest) = self.shelf.oldest_of(owner)
        {
            self.evict(oldest);
        }
        while self.shelf.bytes_of(owner.session) + bytes > session_max
            || self.shelf.bytes() + bytes > all_max
        {
            let Some(oldest) = self.shelf.oldest(owner.session) else {
                return false;
            };
            self.evict(oldest);
        }
        true
    }

    fn evict(&mut self, slot: u32) {
        self.stats.evicted += 1;
        self.shelf.remove(slot);
    }

    /// Ends the use of a definition; `false` when there is none in use.
    fn end(&mut self, domain: u32, id: u16) -> bool {
        let slot = self.shelf.position(domain, id);
        slot.is_some_and(|slot| self.shelf.set(slot, State::Gone))
    }
}
