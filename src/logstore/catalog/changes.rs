//! The store's doors for projects, logstores and what is kept with them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLockWriteGuard;
use std::sync::atomic::Ordering;

use serde_json::Value;

use super::deletion;
use super::entries::Document;
use super::entries::LogstoreInfo;
use super::entries::LogstoreOptions;
use super::entries::PROJECT;
use super::entries::ProjectFile;
use super::entries::ProjectInfo;
use super::error::CatalogError;
use super::file;
use super::sheet;
use super::sheet::LogstoreFile;
use crate::logstore::LogStore;
use crate::logstore::error::AppendError;
use crate::logstore::error::StoreError;
use crate::logstore::name::LogstoreName;
use crate::logstore::shard::Ending;
use crate::logstore::shard::Shard;
use crate::logstore::shard::lock;

type Shards<'a> = RwLockWriteGuard<'a, BTreeMap<LogstoreName, Arc<Shard>>>;

impl LogStore {
    /// All projects in ascending order of their names: those somebody made,
    /// and those that came with their rows.
    pub fn projects(&self) -> Vec<ProjectInfo> {
        let mut projects: BTreeMap<String, ProjectInfo> = BTreeMap::new();
        for shard in self.shards() {
            let created_s = lock(&shard.sheet).created_s();
            let name = shard.name.project();
            let came = projects
                .entry(name.to_owned())
                .or_insert_with(|| ProjectInfo {
                    name: name.to_owned(),
                    description: String::new(),
                    created_s,
                    changed_s: created_s,
                });
            came.created_s = came.created_s.min(created_s);
            came.changed_s = came.created_s;
        }
        for (name, file) in &*lock(&self.catalog.projects) {
            let made = ProjectInfo {
                name: name.clone(),
                description: file.description.clone(),
                created_s: file.created_s,
                changed_s: file.changed_s,
            };
            projects.insert(name.clone(), made);
        }
        projects.into_values().collect()
    }

    /// Makes a project at `now_s` (Unix seconds), or describes one that is
    /// there; durable when this returns.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn set_project(
        &self,
        name: &str,
        description: &str,
        now_s: i64,
    ) -> Result<(), CatalogError> {
        let _turn = lock(&self.catalog.changing);
        self.check_writer()?;
        LogstoreName::check_project(name)?;
        let known = self.projects();
        let before = known.iter().find(|project| project.name == name);
        if before.is_none() && known.len() >= self.settings.logstores_max {
            return Err(CatalogError::TooMany(known.len()));
        }
        let file = ProjectFile {
            description: description.to_owned(),
            created_s: before.map_or(now_s, |project| project.created_s),
            changed_s: now_s,
        };
        self.write_project(name, file)
    }

    fn write_project(&self, name: &str, file: ProjectFile) -> Result<(), CatalogError> {
        let dir = self.settings.dir.join(name);
        let written = || {
            deletion::revive_project(&dir, &self.disk)?;
            self.disk.create_dir(&dir)?;
            file::replace(&dir.join(PROJECT), &file, &self.disk)
        };
        written().map_err(StoreError::from)?;
        lock(&self.catalog.projects).insert(name.to_owned(), file);
        Ok(())
    }

    /// Deletes a project with all its logstores and their rows; durable when
    /// this returns. Queries that run go on to their end.
    ///
    /// # Errors
    /// Nothing was deleted.
    pub fn delete_project(&self, name: &str) -> Result<(), CatalogError> {
        let _turn = lock(&self.catalog.changing);
        self.check_writer()?;
        if !self.projects().iter().any(|project| project.name == name) {
            return Err(CatalogError::NoProject);
        }
        let is_in = |shard: &&Arc<Shard>| shard.name.project() == name;
        let known: Vec<_> = self.shards();
        let known: Vec<_> = known.iter().filter(is_in).collect();
        // A tail that is being written is waited for before others have to wait.
        let late: Vec<Arc<Shard>>;
        let mut endings: Vec<_> = known.iter().map(|shard| shard.prepare_to_end()).collect();
        let mut shards = self.shards_to_change();
        let is_known = |shard: &Arc<Shard>| known.iter().any(|other| Arc::ptr_eq(other, shard));
        let others = shards.values().filter(|shard| !is_known(shard));
        late = others.filter(is_in).cloned().collect();
        endings.extend(late.iter().map(|shard| shard.prepare_to_end()));
        let dir = self.settings.dir.join(name);
        deletion::bury(&dir, &self.disk).map_err(StoreError::from)?;
        lock(&self.catalog.projects).remove(name);
        self.end(endings, &mut shards);
        drop(shards);
        // What fails here is done at the next open, or when the name comes again.
        let cleared =
            deletion::revive_project(&dir, &self.disk).and_then(|()| self.disk.remove_dir(&dir));
        note_debris(&dir, cleared);
        Ok(())
    }

    /// All logstores of a project in ascending order of their names.
    ///
    /// # Errors
    /// There is no such project.
    pub fn logstores(&self, project: &str) -> Result<Vec<LogstoreInfo>, CatalogError> {
        let shards = self.shards();
        let found = shards
            .iter()
            .filter(|shard| shard.name.project() == project);
        let found: Vec<_> = found.map(|shard| info(shard)).collect();
        if found.is_empty() && !lock(&self.catalog.projects).contains_key(project) {
            return Err(CatalogError::NoProject);
        }
        Ok(found)
    }

    /// One logstore.
    ///
    /// # Errors
    /// There is no such project or logstore.
    pub fn logstore(&self, project: &str, logstore: &str) -> Result<LogstoreInfo, CatalogError> {
        self.find(project, logstore).map(|shard| info(&shard))
    }

    /// Makes a logstore at `now_s` (Unix seconds), or sets one that is there;
    /// durable when this returns.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn set_logstore(
        &self,
        project: &str,
        logstore: &str,
        options: LogstoreOptions,
        now_s: i64,
    ) -> Result<(), CatalogError> {
        let _turn = lock(&self.catalog.changing);
        self.check_writer()?;
        if !self.projects().iter().any(|other| other.name == project) {
            LogstoreName::check_project(project)?;
            return Err(CatalogError::NoProject);
        }
        let name = LogstoreName::new(project, logstore)?;
        let mut file = LogstoreFile {
            ttl_days: options.ttl_days,
            settings: options.settings,
            created_s: now_s,
            changed_s: now_s,
        };
        let mut shards = self.shards_to_change();
        let Some(shard) = shards.get(&name).cloned() else {
            let made = self.make(&mut shards, name, Some(file));
            return made.map(drop).map_err(CatalogError::from);
        };
        drop(shards);
        let mut sheet = lock(&shard.sheet);
        file.created_s = sheet.created_s();
        file.write(shard.dir(), &self.disk)
            .map_err(StoreError::from)?;
        sheet.file = Some(file);
        Ok(())
    }

    /// Deletes a logstore with its rows and documents; durable when this
    /// returns. Queries that run go on to their end. Its project stays.
    ///
    /// # Errors
    /// Nothing was deleted.
    pub fn delete_logstore(&self, project: &str, logstore: &str) -> Result<(), CatalogError> {
        let _turn = lock(&self.catalog.changing);
        self.check_writer()?;
        let shard = self.find(project, logstore)?;
        self.keep_project(project)?;
        let ending = shard.prepare_to_end();
        let mut shards = self.shards_to_change();
        deletion::bury(shard.dir(), &self.disk).map_err(StoreError::from)?;
        self.end(vec![ending], &mut shards);
        drop(shards);
        self.clear();
        Ok(())
    }

    /// A project that came with its rows is there without them too, once
    /// somebody deletes in it.
    fn keep_project(&self, project: &str) -> Result<(), CatalogError> {
        if lock(&self.catalog.projects).contains_key(project) {
            return Ok(());
        }
        let made_s = sheet::made_s(&self.settings.dir.join(project));
        let file = ProjectFile {
            description: String::new(),
            created_s: made_s,
            changed_s: made_s,
        };
        self.write_project(project, file)
    }

    /// What is kept beside the rows of a logstore.
    ///
    /// # Errors
    /// There is no such project or logstore.
    pub fn document(
        &self,
        project: &str,
        logstore: &str,
        which: Document,
    ) -> Result<Option<Value>, CatalogError> {
        let shard = self.find(project, logstore)?;
        let document = lock(&shard.sheet).document(which).clone();
        Ok(document)
    }

    /// Replaces or removes a document; durable when this returns.
    ///
    /// # Errors
    /// The document that was there stands.
    pub fn set_document(
        &self,
        project: &str,
        logstore: &str,
        which: Document,
        document: Option<Value>,
    ) -> Result<(), CatalogError> {
        let _turn = lock(&self.catalog.changing);
        self.check_writer()?;
        let shard = self.find(project, logstore)?;
        let path = shard.dir().join(which.file());
        let mut sheet = lock(&shard.sheet);
        let written = match &document {
            Some(document) => file::replace(&path, document, &self.disk),
            None => self.disk.remove_for_good(&path),
        };
        written.map_err(StoreError::from)?;
        *sheet.document(which) = document;
        Ok(())
    }

    /// Makes the logstore `name` in `shards`, where it is not.
    pub(in crate::logstore) fn make(
        &self,
        shards: &mut BTreeMap<LogstoreName, Arc<Shard>>,
        name: LogstoreName,
        file: Option<LogstoreFile>,
    ) -> Result<Arc<Shard>, AppendError> {
        if shards.len() >= self.settings.logstores_max {
            return Err(AppendError::TooMany(shards.len()));
        }
        let next_file = self.catalog.next_file.load(Ordering::Relaxed);
        let medium = (self.disk.clone(), self.settings.compression);
        let shard = Shard::create(name.clone(), &self.settings.dir, medium, next_file, file)?;
        let shard = Arc::new(shard);
        shards.insert(name, Arc::clone(&shard));
        Ok(shard)
    }

    /// Removes the files of deleted logstores that no query reads any more.
    pub(in crate::logstore) fn clear_deleted(&self) {
        if lock(&self.catalog.remains).is_empty() {
            return;
        }
        let _turn = lock(&self.catalog.changing);
        self.clear();
    }

    /// The same for those who change something already.
    fn clear(&self) {
        let shards = self.shards_to_change();
        let live: BTreeSet<PathBuf> = shards
            .values()
            .map(|shard| shard.dir().to_owned())
            .collect();
        lock(&self.catalog.remains).retain(|remains| {
            if remains.is_read() {
                return true;
            }
            // Another of the same name has taken its place and its files over.
            if !live.contains(&remains.dir) {
                let project = remains.dir.parent().unwrap_or(&remains.dir);
                let cleared = deletion::clear_logstore(&remains.dir, &self.disk)
                    // One that is there holds its own file.
                    .and_then(|()| self.disk.remove_dir(project));
                note_debris(&remains.dir, cleared);
            }
            false
        });
    }

    /// Ends logstores whose deletion is durable.
    fn end(&self, endings: Vec<Ending<'_>>, shards: &mut Shards<'_>) {
        for ending in endings {
            shards.remove(ending.name());
            let (remains, next_file) = ending.end(&self.ledger);
            self.catalog
                .next_file
                .fetch_max(next_file, Ordering::Relaxed);
            lock(&self.catalog.remains).push(remains);
        }
    }

    pub(in crate::logstore) fn find(
        &self,
        project: &str,
        logstore: &str,
    ) -> Result<Arc<Shard>, CatalogError> {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        let name = LogstoreName::new(project, logstore).ok();
        let found = name.and_then(|name| shards.get(&name).cloned());
        let is_there = || shards.keys().any(|name| name.project() == project);
        match found {
            Some(shard) => Ok(shard),
            None if is_there() || lock(&self.catalog.projects).contains_key(project) => {
                Err(CatalogError::NoLogstore)
            }
            None => Err(CatalogError::NoProject),
        }
    }

    fn shards_to_change(&self) -> Shards<'_> {
        self.shards.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_writer(&self) -> Result<(), CatalogError> {
        match self.is_writer() {
            true => Ok(()),
            false => Err(CatalogError::ReadOnly),
        }
    }
}

impl From<AppendError> for CatalogError {
    /// Of making a logstore: the other kinds are of its rows.
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::TooMany(there) => Self::TooMany(there),
            AppendError::Name(error) => Self::Name(error),
            AppendError::Store(error) => Self::Store(error),
            AppendError::ReadOnly => Self::ReadOnly,
            AppendError::Full(_) | AppendError::TooLarge(_) | AppendError::Schema(_) => {
                Self::Store(StoreError::Io(std::io::Error::other(error.to_string())))
            }
        }
    }
}

fn info(shard: &Shard) -> LogstoreInfo {
    let sheet = lock(&shard.sheet);
    let options = sheet.file.as_ref().map(|file| LogstoreOptions {
        ttl_days: file.ttl_days,
        settings: file.settings.clone(),
    });
    LogstoreInfo {
        name: shard.name.clone(),
        options,
        created_s: sheet.created_s(),
        changed_s: sheet.changed_s(),
    }
}

/// What could not be removed takes space, and nothing else, until it can.
fn note_debris(dir: &std::path::Path, cleared: std::io::Result<()>) {
    if let Err(error) = cleared {
        tracing::warn!(path = %dir.display(), %error, "cannot remove all that was deleted: the next start does");
    }
}
