//! The vendors' rates, where they are asked for.

use std::sync::atomic::{AtomicI64, Ordering};

use super::routers::ecr;
use super::*;

/// A front with rates, whose clock is turned by hand.
fn paced() -> (Front, Arc<AtomicI64>) {
    let memory = routers::memory(State::default());
    let start: Timestamp = CAPTURED_AT.parse().unwrap();
    let elapsed_ms = Arc::new(AtomicI64::new(0));
    let turned = Arc::clone(&elapsed_ms);
    let settings = Settings {
        has_rates: true,
        clock: Arc::new(move || {
            let now = start.as_millisecond() + turned.load(Ordering::Relaxed);
            Timestamp::from_millisecond(now).unwrap()
        }),
        ..settings(Credentials::open())
    };
    (front_of(&memory, settings), elapsed_ms)
}

const THROTTLED: &str = "Request was denied due to user flow control.";

#[tokio::test]
async fn each_action_on_routers_has_calls_for_a_minute() {
    let (front, elapsed_ms) = paced();
    for (action, calls) in [("DescribeFlowLogs", 300), ("CreateFlowLog", 120)] {
        for call in 0..calls {
            let answer = ecr(action, "").to(&front).await;
            assert!(!answer.body.contains("Throttling"), "{action} {call}");
        }
        let answer = ecr(action, "").to(&front).await;
        answer.is_error(400, "Throttling.User", THROTTLED);
    }
    elapsed_ms.store(59_999, Ordering::Relaxed);
    let answer = ecr("DescribeFlowLogs", "").to(&front).await;
    answer.is_error(400, "Throttling.User", THROTTLED);
    elapsed_ms.store(60_000, Ordering::Relaxed);
    ecr("DescribeFlowLogs", "").to(&front).await.success();
}

#[tokio::test]
async fn both_apis_of_tencent_have_calls_for_a_second_together() {
    let (front, elapsed_ms) = paced();
    let new = Sent::new(
        "GET",
        "/?Action=DescribeFlowLogs&Version=2017-03-12&SecretId=a",
    );
    let old = Sent::new("GET", "/v2/index.php?Action=DescribeFlowLogs");
    for call in 0..20 {
        let sent = if call % 2 == 0 { &new } else { &old };
        let answer = sent.to(&front).await.json();
        assert!(!answer.to_string().contains("LimitExceeded"), "{answer}");
    }
    let refused = new.to(&front).await.json();
    assert_eq!(refused["Response"]["Error"]["Code"], "RequestLimitExceeded");
    let refused = old.to(&front).await.json();
    let codes = (&refused["code"], &refused["codeDesc"]);
    assert_eq!(codes, (&json!(4400), &json!("RequestLimitExceeded")));
    elapsed_ms.store(1_000, Ordering::Relaxed);
    assert_eq!(old.to(&front).await.json()["code"], 0);
}

#[tokio::test]
async fn nobody_is_slowed_down_unless_that_is_asked_for() {
    let (front, _) = routers::open(State::default());
    for _call in 0..400 {
        ecr("DescribeFlowLogs", "").to(&front).await.success();
    }
}
