//! What the journal knows, and the way of a frame into memory.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::destination::Destination;
use super::error::DestinationError;
use super::error::Fault;
use super::error::Refused;
use super::format::Content;
use super::format::NAME_LEN_MAX;
use super::format::SHARES_MAX;
use super::format::Seal;
use super::format::are_shares_of;
use super::format::encode_prefix;
use super::frame::DestinationId;
use super::frame::Kind;
use super::frame::Share;
use super::fs::Fs;
use super::progress::Slots;
use super::segment::Segment;
use super::settings::Settings;
use super::settings::WhenFull;
use super::stats::Counters;
use super::window::Held;
use super::window::Window;

/// Everything behind the journal's lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) disk: Arc<dyn Fs>,
    pub(super) settings: Settings,
    pub(super) uuid: [u8; 16],
    pub(super) seal: Seal,
    /// By number; the last may take frames.
    pub(super) segments: VecDeque<Segment>,
    pub(super) next_number: u64,
    pub(super) window: Window,
    /// First number that has no row.
    pub(super) next_seq: u64,
    /// Rows below it stand in a segment, or need not.
    pub(super) written_to: u64,
    /// Rows below it are durable, or need not be.
    pub(super) durable_to: u64,
    /// By id.
    pub(super) destinations: Vec<Destination>,
    pub(super) ids: HashMap<String, DestinationId>,
    /// What keeps the journal from writing.
    pub(super) fault: Option<Fault>,
    /// `None` while progress is being written without the lock.
    pub(super) slots: Option<Slots>,
    /// Octets of the snapshot.
    pub(super) snapshot_bytes: u64,
    /// Segments with rows from here on stay, delivered or not, for a snapshot
    /// asks for them.
    pub(super) wanted_from: u64,
    /// The first number that no row of an earlier run can have which somebody
    /// has got.
    pub(super) got_to: u64,
    /// Octets of copies of what was damaged.
    pub(super) bad_bytes: u64,
    pub(super) counters: Counters,
}

impl State {
    /// The id of a destination, new or old.
    pub(super) fn destination(&mut self, name: &str) -> Result<DestinationId, DestinationError> {
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        if name.is_empty() || name.len() > NAME_LEN_MAX {
            return Err(DestinationError::Name(name.len()));
        }
        let count = self.destinations.len();
        let id = u32::try_from(count).ok();
        let id = id.filter(|_| count < self.settings.destinations_max);
        let id = DestinationId(id.ok_or(DestinationError::TooMany(count))?);
        self.add_destination(name.to_owned(), id);
        Ok(id)
    }

    pub(super) fn add_destination(&mut self, name: String, id: DestinationId) {
        self.ids.insert(name.clone(), id);
        self.destinations.push(Destination::new(name));
    }

    pub(super) fn of(&self, id: DestinationId) -> Option<&Destination> {
        self.destinations.get(usize::try_from(id.0).ok()?)
    }

    pub(super) fn of_mut(&mut self, id: DestinationId) -> Option<&mut Destination> {
        self.destinations.get_mut(usize::try_from(id.0).ok()?)
    }

    /// Counts a frame that was not taken.
    pub(super) fn count_refused(&mut self, shares: &[Share]) {
        for share in shares {
            if let Some(destination) = self.of_mut(share.destination) {
                destination.amounts.refused += share.amount;
            }
        }
    }

    /// Takes a frame into memory and, if the disk does, onto it.
    pub(super) fn append(
        &mut self,
        kind: Kind,
        shares: &[Share],
        body: Bytes,
        now_ms: u64,
    ) -> Result<u64, Refused> {
        let first_seq = self.next_seq;
        let frame = self.held(kind, shares, body, now_ms)?;
        self.make_memory(frame.head.frame_len())?;
        self.next_seq = frame.head.end_seq();
        self.window.push(frame);
        for share in shares {
            if let Some(destination) = self.of_mut(share.destination) {
                destination.take(share.seqs(first_seq), share.amount);
            }
        }
        if self.write_pending() == Err(Fault::Quota) && self.written_to <= first_seq {
            // Nobody has seen it: it was never there.
            self.forget_newest(first_seq, shares);
            return Err(Refused::Full);
        }
        Ok(first_seq)
    }

    fn forget_newest(&mut self, first_seq: u64, shares: &[Share]) {
        self.window.pop_newest();
        self.next_seq = first_seq;
        for share in shares {
            if let Some(destination) = self.of_mut(share.destination) {
                destination.give_back(share.seqs(first_seq).start, share.amount);
            }
        }
    }

    fn held(
        &self,
        kind: Kind,
        shares: &[Share],
        body: Bytes,
        now_ms: u64,
    ) -> Result<Held, Refused> {
        let are_known = shares
            .iter()
            .all(|share| self.of(share.destination).is_some());
        let count = shares.len();
        if !are_known || count == 0 || count > SHARES_MAX || !are_shares_of(shares, u32::MAX) {
            return Err(Refused::Shares);
        }
        let max = self.settings.segment_bytes / 2;
        let too_large = |len| Refused::TooLarge { len, max };
        let content = Content::Rows(kind);
        let encoded = encode_prefix(content, self.next_seq, shares, &body, now_ms, self.seal);
        let (head, prefix) = encoded.ok_or_else(|| too_large(body.len() as u64))?;
        let len = head.frame_len();
        if len > max {
            return Err(too_large(len));
        }
        Ok(Held {
            head,
            kind,
            shares: shares.to_vec(),
            prefix,
            body,
        })
    }

    /// Makes room in memory: drops frames that are durable, then, if the disk
    /// takes none and the policy says so, the oldest that is not.
    fn make_memory(&mut self, len: u64) -> Result<(), Refused> {
        let max = self.settings.window_bytes;
        self.trim_window(max.saturating_sub(len));
        if self.window.bytes() + len <= max {
            return Ok(());
        }
        // The disk may be well again, or have room when its oldest is gone.
        let mut written = self.write_pending();
        while written == Err(Fault::NoSpace)
            && self.settings.when_full == WhenFull::DropOldestUnsent
            && self.drop_oldest_segment().is_ok()
        {
            written = self.write_pending();
        }
        if self.settings.when_full == WhenFull::DropOldestUnsent && written.is_err() {
            while self.window.bytes() + len > max && self.window.oldest().is_some() {
                self.drop_oldest_in_memory();
            }
        }
        if self.window.bytes() + len <= max {
            Ok(())
        } else {
            Err(Refused::MemoryFull)
        }
    }

    /// Gives up frames in memory that are durable, oldest first, until there
    /// are at most so many octets.
    pub(super) fn trim_window(&mut self, max: u64) {
        while let Some(frame) = self.window.oldest() {
            let is_durable = frame.head.end_seq() <= self.durable_to;
            let is_wanted = self.window.bytes() <= max && self.is_awaited(frame);
            if !is_durable || is_wanted {
                break;
            }
            self.window.pop_oldest();
        }
    }

    fn drop_oldest_in_memory(&mut self) {
        let Some(frame) = self.window.pop_oldest() else {
            return;
        };
        let end = frame.head.end_seq();
        for share in &frame.shares {
            let rows = share.seqs(frame.head.first_seq);
            let is_written = end <= self.written_to;
            let Some(destination) = self.of_mut(share.destination) else {
                continue;
            };
            if destination.settled.covers(&rows) {
                continue;
            }
            destination.evict(rows.clone(), share.amount);
            if is_written && let Some(segment) = self.segment_of(rows.start) {
                segment.release(share.destination, share.amount);
            }
        }
        self.written_to = self.written_to.max(end);
        self.durable_to = self.durable_to.max(end);
    }

    /// Whether all rows of a frame are delivered.
    pub(super) fn is_settled(&self, frame: &Held) -> bool {
        frame.shares.iter().all(|share| {
            let rows = share.seqs(frame.head.first_seq);
            self.of(share.destination)
                .is_none_or(|destination| destination.settled.covers(&rows))
        })
    }

    /// Whether somebody will read a frame in this run.
    fn is_awaited(&self, frame: &Held) -> bool {
        frame.shares.iter().any(|share| {
            let rows = share.seqs(frame.head.first_seq);
            self.of(share.destination).is_some_and(|destination| {
                !destination.is_direct && !destination.settled.covers(&rows)
            })
        })
    }

    /// The segment that has a row.
    pub(super) fn segment_of(&mut self, seq: u64) -> Option<&mut Segment> {
        let at = self
            .segments
            .partition_point(|segment| segment.seqs.end <= seq);
        self.segments
            .get_mut(at)
            .filter(|segment| segment.seqs.contains(&seq))
    }
}
