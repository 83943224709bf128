//! What can be shown of sessions: plain values, for `/api/v1/exporters` and
//! `/api/v1/templates`.

use std::net::IpAddr;
use std::ops::Range;

use crate::element::ElementId;
use crate::session::ElementTypes;
use crate::session::Options;
use crate::session::Peer;
use crate::session::Plan;
use crate::session::SamplingPolicy;
use crate::session::SamplingRate;
use crate::session::SequenceCounts;
use crate::session::Sessions;
use crate::session::SourceId;
use crate::session::entry::Entry;
use crate::session::entry::State;
use crate::session::table::Domain;
use crate::wire::FieldSpecifier;
use crate::wire::Reason;
use crate::wire::TemplateKind;
use crate::wire::Version;

/// One domain of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct ExporterView {
    /// Exporter's address and ports.
    pub peer: Peer,
    /// Protocol version.
    pub version: Version,
    /// Observation Domain.
    pub domain: u32,
    /// Its index in batches; none while too many sources are new.
    pub source: Option<SourceId>,
    /// How far its session is believed.
    pub standing: Trust,
    /// Ms since 1970, by our clock.
    pub last_seen_unix_ms: u64,
    /// Messages taken.
    pub messages: u64,
    /// Records given to the consumer.
    pub records: u64,
    /// Records dropped because its source sent too many a second (P-822).
    pub records_throttled: u64,
    /// Data Sets without a Template, those replayed later too.
    pub missing_sets: u64,
    /// Templates held.
    pub templates: usize,
    /// What its sequence numbers say.
    pub sequence: SequenceCounts,
    /// Units missing that may still come.
    pub sequence_pending: u64,
    /// Restarts seen (P-418).
    pub restarts: u64,
    /// Faults of its whole session, by `Reason::index`.
    pub faults: [u32; Reason::LABELS.len()],
    /// What applies to records that say nothing of their sampling.
    pub sampling: Option<SamplingRate>,
    /// 36: its active timeout, seconds.
    pub active_secs: Option<u32>,
    /// 37: its inactive timeout, seconds.
    pub inactive_secs: Option<u32>,
    /// What it says its processes counted, by element: 40…42, 163…168 (P-220).
    pub statistics: Vec<(ElementId, u64)>,
    /// Milliseconds its clock is ahead of ours.
    pub clock_offset_ms: i64,
}

/// One domain of an exporter whose records another collector sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OriginView {
    /// Address and Observation Domain of that collector.
    pub mediator: (IpAddr, u32),
    /// The exporter that the records name.
    pub exporter: IpAddr,
    /// Its Observation Domain.
    pub domain: u32,
    /// Records given to the consumer as its.
    pub records: u64,
    /// When the last one came, ms since 1970.
    pub last_seen_unix_ms: u64,
}

/// How far a session is believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trust {
    /// It may have to make room for other new ones.
    Probation,
    /// It stays until it is silent for too long.
    Established,
    /// It sends malformed Messages only (P-112).
    Quarantined,
}

impl Trust {
    /// The word used in answers.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Probation => "probation",
            Self::Established => "established",
            Self::Quarantined => "quarantined",
        }
    }
}

/// One Template of one domain.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateView {
    /// Exporter's address and ports.
    pub peer: Peer,
    /// Protocol version.
    pub version: Version,
    /// Observation Domain.
    pub domain: u32,
    /// Template id.
    pub id: u16,
    /// Data or options.
    pub kind: TemplateKind,
    /// How many leading fields are scopes.
    pub scopes: usize,
    /// Its fields in wire order.
    pub fields: Box<[FieldSpecifier]>,
    /// Whether data is decoded with it.
    pub usable: bool,
    /// Out of a file of an earlier run, not yet seen on the wire (P-413).
    pub imported: bool,
    /// Since when it was not sent, ms.
    pub age_ms: u64,
    /// For how long it is used without being sent again, ms (P-410).
    pub lifetime_ms: u64,
}

impl<P: Plan> Sessions<P> {
    /// Every domain of every session that sent a Message, in no order.
    pub fn exporters(&self) -> impl Iterator<Item = ExporterView> {
        // Others are known from an earlier run only (P-413).
        let domains = self.table.domains();
        let heard = domains.filter(|domain| domain.tally.last_seen_unix_ms > 0);
        heard.map(|domain| self.exporter(domain))
    }

    /// Every exporter of whom mediators sent records, in no order; at most half
    /// of `sources_max`, and forgotten when its id is given to another.
    pub fn origins(&self) -> impl Iterator<Item = OriginView> {
        let mediated = self.sources.mediated();
        mediated.map(|(source, mediated)| OriginView {
            mediator: mediated.by,
            exporter: source.exporter,
            domain: source.domain,
            records: mediated.records,
            last_seen_unix_ms: mediated.last_seen_unix_ms,
        })
    }

    /// Exporters with an established session that sent a Message within so long,
    /// in no order, some of them several times.
    pub fn heard(&self, now_ms: u64, within_ms: u64) -> impl Iterator<Item = IpAddr> {
        let domains = self.table.domains().filter(move |domain| {
            // Others are known from an earlier run only (P-413).
            domain.tally.last_seen_unix_ms > 0
                && now_ms.saturating_sub(domain.tally.last_seen_ms) < within_ms
                && self.table.is_established(domain.owner.session)
        });
        domains.map(|domain| domain.peer.exporter)
    }

    /// Every Template held, in no order.
    pub fn templates(&self, now_ms: u64) -> impl Iterator<Item = TemplateView> {
        self.templates.shelf.entries().filter_map(move |entry| {
            let domain = self.table.domain(entry.owner.domain)?;
            Some(self.template_view(entry, domain, now_ms))
        })
    }

    /// Some of the Templates held, of one exporter or of all, and how many
    /// those are in all.
    ///
    /// `part` counts in the order of the table, which stays as long as no
    /// Template comes or goes.
    pub fn templates_part(
        &self,
        now_ms: u64,
        exporter: Option<IpAddr>,
        part: Range<usize>,
    ) -> (usize, Vec<TemplateView>) {
        let mut count = 0;
        let mut views = Vec::new();
        for entry in self.templates.shelf.entries() {
            let Some(domain) = self.table.domain(entry.owner.domain) else {
                continue;
            };
            if exporter.is_some_and(|exporter| exporter != domain.peer.exporter) {
                continue;
            }
            if part.contains(&count) {
                views.push(self.template_view(entry, domain, now_ms));
            }
            count += 1;
        }
        (count, views)
    }

    /// Octets of data that waits for its Template (P-414).
    pub fn orphan_bytes(&self) -> usize {
        self.orphan_bytes.0
    }

    /// Sessions past probation, and on it.
    pub fn sessions(&self) -> (usize, usize) {
        self.table.standing()
    }

    /// Templates that can be used, and octets of all definitions (P-820).
    pub fn templates_held(&self) -> (u64, usize) {
        (self.templates.shelf.live(), self.templates.shelf.bytes())
    }

    /// What the options of a source say; the first of its ports that said anything.
    pub fn options(&self, source: SourceId) -> Option<&Options> {
        let members = &self.sources.get(source)?.members;
        let options = members.iter().filter_map(|&at| self.table.domain(at));
        let mut options = options.map(|domain| &*domain.options);
        let first = options.clone().next();
        options.find(|options| !options.is_silent()).or(first)
    }

    /// Elements a source defined (P-222).
    pub fn element_types(&self, source: SourceId) -> Option<&ElementTypes> {
        self.options(source).map(|options| &options.types)
    }

    /// Changes what the operator says of sampling, for all or for one exporter.
    pub fn set_sampling(&mut self, policy: impl Fn(IpAddr) -> SamplingPolicy) {
        for at in 0..self.table.domain_slots() {
            if let Some(domain) = self.table.domain_mut(at) {
                domain.samplers.set_policy(policy(domain.peer.exporter));
            }
        }
    }

    fn exporter(&self, domain: &Domain) -> ExporterView {
        let session = self.table.session(domain.owner.session);
        let is_closed = session.is_some_and(|session| session.quarantine.is_closed());
        let standing = if is_closed {
            Trust::Quarantined
        } else if self.table.is_established(domain.owner.session) {
            Trust::Established
        } else {
            Trust::Probation
        };
        ExporterView {
            peer: domain.peer,
            version: domain.version,
            domain: domain.id,
            source: domain.source,
            standing,
            last_seen_unix_ms: domain.tally.last_seen_unix_ms,
            messages: domain.tally.messages,
            records: domain.tally.records,
            records_throttled: domain.tally.records_throttled,
            missing_sets: domain.tally.missing_sets,
            templates: self.templates.shelf.count(domain.owner.domain),
            sequence: domain.sequence.counts(),
            sequence_pending: domain.sequence.pending(),
            restarts: domain.tally.restarts,
            faults: session.map_or([0; Reason::LABELS.len()], |session| session.faults),
            sampling: domain.samplers.system(),
            active_secs: domain.options.active_secs,
            inactive_secs: domain.options.inactive_secs,
            statistics: domain.options.statistics().collect(),
            clock_offset_ms: domain.tally.clock_offset_ms,
        }
    }

    fn template_view(&self, entry: &Entry<P>, domain: &Domain, now_ms: u64) -> TemplateView {
        let template = &entry.known.template;
        let shelf = &self.templates.shelf;
        let is_due = shelf.is_due(entry, now_ms, self.transport, &self.limits);
        TemplateView {
            peer: domain.peer,
            version: domain.version,
            domain: domain.id,
            id: template.id,
            kind: template.kind,
            scopes: template.scopes,
            fields: template.fields.clone(),
            usable: entry.state == State::Live && !is_due,
            imported: entry.is_imported,
            age_ms: entry.age_ms(now_ms),
            lifetime_ms: entry.lifetime_ms(&self.limits),
        }
    }
}
