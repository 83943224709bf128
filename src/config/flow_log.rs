//! `[[flow-log]]`, `[[device]]` and `[default-flow-log]`: the routing.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::cache::CacheType;
use crate::element;
use crate::element::ElementId;
use crate::flowlog::ACTIVE_S;
use crate::flowlog::Card;
use crate::flowlog::Definition;
use crate::flowlog::Device;
use crate::flowlog::ExporterMatch;
use crate::flowlog::FlowLog;
use crate::flowlog::INACTIVE_S;
use crate::flowlog::Inactive;
use crate::flowlog::Naming;
use crate::flowlog::OutputType;
use crate::flowlog::Role;
use crate::flowlog::Support;
use crate::flowlog::Timers;
use crate::flowlog::Traffic;
use crate::flowlog::Unclaimed;

use super::cloud;
use super::netflow;
use super::table::Table;
use super::value::Value;

/// Reads the routing; who is heard and who mediates is `[exporters]`'s.
pub(super) fn read(table: &mut Table<'_, '_>) -> Definition {
    let flow_logs = table.each("flow-log", |table| Some(flow_log(table)));
    let devices = table.each("device", |table| Some(device(table)));
    let routers = cloud::routers(table);
    let vpcs = cloud::vpcs(table);
    let attachments = cloud::attachments(table);
    let unclaimed = table.section("default-flow-log", unclaimed);
    with_built_in(Definition {
        flow_logs,
        devices,
        attachments,
        routers,
        vpcs,
        cls_project: None,
        unclaimed,
        allow: Vec::new(),
        mediators: Vec::new(),
    })
}

/// The routing without a file: one flow log takes everything.
pub(super) fn default() -> Definition {
    with_built_in(Definition {
        unclaimed: Unclaimed::Take(BUILT_IN.to_owned()),
        ..Definition::default()
    })
}

/// Adds the flow log that need not be defined, if it is meant and not defined.
fn with_built_in(mut definition: Definition) -> Definition {
    let is_meant = definition.unclaimed == Unclaimed::Take(BUILT_IN.to_owned());
    let mut logs = definition.flow_logs.iter();
    if is_meant && !logs.any(|log| log.name == BUILT_IN) {
        let built_in = FlowLog::new(BUILT_IN, BUILT_IN_PROJECT, BUILT_IN_LOGSTORE);
        definition.flow_logs.push(built_in);
    }
    definition
}

fn unclaimed(table: &mut Table<'_, '_>) -> Unclaimed {
    let takes = table
        .choice("action", &[("take", true), ("ignore", false)])
        .unwrap_or(true);
    let name = table.text("name");
    if takes {
        return Unclaimed::Take(name.unwrap_or_else(|| BUILT_IN.to_owned()));
    }
    if name.is_some() {
        let advice = "use action = \"take\", or remove the name";
        table.refuse(
            "name",
            "`action` is \"ignore\", so no flow log is taken",
            advice,
        );
    }
    Unclaimed::Ignore
}

fn flow_log(table: &mut Table<'_, '_>) -> FlowLog {
    let mut text = |key| table.text(key).unwrap_or_default();
    FlowLog {
        name: text("name"),
        description: text("description"),
        project: text("project"),
        logstore: text("logstore"),
        region: table.text("region"),
        naming: table.choice("naming", NAMINGS).unwrap_or_default(),
        fields: table.list("fields", field).unwrap_or_default(),
        output: output(table),
        netflow: netflow::read(table),
        timers: timers(table),
        cache: table.choice("cache", CACHES).unwrap_or_default(),
        extra: table.list("extra", element_of).unwrap_or_default(),
        traffic: table.choice("traffic", TRAFFICS).unwrap_or_default(),
        one_in: table
            .integer("sampling-one-in", 1..=u32::MAX.into())
            .and_then(NonZeroU32::new),
    }
}

fn output(table: &mut Table<'_, '_>) -> OutputType {
    table.choice("output", OUTPUTS).unwrap_or_default()
}

fn timers(table: &mut Table<'_, '_>) -> Timers {
    let default = Timers::default();
    let active = table
        .seconds("active-s", ACTIVE_S.0..=ACTIVE_S.1)
        .unwrap_or_else(|| default.active());
    let floor = default.inactive().floor().min(active);
    let inactive = match table.take("inactive-s") {
        Some(value) if value.as_text().is_some() => {
            let auto = value.choice(&[("auto", Inactive::Auto(floor))]);
            auto.unwrap_or(Inactive::Fixed(floor))
        }
        Some(value) => {
            let seconds = value.integer(INACTIVE_S.0..=INACTIVE_S.1);
            Inactive::Fixed(seconds.map_or(floor, Duration::from_secs))
        }
        None => Inactive::Fixed(floor),
    };
    Timers::new(active, inactive).unwrap_or_else(|problem| {
        table.refuse(&problem.place, problem.what, problem.advice);
        default
    })
}

/// The name of a column.
#[cfg(feature = "journal")]
fn field(value: Value<'_, '_>) -> Option<String> {
    let Some(name) = value.as_text() else {
        return value.text();
    };
    if let Err(unknown) = crate::sink::FieldChoice::new(Naming::Sag, [name]) {
        value.refuse(unknown.to_string(), "");
        return None;
    }
    value.text()
}

#[cfg(not(feature = "journal"))]
fn field(value: Value<'_, '_>) -> Option<String> {
    value.text()
}

/// An element by its name, or as `PEN/id`.
fn element_of(value: Value<'_, '_>) -> Option<ElementId> {
    let Some(name) = value.as_text() else {
        value.text();
        return None;
    };
    let by_number = || {
        let (pen, id) = name.split_once('/')?;
        let (pen, id) = (pen.parse().ok()?, id.parse().ok()?);
        Some(ElementId { pen, id })
    };
    let found = element::by_name(name)
        .map(|element| element.id)
        .or_else(by_number);
    if found.is_none() {
        let what = format!("no element is named `{}`", name.escape_debug());
        let advice = "use IANA's name, or PEN/id for an enterprise's own";
        value.refuse(what, advice);
    }
    found
}

fn device(table: &mut Table<'_, '_>) -> Device {
    Device {
        instance_id: table.text("instance-id").unwrap_or_default(),
        snid: table.text("snid"),
        ali_uid: table.text("ali-uid"),
        exporters: table.list("exporters", exporter).unwrap_or_default(),
        flow_logs: table.list("flow-logs", Value::text).unwrap_or_default(),
        card: Card {
            name: table.text("name").unwrap_or_default(),
            region: table.text("region"),
            role: table.choice("role", ROLES).unwrap_or_default(),
            support: table
                .choice("flow-log-support", SUPPORTS)
                .unwrap_or_default(),
        },
    }
}

/// An address or prefix, or a table with one and a domain.
pub(super) fn exporter(value: Value<'_, '_>) -> Option<ExporterMatch> {
    if !value.is_table() {
        let prefix = value.parsed("")?;
        return Some(ExporterMatch {
            prefix,
            domain: None,
        });
    }
    value.read(|table| {
        let advice = "say where its datagrams come from";
        let prefix = table.required("address", advice, |value| value.parsed(""));
        let domain = table.integer("domain", 0..=u32::MAX.into());
        Some(ExporterMatch {
            prefix: prefix?,
            domain,
        })
    })?
}

pub(super) const OUTPUTS: &[(&str, OutputType)] = &[
    ("sls", OutputType::Sls),
    ("netflow", OutputType::Netflow),
    ("all", OutputType::All),
];
pub(super) const TRAFFICS: &[(&str, Traffic)] = &[
    ("all", Traffic::All),
    ("accept", Traffic::Accept),
    ("reject", Traffic::Reject),
];
pub(super) const ROLES: &[(&str, Role)] = &[
    ("single", Role::Single),
    ("active", Role::Active),
    ("standby", Role::Standby),
];
pub(super) const SUPPORTS: &[(&str, Support)] = &[
    ("full", Support::Full),
    ("no-model", Support::NoModel),
    ("no-edition", Support::NoEdition),
];
pub(super) const NAMINGS: &[(&str, Naming)] = &[("sag", Naming::Sag), ("vpc", Naming::Vpc)];
const CACHES: &[(&str, CacheType)] = &[
    ("on", CacheType::Timeout),
    ("natural", CacheType::Natural),
    ("off", CacheType::Immediate),
];
/// The flow log for exporters nobody claims, unless one of that name is defined.
const BUILT_IN: &str = "default";
const BUILT_IN_PROJECT: &str = "flowlogd";
const BUILT_IN_LOGSTORE: &str = "flows";
