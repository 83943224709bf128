//! One datagram as one JSON object, in the shape of the vendor corpus.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use crate::cli::capture::Captured;
use crate::cli::decode::lists::lists;
use crate::cli::decode::value;
use crate::element::ElementId;
use crate::session::Consumer;
use crate::session::DataSet;
use crate::session::Known;
use crate::session::Outcome;
use crate::session::Peer;
use crate::session::Plan;
use crate::session::Refusal;
use crate::session::Scope;
use crate::session::SetOutcome;
use crate::wire::Header;
use crate::wire::ListReader;
use crate::wire::Message;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::Version;
use crate::wire::WireError;

/// Values of structured data decoded of one datagram (P-822).
const LIST_VALUES_MAX: usize = 65_536;
/// Templates remembered for structured data; lists of later ones stay octets.
const TEMPLATES_MAX: usize = 65_536;
/// paddingOctets.
const PADDING: ElementId = ElementId::iana(210);

/// Records are read field by field, so there is nothing to compile.
#[derive(Debug)]
pub(in crate::cli) struct Uncompiled;

impl Plan for Uncompiled {
    type Settings = ();

    fn compile(_template: &Template, _settings: &()) -> Self {
        Self
    }
}

/// Collects what the sessions say of a datagram.
#[derive(Default)]
pub(super) struct Report {
    peer: Option<Peer>,
    line: Line,
    /// By sender, domain and id: what sub-template lists refer to.
    templates: HashMap<(Peer, u32, u16), Template>,
    /// Records of all datagrams.
    pub(super) records: u64,
    /// Faults of all datagrams that are NetFlow.
    pub(super) faults: usize,
}

/// The object under construction.
#[derive(Default)]
struct Line {
    header: Option<Header>,
    sets: Vec<Json>,
    templates: Vec<Json>,
    errors: Vec<Json>,
    records: Vec<Json>,
    /// Kind of the Template that the current Data Set has.
    data_kind: Option<&'static str>,
}

impl Report {
    /// Starts a datagram.
    pub(super) fn begin(&mut self, peer: Peer) {
        self.peer = Some(peer);
        self.line = Line::default();
    }

    /// Ends the datagram; `None` if it was no NetFlow.
    pub(super) fn finish(&mut self, datagram: &Captured, outcome: Outcome) -> Option<Json> {
        let mut line = std::mem::take(&mut self.line);
        if let Outcome::Refused(refusal) = outcome {
            if refusal == Refusal::NotNetflow {
                return None;
            }
            if line.errors.is_empty() {
                line.errors
                    .push(json!({"offset": 0, "reason": Refusal::LABELS.get(refusal.index())}));
            }
        }
        self.faults += line.errors.len();
        let mut object = Map::new();
        object.insert("frame".to_owned(), datagram.frame.into());
        object.insert("version".to_owned(), version(datagram).into());
        object.insert(
            "exporter".to_owned(),
            datagram.source.ip().to_canonical().to_string().into(),
        );
        put_header(
            &mut object,
            line.header
                .or_else(|| header_of_refused(&datagram.payload))
                .as_ref(),
        );
        let lists = [
            ("sets", line.sets),
            ("templates", line.templates),
            ("errors", line.errors),
            ("records", line.records),
        ];
        for (name, list) in lists {
            object.insert(name.to_owned(), Json::Array(list));
        }
        Some(Json::Object(object))
    }
}

/// The first two octets, whatever they are.
fn version(datagram: &Captured) -> u16 {
    datagram
        .payload
        .first_chunk()
        .copied()
        .map_or(0, u16::from_be_bytes)
}

/// The header of a Message that was refused for its length or count: what it
/// says of itself helps to find the sender.
fn header_of_refused(payload: &[u8]) -> Option<Header> {
    // Octets of the header, and a claim of nothing after it.
    let (length, claim) = match payload.first_chunk()? {
        [0, 5] => (24, 0),
        [0, 9] => (20, 0),
        [0, 10] => (16, 16),
        _ => return None,
    };
    let mut octets = payload.get(..length)?.to_vec();
    let claimed = u16::from_be_bytes(*octets.get(2..)?.first_chunk()?);
    octets
        .get_mut(2..4)?
        .copy_from_slice(&u16::to_be_bytes(claim));
    let header = Message::parse(&octets).ok()?.header;
    Some(Header {
        count: if header.version == Version::Ipfix {
            0
        } else {
            claimed
        },
        ..header
    })
}

fn put_header(object: &mut Map<String, Json>, header: Option<&Header>) {
    let mut put = |name: &str, value: Json| object.insert(name.to_owned(), value);
    put(
        "export_time",
        header.map(|header| header.export_secs).into(),
    );
    put("sequence", header.map(|header| header.sequence).into());
    let domain = header.filter(|header| header.version != Version::V5);
    put("domain", domain.map(|header| header.domain).into());
    let Some(header) = header else {
        return;
    };
    if let Some(uptime) = header.sys_uptime {
        put("sys_uptime", uptime.into());
        put("count", header.count.into());
    }
    if header.version == Version::V5 {
        put("engine_type", (header.domain >> 8).into());
        put("engine_id", (header.domain & 0xff).into());
        put("sampling", header.sampling.into());
    }
}

impl Consumer<Uncompiled> for Report {
    fn message(&mut self, header: &Header) {
        self.line.header.get_or_insert(*header);
    }

    fn data(&mut self, scope: &Scope<'_>, known: &Known<Uncompiled>, set: DataSet<'_>) {
        let template = &known.template;
        let is_v5 = template.version == Version::V5;
        let kind = match template.kind {
            TemplateKind::Data if is_v5 => "v5",
            TemplateKind::Data => "data",
            TemplateKind::Options => "options-data",
        };
        if is_v5 {
            self.line
                .sets
                .push(json!({"id": null, "kind": kind, "status": "ok", "records": set.records}));
        } else if !set.replayed {
            self.line.data_kind = Some(kind);
        }
        let peer = self.peer;
        let find = |id| peer.and_then(|peer| self.templates.get(&(peer, scope.domain, id)));
        let mut reader = ListReader::new(&find, LIST_VALUES_MAX);
        for record in template.split(set.body).map_while(Result::ok) {
            let mut object = Map::new();
            object.insert(
                "template".to_owned(),
                (!is_v5).then_some(template.id).into(),
            );
            object.insert("kind".to_owned(), kind.into());
            if set.replayed {
                object.insert("replayed".to_owned(), true.into());
            }
            object.insert("fields".to_owned(), fields(template, record));
            if let Some(lists) = lists(template, record, &mut reader) {
                object.insert("lists".to_owned(), lists);
            }
            self.line.records.push(Json::Object(object));
            self.records += 1;
        }
    }

    fn template(&mut self, template: &Template) {
        let kind = match template.kind {
            TemplateKind::Data => "data",
            TemplateKind::Options => "options",
        };
        self.line
            .templates
            .push(json!({"id": template.id, "kind": kind, "fields": template.fields.len()}));
        if let (Some(peer), Some(header)) = (self.peer, &self.line.header)
            && self.templates.len() < TEMPLATES_MAX
        {
            self.templates
                .insert((peer, header.domain, template.id), template.clone());
        }
    }

    fn set(&mut self, id: u16, outcome: SetOutcome) {
        let (status, records) = match outcome {
            SetOutcome::Ok(records) => ("ok".to_owned(), records),
            SetOutcome::NoTemplate => ("no-template".to_owned(), 0),
            SetOutcome::EmptyTemplate => ("zero-length template".to_owned(), 0),
            SetOutcome::Reserved => (format!("reserved set id {id}"), 0),
            SetOutcome::Malformed(records, error) => (format!("malformed: {error}"), records),
        };
        let data_kind = self.line.data_kind.take();
        let kind = match (self.line.header.map(|header| header.version), id) {
            (Some(Version::V9), 0) | (Some(Version::Ipfix), 2) => "template",
            (Some(Version::V9), 1) | (Some(Version::Ipfix), 3) => "options-template",
            (_, 256..) => data_kind.unwrap_or("data"),
            _ => "reserved",
        };
        self.line
            .sets
            .push(json!({"id": id, "kind": kind, "status": status, "records": records}));
    }

    fn fault(&mut self, error: WireError) {
        self.line.errors.push(json!({
            "offset": error.offset,
            "reason": error.reason.label(),
            "message": error.reason.to_string(),
        }));
    }
}

/// All fields of a record, those of no octets too.
fn fields(template: &Template, record: &[u8]) -> Json {
    let mut fields = Map::new();
    for (field, octets) in template.all_fields(record) {
        // v5's padding is no field of a flow.
        if template.version != Version::V5 || field.element != PADDING {
            value::put(
                &mut fields,
                value::name(field.element),
                value::value(field.element, octets),
            );
        }
    }
    Json::Object(fields)
}
