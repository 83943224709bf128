//! One row after the other.

use crate::flow::Event;
use crate::flow::FlowBatch;
use crate::flow::export::Counters;
use crate::flow::export::ExportSettings;
use crate::flow::export::Lacks;
use crate::flow::export::Origin;
use crate::flow::export::Records;
use crate::flow::export::Report;
use crate::flow::export::ReportPart;
use crate::flow::export::Unsent;
use crate::flow::export::extras::Bearer;
use crate::flow::export::extras::Extras;
use crate::flow::export::extras::Told;
use crate::flow::export::features;
use crate::flow::export::fields::Features;
use crate::flow::export::layouts::Layout;
use crate::flow::export::layouts::Layouts;
use crate::flow::export::row::Row;
use crate::flow::export::samplers::Method;
use crate::flow::export::samplers::SAMPLERS_MAX;
use crate::flow::export::samplers::Samplers;
use crate::flow::export::split::Parts;
use crate::flow::export::v5;
use crate::session::SamplingRate;
use crate::wire;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::Version;

/// Writes rows of flows as records for one destination and outgoing domain.
///
/// Templates are made as rows need them, and kept under their ids for as long
/// as it lives (P-722). A row without extra elements allocates nothing.
#[derive(Clone, Debug)]
pub struct RowEncoder {
    settings: ExportSettings,
    now_ms: u64,
    layouts: Layouts,
    samplers: Samplers,
    /// Index of the Options Template of each [`Method`], once there is one.
    methods: [Option<usize>; 3],
    /// Index of the Options Template of each [`ReportPart`], once there is one.
    reports: [Option<usize>; 2],
    extras: Extras,
    /// The one Template of v5.
    v5: [Template; 1],
}

impl RowEncoder {
    /// Knows no Template but that of v5; its time is the boot of the settings
    /// until [`Self::set_now`].
    pub fn new(settings: ExportSettings) -> Self {
        Self {
            settings,
            now_ms: settings.boot_ms,
            layouts: Layouts::new(settings.version, settings.templates_max),
            samplers: Samplers::default(),
            methods: [None; 3],
            reports: [None; 2],
            extras: Extras::default(),
            v5: [wire::v5::template()],
        }
    }

    /// Tells the time, ms since 1970, of the headers to come.
    ///
    /// Uptimes of 32 bits tell times up to 2^31 ms, 24.8 days, from their
    /// header's; the encoder needs to know it within days ([`Lacks::TIME`]).
    pub fn set_now(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// Writes a row of a batch as one or more records of one Template, in place
    /// of what `out` held; what of it they lack.
    ///
    /// # Errors
    /// Why nothing was written.
    pub fn encode(
        &mut self,
        batch: &FlowBatch,
        row: usize,
        out: &mut Records,
    ) -> Result<Lacks, Unsent> {
        out.clear();
        let generation = self.generation();
        let mut flow = Row::of(batch, row).ok_or(Unsent::NoRow)?;
        let lacks = match self.settings.version {
            Version::V5 => self.encode_v5(batch, row, &mut flow, out),
            Version::V9 | Version::Ipfix => match flow.record.event {
                None => self.encode_flow(batch, row, &mut flow, out),
                Some(Event::Options) => self.encode_options(batch, row, &flow, out),
                Some(_) => self.encode_event(batch, row, &mut flow, out),
            },
        };
        out.is_new = self.generation() != generation;
        lacks
    }

    /// Writes a part of a report as an options record, in place of what `out`
    /// held; v5 has none.
    ///
    /// # Errors
    /// There is no room for its Template.
    pub fn encode_report(
        &mut self,
        report: &Report,
        part: ReportPart,
        out: &mut Records,
    ) -> Result<(), Unsent> {
        out.clear();
        if self.settings.version == Version::V5 {
            return Ok(());
        }
        let known = self.reports.get(part as usize).copied().flatten();
        let template = known.or_else(|| {
            let fields = part.fields(&self.settings);
            self.layouts.define(TemplateKind::Options, 1, fields)
        });
        out.template = template.ok_or(Unsent::Templates)?;
        out.is_new = known.is_none();
        if let Some(place) = self.reports.get_mut(part as usize) {
            *place = template;
        }
        out.push(|octets| part.put(report, &self.settings, octets));
        Ok(())
    }

    /// All Templates in the order of their making, Options Templates among
    /// them; for v5 the one that is never sent.
    pub fn templates(&self) -> &[Template] {
        match self.settings.version {
            Version::V5 => &self.v5,
            Version::V9 | Version::Ipfix => self.layouts.templates(),
        }
    }

    /// Options records, each with the index of its Template: to be sent after
    /// the Templates, and again with each of their refreshes.
    pub fn options(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.samplers.options()
    }

    /// How many Templates and options records there are: it rises with each
    /// new one, and never falls.
    pub fn generation(&self) -> usize {
        self.layouts.templates().len() + self.samplers.len()
    }

    fn encode_v5(
        &mut self,
        batch: &FlowBatch,
        row: usize,
        flow: &mut Row,
        out: &mut Records,
    ) -> Result<Lacks, Unsent> {
        v5::refuse(flow)?;
        let mut lacks = v5::lacks(flow);
        lacks.set(Lacks::EXTRA, batch.extra(row).next().is_some());
        let is_omitted = self.settings.origin == Origin::Omitted;
        lacks.set(Lacks::ORIGIN, !is_omitted);
        lacks |= flow.place(self.settings.boot_ms, self.now_ms);
        let rate = flow.record.key.sampling;
        if is_sampled(rate) {
            let word = v5::sampling(rate).filter(|_| self.is_raw());
            out.sampling = word.unwrap_or_default();
            lacks.set(Lacks::SAMPLING, self.is_raw() && word.is_none());
            if word.is_none() {
                flow.scale_up();
            }
        }
        v5::put(flow, out)?;
        Ok(lacks)
    }

    fn encode_flow(
        &mut self,
        batch: &FlowBatch,
        row: usize,
        flow: &mut Row,
        out: &mut Records,
    ) -> Result<Lacks, Unsent> {
        let mut lacks = self.sample(flow);
        lacks |= self.place(flow);
        let has_extra = batch.extra(row).next().is_some();
        let told = if has_extra {
            Told::by(batch.extra(row))
        } else {
            Told::empty()
        };
        let (features, missing) = features::of_flow(flow, told, &self.settings);
        lacks |= missing;
        self.extras.clear();
        if has_extra {
            let version = self.settings.version;
            lacks |= self
                .extras
                .take(batch.extra(row), version, Bearer::Flow(features));
        }
        // Before a Template is made for what cannot be sent.
        let parts = parts_of(flow, features)?;
        let layout = self.layouts.of(features, &self.extras.specifiers);
        let layout = layout.ok_or(Unsent::Templates)?;
        out.template = layout.template;
        match parts {
            None => out.push(|octets| layout.put(flow, &self.extras.octets, octets)),
            Some(parts) => put_parts(layout, flow, parts, &self.extras.octets, out),
        }
        Ok(lacks)
    }

    fn encode_event(
        &mut self,
        batch: &FlowBatch,
        row: usize,
        event: &mut Row,
        out: &mut Records,
    ) -> Result<Lacks, Unsent> {
        let mut lacks = self.place(event);
        let rate = event.record.key.sampling;
        if is_sampled(rate) {
            event.selector = self.selector(rate).unwrap_or(0);
            lacks.set(Lacks::SAMPLING, event.selector == 0);
        }
        let told = Told::by(batch.extra(row));
        let features = features::of_event(event, told, &self.settings);
        let version = self.settings.version;
        let bearer = match event.record.octets | event.record.packets {
            0 => Bearer::Silent,
            _ => Bearer::Counting,
        };
        lacks |= self.extras.take(batch.extra(row), version, bearer);
        if self.extras.specifiers.is_empty() {
            return Err(Unsent::Event);
        }
        if !features.contains(Features::UPTIMES) {
            lacks -= Lacks::TIME;
        }
        let layout = self.layouts.of(features, &self.extras.specifiers);
        let layout = layout.ok_or(Unsent::Templates)?;
        out.template = layout.template;
        out.push(|octets| layout.put(event, &self.extras.octets, octets));
        Ok(lacks)
    }

    /// Options are sent on as options: as data they would be a flow to some.
    fn encode_options(
        &mut self,
        batch: &FlowBatch,
        row: usize,
        options: &Row,
        out: &mut Records,
    ) -> Result<Lacks, Unsent> {
        let told = Told::by(batch.extra(row));
        let origin = features::of_origin(options, told, self.settings.origin);
        let version = self.settings.version;
        let taken = self
            .extras
            .take_options(options, origin, batch.extra(row), version);
        let (scopes, lacks) = taken.ok_or(Unsent::Event)?;
        let specifiers = &self.extras.specifiers;
        let layout = self.layouts.scoped(scopes, Features::empty(), specifiers);
        let layout = layout.ok_or(Unsent::Templates)?;
        out.template = layout.template;
        out.push(|octets| layout.put(options, &self.extras.octets, octets));
        Ok(lacks)
    }

    /// Whether counters stay as metered.
    fn is_raw(&self) -> bool {
        self.settings.counters == Counters::AsMetered
    }

    /// Names the rate of a sampled flow, or scales its counters up.
    fn sample(&mut self, flow: &mut Row) -> Lacks {
        let rate = flow.record.key.sampling;
        if !is_sampled(rate) {
            return Lacks::empty();
        }
        if let Some(selector) = self.selector(rate) {
            flow.selector = selector;
            return Lacks::empty();
        }
        flow.scale_up();
        if self.is_raw() {
            Lacks::SAMPLING
        } else {
            Lacks::empty()
        }
    }

    /// The id under which options tell the rate; `None` if they cannot, or are
    /// not to.
    fn selector(&mut self, rate: SamplingRate) -> Option<u32> {
        if !self.is_raw() {
            return None;
        }
        if let Some(id) = self.samplers.id(rate) {
            return Some(id);
        }
        let max = self.settings.samplers_max.min(SAMPLERS_MAX);
        let method = Method::of(self.settings.version, rate)?;
        if self.samplers.len() >= max {
            return None;
        }
        let known = self.methods.get_mut(method as usize)?;
        let template = match *known {
            Some(template) => template,
            None => self
                .layouts
                .define(TemplateKind::Options, 1, method.fields())?,
        };
        *known = Some(template);
        Some(self.samplers.tell(rate, method, template))
    }

    /// Works out v9's uptimes; what they cannot tell, absolute times beside
    /// them do.
    fn place(&self, row: &mut Row) -> Lacks {
        if self.settings.version != Version::V9 {
            return Lacks::empty();
        }
        let lacks = row.place(self.settings.boot_ms, self.now_ms);
        if self.settings.absolute {
            Lacks::empty()
        } else {
            lacks
        }
    }
}

/// Whether not every packet was metered; what is no rate counts as none.
fn is_sampled(rate: SamplingRate) -> bool {
    rate.picked > 0 && rate.out_of > rate.picked
}

/// The parts of a row whose counters are too large for 32 bits, if it is to
/// have such.
fn parts_of(row: &Row, features: Features) -> Result<Option<Parts>, Unsent> {
    let (octets, packets) = (row.record.octets, row.record.packets);
    let is_narrow = features.contains(Features::DELTAS_32);
    if !is_narrow || octets.max(packets) <= u32::MAX.into() {
        return Ok(None);
    }
    let parts = Parts::of(octets, packets).ok_or(Unsent::Counters)?;
    Ok(Some(parts))
}

/// Writes each part of a row.
fn put_parts(layout: &Layout, row: &Row, parts: Parts, extra: &[u8], out: &mut Records) {
    let mut of_part = row.clone();
    for (part, counters) in parts.iter().enumerate() {
        of_part.take_part(part, counters);
        out.push(|octets| layout.put(&of_part, extra, octets));
    }
}
