//! What is known of projects and logstores beside their rows: who asked for
//! them and how, and the documents kept with them.
//!
//! ```text
//! DIR/PROJECT/project.json
//! DIR/PROJECT/LOGSTORE/logstore.json, index.json, consumer-groups.json
//! DIR/PROJECT/DELETED, DIR/PROJECT/LOGSTORE/DELETED
//! ```
//!
//! A logstore that came with its first rows has none of these files, and is
//! there all the same. Every change is durable before its call returns.

mod changes;
mod deletion;
pub mod document;
mod entries;
mod error;
mod file;
mod sheet;

pub use entries::Document;
pub use entries::LogstoreInfo;
pub use entries::LogstoreOptions;
pub use entries::ProjectInfo;
pub use error::CatalogError;

pub(super) use deletion::Remains;
pub(super) use deletion::is_deleted;
pub(super) use deletion::revive_logstore;
pub(super) use deletion::revive_project;
pub(super) use deletion::sweep;
pub(super) use deletion::unmark;
pub(super) use entries::Catalog;
pub(super) use entries::look;
pub(super) use entries::read_projects;
pub(super) use sheet::LogstoreFile;
pub(super) use sheet::Sheet;
