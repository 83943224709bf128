//! Where a flow log re-exports to: `netflow-server` and `[[flow-log.netflow]]`.

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
    let refresh = refresh(table);
    let plain = NetflowTarget::new(server?, version);
    Some(NetflowTarget {
        transport,
        sampling,
        origin,
        domains,
        message_bytes: message_bytes.unwrap_or(plain.message_bytes),
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

const VERSIONS: &[(&str, NetflowVersion)] = &[
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
const REFRESH_S: std::ops::RangeInclusive<u64> = 1..=86_400;
/// Messages between repetitions of Templates.
const REFRESH_MESSAGES: std::ops::RangeInclusive<u64> = 1..=1_000_000;
