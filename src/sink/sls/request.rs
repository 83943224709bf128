//! Requests of the SLS API: where they go, and what they carry.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;

use bytes::Bytes;
use thiserror::Error;

use super::credentials::Credentials;
use super::sign::Headers;
use super::sign::Scheme;
use super::sign::Unsigned;
use super::sign::v4::percent_encoded;

/// Where the service listens, without a project.
///
/// A project's host is `{project}.{host}`. An address is connected to as it is:
/// names below an address do not resolve, so only the `Host` header carries the
/// project, or `x-log-project` for IPv6, which has no such names at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    is_tls: bool,
    host: Host,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Host {
    /// With its port if it has one.
    Name(String),
    Address(SocketAddr),
}

impl Endpoint {
    /// What a template is, unless told otherwise.
    pub const TEMPLATE: &'static str = "{region}.log.aliyuncs.com";

    /// Reads `[http[s]://]host[:port]`; `{region}` stands for the region.
    ///
    /// Without a scheme it is HTTPS for names and HTTP for addresses, whose
    /// certificates nobody issues.
    ///
    /// # Errors
    /// When it has a path, is no host, or needs a region that is not given.
    pub fn new(template: &str, region: Option<&str>) -> Result<Self, EndpointError> {
        let error = |problem| EndpointError {
            endpoint: template.to_owned(),
            problem,
        };
        let text = match region {
            Some(region) if is_name(region) => template.replace("{region}", region),
            Some(_) => return Err(error("the region is no name")),
            None => template.to_owned(),
        };
        let (scheme, authority) = match text.split_once("://") {
            Some((scheme, authority)) => (Some(scheme), authority),
            None => (None, text.as_str()),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let port = if scheme == Some("https") { 443 } else { 80 };
        let host = match address(authority, port) {
            Some(address) => Host::Address(address),
            None if is_host(authority) => Host::Name(authority.to_owned()),
            None if authority.contains('{') => return Err(error("needs a region")),
            None => return Err(error("is not [http[s]://]host[:port]")),
        };
        let is_tls = match scheme {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(error("is neither http nor https")),
            None => matches!(host, Host::Name(_)),
        };
        Ok(Self { is_tls, host })
    }

    /// Whether it is HTTPS.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// What is connected to, for a project or none.
    fn authority(&self, project: Option<&str>) -> String {
        match (&self.host, project) {
            (Host::Address(address), _) => address.to_string(),
            (Host::Name(name), Some(project)) => format!("{project}.{name}"),
            (Host::Name(name), None) => name.clone(),
        }
    }

    /// The `Host` header, which is signed; without a port for addresses.
    fn host(&self, project: Option<&str>) -> String {
        match (&self.host, project) {
            (Host::Name(_), _) => self.authority(project),
            (Host::Address(address), project) => match (address.ip(), project) {
                (IpAddr::V4(ip), Some(project)) => format!("{project}.{ip}"),
                (IpAddr::V4(ip), None) => ip.to_string(),
                (IpAddr::V6(ip), _) => format!("[{ip}]"),
            },
        }
    }

    /// Whether the project cannot stand in the `Host` header.
    fn hides_project(&self) -> bool {
        matches!(&self.host, Host::Address(address) if address.is_ipv6())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority(None))
    }
}

/// An endpoint that is none.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("endpoint {endpoint:?} {problem}")]
pub struct EndpointError {
    endpoint: String,
    problem: &'static str,
}

/// A project at an endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    endpoint: Endpoint,
    project: String,
}

impl Place {
    /// The pair.
    ///
    /// # Errors
    /// When the project has a character that no project has, and a URL might mistake.
    pub fn new(endpoint: Endpoint, project: &str) -> Result<Self, EndpointError> {
        if !is_name(project) {
            return Err(EndpointError {
                endpoint: format!("{endpoint} of project {project:?}"),
                problem: "has a project that is no name",
            });
        }
        Ok(Self {
            endpoint,
            project: project.to_owned(),
        })
    }
}

/// What a request carries.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// As it is sent: compressed.
    pub octets: Bytes,
    /// Octets before compression.
    pub raw_size: usize,
    /// `x-log-compresstype`: `lz4`, `zstd` or `deflate`; none if it is not compressed.
    pub compression: Option<&'static str>,
}

/// Which shard a log group goes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// Any.
    Balanced,
    /// The one whose range has this key: MD5's space, as 128 bits.
    Key(u128),
}

/// A request that is not signed yet; signed anew for each attempt.
#[derive(Clone, Debug)]
pub struct Request {
    method: &'static str,
    url: String,
    path: String,
    query: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    body: Bytes,
}

impl Request {
    /// PutLogs: one log group in protobuf to a logstore.
    pub fn put_logs(place: &Place, logstore: &str, route: Route, body: Body) -> Self {
        let logstore = percent_encoded(logstore);
        let (last, query) = match route {
            Route::Balanced => ("lb", vec![]),
            Route::Key(key) => ("route", vec![("key".into(), format!("{key:032x}").into())]),
        };
        let path = format!("/logstores/{logstore}/shards/{last}");
        Self::new(place, "POST", path, query, "application/x-protobuf", body)
    }

    /// Any other call about a project, with a JSON body or none.
    ///
    /// `path` is sent as it is and must be percent-encoded already.
    pub fn call(place: &Place, method: &'static str, path: &str, json: Option<Bytes>) -> Self {
        let octets = json.unwrap_or_default();
        let body = Body {
            raw_size: octets.len(),
            octets,
            compression: None,
        };
        Self::new(
            place,
            method,
            path.to_owned(),
            vec![],
            "application/json",
            body,
        )
    }

    fn new(
        place: &Place,
        method: &'static str,
        path: String,
        query: Vec<(Cow<'static, str>, Cow<'static, str>)>,
        content_type: &'static str,
        body: Body,
    ) -> Self {
        let endpoint = &place.endpoint;
        let project = Some(place.project.as_str());
        let mut headers: Vec<(Cow<'static, str>, Cow<'static, str>)> = vec![
            ("host".into(), endpoint.host(project).into()),
            ("x-log-apiversion".into(), API_VERSION.into()),
            ("x-log-bodyrawsize".into(), body.raw_size.to_string().into()),
        ];
        if !body.octets.is_empty() {
            headers.push(("content-type".into(), content_type.into()));
        }
        if let Some(compression) = body.compression {
            headers.push(("x-log-compresstype".into(), compression.into()));
        }
        if endpoint.hides_project() {
            headers.push(("x-log-project".into(), place.project.clone().into()));
        }
        let scheme = if endpoint.is_tls { "https" } else { "http" };
        let mut url = format!("{scheme}://{}{path}", endpoint.authority(project));
        for (place, (name, value)) in query.iter().enumerate() {
            url.push(if place == 0 { '?' } else { '&' });
            url.push_str(&percent_encoded(name));
            url.push('=');
            url.push_str(&percent_encoded(value));
        }
        Self {
            method,
            url,
            path,
            query,
            headers,
            body: body.octets,
        }
    }

    /// The request signed at `unix_s`, the service's time in seconds.
    pub fn signed(&self, scheme: &Scheme, by: &Credentials, unix_s: u64) -> SignedRequest {
        let unsigned = Unsigned {
            method: self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        };
        SignedRequest {
            method: self.method,
            url: self.url.clone(),
            headers: self.headers.clone(),
            signature: scheme.sign(&unsigned, by, unix_s),
            body: self.body.clone(),
        }
    }

    /// Where it goes; holds no secret.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// A request that is ready to be sent, once, soon.
#[derive(Clone)]
pub struct SignedRequest {
    pub(super) method: &'static str,
    pub(super) url: String,
    pub(super) headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Holds the security token: never shown.
    pub(super) signature: Headers,
    pub(super) body: Bytes,
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &self.headers)
            .field("body_octets", &self.body.len())
            .finish_non_exhaustive()
    }
}

const API_VERSION: &str = "0.6.0";

/// An IP address with or without a port.
fn address(authority: &str, port: u16) -> Option<SocketAddr> {
    let bare = authority.trim_start_matches('[').trim_end_matches(']');
    let whole = authority.parse().ok();
    whole.or_else(|| Some(SocketAddr::new(bare.parse().ok()?, port)))
}

/// Whether it is a host name with or without a port.
fn is_host(authority: &str) -> bool {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "1"));
    host.split('.').all(is_name) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

pub(super) fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= LABEL_MAX && text.bytes().all(is_allowed)
}

/// Octets of a part of a host name. RFC 1035 §2.3.4.
const LABEL_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    fn put(endpoint: &str, region: Option<&str>, route: Route) -> Request {
        let endpoint = Endpoint::new(endpoint, region).unwrap();
        let place = Place::new(endpoint, "flow-proj").unwrap();
        let body = Body {
            octets: Bytes::from_static(b"packed"),
            raw_size: 202,
            compression: Some("lz4"),
        };
        Request::put_logs(&place, "flows", route, body)
    }

    fn header<'a>(request: &'a Request, wanted: &str) -> Option<&'a str> {
        let found = request.headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_ref())
    }

    #[test]
    fn a_project_is_a_host_of_its_region() {
        let request = put(Endpoint::TEMPLATE, Some("cn-hangzhou"), Route::Balanced);
        assert_eq!(
            request.url(),
            "https://flow-proj.cn-hangzhou.log.aliyuncs.com/logstores/flows/shards/lb"
        );
        let host = header(&request, "host");
        assert_eq!(host, Some("flow-proj.cn-hangzhou.log.aliyuncs.com"));
        assert_eq!(header(&request, "x-log-project"), None);
        for (name, value) in [
            ("x-log-apiversion", "0.6.0"),
            ("x-log-bodyrawsize", "202"),
            ("x-log-compresstype", "lz4"),
            ("content-type", "application/x-protobuf"),
        ] {
            assert_eq!(header(&request, name), Some(value));
        }
    }

    #[test]
    fn an_address_is_connected_to_and_the_project_stands_in_the_host() {
        for (endpoint, url, host) in [
            ("127.0.0.1", "http://127.0.0.1:80", "flow-proj.127.0.0.1"),
            (
                "127.0.0.1:9994",
                "http://127.0.0.1:9994",
                "flow-proj.127.0.0.1",
            ),
            (
                "https://192.0.2.1",
                "https://192.0.2.1:443",
                "flow-proj.192.0.2.1",
            ),
            ("http://[::1]:9994", "http://[::1]:9994", "[::1]"),
            ("[2001:db8::1]", "http://[2001:db8::1]:80", "[2001:db8::1]"),
            (
                "sls.test:8080",
                "https://flow-proj.sls.test:8080",
                "flow-proj.sls.test:8080",
            ),
            (
                "http://sls.test/",
                "http://flow-proj.sls.test",
                "flow-proj.sls.test",
            ),
        ] {
            let request = put(endpoint, None, Route::Balanced);
            assert_eq!(request.url(), format!("{url}/logstores/flows/shards/lb"));
            assert_eq!(header(&request, "host"), Some(host));
            let project = host.starts_with('[').then_some("flow-proj");
            assert_eq!(header(&request, "x-log-project"), project);
        }
    }

    #[test]
    fn a_route_has_its_key_in_32_digits() {
        let request = put("sls.test", None, Route::Key(1));
        assert_eq!(
            request.url(),
            "https://flow-proj.sls.test/logstores/flows/shards/route?key=00000000000000000000000000000001"
        );
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for (endpoint, region, problem) in [
            ("{region}.log.aliyuncs.com", None, "needs a region"),
            (
                "{region}.log.aliyuncs.com",
                Some("a/b"),
                "the region is no name",
            ),
            ("ftp://sls.test", None, "is neither http nor https"),
            (
                "https://sls.test/path",
                None,
                "is not [http[s]://]host[:port]",
            ),
            ("user@sls.test", None, "is not [http[s]://]host[:port]"),
            ("sls.test:0", None, "is not [http[s]://]host[:port]"),
            ("", None, "is not [http[s]://]host[:port]"),
        ] {
            let refused = Endpoint::new(endpoint, region).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("endpoint {endpoint:?} {problem}")
            );
        }
        let endpoint = Endpoint::new("sls.test", None).unwrap();
        assert!(Place::new(endpoint.clone(), "evil.example/").is_err());
        assert!(Place::new(endpoint, "").is_err());
    }

    #[test]
    fn a_logstore_cannot_leave_its_path() {
        let endpoint = Endpoint::new("sls.test", None).unwrap();
        let place = Place::new(endpoint, "p-1").unwrap();
        let request = Request::put_logs(&place, "a/../b?c", Route::Balanced, Body::default());
        assert_eq!(request.path, "/logstores/a%2F..%2Fb%3Fc/shards/lb");
    }
}
