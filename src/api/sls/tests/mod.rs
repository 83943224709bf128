//! The whole front, over a log store in memory.

mod captured;
mod dispatch;
mod reading;
mod resources;
mod stored;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::request::Builder;
use bytes::Bytes;
use jiff::Timestamp;
use prost::Message as _;
use serde_json::Value;

use super::memory::Memory;
use super::{Content, Front, Log, LogGroup, Settings};
use crate::api::auth::{AccessKey, Keys, Pattern, Permission, Secret};

/// When the captured requests were made.
const NOW: &str = "2026-11-21T02:12:00Z";
const NOW_S: u32 = 1_795_227_120;

/// A front without keys, over one empty logstore.
fn open() -> Front {
    front(Keys::open())
}

fn front(keys: Keys) -> Front {
    Front::new(Arc::new(Memory::new()), settings(keys))
}

fn settings(keys: Keys) -> Settings {
    let now: Timestamp = NOW.parse().unwrap();
    Settings::new(keys, Arc::new(move || now))
}

fn key(id: &str, secret: &str, projects: &str, permission: Permission) -> AccessKey {
    AccessKey {
        id: id.to_owned(),
        secret: Secret::new(secret.to_owned()),
        projects: vec![Pattern::new(projects)],
        permission,
    }
}

/// An answer, read.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .map(|value| value.to_str().unwrap())
            .unwrap_or("(none)")
    }

    /// Status and error code.
    fn refusal(&self) -> (u16, String) {
        let code = &self.json()["errorCode"];
        (self.status, code.as_str().unwrap().to_owned())
    }
}

async fn send(front: &Front, request: axum::http::Request<Body>) -> Answer {
    let (parts, body) = front.answer(request).await.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
    };
    assert_eq!(answer.header("x-log-requestid").len(), 24);
    answer
}

/// A request as the Python SDK makes it through `http_proxy`, not signed.
fn request(method: &str, target: &str) -> Builder {
    axum::http::Request::builder()
        .method(method)
        .uri(format!("http://flow-proj.sls.local:80{target}"))
        .header("Host", "flow-proj.sls.local")
        .header("x-log-apiversion", "0.6.0")
        .header("x-log-bodyrawsize", "0")
}

async fn get(front: &Front, target: &str) -> Answer {
    send(front, request("GET", target).body(Body::empty()).unwrap()).await
}

async fn json(front: &Front, method: &str, target: &str, body: &str) -> Answer {
    let request = request(method, target).header("Content-Type", "application/json");
    send(front, request.body(Body::from(body.to_owned())).unwrap()).await
}

/// `count` logs of this topic, a second apart.
fn group(topic: &str, count: u32) -> LogGroup {
    let log = |number: u32| Log {
        time: NOW_S - 60 + number,
        contents: vec![Content {
            key: "srcport".to_owned(),
            value: Bytes::from(number.to_string()),
        }],
        time_ns: None,
    };
    LogGroup {
        logs: (0..count).map(log).collect(),
        topic: Some(topic.to_owned()),
        source: Some("192.0.2.9".to_owned()),
        ..LogGroup::default()
    }
}

async fn put(front: &Front, group: &LogGroup) -> Answer {
    put_body(
        front,
        "/logstores/flows/shards/lb",
        group.encode_to_vec(),
        &[],
    )
    .await
}

async fn put_body(front: &Front, target: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Answer {
    let mut request = axum::http::Request::builder()
        .method("POST")
        .uri(target)
        .header("Host", "flow-proj.sls.local")
        .header("Content-Type", "application/x-protobuf");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(front, request.body(Body::from(body)).unwrap()).await
}

/// Where the captured requests are; none, and a line, when they are not.
fn fixtures() -> Option<PathBuf> {
    let near = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures");
    let folder = std::env::var_os("FLOWLOGD_FIXTURES").map_or(near, PathBuf::from);
    let folder = folder.join("sls");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no captured requests in {}", folder.display());
    None
}
