//! flowlogd receives NetFlow v5, NetFlow v9 and IPFIX from any vendor's
//! exporter, merges and ages the flows, delivers them to Alibaba Cloud Log
//! Service, keeps them in an embedded log store and answers questions about
//! them, in the log service's own API too.
//!
//! # The way of a datagram
//!
//! 1. [`listen`] takes it from a socket and stamps it with time and sender.
//! 2. [`wire`] turns its octets into a Message of Sets.
//! 3. [`session`] knows the sender: its Templates, options, sampling, sequence
//!    and clock.
//! 4. [`flow`] turns each Data Record into the one [`flow::FlowRecord`], named
//!    by its Information Elements ([`element`]).
//! 5. [`flowlog`] says to which flow logs the exporter belongs.
//! 6. [`cache`] merges and ages flows; what leaves it fills a
//!    [`flow::FlowBatch`].
//! 7. [`journal`] numbers the rows and keeps them on disk until each destination
//!    has its own.
//! 8. [`logstore`] keeps every routed row and answers queries; [`sink`] takes
//!    rows to the cloud, and flows to other collectors.
//!
//! A [`lane`] does 2 to 6; [`daemon`] gives lanes threads, sockets and clocks,
//! and what they hand over to 7. [`api`] stands before all of it, [`api::sls`]
//! as the log service itself would.
//!
//! # What never happens
//!
//! * `element`, `wire`, `session`, `flow`, `cache` and `flowlog` perform no
//!   I/O, spawn nothing, log nothing and never read a clock.
//! * No byte from the network can panic the process or grow memory beyond a
//!   configured limit.
//! * Nothing is dropped without being counted, by place and by reason.
//! * Code after `session` cannot tell which protocol a record arrived in.

pub mod api;
pub mod cache;
pub mod cli;
pub mod config;
#[cfg(feature = "logstore")]
pub mod daemon;
pub mod element;
pub mod flow;
pub mod flowlog;
#[cfg(feature = "journal")]
pub mod journal;
pub mod lane;
pub mod listen;
#[cfg(feature = "logstore")]
pub mod logstore;
pub mod session;
#[cfg(feature = "journal")]
pub mod sink;
pub mod telemetry;
pub mod wire;
