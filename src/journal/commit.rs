//! Making frames and progress durable, and what follows when that fails.

use std::io;
use std::sync::Arc;

use super::error::Fault;
use super::fs::File;
use super::progress::Progress;
use super::progress::Saved;
use super::segment::Segment;
use super::state::State;
use super::write::close_if_synced;

/// Files to sync, with what is durable then.
#[derive(Debug)]
pub(super) struct Unsynced {
    /// Number, length and file of each segment.
    segments: Vec<(u64, u64, Arc<dyn File>)>,
    /// Rows below it are durable when all are synced.
    written_to: u64,
}

impl Unsynced {
    /// Syncs the files; needs no lock.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.segments.iter().try_for_each(|(.., file)| file.sync())
    }
}

impl State {
    /// What a sync now would make durable.
    pub(super) fn unsynced(&self) -> Unsynced {
        let open = self.segments.iter().filter_map(|segment| {
            let file = segment.file.as_ref()?;
            let is_dirty = segment.synced_len != segment.len;
            is_dirty.then(|| (segment.number, segment.len, Arc::clone(file)))
        });
        Unsynced {
            segments: open.collect(),
            written_to: self.written_to,
        }
    }

    /// Notes that a sync went well.
    pub(super) fn note_synced(&mut self, synced: &Unsynced) {
        for (number, len, _) in &synced.segments {
            let mut segments = self.segments.iter_mut();
            if let Some(segment) = segments.find(|segment| segment.number == *number) {
                segment.synced_len = *len;
                close_if_synced(segment);
            }
        }
        self.durable_to = self.durable_to.max(synced.written_to);
        self.trim_window(self.settings.window_bytes);
    }

    /// Gives up all files that are not durable: what they should have has to
    /// be written again, to other files. The kernel may have dropped their
    /// pages, and a second sync would say nothing of it (fsyncgate).
    pub(super) fn note_sync_failed(&mut self) {
        self.counters.sync_failures += 1;
        self.fault = Some(Fault::Io);
        let durable = self.durable_to;
        for segment in &mut self.segments {
            if segment.file.is_none() {
                continue;
            }
            segment.is_sealed = true;
            if segment.synced_len != segment.len {
                segment.cut(durable);
                self.counters.suspect_segments += 1;
            }
        }
        self.release_unsynced(durable);
        self.written_to = durable;
        for segment in &mut self.segments {
            close_if_synced(segment);
        }
        let disk = Arc::clone(&self.disk);
        self.segments.retain(|segment| {
            let is_empty = segment.seqs.is_empty() && segment.is_free();
            // One that stays is read past at the next start.
            !(is_empty && disk.remove(&segment.name()).is_ok())
        });
    }

    /// Takes back what frames not durable held of the segments they stood in.
    fn release_unsynced(&mut self, durable: u64) {
        let frames: Vec<_> = self.window.from(durable).cloned().collect();
        let written_to = self.written_to;
        let written = frames
            .iter()
            .filter(|frame| frame.head.end_seq() <= written_to);
        for frame in written {
            let first_seq = frame.head.first_seq;
            let mut segments = self.segments.iter_mut().rev();
            let stood = segments.find(|segment| segment.seqs.start <= first_seq);
            let Some(segment) = stood else {
                continue;
            };
            for share in &frame.shares {
                let id = usize::try_from(share.destination.0).ok();
                let destination = id.and_then(|id| self.destinations.get(id));
                let rows = share.seqs(first_seq);
                if destination.is_some_and(|of| !of.settled.covers(&rows)) {
                    segment.release(share.destination, share.amount);
                }
            }
        }
    }

    /// Whether nobody needs a segment any more.
    pub(super) fn may_go(&self, segment: &Segment) -> bool {
        segment.is_free() && segment.seqs.end <= self.wanted_from
    }

    /// Progress as it is now, and the segments that nobody needs then.
    pub(super) fn progress(&self) -> (Progress, Vec<u64>) {
        let free = self.segments.iter().filter(|segment| self.may_go(segment));
        let free: Vec<_> = free.map(|segment| segment.number).collect();
        let needed = self.segments.iter().filter(|segment| !self.may_go(segment));
        let saved = self.destinations.iter().map(|destination| Saved {
            name: destination.name.clone(),
            settled: destination.settled.clone(),
            amounts: destination.amounts,
        });
        let progress = Progress {
            uuid: self.uuid,
            next_seq: self.next_seq,
            next_number: self.next_number,
            segments: needed
                .map(|segment| (segment.number, segment.synced_len))
                .collect(),
            destinations: saved.collect(),
        };
        (progress, free)
    }

    /// Writes progress under the lock, then removes what it frees.
    pub(super) fn persist(&mut self) -> io::Result<()> {
        let Some(mut slots) = self.slots.take() else {
            // Another thread is at it: whoever asked tries again.
            return Err(io::ErrorKind::ResourceBusy.into());
        };
        let (progress, free) = self.progress();
        let written = slots.write(&*self.disk, &progress);
        self.slots = Some(slots);
        self.note_persisted(written, &free)
    }

    /// Removes segments that durable progress has freed.
    pub(super) fn note_persisted(
        &mut self,
        written: io::Result<()>,
        free: &[u64],
    ) -> io::Result<()> {
        if written.is_err() {
            self.counters.progress_failures += 1;
        }
        written?;
        let mut failed = Ok(());
        let disk = Arc::clone(&self.disk);
        self.segments.retain(|segment: &Segment| {
            if !free.contains(&segment.number) {
                return true;
            }
            match disk.remove(&segment.name()) {
                Ok(()) => false,
                Err(error) => {
                    failed = Err(error);
                    true
                }
            }
        });
        failed
    }
}
