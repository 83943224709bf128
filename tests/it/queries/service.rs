//! A client of the log service, which signs what it asks.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use flowlogd::sink::sign::{Unsigned, v1};
use flowlogd::sink::sls::{Credentials, Scheme};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::table::Question;

/// The project all is in.
pub(super) const PROJECT: &str = "test";

/// A log service over loopback, and the key it lets in.
pub(super) struct Service {
    port: u16,
    key: Credentials,
    client: reqwest::Client,
    runtime: Runtime,
}

/// What the service says: of rows their columns and values.
pub(super) struct Answer {
    /// None for logs, whose fields may differ.
    pub(super) columns: Option<Vec<String>>,
    pub(super) rows: Vec<serde_json::Map<String, Value>>,
}

impl Service {
    pub(super) fn new(port: u16, key: Credentials) -> Self {
        // A connection would not outlive the daemon that is restarted.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Self {
            port,
            key,
            client: client.build().unwrap(),
            runtime: runtime.unwrap(),
        }
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// GetLogs in its third version, signed with version 4; or what is wrong.
    pub(super) fn ask(&self, question: &Question, begin_s: u64) -> Result<Answer, String> {
        let path = format!("/logstores/{}/logs", question.logstore);
        let body = json!({
            "from": begin_s + question.from,
            "to": begin_s + question.to,
            "query": question.text_at(begin_s),
            "topic": question.topic,
            "line": question.line,
            "offset": question.offset,
            "reverse": question.newest_first,
        });
        let answer = self.send("POST", &path, &[], body.to_string())?;
        let meta = &answer["meta"];
        assert_eq!(meta["progress"], "Complete", "{meta}");
        let rows = rows(&answer["data"]);
        assert_eq!(meta["count"], rows.len(), "{meta}");
        let names = meta["keys"].as_array().unwrap().iter();
        let columns = names.map(|name| name.as_str().unwrap().to_owned());
        let has_sql = meta["hasSQL"] == true;
        Ok(Answer {
            columns: has_sql.then(|| columns.collect()),
            rows,
        })
    }

    /// The same in its first version, signed with version 1.
    pub(super) fn ask_v1(&self, question: &Question, begin_s: u64) -> Result<Answer, String> {
        let path = format!("/logstores/{}", question.logstore);
        let numbers = [
            ("from", begin_s + question.from),
            ("to", begin_s + question.to),
            ("line", question.line),
            ("offset", question.offset),
        ];
        let numbers = numbers.map(|(name, number)| (name, number.to_string()));
        let texts = [
            ("type", "log".to_owned()),
            ("query", question.text_at(begin_s)),
            ("topic", question.topic.clone()),
            ("reverse", question.newest_first.to_string()),
        ];
        let parameters: Vec<_> = numbers.into_iter().chain(texts).collect();
        let answer = self.send("GET", &path, &parameters, "")?;
        Ok(Answer {
            columns: None,
            rows: rows(&answer),
        })
    }

    /// Any call with JSON, or with a log group; the answer as JSON.
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        parameters: &[(&str, String)],
        body: impl Into<Vec<u8>>,
    ) -> Result<Value, String> {
        let body = body.into();
        let kind = match body.first() {
            Some(b'{') | None => "application/json",
            Some(_) => "application/x-protobuf",
        };
        let headers = [
            ("host", format!("{PROJECT}.127.0.0.1")),
            ("x-log-apiversion", "0.6.0".to_owned()),
            ("x-log-bodyrawsize", body.len().to_string()),
            ("content-type", kind.to_owned()),
        ];
        let borrowed =
            |(name, value): &(&'static str, String)| (Cow::from(*name), Cow::from(value.clone()));
        let query: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (Cow::from(*name), Cow::from(value.as_str())))
            .collect();
        let unsigned = Unsigned {
            method,
            path,
            query: &query,
            headers: &headers.iter().map(borrowed).collect::<Vec<_>>(),
            body: &body,
        };
        let scheme = match method {
            "GET" => Scheme::V1(v1::Algorithm::HmacSha1),
            _ => Scheme::of_region(Some("cn-hangzhou")),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let signature = scheme.sign(&unsigned, &self.key, now.as_secs());
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let method = method.parse().unwrap();
        let mut request = self.client.request(method, url).query(parameters);
        for (name, value) in headers.iter().chain(&signature) {
            request = request.header(*name, value);
        }
        self.runtime.block_on(async {
            let answer = request.body(body).send().await.unwrap();
            let is_well = answer.status() == 200;
            let answer: Value =
                serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
            match is_well {
                true => Ok(answer),
                false => Err(format!(
                    "{}: {}",
                    answer["errorCode"].as_str().unwrap(),
                    answer["errorMessage"].as_str().unwrap()
                )),
            }
        })
    }
}

fn rows(answer: &Value) -> Vec<serde_json::Map<String, Value>> {
    let rows = answer.as_array().unwrap().iter();
    rows.map(|row| row.as_object().unwrap().clone()).collect()
}
