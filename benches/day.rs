//! Questions about ten million flows of one day, asked over HTTP of the daemon
//! as a client would ask, while another exporter sends; beside nfdump on the
//! same flows, where it is installed.
//!
//! `FLOWLOGD_FLOWS` says how many flows, `FLOWLOGD_DAY` a directory to keep.

#![expect(clippy::print_stdout, reason = "its only purpose")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]
#![expect(clippy::indexing_slicing, reason = "a bench may fail loudly")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flowlogd::flow::{FlowBatch, FlowKey, FlowRecord, Presence};
use flowlogd::flowlog::{Definition, FlowLog, RoutingTable, Unclaimed, Verdict};
use flowlogd::logstore::{LogStore, Settings};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::{SysconfVar, sysconf};

const FLOWS: u64 = 10_000_000;
const ADDRESSES: u64 = 200_000;
const HOURS: u64 = 24;
const HOUR_MS: u64 = 3_600_000;
const BATCH: u64 = 16_384;
/// Times each question is asked.
const ROUNDS: usize = 7;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let wanted = std::env::var("FLOWLOGD_FLOWS");
    let flows = wanted.map_or(FLOWS, |text| text.parse().unwrap());
    let kept = std::env::var_os("FLOWLOGD_DAY").map(PathBuf::from);
    let scratch = tempfile::tempdir().unwrap();
    let dir = kept.unwrap_or_else(|| scratch.path().to_owned());
    let day = Day::begin(flows);
    let store = dir.join("store");
    day.fill(&store);
    let daemon = Daemon::start(&dir, &store);
    daemon.wait_for_merges();
    daemon.ask(&day);
    drop(daemon);
    day.ask_nfdump(&dir);
}

/// The flows of a day, which ended an hour ago at the latest.
struct Day {
    begin_ms: u64,
    flows: u64,
}

impl Day {
    fn begin(flows: u64) -> Self {
        let hours = now_ms() / HOUR_MS - HOURS - 1;
        Self {
            begin_ms: hours * HOUR_MS,
            flows,
        }
    }

    /// When a flow ends.
    fn end_ms(&self, number: u64) -> u64 {
        self.begin_ms + number * (HOURS * HOUR_MS) / self.flows
    }

    /// A flow; few addresses have many of them.
    fn flow(&self, number: u64) -> FlowRecord {
        let mut seed = number;
        let mut random = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let host = |skewed: u64| u32::try_from(skewed * skewed / ADDRESSES).unwrap();
        let address = |host: u32| Ipv4Addr::from(0x0a00_0000 + host).to_ipv6_mapped().octets();
        let packets = 1 + random(200);
        let end_ms = self.end_ms(number);
        let ports = [443, 443, 53, 80, 22, 8443];
        let dst_port = ports[usize::try_from(random(6)).unwrap()];
        FlowRecord {
            octets: packets * (60 + random(1_400)),
            packets,
            start_ms: end_ms - random(60_000),
            end_ms,
            flows: 1,
            records: 1,
            tcp_flags: if dst_port == 53 { 0 } else { 0x1b },
            key: FlowKey {
                present: Presence::all(),
                src: address(host(random(ADDRESSES))),
                dst: address(host(random(ADDRESSES))),
                src_port: u16::try_from(1024 + random(60_000)).unwrap(),
                dst_port,
                protocol: if dst_port == 53 { 17 } else { 6 },
                in_if: u32::try_from(1 + random(4)).unwrap(),
                out_if: 9,
                ..FlowKey::default()
            },
            ..FlowRecord::default()
        }
    }

    /// Writes the flows into a log store as they would have come.
    fn fill(&self, dir: &Path) {
        let (table, began) = (table(), Instant::now());
        let store = LogStore::open(Settings::new(dir)).unwrap();
        let exporter = Ipv4Addr::new(198, 51, 100, 1).into();
        // A directory that is kept has them all.
        let mut next: u64 = store.parts().iter().map(|part| part.rows).sum();
        while next < self.flows {
            let numbers = next..self.flows.min(next + BATCH);
            next = numbers.end;
            let mut batch = FlowBatch::default();
            for number in numbers.clone() {
                let mut record = self.flow(number);
                record.key.route = route(&table, exporter);
                batch.push(&record, None, exporter, 0);
            }
            let rows = batch.into_arrow(&table).unwrap();
            let arrival_ms = self.end_ms(numbers.start);
            store
                .append_rows("bench", "flows", &rows, numbers.start + 1, arrival_ms)
                .unwrap();
            store.tend(arrival_ms);
        }
        store.flush().unwrap();
        store.merge(self.end_ms(self.flows), &|| true);
        let parts = store.parts();
        let rows: u64 = parts.iter().map(|part| part.rows).sum();
        let bytes: u64 = parts.iter().map(|part| part.bytes).sum();
        println!(
            "{rows} flows in {} parts, {bytes} octets: {:.1} each; written in {:.1?}",
            parts.len(),
            bytes as f64 / rows as f64,
            began.elapsed()
        );
    }

    /// Gives the same flows to nfcapd, and asks nfdump for the same.
    fn ask_nfdump(&self, dir: &Path) {
        let files = dir.join("nfcapd");
        if !files.exists() {
            fs::create_dir_all(&files).unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let port = UdpSocket::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let mut nfcapd = match Command::new("nfcapd")
                .args(["-b", "127.0.0.1", "-B", "33554432", "-p", &port.to_string()])
                .args(["-t", "3600", "-y", "-l"])
                .arg(&files)
                .stderr(Stdio::null())
                .spawn()
            {
                Ok(nfcapd) => nfcapd,
                Err(error) => return println!("no nfdump: {error}"),
            };
            thread::sleep(Duration::from_secs(2));
            socket.connect(("127.0.0.1", port)).unwrap();
            self.export(&socket);
            thread::sleep(Duration::from_secs(2));
            let told = Command::new("kill")
                .args(["-TERM", &nfcapd.id().to_string()])
                .status();
            assert!(told.unwrap().success());
            nfcapd.wait().unwrap();
        }
        for round in 0..ROUNDS {
            let (began, before) = (Instant::now(), cpu_of_children());
            let output = Command::new("nfdump")
                .arg("-R")
                .arg(&files)
                .args(["-s", "srcip/bytes", "-n", "10", "-q"])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let first = said
                .lines()
                .find(|line| line.contains("10."))
                .unwrap_or_default();
            println!(
                "nfdump -s srcip/bytes, {round}: {:.3} s, CPU {:.3} s: {first}",
                began.elapsed().as_secs_f64(),
                cpu_of_children() - before
            );
        }
    }

    /// Sends the flows as NetFlow v5, no faster than nfcapd takes them.
    fn export(&self, socket: &UdpSocket) {
        let began = Instant::now();
        for first in (0..self.flows).step_by(30) {
            let count = (self.flows - first).min(30);
            socket.send(&self.datagram(first, count)).unwrap();
            let due = Duration::from_nanos(first * 4_000);
            if let Some(early) = due.checked_sub(began.elapsed()) {
                thread::sleep(early);
            }
        }
    }

    fn datagram(&self, first: u64, count: u64) -> Vec<u8> {
        /// What the exporter had been up for at the end of its first flow here.
        const UPTIME_MS: u64 = 100_000;
        let boot_ms = self.end_ms(first) - UPTIME_MS;
        let low = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap();
        let unix = (boot_ms + UPTIME_MS) / 1_000;
        let mut datagram = Vec::with_capacity(1_464);
        datagram.extend([0, 5, 0, u8::try_from(count).unwrap()]);
        datagram.extend(low(UPTIME_MS).to_be_bytes());
        datagram.extend(low(unix).to_be_bytes());
        datagram.extend(low((boot_ms + UPTIME_MS) % 1_000 * 1_000_000).to_be_bytes());
        datagram.extend(low(first).to_be_bytes());
        datagram.extend([0; 4]);
        for number in first..first + count {
            let flow = self.flow(number);
            let key = flow.key;
            datagram.extend(&key.src[12..]);
            datagram.extend(&key.dst[12..]);
            datagram.extend([0; 4]);
            datagram.extend(
                [key.in_if, key.out_if]
                    .map(|port| u16::try_from(port).unwrap())
                    .map(u16::to_be_bytes)
                    .concat(),
            );
            datagram.extend(
                [flow.packets, flow.octets]
                    .map(|count| low(count).to_be_bytes())
                    .concat(),
            );
            datagram.extend(
                [flow.start_ms, flow.end_ms]
                    .map(|time| low(time - boot_ms).to_be_bytes())
                    .concat(),
            );
            datagram.extend([key.src_port, key.dst_port].map(u16::to_be_bytes).concat());
            datagram.extend([0, flow.tcp_flags.to_be_bytes()[1], key.protocol, 0]);
            datagram.extend([0; 8]);
        }
        datagram
    }
}

fn table() -> RoutingTable {
    let definition = Definition {
        flow_logs: vec![FlowLog::new("all", "bench", "flows")],
        unclaimed: Unclaimed::Take("all".to_owned()),
        ..Definition::default()
    };
    RoutingTable::compile(&definition, None).unwrap()
}

fn route(table: &RoutingTable, exporter: IpAddr) -> u16 {
    match table.verdict(exporter, 0) {
        Verdict::Routes([route]) => route.0,
        Verdict::Routes(_) | Verdict::Unclaimed | Verdict::Sieve(_) => unreachable!("one flow log"),
    }
}

/// The daemon on the day's store.
struct Daemon {
    child: Child,
    /// Where it answers, and where it collects.
    http: String,
    udp: u16,
}

impl Daemon {
    fn start(dir: &Path, store: &Path) -> Self {
        let udp = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = dir.join("flowlogd.toml");
        let text = format!(
            "[listen]\naddresses = [\"127.0.0.1:{udp}\"]\n[http]\naddress = \"127.0.0.1:0\"\n\
             [state]\ndir = {dir:?}\n[logstore]\ndir = {store:?}\n\
             [default-flow-log]\nname = \"live\"\n\
             [[flow-log]]\nname = \"live\"\nproject = \"bench\"\nlogstore = \"live\"\n"
        );
        fs::write(&config, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_flowlogd"))
            .arg("run")
            .arg("--config")
            .arg(config)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let http = loop {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, rest)) = line.split_once("answering on http://") {
                break rest
                    .trim()
                    .chars()
                    .take_while(|c| c.is_ascii_digit() || ".:".contains(*c))
                    .collect();
            }
        };
        thread::spawn(move || lines.for_each(drop));
        Self { child, http, udp }
    }

    /// Answer to a request of the SLS API.
    fn get(&self, target: &str) -> String {
        self.get_of(&format!("bench.{}", self.http), target)
    }

    fn metrics(&self) -> String {
        self.get_of(&self.http, "/metrics")
    }

    fn get_of(&self, host: &str, target: &str) -> String {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: {host}\r\nx-log-apiversion: 0.6.0\r\n\
             x-log-bodyrawsize: 0\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Until the log store has merged what it will.
    fn wait_for_merges(&self) {
        let mut last = String::new();
        loop {
            let metrics = self.metrics();
            let merged = metrics
                .lines()
                .filter(|line| line.starts_with("flowlogd_logstore_parts_written_total"));
            let merged = merged.collect::<Vec<_>>().join("\n");
            if merged == last {
                return;
            }
            last = merged;
            thread::sleep(Duration::from_secs(10));
        }
    }

    fn ask(&self, day: &Day) {
        let address = "10.0.0.77";
        let from = day.begin_ms / 1_000;
        let noon = from + 12 * 3_600;
        let questions = [
            (
                "one address, 15 min",
                noon,
                noon + 900,
                format!("srcaddr: {address}"),
            ),
            (
                "one address, 15 min, SQL",
                noon,
                noon + 900,
                format!("srcaddr: {address} | SELECT sum(bytes) AS b, count(*) AS n"),
            ),
            (
                "top 10 of the day",
                from,
                from + 86_400,
                "* | SELECT srcaddr, sum(bytes) AS b GROUP BY srcaddr ORDER BY b DESC LIMIT 10"
                    .to_owned(),
            ),
        ];
        for (name, from, to, query) in questions {
            let mut times = Vec::new();
            for _ in 0..ROUNDS {
                let (began, before) = (Instant::now(), self.cpu());
                let target = format!(
                    "/logstores/flows?type=log&from={from}&to={to}&line=100&offset=0&query={}",
                    escaped(&query)
                );
                let answer = self.get(&target);
                times.push((began.elapsed().as_secs_f64(), self.cpu() - before));
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                if times.len() == ROUNDS {
                    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
                    println!("{}", body.chars().take(200).collect::<String>());
                }
            }
            let say = |mut of: Vec<f64>| {
                of.sort_by(f64::total_cmp);
                format!(
                    "{:.3} ({:.3}..{:.3})",
                    of[ROUNDS / 2],
                    of[0],
                    of[ROUNDS - 1]
                )
            };
            let (wall, cpu) = times.into_iter().unzip();
            println!(
                "{name}: {} s, CPU {} s, resident {} MiB at most",
                say(wall),
                say(cpu),
                self.resident_mib()
            );
        }
        self.ask_under_load(day);
    }

    /// The day's question again and again while flows come in.
    fn ask_under_load(&self, day: &Day) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", self.udp)).unwrap();
        let (from, mut sent, began) = (day.begin_ms / 1_000, 0, Instant::now());
        let query = escaped(
            "* | SELECT srcaddr, sum(bytes) AS b GROUP BY srcaddr ORDER BY b DESC LIMIT 10",
        );
        let target = format!(
            "/logstores/flows?type=log&from={from}&to={}&query={query}",
            from + 86_400
        );
        let answered = thread::scope(|scope| {
            let asking = scope.spawn(|| {
                (0..ROUNDS)
                    .filter(|_| self.get(&target).starts_with("HTTP/1.1 200"))
                    .count()
            });
            while !asking.is_finished() {
                socket.send(&day.datagram(sent * 30, 30)).unwrap();
                sent += 1;
                let due = Duration::from_micros(sent * 300);
                if let Some(early) = due.checked_sub(began.elapsed()) {
                    thread::sleep(early);
                }
            }
            asking.join().unwrap()
        });
        let took = began.elapsed().as_secs_f64();
        thread::sleep(Duration::from_secs(1));
        let metrics = self.metrics();
        let sum = |name: &str| -> u64 {
            let lines = metrics.lines().filter(|line| line.starts_with(name));
            lines
                .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
                .sum()
        };
        println!(
            "{answered} of {ROUNDS} answered while {} flows/s came: {sent} datagrams sent, {} received, {} dropped by the kernel",
            (sent as f64 * 30.0 / took).round(),
            sum("flowlogd_listen_datagrams_total"),
            sum("flowlogd_listen_kernel_dropped_datagrams_total")
        );
    }

    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let words: Vec<&str> = rest.split(' ').collect();
        let ticks: f64 = [words[11], words[12]]
            .iter()
            .map(|word| word.parse::<f64>().unwrap())
            .sum();
        ticks / sysconf(SysconfVar::CLK_TCK).unwrap().unwrap() as f64
    }

    fn resident_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            / 1_024
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn escaped(text: &str) -> String {
    let octet = |octet: u8| match octet.is_ascii_alphanumeric() {
        true => char::from(octet).to_string(),
        false => format!("%{octet:02X}"),
    };
    text.bytes().map(octet).collect()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

fn cpu_of_children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    [usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
        .iter()
        .sum()
}
