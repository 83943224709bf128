//! What was set aside: damaged files, kept for whoever wants to look at them as
//! long as there is room.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use super::recover::SET_ASIDE;
use super::shard::PARTS;

/// A damaged file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Aside {
    pub(super) path: PathBuf,
    /// Octets.
    pub(super) bytes: u64,
    /// When it was last written, milliseconds since 1970.
    pub(super) written_ms: u64,
}

/// Damaged files of the logstore at `dir`; what cannot be looked at is left out.
pub(super) fn find(dir: &Path) -> Vec<Aside> {
    let folders = [dir.to_owned(), dir.join(PARTS)];
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let entries = entries.flatten().filter_map(Result::ok);
    entries
        .filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .ends_with(SET_ASIDE.as_bytes())
        })
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some(Aside {
                path: entry.path(),
                bytes: metadata.len(),
                written_ms: metadata.modified().map_or(0, unix_ms),
            })
        })
        .collect()
}

/// Which of `aside`, oldest first, to give up: those older than `retention_ms`,
/// and those without which the others fit into the `room` beside the parts.
pub(super) fn to_give_up(
    mut aside: Vec<Aside>,
    room: u64,
    now_ms: u64,
    retention_ms: u64,
) -> Vec<Aside> {
    aside.sort_by_key(|aside| aside.written_ms);
    let mut total: u64 = aside.iter().map(|aside| aside.bytes).sum();
    aside.retain(|aside| {
        let is_old = aside.written_ms.saturating_add(retention_ms) <= now_ms;
        let goes = is_old || total > room;
        total -= if goes { aside.bytes } else { 0 };
        goes
    });
    aside
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given_up(room: u64, now_ms: u64) -> Vec<u64> {
        let aside = [(30, 5), (10, 7), (20, 11)].map(|(written_ms, bytes)| Aside {
            path: PathBuf::new(),
            bytes,
            written_ms,
        });
        let gone = to_give_up(aside.to_vec(), room, now_ms, 100);
        gone.iter().map(|aside| aside.written_ms).collect()
    }

    #[test]
    fn the_oldest_go_until_the_others_fit() {
        assert_eq!(given_up(23, 0), [0; 0]);
        assert_eq!(given_up(22, 0), [10]);
        assert_eq!(given_up(16, 0), [10]);
        assert_eq!(given_up(15, 0), [10, 20]);
        assert_eq!(given_up(0, 0), [10, 20, 30]);
    }

    #[test]
    fn what_is_as_old_as_the_oldest_hour_goes() {
        assert_eq!(given_up(23, 109), [0; 0]);
        assert_eq!(given_up(23, 110), [10]);
        assert_eq!(given_up(5, 120), [10, 20]);
    }
}
