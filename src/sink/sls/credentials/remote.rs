//! Keys that services issue: instance metadata, security tokens, a URI.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::Client;
use reqwest::RequestBuilder;
use serde::Deserialize;

use super::Credentials;
use super::CredentialsError;
use super::Environment;
use super::Secret;
use super::files;
use crate::sink::sls::client::BuildError;
use crate::sink::sls::client::Transport;
use crate::sink::sls::client::TransportError;
use crate::sink::sls::client::bounded_body;
use crate::sink::sls::sign::v4::percent_encoded;

/// Asks services for keys.
///
/// The metadata service is link-local: one second, never through a proxy. The
/// security token service is reached as the log service is.
#[derive(Clone)]
pub struct Fetcher {
    nearby: Client,
    far: Client,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").finish_non_exhaustive()
    }
}

/// A role that is assumed with a token of an OIDC provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct OidcRole {
    pub(super) role: String,
    pub(super) provider: String,
    /// Read again each time: the cluster replaces it.
    pub(super) token_file: PathBuf,
    pub(super) session: Option<String>,
}

impl OidcRole {
    /// The role that a cluster puts into a pod's variables.
    pub(super) fn of_variables(environment: &Environment) -> Option<Self> {
        let text = |name| environment.variable(name).map(str::to_owned);
        Some(Self {
            role: text("ALIBABA_CLOUD_ROLE_ARN")?,
            provider: text("ALIBABA_CLOUD_OIDC_PROVIDER_ARN")?,
            token_file: text("ALIBABA_CLOUD_OIDC_TOKEN_FILE")?.into(),
            session: text("ALIBABA_CLOUD_ROLE_SESSION_NAME"),
        })
    }
}

impl Fetcher {
    /// Two clients without connections yet.
    ///
    /// # Errors
    /// As [`super::super::Client::new`].
    pub fn new(transport: &Transport) -> Result<Self, BuildError> {
        let nearby = Transport {
            connect_timeout: NEARBY_TIMEOUT,
            idle_timeout: NEARBY_TIMEOUT,
            total_timeout: NEARBY_TIMEOUT,
            proxy: None,
            ..transport.clone()
        };
        let far = Transport {
            total_timeout: FAR_TIMEOUT.min(transport.total_timeout),
            ..transport.clone()
        };
        Ok(Self {
            nearby: nearby.client()?,
            far: far.client()?,
        })
    }

    /// Keys of the instance's role, by a session token if the service has one.
    pub(super) async fn instance_role(
        &self,
        environment: &Environment,
        role: Option<&str>,
    ) -> Result<Credentials, CredentialsError> {
        let base = &environment.metadata;
        let session = self.metadata_session(base).await;
        let session = match session {
            Ok(session) => Some(session),
            Err(error) if environment.says("ALIBABA_CLOUD_IMDSV1_DISABLED") => return Err(error),
            Err(_) => None,
        };
        let listing = format!("{base}/latest/meta-data/ram/security-credentials/");
        let get = |url: &str| {
            let call = self.nearby.get(url);
            match &session {
                Some(session) => call.header("X-aliyun-ecs-metadata-token", session.expose()),
                None => call,
            }
        };
        let role = match role {
            Some(role) => role.to_owned(),
            None => {
                let listed = fetch(METADATA, get(&listing)).await?;
                let listed = String::from_utf8_lossy(&listed);
                let first = listed.lines().next().unwrap_or_default().trim().to_owned();
                if first.is_empty() {
                    return Err(malformed(METADATA, "the instance has no role"));
                }
                first
            }
        };
        let url = format!("{listing}{}", percent_encoded(&role));
        let body = fetch(METADATA, get(&url)).await?;
        issued(METADATA, &body)
    }

    /// A session of the hardened mode (IMDSv2).
    async fn metadata_session(&self, base: &str) -> Result<Secret, CredentialsError> {
        let call = self
            .nearby
            .put(format!("{base}/latest/api/token"))
            .header("X-aliyun-ecs-metadata-token-ttl-seconds", "21600");
        let body = fetch(METADATA, call).await?;
        let session = String::from_utf8_lossy(&body).trim().to_owned();
        let is_header = session.bytes().all(|octet| octet.is_ascii_graphic());
        if session.is_empty() || !is_header {
            return Err(malformed(METADATA, "the session token is none"));
        }
        Ok(Secret::new(session))
    }

    /// Keys of a role, for an hour, against a token of the role's cluster.
    pub(super) async fn assume(
        &self,
        environment: &Environment,
        role: &OidcRole,
        now_unix_s: u64,
    ) -> Result<Credentials, CredentialsError> {
        let token = files::read(&role.token_file)?;
        let token = token.ok_or_else(|| CredentialsError::Incomplete {
            origin: STS.to_owned(),
            what: "the OIDC token file",
        })?;
        let session = role.session.as_deref().unwrap_or("flowlogd");
        let second = i64::try_from(now_unix_s).unwrap_or_default();
        let now = Timestamp::from_second(second).unwrap_or_default();
        let form = [
            ("Action", "AssumeRoleWithOIDC"),
            ("Version", "2015-04-01"),
            ("Format", "JSON"),
            ("Timestamp", &now.to_string()),
            ("RoleArn", &role.role),
            ("OIDCProviderArn", &role.provider),
            ("OIDCToken", token.expose().trim()),
            ("RoleSessionName", session),
            ("DurationSeconds", "3600"),
        ];
        let pairs = form.map(|(name, value)| format!("{name}={}", percent_encoded(value)));
        let call = self
            .far
            .post(sts_url(environment))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.join("&"));
        let body = fetch(STS, call).await?;
        let answer: Assumed = serde_json::from_slice(&body)
            .map_err(|_| malformed(STS, "the answer has no credentials"))?;
        answer.credentials.checked(STS)
    }

    /// Keys of a service of the user's own, in the metadata service's form.
    pub(super) async fn uri(&self, uri: &str) -> Result<Credentials, CredentialsError> {
        let body = fetch(URI, self.far.get(uri)).await?;
        issued(URI, &body)
    }
}

fn sts_url(environment: &Environment) -> String {
    if let Some(url) = &environment.sts {
        return url.clone();
    }
    let is_inside = environment.says("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED");
    let prefix = if is_inside { "sts-vpc" } else { "sts" };
    match environment.variable("ALIBABA_CLOUD_STS_REGION") {
        Some(region) => format!("https://{prefix}.{region}.aliyuncs.com/"),
        None => "https://sts.aliyuncs.com/".to_owned(),
    }
}

/// A small body of success.
async fn fetch(origin: &str, call: RequestBuilder) -> Result<Bytes, CredentialsError> {
    let unreachable = |source| CredentialsError::Unreachable {
        origin: origin.to_owned(),
        source,
    };
    let answer = call.send().await.map_err(TransportError::of);
    let mut answer = answer.map_err(unreachable)?;
    let body = bounded_body(&mut answer, BODY_MAX).await;
    let body = body.map_err(unreachable)?;
    match answer.status().as_u16() {
        200 => Ok(body),
        status => Err(CredentialsError::Refused {
            origin: origin.to_owned(),
            status,
            code: code_of(&body),
        }),
    }
}

/// The code of a refusal; its message might repeat what was sent.
fn code_of(body: &[u8]) -> String {
    let refusal = serde_json::from_slice::<Refusal>(body).unwrap_or_default();
    let is_plain = |character: &char| character.is_ascii_alphanumeric() || *character == '.';
    refusal.code.chars().filter(is_plain).take(64).collect()
}

fn issued(origin: &str, body: &[u8]) -> Result<Credentials, CredentialsError> {
    let issued: Issued = serde_json::from_slice(body)
        .map_err(|_| malformed(origin, "the answer has no credentials"))?;
    issued.checked(origin)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Issued {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    access_key_id: String,
    access_key_secret: Option<Secret>,
    security_token: Option<Secret>,
    #[serde(default)]
    expiration: String,
}

impl Issued {
    fn checked(self, origin: &str) -> Result<Credentials, CredentialsError> {
        if self.code.is_some_and(|code| code != "Success") {
            return Err(malformed(origin, "the answer is no success"));
        }
        let (Some(secret), Some(token)) = (self.access_key_secret, self.security_token) else {
            return Err(malformed(origin, "the answer lacks a secret or a token"));
        };
        let expires = self.expiration.parse::<Timestamp>();
        let expires = expires.map_err(|_| malformed(origin, "the expiration is no time"))?;
        Ok(Credentials {
            key_id: self.access_key_id,
            secret,
            token: Some(token),
            expires_unix_s: u64::try_from(expires.as_second()).ok(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Assumed {
    credentials: Issued,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default, rename = "Code")]
    code: String,
}

fn malformed(origin: &str, problem: &str) -> CredentialsError {
    CredentialsError::Malformed {
        origin: origin.to_owned(),
        problem: problem.to_owned(),
    }
}

const METADATA: &str = "instance metadata";
const STS: &str = "security token service";
const URI: &str = "credentials URI";

const NEARBY_TIMEOUT: Duration = Duration::from_secs(1);
const FAR_TIMEOUT: Duration = Duration::from_secs(10);

/// Octets of an answer; real ones have about 1500.
const BODY_MAX: usize = 64 << 10;
