//! The way of a frame to the disk.

use std::io;
use std::sync::Arc;

use super::error::Fault;
use super::format::Content;
use super::format::Header;
use super::format::VERSION;
use super::format::encode_names;
use super::format::encode_prefix;
use super::format::segment_name;
use super::fs::File;
use super::fs::Fs;
use super::fs::TEMPORARY;
use super::fs::write_all_at;
use super::segment::Segment;
use super::settings::WhenFull;
use super::state::State;
use super::window::Held;

impl State {
    /// Writes all frames that are in memory only. Those that were delivered
    /// from there are not written.
    pub(super) fn write_pending(&mut self) -> Result<(), Fault> {
        while let Some(frame) = self.window.first_from(self.written_to) {
            if !self.is_settled(&frame) {
                self.write(&frame)
                    .inspect_err(|fault| self.fault = Some(*fault))?;
            }
            self.written_to = frame.head.end_seq();
        }
        Ok(())
    }

    fn write(&mut self, frame: &Held) -> Result<(), Fault> {
        for _ in 0..WRITE_TRIES {
            self.make_active(frame)?;
            let Some(segment) = self.segments.back_mut() else {
                break;
            };
            match write_frame(segment, frame) {
                Ok(offset) => {
                    self.note_written(frame, offset);
                    return Ok(());
                }
                Err(error) => {
                    self.counters.write_failures += 1;
                    if Fault::of(&error) == Fault::NoSpace {
                        return Err(Fault::NoSpace);
                    }
                    // The next try goes to another file.
                    self.seal_active();
                }
            }
        }
        Err(Fault::Io)
    }

    fn note_written(&mut self, frame: &Held, offset: u64) {
        let destinations = &self.destinations;
        let Some(segment) = self.segments.back_mut() else {
            return;
        };
        segment.index(offset, &frame.head, &frame.shares);
        for share in &frame.shares {
            let rows = share.seqs(frame.head.first_seq);
            let of = usize::try_from(share.destination.0).ok();
            let of = of.and_then(|id| destinations.get(id));
            if of.is_some_and(|destination| !destination.settled.covers(&rows)) {
                segment.hold(share);
            }
        }
    }

    /// Sees to it that the last segment takes the frame: it has room, and the
    /// names of all destinations.
    fn make_active(&mut self, frame: &Held) -> Result<(), Fault> {
        let len = frame.head.frame_len();
        let takes = self.segments.back().is_some_and(|segment| {
            let has_room = segment.len + len <= self.settings.segment_bytes;
            let has_names = segment.names == self.destinations.len();
            !segment.is_sealed && has_names && (has_room || segment.blocks.is_empty())
        });
        if takes {
            return Ok(());
        }
        self.seal_active();
        self.make_room(self.settings.segment_bytes)?;
        self.create_segment(frame.head.first_seq, frame.head.at_ms)
            .map_err(|error| {
                self.counters.write_failures += 1;
                Fault::of(&error)
            })
    }

    /// The frame that names all destinations. It is durable before any row is
    /// in the segment, so that no row comes back whose destination is not known.
    fn names_frame(&self, first_seq: u64, at_ms: u64) -> Vec<u8> {
        let names = self.destinations.iter();
        let body = encode_names(0, names.map(|destination| destination.name.as_str()));
        let encoded = encode_prefix(Content::Names, first_seq, &[], &body, at_ms, self.seal);
        encoded.map_or_else(Vec::new, |(_, prefix)| [&prefix, body.as_slice()].concat())
    }

    /// Lets the last segment take no more frames.
    pub(super) fn seal_active(&mut self) {
        if let Some(segment) = self.segments.back_mut().filter(|last| !last.is_sealed) {
            segment.is_sealed = true;
            give_back_reserve(segment);
            close_if_synced(segment);
        }
    }

    fn create_segment(&mut self, first_seq: u64, now_ms: u64) -> io::Result<()> {
        let number = self.next_number;
        // A number is tried once: what a failed try leaves is never taken up.
        self.next_number += 1;
        let header = Header {
            version: VERSION,
            uuid: self.uuid,
            number,
            first_seq,
            created_ms: now_ms,
        };
        let name = segment_name(number);
        let temporary = format!("{name}{TEMPORARY}");
        let mut begin = header.encode().to_vec();
        begin.extend_from_slice(&self.names_frame(first_seq, now_ms));
        let len = begin.len() as u64;
        let reserved = self.settings.segment_bytes;
        let created = create_file(&*self.disk, &temporary, &begin, reserved).and_then(|file| {
            self.disk.rename(&temporary, &name)?;
            self.disk.sync_dir()?;
            Ok(file)
        });
        let file = created.inspect_err(|_| {
            let _ = self.disk.remove(&temporary);
            let _ = self.disk.remove(&name);
        })?;
        let mut segment = Segment::new(number, first_seq);
        segment.file = Some(file);
        segment.names = self.destinations.len();
        segment.len = len;
        segment.synced_len = len;
        segment.disk_len = reserved;
        self.segments.push_back(segment);
        Ok(())
    }

    /// Octets on disk.
    pub(super) fn disk_bytes(&self) -> u64 {
        let slots = self.slots.as_ref().map_or(0, |slots| slots.len);
        let segments = self.segments.iter();
        let segments: u64 = segments
            .map(|segment| segment.disk_len.max(segment.len))
            .sum();
        segments + self.snapshot_bytes + self.bad_bytes + 2 * slots
    }

    /// Notes how large the snapshot is, and from which row on it asks for
    /// segments.
    pub(super) fn note_snapshot(&mut self, len: u64, wanted_from: u64) {
        self.snapshot_bytes = len;
        self.wanted_from = wanted_from;
    }

    /// Makes room for so many octets within the quota.
    fn make_room(&mut self, len: u64) -> Result<(), Fault> {
        while self.disk_bytes() + len > self.settings.quota_bytes {
            if self.segments.iter().any(Segment::is_free) {
                if !self.segments.iter().any(|segment| self.may_go(segment)) {
                    // Rather than a row that is to be delivered, what a snapshot
                    // asks for goes: it is then of no use any more.
                    self.wanted_from = u64::MAX;
                }
                self.persist().map_err(|error| Fault::of(&error))?;
                continue;
            }
            if self.settings.when_full == WhenFull::DropNewest {
                return Err(Fault::Quota);
            }
            self.drop_oldest_segment()?;
        }
        Ok(())
    }

    /// Drops the oldest segment and counts what it had to deliver.
    pub(super) fn drop_oldest_segment(&mut self) -> Result<(), Fault> {
        let Some(oldest) = self.segments.front_mut() else {
            return Err(Fault::Quota);
        };
        if oldest.file.is_some() {
            // It is all there is; its frames are not even durable.
            return Err(Fault::Quota);
        }
        let rows = oldest.seqs.clone();
        let holds = std::mem::take(&mut oldest.holds);
        self.counters.evicted_segments += u64::from(!holds.is_empty());
        for (id, hold) in holds {
            if let Some(destination) = self.of_mut(id) {
                destination.evict(rows.clone(), hold.amount);
            }
        }
        self.persist().map_err(|error| Fault::of(&error))
    }
}

/// Writes a frame at the end of a segment and says where it stands.
fn write_frame(segment: &mut Segment, frame: &Held) -> io::Result<u64> {
    let Some(file) = segment.file.clone() else {
        return Err(io::ErrorKind::NotConnected.into());
    };
    let offset = segment.len;
    let body_at = offset + frame.prefix.len() as u64;
    write_all_at(&*file, offset, &frame.prefix)?;
    write_all_at(&*file, body_at, &frame.body)?;
    segment.len = offset + frame.head.frame_len();
    Ok(offset)
}

fn create_file(
    disk: &dyn Fs,
    name: &str,
    begin: &[u8],
    reserved: u64,
) -> io::Result<Arc<dyn File>> {
    let file = disk.create(name)?;
    file.allocate(reserved)?;
    write_all_at(&*file, 0, begin)?;
    file.sync()?;
    Ok(file)
}

/// Closes a segment that takes no more frames and has none to sync.
pub(super) fn close_if_synced(segment: &mut Segment) {
    if segment.is_sealed && segment.synced_len == segment.len {
        give_back_reserve(segment);
        segment.file = None;
    }
}

/// Gives back the space a segment does not use.
fn give_back_reserve(segment: &mut Segment) {
    if let Some(file) = &segment.file
        && file.truncate(segment.len).is_ok()
    {
        segment.disk_len = segment.len;
    }
}

/// Files tried for one frame before the disk counts as failing.
const WRITE_TRIES: usize = 2;
