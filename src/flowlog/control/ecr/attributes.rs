//! What a flow log of a border router is told, and what it may be told.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use super::Param;
use super::Refused;
use crate::flowlog::check::DESCRIPTION_MAX;
use crate::flowlog::check::NAME_MAX;
use crate::flowlog::check::is_logstore;
use crate::flowlog::check::is_project;
use crate::flowlog::control::text::is_region;
use crate::flowlog::control::text::is_resource_group;
use crate::flowlog::control::text::is_text;

/// Parameters of a call that every flow log can be told again: absent, or a
/// text that may be empty.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "they are named as in the API")]
pub struct Given<'a> {
    pub flow_log_name: Option<&'a str>,
    pub description: Option<&'a str>,
    pub interval: Option<&'a str>,
    pub sampling_rate: Option<&'a str>,
}

/// Parameters of a call for a new flow log; what is needed is there, and none
/// is empty.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "they are named as in the API")]
pub struct Wanted<'a> {
    pub given: Given<'a>,
    pub instance_type: &'a str,
    pub instance_id: &'a str,
    pub project_name: &'a str,
    pub log_store_name: &'a str,
    pub target_sls_region_id: Option<&'a str>,
    pub resource_group_id: Option<&'a str>,
    /// Keys and values, in the order of their numbers.
    pub tags: Vec<(&'a str, &'a str)>,
}

/// What a flow log does.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Attributes {
    /// At most 128 characters; may be empty.
    pub name: String,
    /// At most 256 characters; may be empty.
    pub description: String,
    /// Id of the border router whose traffic is logged.
    pub vbr: String,
    /// SLS project.
    pub project: String,
    /// Its logstore.
    pub logstore: String,
    /// Its region: that of the router, if none was named; empty if that has
    /// none.
    pub sls_region: String,
    /// Resource group that answers show.
    pub resource_group: String,
    /// Seconds in which the packets of a flow are one record: 60 or 600.
    pub interval_s: u32,
    /// Of how many packets one is looked at: 1024, 2048 or 4096.
    pub one_in: u32,
    /// Keys, each of them once, and their values; at most 20.
    pub tags: Vec<(String, String)>,
}

impl Attributes {
    /// Those of a new flow log.
    ///
    /// # Errors
    /// The first value that is none.
    pub(super) fn new(wanted: &Wanted<'_>, resource_group: &str) -> Result<Self, Refused> {
        wanted.check()?;
        let changes = wanted.given.read()?;
        let mut attributes = Self {
            name: String::new(),
            description: String::new(),
            vbr: wanted.instance_id.to_owned(),
            project: wanted.project_name.to_owned(),
            logstore: wanted.log_store_name.to_owned(),
            sls_region: wanted.target_sls_region_id.unwrap_or_default().to_owned(),
            resource_group: wanted
                .resource_group_id
                .unwrap_or(resource_group)
                .to_owned(),
            interval_s: INTERVAL_DEFAULT_S,
            one_in: ONE_IN_DEFAULT,
            tags: tags(&wanted.tags)?,
        };
        attributes.take(changes);
        Ok(attributes)
    }

    /// Takes changes over.
    pub(super) fn take(&mut self, changes: Changes<'_>) {
        let texts = [
            (&mut self.name, changes.name),
            (&mut self.description, changes.description),
        ];
        for (kept, changed) in texts {
            if let Some(changed) = changed {
                changed.clone_into(kept);
            }
        }
        self.interval_s = changes.interval_s.unwrap_or(self.interval_s);
        self.one_in = changes.one_in.unwrap_or(self.one_in);
    }
}

impl Wanted<'_> {
    /// Whether the values are some that a new flow log alone is told.
    fn check(&self) -> Result<(), Refused> {
        use Refused::{Illegal, Malformed};
        let logstore = self.log_store_name;
        let is_logstore = is_logstore(logstore) && logstore.len() >= LOGSTORE_MIN;
        let region = self.target_sls_region_id;
        let group = self.resource_group_id;
        let checks = [
            (
                self.instance_type == INSTANCE_TYPE,
                Illegal(Param::InstanceType),
            ),
            (is_project(self.project_name), Malformed(Param::ProjectName)),
            (is_logstore, Malformed(Param::LogStoreName)),
            (
                region.is_none_or(is_region),
                Malformed(Param::TargetSlsRegionId),
            ),
            (
                group.is_none_or(is_resource_group),
                Malformed(Param::ResourceGroupId),
            ),
        ];
        let mut checks = checks.into_iter();
        checks.try_for_each(|(is_fine, refused)| check(is_fine, refused))
    }
}

/// What is to be changed; the rest stays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changes<'a> {
    name: Option<&'a str>,
    description: Option<&'a str>,
    interval_s: Option<u32>,
    one_in: Option<u32>,
}

impl<'a> Given<'a> {
    /// Reads the words of a call. An empty text takes one back, an empty number
    /// is not given.
    ///
    /// # Errors
    /// The first value that is none.
    pub(super) fn read(&self) -> Result<Changes<'a>, Refused> {
        let text = |given: Option<&'a str>, most, param| {
            let is_fine = given.is_none_or(|given| is_text(given, most) && !is_link(given));
            check(is_fine, Refused::Malformed(param)).map(|()| given)
        };
        Ok(Changes {
            name: text(self.flow_log_name, NAME_MAX, Param::FlowLogName)?,
            description: text(self.description, DESCRIPTION_MAX, Param::Description)?,
            interval_s: number(self.interval, &INTERVALS, Param::Interval)?,
            one_in: number(self.sampling_rate, &RATES, Param::SamplingRate)?,
        })
    }
}

/// The tags of a flow log.
fn tags(given: &[(&str, &str)]) -> Result<Vec<(String, String)>, Refused> {
    let keys: BTreeSet<_> = given.iter().map(|(key, _)| key).collect();
    let mut both = given.iter().flat_map(|(key, value)| [key, value]);
    let is_fine = given.len() <= TAGS_MAX
        && keys.len() == given.len()
        && !keys.iter().any(|key| key.is_empty())
        && !keys.iter().any(|key| key.starts_with("aliyun"))
        && both.all(|text| {
            let is_own = !text.starts_with("acs:");
            let has_link = LINKS.iter().any(|link| text.contains(link));
            is_text(text, TAG_CHARACTERS_MAX) && is_own && !has_link
        });
    check(is_fine, Refused::Illegal(Param::Tag))?;
    let given = given.iter();
    Ok(given
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect())
}

fn is_link(text: &str) -> bool {
    LINKS.iter().any(|link| text.starts_with(link))
}

/// A number by its word.
fn number(text: Option<&str>, words: &[(&str, u32)], param: Param) -> Result<Option<u32>, Refused> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let mut words = words.iter();
    let found = words.find(|(word, _)| *word == text);
    let (_, number) = found.ok_or(Refused::Illegal(param))?;
    Ok(Some(*number))
}

fn check(is_fine: bool, refused: Refused) -> Result<(), Refused> {
    is_fine.then_some(()).ok_or(refused)
}

/// The one kind of instance that has flow logs.
pub const INSTANCE_TYPE: &str = "VBR";

const INTERVALS: [(&str, u32); 2] = [("60", 60), ("600", 600)];
const INTERVAL_DEFAULT_S: u32 = 600;
const RATES: [(&str, u32); 3] = [("1:4096", 4096), ("1:2048", 2048), ("1:1024", 1024)];
const ONE_IN_DEFAULT: u32 = 4096;
/// What texts may not begin with, and tags not have at all.
const LINKS: [&str; 2] = ["http://", "https://"];
/// Letters of a logstore: one more than SLS asks for.
const LOGSTORE_MIN: usize = 3;
const TAGS_MAX: usize = 20;
/// Characters of a key or value; elsewhere the documents say 64 for a key.
const TAG_CHARACTERS_MAX: usize = 128;
