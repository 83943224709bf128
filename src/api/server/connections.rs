//! What became of connections.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection was closed that its client had not ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closed {
    /// The head of a request, or TLS before the first, did not come in time.
    Late,
    /// No other request came.
    Idle,
    /// The client took nothing of an answer.
    Stalled,
    /// Another needed its room, and nothing came on it.
    Displaced,
    /// There was no room for it: all others waited for answers.
    Full,
    /// It did not get beyond TLS.
    Handshake,
    /// What came was no request.
    Malformed,
}

impl Closed {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Late,
        Self::Idle,
        Self::Stalled,
        Self::Displaced,
        Self::Full,
        Self::Handshake,
        Self::Malformed,
    ];

    /// The word used in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Displaced => "displaced",
            Self::Full => "full",
            Self::Handshake => "handshake",
            Self::Malformed => "malformed",
        }
    }
}

/// Counts of the listener's connections, since the start.
#[derive(Debug, Default)]
pub struct Connections {
    accepted: AtomicU64,
    ended: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
    not_accepted: AtomicU64,
    certificates: [AtomicU64; 2],
}

impl Connections {
    /// Connections that were accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections that are open.
    pub fn open(&self) -> u64 {
        // In this order: more may have been accepted since, none ended.
        let ended = self.ended.load(Ordering::Acquire);
        self.accepted().saturating_sub(ended)
    }

    /// Connections closed for each reason.
    pub fn closed(&self) -> [(&'static str, u64); Closed::ALL.len()] {
        let mut counts = self.closed.iter();
        Closed::ALL.map(|why| {
            let count = counts.next().map(|count| count.load(Ordering::Relaxed));
            (why.label(), count.unwrap_or_default())
        })
    }

    /// Times that a connection could not be accepted.
    pub fn not_accepted(&self) -> u64 {
        self.not_accepted.load(Ordering::Relaxed)
    }

    /// Times that other certificate files were taken, and were not.
    pub fn certificates(&self) -> [u64; 2] {
        let [taken, refused] = &self.certificates;
        [taken, refused].map(|count| count.load(Ordering::Relaxed))
    }

    pub(super) fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.ended.fetch_add(1, Ordering::Release);
    }

    pub(super) fn close(&self, why: Closed) {
        let labels = Closed::ALL.iter().zip(&self.closed);
        for (_, count) in labels.filter(|(of, _)| **of == why) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn fail_to_accept(&self) {
        self.not_accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn look_at_certificate(&self, is_taken: bool) {
        let [taken, refused] = &self.certificates;
        let count = if is_taken { taken } else { refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_count_of_its_own() {
        let connections = Connections::default();
        for (index, why) in Closed::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| connections.close(why));
        }
        let counts = connections.closed().map(|(_, count)| count);
        assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn open_are_those_that_have_not_ended() {
        let connections = Connections::default();
        (0..3).for_each(|_| connections.accept());
        connections.end();
        assert_eq!((connections.accepted(), connections.open()), (3, 2));
    }
}
