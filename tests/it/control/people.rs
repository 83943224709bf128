//! The flow-log API from the command line.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::SETTINGS;
use crate::support::{Daemon, PROGRAM, free_tcp_port};

/// A running daemon, and the file that has the key.
struct House {
    dir: TempDir,
    port: u16,
    _daemon: Daemon,
}

impl House {
    fn new() -> Self {
        let (dir, port) = (TempDir::new().unwrap(), free_tcp_port());
        let secret = dir.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        let file = format!(
            "[[credential]]\nid = \"LTAItest\"\nsecret-file = {:?}\n",
            secret.display()
        );
        fs::write(dir.path().join("client.toml"), file).unwrap();
        let daemon = Daemon::start_serving(port, dir.path(), SETTINGS);
        Self {
            dir,
            port,
            _daemon: daemon,
        }
    }

    /// `flowlogd flow-log …` with the key; exit code and what it printed.
    fn flow_log(&self, words: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(PROGRAM);
        command.arg("flow-log").args(words);
        command
            .arg("--config")
            .arg(self.dir.path().join("client.toml"));
        self.run(&mut command)
    }

    fn run(&self, command: &mut Command) -> (i32, String, String) {
        let url = format!("http://127.0.0.1:{}", self.port);
        let output = command.args(["--url", &url]).output().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap().trim_end().to_owned();
        let code = output.status.code().unwrap();
        (code, text(output.stdout), text(output.stderr))
    }

    fn done(&self, words: &[&str]) -> String {
        let (code, out, errors) = self.flow_log(words);
        assert_eq!((code, errors.as_str()), (0, ""), "{words:?}");
        out
    }

    fn list(&self) -> Value {
        serde_json::from_str(&self.done(&["list", "-o", "json"])).unwrap()
    }
}

#[test]
fn people_make_bind_stop_and_remove_flow_logs() {
    let house = House::new();
    let made = house.done(&[
        "create",
        "--output",
        "netflow",
        "--server",
        "192.0.2.9",
        "--name",
        "branches",
    ]);
    assert!(made.starts_with("fl-") && made.len() == 21, "{made}");
    house.done(&["associate", &made, "sag-one"]);
    house.done(&["modify", &made, "--port", "2055", "--active", "60"]);
    house.done(&["deactivate", &made]);
    let of = |status: &str, gateways: u8| {
        json!([{
            "id": made, "name": "branches", "status": status, "gateways": gateways,
            "output": "netflow", "to": "192.0.2.9:2055 V9", "active-s": 60, "inactive-s": 15,
        }])
    };
    assert_eq!(house.list(), of("Inactive", 1));
    house.done(&["activate", &made]);
    let shown = house.done(&["show", &made]);
    let ends = shown.lines().last().unwrap();
    assert_eq!(
        ends.split_whitespace().collect::<Vec<_>>(),
        ["SmartAGId", "sag-one"]
    );
    let (code, out, errors) = house.flow_log(&["delete", &made]);
    let expected = "flowlogd: DependencyViolation.FlowLog: \
        This FlowLog instance is bound to an SAG instance.";
    assert_eq!((code, out.as_str(), errors.as_str()), (1, "", expected));
    house.done(&["disassociate", &made, "sag-one"]);
    assert_eq!(house.list(), of("Active", 0));
    house.done(&["delete", &made]);
    assert_eq!(house.list(), json!([]));
    let (code, _, errors) = house.flow_log(&["show", &made]);
    assert_eq!(
        (code, errors),
        (1, format!("flowlogd: there is no flow log {made}"))
    );
}

#[test]
fn who_has_no_key_is_told_so() {
    let house = House::new();
    let mut command = Command::new(PROGRAM);
    command.args(["flow-log", "list"]);
    for name in ["ID", "SECRET"] {
        command.env_remove(format!("ALIBABA_CLOUD_ACCESS_KEY_{name}"));
    }
    let (code, _, errors) = house.run(&mut command);
    let expected = "flowlogd: MissingAccessKeyId: AccessKeyId is mandatory for this action.";
    assert_eq!((code, errors.as_str()), (1, expected));
    let mut command = Command::new(PROGRAM);
    command.args(["flow-log", "list"]);
    command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAItest");
    command.env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "another");
    let (code, _, errors) = house.run(&mut command);
    assert_eq!(code, 1);
    assert!(
        errors.starts_with("flowlogd: SignatureDoesNotMatch: "),
        "{errors}"
    );
}
