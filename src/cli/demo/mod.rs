//! `flowlogd demo`

mod stage;

use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::api::Backend;
use crate::api::View;
use crate::cli::Failure;
use crate::cli::run::{of_daemon, runtime, set_up_metrics};
use crate::config::Config;
use crate::daemon::Daemon;
use stage::Stage;

/// Show a collector at work: simulated exporters, live totals, a first answer
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// End after this many seconds instead of at Ctrl-C
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let dir = StateDir::new()?;
    let config = config(&dir.0)?;
    let recorder = set_up_metrics()?;
    let limit = args.seconds.map(Duration::from_secs);
    let ended = runtime()?.block_on(async {
        let daemon = Daemon::start(&config, recorder).await?;
        let shown = show(&daemon, limit).await;
        daemon.stop().await.and(shown)
    });
    ended.map_err(of_daemon)
}

/// Runs the exporters and says what happens until it is time to end.
async fn show(daemon: &Daemon, limit: Option<Duration>) -> Result<()> {
    let collector = daemon.addresses().first().copied();
    let collector = collector.context("the demo's collector has no address")?;
    let url = format!("http://{}", daemon.http);
    say(&format!(
        "Collector on udp {collector}, answers on {url}\n\
         Two SAGs (NetFlow v9), a router (IPFIX and v5) and a firewall (NSEL) send to it.\n"
    ))?;
    let _stage = Stage::open(collector)?;
    let started = Instant::now();
    let mut has_asked = false;
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = every_second.tick() => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        let stats = daemon.service().view(View::Stats).await?;
        say(&totals(started.elapsed(), &stats))?;
        if !has_asked && started.elapsed() >= FIRST_QUESTION_AFTER {
            has_asked = true;
            let asked = url.clone();
            tokio::task::spawn_blocking(move || ask(&asked)).await??;
        }
        if limit.is_some_and(|limit| started.elapsed() >= limit) {
            return Ok(());
        }
    }
}

/// One line of live totals.
fn totals(elapsed: Duration, stats: &Value) -> String {
    let number = |path: &str| stats.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    format!(
        "{:>4} s  datagrams {}  records {}  flows in the cache {}  rows stored {}\n",
        elapsed.as_secs(),
        number("/datagrams/received"),
        number("/records/decoded/records"),
        number("/live_flows"),
        number("/log_store/durable/records") + number("/log_store/unflushed/records"),
    )
}

/// Asks what anybody asks first.
fn ask(url: &str) -> Result<()> {
    say(&format!("\n$ flowlogd top --url {url} {QUESTION}\n"))?;
    let words = ["flowlogd", "top", "--url", url];
    let asked = super::obey(words.into_iter().chain(QUESTION.split(' ')));
    asked.map_err(Failure::into_error)?;
    say(&format!(
        "\nAsk more: flowlogd query --url {url} \
         'SELECT \"Instance_id\", sum(bytes) FROM flows GROUP BY 1'\n\n"
    ))
}

fn say(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn config(dir: &Path) -> Result<Config> {
    let mut config =
        Config::parse(CONFIG, "demo.toml").map_err(|error| anyhow::anyhow!("{error}"))?;
    config.state.dir = Some(dir.to_owned());
    // The usual port makes `flowlogd top` work as it stands; a second demo takes another.
    if TcpListener::bind(config.http.address).is_err() {
        config.http.address.set_port(0);
    }
    Ok(config)
}

/// A directory that goes when the demo does.
struct StateDir(PathBuf);

impl StateDir {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("flowlogd-demo-{}", std::process::id()));
        std::fs::create_dir(&path)
            .with_context(|| format!("cannot make {} for the demo", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        // What is left in the temporary directory is the system's to clean.
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

const CONFIG: &str = include_str!("demo.toml");
/// Flows end two seconds after their last record; then there is something to see.
const FIRST_QUESTION_AFTER: Duration = Duration::from_secs(6);
const QUESTION: &str = "srcaddr --by bytes -n 5";
