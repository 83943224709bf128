//! The rows of API 2.0, of which the seed has those of `CreateFlowLog`.

use super::*;

/// Number, name and message of an error.
type Old = (u16, &'static str, &'static str);

const CREATE: &str = "vpcId=vpc-iqg1sdjj&flowLogName=n&resourceType=NETWORKINTERFACE\
    &resourceId=eni-08dhim&trafficType=ALL&cloudLogId=topic";
const ONE: &str = "vpcId=vpc-1&flowLogId=fl-1";

const NO_VPC: Old = (5000, "InvalidVpc.NotFound", "The VPC does not exist.");
const NO_LOG: Old = (
    5000,
    "FlowLogIDNotFound",
    "The flow log `fl-9` does not exist.",
);
const LONG_NAME: Old = (
    4000,
    "InvalidFlowLogName",
    "The parameter `flowLogName` is not in the specified range.",
);
const NAME_TAKEN: Old = (
    4000,
    "FlowLogNameDuplicate",
    "There is a flow log of this name already.",
);

/// Parameters that are others than in [`CREATE`]: of two with one name the
/// later counts.
const CREATE_ROWS: [(&str, Old); 10] = [
    ("vpcId=vpc-none", NO_VPC),
    (
        "resourceType=SUBNET",
        (5000, "InvalidSubnet.NotFound", "The subnet does not exist."),
    ),
    (
        "resourceId=eni-none",
        (
            5000,
            "InvalidNetworkInterface.NotFound",
            "The network interface does not exist.",
        ),
    ),
    (
        "flowLogName=",
        (
            4000,
            "InvalidFlowLogName",
            "The parameter `flowLogName` is empty.",
        ),
    ),
    ("flowLogName=name+of+fl-1", NAME_TAKEN),
    (
        "vpcId=vpc-1&resourceId=eni-1",
        (
            4400,
            "LimitExceeded",
            "The resource has as many flow logs as it may have.",
        ),
    ),
    (
        "resourceType=CCN",
        (
            4000,
            "InvalidParameter",
            "The parameter `resourceType` is not in the specified range.",
        ),
    ),
    (
        "trafficType=none",
        (
            4000,
            "InvalidParameter",
            "The parameter `trafficType` is not in the specified range.",
        ),
    ),
    (
        "cloudLogId=",
        (
            4000,
            "InvalidParameter",
            "The parameter `cloudLogId` is empty.",
        ),
    ),
    (
        "vpcId=",
        (
            4000,
            "MissingParameter",
            "The request is missing a required parameter `vpcId`.",
        ),
    ),
];

async fn is_refused(front: &Front, action: &str, params: &str, (code, name, message): Old) {
    let refused = told_old(front, action, params).await;
    let message = format!("({code}){message}");
    let error = json!({"code": code, "message": message, "codeDesc": name});
    assert_eq!(refused, error, "{action} {params}");
}

#[tokio::test]
async fn each_refusal_has_its_number_and_name() {
    let (front, memory) = open(stored(&["fl-1", "fl-2"]));
    for (params, old) in CREATE_ROWS {
        let params = format!("{CREATE}&{params}");
        is_refused(&front, "CreateFlowLog", &params, old).await;
    }
    let long = format!("flowLogName={}", "n".repeat(61));
    let params = format!("{CREATE}&{long}");
    is_refused(&front, "CreateFlowLog", &params, LONG_NAME).await;
    let modify = "ModifyFlowLogAttribute";
    is_refused(&front, modify, &format!("{ONE}&{long}"), LONG_NAME).await;
    let taken = format!("{ONE}&flowLogName=name+of+fl-2");
    is_refused(&front, modify, &taken, NAME_TAKEN).await;
    is_refused(&front, "DescribeFlowLogs", "vpcId=vpc-none", NO_VPC).await;
    let limit = "The parameter `limit` is not in the specified range.";
    let limit = (4000, "InvalidParameter", limit);
    is_refused(&front, "DescribeFlowLogs", "limit=0", limit).await;
    let missing = "The request is missing a required parameter `flowLogId`.";
    let missing = (4000, "MissingParameter", missing);
    for action in ["DeleteFlowLog", "DescribeFlowLog", modify] {
        is_refused(&front, action, "vpcId=vpc-none&flowLogId=fl-1", NO_VPC).await;
        is_refused(&front, action, "vpcId=vpc-1&flowLogId=fl-9", NO_LOG).await;
        is_refused(&front, action, "vpcId=vpc-1", missing).await;
    }
    assert_eq!(*memory.state(), stored(&["fl-1", "fl-2"]));
}

#[tokio::test]
async fn an_account_has_as_many_flow_logs_as_it_may() {
    let message = "The account has as many flow logs as it may have.";
    let quota = (4400, "LimitExceeded", message);
    is_refused(&strict(None, 1), "CreateFlowLog", CREATE, quota).await;
}
