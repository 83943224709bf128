//! Whose request it is, what the key may do, and what is written down of it.

use super::*;

fn deactivate() -> (Sent, State) {
    let sent = capture("alicore.DeactiveFlowLog");
    let id = "fl-l934tsa5504yuc0001";
    (sent, stored(id, "cn-shanghai", true, None))
}

#[tokio::test]
async fn a_request_is_heard_once() {
    for label in ["alicore.DeactiveFlowLog", "tea.sag.DeactiveFlowLog"] {
        let (_, state) = deactivate();
        let front = front_of(&Arc::new(Memory::new(state)), settings(ours()));
        let sent = capture(label);
        sent.to(&front).await.success();
        let message = "Specified signature nonce was used already.";
        let again = sent.to(&front).await;
        again.is_error(400, "SignatureNonceUsed", message);
    }
}

#[tokio::test]
async fn a_key_does_what_it_may() {
    let (write, state) = deactivate();
    let read = capture("alicore.DescribeFlowLogs");
    let limited = |actions: &[&str], products: &[Product]| {
        let mut key = credential(ALIBABA, None);
        key.actions = actions.iter().map(|text| Pattern::new(text)).collect();
        key.products = products.to_vec();
        let memory = Arc::new(Memory::new(state.clone()));
        let front = front_of(&memory, settings(Credentials::new([key])));
        (front, memory)
    };
    let all = &[Product::Smartag][..];
    let message = "User not authorized to operate on the specified resource, or this API \
        doesn't support RAM.";
    let (front, memory) = limited(&["Describe*"], all);
    read.to(&front).await.success();
    let answer = write.to(&front).await;
    answer.is_error(403, "Forbidden.RAM", message);
    let detail = json!({
        "AuthAction": "smartag:DeactiveFlowLog",
        "AuthPrincipalDisplayName": "LTAItestAccessKeyId",
        "NoPermissionType": "ImplicitDeny",
    });
    assert_eq!(answer.json()["AccessDeniedDetail"], detail);
    assert_eq!(*memory.state(), state);
    let (front, _) = limited(&["Deactive*"], all);
    read.to(&front)
        .await
        .is_error(403, "Forbidden.RAM", message);
    write.to(&front).await.success();
    let (front, _) = limited(&["*"], &[Product::Vpc]);
    write
        .to(&front)
        .await
        .is_error(403, "Forbidden.RAM", message);
}

/// Each account has its own flow logs.
#[tokio::test]
async fn an_account_sees_its_own_flow_logs_only() {
    let (_, state) = deactivate();
    let mut key = credential(ALIBABA, None);
    key.account_uid = Some("1234567890123456".to_owned());
    let memory = Arc::new(Memory::new(state));
    let front = front_of(&memory, settings(Credentials::new([key])));
    let list = capture("alicore.DescribeFlowLogs").to(&front).await;
    assert_eq!(list.success()["TotalCount"], 0);
    capture("alicore.CreateFlowLog").to(&front).await.success();
    let state = memory.state();
    let accounts: Vec<_> = state.sag.flow_logs().map(|log| &*log.account).collect();
    assert_eq!(accounts, ["1234567890123456", ""]);
}

#[tokio::test]
async fn an_unbelieved_request_has_the_gateways_words() {
    let refusal = async |sent: Sent, now: &str, keys: Credentials| {
        let mut settings = settings(keys);
        let now: Timestamp = now.parse().unwrap();
        settings.clock = Arc::new(move || now);
        let memory = Arc::new(Memory::new(State::default()));
        sent.to(&front_of(&memory, settings)).await.error()
    };
    let captured = || capture("alicore.DeactiveFlowLog");
    let error = |status, code: &str, message: &str| (status, code.to_owned(), message.to_owned());
    let message = "Specified time stamp or date value is expired.";
    assert_eq!(
        refusal(captured(), "2026-11-21T03:00:00Z", ours()).await,
        error(400, "InvalidTimeStamp.Expired", message)
    );
    let none = Credentials::new([]);
    let message = "Specified access key is not found.";
    assert_eq!(
        refusal(captured(), CAPTURED_AT, none).await,
        error(404, "InvalidAccessKeyId.NotFound", message)
    );
    let unsigned = Sent::sag("DescribeFlowLogs", "");
    let message = "AccessKeyId is mandatory for this action.";
    assert_eq!(
        refusal(unsigned, CAPTURED_AT, ours()).await,
        error(400, "MissingAccessKeyId", message)
    );
    let mut settings = settings(ours());
    settings.replays_max = 0;
    let memory = Arc::new(Memory::new(State::default()));
    let answer = captured().to(&front_of(&memory, settings)).await;
    let message = "Request was denied due to user flow control.";
    answer.is_error(400, "Throttling.User", message);
}

/// The lines that a front has the log write, without their times.
pub(super) async fn logged(work: impl AsyncFnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let written = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_writer(move || written.clone())
        .finish();
    // While there is one subscriber alone, what another thread says first is
    // taken for something that nobody wants to hear, here neither.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    // Its tasks run on this thread, too.
    let _guard = tracing::subscriber::set_default(subscriber);
    work().await;
    let octets = lines.0.lock().unwrap().clone();
    let text = String::from_utf8(octets).unwrap();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_a_line_for_each_write_and_none_for_a_look() {
    let lines = logged(async || {
        let (write, state) = deactivate();
        let memory = Arc::new(Memory::new(state));
        let front = front_of(&memory, settings(ours()));
        let write = from(write.http(), "192.0.2.7:40000");
        assert_eq!(send(&front, write).await.status, 200);
        capture("alicore.DescribeFlowLogs")
            .to(&front)
            .await
            .success();
        capture("alicore.CreateFlowLog").to(&front).await.success();
        let associate = capture("alicore.AssociateFlowLog").to(&front).await;
        associate.success();
        capture("alicore.DeleteFlowLog.notfound").to(&front).await;
    });
    let lines = lines.await;
    let head = "INFO a control API was asked for a change";
    let who = "who=\"LTAItestAccessKeyId\"";
    let line = |from: &str, action: &str, flow_log: &str, instance: &str, result: &str| {
        format!(
            "{head} {who} from=\"{from}\" action=\"smartag:{action}\" flow_log=\"{flow_log}\" \
                instance=\"{instance}\" result=\"{result}\" request={ID}"
        )
    };
    let one = "fl-l934tsa5504yuc0001";
    let peer = "192.0.2.7:40000";
    let made = "fl-789abcdefghijklmno"; // The second that a `Memory` makes.
    let gateway = "sag-39u6j9a49i03wk0001";
    let expected = [
        line(peer, "DeactiveFlowLog", one, "", "OK"),
        line("", "CreateFlowLog", made, "", "OK"),
        line("", "AssociateFlowLog", one, gateway, "OK"),
        line(
            "",
            "DeleteFlowLog",
            "fl-notfound",
            "",
            "InvalidFlowLogId.NotFound",
        ),
    ];
    assert_eq!(lines, expected);
    let all = lines.concat();
    assert!(!all.contains("testAccessKeySecret") && !all.contains("Signature"));
}
