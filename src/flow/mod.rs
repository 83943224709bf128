//! The one internal model: [`FlowRecord`], its [`FlowKey`], and [`FlowBatch`],
//! the columns that leave a lane.

pub mod account;
#[cfg(feature = "journal")]
pub mod arrow;
pub mod batch;
pub mod export;
pub mod filter;
pub mod merge;
pub mod nsel;
pub mod plan;
pub mod record;
#[cfg(feature = "journal")]
pub mod schema;

pub use account::Amount;
#[cfg(feature = "journal")]
pub use arrow::{Names, RouteNames, SERIAL, from_ipc, serials, to_ipc};
pub use batch::FlowBatch;
pub use export::{
    Counters, ExportSettings, Lacks, Origin, Records, Report, ReportPart, RowEncoder, Unsent,
};
pub use filter::{Filter, FilterError, Subject, protocol_name};
pub use merge::{Merge, Overflow};
pub use nsel::{Nsel, NselSettings};
pub use plan::{Bare, Faults, Plan, PlanSettings};
pub use record::{
    Connection, DIRECTION_ABSENT, Detail, EXTRA_MAX, EndReason, Event, FlowKey, FlowRecord,
    Presence, RecordFlags,
};
#[cfg(feature = "journal")]
pub use schema::{COLUMNS, Column, Kind, SCHEMA_VERSION, VERSION_KEY, markdown, schema};
