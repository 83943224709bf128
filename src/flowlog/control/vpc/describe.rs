//! What the family's lists show.

use std::cmp::Ordering;

use super::attributes::{NAME_MAX, number, some, traffic_of_word};
use super::{FlowLog, Param, Refused, ResourceKind, Scope, Store};
use crate::flowlog::Traffic;
use crate::flowlog::control::Inventory;

/// Which flow logs a call asks for, in which order and which part of them, as
/// it came. An empty text asks for nothing.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "they are named as in the API")]
pub struct Asked<'a> {
    pub vpc_id: Option<&'a str>,
    pub id: Option<&'a str>,
    pub name: Option<&'a str>,
    pub resource_type: Option<&'a str>,
    pub resource_id: Option<&'a str>,
    pub traffic_type: Option<&'a str>,
    pub cloud_log_id: Option<&'a str>,
    pub cloud_log_state: Option<&'a str>,
    pub cloud_log_region: Option<&'a str>,
    /// `Filters.Name`.
    pub filter: Option<&'a str>,
    /// `Filters.Values`, of which any will do.
    pub filter_values: Vec<&'a str>,
    pub order_field: Option<&'a str>,
    pub order_direction: Option<&'a str>,
    pub offset: Option<&'a str>,
    pub limit: Option<&'a str>,
    /// Whether a part of an id or name is enough.
    pub is_fuzzy: bool,
}

/// Part of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Described<'a> {
    /// Flow logs of the whole list.
    pub total: usize,
    /// Those of the part.
    pub flow_logs: Vec<&'a FlowLog>,
}

impl Store {
    /// Flow logs of the account, and the operators' own, that are asked for; the
    /// newest first, if no other order is.
    ///
    /// # Errors
    /// There is no such network, or a value is none.
    pub fn describe<'a>(
        &'a self,
        scope: &'a Scope<'_>,
        asked: &Asked<'_>,
        inventory: &'a Inventory,
    ) -> Result<Described<'a>, Refused> {
        let (filter, order) = (Filter::new(asked)?, Order::new(asked)?);
        let (offset, limit) = part(asked)?;
        let vpc = self.vpc_id(scope, asked.vpc_id, inventory)?;
        let operators = &inventory.operators.vpc;
        let configured = operators.flow_logs().filter(|log| scope.sees(log));
        let made = self.of_scope(scope).filter(|log| !operators.has(&log.id));
        let mut found: Vec<_> = configured
            .chain(made)
            .filter(|log| vpc.is_none() || log.attributes.vpc == vpc)
            .filter(|log| filter.takes(log))
            .collect();
        found.sort_by(|one, other| order.compare(one, other));
        let total = found.len();
        let flow_logs = found.into_iter().skip(offset).take(limit).collect();
        Ok(Described { total, flow_logs })
    }
}

/// Which flow logs are wanted: those for which all that is given is so.
#[derive(Clone, Copy, Debug)]
struct Filter<'a> {
    asked: &'a Asked<'a>,
    kind: Option<ResourceKind>,
    traffic: Option<Traffic>,
    tag: Option<TagFilter<'a>>,
    /// Whether there can be any: the topic of each is there.
    is_none: bool,
}

/// Which tags are wanted.
#[derive(Clone, Copy, Debug)]
enum TagFilter<'a> {
    /// One with any of these keys.
    Keys,
    /// One with this key, and any of these values.
    Values(&'a str),
}

impl<'a> Filter<'a> {
    fn new(asked: &'a Asked<'a>) -> Result<Self, Refused> {
        let name = some(asked.name).unwrap_or_default();
        if name.chars().count() > NAME_MAX {
            return Err(Refused::TooLong(Param::FlowLogName));
        }
        let kind = some(asked.resource_type).map(ResourceKind::of_word);
        let traffic = some(asked.traffic_type).map(traffic_of_word);
        let is_none = match some(asked.cloud_log_state) {
            None | Some("SUCCESS") => false,
            Some("DELETED") => true,
            Some(_) => return Err(Refused::Range(Param::CloudLogState)),
        };
        Ok(Self {
            asked,
            kind: kind.transpose()?,
            traffic: traffic.transpose()?,
            tag: tag_filter(asked)?,
            is_none,
        })
    }

    fn takes(&self, log: &FlowLog) -> bool {
        let (asked, attributes) = (self.asked, &log.attributes);
        let is = |wanted, text: &str| some(wanted).is_none_or(|wanted| wanted == text);
        let is_like = |wanted, text: &str| {
            let has = |wanted: &str| asked.is_fuzzy && text.contains(wanted);
            is(wanted, text) || some(wanted).is_some_and(has)
        };
        !self.is_none
            && is_like(asked.id, &log.id)
            && is_like(asked.name, &attributes.name)
            && self.kind.is_none_or(|it| it == attributes.resource.kind)
            && is(asked.resource_id, &attributes.resource.id)
            && self.traffic.is_none_or(|it| it == attributes.traffic)
            && is(asked.cloud_log_id, &attributes.topic)
            && is(asked.cloud_log_region, &attributes.topic_region)
            && self.tag.is_none_or(|tag| self.has_tag(tag, log))
    }

    fn has_tag(&self, wanted: TagFilter<'_>, log: &FlowLog) -> bool {
        let has = |text: &str| self.asked.filter_values.contains(&text);
        let mut tags = log.attributes.tags.iter();
        match wanted {
            TagFilter::Keys => tags.any(|(key, _)| has(key)),
            TagFilter::Values(wanted) => tags.any(|(key, value)| key == wanted && has(value)),
        }
    }
}

/// The one filter that is not a parameter of its own: `tag-key`, or `tag:` and
/// a key.
fn tag_filter<'a>(asked: &'a Asked<'a>) -> Result<Option<TagFilter<'a>>, Refused> {
    let bad = Err(Refused::Malformed(Param::Filters));
    let filter = match some(asked.filter) {
        None if asked.filter_values.is_empty() => return Ok(None),
        None => return bad,
        Some("tag-key") => TagFilter::Keys,
        Some(name) => match name.strip_prefix("tag:") {
            Some(key) => TagFilter::Values(key),
            None => return bad,
        },
    };
    if asked.filter_values.is_empty() || some(asked.id).is_some() {
        return bad;
    }
    Ok(Some(filter))
}

/// In which order flow logs come; ids decide between equals.
#[derive(Clone, Copy, Debug)]
struct Order {
    is_by_name: bool,
    is_ascending: bool,
}

impl Order {
    fn new(asked: &Asked<'_>) -> Result<Self, Refused> {
        let is_by_name = match some(asked.order_field) {
            None | Some("createTime") => false,
            Some("flowLogName") => true,
            Some(_) => return Err(Refused::Range(Param::OrderField)),
        };
        // Documented in capitals by one version, in small letters by the other.
        let is_ascending = match some(asked.order_direction) {
            None => false,
            Some(word) if word.eq_ignore_ascii_case("DESC") => false,
            Some(word) if word.eq_ignore_ascii_case("ASC") => true,
            Some(_) => return Err(Refused::Range(Param::OrderDirection)),
        };
        Ok(Self {
            is_by_name,
            is_ascending,
        })
    }

    fn compare(self, one: &FlowLog, other: &FlowLog) -> Ordering {
        let order = if self.is_by_name {
            one.attributes.name.cmp(&other.attributes.name)
        } else {
            one.created_ms.cmp(&other.created_ms)
        };
        let order = order.then_with(|| one.id.cmp(&other.id));
        if self.is_ascending {
            order
        } else {
            order.reverse()
        }
    }
}

/// How many flow logs come before those wanted, and how many are.
fn part(asked: &Asked<'_>) -> Result<(usize, usize), Refused> {
    let read = |text, param, default| some(text).map_or(Ok(default), |it| number(it, param));
    let offset: i64 = read(asked.offset, Param::Offset, 0)?;
    let limit = read(asked.limit, Param::Limit, LIMIT_DEFAULT)?;
    let offset = usize::try_from(offset).map_err(|_| Refused::Range(Param::Offset))?;
    let limit = usize::try_from(limit).map_err(|_| Refused::Range(Param::Limit))?;
    let is_limit = (1..=LIMIT_MAX).contains(&limit);
    is_limit
        .then_some((offset, limit))
        .ok_or(Refused::Range(Param::Limit))
}

const LIMIT_DEFAULT: i64 = 10;
const LIMIT_MAX: usize = 100;
