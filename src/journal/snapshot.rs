//! The open flows of the cache, kept for a start after an unclean end.

use std::io;

use bytes::Bytes;

use super::fs::Fs;
use super::fs::read_whole;
use super::fs::replace;

/// Replaces the snapshot.
pub(super) fn save(disk: &dyn Fs, seq: u64, flows: &[u8]) -> io::Result<()> {
    let seq = seq.to_le_bytes();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&seq), flows);
    replace(disk, NAME, &[&MAGIC, &crc.to_le_bytes(), &seq, flows])
}

/// The snapshot, if there is one and it is sound.
pub(super) fn read(disk: &dyn Fs) -> Option<(u64, Bytes)> {
    let bytes = read_whole(disk, NAME, LEN_MAX).ok()?;
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (crc, covered) = rest.split_first_chunk::<4>()?;
    let (seq, flows) = covered.split_first_chunk::<8>()?;
    let is_sound = crc32c::crc32c(covered) == u32::from_le_bytes(*crc);
    let seq = u64::from_le_bytes(*seq);
    is_sound.then(|| (seq, Bytes::copy_from_slice(flows)))
}

/// Removes the snapshot for good.
pub(super) fn remove(disk: &dyn Fs) -> io::Result<()> {
    disk.remove(NAME)?;
    disk.sync_dir()
}

/// Octets of the file for so many octets of flows.
pub(super) fn file_len(flows: &[u8]) -> u64 {
    (MAGIC.len() + 12 + flows.len()) as u64
}

/// Name of the file.
pub(super) const NAME: &str = "snapshot";
const MAGIC: [u8; 8] = *b"FLOWSNP\x01";
/// More than any cache holds: 200 octets for each of 10 M flows.
const LEN_MAX: u64 = 4 << 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fs::Disk;

    #[test]
    fn a_snapshot_is_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        assert_eq!(read(&disk), None);
        save(&disk, 1, b"older").unwrap();
        save(&disk, 7, b"flows").unwrap();
        assert_eq!(read(&disk), Some((7, Bytes::from_static(b"flows"))));
        let path = dir.path().join(NAME);
        let good = std::fs::read(&path).unwrap();
        assert_eq!(good.len() as u64, file_len(b"flows"));
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x80;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&disk), None, "octet {at}");
            std::fs::write(&path, &good[..at]).unwrap();
            assert_eq!(read(&disk), None, "cut at {at}");
        }
        remove(&disk).unwrap();
        assert!(disk.list().unwrap().is_empty());
    }
}
