//! `Authorization: NAME Credential=…,SignedHeaders=…,Signature=…`, and the
//! headers that such a signature covers.

use std::collections::{BTreeMap, BTreeSet};

use super::Arrived;
use super::control::Denial;

/// The header's three parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Authorization<'a> {
    /// The key, with a scope behind a `/` in some schemes.
    pub(super) credential: &'a str,
    /// Names in the order signed, separated by `;`; each once.
    pub(super) signed_headers: &'a str,
    /// In hex digits.
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads a header that must begin with the algorithm's name.
    ///
    /// # Errors
    /// The algorithm is another of `family`, or the header cannot be read: a
    /// part is missing, unknown or there twice, a name is signed twice.
    pub(super) fn read(header: &'a str, algorithm: &str, family: &str) -> Result<Self, Denial> {
        let (name, parts) = header.split_once(' ').unwrap_or((header, ""));
        if name != algorithm {
            let is_other = name.starts_with(family) || name.eq_ignore_ascii_case("bearer");
            return Err(if is_other {
                Denial::Method
            } else {
                Denial::Malformed
            });
        }
        let mut found = [None; 3];
        for part in parts.split(',') {
            let (name, value) = part.trim_ascii().split_once('=').ok_or(Denial::Malformed)?;
            let mut places = PARTS.iter().zip(&mut found);
            let place = places.find(|(part, _)| **part == name);
            let (_, place) = place.ok_or(Denial::Malformed)?;
            if value.is_empty() || place.replace(value).is_some() {
                return Err(Denial::Malformed);
            }
        }
        let [Some(credential), Some(signed_headers), Some(signature)] = found else {
            return Err(Denial::Malformed);
        };
        let mut names = BTreeSet::new();
        // Twice the same name would let a short header ask for a long text.
        if !signed_headers.split(';').all(|name| names.insert(name)) {
            return Err(Denial::Malformed);
        }
        Ok(Self {
            credential,
            signed_headers,
            signature,
        })
    }

    /// The names of the signed headers, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.signed_headers.split(';')
    }

    /// Whether all of these are signed.
    pub(super) fn covers(&self, required: &[&str]) -> bool {
        let names: BTreeSet<_> = self.names().collect();
        required.iter().all(|name| names.contains(name))
    }
}

/// What the header is made of.
const PARTS: [&str; 3] = ["Credential", "SignedHeaders", "Signature"];

/// The headers of a request by name.
#[derive(Debug)]
pub(super) struct Headers<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> Headers<'a> {
    pub(super) fn new(arrived: &Arrived<'a>) -> Self {
        let mut named: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, value) in arrived.headers {
            let values = named.entry(name.as_str()).or_default();
            values.push(value.trim_ascii());
        }
        for values in named.values_mut() {
            values.sort_unstable();
        }
        Self(named)
    }

    /// Whether all of these came.
    pub(super) fn have<'b>(&self, mut names: impl Iterator<Item = &'b str>) -> bool {
        names.all(|name| self.0.contains_key(name))
    }

    /// A header as it is signed: several of one name sorted, with `,` between;
    /// empty if none came.
    pub(super) fn value(&self, name: &str) -> String {
        self.0
            .get(name)
            .map_or_else(String::new, |values| values.join(","))
    }
}
