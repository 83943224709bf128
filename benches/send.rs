//! What sending costs: rows of a journal through the sender to an endpoint on
//! this host that acknowledges everything, beside the vendor's own producers.
//!
//! `FLOWLOGD_PEERS` names programs that send the same records, each as
//! `PROGRAM ENDPOINT FILE RECORDS`; they print `RECORDS CPU-SECONDS WALL-SECONDS`.
//! A line of `FILE` is a log: its time, then keys and values, between tabs.
//! `benches/producers` has two. CPU time is that of the sending process alone.

#![expect(clippy::print_stdout, reason = "its only purpose")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]
#![expect(clippy::panic, reason = "a bench may fail loudly")]

mod rows;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use flowlogd::flow::{self, Amount};
use flowlogd::journal::{Disk, Journal, Kind, Settings, Share};
use flowlogd::sink::Destination;
use flowlogd::sink::sls::{
    Chain, Compression, Directory, Endpoint, Environment, Fetcher, FieldChoice, FlowRows,
    GroupHeader, Keeper, LogGroup, LogGroupWriter, Order, Origin, Scheme, Sender, SenderSettings,
    Skew, TimeWindow, Transport, Unroutable, Way,
};
use nix::sys::resource::{UsageWho, getrusage};
use prost::Message as _;
use rows::ROWS;

/// Frames of the journal, each of [`ROWS`] rows.
const FRAMES: u32 = 256;
/// Times everything is measured.
const ROUNDS: usize = 5;
const DESTINATION: &str = "sls/cn-x/-/project/logstore";

fn main() {
    if std::env::args().any(|argument| argument == "endpoint") {
        return endpoint();
    }
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut child, url) = start_endpoint();
    let file = dir.path().join("records");
    std::fs::write(&file, records()).unwrap();
    let peers = std::env::var("FLOWLOGD_PEERS").unwrap_or_default();
    for round in 0..ROUNDS {
        for (name, compression) in [("lz4", Compression::Lz4), ("zstd", Compression::Zstd)] {
            let state = dir.path().join(format!("{round}-{name}"));
            say(&format!("flowlogd {name}"), &url, || {
                ours(&state, &url, compression)
            });
        }
        for peer in peers.split(':').filter(|peer| !peer.is_empty()) {
            say(peer, &url, || theirs(peer, &url, &file));
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What was sent, the CPU time it took, and the time on the wall.
struct Sent {
    records: u64,
    cpu: f64,
    wall: f64,
}

fn say(name: &str, url: &str, send: impl FnOnce() -> Sent) {
    let before = received(url);
    let Sent { records, cpu, wall } = send();
    let octets = received(url) - before;
    let count = records as f64;
    println!(
        "{name}: {records} records, {:.3} M a CPU second, {:.0} ns each, {wall:.2} s, {:.0} octets on the wire each",
        count / cpu / 1e6,
        cpu / count * 1e9,
        octets as f64 / count,
    );
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    [usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
        .iter()
        .sum()
}

/// Sends the rows of a journal with the daemon's own sender.
fn ours(state: &Path, url: &str, compression: Compression) -> Sent {
    let settings = Settings {
        quota_bytes: 16 << 30,
        ..Settings::default()
    };
    let (journal, _) = Journal::open(settings, Disk::new(state.join("journal"))).unwrap();
    let journal = Arc::new(journal);
    let share = Share {
        destination: journal.destination(DESTINATION).unwrap(),
        rows: 0..ROWS,
        amount: Amount {
            records: ROWS.into(),
            ..Amount::default()
        },
    };
    let bodies: Vec<Bytes> = (0..16)
        .map(|seed| flow::to_ipc(&rows::rows(seed, now_s())).unwrap().into())
        .collect();
    for body in bodies.iter().cycle().take(FRAMES as usize) {
        let body = body.clone();
        journal
            .append(
                Kind::Flows,
                std::slice::from_ref(&share),
                body,
                now_s() * 1000,
            )
            .unwrap();
        journal.commit().unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let way = Arc::new(OneWay::new(state, url));
    let settings = SenderSettings {
        compression,
        order: Order::OldestFirst,
        ..SenderSettings::new(state)
    };
    let (began, cpu_before) = (Instant::now(), cpu());
    let sender = Sender::start(runtime.handle(), Arc::clone(&journal), settings, way).unwrap();
    while journal
        .stats(0)
        .destinations
        .iter()
        .any(|one| one.amounts.pending.records > 0)
    {
        thread::sleep(Duration::from_millis(2));
    }
    let sent = Sent {
        records: u64::from(FRAMES) * u64::from(ROWS),
        cpu: cpu() - cpu_before,
        wall: began.elapsed().as_secs_f64(),
    };
    runtime.block_on(sender.stop(Duration::from_secs(1)));
    drop(runtime);
    std::fs::remove_dir_all(state).unwrap();
    sent
}

struct OneWay {
    endpoint: Endpoint,
    keeper: Arc<Keeper>,
    skew: Arc<Skew>,
    fields: Arc<FieldChoice>,
}

impl OneWay {
    fn new(state: &Path, url: &str) -> Self {
        let key = state.join("key");
        std::fs::write(&key, "access-key-id = id\naccess-key-secret = secret\n").unwrap();
        let chain = Chain::only(Origin::File(key));
        let fetcher = Fetcher::new(&Transport::default()).unwrap();
        Self {
            endpoint: Endpoint::new(url, None).unwrap(),
            keeper: Arc::new(Keeper::new(chain, Environment::of_process(), fetcher)),
            skew: Arc::default(),
            fields: Arc::new(rows::twenty_fields()),
        }
    }
}

impl Directory for OneWay {
    fn route(&self, destination: &Destination) -> Result<Way, Unroutable> {
        Ok(Way {
            endpoint: self.endpoint.clone(),
            scheme: Scheme::of_region(destination.region.as_deref()),
            keeper: Arc::clone(&self.keeper),
            skew: Arc::clone(&self.skew),
        })
    }

    fn fields(&self, _flow_log: &str) -> Arc<FieldChoice> {
        Arc::clone(&self.fields)
    }
}

/// One frame's records as lines for the peers.
fn records() -> String {
    let (batch, mut raw) = (rows::rows(0, now_s()), Vec::new());
    let rows = FlowRows {
        batch: &batch,
        journal: 1,
        first_seq: 1,
    };
    let mut writer = LogGroupWriter::new(&rows::twenty_fields());
    let window = TimeWindow::around(now_s());
    let all = 0..batch.num_rows();
    let header = GroupHeader::default();
    writer.write(&rows, all, &header, window, &mut raw).unwrap();
    let mut lines = String::new();
    for log in LogGroup::decode(&*raw).unwrap().logs {
        write!(lines, "{}", log.time).unwrap();
        for content in &log.contents {
            let value = str::from_utf8(&content.value).unwrap();
            write!(lines, "\t{}\t{value}", content.key).unwrap();
        }
        lines.push('\n');
    }
    lines
}

/// Has a peer send as many records.
fn theirs(peer: &str, url: &str, file: &Path) -> Sent {
    let records = FRAMES * ROWS;
    let mut words = peer.split_whitespace();
    let output = Command::new(words.next().unwrap())
        .args(words)
        .arg(url)
        .arg(file)
        .arg(records.to_string())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let said: Vec<f64> = said
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    let [count, cpu, wall] = said[..] else {
        panic!("{peer} said {said:?}");
    };
    assert_eq!(count, f64::from(records), "{peer}");
    Sent {
        records: records.into(),
        cpu,
        wall,
    }
}

/// The same program as an endpoint; its URL.
fn start_endpoint() -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("endpoint")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    (child, line.trim().to_owned())
}

/// Octets of bodies the endpoint has taken.
fn received(url: &str) -> u64 {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    body.parse().unwrap()
}

/// Takes whatever is sent, and says 200.
fn endpoint() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let octets = Arc::new(AtomicU64::new(0));
    for stream in listener.incoming() {
        let octets = Arc::clone(&octets);
        thread::spawn(move || serve(&stream.unwrap(), &octets));
    }
}

fn serve(stream: &TcpStream, octets: &AtomicU64) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (mut reader, mut writer) = (BufReader::with_capacity(1 << 20, stream), stream);
    let mut body = Vec::new();
    loop {
        let (mut length, mut line, mut is_put, mut is_last) = (0, String::new(), false, false);
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            is_put |= line.starts_with("P");
            let lower = line.to_ascii_lowercase();
            is_last |= lower.starts_with("connection: close");
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body).ok()?;
        let answer = if is_put {
            octets.fetch_add(length as u64, Ordering::Relaxed);
            String::new()
        } else {
            octets.load(Ordering::Relaxed).to_string()
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nx-log-requestid: 1\r\nx-log-time: {}\r\ncontent-length: {}\r\n\r\n{answer}",
            now_s(),
            answer.len()
        );
        writer.write_all(head.as_bytes()).ok()?;
        if is_last {
            return None;
        }
    }
}
