//! Datagrams in, Data Sets out.

use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::session::Arrival;
use crate::session::Consumer;
use crate::session::Known;
use crate::session::Limits;
use crate::session::Outcome;
use crate::session::Peer;
use crate::session::Plan;
use crate::session::Refusal;
use crate::session::ScopeMode;
use crate::session::SourceId;
use crate::session::Stats;
use crate::session::Transport;
use crate::session::decode::Context;
use crate::session::entry::Received;
use crate::session::orphans::Kept;
use crate::session::sequence::Step;
use crate::session::sources::Sources;
use crate::session::table::Table;
use crate::session::templates::Templates;
use crate::wire::Message;
use crate::wire::Messages;
use crate::wire::Reason;
use crate::wire::Version;
use crate::wire::WireError;
use crate::wire::v5;

/// All that one lane knows of its exporters.
///
/// Every datagram ends in exactly one [`Outcome`]; [`Stats`] counts them. The
/// path of a datagram whose Templates are known and of fixed layout allocates
/// nothing.
#[derive(Debug)]
pub struct Sessions<P: Plan> {
    pub(crate) limits: Limits,
    pub(crate) scope_mode: ScopeMode,
    pub(crate) transport: Transport,
    pub(crate) settings: P::Settings,
    pub(crate) table: Table,
    pub(crate) templates: Templates<P>,
    pub(crate) sources: Sources,
    /// What v5 records look like.
    pub(crate) v5: Known<P>,
    pub(crate) orphan_bytes: Kept,
    /// Octets of all option tables.
    pub(crate) option_bytes: usize,
    pub(crate) stats: Stats,
    hasher: RandomState,
    swept_domain: u32,
    swept_session: u32,
}

impl<P: Plan> Sessions<P> {
    /// Knows no exporter yet; receives datagrams.
    pub fn new(limits: Limits, scope_mode: ScopeMode, settings: P::Settings) -> Self {
        let template = v5::template();
        Self {
            limits,
            scope_mode,
            transport: Transport::Datagrams,
            table: Table::new(),
            templates: Templates::new(),
            sources: Sources::new(),
            v5: Known {
                plan: P::compile(&template, &settings),
                template,
            },
            settings,
            orphan_bytes: Kept::default(),
            option_bytes: 0,
            stats: Stats::default(),
            hasher: RandomState::default(),
            swept_domain: 0,
            swept_session: 0,
        }
    }

    /// The same for Messages that come over another transport.
    #[must_use]
    pub fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Takes a datagram, or one Message of a stream.
    pub fn datagram(
        &mut self,
        bytes: &[u8],
        peer: Peer,
        arrival: Arrival,
        consumer: &mut impl Consumer<P>,
    ) -> Outcome {
        let outcome = self.messages(bytes, peer, arrival, consumer);
        self.stats.datagrams += 1;
        match outcome {
            Outcome::Decoded => self.stats.decoded += 1,
            Outcome::Refused(refusal) => {
                if let Some(count) = self.stats.refused.get_mut(refusal.index()) {
                    *count += 1;
                }
            }
        }
        outcome
    }

    /// Forgets what is too old, a bounded part of it per call.
    ///
    /// To be called about once a second.
    pub fn tick(&mut self, now_ms: u64) {
        self.templates
            .sweep(now_ms, self.transport, &self.limits, SWEEP_TEMPLATES);
        for _ in 0..SWEEP_DOMAINS.min(self.table.domain_slots()) {
            self.swept_domain = (self.swept_domain + 1) % self.table.domain_slots();
            if let Some((session, domain)) = self.table.both_mut(self.swept_domain) {
                self.stats.orphans.aged += domain.orphans.age(
                    now_ms,
                    &self.limits,
                    &mut session.orphan_bytes,
                    &mut self.orphan_bytes,
                );
            }
        }
        for _ in 0..SWEEP_SESSIONS.min(self.table.session_slots()) {
            self.swept_session = (self.swept_session + 1) % self.table.session_slots();
            let session = self.table.session(self.swept_session);
            let seen_ms = session.map_or(now_ms, |session| session.last_seen_ms);
            if now_ms.saturating_sub(seen_ms) > self.limits.session_idle_ms {
                self.stats.sessions.idle += 1;
                self.forget(self.swept_session, now_ms);
            }
        }
    }

    /// Compiles every plan anew, each before its next use.
    pub fn recompile(&mut self, settings: P::Settings) {
        self.settings = settings;
        self.v5.plan = P::compile(&self.v5.template, &self.settings);
        self.templates.recompile();
    }

    /// Counters since the start.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        stats.templates = self.templates.stats;
        stats
    }

    /// Exporter and domain of an id; also for `source_hold_ms` after it was forgotten.
    pub fn source(&self, id: SourceId) -> Option<(IpAddr, u32)> {
        let source = self.sources.get(id)?;
        Some((source.exporter, source.domain))
    }

    fn messages(
        &mut self,
        bytes: &[u8],
        peer: Peer,
        arrival: Arrival,
        consumer: &mut impl Consumer<P>,
    ) -> Outcome {
        let mut messages = Messages::new(bytes);
        let mut outcome = None;
        let mut records_left = self.limits.records_per_datagram_max;
        for message in messages.by_ref() {
            let became = match message {
                Ok(message) => self.message(&message, peer, arrival, &mut records_left, consumer),
                Err(error) => {
                    let session = self.table.session_of(peer);
                    self.fault(session, error, consumer);
                    self.note_malformed(session);
                    Err(refusal(error.reason))
                }
            };
            // Only v5 puts several Messages into one datagram.
            outcome = match (outcome, became) {
                (Some(Err(first)), Err(_)) => Some(Err(first)),
                (Some(Ok(())), _) | (_, Ok(())) => Some(Ok(())),
                (None, Err(only)) => Some(Err(only)),
            };
        }
        self.stats.trailing_bytes += u64::try_from(messages.trailing()).unwrap_or(0);
        match outcome {
            Some(Ok(())) => Outcome::Decoded,
            Some(Err(refusal)) => Outcome::Refused(refusal),
            None => Outcome::Refused(Refusal::NotNetflow),
        }
    }

    /// Takes one Message whose header is sound.
    fn message(
        &mut self,
        message: &Message<'_>,
        peer: Peer,
        arrival: Arrival,
        records_left: &mut u32,
        consumer: &mut impl Consumer<P>,
    ) -> Result<(), Refusal> {
        let header = message.header;
        let at = match self.table.find(peer, header.version, header.domain) {
            Some(at) => at,
            None => self.admit(peer, &header, arrival, consumer)?,
        };
        let print = self.print(message);
        let Some((session, domain)) = self.table.both_mut(at) else {
            return Err(Refusal::TooManyDomains);
        };
        session.last_seen_ms = arrival.monotonic_ms;
        if !session.quarantine.admits() {
            return Err(Refusal::Quarantined);
        }
        if domain.sequence.is_duplicate(header.sequence, print) {
            self.stats.sequence.duplicates += 1;
            return Err(Refusal::Duplicate);
        }
        let mut context = Context {
            owner: domain.owner,
            source: domain.source,
            header,
            received: Received {
                now_ms: arrival.monotonic_ms,
                export_secs: header.export_secs,
                transport: self.transport,
                is_imported: false,
                spent_ms: 0,
            },
            sampling_from: at,
            records_left: *records_left,
            units: Some(0),
            has_data: false,
            sound_sets: 0,
            malformed_sets: 0,
        };
        if header.version == Version::Ipfix
            && let Err(error) = self.validate(&context, message)
        {
            let session = Some(context.owner.session);
            self.fault(session, error, consumer);
            self.note_malformed(session);
            // How many records it held is not known; they are not lost (P-422).
            self.count_units(&context, None);
            return Err(Refusal::Malformed);
        }
        self.begin(&mut context, arrival);
        consumer.message(&header);
        self.decode(&mut context, message, consumer);
        *records_left = context.records_left;
        self.end(&context, print, arrival);
        Ok(())
    }

    /// Counts a fault of a Message or Set, and against its session if there is one.
    pub(crate) fn fault(
        &mut self,
        session: Option<u32>,
        error: WireError,
        consumer: &mut impl Consumer<P>,
    ) {
        let reason = error.reason.index();
        if let Some(count) = self.stats.faults.get_mut(reason) {
            *count += 1;
        }
        let session = session.and_then(|at| self.table.session_mut(at));
        if let Some(count) = session.and_then(|found| found.faults.get_mut(reason)) {
            *count = count.saturating_add(1);
        }
        consumer.fault(error);
    }

    /// Moves a domain's state on to a Message that will be decoded.
    fn begin(&mut self, context: &mut Context, arrival: Arrival) {
        let header = context.header;
        let at = context.owner.domain;
        let Some(domain) = self.table.domain_mut(at) else {
            return;
        };
        if domain
            .restart
            .observe(header.sys_uptime, header.sequence, arrival.monotonic_ms)
        {
            domain.tally.restarts += 1;
            domain.clock.restart();
            domain.options.boot_ms = None;
            let before = domain.sequence.counts();
            domain.sequence.reset();
            self.stats.sequence.add(before, domain.sequence.counts());
            self.stats.restarts += 1;
            self.templates
                .suspect(context.owner, context.received.now_ms);
        }
        self.templates.shelf.heard(at);
        domain.clock.begin(&header, arrival);
        domain.tally.last_seen_ms = arrival.monotonic_ms;
        domain.tally.last_seen_unix_ms = arrival.unix_ms;
        domain.tally.export_secs = header.export_secs;
        domain.tally.clock_offset_ms = domain.clock.offset_ms(&header);
        let slot = match header.version {
            Version::V5 => 0,
            Version::V9 => 1,
            Version::Ipfix => 2,
        };
        if let Some(count) = self.stats.messages.get_mut(slot) {
            *count += 1;
        }
        context.sampling_from = self.sampling_domain(context);
    }

    /// Learns from a Message that was decoded.
    fn end(&mut self, context: &Context, print: u64, arrival: Arrival) {
        let at = context.owner.domain;
        let Some((session, domain)) = self.table.both_mut(at) else {
            return;
        };
        let units = match context.header.version {
            Version::V5 => Some(context.header.count.into()),
            Version::V9 => Some(1),
            Version::Ipfix => context.units,
        };
        if units != Some(0) {
            domain.sequence.remember(print);
        }
        domain.clock.settle();
        domain.tally.messages += 1;
        let is_sound = context.sound_sets > 0 || context.malformed_sets == 0;
        let was_closed = session.quarantine.is_closed();
        session.quarantine.note(is_sound);
        self.stats.sessions.quarantined += u64::from(!was_closed && session.quarantine.is_closed());
        self.count_units(context, units);
        if is_sound {
            self.vouch(context, arrival);
        }
    }

    /// Accounts a Message's units in the sequence of its domain.
    fn count_units(&mut self, context: &Context, units: Option<u32>) {
        let Some(domain) = self.table.domain_mut(context.owner.domain) else {
            return;
        };
        let before = domain.sequence.counts();
        domain.sequence.observe(Step {
            start: context.header.sequence,
            units,
            template_only: units.is_some() && !context.has_data,
        });
        self.stats.sequence.add(before, domain.sequence.counts());
    }

    /// Notes a malformed Message of a known session (P-112).
    fn note_malformed(&mut self, session: Option<u32>) {
        let Some(session) = session.and_then(|at| self.table.session_mut(at)) else {
            return;
        };
        let was_closed = session.quarantine.is_closed();
        session.quarantine.note(false);
        self.stats.sessions.quarantined += u64::from(!was_closed && session.quarantine.is_closed());
    }

    /// Tells a Message from others of the same sequence number: its header and
    /// 32 octets of its content.
    fn print(&self, message: &Message<'_>) -> u64 {
        let header = &message.header;
        let middle = message.body.len() / 2;
        let inside = message.body.get(middle..).and_then(<[u8]>::first_chunk);
        self.hasher.hash_one((
            (header.sequence, header.export_secs, header.sys_uptime),
            header.length,
            inside.copied().map(u128::from_ne_bytes),
            message.body.last_chunk().copied().map(u128::from_ne_bytes),
        ))
    }
}

/// How a datagram without a sound Message is accounted.
fn refusal(reason: Reason) -> Refusal {
    if matches!(reason, Reason::UnsupportedVersion(_)) {
        Refusal::Unsupported
    } else if matches!(reason, Reason::NotNetflow(_)) {
        Refusal::NotNetflow
    } else {
        Refusal::Malformed
    }
}

/// Slots looked at per tick.
const SWEEP_TEMPLATES: u32 = 4_096;
const SWEEP_DOMAINS: u32 = 1_024;
const SWEEP_SESSIONS: u32 = 1_024;
