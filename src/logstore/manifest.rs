//! The MANIFEST of a logstore: which parts are live, and where counting goes on.
//!
//! One line `flowlogd-manifest VERSION CRC32C`, then JSON. It is replaced as a
//! whole, and that replacement is the one commit point of ingest, compaction
//! and retention: a file it does not name does not exist.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;
use thiserror::Error;

use super::crc::crc32c;
use super::disk::Disk;
use crate::flow::Amount;

/// What one logstore consists of.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Manifest {
    /// Above the `seq` of every row that ever was in a part, so that rows from
    /// it on are not durable. It never goes back.
    pub(super) next_seq: u64,
    /// Number of the next part file; numbers are never used twice.
    pub(super) next_file: u64,
    /// Live parts in `seq` order.
    pub(super) parts: Vec<Entry>,
}

/// One live part.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Entry {
    /// File name below `parts/`.
    pub(super) file: String,
    /// `seq` of the first row.
    pub(super) first_seq: u64,
    /// `seq` of the last row.
    pub(super) last_seq: u64,
    /// Rows; as numbers are left out, often fewer than the two are apart.
    pub(super) rows: u64,
    /// Lowest `__time__`, seconds since 1970.
    pub(super) first_time: i64,
    /// Highest `__time__`, seconds since 1970.
    pub(super) last_time: i64,
    /// Hour of arrival, hours since 1970.
    pub(super) hour: u64,
    /// Octets of the file.
    pub(super) bytes: u64,
    /// Version of its columns.
    pub(super) schema: u32,
    /// Input records the rows stand for.
    pub(super) records: u64,
    /// Octets the rows sum up to.
    pub(super) octets: u64,
    /// Packets the rows sum up to.
    pub(super) packets: u64,
    /// Rows that are no flows, but logs of any kind.
    #[serde(default)]
    pub(super) logs: u64,
    /// The journal that gave all rows their numbers, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) journal: Option<u64>,
}

impl Entry {
    /// The first number behind its rows.
    pub(super) fn end_seq(&self) -> u64 {
        self.last_seq.saturating_add(1)
    }

    /// What the rows stand for.
    pub(super) fn amount(&self) -> Amount {
        Amount {
            records: self.records,
            octets: self.octets,
            packets: self.packets,
        }
    }
}

impl Manifest {
    /// Reads the MANIFEST of the logstore at `dir`.
    ///
    /// # Errors
    /// `Newer` must end the start before anything is touched; `Missing` and
    /// `Corrupt` ask for the parts' own footers.
    pub(super) fn read(dir: &Path) -> Result<Self, ManifestError> {
        let bytes = match fs::read(dir.join(MANIFEST)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ManifestError::Missing);
            }
            Err(error) => return Err(error.into()),
        };
        Self::decode(&bytes)
    }

    /// Writes the next MANIFEST of the logstore at `dir`, beside the one that
    /// stands.
    ///
    /// # Errors
    /// Those of the disk; the old MANIFEST still stands.
    pub(super) fn prepare(&self, dir: &Path, disk: &Disk) -> io::Result<()> {
        let mut file = disk.create(&dir.join(TEMPORARY))?;
        file.write_all(&self.encode()?)?;
        file.sync()?;
        Ok(())
    }

    /// Puts the prepared MANIFEST into force; once this returns, it is what a
    /// crash leaves behind.
    ///
    /// # Errors
    /// Those of the disk; the old MANIFEST then still stands, or the new one
    /// does: the caller must go on with the old state either way.
    pub(super) fn install(dir: &Path, disk: &Disk) -> io::Result<()> {
        disk.rename(&dir.join(TEMPORARY), &dir.join(MANIFEST))
    }

    /// Both steps, for callers that have nothing to keep if one fails.
    ///
    /// # Errors
    /// As of the two steps.
    pub(super) fn replace(&self, dir: &Path, disk: &Disk) -> io::Result<()> {
        self.prepare(dir, disk)?;
        Self::install(dir, disk)
    }

    fn encode(&self) -> io::Result<Vec<u8>> {
        let body = serde_json::to_vec_pretty(self)?;
        let mut bytes = format!("{MAGIC} {VERSION} {:08x}\n", crc32c(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (head, body) = end
            .and_then(|end| bytes.split_at_checked(end))
            .ok_or(ManifestError::Corrupt("no first line"))?;
        let body = body.get(1..).unwrap_or_default();
        let head = std::str::from_utf8(head)
            .map_err(|_| ManifestError::Corrupt("first line is not text"))?;
        let mut words = head.split(' ');
        if words.next() != Some(MAGIC) {
            return Err(ManifestError::Corrupt("wrong first word"));
        }
        let version = words.next().and_then(|word| word.parse::<u32>().ok());
        match version {
            Some(VERSION) => {}
            // The first two words are for good, so that a downgrade is told from damage.
            Some(version) if version > VERSION => {
                return Err(ManifestError::Newer {
                    version,
                    known: VERSION,
                });
            }
            Some(_) | None => return Err(ManifestError::Corrupt("no such version")),
        }
        let crc = words
            .next()
            .and_then(|word| u32::from_str_radix(word, 16).ok());
        if crc != Some(crc32c(body)) {
            return Err(ManifestError::Corrupt("CRC does not match"));
        }
        serde_json::from_slice(body).map_err(|_| ManifestError::Corrupt("body is not a manifest"))
    }
}

/// Why a MANIFEST cannot be used.
#[derive(Debug, Error)]
pub(super) enum ManifestError {
    /// There is none.
    #[error("there is no MANIFEST")]
    Missing,
    /// It does not say what was written.
    #[error("the MANIFEST is damaged: {0}")]
    Corrupt(&'static str),
    /// A later flowlogd wrote it.
    #[error("MANIFEST version {version} is newer than {known}, the newest this flowlogd reads")]
    Newer {
        /// Version found.
        version: u32,
        /// Newest version this code reads.
        known: u32,
    },
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// File name of the MANIFEST in a logstore's directory.
pub(super) const MANIFEST: &str = "MANIFEST";
/// Name of a MANIFEST that is being written.
pub(super) const TEMPORARY: &str = "MANIFEST.new";

const MAGIC: &str = "flowlogd-manifest";
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        Manifest {
            next_seq: 12,
            next_file: 3,
            parts: vec![Entry {
                file: "a.parquet".to_owned(),
                first_seq: 2,
                last_seq: 11,
                rows: 10,
                first_time: -1,
                last_time: 5,
                hour: 9,
                bytes: 100,
                schema: 1,
                records: 20,
                octets: 30,
                packets: 40,
                logs: 4,
                journal: Some(u64::MAX),
            }],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        sample().replace(dir.path(), &Disk::default()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), sample());
        assert!(!dir.path().join(TEMPORARY).exists());
    }

    #[test]
    fn no_cut_and_no_flipped_bit_goes_unseen() {
        let bytes = sample().encode().unwrap();
        for end in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[position] ^= 1 << bit;
                // The CRC is written in hexadecimal: the other case of a letter says the same.
                let same = damaged.eq_ignore_ascii_case(&bytes) && position < 40;
                assert!(
                    Manifest::decode(&damaged).is_err() || same,
                    "bit {bit} of octet {position}"
                );
            }
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let text = format!("{MAGIC} 2 00000000 more words\nanything");
        let error = Manifest::decode(text.as_bytes()).unwrap_err();
        assert!(matches!(
            error,
            ManifestError::Newer {
                version: 2,
                known: 1
            }
        ));
        assert_eq!(
            error.to_string(),
            "MANIFEST version 2 is newer than 1, the newest this flowlogd reads"
        );
    }
}
