//! The life of a flow log, and what lists tell of it.

use super::*;
use crate::flowlog::Definition;
use crate::flowlog::FlowLog;
use crate::flowlog::control::Operators;

const NETFLOW: &str = "OutputType=netflow&NetflowServerIp=192.0.2.9";

async fn told(front: &Front, action: &str, params: &str) -> Value {
    Sent::sag(action, params).to(front).await.success()
}

/// What all clients do in the end.
#[tokio::test]
async fn a_flow_log_is_made_bound_stopped_started_changed_freed_and_removed() {
    let (front, memory) = open(State::default());
    let made = told(&front, "CreateFlowLog", NETFLOW).await;
    assert_eq!(made["FlowLogId"], FIRST);
    let id = format!("FlowLogId={FIRST}");
    let both = format!("{id}&SmartAGId=sag-39u6j9a49i03wk0001");
    let nothing = json!({"RequestId": ID});
    let status = async || {
        let list = told(&front, "DescribeFlowLogs", &id).await;
        let log = &list["FlowLogs"]["FlowLogSetType"][0];
        (log["Status"].clone(), log["TotalSagNum"].clone())
    };
    for (action, params, then, gateways) in [
        ("AssociateFlowLog", &both, "Active", 1),
        ("AssociateFlowLog", &both, "Active", 1),
        ("DeactiveFlowLog", &id, "Inactive", 1),
        ("ActiveFlowLog", &id, "Active", 1),
        ("ActiveFlowLog", &id, "Active", 1),
        ("DisassociateFlowLog", &both, "Active", 0),
    ] {
        assert_eq!(told(&front, action, params).await, nothing, "{action}");
        assert_eq!(status().await, (json!(then), json!(gateways)), "{action}");
    }
    told(&front, "DeleteFlowLog", &id).await;
    assert_eq!(memory.state().sag.flow_logs().count(), 0);
    let list = told(&front, "DescribeFlowLogs", &id).await;
    assert_eq!(list["FlowLogs"], json!({"FlowLogSetType": []}));
    assert_eq!(list["TotalCount"], 0);
}

#[tokio::test]
async fn all_that_a_flow_log_is_told_is_told_again() {
    let (front, _) = open(State::default());
    let params = "Name=n&Description=d&ActiveAging=60&InactiveAging=600&OutputType=all\
        &NetflowServerIp=2001:db8::9&NetflowServerPort=2055&NetflowVersion=V10\
        &ProjectName=flow-proj&LogstoreName=flows&SlsRegionId=cn-hanghzou\
        &ResourceGroupId=rg-mine&OwnerId=1&ResourceOwnerAccount=me&Unheard=of";
    told(&front, "CreateFlowLog", params).await;
    let list = told(&front, "DescribeFlowLogs", "").await;
    let whole = json!({
        "FlowLogId": FIRST, "Name": "n", "Description": "d", "Status": "Active",
        "TotalSagNum": 0, "OutputType": "all", "ActiveAging": 60, "InactiveAging": 600,
        "NetflowServerIp": "2001:db8::9", "NetflowServerPort": 2055, "NetflowVersion": "V10",
        "ProjectName": "flow-proj", "LogstoreName": "flows", "SlsRegionId": "cn-hanghzou",
        "ResourceGroupId": "rg-mine",
    });
    assert_eq!(list["FlowLogs"]["FlowLogSetType"], json!([whole]));
}

/// What Terraform sends: the whole, with empty texts where it has nothing.
#[tokio::test]
async fn a_change_takes_back_what_is_empty() {
    let (front, _) = open(stored("fl-1", "cn-shanghai", true, None));
    let params = "FlowLogId=fl-1&OutputType=netflow&NetflowServerIp=192.168.0.3\
        &Description=&LogstoreName=&ProjectName=&SlsRegionId=&InactiveAging=20";
    told(&front, "ModifyFlowLogAttribute", params).await;
    let list = told(&front, "DescribeFlowLogs", "").await;
    let log = &list["FlowLogs"]["FlowLogSetType"][0];
    assert_eq!(log["NetflowServerIp"], "192.168.0.3");
    assert_eq!(
        (&log["Name"], &log["InactiveAging"]),
        (&json!("sag-flowlog-1"), &json!(20))
    );
    for absent in ["Description", "LogstoreName", "ProjectName", "SlsRegionId"] {
        assert_eq!(log.get(absent), None);
    }
}

#[tokio::test]
async fn lists_come_in_pages_and_as_filters_say() {
    let (front, _) = open(State::default());
    for name in ["a", "b", "c"] {
        told(&front, "CreateFlowLog", &format!("{NETFLOW}&Name={name}")).await;
    }
    let names = async |params: &str| {
        let list = told(&front, "DescribeFlowLogs", params).await;
        let logs = list["FlowLogs"]["FlowLogSetType"]
            .as_array()
            .unwrap()
            .clone();
        let names: String = logs
            .iter()
            .map(|log| log["Name"].as_str().unwrap())
            .collect();
        let [total, size, number] =
            ["TotalCount", "PageSize", "PageNumber"].map(|name| list[name].as_u64().unwrap());
        (names, total, size, number)
    };
    let all = |names: &str, total, size, number| (names.to_owned(), total, size, number);
    assert_eq!(names("").await, all("abc", 3, 10, 1));
    assert_eq!(names("PageSize=2").await, all("ab", 3, 2, 1));
    assert_eq!(names("PageSize=2&PageNumber=2").await, all("c", 3, 2, 2));
    assert_eq!(names("PageNumber=9&PageSize=99").await, all("", 3, 50, 9));
    assert_eq!(names("FlowLogName=b").await, all("b", 1, 10, 1));
    assert_eq!(names("FlowLogName=").await, all("abc", 3, 10, 1));
    assert_eq!(names("Name=b").await, all("abc", 3, 10, 1));
    assert_eq!(names("Status=Inactive").await, all("", 0, 10, 1));
    assert_eq!(names("RegionId=cn-hangzhou").await, all("", 0, 10, 1));
    assert_eq!(names("OutputType=sls").await, all("", 0, 10, 1));
    assert_eq!(names("FlowLogId=fl-none").await, all("", 0, 10, 1));
}

#[tokio::test]
async fn gateways_are_listed_by_whether_they_are_bound() {
    let one = "sag-39u6j9a49i03wk0001";
    let (front, _) = open(stored("fl-1", "cn-shanghai", true, Some(one)));
    let bound = told(&front, "DescribeFlowLogSags", "FlowLogId=fl-1").await;
    assert_eq!(
        bound["Sags"],
        json!({"Sag": [{"SmartAGId": one, "Name": "ruijie"}]})
    );
    let page = "FlowLogId=fl-1&PageNumber=2&PageSize=1";
    let page = told(&front, "DescribeFlowLogSags", page).await;
    assert_eq!(page["Sags"], json!({"Sag": []}));
    assert_eq!(
        (&page["TotalCount"], &page["PageNumber"]),
        (&json!(1), &json!(2))
    );
    let free = told(&front, "DescribeUnbindFlowLogSags", "").await;
    assert_eq!(free["Count"], 3);
    let none = told(&front, "DescribeUnbindFlowLogSags", "RegionId=nowhere").await;
    assert_eq!(
        none,
        json!({"RequestId": ID, "Count": 0, "Sags": {"Sag": []}})
    );
}

#[tokio::test]
async fn flow_logs_of_the_configuration_are_seen_and_not_changed() {
    let memory = Memory::new(State::default());
    let definition = Definition {
        flow_logs: vec![FlowLog::new("branches", "flow-proj", "flows")],
        ..Definition::default()
    };
    let operators = Operators::new(&definition);
    memory.made.lock().unwrap().inventory = Arc::new(Inventory {
        operators,
        ..inventory()
    });
    let front = front_of(&Arc::new(memory), settings(Credentials::open()));
    let list = told(&front, "DescribeFlowLogs", "FlowLogId=branches").await;
    let log = &list["FlowLogs"]["FlowLogSetType"][0];
    let seen = ["Name", "Status", "OutputType", "ProjectName"].map(|name| log[name].clone());
    assert_eq!(seen, ["branches", "Active", "sls", "flow-proj"]);
    for action in [
        "ModifyFlowLogAttribute",
        "ActiveFlowLog",
        "DeactiveFlowLog",
        "AssociateFlowLog",
        "DisassociateFlowLog",
        "DeleteFlowLog",
    ] {
        let params = "FlowLogId=branches&SmartAGId=sag-39u6j9a49i03wk0001";
        let answer = Sent::sag(action, params).to(&front).await;
        let message = "The current FlowLog instance status does not support this operation.";
        answer.is_error(400, "IncorrectStatus.FlowLog", message);
    }
}
