//! The log service's own clients, against a running daemon.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bridge::{Cloud, bridge};
use crate::exporters::softflowd;
use crate::support::{Daemon, flow_log, free_tcp_port, have};
use crate::traffic::{Sums, write_capture};
use crate::venv::{Ran, Venv, run_within};

/// How long a client may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

const MATRIX: &str = include_str!("matrix.py");
const SDK: &str = include_str!("sdk.py");
const TEA: &str = include_str!("tea.py");
const PRODUCER: &str = include_str!("producer.py");

/// An access key: its id and its secret.
type Key = [&'static str; 2];

const KEY: Key = ["id", "secret"];
const KEYS: &str =
    "[[access-key]]\nid = \"id\"\nsecret-file = \"DIR/secret\"\nprojects = [\"flow-*\"]\n";

/// A log store that clients reach through a proxy, over restarts.
struct Service {
    venv: Venv,
    dir: TempDir,
    port: u16,
}

impl Service {
    /// None where the clients cannot be installed.
    fn new() -> Option<Self> {
        let venv = Venv::shared()?;
        let (dir, port) = (TempDir::new().unwrap(), free_tcp_port());
        fs::write(dir.path().join("secret"), KEY[1]).unwrap();
        Some(Self { venv, dir, port })
    }

    fn start(&self) -> Daemon {
        Daemon::start_serving(self.port, self.dir.path(), KEYS)
    }

    /// Runs a Python script that ends by itself and says that it is done.
    fn script(&self, script: &str, arguments: &[&str]) {
        let mut command = self.venv.command("python");
        command.arg("-c").arg(script).args(arguments);
        let ran = run_within(LIMIT, through(&mut command, self.port)).unwrap();
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), "done\n"), "{ran:?}");
    }

    /// What `aliyunlog log` answers to these words, parted by spaces.
    fn log(&self, words: &str) -> Value {
        let ran = aliyunlog(&self.venv, self.port, KEY, words);
        answers(&ran).pop().unwrap_or_default()
    }
}

/// Has a program reach the log service on a port, whatever host it names.
pub(crate) fn through(command: &mut Command, port: u16) -> &mut Command {
    let command = command.env("http_proxy", format!("http://127.0.0.1:{port}"));
    command.env_remove("no_proxy").env_remove("NO_PROXY")
}

/// Runs `aliyunlog log`, signed with version 4, with words parted by spaces; `+`
/// in a word is a space.
fn aliyunlog(venv: &Venv, port: u16, [id, secret]: Key, words: &str) -> Ran {
    let home = TempDir::new().unwrap();
    let mut command = venv.command("aliyunlog");
    command.arg("log");
    command.args(words.split(' ').map(|word| word.replace('+', " ")));
    command
        .env("HOME", home.path())
        .env("ALIYUN_LOG_CLI_ACCESSID", id)
        .env("ALIYUN_LOG_CLI_ACCESSKEY", secret)
        .env("ALIYUN_LOG_CLI_ENDPOINT", "http://sls.local")
        .env("ALIYUN_LOG_CLI_REGION_ID", "cn-hangzhou")
        .env("ALIYUN_LOG_CLI_SIGN_VERSION", "v4");
    run_within(LIMIT, through(&mut command, port)).unwrap()
}

/// What a run that went well printed, in JSON.
fn answers(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let answers = serde_json::Deserializer::from_str(&ran.out).into_iter();
    answers.collect::<Result<_, _>>().unwrap()
}

/// Sums of all rows of a logstore as `aliyunlog log get_log_all` has them.
fn read_all(venv: &Venv, port: u16, key: Key, place: &str) -> Sums {
    let now = unix_s();
    let words = format!(
        "get_log_all {place} --from_time={} --to_time={}",
        now - 3600,
        now + 600
    );
    let mut sums = Sums::default();
    for page in answers(&aliyunlog(venv, port, key, &words)) {
        for row in page.as_array().unwrap() {
            let number = |name: &str| -> u64 { row[name].as_str().unwrap().parse().unwrap() };
            sums.flows += 1;
            sums.packets += number("packets");
            sums.bytes += number("bytes");
        }
    }
    sums
}

fn unix_s() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs()
}

#[test]
fn the_python_sdk_does_its_whole_matrix() {
    let Some(service) = Service::new() else {
        return;
    };
    let daemon = service.start();
    for version in ["v1", "v4"] {
        service.script(MATRIX, &[version]);
    }
    // It deleted what it made.
    for project in ["flow-v1", "flow-v4"] {
        let sql = format!("SELECT count(*) FROM \"{project}\".flows");
        assert_eq!(daemon.try_query(&sql), [[Value::Null; 0]; 0]);
    }
    assert_eq!(service.log("list_project")["total"], 0);
}

#[test]
fn what_the_python_sdk_left_is_there_after_a_restart() {
    let Some(service) = Service::new() else {
        return;
    };
    let sql = "SELECT count(*), sum(bytes), min(__topic__), min(__source__), \
               count(element(rest, 'note')) FROM \"flow-sdk\".flows";
    let row = |rows: u64| {
        let sum = rows * (rows - 1) / 2;
        [[
            json!(rows),
            json!(sum),
            json!("netflow"),
            json!("192.0.2.9"),
            json!(rows),
        ]]
    };
    let daemon = service.start();
    service.script(SDK, &["write"]);
    assert_eq!(daemon.query(sql), row(400));
    assert_eq!(daemon.terminate().code(), Some(0));
    let daemon = service.start();
    assert_eq!(daemon.query(sql), row(400));
    service.script(SDK, &["read"]);
    assert_eq!(daemon.query(sql), row(500));
    // What was answered is durable, whatever ends the daemon.
    daemon.kill();
    let daemon = service.start();
    assert_eq!(daemon.query(sql), row(500));
}

#[test]
fn sls20201230_does_its_whole_matrix() {
    let Some(service) = Service::new() else {
        return;
    };
    let daemon = service.start();
    for version in ["v1", "v4"] {
        service.script(TEA, &[version]);
        let sql = format!(
            "SELECT count(*), count(DISTINCT srcaddr), sum(bytes), min(__topic__), \
             min(__source__) FROM \"flow-tea-{version}\".flows"
        );
        let expected = [
            json!(120),
            json!(120),
            json!(7140),
            json!("netflow"),
            json!("192.0.2.9"),
        ];
        assert_eq!(daemon.query(&sql), [expected]);
    }
}

#[test]
fn aliyunlog_manages_and_reads() {
    let Some(service) = Service::new() else {
        return;
    };
    let daemon = service.start();
    let place = "--project_name=flow-cli --logstore_name=flows";
    service.log("create_project --project_name=flow-cli --project_des=of+a+test");
    service.log(&format!("create_logstore {place} --ttl=7 --shard_count=1"));
    service.script(PRODUCER, &["flow-cli", "flows", "zstd", "250"]);
    let stored = daemon.query("SELECT count(*), sum(bytes) FROM \"flow-cli\".flows");
    assert_eq!(stored, [[json!(250), json!(31_125)]]);

    let projects = service.log("list_project");
    assert_eq!(projects["total"], 1);
    assert_eq!(projects["projects"][0]["projectName"], "flow-cli");
    assert_eq!(projects["projects"][0]["description"], "of a test");
    let logstores = service.log("list_logstore --project_name=flow-cli");
    assert_eq!(logstores["logstores"], json!(["flows"]));
    let shards = service.log(&format!("list_shards {place}"));
    assert_eq!(shards[0]["shardID"], 0);

    let (now, logs) = (unix_s(), "--project=flow-cli --logstore=flows");
    let range = format!("--from_time={} --to_time={}", now - 600, now + 600);
    for version in ["v1", "v4"] {
        let counted = service.log(&format!(
            "get_log {logs} {range} --sign-version={version} \
             --query=*+|+SELECT+count(*)+AS+logs,sum(bytes)+AS+sum"
        ));
        assert_eq!(counted, json!([{"logs": "250", "sum": "31125"}]));
    }
    let dump = service.dir.path().join("dump-{}");
    let dumped = service.log(&format!(
        "pull_log_dump {place} {range} --file_path={}",
        dump.display()
    ));
    assert_eq!(dumped["total_count"], 250);
    let dump = fs::read_to_string(service.dir.path().join("dump-0")).unwrap();
    assert_eq!(dump.lines().count(), 250);

    service.log(&format!(
        "create_consumer_group {logs} --consumer_group=readers --timeout=30"
    ));
    let groups = service.log(&format!("list_consumer_group {logs}"));
    let expected = json!([{"name": "readers", "order": false, "timeout": 30}]);
    assert_eq!(groups, expected);
    // It would ask again for ever if the answer were the server's fault.
    let words = "list_machine_group --project_name=flow-cli";
    let refused = aliyunlog(&service.venv, service.port, KEY, words);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.took < Duration::from_secs(5), "{refused:?}");
    assert!(refused.out.contains("NotSupported"), "{refused:?}");
}

#[test]
fn what_the_producer_sends_is_what_aliyunlog_reads() {
    let Some(service) = Service::new() else {
        return;
    };
    let daemon = service.start();
    service.log("create_project --project_name=flow-producer --project_des=of+a+test");
    for compression in ["zstd", "lz4"] {
        let place = format!("--project_name=flow-producer --logstore_name={compression}");
        service.log(&format!("create_logstore {place} --ttl=7 --shard_count=1"));
        service.script(
            PRODUCER,
            &["flow-producer", compression, compression, "5000"],
        );
        let sent = Sums {
            flows: 5000,
            packets: 15_000,
            bytes: 5000 * 4999 / 2,
        };
        let sql = format!(
            "SELECT count(*), sum(packets), sum(bytes), sum(__time_ns_part__), min(__topic__), \
             min(__source__) FROM \"flow-producer\".{compression}"
        );
        let expected = [
            json!(sent.flows),
            json!(sent.packets),
            json!(sent.bytes),
            json!(sent.bytes),
            json!("netflow"),
            json!("192.0.2.7"),
        ];
        assert_eq!(daemon.query(&sql), [expected]);
        let place = format!("--project=flow-producer --logstore={compression}");
        let read = read_all(&service.venv, service.port, KEY, &place);
        assert_eq!(read, sent, "{compression}");
    }
}

/// Has softflowd send flows to a port; what it sent.
fn export(dir: &Path, port: u16) -> Sums {
    let capture = dir.join("traffic.pcap");
    let sent = write_capture(&capture, 320, true, unix_s() - 60);
    assert_eq!(softflowd("9", &capture, &[port]), sent.flows);
    sent
}

#[test]
fn what_softflowd_sent_comes_out_of_aliyunlog_behind_a_bridge() {
    if !have(&["softflowd"]) {
        return;
    }
    let Some(venv) = Venv::shared() else {
        return;
    };
    let (cloud, dir) = (Cloud::new(), TempDir::new().unwrap());
    cloud.write_secret();
    let service = cloud.start();
    let daemon = Daemon::start_in(dir.path(), &bridge(dir.path(), &cloud, ""));
    let sent = export(dir.path(), daemon.port);
    service.wait_until("all arrived", |service| {
        let rows = service.try_query("SELECT count(*) FROM test.flows");
        rows == [[json!(sent.flows)]]
    });
    let key = ["bridge", "cloud-secret"];
    let place = "--project=test --logstore=flows";
    assert_eq!(read_all(&venv, cloud.port, key, place), sent);
}

#[test]
fn what_softflowd_sent_comes_out_of_aliyunlog_without_a_bridge() {
    if !have(&["softflowd"]) {
        return;
    }
    let Some(venv) = Venv::shared() else {
        return;
    };
    let (dir, port) = (TempDir::new().unwrap(), free_tcp_port());
    let settings = flow_log("cache = \"off\"\n");
    let daemon = Daemon::start_serving(port, dir.path(), &settings);
    let sent = export(dir.path(), daemon.port);
    daemon.wait_until("all stored", |daemon| {
        daemon.try_query("SELECT count(*) FROM flows") == [[json!(sent.flows)]]
    });
    // Nobody is asked for a key where there is none.
    let place = "--project=test --logstore=flows";
    assert_eq!(read_all(&venv, port, ["any", "key"], place), sent);
}
