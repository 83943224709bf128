//! Reading a body of bounded size, in bounded time.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};

/// Why there is no body.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Unread {
    /// It has more octets than are allowed.
    #[error("the body has {octets} octets or more, which is over {octets_max}")]
    TooLarge {
        /// As many as were seen or told of.
        octets: u64,
        /// As many as may be.
        octets_max: u64,
    },
    /// The connection broke within it.
    #[error("the body ended early")]
    Cut,
    /// It did not come in time.
    #[error("the body did not come in time")]
    Late,
}

/// Reads a whole body.
///
/// # Errors
/// It is larger than allowed, ends early or does not come.
pub(super) async fn read(
    body: Body,
    octets_max: usize,
    patience: Duration,
) -> Result<Bytes, Unread> {
    let read = tokio::time::timeout(patience, read_up_to(body, octets_max));
    read.await.unwrap_or(Err(Unread::Late))
}

async fn read_up_to(mut body: Body, octets_max: usize) -> Result<Bytes, Unread> {
    let too_large = |octets| Unread::TooLarge {
        octets,
        octets_max: octets_max as u64,
    };
    let told = body.size_hint().lower();
    if told > octets_max as u64 {
        return Err(too_large(told));
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Unread::Cut)?;
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
        let refusal = read(Body::from("123456"), 5, patience).await;
        let too_large = Unread::TooLarge {
            octets: 6,
            octets_max: 5,
        };
        assert_eq!(refusal, Err(too_large));
    }
}
