//! Whose request it is, what the key may do, and what is written down of it.

use super::*;
use crate::api::auth::testing::{TENCENT, credential};
use crate::api::control::tests::proof::logged;

/// A front that knows one key, which may do this.
fn limited(actions: &[&str], account: Option<&str>) -> (Front, Arc<Memory>) {
    let mut key = credential(TENCENT, None);
    key.actions = actions.iter().map(|text| Pattern::new(text)).collect();
    key.account_uid = account.map(str::to_owned);
    let memory = Arc::new(Memory::new(stored(&["fl-1", "fl-2"])));
    (front_of(&memory, settings(Credentials::new([key]))), memory)
}

#[tokio::test]
async fn a_key_does_what_it_may() {
    let message = "You are not authorized to perform the operation (vpc:DeleteFlowLog).";
    let (front, memory) = limited(&["Describe*"], None);
    let answer = capture("tc3.DeleteFlowLog").to(&front).await.json();
    let error = json!({"Code": "AuthFailure.UnauthorizedOperation", "Message": message});
    assert_eq!(answer["Response"]["Error"], error);
    let answer = capture("qc2.fallback.GET.DeleteFlowLog").to(&front).await;
    let error = json!({
        "code": 4101, "message": format!("(4101){message}"), "codeDesc": "UnauthorizedOperation",
    });
    assert_eq!(answer.json(), error);
    assert_eq!(memory.state().vpc.flow_logs().count(), 2);
    let answer = capture("tc3.DescribeFlowLog").to(&front).await.json();
    assert_eq!(answer["Response"]["FlowLog"][0]["FlowLogId"], "fl-1");
    let (front, _) = limited(&["Delete*"], None);
    let answer = capture("tc3.DescribeFlowLog").to(&front).await.json();
    let code = "AuthFailure.UnauthorizedOperation";
    assert_eq!(answer["Response"]["Error"]["Code"], code);
}

/// Each account has its own flow logs.
#[tokio::test]
async fn an_account_sees_its_own_flow_logs_only() {
    let (front, memory) = limited(&["*"], Some("1234"));
    let answer = capture("tc3.DeleteFlowLog").to(&front).await.json();
    assert_eq!(answer["Response"]["Error"]["Code"], "ResourceNotFound");
    let made = capture("tc3.POST.TC3.CreateFlowLog").to(&front).await;
    assert_eq!(made.json()["Response"].get("Error"), None);
    let state = memory.state();
    let accounts: Vec<_> = state.vpc.flow_logs().map(|log| &*log.account).collect();
    assert_eq!(accounts, ["", "", "1234"]);
}

#[tokio::test]
async fn the_log_has_a_line_for_each_write_and_none_for_a_look() {
    let lines = logged(async || {
        let (front, _) = limited(&["*"], None);
        for label in [
            "tc3.DescribeFlowLogs",
            "tc3.DisableFlowLogs",
            "tc3.ModifyFlowLogAttribute",
            "tc3.DeleteFlowLog",
            "tc3.GET.EnableFlowLogs",
            "tc3.POST.TC3.CreateFlowLog",
            "qc2.fallback.GET.DeleteFlowLog",
        ] {
            assert_eq!(capture(label).to(&front).await.status, 200);
        }
    });
    let line = |action: &str, flow_log: &str, instance: &str, result: &str| {
        format!(
            "INFO a control API was asked for a change who=\"AKIDtestSecretId\" from=\"\" \
                action=\"vpc:{action}\" flow_log=\"{flow_log}\" instance=\"{instance}\" \
                result=\"{result}\" request={ID}"
        )
    };
    let made = "fl-789abcde"; // The second that a `Memory` makes.
    let expected = [
        line("DisableFlowLogs", "fl-1", "", "OK"),
        line("ModifyFlowLogAttribute", "fl-1", "", "OK"),
        line("DeleteFlowLog", "fl-1", "", "OK"),
        line("EnableFlowLogs", "fl-1,fl-2", "", "ResourceNotFound"),
        line("CreateFlowLog", made, "eni-08dhim00", "OK"),
        line("DeleteFlowLog", "fl-1", "", "ResourceNotFound"),
    ];
    assert_eq!(lines.await, expected);
}

/// What is as it should be is not written again.
#[tokio::test]
async fn a_change_of_nothing_is_not_kept() {
    let mut memory = Memory::new(stored(&["fl-1"]));
    memory.not_kept = Some(NotKept::Stopping);
    let front = front_of(&Arc::new(memory), settings(Credentials::open()));
    let ids = || json!({"FlowLogIds": ["fl-1"]});
    assert_eq!(told(&front, "EnableFlowLogs", ids()).await, json!({}));
    let refused = told(&front, "DisableFlowLogs", ids()).await;
    assert_eq!(refused["Error"]["Code"], "InternalError.ModuleError");
}
