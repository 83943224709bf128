//! Logs of any kind, as PutLogs brings them, made rows.
//!
//! A field goes to the column of flows that has its name if that column would
//! write the value as it came; else, like all other names, to the map `rest`.
//! So `bytes` = `7` is a number and `bytes` = `007` is kept beside it, and
//! every field comes out as it went in. A name that a log has twice is numbered
//! (`name#2`), for keys of a map differ; the first keeps it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::LazyLock;

use arrow_array::ArrayRef;
use arrow_array::Int64Array;
use arrow_array::RecordBatch;
use arrow_array::RecordBatchOptions;
use arrow_array::StringArray;
use arrow_array::UInt32Array;
use arrow_array::builder::BinaryBuilder;
use arrow_array::builder::MapBuilder;
use arrow_array::builder::StringBuilder;
use arrow_schema::ArrowError;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::error::AppendError;
use super::fit;
use super::fit::Value;
use super::flows::REST;
use super::schema::SOURCE;
use super::schema::SchemaError;
use super::schema::TAGS;
use super::schema::TIME;
use super::schema::TIME_NS_PART;
use super::schema::TOPIC;
use super::shard::Brought;
use super::store::LogStore;
use crate::flow::Amount;
use crate::flow::COLUMNS;

/// A log group: logs with what they have in common.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Logs {
    /// Topic; empty if there is none.
    pub topic: String,
    /// Source; empty if there is none.
    pub source: String,
    /// Names and values of tags; a name that is there twice is numbered.
    pub tags: Vec<(String, String)>,
    /// The logs.
    pub logs: Vec<Log>,
}

/// One log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Log {
    /// Seconds since 1970, kept as they are: whoever lets the log in has looked.
    pub time_s: i64,
    /// Nanoseconds after these; none is kept as 0.
    pub time_ns: Option<u32>,
    /// Names and octets of fields.
    pub fields: Vec<(String, Vec<u8>)>,
}

impl Logs {
    /// Whether the store would take them, whatever it holds: topic, source and
    /// tags are kept with each log and must not swell to more than 64 MiB, nor
    /// fields be more than 1 GiB.
    ///
    /// # Errors
    /// [`AppendError::TooLarge`].
    pub fn check(&self) -> Result<(), AppendError> {
        let size = |name: &str, value: usize| name.len() + value + FIELD_OVERHEAD;
        let tags = self
            .tags
            .iter()
            .map(|(name, value)| size(name, value.len()));
        let each = self.topic.len() + self.source.len() + tags.sum::<usize>();
        let common = each.saturating_mul(self.logs.len());
        let fields = self.logs.iter().flat_map(|log| &log.fields);
        let fields: usize = fields.map(|(name, value)| size(name, value.len())).sum();
        if common > COMMON_OCTETS_MAX || fields > FIELD_OCTETS_MAX {
            return Err(AppendError::TooLarge(common.saturating_add(fields)));
        }
        Ok(())
    }

    /// The rows, without the columns that none of them has a value for.
    fn rows(&self) -> Result<RecordBatch, AppendError> {
        self.check()?;
        Ok(self.columns().map_err(SchemaError::from)?)
    }

    fn columns(&self) -> Result<RecordBatch, ArrowError> {
        let rows = self.logs.len();
        let mut named = self.common()?;
        let fields = Fields::of(&self.logs)?;
        for (column, cells) in COLUMNS.iter().zip(&fields.cells) {
            if !cells.is_empty() {
                named.push((column.name, fit::column(column.kind, cells, rows)?));
            }
        }
        named.extend(fields.rest.map(|rest| (REST, rest)));
        let (names, columns): (Vec<_>, Vec<_>) = named.into_iter().unzip();
        let field = |(name, column): (&&str, &ArrayRef)| {
            arrow_schema::Field::new(*name, column.data_type().clone(), true)
        };
        let fields: Vec<_> = names.iter().zip(&columns).map(field).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::new(arrow_schema::Schema::new(fields));
        RecordBatch::try_new_with_options(schema, columns, &options)
    }

    /// Times, topic, source and tags.
    fn common(&self) -> Result<Vec<(&'static str, ArrayRef)>, ArrowError> {
        let seconds = self.logs.iter().map(|log| log.time_s);
        let nanoseconds = self.logs.iter().map(|log| log.time_ns.unwrap_or(0));
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            (TIME, Arc::new(Int64Array::from_iter_values(seconds))),
            (
                TIME_NS_PART,
                Arc::new(UInt32Array::from_iter_values(nanoseconds)),
            ),
        ];
        let texts = [(TOPIC, &self.topic), (SOURCE, &self.source)];
        for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            let texts = StringArray::from_iter_values(self.logs.iter().map(|_| text));
            columns.push((name, Arc::new(texts)));
        }
        if !self.tags.is_empty() {
            columns.push((TAGS, self.tags()?));
        }
        Ok(columns)
    }

    fn tags(&self) -> Result<ArrayRef, ArrowError> {
        let mut names = Names::default();
        let tags = self.tags.iter();
        let tags: Vec<_> = tags
            .map(|(name, value)| (names.free(name), value))
            .collect();
        let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for _ in &self.logs {
            for (name, value) in &tags {
                map.keys().append_value(name);
                map.values().append_value(value);
            }
            map.append(true)?;
        }
        Ok(Arc::new(map.finish()))
    }
}

impl LogStore {
    /// Takes logs of any kind into a logstore, as
    /// [`append_rows`](Self::append_rows) takes rows: numbered from `first_seq`
    /// on, those it had before passed over.
    ///
    /// In the loss ledger they stand for nothing, which is the answer; the
    /// store's own [`Stats`](super::Stats) count them.
    ///
    /// # Errors
    /// As of `append_rows`; those of [`check`](Logs::check) stay, however often
    /// the logs are brought.
    pub fn append_logs(
        &self,
        project: &str,
        logstore: &str,
        logs: &Logs,
        first_seq: u64,
        arrival_ms: u64,
    ) -> Result<Amount, AppendError> {
        if logs.logs.is_empty() {
            return Ok(Amount::default());
        }
        let taken = logs.rows().and_then(|rows| {
            let rows = Brought {
                rows: &rows,
                first_seq,
                arrival_ms,
                are_logs: true,
                journal: self.journal(),
            };
            self.take(project, logstore, &rows)
        });
        if taken.is_err() {
            let refused = u64::try_from(logs.logs.len()).unwrap_or(u64::MAX);
            self.ledger.count(|stats| stats.refused_logs += refused);
        }
        taken
    }
}

/// Fields of logs, by where they belong.
struct Fields<'a> {
    /// For each column of flows, rows and values.
    cells: Vec<Vec<(usize, Value<'a>)>>,
    /// The column `rest`, if any log needs it.
    rest: Option<ArrayRef>,
}

impl<'a> Fields<'a> {
    fn of(logs: &'a [Log]) -> Result<Self, ArrowError> {
        let mut cells: Vec<Vec<_>> = COLUMNS.iter().map(|_| Vec::new()).collect();
        let mut rest = MapBuilder::new(None, StringBuilder::new(), BinaryBuilder::new());
        let mut has_rest = false;
        for (row, log) in logs.iter().enumerate() {
            let mut names = Names::default();
            let mut is_null = true;
            for (name, octets) in &log.fields {
                let key = names.free(name);
                let typed = typed(&key, octets);
                match typed.and_then(|(column, value)| Some((cells.get_mut(column)?, value))) {
                    Some((column, value)) => column.push((row, value)),
                    None => {
                        rest.keys().append_value(key);
                        rest.values().append_value(octets);
                        is_null = false;
                    }
                }
            }
            has_rest |= !is_null;
            rest.append(!is_null)?;
        }
        let rest = has_rest.then(|| Arc::new(rest.finish()) as ArrayRef);
        Ok(Self { cells, rest })
    }
}

/// Which column of flows a field belongs to, and as what, if to any.
fn typed<'a>(name: &str, octets: &'a [u8]) -> Option<(usize, Value<'a>)> {
    static PLACES: LazyLock<HashMap<&str, usize, RandomState>> = LazyLock::new(|| {
        let names = COLUMNS.iter().map(|column| column.name);
        names.zip(0..).collect()
    });
    let place = *PLACES.get(name)?;
    let value = fit::fit(COLUMNS.get(place)?.kind, octets)?;
    Some((place, value))
}

/// Names of one map, none of them given out twice.
#[derive(Default)]
struct Names<'a> {
    /// Each with the number that its last namesake got.
    given: HashMap<Cow<'a, str>, usize, RandomState>,
}

impl<'a> Names<'a> {
    /// `name` itself, or else the first of `name#2`, `name#3`… that is free.
    fn free(&mut self, name: &'a str) -> Cow<'a, str> {
        let Some(last) = self.given.get(name) else {
            self.given.insert(Cow::Borrowed(name), 1);
            return Cow::Borrowed(name);
        };
        let mut number = *last;
        // For all namesakes together, no more tries than names were given.
        let numbered = loop {
            number += 1;
            let numbered = format!("{name}#{number}");
            if !self.given.contains_key(numbered.as_str()) {
                break numbered;
            }
        };
        self.given.insert(Cow::Borrowed(name), number);
        self.given.insert(Cow::Owned(numbered.clone()), 1);
        Cow::Owned(numbered)
    }
}

/// What a field takes beside its name and value.
const FIELD_OVERHEAD: usize = 16;
/// Octets of topic, source and tags, once for each log.
const COMMON_OCTETS_MAX: usize = 64 << 20;
/// Octets of all fields: Arrow counts to 2^31.
const FIELD_OCTETS_MAX: usize = 1 << 30;
