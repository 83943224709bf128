//! Rows of one Logstore, collected to what a request carries.

use std::ops::Range;
use std::sync::Arc;

use super::GROUP_BYTES_MAX;
use super::GroupHeader;
use super::LogGroupWriter;
use super::PackIds;
use super::TimeWindow;
use super::Unfit;
use super::Written;
use super::encode;
use super::encode::FlowRows;

/// What the rows of a batch have in common: where they go, and as what.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct BatchKey {
    /// Project.
    pub project: String,
    /// Logstore.
    pub logstore: String,
    /// Topic of all logs.
    pub topic: String,
    /// Source of all logs.
    pub source: String,
    /// Hash key of the shard that takes them all, see [`super::shard_hash`];
    /// any shard if there is none.
    pub shard: Option<u128>,
}

/// When a batch is full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    bytes: usize,
    rows: usize,
    linger_ms: u64,
}

impl Limits {
    /// Full at so many octets before compression, or rows, or milliseconds
    /// after its first row.
    ///
    /// Octets are at most [`GROUP_BYTES_MAX`]; a log larger than `bytes` has a
    /// batch of its own.
    pub fn new(bytes: usize, rows: usize, linger_ms: u64) -> Self {
        Self {
            bytes: bytes.min(GROUP_BYTES_MAX),
            rows: rows.max(1),
            linger_ms,
        }
    }
}

/// As the official producers: 1 MiB, 4096 rows, 2 s. sls.md §3.
impl Default for Limits {
    fn default() -> Self {
        Self::new(1 << 20, 4096, 2000)
    }
}

/// Collects the rows of one key.
///
/// Every row is in exactly one batch, in the order in which rows were added.
/// Topic, source and tags come from the configuration, which bounds them; up to
/// 4 MiB of them leave room for any log within [`GROUP_BYTES_MAX`].
pub struct Batcher {
    key: Arc<BatchKey>,
    header: GroupHeader,
    packs: PackIds,
    limits: Limits,
    /// Logs so far, which begin the body.
    logs: Vec<u8>,
    ends: Vec<usize>,
    seqs: Vec<Range<u64>>,
    /// What will stand behind the logs.
    trailer: Vec<u8>,
    /// When the first row was added, milliseconds.
    began_ms: u64,
}

impl Batcher {
    /// Collects rows of `key`, whose logs bear these tags and packs.
    pub fn new(key: BatchKey, tags: Vec<(String, String)>, packs: PackIds, limits: Limits) -> Self {
        let header = GroupHeader {
            topic: key.topic.clone(),
            source: key.source.clone(),
            tags,
            pack_id: None,
        };
        let mut batcher = Self {
            key: Arc::new(key),
            header,
            packs,
            limits,
            logs: Vec::new(),
            ends: Vec::new(),
            seqs: Vec::new(),
            trailer: Vec::new(),
            began_ms: 0,
        };
        batcher.renew_trailer();
        batcher
    }

    /// Adds the rows in `ranges`; batches that became full are added to `full`.
    ///
    /// The octets it tells are those of the logs alone.
    ///
    /// `now_ms` is of any clock that only goes forward.
    ///
    /// # Errors
    /// A column that is not of the schema's type; no row was added.
    pub fn add(
        &mut self,
        writer: &mut LogGroupWriter,
        rows: &FlowRows<'_>,
        ranges: &[Range<usize>],
        window: TimeWindow,
        now_ms: u64,
        full: &mut Vec<Batch>,
    ) -> Result<Written, Unfit> {
        let mut logs = writer.logs(rows, window)?;
        let mut added = Written::default();
        for row in ranges.iter().flat_map(|range| rows.within(range)) {
            let start = self.logs.len();
            added += logs.write(row, &mut self.logs);
            if start > 0 && self.raw_bytes() > self.limits.bytes {
                let log = self.logs.split_off(start);
                full.extend(self.flush());
                self.logs = log;
            }
            if self.ends.is_empty() {
                self.began_ms = now_ms;
            }
            self.ends.push(self.logs.len());
            self.note(rows.seq(row));
            if self.ends.len() >= self.limits.rows {
                full.extend(self.flush());
            }
        }
        Ok(added)
    }

    /// The batch, if its first row has waited as long as it may.
    pub fn due(&mut self, now_ms: u64) -> Option<Batch> {
        let is_due = self.due_ms().is_some_and(|due_ms| due_ms <= now_ms);
        if is_due { self.flush() } else { None }
    }

    /// When [`Batcher::due`] is to be asked; never while it is empty.
    pub fn due_ms(&self) -> Option<u64> {
        let due_ms = self.began_ms.saturating_add(self.limits.linger_ms);
        (!self.ends.is_empty()).then_some(due_ms)
    }

    /// The batch as it is; none if it is empty.
    pub fn flush(&mut self) -> Option<Batch> {
        if self.ends.is_empty() {
            return None;
        }
        let mut body = std::mem::take(&mut self.logs);
        body.extend_from_slice(&self.trailer);
        self.renew_trailer();
        Some(Batch {
            key: Arc::clone(&self.key),
            body,
            ends: std::mem::take(&mut self.ends),
            seqs: std::mem::take(&mut self.seqs),
        })
    }

    /// Rows that wait.
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    /// Octets of the LogGroup that the rows would be now.
    pub fn raw_bytes(&self) -> usize {
        self.logs.len() + self.trailer.len()
    }

    fn note(&mut self, seq: u64) {
        let after = seq.saturating_add(1);
        match self.seqs.last_mut() {
            Some(last) if last.end == seq => last.end = after,
            Some(_) | None => self.seqs.push(seq..after),
        }
    }

    fn renew_trailer(&mut self) {
        self.trailer.clear();
        encode::trailer(&self.header, Some(self.packs.take()), &mut self.trailer);
    }
}

/// A LogGroup that is ready to be compressed and sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Batch {
    key: Arc<BatchKey>,
    body: Vec<u8>,
    /// Where each row's log ends in `body`.
    ends: Vec<usize>,
    seqs: Vec<Range<u64>>,
}

impl Batch {
    /// Where it goes.
    pub fn key(&self) -> &BatchKey {
        &self.key
    }

    /// The LogGroup, not compressed.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Rows, at least one.
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    /// Numbers of the rows in the journal, which are acknowledged with it.
    pub fn seqs(&self) -> &[Range<u64>] {
        &self.seqs
    }

    /// The first half of its rows and the others; nothing of one row.
    ///
    /// Both have the pack id of the whole.
    pub fn halves(&self) -> Option<(Self, Self)> {
        let middle = self.rows() / 2;
        let split = *self.ends.get(middle.checked_sub(1)?)?;
        let (first, rest) = self.ends.split_at_checked(middle)?;
        let (first_logs, other_logs) = self.logs().split_at_checked(split)?;
        let rest = rest.iter().map(|end| end - split).collect();
        let (first_seqs, other_seqs) = split_seqs(&self.seqs, middle);
        Some((
            self.part(first_logs, first.to_vec(), first_seqs),
            self.part(other_logs, rest, other_seqs),
        ))
    }

    /// Moves Log Times that are out of the window into it, and tells how many.
    ///
    /// For a batch that waited long; `start` and `end` stay.
    pub fn clamp(&mut self, window: TimeWindow) -> usize {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let lengths = starts.zip(&self.ends).map(|(start, end)| end - start);
        let mut left = self.body.as_mut_slice();
        let logs = lengths.map_while(|length| {
            let (log, rest) = std::mem::take(&mut left).split_at_mut_checked(length)?;
            left = rest;
            Some(log)
        });
        encode::retime(logs, |time_s| window.clamp(time_s))
    }

    fn part(&self, logs: &[u8], ends: Vec<usize>, seqs: Vec<Range<u64>>) -> Self {
        Self {
            key: Arc::clone(&self.key),
            body: [logs, self.trailer()].concat(),
            ends,
            seqs,
        }
    }

    fn logs(&self) -> &[u8] {
        self.sides().0
    }

    fn trailer(&self) -> &[u8] {
        self.sides().1
    }

    fn sides(&self) -> (&[u8], &[u8]) {
        let end = self.ends.last().copied().unwrap_or(0);
        self.body.split_at_checked(end).unwrap_or_default()
    }
}

/// The ranges of the first `rows` numbers, and those of the others.
fn split_seqs(seqs: &[Range<u64>], rows: usize) -> (Vec<Range<u64>>, Vec<Range<u64>>) {
    let mut left = u64::try_from(rows).unwrap_or(u64::MAX);
    let (mut first, mut others) = (Vec::new(), Vec::new());
    for range in seqs {
        let middle = range.start + left.min(range.end - range.start);
        left -= middle - range.start;
        first.extend((range.start < middle).then_some(range.start..middle));
        others.extend((middle < range.end).then_some(middle..range.end));
    }
    (first, others)
}
