//! The HTTP client: one request out, one judged answer or none in.

mod failure;
mod response;
mod transport;

use std::fmt;

use bytes::Bytes;
use bytes::BytesMut;
use reqwest::Method;

use super::request::SignedRequest;
use super::resolve::Resolver;
pub use failure::TransportError;
pub use response::Response;
pub use transport::BuildError;
pub use transport::{Transport, trusted};

/// Sends requests over kept connections; clones share them.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    transport: Transport,
    resolver: Resolver,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client without connections yet.
    ///
    /// # Errors
    /// When certificates or the proxy cannot be used.
    pub fn new(transport: &Transport) -> Result<Self, BuildError> {
        Self::resolving(transport, Resolver::system())
    }

    /// The same with another resolver.
    pub(super) fn resolving(transport: &Transport, resolver: Resolver) -> Result<Self, BuildError> {
        Ok(Self {
            http: transport.resolving_client(&resolver)?,
            transport: transport.clone(),
            resolver,
        })
    }

    /// Why the name that a URL is reached by does not resolve, while the
    /// addresses that worked last are used.
    pub fn unresolved(&self, url: &str) -> Option<String> {
        self.resolver.trouble(&self.transport.name(url)?)
    }

    /// Sends a request and reads its answer, up to [`Response::BODY_MAX`].
    ///
    /// # Errors
    /// When no answer came, or not all of it: nobody knows then whether the
    /// service has the rows.
    pub async fn send(&self, request: SignedRequest) -> Result<Response, TransportError> {
        let method = Method::from_bytes(request.method.as_bytes());
        let method = method.unwrap_or(Method::POST);
        let mut call = self.http.request(method, &request.url);
        for (name, value) in &request.headers {
            call = call.header(name.as_ref(), value.as_ref());
        }
        for (name, value) in &request.signature {
            call = call.header(*name, value);
        }
        let call = call.body(request.body);
        let mut answer = call.send().await.map_err(TransportError::of)?;
        let body = bounded_body(&mut answer, Response::BODY_MAX).await?;
        let read = Response::new(answer.status().as_u16(), answer.headers(), body);
        if let (Some(address), Some(_)) = (answer.remote_addr(), &read.request_id) {
            self.resolver.worked(address.ip());
        }
        Ok(read)
    }
}

/// Reads a body that may not be larger than `octets_max`.
pub(super) async fn bounded_body(
    answer: &mut reqwest::Response,
    octets_max: usize,
) -> Result<Bytes, TransportError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(TransportError::of)? {
        if body.len() + chunk.len() > octets_max {
            return Err(TransportError::TooLarge(octets_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
