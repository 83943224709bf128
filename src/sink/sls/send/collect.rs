//! Rows of frames, collected to batches by the flow log they belong to.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::DictionaryArray;
use arrow_array::RecordBatch;
use arrow_array::StringArray;
use arrow_array::types::Int32Type;

use super::Directory;
use super::SenderSettings;
use super::budget::Budget;
use super::budget::Charge;
use super::course::Lane;
use super::shared::random;
use super::stats::Desk;
use crate::sink::sls::Batch;
use crate::sink::sls::BatchKey;
use crate::sink::sls::Batcher;
use crate::sink::sls::FieldChoice;
use crate::sink::sls::FlowRows;
use crate::sink::sls::LogGroupWriter;
use crate::sink::sls::PackIds;
use crate::sink::sls::TimeWindow;
use crate::sink::sls::Unfit;
use crate::sink::sls::Written;

/// A full batch, and what it takes of the memory.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) lane: Lane,
    pub(super) batch: Batch,
    /// The fields its rows were written with: the index of a new logstore.
    pub(super) fields: Arc<FieldChoice>,
    pub(super) charge: Charge,
}

/// Open batches of one destination and lane, one per flow log.
pub(super) struct Collector {
    lane: Lane,
    desk: Arc<Desk>,
    lines: BTreeMap<String, Line>,
    budget: Arc<Budget>,
    charge: Charge,
}

struct Line {
    fields: Arc<FieldChoice>,
    writer: LogGroupWriter,
    batcher: Batcher,
}

/// What rows are written with.
pub(super) struct Terms<'a> {
    pub(super) settings: &'a SenderSettings,
    pub(super) directory: &'a dyn Directory,
    pub(super) window: TimeWindow,
    pub(super) now_ms: u64,
}

impl Collector {
    pub(super) fn new(lane: Lane, desk: Arc<Desk>, budget: &Arc<Budget>) -> Self {
        Self {
            lane,
            desk,
            lines: BTreeMap::new(),
            budget: Arc::clone(budget),
            charge: budget.charge(),
        }
    }

    /// Adds the rows in `range`; batches that became full are added to `full`.
    ///
    /// Gives the rows that could not be added because a column is not of the
    /// schema's type.
    pub(super) fn add(
        &mut self,
        rows: &FlowRows<'_>,
        range: Range<usize>,
        terms: &Terms<'_>,
        full: &mut Vec<Parcel>,
    ) -> Vec<(Range<usize>, Unfit)> {
        let mut written = Written::default();
        let mut unfit = Vec::new();
        for (flow_log, run) in runs(rows.batch, range) {
            if !self.lines.contains_key(flow_log) && self.lines.len() >= LINES_MAX {
                full.extend(self.flush());
            }
            match self.add_run(flow_log, rows, run.clone(), terms, full) {
                Ok(more) => written += more,
                Err(error) => unfit.push((run, error)),
            }
        }
        self.weigh();
        let mut stats = self.desk.stats();
        stats.clamped_rows += count(written.clamped);
        stats.cut_values += count(written.cut);
        unfit
    }

    fn add_run(
        &mut self,
        flow_log: &str,
        rows: &FlowRows<'_>,
        run: Range<usize>,
        terms: &Terms<'_>,
        full: &mut Vec<Parcel>,
    ) -> Result<Written, Unfit> {
        if !self.lines.contains_key(flow_log) {
            let line = Line::new(&self.desk, flow_log, terms);
            self.lines.insert(flow_log.to_owned(), line);
        }
        let Some(line) = self.lines.get_mut(flow_log) else {
            return Ok(Written::default());
        };
        let mut batches = Vec::new();
        let Line {
            fields,
            writer,
            batcher,
        } = line;
        let added = batcher.add(writer, rows, run, terms.window, terms.now_ms, &mut batches);
        let fields = Arc::clone(fields);
        let parcels = batches.into_iter();
        full.extend(parcels.map(|batch| self.parcel(batch, Arc::clone(&fields))));
        added
    }

    /// Batches whose first row has waited as long as it may.
    pub(super) fn due(&mut self, now_ms: u64) -> Vec<Parcel> {
        self.take(|batcher| batcher.due(now_ms))
    }

    /// When [`Collector::due`] is to be asked, in ms; never while it is empty.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let lines = self.lines.values();
        lines.filter_map(|line| line.batcher.due_ms()).min()
    }

    /// All batches as they are.
    pub(super) fn flush(&mut self) -> Vec<Parcel> {
        self.take(Batcher::flush)
    }

    /// Forgets flow logs without rows, and the tables for writing them.
    pub(super) fn forget_idle(&mut self) {
        self.lines.retain(|_, line| line.batcher.rows() > 0);
    }

    /// Batches of some lines, which go with their tables.
    fn take(&mut self, mut batch: impl FnMut(&mut Batcher) -> Option<Batch>) -> Vec<Parcel> {
        let mut taken = Vec::new();
        self.lines.retain(|_, line| {
            let batch = batch(&mut line.batcher);
            let is_over = batch.is_some();
            taken.extend(batch.map(|batch| (batch, Arc::clone(&line.fields))));
            !is_over
        });
        self.weigh();
        let taken = taken.into_iter();
        taken
            .map(|(batch, fields)| self.parcel(batch, fields))
            .collect()
    }

    fn parcel(&self, batch: Batch, fields: Arc<FieldChoice>) -> Parcel {
        let mut charge = self.budget.charge();
        charge.set(weight(batch.body().len()));
        Parcel {
            lane: self.lane,
            batch,
            fields,
            charge,
        }
    }

    fn weigh(&mut self) {
        let open = self.lines.values().map(|line| line.batcher.raw_bytes());
        self.charge.set(weight(open.sum()));
    }
}

impl Line {
    fn new(desk: &Desk, flow_log: &str, terms: &Terms<'_>) -> Self {
        let fields = terms.directory.fields(flow_log);
        let key = BatchKey {
            project: desk.destination.project.clone(),
            logstore: desk.destination.logstore.clone(),
            topic: flow_log.to_owned(),
            source: terms.settings.source.clone(),
            shard: None,
        };
        let tags = terms.settings.tags.clone();
        let packs = PackIds::new(random());
        Self {
            writer: LogGroupWriter::new(&fields),
            batcher: Batcher::new(key, tags, packs, terms.settings.limits),
            fields,
        }
    }
}

/// Runs of rows of one flow log each, with its name; empty if it has none.
fn runs(batch: &RecordBatch, range: Range<usize>) -> Vec<(&str, Range<usize>)> {
    let column = batch.column_by_name("flow-log");
    let column = column.and_then(|column| {
        let column = column.as_any().downcast_ref::<DictionaryArray<Int32Type>>();
        let texts = column?.values().as_any().downcast_ref::<StringArray>();
        Some((column?, texts?))
    });
    let name = |row: usize| {
        let (column, texts) = column?;
        let text = column.key(row)?;
        (text < texts.len()).then(|| texts.value(text))
    };
    let mut runs: Vec<(&str, Range<usize>)> = Vec::new();
    for row in range.start..range.end.min(batch.num_rows()) {
        let name = name(row).unwrap_or_default();
        match runs.last_mut() {
            Some((last, run)) if *last == name => run.end = row + 1,
            Some(_) | None => runs.push((name, row..row + 1)),
        }
    }
    runs
}

/// Octets that a log group takes until it is sent: itself, and what is sent of
/// it, which is not smaller in the worst case.
fn weight(raw_bytes: usize) -> usize {
    raw_bytes.saturating_mul(2)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Flow logs that a destination collects rows of at a time.
const LINES_MAX: usize = 64;
