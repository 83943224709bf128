//! The sender: rows of the journal to Logstores, each acknowledged when it is
//! there.
//!
//! ```text
//! journal ─► Outlet (one per destination) ─► Courier (one per batch) ─► service
//!            Course    which rows            Delivery   what next
//!            Collector rows to batches       Permit     how many at a time
//! ```
//!
//! # Invariants
//!
//! * A row is acknowledged when the service took it or it is in the dead-letter
//!   file, and not before; what is neither stays in the journal.
//! * Of one shard hash there is one request at a time.
//! * No row is in two requests at a time; it is sent again only if its request
//!   failed or nobody knows.
//! * Memory holds what the settings allow, and two frames more. A destination
//!   in trouble holds none and asks with one request at a time, after waits that
//!   grow: it costs others nothing.
//! * Keys, endpoints and fields are looked up for each batch.

mod budget;
mod clock;
mod collect;
mod courier;
mod course;
mod create;
mod destination;
mod directory;
mod group;
mod outlet;
mod read;
mod sender;
mod settings;
mod shared;
mod stats;

#[cfg(test)]
pub(super) use clock::Clock;
pub use destination::Destination;
pub use destination::DestinationNameError;
pub use directory::Directory;
pub use directory::Unroutable;
pub use directory::Way;
pub use sender::Sender;
pub use sender::StartError;
pub use settings::Order;
pub use settings::SenderSettings;
pub use settings::ShardHash;
pub use stats::OutletStats;
pub use stats::Trouble;
