//! Every example of `docs/clients.md` that can be run makes a flow log.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{LIMIT, node};
use crate::support::{Daemon, PROGRAM, free_tcp_port};
use crate::venv::{Venv, run_within};

const GUIDE: &str = include_str!("../../../docs/clients.md");
/// The examples in a language.
fn examples(language: &str) -> Vec<&'static str> {
    let mut blocks = GUIDE.split("```").skip(1).step_by(2);
    let mut found = Vec::new();
    for block in &mut blocks {
        if let Some((named, text)) = block.split_once('\n')
            && named == language
        {
            found.push(text);
        }
    }
    found
}

/// Runs an example against a daemon of its own, which has the guide's settings.
fn makes_a_flow_log(example: &str, program: impl FnOnce(&str) -> Command) {
    let (dir, port) = (TempDir::new().unwrap(), free_tcp_port());
    fs::write(dir.path().join("example"), "the secret").unwrap();
    let [settings] = examples("toml")[..] else {
        panic!("one block of settings");
    };
    let settings = settings.replace("/etc/flowlogd/credentials", "DIR");
    let daemon = Daemon::start_serving(port, dir.path(), &settings);
    let here = format!("127.0.0.1:{port}");
    let mut command = program(&example.replace("127.0.0.1:9994", &here));
    command.env("FLOWLOGD_URL", format!("http://{here}"));
    let ran = run_within(LIMIT, &mut command).unwrap();
    assert_eq!(ran.code, Some(0), "{example}\n{ran:?}");
    let has_id = ran.out.contains("fl-") || ran.out.contains("ecr-flog-");
    assert!(has_id, "{example}\n{ran:?}");
    daemon.wait_until("told the log", |daemon| daemon.logged("CreateFlowLog") == 1);
}

#[test]
fn the_guides_examples_in_python_run() {
    let Some(venv) = Venv::shared() else { return };
    let examples = examples("python");
    assert_eq!(examples.len(), 5);
    for example in examples {
        makes_a_flow_log(example, |text| {
            let mut command = venv.command("python");
            command.args(["-c", text]);
            command
        });
    }
}

#[test]
fn the_guides_examples_in_javascript_run() {
    let Some(modules) = node::modules() else {
        return;
    };
    let examples = examples("javascript");
    assert_eq!(examples.len(), 2);
    for example in examples {
        makes_a_flow_log(example, |text| {
            let mut command = Command::new("node");
            command.args(["-e", text]).env("NODE_PATH", &modules);
            command
        });
    }
}

#[test]
fn the_guides_examples_for_the_shell_run() {
    let examples = examples("sh");
    assert_eq!(examples.len(), 1);
    for example in examples {
        makes_a_flow_log(example, |text| {
            let programs = Path::new(PROGRAM).parent().unwrap().display();
            let path = std::env::var("PATH").unwrap();
            let mut command = Command::new("sh");
            command.args(["-ec", text]);
            command.env("PATH", format!("{programs}:{path}"));
            command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tExample");
            command.env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "the secret");
            command
        });
    }
}
