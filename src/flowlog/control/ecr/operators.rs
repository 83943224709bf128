//! Flow logs of the configuration that border routers are bound to.

use super::Attributes;
use super::FlowLog;
use super::ID;
use crate::flowlog;
use crate::flowlog::Attachment;
use crate::flowlog::AttachmentKind;
use crate::flowlog::Definition;
use crate::flowlog::control::Configured;

/// Those of a definition, one for each border router.
pub(in crate::flowlog::control) fn configured(definition: &Definition) -> Configured<FlowLog> {
    let is_vbr = |kind| (kind == AttachmentKind::Vbr).then_some(());
    Configured::by_attachment(definition, ID, is_vbr, shown)
}

/// As far as the API has words for it. What nobody samples is one in one.
fn shown(id: String, log: &flowlog::FlowLog, vbr: &Attachment, (): ()) -> FlowLog {
    FlowLog {
        id,
        account: vbr.account.clone().unwrap_or_default(),
        router: vbr.network.clone().unwrap_or_default(),
        created_ms: 0,
        is_active: true,
        attributes: Attributes {
            name: log.name.clone(),
            description: log.description.clone(),
            vbr: vbr.id.clone(),
            project: log.project.clone(),
            logstore: log.logstore.clone(),
            sls_region: log.region.clone().unwrap_or_default(),
            resource_group: String::new(),
            interval_s: u32::try_from(log.timers.active().as_secs()).unwrap_or(u32::MAX),
            one_in: log.one_in.map_or(1, u32::from),
            tags: Vec::new(),
        },
    }
}
