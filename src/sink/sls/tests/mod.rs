//! Bodies, and the client against a scripted server on loopback.

mod bodies;
mod faults;
mod secrets;
mod sender;
pub(super) mod server;
mod tls;

use std::time::Duration;

use bytes::Bytes;

use super::Body;
use super::Client;
use super::Endpoint;
use super::Place;
use super::Request;
use super::Response;
use super::Route;
use super::Transport;
use super::TransportError;
use super::credentials::Credentials;
use super::sign::Scheme;

/// 2026-11-21T12:00:00Z, our clock in these tests.
const NOON: u64 = 1_795_262_400;

fn credentials() -> Credentials {
    Credentials::new("LTAIfake", "fakeSecret", None)
}

/// Timeouts that a test can wait for.
pub(super) fn hasty() -> Transport {
    Transport {
        connect_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_millis(300),
        total_timeout: Duration::from_millis(900),
        ..Transport::default()
    }
}

/// A PutLogs of some rows, whose numbers are the body.
pub(super) fn put(endpoint: &str, rows: impl Iterator<Item = u32>) -> Request {
    let endpoint = Endpoint::new(endpoint, None).unwrap();
    let place = Place::new(endpoint, "flow-proj").unwrap();
    let octets: Bytes = rows.flat_map(u32::to_be_bytes).collect();
    let body = Body {
        raw_size: octets.len(),
        octets,
        compression: None,
    };
    Request::put_logs(&place, "flows", Route::Balanced, body)
}

pub(super) async fn send(client: &Client, request: &Request) -> Result<Response, TransportError> {
    let scheme = Scheme::of_region(Some("cn-hangzhou"));
    client
        .send(request.signed(&scheme, &credentials(), NOON))
        .await
}
