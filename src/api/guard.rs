//! Which requests a local admin API answers: those addressed to it by a name
//! it knows, from no other site's page.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Refusal, RefusalCode};

/// Refuses requests with a foreign Host (DNS rebinding) or Origin (another
/// site's script), and marks answers as not to be sniffed or framed.
pub(super) async fn same_site(request: Request, next: Next) -> Response {
    if let Err(why) = check(request.headers()) {
        return Refusal::new(RefusalCode::Forbidden, why).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'"),
    );
    response
}

fn check(headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |name| headers.get(name).map(HeaderValue::to_str);
    let Some(Ok(host)) = text(header::HOST) else {
        return Err("the Host header is missing or no text");
    };
    if !is_known(host) {
        return Err("the Host header names neither an address nor localhost");
    }
    match text(header::ORIGIN) {
        None => Ok(()),
        Some(Ok(origin))
            if origin
                .split_once("://")
                .is_some_and(|(_, site)| site == host) =>
        {
            Ok(())
        }
        Some(_) => Err("the Origin header names another site"),
    }
}

/// Whether a Host is `localhost` or an address: a name could be anybody's.
pub(super) fn is_known(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let name = name.strip_prefix('[').unwrap_or(name);
    let name = name.strip_suffix(']').unwrap_or(name);
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(host: &str, origin: Option<&str>) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        check(&headers)
    }

    #[test]
    fn addresses_and_localhost_are_known_hosts() {
        for host in ["127.0.0.1:9994", "localhost:9994", "[::1]:9994", "10.0.0.1"] {
            assert_eq!(verdict(host, None), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_name_that_anybody_may_point_here_is_refused() {
        let refusal = "the Host header names neither an address nor localhost";
        assert_eq!(verdict("evil.example:9994", None), Err(refusal));
        assert_eq!(verdict("localhost.evil.example", None), Err(refusal));
    }

    #[test]
    fn only_the_same_site_may_script_us() {
        let same = Some("http://127.0.0.1:9994");
        assert_eq!(verdict("127.0.0.1:9994", same), Ok(()));
        let other = Err("the Origin header names another site");
        assert_eq!(
            verdict("127.0.0.1:9994", Some("http://evil.example")),
            other
        );
        assert_eq!(verdict("127.0.0.1:9994", Some("null")), other);
    }

    #[test]
    fn a_request_without_host_is_refused() {
        let refusal = Err("the Host header is missing or no text");
        assert_eq!(check(&HeaderMap::new()), refusal);
    }
}
