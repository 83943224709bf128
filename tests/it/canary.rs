//! Secrets wherever they may stand, and none of them in what is printed,
//! answered or kept.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sender::V5Exporter;
use crate::support::{PATIENCE, PROGRAM, block_on, configure_serving, flow_log};
use crate::support::{free_port, free_tcp_port};

/// Part of every secret.
const CANARY: &str = "cAnArY7n0b0dyMayR3adTh1s";

/// The canary's form in a text, if it is there: as it is, in hexadecimal, or in
/// base64 wherever it begins among three octets.
fn found(text: &[u8]) -> Option<&'static str> {
    let has = |form: &str| {
        let form = form.as_bytes();
        text.windows(form.len()).any(|part| part == form)
    };
    let hex: String = CANARY.bytes().map(|octet| format!("{octet:02x}")).collect();
    let base64 = (0..3).any(|before| {
        let whole = STANDARD.encode([&vec![0; before], CANARY.as_bytes()].concat());
        // What depends on the octets around it is left out.
        let own = (before * 8).div_ceil(6)..(before + CANARY.len()) * 8 / 6;
        has(whole.get(own).unwrap())
    });
    let url = urlencoded(CANARY);
    [
        ("as it is", has(CANARY) || has(&url)),
        ("in hexadecimal", has(&hex) || has(&hex.to_uppercase())),
        ("in base64", base64),
    ]
    .into_iter()
    .find_map(|(form, is_there)| is_there.then_some(form))
}

fn urlencoded(text: &str) -> String {
    text.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

#[track_caller]
fn is_silent(what: &str, text: &[u8]) {
    if let Some(form) = found(text) {
        let lossy = String::from_utf8_lossy(text);
        let line = lossy.lines().find(|line| found(line.as_bytes()).is_some());
        panic!("{what} has the canary {form}: {line:?}");
    }
}

#[test]
fn a_canary_is_found_in_all_its_forms() {
    assert_eq!(found(b"cAnArY7n0b0dyMayR3adTh1"), None);
    let planted = format!("secret: {CANARY}.");
    assert_eq!(found(planted.as_bytes()), Some("as it is"));
    for before in ["", "a", "ab", "abc"] {
        let text = STANDARD.encode(format!("{before}{CANARY}{before}"));
        assert_eq!(found(text.as_bytes()), Some("in base64"), "{text}");
    }
    let hex: String = CANARY.bytes().map(|octet| format!("{octet:02X}")).collect();
    assert_eq!(found(hex.as_bytes()), Some("in hexadecimal"));
    assert_eq!(found(urlencoded(CANARY).as_bytes()), Some("as it is"));
}

/// A daemon that says all it can, into a file.
struct Loud {
    child: Child,
    /// UDP port it collects on.
    port: u16,
    url: String,
    output: PathBuf,
    config: PathBuf,
    state: TempDir,
    variables: BTreeMap<&'static str, String>,
}

impl Loud {
    fn start(http_port: u16, settings: &str, variables: BTreeMap<&'static str, String>) -> Self {
        let state = TempDir::new().unwrap();
        let port = free_port();
        let config = configure_serving(port, http_port, state.path(), settings);
        let output = state.path().join("output");
        let file = File::create(&output).unwrap();
        let mut command = command(&variables);
        command.arg("run").arg("--config").arg(&config);
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap();
        let mut loud = Self {
            child,
            port,
            url: format!("http://127.0.0.1:{http_port}"),
            output,
            config,
            state,
            variables,
        };
        loud.wait_until("ready", |loud| loud.get("/readyz").contains("true"));
        loud
    }

    fn get(&self, path: &str) -> String {
        let url = format!("{}{path}", self.url);
        block_on(async { reqwest::get(url).await.ok()?.text().await.ok() }).unwrap_or_default()
    }

    #[track_caller]
    fn wait_until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let ended = self.child.try_wait().unwrap();
            let is_late = Instant::now() >= deadline;
            assert!(!is_late && ended.is_none(), "not {what}: {ended:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the first destination of the cloud says.
    fn destination(&self) -> Value {
        let all: Value = serde_json::from_str(&self.get("/api/v1/destinations")).unwrap();
        let mut all = all.as_array().unwrap().iter();
        let cloud = all.find(|of| of["name"].as_str().unwrap().starts_with("sls/"));
        cloud.cloned().unwrap_or_default()
    }

    /// A request to its own SLS API that nobody's key signed.
    fn knock(&self, authorization: &str) -> (u16, String) {
        let now = Timestamp::now();
        let request = reqwest::Client::new()
            .get(format!("{}/logstores", self.url))
            .header("host", "test.sls.local")
            .header("x-log-apiversion", "0.6.0")
            .header("x-log-bodyrawsize", "0")
            .header("x-log-signaturemethod", "hmac-sha1")
            .header("x-log-date", now.strftime("%Y%m%dT%H%M%SZ").to_string())
            .header(
                "date",
                now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
            )
            .header("x-log-content-sha256", NOTHING_SHA256)
            .header("authorization", authorization);
        block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }

    /// All that can be asked of it.
    fn answers(&self) -> Vec<(String, String)> {
        let views = [
            "/metrics",
            "/healthz",
            "/readyz",
            "/version",
            "/api/v1/exporters",
            "/api/v1/templates",
            "/api/v1/flow-logs",
            "/api/v1/stats",
            "/api/v1/destinations",
            "/api/v1/parts",
        ];
        let mut answers: Vec<_> = views.map(|view| (view.to_owned(), self.get(view))).into();
        let query = reqwest::Client::new()
            .post(format!("{}/api/v1/query", self.url))
            .json(&json!({"sql": "SELECT * FROM flows"}));
        let rows = block_on(async { query.send().await.unwrap().text().await.unwrap() });
        answers.push(("query".to_owned(), rows));
        let day = Timestamp::now().strftime("%Y%m%d").to_string();
        let scope = format!("grafana/{day}/r/sls/aliyun_v4_request");
        let v4 = format!(
            "SLS4-HMAC-SHA256 Credential={scope},Signature={}",
            "0".repeat(64)
        );
        for authorization in ["LOG grafana:AAAA", &v4] {
            let (status, text) = self.knock(authorization);
            assert!(text.contains("SignatureNotMatch"), "{status} {text}");
            answers.push((authorization.to_owned(), text));
        }
        answers
    }

    /// Stops it, and looks at all it said and left.
    fn end(mut self) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.unwrap().success());
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{ended}");
        let said = fs::read(&self.output).unwrap();
        let text = String::from_utf8_lossy(&said);
        let warning = "every user of this host may read it (chmod o= /";
        assert!(text.contains(warning), "{text}");
        is_silent("output", &said);
        let config = self.config.to_str().unwrap();
        for arguments in [
            &["check", "--config", config][..],
            &["journal", "inspect", "--config", config],
            &["journal", "verify", "--config", config],
            &["journal", "dead-letters", "--config", config],
        ] {
            let Output { stdout, stderr, .. } =
                command(&self.variables).args(arguments).output().unwrap();
            assert!(!stdout.is_empty(), "{arguments:?}");
            let warns = stderr.starts_with(b"warning: ");
            assert_eq!(warns, arguments.starts_with(&["check"]), "{arguments:?}");
            is_silent(&format!("{arguments:?}"), &[stdout, stderr].concat());
        }
        for (path, octets) in files(self.state.path()) {
            is_silent(&path.display().to_string(), &octets);
        }
    }
}

impl Drop for Loud {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _reaped_before = self.child.wait();
    }
}

/// The hash of a body that is empty.
const NOTHING_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn command(variables: &BTreeMap<&'static str, String>) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
    command.env("HOME", "/nonexistent");
    command.env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    command.envs(variables);
    command
}

/// All files below a directory.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap();
    let found = entries.flat_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return files(&path);
        }
        let octets = fs::read(&path).unwrap();
        vec![(path, octets)]
    });
    found.collect()
}

/// A log service that knows another secret of the same key id.
fn cloud(secrets: &Path) -> (Loud, u16) {
    let secret = secrets.join("cloud");
    fs::write(&secret, format!("{CANARY}-right\n")).unwrap();
    let port = free_tcp_port();
    let settings = format!(
        "[[access-key]]\nid = \"bridge\"\nsecret-file = {secret:?}\nprojects = [\"test*\"]\n"
    );
    (Loud::start(port, &settings, BTreeMap::new()), port)
}

/// A bridge whose keys are elsewhere than in its configuration.
fn bridge(
    secrets: &Path,
    endpoint: &str,
    more: &str,
    variables: BTreeMap<&'static str, String>,
) -> Loud {
    let secret = secrets.join("grafana");
    fs::write(&secret, format!("{CANARY}-grafana\n")).unwrap();
    let settings = flow_log(&format!(
        "cache = \"off\"\n\
         [sls]\nendpoint = {endpoint:?}\ncreate = true\nlinger-ms = 100\n{more}\n\
         [[access-key]]\nid = \"grafana\"\nsecret-file = {secret:?}\nprojects = [\"test*\"]\n"
    ));
    Loud::start(free_tcp_port(), &settings, variables)
}

/// Sends flows to a bridge until the service refused its keys, asks it all, and
/// ends it.
fn is_refused_and_silent(mut bridge: Loud) {
    let mut exporter = V5Exporter::new(91, bridge.port);
    for _ in 0..10 {
        exporter.send();
    }
    bridge.wait_until("refused", |bridge| {
        let destination = bridge.destination();
        destination["trouble"]["label"] == "credentials"
    });
    let trouble = bridge.destination()["trouble"]["what"].clone();
    let trouble = trouble.as_str().unwrap();
    assert!(trouble.contains("SignatureNotMatch"), "{trouble}");
    let said = fs::read_to_string(&bridge.output).unwrap();
    assert!(said.contains("hyper_util::"), "no library spoke: {said}");
    for (what, answer) in bridge.answers() {
        assert!(!answer.is_empty(), "{what}");
        is_silent(&what, answer.as_bytes());
    }
    bridge.end();
}

/// Issues keys to whoever asks, as the instance's metadata service does.
fn issuer() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = json!({
        "Code": "Success",
        "AccessKeyId": "bridge",
        "AccessKeySecret": format!("{CANARY}-issued"),
        "SecurityToken": format!("{CANARY}-token"),
        "Expiration": "2099-01-01T00:00:00Z",
    });
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let _asked = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    port
}

/// Settings and variables of a bridge.
type Place = (String, BTreeMap<&'static str, String>);

/// Every place that keys may be in.
fn places(secrets: &Path) -> Vec<Place> {
    let home = secrets.join("home");
    fs::create_dir_all(home.join(".aliyun")).unwrap();
    let write = |name: &str, text: String| {
        let path = secrets.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let file = write(
        "key",
        format!("access-key-id = bridge\naccess-key-secret = {CANARY}-file\n"),
    );
    let ini = write(
        "credentials.ini",
        format!(
            "[default]\ntype = access_key\naccess_key_id = bridge\n\
             access_key_secret = {CANARY}-ini\n"
        ),
    );
    let profile = json!({
        "name": "default",
        "mode": "StsToken",
        "access_key_id": "bridge",
        "access_key_secret": format!("{CANARY}-profile"),
        "sts_token": format!("{CANARY}-sts"),
    });
    let profiles = json!({"current": "default", "profiles": [profile]});
    write("home/.aliyun/config.json", profiles.to_string());
    let uri = format!("http://127.0.0.1:{}/?password={CANARY}-uri", issuer());
    let variables = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "bridge".to_owned()),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", format!("{CANARY}-env")),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", format!("{CANARY}-token")),
    ];
    let nothing = String::new;
    let one = |name, value| BTreeMap::from([(name, value)]);
    vec![
        (format!("access-key-file = {file:?}"), BTreeMap::new()),
        (nothing(), BTreeMap::from(variables)),
        (nothing(), one("ALIBABA_CLOUD_CREDENTIALS_FILE", ini)),
        (nothing(), one("HOME", home.display().to_string())),
        (nothing(), one("ALIBABA_CLOUD_CREDENTIALS_URI", uri)),
    ]
}

#[test]
fn secrets_are_in_nothing_that_is_printed_answered_or_kept() {
    let secrets = TempDir::new().unwrap();
    let (cloud, port) = cloud(secrets.path());
    let endpoint = format!("127.0.0.1:{port}");
    for (more, variables) in places(secrets.path()) {
        println!("{more} {:?}", variables.keys());
        is_refused_and_silent(bridge(secrets.path(), &endpoint, &more, variables));
    }
    // A proxy with a password: the service itself, asked for a name.
    let file = secrets.path().join("key");
    let more = format!(
        "access-key-file = {file:?}\nproxy = \"http://me:{CANARY}-proxy@127.0.0.1:{port}\""
    );
    let mut proxied = bridge(secrets.path(), "http://sls.local", &more, BTreeMap::new());
    // That one stands in the configuration itself.
    let config = fs::read_to_string(&proxied.config).unwrap();
    assert!(found(config.as_bytes()).is_some());
    let elsewhere = secrets.path().join("proxied.toml");
    fs::rename(&proxied.config, &elsewhere).unwrap();
    proxied.config = elsewhere;
    is_refused_and_silent(proxied);
    is_silent("metrics of the service", cloud.get("/metrics").as_bytes());
    cloud.end();
}
