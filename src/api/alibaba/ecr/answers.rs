//! What the product's answers tell (control-plane.md §2).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Params;
use super::write::policy;
use crate::api::alibaba::Tree;
use crate::api::control::{EcrRules, Made};
use crate::flowlog::control::Inventory;
use crate::flowlog::control::ecr::FlowLog;
use crate::flowlog::control::ecr::INSTANCE_TYPE;
use crate::flowlog::control::ecr::Refused;

/// Answers `DescribeFlowLogs`: a list, also where it is empty, unless it was
/// only asked whether there would be one.
///
/// # Errors
/// A parameter is missing or none, or there is no such router.
pub(super) fn describe(params: &Params, made: &Made, rules: &EcrRules) -> Result<Tree, Refused> {
    let inventory = made.inventory.as_ref();
    let scope = params.scope()?;
    // Looking twice does no harm; but a token is one, or is none.
    params.token("DescribeFlowLogs", "")?;
    let is_trial = params.is_trial()?;
    let page = params.page()?;
    let policy = policy(inventory, rules);
    let store = &made.state.ecr;
    let found = store.describe(&scope, &params.filter(), page, &policy)?;
    let mut tree = success();
    if !is_trial {
        let logs = found.entries.iter().map(|log| flow_log(log, inventory));
        tree.insert("FlowLogs".to_owned(), logs.collect());
        tree.insert("MaxResults".to_owned(), page.size.into());
        tree.insert("TotalCount".to_owned(), found.total.into());
        tree.insert("NextToken".to_owned(), found.next.into());
    }
    Ok(tree)
}

/// What the answer to a change tells: the flow log that was made, if one was.
pub(super) fn written(made: Option<&str>) -> Tree {
    let mut tree = success();
    if let Some(id) = made {
        tree.insert("FlowLogId".to_owned(), id.into());
    }
    tree
}

/// What all successes have. `Code` is a text: one client takes any other code
/// for a failure.
fn success() -> Tree {
    let fields = [
        ("Success", Value::Bool(true)),
        ("Code", "200".into()),
        ("Message", "OK".into()),
        ("HttpStatusCode", 200.into()),
        ("DynamicCode", "".into()),
        ("DynamicMessage", "".into()),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    fields.into_iter().collect()
}

/// The region is that of the router, or where its rows go if that has none.
fn flow_log(log: &FlowLog, inventory: &Inventory) -> Value {
    let attributes = &log.attributes;
    let router = inventory.routers.get(&log.router);
    let region = router.and_then(|router| router.region.as_deref());
    let tags = attributes.tags.iter();
    let tags = tags.map(|(key, value)| json!({"Key": key, "Value": value}));
    json!({
        "FlowLogId": log.id,
        "FlowLogName": attributes.name,
        "Description": attributes.description,
        "EcrId": log.router,
        "InstanceId": attributes.vbr,
        "InstanceType": INSTANCE_TYPE,
        "Interval": attributes.interval_s,
        "SamplingRate": format!("1:{}", attributes.one_in),
        "ProjectName": attributes.project,
        "LogStoreName": attributes.logstore,
        "RegionId": region.unwrap_or(&attributes.sls_region),
        "SlsRegionId": attributes.sls_region,
        "ResourceGroupId": attributes.resource_group,
        "Status": if log.is_active { "Active" } else { "Inactive" },
        "CreationTime": written_time(log.created_ms),
        "Tags": tags.collect::<Vec<_>>(),
    })
}

/// A time as `YYYY-MM-DDThh:mm:ssZ`.
fn written_time(at_ms: u64) -> String {
    let second = i64::try_from(at_ms / 1_000).unwrap_or(i64::MAX);
    Timestamp::from_second(second)
        .unwrap_or(Timestamp::MAX)
        .to_string()
}
