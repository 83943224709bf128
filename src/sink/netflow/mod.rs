//! Re-export of flows to other collectors, as NetFlow v5, v9 or IPFIX.
//!
//! 1. [`Exports`] hands the rows of a batch to the collectors of their flow
//!    logs, each of which has a bounded `inbox` and a thread of its own: best
//!    effort, from memory, never from the journal.
//! 2. The `collector` lets filters choose, and adds rows to its [`Stream`]:
//!    messages with their Templates, options and sequence numbers.
//! 3. A `pace` lets the messages go, a `link` carries them, over UDP or TCP.
//!
//! `stream` and `pace` are pure: their time is an argument.

mod collector;
mod exports;
mod inbox;
mod link;
mod pace;
mod resolve;
mod settings;
mod stream;
mod tally;

pub use exports::{CollectorReading, Exports, ExportsReading, Offered};
pub use settings::ExportsSettings;
pub use stream::{Account, Message, Moment, RefreshEvery, Refused, Stream, StreamSettings};
pub use tally::Tally;
