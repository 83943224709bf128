//! SIGKILL under load, again and again, with an account of what was sent.
//!
//! reliability.md row 1: acknowledged ⊆ recovered ⊆ sent, and no cycle needs a
//! hand.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::bridge::{Cloud, bridge_with, sls};
use crate::journal::inspected;
use crate::sender::V5Exporter;
use crate::support::{Daemon, free_port};

/// Datagrams of 30 flows in a second.
const LOAD: u32 = 150;
/// From the start to an answer that says ready.
const READY_WITHIN: Duration = Duration::from_secs(2);
/// Rows asked for at once.
const PAGE: usize = 5_000;

#[test]
fn killed_under_load_again_and_again_it_loses_nothing_that_was_durable() {
    let pair = Pair::start(81, "cache = \"off\"", "");
    assert_eq!(pair.survive(), 0, "nothing was in the cache");
}

#[test]
fn open_flows_outlast_kills_and_none_is_exported_twice() {
    let pair = Pair::start(82, "inactive-s = 2", "[journal]\nsnapshot-interval-s = 1\n");
    assert!(pair.survive() > 0, "nothing was resumed");
}
/// A bridge, the cloud it writes to, and what is known of their rows.
struct Pair {
    dir: TempDir,
    port: u16,
    /// Where the exporter is: 127.0.0.x.
    host: u8,
    /// Settings of the bridge's flow log, and others.
    settings: [&'static str; 2],
    cloud: Cloud,
    daemon: Daemon,
    service: Daemon,
    /// Numbers of rows that were durable before a kill.
    durable: Vec<Range<u64>>,
    /// The first number that was free when the bridge was ready.
    first: u64,
    /// Rows that may have been sent twice.
    repeated_max: u64,
    /// Records of flows that a later run took in again.
    resumed: u64,
    slowest: Duration,
}

impl Pair {
    fn start(host: u8, flow_log: &'static str, more: &'static str) -> Self {
        let cloud = Cloud::new();
        cloud.write_secret();
        let service = cloud.start();
        let (dir, port) = (TempDir::new().unwrap(), free_port());
        let settings = [flow_log, more];
        let daemon = start_bridge(port, dir.path(), &cloud, settings);
        Self {
            first: journal(&daemon, "next_seq"),
            dir,
            port,
            host,
            settings,
            cloud,
            daemon,
            service,
            durable: Vec::new(),
            repeated_max: 0,
            resumed: 0,
            slowest: Duration::ZERO,
        }
    }

    /// Lives through as many kills as the environment says; how many records
    /// later runs took in again.
    fn survive(mut self) -> u64 {
        let cycles = std::env::var("FLOWLOGD_CYCLES").map_or(3, |text| text.parse().unwrap());
        let load = Load::start(self.host, self.port);
        for cycle in 0..cycles {
            // Every other life is long enough to make something durable.
            if cycle % 2 == 1 {
                self.wait_for_durable_rows();
            }
            std::thread::sleep(Duration::from_millis(random(50..1_500)));
            self.strike(cycle, &load);
        }
        let sent = load.end();
        self.settle();
        let stored = rows(&self.daemon, "seq");
        let arrived = rows(&self.service, "element(rest, 'flow-id')");
        self.judge(sent, &stored, &arrived);
        self.resumed
    }

    /// Kills one or both, and starts them again.
    fn strike(&mut self, cycle: usize, load: &Load) {
        let kills = [(true, false), (false, true), (true, true), (true, false)];
        let (kills_bridge, kills_cloud) = kills[cycle % kills.len()];
        let sent = load.sent();
        let stats = self.daemon.get("/api/v1/stats");
        let durable_to = stats["journal"]["durable_to"].as_u64().unwrap();
        let records = |account: &str| stats["sls"][account]["records"].as_u64().unwrap();
        if kills_cloud {
            self.service.crash();
        }
        if kills_bridge {
            self.daemon.crash();
            self.durable.push(self.first..durable_to);
        }
        // All that was not acknowledged may have been under way.
        let mut repeated_max = records("pending") + load.sent() - sent;
        if kills_bridge {
            repeated_max += records("acked") - self.acked_by_progress();
        }
        self.repeated_max += repeated_max;
        let began = Instant::now();
        if kills_cloud {
            self.service = self.cloud.start();
        }
        let cloud_after = began.elapsed();
        let began = Instant::now();
        if kills_bridge {
            self.daemon = self.restart();
            self.first = journal(&self.daemon, "next_seq");
        }
        let bridge_after = began.elapsed();
        let records = &self.daemon.get("/api/v1/stats")["records"];
        let resumed = records["resumed"]["records"].as_u64().unwrap();
        self.resumed += if kills_bridge { resumed } else { 0 };
        println!(
            "cycle {cycle}: durable to {durable_to}, {repeated_max} may be sent again, \
             {resumed} resumed; ready: cloud {cloud_after:?}, bridge {bridge_after:?}"
        );
        self.slowest = self.slowest.max(cloud_after).max(bridge_after);
    }

    fn restart(&self) -> Daemon {
        start_bridge(self.port, self.dir.path(), &self.cloud, self.settings)
    }

    /// Records acknowledged as far as the next run of the bridge knows.
    fn acked_by_progress(&self) -> u64 {
        let seen = inspected(self.dir.path());
        let mut destinations = seen["destinations"].as_array().unwrap().iter();
        let cloud = destinations.find(|known| known["name"] == "sls/-/-/test/flows");
        cloud.map_or(0, |cloud| cloud["acked"]["records"].as_u64().unwrap())
    }

    fn wait_for_durable_rows(&self) {
        let first = self.first;
        self.daemon
            .wait_until("durable", |daemon| journal(daemon, "durable_to") > first);
    }

    /// Has the bridge journal what it still holds, and waits until all of it
    /// is in the cloud.
    fn settle(&mut self) {
        self.durable
            .push(self.first..journal(&self.daemon, "durable_to"));
        assert_eq!(self.daemon.stop().code(), Some(0));
        self.daemon = self.restart();
        self.daemon
            .wait_until("drained", |daemon| sls(daemon)["pending"] == 0);
        for daemon in [&self.daemon, &self.service] {
            assert_eq!(daemon.get("/api/v1/stats")["gaps"], serde_json::json!([]));
        }
        let sls = sls(&self.daemon);
        assert_eq!((sls["evicted"], sls["damaged"], sls["refused"]), (0, 0, 0));
    }

    fn judge(&self, sent: u64, stored: &[(u64, u32)], arrived: &[(u64, u32)]) {
        let mut flows = HashSet::new();
        let kept: BTreeMap<u64, u32> = stored.iter().copied().collect();
        assert_eq!(kept.len(), stored.len(), "a number is there twice");
        for (seq, flow) in &kept {
            assert!(u64::from(*flow) < sent, "{flow} was not sent");
            assert!(
                flows.insert(flow),
                "flow {flow} is there twice, at last as {seq}"
            );
        }
        let delivered: BTreeMap<u64, u32> = arrived.iter().copied().collect();
        assert_eq!(delivered, kept, "cloud and log store have different rows");
        let durable: u64 = self
            .durable
            .iter()
            .map(|rows| rows.end - rows.start.min(rows.end))
            .sum();
        for rows in &self.durable {
            let lost = rows.clone().find(|seq| !kept.contains_key(seq));
            assert_eq!(lost, None, "lost of {rows:?}, which were durable");
        }
        let repeated = (arrived.len() - delivered.len()) as u64;
        println!(
            "{sent} flows sent, {durable} known to be durable, {} recovered; {repeated} sent \
             twice of {} that may be; ready again after {:?} at most",
            kept.len(),
            self.repeated_max,
            self.slowest
        );
        assert!(durable > 0);
        assert!(
            repeated <= self.repeated_max,
            "{repeated} rows were sent twice"
        );
        assert!(self.slowest < READY_WITHIN, "{:?}", self.slowest);
    }
}

fn start_bridge(port: u16, dir: &Path, cloud: &Cloud, [flow_log, more]: [&str; 2]) -> Daemon {
    let more = format!("[logstore]\ntail-age-s = 2\n{more}");
    Daemon::start_on(port, dir, &bridge_with(dir, cloud, flow_log, &more))
}

fn journal(daemon: &Daemon, what: &str) -> u64 {
    daemon.get("/api/v1/stats")["journal"][what]
        .as_u64()
        .unwrap()
}

/// The number a row has at the bridge, and which flow it is.
fn rows(daemon: &Daemon, number: &str) -> Vec<(u64, u32)> {
    let (mut rows, mut after) = (Vec::new(), Value::from(0));
    loop {
        let page = daemon.query(&format!(
            "SELECT seq, {number} AS number, srcaddr FROM test.flows WHERE seq > {after} \
             ORDER BY seq LIMIT {PAGE}"
        ));
        let Some(last) = page.last() else {
            return rows;
        };
        after = last[0].clone();
        rows.extend(
            page.iter()
                .map(|row| (number_of(&row[1]), flow_of(&row[2]))),
        );
    }
}

/// Of a row: a number, or what stands behind the journal's id.
fn number_of(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| {
        let (_, number) = value.as_str().unwrap().rsplit_once('-').unwrap();
        number.parse().unwrap()
    })
}

/// What the exporter counts up in the source address.
fn flow_of(address: &Value) -> u32 {
    let address: Ipv4Addr = address.as_str().unwrap().parse().unwrap();
    u32::from(address) - 0x0a00_0000
}

/// Flows that come at an even rate, whether or not anybody takes them.
struct Load {
    is_over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Load {
    fn start(host: u8, port: u16) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let (told, counted) = (Arc::clone(&is_over), Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            let mut exporter = V5Exporter::new(host, port);
            while !told.load(Ordering::Relaxed) {
                // Nobody listens while the bridge is down.
                let _taken = exporter.try_send().is_ok();
                counted.store(u64::from(exporter.sent()), Ordering::Relaxed);
                std::thread::sleep(Duration::from_secs(1) / LOAD);
            }
        });
        Self {
            is_over,
            sent,
            thread,
        }
    }

    /// Flows sent by now.
    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends it and says how many flows were sent.
    fn end(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.sent.load(Ordering::Relaxed)
    }
}

fn random(range: Range<u64>) -> u64 {
    let random = RandomState::new().hash_one(0);
    range.start + random % (range.end - range.start)
}
