//! From files to a journal, whatever befell them.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::error::OpenError;
use super::format::HEADER_LEN;
use super::format::Header;
use super::format::SEQ_MAX;
use super::format::VERSION;
use super::format::segment_number;
use super::fs::Fs;
use super::fs::TEMPORARY;
use super::fs::read_full_at;
use super::progress::Progress;
use super::progress::Read;
use super::progress::Slots;
use super::rebuild::Recovery;
use super::scan::Depth;
use super::settings::Settings;
use super::state::State;

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
pub(super) struct Candidate {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) header: Option<Header>,
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

/// Last segments that are read whole: those that may not have been synced.
const WHOLE_SEGMENTS: usize = 2;
