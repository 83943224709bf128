//! Flow logs of Express Connect Routers: their life, what lists tell of them,
//! and requests that come again.

use std::sync::atomic::{AtomicI64, Ordering};

use super::proof::logged;
use super::*;
use crate::flowlog::Attachment;
use crate::flowlog::AttachmentKind;
use crate::flowlog::Router;
use crate::flowlog::RouterStatus;

/// The first flow log that a [`Memory`] makes.
pub(super) const FIRST: &str = "ecr-flog-0123456789abc";

/// The vendor's own example, with what it masks.
pub(super) const STORED: &str = "ecr-flog-m5evbtbpt0001";

pub(super) const ROUTER: &str = "ecr-mezk2idmsd0vx20001";

/// What a new flow log needs, but for the router.
pub(super) const NEEDED: &str = "InstanceType=VBR&InstanceId=vbr-j6cwxhgg0s5nuephp0001\
    &ProjectName=flow-proj&LogStoreName=flows";

/// Two routers to work with, each with a border router, and two that are not
/// to be worked with.
fn inventory() -> Inventory {
    let router = |id: &str, region: Option<&str>, status| Router {
        id: id.to_owned(),
        region: region.map(str::to_owned),
        account: None,
        status,
    };
    let routers = [
        router(ROUTER, Some("cn-hangzhou"), RouterStatus::Active),
        router("ecr-1", Some("cn-hangzhou"), RouterStatus::Active),
        router("ecr-inactive", None, RouterStatus::Inactive),
        router("ecr-deleting", None, RouterStatus::Deleting),
    ];
    let vbr = |id: &str, router: &str| Attachment {
        id: id.to_owned(),
        kind: AttachmentKind::Vbr,
        network: Some(router.to_owned()),
        ..Attachment::default()
    };
    let attachments = [
        vbr("vbr-j6cwxhgg0s5nuephp0001", ROUTER),
        vbr("vbr-1", "ecr-1"),
    ];
    Inventory {
        routers: routers.map(|it| (it.id.clone(), it)).into(),
        attachments: attachments.map(|it| (it.id.clone(), it)).into(),
        ..Inventory::default()
    }
}

/// A daemon with these routers.
pub(super) fn memory(state: State) -> Arc<Memory> {
    let mut memory = Memory::new(state);
    memory.made.get_mut().unwrap().inventory = Arc::new(inventory());
    Arc::new(memory)
}

/// A front that asks nobody for a key, over a state.
pub(super) fn open(state: State) -> (Front, Arc<Memory>) {
    let memory = memory(state);
    (front_of(&memory, settings(Credentials::open())), memory)
}

/// One flow log, as the vendor's answers show it.
pub(super) fn stored(id: &str, router: &str, is_active: bool) -> State {
    let attributes = json!({
        "name": "n", "description": "", "vbr": "vbr-1", "project": "pj1", "logstore": "ls1",
        "sls_region": "cn-hangzhou", "resource_group": "rg-1", "interval_s": 600, "one_in": 4096,
        "tags": [["k", "v"]],
    });
    let log = json!({
        "id": id, "account": "", "router": router, "created_ms": 1_704_067_200_999_u64,
        "is_active": is_active, "attributes": attributes,
    });
    serde_json::from_value(json!({"ecr": {"flow_logs": {id: log}}})).unwrap()
}

/// The same, in a list.
pub(super) fn shown(id: &str, router: &str, status: &str) -> Value {
    json!({
        "FlowLogId": id, "FlowLogName": "n", "EcrId": router, "InstanceId": "vbr-1",
        "InstanceType": "VBR", "Interval": 600, "LogStoreName": "ls1", "ProjectName": "pj1",
        "RegionId": "cn-hangzhou", "ResourceGroupId": "rg-1", "SamplingRate": "1:4096",
        "SlsRegionId": "cn-hangzhou", "Status": status, "CreationTime": "2024-01-01T00:00:00Z",
        "Description": "", "Tags": [{"Key": "k", "Value": "v"}],
    })
}

/// A success that tells this.
pub(super) fn success(told: Value) -> Value {
    let mut whole = json!({
        "RequestId": ID, "Success": true, "Code": "200", "Message": "OK", "HttpStatusCode": 200,
        "DynamicCode": "", "DynamicMessage": "",
    });
    let Value::Object(told) = told else {
        panic!("{told} is no object");
    };
    whole.as_object_mut().unwrap().extend(told);
    whole
}

/// A call of the Express Connect Router API, unsigned.
pub(super) fn ecr(action: &str, params: &str) -> Sent {
    let common = format!("Version=2023-09-01&EcrId={ROUTER}");
    Sent::new("POST", &format!("/?Action={action}&{common}&{params}"))
}

async fn told(front: &Front, action: &str, params: &str) -> Value {
    ecr(action, params).to(front).await.success()
}

#[tokio::test]
async fn a_flow_log_is_made_stopped_started_changed_and_removed() {
    let (front, memory) = open(State::default());
    let made = told(&front, "CreateFlowLog", NEEDED).await;
    assert_eq!(made, success(json!({"FlowLogId": FIRST})));
    let id = format!("FlowLogId={FIRST}");
    let status = async || {
        let list = told(&front, "DescribeFlowLogs", &id).await;
        list["FlowLogs"][0]["Status"].clone()
    };
    assert_eq!(status().await, "Active");
    for (action, then) in [
        ("DeactivateFlowLog", "Inactive"),
        ("ActivateFlowLog", "Active"),
        ("ModifyFlowLogAttribute", "Active"),
    ] {
        let params = format!("{id}&Interval=60&SamplingRate=1:2048&FlowLogName=m");
        let answer = told(&front, action, &params).await;
        assert_eq!(answer, success(json!({})), "{action}");
        assert_eq!(status().await, then, "{action}");
    }
    let list = told(&front, "DescribeFlowLogs", "").await;
    let log = &list["FlowLogs"][0];
    assert_eq!(log["Interval"], 60);
    assert_eq!(
        (&log["SamplingRate"], &log["FlowLogName"]),
        (&json!("1:2048"), &json!("m"))
    );
    told(&front, "DeleteFlowlog", &id).await;
    assert_eq!(memory.state().ecr.flow_logs().count(), 0);
    let empty = json!({"FlowLogs": [], "MaxResults": 10, "TotalCount": 0, "NextToken": ""});
    assert_eq!(told(&front, "DescribeFlowLogs", "").await, success(empty));
}

#[tokio::test]
async fn all_that_a_flow_log_is_told_is_told_again() {
    let (front, _) = open(State::default());
    let params = format!(
        "{NEEDED}&FlowLogName=a+b&Description=%E6%B5%81&Interval=60&SamplingRate=1%3A1024\
            &TargetSlsRegionId=cn-shanghai&ResourceGroupId=rg-mine\
            &Tag.10.Key=last&Tag.2.Value=&Tag.2.Key=first&Unheard=of"
    );
    told(&front, "CreateFlowLog", &params).await;
    let list = told(&front, "DescribeFlowLogs", "").await;
    let whole = json!({
        "FlowLogId": FIRST, "FlowLogName": "a b", "Description": "流", "EcrId": ROUTER,
        "InstanceId": "vbr-j6cwxhgg0s5nuephp0001", "InstanceType": "VBR", "Interval": 60,
        "SamplingRate": "1:1024", "ProjectName": "flow-proj", "LogStoreName": "flows",
        "RegionId": "cn-hangzhou", "SlsRegionId": "cn-shanghai", "ResourceGroupId": "rg-mine",
        "Status": "Active", "CreationTime": CAPTURED_AT,
        "Tags": [{"Key": "first", "Value": ""}, {"Key": "last", "Value": ""}],
    });
    assert_eq!(list["FlowLogs"], json!([whole]));
}

#[tokio::test]
async fn lists_come_in_pages_and_as_filters_say() {
    let (front, _) = open(State::default());
    for name in ["a", "b", "c"] {
        let params = format!("{NEEDED}&FlowLogName={name}&Tag.1.Key=n&Tag.1.Value={name}");
        told(&front, "CreateFlowLog", &params).await;
    }
    let names = async |params: &str| {
        let list = told(&front, "DescribeFlowLogs", params).await;
        let logs = list["FlowLogs"].as_array().unwrap().clone();
        let names = logs.iter().map(|log| log["FlowLogName"].as_str().unwrap());
        let numbers = ["TotalCount", "MaxResults"].map(|name| list[name].as_u64().unwrap());
        let next = list["NextToken"].as_str().unwrap().to_owned();
        (names.collect::<String>(), numbers, next)
    };
    let (first, numbers, next) = names("MaxResults=2").await;
    assert_eq!((&*first, numbers), ("ab", [3, 2]));
    let last = names(&format!("MaxResults=2&NextToken={next}")).await;
    assert_eq!(last, ("c".to_owned(), [3, 2], String::new()));
    for (params, expected) in [
        ("", "abc"),
        ("FlowLogName=b", "b"),
        ("FlowLogName=", "abc"),
        ("InstanceId=vbr-1", ""),
        ("InstanceId=vbr-j6cwxhgg0s5nuephp0001", "abc"),
        ("ProjectName=flow-proj&LogStoreName=flows", "abc"),
        ("ResourceGroupId=rg-none", ""),
        ("FlowLogId=ecr-flog-none", ""),
        ("Tag.1.Key=n&Tag.1.Value=c", "c"),
        ("Tag.1.Key=n", "abc"),
        ("Tag.1.Key=n&Tag.2.Key=m", ""),
        // No tags: they are as good as unheard of.
        (
            "Tag.0.Key=m&Tag.x.Key=m&Tag.1.Name=m&Tag.Key=m&Tag=m",
            "abc",
        ),
    ] {
        assert_eq!(names(params).await.0, expected, "{params}");
    }
}

/// A number of a tag that has no key names none.
#[tokio::test]
async fn a_tag_has_a_key() {
    let (front, _) = open(State::default());
    let params = format!("{NEEDED}&Tag.1.Value=v");
    let answer = ecr("CreateFlowLog", &params).to(&front).await;
    answer.is_error(400, "IllegalParam.Tag", "The param of Tag is illegal.");
}

/// Elsewhere it has a capital letter, and the answer is called as the question.
#[tokio::test]
async fn a_removal_is_spelled_in_two_ways() {
    for action in ["DeleteFlowlog", "DeleteFlowLog"] {
        let (front, memory) = open(stored(STORED, ROUTER, true));
        let params = format!("Format=XML&FlowLogId={STORED}");
        let answer = ecr(action, &params).to(&front).await;
        assert_eq!((answer.status, answer.content_type()), (200, XML));
        let body = format!(
            "<?xml version='1.0' encoding='UTF-8'?><{action}Response><RequestId>{ID}</RequestId>\
                <Success>true</Success><Code>200</Code><Message>OK</Message>\
                <HttpStatusCode>200</HttpStatusCode><DynamicCode></DynamicCode>\
                <DynamicMessage></DynamicMessage></{action}Response>"
        );
        assert_eq!(answer.body, body);
        assert_eq!(memory.state().ecr.flow_logs().count(), 0);
    }
}

/// To the octet.
#[tokio::test]
async fn an_error_has_the_fields_of_a_success_too() {
    let (front, _) = open(State::default());
    let body = async |params: &str| ecr("DeleteFlowlog", params).to(&front).await.body;
    let error = |code: &str, message: &str, rest: &str| {
        format!(
            "{{\"RequestId\":\"{ID}\",\"HostId\":\"127.0.0.1:8099\",\"Code\":\"{code}\",\
                \"Message\":\"{message}\",\
                \"Recommend\":\"https://api.aliyun.com/troubleshoot?q={code}\
                &product=ExpressConnectRouter&requestId={ID}\",\"Success\":false,{rest}}}"
        )
    };
    let code = "MissingParam.FlowLogId";
    let message = "The param of FlowLogId is missing.";
    let rest = format!(
        "\"HttpStatusCode\":400,\"DynamicCode\":\"{code}\",\"DynamicMessage\":\"{message}\""
    );
    assert_eq!(body("").await, error(code, message, &rest));
    let code = "ResourceNotFound.FlowLogId";
    let rest = "\"HttpStatusCode\":404,\"DynamicCode\":\"\",\"DynamicMessage\":\"\"";
    let expected = error(code, "FlowLogId not found.", rest);
    assert_eq!(body("FlowLogId=ecr-flog-none").await, expected);
}

#[tokio::test]
async fn a_trial_is_checked_and_changes_nothing() {
    let (front, memory) = open(stored(STORED, ROUTER, true));
    let before = memory.state();
    let id = format!("FlowLogId={STORED}");
    for (action, params) in [
        ("CreateFlowLog", NEEDED),
        ("ModifyFlowLogAttribute", &id),
        ("DeactivateFlowLog", &id),
        ("DeleteFlowlog", &id),
        ("DescribeFlowLogs", ""),
    ] {
        for word in ["true", "True", "TRUE"] {
            let params = format!("{params}&ClientToken=t&DryRun={word}");
            let answer = told(&front, action, &params).await;
            assert_eq!(answer, success(json!({})), "{action}");
        }
    }
    assert_eq!(memory.state(), before);
    let refused = ecr("ActivateFlowLog", &format!("{id}&DryRun=true"));
    let error = refused.to(&front).await.error();
    assert_eq!(error.1, "IncorrectStatus.FlowLog");
    // The token is not used up, whatever is asked for with it.
    for word in ["false", "False", ""] {
        let params = format!("{NEEDED}&Interval=60&ClientToken=t&DryRun={word}");
        let made = told(&front, "CreateFlowLog", &params).await;
        assert_eq!(made["FlowLogId"], memory_first(&memory));
    }
    assert_eq!(memory.state().ecr.flow_logs().count(), 2);
    // Nor does a trial tell what was made.
    let params = format!("{NEEDED}&Interval=60&ClientToken=t&DryRun=true");
    let trial = told(&front, "CreateFlowLog", &params).await;
    assert_eq!(trial, success(json!({})));
}

/// The flow log that is not the one stored.
fn memory_first(memory: &Memory) -> String {
    let state = memory.state();
    let mut logs = state.ecr.flow_logs().filter(|log| log.id != STORED);
    logs.next().unwrap().id.clone()
}

/// Under a new signature, in another format, with the parameters elsewhere.
#[tokio::test]
async fn what_comes_again_under_its_token_is_answered_again() {
    let (front, memory) = open(State::default());
    let create = format!("{NEEDED}&ClientToken=02fb3da4-130e-11e9-8e44-0001");
    let first = told(&front, "CreateFlowLog", &create).await;
    assert_eq!(first, success(json!({"FlowLogId": FIRST})));
    let before = memory.state();
    let resigned = "SignatureNonce=n&Signature=s&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0\
        &SignatureType=&Timestamp=2026-11-21T02:00:12Z&AccessKeyId=a&SecurityToken=t&Format=JSON";
    let again = told(&front, "CreateFlowLog", &format!("{resigned}&{create}")).await;
    assert_eq!(again, first);
    let newer = Sent::new("POST", "/")
        .header("x-acs-action", "CreateFlowLog")
        .header("x-acs-version", "2023-09-01")
        .form(format!("EcrId={ROUTER}&{create}"));
    assert_eq!(newer.to(&front).await.success(), first);
    assert_eq!(memory.state(), before);
}

#[tokio::test]
async fn a_removal_comes_again_under_its_token() {
    let (front, memory) = open(stored(STORED, ROUTER, true));
    let delete = |token: &str| format!("FlowLogId={STORED}&ClientToken={token}");
    for _ in 0..2 {
        // Both spellings are the same action.
        told(&front, "DeleteFlowlog", &delete("t")).await;
        told(&front, "DeleteFlowLog", &delete("t")).await;
    }
    assert_eq!(memory.state().ecr.flow_logs().count(), 0);
    let other = ecr("DeleteFlowlog", &delete("u")).to(&front).await;
    other.is_error(404, "ResourceNotFound.FlowLogId", "FlowLogId not found.");
    // No flow log of that name is there; but another action has other tokens.
    let other = ecr("DeactivateFlowLog", &delete("t")).to(&front).await;
    other.is_error(404, "ResourceNotFound.FlowLogId", "FlowLogId not found.");
}

#[tokio::test]
async fn a_token_is_for_one_request_and_one_day() {
    let now = Arc::new(AtomicI64::new(1_795_226_412));
    let memory = memory(State::default());
    let mut settings = settings(Credentials::open());
    let clock = Arc::clone(&now);
    settings.clock =
        Arc::new(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap());
    let front = front_of(&memory, settings);
    let create = |more: &str| format!("{NEEDED}&ClientToken=t{more}");
    told(&front, "CreateFlowLog", &create("")).await;
    let message = "The request uses the same client token as a previous, but non-identical \
        request. Do not reuse a client token with different requests, unless the requests are \
        identical.";
    for more in [
        "&Interval=60",
        "&Interval=600",
        "&Tag.1.Key=k",
        "&DryRun=true&Description=d",
    ] {
        let other = ecr("CreateFlowLog", &create(more)).to(&front).await;
        other.is_error(400, "IdempotentParameterMismatch", message);
    }
    now.fetch_add(24 * 60 * 60, Ordering::Relaxed);
    told(&front, "CreateFlowLog", &create("&Interval=60")).await;
    assert_eq!(memory.state().ecr.flow_logs().count(), 2);
}

/// One of them is made, and each is answered.
#[tokio::test]
async fn two_at_once_under_one_token_are_one() {
    let (front, memory) = open(State::default());
    let create = format!("{NEEDED}&ClientToken=t");
    let answers = tokio::join!(
        told(&front, "CreateFlowLog", &create),
        told(&front, "CreateFlowLog", &create),
    );
    assert_eq!(answers.0, success(json!({"FlowLogId": FIRST})));
    assert_eq!(answers.1, answers.0);
    assert_eq!(memory.state().ecr.flow_logs().count(), 1);
}

#[tokio::test]
async fn without_a_token_nothing_is_the_same() {
    let (front, memory) = open(State::default());
    for empty in ["", "&ClientToken="] {
        told(&front, "CreateFlowLog", &format!("{NEEDED}{empty}")).await;
    }
    assert_eq!(memory.state().ecr.flow_logs().count(), 2);
}

#[tokio::test]
async fn a_key_does_what_it_may() {
    let front = |action: &str, product| {
        let mut key = credential(ALIBABA, None);
        key.actions = vec![Pattern::new(action)];
        key.products = vec![product];
        let memory = memory(stored(STORED, ROUTER, true));
        front_of(&memory, settings(Credentials::new([key])))
    };
    let delete = capture("tea.ecr.DeleteFlowlog");
    let may = front("DeleteFlowlog", Product::ExpressConnectRouter);
    delete.to(&may).await.success();
    let message = "User not authorized to operate on the specified resource, or this API \
        doesn't support RAM.";
    for (action, product) in [
        ("Describe*", Product::ExpressConnectRouter),
        ("*", Product::Smartag),
    ] {
        let answer = delete.to(&front(action, product)).await;
        answer.is_error(403, "Forbidden.RAM", message);
        let detail = &answer.json()["AccessDeniedDetail"];
        assert_eq!(detail["AuthAction"], "expressconnectrouter:DeleteFlowlog");
    }
    let describe = capture("tea.ecr.DescribeFlowLogs");
    let may_not = front("DeleteFlowlog", Product::ExpressConnectRouter);
    let answer = describe.to(&may_not).await;
    answer.is_error(403, "Forbidden.RAM", message);
}

#[tokio::test]
async fn the_log_tells_what_was_changed_from_what_was_not() {
    let lines = logged(async || {
        let (front, _) = open(State::default());
        let create = format!("{NEEDED}&ClientToken=t");
        told(&front, "CreateFlowLog", &format!("{create}&DryRun=true")).await;
        told(&front, "CreateFlowLog", &create).await;
        told(&front, "CreateFlowLog", &create).await;
        told(&front, "DescribeFlowLogs", "").await;
        let delete = ecr("DeleteFlowLog", "FlowLogId=ecr-flog-none");
        delete.to(&front).await.error();
    });
    let line = |action: &str, flow_log: &str, instance: &str, result: &str| {
        format!(
            "INFO a control API was asked for a change who=\"anybody\" from=\"\" \
                action=\"expressconnectrouter:{action}\" flow_log=\"{flow_log}\" \
                instance=\"{instance}\" result=\"{result}\" request={ID}"
        )
    };
    let vbr = "vbr-j6cwxhgg0s5nuephp0001";
    let missing = "ResourceNotFound.FlowLogId";
    let expected = [
        line("CreateFlowLog", "", vbr, "unchanged"),
        line("CreateFlowLog", FIRST, vbr, "OK"),
        line("CreateFlowLog", FIRST, vbr, "unchanged"),
        line("DeleteFlowlog", "ecr-flog-none", "", missing),
    ];
    assert_eq!(lines.await, expected);
}
