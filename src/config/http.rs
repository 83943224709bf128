//! `[http]`: metrics, health and the admin API.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::signed;
use super::signed::Signed;
use super::table::Table;
use super::value::Value;

/// Where and how HTTP is served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Http {
    /// TCP address; loopback, as there are no credentials.
    pub address: SocketAddr,
    /// Octets a request body may have.
    pub body_bytes_max: usize,
    /// Time a request may take.
    pub timeout: Duration,
    /// Time for the head of a request.
    pub header_timeout: Duration,
    /// Connections open at once.
    pub connections_max: u32,
    /// Certificate and key in PEM; then only TLS is spoken.
    pub certificate: Option<Certificate>,
    /// The listener for others on the network, if there is one.
    pub signed: Option<Signed>,
    /// Exporters with metrics of their own; the others share one label.
    pub exporter_labels_max: usize,
}

/// Where a certificate and its key are.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Certificate {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT),
            body_bytes_max: BODY_BYTES_MAX,
            timeout: TIMEOUT,
            header_timeout: HEADER_TIMEOUT,
            connections_max: CONNECTIONS_MAX,
            certificate: None,
            signed: None,
            exporter_labels_max: EXPORTER_LABELS_MAX,
        }
    }
}

impl Http {
    /// Reads the section; `can_sign` says whether there is a key that a request
    /// can be signed with.
    pub(super) fn read(table: &mut Table<'_, '_>, query_timeout: Duration, can_sign: bool) -> Self {
        let default = Self::default();
        let address = table
            .parsed("address", "write address:port, such as \"127.0.0.1:9994\"")
            .unwrap_or(default.address);
        let http = Self {
            address,
            body_bytes_max: table
                .integer("max-body-bytes", 1024..=64 << 20)
                .unwrap_or(default.body_bytes_max),
            timeout: table
                .seconds("timeout-s", 2..=7200)
                .unwrap_or(default.timeout),
            header_timeout: table
                .seconds("header-timeout-s", 1..=60)
                .unwrap_or(default.header_timeout),
            connections_max: table
                .integer("max-connections", 1..=65_536)
                .unwrap_or(default.connections_max),
            certificate: certificate(table),
            signed: table
                .take("signed")
                .and_then(|value| value.read(|table| signed::read(table, can_sign, address))?),
            exporter_labels_max: table
                .integer("max-exporter-labels", 0..=10_000)
                .unwrap_or(default.exporter_labels_max),
        };
        if !http.address.ip().to_canonical().is_loopback() {
            let what = format!("others on the network can reach {}", http.address);
            let advice = "not all requests are signed here; use 127.0.0.1 or [::1], and [http.signed] \
                          for others on the network";
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

/// Reads the names of a certificate and its key.
pub(super) fn certificate(table: &mut Table<'_, '_>) -> Option<Certificate> {
    let files = [CERTIFICATE, KEY].map(|key| {
        let file = table.take(key);
        (file.is_some(), file.and_then(Value::path))
    });
    let missing = match &files {
        [(true, _), (false, _)] => Some(KEY),
        [(false, _), (true, _)] => Some(CERTIFICATE),
        _ => None,
    };
    if let Some(missing) = missing {
        let advice = "TLS takes a certificate and its key; name both, or neither";
        table.refuse(missing, "missing", advice);
    }
    let [(_, certificate_file), (_, key_file)] = files;
    Some(Certificate {
        certificate_file: certificate_file?,
        key_file: key_file?,
    })
}

const CERTIFICATE: &str = "certificate-file";
const KEY: &str = "key-file";
/// Next to the port for flows.
const PORT: u16 = 9994;
/// Far more than any query text.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Five series each: with all others below 2 000, which no Prometheus minds.
const EXPORTER_LABELS_MAX: usize = 256;
/// Twice a query's.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A head comes at once, but for lost packets.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Far more than the clients of one collector.
const CONNECTIONS_MAX: u32 = 1_024;
