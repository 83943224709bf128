//! How endpoints are reached: timeouts, certificates, proxy.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::Proxy;
use reqwest::Url;
use reqwest::redirect;
use thiserror::Error;

use crate::sink::sls::resolve::Resolver;

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
    pub(in crate::sink::sls) fn client(&self) -> Result<reqwest::Client, BuildError> {
        Self::built(|| self.builder())
    }

    /// The same with names resolved in our own way.
    pub(super) fn resolving_client(
        &self,
        resolver: &Resolver,
    ) -> Result<reqwest::Client, BuildError> {
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
    pub(super) fn name(&self, url: &str) -> Option<String> {
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

/// The certificates of a file in PEM, to be trusted.
///
/// # Errors
/// It cannot be read or has none.
pub fn trusted(path: &Path) -> Result<Vec<Certificate>, BuildError> {
    let unreadable = |source| BuildError::CaFile {
        path: path.to_owned(),
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

const AGENT: &str = concat!("flowlogd/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

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
            let refused = transport.client().unwrap_err().to_string();
            assert!(refused.contains("ca.pem"), "{refused}");
        }
    }
}
