//! What is known of one logstore beside its rows.

use std::fs;
use std::fs::Metadata;
use std::path::Path;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::entries::Document;
use super::entries::LogstoreOptions;
use super::file;
use crate::logstore::disk::Disk;
use crate::logstore::error::OpenError;

/// The files of a logstore, as they are on disk.
#[derive(Clone, Debug, Default)]
pub(in crate::logstore) struct Sheet {
    /// When its directory was made, Unix seconds.
    made_s: i64,
    /// None if it came with its first rows.
    pub(in crate::logstore) file: Option<LogstoreFile>,
    index: Option<Value>,
    consumer_groups: Option<Value>,
}

/// `logstore.json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::logstore) struct LogstoreFile {
    pub(in crate::logstore) ttl_days: u32,
    pub(in crate::logstore) settings: Value,
    pub(in crate::logstore) created_s: i64,
    pub(in crate::logstore) changed_s: i64,
}

impl Sheet {
    /// Reads the files at `dir`; damaged ones are set aside if there is a disk
    /// to do it on.
    ///
    /// # Errors
    /// `Newer` if a later flowlogd wrote one, `Io` if one cannot be read.
    pub(in crate::logstore) fn read(dir: &Path, disk: Option<&Disk>) -> Result<Self, OpenError> {
        Ok(Self {
            made_s: made_s(dir),
            file: file::read(&dir.join(LOGSTORE), disk)?,
            index: file::read(&dir.join(Document::Index.file()), disk)?,
            consumer_groups: file::read(&dir.join(Document::ConsumerGroups.file()), disk)?,
        })
    }

    /// One that was just made at `dir`.
    pub(in crate::logstore) fn new(dir: &Path, file: Option<LogstoreFile>) -> Self {
        Self {
            made_s: made_s(dir),
            file,
            ..Self::default()
        }
    }

    pub(super) fn document(&mut self, which: Document) -> &mut Option<Value> {
        match which {
            Document::Index => &mut self.index,
            Document::ConsumerGroups => &mut self.consumer_groups,
        }
    }

    pub(super) fn created_s(&self) -> i64 {
        self.file
            .as_ref()
            .map_or(self.made_s, |file| file.created_s)
    }

    pub(super) fn changed_s(&self) -> i64 {
        self.file
            .as_ref()
            .map_or(self.made_s, |file| file.changed_s)
    }

    /// Days after which its rows go; none if nobody said.
    pub(in crate::logstore) fn ttl_days(&self) -> Option<u32> {
        let days = self.file.as_ref().map(|file| file.ttl_days);
        days.filter(|days| *days < LogstoreOptions::FOREVER_DAYS)
    }
}

impl LogstoreFile {
    /// Puts it where the logstore's directory is.
    pub(in crate::logstore) fn write(&self, dir: &Path, disk: &Disk) -> std::io::Result<()> {
        file::replace(&dir.join(LOGSTORE), self, disk)
    }
}

/// Files of the logstore at `dir`, there or not.
pub(super) fn files(dir: &Path) -> [PathBuf; 3] {
    [
        LOGSTORE,
        Document::Index.file(),
        Document::ConsumerGroups.file(),
    ]
    .map(|name| dir.join(name))
}

/// When a directory was made, or else last changed, Unix seconds; 0 where the
/// system does not tell.
pub(super) fn made_s(dir: &Path) -> i64 {
    let time = |data: Metadata| data.created().or_else(|_| data.modified()).ok();
    let made = fs::metadata(dir).ok().and_then(time);
    let since = made.and_then(|made| made.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}

/// File name of what a logstore was made with.
pub(super) const LOGSTORE: &str = "logstore.json";
