//! Sockets → datagrams.
//!
//! [`bind`] opens one UDP socket per port and lane, [`adopt`] takes those a
//! service manager passed. Each lane owns its [`LaneSockets`], a blocking poll
//! set, on its own thread: [`LaneSockets::receive`] waits for datagrams, for a
//! [`Waker`] or for a timeout, whichever comes first. Each lane's [`Relay`]
//! sends copies of what came to other collectors; [`send_datagrams`] sends what
//! was made here.
//!
//! * All datagrams of an exporter are received by the same lane, whatever
//!   their source port: a classic BPF program in the kernel sees to it.
//! * Nothing is dropped uncounted: what the kernel drops for want of buffer is
//!   read from the socket, what is longer than a slot of the arena is counted.
//! * Receiving neither allocates nor copies; a [`Datagram`] borrows the arena.
//! * A transient error of a socket is counted and survived.

mod batch;
mod buffer;
mod envelope;
mod lane;
mod lookup;
mod nap;
mod own;
mod pin;
mod relay;
mod send;
mod socket;
mod steer;

pub use batch::nice;
pub use lane::Datagram;
pub use lane::LaneSockets;
pub use lane::Received;
pub use lane::SocketStats;
pub use lane::Waker;
pub use lookup::Looking;
pub use lookup::Lookup;
pub use lookup::System;
pub use own::Own;
pub use pin::may_run_on;
pub use pin::pin;
pub use relay::RELAY_TARGETS_MAX;
pub use relay::Relay;
pub use relay::RelayAccount;
pub use relay::RelayDrop;
pub use relay::RelayRule;
pub use relay::RelayTable;
pub use relay::RelayTotals;
pub use relay::may_spoof;
pub use relay::put_packet;
pub use send::SEND_MAX;
pub use send::send_datagrams;
pub use socket::BindError;
pub use socket::Bound;
pub use socket::DATAGRAM_BYTES_MAX;
pub use socket::PORTS_MAX;
pub use socket::Settings;
pub use socket::Warning;
pub use socket::adopt;
pub use socket::bind;
pub use socket::passed;

#[cfg(test)]
mod tests;
