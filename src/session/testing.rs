//! Exporters and a consumer for the tests of this room, and Messages for those of
//! others.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use crate::element::ElementId;
use crate::session::Arrival;
use crate::session::Belief;
use crate::session::Consumer;
use crate::session::DataSet;
use crate::session::Known;
use crate::session::Limits;
use crate::session::Origin;
use crate::session::Outcome;
use crate::session::Peer;
use crate::session::Plan;
use crate::session::RawTimes;
use crate::session::SamplerLookup;
use crate::session::SamplingRate;
use crate::session::Scope;
use crate::session::ScopeMode;
use crate::session::Sessions;
use crate::session::SetOutcome;
use crate::session::SourceId;
use crate::session::Times;
use crate::wire::Template;
use crate::wire::WireError;

/// A plan that remembers with which settings it was made, and where 403 is.
#[derive(Debug)]
pub(crate) struct Stamp(pub(crate) u32, Option<usize>);

impl Plan for Stamp {
    type Settings = u32;

    fn compile(template: &Template, settings: &u32) -> Self {
        let mut fields = template.fields.iter();
        let name = fields.position(|field| field.element == ElementId::iana(403));
        let before = |at| {
            let fields = template.fields.iter().take(at);
            fields.map(|field| usize::from(field.length)).sum()
        };
        Self(*settings, name.map(before))
    }

    fn has_origins(&self) -> bool {
        self.1.is_some()
    }

    fn origin(&self, record: &[u8]) -> Option<Origin> {
        let octets: &[u8; 4] = record.get(self.1?..)?.first_chunk()?;
        let exporter = IpAddr::from(*octets);
        (!exporter.is_unspecified()).then_some(Origin {
            exporter,
            domain: None,
            is_original: true,
        })
    }
}

/// One Data Set as the consumer saw it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) source: SourceId,
    pub(crate) exporter: IpAddr,
    pub(crate) domain: u32,
    pub(crate) template: u16,
    pub(crate) fields: usize,
    pub(crate) body: Vec<u8>,
    pub(crate) records: u32,
    /// How many the body is split into.
    pub(crate) split: usize,
    pub(crate) replayed: bool,
    pub(crate) stamp: u32,
    pub(crate) times: Times,
    pub(crate) sampling: (SamplingRate, bool),
}

/// Remembers all it is told.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) listed: bool,
    pub(crate) seen: Vec<Seen>,
    pub(crate) templates: Vec<u16>,
    pub(crate) sets: Vec<(u16, SetOutcome)>,
    pub(crate) faults: Vec<WireError>,
    pub(crate) lookup: SamplerLookup,
    pub(crate) times: RawTimes,
    /// What it says of senders that name others; nothing is the default.
    pub(crate) belief: Option<Belief>,
    /// Records that were copies.
    pub(crate) copies: u32,
}

impl Consumer<Stamp> for Recorder {
    fn is_listed(&self, _exporter: IpAddr) -> bool {
        self.listed
    }

    fn data(&mut self, scope: &Scope<'_>, known: &Known<Stamp>, set: DataSet<'_>) {
        self.seen.push(Seen {
            source: scope.source,
            exporter: scope.exporter,
            domain: scope.domain,
            template: known.template.id,
            fields: known.template.fields.len(),
            body: set.body.to_vec(),
            records: set.records,
            split: known.template.split(set.body).map_while(Result::ok).count(),
            replayed: set.replayed,
            stamp: known.plan.0,
            times: scope.clock.resolve(&self.times),
            sampling: scope.sampling.rate(&self.lookup),
        });
    }

    fn belief(&mut self, _sender: IpAddr, _origin: Origin) -> Belief {
        self.belief.unwrap_or(Belief::Sender)
    }

    fn copy(&mut self, _scope: &Scope<'_>, _known: &Known<Stamp>, set: DataSet<'_>) {
        self.copies += set.records;
    }

    fn template(&mut self, template: &Template) {
        self.templates.push(template.id);
    }

    fn set(&mut self, id: u16, outcome: SetOutcome) {
        self.sets.push((id, outcome));
    }

    fn fault(&mut self, error: WireError) {
        self.faults.push(error);
    }
}

impl Recorder {
    /// Records seen of one Template.
    pub(crate) fn records(&self, template: u16) -> u32 {
        let of = |seen: &&Seen| seen.template == template;
        self.seen.iter().filter(of).map(|seen| seen.records).sum()
    }
}

/// A lane with one exporter that sends to it.
pub(crate) struct Bench {
    pub(crate) sessions: Sessions<Stamp>,
    pub(crate) recorder: Recorder,
    pub(crate) peer: Peer,
    pub(crate) now_ms: u64,
}

impl Bench {
    pub(crate) fn new(limits: Limits, mode: ScopeMode) -> Self {
        Self {
            sessions: Sessions::new(limits, mode, 1),
            recorder: Recorder::default(),
            peer: peer(1, 2055),
            now_ms: 1_000_000,
        }
    }

    pub(crate) fn send(&mut self, message: &[u8]) -> Outcome {
        self.send_from(self.peer, message)
    }

    pub(crate) fn send_from(&mut self, peer: Peer, message: &[u8]) -> Outcome {
        let arrival = Arrival {
            monotonic_ms: self.now_ms,
            unix_ms: EXPORT_MS,
        };
        self.sessions
            .datagram(message, peer, arrival, &mut self.recorder)
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new(Limits::default(), ScopeMode::Fallback)
    }
}

/// Exporter 192.0.2.`host`, sending from `port`.
pub(crate) fn peer(host: u8, port: u16) -> Peer {
    Peer {
        exporter: IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)),
        port,
        local_port: 9995,
    }
}

/// A v9 Message.
pub(crate) fn v9(domain: u32, sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    v9_at(domain, sequence, 100_000, EXPORT_SECS, sets)
}

/// A v9 Message of its own times.
pub(crate) fn v9_at(
    domain: u32,
    sequence: u32,
    uptime: u32,
    secs: u32,
    sets: &[Vec<u8>],
) -> Vec<u8> {
    let count = u16::try_from(sets.len()).unwrap();
    let mut message = [9_u16, count].map(u16::to_be_bytes).concat();
    for word in [uptime, secs, sequence, domain] {
        message.extend(word.to_be_bytes());
    }
    message.extend(sets.concat());
    message
}

/// An IPFIX Message.
pub(crate) fn ipfix(domain: u32, sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    ipfix_at(domain, sequence, EXPORT_SECS, sets)
}

/// An IPFIX Message of its own export time.
pub(crate) fn ipfix_at(domain: u32, sequence: u32, secs: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let body = sets.concat();
    let length = u16::try_from(16 + body.len()).unwrap();
    let mut message = [10_u16, length].map(u16::to_be_bytes).concat();
    for word in [secs, sequence, domain] {
        message.extend(word.to_be_bytes());
    }
    message.extend(body);
    message
}

/// A v5 Message of `count` records.
pub(crate) fn v5(engine: u16, sequence: u32, count: u16, sampling: u16) -> Vec<u8> {
    let mut message = [5_u16, count].map(u16::to_be_bytes).concat();
    for word in [100_000, EXPORT_SECS, 0, sequence] {
        message.extend(word.to_be_bytes());
    }
    message.extend(engine.to_be_bytes());
    message.extend(sampling.to_be_bytes());
    message.extend(vec![7; usize::from(count) * 48]);
    message
}

/// A Set of any id.
pub(crate) fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + body.len()).unwrap();
    [&id.to_be_bytes()[..], &length.to_be_bytes(), body].concat()
}

/// A Template Record: id and (element, length) pairs.
pub(crate) fn template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut words = vec![id, u16::try_from(fields.len()).unwrap()];
    words.extend(
        fields
            .iter()
            .flat_map(|&(element, length)| [element, length]),
    );
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// An IPFIX Options Template Record.
pub(crate) fn options_template(id: u16, scopes: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut words = vec![id, u16::try_from(fields.len()).unwrap(), scopes];
    words.extend(
        fields
            .iter()
            .flat_map(|&(element, length)| [element, length]),
    );
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A v9 Options Template Record.
pub(crate) fn v9_options(id: u16, scopes: &[(u16, u16)], fields: &[(u16, u16)]) -> Vec<u8> {
    let octets = |fields: &[(u16, u16)]| u16::try_from(fields.len() * 4).unwrap();
    let mut words = vec![id, octets(scopes), octets(fields)];
    let all = scopes.iter().chain(fields);
    words.extend(all.flat_map(|&(element, length)| [element, length]));
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// Export time of all Messages, and their arrival.
pub(crate) const EXPORT_SECS: u32 = 1_700_000_000;
/// The same in milliseconds.
pub(crate) const EXPORT_MS: u64 = 1_700_000_000_000;
