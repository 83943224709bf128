//! The one thread that puts rows into the log store.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::daemon::clock::{self, Monotonic};
use crate::daemon::exchange::{Exchange, Outcome, Parcel};
use crate::daemon::losses::Place;
use crate::daemon::metrics;
use crate::flow::Amount;
use crate::logstore::LogStore;
use crate::logstore::Refused;
use crate::telemetry::RateLimit;

/// How often it looks whether the exchange is closed when nothing arrives.
const PATIENCE: Duration = Duration::from_millis(200);

/// Moves batches from the exchange into the log store until the exchange is
/// closed and empty, then makes everything durable.
pub(super) fn write(exchange: &Exchange, store: &LogStore) {
    let mut complaints = Complaints::new();
    while !exchange.is_drained() {
        if let Some(parcel) = exchange.take(PATIENCE) {
            settle(exchange, store, parcel, &mut complaints);
        }
    }
    if let Err(error) = store.flush() {
        tracing::error!(%error, "the last flows could not be written and are lost");
    }
}

/// Moves one batch and books where it ended.
fn settle(exchange: &Exchange, store: &LogStore, parcel: Parcel, complaints: &mut Complaints) {
    let amount = parcel.amount;
    let began = Instant::now();
    let taken = store.append(parcel.batch, &parcel.routes, clock::unix_ms());
    metrics::settled(began.elapsed());
    let refused = match taken {
        Ok(()) => Amount::default(),
        Err(refused) => {
            complaints.complain(&refused);
            exchange.attribute(Place::LogStore, &refused.exporters);
            refused.amount
        }
    };
    exchange.settle(amount - refused, Outcome::Kept);
    exchange.settle(refused, Outcome::Refused);
}

/// What the log says of refused batches: a full disk refuses every one. The
/// ledger counts them all, the log names a few.
struct Complaints {
    limit: RateLimit<()>,
    clock: Monotonic,
}

impl Complaints {
    fn new() -> Self {
        Self {
            limit: RateLimit::new(1),
            clock: Monotonic::start(),
        }
    }

    fn complain(&mut self, refused: &Refused) {
        let Some(unnamed) = self.limit.admit((), self.clock.now_ms()) else {
            return;
        };
        let Refused {
            amount,
            exporters,
            error,
        } = refused;
        let whose = Whose(exporters);
        tracing::error!(records = amount.records, unnamed, %whose, %error, "the log store refused flows");
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
    store: Arc<LogStore>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || write(&exchange, &store))
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
