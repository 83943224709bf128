//! The loop that calls the rooms in order, and what surrounds it: threads,
//! hand-over, the loss ledger, reload and drain.
//!
//! ```text
//! worker (thread, sockets, clock)
//!   └─ lane: datagrams ─► batch
//!                           │ exchange, bounded in octets
//!                           ▼
//!    sender ◄─ journal ◄─ writer ─► log store ◄─ upkeep, merge
//!                 ▲
//!              committer
//! ```

mod answer;
mod apis;
mod backend;
mod clock;
mod cloud;
mod exchange;
mod exporters;
mod front;
mod http;
mod ingest;
mod ledger;
mod losses;
mod memory;
mod metrics;
mod register;
mod relay;
mod run;
mod secrets;
mod service;
mod settings;
mod snapshot;
mod start;
#[cfg(test)]
mod tests;
mod upkeep;
mod views;
mod watch;
mod worker;
mod writer;

pub(crate) use front::secret;
pub use register::joined_definition;
pub use run::{Daemon, run};
pub use secrets::secret_problems;
pub use settings::{DiskBudget, journal_directory, log_store_directory};
pub use start::{disk_budget, state_directory};
