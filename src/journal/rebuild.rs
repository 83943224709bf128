//! A journal taken up from its files, one segment after the other.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::destination::Destination;
use super::format::Content;
use super::format::HEADER_LEN;
use super::format::Head;
use super::format::Seal;
use super::format::decode_names;
use super::frame::DestinationId;
use super::frame::Share;
use super::fs::File;
use super::fs::Fs;
use super::fs::read_full_at;
use super::fs::write_synced;
use super::progress::Progress;
use super::progress::Slots;
use super::recover::Candidate;
use super::recover::Recovered;
use super::scan::Depth;
use super::scan::Found;
use super::scan::Scan;
use super::segment::Segment;
use super::settings::Settings;
use super::snapshot;
use super::state::State;
use super::stats::Counters;
use super::window::Window;

/// A journal half recovered.
#[derive(Debug)]
pub(super) struct Recovery {
    state: State,
    pub(super) seen: Recovered,
    /// Copies of damage that may still be made.
    bad_files_left: usize,
}

/// Damage that no sound frame has followed yet.
#[derive(Debug, Default)]
struct Doubtful {
    octets: Vec<Range<u64>>,
    broken: Vec<(Head, Vec<Share>)>,
}

impl Recovery {
    pub(super) fn new(
        settings: Settings,
        disk: Arc<dyn Fs>,
        uuid: [u8; 16],
        slots: Slots,
        progress: &Progress,
    ) -> Self {
        let mut state = State {
            snapshot_bytes: file_len(&*disk, snapshot::NAME),
            wanted_from: snapshot::position(&*disk).unwrap_or(u64::MAX),
            got_to: 1,
            disk,
            settings,
            uuid,
            seal: Seal::new(&uuid),
            segments: VecDeque::new(),
            next_number: 1,
            window: Window::default(),
            next_seq: 1,
            written_to: 1,
            durable_to: 1,
            destinations: Vec::new(),
            ids: HashMap::new(),
            fault: None,
            slots: Some(slots),
            bad_bytes: 0,
            counters: Counters::default(),
        };
        for saved in &progress.destinations {
            let id = DestinationId(u32::try_from(state.destinations.len()).unwrap_or(u32::MAX));
            state.add_destination(saved.name.clone(), id);
            if let Some(destination) = state.destinations.last_mut() {
                destination.settled = saved.settled.clone();
                destination.amounts = saved.amounts;
            }
        }
        Self {
            state,
            seen: Recovered::default(),
            bad_files_left: BAD_FILES_MAX,
        }
    }

    /// False for a segment of another journal, which is set aside.
    pub(super) fn is_ours(&mut self, file: &Candidate) -> bool {
        let is_ours = file
            .header
            .is_none_or(|header| header.uuid == self.state.uuid);
        if !is_ours {
            let aside = format!("{}{BAD}", file.name);
            // Where it cannot be renamed it is passed over all the same.
            let _ = self.state.disk.rename(&file.name, &aside);
            self.seen.foreign_segments += 1;
        }
        is_ours
    }

    /// Takes up the frames of a segment that begin before `limit`, of which
    /// the first `durable` octets are known to have been durable.
    pub(super) fn take(&mut self, candidate: &Candidate, limit: u64, durable: u64, depth: Depth) {
        let opened = self.state.disk.open(&candidate.name);
        let opened = opened.and_then(|file| Ok((file.size()?, file)));
        let Ok((size, file)) = opened else {
            self.seen.unreadable_segments += 1;
            return;
        };
        let expected = self.state.next_seq;
        let first_seq = candidate.header.map_or(expected, |header| header.first_seq);
        let mut segment = Segment::new(candidate.number, first_seq.max(expected));
        segment.is_sealed = true;
        segment.disk_len = size;
        self.state.next_seq = segment.seqs.start;
        let octets = HEADER_LEN as u64..size;
        let mut scan = Scan::new(&*file, octets, self.state.seal, depth);
        let mut doubtful = Doubtful::default();
        while let Some(found) = scan.next() {
            match found {
                Found::Damage(octets) => doubtful.octets.push(octets),
                Found::Broken {
                    octets,
                    head,
                    shares,
                } => {
                    doubtful.octets.push(octets);
                    doubtful.broken.push((head, shares));
                }
                Found::Frame { head, .. } if head.first_seq >= limit => break,
                Found::Frame {
                    offset,
                    head,
                    shares,
                } => {
                    segment.len = offset + head.frame_len();
                    let doubtful = std::mem::take(&mut doubtful);
                    let gap = head.first_seq.checked_sub(self.state.next_seq);
                    self.note_corrupt(&*file, &mut segment, &doubtful, gap);
                    if head.content == Content::Names {
                        let body = scan.body(offset, &head).unwrap_or_default();
                        self.take_names(&body);
                    } else if gap.is_some() {
                        self.take_frame(&mut segment, offset, &head, &shares);
                    }
                }
            }
        }
        let is_unreadable = scan.is_unreadable;
        self.take_tail(&*file, &mut segment, &doubtful, durable, is_unreadable);
        // A process that was killed leaves pages which a power cut would take.
        if segment.len > durable && file.sync().is_err() {
            self.state.counters.sync_failures += 1;
        }
        segment.synced_len = segment.len;
        self.seen.segments += 1;
        self.state.segments.push_back(segment);
    }

    /// What stands behind the last sound frame: damage if it was durable once,
    /// else the torn end of a write, which is cut off.
    fn take_tail(
        &mut self,
        file: &dyn File,
        segment: &mut Segment,
        doubtful: &Doubtful,
        durable: u64,
        is_unreadable: bool,
    ) {
        if durable > segment.len {
            let lost = doubtful.broken.iter().map(|(head, _)| u64::from(head.rows));
            let lost = lost.sum();
            self.note_corrupt(file, segment, doubtful, Some(lost));
            if doubtful.octets.is_empty() {
                self.seen.corrupt_frames += 1;
            }
        }
        let torn = segment.disk_len.saturating_sub(segment.len);
        if torn > 0 && !is_unreadable && file.truncate(segment.len).is_ok() {
            self.seen.torn_bytes += torn;
            segment.disk_len = segment.len;
        }
    }

    fn take_frame(&mut self, segment: &mut Segment, offset: u64, head: &Head, shares: &[Share]) {
        self.seen.frames += 1;
        self.seen.rows += u64::from(head.rows);
        self.state.next_seq = head.end_seq();
        segment.index(offset, head, shares);
        for share in shares {
            let rows = share.seqs(head.first_seq);
            let Some(destination) = self.known(share.destination) else {
                continue;
            };
            if !destination.settled.covers(&rows) {
                destination.amounts.pending += share.amount;
                segment.hold(share);
            }
        }
    }

    /// The destination with an id, under a stand-in for its name where that
    /// was lost.
    fn known(&mut self, id: DestinationId) -> Option<&mut Destination> {
        if id.0 >= IDS_MAX {
            return None;
        }
        let have = u32::try_from(self.state.destinations.len()).unwrap_or(u32::MAX);
        for new in have..=id.0 {
            let name = format!("{LOST_NAME}{new}");
            self.state.add_destination(name, DestinationId(new));
        }
        self.state.of_mut(id)
    }

    fn take_names(&mut self, body: &[u8]) {
        for (id, name) in decode_names(body) {
            let Some(destination) = self.known(DestinationId(id)) else {
                continue;
            };
            if destination.name.starts_with(LOST_NAME) {
                destination.name.clone_from(&name);
                self.state.ids.insert(name, DestinationId(id));
            }
        }
    }

    /// Counts damage between sound frames, and keeps a copy of it.
    fn note_corrupt(
        &mut self,
        file: &dyn File,
        segment: &mut Segment,
        doubtful: &Doubtful,
        rows: Option<u64>,
    ) {
        if doubtful.octets.is_empty() {
            return;
        }
        self.seen.corrupt_frames += doubtful.octets.len() as u64;
        self.seen.corrupt_rows += rows.unwrap_or(0);
        for (head, shares) in &doubtful.broken {
            for share in shares {
                let rows = share.seqs(head.first_seq);
                if let Some(destination) = self.known(share.destination)
                    && !destination.settled.covers(&rows)
                {
                    destination.amounts.damaged += share.amount;
                    destination.settled.insert(rows, usize::MAX);
                }
            }
        }
        for octets in &doubtful.octets {
            segment.damage.insert(octets.clone(), usize::MAX);
            self.keep_copy(file, segment.number, octets);
        }
    }

    fn keep_copy(&mut self, file: &dyn File, number: u64, octets: &Range<u64>) {
        let name = format!("{number:016x}-{:x}{BAD}", octets.start);
        let len = (octets.end - octets.start).min(BAD_LEN_MAX);
        let is_there = self.state.disk.open(&name).is_ok();
        if is_there || self.bad_files_left == 0 {
            return;
        }
        self.bad_files_left -= 1;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        if read_full_at(file, octets.start, &mut bytes).is_ok()
            && write_synced(&*self.state.disk, &name, &[&bytes]).is_ok()
        {
            self.state.bad_bytes += len;
        }
    }

    pub(super) fn account_bad(&mut self, names: &[String]) {
        for name in names.iter().filter(|name| name.ends_with(BAD)) {
            self.state.bad_bytes += file_len(&*self.state.disk, name);
        }
    }

    pub(super) fn finish(
        mut self,
        progress: &Progress,
        last: Option<u64>,
        is_new: bool,
    ) -> (State, Recovered) {
        let state = &mut self.state;
        let settled = state.destinations.iter();
        let settled = settled.filter_map(|of| of.settled.as_slice().last());
        let settled = settled.map(|range| range.end).max().unwrap_or(1);
        let found = state.next_seq.max(progress.next_seq).max(settled);
        // Rows that were read before they were durable have numbers, too, and
        // no other row may ever get them.
        let next_seq = if is_new { 1 } else { found + SEQ_STEP };
        state.next_seq = next_seq.max(state.settings.first_seq);
        state.got_to = settled.max(state.settings.first_seq);
        state.written_to = state.next_seq;
        state.durable_to = state.next_seq;
        let after = last.map_or(1, |number| number.saturating_add(1));
        state.next_number = after.max(progress.next_number);
        state.counters.corrupt_frames = self.seen.corrupt_frames;
        state.counters.corrupt_rows = self.seen.corrupt_rows;
        state.counters.missing_segments = self.seen.missing_segments;
        (self.state, self.seen)
    }
}

fn file_len(disk: &dyn Fs, name: &str) -> u64 {
    let size = disk.open(name).and_then(|file| file.size());
    size.unwrap_or(0)
}

/// How names of files end that were set aside.
pub(super) const BAD: &str = ".bad";
/// Copies of damage made at one start, and octets of each.
const BAD_FILES_MAX: usize = 16;
const BAD_LEN_MAX: u64 = 1 << 20;
/// Numbers passed over at a start: more than there can be rows in memory.
pub(super) const SEQ_STEP: u64 = 1 << 32;
/// Ids beyond are none that we gave.
const IDS_MAX: u32 = 1 << 16;
/// Begins the name of a destination whose name was lost.
const LOST_NAME: &str = "lost/";
