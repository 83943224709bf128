//! What a flow log of a private network is told, and what it may be told.

use serde::Deserialize;
use serde::Serialize;

use super::tags::{Tag, tags};
use super::{Param, Refused};
use crate::flowlog::Attachment;
use crate::flowlog::AttachmentKind;
use crate::flowlog::Traffic;
use crate::flowlog::check::is_logstore;
use crate::flowlog::control::text::is_region;

/// Parameters of a call as they came: absent, or a text that may be empty.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "they are named as in the API")]
pub struct Given<'a> {
    pub vpc_id: Option<&'a str>,
    pub name: Option<&'a str>,
    pub description: Option<&'a str>,
    pub resource_type: Option<&'a str>,
    pub resource_id: Option<&'a str>,
    pub traffic_type: Option<&'a str>,
    pub storage_type: Option<&'a str>,
    /// `FlowLogStorage.StorageId`.
    pub storage_id: Option<&'a str>,
    pub cloud_log_id: Option<&'a str>,
    pub cloud_log_region: Option<&'a str>,
    pub period: Option<&'a str>,
    /// Keys and values.
    pub tags: Vec<(&'a str, &'a str)>,
}

/// What a flow log does.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Attributes {
    /// `Vpc::id` of the network it belongs to; none of a Cloud Connect Network.
    pub vpc: Option<String>,
    /// 1–60 characters, unique in the account.
    pub name: String,
    /// At most 512 characters; may be empty.
    pub description: String,
    /// What it logs.
    pub resource: Resource,
    /// Which flows of it.
    pub traffic: Traffic,
    /// `CloudLogId`, as it was spelled: in small letters it can be a logstore.
    pub topic: String,
    /// Region of the topic; may be empty.
    pub topic_region: String,
    /// Seconds that a record covers: 60, 300 or 600. Only of a Cloud Connect
    /// Network.
    pub period_s: Option<u32>,
    /// No key comes twice.
    pub tags: Vec<Tag>,
}

/// What a flow log logs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// Its id.
    pub id: String,
}

impl Resource {
    /// Whether what is attached is the resource, or is in it.
    pub(super) fn covers(&self, attachment: &Attachment) -> bool {
        match self.kind {
            ResourceKind::Vpc => {
                attachment.kind == AttachmentKind::NetworkInterface
                    && attachment.network.as_ref() == Some(&self.id)
            }
            ResourceKind::Subnet => attachment.subnet.as_ref() == Some(&self.id),
            ResourceKind::NetworkInterface
            | ResourceKind::Nat
            | ResourceKind::Dcg
            | ResourceKind::Ccn => {
                self.kind.attachment() == Some(attachment.kind) && attachment.id == self.id
            }
        }
    }
}

/// Kinds of what can be logged.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    /// Elastic Network Interface.
    NetworkInterface,
    /// Cloud Connect Network.
    Ccn,
    /// NAT gateway.
    Nat,
    /// Direct Connect gateway.
    Dcg,
    /// A whole private network.
    Vpc,
    /// A whole subnet.
    Subnet,
}

impl ResourceKind {
    const ALL: [Self; 6] = [
        Self::NetworkInterface,
        Self::Ccn,
        Self::Nat,
        Self::Dcg,
        Self::Vpc,
        Self::Subnet,
    ];

    /// The word of the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NetworkInterface => "NETWORKINTERFACE",
            Self::Ccn => "CCN",
            Self::Nat => "NAT",
            Self::Dcg => "DCG",
            Self::Vpc => "VPC",
            Self::Subnet => "SUBNET",
        }
    }

    /// A kind by its word.
    ///
    /// # Errors
    /// There is no such kind.
    pub(super) fn of_word(word: &str) -> Result<Self, Refused> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|kind| kind.word() == word);
        found.ok_or(Refused::Range(Param::ResourceType))
    }

    /// What an attachment is as a resource; none if it is no network's here.
    pub(super) const fn of_attachment(kind: AttachmentKind) -> Option<Self> {
        match kind {
            AttachmentKind::NetworkInterface => Some(Self::NetworkInterface),
            AttachmentKind::Ccn => Some(Self::Ccn),
            AttachmentKind::Nat => Some(Self::Nat),
            AttachmentKind::Dcg => Some(Self::Dcg),
            AttachmentKind::Vbr => None,
        }
    }

    /// What it is as an attachment; none if it has several.
    pub(super) const fn attachment(self) -> Option<AttachmentKind> {
        match self {
            Self::NetworkInterface => Some(AttachmentKind::NetworkInterface),
            Self::Ccn => Some(AttachmentKind::Ccn),
            Self::Nat => Some(AttachmentKind::Nat),
            Self::Dcg => Some(AttachmentKind::Dcg),
            Self::Vpc | Self::Subnet => None,
        }
    }
}

impl Attributes {
    /// Those of a new flow log; network and resource are yet to be looked up.
    ///
    /// # Errors
    /// What is missing, then the first value that is none.
    pub(super) fn new(given: &Given<'_>) -> Result<Self, Refused> {
        let name = needed(given.name, Param::FlowLogName)?;
        let kind = needed(given.resource_type, Param::ResourceType)?;
        let id = needed(given.resource_id, Param::ResourceId)?;
        let traffic = needed(given.traffic_type, Param::TrafficType)?;
        let kind = ResourceKind::of_word(kind)?;
        let traffic = traffic_of_word(traffic)?;
        let vpc = some(given.vpc_id);
        match (kind, vpc) {
            (ResourceKind::Ccn, Some(_)) => return Err(Refused::NoVpcNeeded),
            (ResourceKind::Ccn, None) | (_, Some(_)) => {}
            (_, None) => return Err(Refused::Empty(Param::VpcId)),
        }
        check_storage(given)?;
        let topic = some(given.cloud_log_id).ok_or(Refused::Empty(Param::CloudLogId))?;
        if !is_logstore(&topic.to_ascii_lowercase()) {
            return Err(Refused::Malformed(Param::CloudLogId));
        }
        let topic_region = some(given.cloud_log_region).unwrap_or_default();
        if !topic_region.is_empty() && !is_region(topic_region) {
            return Err(Refused::Malformed(Param::CloudLogRegion));
        }
        let mut new = Self {
            vpc: vpc.map(str::to_owned),
            name: String::new(),
            description: String::new(),
            resource: Resource {
                kind,
                id: id.to_owned(),
            },
            traffic,
            topic: topic.to_owned(),
            topic_region: topic_region.to_owned(),
            period_s: None,
            tags: tags(&given.tags)?,
        };
        new.name_it(name)?;
        new.take_changes(None, given.description, given.period)?;
        Ok(new)
    }

    /// Takes over what may be changed of a flow log; an empty description takes
    /// one back.
    ///
    /// # Errors
    /// The first value that is none.
    pub(super) fn take_changes(
        &mut self,
        name: Option<&str>,
        description: Option<&str>,
        period: Option<&str>,
    ) -> Result<(), Refused> {
        if let Some(name) = name {
            self.name_it(name)?;
        }
        if let Some(description) = description {
            if description.chars().count() > DESCRIPTION_MAX {
                return Err(Refused::Range(Param::FlowLogDescription));
            }
            if description.chars().any(char::is_control) {
                return Err(Refused::Malformed(Param::FlowLogDescription));
            }
            description.clone_into(&mut self.description);
        }
        if let Some(period) = some(period) {
            let period_s = number(period, Param::Period)?;
            if self.resource.kind != ResourceKind::Ccn || !PERIODS_S.contains(&period_s) {
                return Err(Refused::Range(Param::Period));
            }
            self.period_s = Some(period_s);
        }
        Ok(())
    }

    fn name_it(&mut self, name: &str) -> Result<(), Refused> {
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Refused::Malformed(Param::FlowLogName));
        }
        if name.chars().count() > NAME_MAX {
            return Err(Refused::Range(Param::FlowLogName));
        }
        name.clone_into(&mut self.name);
        Ok(())
    }
}

/// Whether flows go to a topic, which is all that there is here.
fn check_storage(given: &Given<'_>) -> Result<(), Refused> {
    match (some(given.storage_type), some(given.storage_id)) {
        (None | Some("cls"), _) => Ok(()),
        (Some("ckafka"), None) => Err(Refused::Empty(Param::FlowLogStorage)),
        (Some("ckafka"), Some(_)) => Err(Refused::Kafka),
        (Some(_), _) => Err(Refused::Range(Param::StorageType)),
    }
}

/// The word of the API for flows.
pub const fn traffic_word(traffic: Traffic) -> &'static str {
    match traffic {
        Traffic::All => "ALL",
        Traffic::Accept => "ACCEPT",
        Traffic::Reject => "REJECT",
    }
}

/// Flows by their word.
pub(super) fn traffic_of_word(word: &str) -> Result<Traffic, Refused> {
    let mut all = [Traffic::All, Traffic::Accept, Traffic::Reject].into_iter();
    let found = all.find(|traffic| traffic_word(*traffic) == word);
    found.ok_or(Refused::Range(Param::TrafficType))
}

/// A text, if there is one and it is not empty.
pub(super) fn some(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

pub(super) fn needed(text: Option<&str>, param: Param) -> Result<&str, Refused> {
    match text {
        None => Err(Refused::Missing(param)),
        Some("") => Err(Refused::Empty(param)),
        Some(text) => Ok(text),
    }
}

pub(super) fn number<T: std::str::FromStr>(text: &str, param: Param) -> Result<T, Refused> {
    text.parse().map_err(|_| Refused::Malformed(param))
}

/// Characters of a name.
pub(super) const NAME_MAX: usize = 60;
const DESCRIPTION_MAX: usize = 512;
const PERIODS_S: [u32; 3] = [60, 300, 600];
