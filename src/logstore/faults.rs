//! A disk that stops in the middle, and forgets what was not synced.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;

use super::disk::Disk;
use super::shard::lock;

/// Lets so many file operations happen, then none.
#[derive(Debug)]
pub(super) struct Faults {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    steps_left: usize,
    /// There is no space for files whose names end like this.
    full_for: Option<&'static str>,
    /// Created, content not synced.
    unsynced: Vec<PathBuf>,
    /// Renamed, directory not synced: new name → (old name, what the new name was before).
    renamed: HashMap<PathBuf, (PathBuf, Option<Vec<u8>>)>,
}

impl Faults {
    pub(super) fn after(steps: usize) -> Self {
        Self {
            state: Mutex::new(State {
                steps_left: steps,
                full_for: None,
                unsynced: Vec::new(),
                renamed: HashMap::new(),
            }),
        }
    }

    /// Whether the disk has stopped.
    pub(super) fn stopped(&self) -> bool {
        lock(&self.state).steps_left == 0
    }

    /// Stops the disk after so many operations more.
    pub(super) fn stop_after(&self, steps: usize) {
        lock(&self.state).steps_left = steps;
    }

    /// Has no space from now on for files whose names end in `suffix`.
    pub(super) fn fill_up_for(&self, suffix: &'static str) {
        lock(&self.state).full_for = Some(suffix);
    }

    /// Lets operations happen again.
    pub(super) fn heal(&self) {
        self.stop_after(usize::MAX);
        lock(&self.state).full_for = None;
    }

    /// Takes back what a power cut may take back: names not synced are the old
    /// ones, content not synced is cut in half.
    pub(super) fn lose_unsynced(&self) {
        let mut state = lock(&self.state);
        for (to, (from, before)) in state.renamed.drain() {
            if to.exists() {
                fs::rename(&to, &from).unwrap();
            }
            if let Some(before) = before {
                fs::write(&to, before).unwrap();
            }
        }
        for path in state.unsynced.drain(..) {
            if let Ok(content) = fs::read(&path) {
                fs::write(&path, &content[..content.len() / 2]).unwrap();
            }
        }
    }
}

impl Disk {
    /// A disk with faults.
    pub(super) fn failing(faults: &std::sync::Arc<Faults>) -> Self {
        Self {
            faults: Some(std::sync::Arc::clone(faults)),
        }
    }

    /// An operation that may need space.
    pub(super) fn take_space(&self, path: &Path) -> io::Result<()> {
        let name = path.to_string_lossy();
        let is_full =
            self.with(|state| state.full_for.is_some_and(|suffix| name.ends_with(suffix)));
        if is_full == Some(true) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.step()
    }

    /// Any operation.
    pub(super) fn step(&self) -> io::Result<()> {
        self.with(|state| {
            if state.steps_left == 0 {
                return Err(io::Error::other("the disk has stopped"));
            }
            state.steps_left -= 1;
            Ok(())
        })
        .unwrap_or(Ok(()))
    }

    pub(super) fn note_created(&self, path: &Path) {
        self.with(|state| state.unsynced.push(path.to_owned()));
    }

    pub(super) fn note_synced(&self, path: &Path) {
        self.with(|state| state.unsynced.retain(|unsynced| unsynced != path));
    }

    pub(super) fn note_renamed(&self, from: &Path, to: &Path) {
        let before = fs::read(to).ok();
        self.with(|state| {
            state
                .renamed
                .insert(to.to_owned(), (from.to_owned(), before))
        });
    }

    pub(super) fn note_directory_synced(&self, path: &Path) {
        self.with(|state| state.renamed.retain(|to, _| to.parent() != path.parent()));
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> Option<T> {
        self.faults
            .as_ref()
            .map(|faults| act(&mut lock(&faults.state)))
    }
}
