//! The open flows of the cache, kept for a start after an unclean end.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::error::SnapshotError;
use super::fs::File;
use super::fs::Fs;
use super::fs::TEMPORARY;
use super::fs::read_full_at;
use super::fs::read_whole;
use super::fs::write_all_at;

/// A snapshot that is being written: the one before stays until
/// [`Journal::save_snapshot`](super::Journal::save_snapshot). One at a time.
#[derive(Debug)]
pub struct SnapshotWriter {
    file: Arc<dyn File>,
    seq: u64,
    crc: u32,
    len: u64,
}

impl SnapshotWriter {
    /// A snapshot as of the row `seq`.
    pub(super) fn begin(disk: &dyn Fs, seq: u64) -> io::Result<Self> {
        Ok(Self {
            file: disk.create(&temporary())?,
            seq,
            crc: crc32c::crc32c(&seq.to_le_bytes()),
            len: HEAD_LEN as u64,
        })
    }

    /// Appends octets.
    ///
    /// # Errors
    /// As the system says, or more than 4 GiB; the snapshot is then to be given up.
    pub fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        let len = self.len + octets.len() as u64;
        if len > LEN_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        write_all_at(&*self.file, self.len, octets)?;
        self.crc = crc32c::crc32c_append(self.crc, octets);
        self.len = len;
        Ok(())
    }

    /// Octets of the file.
    pub fn file_len(&self) -> u64 {
        self.len
    }

    /// The row it is of.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    /// Puts it in place of the one before.
    pub(super) fn save(&self, disk: &dyn Fs) -> io::Result<()> {
        let head = [&self.crc.to_le_bytes()[..], &self.seq.to_le_bytes()].concat();
        write_all_at(&*self.file, 0, &MAGIC)?;
        write_all_at(&*self.file, MAGIC.len() as u64, &head)?;
        self.file.sync()?;
        disk.rename(&temporary(), NAME)?;
        disk.sync_dir()
    }
}

fn temporary() -> String {
    format!("{NAME}{TEMPORARY}")
}

/// The snapshot, if there is one.
pub(super) fn read(disk: &dyn Fs) -> Result<Option<(u64, Bytes)>, SnapshotError> {
    match read_whole(disk, NAME, LEN_MAX) {
        Ok(bytes) => match parse(bytes.into()) {
            Some(snapshot) => Ok(Some(snapshot)),
            None => Err(SnapshotError::Damaged),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The row a snapshot is of, were the snapshot sound.
pub(super) fn position(disk: &dyn Fs) -> Option<u64> {
    let mut bytes = [0; HEAD_LEN];
    let file = disk.open(NAME).ok()?;
    read_full_at(&*file, 0, &mut bytes).ok()?;
    let (_, seq) = bytes.strip_prefix(&MAGIC)?.split_last_chunk()?;
    Some(u64::from_le_bytes(*seq))
}

fn parse(bytes: Bytes) -> Option<(u64, Bytes)> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (crc, covered) = rest.split_first_chunk::<4>()?;
    let (seq, _) = covered.split_first_chunk::<8>()?;
    let is_sound = crc32c::crc32c(covered) == u32::from_le_bytes(*crc);
    let seq = u64::from_le_bytes(*seq);
    is_sound.then(|| (seq, bytes.slice(HEAD_LEN..)))
}

/// Removes the snapshot for good, if there is one.
pub(super) fn remove(disk: &dyn Fs) -> io::Result<()> {
    match disk.remove(NAME) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    disk.sync_dir()
}

/// Name of the file.
pub(super) const NAME: &str = "snapshot";
const MAGIC: [u8; 8] = *b"FLOWSNP\x01";
/// Magic, CRC32C of all behind it, row.
const HEAD_LEN: usize = MAGIC.len() + 12;
/// More than any cache holds: 200 octets for each of 10 M flows.
const LEN_MAX: u64 = 4 << 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fs::Disk;

    fn save(disk: &Disk, seq: u64, flows: &[&[u8]]) {
        let mut writer = SnapshotWriter::begin(disk, seq).unwrap();
        for octets in flows {
            writer.write(octets).unwrap();
        }
        writer.save(disk).unwrap();
    }

    #[test]
    fn a_snapshot_that_is_not_saved_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        save(&disk, 7, &[b"flows"]);
        let mut writer = SnapshotWriter::begin(&disk, 8).unwrap();
        writer.write(b"half").unwrap();
        assert_eq!(writer.file_len(), HEAD_LEN as u64 + 4);
        drop(writer);
        assert_eq!(read(&disk).unwrap().unwrap().0, 7);
    }

    #[test]
    fn a_snapshot_is_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        assert!(read(&disk).unwrap().is_none());
        save(&disk, 1, &[b"older"]);
        save(&disk, 7, &[b"fl", b"ows"]);
        let flows = Bytes::from_static(b"flows");
        assert_eq!(read(&disk).unwrap(), Some((7, flows)));
        assert_eq!(position(&disk), Some(7));
        let path = dir.path().join(NAME);
        let good = std::fs::read(&path).unwrap();
        assert_eq!(good.len(), HEAD_LEN + 5);
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x80;
            std::fs::write(&path, &bytes).unwrap();
            assert!(
                matches!(read(&disk), Err(SnapshotError::Damaged)),
                "octet {at}"
            );
            std::fs::write(&path, &good[..at]).unwrap();
            assert!(
                matches!(read(&disk), Err(SnapshotError::Damaged)),
                "cut at {at}"
            );
        }
        remove(&disk).unwrap();
        remove(&disk).unwrap();
        assert!(disk.list().unwrap().is_empty());
    }
}
