//! Deleting projects and logstores so that a crash leaves none half alive.
//!
//! A file DELETED in a directory is the commit point: from then on nothing in
//! it is there, whatever else the directory holds. Files go when no query
//! reads them any more, DELETED goes last.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Weak;

use super::entries::Document;
use super::entries::PROJECT;
use super::file;
use super::file::with_suffix;
use super::sheet::LOGSTORE;
use crate::logstore::disk::Disk;
use crate::logstore::manifest::MANIFEST;
use crate::logstore::manifest::TEMPORARY;
use crate::logstore::name::LogstoreName;
use crate::logstore::part::Part;
use crate::logstore::recover::SET_ASIDE;
use crate::logstore::shard::PARTS;
use crate::logstore::store::directories;

/// Files of a deleted logstore.
#[derive(Debug)]
pub(in crate::logstore) struct Remains {
    pub(super) dir: PathBuf,
    parts: Vec<Weak<Part>>,
}

impl Remains {
    /// The directory of a logstore that had these parts.
    pub(in crate::logstore) fn new(dir: PathBuf, parts: &[Arc<Part>]) -> Self {
        Self {
            dir,
            parts: parts.iter().map(Arc::downgrade).collect(),
        }
    }

    /// Whether a query still reads some of it.
    pub(super) fn is_read(&self) -> bool {
        self.parts.iter().any(|part| part.strong_count() > 0)
    }
}

/// Whether the project or logstore at `dir` was deleted.
pub(in crate::logstore) fn is_deleted(dir: &Path) -> bool {
    dir.join(DELETED).exists()
}

/// Deletes the project or logstore at `dir`, durably.
///
/// # Errors
/// Those of the disk; it is then there as before.
pub(super) fn bury(dir: &Path, disk: &Disk) -> io::Result<()> {
    let mark = dir.join(DELETED);
    let temporary = with_suffix(&mark, file::TEMPORARY);
    let marked = || -> io::Result<()> {
        disk.create(&temporary)?.sync()?;
        disk.rename(&temporary, &mark)
    };
    marked().inspect_err(|_| {
        // It may have either name by now.
        let _ = disk.remove(&temporary);
        if let Err(error) = disk.remove_for_good(&mark) {
            tracing::error!(path = %mark.display(), %error, "cannot take back what could not be deleted: remove this file, or it is deleted at the next start");
        }
    })
}

/// Makes the directory of a deleted logstore, if it is one, fit for another of
/// the same name, all but the mark itself: that goes when the other is there.
pub(in crate::logstore) fn revive_logstore(dir: &Path, disk: &Disk) -> io::Result<()> {
    match is_deleted(dir) {
        true => remove_files(dir, disk),
        false => Ok(()),
    }
}

/// Makes the directory of a deleted project, if it is one, fit for another of
/// the same name: what was in it stays deleted.
pub(in crate::logstore) fn revive_project(dir: &Path, disk: &Disk) -> io::Result<()> {
    if !is_deleted(dir) {
        return Ok(());
    }
    for (_, logstore) in directories(dir)? {
        if !is_deleted(&logstore) {
            bury(&logstore, disk)?;
        }
    }
    remove_project_files(dir, disk)?;
    disk.remove_for_good(&dir.join(DELETED))
}

/// The mark of a deleted logstore goes: another is there.
pub(in crate::logstore) fn unmark(dir: &Path, disk: &Disk) -> io::Result<()> {
    match is_deleted(dir) {
        true => disk.remove_for_good(&dir.join(DELETED)),
        false => Ok(()),
    }
}

/// Removes what is left of deleted projects and logstores in the store at
/// `dir`, and of files that were being written. To be called before anything
/// in it is used.
pub(in crate::logstore) fn sweep(dir: &Path, disk: &Disk) -> io::Result<()> {
    for (name, project) in directories(dir)? {
        if LogstoreName::check_project(&name).is_err() {
            continue;
        }
        let is_gone = is_deleted(&project);
        for (logstore_name, logstore) in directories(&project)? {
            if LogstoreName::new(&name, &logstore_name).is_err() {
                continue;
            }
            match is_gone || is_deleted(&logstore) {
                true => clear_logstore(&logstore, disk)?,
                false => remove_temporaries(&logstore, &LOGSTORE_FILES, disk)?,
            }
        }
        if is_gone {
            remove_project_files(&project, disk)?;
            disk.remove_for_good(&project.join(DELETED))?;
            disk.remove_dir(&project)?;
        } else {
            remove_temporaries(&project, &[PROJECT, DELETED], disk)?;
        }
    }
    Ok(())
}

/// Removes all that a logstore has at `dir`, and the directory if nothing else
/// is in it.
pub(super) fn clear_logstore(dir: &Path, disk: &Disk) -> io::Result<()> {
    let parts = dir.join(PARTS);
    if parts.is_dir() {
        for entry in fs::read_dir(&parts)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                disk.remove(&entry.path())?;
            }
        }
        disk.remove_dir(&parts)?;
    }
    remove_files(dir, disk)?;
    disk.remove_for_good(&dir.join(DELETED))?;
    disk.remove_dir(dir)
}

/// Removes all files of a logstore that are no parts, but the mark.
fn remove_files(dir: &Path, disk: &Disk) -> io::Result<()> {
    for name in LOGSTORE_FILES {
        let path = dir.join(name);
        if name != DELETED {
            remove_if_there(&path, disk)?;
            remove_if_there(&with_suffix(&path, SET_ASIDE), disk)?;
        }
    }
    remove_if_there(&dir.join(TEMPORARY), disk)?;
    remove_temporaries(dir, &LOGSTORE_FILES, disk)
}

fn remove_project_files(dir: &Path, disk: &Disk) -> io::Result<()> {
    let path = dir.join(PROJECT);
    remove_if_there(&path, disk)?;
    remove_if_there(&with_suffix(&path, SET_ASIDE), disk)?;
    remove_temporaries(dir, &[PROJECT, DELETED], disk)
}

fn remove_temporaries(dir: &Path, names: &[&str], disk: &Disk) -> io::Result<()> {
    let mut paths = names.iter().map(|name| dir.join(name));
    paths.try_for_each(|path| remove_if_there(&with_suffix(&path, file::TEMPORARY), disk))
}

fn remove_if_there(path: &Path, disk: &Disk) -> io::Result<()> {
    match path.exists() {
        true => disk.remove(path),
        false => Ok(()),
    }
}

/// File whose being there says that nothing else is.
const DELETED: &str = "DELETED";
/// What a logstore's directory has beside its parts.
const LOGSTORE_FILES: [&str; 5] = [
    MANIFEST,
    LOGSTORE,
    Document::Index.file(),
    Document::ConsumerGroups.file(),
    DELETED,
];
