//! Whose request it is, and what is refused before any handler sees it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Answer, NOW_S, front, get, group, key, open, put_body, request, send, settings};
use crate::api::auth::{Keys, Permission};
use crate::api::sls::{Front, is_sls, router};

async fn host(front: &Front, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(front, request.body(Body::empty()).unwrap()).await
}

#[test]
fn a_request_for_sls_is_known_by_its_headers() {
    for (name, value, is_ours) in [
        ("x-log-apiversion", "0.6.0", true),
        ("authorization", "LOG id:sig", true),
        ("authorization", "SLS4-HMAC-SHA256 Credential=…", true),
        ("authorization", "Bearer token", false),
        ("user-agent", "curl", false),
    ] {
        let request = Request::builder().header(name, value).body(()).unwrap();
        assert_eq!(is_sls(request.headers()), is_ours, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_project_is_named_by_host_target_or_header() {
    let front = open();
    let own = "http://flow-proj.sls.local:80/logstores";
    for (target, headers) in [
        ("/logstores", &[("host", "flow-proj.sls.local:9994")][..]),
        (own, &[("host", "flow-proj.sls.local")]),
        (
            "/logstores",
            &[("host", "10.0.0.1:9994"), ("x-log-project", "flow-proj")],
        ),
        ("/logstores", &[("host", "flow-proj.127.0.0.1")]),
    ] {
        let answer = host(&front, target, headers).await;
        assert_eq!(
            answer.json()["logstores"][0],
            "flows",
            "{target} {headers:?}"
        );
    }
}

#[tokio::test]
async fn a_foreign_host_or_origin_is_refused() {
    let front = open();
    let refused = (400, "InvalidHost".to_owned());
    let foreign = host(&front, "/logstores", &[("host", "evil.example")]).await;
    assert_eq!(foreign.refusal(), refused);
    let forwarded = "http://example.com/logstores";
    let forwarded = host(&front, forwarded, &[("host", "example.com")]).await;
    assert_eq!(forwarded.refusal(), refused);
    let two = "http://flow-proj.sls.local/logstores";
    let two = host(&front, two, &[("host", "other-proj.sls.local")]).await;
    assert_eq!(two.refusal(), refused);
    let headers = [
        ("host", "flow-proj.sls.local"),
        ("origin", "http://evil.example"),
    ];
    let scripted = host(&front, "/logstores", &headers).await;
    assert_eq!(scripted.refusal(), (401, "Unauthorized".to_owned()));
    let none = host(&front, "/logstores", &[]).await;
    assert_eq!(none.refusal(), (400, "MissingHost".to_owned()));
    let bare = host(&front, "/logstores", &[("host", "sls.local")]).await;
    assert_eq!(bare.refusal(), (400, "MissingParameter".to_owned()));
}

/// The `aliyunlog` CLI repeats 5xx for ever.
#[tokio::test]
async fn no_unknown_call_is_answered_5xx() {
    let front = open();
    for path in [
        "//",
        "/logstores/",
        "/logstores//logs",
        "/machinegroups",
        "/configs/x",
        "/a/b/c/d/e",
        "/logstores/flows/contextlogs",
        "/logstores/flows/shards/x",
        "/logstores/flows/shards/0",
        "/logstores/flows/index",
        "/logstores/flows/consumergroups/g/x",
        "/%ff",
        "/logstores/none",
        "/logstores/flows?type=log",
        "/logstores/flows?type=none",
        "/logstores/none/shards",
        "/logstores/flows/shards/0?type=cursor",
        "/logstores/flows/shards/7?type=log",
        "/logstores/flows/consumergroups/g",
        "/logstores/none/consumergroups",
        "/logstores?offset=x",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] {
            let request = request(method, path).body(Body::empty()).unwrap();
            let answer = send(&front, request).await;
            assert!(answer.status < 500, "{method} {path}: {answer:?}");
            if answer.status != 200 {
                assert!(!answer.refusal().1.is_empty());
            }
        }
    }
    let unknown = get(&front, "/machinegroups").await;
    assert_eq!(unknown.refusal(), (404, "NotSupported".to_owned()));
    let patch = request("PATCH", "/logstores").body(Body::empty()).unwrap();
    let patch = send(&front, patch).await;
    assert_eq!(patch.refusal(), (405, "InvalidMethod".to_owned()));
}

#[tokio::test]
async fn an_open_server_accepts_any_signature_and_none() {
    let front = open();
    assert_eq!(get(&front, "/logstores").await.status, 200);
    for claim in ["LOG nobody:nonsense", "SLS4-HMAC-SHA256 x", "Basic x"] {
        let request = request("GET", "/logstores").header("authorization", claim);
        let answer = send(&front, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 200, "{claim}");
    }
}

#[tokio::test]
async fn a_server_with_keys_accepts_nothing_unproved() {
    let keys = Keys::new([key("id", "secret", "*", Permission::ReadWrite)]);
    let front = front(keys);
    let unsigned = get(&front, "/logstores").await;
    assert_eq!(unsigned.refusal(), (401, "Unauthorized".to_owned()));
    let date = "Sat, 21 Nov 2026 02:12:00 GMT";
    for (claim, refusal) in [
        ("LOG other:x", (401, "Unauthorized")),
        ("LOG id:x", (401, "SignatureNotMatch")),
        ("LOG id:", (401, "SignatureNotMatch")),
        ("LOG id", (400, "ParameterInvalid")),
        ("Basic x", (400, "ParameterInvalid")),
        (
            "SLS4-HMAC-SHA256 Credential=id/20261121/r/sls/aliyun_v4_request,Signature=",
            (400, "ParameterInvalid"),
        ),
        (
            "SLS4-HMAC-SHA256 Credential=id/20261121/r/oss/aliyun_v4_request,Signature=x",
            (400, "ParameterInvalid"),
        ),
    ] {
        let request = request("GET", "/logstores")
            .header("authorization", claim)
            .header("date", date)
            .header("x-log-signaturemethod", "hmac-sha1");
        let answer = send(&front, request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            answer.refusal(),
            (refusal.0, refusal.1.to_owned()),
            "{claim}"
        );
    }
}

#[tokio::test]
async fn a_body_may_not_be_larger_than_sls_takes() {
    let mut few = settings(Keys::open());
    few.body_bytes_max = 1_000;
    let front = Front::new(open().backend, few);
    let body = vec![0; 1_001];
    let refused = put_body(&front, "/logstores/flows", body, &[]).await;
    assert_eq!(refused.refusal(), (413, "PostBodyTooLarge".to_owned()));
    let bomb = [
        ("x-log-compresstype", "lz4"),
        ("x-log-bodyrawsize", "99999999999"),
    ];
    let refused = put_body(&front, "/logstores/flows", vec![0; 10], &bomb).await;
    assert_eq!(refused.refusal(), (413, "PostBodyTooLarge".to_owned()));
    let fine = put_body(
        &front,
        "/logstores/flows",
        group("t", 2).encode_to_vec(),
        &[],
    )
    .await;
    assert_eq!(fine.status, 200);
}

#[tokio::test]
async fn bodies_wait_for_each_other_and_not_for_ever() {
    let mut few = settings(Keys::open());
    few.open_bytes_max = 10;
    few.body_timeout = Duration::ZERO;
    let front = Front::new(open().backend, few);
    let length = [("content-length", "11")];
    let refused = put_body(&front, "/logstores/flows", vec![0; 11], &length).await;
    assert_eq!(refused.refusal(), (403, "WriteQuotaExceed".to_owned()));
}

#[tokio::test]
async fn every_answer_tells_our_time() {
    let answer = get(&open(), "/nothing").await;
    assert_eq!(answer.header("x-log-time"), NOW_S.to_string());
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let mut hasty = settings(Keys::open());
    hasty.body_timeout = Duration::from_millis(1);
    let front = Arc::new(Front::new(open().backend, hasty));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router(front)).await });
    let mut client = TcpStream::connect(address).await.unwrap();
    let head = "POST /logstores/flows HTTP/1.1\r\nHost: flow-proj.sls.local\r\n\
                x-log-apiversion: 0.6.0\r\nContent-Length: 9\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let read = client.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("RequestBodyTimeout"), "{answer}");
    server.abort();
}
