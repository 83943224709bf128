//! Reads a TOML document table by table, and notes all that is wrong with it.
//!
//! `serde` stops at the first problem; an operator wants to hear them all. So a
//! section asks its [`Table`] for the keys it knows. What is of the wrong kind
//! or out of range is noted and answered with `None`, as if it were not there;
//! what nobody asked for is an unknown key.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::de::DeTable;

use crate::flowlog::Problem;

use super::report::Report;
use super::value::Value;

/// A table whose keys are taken out one by one.
#[derive(Debug)]
pub(super) struct Table<'r, 'i> {
    report: &'r Report,
    path: String,
    entries: DeTable<'i>,
    known: Vec<&'static str>,
}

impl<'r, 'i> Table<'r, 'i> {
    /// Reads a whole document.
    pub(super) fn document<T>(
        report: &'r Report,
        entries: DeTable<'i>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        Self::read(report, String::new(), entries, read)
    }

    /// Reads the table under a key; an absent one is empty.
    pub(super) fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        let path = self.path_of(key);
        let entries = self.take(key).and_then(Value::table).unwrap_or_default();
        Self::read(self.report, path, entries, read)
    }

    /// What `read` makes of the tables in the array under a key; an absent one
    /// is empty.
    pub(super) fn each<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Vec<T> {
        let tables = self.list(key, |value| value.read(&mut read)?);
        tables.unwrap_or_default()
    }

    /// The same of tables that each have an id of their own.
    pub(super) fn each_once<T>(
        &mut self,
        key: &'static str,
        read: impl FnMut(&mut Self) -> Option<T>,
        id_of: impl Fn(&T) -> &str,
    ) -> Vec<T> {
        let all = self.each(key, read);
        for (index, one) in all.iter().enumerate() {
            let id = id_of(one);
            if all.iter().take(index).any(|other| id_of(other) == id) {
                let what = format!("`{}` is defined twice", id.escape_debug());
                let place = format!("{key}[{index}].id");
                self.refuse(&place, what, "give each its own id");
            }
        }
        all
    }

    /// What `read` makes of the values of a table whose keys are names; an
    /// absent one is empty.
    pub(super) fn named<T>(
        &mut self,
        key: &'static str,
        read: impl FnMut(&str, Value<'r, 'i>) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let named = self.take(key).and_then(|value| value.named(read));
        named.unwrap_or_default()
    }

    /// Takes a value out; `None` when the document has none.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'r, 'i>> {
        self.known.push(key);
        let path = self.path_of(key);
        self.entries
            .remove(key)
            .map(|value| Value::new(self.report, path, value))
    }

    /// A whole number.
    pub(super) fn integer<N: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<N> {
        self.take(key)?.integer(range)
    }

    /// A period in seconds.
    pub(super) fn seconds(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Duration> {
        self.integer(key, range).map(Duration::from_secs)
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.take(key)?.text()
    }

    /// An absolute path.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.take(key)?.path()
    }

    /// A text that means something; `advice` says how to write it.
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(
        &mut self,
        key: &'static str,
        advice: &str,
    ) -> Option<T> {
        self.take(key)?.parsed(advice)
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        self.take(key)?.choice(choices)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        self.take(key)?.boolean()
    }

    /// What `read` makes of the values of an array.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        read: impl FnMut(Value<'r, 'i>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.take(key)?.list(read)
    }

    /// What `read` makes of a value that must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        advice: &str,
        read: impl FnOnce(Value<'r, 'i>) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(key);
        if value.is_none() {
            self.refuse(key, "missing", advice);
        }
        read(value?)
    }

    /// Notes a problem of a key, whether the document has it or not.
    pub(super) fn refuse(&self, key: &str, what: impl Into<String>, advice: impl Into<String>) {
        let problem = Problem::new(self.path_of(key), what, advice);
        self.report.add(problem);
    }

    /// Refuses keys that belong elsewhere, where they stand.
    pub(super) fn misplaced(&mut self, keys: &[&'static str], what: &str, advice: &str) {
        for key in keys {
            let path = self.path_of(key);
            if let Some(value) = self.entries.remove(*key) {
                Value::new(self.report, path, value).refuse(what, advice);
            }
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn read<T>(
        report: &'r Report,
        path: String,
        entries: DeTable<'i>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut table = Self {
            report,
            path,
            entries,
            known: Vec::new(),
        };
        let result = read(&mut table);
        table.refuse_the_rest();
        result
    }

    /// What nobody took is unknown.
    fn refuse_the_rest(&self) {
        for key in self.entries.keys() {
            let path = self.path_of(&display_key(key.get_ref()));
            let problem = Problem::new(path, "unknown key", self.suggestion(key.get_ref()));
            self.report.at(Some(key.span()), problem);
        }
    }

    fn suggestion(&self, unknown: &str) -> String {
        let nearest = self
            .known
            .iter()
            .map(|known| (distance(unknown, known), known))
            .min();
        match nearest {
            Some((distance, known)) if distance <= TYPO_MAX => {
                format!("did you mean `{known}`?")
            }
            _ => format!("known keys are {}", self.known.join(", ")),
        }
    }
}

/// A key as it may stand in a message.
fn display_key(key: &str) -> String {
    key.escape_debug().to_string()
}

/// Letters to change, insert or leave out to get from one word to the other
/// (Levenshtein's distance).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, have) in from.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (cell, want) in row.iter_mut().skip(1).zip(&to) {
            let change = diagonal + usize::from(have != *want);
            diagonal = *cell;
            left = change.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Letters that may differ for a key to be taken for a typing error.
const TYPO_MAX: usize = 2;
