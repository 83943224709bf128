//! Delivery to Alibaba Cloud Simple Log Service (SLS) through PutLogs.
//!
//! The delivering half: a [`Request`] is signed ([`sign`]) with
//! [`credentials`] at a time [`Skew`] corrects, sent by the [`Client`] when
//! [`Limiters`] and [`Drain`] let it, and its [`Response`] judged ([`verdict`](verdict())).
//! [`Delivery`] says what happens next to the rows of a batch; what the service
//! never takes ends in the [`DeadLetters`] file.
//!
//! `sign`, `verdict`, `pace`, `skew` and `delivery` are pure: time and random
//! numbers are arguments. Every value an outcome depends on is one of theirs.

pub mod credentials;
pub mod sign;

mod client;
mod dead_letter;
mod delivery;
mod pace;
mod request;
mod skew;
mod verdict;

#[cfg(test)]
mod tests;

pub use client::BuildError;
pub use client::Client;
pub use client::Response;
pub use client::Transport;
pub use client::TransportError;
pub use dead_letter::DeadLetter;
pub use dead_letter::DeadLetterError;
pub use dead_letter::DeadLetters;
pub use dead_letter::DeadLettersFound;
pub use delivery::Action;
pub use delivery::Delivery;
pub use delivery::Outcome;
pub use delivery::Patience;
pub use delivery::Piece;
pub use delivery::Why;
pub use pace::Aimd;
pub use pace::Backoff;
pub use pace::Drain;
pub use pace::Feedback;
pub use pace::Limiters;
pub use pace::Permit;
pub use request::Body;
pub use request::Endpoint;
pub use request::EndpointError;
pub use request::Place;
pub use request::Request;
pub use request::Route;
pub use request::SignedRequest;
pub use skew::Skew;
pub use verdict::Hold;
pub use verdict::Scope;
pub use verdict::Verdict;
pub use verdict::verdict;
