//! A Template compiled to straight loads into a [`crate::flow::FlowRecord`].
//!
//! Compilation decides everything that is the same for all records: which of
//! several elements is preferred, which length is acceptable, what the counters
//! mean. A record then costs one pass over a short list of loads, none of which
//! looks at an element id, allocates or goes through a pointer to a function.

mod content;
mod decode;
mod detail;
mod fields;
mod finish;
mod image;
mod load;
mod origin;
mod quick;
mod rules;
mod shuffle;
mod slot;
mod times;

#[cfg(test)]
mod tests;

pub use quick::Bare;

use content::Content;
use content::Counters;
use content::has;
use detail::DetailPlan;
use detail::is_padding;
use fields::Field;
use fields::Fields;
use finish::SamplingShape;
use finish::Shape;
use load::Load;
use load::Loads;
use origin::OriginPlan;
use quick::Quick;
use rules::Loaded;
use rules::RULES;
use slot::Slot;
use times::TimeShape;

use crate::element::ElementId;
use crate::flow::EXTRA_MAX;
use crate::session;
use crate::session::Origin;
use crate::wire::Template;
use crate::wire::TemplateKind;

/// What compilation depends on beside the Template.
#[derive(Clone, Debug, Default)]
pub struct PlanSettings {
    /// Elements to keep in [`crate::flow::Detail::extra`] because a flow log asks for them.
    pub wanted: Vec<ElementId>,
}

/// How to read the records of one Template.
///
/// Of an element that occurs several times the first that is not 0 counts, and
/// all are kept in [`crate::flow::Detail::extra`] (P-038, P-115). A field whose length its
/// element cannot have is not read (P-041, P-825); [`Plan::faults`] counts it.
#[derive(Clone, Debug)]
pub struct Plan {
    content: Content,
    shape: Shape,
    loads: Loads,
    /// The way of plain flows, if it is open to them.
    quick: Option<Box<Quick>>,
    /// The way back, if the records are biflows (P-310).
    back: Option<(Shape, Loads)>,
    detail: DetailPlan,
    origin: OriginPlan,
    /// Lengths of the runs of fixed-length fields; one in a fixed layout.
    runs: Box<[usize]>,
    /// Whether a record may be a NAT event (P-340).
    nat: bool,
    faults: Faults,
}

/// Fields of a Template that its records are read without.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Faults {
    /// Of a length their element cannot have (P-041, P-825).
    pub opaque: usize,
    /// Extra elements beyond [`crate::flow::EXTRA_MAX`], and fields behind
    /// the 64th of variable length.
    pub unkept: usize,
}

impl session::Plan for Plan {
    type Settings = PlanSettings;

    fn compile(template: &Template, settings: &PlanSettings) -> Self {
        let fields = Fields::of(template);
        let length = Fields::length(template);
        let counters = match template.kind {
            TemplateKind::Data => Counters::choose(&fields.all),
            // What options count is no traffic of theirs.
            TemplateKind::Options => Counters::Missing,
        };
        let (shape, loaded) = load(template, &fields.all, counters);
        let mut content = match template.kind {
            TemplateKind::Data => Content::choose(&fields.all, counters, shape.present),
            TemplateKind::Options => Content::of_options(&fields.all, &settings.wanted),
        };
        let mut back = matches!(content, Content::Connection | Content::Nsel)
            .then(|| (shape.turned(), Loads::default()));
        let mut opaque = loaded.opaque + times::misshapen(&fields.all);
        let reverse = fields.reverse();
        if !reverse.is_empty() && template.kind == TemplateKind::Data {
            let (own, loaded) = load(template, &reverse, Counters::choose(&reverse));
            opaque += loaded.opaque + times::misshapen(&reverse);
            back = Some((own.joined_to(&shape), Loads::new(loaded.loads, length)));
            if !shape.is_directed() && !has(&fields.all, &[56, 57, 80, 81]) {
                content = Content::Undirected;
            }
        }
        let events = content.may_be_event(&fields.all);
        let mut detail = DetailPlan::of(&fields.all, &settings.wanted, events);
        detail.scopes = scopes(template);
        // What the options of a mediator say is of the mediator itself.
        let origin = match template.kind {
            TemplateKind::Data => OriginPlan::of(&fields.all),
            TemplateKind::Options => OriginPlan::default(),
        };
        let quick = (content == Content::Flow && back.is_none() && !has(&fields.all, &[230]))
            .then(|| Quick::of(&loaded.loads, &shape, *fields.runs.first()?))
            .flatten();
        Self {
            content,
            shape,
            quick: quick.map(Box::new),
            back,
            faults: Faults {
                opaque: opaque + detail.opaque + origin.opaque,
                unkept: fields.unreached + detail.unkept,
            },
            loads: Loads::new(loaded.loads, length),
            detail,
            origin,
            runs: fields.runs.into(),
            nat: has(&fields.all, &[230]),
        }
    }

    fn heap_bytes(&self) -> usize {
        self.heap()
    }

    fn has_events(&self) -> bool {
        matches!(self.content, Content::Event(_))
    }

    fn has_origins(&self) -> bool {
        !self.origin.is_empty()
    }

    fn origin(&self, record: &[u8]) -> Option<Origin> {
        self.read_origin(record)
    }
}

impl Plan {
    /// Octets it occupies beside its own size.
    fn heap(&self) -> usize {
        let back = self.back.as_ref().map_or(0, |(_, loads)| loads.heap());
        let quick = self
            .quick
            .as_ref()
            .map_or(0, |quick| size_of::<Quick>() + quick.heap());
        let lists = self.loads.heap() + self.detail.heap() + self.origin.heap();
        lists + quick + back + size_of_val(&*self.runs)
    }

    /// Fields of the Template that its records are read without.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Whether records are options of which nothing but the session makes use.
    pub fn is_heard(&self) -> bool {
        self.content == Content::Heard
    }

    /// Whether no record says anything: biflows without directional key, which
    /// must be discarded (P-310) and counted by the caller.
    pub fn is_undirected(&self) -> bool {
        self.content == Content::Undirected
    }
}

/// How many of an options record's elements are its scope: the first ones.
fn scopes(template: &Template) -> Option<u8> {
    let scopes = template.fields.iter().take(template.scopes);
    let kept = scopes.filter(|field| field.length != 0 && !is_padding(field.element));
    let is_options = template.kind == TemplateKind::Options;
    is_options.then(|| u8::try_from(kept.count().min(EXTRA_MAX)).unwrap_or(u8::MAX))
}

/// The loads of some fields and what their records have in common.
fn load(template: &Template, fields: &[Field], counters: Counters) -> (Shape, Loaded) {
    let (times, time_rules) = TimeShape::choose(fields);
    let rules = RULES.iter().chain(counters.rules()).chain(&time_rules);
    let loaded = Loaded::of(fields, rules);
    let loads = |slot| loaded.loads.iter().any(|load: &Load| load.slot == slot);
    let shape = Shape {
        template: template.id,
        present: loaded.present,
        ipv4: loads(Slot::Src4) || loads(Slot::Dst4),
        icmp: loads(Slot::Icmp) || loads(Slot::IcmpType),
        tcp_flags: loads(Slot::TcpFlags) || loads(Slot::UnionTcpFlags),
        counters,
        times,
        sampling: SamplingShape {
            interval: loads(Slot::SamplingInterval),
            packet_interval: loads(Slot::PacketInterval),
            packet_space: loads(Slot::PacketSpace),
            selector: loads(Slot::Selector),
        },
    };
    (shape, loaded)
}
