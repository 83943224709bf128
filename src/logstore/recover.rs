//! What a logstore's directory holds, put in order when the store is opened.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::aside;
use super::aside::Aside;
use super::disk::Disk;
use super::error::OpenError;
use super::ledger::Ledger;
use super::manifest::Entry;
use super::manifest::MANIFEST;
use super::manifest::Manifest;
use super::manifest::ManifestError;
use super::manifest::TEMPORARY;
use super::part;
use super::part::Part;
use super::schema::SCHEMA_VERSION;
use super::shard::PARTS;

/// What a shard starts from.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub(super) parts: Vec<Arc<Part>>,
    pub(super) next_seq: u64,
    pub(super) next_file: u64,
    /// Damaged files, kept.
    pub(super) aside: Vec<Aside>,
}

/// What was read of a logstore's MANIFEST, before anything is touched.
pub(super) enum Found {
    /// It can be trusted.
    Manifest(Manifest),
    /// It is gone or damaged, for the reason given.
    Damaged(ManifestError),
}

/// Looks without touching.
///
/// # Errors
/// [`OpenError::Newer`] if a later flowlogd wrote any of it.
pub(super) fn look(dir: &Path) -> Result<Found, OpenError> {
    let path = dir.join(MANIFEST);
    match Manifest::read(dir) {
        Ok(manifest) => match manifest.parts.iter().map(|part| part.schema).max() {
            Some(version) if version > SCHEMA_VERSION => Err(OpenError::Newer {
                path,
                version,
                known: SCHEMA_VERSION,
            }),
            Some(_) | None => Ok(Found::Manifest(manifest)),
        },
        Err(ManifestError::Newer { version, known }) => Err(OpenError::Newer {
            path,
            version,
            known,
        }),
        Err(ManifestError::Io(source)) => Err(OpenError::Io { path, source }),
        Err(error @ (ManifestError::Missing | ManifestError::Corrupt(_))) => {
            Ok(Found::Damaged(error))
        }
    }
}

/// Sets damaged files aside, removes those no MANIFEST names, and commits what is left.
pub(super) fn recover(
    dir: &Path,
    found: Found,
    disk: &Disk,
    ledger: &Ledger,
) -> Result<Recovered, OpenError> {
    let in_order = || -> io::Result<Recovered> {
        disk.create_dir(&dir.join(PARTS))?;
        let (named, stands) = match found {
            Found::Manifest(manifest) => (manifest, true),
            Found::Damaged(reason) => (rebuild(dir, &reason, disk, ledger)?, false),
        };
        let mut manifest = named.clone();
        manifest.parts = sound(dir, named.parts.clone(), disk, ledger)?;
        let highest = remove_debris(dir, &manifest, disk, ledger)?;
        manifest.next_file = manifest.next_file.max(highest);
        // A store in order can be opened on a full disk.
        if !stands || manifest != named {
            manifest.replace(dir, disk)?;
        }
        Ok(recovered(dir, manifest, disk))
    };
    in_order().map_err(|source| OpenError::Io {
        path: dir.to_owned(),
        source,
    })
}

/// What can be read beside a running flowlogd: nothing is touched.
///
/// # Errors
/// As of [`look`].
pub(super) fn read_only(dir: &Path, ledger: &Ledger) -> Result<Recovered, OpenError> {
    let disk = Disk::default();
    let mut manifest = match settled(dir, || look(dir))? {
        Found::Manifest(manifest) => manifest,
        Found::Damaged(ManifestError::Missing) if !has_parts(dir) => Manifest::default(),
        Found::Damaged(reason) => {
            tracing::warn!(path = %dir.display(), %reason, "left a logstore out");
            ledger.count(|stats| stats.damaged_manifests += 1);
            Manifest::default()
        }
    };
    manifest
        .parts
        .retain(|entry| match check(dir, entry, &disk) {
            Ok(()) => true,
            Err(reason) => {
                count_damaged(dir, entry, &reason, ledger);
                false
            }
        });
    Ok(recovered(dir, manifest, &disk))
}

/// A MANIFEST whose parts are all there, if a few looks find one: a running
/// flowlogd may merge parts away between its MANIFEST and them.
fn settled(
    dir: &Path,
    mut look: impl FnMut() -> Result<Found, OpenError>,
) -> Result<Found, OpenError> {
    let is_there = |entry: &Entry| dir.join(PARTS).join(&entry.file).exists();
    let mut looks = 1;
    loop {
        let found = look()?;
        let is_settled = match &found {
            Found::Manifest(manifest) => manifest.parts.iter().all(is_there),
            Found::Damaged(_) => true,
        };
        if is_settled || looks >= LOOKS_MAX {
            return Ok(found);
        }
        looks += 1;
    }
}

/// Whether `dir` was made by a store, however unfinished.
pub(super) fn is_logstore(dir: &Path) -> bool {
    dir.join(MANIFEST).exists() || dir.join(PARTS).is_dir()
}

fn has_parts(dir: &Path) -> bool {
    let names = file_names(&dir.join(PARTS)).unwrap_or_default();
    names.iter().any(|name| name.ends_with(part::EXTENSION))
}

fn recovered(dir: &Path, manifest: Manifest, disk: &Disk) -> Recovered {
    let parts_dir = dir.join(PARTS);
    let part = |entry: Entry| Arc::new(Part::new(entry, &parts_dir, disk.clone()));
    Recovered {
        next_seq: manifest.next_seq,
        next_file: manifest.next_file,
        parts: manifest.parts.into_iter().map(part).collect(),
        aside: aside::find(dir),
    }
}

/// The parts that can be read; the others are renamed, named in the log and counted.
fn sound(dir: &Path, entries: Vec<Entry>, disk: &Disk, ledger: &Ledger) -> io::Result<Vec<Entry>> {
    let mut sound = Vec::with_capacity(entries.len());
    for entry in entries {
        let Err(reason) = check(dir, &entry, disk) else {
            sound.push(entry);
            continue;
        };
        set_aside(&dir.join(PARTS).join(&entry.file), disk)?;
        count_damaged(dir, &entry, &reason, ledger);
    }
    Ok(sound)
}

/// A MANIFEST made of the parts' own footers.
fn rebuild(
    dir: &Path,
    reason: &ManifestError,
    disk: &Disk,
    ledger: &Ledger,
) -> io::Result<Manifest> {
    let mut entries = Vec::new();
    for name in file_names(&dir.join(PARTS))? {
        let path = dir.join(PARTS).join(&name);
        if path
            .extension()
            .is_none_or(|extension| extension != part::EXTENSION)
        {
            continue;
        }
        match part::recover_entry(&path) {
            Ok(entry) => entries.push(entry),
            Err(reason) => {
                set_aside(&path, disk)?;
                tracing::warn!(path = %path.display(), %reason, "set a damaged part aside");
                ledger.count(|stats| stats.damaged_parts += 1);
            }
        }
    }
    if matches!(reason, ManifestError::Missing) && entries.is_empty() {
        // A logstore whose making was cut short.
        return Ok(Manifest::default());
    }
    set_aside(&dir.join(MANIFEST), disk)?;
    ledger.count(|stats| stats.damaged_manifests += 1);
    let parts = without_overlap(entries);
    tracing::warn!(path = %dir.display(), %reason, parts = parts.len(), "made a new MANIFEST of the parts there are");
    Ok(Manifest {
        next_seq: parts.last().map_or(0, Entry::end_seq),
        next_file: 0,
        parts,
    })
}

/// Of a merged part and those it was merged from, the merged one.
fn without_overlap(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by_key(|entry| (entry.first_seq, u64::MAX - entry.last_seq));
    let mut next_seq = 0;
    entries.retain(|entry| {
        let fits = entry.first_seq >= next_seq;
        if fits {
            next_seq = entry.end_seq();
        }
        fits
    });
    entries
}

/// Removes what `manifest` does not name; the number above all files ever seen.
fn remove_debris(dir: &Path, manifest: &Manifest, disk: &Disk, ledger: &Ledger) -> io::Result<u64> {
    let named: HashSet<&str> = manifest
        .parts
        .iter()
        .map(|entry| entry.file.as_str())
        .collect();
    let mut next_file = 0;
    for name in file_names(&dir.join(PARTS))? {
        if let Some(number) = part::file_number(&name) {
            next_file = next_file.max(number.saturating_add(1));
        }
        if !named.contains(name.as_str()) && !name.ends_with(SET_ASIDE) {
            disk.remove(&dir.join(PARTS).join(&name))?;
            ledger.count(|stats| stats.debris_files += 1);
        }
    }
    disk.remove(&dir.join(TEMPORARY))?;
    Ok(next_file)
}

fn check(dir: &Path, entry: &Entry, disk: &Disk) -> Result<(), String> {
    if part::file_number(&entry.file).is_none() || entry.file.contains('/') {
        return Err("not the name of a part".to_owned());
    }
    let part = Part::new(entry.clone(), &dir.join(PARTS), disk.clone());
    part.verify().map_err(|error| error.to_string())
}

fn count_damaged(dir: &Path, entry: &Entry, reason: &str, ledger: &Ledger) {
    let path = dir.join(PARTS).join(&entry.file);
    tracing::warn!(path = %path.display(), rows = entry.rows, %reason, "left a damaged part out");
    ledger.count(|stats| {
        stats.damaged_parts += 1;
        stats.damaged_rows += entry.rows;
    });
}

/// Keeps a damaged file, if it is there, under a name nobody reads.
pub(super) fn set_aside(path: &Path, disk: &Disk) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(SET_ASIDE);
    disk.rename(path, Path::new(&aside))
}

fn file_names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Suffix of damaged files, kept for whoever wants to look at them.
pub(super) const SET_ASIDE: &str = ".bad";
/// Looks at a MANIFEST whose parts go while it is read.
const LOOKS_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_whose_parts_were_merged_away_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = |next_seq, file: &str| {
            let text = format!(
                r#"{{"file":"{file}","first_seq":0,"last_seq":0,"rows":1,"first_time":0,
                    "last_time":0,"hour":0,"bytes":1,"schema":1,"records":1,"octets":1,"packets":1}}"#
            );
            let parts = vec![serde_json::from_str(&text).unwrap()];
            Found::Manifest(Manifest {
                next_seq,
                next_file: 1,
                parts,
            })
        };
        fs::create_dir(dir.path().join(PARTS)).unwrap();
        fs::write(dir.path().join(PARTS).join("merged"), b"").unwrap();
        let mut looks = 0;
        let found = settled(dir.path(), || {
            looks += 1;
            Ok(manifest(looks, if looks < 3 { "gone" } else { "merged" }))
        });
        assert!(matches!(
            found,
            Ok(Found::Manifest(Manifest { next_seq: 3, .. }))
        ));
        let mut looks = 0;
        let found = settled(dir.path(), || {
            looks += 1;
            Ok(manifest(looks, "gone"))
        });
        assert!(
            matches!(found, Ok(Found::Manifest(Manifest { next_seq: 5, .. }))),
            "damage is not waited for"
        );
    }
}
