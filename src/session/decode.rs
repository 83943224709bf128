//! From a Message to its Data Sets.

use crate::session::Clock;
use crate::session::Consumer;
use crate::session::DataSet;
use crate::session::Plan;
use crate::session::SamplingRate;
use crate::session::Scope;
use crate::session::Sessions;
use crate::session::SetOutcome;
use crate::session::SourceId;
use crate::session::entry::Owner;
use crate::session::entry::Received;
use crate::session::origins::Given;
use crate::session::origins::Parting;
use crate::session::sampling::SamplerScope;
use crate::session::templates::Lookup;
use crate::wire::Extent;
use crate::wire::Header;
use crate::wire::Layout;
use crate::wire::Message;
use crate::wire::Set;
use crate::wire::SetKind;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::Version;
use crate::wire::WireError;
use crate::wire::v5;

/// The well-formed records of a Data Set, on their way to the consumer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) extent: Extent,
    /// The clock of the Message they came in, if that was an earlier one.
    pub(crate) replayed_by: Option<&'a Clock>,
}

impl<'a> Records<'a> {
    /// No more than `max` of them. P-822.
    fn capped(&self, template: &Template, max: u32) -> DataSet<'a> {
        let count = self.extent.records.min(max);
        let octets = if count == self.extent.records {
            self.extent.octets
        } else {
            let some = usize::try_from(count).unwrap_or(0);
            let records = template.records(self.body).take(some);
            records.flatten().map(<[u8]>::len).sum()
        };
        let body = self.body.get(..octets).unwrap_or(self.body);
        DataSet {
            body,
            records: count,
            replayed: self.replayed_by.is_some(),
        }
    }
}

/// The Message being decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) owner: Owner,
    pub(crate) source: Option<SourceId>,
    pub(crate) header: Header,
    pub(crate) received: Received,
    /// The domain whose options tell its sampling.
    pub(crate) sampling_from: u32,
    /// Records that may still be taken of this datagram.
    pub(crate) records_left: u32,
    /// Data Records so far; `None` once a Set could not be counted.
    pub(crate) units: Option<u32>,
    pub(crate) has_data: bool,
    pub(crate) sound_sets: u32,
    pub(crate) malformed_sets: u32,
}

impl<P: Plan> Sessions<P> {
    /// Takes the Sets of a Message in wire order, each at its own risk; for
    /// IPFIX the whole Message was validated before.
    pub(crate) fn decode(
        &mut self,
        context: &mut Context,
        message: &Message<'_>,
        consumer: &mut impl Consumer<P>,
    ) {
        if context.header.version == Version::V5 {
            self.v5_records(context, message.body, consumer);
            return;
        }
        for set in message.sets() {
            match set {
                Ok(set) => {
                    let outcome = self.set(context, &set, consumer);
                    self.account(context, outcome);
                    consumer.set(set.id, outcome);
                }
                Err(error) => {
                    context.malformed_sets += 1;
                    self.fault(Some(context.owner.session), error, consumer);
                }
            }
        }
    }

    fn set(
        &mut self,
        context: &mut Context,
        set: &Set<'_>,
        consumer: &mut impl Consumer<P>,
    ) -> SetOutcome {
        match set.kind {
            SetKind::Templates | SetKind::OptionsTemplates => {
                self.stats.template_sets += 1;
                self.definitions(context, set, consumer)
            }
            SetKind::Data => self.data(context, set, consumer),
            SetKind::Reserved => SetOutcome::Reserved,
        }
    }

    fn account(&mut self, context: &mut Context, outcome: SetOutcome) {
        match outcome {
            SetOutcome::Ok(_) => context.sound_sets += 1,
            SetOutcome::NoTemplate => context.sound_sets += 1,
            SetOutcome::EmptyTemplate => self.stats.empty_sets += 1,
            SetOutcome::Reserved => self.stats.reserved_sets += 1,
            SetOutcome::Malformed(..) => {
                context.malformed_sets += 1;
                self.stats.malformed_sets += 1;
            }
        }
    }

    /// A Data Set.
    fn data(
        &mut self,
        context: &mut Context,
        set: &Set<'_>,
        consumer: &mut impl Consumer<P>,
    ) -> SetOutcome {
        context.has_data = true;
        let slot = match self.resolve(context, set.id) {
            Lookup::Found(slot) => slot,
            miss @ (Lookup::Unknown | Lookup::Expired | Lookup::Gone | Lookup::Disputed) => {
                context.units = None;
                self.templates.stats.conflicts += u64::from(miss == Lookup::Disputed);
                self.orphan(context, set, miss);
                return SetOutcome::NoTemplate;
            }
        };
        let is_late = self.templates.shelf.entry(slot).is_some_and(|entry| {
            entry.is_after(context.header.export_secs, context.received.now_ms)
        });
        if is_late {
            context.units = None;
            self.stats.orphans.missing += 1;
            self.stats.orphans.late += 1;
            return SetOutcome::NoTemplate;
        }
        let Some(known) = self.templates.take(slot, &self.settings) else {
            return SetOutcome::NoTemplate;
        };
        if known.template.layout == Layout::Empty {
            context.units = None;
            return SetOutcome::EmptyTemplate;
        }
        let extent = known.template.validate(set.body);
        context.units = context
            .units
            .map(|units| units.wrapping_add(extent.records));
        self.stats.data_sets += 1;
        let well_formed = Records {
            body: set.body,
            extent,
            replayed_by: None,
        };
        self.deliver(context, slot, well_formed, consumer);
        let Some(fault) = extent.fault else {
            return SetOutcome::Ok(extent.records);
        };
        let fault = WireError {
            offset: set.body_offset + fault.offset,
            ..fault
        };
        self.fault(Some(context.owner.session), fault, consumer);
        SetOutcome::Malformed(extent.records, fault)
    }

    /// Hands the records of a Data Set to the consumer, and learns from them
    /// if they are options, in wire order (P-216).
    pub(crate) fn deliver(
        &mut self,
        context: &mut Context,
        slot: u32,
        records: Records<'_>,
        consumer: &mut impl Consumer<P>,
    ) {
        let sampled_by = context.sampling_from;
        let (Some(known), Some(domain), Some(sampler)) = (
            self.templates.shelf.get(slot),
            self.table.domain(context.owner.domain),
            self.table.domain(sampled_by),
        ) else {
            return;
        };
        let Some(source) = context.source else {
            self.stats.records_unsourced += u64::from(records.extent.records);
            return;
        };
        let scope = Scope {
            source,
            exporter: domain.peer.exporter,
            domain: domain.id,
            clock: records.replayed_by.unwrap_or(&domain.clock),
            sampling: &sampler.samplers,
        };
        let wanted = records.extent.records.min(context.records_left);
        let now_ms = context.received.now_ms;
        let is_options = known.template.kind == TemplateKind::Options;
        let mut given = Given::default();
        let set = if known.plan.has_origins() {
            let set = records.capped(&known.template, wanted);
            let parting = Parting {
                scope,
                known,
                sources: &mut self.sources,
                limits: &self.limits,
                now_ms,
                unix_ms: domain.tally.last_seen_unix_ms,
                given,
            };
            given = parting.run(set, consumer);
            set
        } else {
            let granted = match is_options && !known.plan.has_events() {
                true => wanted,
                false => self.sources.grant(source, wanted, now_ms, &self.limits),
            };
            let set = records.capped(&known.template, granted);
            consumer.data(&scope, known, set);
            given.taken = set.records;
            given.throttled = wanted - granted;
            set
        };
        context.records_left -= given.taken;
        let taken = u64::from(given.taken);
        let throttled = u64::from(given.throttled);
        self.stats.records += taken;
        self.stats.records_unnamed += u64::from(given.unnamed);
        self.stats.records_capped += u64::from(records.extent.records - wanted);
        self.stats.records_throttled += throttled;
        let Some(domain) = self.table.domain_mut(context.owner.domain) else {
            return;
        };
        domain.tally.records += taken;
        domain.tally.records_throttled += throttled;
        if is_options {
            self.stats.options_records += taken;
            self.learn(context.owner, slot, set.body);
            let options = self.table.domain(context.owner.domain);
            if let Some(secs) = options.and_then(|domain| domain.options.active_secs) {
                consumer.active_timer(source, u64::from(secs) * 1_000);
            }
        }
    }

    /// The records of a v5 Message.
    fn v5_records(&mut self, context: &mut Context, body: &[u8], consumer: &mut impl Consumer<P>) {
        context.has_data = true;
        let count = u32::from(context.header.count);
        let wanted = count.min(context.records_left);
        let Some(domain) = self.table.domain_mut(context.owner.domain) else {
            return;
        };
        // Mode 0 with an interval is what Juniper sends (P-013).
        let interval = u64::from(context.header.sampling & 0x3fff).max(1);
        if let Some(rate) = SamplingRate::new(interval, 1) {
            domain.samplers.learn(SamplerScope::System, rate, true);
        }
        let Some(source) = context.source else {
            self.stats.records_unsourced += u64::from(wanted);
            return;
        };
        let now_ms = context.received.now_ms;
        let records = self.sources.grant(source, wanted, now_ms, &self.limits);
        context.records_left -= records;
        let length = usize::try_from(records).unwrap_or(0) * v5::RECORD_LEN;
        let Some(body) = body.get(..length) else {
            return;
        };
        domain.tally.records += u64::from(records);
        self.stats.records += u64::from(records);
        self.stats.records_capped += u64::from(count - wanted);
        self.stats.records_throttled += u64::from(wanted - records);
        domain.tally.records_throttled += u64::from(wanted - records);
        let scope = Scope {
            source,
            exporter: domain.peer.exporter,
            domain: domain.id,
            clock: &domain.clock,
            sampling: &domain.samplers,
        };
        let set = DataSet {
            body,
            records,
            replayed: false,
        };
        consumer.data(&scope, &self.v5, set);
    }
}
