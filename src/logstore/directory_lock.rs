//! One flowlogd per store.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::Flock;
use nix::fcntl::FlockArg;

use super::error::OpenError;

/// The right to write to a store, for as long as it lives; the kernel takes it
/// back from a process that died.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: Flock<File>,
}

impl DirectoryLock {
    /// Takes the lock of the store at `dir` and notes this process in it.
    ///
    /// # Errors
    /// `Locked` with the number of the process that has it.
    pub(super) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(LOCK);
        let io_error = |source| OpenError::Io {
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(io_error)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                note_process(&mut file).map_err(io_error)?;
                Ok(Self { _file: file })
            }
            Err((file, Errno::EWOULDBLOCK)) => Err(OpenError::Locked {
                path,
                pid: noted_process(file),
            }),
            Err((_, errno)) => Err(io_error(errno.into())),
        }
    }
}

fn note_process(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn noted_process(file: File) -> String {
    let mut text = String::new();
    let _ = file.take(PID_LENGTH_MAX).read_to_string(&mut text);
    match text.trim() {
        "" => "unknown".to_owned(),
        pid => pid.to_owned(),
    }
}

const LOCK: &str = "LOCK";
const PID_LENGTH_MAX: u64 = 20;
