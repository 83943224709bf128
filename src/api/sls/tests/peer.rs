//! The real Python SDK, through `http_proxy`, against a front over loopback.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::net::TcpListener;

use super::stored::{open_store, over};
use super::{key, settings};
use crate::api::auth::{Keys, Permission};
use crate::api::sls::memory::Memory;
use crate::api::sls::{Backend, Front, router};

const SDK: &str = "aliyun-log-python-sdk==0.9.52";

/// What the SDK does; it fails where an answer is not as it should be.
const SCRIPT: &str = include_str!("sdk.py");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_sdk_writes_and_reads() {
    serve_the_sdk(Arc::new(Memory::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_sdk_writes_to_the_log_store_and_reads() {
    let dir = tempfile::tempdir().unwrap();
    serve_the_sdk(Arc::new(over(open_store(dir.path())))).await;
}

async fn serve_the_sdk(backend: Arc<dyn Backend>) {
    let Some(python) = python() else {
        return;
    };
    let keys = Keys::new([key("id", "secret", "flow-*", Permission::ReadWrite)]);
    let mut settings = settings(keys);
    settings.clock = Arc::new(Timestamp::now);
    let front = Arc::new(Front::new(backend, settings));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router(front)).await });
    for version in ["v1", "v4"] {
        let mut command = Command::new(&python);
        command.args(["-c", SCRIPT, version]);
        command.env("http_proxy", format!("http://{address}"));
        command.env_remove("no_proxy").env_remove("NO_PROXY");
        let run = tokio::task::spawn_blocking(move || command.output());
        let output = run.await.unwrap().unwrap();
        assert_eq!(said(&output), "done\n", "{version}");
    }
    server.abort();
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// A Python that has the SDK, in an environment beside what cargo builds.
fn python() -> Option<PathBuf> {
    let test = env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let folder = target.join("peers").join("aliyun-log-python-sdk-0.9.52");
    let python = folder.join("bin/python");
    let installed = folder.join("installed");
    if installed.exists() {
        return Some(python);
    }
    if let Err(problem) = install(&folder, &python) {
        let is_required = env::var_os("FLOWLOGD_REQUIRE_PEERS").is_some_and(|value| value == "1");
        assert!(!is_required, "no {SDK}: {problem}");
        println!("skipped: no {SDK}: {problem}");
        return None;
    }
    std::fs::write(installed, SDK).unwrap();
    Some(python)
}

fn install(folder: &Path, python: &Path) -> Result<(), String> {
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        let output = output.map_err(|why| format!("{}: {why}", program.display()))?;
        output
            .status
            .success()
            .then_some(())
            .ok_or_else(|| said(&output))
    };
    let folder = folder.to_string_lossy().into_owned();
    run(Path::new("python3"), &["-m", "venv", &folder])?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        SDK,
    ];
    run(python, &pip)
}
