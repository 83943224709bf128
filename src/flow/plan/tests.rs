//! One test per rule of the mapping; a record is given as its fields.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::element::REVERSE_PEN;
use crate::flow::DIRECTION_ABSENT;
use crate::flow::Detail;
use crate::flow::EndReason;
use crate::flow::Event;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::session::Arrival;
use crate::session::Clock;
use crate::session::ClockLimits;
use crate::session::Samplers;
use crate::session::SamplingPolicy;
use crate::session::SamplingRate;
use crate::session::Scope;
use crate::session::SourceId;
use crate::session::TimeFlags;
use crate::wire::FieldSpecifier;
use crate::wire::Header;
use crate::wire::VARIABLE;
use crate::wire::Version;

const EXPORT_SECS: u32 = 1_700_000_000;
const EXPORT_MS: u64 = 1_700_000_000_000;
/// Uptime of the exporter at export time.
const UPTIME: u32 = 5_000_000;

/// One field: its element and its octets.
type Octets<'a> = (ElementId, &'a [u8]);

type Decoded = Vec<(FlowRecord, Option<Detail>)>;

const fn ie(id: u16) -> ElementId {
    ElementId::iana(id)
}

const fn reverse(id: u16) -> ElementId {
    ElementId {
        pen: REVERSE_PEN,
        id,
    }
}

fn template_of(fields: &[(ElementId, u16)]) -> Template {
    let specifier = |&(element, length): &(ElementId, u16)| FieldSpecifier { element, length };
    let fields = fields.iter().map(specifier).collect();
    Template::new(Version::Ipfix, 256, TemplateKind::Data, 0, fields)
}

fn plan_of(template: &Template, wanted: &[ElementId]) -> Plan {
    let settings = PlanSettings {
        wanted: wanted.to_vec(),
    };
    <Plan as session::Plan>::compile(template, &settings)
}

/// The clock of a Message of [`EXPORT_SECS`], received when it was sent.
fn clock() -> Clock {
    let mut header = Header::new(Version::V9, EXPORT_SECS, 1, 1);
    header.sys_uptime = Some(UPTIME);
    let arrival = Arrival {
        monotonic_ms: 1,
        unix_ms: EXPORT_MS,
    };
    let mut clock = Clock::new(ClockLimits::default());
    clock.begin(&header, arrival);
    clock
}

/// What surrounds the records of a Message.
fn scope<'a>(clock: &'a Clock, sampling: &'a Samplers) -> Scope<'a> {
    Scope {
        source: SourceId(7),
        exporter: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        domain: 1,
        clock,
        sampling,
    }
}

/// What a record says: once by itself, and as one of three of a Data Set.
fn run(template: &Template, plan: &Plan, record: &[u8]) -> Decoded {
    let clock = clock();
    let sampling = Samplers::new(SamplingPolicy::default());
    let scope = scope(&clock, &sampling);
    let mut decoded = Vec::new();
    plan.decode(&scope, record, &mut |record, detail| {
        decoded.push((*record, detail.cloned()));
    });
    let mut all = Vec::new();
    if template.split(record).map_while(Result::ok).eq([record]) {
        plan.decode_all(
            template,
            &scope,
            &record.repeat(3),
            &mut |record, detail| {
                all.push((*record, detail.cloned()));
            },
        );
        assert_eq!(all, [&decoded[..]; 3].concat());
    }
    decoded
}

fn decode_wanting(fields: &[Octets<'_>], wanted: &[ElementId]) -> Decoded {
    let length = |octets: &[u8]| u16::try_from(octets.len()).unwrap();
    let specifiers: Vec<_> = fields.iter().map(|(id, v)| (*id, length(v))).collect();
    let record: Vec<u8> = fields.iter().flat_map(|(_, v)| v.to_vec()).collect();
    let template = template_of(&specifiers);
    run(&template, &plan_of(&template, wanted), &record)
}

fn decode(fields: &[Octets<'_>]) -> Decoded {
    decode_wanting(fields, &[])
}

/// What makes a record a flow beside the fields a test is about.
const BASE: [Octets<'static>; 4] = [
    (ie(8), &[10, 0, 0, 1]),
    (ie(12), &[10, 0, 0, 2]),
    (ie(1), &[0, 0, 1, 0]),
    (ie(2), &[0, 0, 0, 3]),
];

/// Decodes [`BASE`] and further fields to the one flow it must be.
fn flow(fields: &[Octets<'_>]) -> FlowRecord {
    let fields: Vec<_> = BASE.iter().chain(fields).copied().collect();
    one(decode(&fields)).0
}

/// As [`flow`], without [`BASE`]'s counters.
fn counted(fields: &[Octets<'_>]) -> FlowRecord {
    let fields: Vec<_> = BASE[..2].iter().chain(fields).copied().collect();
    one(decode(&fields)).0
}

fn one(mut decoded: Decoded) -> (FlowRecord, Option<Detail>) {
    assert_eq!(decoded.len(), 1, "{decoded:?}");
    decoded.remove(0)
}

fn v4(a: u8, b: u8, c: u8, d: u8) -> [u8; 16] {
    Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().octets()
}

mod counters;
mod extras;
mod keys;
mod nsel;
mod origins;
mod quick;
mod values;
