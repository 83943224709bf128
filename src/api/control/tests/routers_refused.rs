//! Every error of the Express Connect Router API, to the letter
//! (control-plane.md §2, §5.7).
//!
//! Two that are documented no request raises: `Conflict.Lock`, as a change
//! waits for the one before it, and `ResourceNotFound.AssociationId`, as no
//! action on flow logs names an association. `Throttling.User` is the gateway's
//! answer to a key that has used up its nonces.

use super::routers::{NEEDED, ROUTER, STORED, ecr, memory, open, stored};
use super::*;

/// A call that is refused, and changes nothing.
async fn refusal(state: &State, action: &str, params: &str) -> (u16, String, String) {
    let (front, memory) = open(state.clone());
    let answer = ecr(action, params).to(&front).await;
    assert_eq!(*memory.state(), *state, "{action} {params}");
    let (status, code, message) = answer.error();
    let body = answer.json();
    assert_eq!(body["Success"], false);
    assert_eq!(body["HttpStatusCode"], status);
    (status, code, message)
}

async fn is_refused(
    state: &State,
    (action, params): (&str, &str),
    status: u16,
    (code, message): (&str, &str),
) {
    let refusal = refusal(state, action, params).await;
    let expected = (status, code.to_owned(), message.to_owned());
    assert_eq!(refusal, expected, "{action} {params}");
}

const OTHERS: [&str; 4] = [
    "ModifyFlowLogAttribute",
    "DeleteFlowlog",
    "ActivateFlowLog",
    "DeactivateFlowLog",
];

/// A call of any action that would do something, but for more parameters.
fn each(more: &str) -> impl Iterator<Item = (&'static str, String)> {
    let others = OTHERS.map(|action| (action, format!("FlowLogId={STORED}{more}")));
    let rest = [
        ("CreateFlowLog", format!("{NEEDED}{more}")),
        ("DescribeFlowLogs", more.to_owned()),
    ];
    others.into_iter().chain(rest)
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let state = State::default();
    let is_missing = async |action: &str, params: &str, name: &str| {
        let code = format!("MissingParam.{name}");
        let message = format!("The param of {name} is missing.");
        is_refused(&state, (action, params), 400, (&code, &message)).await;
    };
    for (action, params) in each("&EcrId=") {
        is_missing(action, &params, "EcrId").await;
    }
    for action in OTHERS {
        is_missing(action, "", "FlowLogId").await;
        is_missing(action, "FlowLogId=", "FlowLogId").await;
    }
    for name in ["InstanceType", "InstanceId", "ProjectName", "LogStoreName"] {
        let params = format!("{NEEDED}&{name}=");
        is_missing("CreateFlowLog", &params, name).await;
    }
    // Before anything is looked at.
    let params = format!("{NEEDED}&InstanceId=&Interval=1&EcrId=x&ClientToken=%E6%B5%81");
    is_missing("CreateFlowLog", &params, "InstanceId").await;
}

#[tokio::test]
async fn what_is_malformed_is_named() {
    let state = stored(STORED, ROUTER, true);
    let is_malformed = async |action: &str, params: &str, name: &str| {
        let code = format!("IllegalParamFormat.{name}");
        let message = format!("The param format of {name} is illegal.");
        is_refused(&state, (action, params), 400, (&code, &message)).await;
    };
    let long = format!("&ClientToken={}", "t".repeat(65));
    for more in [&*long, "&ClientToken=%E6%B5%81"] {
        for (action, params) in each(more) {
            is_malformed(action, &params, "ClientToken").await;
        }
    }
    for (action, params) in each("&EcrId=vbr-1") {
        is_malformed(action, &params, "EcrId").await;
    }
    for (name, value) in [
        ("ProjectName", "Flow_Proj"),
        ("LogStoreName", "x"),
        ("FlowLogName", "http://a"),
        ("Description", "https://a"),
        ("TargetSlsRegionId", "CN"),
        ("ResourceGroupId", "rg_1"),
    ] {
        let params = format!("{NEEDED}&{name}={value}");
        is_malformed("CreateFlowLog", &params, name).await;
    }
    for name in ["FlowLogName", "Description"] {
        let params = format!("FlowLogId={STORED}&{name}=a%0Ab");
        is_malformed("ModifyFlowLogAttribute", &params, name).await;
    }
}

#[tokio::test]
async fn what_is_illegal_is_named() {
    let state = stored(STORED, ROUTER, true);
    let is_illegal = async |action: &str, params: &str, name: &str| {
        let code = format!("IllegalParam.{name}");
        let message = format!("The param of {name} is illegal.");
        is_refused(&state, (action, params), 400, (&code, &message)).await;
    };
    for word in ["yes", "1", "truee"] {
        for (action, params) in each(&format!("&DryRun={word}")) {
            is_illegal(action, &params, "DryRun").await;
        }
    }
    for (name, value) in [
        ("InstanceType", "VPC"),
        ("Interval", "300"),
        ("SamplingRate", "1:1"),
    ] {
        let params = format!("{NEEDED}&{name}={value}");
        is_illegal("CreateFlowLog", &params, name).await;
    }
    for (name, value) in [("Interval", "61"), ("SamplingRate", "4096")] {
        let params = format!("FlowLogId={STORED}&{name}={value}");
        is_illegal("ModifyFlowLogAttribute", &params, name).await;
    }
    let tagged = format!("{NEEDED}&Tag.1.Key=k&Tag.2.Key=k");
    is_illegal("CreateFlowLog", &tagged, "Tag").await;
    is_illegal("DescribeFlowLogs", "MaxResults=0", "MaxResults").await;
    is_illegal("DescribeFlowLogs", "NextToken=2", "NextToken").await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let state = stored(STORED, ROUTER, true);
    let router = ("ResourceNotFound.EcrId", "EcrId not found.");
    // As the vendor's documents mask it.
    for (action, params) in each("&EcrId=ecr-mezk2idmsd0vx2****") {
        is_refused(&state, (action, &params), 404, router).await;
    }
    let flow_log = ("ResourceNotFound.FlowLogId", "FlowLogId not found.");
    for action in OTHERS {
        let elsewhere = format!("FlowLogId={STORED}&EcrId=ecr-1");
        for params in ["FlowLogId=ecr-flog-m5evbtbpt****", &elsewhere] {
            is_refused(&state, (action, params), 404, flow_log).await;
        }
    }
    let instance = (
        "ResourceNotFound.InstanceId",
        "The instance id does not exist.",
    );
    for id in ["vbr-none", "vbr-1"] {
        let params = format!("{NEEDED}&InstanceId={id}");
        is_refused(&state, ("CreateFlowLog", &params), 400, instance).await;
    }
}

/// The rows of the seed, on every action that changes something.
#[tokio::test]
async fn a_router_that_is_not_ready_says_why() {
    let state = State::default();
    let status = (
        "IncorrectStatus.Ecr",
        "Ecr Status does not allow current operation.",
    );
    let deleting = (
        "OperationDenied.ForceDeleting",
        "The current instance is being deleted.",
    );
    for (router, error) in [("ecr-inactive", status), ("ecr-deleting", deleting)] {
        for (action, params) in each(&format!("&EcrId={router}")) {
            if action != "DescribeFlowLogs" {
                is_refused(&state, (action, &params), 400, error).await;
            }
        }
        let (front, _) = open(State::default());
        let params = format!("EcrId={router}");
        let list = ecr("DescribeFlowLogs", &params).to(&front).await;
        assert_eq!(list.success()["FlowLogs"], json!([]));
    }
}

/// No action names a region of its own; some clients name one on each.
#[tokio::test]
async fn a_region_that_is_none_has_no_routers() {
    let state = stored(STORED, ROUTER, true);
    let region = (
        "UnsupportedRegion",
        "Feature not supported in specified region.",
    );
    for (action, params) in each("&RegionId=Mars%21") {
        is_refused(&state, (action, &params), 400, region).await;
    }
    for region in ["cn-hangzhou", "cn-anywhere", ""] {
        let (front, _) = open(State::default());
        let params = format!("RegionId={region}");
        ecr("DescribeFlowLogs", &params).to(&front).await.success();
    }
}

#[tokio::test]
async fn a_flow_log_is_not_turned_where_it_is() {
    let state = (
        "IncorrectStatus.FlowLog",
        "The current FlowLog instance status does not support this operation.",
    );
    for (action, is_active) in [("ActivateFlowLog", true), ("DeactivateFlowLog", false)] {
        let before = stored(STORED, ROUTER, is_active);
        let params = format!("FlowLogId={STORED}");
        is_refused(&before, (action, &params), 400, state).await;
    }
}

#[tokio::test]
async fn an_account_has_as_many_flow_logs_as_it_may() {
    let mut rules = settings(Credentials::open());
    rules.ecr.quota = 1;
    let memory = memory(State::default());
    let front = front_of(&memory, rules);
    let create = ecr("CreateFlowLog", NEEDED);
    create.to(&front).await.success();
    let message = "The maximum number of FlowLog instances is exceeded.";
    let answer = create.to(&front).await;
    answer.is_error(400, "QuotaExceeded.FlowLog", message);
}

#[tokio::test]
async fn only_actions_of_the_product_are_its_own() {
    let (front, _) = open(State::default());
    let message = "Specified api is not found, please check your url and method.";
    for action in [
        "ActiveFlowLog",
        "AssociateFlowLog",
        "deleteFlowlog",
        "DeleteFlowlOG",
    ] {
        let answer = ecr(action, "").to(&front).await;
        answer.is_error(404, "InvalidAction.NotFound", message);
    }
}
