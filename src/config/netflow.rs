//! Re-export: `[netflow]`, and where a flow log re-exports to, `netflow-server`
//! and `[[flow-log.netflow]]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::flow::Filter;
use crate::flowlog::ExportedDomains;
use crate::flowlog::ExportedOrigin;
use crate::flowlog::ExportedSampling;
use crate::flowlog::MESSAGE_BYTES;
use crate::flowlog::NetflowOutput;
use crate::flowlog::NetflowTarget;
use crate::flowlog::NetflowVersion;
use crate::flowlog::Refresh;
use crate::flowlog::Server;
use crate::flowlog::Transport;

use super::table::Table;
use super::value::Value;

/// Bounds of re-export, for all collectors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Netflow {
    /// Collectors at most; each has a thread.
    pub collectors_max: usize,
    /// Octets of batches that may wait for one collector.
    pub queue_bytes: usize,
    /// Templates of one domain of one collector at most.
    pub templates_max: usize,
    /// Rates of sampling that one domain of one collector is told at most.
    pub samplers_max: usize,
    /// How long to wait after a connection failed.
    pub reconnect: Duration,
}

impl Default for Netflow {
    fn default() -> Self {
        Self {
            collectors_max: COLLECTORS_MAX,
            queue_bytes: QUEUE_BYTES,
            templates_max: TEMPLATES_MAX,
            samplers_max: SAMPLERS_MAX,
            reconnect: RECONNECT,
        }
    }
}

impl Netflow {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            collectors_max: table
                .integer("max-collectors", 1..=1_024)
                .unwrap_or(default.collectors_max),
            queue_bytes: table
                .integer("queue-bytes", 1 << 20..=1 << 34)
                .unwrap_or(default.queue_bytes),
            templates_max: table
                .integer("max-templates", 16..=60_000)
                .unwrap_or(default.templates_max),
            samplers_max: table
                .integer("max-samplers", 1..=60_000)
                .unwrap_or(default.samplers_max),
            reconnect: table
                .seconds("reconnect-s", 1..=3_600)
                .unwrap_or(default.reconnect),
        }
    }
}

/// Reads the collectors of a flow log: one in two keys, as the flow log API has
/// it, and any in tables of their own.
pub(super) fn read(table: &mut Table<'_, '_>) -> Vec<NetflowOutput> {
    let server = table.take("netflow-server").and_then(server);
    let version = table
        .choice("netflow-version", VERSIONS)
        .unwrap_or_default();
    let short = server.map(|server| NetflowOutput {
        target: NetflowTarget::new(server, version),
        filter: None,
    });
    let long = table.each("netflow", output);
    short.into_iter().chain(long).collect()
}

fn output(table: &mut Table<'_, '_>) -> Option<NetflowOutput> {
    let target = target(table);
    let filter = table.take("filter").and_then(filter);
    Some(NetflowOutput {
        target: target?,
        filter,
    })
}

fn target(table: &mut Table<'_, '_>) -> Option<NetflowTarget> {
    let server = table.required("server", "name the collector", server);
    let version = table.choice("version", VERSIONS).unwrap_or_default();
    let transport = table.choice("transport", TRANSPORTS).unwrap_or_default();
    let sampling = table.choice("sampling", SAMPLINGS).unwrap_or_default();
    let origin = table.choice("origin", ORIGINS).unwrap_or_default();
    let domains = domains(table);
    let message_bytes = table.integer("message-bytes", MESSAGE_BYTES.0..=MESSAGE_BYTES.1);
    let messages_per_s = table.integer("messages-per-s", MESSAGES_PER_S);
    let refresh = refresh(table);
    let plain = NetflowTarget::new(server?, version);
    Some(NetflowTarget {
        transport,
        sampling,
        origin,
        domains,
        message_bytes: message_bytes.unwrap_or(plain.message_bytes),
        messages_per_s: messages_per_s.unwrap_or(plain.messages_per_s),
        refresh,
        ..plain
    })
}

fn domains(table: &mut Table<'_, '_>) -> ExportedDomains {
    let per_exporter = table.boolean("domain-per-exporter").unwrap_or_default();
    let one = table.integer("domain", 0..=u32::MAX.into());
    if per_exporter && one.is_some() {
        let what = "`domain-per-exporter` is true, so there is no one domain";
        table.refuse("domain", what, "remove one of the two");
    }
    match per_exporter {
        true => ExportedDomains::PerExporter,
        false => ExportedDomains::One(one.unwrap_or_default()),
    }
}

fn refresh(table: &mut Table<'_, '_>) -> Refresh {
    let default = Refresh::default();
    Refresh {
        period: table
            .seconds("template-refresh-s", REFRESH_S)
            .unwrap_or(default.period),
        messages: table
            .integer("template-refresh-messages", REFRESH_MESSAGES)
            .unwrap_or(default.messages),
    }
}

fn server(value: Value<'_, '_>) -> Option<Server> {
    value.parsed("write an address or a host name, with its port or without (9995)")
}

fn filter(value: Value<'_, '_>) -> Option<Filter> {
    let text = value.as_text().map(str::to_owned);
    let Some(text) = text else {
        value.text();
        return None;
    };
    let problem = match Filter::parse(&text) {
        Ok(filter) => return Some(filter),
        Err(problem) => problem,
    };
    value.refuse(problem.to_string(), "write it as for `flowlogd top`");
    None
}

/// More collectors than that are served better by one that hands on.
const COLLECTORS_MAX: usize = 64;
/// 300 000 flows.
const QUEUE_BYTES: usize = 64 << 20;
/// Networks have some dozens of combinations of fields.
const TEMPLATES_MAX: usize = 1_024;
/// Networks have a handful of rates.
const SAMPLERS_MAX: usize = 256;
/// RFC 7011 §10.4.4: not more often than once a minute.
const RECONNECT: Duration = Duration::from_secs(60);
pub(super) const VERSIONS: &[(&str, NetflowVersion)] = &[
    ("v5", NetflowVersion::V5),
    ("v9", NetflowVersion::V9),
    ("v10", NetflowVersion::V10),
];
const TRANSPORTS: &[(&str, Transport)] = &[("udp", Transport::Udp), ("tcp", Transport::Tcp)];
const SAMPLINGS: &[(&str, ExportedSampling)] = &[
    ("raw", ExportedSampling::Raw),
    ("normalised", ExportedSampling::Normalised),
];
const ORIGINS: &[(&str, ExportedOrigin)] = &[
    ("auto", ExportedOrigin::Auto),
    ("exporter", ExportedOrigin::Exporter),
    ("original", ExportedOrigin::Original),
    ("omit", ExportedOrigin::Omitted),
];
/// Seconds between repetitions of Templates.
const REFRESH_S: RangeInclusive<u64> = 1..=86_400;
/// Messages a second.
const MESSAGES_PER_S: RangeInclusive<u64> = 1..=10_000_000;
/// Messages between repetitions of Templates.
const REFRESH_MESSAGES: RangeInclusive<u64> = 1..=1_000_000;
