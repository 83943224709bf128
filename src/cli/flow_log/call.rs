//! Calls of the running daemon's Smart Access Gateway API.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use reqwest::StatusCode;
use serde_json::Value;

use crate::api::auth::{Secret, sign_rpc};
use crate::cli::Failure;
use crate::cli::client::DaemonArgs;
use crate::cli::run::load;
use crate::cli::text::printable;
use crate::daemon::secret;

/// Parameters of a call, by name.
pub(super) type Parameters = BTreeMap<String, String>;

/// Where the API is, and who calls it.
#[derive(Debug, clap::Args)]
pub(super) struct ApiArgs {
    #[command(flatten)]
    daemon: DaemonArgs,
    /// Region whose flow logs are meant
    #[arg(
        long,
        global = true,
        value_name = "ID",
        env = "ALIBABA_CLOUD_REGION_ID",
        default_value = "cn-hangzhou"
    )]
    region: String,
    /// Configuration file whose first `[[credential]]` signs the calls
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The API, with a key for it.
pub(super) struct Api<'a> {
    daemon: &'a DaemonArgs,
    region: &'a str,
    key: Option<Key>,
}

struct Key {
    id: String,
    secret: Secret,
    token: Option<Secret>,
}

impl ApiArgs {
    /// Finds the key.
    pub(super) fn open(&self) -> Result<Api<'_>, Failure> {
        let key = match &self.config {
            Some(path) => of_config(path)?,
            None => of_environment(|name| std::env::var(name).ok()),
        };
        Ok(Api {
            daemon: &self.daemon,
            region: &self.region,
            key,
        })
    }
}

fn of_config(path: &PathBuf) -> Result<Option<Key>, Failure> {
    let config = load(Some(path))?;
    let read = |path: &Path| secret(path).map_err(|error| Failure::failed(format!("{error:#}")));
    let credential = config.control.credentials.into_iter().next();
    let key = credential.map(|credential| {
        Ok(Key {
            secret: read(&credential.secret_file)?,
            token: credential.token_file.as_deref().map(read).transpose()?,
            id: credential.id,
        })
    });
    key.transpose()
}

fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Option<Key> {
    let some = |name| variable(name).filter(|text| !text.is_empty());
    Some(Key {
        id: some("ALIBABA_CLOUD_ACCESS_KEY_ID")?,
        secret: Secret::new(some("ALIBABA_CLOUD_ACCESS_KEY_SECRET")?),
        token: some("ALIBABA_CLOUD_SECURITY_TOKEN").map(Secret::new),
    })
}

impl Api<'_> {
    /// What an action answers.
    pub(super) fn call(&self, action: &str, mut parameters: Parameters) -> Result<Value, Failure> {
        let common = [
            ("Action", action),
            ("Version", "2018-03-13"),
            ("Format", "JSON"),
            ("RegionId", self.region),
        ];
        let common = common.map(|(name, value)| (name.to_owned(), value.to_owned()));
        parameters.extend(common);
        if let Some(key) = &self.key {
            let mut nonce = [0; 16];
            getrandom::fill(&mut nonce).context("no random octets")?;
            let nonce = u128::from_ne_bytes(nonce).to_string();
            let named = (key.id.as_str(), &key.secret);
            let now = jiff::Timestamp::now();
            sign_rpc(
                "POST",
                &mut parameters,
                named,
                key.token.as_ref(),
                now,
                &nonce,
            );
        }
        let (status, body) = self.daemon.post(&parameters)?;
        let answer: Value = serde_json::from_str(&body)
            .with_context(|| format!("{action} answered what this version does not understand"))?;
        if status.is_success() {
            Ok(answer)
        } else {
            Err(refused(status, &answer))
        }
    }

    /// All entries of a list that comes in pages; `places` lead to it.
    pub(super) fn all(
        &self,
        action: &str,
        parameters: &Parameters,
        places: [&str; 2],
    ) -> Result<Vec<Value>, Failure> {
        let mut entries = Vec::new();
        for number in 1_u32.. {
            let mut parameters = parameters.clone();
            parameters.insert("PageSize".to_owned(), PAGE_SIZE.to_string());
            parameters.insert("PageNumber".to_owned(), number.to_string());
            let mut answer = self.call(action, parameters)?;
            let [outer, inner] = places;
            let page = answer.get_mut(outer).and_then(|it| it.get_mut(inner));
            let Some(Value::Array(page)) = page.map(Value::take) else {
                return Err(Failure::failed(format!("{action} answered without a list")));
            };
            let is_last = page.len() < PAGE_SIZE;
            entries.extend(page);
            if is_last {
                break;
            }
        }
        Ok(entries)
    }
}

/// What the API says of itself, its code first: that is what its documents
/// explain.
fn refused(status: StatusCode, answer: &Value) -> Failure {
    let text = |name| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let message = printable(&format!("{}: {}", text("Code"), text("Message")));
    let is_busy = status.is_server_error() || text("Code").starts_with("Throttling");
    if is_busy {
        Failure::try_later(message)
    } else {
        Failure::failed(message)
    }
}

/// The most that a page has.
const PAGE_SIZE: usize = 50;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::Exit;

    #[test]
    fn a_key_of_the_environment_needs_both_halves() {
        let of = |pairs: &'static [(&str, &str)]| {
            of_environment(|wanted| {
                let found = pairs.iter().find(|(name, _)| *name == wanted);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let id = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI");
        assert!(of(&[]).is_none());
        assert!(
            of(&[
                ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI"),
                ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "")
            ])
            .is_none()
        );
        let key = of(&[
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI"),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s"),
        ])
        .unwrap();
        assert_eq!((key.id.as_str(), key.secret.expose()), (id.1, "s"));
        assert!(key.token.is_none());
    }

    #[test]
    fn a_refusal_keeps_its_code_and_tells_busy_from_wrong() {
        let answer = json!({"Code": "InvalidFlowLogId.NotFound", "Message": "It does not exist."});
        let failure = refused(StatusCode::BAD_REQUEST, &answer);
        let told = "InvalidFlowLogId.NotFound: It does not exist.";
        assert_eq!(
            (failure.exit(), failure.message().as_str()),
            (Exit::Failure, told)
        );
        for (status, code) in [(503, "ServiceUnavailable"), (400, "Throttling.User")] {
            let status = StatusCode::from_u16(status).unwrap();
            let failure = refused(status, &json!({"Code": code}));
            assert_eq!(failure.exit(), Exit::TryLater, "{code}");
        }
    }
}
