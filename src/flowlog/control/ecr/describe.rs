//! What the family's list shows.

use super::FlowLog;
use super::Param;
use super::Policy;
use super::Refused;
use super::Scope;
use super::Store;

/// Which flow logs are wanted: those for which all that is given is so, to the
/// letter.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "they are named as in the API")]
pub struct Filter<'a> {
    pub flow_log_id: Option<&'a str>,
    pub flow_log_name: Option<&'a str>,
    pub instance_id: Option<&'a str>,
    pub project_name: Option<&'a str>,
    pub log_store_name: Option<&'a str>,
    pub resource_group_id: Option<&'a str>,
    /// Keys, and values where they matter.
    pub tags: Vec<(&'a str, Option<&'a str>)>,
}

impl Filter<'_> {
    fn takes(&self, log: &FlowLog) -> bool {
        let attributes = &log.attributes;
        let texts = [
            (self.flow_log_id, &log.id),
            (self.flow_log_name, &attributes.name),
            (self.instance_id, &attributes.vbr),
            (self.project_name, &attributes.project),
            (self.log_store_name, &attributes.logstore),
            (self.resource_group_id, &attributes.resource_group),
        ];
        let mut texts = texts.into_iter();
        let has = |key: &str, value: Option<&str>| {
            let mut tags = attributes.tags.iter();
            tags.any(|(own, has)| own == key && value.is_none_or(|value| value == has))
        };
        texts.all(|(wanted, text)| wanted.is_none_or(|wanted| wanted == text))
            && self.tags.iter().all(|(key, value)| has(key, *value))
    }
}

/// Which part of the list is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Page<'a> {
    /// Entries of a page, at least one.
    pub size: usize,
    /// The last one of the page before: when it was made, and its id.
    after: Option<(u64, &'a str)>,
}

impl<'a> Page<'a> {
    /// Reads the words of a call: 10 entries from the first on, where it says
    /// nothing.
    ///
    /// # Errors
    /// A number that is none, or a token that we did not give.
    pub fn new(max_results: Option<&str>, next_token: Option<&'a str>) -> Result<Self, Refused> {
        let some = |text: &&str| !text.is_empty();
        let size = match max_results.filter(some).map(str::parse::<i32>) {
            None => SIZE_DEFAULT,
            Some(Ok(size)) if size > 0 => usize::try_from(size).unwrap_or(usize::MAX),
            Some(_) => return Err(Refused::Illegal(Param::MaxResults)),
        };
        let after = next_token.filter(some).map(|token| {
            let (made_ms, id) = token.split_at_checked(TIME_DIGITS)?;
            Some((u64::from_str_radix(made_ms, 16).ok()?, id))
        });
        let after = match after {
            Some(None) => return Err(Refused::Illegal(Param::NextToken)),
            Some(after) => after,
            None => None,
        };
        Ok(Self { size, after })
    }
}

/// Part of the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Paged<'a> {
    /// Entries of the whole list.
    pub total: usize,
    /// Those of the page.
    pub entries: Vec<&'a FlowLog>,
    /// What the next page is asked for with; empty if there is none.
    pub next: String,
}

impl Store {
    /// Flow logs of the scope, and the operators' own, that the filter takes:
    /// the oldest first.
    ///
    /// # Errors
    /// There is no such router, and none of its flow logs is left.
    pub fn describe<'a>(
        &'a self,
        scope: &Scope<'_>,
        filter: &Filter<'_>,
        page: Page<'_>,
        policy: &Policy<'a>,
    ) -> Result<Paged<'a>, Refused> {
        if !self.flow_logs.values().any(|log| scope.has(log)) {
            policy.router(scope)?;
        }
        let operators = &policy.inventory.operators.ecr;
        let configured = operators.flow_logs().filter(|log| scope.sees(log));
        let logs = self.flow_logs.values();
        let made = logs.filter(|log| scope.has(log) && !operators.has(&log.id));
        let found = configured.chain(made).filter(|log| filter.takes(log));
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|log| place(log));
        let total = found.len();
        let rest = found.into_iter();
        let rest = rest.filter(|log| page.after.is_none_or(|after| place(log) > after));
        let mut entries: Vec<_> = rest.take(page.size.saturating_add(1)).collect();
        let has_more = entries.len() > page.size;
        entries.truncate(page.size);
        let last = entries.last().filter(|_| has_more);
        let next = last.map(|log| format!("{:0TIME_DIGITS$x}{}", log.created_ms, log.id));
        Ok(Paged {
            total,
            entries,
            next: next.unwrap_or_default(),
        })
    }
}

/// Where a flow log stands in the list: one that is removed moves no other.
fn place(log: &FlowLog) -> (u64, &str) {
    (log.created_ms, &log.id)
}

const SIZE_DEFAULT: usize = 10;
/// Hex digits of a time in a token.
const TIME_DIGITS: usize = 16;
