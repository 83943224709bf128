//! Reading a body of bounded size, in bounded time.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};

use super::Failure;

/// Reads a whole body.
///
/// # Errors
/// It is larger than allowed, ends early or does not come.
pub(super) async fn read(
    body: Body,
    octets_max: usize,
    patience: Duration,
) -> Result<Bytes, Failure> {
    let read = tokio::time::timeout(patience, read_up_to(body, octets_max));
    read.await.unwrap_or_else(|_| {
        let message = "the body did not come in time";
        let status = StatusCode::REQUEST_TIMEOUT;
        Err(Failure::new(status, "RequestBodyTimeout", message))
    })
}

async fn read_up_to(mut body: Body, octets_max: usize) -> Result<Bytes, Failure> {
    let too_large = |octets: u64| Failure::too_large(octets, octets_max as u64);
    let told = body.size_hint().lower();
    if told > octets_max as u64 {
        return Err(too_large(told));
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Failure::bad("PostBodyInvalid", "the body ended early"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let octets = whole.len() + data.len();
        if octets > octets_max {
            return Err(too_large(octets as u64));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_may_be_as_large_as_allowed_and_no_larger() {
        let patience = Duration::from_secs(5);
        let whole = read(Body::from("12345"), 5, patience).await;
        assert_eq!(whole.unwrap(), "12345");
        let refusal = read(Body::from("123456"), 5, patience).await.unwrap_err();
        assert_eq!(refusal, Failure::too_large(6, 5));
    }
}
