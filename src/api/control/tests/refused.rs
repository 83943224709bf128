//! Every error of the product's table, to the letter (control-plane.md §1.3).
//!
//! Three of its rows no request raises: `MissingParameter` and `InternalError`
//! have a plainer cause each (`MissingRegionId`, the gateway's own 500), and
//! `Forbidden` is the answer to a request that may be forged.

use super::*;

const NOT_FOUND: (&str, &str) = (
    "InvalidFlowLogId.NotFound",
    "The specified FlowLogId does not exist.",
);
const NO_GATEWAY: (&str, &str) = (
    "InvalidSmartAGId.NotFound",
    "The specified SmartAGId does not exist.",
);
const STATE: (&str, &str) = (
    "IncorrectStatus.FlowLog",
    "The current FlowLog instance status does not support this operation.",
);

/// The flow log `fl-1`, as the tests find it.
fn bound_to(gateway: Option<&str>) -> State {
    stored("fl-1", "cn-shanghai", true, gateway)
}

async fn refusal(state: State, action: &str, params: &str) -> (u16, String, String) {
    let (front, memory) = open(state.clone());
    let answer = Sent::sag(action, params).to(&front).await;
    assert_eq!(*memory.state(), state, "{action} {params}");
    answer.error()
}

async fn is_refused(
    state: State,
    (action, params): (&str, &str),
    status: u16,
    (code, message): (&str, &str),
) {
    let refusal = refusal(state, action, params).await;
    let expected = (status, code.to_owned(), message.to_owned());
    assert_eq!(refusal, expected, "{action} {params}");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let missing = |name: &str| {
        (
            format!("MissingParam.{name}"),
            format!("Specify the {name} parameter."),
        )
    };
    let netflow = "OutputType=netflow&NetflowServerIp=192.0.2.9";
    let sls = "OutputType=sls&ProjectName=flow-proj&LogstoreName=flows&SlsRegionId=cn-a";
    for (action, params, name) in [
        ("ModifyFlowLogAttribute", String::new(), "FlowLogId"),
        ("DeleteFlowLog", "FlowLogId=".to_owned(), "FlowLogId"),
        ("ActiveFlowLog", String::new(), "FlowLogId"),
        ("DeactiveFlowLog", String::new(), "FlowLogId"),
        (
            "AssociateFlowLog",
            "SmartAGId=sag-far".to_owned(),
            "FlowLogId",
        ),
        ("DisassociateFlowLog", String::new(), "FlowLogId"),
        ("DescribeFlowLogSags", String::new(), "FlowLogId"),
        ("CreateFlowLog", "OutputType=all".to_owned(), "ProjectName"),
        (
            "CreateFlowLog",
            "OutputType=netflow".to_owned(),
            "NetflowServerIp",
        ),
        (
            "CreateFlowLog",
            format!("{netflow}&NetflowServerPort="),
            "NetflowServerPort",
        ),
        (
            "CreateFlowLog",
            format!("{netflow}&NetflowVersion="),
            "NetflowVersion",
        ),
        ("CreateFlowLog", sls.replace("flow-proj", ""), "ProjectName"),
        ("CreateFlowLog", sls.replace("flows", ""), "LogstoreName"),
        ("CreateFlowLog", sls.replace("cn-a", ""), "SlsRegionId"),
    ] {
        let (code, message) = missing(name);
        let call = (action, params.as_str());
        is_refused(State::default(), call, 400, (&code, &message)).await;
    }
}

#[tokio::test]
async fn what_is_illegal_is_named() {
    let illegal = |name: &str| {
        let code = format!("IllegalParam.{name}");
        (code, format!("The specified {name} is invalid."))
    };
    let good = "OutputType=netflow&NetflowServerIp=192.0.2.9";
    for (params, name) in [
        ("OutputType=SLS", "OutputType"),
        ("", "OutputType"),
        ("ActiveAging=59", "ActiveAging"),
        ("ActiveAging=6001", "ActiveAging"),
        ("ActiveAging=5m", "ActiveAging"),
        ("InactiveAging=9", "InactiveAging"),
        ("InactiveAging=601", "InactiveAging"),
        ("NetflowServerIp=collector.example", "NetflowServerIp"),
        ("NetflowServerIp=169.254.169.254", "NetflowServerIp"),
        ("NetflowServerPort=0", "NetflowServerPort"),
        ("NetflowServerPort=65536", "NetflowServerPort"),
        ("NetflowVersion=v9", "NetflowVersion"),
        ("SlsRegionId=CN%20HANGZHOU", "SlsRegionId"),
        ("RegionId=Shanghai!", "RegionId"),
    ] {
        let (code, message) = illegal(name);
        // Of two parameters with one name the later counts.
        let all = format!("{good}&{params}");
        let all = if params.is_empty() { params } else { &all };
        let call = ("CreateFlowLog", all);
        is_refused(State::default(), call, 400, (&code, &message)).await;
    }
    let status = (
        "IllegalParam.Status",
        "The specified Status parameter is invalid.",
    );
    let call = ("DescribeFlowLogs", "Status=active");
    is_refused(State::default(), call, 400, status).await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let elsewhere = || stored("fl-1", "cn-hangzhou", true, None);
    for action in [
        "ModifyFlowLogAttribute",
        "DeleteFlowLog",
        "ActiveFlowLog",
        "DeactiveFlowLog",
        "AssociateFlowLog",
        "DisassociateFlowLog",
        "DescribeFlowLogSags",
    ] {
        let call = (action, "FlowLogId=fl-1&SmartAGId=sag-39u6j9a49i03wk0001");
        is_refused(State::default(), call, 400, NOT_FOUND).await;
        is_refused(elsewhere(), call, 400, NOT_FOUND).await;
    }
    for (action, gateway) in [
        ("AssociateFlowLog", "sag-none"),
        ("AssociateFlowLog", "sag-far"),
        ("DisassociateFlowLog", "sag-none"),
        ("DisassociateFlowLog", "sag-39u6j9a49i03wk0001"),
    ] {
        let params = format!("FlowLogId=fl-1&SmartAGId={gateway}");
        is_refused(bound_to(None), (action, &params), 400, NO_GATEWAY).await;
    }
}

#[tokio::test]
async fn what_the_state_does_not_allow_is_refused() {
    let stopped = stored("fl-1", "cn-shanghai", false, None);
    let id = "FlowLogId=fl-1";
    is_refused(stopped, ("DeactiveFlowLog", id), 400, STATE).await;
    let bound = (
        "DependencyViolation.FlowLog",
        "This FlowLog instance is bound to an SAG instance.",
    );
    is_refused(bound_to(Some("sag-far")), ("DeleteFlowLog", id), 400, bound).await;
    let mut rules = settings(Credentials::open());
    rules.sag.may_reactivate = false;
    let memory = Arc::new(Memory::new(bound_to(None)));
    let active = Sent::sag("ActiveFlowLog", id);
    let answer = active.to(&front_of(&memory, rules)).await;
    answer.is_error(400, STATE.0, STATE.1);
}

#[tokio::test]
async fn gateways_that_cannot_be_bound_say_why() {
    let feature = |which: &str| {
        format!(
            "The current edition of the {which}smart access gateway does not support this feature."
        )
    };
    let model = "You cannot bind the SAG device of the current version or model to a FlowLog \
        instance.";
    for (gateway, status, code, message) in [
        (
            "sag-old",
            400,
            "OperationUnsupported.AssociateFlowLog",
            model.to_owned(),
        ),
        ("sag-single", 403, "FeatureNotSupport", feature("")),
        (
            "sag-active",
            403,
            "FeatureNotSupportForActiveSmartAG",
            feature("active "),
        ),
        (
            "sag-standby",
            403,
            "FeatureNotSupportForStandBySmartAG",
            feature("standby "),
        ),
    ] {
        let params = format!("FlowLogId=fl-1&SmartAGId={gateway}");
        let call = ("AssociateFlowLog", params.as_str());
        is_refused(bound_to(None), call, status, (code, &message)).await;
    }
    let (front, _) = open(bound_to(Some("sag-39u6j9a49i03wk0001")));
    let netflow = "OutputType=netflow&NetflowServerIp=192.0.2.9";
    let other = Sent::sag("CreateFlowLog", netflow)
        .to(&front)
        .await
        .success();
    let other = other["FlowLogId"].as_str().unwrap().to_owned();
    let params = format!("FlowLogId={other}&SmartAGId=sag-39u6j9a49i03wk0001");
    let answer = Sent::sag("AssociateFlowLog", &params).to(&front).await;
    let message = "The operation failed. The specified SAG instance has already been associated \
        with another FlowLog instance.";
    answer.is_error(400, "OperationFailed.AssociateFlowLog", message);
    let lost = ("ActiveFlowLog", "FlowLogId=fl-1");
    let code = ("FeatureNotSupport", &*feature(""));
    is_refused(bound_to(Some("sag-single")), lost, 403, code).await;
}

#[tokio::test]
async fn an_account_has_as_many_flow_logs_as_it_may() {
    let mut rules = settings(Credentials::open());
    rules.sag.quota = 1;
    let memory = Arc::new(Memory::new(State::default()));
    let front = front_of(&memory, rules);
    let create = "OutputType=netflow&NetflowServerIp=192.0.2.9";
    let create = Sent::sag("CreateFlowLog", create);
    create.to(&front).await.success();
    let message = "The maximum number of FlowLog instances is exceeded.";
    let answer = create.to(&front).await;
    answer.is_error(400, "QuotaExceeded.Flowlog", message);
}

#[tokio::test]
async fn a_value_without_an_error_of_its_own_is_an_invalid_parameter() {
    let invalid = ("InvalidParameter", "The specified parameter is invalid.");
    let netflow = "OutputType=netflow&NetflowServerIp=192.0.2.9";
    let long = format!("{netflow}&Name={}", "n".repeat(129));
    let control = format!("{netflow}&Description=a%0Ab");
    let group = format!("{netflow}&ResourceGroupId=%3Crg%3E");
    for (action, params) in [
        ("CreateFlowLog", long.as_str()),
        ("CreateFlowLog", &control),
        ("CreateFlowLog", &group),
        ("DescribeFlowLogs", "PageNumber=0"),
        ("DescribeFlowLogs", "PageSize=ten"),
    ] {
        is_refused(State::default(), (action, params), 403, invalid).await;
    }
}

#[tokio::test]
async fn what_the_gateway_needs_it_says_itself() {
    let (front, _) = open(bound_to(None));
    let without_region = Sent::new("GET", "/?Action=DescribeFlowLogs&Version=2018-03-13");
    let answer = without_region.to(&front).await;
    let mandatory = |name: &str| format!("{name} is mandatory for this action.");
    answer.is_error(400, "MissingRegionId", &mandatory("RegionId"));
    let empty = Sent::sag("DescribeFlowLogs", "RegionId=").to(&front).await;
    empty.is_error(400, "MissingRegionId", &mandatory("RegionId"));
    for action in ["AssociateFlowLog", "DisassociateFlowLog"] {
        let answer = Sent::sag(action, "FlowLogId=fl-1").to(&front).await;
        answer.is_error(400, "MissingSmartAGId", &mandatory("SmartAGId"));
    }
}
