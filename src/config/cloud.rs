//! `[[router]]`, `[[vpc]]` and `[[attachment]]`: what flow logs of the clouds'
//! networks are made of.

use crate::flowlog::Attachment;
use crate::flowlog::AttachmentKind;
use crate::flowlog::Router;
use crate::flowlog::RouterStatus;
use crate::flowlog::Vpc;

use super::flow_log::exporter;
use super::table::Table;
use super::value::Value;

/// Reads all Express Connect Routers.
pub(super) fn routers(table: &mut Table<'_, '_>) -> Vec<Router> {
    table.each("router", |table| {
        Some(Router {
            id: table.text("id").unwrap_or_default(),
            region: table.text("region"),
            account: table.text("account"),
            status: table.choice("status", STATUSES).unwrap_or_default(),
        })
    })
}

/// Reads all private networks of Tencent Cloud.
pub(super) fn vpcs(table: &mut Table<'_, '_>) -> Vec<Vpc> {
    table.each("vpc", |table| {
        Some(Vpc {
            id: table.text("id").unwrap_or_default(),
            legacy_id: table.text("legacy-id"),
            account: table.text("account"),
            subnets: table.list("subnets", Value::text).unwrap_or_default(),
        })
    })
}

/// Reads all that is attached to networks.
pub(super) fn attachments(table: &mut Table<'_, '_>) -> Vec<Attachment> {
    table.each("attachment", |table| {
        let interfaces = table.list("interfaces", |value| value.integer(1..=u32::MAX.into()));
        Some(Attachment {
            id: table.text("id").unwrap_or_default(),
            kind: table.choice("type", KINDS).unwrap_or_default(),
            network: table.text("network"),
            subnet: table.text("subnet"),
            account: table.text("account"),
            exporters: table.list("exporters", exporter).unwrap_or_default(),
            interfaces: interfaces.unwrap_or_default(),
            flow_logs: table.list("flow-logs", Value::text).unwrap_or_default(),
        })
    })
}

const STATUSES: &[(&str, RouterStatus)] = &[
    ("active", RouterStatus::Active),
    ("inactive", RouterStatus::Inactive),
    ("deleting", RouterStatus::Deleting),
];
pub(super) const KINDS: &[(&str, AttachmentKind)] = &[
    ("vbr", AttachmentKind::Vbr),
    ("network-interface", AttachmentKind::NetworkInterface),
    ("nat", AttachmentKind::Nat),
    ("dcg", AttachmentKind::Dcg),
    ("ccn", AttachmentKind::Ccn),
];
