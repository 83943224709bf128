//! Documents of others, kept in files like the store's own.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::logstore::OpenError;
use crate::logstore::catalog::file;
use crate::logstore::disk::Disk;

/// Reads the document in a file. One that is damaged is set aside as `….bad`
/// and counts as none.
///
/// # Errors
/// `Newer` if a later flowlogd wrote it, `Io` if it cannot be read.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, OpenError> {
    file::read(path, Some(&Disk::default()))
}

/// Reads the same and changes nothing: also beside the process whose it is.
///
/// # Errors
/// Those of [`read`].
pub fn look<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, OpenError> {
    file::read(path, None)
}

/// Puts a document into a file; durable once this returns.
///
/// # Errors
/// Those of the disk: the file then has the old document or the new one.
pub fn replace(path: &Path, document: &impl Serialize) -> io::Result<()> {
    file::replace(path, document, &Disk::default())
}
