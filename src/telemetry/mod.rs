//! Log and metric set-up.
//!
//! [`install_log`] and [`Metrics::install`] are called once, by the daemon,
//! before anything that logs or counts. What an exporter sent enters a log
//! only through [`escape`], and what repeats only through a [`RateLimit`].

mod family;
mod limit;
mod logging;
mod metrics;
mod process;

pub use family::{Family, Kind, Text};
pub use limit::RateLimit;
pub use logging::Format;
pub use logging::LogError;
pub use logging::LogSettings;
pub use logging::escape;
pub use logging::install as install_log;
pub use metrics::Metrics;
