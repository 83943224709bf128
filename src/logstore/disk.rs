//! File operations in the order that lets their result survive a power cut.
//!
//! Every change of the store's files goes through [`Disk`], so that a test can
//! stop the world after any one of them.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// The file system under the store.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    #[cfg(test)]
    pub(super) faults: Option<std::sync::Arc<super::faults::Faults>>,
}

impl Disk {
    /// Makes a directory that outlives a crash; fine if it is there already.
    pub(super) fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.take_space(path)?;
        match fs::create_dir(path) {
            Ok(()) => self.sync_parent(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes a directory and those above it that are not there yet.
    pub(super) fn create_dirs(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
            self.create_dirs(parent)?;
        }
        self.create_dir(path)
    }

    /// Opens an empty file for writing.
    pub(super) fn create(&self, path: &Path) -> io::Result<Output> {
        self.take_space(path)?;
        let file = File::create(path)?;
        self.note_created(path);
        Ok(Output {
            file,
            path: path.to_owned(),
            disk: self.clone(),
        })
    }

    /// Renames within a directory and makes the new name durable.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.take_space(to)?;
        self.note_renamed(from, to);
        fs::rename(from, to)?;
        self.sync_parent(to)
    }

    /// Gives a file another name beside its own; a copy, where a file cannot
    /// have two. Not durable by itself.
    pub(super) fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.take_space(to)?;
        fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
    }

    /// Removes a file; fine if it is gone already.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes a file so that it stays away after a crash; fine if it is gone
    /// already.
    pub(super) fn remove_for_good(&self, path: &Path) -> io::Result<()> {
        self.remove(path)?;
        self.sync_parent(path)
    }

    /// Removes a directory; fine if it is gone already, or not empty.
    pub(super) fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        match fs::remove_dir(path) {
            Err(error)
                if ![io::ErrorKind::NotFound, io::ErrorKind::DirectoryNotEmpty]
                    .contains(&error.kind()) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        self.take_space(path)?;
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            Some(_) | None => Path::new("."),
        };
        File::open(parent)?.sync_all()?;
        self.note_directory_synced(path);
        Ok(())
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    path: PathBuf,
    disk: Disk,
}

impl Output {
    /// Makes the content durable and says how many octets there are. After an
    /// error the file must be given up: the kernel may have dropped the pages
    /// it could not write.
    pub(super) fn sync(&self) -> io::Result<u64> {
        self.disk.take_space(&self.path)?;
        self.file.sync_all()?;
        self.disk.note_synced(&self.path);
        Ok(self.file.metadata()?.len())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.take_space(&self.path)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(not(test))]
impl Disk {
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "a test stops the world here"
    )]
    fn step(&self) -> io::Result<()> {
        Ok(())
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "a test fills the disk here"
    )]
    fn take_space(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn note_created(&self, _path: &Path) {}
    fn note_synced(&self, _path: &Path) {}
    fn note_renamed(&self, _from: &Path, _to: &Path) {}
    fn note_directory_synced(&self, _path: &Path) {}
}
