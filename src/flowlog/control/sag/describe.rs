//! What the family's lists show.

use super::FlowLog;
use super::Operators;
use super::Param;
use super::Refused;
use super::Scope;
use super::Store;
use crate::flowlog::OutputType;
use crate::flowlog::control::Gateway;
use crate::flowlog::control::Inventory;

/// Which flow logs are wanted: those for which all that is given is so, to the
/// letter.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "they are named as in the API")]
pub struct Filter<'a> {
    pub id: Option<&'a str>,
    pub name: Option<&'a str>,
    pub description: Option<&'a str>,
    pub is_active: Option<bool>,
    pub output: Option<OutputType>,
}

impl<'a> Filter<'a> {
    /// Reads the words of a call; an empty one asks for nothing.
    ///
    /// # Errors
    /// A status or output that there is not.
    pub fn new(
        id: Option<&'a str>,
        name: Option<&'a str>,
        description: Option<&'a str>,
        status: Option<&'a str>,
        output: Option<&'a str>,
    ) -> Result<Self, Refused> {
        let some = |text: Option<&'a str>| text.filter(|text| !text.is_empty());
        let is_active = match some(status) {
            None => None,
            Some("Active") => Some(true),
            Some("Inactive") => Some(false),
            Some(_) => return Err(Refused::Illegal(Param::Status)),
        };
        Ok(Self {
            id: some(id),
            name: some(name),
            description: some(description),
            is_active,
            output: super::attributes::output(some(output))?,
        })
    }

    fn takes(&self, log: &FlowLog) -> bool {
        let attributes = &log.attributes;
        let is = |wanted: Option<&str>, text: &str| wanted.is_none_or(|wanted| wanted == text);
        is(self.id, &log.id)
            && is(self.name, &attributes.name)
            && is(self.description, &attributes.description)
            && self.is_active.is_none_or(|it| it == log.is_active)
            && self.output.is_none_or(|it| it == attributes.output)
    }
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Page {
    /// From 1.
    pub number: usize,
    /// Entries of a page: 1–50.
    pub size: usize,
}

impl Page {
    /// Reads the words of a call: page 1 and 10 entries, where it says nothing.
    ///
    /// # Errors
    /// No number, or 0; more than 50 entries are taken for 50.
    pub fn new(number: Option<&str>, size: Option<&str>) -> Result<Self, Refused> {
        let read = |text: Option<&str>, default| match text {
            None | Some("") => Ok(default),
            Some(text) => match text.parse() {
                Ok(number) if number > 0 => Ok(number),
                Ok(_) | Err(_) => Err(Refused::Invalid),
            },
        };
        Ok(Self {
            number: read(number, 1)?,
            size: read(size, SIZE_DEFAULT)?.min(SIZE_MAX),
        })
    }

    fn of<T>(self, all: Vec<T>) -> Paged<T> {
        let total = all.len();
        let skipped = (self.number - 1).saturating_mul(self.size);
        let entries = all.into_iter().skip(skipped).take(self.size);
        Paged {
            total,
            entries: entries.collect(),
        }
    }
}

/// Part of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Paged<T> {
    /// Entries of the whole list.
    pub total: usize,
    /// Those of the page.
    pub entries: Vec<T>,
}

impl Store {
    /// Flow logs of the scope, and the operators' own, that the filter takes:
    /// the oldest first.
    pub fn describe<'a>(
        &'a self,
        scope: &'a Scope<'_>,
        operators: &'a Operators,
        filter: &Filter<'_>,
        page: Page,
    ) -> Paged<&'a FlowLog> {
        let made = self.of_scope(scope).filter(|log| !operators.has(&log.id));
        let found = operators.flow_logs().chain(made);
        let mut found: Vec<_> = found.filter(|log| filter.takes(log)).collect();
        found.sort_by(|one, other| (one.created_ms, &one.id).cmp(&(other.created_ms, &other.id)));
        page.of(found)
    }

    /// Gateways bound to a flow log.
    ///
    /// # Errors
    /// There is no such flow log.
    pub fn describe_bound<'a>(
        &'a self,
        scope: &Scope<'_>,
        operators: &'a Operators,
        id: &'a str,
        page: Page,
    ) -> Result<Paged<&'a str>, Refused> {
        if operators.has(id) {
            return Ok(page.of(operators.bound_to(id).collect()));
        }
        self.of_id(scope, id)?;
        Ok(page.of(self.bound_to(id).collect()))
    }

    /// Gateways of the scope that could be bound and are not.
    pub fn describe_unbound<'a>(
        &self,
        scope: &Scope<'_>,
        inventory: &'a Inventory,
    ) -> Vec<(&'a str, &'a Gateway)> {
        let gateways = inventory.gateways.iter();
        let is_bound =
            |id: &str| self.bindings.contains_key(id) || inventory.operators.sag.binds(id);
        let free = gateways.filter(|(id, gateway)| {
            gateway.has_flow_logs && scope.has_gateway(gateway) && !is_bound(id)
        });
        free.map(|(id, gateway)| (id.as_str(), gateway)).collect()
    }
}

const SIZE_DEFAULT: usize = 10;
const SIZE_MAX: usize = 50;
