//! Everything that needs the whole program, real peers or the source tree, in
//! one binary: linking the world again would cost more than these tests.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests may fail loudly"
)]

#[cfg(feature = "logstore")]
mod abuse;
mod activation;
mod at_rest;
mod bridge;
mod canary;
mod clients;
mod control;
mod corpus;
mod cycles;
mod disk;
mod ends;
mod export;
mod exporters;
mod generate;
#[cfg(feature = "logstore")]
mod https;
mod inventory;
mod journal;
mod ledger;
mod metrics;
mod mutation;
mod namespace;
mod openapi;
mod openvswitch;
mod peers;
#[cfg(feature = "logstore")]
mod queries;
mod relay;
mod resume;
mod sender;
#[cfg(feature = "logstore")]
mod signed;
mod support;
mod tidy;
mod top;
mod traffic;
mod venv;
