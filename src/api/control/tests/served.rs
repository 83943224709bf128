//! The front behind the one listener, beside our own paths.

use std::time::Duration;

use super::proof::logged;
use super::*;
use crate::api;
use crate::api::server::tests::Silent;

/// Has a client ask a server, which ends thereafter.
async fn served(front: Option<Front>, ask: impl AsyncFnOnce(reqwest::Client, String)) {
    served_to(api::Audience::Host, front, ask).await;
}

async fn served_to(
    audience: api::Audience,
    front: Option<Front>,
    ask: impl AsyncFnOnce(reqwest::Client, String),
) {
    let settings = api::Settings {
        audience,
        body_bytes_max: 1 << 10,
        timeout: Duration::from_secs(5),
        ..api::Settings::new("127.0.0.1:0".parse().unwrap())
    };
    let server = api::Server::bind(settings).await.unwrap();
    let server = match front {
        Some(front) => server.with_control(Arc::new(front)),
        None => server,
    };
    let base = format!("http://{}", server.address().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.run(Arc::new(Silent::default()), async move {
        drop(stopped.await);
    }));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    ask(client, base).await;
    drop(stop);
    running.await.unwrap();
}

async fn get(client: &reqwest::Client, url: String) -> (u16, String) {
    let response = client.get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn what_is_not_ours_is_the_control_apis() {
    let (front, _) = open(State::default());
    served(Some(front), async |client, base| {
        let metrics = get(&client, format!("{base}/metrics")).await;
        assert_eq!(metrics, (200, "nothing 0\n".to_owned()));
        let ours = get(&client, format!("{base}/api/v1/none")).await;
        assert_eq!(ours.0, 404);
        assert!(ours.1.contains("not-found"), "{}", ours.1);
        let theirs = get(&client, format!("{base}/none")).await;
        assert_eq!(theirs.0, 404);
        assert!(theirs.1.contains("InvalidAction.NotFound"), "{}", theirs.1);
        let tencents = get(&client, format!("{base}/v2/index.php")).await;
        assert_eq!(tencents.0, 200);
        // Larger than our own paths allow: they have limits of their own.
        let params = "Action=DescribeFlowLogs&Version=2018-03-13&RegionId=cn-a";
        let post = client
            .post(&base)
            .body(format!("{params}&a={}", "x".repeat(1 << 11)));
        let form = "application/x-www-form-urlencoded";
        let answer = post.header("content-type", form).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    })
    .await;
}

#[tokio::test]
async fn without_a_control_front_other_paths_are_nobodys() {
    served(None, async |client, base| {
        let nobodys = get(&client, format!("{base}/none")).await;
        assert_eq!(nobodys.0, 404);
        assert!(nobodys.1.contains("not-found"), "{}", nobodys.1);
    })
    .await;
}

#[tokio::test]
async fn who_has_to_sign_is_served_nothing_that_nobody_signs() {
    let memory = Arc::new(Memory::new(State::default()));
    let nothing = (404, String::new());
    let unsigned = [
        "/metrics",
        "/healthz",
        "/readyz",
        "/version",
        "/console",
        "/api/v1/exporters",
        "/api/v1/query",
    ];
    let asked = Sent::sag("DescribeFlowLogs", "").target;
    let closed = front_of(&memory, settings(ours()));
    served_to(
        api::Audience::Signers,
        Some(closed),
        async |client, base| {
            for path in unsigned {
                let answer = get(&client, format!("{base}{path}")).await;
                assert_eq!(answer, nothing, "{path}");
            }
            let refused = get(&client, format!("{base}{asked}")).await;
            assert_eq!(refused.0, 400);
            assert!(refused.1.contains("MissingAccessKeyId"), "{}", refused.1);
        },
    )
    .await;
    // Where nobody is asked for a signature, nobody is served.
    let open = front_of(&memory, settings(Credentials::open()));
    served_to(api::Audience::Signers, Some(open), async |client, base| {
        for path in unsigned.into_iter().chain([asked.as_str()]) {
            let answer = get(&client, format!("{base}{path}")).await;
            assert_eq!(answer, nothing, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_log_says_from_where_a_change_came() {
    let (front, _) = open(stored("fl-1", "cn-shanghai", true, None));
    let lines = logged(async || {
        served(Some(front), async |client, base| {
            let target = Sent::sag("DeleteFlowLog", "FlowLogId=fl-1").target;
            assert_eq!(get(&client, base + &target).await.0, 200);
        })
        .await;
    });
    let lines = lines.await;
    let line = lines.iter().find(|line| line.contains("DeleteFlowLog"));
    let line = line.unwrap();
    assert!(line.contains("who=\"anybody\" from=\"127.0.0.1:"), "{line}");
}
