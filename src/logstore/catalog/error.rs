//! Why a project or logstore cannot be changed.

use thiserror::Error;

use crate::logstore::error::StoreError;
use crate::logstore::name::NameError;

/// Why what was asked of a project or logstore was not done.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// No such project or logstore can be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no such project.
    #[error("there is no such project")]
    NoProject,
    /// There is no such logstore.
    #[error("there is no such logstore")]
    NoLogstore,
    /// More projects or logstores than the store may have.
    #[error("there are {0} already, the most there may be")]
    TooMany(usize),
    /// The store was opened for reading.
    #[error("the store was opened read-only")]
    ReadOnly,
    /// It could not be written; what was there before stands.
    #[error(transparent)]
    Store(#[from] StoreError),
}
