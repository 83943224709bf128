//! Small JSON files that are replaced as a whole.
//!
//! `{"version":1,"crc32c":"XXXXXXXX","body":…}`, exactly so: the CRC is over
//! the octets of the body as they are written.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::IgnoredAny;

use crate::logstore::crc::crc32c;
use crate::logstore::disk::Disk;
use crate::logstore::error::OpenError;
use crate::logstore::recover::set_aside;

/// Reads the body of the file at `path`. One that is damaged is set aside on
/// `disk`, if there is one, and counts as none.
///
/// # Errors
/// `Newer` if a later flowlogd wrote it, `Io` if it cannot be read.
pub(super) fn read<T: DeserializeOwned>(
    path: &Path,
    disk: Option<&Disk>,
) -> Result<Option<T>, OpenError> {
    let io_error = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(error)),
    };
    match decode(&bytes) {
        Ok(body) => Ok(Some(body)),
        Err(Unreadable::Newer(version)) => Err(newer(path, version)),
        Err(Unreadable::Damaged) => {
            tracing::warn!(path = %path.display(), "left a damaged file out");
            if let Some(disk) = disk {
                set_aside(path, disk).map_err(io_error)?;
            }
            Ok(None)
        }
    }
}

/// Whether this code can read the file at `path`, if it is sound and there.
///
/// # Errors
/// `Newer` if a later flowlogd wrote it, `Io` if it cannot be read.
pub(super) fn check_version(path: &Path) -> Result<(), OpenError> {
    match fs::read(path).map(|bytes| decode::<IgnoredAny>(&bytes)) {
        Ok(Err(Unreadable::Newer(version))) => Err(newer(path, version)),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(OpenError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Puts `body` into the file at `path`; durable once this returns.
///
/// # Errors
/// Those of the disk: the file then has the old body or the new one.
pub(super) fn replace(path: &Path, body: &impl Serialize, disk: &Disk) -> io::Result<()> {
    replace_after(path, body, disk, || Ok(()))
}

/// The same, after `prepare`: the new body is durable by then, and not yet in
/// its place.
///
/// # Errors
/// Those of the disk and of `prepare`.
pub(super) fn replace_after(
    path: &Path,
    body: &impl Serialize,
    disk: &Disk,
    prepare: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let temporary = with_suffix(path, TEMPORARY);
    let written = || {
        let mut file = disk.create(&temporary)?;
        file.write_all(encode(body)?.as_bytes())?;
        file.sync()?;
        prepare()
    };
    if let Err(error) = written() {
        // What stays there is written over, or goes at the next open.
        let _ = disk.remove(&temporary);
        return Err(error);
    }
    disk.rename(&temporary, path)
}

/// The same path with more at its end.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut longer = path.as_os_str().to_owned();
    longer.push(suffix);
    PathBuf::from(longer)
}

fn newer(path: &Path, version: u32) -> OpenError {
    OpenError::Newer {
        path: path.to_owned(),
        version,
        known: VERSION,
    }
}

fn encode(body: &impl Serialize) -> io::Result<String> {
    let body = serde_json::to_string(body)?;
    let crc = crc32c(body.as_bytes());
    Ok(format!("{HEAD}{VERSION}{CRC}{crc:08x}{BODY}{body}{END}"))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Damaged)?;
    let parts = || {
        let (version, rest) = text.strip_prefix(HEAD)?.split_once(CRC)?;
        Some((version.parse::<u32>().ok()?, rest))
    };
    let (version, rest) = parts().ok_or(Unreadable::Damaged)?;
    match version {
        VERSION => {}
        version if version > VERSION => return Err(Unreadable::Newer(version)),
        _ => return Err(Unreadable::Damaged),
    }
    let body = || {
        let (crc, body) = rest.split_once(BODY)?;
        let body = body.strip_suffix(END)?;
        let is_sound = u32::from_str_radix(crc, 16) == Ok(crc32c(body.as_bytes()));
        is_sound.then(|| serde_json::from_str(body).ok())?
    };
    body().ok_or(Unreadable::Damaged)
}

/// Why a file says nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unreadable {
    Damaged,
    /// A later flowlogd wrote it, in this version.
    Newer(u32),
}

/// Suffix of a file that is being written.
pub(super) const TEMPORARY: &str = ".new";

const VERSION: u32 = 1;
const HEAD: &str = "{\"version\":";
const CRC: &str = ",\"crc32c\":\"";
const BODY: &str = "\",\"body\":";
const END: &str = "}\n";

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_is_json() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.json");
        let body = json!({"keys": {"b": 0.1, "a": "\",\"body\":你"}, "ttl": 30});
        replace(&path, &body, &Disk::default()).unwrap();
        assert_eq!(read::<Value>(&path, None).unwrap(), Some(body.clone()));
        let whole: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(whole["body"], body);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn no_cut_and_no_flipped_bit_goes_unseen() {
        let text = encode(&json!({"a": [1, 2.5, "x"]})).unwrap();
        let bytes = text.as_bytes();
        for end in 0..bytes.len() {
            let cut = decode::<Value>(&bytes[..end]);
            assert_eq!(cut, Err(Unreadable::Damaged), "cut at {end}");
        }
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.to_vec();
                damaged[position] ^= 1 << bit;
                // The CRC is written in hexadecimal: the other case of a letter says the same.
                let same = damaged.eq_ignore_ascii_case(bytes) && position < 36;
                let read = decode::<Value>(&damaged);
                assert!(read.is_err() || same, "bit {bit} of octet {position}");
            }
        }
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.json");
        fs::write(&path, "{}").unwrap();
        assert_eq!(read::<Value>(&path, None).unwrap(), None);
        assert!(path.exists(), "a reader leaves it where it is");
        assert_eq!(read::<Value>(&path, Some(&Disk::default())).unwrap(), None);
        assert!(!path.exists());
        assert_eq!(fs::read(dir.path().join("index.json.bad")).unwrap(), b"{}");
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.json");
        fs::write(&path, "{\"version\":2,\"crc32c\":\"anything").unwrap();
        let error = read::<Value>(&path, Some(&Disk::default())).unwrap_err();
        assert!(matches!(
            error,
            OpenError::Newer {
                version: 2,
                known: 1,
                ..
            }
        ));
        assert!(path.exists());
    }
}
