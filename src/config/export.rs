//! Flow logs that the APIs have made, as a configuration file has them.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::flowlog::Attachment;
use crate::flowlog::AttachmentKind;
use crate::flowlog::Definition;
use crate::flowlog::Device;
use crate::flowlog::ExporterMatch;
use crate::flowlog::FlowLog;
use crate::flowlog::Naming;
use crate::flowlog::OutputType;
use crate::flowlog::Role;
use crate::flowlog::Support;
use crate::flowlog::Traffic;

use super::cloud::KINDS;
use super::flow_log::{NAMINGS, OUTPUTS, ROLES, SUPPORTS, TRAFFICS};
use super::netflow::VERSIONS;

/// What a file that defines `operators` lacks to define `joined`: tables of
/// flow logs, and of devices and attachments that take the place of those with
/// the same id.
///
/// Of a flow log only that is written which an API can tell.
pub fn exported(operators: &Definition, joined: &Definition) -> String {
    let mut text = String::new();
    let is_new = |log: &&FlowLog| operators.flow_logs.iter().all(|it| it.name != log.name);
    for log in joined.flow_logs.iter().filter(is_new) {
        push(&mut text, "flow-log", None, &flow_log(log));
    }
    let is_changed = |it: &&Device| !operators.devices.contains(it);
    for it in joined.devices.iter().filter(is_changed) {
        let id = Some(("instance-id", it.instance_id.as_str()));
        push(&mut text, "device", id, &device(it));
    }
    let is_changed = |it: &&Attachment| !operators.attachments.contains(it);
    for it in joined.attachments.iter().filter(is_changed) {
        let id = Some(("id", it.id.as_str()));
        push(&mut text, "attachment", id, &attachment(it));
    }
    text
}

type Keys = Vec<(&'static str, Value)>;

fn flow_log(log: &FlowLog) -> Keys {
    let mut keys = vec![("name", json!(log.name))];
    push_text(&mut keys, "description", &log.description);
    push_text(&mut keys, "project", &log.project);
    push_text(&mut keys, "logstore", &log.logstore);
    push_text(
        &mut keys,
        "region",
        log.region.as_deref().unwrap_or_default(),
    );
    if log.naming != Naming::default() {
        keys.push(("naming", word(NAMINGS, log.naming)));
    }
    if !log.fields.is_empty() {
        keys.push(("fields", json!(log.fields)));
    }
    if log.output != OutputType::default() {
        keys.push(("output", word(OUTPUTS, log.output)));
    }
    if let Some(output) = log.netflow.first() {
        keys.push(("netflow-server", json!(output.target.server.to_string())));
        keys.push(("netflow-version", word(VERSIONS, output.target.version)));
    }
    keys.push(("active-s", json!(log.timers.active().as_secs())));
    let inactive = log.timers.inactive().floor();
    keys.push(("inactive-s", json!(inactive.as_secs())));
    if log.traffic != Traffic::default() {
        keys.push(("traffic", word(TRAFFICS, log.traffic)));
    }
    if let Some(one_in) = log.one_in {
        keys.push(("sampling-one-in", json!(one_in)));
    }
    keys
}

fn device(device: &Device) -> Keys {
    let mut keys = vec![("instance-id", json!(device.instance_id))];
    push_text(
        &mut keys,
        "snid",
        device.snid.as_deref().unwrap_or_default(),
    );
    push_text(
        &mut keys,
        "ali-uid",
        device.ali_uid.as_deref().unwrap_or_default(),
    );
    keys.push(("exporters", exporters(&device.exporters)));
    keys.push(("flow-logs", json!(device.flow_logs)));
    let card = &device.card;
    push_text(&mut keys, "name", &card.name);
    push_text(
        &mut keys,
        "region",
        card.region.as_deref().unwrap_or_default(),
    );
    if card.role != Role::default() {
        keys.push(("role", word(ROLES, card.role)));
    }
    if card.support != Support::default() {
        keys.push(("flow-log-support", word(SUPPORTS, card.support)));
    }
    keys
}

fn attachment(attachment: &Attachment) -> Keys {
    let mut keys = vec![("id", json!(attachment.id))];
    if attachment.kind != AttachmentKind::default() {
        keys.push(("type", word(KINDS, attachment.kind)));
    }
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    push_text(&mut keys, "network", &optional(&attachment.network));
    push_text(&mut keys, "subnet", &optional(&attachment.subnet));
    push_text(&mut keys, "account", &optional(&attachment.account));
    keys.push(("exporters", exporters(&attachment.exporters)));
    if !attachment.interfaces.is_empty() {
        keys.push(("interfaces", json!(attachment.interfaces)));
    }
    keys.push(("flow-logs", json!(attachment.flow_logs)));
    keys
}

fn exporters(exporters: &[ExporterMatch]) -> Value {
    let exporters = exporters.iter().map(|exporter| {
        let address = exporter.prefix.to_string();
        match exporter.domain {
            Some(domain) => json!({"address": address, "domain": domain}),
            None => json!(address),
        }
    });
    exporters.collect()
}

fn push_text(keys: &mut Keys, key: &'static str, text: &str) {
    if !text.is_empty() {
        keys.push((key, json!(text)));
    }
}

/// The word that stands for a choice.
fn word<T: PartialEq>(choices: &[(&str, T)], choice: T) -> Value {
    let found = choices.iter().find(|(_, it)| *it == choice);
    json!(found.map(|(word, _)| word))
}

/// Appends a table, and a comment if it takes the place of one.
fn push(text: &mut String, table: &str, instead_of: Option<(&str, &str)>, keys: &Keys) {
    let separator = if text.is_empty() { "" } else { "\n" };
    text.push_str(separator);
    if let Some((key, id)) = instead_of {
        let id = json!(id);
        // Writing to a text does not fail.
        let _ = writeln!(text, "# In place of the [[{table}]] with {key} = {id}:");
    }
    let _ = writeln!(text, "[[{table}]]");
    for (key, value) in keys {
        let _ = writeln!(text, "{key} = {}", toml(value));
    }
}

/// A value in TOML: JSON's texts, numbers and lists are TOML's too, its objects
/// are not.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(toml).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(key, value)| format!("{key} = {}", toml(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        // TOML has no DEL in a text.
        Value::String(text) => json!(text).to_string().replace('\u{7f}', "\\u007f"),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
