//! Flow logs that change without end while flows come at the full rate: no
//! datagram is lost, and no record is taken for another device's.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::caller::Caller;
use crate::ledger::Metrics;
use crate::sender::{V5Exporter, paced};
use crate::support::{Daemon, free_tcp_port};

const SETTINGS: &str = r#"
[[credential]]
id = "LTAItest"
secret-file = "DIR/secret"

[[device]]
instance-id = "sag-11"
snid = "sn-11"
exporters = ["127.0.0.11"]

[[device]]
instance-id = "sag-12"
snid = "sn-12"
exporters = ["127.0.0.12"]

[default-flow-log]
action = "ignore"
"#;

const HOSTS: [u8; 2] = [11, 12];
const LOGSTORES: [&str; 2] = ["left", "right"];
/// Changes, at least, and how long they go on at least.
const CHANGES: usize = 1_000;
const LASTING: Duration = Duration::from_secs(5);
/// Datagrams of one flow each in a second, unless the environment says another
/// number.
const LOAD: u32 = 20_000;
/// How long any answer may take on a busy machine, and on a quiet one.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
const P99: Duration = Duration::from_millis(100);

#[test]
fn a_thousand_changes_under_load_lose_and_misattribute_nothing() {
    let load = std::env::var("FLOWLOGD_LOAD").map_or(LOAD, |text| text.parse().unwrap());
    let (dir, port) = (TempDir::new().unwrap(), free_tcp_port());
    fs::write(dir.path().join("secret"), "secret").unwrap();
    let daemon = Daemon::start_serving(port, dir.path(), SETTINGS);
    let mut people = People::new(Caller::gateways(port));
    let is_over = AtomicBool::new(false);
    let began = Instant::now();
    let (sent, readings) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(daemon.port, load, &is_over));
        let reader = scope.spawn(|| read(&daemon, &is_over));
        while people.times.len() < CHANGES || began.elapsed() < LASTING {
            people.change();
        }
        is_over.store(true, Ordering::Relaxed);
        (sender.join().unwrap(), reader.join().unwrap())
    });
    let records = people.settle(&daemon, sent);
    people.times.sort();
    let share = |percent: usize| people.times[people.times.len() * percent / 100];
    let (p50, p99, last) = (share(50), share(99), *people.times.last().unwrap());
    println!(
        "{} changes amid {sent} datagrams: decoded, routed and unclaimed {records:?} in \
         {readings} exact readings; answered in {p50:?} p50, {p99:?} p99, {last:?} at most",
        people.times.len()
    );
    let is_quiet = std::env::var("FLOWLOGD_LOAD_P99").is_ok_and(|value| value == "1");
    let within = if is_quiet { P99 } else { ANSWERED_WITHIN };
    assert!(p99 < within, "{p99:?}");
    assert!(readings > 20, "{readings}");
}

/// Sends flows of both devices in turn until it is over; how many.
fn send(port: u16, load: u32, is_over: &AtomicBool) -> u64 {
    let mut devices = HOSTS.map(|host| V5Exporter::of_single_flows(host, port));
    let mut sent = 0;
    while !is_over.load(Ordering::Relaxed) {
        sent += paced(load, Duration::from_millis(250), |step| {
            devices[usize::try_from(step % 2).unwrap()].send();
        });
    }
    sent
}

/// Reads the ledger again and again, which must add up each time.
fn read(daemon: &Daemon, is_over: &AtomicBool) -> u32 {
    let mut readings = 0;
    while !is_over.load(Ordering::Relaxed) {
        assert_exact(daemon);
        readings += 1;
    }
    readings
}

/// Records that were decoded, routed and claimed by nobody.
fn assert_exact(daemon: &Daemon) -> [u64; 3] {
    let stats = daemon.get("/api/v1/stats");
    assert_eq!(stats["gaps"], json!([]));
    let of = |account: &str| stats["records"][account]["records"].as_u64().unwrap();
    let [decoded, routed, unclaimed] = ["decoded", "routed", "unclaimed"].map(of);
    assert_eq!(decoded, routed + unclaimed);
    [decoded, routed, unclaimed]
}

/// Who changes two flow logs, and knows what they are.
struct People {
    caller: Caller,
    /// Each as a parameter, and whether it is active.
    logs: [(String, bool); 2],
    /// The flow log of each device.
    bound: [Option<usize>; 2],
    /// How long each answer took.
    times: Vec<Duration>,
}

impl People {
    fn new(caller: Caller) -> Self {
        let logs = LOGSTORES.map(|logstore| {
            let logstore = format!("LogstoreName={logstore}");
            let sls = ["OutputType=sls", "ProjectName=load", "SlsRegionId=cn-a"];
            let made = caller.done("CreateFlowLog", &[&sls[..], &[&logstore]].concat());
            let id = made["FlowLogId"].as_str().unwrap();
            (format!("FlowLogId={id}"), true)
        });
        Self {
            caller,
            logs,
            bound: [None; 2],
            times: Vec::new(),
        }
    }

    /// Makes a random change, which is answered well.
    fn change(&mut self) {
        let (kind, chosen) = (random(4), random(2));
        let (id, is_active) = self.logs[chosen].clone();
        match (kind, self.bound[chosen]) {
            (0, _) => {
                let logstore = format!("LogstoreName={}", LOGSTORES[random(2)]);
                self.call("ModifyFlowLogAttribute", &[&id, &logstore]);
            }
            (1, _) => {
                let active = format!("ActiveAging={}", 60 + random(60));
                let inactive = format!("InactiveAging={}", 10 + random(50));
                self.call("ModifyFlowLogAttribute", &[&id, &active, &inactive]);
            }
            (2, _) => {
                let action = ["ActiveFlowLog", "DeactiveFlowLog"][usize::from(is_active)];
                self.call(action, &[&id]);
                self.logs[chosen].1 = !is_active;
            }
            (_, None) => {
                let log = random(2);
                self.bind("AssociateFlowLog", chosen, log);
                self.bound[chosen] = Some(log);
            }
            (_, Some(log)) => {
                self.bind("DisassociateFlowLog", chosen, log);
                self.bound[chosen] = None;
            }
        }
    }

    fn bind(&mut self, action: &str, device: usize, log: usize) {
        let gateway = format!("SmartAGId=sag-{}", HOSTS[device]);
        let id = self.logs[log].0.clone();
        self.call(action, &[&id, &gateway]);
    }

    fn call(&mut self, action: &str, parameters: &[&str]) {
        let began = Instant::now();
        self.caller.done(action, parameters);
        self.times.push(began.elapsed());
    }

    /// Stops both, waits until all rows are kept, and asks whose they are;
    /// records that were decoded, routed and claimed by nobody.
    fn settle(&mut self, daemon: &Daemon, sent: u64) -> [u64; 3] {
        let metrics = Metrics::scrape(daemon);
        assert_eq!(metrics.missed(), 0, "datagrams the kernel dropped");
        daemon.wait_until("all decoded", |daemon| assert_exact(daemon)[0] == sent);
        for (id, is_active) in self.logs.clone() {
            if is_active {
                self.caller.done("DeactiveFlowLog", &[&id]);
            }
        }
        let records = assert_exact(daemon);
        daemon.wait_until("all rows kept", |daemon| stored(daemon) == records[1]);
        let [decoded, routed, unclaimed] = records;
        assert!(routed > 0 && unclaimed > 0, "{routed} of {decoded}");
        for logstore in LOGSTORES {
            let whose = daemon.query(&format!(
                "SELECT DISTINCT \"Instance_id\", snid, exporter, \
                 regexp_replace(srcaddr, '^10\\.([0-9]+)\\..*', '\\1') \
                 FROM load.{logstore} ORDER BY 1"
            ));
            let of = |host: u8| {
                let texts = [
                    format!("sag-{host}"),
                    format!("sn-{host}"),
                    format!("127.0.0.{host}"),
                    host.to_string(),
                ];
                texts.map(Value::String).to_vec()
            };
            assert_eq!(whose, HOSTS.map(of), "{logstore}");
        }
        records
    }
}

/// Records in the rows of both logstores.
fn stored(daemon: &Daemon) -> u64 {
    let sum = |logstore: &str| {
        let rows = daemon.try_query(&format!("SELECT sum(records) FROM load.{logstore}"));
        rows.first().and_then(|row| row[0].as_u64()).unwrap_or(0)
    };
    LOGSTORES.map(sum).iter().sum()
}

/// A number below another.
fn random(below: usize) -> usize {
    let mut octets = [0; 8];
    getrandom::fill(&mut octets).unwrap();
    usize::from_ne_bytes(octets) % below
}
