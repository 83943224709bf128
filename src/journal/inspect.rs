//! A look at a journal from outside, without its lock and without a change.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use super::format::Content;
use super::format::HEADER_LEN;
use super::format::Header;
use super::format::Seal;
use super::format::decode_names;
use super::format::segment_number;
use super::frame::DestinationId;
use super::frame::Kind;
use super::frame::Share;
use super::fs::Fs;
use super::progress::Progress;
use super::progress::Read;
use super::progress::Slots;
use super::recover::known_uuid;
use super::recover::read_header;
use super::scan::Depth;
use super::scan::Found;
use super::scan::Scan;

/// What is in a journal's directory.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inspection {
    /// The journal's id; nothing if no file has it.
    pub uuid: Option<[u8; 16]>,
    /// Damaged files of progress, of two.
    pub damaged_slots: u64,
    /// Destinations by id: name and acknowledged ranges.
    pub destinations: BTreeMap<u32, (String, Vec<Range<u64>>)>,
    /// The segments, oldest first.
    pub segments: Vec<SegmentReport>,
}

/// What is in a segment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SegmentReport {
    /// Name of the file.
    pub name: String,
    /// Octets of the file.
    pub bytes: u64,
    /// Version of the format; nothing if the header is damaged.
    pub version: Option<u32>,
    /// Sequence number of the first row and of the last plus one.
    pub seqs: Range<u64>,
    /// Sound frames and their rows.
    pub frames: u64,
    /// Rows of the sound frames.
    pub rows: u64,
    /// Octets that are damaged, or the torn end of a write.
    pub damage: Vec<Range<u64>>,
}

/// One sound frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FrameReport<'a> {
    /// Name of the segment's file.
    pub segment: &'a str,
    /// Where the frame stands in it.
    pub offset: u64,
    /// Octets of the frame.
    pub bytes: u64,
    /// Sequence number of the first row.
    pub first_seq: u64,
    /// Rows.
    pub rows: u32,
    /// When it was appended.
    pub at_ms: u64,
    /// What the body is.
    pub kind: Kind,
    /// Whose the rows are.
    pub shares: &'a [Share],
}

/// Reads a journal and checks every CRC; `each` is called for each sound frame.
///
/// While a process has the journal open, the newest segment may seem torn.
///
/// # Errors
/// As the system says; damage is none.
pub fn inspect(disk: &dyn Fs, mut each: impl FnMut(&FrameReport<'_>)) -> io::Result<Inspection> {
    let mut names: Vec<_> = disk.list()?;
    names.retain(|name| segment_number(name).is_some());
    names.sort_unstable();
    let headers: Vec<_> = names
        .iter()
        .map(|name| read_header(disk, name).ok().flatten())
        .collect();
    let (progress, damaged_slots) = match Slots::read(disk).1 {
        Read::Good(progress, damaged) => (progress, damaged),
        Read::Newer(..) => (None, 0),
    };
    let uuid = known_uuid(progress.as_ref(), headers.iter().flatten().copied());
    let mut inspection = Inspection {
        uuid,
        damaged_slots,
        destinations: saved_destinations(progress.unwrap_or_default()),
        segments: Vec::new(),
    };
    let seal = Seal::new(&uuid.unwrap_or_default());
    for (name, header) in names.iter().zip(&headers) {
        let destinations = &mut inspection.destinations;
        match inspect_segment(disk, name, seal, destinations, &mut each) {
            // It was delivered and removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            report => inspection.segments.push(SegmentReport {
                version: header.map(|Header { version, .. }| version),
                ..report?
            }),
        }
    }
    Ok(inspection)
}

fn saved_destinations(progress: Progress) -> BTreeMap<u32, (String, Vec<Range<u64>>)> {
    let saved = progress.destinations.into_iter();
    (0..)
        .zip(saved.map(|saved| (saved.name, saved.settled.as_slice().to_vec())))
        .collect()
}

fn inspect_segment(
    disk: &dyn Fs,
    name: &str,
    seal: Seal,
    destinations: &mut BTreeMap<u32, (String, Vec<Range<u64>>)>,
    each: &mut impl FnMut(&FrameReport<'_>),
) -> io::Result<SegmentReport> {
    let file = disk.open(name)?;
    let bytes = file.size()?;
    let mut report = SegmentReport {
        name: name.to_owned(),
        bytes,
        ..SegmentReport::default()
    };
    let mut scan = Scan::new(&*file, HEADER_LEN as u64..bytes, seal, Depth::Whole);
    while let Some(found) = scan.next() {
        let (offset, head, shares) = match found {
            Found::Damage(octets) | Found::Broken { octets, .. } => {
                report.damage.push(octets);
                continue;
            }
            Found::Frame {
                offset,
                head,
                shares,
            } => (offset, head, shares),
        };
        let Content::Rows(kind) = head.content else {
            let body = scan.body(offset, &head).unwrap_or_default();
            for (id, name) in decode_names(&body) {
                destinations.entry(id).or_default().0 = name;
            }
            continue;
        };
        if report.frames == 0 {
            report.seqs.start = head.first_seq;
        }
        report.seqs.end = head.end_seq();
        report.frames += 1;
        report.rows += u64::from(head.rows);
        each(&FrameReport {
            segment: name,
            offset,
            bytes: head.frame_len(),
            first_seq: head.first_seq,
            rows: head.rows,
            at_ms: head.at_ms,
            kind,
            shares: &shares,
        });
    }
    Ok(report)
}

impl Inspection {
    /// The name of a destination, as far as it is known.
    pub fn name_of(&self, id: DestinationId) -> Option<&str> {
        self.destinations.get(&id.0).map(|(name, _)| name.as_str())
    }

    /// Whether anything is damaged, be it only a torn end.
    pub fn is_damaged(&self) -> bool {
        let mut segments = self.segments.iter();
        self.damaged_slots > 0
            || segments.any(|segment| segment.version.is_none() || !segment.damage.is_empty())
    }
}
