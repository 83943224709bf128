//! Flow logs of the configuration: seen through the APIs, and changed in the
//! file only.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Ids;
use super::ecr;
use super::id::Format;
use super::sag;
use super::vpc;
use crate::flowlog::Attachment;
use crate::flowlog::AttachmentKind;
use crate::flowlog::Definition;
use crate::flowlog::FlowLog;

/// Flow logs of the configuration, as each family shows them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Operators {
    /// To Smart Access Gateways.
    pub sag: sag::Operators,
    /// To Express Connect Routers.
    pub ecr: Configured<ecr::FlowLog>,
    /// To Tencent Cloud's private networks.
    pub vpc: Configured<vpc::FlowLog>,
}

impl Operators {
    /// Those of a definition.
    pub fn new(definition: &Definition) -> Self {
        Self {
            sag: sag::Operators::new(definition),
            ecr: ecr::configured(definition),
            vpc: vpc::configured(definition),
        }
    }
}

/// Flow logs of the configuration, as one family shows them.
///
/// No time is known at which they were made: they are as old as any can be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Configured<L> {
    /// What the configuration calls its flow logs, shown or not: one that an
    /// API made under such a name is not in force.
    names: BTreeSet<String>,
    /// By id.
    flow_logs: BTreeMap<String, L>,
}

impl<L> Configured<L> {
    /// All flow logs of a definition, by their names.
    pub(super) fn by_name(definition: &Definition, shown: impl Fn(&FlowLog) -> L) -> Self {
        let logs = definition.flow_logs.iter();
        Self {
            names: names(definition),
            flow_logs: logs.map(|log| (log.name.clone(), shown(log))).collect(),
        }
    }

    /// One for each attachment that is of a kind of the family, since the APIs'
    /// have one resource: `shown` is told its id.
    ///
    /// A name that is an id of the family stays one if it is bound to one
    /// attachment: so what an API made keeps its id when a file takes it over.
    /// All other ids follow from name and attachment, so that they are the same
    /// in each run.
    pub(super) fn by_attachment<K>(
        definition: &Definition,
        format: Format,
        kind: impl Fn(AttachmentKind) -> Option<K>,
        shown: impl Fn(String, &FlowLog, &Attachment, K) -> L,
    ) -> Self {
        let mut bound: BTreeMap<&str, Vec<(&Attachment, K)>> = BTreeMap::new();
        for attachment in &definition.attachments {
            for name in &attachment.flow_logs {
                if let Some(kind) = kind(attachment.kind) {
                    bound.entry(name).or_default().push((attachment, kind));
                }
            }
        }
        let mut configured = Self {
            names: names(definition),
            ..Self::default()
        };
        for log in &definition.flow_logs {
            let attachments = bound.remove(log.name.as_str()).unwrap_or_default();
            let keeps_name = attachments.len() == 1 && format.has(&log.name);
            for (attachment, kind) in attachments {
                let id = if keeps_name {
                    log.name.clone()
                } else {
                    let mut octets = Ids::octets_of([&log.name, &attachment.id]);
                    Ids::new(&mut octets).fresh(format, |id| configured.has(id))
                };
                let entry = shown(id.clone(), log, attachment, kind);
                configured.flow_logs.insert(id, entry);
            }
        }
        configured
    }

    /// Whether no flow log of an API may have this id.
    pub fn has(&self, id: &str) -> bool {
        self.names.contains(id) || self.flow_logs.contains_key(id)
    }

    /// Whether what has this id is not to be changed, for those who see what
    /// `sees` says.
    pub(super) fn keeps(&self, id: &str, sees: impl FnOnce(&L) -> bool) -> bool {
        self.flow_logs
            .get(id)
            .map_or_else(|| self.names.contains(id), sees)
    }

    /// One that is shown.
    pub(super) fn get(&self, id: &str) -> Option<&L> {
        self.flow_logs.get(id)
    }

    /// All that are shown, in the order of their ids.
    pub fn flow_logs(&self) -> impl Iterator<Item = &L> {
        self.flow_logs.values()
    }
}

impl<L> Default for Configured<L> {
    fn default() -> Self {
        Self {
            names: BTreeSet::new(),
            flow_logs: BTreeMap::new(),
        }
    }
}

fn names(definition: &Definition) -> BTreeSet<String> {
    let logs = definition.flow_logs.iter();
    logs.map(|log| log.name.clone()).collect()
}
