//! The ways in which one call can be written.

use super::*;

const CREATE: &str = "VpcId=vpc-iqg1sdjj&FlowLogName=n&ResourceType=NETWORKINTERFACE\
    &ResourceId=eni-08dhim&TrafficType=ALL&CloudLogId=topic&Tags.0.Key=a&Tags.0.Value=1\
    &Tags.1.Key=b&Tags.1.Value=2";

/// A call of API 3.0 without a body, or with a form.
fn plain(action: &str, query: &str) -> Sent {
    Sent::new("POST", &format!("/?{query}"))
        .header("x-tc-action", action)
        .header("x-tc-version", "2017-03-12")
}

/// A call with a body of any type.
fn typed(action: &str, media_type: &str, body: &str) -> Sent {
    let mut sent = plain(action, "").header("content-type", media_type);
    sent.body = body.as_bytes().to_vec();
    sent
}

async fn answer(sent: Sent) -> Value {
    let answer = sent.to(&open(stored(&["fl-1", "fl-2"])).0).await;
    assert_eq!((answer.status, answer.content_type()), (200, JSON));
    answer.json()["Response"].clone()
}

#[tokio::test]
async fn json_form_and_query_say_the_same() {
    let body = json!({
        "VpcId": "vpc-iqg1sdjj", "FlowLogName": "n", "ResourceType": "NETWORKINTERFACE",
        "ResourceId": "eni-08dhim", "TrafficType": "ALL", "CloudLogId": "topic",
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
    });
    let json = answer(v3("CreateFlowLog", &body)).await;
    assert_eq!(json["FlowLog"][0]["TagSet"], body["Tags"]);
    assert_eq!(answer(plain("CreateFlowLog", CREATE)).await, json);
    let form = plain("CreateFlowLog", "").form(CREATE);
    assert_eq!(answer(form).await, json);
    let charset = "Application/JSON; charset=utf-8";
    let typed = typed("CreateFlowLog", charset, &body.to_string());
    assert_eq!(answer(typed).await, json);
}

#[tokio::test]
async fn numbers_may_be_texts_and_null_is_nothing() {
    for body in [
        json!({"Limit": 1, "Offset": 1}),
        json!({"Limit": "1", "Offset": "1", "FlowLogId": null, "Unheard": {"of": [true]}, "": {"Limit": 2}}),
    ] {
        let list = answer(v3("DescribeFlowLogs", &body)).await;
        assert_eq!(list["FlowLog"][0]["FlowLogId"], "fl-1", "{body}");
        assert_eq!(list["TotalNum"], 2);
    }
    let query = answer(plain("DescribeFlowLogs", "Limit=1&Offset=1")).await;
    assert_eq!(query["FlowLog"][0]["FlowLogId"], "fl-1");
}

/// The body is what clients sign.
#[tokio::test]
async fn what_is_in_query_and_body_counts_as_in_the_body() {
    let mut sent = v3("DescribeFlowLogs", &json!({"FlowLogId": "fl-2"}));
    sent.target = "/?FlowLogId=fl-1".to_owned();
    assert_eq!(answer(sent).await["FlowLog"][0]["FlowLogId"], "fl-2");
}

#[tokio::test]
async fn a_list_has_all_its_entries_in_order() {
    let ids: Vec<_> = (0..12).map(|_| "fl-1").collect();
    let enabled = answer(v3("EnableFlowLogs", &json!({"FlowLogIds": ids}))).await;
    assert_eq!(enabled.get("Error"), None);
    let query = "FlowLogIds.1=fl-2&FlowLogIds.0=fl-1";
    let enabled = answer(plain("EnableFlowLogs", query)).await;
    assert_eq!(enabled.get("Error"), None);
    for query in [
        "FlowLogIds.0=fl-1&FlowLogIds.2=fl-2",
        "FlowLogIds.1=fl-1",
        "FlowLogIds.00=fl-1",
        "FlowLogIds.0.a=fl-1",
    ] {
        let refused = answer(plain("EnableFlowLogs", query)).await;
        let code = "InvalidParameterValue.Malformed";
        assert_eq!(refused["Error"]["Code"], code, "{query}");
    }
    let nothing = answer(plain("EnableFlowLogs", "FlowLogIds=fl-1")).await;
    assert_eq!(nothing["Error"]["Code"], "MissingParameter");
}

#[tokio::test]
async fn a_body_that_is_no_object_in_json_is_refused() {
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    let closed = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    let text = "the request has text that is not well-formed.";
    for body in [
        "{",
        "[]",
        "1",
        "{\"a\":1} x",
        "{\"a\":\"\u{1}\"}",
        &deep,
        &closed,
    ] {
        let refused = answer(typed("DescribeFlowLogs", JSON, body)).await;
        let error = json!({"Code": "InvalidParameter", "Message": text});
        assert_eq!(refused["Error"], error);
    }
    let refused = answer(typed("DescribeFlowLogs", "text/plain", "{}")).await;
    assert_eq!(refused["Error"]["Code"], "InvalidRequest");
}

/// A name is as long as a parameter's can be, so that what is nested deeply
/// under long names is not copied out.
#[tokio::test]
async fn a_body_is_laid_out_only_so_far() {
    let long = "n".repeat(62);
    let body = json!({long: [vec![1; 900], vec![1; 900]]}).to_string();
    let listed = answer(typed("DescribeFlowLogs", JSON, &body)).await;
    assert_eq!(listed["TotalNum"], 2);
    let many = json!({"a": vec![1; 1_001]}).to_string();
    let refused = answer(typed("DescribeFlowLogs", JSON, &many)).await;
    let message = "the request has too many parameters.";
    let error = json!({"Code": "InvalidParameter", "Message": message});
    assert_eq!(refused["Error"], error);
}

#[tokio::test]
async fn the_older_api_has_fewer_actions_and_no_json() {
    let (front, _) = open(stored(&["fl-1"]));
    let refused = told_old(&front, "DisableFlowLogs", "flowLogIds.0=fl-1").await;
    assert_eq!(
        (&refused["code"], &refused["codeDesc"]),
        (&json!(6100), &json!("InvalidAction"))
    );
    let mut json = v2("DescribeFlowLogs", "").header("content-type", JSON);
    (json.method, json.body) = ("POST".to_owned(), b"{}".to_vec());
    let refused = json.to(&front).await.json();
    assert_eq!(refused["code"], 4000);
}
