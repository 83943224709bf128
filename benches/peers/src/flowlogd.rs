//! flowlogd, as its configuration says.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::load::Load;
use crate::process::{Group, free_port, pinned, wait_for};
use crate::subject::{Bench, Measured, Taker, disk_bytes, per_million};

pub struct Flowlogd {
    /// Settings of the one flow log, and what follows; without one all is ignored.
    pub flow_log: Option<&'static str>,
    /// Whether the C library is told to ask for huge pages.
    pub has_huge_pages: bool,
}

impl Taker for Flowlogd {
    /// Whether `check` takes the configuration.
    fn is_there(&self, bench: &Bench) -> bool {
        let check = || -> Outcome<bool> {
            let config = bench.clean_dir()?.join("flowlogd.toml");
            fs::write(&config, self.config(bench, 9995, 9994))?;
            let mut check = Command::new(&bench.flowlogd);
            Ok(check
                .args(["check", "--config"])
                .arg(&config)
                .output()?
                .status
                .success())
        };
        check().unwrap_or(false)
    }

    fn measure(&self, bench: &Bench, load: &Load) -> Outcome<Measured> {
        let dir = bench.clean_dir()?;
        let config = dir.join("flowlogd.toml");
        let port = free_port()?;
        let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        fs::write(&config, self.config(bench, port, http))?;
        let mut command = pinned(&bench.flowlogd);
        command.args(["run", "--config"]).arg(&config);
        if self.has_huge_pages {
            command.env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
        }
        let mut group = Group::start(command, &dir.join("log"), port)?;
        wait_for("flowlogd to be ready", || {
            get(http, "/readyz").is_ok_and(|it| it.starts_with("HTTP/1.1 200"))
        })?;
        group.ready();
        let sent = load.feed(&bench.flowlogd, &mut group, port)?;
        let receiving = group.taken();
        let decoded = metric(http, "flowlogd_flow_decoded_packets_total")?;
        let taken = group.end(Signal::SIGTERM)?;

        let state = dir.join("state");
        let stored = self.flow_log.map(|_| stored(&bench.flowlogd, &state));
        let stored = stored.transpose()?;
        let packets = stored.map_or(decoded, |[_, packets]| packets);
        let records = sent.taken(packets);
        let bytes = disk_bytes(&state.join("logstore"))? as f64 / records;
        Ok(Measured {
            cpu: per_million(taken.cpu, records),
            receiving: Some(per_million(receiving.cpu, records)),
            lanes: Some(per_million(receiving.lanes, records)),
            loss: Some(sent.loss(packets)),
            rows: stored.map(|[rows, _]| rows as f64 / records),
            bytes: stored.map(|_| bytes),
            resident: Some(taken.resident),
        })
    }
}

impl Flowlogd {
    /// With ordinary pages.
    pub fn with(flow_log: Option<&'static str>) -> Self {
        Self {
            flow_log,
            has_huge_pages: false,
        }
    }

    fn config(&self, bench: &Bench, port: u16, http: u16) -> String {
        let flow_log = match self.flow_log {
            None => "[default-flow-log]\naction = \"ignore\"\n".to_owned(),
            Some(settings) => format!(
                "[default-flow-log]\nname = \"all\"\n[[flow-log]]\nname = \"all\"\n\
                 project = \"bench\"\nlogstore = \"flows\"\n{settings}"
            ),
        };
        format!(
            "[listen]\naddresses = [\"127.0.0.1:{port}\"]\nreceive-buffer-bytes = {}\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n[state]\ndir = \"{}\"\n{flow_log}",
            bench.buffer_bytes,
            bench.dir.join("state").display(),
        )
    }
}

/// Rows in the files of a store, and packets they count.
fn stored(flowlogd: &Path, state: &Path) -> Outcome<[u64; 2]> {
    let output = Command::new(flowlogd)
        .args(["query", "--output", "csv", "--data-dir"])
        .arg(state)
        .arg("SELECT count(*), sum(packets) FROM flows")
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let values = text.lines().nth(1).and_then(|line| line.split_once(','));
    let (rows, packets) = values.ok_or_else(|| String::from_utf8_lossy(&output.stderr))?;
    Ok([rows.trim().parse()?, packets.trim().parse()?])
}

/// The sum of a metric's series.
fn metric(http: u16, name: &str) -> Outcome<u64> {
    let text = get(http, "/metrics")?;
    let values = text.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let is_it = series.split('{').next() == Some(name);
        is_it.then(|| value.parse::<u64>().ok())?
    });
    Ok(values.sum())
}

/// What HTTP answers, head and all.
fn get(http: u16, path: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", http))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
