//! `[http]`: metrics, health and the admin API.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;

use super::table::Table;

/// Where and how HTTP is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Http {
    /// TCP address; loopback, as there are no credentials.
    pub address: SocketAddr,
    /// Octets a request body may have.
    pub body_bytes_max: usize,
    /// Time a request may take.
    pub timeout: Duration,
    /// Exporters with metrics of their own; the others share one label.
    pub exporter_labels_max: usize,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT),
            body_bytes_max: BODY_BYTES_MAX,
            timeout: TIMEOUT,
            exporter_labels_max: EXPORTER_LABELS_MAX,
        }
    }
}

impl Http {
    pub(super) fn read(table: &mut Table<'_, '_>, query_timeout: Duration) -> Self {
        let default = Self::default();
        let http = Self {
            address: table
                .parsed("address", "write address:port, such as \"127.0.0.1:9994\"")
                .unwrap_or(default.address),
            body_bytes_max: table
                .integer("max-body-bytes", 1024..=64 << 20)
                .unwrap_or(default.body_bytes_max),
            timeout: table
                .seconds("timeout-s", 2..=7200)
                .unwrap_or(default.timeout),
            exporter_labels_max: table
                .integer("max-exporter-labels", 0..=10_000)
                .unwrap_or(default.exporter_labels_max),
        };
        if !http.address.ip().to_canonical().is_loopback() {
            let what = format!("others on the network can reach {}", http.address);
            let advice = "requests are not authenticated; use 127.0.0.1 or [::1], \
                          and a reverse proxy that asks for a password";
            table.refuse("address", what, advice);
        }
        if http.timeout <= query_timeout {
            let what = format!(
                "{} s end a request before its query",
                http.timeout.as_secs()
            );
            let advice = format!(
                "`logstore.query.timeout-s` is {}; allow more here",
                query_timeout.as_secs()
            );
            table.refuse("timeout-s", what, advice);
        }
        http
    }
}

/// Next to the port for flows.
const PORT: u16 = 9994;
/// Far more than any query text.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Five series each: with all others below 2 000, which no Prometheus minds.
const EXPORTER_LABELS_MAX: usize = 256;
/// Twice a query's.
const TIMEOUT: Duration = Duration::from_secs(60);
