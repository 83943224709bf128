//! The file of what the service never took: readable, bounded, kept for a person.
//!
//! JSON lines, one per refused request, with the body in base64. Two files of
//! half the bound each: `dead-letter.jsonl` and, before it, `dead-letter.1.jsonl`.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use thiserror::Error;

/// Rows that the service refused for good, and why.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeadLetter {
    /// When they were put aside, in seconds since 1970.
    pub unix_s: u64,
    /// Endpoint, without a project.
    pub endpoint: String,
    /// Where they should have gone.
    pub project: String,
    /// Where they should have gone.
    pub logstore: String,
    /// HTTP status of the refusal.
    pub status: u16,
    /// The service's `errorCode`.
    pub error_code: Option<String>,
    /// The service's `errorMessage`.
    pub message: String,
    /// The service's request id, for its support.
    pub request_id: Option<String>,
    /// First row's number in the journal.
    pub first_seq: u64,
    /// How many rows.
    pub rows: u64,
    /// Octets of the log group before compression.
    pub raw_size: u64,
    /// How the body is compressed, if it is.
    pub compression: Option<String>,
    /// The log group as it was sent.
    #[serde(deserialize_with = "octets", serialize_with = "base64")]
    pub body: Bytes,
}

/// Writes dead letters; one writer per directory.
#[derive(Debug)]
pub struct DeadLetters {
    directory: PathBuf,
    file: File,
    size: u64,
    /// Of one of the two files.
    size_max: u64,
}

/// What a directory holds when it is opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DeadLettersFound {
    /// Octets of both files.
    pub octets: u64,
    /// Octets cut off from a line that a crash had left unfinished.
    pub torn_octets: u64,
}

impl DeadLetters {
    /// Opens the file in a directory; both files together stay within `octets_max`.
    ///
    /// # Errors
    /// When the file cannot be opened, read or cut.
    pub fn open(directory: &Path, octets_max: u64) -> io::Result<(Self, DeadLettersFound)> {
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .open(directory.join(CURRENT))?;
        let torn_octets = cut_torn_line(&mut file)?;
        let size = file.metadata()?.len();
        let before = fs::metadata(directory.join(BEFORE)).map_or(0, |before| before.len());
        let letters = Self {
            directory: directory.to_owned(),
            file,
            size,
            size_max: octets_max / 2,
        };
        let found = DeadLettersFound {
            octets: size + before,
            torn_octets,
        };
        Ok((letters, found))
    }

    /// Appends a letter and syncs it; says how many letters had to go for it.
    ///
    /// # Errors
    /// When it is larger than half the bound, or cannot be written. A letter
    /// that was written in part is cut off again.
    pub fn append(&mut self, letter: &DeadLetter) -> Result<u64, DeadLetterError> {
        let mut line = serde_json::to_vec(letter).map_err(io::Error::from)?;
        line.push(b'\n');
        let octets = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if octets > self.size_max.min(LINE_MAX) {
            return Err(DeadLetterError::TooLarge { octets });
        }
        let gone = match self.size.saturating_add(octets) > self.size_max {
            true => self.rotate()?,
            false => 0,
        };
        let written = self.file.write_all(&line);
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            self.file.set_len(self.size)?;
            return Err(error.into());
        }
        self.size += octets;
        Ok(gone)
    }

    /// The letters of a directory, oldest first; nothing is changed.
    ///
    /// # Errors
    /// When a file is there but cannot be opened. A line that cannot be read is
    /// one error, and the next is tried.
    pub fn read(
        directory: &Path,
    ) -> io::Result<impl Iterator<Item = Result<DeadLetter, DeadLetterError>> + use<>> {
        let mut files = Vec::new();
        for name in [BEFORE, CURRENT] {
            match File::open(directory.join(name)) {
                Ok(file) => files.push(BufReader::new(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files.into_iter().flat_map(|file| Lines {
            file,
            number: 0,
            is_over: false,
        }))
    }

    fn rotate(&mut self) -> io::Result<u64> {
        let (current, before) = (self.directory.join(CURRENT), self.directory.join(BEFORE));
        let gone = match File::open(&before) {
            Ok(file) => count_lines(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        fs::rename(&current, &before)?;
        self.file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .open(&current)?;
        self.size = 0;
        File::open(&self.directory)?.sync_all()?;
        Ok(gone)
    }
}

/// Why a letter was not kept, or not read.
#[derive(Debug, Error)]
pub enum DeadLetterError {
    /// No bound can be kept with it.
    #[error("dead letter of {octets} octets is too large to keep")]
    TooLarge {
        /// Of its line.
        octets: u64,
    },
    /// The file cannot be written or read.
    #[error("dead-letter file: {0}")]
    Io(#[from] io::Error),
    /// A line is damaged.
    #[error("dead-letter file: line {line} is damaged")]
    Damaged {
        /// From 1, in its file.
        line: u64,
    },
}

/// Reads lines that are letters, one at a time and of bounded length.
struct Lines {
    file: BufReader<File>,
    number: u64,
    is_over: bool,
}

impl Iterator for Lines {
    type Item = Result<DeadLetter, DeadLetterError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let mut line = Vec::new();
        let mut bounded = self.file.by_ref().take(LINE_MAX);
        let read = bounded.read_until(b'\n', &mut line);
        self.number += 1;
        match read {
            Ok(0) => None,
            Err(error) => {
                self.is_over = true;
                Some(Err(error.into()))
            }
            Ok(_) => {
                let letter = serde_json::from_slice(&line);
                let damaged = DeadLetterError::Damaged { line: self.number };
                Some(letter.map_err(|_| damaged))
            }
        }
    }
}

const CURRENT: &str = "dead-letter.jsonl";
const BEFORE: &str = "dead-letter.1.jsonl";

/// Octets of a line: the largest body SLS takes, in base64, and what goes with it.
const LINE_MAX: u64 = 16 << 20;

/// Cuts the file after its last whole line and says how much went.
fn cut_torn_line(file: &mut File) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let mut end = size;
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(4096);
        file.seek(SeekFrom::Start(start))?;
        let length = usize::try_from(end - start).unwrap_or(block.len());
        let part = block.get_mut(..length).unwrap_or_default();
        file.read_exact(part)?;
        if let Some(place) = part.iter().rposition(|octet| *octet == b'\n') {
            end = start + u64::try_from(place).unwrap_or(0) + 1;
            break;
        }
        end = start;
    }
    if end < size {
        file.set_len(end)?;
    }
    Ok(size - end)
}

fn count_lines(file: File) -> io::Result<u64> {
    let mut file = BufReader::new(file);
    let mut lines = 0;
    loop {
        let block = file.fill_buf()?;
        if block.is_empty() {
            return Ok(lines);
        }
        lines += block
            .iter()
            .map(|octet| u64::from(*octet == b'\n'))
            .sum::<u64>();
        let length = block.len();
        file.consume(length);
    }
}

fn base64<S: Serializer>(octets: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(octets))
}

fn octets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    let octets = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
    Ok(octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(first_seq: u64) -> DeadLetter {
        DeadLetter {
            unix_s: 1_795_262_400,
            endpoint: "https://cn-hangzhou.log.aliyuncs.com".to_owned(),
            project: "flow-proj".to_owned(),
            logstore: "flows".to_owned(),
            status: 400,
            error_code: Some("PostBodyInvalid".to_owned()),
            message: "bad \"row\"\nof 你好".to_owned(),
            request_id: None,
            first_seq,
            rows: 1,
            raw_size: 202,
            compression: Some("lz4".to_owned()),
            body: Bytes::from_static(b"\x00\xffbody"),
        }
    }

    fn seqs(directory: &Path) -> Vec<Option<u64>> {
        let letters = DeadLetters::read(directory).unwrap();
        letters
            .map(|letter| letter.ok().map(|letter| letter.first_seq))
            .collect()
    }

    #[test]
    fn what_was_put_aside_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(seqs(folder.path()).is_empty());
        let (mut letters, found) = DeadLetters::open(folder.path(), 1 << 20).unwrap();
        assert_eq!(found, DeadLettersFound::default());
        letters.append(&letter(1)).unwrap();
        letters.append(&letter(2)).unwrap();
        let read: Vec<_> = DeadLetters::read(folder.path())
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(read, [letter(1), letter(2)]);
    }

    #[test]
    fn the_oldest_go_when_the_bound_is_reached_and_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let line = serde_json::to_vec(&letter(1)).unwrap().len() as u64 + 1;
        let (mut letters, _) = DeadLetters::open(folder.path(), line * 6).unwrap();
        let gone: Vec<_> = (1..=9)
            .map(|seq| letters.append(&letter(seq)).unwrap())
            .collect();
        assert_eq!(gone, [0, 0, 0, 0, 0, 0, 3, 0, 0]);
        assert_eq!(seqs(folder.path()), (4..=9).map(Some).collect::<Vec<_>>());
        let (_, found) = DeadLetters::open(folder.path(), line * 6).unwrap();
        assert_eq!(found.octets, line * 6);
    }

    #[test]
    fn a_letter_beyond_the_bound_is_refused_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut letters, _) = DeadLetters::open(folder.path(), 2000).unwrap();
        letters.append(&letter(1)).unwrap();
        let large = DeadLetter {
            body: Bytes::from(vec![0; 2000]),
            ..letter(2)
        };
        let refused = letters.append(&large);
        assert!(matches!(refused, Err(DeadLetterError::TooLarge { .. })));
        assert_eq!(seqs(folder.path()), [Some(1)]);
    }

    #[test]
    fn a_torn_line_is_cut_off_wherever_it_tore() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CURRENT);
        let (mut letters, _) = DeadLetters::open(folder.path(), 1 << 20).unwrap();
        letters.append(&letter(1)).unwrap();
        let whole = fs::read(&path).unwrap();
        let mut twice = whole.clone();
        twice.extend_from_slice(&whole);
        for end in [whole.len() + 1, whole.len() + 100, twice.len() - 1] {
            fs::write(&path, &twice[..end]).unwrap();
            let (mut letters, found) = DeadLetters::open(folder.path(), 1 << 20).unwrap();
            assert_eq!(found.torn_octets, (end - whole.len()) as u64);
            letters.append(&letter(2)).unwrap();
            assert_eq!(seqs(folder.path()), [Some(1), Some(2)]);
        }
        fs::write(&path, vec![b'x'; 10_000]).unwrap();
        let (_, found) = DeadLetters::open(folder.path(), 1 << 20).unwrap();
        assert_eq!((found.octets, found.torn_octets), (0, 10_000));
    }

    #[test]
    fn a_damaged_line_costs_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (mut letters, _) = DeadLetters::open(folder.path(), 1 << 20).unwrap();
        letters.append(&letter(1)).unwrap();
        letters.append(&letter(2)).unwrap();
        let path = folder.path().join(CURRENT);
        let mut octets = fs::read(&path).unwrap();
        octets[0] = b'?';
        fs::write(&path, octets).unwrap();
        assert_eq!(seqs(folder.path()), [None, Some(2)]);
    }

    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let _letters = DeadLetters::open(folder.path(), 1 << 20).unwrap();
        let mode = fs::metadata(folder.path().join(CURRENT))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}
