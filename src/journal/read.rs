//! The way of a frame to its destinations.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::destination::Handed;
use super::error::ReadError;
use super::format::Content;
use super::format::Head;
use super::format::Seal;
use super::frame::DestinationId;
use super::frame::Frame;
use super::frame::Share;
use super::fs::Fs;
use super::scan::Depth;
use super::scan::Found;
use super::scan::Scan;
use super::state::State;

/// Which rows are looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sight {
    /// Those that are durable, or all while the disk takes none; no more than
    /// a destination may have under way.
    Reader,
    /// All.
    Everything,
}

/// What to do next to find a frame.
#[derive(Debug)]
pub(super) enum Step {
    /// There is none.
    Nothing,
    /// It was in memory.
    Found(Frame),
    /// Look again from this row on.
    GoOn(u64),
    /// It may be in these octets of a segment.
    Look(Place),
}

/// Where a frame may be.
#[derive(Debug)]
pub(super) struct Place {
    disk: Arc<dyn Fs>,
    seal: Seal,
    /// Number of the segment.
    number: u64,
    name: String,
    octets: Range<u64>,
    /// Rows that are looked for.
    pub(super) seqs: Range<u64>,
}

/// What was in a place.
#[derive(Debug, Default)]
pub(super) struct Seen {
    frame: Option<(Head, Share, Bytes)>,
    damage: Vec<Found>,
}

impl Place {
    /// Looks for the first frame with rows of a destination; needs no lock.
    pub(super) fn look(&self, destination: DestinationId) -> io::Result<Seen> {
        let file = self.disk.open(&self.name)?;
        let octets = self.octets.clone();
        let mut scan = Scan::new(&*file, octets, self.seal, Depth::Heads);
        let mut seen = Seen::default();
        while let Some(found) = scan.next() {
            let Found::Frame {
                offset,
                head,
                shares,
            } = found
            else {
                seen.damage.push(found);
                continue;
            };
            if head.content == Content::Names || head.end_seq() <= self.seqs.start {
                continue;
            }
            if head.first_seq >= self.seqs.end {
                break;
            }
            let mut own = shares.iter();
            let own = own.find(|share| share.destination == destination);
            let own = own.filter(|share| share.seqs(head.first_seq).end > self.seqs.start);
            let Some(share) = own.cloned() else {
                continue;
            };
            if let Some(body) = scan.body(offset, &head) {
                seen.frame = Some((head, share, body));
                break;
            }
            seen.damage.push(Found::Broken {
                octets: offset..offset + head.frame_len(),
                head,
                shares,
            });
        }
        if scan.is_unreadable {
            return Err(io::Error::other(format!("cannot read {}", self.name)));
        }
        Ok(seen)
    }
}

impl State {
    /// Looks for the next frame of a destination with rows from `from` on.
    pub(super) fn step(
        &mut self,
        id: DestinationId,
        from: u64,
        sight: Sight,
    ) -> Result<Step, ReadError> {
        let visible = match sight {
            Sight::Reader => self.visible_to(),
            Sight::Everything => self.next_seq,
        };
        let destination = self.of(id).ok_or(ReadError::Unknown)?;
        let from = destination.settled.first_gap(from.max(1));
        if from >= visible {
            return Ok(Step::Nothing);
        }
        let in_memory = self.window.oldest().map(|frame| frame.head.first_seq);
        let memory_from = in_memory.unwrap_or(visible).min(visible);
        if from < memory_from
            && let Some(place) = self.place(id, from..memory_from)
        {
            self.settle(id, from..place.seqs.start);
            return Ok(Step::Look(place));
        }
        let frames: Vec<_> = self
            .window
            .from(from)
            .take(FRAMES_PER_STEP)
            .cloned()
            .collect();
        for frame in &frames {
            if frame.head.first_seq >= visible {
                break;
            }
            let mut own = frame.shares.iter();
            let Some(share) = own.find(|share| share.destination == id) else {
                continue;
            };
            let first_seq = frame.head.first_seq;
            if let Some(share) = self.hand_out(id, from, first_seq, share, sight)? {
                return Ok(Step::Found(frame.frame(share)));
            }
        }
        let looked_to = frames.last().map_or(visible, |frame| frame.head.end_seq());
        self.settle(id, from..looked_to.min(visible));
        Ok(Step::GoOn(looked_to))
    }

    /// The first number that is not given out yet.
    pub(super) fn visible_to(&self) -> u64 {
        match self.fault {
            None => self.durable_to,
            Some(_) => self.next_seq,
        }
    }

    /// Where on disk the next rows of a destination may be.
    fn place(&self, id: DestinationId, seqs: Range<u64>) -> Option<Place> {
        let first = self
            .segments
            .partition_point(|segment| segment.seqs.end <= seqs.start);
        let mut later = self.segments.range(first..);
        let (segment, block) =
            later.find_map(|segment| Some((segment, segment.block(id, seqs.start)?)))?;
        let wanted = block.seqs.start.max(seqs.start)..block.seqs.end.min(seqs.end);
        (wanted.start < wanted.end).then(|| Place {
            disk: Arc::clone(&self.disk),
            seal: self.seal,
            number: segment.number,
            name: segment.name(),
            octets: block.octets.clone(),
            seqs: wanted,
        })
    }

    /// Notes what was seen in a place; gives the frame if there was one, else
    /// where to go on.
    pub(super) fn note_seen(
        &mut self,
        id: DestinationId,
        place: &Place,
        seen: Seen,
        sight: Sight,
    ) -> Result<Result<Frame, u64>, ReadError> {
        for found in &seen.damage {
            self.note_damage(place.number, found);
        }
        let Some((head, share, body)) = seen.frame else {
            self.settle(id, place.seqs.clone());
            return Ok(Err(place.seqs.end));
        };
        let end = share.seqs(head.first_seq).end;
        let handed = self.hand_out(id, place.seqs.start, head.first_seq, &share, sight)?;
        let (Some(share), Content::Rows(kind)) = (handed, head.content) else {
            return Ok(Err(end));
        };
        Ok(Ok(Frame {
            first_seq: head.first_seq,
            at_ms: head.at_ms,
            kind,
            share,
            body,
        }))
    }

    /// Notes that a segment is not there any more.
    pub(super) fn note_missing(&mut self, place: &Place) {
        let mut segments = self.segments.iter_mut();
        let lost = segments.find(|segment| segment.number == place.number);
        let Some(segment) = lost.filter(|segment| segment.file.is_none()) else {
            return;
        };
        let rows = segment.seqs.clone();
        let holds = std::mem::take(&mut segment.holds);
        segment.blocks.clear();
        self.counters.missing_segments += 1;
        for (id, hold) in holds {
            if let Some(destination) = self.of_mut(id) {
                let amounts = &mut destination.amounts;
                amounts.pending = amounts.pending - hold.amount;
                amounts.damaged += hold.amount;
                destination.handed.retain(|start, _| !rows.contains(start));
                destination.settled.insert(rows.clone(), usize::MAX);
            }
        }
    }

    /// Counts damage, and what is known to be lost with it, once.
    fn note_damage(&mut self, number: u64, found: &Found) {
        let mut segments = self.segments.iter_mut();
        let Some(segment) = segments.find(|segment| segment.number == number) else {
            return;
        };
        let (octets, broken) = match found {
            Found::Frame { .. } => return,
            Found::Damage(octets) => (octets, None),
            Found::Broken {
                octets,
                head,
                shares,
            } => (octets, Some((head, shares))),
        };
        if segment.damage.covers(octets) {
            return;
        }
        segment.damage.insert(octets.clone(), usize::MAX);
        self.counters.corrupt_frames += 1;
        let Some((head, shares)) = broken else {
            return;
        };
        self.counters.corrupt_rows += u64::from(head.rows);
        for share in shares {
            let rows = share.seqs(head.first_seq);
            let id = usize::try_from(share.destination.0).ok();
            let destination = id.and_then(|id| self.destinations.get_mut(id));
            if let Some(destination) = destination.filter(|of| !of.settled.covers(&rows)) {
                segment.release(share.destination, share.amount);
                destination.lose(rows, share.amount);
            }
        }
    }

    /// Notes that a destination has no rows here that are to be delivered.
    fn settle(&mut self, id: DestinationId, rows: Range<u64>) {
        let max = self.settings.ranges_max;
        if let Some(destination) = self.of_mut(id) {
            // Where the set is full it is found out again.
            destination.settled.insert(rows, max);
        }
    }

    /// Gives out the first run of a share's rows from `from` on that are not
    /// settled. The oldest of all are given out whatever is under way: what
    /// lies scattered above them can only come together when they are settled.
    fn hand_out(
        &mut self,
        id: DestinationId,
        from: u64,
        first_seq: u64,
        share: &Share,
        sight: Sight,
    ) -> Result<Option<Share>, ReadError> {
        let ranges_max = self.settings.ranges_max;
        let destination = self.of_mut(id).ok_or(ReadError::Unknown)?;
        let rows = share.seqs(first_seq);
        let start = destination.settled.first_gap(rows.start.max(from));
        if start >= rows.end {
            return Ok(None);
        }
        let is_new = !destination.handed.contains_key(&rows.start);
        let is_oldest = from <= destination.low_water();
        let is_free = is_oldest || destination.is_direct;
        let is_bounded = is_new && !is_free && sight == Sight::Reader;
        if is_bounded && destination.is_scattered(ranges_max) {
            return Err(ReadError::Scattered);
        }
        destination.settled.insert(from..rows.start, ranges_max);
        let end = rows.end.min(destination.settled.gap_end(start));
        let handed = Handed {
            end: rows.end,
            amount: share.amount,
        };
        destination.handed.insert(rows.start, handed);
        let within = |seq: u64| u32::try_from(seq - first_seq).unwrap_or(u32::MAX);
        Ok(Some(Share {
            rows: within(start)..within(end),
            ..share.clone()
        }))
    }

    /// Settles rows that were delivered.
    pub(super) fn acknowledge(&mut self, id: DestinationId, rows: &Range<u64>) {
        let Some(destination) = self.of_mut(id) else {
            return;
        };
        for (start, amount) in destination.acknowledge(rows) {
            if let Some(segment) = self.segment_of(start) {
                segment.release(id, amount);
            }
        }
        self.trim_window(self.settings.window_bytes);
    }
}

/// Frames of the window looked at before the lock is worth a thought.
const FRAMES_PER_STEP: usize = 256;
