//! nfacctd, of pmacct: counters by 5-tuple, kept by a second process.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::load::Load;
use crate::process::{Group, free_port, pinned, wait_for};
use crate::subject::{Bench, Measured, Taker, disk_bytes, per_million};

/// What the second process does with them.
pub enum Nfacctd {
    /// Keeps them in memory (plugin `memory`).
    Keeps,
    /// Writes them as CSV when it ends (plugin `print`).
    Writes,
}

impl Taker for Nfacctd {
    fn is_there(&self, _bench: &Bench) -> bool {
        Command::new("nfacctd").arg("-V").output().is_ok()
    }

    fn measure(&self, bench: &Bench, load: &Load) -> Outcome<Measured> {
        let dir = bench.clean_dir()?;
        let config = dir.join("nfacctd.conf");
        let port = free_port()?;
        fs::write(&config, self.config(bench, port))?;
        let mut command = pinned("nfacctd");
        command.arg("-f").arg(&config);
        let mut group = Group::start(command, &dir.join("log"), port)?;
        if matches!(self, Self::Keeps) {
            wait_for("the memory plugin", || pipe(bench).exists())?;
        }
        group.settle(port)?;
        group.ready();
        let sent = load.feed(&bench.flowlogd, &mut group, port)?;
        let receiving = group.taken();
        let (taken, table) = match self {
            Self::Keeps => {
                let mut client = Command::new("pmacct");
                client.args(["-s", "-O", "csv", "-p"]).arg(pipe(bench));
                let table = client.output()?.stdout;
                group.end(Signal::SIGINT)?;
                // The question for its table is not of the load.
                (None, table)
            }
            Self::Writes => {
                let taken = group.end(Signal::SIGINT)?;
                (Some(taken), fs::read(rows(dir))?)
            }
        };
        let [count, packets] = sums(&String::from_utf8(table)?)?;
        let records = sent.taken(packets);
        let bytes = match self {
            Self::Keeps => None,
            Self::Writes => Some(disk_bytes(&dir.join("rows"))? as f64 / records),
        };
        let all = taken.as_ref().unwrap_or(&receiving);
        Ok(Measured {
            cpu: per_million(all.cpu, records),
            receiving: Some(per_million(receiving.cpu, records)),
            lanes: None,
            loss: Some(sent.loss(packets)),
            rows: Some(count as f64 / records),
            bytes,
            resident: Some(all.resident),
        })
    }
}

impl Nfacctd {
    fn config(&self, bench: &Bench, port: u16) -> String {
        let plugin = match self {
            Self::Keeps => format!(
                "plugins: memory\nimt_path: {}\nimt_buckets: {BUCKETS}\n\
                 imt_mem_pools_number: 0\nimt_mem_pools_size: {POOL_BYTES}\n",
                pipe(bench).display(),
            ),
            Self::Writes => format!(
                "plugins: print\nprint_output: csv\nprint_output_file: {}\n\
                 print_refresh_time: 3600\nprint_cache_entries: {CACHE_ENTRIES}\n",
                rows(&bench.dir).display(),
            ),
        };
        format!(
            "daemonize: false\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\n\
             nfacctd_pipe_size: {}\n\
             aggregate: src_host,dst_host,src_port,dst_port,proto\n\
             plugin_pipe_size: 67108864\nplugin_buffer_size: {PLUGIN_BYTES}\n{plugin}",
            bench.buffer_bytes,
        )
    }
}

/// Where its memory is asked.
fn pipe(bench: &Bench) -> std::path::PathBuf {
    bench.dir.join("pipe")
}

/// Where it writes, alone in a directory.
fn rows(dir: &Path) -> std::path::PathBuf {
    dir.join("rows/rows.csv")
}

/// Rows of a table, and packets that they count.
fn sums(table: &str) -> Outcome<[u64; 2]> {
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let place = names.iter().position(|name| *name == "PACKETS");
    let place = place.ok_or("pmacct told no packets")?;
    let (mut rows, mut packets) = (0, 0);
    for line in lines {
        if let Some(value) = line.split(',').nth(place) {
            rows += 1;
            packets += value.trim().parse::<u64>()?;
        }
    }
    Ok([rows, packets])
}

/// Octets that go from process to process at once. What has not filled them yet,
/// some hundred records, is not in the table of the plugin `memory`, and counts
/// as lost.
const PLUGIN_BYTES: u32 = 16 << 10;
/// A prime, as its manual has it, for a million flows.
const BUCKETS: u32 = 1_000_003;
/// So that memory is taken in few pieces.
const POOL_BYTES: u32 = 1 << 20;
/// What its manual has for a million flows: a prime, an eighth of them.
const CACHE_ENTRIES: u32 = 129_971;
