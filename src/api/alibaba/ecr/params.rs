//! Parameters of a call, as they came and as the store takes them.

use std::collections::BTreeMap;

use crate::api::alibaba::Call;
use crate::api::auth::digest::sha256_hex;
use crate::flowlog::control::ecr::Filter;
use crate::flowlog::control::ecr::Given;
use crate::flowlog::control::ecr::Page;
use crate::flowlog::control::ecr::Param;
use crate::flowlog::control::ecr::Refused;
use crate::flowlog::control::ecr::Scope;
use crate::flowlog::control::ecr::Token;
use crate::flowlog::control::ecr::Wanted;

use super::errors::name;

/// The parameters of a call, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Params(pub(super) Call);

impl Params {
    fn given(&self, param: Param) -> Option<&str> {
        self.0.given(name(param))
    }

    fn some(&self, param: Param) -> Option<&str> {
        self.0.some(name(param))
    }

    /// A parameter that the call cannot do without.
    pub(super) fn needed(&self, param: Param) -> Result<&str, Refused> {
        self.some(param).ok_or(Refused::Missing(param))
    }

    /// Account and router, which every action has.
    pub(super) fn scope(&self) -> Result<Scope<'_>, Refused> {
        let router = self.needed(Param::EcrId)?;
        Scope::new(self.0.account(), router, self.0.some("RegionId"))
    }

    /// Whether the call only asks if it could be made.
    pub(super) fn is_trial(&self) -> Result<bool, Refused> {
        let word = self.some(Param::DryRun).unwrap_or("false");
        match word.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Refused::Illegal(Param::DryRun)),
        }
    }

    /// A digest of all that is asked for: what differs between two requests
    /// for the same is left out.
    pub(super) fn digest(&self) -> String {
        let asked = self.0.params().filter(|(name, _)| {
            let is_signature = name.starts_with("Signature");
            !is_signature && !MANNERS.contains(name)
        });
        // The lengths keep what ends one text from beginning the next.
        let texts = asked.flat_map(|(name, value)| [name, value]);
        let all: String = texts.map(|text| format!("{}:{text}", text.len())).collect();
        sha256_hex(all.as_bytes())
    }

    /// What the client calls the request; without one, it is never the same.
    pub(super) fn token<'a>(
        &'a self,
        action: &'a str,
        digest: &'a str,
    ) -> Result<Option<Token<'a>>, Refused> {
        let token = self.some(Param::ClientToken);
        token
            .map(|token| Token::new(self.0.owner(), action, token, digest))
            .transpose()
    }

    /// What a new flow log is to be.
    pub(super) fn wanted(&self) -> Result<Wanted<'_>, Refused> {
        let tags = self.tags().into_iter();
        Ok(Wanted {
            instance_type: self.needed(Param::InstanceType)?,
            instance_id: self.needed(Param::InstanceId)?,
            project_name: self.needed(Param::ProjectName)?,
            log_store_name: self.needed(Param::LogStoreName)?,
            target_sls_region_id: self.some(Param::TargetSlsRegionId),
            resource_group_id: self.some(Param::ResourceGroupId),
            tags: tags
                .map(|(key, value)| (key, value.unwrap_or_default()))
                .collect(),
            given: self.attributes(),
        })
    }

    /// What a flow log is told again.
    pub(super) fn attributes(&self) -> Given<'_> {
        Given {
            flow_log_name: self.given(Param::FlowLogName),
            description: self.given(Param::Description),
            interval: self.some(Param::Interval),
            sampling_rate: self.some(Param::SamplingRate),
        }
    }

    /// Which flow logs are wanted.
    pub(super) fn filter(&self) -> Filter<'_> {
        Filter {
            flow_log_id: self.some(Param::FlowLogId),
            flow_log_name: self.some(Param::FlowLogName),
            instance_id: self.some(Param::InstanceId),
            project_name: self.some(Param::ProjectName),
            log_store_name: self.some(Param::LogStoreName),
            resource_group_id: self.some(Param::ResourceGroupId),
            tags: self.tags(),
        }
    }

    /// Which part of the list is wanted.
    pub(super) fn page(&self) -> Result<Page<'_>, Refused> {
        Page::new(self.some(Param::MaxResults), self.some(Param::NextToken))
    }

    /// `Tag.1.Key` and `Tag.1.Value`, and so on; a value may be absent. A key
    /// that is absent is empty.
    fn tags(&self) -> Vec<(&str, Option<&str>)> {
        let mut tags: BTreeMap<u32, (&str, Option<&str>)> = BTreeMap::new();
        for (name, text) in self.0.params() {
            let Some((number, part)) = tag_part(name) else {
                continue;
            };
            let (key, value) = tags.entry(number).or_default();
            match part {
                Part::Key => *key = text,
                Part::Value => *value = Some(text),
            }
        }
        tags.into_values().collect()
    }

    /// The flow log that a call names, for the log; empty if none.
    pub(super) fn shown_flow_log(&self) -> &str {
        self.given(Param::FlowLogId).unwrap_or_default()
    }

    /// The border router that a call names, for the log; empty if none.
    pub(super) fn shown_vbr(&self) -> &str {
        self.given(Param::InstanceId).unwrap_or_default()
    }
}

/// What a parameter says of a tag.
enum Part {
    Key,
    Value,
}

/// The number of a tag, from 1, and what of it a parameter of this name says.
fn tag_part(name: &str) -> Option<(u32, Part)> {
    let (number, part) = name.strip_prefix("Tag.")?.split_once('.')?;
    let part = match part {
        "Key" => Part::Key,
        "Value" => Part::Value,
        _ => return None,
    };
    let number = number.parse().ok().filter(|number| *number > 0)?;
    Some((number, part))
}

/// Parameters that say how something is asked for, not what; besides those of
/// the signature.
const MANNERS: [&str; 8] = [
    "AccessKeyId",
    "Action",
    "ClientToken",
    "DryRun",
    "Format",
    "SecurityToken",
    "Timestamp",
    "Version",
];
