//! The Templates of the last run, on disk: without them a restarted collector
//! is blind until every exporter sends its Templates again (P-413).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Name of the file in the state directory.
pub(super) const FILE: &str = "templates";

/// Largest file that is read back: more than any configuration lets grow.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Reads what [`save`] wrote; nothing when there is none, or it is damaged:
/// exporters will tell again.
pub(super) fn load(path: &Path) -> Vec<Vec<u8>> {
    match read(path) {
        Ok(lanes) => lanes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot read the remembered templates");
            Vec::new()
        }
    }
}

/// Replaces the file, one text per lane, so that a crash leaves the old or the
/// new one.
///
/// # Errors
/// The directory cannot be written.
pub(super) fn save(path: &Path, lanes: &[Vec<u8>]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = File::create(&draft)?;
    for lane in lanes {
        let length = u64::try_from(lane.len()).map_err(io::Error::other)?;
        file.write_all(&length.to_be_bytes())?;
        file.write_all(lane)?;
    }
    file.sync_all()?;
    fs::rename(&draft, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn read(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    if fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("it is too large to be ours"));
    }
    let bytes = fs::read(path)?;
    let mut rest = bytes.as_slice();
    let mut lanes = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((lane, next)) = after.split_at_checked(length) else {
            return Err(io::Error::other("it ends too early"));
        };
        lanes.push(lane.to_vec());
        rest = next;
    }
    Ok(lanes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        assert_eq!(load(&path), Vec::<Vec<u8>>::new());
        let lanes = vec![vec![1, 2, 3], vec![], vec![4]];
        save(&path, &lanes).unwrap();
        save(&path, &lanes).unwrap();
        assert_eq!(load(&path), lanes);
    }

    #[test]
    fn a_file_cut_anywhere_is_no_panic_and_no_half_lane() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        save(&path, &[vec![1, 2, 3], vec![4, 5]]).unwrap();
        let whole = fs::read(&path).unwrap();
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let lanes = load(&path);
            let whole_lanes: [&[Vec<u8>]; 2] = [&[], &[vec![1, 2, 3]]];
            assert!(whole_lanes.contains(&lanes.as_slice()), "{end}: {lanes:?}");
        }
    }
}
