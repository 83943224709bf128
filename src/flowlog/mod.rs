//! Flow logs, the inventory of devices, and the routing table they compile to.
//!
//! A [`Definition`] is what an operator wrote, or an API was told. It compiles
//! to a [`RoutingTable`], or to every [`Problem`] it has. The table says which
//! [`Route`]s the records of an exporter take; it is asked once per source and
//! the answer stays in every flow key, so that a change of the definition
//! never changes what an older flow belongs to.

mod change;
mod check;
mod claims;
mod cloud;
pub mod control;
mod destination;
#[cfg(feature = "journal")]
mod names;
mod netflow;
mod prefix;
mod resolved;
mod resource;
mod server;
mod sieve;
mod table;

pub use change::{Route, RouteId};
pub use check::Problem;
pub use cloud::{Attachment, AttachmentKind, Network, Router, RouterStatus, Traffic, Vpc};
pub use destination::{Refusal, refusal};
pub use netflow::{
    ExportedDomains, ExportedOrigin, ExportedSampling, MESSAGE_BYTES, MESSAGE_BYTES_DEFAULT,
    MESSAGES_PER_S_DEFAULT, NetflowOutput, NetflowTarget, NetflowVersion, OUTPUTS_MAX, Refresh,
    Transport,
};
pub use prefix::{Prefix, PrefixError};
pub use resolved::{Resolved, Trouble};
pub use resource::{
    ACTIVE_DEFAULT_S, ACTIVE_S, API_ACTIVE_S, API_INACTIVE_S, Card, Definition, Device, EXTRA_MAX,
    ExporterMatch, FlowLog, INACTIVE_DEFAULT_S, INACTIVE_S, Inactive, Naming, OutputType,
    ROUTES_MAX, Role, Support, Timers, Unclaimed,
};
pub use server::{NETFLOW_PORT, Server, ServerError, WithPortError};
pub use sieve::{Gate, Sieve};
pub use table::{RoutingTable, Verdict};

#[cfg(test)]
mod tests;
