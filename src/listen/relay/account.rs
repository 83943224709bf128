//! What became of the datagrams for one destination, all lanes together.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Counters of one destination that only grow.
///
/// Lanes add to them once per batch; nothing is ever taken back, so that they
/// are those of the process's life, whatever is reloaded.
#[derive(Debug, Default)]
pub struct RelayAccount {
    sent: AtomicU64,
    octets: AtomicU64,
    unreachable: AtomicU64,
    dropped: [AtomicU64; RelayDrop::LABELS.len()],
}

/// What became of datagrams: each is sent or dropped for one reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RelayTotals {
    /// Datagrams the kernel took for sending.
    pub sent: u64,
    /// Their octets, without UDP and IP headers.
    pub octets: u64,
    /// Times a host said that nobody listens there: of one or several of the
    /// datagrams that were sent before.
    pub unreachable: u64,
    /// Datagrams dropped, by [`RelayDrop`].
    pub dropped: [u64; RelayDrop::LABELS.len()],
}

/// Why a datagram was not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RelayDrop {
    /// The socket or the network interface had no room.
    Full,
    /// No way there, or nobody there twice in a row.
    Unreachable,
    /// Longer than the network takes: for IPv4, or in one piece.
    TooLong,
    /// The name has no address that may be sent to, or not yet.
    Unresolved,
    /// The exporter's address is of another family than the destination's, so
    /// that no datagram can bear both.
    Family,
    /// The kernel said something else, such as what a firewall has it say.
    Other,
}

impl RelayDrop {
    /// The words for the reasons, in their order.
    pub const LABELS: [&'static str; 6] = [
        "full",
        "unreachable",
        "too-long",
        "unresolved",
        "family",
        "other",
    ];
}

impl RelayTotals {
    /// Notes datagrams that were not sent.
    pub(super) fn drop(&mut self, why: RelayDrop, datagrams: usize) {
        if let Some(count) = self.dropped.get_mut(why as usize) {
            *count += count_of(datagrams);
        }
    }

    /// Notes a datagram that was sent.
    pub(super) fn send(&mut self, octets: usize) {
        self.sent += 1;
        self.octets += count_of(octets);
    }
}

impl RelayAccount {
    /// What is in it now; each number is right, but not all of one moment.
    pub fn totals(&self) -> RelayTotals {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RelayTotals {
            sent: read(&self.sent),
            octets: read(&self.octets),
            unreachable: read(&self.unreachable),
            dropped: self.dropped.each_ref().map(read),
        }
    }

    /// Adds what became of one batch.
    pub(super) fn add(&self, totals: &RelayTotals) {
        let dropped = self.dropped.iter().zip(totals.dropped);
        let counts = [
            (&self.sent, totals.sent),
            (&self.octets, totals.octets),
            (&self.unreachable, totals.unreachable),
        ];
        for (count, more) in counts.into_iter().chain(dropped) {
            if more > 0 {
                count.fetch_add(more, Ordering::Relaxed);
            }
        }
    }
}

fn count_of(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}
