//! Parameters of a call, whichever way they came.
//!
//! A body in JSON is laid out as clients lay out a form, `Tags.0.Key` for the
//! key of the first of the tags, so that there is one way to read both. A
//! number or truth value may be a text, then. Unknown parameters are not
//! looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Edition;
use crate::api::control::{PARAMETERS_MAX, Rejection, Request};

/// The parameters of a call, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Params {
    all: BTreeMap<String, String>,
    pub(super) edition: Edition,
    pub(super) account: String,
}

impl Params {
    /// Those of query and body; what is in both counts as in the body.
    ///
    /// # Errors
    /// The body is neither a form nor an object in JSON, or there are too many.
    pub(super) fn new(
        request: &Request<'_>,
        edition: Edition,
        account: &str,
    ) -> Result<Self, Rejection> {
        let arrived = request.raw.arrived();
        let merged = arrived.merged().into_iter();
        let merged = merged.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut params = Self {
            all: merged.collect(),
            edition,
            account: account.to_owned(),
        };
        if !arrived.body.is_empty() && !request.raw.is_form() {
            if !request.raw.is_of_type(JSON) {
                return Err(Rejection::MediaType);
            }
            params.read(arrived.body)?;
        }
        Ok(params)
    }

    /// Takes the parameters of a body in JSON.
    fn read(&mut self, body: &[u8]) -> Result<(), Rejection> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Rejection::NotText)?;
        if !body.is_object() {
            return Err(Rejection::NotText);
        }
        self.lay_out(String::new(), body)
    }

    /// Lays out a value under its name. What lies deeper than any parameter
    /// has a longer name than any, and is not looked at.
    fn lay_out(&mut self, name: String, value: Value) -> Result<(), Rejection> {
        let below = |part: &str| {
            let is_name = !part.is_empty() && name.len() + part.len() < NAME_OCTETS_MAX;
            let dot = if name.is_empty() { "" } else { "." };
            is_name.then(|| format!("{name}{dot}{part}"))
        };
        let text = match value {
            Value::Null => return Ok(()),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text,
            Value::Array(list) => {
                for (place, value) in list.into_iter().enumerate() {
                    if let Some(name) = below(&place.to_string()) {
                        self.lay_out(name, value)?;
                    }
                }
                return Ok(());
            }
            Value::Object(fields) => {
                for (field, value) in fields {
                    if let Some(name) = below(&field) {
                        self.lay_out(name, value)?;
                    }
                }
                return Ok(());
            }
        };
        self.all.insert(name, text);
        let is_few = self.all.len() <= PARAMETERS_MAX;
        is_few.then_some(()).ok_or(Rejection::TooMany)
    }

    /// As it came: absent, or a text that may be empty. It is named as in API
    /// 3.0, whichever is spoken.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.all
            .get(&self.edition.spelled(name))
            .map(String::as_str)
    }

    /// How many entries a list has; none if one of them is missing.
    pub(super) fn entries(&self, list: &str) -> Option<usize> {
        let list = self.edition.spelled(list);
        let places = self.all.keys().filter_map(|name| {
            let entry = name.strip_prefix(&list)?.strip_prefix('.')?;
            entry.split('.').next()
        });
        let places: BTreeSet<_> = places.collect();
        let is_whole = (0..places.len()).all(|place| places.contains(&*place.to_string()));
        is_whole.then_some(places.len())
    }

    /// A list of texts; none if an entry of it is missing or is no text.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&str>> {
        let places = 0..self.entries(name)?;
        let texts = places.map(|place| self.given(&format!("{name}.{place}")));
        texts.collect()
    }
}

/// Content type of a body that is not a form.
const JSON: &str = "application/json";

/// Octets of a parameter's name, places in lists included: the longest has 26.
const NAME_OCTETS_MAX: usize = 64;
