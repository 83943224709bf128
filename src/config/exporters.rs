//! `[exporters]`: who is heard, and what is believed of them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::flowlog::Prefix;

use super::table::Table;

/// What is believed of exporters, and how much of it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exporters {
    /// Whose Templates a Data Set may use (P-403).
    pub template_scope: TemplateScope,
    /// How long a Template is used without being sent again, at least (P-410).
    pub template_lifetime: Duration,
    /// Whether Templates outlast a restart (P-413).
    pub persist_templates: bool,
    /// Largest sampling factor believed (P-811).
    pub sampling_max: u32,
    /// Distance of export time from arrival that is believed (P-233).
    pub export_skew_max: Duration,
    /// Age of a flow at export that is believed (P-231).
    pub flow_age_max: Duration,
    /// Sampling that the operator knows better, prefixes unique (P-213).
    pub sampling: Vec<Sampling>,
    /// How much is kept.
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

/// How much is kept of what exporters send. P-820.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Sessions past probation.
    pub sessions_max: usize,
    /// Sessions on probation; a new one takes the place of a random old one.
    pub probation_max: usize,
    /// New sessions a second of exporters no device names (P-801).
    pub sessions_per_second: u32,
    /// Exporters' domains with flows in the cache.
    pub sources_max: usize,
    /// Domains of all sessions.
    pub domains_max: usize,
    /// Domains of one session.
    pub domains_per_session_max: usize,
    /// Templates of one domain.
    pub templates_per_domain_max: usize,
    /// Definition octets of one session.
    pub session_definition_bytes_max: usize,
    /// Definition octets of all sessions.
    pub definition_bytes_max: usize,
    /// Fields of one Template.
    pub fields_per_template_max: usize,
    /// Octets of one session kept for Templates to come; 0 keeps nothing (P-414).
    pub session_orphan_bytes_max: usize,
    /// Octets of all sessions kept for Templates to come.
    pub orphan_bytes_max: usize,
    /// How long they are kept.
    pub orphan_age_max: Duration,
    /// Entries in the option tables of one session.
    pub option_entries_max: usize,
}

impl Default for Exporters {
    fn default() -> Self {
        Self {
            template_scope: TemplateScope::default(),
            template_lifetime: TEMPLATE_LIFETIME,
            persist_templates: PERSIST_TEMPLATES,
            sampling_max: SAMPLING_MAX,
            export_skew_max: EXPORT_SKEW_MAX,
            flow_age_max: FLOW_AGE_MAX,
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
        Self {
            template_scope: table
                .choice("template-scope", TEMPLATE_SCOPES)
                .unwrap_or_default(),
            template_lifetime: table
                .seconds("template-lifetime-s", 60..=691_200)
                .unwrap_or(default.template_lifetime),
            persist_templates: table
                .boolean("persist-templates")
                .unwrap_or(default.persist_templates),
            sampling_max,
            export_skew_max: table
                .seconds("max-export-skew-s", 1..=31_536_000)
                .unwrap_or(default.export_skew_max),
            flow_age_max: table
                .seconds("max-flow-age-s", 60..=2_147_483)
                .unwrap_or(default.flow_age_max),
            sampling: samplings(table, sampling_max),
            limits: table.section("limits", Limits::read),
        }
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

impl Limits {
    fn read(table: &mut Table<'_, '_>) -> Self {
        let default = Self::default();
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
        let orphan_age_max = table
            .seconds("max-orphan-age-s", 1..=3600)
            .unwrap_or(default.orphan_age_max);
        let sessions_per_second = table
            .integer("max-sessions-per-second", 1..=1_000_000)
            .unwrap_or(default.sessions_per_second);
        let mut count = |key, most, default| table.integer(key, 1..=most).unwrap_or(default);
        let domains = default.domains_per_session_max;
        let templates = default.templates_per_domain_max;
        let fields = default.fields_per_template_max;
        Self {
            sessions_max: count("max-sessions", 1_000_000, default.sessions_max),
            probation_max: count("max-probation", 1_000_000, default.probation_max),
            sessions_per_second,
            sources_max: count("max-sources", 16_000_000, default.sources_max),
            domains_max: count("max-domains", 16_000_000, default.domains_max),
            domains_per_session_max: count("max-domains-per-session", 65_536, domains),
            templates_per_domain_max: count("max-templates-per-domain", 65_280, templates),
            session_definition_bytes_max,
            definition_bytes_max,
            fields_per_template_max: count("max-fields-per-template", 16_370, fields),
            session_orphan_bytes_max,
            orphan_bytes_max,
            orphan_age_max,
            option_entries_max: count("max-option-entries", 16_000_000, default.option_entries_max),
        }
    }
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

/// The defaults of P-820.
impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions_max: 10_000,
            probation_max: 4_096,
            sessions_per_second: 1_000,
            sources_max: 65_536,
            domains_max: 16_384,
            domains_per_session_max: 64,
            templates_per_domain_max: 1_024,
            session_definition_bytes_max: 1 << 20,
            definition_bytes_max: 256 << 20,
            fields_per_template_max: 16_370,
            session_orphan_bytes_max: 256 << 10,
            orphan_bytes_max: 64 << 20,
            orphan_age_max: Duration::from_secs(60),
            option_entries_max: 65_536,
        }
    }
}

const TEMPLATE_SCOPES: &[(&str, TemplateScope)] = &[
    ("fallback", TemplateScope::Fallback),
    ("strict", TemplateScope::Strict),
    ("ip-only", TemplateScope::IpOnly),
];
const GIB: u64 = 1 << 30;
/// Three times the 30 minutes after which Huawei, H3C and ASA send again (P-410).
const TEMPLATE_LIFETIME: Duration = Duration::from_secs(5400);
/// A restart should not lose the half hour until Templates come again.
const PERSIST_TEMPLATES: bool = true;
/// One options record must not multiply all traffic (P-811).
const SAMPLING_MAX: u32 = 1_000_000;
/// Clocks set to the wrong time zone are still clocks; those in 1970 are not.
const EXPORT_SKEW_MAX: Duration = Duration::from_secs(86_400);
/// No exporter has an active timer of a day.
const FLOW_AGE_MAX: Duration = Duration::from_secs(86_400);
