//! What a definition may not say of the clouds' networks and what is attached
//! to them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::NAME_MAX;
use super::Problem;
use super::repeated;
use super::text;
use super::unheard;
use crate::flowlog::Attachment;
use crate::flowlog::Definition;
use crate::flowlog::ExporterMatch;
use crate::flowlog::Network;
use crate::flowlog::ROUTES_MAX;

/// Routers and private networks.
pub(super) fn networks(definition: &Definition, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, router) in definition.routers.iter().enumerate() {
        let at = format!("router[{index}].id");
        text(at.clone(), &router.id, NAME_MAX, problems);
        once(&mut seen, at, &router.id, problems);
    }
    for (index, vpc) in definition.vpcs.iter().enumerate() {
        let at = |key: &str| format!("vpc[{index}].{key}");
        text(at("id"), &vpc.id, NAME_MAX, problems);
        let legacy_id = vpc.legacy_id.as_ref();
        let ids = [("id", Some(&vpc.id)), ("legacy-id", legacy_id)];
        for (key, id) in ids {
            if let Some(id) = id {
                once(&mut seen, at(key), id, problems);
            }
        }
        repeated(&vpc.subnets, "subnet", at("subnets"), problems);
    }
}

/// What is attached, each for itself and all of an exporter together.
pub(super) fn attachments(definition: &Definition, problems: &mut Vec<Problem>) {
    let devices = definition.devices.iter();
    let mut seen: BTreeSet<&str> = devices.map(|device| &*device.instance_id).collect();
    for (index, attachment) in definition.attachments.iter().enumerate() {
        let at = |key: &str| format!("attachment[{index}].{key}");
        text(at("id"), &attachment.id, NAME_MAX, problems);
        once(&mut seen, at("id"), &attachment.id, problems);
        if let Some(account) = &attachment.account {
            text(at("account"), account, NAME_MAX, problems);
        }
        network(definition, attachment, at, problems);
        if attachment.exporters.is_empty() {
            let what = "names no exporter, so nothing can be seen of this attachment";
            let advice = "list the addresses its datagrams come from";
            problems.push(Problem::new(at("exporters"), what, advice));
        }
        for (place, exporter) in attachment.exporters.iter().enumerate() {
            let at = at(&format!("exporters[{place}]"));
            problems.extend(unheard(definition, exporter, at));
        }
        repeated(
            &attachment.exporters.iter().map(shown).collect::<Vec<_>>(),
            "exporter",
            at("exporters"),
            problems,
        );
        let interfaces = &attachment.interfaces;
        repeated(interfaces, "interface", at("interfaces"), problems);
    }
    crowded(definition, problems);
}

/// Whether an attachment is where its kind can be.
fn network(
    definition: &Definition,
    attachment: &Attachment,
    at: impl Fn(&str) -> String,
    problems: &mut Vec<Problem>,
) {
    let kind = attachment.kind.network();
    let id = attachment.network.as_deref();
    let vpc = definition.vpcs.iter().find(|vpc| Some(&*vpc.id) == id);
    let is_there = match kind {
        Network::Router => definition.routers.iter().any(|it| Some(&*it.id) == id),
        Network::Vpc => vpc.is_some(),
        Network::None => id.is_none(),
    };
    if !is_there {
        let what = match id {
            Some(id) => format!("`{id}` is none that this can be attached to"),
            None => "missing".to_owned(),
        };
        let advice = match kind {
            Network::Router => "name the id of a [[router]]",
            Network::Vpc => "name the id of a [[vpc]]",
            Network::None => "a ccn belongs to no one network: leave it out",
        };
        problems.push(Problem::new(at("network"), what, advice));
    }
    if let Some(subnet) = &attachment.subnet
        && !vpc.is_some_and(|vpc| vpc.subnets.contains(subnet))
    {
        let what = format!("its network has no subnet `{subnet}`");
        let advice = "list it in the subnets of the [[vpc]]";
        problems.push(Problem::new(at("subnet"), what, advice));
    }
}

/// Interfaces of which too many flow logs are made.
fn crowded(definition: &Definition, problems: &mut Vec<Problem>) {
    let mut counts: BTreeMap<(ExporterMatch, Option<u32>), usize> = BTreeMap::new();
    for (index, attachment) in definition.attachments.iter().enumerate() {
        let interfaces = attachment.interfaces.iter().copied().map(Some);
        let all = attachment.interfaces.is_empty().then_some(None);
        let sides: Vec<_> = interfaces.chain(all).collect();
        let mut most = 0;
        for exporter in &attachment.exporters {
            for side in &sides {
                let count = counts.entry((*exporter, *side)).or_default();
                *count += attachment.flow_logs.len();
                most = most.max(*count);
            }
        }
        if most > ROUTES_MAX && attachment.flow_logs.len() <= ROUTES_MAX {
            let at = format!("attachment[{index}].flow-logs");
            let what = format!("{most} flow logs for one interface, at most {ROUTES_MAX}");
            let advice = "each record would enter the cache once for each of them";
            problems.push(Problem::new(at, what, advice));
        }
    }
}

fn once<'a>(seen: &mut BTreeSet<&'a str>, at: String, id: &'a str, problems: &mut Vec<Problem>) {
    if !seen.insert(id) {
        let what = format!("`{id}` is something else already");
        problems.push(Problem::new(at, what, "give each an id of its own"));
    }
}

fn shown(exporter: &ExporterMatch) -> String {
    super::Claim(exporter).to_string()
}
