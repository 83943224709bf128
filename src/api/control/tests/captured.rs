//! Requests that real clients sent, answered as those clients expect.

use std::collections::BTreeMap;

use super::*;
use crate::api::auth::parameters;

/// Clients of Alibaba Cloud: three SDKs for Python, one for node, and what
/// Terraform does.
const ALIBABA: [&str; 5] = ["alicore.", "popcore.", "tea.", "tearpc(", "teav2."];

const GATEWAY: &str = "sag-39u6j9a49i03wk0001";

/// Query and form of a request that is known to be well-formed.
fn params(sent: &Sent) -> BTreeMap<String, String> {
    let (_, query) = sent.target.split_once('?').unwrap_or_default();
    let body = std::str::from_utf8(&sent.body).unwrap();
    let both = [query, body].map(|text| parameters(text).unwrap());
    both.into_iter().flatten().collect()
}

fn action(sent: &Sent) -> String {
    let mut headers = sent.headers.iter();
    let header = headers.find(|(name, _)| name.eq_ignore_ascii_case("x-acs-action"));
    let header = header.map(|(_, action)| action.clone());
    header.or_else(|| params(sent).remove("Action")).unwrap()
}

/// The flow log that a request names, in the state that the action needs.
fn needed(sent: &Sent) -> State {
    let (params, action) = (params(sent), action(sent));
    let named = params.get("FlowLogId").map(String::as_str);
    let id = match named {
        Some("fl-notfound") => return State::default(),
        Some(id) => id,
        None if action == "CreateFlowLog" => return State::default(),
        None => "fl-l934tsa5504yuc0001",
    };
    let is_bound = ["DisassociateFlowLog", "DescribeFlowLogSags"].contains(&&*action);
    let is_active = action != "ActiveFlowLog";
    stored(
        id,
        &params["RegionId"],
        is_active,
        is_bound.then_some(GATEWAY),
    )
}

/// What a success tells, by action.
fn told(sent: &Sent) -> Value {
    let params = params(sent);
    match &*action(sent) {
        "CreateFlowLog" => json!({
            "RequestId": ID, "FlowLogId": FIRST, "ResourceGroupId": "rg-acfmflowlogd000",
        }),
        "DescribeFlowLogs" => {
            let page_size = params
                .get("PageSize")
                .map_or(10, |size| size.parse().unwrap());
            let id = params
                .get("FlowLogId")
                .map_or("fl-l934tsa5504yuc0001", |id| id);
            json!({
                "RequestId": ID, "TotalCount": 1, "PageSize": page_size, "PageNumber": 1,
                "FlowLogs": {"FlowLogSetType": [{
                    "FlowLogId": id, "Name": "sag-flowlog-1", "Description": "d",
                    "Status": "Active", "TotalSagNum": 0, "OutputType": "netflow",
                    "ActiveAging": 300, "InactiveAging": 15, "NetflowServerIp": "192.168.0.2",
                    "NetflowServerPort": 9995, "NetflowVersion": "V9",
                    "ResourceGroupId": "rg-acfm2iu4fnc0001",
                }]},
            })
        }
        "DescribeFlowLogSags" => json!({
            "RequestId": ID, "TotalCount": 1, "PageSize": 10, "PageNumber": 1,
            "Sags": {"Sag": [{"SmartAGId": GATEWAY, "Name": "ruijie"}]},
        }),
        "DescribeUnbindFlowLogSags" => {
            let free = [GATEWAY, "sag-active", "sag-single", "sag-standby"];
            let free = free.map(|id| json!({"SmartAGId": id, "Name": "ruijie"}));
            json!({"RequestId": ID, "Count": 4, "Sags": {"Sag": free}})
        }
        _ => json!({"RequestId": ID}),
    }
}

#[tokio::test]
async fn captured_requests_are_answered_as_their_clients_expect() {
    let (mut good, mut unknown) = (0, 0);
    for sent in captures(&ALIBABA) {
        let label = &sent.label;
        if [".ecr.", "badsecret", ".XML"]
            .iter()
            .any(|it| label.contains(it))
        {
            continue;
        }
        let memory = Arc::new(Memory::new(needed(&sent)));
        let answer = sent.to(&front_of(&memory, settings(ours()))).await;
        assert_eq!(answer.header("x-acs-request-id"), ID, "{label}");
        if label.contains("notfound") {
            unknown += 1;
            let message = "The specified FlowLogId does not exist.";
            answer.is_error(400, "InvalidFlowLogId.NotFound", message);
        } else {
            good += 1;
            assert_eq!(answer.success(), told(&sent), "{label}");
        }
    }
    assert_eq!((good, unknown), (34, 5));
}

/// To the octet, as clients that have no XML library take it apart.
#[tokio::test]
async fn captured_requests_for_xml_get_it() {
    let answer_to = async |label| {
        let sent = capture(label);
        let memory = Arc::new(Memory::new(needed(&sent)));
        sent.to(&front_of(&memory, settings(ours()))).await
    };
    let head = "<?xml version='1.0' encoding='UTF-8'?>";
    let good = answer_to("alicore.do_action.XML").await;
    assert_eq!((good.status, good.content_type()), (200, XML));
    let root = "DeactiveFlowLogResponse";
    let body = format!("{head}<{root}><RequestId>{ID}</RequestId></{root}>");
    assert_eq!(good.body, body);
    let bad = answer_to("alicore.do_action.XML.err").await;
    assert_eq!((bad.status, bad.content_type()), (400, XML));
    let code = "InvalidFlowLogId.NotFound";
    let recommend = format!(
        "https://api.aliyun.com/troubleshoot?q={code}&amp;product=Smartag&amp;requestId={ID}"
    );
    let body = format!(
        "{head}<Error><RequestId>{ID}</RequestId><HostId>127.0.0.1:8099</HostId>\
            <Code>{code}</Code><Message>The specified FlowLogId does not exist.</Message>\
            <Recommend>{recommend}</Recommend></Error>"
    );
    assert_eq!(bad.body, body);
}

/// To the octet: one client takes the message apart.
#[tokio::test]
async fn a_bad_secret_is_told_what_should_have_been_signed() {
    let memory = Arc::new(Memory::new(State::default()));
    let front = front_of(&memory, settings(ours()));
    let lines = include_str!("../../auth/testdata/control/captures.jsonl").lines();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (mut rpc, mut acs3) = (0, 0);
    for line in lines {
        let sent = Sent::of(&line);
        let text = line["string_to_sign"].as_str().unwrap_or_default();
        let message = match &*sent.label {
            "alicore.badsecret" => {
                rpc += 1;
                format!(
                    "Specified signature is not matched with our calculation. \
                        server string to sign is:{text}"
                )
            }
            "tea.badsecret" => {
                acs3 += 1;
                format!(
                    "Specified signature does not match our calculation. \
                        server StringToSign is [{text}]"
                )
            }
            _ => continue,
        };
        let answer = sent.to(&front).await;
        answer.is_error(400, "SignatureDoesNotMatch", &message);
    }
    assert_eq!((rpc, acs3), (1, 1));
}

#[tokio::test]
async fn an_answer_is_written_as_the_vendor_writes_it() {
    let (front, _) = open(State::default());
    let created = "OutputType=netflow&NetflowServerIp=192.0.2.9";
    let created = Sent::sag("CreateFlowLog", created).to(&front).await;
    let body = format!(
        r#"{{"RequestId":"{ID}","FlowLogId":"{FIRST}","ResourceGroupId":"rg-acfmflowlogd000"}}"#
    );
    assert_eq!(created.body, body);
    let described = Sent::sag("DescribeFlowLogs", "Format=xml").to(&front).await;
    assert_eq!((described.status, described.content_type()), (200, XML));
    let body = format!(
        "<?xml version='1.0' encoding='UTF-8'?><DescribeFlowLogsResponse>\
            <RequestId>{ID}</RequestId><TotalCount>1</TotalCount><PageSize>10</PageSize>\
            <PageNumber>1</PageNumber><FlowLogs><FlowLogSetType><FlowLogId>{FIRST}</FlowLogId>\
            <Name></Name><Status>Active</Status><TotalSagNum>0</TotalSagNum>\
            <OutputType>netflow</OutputType><ActiveAging>300</ActiveAging>\
            <InactiveAging>15</InactiveAging><NetflowServerIp>192.0.2.9</NetflowServerIp>\
            <NetflowServerPort>9995</NetflowServerPort><NetflowVersion>V9</NetflowVersion>\
            <ResourceGroupId>rg-acfmflowlogd000</ResourceGroupId></FlowLogSetType></FlowLogs>\
            </DescribeFlowLogsResponse>"
    );
    assert_eq!(described.body, body);
    let missing = Sent::sag("DeleteFlowLog", "FlowLogId=fl-none")
        .to(&front)
        .await;
    let code = "InvalidFlowLogId.NotFound";
    let body = format!(
        "{{\"RequestId\":\"{ID}\",\"HostId\":\"127.0.0.1:8099\",\"Code\":\"{code}\",\
            \"Message\":\"The specified FlowLogId does not exist.\",\
            \"Recommend\":\"https://api.aliyun.com/troubleshoot?q={code}&product=Smartag\
            &requestId={ID}\"}}"
    );
    assert_eq!(missing.body, body);
}

/// The flow log that a request for a border router's names, in the state that
/// the action needs.
fn needed_of_router(sent: &Sent) -> State {
    let (params, action) = (params(sent), action(sent));
    let id = params.get("FlowLogId").map_or(routers::STORED, |id| id);
    match &*action {
        "CreateFlowLog" => State::default(),
        action => routers::stored(id, &params["EcrId"], action != "ActivateFlowLog"),
    }
}

/// As in the answers that these clients were captured with.
#[tokio::test]
async fn captured_requests_for_routers_are_answered_as_their_clients_expect() {
    let mut count = 0;
    for sent in captures(&ALIBABA) {
        let label = &sent.label;
        if !label.contains(".ecr.") {
            continue;
        }
        count += 1;
        let before = needed_of_router(&sent);
        let memory = routers::memory(before.clone());
        let answer = sent.to(&front_of(&memory, settings(ours()))).await;
        assert_eq!(answer.header("x-acs-request-id"), ID, "{label}");
        let told = answer.success();
        let params = params(&sent);
        let action = action(&sent);
        let expected = match &*action {
            "CreateFlowLog" => routers::success(json!({"FlowLogId": routers::FIRST})),
            "DescribeFlowLogs" => routers::success(json!({
                "FlowLogs": [routers::shown(routers::STORED, &params["EcrId"], "Active")],
                "MaxResults": 10, "TotalCount": 1, "NextToken": "",
            })),
            _ => routers::success(json!({})),
        };
        assert_eq!(told, expected, "{label}");
        // They all removed for a trial.
        let is_change = !["DeleteFlowlog", "DescribeFlowLogs"].contains(&&*action);
        assert_eq!(*memory.state() != before, is_change, "{label}");
    }
    assert_eq!(count, 14);
}

#[tokio::test]
async fn a_captured_request_makes_the_flow_log_that_it_asks_for() {
    for label in ["tea.ecr.CreateFlowLog", "teav2.ecr.CreateFlowLog"] {
        let memory = routers::memory(State::default());
        let front = front_of(&memory, settings(ours()));
        capture(label).to(&front).await.success();
        let state = memory.state();
        let log = state.ecr.flow_logs().next().unwrap();
        let attributes = &log.attributes;
        assert_eq!(
            (&*attributes.name, &*attributes.description),
            ("my log", "流")
        );
        assert_eq!(attributes.vbr, "vbr-j6cwxhgg0s5nuephp0001");
        assert_eq!(attributes.project, "flowlog-project");
        assert_eq!(attributes.logstore, "flowlog-logstore");
        assert_eq!((attributes.interval_s, attributes.one_in), (600, 4096));
        let tags = [("FinanceDept", "FinanceJoshua"), ("k2", "v 2")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(attributes.tags, tags);
    }
}

/// Clients of Tencent Cloud: its SDKs for Python and node, old and new, and its
/// command line.
const TENCENT: [&str; 4] = ["qc2.", "qcnode.", "tc3.", "tccli"];

/// The action of a request to Tencent Cloud, and whether it is the older API's.
fn tencents_action(sent: &Sent) -> (String, bool) {
    let mut headers = sent.headers.iter();
    let header = headers.find(|(name, _)| name == "X-TC-Action");
    let header = header.map(|(_, action)| action.clone());
    let action = header.or_else(|| params(sent).remove("Action")).unwrap();
    (action, sent.target.starts_with("/v2/"))
}

/// What a success tells in API 3.0, by action.
fn told_newly(sent: &Sent, action: &str) -> Value {
    let mut told = match action {
        "CreateFlowLog" if sent.label == "tccli" => {
            let mut made = tencent::log("fl-01234567", "vpc-iqg1sdjj", "eni-08dhim");
            made["FlowLogName"] = json!("test");
            made["CloudLogId"] = json!("b4fd");
            json!({"FlowLog": [made]})
        }
        "CreateFlowLog" => {
            let mut made = tencent::log("fl-01234567", "vpc-iqg1sdjj", "eni-08dhim00");
            made["FlowLogName"] = json!("test 流日志");
            made["FlowLogDescription"] = json!("a b~*+/&=");
            made["CloudLogId"] = json!("b4fd9ac1-7ce5-440d-92a7-10d9f04bdb34");
            let tags = [("city", "shanghai"), ("k2", "v2")];
            made["TagSet"] = tags
                .iter()
                .map(|(key, value)| json!({"Key": key, "Value": value}))
                .collect();
            json!({"FlowLog": [made]})
        }
        "DescribeFlowLog" => json!({"FlowLog": [tencent::log("fl-1", "vpc-1", "eni-1")]}),
        "DescribeFlowLogs" => json!({"FlowLog": [], "TotalNum": 0}),
        _ => json!({}),
    };
    told["RequestId"] = json!(ID.to_ascii_lowercase());
    json!({"Response": told})
}

/// What a success tells in API 2.0, by action.
fn told_as_before(sent: &Sent, action: &str) -> Value {
    let params = params(sent);
    let data = match action {
        "CreateFlowLog" => json!({
            "flowLogId": "fl-01234567", "flowLogName": params["flowLogName"],
            "resourceType": "NETWORKINTERFACE", "resourceId": "eni-08dhim",
            "TrafficType": "ALL", "CloudLogId": params["cloudLogId"],
            "createdTime": "2026-11-21 10:01:00",
        }),
        "DeleteFlowLog" => json!([]),
        _ => {
            let logs = ["fl-2", "fl-1"].map(|id| tencent::old_log(id, "vpc-1", "eni-1"));
            json!({"totalNum": 2, "totalCount": 2, "data": logs})
        }
    };
    json!({"code": 0, "message": "", "codeDesc": "Success", "data": data})
}

#[tokio::test]
async fn captured_requests_for_tencent_are_answered_as_their_clients_expect() {
    let (mut old, mut new) = (0, 0);
    for sent in captures(&TENCENT) {
        let label = &sent.label;
        // A client asked a proxy, or was wrong: see below.
        if ["CONNECT", "badsecret", "token"]
            .iter()
            .any(|it| sent.method == *it || label.ends_with(it))
        {
            continue;
        }
        let (action, is_old) = tencents_action(&sent);
        let stored = match &*action {
            "CreateFlowLog" => State::default(),
            _ => tencent::stored(&["fl-1", "fl-2"]),
        };
        let memory = Arc::new(Memory::new(stored));
        let answer = sent.to(&front_of(&memory, settings(ours()))).await;
        let id = answer.header("x-tc-requestid");
        assert_eq!(id, ID.to_ascii_lowercase(), "{label}");
        assert_eq!((answer.status, answer.content_type()), (200, tencent::JSON));
        if is_old {
            old += 1;
            assert_eq!(answer.json(), told_as_before(&sent, &action), "{label}");
        } else {
            new += 1;
            assert_eq!(answer.json(), told_newly(&sent, &action), "{label}");
        }
    }
    assert_eq!((old, new), (11, 17));
}

#[tokio::test]
async fn tencents_clients_with_a_bad_secret_or_token_are_not_believed() {
    for (label, code) in [
        ("tc3.badsecret", "AuthFailure.SignatureFailure"),
        ("tc3.token", "AuthFailure.TokenFailure"),
    ] {
        let memory = Arc::new(Memory::new(State::default()));
        let answer = capture(label)
            .to(&front_of(&memory, settings(ours())))
            .await;
        let error = &answer.json()["Response"]["Error"];
        assert_eq!(error["Code"], code, "{answer:?}");
    }
}
