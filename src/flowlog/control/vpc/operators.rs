//! Flow logs of the configuration that what is attached to private networks is
//! bound to.

use super::Attributes;
use super::FlowLog;
use super::ID;
use super::Resource;
use super::ResourceKind;
use crate::flowlog;
use crate::flowlog::Attachment;
use crate::flowlog::Definition;
use crate::flowlog::control::Configured;

/// Those of a definition, one for each resource.
pub(in crate::flowlog::control) fn configured(definition: &Definition) -> Configured<FlowLog> {
    Configured::by_attachment(definition, ID, ResourceKind::of_attachment, shown)
}

/// As far as the API has words for it. Only of a Cloud Connect Network it tells
/// a period.
fn shown(
    id: String,
    log: &flowlog::FlowLog,
    attachment: &Attachment,
    kind: ResourceKind,
) -> FlowLog {
    let period_s = u32::try_from(log.timers.active().as_secs()).ok();
    FlowLog {
        id,
        account: attachment.account.clone().unwrap_or_default(),
        created_ms: 0,
        is_enabled: true,
        attributes: Attributes {
            vpc: attachment.network.clone(),
            name: log.name.clone(),
            description: log.description.clone(),
            resource: Resource {
                kind,
                id: attachment.id.clone(),
            },
            traffic: log.traffic,
            topic: log.logstore.clone(),
            topic_region: log.region.clone().unwrap_or_default(),
            period_s: period_s.filter(|_| kind == ResourceKind::Ccn),
            tags: Vec::new(),
        },
    }
}
