//! Requests of real SDKs, as they were on the wire.

use axum::body::Body;
use axum::http::Request;
use prost::Message as _;
use serde_json::Value;

use super::{Answer, NOW_S, fixtures, front, key, send};
use crate::api::auth::{Keys, Permission};
use crate::api::sls::compress;
use crate::api::sls::{Front, LogGroupList};
use crate::sink::Compression;

const CAPTURED: [&str; 9] = [
    "python_get_logs_v1_get",
    "python_get_logs_v3_post",
    "python_pull_logs_lz4",
    "python_put_logs_v1_lz4",
    "python_put_logs_v1_route_uncompressed",
    "python_put_logs_v4_sts_lz4",
    "rust_producer_put_logs_v1_zstd",
    "sls20201230_put_logs_v1_sha256",
    "sls20201230_put_logs_v4_zstd",
];

/// One captured request and what is known of it.
struct Captured {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    analysis: Value,
}

impl Captured {
    fn read(name: &str) -> Option<Self> {
        let text = std::fs::read(fixtures()?.join(format!("{name}.json"))).unwrap();
        let read: Value = serde_json::from_slice(&text).unwrap();
        let mut line = read["request_line"].as_str().unwrap().split(' ');
        let headers = read["headers"].as_array().unwrap().iter().map(|header| {
            let text = |index: usize| header[index].as_str().unwrap().to_owned();
            (text(0), text(1))
        });
        Some(Self {
            method: line.next().unwrap().to_owned(),
            target: line.next().unwrap().to_owned(),
            headers: headers.collect(),
            body: octets(read["body_hex"].as_str().unwrap()),
            analysis: read["analysis"].clone(),
        })
    }

    fn request(&self) -> Option<Request<Body>> {
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(&self.target);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Body::from(self.body.clone())).ok()
    }

    async fn replay(&self, front: &Front) -> Answer {
        send(front, self.request().unwrap()).await
    }

    /// Whether a changed request is let in; one that is no HTTP is not.
    async fn is_let_in(&self) -> bool {
        match self.request() {
            Some(request) => send(&keyed(), request).await.status == 200,
            None => false,
        }
    }
}

fn octets(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
        .collect()
}

fn keyed() -> Front {
    let id = "LTAIfakeAccessKeyId";
    let secret = "fakeAccessKeySecret0123456789";
    front(Keys::new([key(
        id,
        secret,
        "flow-*",
        Permission::ReadWrite,
    )]))
}

#[tokio::test]
async fn every_captured_request_is_answered() {
    for name in CAPTURED {
        let Some(captured) = Captured::read(name) else {
            return;
        };
        let answer = captured.replay(&keyed()).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn what_was_put_is_pulled() {
    for name in CAPTURED.iter().filter(|name| name.contains("put_logs")) {
        let Some(captured) = Captured::read(name) else {
            return;
        };
        let front = keyed();
        captured.replay(&front).await;
        let pulled = Captured::read("python_pull_logs_lz4")
            .unwrap()
            .replay(&front)
            .await;
        let raw_bytes = pulled.header("x-log-bodyrawsize").parse().unwrap();
        let list = compress::undo(Compression::Lz4, &pulled.body, raw_bytes).unwrap();
        let groups = LogGroupList::decode(list).unwrap().log_groups;
        // The request wants two groups, and a group in memory is one log.
        let logs = captured.analysis["logs"].as_u64().unwrap().min(2);
        assert_eq!(groups.len() as u64, logs, "{name}");
        let first = groups.first().unwrap();
        assert_eq!(first.topic.as_deref(), captured.analysis["topic"].as_str());
        assert_eq!(
            first.source.as_deref(),
            captured.analysis["source"].as_str()
        );
        for tag in &first.log_tags {
            let said = captured.analysis["tags"][&tag.key].as_str();
            assert_eq!(said, Some(tag.value.as_str()), "{name}");
        }
        let time_ns = first.logs[0].time_ns.unwrap_or(0);
        assert_eq!(captured.analysis["time_ns"][0], time_ns, "{name}");
    }
}

#[tokio::test]
async fn what_was_put_is_found() {
    let Some(put) = Captured::read("python_put_logs_v1_lz4") else {
        return;
    };
    let front = keyed();
    put.replay(&front).await;
    let v1 = Captured::read("python_get_logs_v1_get")
        .unwrap()
        .replay(&front)
        .await;
    assert_eq!(v1.header("x-log-progress"), "Complete");
    assert_eq!(v1.header("x-log-count"), "1");
    let found = v1.json();
    assert_eq!(found[0]["src_addr"], "10.0.0.1");
    assert_eq!(found[0]["note"], "你好 a=b&c~d");
    assert_eq!(found[0]["__tag__:exporter"], "r1");
    let v3 = Captured::read("python_get_logs_v3_post")
        .unwrap()
        .replay(&front)
        .await;
    assert_eq!(v3.header("x-log-compresstype"), "lz4");
    let raw_bytes = v3.header("x-log-bodyrawsize").parse().unwrap();
    let body = compress::undo(Compression::Lz4, &v3.body, raw_bytes).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["data"], found);
    assert_eq!(body["meta"]["count"], 1);
    assert_eq!(body["meta"]["progress"], "Complete");
}

/// Each octet of what a signature covers counts.
#[tokio::test]
async fn a_flipped_bit_anywhere_is_refused() {
    for name in CAPTURED {
        let Some(captured) = Captured::read(name) else {
            return;
        };
        let is_v4 = captured.analysis["sig"] == "v4";
        for (index, (header, value)) in captured.headers.iter().enumerate() {
            let header = header.to_ascii_lowercase();
            let is_date = header == "x-log-date" && is_v4;
            let is_service = header.starts_with("x-") && header != "x-log-date";
            let others = ["authorization", "content-md5", "content-type"];
            let is_v1_date = header == "date";
            if !is_date && !is_service && !is_v1_date && !others.contains(&header.as_str()) {
                continue;
            }
            for octet in 0..value.len() {
                let mut changed = Captured::read(name).unwrap();
                changed.headers[index].1 = flipped(value, octet);
                assert!(!changed.is_let_in().await, "{name} {header} {octet}");
            }
        }
        for octet in 0..captured.body.len() {
            let mut changed = Captured::read(name).unwrap();
            changed.body[octet] ^= 1;
            assert!(!changed.is_let_in().await, "{name} body {octet}");
        }
        let path = captured.target.find("/logstores").unwrap();
        for octet in path + 1..captured.target.len() {
            let mut changed = Captured::read(name).unwrap();
            changed.target = flipped(&captured.target, octet);
            assert!(!changed.is_let_in().await, "{name} {}", changed.target);
        }
    }
}

fn flipped(text: &str, octet: usize) -> String {
    let mut octets = text.as_bytes().to_vec();
    octets[octet] ^= 1;
    String::from_utf8(octets).unwrap()
}

#[tokio::test]
async fn a_header_that_a_proxy_adds_among_the_signed_is_refused() {
    let Some(mut captured) = Captured::read("python_put_logs_v4_sts_lz4") else {
        return;
    };
    let header = ("x-log-project".to_owned(), "flow-other".to_owned());
    captured.headers.push(header);
    let answer = captured.replay(&keyed()).await;
    assert_eq!(answer.refusal(), (401, "SignatureNotMatch".to_owned()));
}

#[tokio::test]
async fn a_request_is_good_for_a_quarter_of_an_hour() {
    let Some(captured) = Captured::read("python_put_logs_v1_lz4") else {
        return;
    };
    let Front {
        backend, settings, ..
    } = keyed();
    let signed_at = i64::from(NOW_S) - 29;
    for (now_s, status) in [
        (signed_at - 901, 400),
        (signed_at - 900, 200),
        (signed_at + 900, 200),
        (signed_at + 901, 400),
    ] {
        let now = jiff::Timestamp::from_second(now_s).unwrap();
        let mut settings = super::settings(settings.keys.clone());
        settings.clock = std::sync::Arc::new(move || now);
        let answer = captured
            .replay(&Front::new(backend.clone(), settings))
            .await;
        assert_eq!(answer.status, status, "{now_s}");
        if status == 400 {
            assert_eq!(answer.refusal().1, "RequestTimeExpired");
            assert_eq!(answer.header("x-log-time"), now_s.to_string());
        }
    }
}
