//! What is refused before any action is looked at, in the shape of each API.

use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const NO_ACTION: &str = "Specified api is not found, please check your url and method.";
const INVALID: &str = "The specified parameter is invalid.";
const FORBIDDEN: &str = "User not authorized to operate on the specified resource.";

async fn answer(sent: Sent) -> Answer {
    sent.to(&open(State::default()).0).await
}

#[tokio::test]
async fn paths_methods_actions_and_versions_are_those_of_the_api() {
    let action = "/?Action=DescribeFlowLogs&Version=2018-03-13&RegionId=cn-shanghai";
    for target in ["/nowhere", "/favicon.ico", "/v2", "//"] {
        answer(Sent::new("GET", target))
            .await
            .is_error(404, "InvalidAction.NotFound", NO_ACTION);
    }
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let refused = answer(Sent::new(method, action)).await;
        refused.is_error(
            400,
            "UnsupportedHTTPMethod",
            "This http method not supported.",
        );
    }
    for method in ["GET", "POST"] {
        answer(Sent::new(method, action)).await.success();
    }
    for name in ["describeFlowLogs", "DeleteFlowlog", "ActivateFlowLog"] {
        let unknown = answer(Sent::sag(name, "")).await;
        unknown.is_error(404, "InvalidAction.NotFound", NO_ACTION);
    }
    let missing = answer(Sent::new("GET", "/")).await;
    missing.is_error(400, "MissingAction", "Action is mandatory for this action.");
    let missing = answer(Sent::new("GET", "/?Action=DescribeFlowLogs")).await;
    missing.is_error(
        400,
        "MissingVersion",
        "Version is mandatory for this action.",
    );
    let unknown = answer(Sent::sag("DescribeFlowLogs", "Version=2014-05-26")).await;
    unknown.is_error(
        400,
        "InvalidVersion",
        "Specified parameter Version is not valid.",
    );
}

#[tokio::test]
async fn a_format_is_one_of_two_in_any_case() {
    for (format, content_type) in [("", JSON), ("None", JSON), ("Json", JSON), ("xMl", XML)] {
        let params = format!("Format={format}");
        let answer = answer(Sent::sag("DescribeFlowLogs", &params)).await;
        assert_eq!((answer.status, answer.content_type()), (200, content_type));
    }
    let other = answer(Sent::sag("DescribeFlowLogs", "Format=YAML")).await;
    let message = "Specified parameter format is not valid.";
    other.is_error(400, "InvalidParameter.Format", message);
}

#[tokio::test]
async fn the_newer_style_is_answered_in_what_it_accepts() {
    let target = "/?RegionId=cn-shanghai&Format=JSON";
    let sent = |accept| {
        Sent::new("POST", target)
            .header("x-acs-action", "DescribeFlowLogs")
            .header("x-acs-version", "2018-03-13")
            .header("accept", accept)
    };
    answer(sent("application/json")).await.success();
    let xml = answer(sent("text/xml")).await;
    assert_eq!((xml.status, xml.content_type()), (200, XML));
}

#[tokio::test]
async fn a_form_is_as_good_as_a_query_and_nothing_else_is_a_body() {
    let form = "Action=DescribeFlowLogs&Version=2018-03-13&RegionId=cn-shanghai";
    answer(Sent::new("POST", "/").form(form)).await.success();
    let typed = |body: &str, media_type| {
        let mut sent = Sent::sag("DescribeFlowLogs", "").header("content-type", media_type);
        sent.body = body.as_bytes().to_vec();
        sent
    };
    let charset = "Application/X-WWW-Form-URLencoded; charset=utf-8";
    answer(typed("PageSize=1", charset)).await.success();
    answer(typed("", "application/json")).await.success();
    let message = "The body must be application/x-www-form-urlencoded.";
    for media_type in ["application/json", "multipart/form-data", "text/plain"] {
        let refused = answer(typed("{}", media_type)).await;
        refused.is_error(415, "UnsupportedMediaType", message);
    }
    let mut untyped = Sent::sag("DescribeFlowLogs", "");
    untyped.body = b"{}".to_vec();
    answer(untyped)
        .await
        .is_error(415, "UnsupportedMediaType", message);
}

#[tokio::test]
async fn text_that_is_none_is_refused_in_the_format_asked_for() {
    for params in ["Name=%ff", "Name=%f", "%zz=1"] {
        let refused = answer(Sent::sag("DescribeFlowLogs", params)).await;
        refused.is_error(400, "InvalidParameter", INVALID);
    }
    let form = Sent::sag("DescribeFlowLogs", "").form(b"Name=\xff");
    answer(form)
        .await
        .is_error(400, "InvalidParameter", INVALID);
    let many = "a=1&".repeat(1_000);
    let refused = answer(Sent::sag("DescribeFlowLogs", &many)).await;
    refused.is_error(400, "InvalidParameter", INVALID);
    let form = Sent::sag("DescribeFlowLogs", "").form(many);
    answer(form)
        .await
        .is_error(400, "InvalidParameter", INVALID);
    let xml = answer(Sent::sag("DescribeFlowLogs", "Format=XML&Name=%ff")).await;
    assert_eq!((xml.status, xml.content_type()), (400, XML));
}

#[tokio::test]
async fn a_header_that_is_no_text_is_refused() {
    let mut request = Sent::sag("DescribeFlowLogs", "").http();
    let value = axum::http::HeaderValue::from_bytes(b"a\xff").unwrap();
    request.headers_mut().insert("user-agent", value);
    let refused = send(&open(State::default()).0, request).await;
    refused.is_error(400, "InvalidParameter", INVALID);
}

#[tokio::test]
async fn a_body_is_as_large_as_it_may_be_and_no_larger() {
    let params = "a=".to_owned() + &"x".repeat(Settings::BODY_BYTES_MAX - 2);
    let sent = Sent::sag("DescribeFlowLogs", "").form(&params);
    answer(sent).await.success();
    let refused = answer(Sent::sag("DescribeFlowLogs", "").form(params + "x")).await;
    let message = "the body has 1048577 octets or more, which is over 1048576";
    refused.is_error(413, "RequestEntityTooLarge", message);
}

#[tokio::test]
async fn bodies_wait_for_each_other_and_not_for_ever() {
    let mut hasty = settings(Credentials::open());
    hasty.body_timeout = Duration::ZERO;
    let memory = Arc::new(Memory::new(State::default()));
    let front = front_of(&memory, hasty);
    let all = &front.open;
    let held = all.acquire_many(u32::try_from(all.available_permits()).unwrap());
    let held = held.await.unwrap();
    let busy = Sent::sag("DescribeFlowLogs", "")
        .form("a=1")
        .to(&front)
        .await;
    let message = "Request was denied due to request throttling.";
    busy.is_error(400, "Throttling", message);
    Sent::sag("DescribeFlowLogs", "").to(&front).await.success();
    drop(held);
}

/// Over a socket, as a client that has stopped would.
#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let mut hasty = settings(Credentials::open());
    hasty.body_timeout = Duration::from_millis(1);
    let front = Arc::new(front_of(&Arc::new(Memory::new(State::default())), hasty));
    let app = Router::new().fallback(async move |request| front.answer(request).await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let mut client = TcpStream::connect(address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let read = client.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"Code\":\"RequestTimeout\""), "{answer}");
    server.abort();
}

#[tokio::test]
async fn without_keys_no_page_of_another_site_is_heard() {
    let host = |host: &str| {
        Sent::sag("DescribeFlowLogs", "")
            .without_host()
            .header("host", host)
    };
    for own in [
        "localhost",
        "[::1]:8099",
        "http://127.0.0.1:8099",
        "http://127.0.0.1:8099/",
    ] {
        answer(host(own)).await.success();
    }
    for foreign in [
        "evil.example",
        "http://evil.example",
        "127.0.0.1.evil.example:80",
    ] {
        answer(host(foreign))
            .await
            .is_error(403, "Forbidden", FORBIDDEN);
    }
    let nameless = Sent::sag("DescribeFlowLogs", "").without_host();
    answer(nameless).await.is_error(403, "Forbidden", FORBIDDEN);
    let mut absolute = Sent::sag("DescribeFlowLogs", "");
    absolute.target = format!("http://evil.example{}", absolute.target);
    answer(absolute).await.is_error(403, "Forbidden", FORBIDDEN);
    for (name, value) in [
        ("origin", "http://127.0.0.1:8099"),
        ("origin", "null"),
        ("referer", "http://evil.example/"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let scripted = Sent::sag("DescribeFlowLogs", "").header(name, value);
        answer(scripted).await.is_error(403, "Forbidden", FORBIDDEN);
    }
}

/// With keys, a name is what the client believes in: it may be any.
#[tokio::test]
async fn with_keys_any_host_will_do() {
    let mut sent = capture("alicore.DescribeFlowLogs");
    sent.headers.retain(|(name, _)| name != "Host");
    let sent = sent.header("host", "smartag.cn-shanghai.aliyuncs.com");
    let memory = Arc::new(Memory::new(State::default()));
    sent.to(&front_of(&memory, settings(ours())))
        .await
        .success();
}

#[tokio::test]
async fn a_host_is_told_again_only_so_far() {
    let host = format!("<&>{}", "h".repeat(1_000));
    let sent = Sent::sag("None", "Format=XML")
        .without_host()
        .header("host", &host);
    let refused = answer(sent).await;
    let shown = format!("<HostId>&lt;&amp;&gt;{}</HostId>", "h".repeat(297));
    assert!(refused.body.contains(&shown), "{refused:?}");
}

/// Tencent's clients take another status, or another type, for no answer.
#[tokio::test]
async fn tencents_clients_are_refused_in_their_own_shapes() {
    let id = ID.to_ascii_lowercase();
    let old = |number: u16, name: &str, message: &str| json!({"code": number, "message": format!("({number}){message}"), "codeDesc": name});
    let new = |code: &str, message: &str| {
        let error = json!({"Code": code, "Message": message});
        json!({"Response": {"Error": error, "RequestId": id}})
    };
    let check = |answer: &Answer, body: Value| {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.content_type(), "application/json");
        assert_eq!(answer.header("x-tc-requestid"), id);
        assert_eq!(answer.json(), body);
    };
    let v2 = |query: &str| Sent::new("GET", &format!("/v2/index.php?{query}"));
    let v3 = |action: &str, version: &str| {
        Sent::new("POST", "/")
            .header("x-tc-action", action)
            .header("x-tc-version", version)
    };
    let message = "The request action=`CreateVpc` is invalid or not found.";
    let other = answer(v3("CreateVpc", "2017-03-12")).await;
    check(&other, new("InvalidAction", message));
    let version = "The requested API version does not exist.";
    let other = answer(v3("CreateFlowLog", "2018-03-13")).await;
    check(&other, new("NoSuchVersion", version));
    let missing = "The request is missing a required parameter `Version`.";
    check(
        &answer(v3("CreateFlowLog", "")).await,
        new("MissingParameter", missing),
    );
    check(
        &answer(v2("Action=CreateVpc")).await,
        old(6100, "InvalidAction", message),
    );
    let missing = "The request is missing a required parameter `Action`.";
    check(
        &answer(v2("")).await,
        old(4000, "MissingParameter", missing),
    );
    let method = "the request has a method other than GET and POST.";
    let mut put = v2("Action=CreateFlowLog");
    put.method = "PUT".to_owned();
    check(&answer(put).await, old(4600, "UnsupportedProtocol", method));
    let text = "the request has text that is not well-formed.";
    check(
        &answer(v2("Name=%ff")).await,
        old(4000, "InvalidParameter", text),
    );
    let signed_the_old_way = Sent::new("GET", "/?SecretId=AKID&Name=%ff");
    check(
        &answer(signed_the_old_way).await,
        new("InvalidParameter", text),
    );
    let path = "the path is not one of this API.";
    let mut elsewhere = v3("CreateFlowLog", "2017-03-12");
    elsewhere.target = "/v3".to_owned();
    check(&answer(elsewhere).await, new("InvalidAction", path));
}
