//! Python programs, in an environment beside what cargo builds.

use std::fs;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::support::skip;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// How long all of them may take to be fetched.
const INSTALLATION_LIMIT: Duration = Duration::from_secs(300);

/// A virtual environment with what tests need.
#[derive(Clone)]
pub(crate) struct Venv(PathBuf);

impl Venv {
    /// The one there is, made by the first test that asks. Where that cannot be,
    /// the test says so and is skipped, or fails where peers are required.
    pub(crate) fn shared() -> Option<Self> {
        static SHARED: OnceLock<Result<Venv, String>> = OnceLock::new();
        match SHARED.get_or_init(Self::make) {
            Ok(venv) => Some(venv.clone()),
            Err(problem) => {
                skip(&format!("no Python environment: {problem}"));
                None
            }
        }
    }

    /// A program of this environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        Command::new(self.0.join("bin").join(program))
    }

    fn make() -> Result<Self, String> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let venv = Self(target.join("peers").join("python"));
        let installed = venv.0.join("installed");
        if fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) {
            return Ok(venv);
        }
        let requirements = venv.0.join("requirements.txt");
        let mut create = Command::new("python3");
        succeed(create.args(["-m", "venv", "--clear"]).arg(&venv.0))?;
        fs::write(&requirements, REQUIREMENTS).map_err(|why| why.to_string())?;
        let mut install = venv.command("python");
        let pip = ["-m", "pip", "install", "--quiet", "--requirement"];
        succeed(install.args(pip).arg(&requirements))?;
        fs::write(&installed, REQUIREMENTS).map_err(|why| why.to_string())?;
        Ok(venv)
    }
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let ran = run_within(INSTALLATION_LIMIT, command);
    let ran = ran.map_err(|why| format!("{}: {why}", command.get_program().display()))?;
    let is_well = ran.code == Some(0);
    is_well.then_some(()).ok_or_else(|| format!("{ran:?}"))
}

/// What became of a program.
#[derive(Debug)]
pub(crate) struct Ran {
    /// None when a signal ended it, as at the limit.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    /// Shown where a test fails.
    #[expect(dead_code, reason = "read through Debug")]
    err: String,
    pub(crate) took: Duration,
}

/// Runs a program to its end. At the limit it is killed, with its children.
pub(crate) fn run_within(limit: Duration, command: &mut Command) -> io::Result<Ran> {
    let (mut out, mut err) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null());
    command.stdout(out.try_clone()?).stderr(err.try_clone()?);
    let mut child = command.process_group(0).spawn()?;
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > limit {
            killpg(group, Signal::SIGKILL)?;
            break child.wait()?;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut said = [String::new(), String::new()];
    for (file, text) in [&mut out, &mut err].into_iter().zip(&mut said) {
        file.rewind()?;
        file.read_to_string(text)?;
    }
    let [out, err] = said;
    Ok(Ran {
        code: status.code(),
        out,
        err,
        took: began.elapsed(),
    })
}
