//! How sessions and domains begin and end.
//!
//! A new session is on probation until three Messages of it were consistent;
//! only others on probation make room for it. Exporters the operator names
//! need no probation.

use std::net::IpAddr;

use crate::session::Arrival;
use crate::session::Consumer;
use crate::session::Peer;
use crate::session::Plan;
use crate::session::Refusal;
use crate::session::SamplingPolicy;
use crate::session::Sessions;
use crate::session::SourceId;
use crate::session::decode::Context;
use crate::session::entry::Owner;
use crate::wire::Header;

impl<P: Plan> Sessions<P> {
    /// Counts a consistent Message towards the end of a probation.
    pub(crate) fn vouch(&mut self, context: &Context, arrival: Arrival) {
        let session = context.owner.session;
        match self.table.vouch(session, &self.limits) {
            None => {}
            Some(false) => self.stats.sessions.unestablished += 1,
            Some(true) => {
                self.stats.sessions.established += 1;
                let domains = self
                    .table
                    .session(session)
                    .map(|found| found.domains.clone());
                for domain in domains.unwrap_or_default() {
                    self.give_source(domain, true, arrival.monotonic_ms);
                }
            }
        }
    }

    /// Starts the session and domain of a Message, if there is room.
    pub(crate) fn admit(
        &mut self,
        peer: Peer,
        header: &Header,
        arrival: Arrival,
        consumer: &mut impl Consumer<P>,
    ) -> Result<u32, Refusal> {
        let now_ms = arrival.monotonic_ms;
        let session = match self.table.session_of(peer) {
            Some(session) => session,
            None => self.start(peer, now_ms, consumer.is_listed(peer.exporter))?,
        };
        let sampling = consumer.sampling(peer.exporter);
        self.add_domain(session, header, now_ms, sampling)
    }

    /// Adds a domain to a session; the one silent longest makes room.
    fn add_domain(
        &mut self,
        session: u32,
        header: &Header,
        now_ms: u64,
        sampling: SamplingPolicy,
    ) -> Result<u32, Refusal> {
        let held = self
            .table
            .session(session)
            .map_or(0, |found| found.domains.len());
        // Every session may have one; further ones are taken from a common stock.
        let is_out_of_stock = held > 0 && self.table.domain_count() >= self.limits.domains_max;
        if held >= self.limits.domains_per_session_max || is_out_of_stock {
            let idlest = self.table.idlest_domain(session);
            self.forget_domain(idlest.ok_or(Refusal::TooManyDomains)?, now_ms);
        }
        let domain = self
            .table
            .add_domain(
                session,
                header.version,
                header.domain,
                &self.limits,
                sampling,
            )
            .ok_or(Refusal::TooManyDomains)?;
        let is_established = self.table.is_established(session);
        self.give_source(domain, is_established, now_ms);
        Ok(domain)
    }

    /// The domain that an entry of an earlier run belongs to; a new session
    /// is as established as it was then.
    pub(crate) fn owner_of(&mut self, peer: Peer, header: &Header, now: Arrival) -> Option<Owner> {
        let at = match self.table.find(peer, header.version, header.domain) {
            Some(at) => at,
            None => {
                let session = match self.table.session_of(peer) {
                    Some(session) => session,
                    None => self.start(peer, now.monotonic_ms, true).ok()?,
                };
                let sampling = SamplingPolicy::default();
                self.add_domain(session, header, now.monotonic_ms, sampling)
                    .ok()?
            }
        };
        self.table.domain(at).map(|domain| domain.owner)
    }

    fn start(&mut self, peer: Peer, now_ms: u64, listed: bool) -> Result<u32, Refusal> {
        self.table.admit(listed, now_ms, &self.limits)?;
        if !listed && let Some(displaced) = self.table.displaced(&self.limits) {
            self.stats.sessions.displaced += 1;
            self.forget(displaced, now_ms);
        }
        self.stats.sessions.created += 1;
        self.stats.sessions.established += u64::from(listed);
        self.table
            .start(peer, listed, now_ms)
            .ok_or(Refusal::TooManySessions)
    }

    /// The id that an exporter's domain will have when it is heard, for flows of
    /// it that are there before; `None` if no id is left.
    pub fn expect(&mut self, exporter: IpAddr, domain: u32, now_ms: u64) -> Option<SourceId> {
        let max = self.limits.sources_max;
        self.sources.expect(exporter, domain, max, (now_ms, 0))
    }

    /// Gives a domain its source id; sessions on probation share half of them.
    fn give_source(&mut self, at: u32, is_established: bool, now_ms: u64) {
        let max = self.limits.sources_max;
        let max = if is_established { max } else { max / 2 };
        let reusable_before = now_ms.saturating_sub(self.limits.source_hold_ms);
        let Some(domain) = self.table.domain_mut(at) else {
            return;
        };
        if domain.source.is_none() {
            let exporter = domain.peer.exporter;
            domain.source = self
                .sources
                .join(exporter, domain.id, at, max, reusable_before);
        }
    }

    /// Forgets a session and all it taught us.
    pub(crate) fn forget(&mut self, session: u32, now_ms: u64) {
        let domains = self
            .table
            .session(session)
            .map(|found| found.domains.clone());
        for domain in domains.unwrap_or_default() {
            self.forget_domain(domain, now_ms);
        }
        self.table.remove_session(session);
    }

    fn forget_domain(&mut self, at: u32, now_ms: u64) {
        if let Some((session, domain)) = self.table.both_mut(at) {
            self.stats.orphans.abandoned += domain
                .orphans
                .clear(&mut session.orphan_bytes, &mut self.orphan_bytes);
            session.option_entries -= domain.entries();
            self.option_bytes -= domain.options.bytes();
            self.templates.remove_domain(domain.owner);
            if let Some(source) = domain.source {
                self.sources.leave(source, at, now_ms);
            }
        }
        self.table.remove_domain(at);
    }
}
