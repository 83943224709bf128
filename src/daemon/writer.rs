//! The one thread that writes to the log store.

use std::sync::Arc;
use std::time::Duration;

use crate::daemon::clock;
use crate::daemon::exchange::{Exchange, Outcome, Parcel};
use crate::flow::Amount;
use crate::logstore::LogStore;
use crate::logstore::Refused;

/// How often the log store is looked after when nothing arrives.
const PATIENCE: Duration = Duration::from_millis(200);

/// Moves batches from the exchange into the log store until the exchange is
/// closed and empty, then makes everything durable.
pub(super) fn write(exchange: &Exchange, store: &LogStore) {
    while !exchange.is_drained() {
        if let Some(parcel) = exchange.take(PATIENCE) {
            settle(exchange, store, parcel);
        }
        store.maintain(clock::unix_ms());
    }
    if let Err(error) = store.flush() {
        tracing::error!(%error, "the last flows could not be written and are lost");
    }
}

/// Moves one batch and books where it ended.
fn settle(exchange: &Exchange, store: &LogStore, parcel: Parcel) {
    let amount = parcel.amount;
    let taken = store.append(parcel.batch, &parcel.routes, clock::unix_ms());
    let refused = match taken {
        Ok(()) => Amount::default(),
        Err(Refused { amount, error }) => {
            tracing::error!(records = amount.records, %error, "the log store refused flows");
            amount
        }
    };
    exchange.settle(amount - refused, Outcome::Kept);
    exchange.settle(refused, Outcome::Refused);
}

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
