//! `[exporters]`: who is heard, and what is believed of them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::flowlog::Prefix;
use crate::session::Limits;

use super::table::Table;
use super::value::ms;

/// What is believed of exporters, and how much of it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exporters {
    /// Whose Templates a Data Set may use (P-403).
    pub template_scope: TemplateScope,
    /// Whether Templates outlast a restart (P-413).
    pub persist_templates: bool,
    /// Largest sampling factor believed (P-811).
    pub sampling_max: u32,
    /// How long an exporter may send nothing before it counts as silent.
    pub silent_after: Duration,
    /// Sampling that the operator knows better, prefixes unique (P-213).
    pub sampling: Vec<Sampling>,
    /// How much is kept and for how long, of all lanes together.
    pub limits: Limits,
}

/// Whose Templates a Data Set may use. P-402, P-403.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TemplateScope {
    /// Those of the same exporter, port and domain.
    Strict,
    /// Those; without one, what all other ports of the exporter agree on.
    #[default]
    Fallback,
    /// The latest of the exporter, whatever the port.
    IpOnly,
}

/// The sampling of some exporters, as the operator knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sampling {
    /// Whose.
    pub exporter: Prefix,
    /// Packets that passed for each that was metered; at least 1.
    pub one_in: u32,
    /// Against what the exporter says.
    pub when: SamplingUse,
}

/// When the operator's sampling counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SamplingUse {
    /// When the exporter says nothing.
    #[default]
    Unknown,
    /// Whatever the exporter says.
    Always,
}

impl Default for Exporters {
    fn default() -> Self {
        Self {
            template_scope: TemplateScope::default(),
            persist_templates: PERSIST_TEMPLATES,
            sampling_max: SAMPLING_MAX,
            silent_after: SILENT_AFTER,
            sampling: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Exporters {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let default = Self::default();
        let sampling_max = table
            .integer("max-sampling", 1..=u32::MAX.into())
            .unwrap_or(default.sampling_max);
        let mut exporters = Self {
            template_scope: table
                .choice("template-scope", TEMPLATE_SCOPES)
                .unwrap_or_default(),
            persist_templates: table
                .boolean("persist-templates")
                .unwrap_or(default.persist_templates),
            sampling_max,
            silent_after: table
                .seconds("silent-after-s", 1..=86_400)
                .unwrap_or(default.silent_after),
            sampling: samplings(table, sampling_max),
            limits: table.section("limits", limits),
        };
        let limits = &mut exporters.limits;
        if let Some(lifetime) = table.seconds("template-lifetime-s", 60..=691_200) {
            limits.template_lifetime_ms = ms(lifetime);
            // A session is not forgotten before its Templates are (P-416).
            limits.session_idle_ms = limits.session_idle_ms.max(2 * ms(lifetime));
        }
        limits.template_messages_max =
            unless_0(table.integer("template-lifetime-messages", 0..=1_000_000_000));
        if let Some(skew) = table.seconds("max-export-skew-s", 1..=31_536_000) {
            limits.clock.export_skew_max_ms = ms(skew);
        }
        if let Some(age) = table.seconds("max-flow-age-s", 60..=2_147_483) {
            limits.clock.flow_age_max_ms = ms(age);
        }
        exporters
    }
}

fn samplings(table: &mut Table<'_, '_>, most: u32) -> Vec<Sampling> {
    let samplings = table.each("sampling", |table| Sampling::read(table, most));
    let mut seen = BTreeSet::new();
    for (index, Sampling { exporter, .. }) in samplings.iter().enumerate() {
        if !seen.insert(exporter) {
            let place = format!("sampling[{index}].exporter");
            let what = format!("{exporter} has a sampling already");
            table.refuse(&place, what, "keep one of them");
        }
    }
    samplings
}

impl Sampling {
    fn read(table: &mut Table<'_, '_>, most: u32) -> Option<Self> {
        let exporter = table.required("exporter", "say whose sampling it is", |value| {
            value.parsed("")
        });
        let one_in = table.required(
            "one-in",
            "say of how many packets one is metered",
            |value| value.integer(1..=most.into()),
        );
        let whens = [
            ("unknown", SamplingUse::Unknown),
            ("always", SamplingUse::Always),
        ];
        let when = table.choice("when", &whens).unwrap_or_default();
        Some(Self {
            exporter: exporter?,
            one_in: one_in?,
            when,
        })
    }
}

/// How much is kept of what exporters send. P-820.
fn limits(table: &mut Table<'_, '_>) -> Limits {
    let default = Limits::default();
    let (session_definition_bytes_max, definition_bytes_max) = shares(
        table,
        ("max-session-definition-bytes", "max-definition-bytes"),
        1,
        (
            default.session_definition_bytes_max,
            default.definition_bytes_max,
        ),
    );
    let (session_orphan_bytes_max, orphan_bytes_max) = shares(
        table,
        ("max-session-orphan-bytes", "max-orphan-bytes"),
        0,
        (default.session_orphan_bytes_max, default.orphan_bytes_max),
    );
    let orphan_age_max = table.seconds("max-orphan-age-s", 1..=3600);
    let sessions_per_second = table.integer("max-sessions-per-second", 1..=1_000_000);
    let records_per_second = table.integer("max-records-per-second", 0..=100_000_000);
    let mut count = |key, most, default| table.integer(key, 1..=most).unwrap_or(default);
    let domains = default.domains_per_session_max;
    let templates = default.templates_per_domain_max;
    let fields = default.fields_per_template_max;
    Limits {
        sessions_max: count("max-sessions", 1_000_000, default.sessions_max),
        probation_max: count("max-probation", 1_000_000, default.probation_max),
        sessions_per_second: sessions_per_second.unwrap_or(default.sessions_per_second),
        sources_max: count("max-sources", 16_000_000, default.sources_max),
        domains_max: count("max-domains", 16_000_000, default.domains_max),
        domains_per_session_max: count("max-domains-per-session", 65_536, domains),
        templates_per_domain_max: count("max-templates-per-domain", 65_280, templates),
        session_definition_bytes_max,
        definition_bytes_max,
        fields_per_template_max: count("max-fields-per-template", 16_370, fields),
        session_orphan_bytes_max,
        orphan_bytes_max,
        orphan_age_max_ms: orphan_age_max.map_or(default.orphan_age_max_ms, |age| Some(ms(age))),
        option_entries_max: count("max-option-entries", 16_000_000, default.option_entries_max),
        records_per_second_max: unless_0(records_per_second),
        ..default
    }
}

/// A limit of which 0 is none.
fn unless_0(limit: Option<u32>) -> Option<u32> {
    limit.filter(|&limit| limit > 0)
}

/// Octets of one session and of all; a part may not be larger than the whole,
/// and where the file does not say, it is not.
fn shares(
    table: &mut Table<'_, '_>,
    (part_key, whole_key): (&'static str, &'static str),
    least: u64,
    (part, whole): (usize, usize),
) -> (usize, usize) {
    let whole = table.integer(whole_key, least..=64 * GIB).unwrap_or(whole);
    let part = table
        .integer(part_key, least..=GIB)
        .unwrap_or_else(|| part.min(whole));
    if part > whole {
        let what = format!("{part} is more than all sessions together may have");
        table.refuse(part_key, what, format!("`{whole_key}` is {whole}"));
    }
    (part, whole)
}

const TEMPLATE_SCOPES: &[(&str, TemplateScope)] = &[
    ("fallback", TemplateScope::Fallback),
    ("strict", TemplateScope::Strict),
    ("ip-only", TemplateScope::IpOnly),
];
const GIB: u64 = 1 << 30;
/// A restart should not lose the half hour until Templates come again.
const PERSIST_TEMPLATES: bool = true;
/// One options record must not multiply all traffic (P-811).
const SAMPLING_MAX: u32 = 1_000_000;
/// Twice the longest active timer that is usual.
const SILENT_AFTER: Duration = Duration::from_secs(600);
