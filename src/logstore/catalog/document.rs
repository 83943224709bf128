//! Documents of others, kept in files like the store's own, with the generation
//! before each in a file beside it: `….before`.
//!
//! The one before takes the place of a file that is damaged or gone. So who
//! wants to be rid of a document removes both.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::logstore::OpenError;
use crate::logstore::catalog::file;
use crate::logstore::disk::Disk;

/// Reads the document in a file, or the one before it; none if neither is
/// sound. What is damaged is set aside as `….bad`.
///
/// # Errors
/// `Newer` if a later flowlogd wrote it, `Io` if it cannot be read.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, OpenError> {
    read_on(path, Some(&Disk::default()))
}

/// Reads the same and changes nothing: also beside the process whose it is.
///
/// # Errors
/// Those of [`read`].
pub fn look<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, OpenError> {
    read_on(path, None)
}

/// Puts a document into a file, and what was there into the one beside it;
/// durable once this returns.
///
/// # Errors
/// Those of the disk: the file then has the old document or the new one.
pub fn replace(path: &Path, document: &impl Serialize) -> io::Result<()> {
    replace_on(path, document, &Disk::default())
}

fn read_on<T: DeserializeOwned>(path: &Path, disk: Option<&Disk>) -> Result<Option<T>, OpenError> {
    if let Some(document) = file::read(path, disk)? {
        return Ok(Some(document));
    }
    let earlier = before(path);
    let document = file::read(&earlier, disk)?;
    if document.is_some() {
        tracing::warn!(
            path = %path.display(),
            earlier = %earlier.display(),
            "a file is damaged or gone, and the one before it is taken: the last change to it \
             may be missing"
        );
    }
    Ok(document)
}

/// What was there keeps its file, under another name: nothing is written twice,
/// and at no moment is the document in neither.
fn replace_on(path: &Path, document: &impl Serialize, disk: &Disk) -> io::Result<()> {
    file::replace_after(path, document, disk, || {
        // What is not there has had the one before it taken in its place.
        if !fs::exists(path)? {
            return Ok(());
        }
        let earlier = before(path);
        disk.remove(&earlier)?;
        disk.link(path, &earlier)
    })
}

fn before(path: &Path) -> PathBuf {
    file::with_suffix(path, BEFORE)
}

/// Suffix of the file with the generation before.
const BEFORE: &str = ".before";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::logstore::faults::Faults;

    /// A file with two generations, the second in it.
    fn two() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("document.json");
        replace(&path, &json!(["one"])).unwrap();
        replace(&path, &json!(["one", "two"])).unwrap();
        (dir, path)
    }

    fn seen(path: &Path) -> Option<Value> {
        look(path).unwrap()
    }

    /// Every octet of the file is flipped in each of its bits, and the file is
    /// cut at each: one generation or the other is read, and never a third.
    #[test]
    fn no_damage_of_a_file_takes_more_than_its_last_change() {
        let (_dir, path) = two();
        let sound = fs::read(&path).unwrap();
        let mut damaged: Vec<_> = (0..sound.len()).map(|end| sound[..end].to_vec()).collect();
        for position in 0..sound.len() {
            for bit in 0..8 {
                let mut flipped = sound.clone();
                flipped[position] ^= 1 << bit;
                damaged.push(flipped);
            }
        }
        let mut taken = 0;
        for octets in damaged {
            fs::write(&path, &octets).unwrap();
            match look::<Value>(&path) {
                Ok(Some(document)) if document == json!(["one"]) => taken += 1,
                // The CRC is written in hexadecimal: the other case of a letter
                // says the same.
                Ok(Some(_)) => assert!(octets.eq_ignore_ascii_case(&sound)),
                // Not to be told from a later version's.
                Err(OpenError::Newer { .. }) => assert!(octets.starts_with(b"{\"version\":")),
                other => panic!("{other:?}"),
            }
        }
        assert!(taken > sound.len() * 8, "{taken}");
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_the_one_before_it_stays_until_there_are_two() {
        let (dir, path) = two();
        fs::write(&path, "damaged").unwrap();
        for _start in 0..2 {
            assert_eq!(read::<Value>(&path).unwrap(), Some(json!(["one"])));
            assert!(!path.exists());
        }
        assert_eq!(
            fs::read(dir.path().join("document.json.bad")).unwrap(),
            b"damaged"
        );
        replace(&path, &json!(["one", "three"])).unwrap();
        assert_eq!(seen(&path), Some(json!(["one", "three"])));
        fs::write(&path, "damaged").unwrap();
        assert_eq!(seen(&path), Some(json!(["one"])));
        fs::write(before(&path), "damaged").unwrap();
        assert_eq!(seen(&path), None);
    }

    #[test]
    fn a_document_that_never_was_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(seen(&dir.path().join("document.json")), None);
    }

    /// Wherever the disk stops, the file has the old document or the new one,
    /// and the next change is made as if nothing had been.
    #[test]
    fn a_power_cut_between_any_two_steps_loses_no_document() {
        let (old, new) = (json!(["one", "two"]), json!(["three"]));
        for steps in 0.. {
            let (_dir, path) = two();
            let faults = Arc::new(Faults::after(steps));
            let is_done = replace_on(&path, &new, &Disk::failing(&faults)).is_ok();
            faults.lose_unsynced();
            let kept = seen(&path).unwrap();
            assert!(kept == new || kept == old && !is_done, "{steps}: {kept}");
            replace(&path, &json!(["next"])).unwrap();
            assert_eq!(seen(&path), Some(json!(["next"])));
            let earlier = file::read(&before(&path), None).unwrap();
            assert_eq!(earlier, Some(kept), "{steps}");
            if is_done {
                assert!(steps > 4, "{steps}");
                return;
            }
        }
    }
}
