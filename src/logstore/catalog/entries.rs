//! Projects and logstores as they are asked for.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::deletion::Remains;
use super::deletion::is_deleted;
use super::file;
use super::sheet;
use crate::logstore::disk::Disk;
use crate::logstore::error::OpenError;
use crate::logstore::name::LogstoreName;
use crate::logstore::store::directories;

/// A project.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProjectInfo {
    /// Its name.
    pub name: String,
    /// What whoever made it said of it.
    pub description: String,
    /// When it was made, Unix seconds.
    pub created_s: i64,
    /// When it was last described, Unix seconds.
    pub changed_s: i64,
}

/// A logstore.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogstoreInfo {
    /// Its name.
    pub name: LogstoreName,
    /// What it was set to; none if it came with its first rows.
    pub options: Option<LogstoreOptions>,
    /// When it was made, Unix seconds.
    pub created_s: i64,
    /// When it was last set, Unix seconds.
    pub changed_s: i64,
}

/// What a logstore is set to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogstoreOptions {
    /// Days after their arrival that rows are kept, at most the store's own
    /// [`retention`](crate::logstore::Settings::retention).
    pub ttl_days: u32,
    /// What else is kept for whoever set it; means nothing to the store.
    pub settings: Value,
}

impl LogstoreOptions {
    /// Days that mean as long as the store keeps rows at all.
    pub const FOREVER_DAYS: u32 = 3650;
}

/// What is kept beside the rows of a logstore.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Document {
    /// Which fields can be asked for.
    Index,
    /// Who reads, and how far each has come.
    ConsumerGroups,
}

impl Document {
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Index => "index.json",
            Self::ConsumerGroups => "consumer-groups.json",
        }
    }
}

/// What is known of projects, and of what was deleted.
#[derive(Debug, Default)]
pub(in crate::logstore) struct Catalog {
    /// Held while a project or logstore is set or deleted. Taken before any
    /// other lock.
    pub(super) changing: Mutex<()>,
    pub(super) projects: Mutex<BTreeMap<String, ProjectFile>>,
    /// Directories of deleted logstores that queries may still read.
    pub(super) remains: Mutex<Vec<Remains>>,
    /// Number above all files of deleted logstores: the engine remembers the
    /// footer of a file by its name.
    pub(in crate::logstore) next_file: AtomicU64,
}

impl Catalog {
    pub(in crate::logstore) fn new(projects: BTreeMap<String, ProjectFile>) -> Self {
        Self {
            projects: Mutex::new(projects),
            ..Self::default()
        }
    }
}

/// `project.json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::logstore) struct ProjectFile {
    pub(super) description: String,
    pub(super) created_s: i64,
    pub(super) changed_s: i64,
}

/// Projects of the store at `dir` that somebody made; damaged files are set
/// aside if there is a disk to do it on.
///
/// # Errors
/// `Newer` if a later flowlogd wrote one, `Io` if one cannot be read.
pub(in crate::logstore) fn read_projects(
    dir: &Path,
    disk: Option<&Disk>,
) -> Result<BTreeMap<String, ProjectFile>, OpenError> {
    let mut projects = BTreeMap::new();
    let found = directories(dir).map_err(|source| OpenError::Io {
        path: dir.to_owned(),
        source,
    })?;
    for (name, path) in found {
        let is_project = LogstoreName::check_project(&name).is_ok() && !is_deleted(&path);
        let made = match is_project {
            true => file::read(&path.join(PROJECT), disk)?,
            false => None,
        };
        if let Some(made) = made {
            projects.insert(name, made);
        }
    }
    Ok(projects)
}

/// Looks at all files of the store at `dir` without touching any.
///
/// # Errors
/// `Newer` if a later flowlogd wrote one, `Io` if one cannot be read.
pub(in crate::logstore) fn look(
    dir: &Path,
    logstores: &[(LogstoreName, PathBuf)],
) -> Result<(), OpenError> {
    let projects: BTreeSet<_> = logstores.iter().map(|(name, _)| name.project()).collect();
    let own = projects
        .into_iter()
        .map(|name| dir.join(name).join(PROJECT));
    let theirs = logstores.iter().flat_map(|(_, path)| sheet::files(path));
    let mut all = own.chain(theirs);
    all.try_for_each(|path| file::check_version(&path))
}

/// File name of what a project was made with.
pub(super) const PROJECT: &str = "project.json";
