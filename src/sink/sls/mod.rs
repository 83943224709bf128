//! Delivery to Alibaba Cloud Simple Log Service (SLS) through PutLogs.
//!
//! 1. [`LogGroupWriter`] writes rows as the Logs of a LogGroup, a [`Batcher`]
//!    collects them to [`Batch`]es that a request carries, a [`Compressor`]
//!    makes them small.
//! 2. A [`Request`] is signed ([`sign`]) with credentials ([`Keeper`]) at a time [`Skew`]
//!    corrects, sent by the [`Client`] when [`Limiters`] and [`Drain`] let it,
//!    and its [`Response`] judged ([`verdict`](verdict())).
//! 3. [`Delivery`] says what happens next to the rows of a batch; what the
//!    service never takes ends in the [`DeadLetters`] file.
//!
//! [`Sender`] drives them all: from the rows of the journal to their
//! acknowledgement.
//!
//! Only `client`, `credentials`, `dead_letter`, `resolve` and `send` wait, ask or
//! write: time and random numbers are arguments of all others.

pub mod sign;

mod batch;
mod client;
mod compress;
mod credentials;
mod dead_letter;
mod delivery;
mod encode;
mod index;
mod pace;
mod pack;
mod proto;
mod request;
mod resolve;
mod send;
mod skew;
mod verdict;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use batch::{Batch, BatchKey, Batcher, Limits};
pub use client::{BuildError, Client, Response, Transport, TransportError, trusted};
pub use compress::{CompressError, Compression, Compressor, DecompressError, decompress};
pub use credentials::{
    Chain, Credentials, CredentialsError, Environment, Fetcher, Keeper, Origin, Secret,
    key_file_problem,
};
pub use dead_letter::{DeadLetter, DeadLetterError, DeadLetters, DeadLettersFound};
pub use delivery::{Action, Delivery, Outcome, Patience, Piece, Why};
pub use encode::{
    FieldChoice, FlowRows, GroupHeader, LogGroupWriter, TimeWindow, Unfit, UnknownField, Written,
};
pub use index::index;
pub use pace::{Aimd, Backoff, Drain, Feedback, Limiters, Permit};
pub use pack::{PackId, PackIds, shard_hash};
pub use proto::{Content, Log, LogGroup, LogGroupList, LogTag};
pub use request::{Body, Endpoint, EndpointError, Place, Request, Route, SignedRequest};
pub use send::{
    Destination, DestinationNameError, Directory, Order, OutletStats, Sender, SenderSettings,
    ShardHash, StartError, Trouble, Unroutable, Way,
};
pub use sign::Scheme;
pub use skew::Skew;
pub use verdict::{Hold, Scope, Verdict, verdict};

/// Octets of a LogGroup before compression; the service refuses 10 MiB.
pub const GROUP_BYTES_MAX: usize = 8 << 20;
/// Octets of one Log; contents that do not fit any more are left out.
pub const LOG_BYTES_MAX: usize = 4 << 20;
/// Octets of one value; what is longer is cut. SLS recommends 1 MB.
pub const VALUE_BYTES_MAX: usize = 1_000_000;
