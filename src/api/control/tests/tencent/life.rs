//! The life of a flow log, and what lists tell of it.

use super::*;

/// What makes a flow log of a network interface.
fn interface(name: &str) -> Value {
    json!({
        "VpcId": "vpc-iqg1sdjj", "FlowLogName": name, "ResourceType": "NETWORKINTERFACE",
        "ResourceId": "eni-08dhim", "TrafficType": "REJECT", "CloudLogId": "topic",
    })
}

/// What all clients do in the end.
#[tokio::test]
async fn a_flow_log_is_made_stopped_started_changed_and_removed() {
    let (front, memory) = open(State::default());
    let made = told(&front, "CreateFlowLog", interface("n")).await;
    let id = made["FlowLog"][0]["FlowLogId"].as_str().unwrap().to_owned();
    assert_eq!(
        (id.len(), made["FlowLog"][0]["Enable"].clone()),
        (11, json!(true))
    );
    let status = async || {
        let list = told(&front, "DescribeFlowLogs", json!({"FlowLogId": id})).await;
        assert_eq!(list["TotalNum"], 1);
        let log = &list["FlowLog"][0];
        (log["Enable"].clone(), log["FlowLogName"].clone())
    };
    let ids = json!({"FlowLogIds": [id]});
    let change = json!({"FlowLogId": id, "VpcId": "vpc-iqg1sdjj", "FlowLogName": "m"});
    for (action, body, is_enabled, name) in [
        ("EnableFlowLogs", &ids, true, "n"),
        ("DisableFlowLogs", &ids, false, "n"),
        ("DisableFlowLogs", &ids, false, "n"),
        ("ModifyFlowLogAttribute", &change, false, "m"),
        ("EnableFlowLogs", &ids, true, "m"),
    ] {
        assert_eq!(told(&front, action, body.clone()).await, json!({}));
        assert_eq!(status().await, (json!(is_enabled), json!(name)), "{action}");
    }
    let both = json!({"FlowLogId": id, "VpcId": "vpc-iqg1sdjj"});
    assert_eq!(told(&front, "DeleteFlowLog", both).await, json!({}));
    assert_eq!(memory.state().vpc.flow_logs().count(), 0);
    let list = told(&front, "DescribeFlowLogs", json!({"FlowLogId": id})).await;
    assert_eq!(list, json!({"FlowLog": [], "TotalNum": 0}));
}

#[tokio::test]
async fn all_that_a_flow_log_is_told_is_told_again() {
    let (front, _) = open(State::default());
    let body = json!({
        "FlowLogName": "n", "FlowLogDescription": "d", "ResourceType": "CCN",
        "ResourceId": "ccn-1", "TrafficType": "ACCEPT", "StorageType": "cls",
        "CloudLogId": "Topic_1", "CloudLogRegion": "ap-guangzhou", "Period": 600,
        "Tags": [{"Key": "city", "Value": "shanghai"}, {"Key": "k"}],
    });
    let made = told(&front, "CreateFlowLog", body).await;
    let whole = json!({
        "VpcId": null, "FlowLogId": "fl-01234567", "FlowLogName": "n", "ResourceType": "CCN",
        "ResourceId": "ccn-1", "TrafficType": "ACCEPT", "CloudLogId": "Topic_1",
        "CloudLogState": "SUCCESS", "FlowLogDescription": "d",
        "CreatedTime": "2026-11-21 10:01:00",
        "TagSet": [{"Key": "city", "Value": "shanghai"}, {"Key": "k", "Value": ""}],
        "Enable": true, "StorageType": "cls", "FlowLogStorage": null,
        "CloudLogRegion": "ap-guangzhou", "Period": 600,
    });
    assert_eq!(made, json!({"FlowLog": [whole]}));
    let listed = told(&front, "DescribeFlowLogs", json!({})).await;
    assert_eq!(listed, json!({"FlowLog": [whole], "TotalNum": 1}));
}

/// Each in the API's own words, of which some begin with a capital.
#[tokio::test]
async fn the_older_api_has_the_same_flow_logs() {
    let (front, memory) = open(State::default());
    let params = "vpcId=gz_vpc_266&flowLogName=n&resourceType=SUBNET&trafficType=ALL\
        &resourceId=subnet-of-vpc-iqg1sdjj&cloudLogId=topic&flowLogDescription=d\
        &tags.0.key=unheard&period=60&storageType=ckafka";
    let made = v2("CreateFlowLog", params).to(&front).await;
    let body = "{\"code\":0,\"message\":\"\",\"codeDesc\":\"Success\",\"data\":{\
        \"flowLogId\":\"fl-01234567\",\"flowLogName\":\"n\",\"resourceType\":\"SUBNET\",\
        \"resourceId\":\"subnet-of-vpc-iqg1sdjj\",\"TrafficType\":\"ALL\",\
        \"CloudLogId\":\"topic\",\"FlowLogDescription\":\"d\",\
        \"createdTime\":\"2026-11-21 10:01:00\"}}";
    assert_eq!(made.body, body);
    let new = told(&front, "DescribeFlowLogs", json!({})).await;
    assert_eq!(new["FlowLog"][0]["VpcId"], "vpc-iqg1sdjj");
    assert_eq!(new["FlowLog"][0]["TagSet"], json!([]));
    let one = "vpcId=vpc-iqg1sdjj&flowLogId=fl-01234567";
    let change = format!("{one}&flowLogName=m&flowLogDescription=");
    let changed = told_old(&front, "ModifyFlowLogAttribute", &change).await;
    assert_eq!(changed, json!({"code": 0, "message": ""}));
    let log = json!({
        "vpcId": "vpc-iqg1sdjj", "flowLogId": "fl-01234567", "flowLogName": "m",
        "resourceType": "SUBNET", "resourceId": "subnet-of-vpc-iqg1sdjj",
        "trafficType": "ALL", "cloudLogId": "topic", "cloudLogState": "SUCCESS",
        "flowLogDescription": "", "createdTime": "2026-11-21 10:01:00",
    });
    let success =
        |data: Value| json!({"code": 0, "message": "", "codeDesc": "Success", "data": data});
    let described = told_old(&front, "DescribeFlowLog", one).await;
    assert_eq!(described, success(json!({"data": log})));
    let list = "flowLogName=m&flowLogId=fl-0&limit=1&orderDirection=asc";
    let listed = told_old(&front, "DescribeFlowLogs", list).await;
    let data = json!({"totalNum": 1, "totalCount": 1, "data": [log]});
    assert_eq!(listed, success(data));
    let deleted = told_old(&front, "DeleteFlowLog", one).await;
    assert_eq!(deleted, success(json!([])));
    assert_eq!(memory.state().vpc.flow_logs().count(), 0);
    let listed = told_old(&front, "DescribeFlowLogs", "").await;
    let data = json!({"totalNum": 0, "totalCount": 0, "data": []});
    assert_eq!(listed, success(data));
}

#[tokio::test]
async fn a_flow_log_without_a_network_has_an_empty_one_in_the_older_api() {
    let (front, _) = open(stored_ccn());
    let listed = told_old(&front, "DescribeFlowLogs", "").await;
    assert_eq!(listed["data"]["data"][0]["vpcId"], "");
}

#[tokio::test]
async fn lists_come_in_parts_in_order_and_as_filters_say() {
    let (front, _) = open(stored(&["fl-1", "fl-2"]));
    let ids = async |body: Value| {
        let list = told(&front, "DescribeFlowLogs", body).await;
        let logs = list["FlowLog"].as_array().unwrap().iter();
        let ids: Vec<_> = logs.map(|log| log["FlowLogId"].as_str().unwrap()).collect();
        (ids.join(" "), list["TotalNum"].as_u64().unwrap())
    };
    let all = |ids: &str, total| (ids.to_owned(), total);
    assert_eq!(ids(json!({})).await, all("fl-2 fl-1", 2));
    assert_eq!(ids(json!({"Offset": 1, "Limit": 1})).await, all("fl-1", 2));
    assert_eq!(
        ids(json!({"OrderDirection": "ASC"})).await,
        all("fl-1 fl-2", 2)
    );
    assert_eq!(ids(json!({"VpcId": "vpc-1"})).await, all("fl-2 fl-1", 2));
    assert_eq!(ids(json!({"FlowLogName": "name"})).await, all("", 0));
    assert_eq!(ids(json!({"FlowLogId": "fl-2"})).await, all("fl-2", 1));
    let tagged = json!({"Filters": {"Name": "tag-key", "Values": ["city"]}});
    assert_eq!(ids(tagged).await, all("", 0));
}

#[tokio::test]
async fn times_are_those_of_the_clock_that_the_rules_say() {
    let mut rules = settings(Credentials::open());
    rules.vpc.utc_offset_s = -3_600;
    let memory = Arc::new(Memory::new(stored(&["fl-1"])));
    let front = front_of(&memory, rules);
    let listed = told(&front, "DescribeFlowLogs", json!({})).await;
    assert_eq!(listed["FlowLog"][0]["CreatedTime"], "1969-12-31 23:00:00");
}
