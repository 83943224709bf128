//! The one thread that takes rows from the exchange.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::daemon::clock::Monotonic;
use crate::daemon::exchange::Exchange;
use crate::daemon::ingest::{Ingest, Refusal};
use crate::daemon::losses::Place;
use crate::daemon::metrics;
use crate::flow::Amount;
use crate::telemetry::RateLimit;

/// How often it looks whether the exchange is closed when nothing arrives.
const PATIENCE: Duration = Duration::from_millis(200);

/// Moves batches from the exchange into the journal and the log store until the
/// exchange is closed and empty.
pub(super) fn write(exchange: &Exchange, ingest: &Ingest) {
    let mut complaints = Complaints::new();
    while !exchange.is_drained() {
        if let Some(parcel) = exchange.take(PATIENCE) {
            let began = Instant::now();
            let refusals = ingest.flows(parcel, exchange);
            metrics::settled(began.elapsed());
            for refusal in &refusals {
                complaints.complain(refusal);
                exchange.attribute(refusal.place, &refusal.exporters);
            }
        }
    }
}

/// What the log says of refused batches: a full disk refuses every one. The
/// ledger counts them all, the log names a few.
struct Complaints {
    limit: RateLimit<Place>,
    clock: Monotonic,
}

impl Complaints {
    fn new() -> Self {
        Self {
            limit: RateLimit::new(1),
            clock: Monotonic::start(),
        }
    }

    fn complain(&mut self, refusal: &Refusal) {
        let Some(unnamed) = self.limit.admit(refusal.place, self.clock.now_ms()) else {
            return;
        };
        let (records, error) = (refusal.amount.records, &refusal.why);
        let whose = Whose(&refusal.exporters);
        let place = refusal.place.words();
        tracing::error!(records, unnamed, %whose, %error, "the {place} refused flows");
    }
}

/// Exporters on one line, with their records; the first few.
struct Whose<'a>(&'a [(IpAddr, Amount)]);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (named, others) = self.0.split_at_checked(NAMED_MAX).unwrap_or((self.0, &[]));
        for (index, (exporter, amount)) in named.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{exporter}={}", amount.records)?;
        }
        match others.len() {
            0 => Ok(()),
            others => write!(f, " and {others} more"),
        }
    }
}

/// Exporters named in one line of the log.
const NAMED_MAX: usize = 5;

/// Starts the writer on its own thread.
///
/// # Errors
/// The system gives no thread.
pub(super) fn start(
    exchange: Arc<Exchange>,
    ingest: Arc<Ingest>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || write(&exchange, &ingest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_exporters_are_named() {
        let exporters: Vec<_> = (1..=7)
            .map(|last| {
                let amount = Amount {
                    records: u64::from(last),
                    ..Amount::default()
                };
                (IpAddr::from([192, 0, 2, last]), amount)
            })
            .collect();
        assert_eq!(Whose(&exporters[..1]).to_string(), "192.0.2.1=1");
        let line = Whose(&exporters).to_string();
        assert!(line.ends_with(" 192.0.2.5=5 and 2 more"), "{line}");
    }
}
