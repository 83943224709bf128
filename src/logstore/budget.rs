//! How much of a disk the store takes when nobody says.

use std::fs;
use std::io;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::settings::DISK_BUDGET;
use super::shard::PARTS;
use super::store::logstores;

/// The default budget where there are `room` octets: 10 GiB or half of that,
/// whichever is less, but enough to work with.
pub fn default_budget(room: u64) -> u64 {
    (room / 2).clamp(BUDGET_MIN, DISK_BUDGET)
}

/// Octets there are for a store at `dir`: what is free on its volume, for this
/// user, and what it has already. Without the latter a store would shrink with
/// every start.
///
/// # Errors
/// The volume or the store cannot be looked at.
pub fn room(dir: &Path) -> io::Result<u64> {
    // It may not be there yet: then it comes where the nearest above it is.
    let mut above = dir.ancestors();
    let volume = statvfs(above.find(|above| above.exists()).unwrap_or(dir))?;
    let free = volume
        .blocks_available()
        .saturating_mul(volume.fragment_size());
    let held = if dir.exists() { held(dir)? } else { 0 };
    Ok(free.saturating_add(held))
}

/// Octets of all parts and of what was set aside. A running flowlogd takes
/// files away meanwhile: what is gone takes nothing.
fn held(dir: &Path) -> io::Result<u64> {
    let folders = logstores(dir)?
        .into_iter()
        .flat_map(|(_, logstore)| [logstore.join(PARTS), logstore]);
    let entries = folders.filter_map(|folder| fs::read_dir(folder).ok());
    let files = entries
        .flatten()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(fs::Metadata::is_file);
    Ok(files.map(|file| file.len()).sum())
}

/// As little as the configuration takes too: a part or two.
const BUDGET_MIN: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_half_of_the_room_within_bounds() {
        assert_eq!(default_budget(0), 16 << 20);
        assert_eq!(default_budget(1 << 30), 512 << 20);
        assert_eq!(default_budget((20 << 30) - 2), (10 << 30) - 1);
        assert_eq!(default_budget(20 << 30), 10 << 30);
        assert_eq!(default_budget(u64::MAX), 10 << 30);
    }

    #[test]
    fn what_the_store_holds_is_counted_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let parts = dir.path().join("sag/flows/parts");
        fs::create_dir_all(&parts).unwrap();
        fs::write(parts.join("a.parquet"), [0; 1000]).unwrap();
        fs::write(parts.join("b.parquet.bad"), [0; 200]).unwrap();
        fs::write(dir.path().join("sag/flows/MANIFEST.bad"), [0; 30]).unwrap();
        fs::write(dir.path().join("sag/mine"), [0; 4]).unwrap();
        assert_eq!(held(dir.path()).unwrap(), 1230);
        assert!(room(dir.path()).unwrap() >= 1230);
    }

    #[test]
    fn a_store_that_is_not_there_yet_has_its_volumes_room() {
        let dir = tempfile::tempdir().unwrap();
        assert!(room(&dir.path().join("state/logstore")).unwrap() > 0);
        assert!(!dir.path().join("state").exists());
    }
}
