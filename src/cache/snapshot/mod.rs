//! The flows of a cache as octets, and back after an unclean end.
//!
//! ```text
//! snapshot = version:2 piece* 0 flows
//! piece    = 1 lane flow*         names and sources are each piece's own
//! flow     = 2 serial name source ages record detail
//! ```
//!
//! Numbers are LEB128; a name or source is defined where it occurs first.
//!
//! # What a snapshot has
//!
//! A [`Walk`] looks at each slot once, a bounded number per call, while the
//! cache goes on. A flow keeps its slot as long as it lives, so every flow that
//! was there when the walk began and is there when the walk comes by is in the
//! snapshot once, as it was at that moment. What a flow merged afterwards is
//! not. A flow that left before the walk came by is not in it: its row is on
//! its way out. A flow that began meanwhile is in it or not.
//!
//! # What is resumed
//!
//! Rows carry the serials of their flows. Whoever resumes drops the flows whose
//! serial stands in a row journaled since the walk began: each flow is either
//! in a row or resumed, never both. A resumed flow keeps its serial, so that the
//! same snapshot may be resumed again after a second unclean end; new serials
//! begin above the snapshot's ([`Snapshot::serials_end`]).

mod octets;
mod read;
mod resume;
mod write;

pub use read::{Damage, Snapshot};
pub use write::Walk;

use std::net::IpAddr;

use crate::flow::Detail;
use crate::flow::FlowRecord;
use crate::session::SourceId;

/// What a route is called in every run; its id is of one run only.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct RouteName<'a> {
    /// Flow log.
    pub flow_log: &'a str,
    /// Gateway.
    pub instance_id: Option<&'a str>,
}

/// Tells what the ids in keys stand for; asked once per id and piece.
pub trait FlowNames {
    /// The name of a route, retired ones too.
    fn route(&self, route: u16) -> Option<RouteName<'_>>;

    /// Exporter and Observation Domain of a source.
    fn source(&self, source: SourceId) -> Option<(IpAddr, u32)>;
}

/// A flow of an earlier run.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenFlow<'a> {
    /// Its own number; never 0.
    pub serial: u64,
    /// Cache it was in, from 0.
    pub lane: u32,
    /// Route it took.
    pub route: RouteName<'a>,
    /// Exporter and Observation Domain.
    pub source: (IpAddr, u32),
    /// How long before the snapshot its first record came, in ms.
    pub first_age_ms: u64,
    /// The same of its last record.
    pub last_age_ms: u64,
    /// Key and values; route and source of the key are 0.
    pub record: FlowRecord,
    /// What few flows have; never `connection`, which is of single records.
    pub detail: Option<Detail>,
}

/// Version of the form. Another one is refused: a key may have meant something else.
const VERSION: u16 = 2;
/// Ends a snapshot.
const END: u8 = 0;
/// Begins a piece.
const PIECE: u8 = 1;
/// Begins a flow.
const FLOW: u8 = 2;
