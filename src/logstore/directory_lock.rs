//! One flowlogd per store.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

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
        match take_patiently(file) {
            Ok(mut file) => {
                if let Err(error) = note_process(&mut file) {
                    // The lock holds all the same: a full disk is no reason to stay away.
                    tracing::debug!(%error, "cannot note who has the store");
                }
                Ok(Self { _file: file })
            }
            Err((file, Errno::EWOULDBLOCK)) => Err(OpenError::Locked {
                path,
                pid: noted_process(file),
            }),
            Err((_, errno)) => Err(io_error(errno.into())),
        }
    }

    /// Whether a process has the lock of the store at `dir`. Changes nothing;
    /// where there is no lock file, or none that can be read, nobody has it.
    pub(super) fn is_taken(dir: &Path) -> bool {
        let Ok(file) = File::open(dir.join(LOCK)) else {
            return false;
        };
        // Taken to know, given back at once: the system has no other way to ask.
        let asked = Flock::lock(file, FlockArg::LockSharedNonblock);
        matches!(asked, Err((_, Errno::EWOULDBLOCK)))
    }
}

/// Whoever only [asks](DirectoryLock::is_taken) has the lock for a moment: that
/// must not keep a flowlogd from starting.
fn take_patiently(mut file: File) -> Result<Flock<File>, (File, Errno)> {
    for _ in 1..TRIES {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Err((unlocked, Errno::EWOULDBLOCK)) => file = unlocked,
            done => return done,
        }
        std::thread::sleep(PAUSE);
    }
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
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

/// Name of the lock file in the store's directory.
pub(super) const LOCK: &str = "LOCK";
/// Tries to take the lock.
const TRIES: u32 = 5;
/// Time between two of them: asking takes microseconds.
const PAUSE: Duration = Duration::from_millis(10);
const PID_LENGTH_MAX: u64 = 20;
