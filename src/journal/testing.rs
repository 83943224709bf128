//! A file system in memory that fails as real ones do.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use super::error::OpenError;
use super::fs::File;
use super::fs::Fs;

/// A directory of files, shared by its clones.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultyFs {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Files by number; names come and go.
    files: Vec<Node>,
    /// Names as a process sees them.
    names: BTreeMap<String, usize>,
    /// Names as a crash leaves them.
    durable_names: BTreeMap<String, usize>,
    /// Handles of an earlier epoch are those of a dead process.
    epoch: u64,
    is_locked: bool,
    /// Octets all files may take.
    capacity: Option<u64>,
    failures: Vec<Failure>,
    syncs: u64,
}

#[derive(Clone, Debug, Default)]
struct Node {
    pages: Vec<u8>,
    durable: Vec<u8>,
    /// What was written since the last sync.
    dirty: Vec<Range<usize>>,
}

/// What one of the next operations does instead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// A write takes half of the octets, and the next ones fail.
    ShortWrite,
    /// A write fails.
    Write,
    /// A sync fails, and what was dirty counts as clean.
    Sync,
    /// A sync of the directory fails.
    SyncDir,
    /// A rename fails.
    Rename,
    /// A file cannot be made.
    Create,
}

impl FaultyFs {
    /// Lets the next operation of the kind fail.
    pub(super) fn fail(&self, failure: Failure) {
        self.inner().failures.push(failure);
    }

    /// Lets all operations succeed that have room.
    pub(super) fn heal(&self) {
        self.inner().failures.clear();
    }

    /// Limits the octets of all files.
    pub(super) fn set_capacity(&self, capacity: Option<u64>) {
        self.inner().capacity = capacity;
    }

    /// Octets of all files there are.
    pub(super) fn used(&self) -> u64 {
        self.inner().used()
    }

    /// How often file content was synced.
    pub(super) fn syncs(&self) -> u64 {
        self.inner().syncs
    }

    /// Kills the process that has files open. They stay as it saw them.
    pub(super) fn kill(&self) {
        let mut inner = self.inner();
        inner.epoch += 1;
        inner.is_locked = false;
        inner.failures.clear();
    }

    /// Cuts the power: what was not synced is gone, except for the sectors
    /// that were written back, one for each bit of `luck` that is set.
    pub(super) fn crash(&self, mut luck: u64) {
        self.kill();
        let mut inner = self.inner();
        let mut is_lucky = || {
            luck = luck.rotate_right(1);
            luck >> 63 == 1
        };
        if is_lucky() {
            inner.durable_names = inner.names.clone();
        }
        for node in &mut inner.files {
            for range in std::mem::take(&mut node.dirty) {
                let mut at = range.start;
                while at < range.end {
                    let end = (at / SECTOR * SECTOR + SECTOR).min(range.end);
                    if is_lucky() {
                        node.write_back(at..end);
                    }
                    at = end;
                }
            }
            node.pages = node.durable.clone();
        }
        inner.names = inner.durable_names.clone();
    }

    /// Content of a file.
    pub(super) fn content(&self, name: &str) -> Vec<u8> {
        let inner = self.inner();
        inner.files[inner.names[name]].pages.clone()
    }

    /// Puts a file there, durable.
    pub(super) fn put(&self, name: &str, content: &[u8]) {
        let mut inner = self.inner();
        let node = Node {
            pages: content.to_vec(),
            durable: content.to_vec(),
            dirty: Vec::new(),
        };
        inner.files.push(node);
        let number = inner.files.len() - 1;
        inner.names.insert(name.to_owned(), number);
        inner.durable_names.insert(name.to_owned(), number);
    }

    /// A copy with a life of its own.
    pub(super) fn fork(&self) -> Self {
        let copy = Self::default();
        for name in self.list().unwrap() {
            copy.put(&name, &self.content(&name));
        }
        copy
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn handle(&self, inner: &Inner, node: usize) -> Arc<dyn File> {
        Arc::new(FaultyFile {
            fs: self.clone(),
            node,
            epoch: inner.epoch,
        })
    }
}

impl Node {
    fn write_back(&mut self, range: Range<usize>) {
        let end = range.end.min(self.pages.len());
        let start = range.start.min(end);
        if self.durable.len() < end {
            self.durable.resize(end, 0);
        }
        self.durable[start..end].copy_from_slice(&self.pages[start..end]);
    }
}

impl Inner {
    fn used(&self) -> u64 {
        let nodes = self.names.values();
        nodes.map(|node| self.files[*node].pages.len() as u64).sum()
    }

    fn fails(&mut self, failure: Failure) -> bool {
        let at = self.failures.iter().position(|other| *other == failure);
        at.map(|at| self.failures.remove(at)).is_some()
    }
}

impl Fs for FaultyFs {
    fn path(&self) -> &Path {
        Path::new("/journal")
    }

    fn lock(&self) -> Result<Box<dyn Send + Sync>, OpenError> {
        let mut inner = self.inner();
        if inner.is_locked {
            return Err(OpenError::Locked {
                path: "/journal/LOCK".into(),
                pid: "1".to_owned(),
            });
        }
        inner.is_locked = true;
        Ok(Box::new(Lock(self.clone(), inner.epoch)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut inner = self.inner();
        if inner.fails(Failure::Create) {
            return Err(io::Error::other("cannot create"));
        }
        let node = match inner.names.get(name) {
            Some(node) => *node,
            None => {
                inner.files.push(Node::default());
                let node = inner.files.len() - 1;
                inner.names.insert(name.to_owned(), node);
                node
            }
        };
        // Emptying is durable at once here: the worst moment for a crash.
        inner.files[node] = Node::default();
        Ok(self.handle(&inner, node))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let inner = self.inner();
        let node = inner.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(&inner, *node))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.fails(Failure::Rename) {
            return Err(io::Error::other("cannot rename"));
        }
        let node = inner.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        inner.names.insert(to.to_owned(), node);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner().names.remove(name);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.inner().names.keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.fails(Failure::SyncDir) {
            return Err(io::Error::other("cannot sync the directory"));
        }
        inner.durable_names = inner.names.clone();
        Ok(())
    }
}

/// Gives the lock back when it goes, unless its process is dead already.
struct Lock(FaultyFs, u64);

impl Drop for Lock {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        if inner.epoch == self.1 {
            inner.is_locked = false;
        }
    }
}

#[derive(Debug)]
struct FaultyFile {
    fs: FaultyFs,
    node: usize,
    epoch: u64,
}

impl FaultyFile {
    fn inner(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.fs.inner();
        if inner.epoch == self.epoch {
            Ok(inner)
        } else {
            Err(io::Error::other("the process is dead"))
        }
    }
}

impl File for FaultyFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.inner()?;
        if inner.fails(Failure::Write) {
            return Err(io::Error::other("cannot write"));
        }
        let mut len = bytes.len();
        if inner.fails(Failure::ShortWrite) {
            len /= 2;
            inner.failures.push(Failure::Write);
        }
        let start = usize::try_from(offset).unwrap();
        let grown = (start + len).saturating_sub(inner.files[self.node].pages.len());
        if inner
            .capacity
            .is_some_and(|max| inner.used() + grown as u64 > max)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let node = &mut inner.files[self.node];
        if grown > 0 {
            node.pages.resize(start + len, 0);
        }
        node.pages[start..start + len].copy_from_slice(&bytes[..len]);
        node.dirty.push(start..start + len);
        Ok(len)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let inner = self.inner()?;
        let pages = &inner.files[self.node].pages;
        let start = usize::try_from(offset).unwrap().min(pages.len());
        let len = buffer.len().min(pages.len() - start);
        buffer[..len].copy_from_slice(&pages[start..start + len]);
        Ok(len)
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.inner()?;
        inner.syncs += 1;
        let fails = inner.fails(Failure::Sync);
        let node = &mut inner.files[self.node];
        let dirty = std::mem::take(&mut node.dirty);
        if fails {
            return Err(io::Error::other("cannot sync"));
        }
        for range in dirty {
            node.write_back(range);
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.inner()?.files[self.node].pages.len() as u64)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap();
        let mut inner = self.inner()?;
        let node = &mut inner.files[self.node];
        node.pages.resize(len, 0);
        node.durable.truncate(len);
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let inner = self.inner()?;
        let have = inner.files[self.node].pages.len() as u64;
        let more = len.saturating_sub(have);
        if inner.capacity.is_some_and(|max| inner.used() + more > max) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

const SECTOR: usize = 64;
