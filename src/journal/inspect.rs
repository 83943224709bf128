//! A look at a journal from outside, without its lock and without a change.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use super::destination::Amounts;
use super::destination::Destination;
use super::format::Content;
use super::format::HEADER_LEN;
use super::format::Header;
use super::format::Seal;
use super::format::decode_names;
use super::format::segment_name;
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
use super::snapshot;

/// What is in a journal's directory.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inspection {
    /// The journal's id; nothing if no file has it.
    pub uuid: Option<[u8; 16]>,
    /// First number no row has, by the progress; nothing without one.
    pub next_seq: Option<u64>,
    /// Damaged files of progress, of two.
    pub damaged_slots: u64,
    /// Destinations by id.
    pub destinations: BTreeMap<u32, DestinationReport>,
    /// The segments, oldest first.
    pub segments: Vec<SegmentReport>,
    /// Names of segments that progress needs and that are gone.
    pub missing: Vec<String>,
    /// The open flows kept for an unclean end, if there is such a file.
    pub snapshot: Option<SnapshotReport>,
}

/// What is known of a destination.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DestinationReport {
    /// Its name; empty if no file has it.
    pub name: String,
    /// The first number that may be one of its rows not delivered.
    pub low_water: u64,
    /// What is pending in the sound frames; all else as of the last progress.
    pub amounts: Amounts,
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
    /// Octets that are damaged.
    pub damage: Vec<Range<u64>>,
    /// The end of a write that is under way or that a crash cut off: nobody
    /// was told that it is durable.
    pub torn: Option<Range<u64>>,
}

/// The file of open flows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotReport {
    /// Octets of the open flows; nothing if the file is damaged.
    pub bytes: Option<u64>,
    /// The first row that they do not know of; nothing if the file is damaged.
    pub seq: Option<u64>,
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
/// While a process has the journal open, what it writes just now may seem
/// damaged: it is whole in another look.
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
    let mut look = Look {
        disk,
        seal: Seal::new(&uuid.unwrap_or_default()),
        newest: names.last().and_then(|name| segment_number(name)),
        missing: missing(progress.as_ref(), &names),
        destinations: BTreeMap::new(),
        progress,
    };
    look.know_destinations();
    let mut segments = Vec::new();
    for (name, header) in names.iter().zip(&headers) {
        match look.segment(name, &mut each) {
            // It was delivered and removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            report => segments.push(SegmentReport {
                version: header.map(|Header { version, .. }| version),
                ..report?
            }),
        }
    }
    Ok(Inspection {
        uuid,
        next_seq: look.progress.as_ref().map(|progress| progress.next_seq),
        damaged_slots,
        destinations: look.reports(),
        segments,
        missing: look.missing,
        snapshot: snapshot_report(disk)?,
    })
}

/// Names of the segments that progress needs and that are not there.
fn missing(progress: Option<&Progress>, names: &[String]) -> Vec<String> {
    let there: Vec<_> = names
        .iter()
        .filter_map(|name| segment_number(name))
        .collect();
    let needed = progress.into_iter().flat_map(|progress| &progress.segments);
    needed
        .filter(|(number, _)| !there.contains(number))
        .map(|(number, _)| segment_name(*number))
        .collect()
}

fn snapshot_report(disk: &dyn Fs) -> io::Result<Option<SnapshotReport>> {
    if !disk.list()?.iter().any(|name| name == snapshot::NAME) {
        return Ok(None);
    }
    let sound = snapshot::read(disk).ok().flatten();
    Ok(Some(SnapshotReport {
        bytes: sound.as_ref().map(|(_, flows)| flows.len() as u64),
        seq: sound.map(|(seq, _)| seq),
    }))
}

/// A look under way.
struct Look<'a> {
    disk: &'a dyn Fs,
    seal: Seal,
    newest: Option<u64>,
    progress: Option<Progress>,
    missing: Vec<String>,
    destinations: BTreeMap<u32, Destination>,
}

impl Look<'_> {
    fn know_destinations(&mut self) {
        let saved = self
            .progress
            .iter()
            .flat_map(|progress| &progress.destinations);
        let known = saved.map(|saved| Destination {
            settled: saved.settled.clone(),
            amounts: saved.amounts,
            ..Destination::new(saved.name.clone())
        });
        self.destinations = (0..).zip(known).collect();
    }

    fn segment(
        &mut self,
        name: &str,
        each: &mut impl FnMut(&FrameReport<'_>),
    ) -> io::Result<SegmentReport> {
        let file = self.disk.open(name)?;
        let bytes = file.size()?;
        let mut report = SegmentReport {
            name: name.to_owned(),
            bytes,
            ..SegmentReport::default()
        };
        let mut scan = Scan::new(&*file, HEADER_LEN as u64..bytes, self.seal, Depth::Whole);
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
                    self.destination(id).name = name;
                }
                continue;
            };
            if report.frames == 0 {
                report.seqs.start = head.first_seq;
            }
            report.seqs.end = head.end_seq();
            report.frames += 1;
            report.rows += u64::from(head.rows);
            self.count_pending(head.first_seq, &shares);
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
        self.set_torn_end_apart(&mut report);
        Ok(report)
    }

    fn destination(&mut self, id: u32) -> &mut Destination {
        let unknown = || Destination::new(String::new());
        self.destinations.entry(id).or_insert_with(unknown)
    }

    fn count_pending(&mut self, first_seq: u64, shares: &[Share]) {
        for share in shares {
            let destination = self.destination(share.destination.0);
            if !destination.settled.covers(&share.seqs(first_seq)) {
                destination.amounts.pending += share.amount;
            }
        }
    }

    /// Damage up to the end of the file, behind all that was durable.
    fn set_torn_end_apart(&self, report: &mut SegmentReport) {
        let durable = segment_number(&report.name).map_or(u64::MAX, |number| self.durable(number));
        let is_torn = |octets: &&Range<u64>| octets.end == report.bytes && octets.start >= durable;
        if report.damage.last().filter(is_torn).is_some() {
            report.torn = report.damage.pop();
        }
    }

    /// Octets of a segment that are known to have been durable: all of those
    /// that were complete when progress was.
    fn durable(&self, number: u64) -> u64 {
        let Some(progress) = &self.progress else {
            let is_newest = self.newest == Some(number);
            return if is_newest { 0 } else { u64::MAX };
        };
        let mut needed = progress.segments.iter();
        let known = needed.find(|(of, _)| *of == number);
        match known {
            Some((_, len)) => *len,
            None if number >= progress.next_number => 0,
            None => u64::MAX,
        }
    }

    fn reports(&mut self) -> BTreeMap<u32, DestinationReport> {
        let all = std::mem::take(&mut self.destinations).into_iter();
        let report = |(id, destination): (u32, Destination)| {
            let low_water = destination.low_water();
            let report = DestinationReport {
                name: destination.name,
                low_water,
                amounts: destination.amounts,
            };
            (id, report)
        };
        all.map(report).collect()
    }
}

impl Inspection {
    /// The name of a destination, as far as it is known.
    pub fn name_of(&self, id: DestinationId) -> Option<&str> {
        let report = self.destinations.get(&id.0)?;
        Some(&report.name)
    }

    /// Whether there is nothing of a journal.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is damaged, in words; a torn end is not.
    pub fn complaints(&self) -> Vec<String> {
        let slots = (self.damaged_slots > 0).then(|| {
            format!(
                "{} of the two files of progress damaged",
                self.damaged_slots
            )
        });
        let missing = self.missing.iter();
        let missing = missing.map(|name| format!("{name}: missing, and not all was delivered"));
        let is_damaged = |snapshot: &SnapshotReport| snapshot.seq.is_none();
        let snapshot = self.snapshot.filter(is_damaged);
        let snapshot = snapshot.map(|_| format!("{}: damaged", snapshot::NAME));
        let segments = self.segments.iter().flat_map(SegmentReport::complaints);
        slots
            .into_iter()
            .chain(missing)
            .chain(segments)
            .chain(snapshot)
            .collect()
    }
}

impl SegmentReport {
    fn complaints(&self) -> Vec<String> {
        let name = &self.name;
        let header = self
            .version
            .is_none()
            .then(|| format!("{name}: header damaged"));
        let damage = self.damage.iter().map(|octets| {
            let len = octets.end - octets.start;
            format!(
                "{name}: {len} octets damaged from octet {} on",
                octets.start
            )
        });
        header.into_iter().chain(damage).collect()
    }
}
