//! The HTTP client: one request out, one judged answer or none in.

use std::error::Error as StdError;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use jiff::fmt::rfc2822;
use reqwest::Certificate;
use reqwest::Method;
use reqwest::Proxy;
use reqwest::Url;
use reqwest::header::HeaderMap;
use reqwest::redirect;
use serde::Deserialize;
use thiserror::Error;

use super::request::SignedRequest;
use super::resolve::Resolver;
use super::verdict::Hold;
use super::verdict::Verdict;
use super::verdict::verdict;

/// How the client reaches its endpoints.
///
/// Proxies of the environment (`http_proxy` and its like) are not used: a
/// daemon's traffic must not move when somebody's shell profile does. A proxy
/// is used when it stands here. Redirects are never followed.
#[derive(Clone, Debug)]
pub struct Transport {
    /// For name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// For the next octets of an answer.
    pub idle_timeout: Duration,
    /// For a whole request with its answer.
    pub total_timeout: Duration,
    /// How long an unused connection is kept.
    pub keep_alive: Duration,
    /// Proxy for all requests, `http://host:port`.
    pub proxy: Option<String>,
    /// Certificates in PEM to be trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for Transport {
    /// 5 s, 15 s and 60 s; 8 MiB pass a line of 2 Mbit/s within the last.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(15),
            total_timeout: Duration::from_secs(60),
            keep_alive: Duration::from_secs(30),
            proxy: None,
            ca_file: None,
        }
    }
}

impl Transport {
    /// A client that resolves names as the system does.
    pub(super) fn client(&self) -> Result<reqwest::Client, BuildError> {
        Self::built(|| self.builder())
    }

    /// The same with names resolved in our own way.
    fn resolving_client(&self, resolver: &Resolver) -> Result<reqwest::Client, BuildError> {
        Self::built(|| Ok(self.builder()?.dns_resolver(resolver.clone())))
    }

    fn built(
        builder: impl Fn() -> Result<reqwest::ClientBuilder, BuildError>,
    ) -> Result<reqwest::Client, BuildError> {
        // A host without any certificates still speaks to plain HTTP; TLS then
        // trusts nobody, and its errors say so.
        builder()?.build().or_else(|_| {
            let trusts_nobody = builder()?.tls_certs_only([]);
            trusts_nobody.build().map_err(BuildError::Client)
        })
    }

    /// The name that is connected to for a request to this URL; none if it is
    /// an address.
    fn name(&self, url: &str) -> Option<String> {
        let url = Url::parse(self.proxy.as_deref().unwrap_or(url)).ok()?;
        url.domain().map(str::to_owned)
    }

    fn builder(&self) -> Result<reqwest::ClientBuilder, BuildError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.idle_timeout)
            .timeout(self.total_timeout)
            .pool_idle_timeout(self.keep_alive)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .user_agent(AGENT);
        if let Some(path) = &self.ca_file {
            builder = builder.tls_certs_merge(trusted(path)?);
        }
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(Proxy::all(proxy).map_err(BuildError::Proxy)?);
        }
        Ok(builder)
    }
}

fn trusted(path: &PathBuf) -> Result<Vec<Certificate>, BuildError> {
    let unreadable = |source| BuildError::CaFile {
        path: path.clone(),
        source,
    };
    let pem = fs::read(path).map_err(unreadable)?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|_| NO_CERTIFICATE);
    found
        .and_then(|found| match found.is_empty() {
            true => Err(NO_CERTIFICATE),
            false => Ok(found),
        })
        .map_err(|problem| unreadable(io::Error::new(io::ErrorKind::InvalidData, problem)))
}

const NO_CERTIFICATE: &str = "holds no certificate in PEM";

/// Why there is no client.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The file of certificates cannot be used.
    #[error("certificates of {}: {source}", path.display())]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The proxy is no URL.
    #[error("proxy: {0}")]
    Proxy(reqwest::Error),
    /// The client could not be set up.
    #[error("HTTP client: {0}")]
    Client(reqwest::Error),
}

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

/// A whole answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `errorCode`, printable ASCII, if there is one.
    pub error_code: Option<String>,
    /// `errorMessage`; otherwise the beginning of the body of a failure.
    pub message: String,
    /// `x-log-time`, else `Date`: the service's clock, in seconds since 1970.
    pub server_unix_s: Option<u64>,
    /// `x-log-requestid`, which every answer of the service has.
    pub request_id: Option<String>,
    /// When it wants to be asked again.
    pub retry_after: Option<Duration>,
    /// The body as it came.
    pub body: Bytes,
}

impl Response {
    /// How large an answer may be, in octets: PutLogs answers with nothing.
    pub const BODY_MAX: usize = 1 << 20;

    /// What it means for the rows.
    ///
    /// Success without a request id is not the service's: a portal or proxy
    /// that says yes to everything would make rows disappear.
    pub fn verdict(&self) -> Verdict {
        if self.status == 200 && self.request_id.is_none() {
            return Verdict::Hold(Hold::NotTheService);
        }
        verdict(self.status, self.error_code.as_deref(), &self.message)
    }

    fn new(status: u16, headers: &HeaderMap, body: Bytes) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let date = text("date").and_then(unix_s);
        let log_time = text("x-log-time").and_then(|time| time.trim().parse().ok());
        let error = serde_json::from_slice::<ErrorBody>(&body).unwrap_or_default();
        let is_failure = !(200..300).contains(&status);
        let said = error.message.unwrap_or_else(|| match is_failure {
            true => String::from_utf8_lossy(&body)
                .chars()
                .take(MESSAGE_MAX)
                .collect(),
            false => String::new(),
        });
        Self {
            status,
            error_code: error.code.map(|code| printable(&code, CODE_MAX)),
            message: printable(&said, MESSAGE_MAX),
            server_unix_s: log_time.or(date),
            request_id: text("x-log-requestid").map(|id| printable(id, CODE_MAX)),
            retry_after: text("retry-after").and_then(|wish| wait(wish, date)),
            body,
        }
    }
}

#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(rename = "errorCode")]
    code: Option<String>,
    #[serde(rename = "errorMessage")]
    message: Option<String>,
}

/// Why no answer came; none of it shows a header or a body.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum TransportError {
    /// The host could not be reached.
    #[error("connecting: {0}")]
    Connect(String),
    /// The host's name did not resolve.
    #[error("resolving: {0}")]
    Resolve(String),
    /// The host is not who it should be, or speaks no TLS we accept.
    #[error("TLS: {0}")]
    Tls(String),
    /// It took too long.
    #[error("timed out: {0}")]
    Timeout(String),
    /// The connection broke in the middle.
    #[error("broken off: {0}")]
    Broken(String),
    /// The answer is larger than any of the service's.
    #[error("answer of more than {0} octets")]
    TooLarge(usize),
}

impl TransportError {
    /// The name in metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Resolve(_) => "resolve",
            Self::Tls(_) => "tls",
            Self::Timeout(_) => "timeout",
            Self::Broken(_) => "broken",
            Self::TooLarge(_) => "too-large",
        }
    }

    /// What the operator can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Connect(_) | Self::Broken(_) => "check the endpoint and what lies before it",
            Self::Resolve(_) => "check the endpoint's name and the resolver",
            Self::Tls(_) => "check the endpoint's certificate; name a private CA in ca-file",
            Self::Timeout(_) => "check the line; raise the timeouts or send smaller batches",
            Self::TooLarge(_) => "check that the endpoint is the log service",
        }
    }

    /// The kind of a client's error, and the innermost reason that was given.
    pub(super) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let (is_timeout, is_dns) = (error.is_timeout(), error.is_dns());
        let is_connect = error.is_connect();
        let mut reasons = vec![error.to_string()];
        let mut source = error.source();
        while let Some(inner) = source {
            reasons.push(inner.to_string());
            source = inner.source();
        }
        let is_tls = reasons.iter().any(|reason| {
            let reason = reason.to_ascii_lowercase();
            reason.contains("certificate") || reason.contains("tls") || reason.contains("alert")
        });
        let last = reasons.last().map_or("", String::as_str);
        let what = printable(last, MESSAGE_MAX);
        if is_timeout {
            Self::Timeout(what)
        } else if is_dns {
            Self::Resolve(what)
        } else if is_tls {
            Self::Tls(what)
        } else if is_connect {
            Self::Connect(what)
        } else {
            Self::Broken(what)
        }
    }
}

const AGENT: &str = concat!("flowlogd/", env!("CARGO_PKG_VERSION"));

/// Characters kept of an error code or request id.
const CODE_MAX: usize = 64;

/// Characters kept of a message.
const MESSAGE_MAX: usize = 512;

/// A stranger's text, fit for a log line.
fn printable(text: &str, characters_max: usize) -> String {
    let kept = text.chars().take(characters_max);
    kept.map(|character| match character.is_control() {
        true => ' ',
        false => character,
    })
    .collect()
}

/// Seconds since 1970 of a `Date` header; none before that.
fn unix_s(date: &str) -> Option<u64> {
    let time = rfc2822::parse(date.trim()).ok()?;
    u64::try_from(time.timestamp().as_second()).ok()
}

/// A `Retry-After`: seconds, or a date, which counts from the answer's own.
fn wait(wish: &str, date: Option<u64>) -> Option<Duration> {
    let seconds = match wish.trim().parse() {
        Ok(seconds) => seconds,
        Err(_) => unix_s(wish)?.saturating_sub(date?),
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;
    use reqwest::header::HeaderValue;

    use super::*;

    fn response(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_static(name);
            map.insert(name, HeaderValue::from_static(value));
        }
        Response::new(status, &map, Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn an_answer_is_read() {
        let headers = [
            ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("x-log-requestid", "6A"),
            ("retry-after", "7"),
        ];
        let body = r#"{"errorCode":"ServerBusy","errorMessage":"busy\nnow"}"#;
        let read = response(503, &headers, body);
        assert_eq!(read.error_code.as_deref(), Some("ServerBusy"));
        assert_eq!(read.message, "busy now");
        assert_eq!(read.server_unix_s, Some(1_767_225_600));
        assert_eq!(read.request_id.as_deref(), Some("6A"));
        assert_eq!(read.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(read.verdict(), Verdict::Retry);
    }

    #[test]
    fn the_services_own_clock_comes_first() {
        let headers = [
            ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("x-log-time", "1767225601"),
            ("retry-after", "Thu, 01 Jan 2026 00:00:09 GMT"),
        ];
        let read = response(200, &headers, "");
        assert_eq!(read.server_unix_s, Some(1_767_225_601));
        assert_eq!(read.retry_after, Some(Duration::from_secs(9)));
    }

    #[test]
    fn nonsense_in_headers_is_no_time() {
        let headers = [
            ("date", "tomorrow"),
            ("x-log-time", "-3"),
            ("retry-after", "soon"),
        ];
        let read = response(200, &headers, "");
        assert_eq!(read.server_unix_s, None);
        assert_eq!(read.retry_after, None);
    }

    #[test]
    fn success_of_a_stranger_is_no_success() {
        let portal = response(200, &[], "<html>Welcome</html>");
        assert_eq!(portal.verdict(), Verdict::Hold(Hold::NotTheService));
        let service = response(200, &[("x-log-requestid", "6A")], "");
        assert_eq!(service.verdict(), Verdict::Delivered);
    }

    #[test]
    fn a_body_that_is_no_json_is_the_message_in_short() {
        let long = format!("<html>\u{7}{}", "x".repeat(10_000));
        let read = response(502, &[], &long);
        assert_eq!(read.error_code, None);
        assert_eq!(read.message.chars().count(), MESSAGE_MAX);
        assert!(read.message.starts_with("<html> xxx"));
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for text in [None, Some("not PEM")] {
            if let Some(text) = text {
                fs::write(&path, text).unwrap();
            }
            let transport = Transport {
                ca_file: Some(path.clone()),
                ..Transport::default()
            };
            let refused = Client::new(&transport).unwrap_err().to_string();
            assert!(refused.contains("ca.pem"), "{refused}");
        }
    }
}
