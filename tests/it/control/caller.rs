//! Calls that are signed here: hundreds in the time that Python takes to start.

use std::collections::BTreeMap;
use std::time::Duration;

use flowlogd::api::auth::{Secret, sign_rpc};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// What a call came to: its answer, or the code of its error.
pub(super) type Answer = Result<Value, String>;

/// A client of one of Alibaba Cloud's products, by signature 1.0. It keeps its
/// connection.
pub(super) struct Caller {
    runtime: Runtime,
    client: reqwest::Client,
    url: String,
    common: &'static [(&'static str, &'static str)],
}

/// Parameters of every call of Smart Access Gateways, and of Express Connect
/// Routers.
const GATEWAYS: &[(&str, &str)] = &[("Version", "2018-03-13"), ("RegionId", "cn-shanghai")];
const ROUTERS: &[(&str, &str)] = &[("Version", "2023-09-01")];

/// How long a call may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

impl Caller {
    /// A client of Smart Access Gateways.
    pub(super) fn gateways(port: u16) -> Self {
        Self::new(port, GATEWAYS)
    }

    /// A client of Express Connect Routers.
    pub(super) fn routers(port: u16) -> Self {
        Self::new(port, ROUTERS)
    }

    fn new(port: u16, common: &'static [(&'static str, &'static str)]) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(LIMIT);
        Self {
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            client: client.build().unwrap(),
            url: format!("http://127.0.0.1:{port}/"),
            common,
        }
    }

    /// What a call answers; parameters are `Name=value`.
    pub(super) fn call(&self, action: &str, parameters: &[&str]) -> Answer {
        self.try_call(action, parameters).unwrap()
    }

    /// The same of a call that succeeds.
    pub(super) fn done(&self, action: &str, parameters: &[&str]) -> Value {
        let answer = self.call(action, parameters);
        answer.unwrap_or_else(|code| panic!("{action} {parameters:?}: {code}"))
    }

    /// The same of a service that may be gone before it has answered.
    pub(super) fn try_call(&self, action: &str, parameters: &[&str]) -> reqwest::Result<Answer> {
        let parted = parameters.iter().map(|word| word.split_once('=').unwrap());
        let all = parted.chain(self.common.iter().copied());
        let all = all.chain([("Action", action), ("Format", "JSON")]);
        let mut all: BTreeMap<_, _> = all
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).unwrap();
        let nonce = u128::from_ne_bytes(nonce).to_string();
        let key = ("LTAItest", &Secret::new("secret"));
        sign_rpc("POST", &mut all, key, None, jiff::Timestamp::now(), &nonce);
        // Terraform and pop-core put everything into a form.
        let form = reqwest::Url::parse_with_params("http://form/", &all).unwrap();
        let request = self.client.post(&self.url);
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.query().unwrap_or_default().to_owned());
        let (status, body) = self.runtime.block_on(async {
            let response = request.send().await?;
            let status = response.status();
            reqwest::Result::Ok((status, response.json::<Value>().await?))
        })?;
        let code = || body["Code"].as_str().unwrap().to_owned();
        Ok(match status.is_success() {
            true => Ok(body),
            false => Err(code()),
        })
    }
}
