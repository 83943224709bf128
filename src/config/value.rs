//! One value of a document, read as what a section wants it to be.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use crate::flowlog::Problem;

use super::report::Report;
use super::table::Table;

/// One value and where it stands.
#[derive(Debug)]
pub(super) struct Value<'r, 'i> {
    report: &'r Report,
    path: String,
    span: Range<usize>,
    value: DeValue<'i>,
}

impl<'r, 'i> Value<'r, 'i> {
    /// A value and its place.
    pub(super) fn new(report: &'r Report, path: String, value: Spanned<DeValue<'i>>) -> Self {
        let span = value.span();
        report.note(&path, span.clone());
        Self {
            report,
            path,
            span,
            value: value.into_inner(),
        }
    }

    /// A whole number of a range.
    pub(super) fn integer<N: TryFrom<u64>>(self, range: RangeInclusive<u64>) -> Option<N> {
        let DeValue::Integer(number) = &self.value else {
            return self.wrong_kind("a whole number");
        };
        let digits = number.as_str();
        let value = u64::from_str_radix(digits, number.radix()).ok();
        let value = value.filter(|value| range.contains(value));
        let value = value.and_then(|value| N::try_from(value).ok());
        if value.is_none() {
            let (least, most) = range.into_inner();
            let what = format!("must be {least} to {most}, not {number}");
            self.refuse(what, "");
        }
        value
    }

    /// `true` or `false`.
    pub(super) fn boolean(self) -> Option<bool> {
        let DeValue::Boolean(answer) = self.value else {
            return self.wrong_kind("true or false");
        };
        Some(answer)
    }

    /// A text.
    pub(super) fn text(self) -> Option<String> {
        let DeValue::String(text) = self.value else {
            return self.wrong_kind("a text in quotes");
        };
        Some(text.into_owned())
    }

    /// An absolute path: a daemon's working directory is anybody's guess.
    pub(super) fn path(self) -> Option<PathBuf> {
        let DeValue::String(text) = &self.value else {
            return self.wrong_kind("a path in quotes");
        };
        let path = PathBuf::from(text.as_ref());
        if path.is_absolute() {
            return Some(path);
        }
        // It may be a secret in the place of the path to one.
        self.refuse("must be an absolute path", "");
        None
    }

    /// A text that means something; `advice` says how to write it.
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(self, advice: &str) -> Option<T> {
        let DeValue::String(text) = &self.value else {
            return self.wrong_kind("a text in quotes");
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(why) => {
                self.refuse(format!("`{}`: {why}", text.escape_debug()), advice);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(self, choices: &[(&str, T)]) -> Option<T> {
        let DeValue::String(text) = &self.value else {
            return self.wrong_kind("a text in quotes");
        };
        let chosen = choices.iter().find(|(word, _)| word == text);
        if chosen.is_none() {
            let words: Vec<String> = choices
                .iter()
                .map(|(word, _)| format!("\"{word}\""))
                .collect();
            let words = words.join(" or ");
            let what = format!("must be {words}, not \"{}\"", text.escape_debug());
            self.refuse(what, "");
        }
        chosen.map(|(_, value)| *value)
    }

    /// What `read` makes of the values of an array.
    ///
    /// A value's number is that of the result it gives: so a place counted in
    /// results, after some values were refused, is still the right one.
    pub(super) fn list<T>(self, mut read: impl FnMut(Self) -> Option<T>) -> Option<Vec<T>> {
        let DeValue::Array(values) = self.value else {
            return self.wrong_kind("an array in brackets");
        };
        let mut results = Vec::with_capacity(values.len());
        for value in values {
            let path = format!("{}[{}]", self.path, results.len());
            results.extend(read(Self::new(self.report, path, value)));
        }
        Some(results)
    }

    /// What `read` makes of the values of a table whose keys are names.
    pub(super) fn named<T>(
        self,
        mut read: impl FnMut(&str, Self) -> Option<T>,
    ) -> Option<BTreeMap<String, T>> {
        let (report, path) = (self.report, self.path.clone());
        let entries = self.table()?;
        let mut results = BTreeMap::new();
        for (key, value) in entries {
            let name = key.into_inner().into_owned();
            let path = format!("{path}.{}", name.escape_debug());
            if let Some(result) = read(&name, Self::new(report, path, value)) {
                results.insert(name, result);
            }
        }
        Some(results)
    }

    /// Reads a table.
    pub(super) fn read<T>(self, read: impl FnOnce(&mut Table<'r, 'i>) -> T) -> Option<T> {
        let (report, path) = (self.report, self.path.clone());
        let entries = self.table()?;
        Some(Table::read(report, path, entries, read))
    }

    /// Whether it is a table.
    pub(super) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// The text it is, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        self.value.as_str()
    }

    /// Notes a problem of this value.
    pub(super) fn refuse(&self, what: impl Into<String>, advice: impl Into<String>) {
        let problem = Problem::new(&*self.path, what, advice);
        self.report.at(Some(self.span.clone()), problem);
    }

    /// A table.
    pub(super) fn table(self) -> Option<DeTable<'i>> {
        let DeValue::Table(entries) = self.value else {
            return self.wrong_kind("a table");
        };
        Some(entries)
    }

    fn wrong_kind<T>(&self, wanted: &str) -> Option<T> {
        let is = self.value.type_str();
        self.refuse(format!("must be {wanted}, not of type {is}"), "");
        None
    }
}

/// A period in milliseconds.
pub(super) fn ms(period: Duration) -> u64 {
    u64::try_from(period.as_millis()).unwrap_or(u64::MAX)
}
