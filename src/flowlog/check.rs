//! What a definition may not say, all of it found in one go.

mod cloud;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use super::Definition;
use super::Device;
use super::EXTRA_MAX;
use super::ExporterMatch;
use super::FlowLog;
use super::NetflowTarget;
use super::NetflowVersion;
use super::OUTPUTS_MAX;
use super::Prefix;
use super::ROUTES_MAX;
use super::Transport;
use super::Unclaimed;
use super::change::LIVE_MAX;
use super::refusal;

/// One thing that is wrong with a definition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// What it is about, as a path into the definition with the config file's
    /// names, counted from 0: `device[1].flow-logs[0]`.
    pub place: String,
    /// What is wrong, with the value and what was expected.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(
        place: impl Into<String>,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
            advice: advice.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.what, self.advice)
    }
}

/// Every problem of a definition, in the order of its parts.
pub(super) fn check(definition: &Definition) -> Vec<Problem> {
    let mut problems = Vec::new();
    flow_logs(&definition.flow_logs, &mut problems);
    devices(&definition.devices, &mut problems);
    if let Some(project) = &definition.cls_project {
        let at = "control.cls-project".to_owned();
        sls_name(at, project, PROJECT_MIN, "", &mut problems);
    }
    cloud::networks(definition, &mut problems);
    cloud::attachments(definition, &mut problems);
    bindings(definition, &mut problems);
    claims(definition, &mut problems);
    mediators(definition, &mut problems);
    problems
}

fn flow_logs(flow_logs: &[FlowLog], problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, log) in flow_logs.iter().enumerate() {
        let at = |key: &str| format!("flow-log[{index}].{key}");
        text(at("name"), &log.name, NAME_MAX, problems);
        if !seen.insert(&log.name) {
            let what = format!("another flow log is named `{}` too", log.name);
            problems.push(Problem::new(at("name"), what, "give it a name of its own"));
        }
        if log.description.chars().count() > DESCRIPTION_MAX {
            let what = format!("is longer than {DESCRIPTION_MAX} characters");
            problems.push(Problem::new(at("description"), what, "shorten it"));
        }
        destination(log, at, problems);
        if log.extra.len() > EXTRA_MAX {
            let what = format!("{} elements, at most {EXTRA_MAX}", log.extra.len());
            let advice = "keep those that somebody reads";
            problems.push(Problem::new(at("extra"), what, advice));
        }
        repeated(&log.extra, "element", at("extra"), problems);
    }
}

fn destination(log: &FlowLog, at: impl Fn(&str) -> String, problems: &mut Vec<Problem>) {
    if log.output.has_logstore() || !log.project.is_empty() {
        sls_name(at("project"), &log.project, PROJECT_MIN, "", problems);
    }
    if log.output.has_logstore() || !log.logstore.is_empty() {
        sls_name(at("logstore"), &log.logstore, LOGSTORE_MIN, "_", problems);
    }
    if log.output.has_netflow() && log.netflow.is_empty() {
        let what = "missing, but the output needs it";
        let advice = "name the collector, or use output = \"sls\"";
        problems.push(Problem::new(at("netflow-server"), what, advice));
    }
    if log.netflow.len() > OUTPUTS_MAX {
        let what = format!("{} collectors, at most {OUTPUTS_MAX}", log.netflow.len());
        let advice = "have one of them hand on to the others";
        problems.push(Problem::new(at("netflow"), what, advice));
    }
    let targets = log.netflow.iter().map(|output| &output.target);
    for (index, target) in targets.clone().enumerate() {
        let at = |key: &str| at(&format!("netflow[{index}].{key}"));
        collector(target, &at, problems);
        if targets.clone().take(index).any(|earlier| earlier == target) {
            let advice = "one output to a collector has all filters: join them with `or`";
            problems.push(Problem::new(
                at("server"),
                "the same collector twice",
                advice,
            ));
        }
    }
}

fn collector(target: &NetflowTarget, at: &impl Fn(&str) -> String, problems: &mut Vec<Problem>) {
    // Which addresses are our own, the definition does not know.
    let address = target.server.address();
    if let Some(why) = address.and_then(|address| refusal(address, &[])) {
        let what = format!("{} {why}", target.server);
        problems.push(Problem::new(at("server"), what, "name a collector"));
    }
    if target.transport == Transport::Tcp && target.version != NetflowVersion::V10 {
        let what = format!("{} is not spoken over TCP", target.version.label());
        problems.push(Problem::new(at("transport"), what, "use version = \"v10\""));
    }
}

fn devices(devices: &[Device], problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, device) in devices.iter().enumerate() {
        let at = |key: &str| format!("device[{index}].{key}");
        let ids = [
            ("instance-id", Some(&device.instance_id)),
            ("snid", device.snid.as_ref()),
            ("ali-uid", device.ali_uid.as_ref()),
        ];
        for (key, id) in ids {
            if let Some(id) = id {
                text(at(key), id, NAME_MAX, problems);
            }
        }
        if !seen.insert((&device.instance_id, &device.snid)) {
            let what = format!("another device is `{}` too", device.instance_id);
            let advice = "list all its exporters in one device, or give each its own snid";
            problems.push(Problem::new(at("instance-id"), what, advice));
        }
        if device.exporters.is_empty() {
            let what = "names no exporter, so nothing can come from this device";
            let advice = "list the addresses its datagrams come from";
            problems.push(Problem::new(at("exporters"), what, advice));
        }
    }
}

/// Flow logs that devices and the default name.
fn bindings(definition: &Definition, problems: &mut Vec<Problem>) {
    let known: BTreeSet<&str> = definition.flow_logs.iter().map(|log| &*log.name).collect();
    let unknown = |at: String, name: &str| {
        let what = format!("no flow log is named `{name}`");
        let list = known.iter().copied().collect::<Vec<_>>().join(", ");
        let advice = if list.is_empty() {
            "there is none yet; add a [[flow-log]]".to_owned()
        } else {
            format!("flow logs are: {list}")
        };
        (!known.contains(name)).then(|| Problem::new(at, what, advice))
    };
    let devices = definition.devices.iter();
    let devices = devices.map(|device| ("device", &device.flow_logs));
    let attachments = definition.attachments.iter();
    let attachments = attachments.map(|it| ("attachment", &it.flow_logs));
    let mut routes = 1;
    for bound in [devices.collect::<Vec<_>>(), attachments.collect()] {
        for (index, (what, flow_logs)) in bound.into_iter().enumerate() {
            let at = format!("{what}[{index}].flow-logs");
            for (place, name) in flow_logs.iter().enumerate() {
                problems.extend(unknown(format!("{at}[{place}]"), name));
            }
            routes += flow_logs.len().max(1);
            bound_to(flow_logs, &at, problems);
        }
    }
    if let Unclaimed::Take(name) = &definition.unclaimed {
        problems.extend(unknown("default-flow-log.name".to_owned(), name));
    }
    if routes > LIVE_MAX {
        let what = format!("{routes} bindings to flow logs, at most {LIVE_MAX}");
        problems.push(Problem::new("device", what, "run a second collector"));
    }
}

/// Flow logs of one device or attachment.
fn bound_to(flow_logs: &[String], at: &str, problems: &mut Vec<Problem>) {
    if flow_logs.len() > ROUTES_MAX {
        let what = format!("{} flow logs, at most {ROUTES_MAX}", flow_logs.len());
        let advice = "each record would enter the cache once for each of them";
        problems.push(Problem::new(at, what, advice));
    }
    repeated(flow_logs, "flow log", at.to_owned(), problems);
}

/// Exporters that two devices claim alike, or that are never heard.
fn claims(definition: &Definition, problems: &mut Vec<Problem>) {
    let mut owners: BTreeMap<ExporterMatch, &str> = BTreeMap::new();
    for (index, device) in definition.devices.iter().enumerate() {
        for (place, exporter) in device.exporters.iter().enumerate() {
            let at = format!("device[{index}].exporters[{place}]");
            if let Some(owner) = owners.insert(*exporter, &device.instance_id) {
                let what = format!("device `{owner}` claims {} too", Claim(exporter));
                let advice = "an exporter belongs to one device; bind that to all flow logs";
                problems.push(Problem::new(&*at, what, advice));
            }
            problems.extend(unheard(definition, exporter, at));
        }
    }
}

/// What is wrong with an exporter that is never heard. A mediator that is heard
/// may speak for whom is not.
fn unheard(definition: &Definition, exporter: &ExporterMatch, at: String) -> Option<Problem> {
    let prefix = &exporter.prefix;
    let is_unheard = definition.mediators.is_empty() && is_excluded(definition, prefix);
    is_unheard.then(|| {
        let what = format!("exporters.allow excludes {prefix}");
        let advice = "nothing would be heard from it; extend the list or remove it here";
        Problem::new(at, what, advice)
    })
}

/// Mediators that are never heard.
fn mediators(definition: &Definition, problems: &mut Vec<Problem>) {
    for (index, mediator) in definition.mediators.iter().enumerate() {
        if is_excluded(definition, mediator) {
            let at = format!("exporters.mediators[{index}]");
            let what = format!("exporters.allow excludes {mediator}");
            let advice = "nothing would be heard from it; extend that list or remove it here";
            problems.push(Problem::new(at, what, advice));
        }
    }
}

/// Whether the allow-list excludes all of a prefix.
fn is_excluded(definition: &Definition, prefix: &Prefix) -> bool {
    let allow = &definition.allow;
    !allow.is_empty() && !allow.iter().any(|block| block.overlaps(prefix))
}

/// What a device claims, in words.
struct Claim<'a>(&'a ExporterMatch);

impl fmt::Display for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.domain {
            Some(domain) => write!(f, "domain {domain} of {}", self.0.prefix),
            None => write!(f, "{}", self.0.prefix),
        }
    }
}

fn repeated<T: Ord + fmt::Display>(
    items: &[T],
    noun: &str,
    at: String,
    problems: &mut Vec<Problem>,
) {
    let mut seen = BTreeSet::new();
    let twice = items.iter().find(|item| !seen.insert(*item));
    if let Some(item) = twice {
        let what = format!("{noun} `{item}` is named twice");
        problems.push(Problem::new(at, what, "name it once"));
    }
}

fn text(at: String, value: &str, most: usize, problems: &mut Vec<Problem>) {
    let length = value.chars().count();
    let what = if value.chars().any(char::is_control) {
        "has control characters".to_owned()
    } else if length == 0 || length > most {
        format!("must have 1 to {most} characters, not {length}")
    } else {
        return;
    };
    problems.push(Problem::new(at, what, "it becomes a column of every row"));
}

fn sls_name(at: String, name: &str, least: usize, also: &str, problems: &mut Vec<Problem>) {
    if is_sls_name(name, least, also) {
        return;
    }
    let what = if name.is_empty() {
        "missing, but the output needs it".to_owned()
    } else {
        format!("`{}` is no name that SLS takes", name.escape_debug())
    };
    let advice = format!(
        "{least} to {SLS_NAME_MAX} of a-z, 0-9, -{also}, with a letter or digit at both ends"
    );
    problems.push(Problem::new(at, what, advice));
}

/// Whether SLS takes a name for a project.
pub(super) fn is_project(name: &str) -> bool {
    is_sls_name(name, PROJECT_MIN, "")
}

/// Whether SLS takes a name for a logstore.
pub(super) fn is_logstore(name: &str) -> bool {
    is_sls_name(name, LOGSTORE_MIN, "_")
}

/// Lower case, digits, `-` and `also`, none of the latter at the ends.
fn is_sls_name(name: &str, least: usize, also: &str) -> bool {
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.chars()
        .all(|c| is_alphanumeric(c) || c == '-' || also.contains(c))
        && name.starts_with(is_alphanumeric)
        && name.ends_with(is_alphanumeric)
        && (least..=SLS_NAME_MAX).contains(&name.len())
}

/// Characters of a name or id: the flow log API's cap.
pub(super) const NAME_MAX: usize = 128;
/// Characters of a description: the flow log API's cap.
pub(super) const DESCRIPTION_MAX: usize = 256;
/// Characters of a project, at least.
const PROJECT_MIN: usize = 3;
/// Characters of a logstore, at least.
const LOGSTORE_MIN: usize = 2;
/// Characters of a project or logstore.
const SLS_NAME_MAX: usize = 63;
