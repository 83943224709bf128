//! What is written is read again, by our own way in.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use super::*;
use crate::element::ElementId;
use crate::flow::Detail;
use crate::flow::EndReason;
use crate::flow::FlowBatch;
use crate::flow::FlowRecord;
use crate::flow::Plan;
use crate::flow::PlanSettings;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::session::Arrival;
use crate::session::ClockLimits;
use crate::session::Consumer;
use crate::session::DataSet;
use crate::session::Known;
use crate::session::Limits;
use crate::session::Peer;
use crate::session::SamplingRate;

use crate::session::Scope;
use crate::session::ScopeMode;
use crate::session::Sessions;
use crate::session::TimeFlags;
use crate::wire::FieldSpecifier;
use crate::wire::Header;
use crate::wire::MessageWriter;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::v5::RECORDS_MAX;

mod events;
mod extras;
mod limits;
mod options;
mod round_trip;
mod sampling;
mod strategies;
mod times;
mod values;

const NOW_MS: u64 = 1_795_000_000_123;
const DAY_MS: u64 = 86_400_000;

type Flow = (FlowRecord, Option<Detail>);

/// How many records a row became and what they lack, or why it became none.
type Outcome = Result<(usize, Lacks), Unsent>;

const fn ie(id: u16) -> ElementId {
    ElementId::iana(id)
}

fn exporter() -> IpAddr {
    Ipv4Addr::new(192, 0, 2, 1).into()
}

fn settings(version: Version) -> ExportSettings {
    ExportSettings {
        version,
        origin: Origin::Omitted,
        counters: Counters::AsMetered,
        wide: true,
        reasons: true,
        absolute: false,
        boot_ms: NOW_MS - 20 * DAY_MS,
        templates_max: 4_096,
        samplers_max: 1_024,
    }
}

/// A batch of these rows, all of one exporter and domain 7.
fn batch(rows: &[Flow]) -> FlowBatch {
    let mut batch = FlowBatch::default();
    for (record, detail) in rows {
        batch.push(record, detail.as_ref(), exporter(), 7);
    }
    batch
}

/// A Message with one Template, the first of its fields being the scope, and
/// one record of it.
fn message(
    kind: TemplateKind,
    version: Version,
    scopes: usize,
    fields: &[(ElementId, &[u8])],
) -> Vec<u8> {
    let specifier = |(element, octets): &(ElementId, &[u8])| FieldSpecifier {
        element: *element,
        length: u16::try_from(octets.len()).unwrap(),
    };
    let specifiers = fields.iter().map(specifier).collect();
    let template = Template::new(version, 300, kind, scopes, specifiers);
    let record: Vec<u8> = fields
        .iter()
        .flat_map(|(_, octets)| octets.to_vec())
        .collect();
    let secs = u32::try_from(NOW_MS / 1_000).unwrap();
    let header = Header::new(version, secs, 0, 7);
    let mut writer = MessageWriter::new(header);
    writer.define(&template);
    writer.record(&template, &record);
    let mut octets = Vec::new();
    writer.finish_into(header, &mut octets).unwrap();
    octets
}

/// An Exporting Process without a socket.
struct Sender {
    encoder: RowEncoder,
    settings: ExportSettings,
    writer: MessageWriter,
    records: Records,
    mtu: usize,
    now_ms: u64,
    sequence: u32,
    /// Templates and options that were sent.
    sent: (usize, usize),
    sampling: u16,
    messages: Vec<Vec<u8>>,
}

impl Sender {
    fn new(settings: ExportSettings, now_ms: u64) -> Self {
        let mut encoder = RowEncoder::new(settings);
        encoder.set_now(now_ms);
        Self {
            encoder,
            settings,
            writer: MessageWriter::new(Header::new(settings.version, 0, 0, 0)),
            records: Records::default(),
            mtu: 1_400,
            now_ms,
            sequence: 0,
            sent: (0, 0),
            sampling: 0,
            messages: Vec::new(),
        }
    }

    /// Sends all rows.
    fn send(&mut self, batch: &FlowBatch) -> Vec<Outcome> {
        let outcomes = (0..batch.len()).map(|row| self.send_row(batch, row));
        let outcomes = outcomes.collect();
        self.flush();
        outcomes
    }

    fn send_row(&mut self, batch: &FlowBatch, row: usize) -> Outcome {
        let lacks = self.encoder.encode(batch, row, &mut self.records)?;
        let records = std::mem::take(&mut self.records);
        assert!(!records.is_empty());
        if records.is_new {
            self.define();
        }
        for record in records.iter() {
            let template = self.encoder.templates()[records.template].clone();
            self.put(&template, record, records.sampling);
        }
        self.records = records;
        Ok((self.records.len(), lacks))
    }

    /// Sends what is new of Templates and options.
    fn define(&mut self) {
        if self.settings.version == Version::V5 {
            return;
        }
        let templates = self.encoder.templates()[self.sent.0..].to_vec();
        for template in &templates {
            if self.writer.len_with_definition(template) > self.mtu {
                self.flush();
            }
            self.writer.define(template);
        }
        self.sent.0 += templates.len();
        let options = self.encoder.options().skip(self.sent.1);
        let options: Vec<_> = options.map(|(at, octets)| (at, octets.to_vec())).collect();
        self.sent.1 += options.len();
        for (at, octets) in options {
            let template = self.encoder.templates()[at].clone();
            self.put(&template, &octets, 0);
        }
    }

    fn put(&mut self, template: &Template, record: &[u8], sampling: u16) {
        let is_full = self.writer.len_with(template, record.len()) > self.mtu
            || self.settings.version == Version::V5
                && (self.writer.data_records() == usize::from(RECORDS_MAX)
                    || self.sampling != sampling);
        if is_full {
            self.flush();
        }
        self.sampling = sampling;
        self.writer.record(template, record);
    }

    fn flush(&mut self) {
        if self.writer.is_empty() {
            return;
        }
        let units = u32::try_from(self.writer.data_records()).unwrap();
        let mut message = Vec::new();
        let header = self.header();
        self.writer.finish_into(header, &mut message).unwrap();
        self.messages.push(message);
        self.sequence = self.sequence.wrapping_add(match self.settings.version {
            Version::V9 => 1,
            Version::V5 | Version::Ipfix => units,
        });
    }

    /// Times of P-714 and P-724, of one clock.
    fn header(&self) -> Header {
        let low = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap();
        let uptime = |ms: u64| low(ms.wrapping_sub(self.settings.boot_ms));
        let version = self.settings.version;
        let (secs, millis) = (self.now_ms / 1_000, self.now_ms % 1_000);
        let header = Header::new(version, low(secs), self.sequence, 3);
        let ceil = self.now_ms.div_ceil(1_000);
        match version {
            Version::V5 => Header {
                sys_uptime: Some(uptime(self.now_ms)),
                export_nanos: low(millis) * 1_000_000,
                sampling: self.sampling,
                ..header
            },
            Version::V9 => Header {
                export_secs: low(ceil),
                sys_uptime: Some(uptime(ceil * 1_000)),
                ..header
            },
            Version::Ipfix => header,
        }
    }
}

/// A collector that keeps all flows and events.
#[derive(Debug, Default)]
struct Collector {
    flows: Vec<Flow>,
    missing: usize,
}

impl Consumer<Plan> for Collector {
    fn is_listed(&self, _exporter: IpAddr) -> bool {
        true
    }

    fn data(&mut self, scope: &Scope<'_>, known: &Known<Plan>, set: DataSet<'_>) {
        for record in known.template.split(set.body) {
            known
                .plan
                .decode(scope, record.unwrap(), &mut |flow, detail| {
                    self.flows.push((*flow, detail.cloned()));
                });
        }
    }

    fn set(&mut self, _id: u16, outcome: crate::session::SetOutcome) {
        self.missing += usize::from(!matches!(outcome, crate::session::SetOutcome::Ok(_)));
    }

    fn fault(&mut self, error: crate::wire::WireError) {
        panic!("{error}");
    }
}

fn sessions(wanted: &[ElementId]) -> Sessions<Plan> {
    let limits = Limits {
        definitions_per_second: 1_000_000,
        templates_per_domain_max: 65_280,
        clock: ClockLimits {
            export_skew_max_ms: DAY_MS,
            flow_age_max_ms: 24 * DAY_MS,
        },
        ..Limits::default()
    };
    let settings = PlanSettings {
        wanted: wanted.to_vec(),
    };
    Sessions::new(limits, ScopeMode::Strict, settings)
}

/// Decodes Messages as they arrive at a time.
fn collect(messages: &[Vec<u8>], now_ms: u64, wanted: &[ElementId]) -> Vec<Flow> {
    let mut sessions = sessions(wanted);
    let mut collector = Collector::default();
    let peer = Peer {
        exporter: Ipv4Addr::LOCALHOST.into(),
        port: 2055,
        local_port: 9995,
    };
    let arrival = Arrival {
        monotonic_ms: 1,
        unix_ms: now_ms,
    };
    for message in messages {
        sessions.datagram(message, peer, arrival, &mut collector);
    }
    assert_eq!(collector.missing, 0, "Sets without a Template");
    collector.flows
}

/// Sends rows and decodes them again; elements of theirs are `wanted`.
fn through(settings: ExportSettings, rows: &[Flow]) -> (Vec<Outcome>, Vec<Flow>) {
    let mut sender = Sender::new(settings, NOW_MS);
    let outcomes = sender.send(&batch(rows));
    let extras = rows.iter().filter_map(|(_, detail)| detail.as_ref());
    let mut wanted: Vec<_> = extras.flat_map(|detail| &detail.extra).collect();
    wanted.dedup_by_key(|extra| extra.0);
    let wanted: Vec<_> = wanted.iter().map(|extra| extra.0).collect();
    let flows = collect(&sender.messages, NOW_MS, &wanted);
    (outcomes, flows)
}

/// What one row becomes that is written in one record.
fn one(settings: ExportSettings, row: &Flow) -> (Lacks, Flow) {
    let (outcomes, mut flows) = through(settings, std::slice::from_ref(row));
    let [Ok((1, lacks))] = outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(flows.len(), 1);
    (lacks, flows.remove(0))
}

/// Ids of the fields of the Template that a row's records have.
fn fields_of(settings: ExportSettings, row: &Flow) -> Vec<u16> {
    let mut encoder = RowEncoder::new(settings);
    encoder.set_now(NOW_MS);
    let mut records = Records::default();
    let rows = batch(std::slice::from_ref(row));
    encoder.encode(&rows, 0, &mut records).unwrap();
    let template = &encoder.templates()[records.template];
    template
        .fields
        .iter()
        .map(|field| field.element.id)
        .collect()
}

/// A flow with addresses, protocol, ports, counters and times.
fn tcp() -> FlowRecord {
    let mut record = FlowRecord {
        octets: 1_500,
        packets: 3,
        start_ms: NOW_MS - 2_500,
        end_ms: NOW_MS - 1_001,
        ..FlowRecord::default()
    };
    record.key.src = Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().octets();
    record.key.dst = Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped().octets();
    record.key.protocol = 6;
    record.key.src_port = 40_000;
    record.key.dst_port = 443;
    record.key.present = Presence::SRC
        | Presence::DST
        | Presence::PROTOCOL
        | Presence::SRC_PORT
        | Presence::DST_PORT;
    record
}
