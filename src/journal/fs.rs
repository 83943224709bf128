//! The file system under the journal: one flat directory.

use std::fmt;
use std::fs;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::FallocateFlags;
use nix::fcntl::Flock;
use nix::fcntl::FlockArg;
use nix::fcntl::fallocate;

use super::error::OpenError;

/// What the journal asks of a file system, so that a test can be a bad one.
///
/// Names are names of files in the journal's one directory.
pub trait Fs: fmt::Debug + Send + Sync + 'static {
    /// The directory, for messages.
    fn path(&self) -> &Path;

    /// Makes the directory where it is missing and takes its lock, which is
    /// held as long as what is returned.
    ///
    /// # Errors
    /// `Locked` by another process, or `Io` where the directory is unusable.
    fn lock(&self) -> Result<Box<dyn Send + Sync>, OpenError>;

    /// Makes an empty file, or empties the one there is.
    ///
    /// # Errors
    /// As the system says; so for all below.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Opens a file for reading and cutting.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name, in place of what had it; durable after
    /// [`Fs::sync_dir`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file; fine if it is gone already.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Names of all files.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes the names durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// An open file.
pub trait File: fmt::Debug + Send + Sync {
    /// Writes octets at an offset and says how many were taken.
    ///
    /// # Errors
    /// As the system says; so for all below.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Reads octets at an offset and says how many came; 0 is the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Makes the content durable. After an error what was not durable before
    /// may be gone, even if a second try succeeds: the file must be given up.
    fn sync(&self) -> io::Result<()>;

    /// Length in octets.
    fn size(&self) -> io::Result<u64>;

    /// Cuts the file to a length and gives back the space behind it.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Reserves space for a length without changing the file's own; fine
    /// where the file system cannot.
    fn allocate(&self, len: u64) -> io::Result<()>;
}

/// Writes all octets at an offset.
pub(super) fn write_all_at(file: &dyn File, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(offset, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills the buffer from an offset on, as far as the file goes.
pub(super) fn read_full_at(
    file: &dyn File,
    mut offset: u64,
    mut buffer: &mut [u8],
) -> io::Result<usize> {
    let mut total = 0;
    while !buffer.is_empty() {
        match file.read_at(offset, buffer) {
            Ok(0) => break,
            Ok(read) => {
                total += read;
                offset += read as u64;
                buffer = buffer.get_mut(read..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// All octets of a file that has at most `max`.
pub(super) fn read_whole(disk: &dyn Fs, name: &str, max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    let size = file.size()?;
    if size > max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    let read = read_full_at(&*file, 0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Writes a new file and makes its content durable.
pub(super) fn write_synced(disk: &dyn Fs, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let file = disk.create(name)?;
    let mut offset = 0;
    for part in parts {
        write_all_at(&*file, offset, part)?;
        offset += part.len() as u64;
    }
    file.sync()
}

/// How names of files end that are not finished.
pub(super) const TEMPORARY: &str = ".tmp";

/// A directory of the real file system.
#[derive(Clone, Debug)]
pub struct Disk {
    dir: PathBuf,
}

impl Disk {
    /// The directory `dir`, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn make_dir(dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        let parent = match dir.parent() {
            Some(parent) if parent != Path::new("") => parent,
            Some(_) | None => Path::new("."),
        };
        Self::make_dir(parent)?;
        fs::create_dir(dir)?;
        fs::File::open(parent)?.sync_all()
    }
}

impl Fs for Disk {
    fn path(&self) -> &Path {
        &self.dir
    }

    fn lock(&self) -> Result<Box<dyn Send + Sync>, OpenError> {
        let path = self.dir.join(LOCK);
        let io_error = |path: &Path, source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        Self::make_dir(&self.dir).map_err(|source| io_error(&self.dir, source))?;
        let mut options = fs::OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false);
        let file = options
            .open(&path)
            .map_err(|source| io_error(&path, source))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                // The lock holds all the same: a full disk is no reason to stay away.
                let _ = note_process(&mut file);
                Ok(Box::new(file))
            }
            Err((file, Errno::EWOULDBLOCK)) => Err(OpenError::Locked {
                path,
                pid: noted_process(file),
            }),
            Err((_, errno)) => Err(io_error(&path, errno.into())),
        }
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.create(true).read(true).write(true).truncate(true);
        Ok(Arc::new(DiskFile(options.open(self.dir.join(name))?)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let path = self.dir.join(name);
        let mut options = fs::OpenOptions::new();
        let opened = match options.read(true).write(true).open(&path) {
            // Whoever only looks may not be allowed to write.
            Err(error) if is_read_only(&error) => fs::File::open(&path),
            opened => opened,
        };
        Ok(Arc::new(DiskFile(opened?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.dir.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.dir)?;
        let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn sync_dir(&self) -> io::Result<()> {
        fs::File::open(&self.dir)?.sync_all()
    }
}

#[derive(Debug)]
struct DiskFile(fs::File);

impl File for DiskFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        FileExt::write_at(&self.0, bytes, offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(&self.0, buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let length = i64::try_from(len).map_err(io::Error::other)?;
        match fallocate(&self.0, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, length) {
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(()),
            done => done.map_err(io::Error::from),
        }
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

fn note_process(file: &mut fs::File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn noted_process(file: fs::File) -> String {
    let mut text = String::new();
    let _ = file.take(PID_LENGTH_MAX).read_to_string(&mut text);
    match text.trim() {
        "" => "unknown".to_owned(),
        pid => pid.to_owned(),
    }
}

/// Name of the lock file.
pub(super) const LOCK: &str = "LOCK";
const PID_LENGTH_MAX: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_who_has_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path().join("new/journal"));
        let held = disk.lock().unwrap();
        let refused = disk.lock().err().unwrap();
        let text = refused.to_string();
        assert!(matches!(refused, OpenError::Locked { .. }), "{text}");
        assert!(
            text.contains(&format!("locked by pid {}", std::process::id())),
            "{text}"
        );
        drop(held);
        assert!(disk.lock().is_ok());
    }

    #[test]
    fn a_file_takes_octets_where_it_is_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        let file = disk.create("a").unwrap();
        file.allocate(8192).unwrap();
        assert_eq!(file.size().unwrap(), 0);
        write_all_at(&*file, 3, b"abc").unwrap();
        assert_eq!(file.size().unwrap(), 6);
        file.truncate(4).unwrap();
        assert_eq!(read_whole(&disk, "a", 100).unwrap(), b"\0\0\0a");
        let refused = read_whole(&disk, "a", 3).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(disk.list().unwrap(), ["a"]);
        disk.remove("a").unwrap();
        disk.remove("a").unwrap();
        assert!(disk.list().unwrap().is_empty());
    }
}
