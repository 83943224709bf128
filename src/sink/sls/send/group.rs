//! Rows of a batch by what they must have in common to be sent together.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow_array::Array;
use arrow_array::DictionaryArray;
use arrow_array::RecordBatch;
use arrow_array::StringArray;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;

use super::ShardHash;
use crate::sink::sls::shard_hash;

/// What rows of one request have in common.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Common<'a> {
    /// Empty if there is none.
    pub(super) flow_log: &'a str,
    /// The hash key of their shard; none if any will do.
    pub(super) shard: Option<u128>,
}

/// Which rows in `range` have what in common, each group in order.
pub(super) fn groups(
    batch: &RecordBatch,
    range: Range<usize>,
    by: ShardHash,
) -> BTreeMap<Common<'_>, Vec<Range<usize>>> {
    let flow_logs = Texts::of(batch, "flow-log");
    let mut shards = match by {
        ShardHash::None => None,
        ShardHash::Exporter => Some(Shards::of(Texts::of(batch, "exporter"))),
    };
    let mut groups: BTreeMap<_, Vec<Range<usize>>> = BTreeMap::new();
    let mut run: Option<(Common<'_>, Range<usize>)> = None;
    for row in range.start..range.end.min(batch.num_rows()) {
        let common = Common {
            flow_log: flow_logs.text(row).unwrap_or_default(),
            shard: shards.as_mut().map(|shards| shards.hash(row)),
        };
        match &mut run {
            Some((last, rows)) if *last == common => rows.end = row + 1,
            Some(_) | None => {
                if let Some((last, rows)) = run.replace((common, row..row + 1)) {
                    groups.entry(last).or_default().push(rows);
                }
            }
        }
    }
    if let Some((last, rows)) = run {
        groups.entry(last).or_default().push(rows);
    }
    groups
}

/// A column of texts; empty if the batch has none.
struct Texts<'a> {
    /// Where each row's is in the dictionary.
    column: Option<(&'a DictionaryArray<Int32Type>, &'a StringArray)>,
}

impl<'a> Texts<'a> {
    fn of(batch: &'a RecordBatch, name: &str) -> Self {
        let column = batch.column_by_name(name).and_then(|column| {
            let column = column.as_dictionary_opt::<Int32Type>()?;
            Some((column, column.values().as_string_opt::<i32>()?))
        });
        Self { column }
    }

    /// Where a row's text is in the dictionary.
    fn place(&self, row: usize) -> Option<usize> {
        let (column, texts) = self.column?;
        column.key(row).filter(|place| *place < texts.len())
    }

    fn text(&self, row: usize) -> Option<&'a str> {
        let (_, texts) = self.column?;
        Some(texts.value(self.place(row)?))
    }
}

/// Hashes of a column of texts, each made once.
struct Shards<'a> {
    texts: Texts<'a>,
    /// By place in the dictionary.
    known: Vec<Option<u128>>,
    /// Of rows without a text.
    none: u128,
}

impl<'a> Shards<'a> {
    fn of(texts: Texts<'a>) -> Self {
        let places = texts.column.map_or(0, |(_, texts)| texts.len());
        Self {
            texts,
            known: vec![None; places],
            none: shard_hash(""),
        }
    }

    fn hash(&mut self, row: usize) -> u128 {
        let (Some(place), Some(text)) = (self.texts.place(row), self.texts.text(row)) else {
            return self.none;
        };
        match self.known.get_mut(place) {
            Some(known) => *known.get_or_insert_with(|| shard_hash(text)),
            None => shard_hash(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sls::testing::Data;
    use crate::sink::sls::testing::batch;

    fn rows(flow_logs: &[Option<&str>], exporters: &[Option<&str>]) -> RecordBatch {
        let text = |values: &[Option<&str>]| {
            let values = values.iter().map(|value| value.map(str::to_owned));
            Data::Text(values.collect())
        };
        let columns = vec![("exporter", text(exporters)), ("flow-log", text(flow_logs))];
        batch(&columns, flow_logs.len())
    }

    /// Row by row.
    fn flat<'a>(groups: BTreeMap<Common<'a>, Vec<Range<usize>>>) -> Vec<(Common<'a>, Vec<usize>)> {
        let groups = groups.into_iter();
        groups
            .map(|(common, ranges)| (common, ranges.into_iter().flatten().collect()))
            .collect()
    }

    #[test]
    fn rows_of_a_flow_log_are_together() {
        let (a, b) = (Some("a"), Some("b"));
        let rows = rows(&[b, a, a, b, None, a], &[None; 6]);
        let groups = groups(&rows, 1..9, ShardHash::None);
        let common = |flow_log| Common {
            flow_log,
            shard: None,
        };
        let expected = [
            (common(""), vec![4]),
            (common("a"), vec![1, 2, 5]),
            (common("b"), vec![3]),
        ];
        assert_eq!(flat(groups), expected);
    }

    #[test]
    fn rows_of_an_exporter_have_its_hash() {
        let (one, two) = (Some("192.0.2.1"), Some("192.0.2.2"));
        let rows = rows(&[Some("a"); 5], &[one, two, one, None, two]);
        let groups = groups(&rows, 0..5, ShardHash::Exporter);
        let common = |exporter| Common {
            flow_log: "a",
            shard: Some(shard_hash(exporter)),
        };
        let mut expected = [
            (common("192.0.2.1"), vec![0, 2]),
            (common("192.0.2.2"), vec![1, 4]),
            (common(""), vec![3]),
        ];
        expected.sort_by_key(|(common, _)| *common);
        assert_eq!(flat(groups), expected);
    }

    #[test]
    fn a_batch_without_such_columns_is_one_group() {
        let rows = batch(&vec![("bytes", Data::U64(vec![None; 3]))], 3);
        let groups = groups(&rows, 0..3, ShardHash::Exporter);
        let all = Common {
            flow_log: "",
            shard: Some(shard_hash("")),
        };
        assert_eq!(flat(groups), [(all, vec![0, 1, 2])]);
    }
}
