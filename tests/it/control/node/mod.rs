//! Clients for Node, beside what cargo builds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::support::skip;
use crate::venv::run_within;

const PACKAGE: &str = include_str!("package.json");
const PACKAGE_LOCK: &str = include_str!("package-lock.json");

/// How long the packages may take to be fetched.
const INSTALLATION_LIMIT: Duration = Duration::from_secs(120);

/// Where the clients for Node are. Without Node the test says so and is skipped,
/// also where peers are required; where they cannot be had, it fails there.
pub(super) fn modules() -> Option<PathBuf> {
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !has("node") || !has("npm") {
        println!("skipped: there is no Node here");
        return None;
    }
    static SHARED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match SHARED.get_or_init(install) {
        Ok(modules) => Some(modules.clone()),
        Err(problem) => {
            skip(&format!("no clients for Node: {problem}"));
            None
        }
    }
}

fn install() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let dir = target.join("peers").join("node");
    let (modules, installed) = (dir.join("node_modules"), dir.join("installed"));
    if fs::read_to_string(&installed).is_ok_and(|text| text == PACKAGE_LOCK) {
        return Ok(modules);
    }
    let why = |error: std::io::Error| error.to_string();
    fs::create_dir_all(&dir).map_err(why)?;
    fs::write(dir.join("package.json"), PACKAGE).map_err(why)?;
    fs::write(dir.join("package-lock.json"), PACKAGE_LOCK).map_err(why)?;
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"])
        .current_dir(&dir);
    let ran = run_within(INSTALLATION_LIMIT, &mut npm).map_err(why)?;
    if ran.code != Some(0) {
        return Err(format!("{ran:?}"));
    }
    fs::write(&installed, PACKAGE_LOCK).map_err(why)?;
    Ok(modules)
}
