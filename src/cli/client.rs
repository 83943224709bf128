//! The running daemon's admin API, asked over HTTP.

#[cfg(feature = "logstore")]
use std::collections::BTreeMap;
use std::error::Error;
#[cfg(feature = "journal")]
use std::path::PathBuf;

use anyhow::Context;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::QueryAnswer;
use crate::api::QueryRequest;
use crate::api::Refusal;
use crate::api::RefusalCode;
use crate::cli::Failure;
#[cfg(feature = "journal")]
use crate::sink::sls::trusted;

/// Where the daemon is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DaemonArgs {
    /// HTTP address of the running daemon
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "FLOWLOGD_URL",
        default_value = "http://127.0.0.1:9994"
    )]
    url: String,
    /// Certificates to trust for an https:// address, in PEM, instead of the system's
    #[cfg(feature = "journal")]
    #[arg(long, global = true, value_name = "FILE", env = "FLOWLOGD_CA_FILE")]
    ca_file: Option<PathBuf>,
}

/// The error body of the admin API.
#[derive(Deserialize)]
struct Refused {
    error: Refusal,
}

impl DaemonArgs {
    /// Asks a question about stored flows.
    pub(super) fn query(&self, request: &QueryRequest) -> Result<QueryAnswer, Failure> {
        self.ask("/api/v1/query", |client, url| {
            client.post(url).json(request)
        })
    }

    /// Reads one of the admin API's views.
    pub(super) fn view<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(path, |client, url| client.get(url))
    }

    /// Reads a path; status and body, whatever the status.
    pub(super) fn get(&self, path: &str) -> Result<(StatusCode, String), Failure> {
        runtime()?.block_on(async {
            let response = self.send(path, |client, url| client.get(url)).await?;
            let status = response.status();
            Ok((status, body(response).await?))
        })
    }

    /// Posts parameters; status and body, whatever the status.
    #[cfg(feature = "logstore")]
    pub(super) fn post(
        &self,
        parameters: &BTreeMap<String, String>,
    ) -> Result<(StatusCode, String), Failure> {
        runtime()?.block_on(async {
            let response = self.send("/", |client, url| client.post(url).query(parameters));
            let response = response.await?;
            let status = response.status();
            Ok((status, body(response).await?))
        })
    }

    fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        build: impl FnOnce(&reqwest::Client, String) -> RequestBuilder,
    ) -> Result<T, Failure> {
        runtime()?.block_on(async {
            let response = self.send(path, build).await?;
            let status = response.status();
            let body = body(response).await?;
            if !status.is_success() {
                return Err(refused(status, &body));
            }
            let answer = serde_json::from_str(&body);
            Ok(answer.with_context(|| {
                format!("{path} answered what this version does not understand")
            })?)
        })
    }

    async fn send(
        &self,
        path: &str,
        build: impl FnOnce(&reqwest::Client, String) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        let client = self.client()?;
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        build(&client, url)
            .send()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    fn client(&self) -> Result<reqwest::Client, Failure> {
        // A proxy from the environment has no business between us and our daemon.
        let builder = reqwest::Client::builder().no_proxy();
        #[cfg(feature = "journal")]
        let builder = match &self.ca_file {
            None => builder,
            Some(path) => {
                let trusted = trusted(path).map_err(|error| Failure::usage(error.to_string()))?;
                builder.tls_certs_only(trusted)
            }
        };
        Ok(builder.build().context("setting up HTTP")?)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        if error.is_builder() {
            return Failure::usage(format!(
                "--url {}: not an http:// or https:// address",
                self.url
            ));
        }
        if let Some(why) = distrust(error) {
            let url = &self.url;
            return Failure::failed(format!("{url}: {why}; name its authority with --ca-file"));
        }
        Failure::try_later(format!(
            "no daemon answers at {}: start one with `flowlogd run`, or name it with --url",
            self.url
        ))
    }
}

/// Why a certificate is not trusted, if it is for that.
fn distrust(error: &reqwest::Error) -> Option<String> {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let why = cause.to_string();
    why.contains("certificate").then_some(why)
}

async fn body(response: Response) -> Result<String, Failure> {
    Ok(response
        .text()
        .await
        .context("the daemon broke off its answer")?)
}

/// What an error answer means for the caller.
fn refused(status: StatusCode, body: &str) -> Failure {
    let Ok(Refused { error }) = serde_json::from_str(body) else {
        return Failure::failed(format!("the daemon answered {status}"));
    };
    failure(error)
}

/// What a refusal means for the caller.
pub(super) fn failure(refusal: Refusal) -> Failure {
    match refusal.code {
        RefusalCode::Busy | RefusalCode::Timeout => Failure::try_later(refusal.message),
        RefusalCode::BadRequest
        | RefusalCode::Forbidden
        | RefusalCode::NotFound
        | RefusalCode::TooMuch
        | RefusalCode::Internal => Failure::failed(refusal.message),
    }
}

/// What asks and waits.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    Ok(runtime.context("starting the runtime")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    #[test]
    fn a_silent_port_says_what_to_do() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let args = DaemonArgs {
            url: url.clone(),
            #[cfg(feature = "journal")]
            ca_file: None,
        };
        let failure = args.get("/healthz").unwrap_err();
        assert_eq!(failure.exit(), Exit::TryLater);
        let message = format!(
            "no daemon answers at {url}: start one with `flowlogd run`, or name it with --url"
        );
        assert_eq!(failure.message(), message);
    }

    #[test]
    fn refusals_keep_their_message_and_tell_busy_from_wrong() {
        let busy = refused(
            StatusCode::TOO_MANY_REQUESTS,
            r#"{"error":{"code":"busy","message":"two queries run already"}}"#,
        );
        assert_eq!(
            (busy.exit(), busy.message().as_str()),
            (Exit::TryLater, "two queries run already")
        );
        let wrong = refused(
            StatusCode::BAD_REQUEST,
            r#"{"error":{"code":"bad-request","message":"no column x"}}"#,
        );
        assert_eq!(
            (wrong.exit(), wrong.message().as_str()),
            (Exit::Failure, "no column x")
        );
        let odd = refused(StatusCode::BAD_GATEWAY, "<html>");
        assert_eq!(odd.message(), "the daemon answered 502 Bad Gateway");
    }
}
