//! The listener for whoever can sign a request, over TLS.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::https::Secure;
use crate::support::{Daemon, block_on, configure, free_tcp_port};
use crate::support::{PATIENCE, PROGRAM};
use crate::venv::{Venv, run_within};

const SETTINGS: &str = r#"
[[credential]]
id = "LTAItest"
secret-file = "DIR/secret"

[[vpc]]
id = "vpc-iqg1sdjj"

[[attachment]]
id = "eni-08dhim01"
type = "network-interface"
network = "vpc-iqg1sdjj"
exporters = ["127.0.0.44"]

[default-flow-log]
action = "ignore"

[http.signed]
address = "127.0.0.1:PORT"
hosts = ["flows.test"]
"#;

const TLS: &str = "certificate-file = \"DIR/http.pem\"\nkey-file = \"DIR/http.key\"\n";

const ACCESS_KEY: &str = "[[access-key]]\nid = \"LTAItest\"\nsecret-file = \"DIR/secret\"\n";

/// Starts a daemon whose other listener is on a port.
fn start(secure: &Secure, port: u16, rest: &str) -> Daemon {
    fs::write(secure.path("secret"), "secret").unwrap();
    let dir = secure.path("");
    let settings = format!("{SETTINGS}{rest}")
        .replace("DIR/", &dir.display().to_string())
        .replace("PORT", &port.to_string());
    let mut command = Command::new(PROGRAM);
    command.args(["run", "--config"]);
    command.arg(configure(0, &dir, &settings));
    Daemon::launch(command, 0)
}

/// Reaches the listener by any of these names.
fn client(secure: &Secure, port: u16) -> reqwest::Client {
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    let names = ["flows.test", "flow-proj.flows.test", "other.test"];
    let builder = reqwest::Client::builder().no_proxy();
    let builder = builder.tls_certs_only([secure.trusted()]);
    let named = |builder: reqwest::ClientBuilder, name| builder.resolve(name, here);
    names.into_iter().fold(builder, named).build().unwrap()
}

/// What is answered; nothing where TLS does not come about.
fn ask(client: &reqwest::Client, url: &str, is_sls: bool) -> Option<(u16, String)> {
    block_on(async {
        let request = client.get(url);
        let request = match is_sls {
            true => request.header("x-log-apiversion", "0.6.0"),
            false => request,
        };
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.unwrap()))
    })
}

/// The vendors' own clients, over TLS: what they make is there for both
/// listeners.
#[test]
fn real_clients_are_answered_over_tls() {
    let Some(venv) = Venv::shared() else { return };
    let (secure, port) = (Secure::new(), free_tcp_port());
    secure.write(&["127.0.0.1", "flows.test", "*.flows.test"]);
    let daemon = start(&secure, port, &format!("{TLS}{ACCESS_KEY}"));
    let mut command = venv.command("python");
    command.args(["-c", include_str!("signed.py"), &port.to_string()]);
    command.env("REQUESTS_CA_BUNDLE", secure.path("ca.pem"));
    let ran = run_within(Duration::from_secs(60), &mut command).unwrap();
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "done\n"), "{ran:?}");
    daemon.wait_until("made", |daemon| {
        let logs = daemon.get("/api/v1/flow-logs").to_string();
        logs.contains("topic-of-tls")
    });
    let told = daemon.logged("CreateFlowLog");
    assert_eq!(told, 1);
}

#[test]
fn nothing_is_served_without_a_signature() {
    let (secure, port) = (Secure::new(), free_tcp_port());
    secure.write(&["127.0.0.1", "flows.test", "*.flows.test", "other.test"]);
    let daemon = start(&secure, port, &format!("{TLS}{ACCESS_KEY}"));
    let client = client(&secure, port);
    let base = format!("https://127.0.0.1:{port}");
    let get = |url: &str, is_sls| ask(&client, url, is_sls).unwrap();
    for path in [
        "/metrics",
        "/healthz",
        "/readyz",
        "/version",
        "/console",
        "/api/v1/exporters",
        "/api/v1/flow-logs",
    ] {
        for is_sls in [false, true] {
            let nothing = (404, String::new());
            assert_eq!(get(&format!("{base}{path}"), is_sls), nothing, "{path}");
        }
        let there = daemon.text(path);
        assert!(!there.is_empty() || path == "/console", "{path}");
    }
    let code = |(status, body): (u16, String), name: &str| {
        let body: Value = serde_json::from_str(&body).unwrap();
        (status, body[name].clone())
    };
    let unsigned = get(
        &format!("{base}/?Version=2018-03-13&Action=DescribeFlowLogs"),
        false,
    );
    assert_eq!(code(unsigned, "Code"), (400, json!("MissingAccessKeyId")));
    // By its own name, and with a project before it; not by another's.
    for (host, told) in [
        ("127.0.0.1", (401, "Unauthorized")),
        ("flows.test", (401, "Unauthorized")),
        ("flow-proj.flows.test", (401, "Unauthorized")),
        ("other.test", (400, "InvalidHost")),
    ] {
        let answer = get(&format!("https://{host}:{port}/logstores"), true);
        assert_eq!(code(answer, "errorCode"), (told.0, json!(told.1)), "{host}");
    }
    // Nothing but TLS is spoken.
    assert_eq!(ask(&client, &base.replace("https", "http"), false), None);
    // A certificate that is replaced is shown soon.
    secure.write(&["127.0.0.1"]);
    let deadline = std::time::Instant::now() + PATIENCE;
    while ask(
        &self::client(&secure, port),
        &format!("https://other.test:{port}/"),
        false,
    )
    .is_some()
    {
        assert!(std::time::Instant::now() < deadline, "the old one is shown");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(get(&format!("{base}/metrics"), false).0, 404);
}

/// Without access keys the SLS API asks nobody for a signature, and is not there.
#[test]
fn an_api_that_is_open_is_not_served() {
    let (secure, port) = (Secure::new(), free_tcp_port());
    let daemon = start(&secure, port, "");
    let client = client(&secure, port);
    let base = format!("http://127.0.0.1:{port}");
    let (status, body) = ask(&client, &format!("{base}/logstores"), true).unwrap();
    assert_eq!(status, 404);
    assert!(body.contains("InvalidAction.NotFound"), "{body}");
    let local = format!("{}/logstores", daemon.url);
    let (_, body) = ask(&daemon.client(), &local, true).unwrap();
    assert!(body.contains("errorCode"), "{body}");
}
