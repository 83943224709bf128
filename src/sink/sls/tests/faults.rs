//! Every row of the error table and every way an answer fails to come: what is
//! done, how often is asked, and that no row is lost.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::server::Server;
use super::server::Step;
use super::*;
use crate::sink::sls::Action;
use crate::sink::sls::Delivery;
use crate::sink::sls::Hold;
use crate::sink::sls::Outcome;
use crate::sink::sls::Patience;
use crate::sink::sls::Scope;
use crate::sink::sls::Skew;
use crate::sink::sls::Why;

/// How a batch of four rows fared.
#[derive(Debug, Default)]
struct Course {
    /// Why something was sent again, and how long after, on a pretended clock.
    again: Vec<(Why, Duration)>,
    acknowledged: Vec<u32>,
    put_aside: Vec<u32>,
    requests: usize,
    /// Rows of each request that arrived, and when it was signed.
    seen: Vec<Vec<u32>>,
    dates: Vec<String>,
}

const ROWS: Range<u32> = 0..4;

/// Delivers four rows to a server with a script, waiting on a pretended clock.
async fn deliver(script: Vec<Step>) -> Course {
    let server = Server::new(script).await;
    let client = Client::new(&hasty()).unwrap();
    let skew = Skew::default();
    let mut delivery = Delivery::new(ROWS, Patience::default());
    let mut course = Course::default();
    let mut now = Duration::ZERO;
    while let Some(piece) = delivery.piece() {
        assert!(course.requests < 100, "a hot loop");
        course.requests += 1;
        let request = put(&server.url(), piece.rows.clone());
        let scheme = Scheme::of_region(Some("cn-hangzhou"));
        let signed = request.signed(&scheme, &credentials(), skew.corrected(NOON));
        let outcome = match client.send(signed).await {
            Ok(answer) => {
                if let Some(server_unix_s) = answer.server_unix_s {
                    skew.learn(server_unix_s, NOON);
                }
                Outcome::Answered {
                    verdict: answer.verdict(),
                    retry_after: answer.retry_after,
                }
            }
            Err(_) => Outcome::Unknown,
        };
        match delivery.ended(outcome, now, 0).unwrap() {
            Action::Acknowledge(rows) => course.acknowledged.extend(rows),
            Action::DeadLetter(rows) => course.put_aside.extend(rows),
            Action::Send { at, why } => {
                course.again.push((why, at - now));
                now = at;
            }
        }
    }
    for seen in server.seen() {
        let (rows, _) = seen.body.as_chunks::<4>();
        course
            .seen
            .push(rows.iter().map(|row| u32::from_be_bytes(*row)).collect());
        course
            .dates
            .push(seen.header("x-log-date").unwrap().to_owned());
    }
    course
}

impl Course {
    /// All rows arrived, in the end.
    #[track_caller]
    fn arrived(&self) {
        assert_eq!(self.acknowledged, [0, 1, 2, 3], "{self:?}");
        assert!(self.put_aside.is_empty(), "{self:?}");
    }
}

const AT_ONCE: Duration = Duration::ZERO;
const SOON: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_secs(15);

/// Refusals after which the same rows are sent again, and arrive.
#[tokio::test]
async fn what_may_pass_later_is_sent_again_and_not_too_soon() {
    let project = Why::Throttled(Scope::Project);
    let table = [
        (400, "RequestTimeExpired", Why::Skew, AT_ONCE),
        (401, "Unauthorized", Why::Credentials, SLOW),
        (401, "InvalidAccessKeyId", Why::Credentials, SLOW),
        (401, "SignatureNotMatch", Why::Credentials, SLOW),
        (403, "WriteQuotaExceed", project, SOON),
        (
            403,
            "ShardWriteQuotaExceed",
            Why::Throttled(Scope::Logstore),
            SOON,
        ),
        (403, "ExceedQuota", project, SOON),
        (403, "ReadQuotaExceed", project, SOON),
        (403, "MetaOperationQpsLimitExceeded", project, SOON),
        (429, "TooManyRequests", project, SOON),
        (403, "ProjectForbidden", Why::Hold(Hold::Arrears), SLOW),
        (404, "ProjectNotExist", Why::Hold(Hold::Project), SLOW),
        (404, "LogStoreNotExist", Why::Hold(Hold::Logstore), SLOW),
        (302, "", Why::Hold(Hold::NotTheService), SLOW),
        (500, "InternalServerError", Why::Busy, SOON),
        (500, "RequestTimeout", Why::Busy, SOON),
        (502, "", Why::Busy, SOON),
        (503, "ServerBusy", Why::Busy, SOON),
    ];
    for (status, code, why, wait) in table {
        let course = deliver(vec![Step::refused(status, code, "")]).await;
        course.arrived();
        assert_eq!(course.again, [(why, wait)], "{status} {code}");
        assert_eq!(course.requests, 2, "{status} {code}");
    }
}

#[tokio::test]
async fn a_malformed_request_is_put_aside_and_not_sent_again() {
    for (status, code) in [
        (400, "InvalidRequestTime"),
        (400, "InvalidHost"),
        (400, "InvalidContentType"),
        (400, "ParameterInvalid"),
        (400, "MissingParameter"),
        (405, "InvalidMethod"),
    ] {
        let course = deliver(vec![Step::refused(status, code, "")]).await;
        assert_eq!(course.put_aside, [0, 1, 2, 3], "{code}");
        assert_eq!(course.requests, 1, "{code}");
    }
}

#[tokio::test]
async fn poison_is_found_by_halves_and_the_rest_arrives() {
    for code in [
        "PostBodyInvalid",
        "InvalidTimestamp",
        "InvalidEncoding",
        "InvalidKey",
        "PostBodyUncompressError",
    ] {
        let poison = Step::refused(400, code, "");
        // All; then 0 and 1; then 0 alone is the one.
        let course = deliver(vec![poison.clone(), poison.clone(), poison]).await;
        assert_eq!(course.put_aside, [0], "{code}");
        assert_eq!(course.acknowledged, [1, 2, 3], "{code}");
        let expected: [&[u32]; 5] = [&[0, 1, 2, 3], &[0, 1], &[0], &[1], &[2, 3]];
        assert_eq!(course.seen, expected, "{code}");
        assert_eq!(course.again, [(Why::Halved, AT_ONCE); 2], "{code}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_split() {
    for (status, code) in [
        (400, "PostBodyTooLarge"),
        (413, "PostBodyTooLarge"),
        (413, ""),
    ] {
        let course = deliver(vec![Step::refused(status, code, "")]).await;
        course.arrived();
        let expected: [&[u32]; 3] = [&[0, 1, 2, 3], &[0, 1], &[2, 3]];
        assert_eq!(course.seen, expected, "{status} {code}");
    }
}

#[tokio::test]
async fn times_outside_the_window_are_clamped_once() {
    for status in [400, 499] {
        let window = "The post data time is out of range";
        let course = deliver(vec![Step::refused(status, "PostBodyInvalid", window)]).await;
        course.arrived();
        assert_eq!(course.again, [(Why::Clamped, AT_ONCE)]);
    }
}

#[tokio::test]
async fn retry_after_is_kept() {
    let headers = "x-log-requestid: 6A\r\nretry-after: 7\r\n".to_owned();
    let body = r#"{"errorCode":"ServerBusy","errorMessage":""}"#.to_owned();
    let course = deliver(vec![Step::Answer(503, headers, body)]).await;
    course.arrived();
    assert_eq!(course.again, [(Why::Busy, Duration::from_secs(7))]);
}

#[tokio::test]
async fn a_clock_twenty_minutes_off_costs_one_request() {
    let server_time = NOON + 20 * 60;
    let headers = format!("x-log-requestid: 6A\r\nx-log-time: {server_time}\r\n");
    let body = r#"{"errorCode":"RequestTimeExpired","errorMessage":""}"#.to_owned();
    let course = deliver(vec![Step::Answer(400, headers, body)]).await;
    course.arrived();
    assert_eq!(course.again, [(Why::Skew, AT_ONCE)]);
    assert_eq!(course.dates, ["20261121T120000Z", "20261121T122000Z"]);
}

#[tokio::test]
async fn a_clock_that_cannot_be_put_right_is_no_hot_loop() {
    let expired = Step::refused(400, "RequestTimeExpired", "");
    let course = deliver(vec![expired.clone(), expired.clone(), expired]).await;
    course.arrived();
    let again = [
        (Why::Skew, AT_ONCE),
        (Why::Skew, SLOW),
        (Why::Skew, AT_ONCE),
    ];
    assert_eq!(course.again, again);
}

/// Nobody knows whether the rows are stored, so they are sent again.
#[tokio::test]
async fn an_answer_that_does_not_come_whole_is_none() {
    let head = "HTTP/1.1 200 OK\r\nx-log-requestid: 6A\r\n";
    let cut = format!("{head}content-length: 100\r\n\r\nhalf of it");
    let faults = BTreeMap::from([
        ("closed before the answer", Step::Raw(String::new())),
        ("closed in the headers", Step::Raw(head.to_owned())),
        ("truncated body", Step::Raw(cut.clone())),
        (
            "truncated chunk",
            Step::Raw(format!("{head}transfer-encoding: chunked\r\n\r\n5\r\nab")),
        ),
        ("reset before the answer", Step::Reset(String::new())),
        ("reset in the body", Step::Reset(cut.clone())),
        ("no answer", Step::Stall(String::new())),
        ("headers, then nothing", Step::Stall(cut)),
        ("an octet at a time", Step::Drip),
        (
            "not HTTP",
            Step::Raw("SSH-2.0-OpenSSH_9\r\n\r\n".to_owned()),
        ),
        (
            "endless body",
            Step::Answer(200, String::new(), "x".repeat(Response::BODY_MAX + 1)),
        ),
    ]);
    for (name, fault) in faults {
        let course = deliver(vec![fault]).await;
        course.arrived();
        assert_eq!(course.again, [(Why::Unknown, SOON)], "{name}");
        assert_eq!(course.requests, 2, "{name}");
    }
}

#[tokio::test]
async fn the_ways_to_fail_are_told_apart() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n".to_owned();
    for (fault, label) in [
        (Step::Stall(String::new()), "timeout"),
        (Step::Stall(head.clone()), "timeout"),
        (Step::Drip, "timeout"),
        (Step::Reset(head.clone()), "broken"),
        (Step::Raw(head), "broken"),
        (
            Step::body(200, &"x".repeat(Response::BODY_MAX + 1)),
            "too-large",
        ),
    ] {
        let server = Server::new([fault]).await;
        let client = Client::new(&hasty()).unwrap();
        let error = send(&client, &put(&server.url(), ROWS)).await.unwrap_err();
        assert_eq!(error.label(), label, "{error}");
    }
    let closed = Server::new([]).await;
    let url = closed.url();
    drop(closed);
    let client = Client::new(&hasty()).unwrap();
    loop {
        // The listener closes a moment after its task was aborted.
        match send(&client, &put(&url, ROWS)).await {
            Err(error) if error.label() == "connect" => break,
            _ => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn requests_share_a_connection_and_no_proxy_of_the_environment() {
    let server = Server::new([]).await;
    let client = Client::new(&Transport::default()).unwrap();
    for _ in 0..5 {
        let answer = send(&client, &put(&server.url(), ROWS)).await.unwrap();
        assert_eq!(answer.request_id.as_deref(), Some("6A"));
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|seen| seen.connection == 0));
    assert!(
        seen[0]
            .head
            .starts_with("POST /logstores/flows/shards/lb HTTP/1.1\r\n")
    );
    assert_eq!(seen[0].header("host"), Some("flow-proj.127.0.0.1"));
    assert!(
        seen[0].head.matches("host:").count() == 1,
        "{}",
        seen[0].head
    );
}

#[tokio::test]
async fn a_proxy_is_used_when_it_is_set() {
    let proxy = Server::new([]).await;
    let client = Client::new(&Transport {
        proxy: Some(proxy.url()),
        ..Transport::default()
    });
    let request = put("http://sls.test", ROWS);
    send(&client.unwrap(), &request).await.unwrap();
    let head = &proxy.seen()[0].head;
    let target = "POST http://flow-proj.sls.test/logstores/flows/shards/lb HTTP/1.1\r\n";
    assert!(head.starts_with(target), "{head}");
}

/// The server recomputes the signature from what arrived.
#[tokio::test]
async fn what_arrives_is_what_was_signed() {
    use crate::sink::sls::sign::Unsigned;
    use crate::sink::sls::sign::v4;

    let server = Server::new([]).await;
    let client = Client::new(&hasty()).unwrap();
    send(&client, &put(&server.url(), ROWS)).await.unwrap();
    let seen = server.seen().remove(0);
    let lines = seen.head.lines().skip(1);
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.into(), value.trim().into()))
        .collect();
    let arrived = Unsigned {
        method: "POST",
        path: "/logstores/flows/shards/lb",
        query: &[],
        headers: &headers,
        body: &seen.body,
    };
    let date = seen.header("x-log-date").unwrap();
    let canonical = v4::canonical_request(&arrived, &v4::content_sha256(&seen.body));
    let to_sign = v4::string_to_sign(&canonical, date, "cn-hangzhou");
    let signature = v4::signature(&credentials().secret, date, "cn-hangzhou", &to_sign);
    let authorization = seen.header("authorization").unwrap();
    assert!(authorization.ends_with(&signature), "{canonical}");
}
