//! Rows of frames, collected to batches of those that may be sent together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::Directory;
use super::SenderSettings;
use super::budget::Budget;
use super::budget::Charge;
use super::course::Lane;
use super::group::Common;
use super::group::groups;
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

/// Open batches of one destination and lane, one per flow log and shard hash.
pub(super) struct Collector {
    lane: Lane,
    desk: Arc<Desk>,
    lines: BTreeMap<LineKey, Line>,
    budget: Arc<Budget>,
    charge: Charge,
}

/// Flow log and shard hash.
type LineKey = (String, Option<u128>);

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

impl Parcel {
    /// The hash key of its shard.
    pub(super) fn shard(&self) -> Option<u128> {
        self.batch.key().shard
    }
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
        for (common, ranges) in groups(rows.batch, range, terms.settings.shard_hash) {
            match self.add_group(common, rows, &ranges, terms, full) {
                Ok(more) => written += more,
                Err(error) => unfit.extend(ranges.into_iter().map(|range| (range, error))),
            }
        }
        self.weigh();
        let mut stats = self.desk.stats();
        stats.clamped_rows += count(written.clamped);
        stats.cut_values += count(written.cut);
        unfit
    }

    fn add_group(
        &mut self,
        common: Common<'_>,
        rows: &FlowRows<'_>,
        ranges: &[Range<usize>],
        terms: &Terms<'_>,
        full: &mut Vec<Parcel>,
    ) -> Result<Written, Unfit> {
        let key = (common.flow_log.to_owned(), common.shard);
        if !self.lines.contains_key(&key) && self.lines.len() >= LINES_MAX {
            full.extend(self.flush());
        }
        let line = self.lines.entry(key);
        let line = line.or_insert_with(|| Line::new(&self.desk, common, terms));
        let mut batches = Vec::new();
        let Line {
            fields,
            writer,
            batcher,
        } = line;
        let added = batcher.add(
            writer,
            rows,
            ranges,
            terms.window,
            terms.now_ms,
            &mut batches,
        );
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

    /// Forgets lines without rows, and the tables for writing them.
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
    fn new(desk: &Desk, common: Common<'_>, terms: &Terms<'_>) -> Self {
        let fields = terms.directory.fields(common.flow_log);
        let key = BatchKey {
            project: desk.destination.project.clone(),
            logstore: desk.destination.logstore.clone(),
            topic: common.flow_log.to_owned(),
            source: terms.settings.source.clone(),
            shard: common.shard,
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

/// Octets that a log group takes until it is sent: itself, and what is sent of
/// it, which is not smaller in the worst case.
fn weight(raw_bytes: usize) -> usize {
    raw_bytes.saturating_mul(2)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Batches of a destination and lane that are open at a time: those of four flow
/// logs in all hashes there are.
const LINES_MAX: usize = 256;
