//! The embedded log store: projects and logstores as Parquet files that any
//! tool reads, a hot tail in memory, and SQL over both.
//!
//! ```text
//! DIR/LOCK                              one flowlogd per store
//! DIR/PROJECT/LOGSTORE/MANIFEST         which parts are live
//! DIR/PROJECT/LOGSTORE/parts/*.parquet  immutable, one hour of arrival each
//! DIR/PROJECT/[LOGSTORE/]*.json         what is known beside the rows
//! ```
//!
//! Start at [`LogStore`].
//!
//! # Invariants
//!
//! * A row has a `seq`, given by whoever brings it and rising within its
//!   logstore, not without gaps; tail, parts and merged parts keep the rows in
//!   `seq` order, and a part never crosses an hour of arrival, nor has it rows
//!   that two journals numbered.
//! * A row below the logstore's next number is never taken again, and what
//!   MANIFEST says of that number never goes back: replay is idempotent.
//! * A field of a row is in one place: in its typed column if that writes it
//!   back octet for octet, else in `rest`.
//! * Replacing MANIFEST is the only commit point of flush, merge and
//!   retirement. A file it does not name does not exist; a file a query reads
//!   goes when the query is done.
//! * `appended = durable + unflushed + discarded` at every reading of [`Stats`].
//! * Nothing found on disk stops the start, except a format newer than ours.

mod amount;
mod aside;
mod budget;
mod catalog;
mod compact;
mod crc;
mod directory_lock;
mod disk;
mod encoding;
mod error;
#[cfg(test)]
mod faults;
mod fit;
mod flows;
mod ledger;
mod logs;
mod manifest;
mod name;
mod numbering;
mod own;
mod part;
pub mod query;
mod reading;
mod recover;
mod retain;
mod schema;
mod settings;
mod shard;
mod store;
mod tail;
#[cfg(test)]
mod tests;
mod upkeep;

pub use amount::amount_of;
pub use amount::amounts_by_exporter;
pub use budget::default_budget;
pub use budget::room;
pub use catalog::CatalogError;
pub use catalog::Document;
pub use catalog::LogstoreInfo;
pub use catalog::LogstoreOptions;
pub use catalog::ProjectInfo;
pub use catalog::document;
pub use encoding::Compression;
pub use error::AppendError;
pub use error::OpenError;
pub use error::StoreError;
pub use ledger::Stats;
pub use logs::Log;
pub use logs::Logs;
pub use name::LogstoreName;
pub use name::NameError;
pub use own::markdown;
pub use query::Answer;
pub use query::Limits;
pub use query::Query;
pub use query::QueryError;
pub use query::QueryErrorKind;
pub use query::search;
pub use reading::Row;
pub use reading::Rows;
pub use schema::SCHEMA_VERSION;
pub use schema::SchemaError;
pub use settings::Settings;
pub use store::LogStore;
pub use store::PartInfo;
