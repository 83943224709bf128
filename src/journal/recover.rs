//! From files to a journal, whatever befell them.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::destination::Destination;
use super::error::OpenError;
use super::format::Content;
use super::format::HEADER_LEN;
use super::format::Head;
use super::format::Header;
use super::format::SEQ_MAX;
use super::format::Seal;
use super::format::VERSION;
use super::format::decode_names;
use super::format::segment_number;
use super::frame::DestinationId;
use super::frame::Share;
use super::fs::File;
use super::fs::Fs;
use super::fs::TEMPORARY;
use super::fs::read_full_at;
use super::fs::write_synced;
use super::progress::Progress;
use super::progress::Read;
use super::progress::Slots;
use super::scan::Depth;
use super::scan::Found;
use super::scan::Scan;
use super::segment::Segment;
use super::settings::Settings;
use super::snapshot;
use super::state::State;
use super::stats::Counters;
use super::window::Window;

/// What was found when a journal was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Recovered {
    /// Segments taken up.
    pub segments: u64,
    /// Frames in them.
    pub frames: u64,
    /// Rows of those frames.
    pub rows: u64,
    /// Frames, or runs of octets, that were damaged; a copy of each is kept in
    /// a `.bad` file.
    pub corrupt_frames: u64,
    /// Rows known to be lost with them.
    pub corrupt_rows: u64,
    /// Octets behind the last frame of segments, never durable, cut off.
    pub torn_bytes: u64,
    /// Segments that should be there and are not.
    pub missing_segments: u64,
    /// Segments of another journal, set aside as `.bad`.
    pub foreign_segments: u64,
    /// Segments that the system does not let us read; left alone.
    pub unreadable_segments: u64,
    /// Damaged files of progress, of two.
    pub damaged_slots: u64,
}

/// Opens what is in the directory.
pub(super) fn recover(
    settings: Settings,
    disk: Arc<dyn Fs>,
) -> Result<(State, Recovered), OpenError> {
    let io_error = |source| OpenError::Io {
        path: disk.path().to_owned(),
        source,
    };
    let names = disk.list().map_err(io_error)?;
    let mut files = candidates(&*disk, &names);
    let (slots, progress, damaged_slots) = read_progress(&*disk)?;
    refuse_newer(&*disk, &files)?;
    sweep(&*disk, &names);
    let uuid = uuid_of(progress.as_ref(), &files).map_err(io_error)?;
    let is_new = progress.is_none() && files.is_empty();
    let progress = progress.unwrap_or_default();
    let mut recovery = Recovery::new(settings, disk, uuid, slots, &progress);
    recovery.seen.damaged_slots = damaged_slots;
    files.retain(|file| recovery.is_ours(file));
    let present: Vec<_> = files.iter().map(|file| file.number).collect();
    let known: HashMap<_, _> = progress.segments.iter().copied().collect();
    let missing = known.keys().filter(|number| !present.contains(number));
    recovery.seen.missing_segments = missing.count() as u64;
    for (at, file) in files.iter().enumerate() {
        let later = files.get(at + 1..).unwrap_or_default();
        let later = later.iter().filter_map(|file| file.header.as_ref());
        let limit = later.map(|header| header.first_seq).min();
        // Only the last segments can have frames that are written half.
        let is_late = at + WHOLE_SEGMENTS >= files.len();
        let depth = if is_late { Depth::Whole } else { Depth::Heads };
        let durable = known.get(&file.number).copied().unwrap_or(0);
        recovery.take(file, limit.unwrap_or(SEQ_MAX), durable, depth);
    }
    recovery.account_bad(&names);
    let (mut state, recovered) = recovery.finish(&progress, present.last().copied(), is_new);
    // The journal's id and the numbers passed over are durable from the start,
    // if the disk lets them.
    let _ = state.persist();
    Ok((state, recovered))
}

/// A file that may be a segment.
#[derive(Debug)]
struct Candidate {
    number: u64,
    name: String,
    header: Option<Header>,
}

/// Files that have a segment's name, by number.
fn candidates(disk: &dyn Fs, names: &[String]) -> Vec<Candidate> {
    let numbered = names
        .iter()
        .filter_map(|name| Some((segment_number(name)?, name)));
    let mut found: Vec<_> = numbered
        .map(|(number, name)| Candidate {
            number,
            name: name.clone(),
            header: read_header(disk, name).ok().flatten(),
        })
        .collect();
    found.sort_unstable_by_key(|file| file.number);
    found
}

/// The header of a segment; `None` where it is damaged.
pub(super) fn read_header(disk: &dyn Fs, name: &str) -> io::Result<Option<Header>> {
    let file = disk.open(name)?;
    let mut bytes = [0; HEADER_LEN];
    read_full_at(&*file, 0, &mut bytes)?;
    Ok(Header::decode(&bytes))
}

fn read_progress(disk: &dyn Fs) -> Result<(Slots, Option<Progress>, u64), OpenError> {
    match Slots::read(disk) {
        (slots, Read::Good(progress, damaged)) => Ok((slots, progress, damaged)),
        (_, Read::Newer(name, version)) => Err(OpenError::Newer {
            path: disk.path().join(name),
            version,
            known: VERSION,
        }),
    }
}

fn refuse_newer(disk: &dyn Fs, files: &[Candidate]) -> Result<(), OpenError> {
    let mut versions = files
        .iter()
        .filter_map(|file| Some((file, file.header?.version)));
    versions
        .find(|(_, version)| *version > VERSION)
        .map_or(Ok(()), |(file, version)| {
            Err(OpenError::Newer {
                path: disk.path().join(&file.name),
                version,
                known: VERSION,
            })
        })
}

/// Removes what was never finished.
fn sweep(disk: &dyn Fs, names: &[String]) {
    for name in names.iter().filter(|name| name.ends_with(TEMPORARY)) {
        // One that stays does no harm.
        let _ = disk.remove(name);
    }
}

/// The journal's id: that of its progress, else of its oldest segment, else a
/// new one.
pub(super) fn known_uuid(
    progress: Option<&Progress>,
    headers: impl Iterator<Item = Header>,
) -> Option<[u8; 16]> {
    let mut headers = headers;
    progress
        .map(|progress| progress.uuid)
        .or_else(|| headers.next().map(|header| header.uuid))
}

fn uuid_of(progress: Option<&Progress>, files: &[Candidate]) -> io::Result<[u8; 16]> {
    let headers = files.iter().filter_map(|file| file.header);
    if let Some(known) = known_uuid(progress, headers) {
        return Ok(known);
    }
    let mut new = [0; 16];
    getrandom::fill(&mut new).map_err(io::Error::other)?;
    Ok(new)
}

/// A journal half recovered.
#[derive(Debug)]
struct Recovery {
    state: State,
    seen: Recovered,
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
    fn new(
        settings: Settings,
        disk: Arc<dyn Fs>,
        uuid: [u8; 16],
        slots: Slots,
        progress: &Progress,
    ) -> Self {
        let mut state = State {
            snapshot_bytes: file_len(&*disk, snapshot::NAME),
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
    fn is_ours(&mut self, file: &Candidate) -> bool {
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
    fn take(&mut self, candidate: &Candidate, limit: u64, durable: u64, depth: Depth) {
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

    fn account_bad(&mut self, names: &[String]) {
        for name in names.iter().filter(|name| name.ends_with(BAD)) {
            self.state.bad_bytes += file_len(&*self.state.disk, name);
        }
    }

    fn finish(
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
        state.next_seq = if is_new { 1 } else { found + SEQ_STEP };
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
/// Last segments that are read whole: those that may not have been synced.
const WHOLE_SEGMENTS: usize = 2;
/// Copies of damage made at one start, and octets of each.
const BAD_FILES_MAX: usize = 16;
const BAD_LEN_MAX: u64 = 1 << 20;
/// Numbers passed over at a start: more than there can be rows in memory.
const SEQ_STEP: u64 = 1 << 32;
/// Ids beyond are none that we gave.
const IDS_MAX: u32 = 1 << 16;
/// Begins the name of a destination whose name was lost.
const LOST_NAME: &str = "lost/";
