//! The journal's state, for metrics and for whoever asks.

use std::ops::Range;

use super::destination::Amounts;
use super::destination::Destination;
use super::error::Fault;
use super::frame::DestinationId;
use super::state::State;
use crate::flow::Amount;

/// What a journal holds and what happened to it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Octets on disk: segments, reserved space, progress, snapshot, copies of
    /// what was damaged.
    pub disk_bytes: u64,
    /// Octets of frames in memory.
    pub window_bytes: u64,
    /// Number the next row gets.
    pub next_seq: u64,
    /// Rows below it are durable, or need not be.
    pub durable_to: u64,
    /// What keeps the journal from writing; nothing if it writes.
    pub fault: Option<Fault>,
    /// Events since the journal was opened.
    pub counters: Counters,
    /// The segments, oldest first.
    pub segments: Vec<SegmentStats>,
    /// The destinations, by id.
    pub destinations: Vec<DestinationStats>,
}

/// Events since the journal was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Frames, or runs of octets, found damaged.
    pub corrupt_frames: u64,
    /// Rows known to be lost with them.
    pub corrupt_rows: u64,
    /// Segments that vanished.
    pub missing_segments: u64,
    /// Segments dropped with rows that were not delivered.
    pub evicted_segments: u64,
    /// Writes that failed, for lack of space or otherwise.
    pub write_failures: u64,
    /// Syncs of segments that failed.
    pub sync_failures: u64,
    /// Segments given up after one.
    pub suspect_segments: u64,
    /// Times progress could not be made durable.
    pub progress_failures: u64,
}

/// One segment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SegmentStats {
    /// Its number, which is its name in hexadecimal.
    pub number: u64,
    /// Octets on disk.
    pub bytes: u64,
    /// Sequence numbers of its frames lie in here.
    pub seqs: Range<u64>,
    /// Who keeps it, and what for.
    pub kept_by: Vec<(DestinationId, Amount)>,
}

/// One destination.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DestinationStats {
    /// Its name.
    pub name: String,
    /// The first number that may be one of its rows not delivered.
    pub low_water: u64,
    /// Since when, in ms, its oldest row not delivered waits; to the
    /// granularity of the index.
    pub oldest_age_ms: Option<u64>,
    /// Octets of the segments it keeps.
    pub kept_bytes: u64,
    /// Where its rows are.
    pub amounts: Amounts,
}

impl State {
    pub(super) fn stats(&self, now_ms: u64) -> Stats {
        let segments = self.segments.iter().map(|segment| SegmentStats {
            number: segment.number,
            bytes: segment.disk_len.max(segment.len),
            seqs: segment.seqs.clone(),
            kept_by: segment
                .holds
                .iter()
                .map(|(id, hold)| (*id, hold.amount))
                .collect(),
        });
        let destinations = (0..).map(DestinationId).zip(&self.destinations);
        Stats {
            disk_bytes: self.disk_bytes(),
            window_bytes: self.window.bytes(),
            next_seq: self.next_seq,
            durable_to: self.durable_to,
            fault: self.fault,
            counters: self.counters,
            segments: segments.collect(),
            destinations: destinations
                .map(|(id, destination)| self.destination_stats(id, destination, now_ms))
                .collect(),
        }
    }

    fn destination_stats(
        &self,
        id: DestinationId,
        destination: &Destination,
        now_ms: u64,
    ) -> DestinationStats {
        let kept = self
            .segments
            .iter()
            .filter(|segment| segment.holds.contains_key(&id));
        let oldest = self.oldest_ms(id, destination);
        DestinationStats {
            name: destination.name.clone(),
            low_water: destination.low_water(),
            oldest_age_ms: oldest.map(|oldest| now_ms.saturating_sub(oldest)),
            kept_bytes: kept.map(|segment| segment.len).sum(),
            amounts: destination.amounts,
        }
    }

    /// When the oldest row that is not delivered was appended.
    fn oldest_ms(&self, id: DestinationId, destination: &Destination) -> Option<u64> {
        let mut kept = self
            .segments
            .iter()
            .filter(|segment| segment.holds.contains_key(&id));
        let on_disk = kept.find_map(|segment| {
            let mut blocks = segment.blocks.iter();
            let open =
                blocks.find(|block| block.may_have(id) && !destination.settled.covers(&block.seqs));
            open.map(|block| block.at_ms)
        });
        on_disk.or_else(|| {
            let mut frames = self.window.from(self.written_to);
            let open = frames.find(|frame| {
                let mut shares = frame.shares.iter();
                let own = shares.find(|share| share.destination == id);
                own.is_some_and(|share| {
                    let rows = share.seqs(frame.head.first_seq);
                    !destination.settled.covers(&rows)
                })
            });
            open.map(|frame| frame.head.at_ms)
        })
    }
}
