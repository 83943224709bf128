//! Which Template, and whose options, explain a Data Set. P-402, P-403.

use crate::session::Plan;
use crate::session::ScopeMode;
use crate::session::Sessions;
use crate::session::decode::Context;
use crate::session::templates::Lookup;
use crate::wire::Template;

impl<P: Plan> Sessions<P> {
    /// Finds the Template of a Data Set.
    pub(crate) fn resolve(&self, context: &Context, id: u16) -> Lookup {
        let domain = context.owner.domain;
        let own = self
            .templates
            .find(domain, id, context.received, &self.limits);
        match (self.scope_mode, own) {
            (ScopeMode::Strict, _) | (ScopeMode::Fallback, Lookup::Found(_) | Lookup::Gone) => own,
            (ScopeMode::Fallback, _) => self.agreed(context, id).unwrap_or(own),
            (ScopeMode::IpOnly, _) => self.latest(context, id, own),
        }
    }

    /// Whether a Data Set may be explained by another port's Templates.
    pub(crate) fn has_siblings(&self, context: &Context) -> bool {
        self.scope_mode != ScopeMode::Strict
            && context
                .source
                .and_then(|source| self.sources.get(source))
                .is_some_and(|source| source.members.len() > 1)
    }

    /// The domain whose options tell the sampling of a Message's records: its
    /// own, or for want of any the first of the exporter's other ports.
    pub(crate) fn sampling_domain(&self, context: &Context) -> u32 {
        let own = context.owner.domain;
        let is_silent = |at: u32| {
            self.table
                .domain(at)
                .is_none_or(|domain| domain.samplers.is_empty())
        };
        if !self.has_siblings(context) || !is_silent(own) {
            return own;
        }
        let mut telling = self.siblings(context);
        telling.find(|&at| !is_silent(at)).unwrap_or(own)
    }

    /// Domains of the same exporter, version and id behind other ports; the
    /// oldest ones only, so that forged ports cannot make the search long.
    pub(crate) fn siblings(&self, context: &Context) -> impl Iterator<Item = u32> {
        let own = context.owner.domain;
        let version = context.header.version;
        let source = context.source.and_then(|source| self.sources.get(source));
        let members = source.map_or(&[][..], |source| &source.members);
        members
            .iter()
            .copied()
            .take(SIBLINGS_MAX)
            .filter(move |&at| {
                let domain = self.table.domain(at);
                at != own && domain.is_some_and(|domain| domain.version == version)
            })
    }

    /// The definition all other ports agree on.
    ///
    /// What established sessions said on the wire counts before what others
    /// said, so that a forged port cannot make them disagree, and both before
    /// what an earlier run left (P-413).
    fn agreed(&self, context: &Context, id: u16) -> Option<Lookup> {
        let mut best: Option<(Rank, u32)> = None;
        let mut disagree = false;
        for at in self.siblings(context) {
            let lookup = self.templates.find(at, id, context.received, &self.limits);
            let Lookup::Found(slot) = lookup else {
                continue;
            };
            let rank = self.rank(at, slot);
            match best {
                Some((known, other)) if known == rank => {
                    disagree |= self.template(other) != self.template(slot);
                }
                Some((known, _)) if known < rank => {}
                Some(_) | None => {
                    best = Some((rank, slot));
                    disagree = false;
                }
            }
        }
        if disagree {
            return Some(Lookup::Disputed);
        }
        best.map(|(_, slot)| Lookup::Found(slot))
    }

    /// The latest definition of any port.
    fn latest(&self, context: &Context, id: u16, own: Lookup) -> Lookup {
        let find = |at| self.templates.find(at, id, context.received, &self.limits);
        self.siblings(context).map(find).fold(own, |latest, other| {
            if self.received_ms(other) > self.received_ms(latest) {
                other
            } else {
                latest
            }
        })
    }

    fn template(&self, slot: u32) -> Option<&Template> {
        self.templates.shelf.get(slot).map(|known| &known.template)
    }

    fn rank(&self, domain: u32, slot: u32) -> Rank {
        let entry = self.templates.shelf.entry(slot);
        if entry.is_none_or(|entry| entry.is_imported) {
            Rank::Imported
        } else if self.is_established(domain) {
            Rank::Established
        } else {
            Rank::Probation
        }
    }

    fn received_ms(&self, lookup: Lookup) -> Option<u64> {
        let Lookup::Found(slot) = lookup else {
            return None;
        };
        self.templates
            .shelf
            .entry(slot)
            .map(|entry| entry.received_ms)
    }

    fn is_established(&self, domain: u32) -> bool {
        let owner = self.table.domain(domain).map(|domain| domain.owner);
        owner.is_some_and(|owner| self.table.is_established(owner.session))
    }
}

/// Whose word counts first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Rank {
    Established,
    Probation,
    Imported,
}

/// Ports of one exporter that are asked for a Template.
const SIBLINGS_MAX: usize = 64;
