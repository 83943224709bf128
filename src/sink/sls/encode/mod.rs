//! Rows of flows as the Logs of a LogGroup, straight from Arrow columns.

mod cells;
mod content;
mod contents;
mod decimal;
mod field;
mod put;
mod time;

#[cfg(test)]
mod tests;

pub use cells::Unfit;
pub use field::{FieldChoice, UnknownField};
pub use time::TimeWindow;

pub(super) use put::{retime, trailer};

use std::ops::AddAssign;
use std::ops::Range;

use arrow_array::RecordBatch;

use cells::Cells;
use content::ContentWriter;
use content::OpenLog;

use super::PackId;

/// Writes rows as Logs, and whole LogGroups.
///
/// Keeps its tables from batch to batch; the warm path allocates per batch,
/// not per row.
pub struct LogGroupWriter {
    contents: Vec<ContentWriter>,
}

impl LogGroupWriter {
    /// A writer of these fields.
    pub fn new(fields: &FieldChoice) -> Self {
        let contents = fields.fields.iter().copied().map(ContentWriter::new);
        Self {
            contents: contents.collect(),
        }
    }

    /// Adds a LogGroup of the rows in `range` to `out`.
    ///
    /// Absent values are left out, integers are plain decimal, text is UTF-8;
    /// `docs/schema.md` says how each column is written. The Log Time of a row
    /// is its flow's end, clamped to `window`; `start` and `end` keep the truth.
    ///
    /// # Errors
    /// A column that is not of the schema's type; `out` is as it was.
    pub fn write(
        &mut self,
        rows: &FlowRows<'_>,
        range: Range<usize>,
        header: &GroupHeader,
        window: TimeWindow,
        out: &mut Vec<u8>,
    ) -> Result<Written, Unfit> {
        let start = out.len();
        let mut logs = self.logs(rows, window)?;
        let mut written = Written::default();
        for row in rows.within(&range) {
            written += logs.write(row, out);
        }
        trailer(header, header.pack_id, out);
        written.raw_bytes = out.len().saturating_sub(start);
        Ok(written)
    }

    /// Gets ready to write rows of a batch.
    pub(super) fn logs<'a>(
        &'a mut self,
        rows: &FlowRows<'a>,
        window: TimeWindow,
    ) -> Result<Logs<'a>, Unfit> {
        let journal = format!("{:016x}", rows.journal);
        let fields = self.contents.iter_mut().map(|writer| {
            let cells = Cells::new(writer.field.source, rows.batch)?;
            writer.prepare(&cells, &journal);
            Ok((writer, cells))
        });
        Ok(Logs {
            fields: fields.collect::<Result<_, _>>()?,
            end: Cells::column("end", rows.batch)?,
            rows: *rows,
            window,
        })
    }
}

/// Rows of flows and what the journal calls them.
///
/// `flow-id` is the journal in 16 hexadecimal digits, `-`, and the row's number.
#[derive(Clone, Copy, Debug)]
pub struct FlowRows<'a> {
    /// Columns of `docs/schema.md`.
    pub batch: &'a RecordBatch,
    /// Which journal.
    pub journal: u64,
    /// Number of the first row of `batch`.
    pub first_seq: u64,
}

impl FlowRows<'_> {
    /// Number of a row.
    pub(super) fn seq(&self, row: usize) -> u64 {
        self.first_seq
            .wrapping_add(u64::try_from(row).unwrap_or(u64::MAX))
    }

    /// What of a range of rows the batch has.
    pub(super) fn within(&self, range: &Range<usize>) -> Range<usize> {
        range.start..range.end.min(self.batch.num_rows())
    }
}

/// What all Logs of a group have in common.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GroupHeader {
    /// Field `__topic__`.
    pub topic: String,
    /// Field `__source__`.
    pub source: String,
    /// Fields `__tag__:…`, by name.
    pub tags: Vec<(String, String)>,
    /// The tag `__pack_id__`, if there is to be one.
    pub pack_id: Option<PackId>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Written {
    /// Rows.
    pub rows: usize,
    /// Octets.
    pub raw_bytes: usize,
    /// Rows whose Log Time is not their own.
    pub clamped: usize,
    /// Values cut or left out because they were too large.
    pub cut: usize,
}

impl AddAssign for Written {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.raw_bytes += other.raw_bytes;
        self.clamped += other.clamped;
        self.cut += other.cut;
    }
}

/// A batch that is ready to be written row by row.
pub(super) struct Logs<'a> {
    fields: Vec<(&'a mut ContentWriter, Cells<'a>)>,
    end: Cells<'a>,
    rows: FlowRows<'a>,
    window: TimeWindow,
}

impl Logs<'_> {
    /// Adds the Log of a row to `out`.
    pub(super) fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Written {
        let (time_s, is_clamped) = self.window.log_time(self.end.time_ms(row));
        let start = put::open_log(time_s, out);
        let mut log = OpenLog {
            out,
            start,
            seq: self.rows.seq(row),
            cut: 0,
        };
        for (writer, cells) in &mut self.fields {
            writer.write(cells, row, &mut log);
        }
        let cut = log.cut;
        put::close_log(start, out);
        Written {
            rows: 1,
            raw_bytes: out.len().saturating_sub(start),
            clamped: usize::from(is_clamped),
            cut,
        }
    }
}
