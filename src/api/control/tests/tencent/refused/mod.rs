//! Every error of the product's tables (control-plane.md §3, §4): raised, to
//! the letter, or with the reason why no request can raise it.

mod older;
mod tables;

use super::*;

/// A call that is refused, and how.
struct Row {
    front: Front,
    action: &'static str,
    body: Value,
    code: &'static str,
    message: String,
}

/// Two flow logs of `eni-1`.
fn two() -> Front {
    open(stored(&["fl-1", "fl-2"])).0
}

/// With other rules, or a disk that is full.
fn strict(not_kept: Option<NotKept>, quota: usize) -> Front {
    let mut memory = Memory::new(stored(&["fl-1"]));
    memory.not_kept = not_kept;
    let mut rules = settings(Credentials::open());
    rules.vpc.quota = quota;
    front_of(&Arc::new(memory), rules)
}

/// What makes a flow log, with one parameter that is another; null is none.
fn create(name: &str, value: Value) -> Value {
    let mut body = json!({
        "VpcId": "vpc-iqg1sdjj", "FlowLogName": "n", "ResourceType": "NETWORKINTERFACE",
        "ResourceId": "eni-08dhim", "TrafficType": "ALL", "CloudLogId": "topic",
    });
    body[name] = value;
    body
}

fn modify(name: &str, value: Value) -> Value {
    let mut body = json!({"FlowLogId": "fl-1", "VpcId": "vpc-1"});
    body[name] = value;
    body
}

fn row(
    front: Front,
    action: &'static str,
    body: Value,
    (code, message): (&'static str, &str),
) -> Row {
    Row {
        front,
        action,
        body,
        code,
        message: message.to_owned(),
    }
}

fn about(name: &str, what: &str) -> String {
    format!("The parameter `{name}` {what}.")
}

const EMPTY: &str = "InvalidParameterValue.Empty";
const MALFORMED: &str = "InvalidParameterValue.Malformed";
const NOT_FOUND: &str = "ResourceNotFound";
const RANGE: &str = "InvalidParameterValue.Range";

/// Rows of values that are missing or none.
fn values() -> Vec<Row> {
    let is = |action, body, code, name: &str| {
        let what = match code {
            EMPTY => "is empty",
            MALFORMED => "has an invalid format",
            RANGE => "is not in the specified range",
            "InvalidParameterValue.TooLong" => "is too long",
            _ => "has too many values",
        };
        let (front, message) = (two(), about(name, what));
        Row {
            front,
            action,
            body,
            code,
            message,
        }
    };
    let make = |name, value, code| is("CreateFlowLog", create(name, value), code, name);
    let list = |body, code, name| is("DescribeFlowLogs", body, code, name);
    let change = |name, value, code| is("ModifyFlowLogAttribute", modify(name, value), code, name);
    let many: Vec<_> = (0..101).map(|_| "fl-1").collect();
    let mut rows = vec![
        make("FlowLogName", json!(""), EMPTY),
        make("VpcId", Value::Null, EMPTY),
        make("CloudLogId", Value::Null, EMPTY),
        make("FlowLogName", json!("a\nb"), MALFORMED),
        make("CloudLogId", json!("to/pic"), MALFORMED),
        make("CloudLogRegion", json!("Guangzhou"), MALFORMED),
        make("FlowLogName", json!("n".repeat(61)), RANGE),
        make("FlowLogDescription", json!("d".repeat(513)), RANGE),
        make("ResourceType", json!("ENI"), RANGE),
        make("TrafficType", json!("all"), RANGE),
        make("StorageType", json!("cos"), RANGE),
        make("Period", json!(60), RANGE),
        list(json!({"Limit": "ten"}), MALFORMED, "Limit"),
        list(
            json!({"Filters": {"Name": "x", "Values": ["y"]}}),
            MALFORMED,
            "Filters",
        ),
        list(json!({"Limit": 101}), RANGE, "Limit"),
        list(json!({"Offset": -1}), RANGE, "Offset"),
        list(json!({"OrderField": "name"}), RANGE, "OrderField"),
        list(json!({"OrderDirection": "down"}), RANGE, "OrderDirection"),
        list(json!({"CloudLogState": "x"}), RANGE, "CloudLogState"),
        list(
            json!({"FlowLogName": "n".repeat(61)}),
            "InvalidParameterValue.TooLong",
            "FlowLogName",
        ),
        change("FlowLogName", json!(""), MALFORMED),
        change("FlowLogName", json!("n".repeat(61)), RANGE),
        change("Period", json!(60), RANGE),
    ];
    for action in ["EnableFlowLogs", "DisableFlowLogs"] {
        let code = "InvalidParameterValue.LimitExceeded";
        rows.push(is(action, json!({"FlowLogIds": many}), code, "FlowLogIds"));
        let gap = json!({"FlowLogIds": [null, "fl-1"]});
        rows.push(is(action, gap, MALFORMED, "FlowLogIds"));
    }
    rows
}

/// Rows of what is not there.
fn lost() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |action, body, what: &str| {
        let (front, message) = (two(), format!("The {what} does not exist."));
        rows.push(Row {
            front,
            action,
            body,
            code: NOT_FOUND,
            message,
        });
    };
    add("CreateFlowLog", create("VpcId", json!("vpc-none")), "VPC");
    add(
        "CreateFlowLog",
        create("ResourceId", json!("eni-1")),
        "network interface",
    );
    add(
        "CreateFlowLog",
        create("ResourceType", json!("SUBNET")),
        "subnet",
    );
    add(
        "CreateFlowLog",
        create("ResourceType", json!("NAT")),
        "NAT gateway",
    );
    add(
        "CreateFlowLog",
        create("ResourceType", json!("DCG")),
        "Direct Connect gateway",
    );
    let mut ccn = create("ResourceType", json!("CCN"));
    ccn["VpcId"] = Value::Null;
    add("CreateFlowLog", ccn, "CCN");
    for action in ["DeleteFlowLog", "DescribeFlowLog", "ModifyFlowLogAttribute"] {
        let flow_log = |id: &str, vpc: &str| json!({"FlowLogId": id, "VpcId": vpc});
        add(action, flow_log("fl-9", "vpc-1"), "flow log `fl-9`");
        add(action, flow_log("fl-1", "vpc-iqg1sdjj"), "flow log `fl-1`");
        add(action, flow_log("fl-1", "vpc-none"), "VPC");
    }
    add("DescribeFlowLogs", json!({"VpcId": "vpc-none"}), "VPC");
    for action in ["EnableFlowLogs", "DisableFlowLogs"] {
        add(
            action,
            json!({"FlowLogIds": ["fl-1", "fl-9"]}),
            "flow log `fl-9`",
        );
    }
    rows
}

/// Rows of tags.
fn tags() -> Vec<Row> {
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let many: Vec<_> = (0..51)
        .map(|number| tag(&format!("k{number}"), ""))
        .collect();
    let rows = [
        (
            vec![tag("k", "1"), tag("k", "2")],
            "InvalidParameterValue.TagDuplicateKey",
            "A tag key is there twice.",
        ),
        (
            vec![tag("k;", "")],
            "InvalidParameterValue.TagInvalidKey",
            "A tag key is invalid.",
        ),
        (
            vec![json!({"Value": "v"})],
            "InvalidParameterValue.TagInvalidKeyLen",
            "A tag key is empty or too long.",
        ),
        (
            vec![tag("k", ";")],
            "InvalidParameterValue.TagInvalidVal",
            "A tag value is invalid.",
        ),
        (
            many,
            "LimitExceeded.TagKeyPerResourceExceeded",
            "There are more tag keys than a resource may have.",
        ),
        (
            vec![tag("qcs:k", "")],
            "UnsupportedOperation.TagSystemReservedTagKey",
            "A tag key is reserved by the system.",
        ),
    ];
    let rows = rows.into_iter().map(|(tags, code, message)| {
        let body = create("Tags", tags.into());
        row(two(), "CreateFlowLog", body, (code, message))
    });
    rows.collect()
}

/// Rows of what there is already.
fn taken() -> Vec<Row> {
    let taken = || json!("name of fl-2");
    let mut third = create("ResourceId", json!("eni-1"));
    third["VpcId"] = json!("vpc-1");
    let ccn = json!({"FlowLogId": "fl-ccn", "VpcId": "vpc-1", "FlowLogName": "x"});
    let duplicate = "InvalidParameterValue.Duplicate";
    let name = "There is a flow log of this name already.";
    let existed = "UnsupportedOperation.FlowLogInstanceExisted";
    let enough = "The resource has as many flow logs as it may have.";
    let not_needed = "InvalidParameterValue.VpcIdNotNeededForFlowLog";
    let no_vpc = "The flow log belongs to no VPC, so that none can be specified.";
    let of_name = create("FlowLogName", taken());
    let to_name = modify("FlowLogName", taken());
    let modify = "ModifyFlowLogAttribute";
    vec![
        row(two(), "CreateFlowLog", of_name, (duplicate, name)),
        row(two(), "CreateFlowLog", third, (existed, enough)),
        row(two(), modify, to_name, (duplicate, name)),
        row(open(stored_ccn()).0, modify, ccn, (not_needed, no_vpc)),
    ]
}

/// Rows of what cannot be made.
fn limits() -> Vec<Row> {
    let mut kafka = create("StorageType", json!("ckafka"));
    kafka["FlowLogStorage"] = json!({"StorageId": "s", "StorageTopic": "t"});
    let new = || create("FlowLogName", json!("new"));
    let full = strict(Some(NotKept::Disk("no space".to_owned())), 10);
    let quota = "The account has as many flow logs as it may have.";
    let no_route = "InternalError.CreateCkafkaRouteError";
    let kafkas = (no_route, "No route to CKafka can be made.");
    let later = "An internal module failed. Please try again later.";
    let disk = ("InternalError.ModuleError", later);
    let quota = ("LimitExceeded", quota);
    vec![
        row(strict(None, 1), "CreateFlowLog", new(), quota),
        row(two(), "CreateFlowLog", kafka, kafkas),
        row(full, "CreateFlowLog", new(), disk),
    ]
}

fn rows() -> Vec<Row> {
    [values(), lost(), tags(), taken(), limits()]
        .into_iter()
        .flatten()
        .collect()
}

#[tokio::test]
async fn each_refusal_has_its_code_and_message() {
    for row in rows() {
        let refused = told(&row.front, row.action, row.body.clone()).await;
        let error = json!({"Code": row.code, "Message": row.message});
        assert_eq!(
            refused,
            json!({"Error": error}),
            "{} {}",
            row.action,
            row.body
        );
    }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let front = two();
    for (action, body, name) in [
        (
            "CreateFlowLog",
            create("FlowLogName", Value::Null),
            "FlowLogName",
        ),
        (
            "CreateFlowLog",
            create("ResourceType", Value::Null),
            "ResourceType",
        ),
        (
            "CreateFlowLog",
            create("ResourceId", Value::Null),
            "ResourceId",
        ),
        (
            "CreateFlowLog",
            create("TrafficType", Value::Null),
            "TrafficType",
        ),
        ("DeleteFlowLog", json!({"VpcId": "vpc-1"}), "FlowLogId"),
        ("DeleteFlowLog", json!({"FlowLogId": "fl-1"}), "VpcId"),
        ("DescribeFlowLog", json!({"FlowLogId": "fl-1"}), "VpcId"),
        ("DescribeFlowLog", json!({"VpcId": "vpc-1"}), "FlowLogId"),
        (
            "ModifyFlowLogAttribute",
            json!({"FlowLogId": "fl-1"}),
            "VpcId",
        ),
        ("EnableFlowLogs", json!({"FlowLogIds": []}), "FlowLogIds"),
        ("DisableFlowLogs", json!({}), "FlowLogIds"),
    ] {
        let refused = told(&front, action, body).await;
        let message = format!("The request is missing a required parameter `{name}`.");
        let error = json!({"Code": "MissingParameter", "Message": message});
        assert_eq!(refused, json!({"Error": error}), "{action}");
    }
}

#[tokio::test]
async fn a_change_that_no_routing_can_have_is_not_supported() {
    let why = NotKept::Contradiction("nine flow logs".to_owned());
    let front = strict(Some(why), 10);
    let new = || create("FlowLogName", json!("new"));
    let refused = told(&front, "CreateFlowLog", new()).await;
    let message = "The resource cannot be logged like this.";
    let error = json!({"Code": "UnsupportedOperation", "Message": message});
    assert_eq!(refused, json!({"Error": error}));
}
