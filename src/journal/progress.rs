//! Progress of all destinations on disk: two files that take turns.
//!
//! Only the one that does not hold the newest good state is ever written, so
//! that a crash or a full disk leaves the other.

use std::io;
use std::ops::Range;

use super::destination::Amounts;
use super::format::NAME_LEN_MAX;
use super::format::VERSION;
use super::fs::Fs;
use super::fs::read_whole;
use super::fs::write_synced;
use super::ranges::Ranges;
use crate::flow::Amount;

/// What a slot says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Progress {
    pub(super) uuid: [u8; 16],
    /// First sequence number that was not given yet.
    pub(super) next_seq: u64,
    /// Number of the next segment.
    pub(super) next_number: u64,
    /// Number and durable octets of each segment that is needed.
    pub(super) segments: Vec<(u64, u64)>,
    /// By id.
    pub(super) destinations: Vec<Saved>,
}

/// A destination on disk.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Saved {
    pub(super) name: String,
    pub(super) settled: Ranges,
    pub(super) amounts: Amounts,
}

/// The two files.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Of the newest good state.
    generation: u64,
    /// Where it stands.
    current: usize,
    /// Which names are durable.
    named: [bool; 2],
    /// Octets written last.
    pub(super) len: u64,
}

/// What reading the slots gave.
#[derive(Debug)]
pub(super) enum Read {
    /// The newest good state, if there is one, and how many slots are damaged.
    Good(Option<Progress>, u64),
    /// A later flowlogd wrote one of this version.
    Newer(&'static str, u32),
}

impl Slots {
    /// Reads both slots. One that cannot be read counts as damaged.
    pub(super) fn read(disk: &dyn Fs) -> (Self, Read) {
        let mut slots = Self::default();
        let mut newest = None;
        let mut damaged = 0;
        for (slot, name) in NAMES.into_iter().enumerate() {
            let bytes = match read_whole(disk, name, LEN_MAX) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                bytes => bytes.unwrap_or_default(),
            };
            match decode(&bytes) {
                Some((version, ..)) if version > VERSION => {
                    return (slots, Read::Newer(name, version));
                }
                Some((_, generation, Some(progress))) if generation > slots.generation => {
                    slots.generation = generation;
                    slots.current = slot;
                    slots.len = bytes.len() as u64;
                    newest = Some(progress);
                }
                Some((.., Some(_))) => {}
                Some((.., None)) | None => damaged += 1,
            }
        }
        (slots, Read::Good(newest, damaged))
    }

    /// Makes a state the newest; after an error the last one still is.
    pub(super) fn write(&mut self, disk: &dyn Fs, progress: &Progress) -> io::Result<()> {
        let slot = 1 - self.current;
        let [first, second] = NAMES;
        let name = if slot == 0 { first } else { second };
        let bytes = encode(self.generation + 1, progress);
        write_synced(disk, name, &[&bytes])?;
        if let Some(named) = self.named.get_mut(slot)
            && !*named
        {
            disk.sync_dir()?;
            *named = true;
        }
        self.generation += 1;
        self.current = slot;
        self.len = bytes.len() as u64;
        Ok(())
    }
}

fn encode(generation: u64, progress: &Progress) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, progress.next_seq);
    put(&mut body, progress.next_number);
    put(&mut body, progress.segments.len() as u64);
    for (number, len) in &progress.segments {
        put(&mut body, *number);
        put(&mut body, *len);
    }
    put(&mut body, progress.destinations.len() as u64);
    for saved in &progress.destinations {
        put(&mut body, saved.name.len() as u64);
        body.extend_from_slice(saved.name.as_bytes());
        for amount in [
            saved.amounts.acked,
            saved.amounts.evicted,
            saved.amounts.damaged,
            saved.amounts.refused,
        ] {
            put(&mut body, amount.records);
            put(&mut body, amount.octets);
            put(&mut body, amount.packets);
        }
        put(&mut body, saved.settled.len() as u64);
        for range in saved.settled.as_slice() {
            put(&mut body, range.start);
            put(&mut body, range.end);
        }
    }
    let mut bytes = Vec::with_capacity(body.len() + 40);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&progress.uuid);
    put(&mut bytes, generation);
    bytes.extend_from_slice(&body);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// Version and generation, and the state if it is of a version we know.
fn decode(bytes: &[u8]) -> Option<(u32, u64, Option<Progress>)> {
    let (covered, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(covered) != u32::from_le_bytes(*crc) {
        return None;
    }
    let rest = covered.strip_prefix(&MAGIC)?;
    let (version, rest) = rest.split_first_chunk::<4>()?;
    let version = u32::from_le_bytes(*version);
    let (uuid, mut rest) = rest.split_first_chunk::<16>()?;
    let generation = take(&mut rest)?;
    let body = (version == VERSION).then_some(rest);
    Some((
        version,
        generation,
        body.and_then(|body| decode_body(*uuid, body)),
    ))
}

fn decode_body(uuid: [u8; 16], mut rest: &[u8]) -> Option<Progress> {
    let rest = &mut rest;
    let mut progress = Progress {
        uuid,
        next_seq: take(rest)?,
        next_number: take(rest)?,
        ..Progress::default()
    };
    for _ in 0..take(rest)? {
        progress.segments.push((take(rest)?, take(rest)?));
    }
    for _ in 0..take(rest)? {
        progress.destinations.push(take_saved(rest)?);
    }
    rest.is_empty().then_some(progress)
}

fn take_saved(rest: &mut &[u8]) -> Option<Saved> {
    let len = usize::try_from(take(rest)?).ok()?;
    let (name, behind) = rest.split_at_checked(len.min(NAME_LEN_MAX))?;
    *rest = behind;
    let mut saved = Saved {
        name: String::from_utf8(name.to_vec()).ok()?,
        ..Saved::default()
    };
    let amounts = &mut saved.amounts;
    for amount in [
        &mut amounts.acked,
        &mut amounts.evicted,
        &mut amounts.damaged,
        &mut amounts.refused,
    ] {
        *amount = Amount {
            records: take(rest)?,
            octets: take(rest)?,
            packets: take(rest)?,
        };
    }
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for _ in 0..take(rest)? {
        ranges.push(take(rest)?..take(rest)?);
    }
    saved.settled = Ranges::from_sorted(ranges)?;
    Some(saved)
}

fn put(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}

/// Names of the two files.
pub(super) const NAMES: [&str; 2] = ["progress.0", "progress.1"];
const MAGIC: [u8; 8] = *b"FLOWPRGS";
/// 4096 destinations of 1024 ranges each take 68 MiB.
const LEN_MAX: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fs::Disk;

    fn progress(next_seq: u64) -> Progress {
        let mut settled = Ranges::default();
        settled.insert(0..5, 9);
        settled.insert(7..9, 9);
        let amount = |records| Amount {
            records,
            octets: 1,
            packets: 2,
        };
        Progress {
            uuid: [3; 16],
            next_seq,
            next_number: 4,
            segments: vec![(2, 64), (3, 100)],
            destinations: vec![Saved {
                name: "sls/a/b".to_owned(),
                settled,
                amounts: Amounts {
                    pending: Amount::default(),
                    acked: amount(1),
                    evicted: amount(2),
                    damaged: amount(3),
                    refused: amount(4),
                },
            }],
        }
    }

    fn read(disk: &Disk) -> (Option<Progress>, u64) {
        match Slots::read(disk).1 {
            Read::Good(progress, damaged) => (progress, damaged),
            Read::Newer(..) => panic!("newer"),
        }
    }

    #[test]
    fn damage_to_the_newest_slot_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        assert_eq!(read(&disk), (None, 0));
        let (mut slots, _) = Slots::read(&disk);
        for next_seq in 1..=3 {
            slots.write(&disk, &progress(next_seq)).unwrap();
            assert_eq!(read(&disk), (Some(progress(next_seq)), 0));
        }
        let newest = dir.path().join(NAMES[slots.current]);
        let good = std::fs::read(&newest).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&newest, &bytes).unwrap();
            assert_eq!(read(&disk), (Some(progress(2)), 1), "octet {at}");
            std::fs::write(&newest, &good[..at]).unwrap();
            assert_eq!(read(&disk), (Some(progress(2)), 1), "cut at {at}");
        }
        // The damaged slot is the one written next.
        let (mut slots, _) = Slots::read(&disk);
        slots.write(&disk, &progress(9)).unwrap();
        assert_eq!(read(&disk), (Some(progress(9)), 0));
    }

    #[test]
    fn a_slot_of_a_newer_version_is_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        let mut bytes = encode(1, &progress(1));
        bytes.truncate(bytes.len() - 4);
        bytes[8] = 2;
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        std::fs::write(dir.path().join(NAMES[1]), bytes).unwrap();
        assert!(matches!(Slots::read(&disk).1, Read::Newer("progress.1", 2)));
    }
}
