//! The daemon as a child process, and peers that may not be installed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_flowlogd");

/// Lines a daemon wrote.
type Log = Arc<Mutex<Vec<String>>>;

/// A running flowlogd with its own state directory, ended when dropped.
pub(crate) struct Daemon {
    child: Child,
    /// UDP port it collects on.
    pub(crate) port: u16,
    /// Its admin API.
    pub(crate) url: String,
    log: Log,
    /// Whom it is trusted by, where it speaks TLS.
    authority: Option<reqwest::Certificate>,
    _owned: Option<TempDir>,
}

impl Daemon {
    /// Starts a daemon in a new directory; `settings` is appended to the configuration.
    pub(crate) fn start(settings: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let mut daemon = Self::start_in(dir.path(), settings);
        daemon._owned = Some(dir);
        daemon
    }

    /// Starts a daemon in a directory that outlives it, and waits until it is ready.
    pub(crate) fn start_in(dir: &Path, settings: &str) -> Self {
        Self::start_on(free_port(), dir, settings)
    }

    /// The same on a port that exporters know already.
    pub(crate) fn start_on(port: u16, dir: &Path, settings: &str) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("run").arg("--config");
        command.arg(configure(port, dir, settings));
        Self::launch(command, port)
    }

    /// The same with HTTP on a port that clients know already; `DIR` in the
    /// settings stands for the directory.
    pub(crate) fn start_serving(http_port: u16, dir: &Path, settings: &str) -> Self {
        let port = free_port();
        let settings = settings.replace("DIR", &dir.display().to_string());
        let mut command = Command::new(PROGRAM);
        command.arg("run").arg("--config");
        command.arg(configure_serving(port, http_port, dir, &settings));
        Self::launch(command, port)
    }

    /// Runs a command that is, or becomes, a daemon, and waits until it is ready.
    pub(crate) fn launch(command: Command, port: u16) -> Self {
        Self::launch_trusting(command, port, None)
    }

    /// The same of one that speaks TLS, with a certificate of this authority.
    pub(crate) fn launch_trusting(
        mut command: Command,
        port: u16,
        authority: Option<reqwest::Certificate>,
    ) -> Self {
        let mut child = command
            .env("RUST_LOG", "info")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::default();
        let url = announced_url(&mut child, &log);
        let daemon = Self {
            child,
            port,
            url,
            log,
            authority,
            _owned: None,
        };
        daemon.wait_until("ready", |daemon| {
            daemon.get("/readyz")["ready"] == json!(true)
        });
        daemon
    }

    /// How many lines of its log have these words, since it was announced.
    pub(crate) fn logged(&self, words: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| line.contains(words)).count()
    }

    /// Keeps its directory as long as itself.
    #[cfg(feature = "logstore")]
    pub(crate) fn owning(mut self, dir: TempDir) -> Self {
        self._owned = Some(dir);
        self
    }

    /// Its process.
    #[cfg(feature = "logstore")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// A client of its HTTP listener.
    pub(crate) fn client(&self) -> reqwest::Client {
        let builder = reqwest::Client::builder().no_proxy();
        let builder = match &self.authority {
            None => builder,
            Some(authority) => builder.tls_certs_only([authority.clone()]),
        };
        builder.build().unwrap()
    }

    /// GETs a JSON view; `null` when the daemon does not answer.
    pub(crate) fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.url);
        block_on(async { self.client().get(url).send().await.ok()?.json().await.ok() })
            .unwrap_or_default()
    }

    /// GETs a text; empty when the daemon does not answer.
    pub(crate) fn text(&self, path: &str) -> String {
        let url = format!("{}{path}", self.url);
        block_on(async { self.client().get(url).send().await.ok()?.text().await.ok() })
            .unwrap_or_default()
    }

    /// Asks a question in SQL; rows as JSON.
    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<Value>> {
        let answer = self.ask(sql);
        rows(&answer).unwrap_or_else(|| panic!("{sql}: {answer}"))
    }

    /// The same; no rows where the daemon does not answer with any.
    pub(crate) fn try_query(&self, sql: &str) -> Vec<Vec<Value>> {
        rows(&self.ask(sql)).unwrap_or_default()
    }

    fn ask(&self, sql: &str) -> Value {
        let url = format!("{}/api/v1/query", self.url);
        block_on(async {
            let request = reqwest::Client::new().post(url);
            let answer = request.json(&json!({ "sql": sql })).send().await.unwrap();
            answer.json().await.unwrap()
        })
    }

    /// Waits until a condition holds.
    pub(crate) fn wait_until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(
                Instant::now() < deadline,
                "not {what} after {PATIENCE:?}: {}",
                self.get("/api/v1/stats")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Resident memory in octets.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib: u64 = line
            .and_then(|line| line.split_whitespace().nth(1))
            .and_then(|kib| kib.parse().ok())
            .unwrap();
        kib * 1024
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(pid)
            .status();
        assert!(status.unwrap().success());
    }

    /// Sends SIGTERM and waits for the drain to end.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.stop()
    }

    /// The same where another is to take its place.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) {
        self.crash();
    }

    /// The same where another is to take its place.
    pub(crate) fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "still running");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _reaped_before = self.child.wait();
    }
}

/// Writes the configuration of a daemon that lives in `dir`.
pub(crate) fn configure(port: u16, dir: &Path, settings: &str) -> PathBuf {
    configure_serving(port, 0, dir, settings)
}

/// The same with a port for HTTP.
pub(crate) fn configure_serving(port: u16, http_port: u16, dir: &Path, settings: &str) -> PathBuf {
    let config = dir.join("flowlogd.toml");
    let text = format!(
        "[listen]\naddresses = [\"127.0.0.1:{port}\"]\n\
         [http]\naddress = \"127.0.0.1:{http_port}\"\n\
         [state]\ndir = {dir:?}\n{settings}"
    );
    fs::write(&config, text).unwrap();
    config
}

/// Reads the daemon's log until it says where its HTTP listener is, then keeps
/// reading in the background so that the pipe never fills.
fn announced_url(child: &mut Child, log: &Log) -> String {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut seen = Vec::new();
    for line in lines.by_ref() {
        let line = line.unwrap();
        let announced =
            ["http://", "https://"].map(|scheme| Some((scheme, line.split_once(scheme)?.1)));
        if let Some((scheme, rest)) = announced.into_iter().flatten().next() {
            let is_address = |c: &char| c.is_ascii_alphanumeric() || ".:[]".contains(*c);
            let address: String = rest.chars().take_while(is_address).collect();
            let url = format!("{scheme}{address}");
            let log = Arc::clone(log);
            std::thread::spawn(move || {
                lines
                    .map_while(Result::ok)
                    .for_each(|line| log.lock().unwrap().push(line));
            });
            return url;
        }
        seen.push(line);
    }
    panic!("the daemon ended: {}", seen.join("\n"));
}

/// A flow log of these settings that takes every exporter; sections of
/// `settings` after it are the configuration's own.
pub(crate) fn flow_log(settings: &str) -> String {
    format!(
        "[default-flow-log]\nname = \"all\"\n\
         [[flow-log]]\nname = \"all\"\nproject = \"test\"\nlogstore = \"flows\"\n{settings}"
    )
}

/// Rows of an answer, if it has some.
fn rows(answer: &Value) -> Option<Vec<Vec<Value>>> {
    let rows = answer["rows"].as_array()?;
    let rows = rows.iter().map(|row| row.as_array().unwrap().clone());
    Some(rows.collect())
}

/// A UDP port nobody uses just now.
pub(crate) fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// A TCP port nobody uses, and no test was given before. It is below those that
/// Linux gives to connections: one of them could be in use by the time a daemon
/// listens, or listens again.
pub(crate) fn free_tcp_port() -> u16 {
    const PORTS: std::ops::Range<u32> = 20_000..32_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let count = PORTS.end - PORTS.start;
    let mut ports = PORTS.map(|_| {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + (std::process::id() % count + given) % count;
        u16::try_from(port).unwrap()
    });
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.find(is_free).unwrap()
}

/// Whether programs are installed. Where one is missing the test says so and
/// is skipped; with `FLOWLOGD_REQUIRE_PEERS=1` it fails.
pub(crate) fn have(programs: &[&str]) -> bool {
    let missing: Vec<&&str> = programs
        .iter()
        .filter(|program| {
            let found = Command::new("sh")
                .args(["-c", &format!("command -v {program}")])
                .env("PATH", search_path())
                .stdout(Stdio::null())
                .status();
            !found.unwrap().success()
        })
        .collect();
    if missing.is_empty() {
        return true;
    }
    skip(&format!("not installed: {missing:?}"));
    false
}

/// Says why a test is skipped; where peers are required it fails instead.
pub(crate) fn skip(why: &str) {
    let required = std::env::var("FLOWLOGD_REQUIRE_PEERS").is_ok_and(|value| value == "1");
    assert!(!required, "{why}");
    println!("skipped: {why}");
}

/// PATH with the system folders, where Debian puts exporters.
pub(crate) fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/sbin")
}

/// Waits for what needs a runtime.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}
