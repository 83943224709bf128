//! The admin API does what its OpenAPI document says, whatever it is asked.

use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Daemon, free_tcp_port};
use crate::venv::{Venv, run_within};

/// How long all requests may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn no_request_finds_an_answer_that_the_document_has_not() {
    let Some(venv) = Venv::shared() else { return };
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start_serving(free_tcp_port(), dir.path(), "");
    let mut command = venv.command("schemathesis");
    command.args(["run", &format!("{}/api/v1/openapi.json", daemon.url)]);
    // The same requests each time.
    command.args(["--max-examples", "30", "--seed", "1", "--no-color"]);
    command.args(["--checks", CHECKS, "--request-timeout", "10"]);
    command.current_dir(dir.path());
    let ran = run_within(LIMIT, &mut command).unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert_eq!(daemon.get("/readyz")["ready"], true);
}

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance";
