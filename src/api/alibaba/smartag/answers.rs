//! What the product's answers tell (control-plane.md §1.2).
//!
//! A list is there also when it is empty, within an object that names its
//! entries; a text that is optional and empty is left out.

use serde_json::{Map, Value, json};

use super::{Params, Read};
use crate::api::alibaba::Tree;
use crate::api::alibaba::failure::Failure;
use crate::api::control::Made;
use crate::flowlog::NetflowVersion;
use crate::flowlog::control::Inventory;
use crate::flowlog::control::State;
use crate::flowlog::control::sag;

/// Answers an action that only looks.
///
/// # Errors
/// A parameter is missing or none, or what is named is not there.
pub(super) fn read(read: Read, params: &Params, made: &Made) -> Result<Tree, Failure> {
    let (state, inventory) = (made.state.as_ref(), made.inventory.as_ref());
    let tree = match read {
        Read::FlowLogs => flow_logs(params, state, inventory),
        Read::Bound => bound(params, state, inventory),
        Read::Unbound => unbound(params, state, inventory),
    };
    Ok(tree?)
}

/// Flow logs; one that is not there is none of them, and no error.
fn flow_logs(params: &Params, state: &State, inventory: &Inventory) -> Result<Tree, sag::Refused> {
    let scope = params.scope()?;
    let (filter, page) = (params.filter()?, params.page()?);
    let operators = &inventory.operators.sag;
    let found = state.sag.describe(&scope, operators, &filter, page);
    let logs = found.entries.iter().map(|log| {
        let id = log.id.as_str();
        let gateways = state.sag.bound_to(id).chain(operators.bound_to(id));
        flow_log(log, gateways.count())
    });
    let logs: Vec<_> = logs.collect();
    let mut tree = paged(found.total, page);
    tree.insert("FlowLogs".to_owned(), json!({"FlowLogSetType": logs}));
    Ok(tree)
}

fn bound(params: &Params, state: &State, inventory: &Inventory) -> Result<Tree, sag::Refused> {
    let scope = params.scope()?;
    let id = params.flow_log_id()?;
    let page = params.page()?;
    let operators = &inventory.operators.sag;
    let found = state.sag.describe_bound(&scope, operators, id, page)?;
    let gateways = found.entries.iter().map(|id| {
        let known = inventory.gateways.get(*id);
        gateway(id, known.map_or("", |known| &known.name))
    });
    let mut tree = paged(found.total, page);
    tree.insert("Sags".to_owned(), list_of_gateways(gateways));
    Ok(tree)
}

fn unbound(params: &Params, state: &State, inventory: &Inventory) -> Result<Tree, sag::Refused> {
    let scope = params.scope()?;
    let found = state.sag.describe_unbound(&scope, inventory);
    let mut tree = Tree::new();
    tree.insert("Count".to_owned(), found.len().into());
    let gateways = found.iter().map(|(id, known)| gateway(id, &known.name));
    tree.insert("Sags".to_owned(), list_of_gateways(gateways));
    Ok(tree)
}

/// `TotalCount` is of all pages.
fn paged(total: usize, page: sag::Page) -> Tree {
    let fields = [
        ("TotalCount", total),
        ("PageSize", page.size),
        ("PageNumber", page.number),
    ];
    let fields = fields.into_iter();
    fields
        .map(|(name, number)| (name.to_owned(), number.into()))
        .collect()
}

/// Clients insist on what is always there. The port is a number, as in the
/// vendor's own answers, though its documents call it a text.
fn flow_log(log: &sag::FlowLog, gateways: usize) -> Value {
    let attributes = &log.attributes;
    let status = if log.is_active { "Active" } else { "Inactive" };
    let server = attributes.server_ip.map(|ip| ip.to_string());
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let always = |value: Value| Some(value);
    let optional = |text: Option<String>| text.map(Value::String);
    let fields = [
        ("FlowLogId", always(log.id.as_str().into())),
        ("Name", always(attributes.name.as_str().into())),
        ("Description", optional(text(&attributes.description))),
        ("Status", always(status.into())),
        ("TotalSagNum", always(gateways.into())),
        (
            "OutputType",
            always(sag::output_word(attributes.output).into()),
        ),
        ("ActiveAging", always(attributes.active_s.into())),
        ("InactiveAging", always(attributes.inactive_s.into())),
        ("NetflowServerIp", optional(server)),
        ("NetflowServerPort", always(attributes.server_port.into())),
        (
            "NetflowVersion",
            always(version_word(attributes.version).into()),
        ),
        ("ProjectName", optional(text(&attributes.project))),
        ("LogstoreName", optional(text(&attributes.logstore))),
        ("SlsRegionId", optional(text(&attributes.sls_region))),
        (
            "ResourceGroupId",
            always(log.resource_group.as_str().into()),
        ),
    ];
    let fields = fields.into_iter();
    let present = fields.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}

/// The word of the API for a version.
const fn version_word(version: NetflowVersion) -> &'static str {
    match version {
        NetflowVersion::V5 => "V5",
        NetflowVersion::V9 => "V9",
        NetflowVersion::V10 => "V10",
    }
}

fn gateway(id: &str, name: &str) -> Value {
    json!({"SmartAGId": id, "Name": name})
}

fn list_of_gateways(gateways: impl Iterator<Item = Value>) -> Value {
    json!({"Sag": gateways.collect::<Vec<_>>()})
}

/// What the answer to `CreateFlowLog` tells.
pub(super) fn created(log: &sag::FlowLog) -> Tree {
    let fields = [
        ("FlowLogId", log.id.as_str()),
        ("ResourceGroupId", log.resource_group.as_str()),
    ];
    let fields = fields.into_iter();
    fields
        .map(|(name, text)| (name.to_owned(), text.into()))
        .collect()
}
