//! Clients that mean no good: nobody else waits for them, and memory stays.

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;

use crate::support::{Daemon, PATIENCE, PROGRAM, configure, free_port, have};

/// Time for a head, where a test waits for its end.
const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long anybody else may have to wait.
const OTHERS_WAIT: Duration = Duration::from_secs(3);

fn daemon(http: &str) -> Daemon {
    let settings = "[control]\nopen = true\n[logstore.query]\ntimeout-s = 1\n";
    let dir = tempfile::tempdir().unwrap();
    // The configuration of every test has a section [http] already.
    let config = configure(free_port(), dir.path(), settings);
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("[http]\n", &format!("[http]\n{http}"));
    fs::write(&config, text).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("run").arg("--config").arg(&config);
    Daemon::launch(command, 0).owning(dir)
}

fn hasty() -> Daemon {
    daemon("header-timeout-s = 2\n")
}

fn connect(daemon: &Daemon) -> TcpStream {
    let address = daemon.url.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that comes until the other end closes.
fn read_to_end(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut some = [0; 4096];
    loop {
        match stream.read(&mut some) {
            Ok(0) => break,
            Ok(count) => all.extend_from_slice(&some[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&all)),
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// A head, up to its empty line.
fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut octet) {
            Ok(1) => head.push(octet[0]),
            ended => panic!("{ended:?}: {}", String::from_utf8_lossy(&head)),
        }
    }
    String::from_utf8(head).unwrap()
}

/// What answers these octets, all of it.
fn exchange(daemon: &Daemon, octets: &str) -> String {
    let mut stream = connect(daemon);
    // The answer may come, and the end, before the last octet is out.
    let _is_cut = stream.write_all(octets.as_bytes()).is_err();
    read_to_end(&mut stream)
}

/// Asks for `/healthz` on a connection of its own.
fn assert_others_are_served(daemon: &Daemon) {
    let asked = Instant::now();
    let answer = exchange(
        daemon,
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(asked.elapsed() < OTHERS_WAIT, "{:?}", asked.elapsed());
}

/// One number of `/metrics`.
fn metric(daemon: &Daemon, series: &str) -> u64 {
    let text = daemon.text("/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

fn closed(daemon: &Daemon, reason: &str) -> u64 {
    let series = format!("flowlogd_api_closed_connections_total{{reason=\"{reason}\"}}");
    metric(daemon, &series)
}

/// The most memory it had so far, in octets.
fn peak_bytes(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kib.parse::<u64>().unwrap() * 1024
}

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// Sends a body until nobody takes it any more; the answer, and octets sent.
fn flood(daemon: &Daemon, head: &str, is_chunked: bool) -> (String, u64) {
    let mut stream = connect(daemon);
    let mut body = stream.try_clone().unwrap();
    let length = match is_chunked {
        true => "Transfer-Encoding: chunked".to_owned(),
        false => format!("Content-Length: {GIB}"),
    };
    let block = match is_chunked {
        true => format!("10000\r\n{}\r\n", "x".repeat(1 << 16)),
        false => "x".repeat(1 << 16),
    };
    stream
        .write_all(format!("{head}{length}\r\n\r\n").as_bytes())
        .unwrap();
    thread::scope(|scope| {
        let sender = scope.spawn(move || {
            let mut sent = 0;
            while sent < GIB && body.write_all(block.as_bytes()).is_ok() {
                sent += 1 << 16;
            }
            sent
        });
        let answer = read_to_end(&mut stream);
        // A sender that nobody hears any more has nothing to wait for.
        let _is_closed = stream.shutdown(Shutdown::Both).is_err();
        (answer, sender.join().unwrap())
    })
}

#[test]
fn a_body_of_a_gibibyte_is_refused_early_and_costs_no_memory() {
    let daemon = hasty();
    assert_others_are_served(&daemon);
    let before = peak_bytes(&daemon);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let sls = "x-log-apiversion: 0.6.0\r\nx-log-bodyrawsize: 1\r\n";
    let json = "Content-Type: application/json\r\n";
    for (path, headers, status, words) in [
        ("/", form, 413, "\"Code\":\"RequestEntityTooLarge\""),
        ("/v2/index.php", form, 200, "\"code\":"),
        (
            "/logstores/flows/shards/lb",
            sls,
            413,
            "\"PostBodyTooLarge\"",
        ),
        ("/api/v1/query", json, 413, "\"too-much\""),
    ] {
        for is_chunked in [false, true] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}");
            let (answer, sent) = flood(&daemon, &head, is_chunked);
            let what = format!("{path}, chunked {is_chunked}, {sent} sent: {answer}");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}");
            assert!(answer.contains(words), "{what}");
            assert!(sent < 64 * MIB, "{what}");
            assert_others_are_served(&daemon);
        }
    }
    let grown = peak_bytes(&daemon) - before;
    assert!(grown < 64 * MIB, "{grown} octets");
}

/// Connections that send nothing, as many as this process may have.
fn silent(daemon: &Daemon, wanted: usize) -> Vec<TcpStream> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    // The other tests of this process need some too.
    let most = usize::try_from(most).unwrap().saturating_sub(2_000);
    (0..wanted.min(most)).map(|_| connect(daemon)).collect()
}

#[test]
fn ten_thousand_silent_connections_keep_nobody_out() {
    let daemon = hasty();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // While they come, too.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert_others_are_served(&daemon);
            }
        });
        let silent = silent(&daemon, 10_000);
        assert_others_are_served(&daemon);
        let open = metric(&daemon, "flowlogd_api_connections ");
        done.store(true, Ordering::Relaxed);
        assert!(open <= 1024, "{open}");
        let [displaced, late] = ["displaced", "late"].map(|reason| closed(&daemon, reason));
        let least = u64::try_from(silent.len()).unwrap() - 1024;
        assert!(displaced > 0);
        assert!(displaced + late >= least, "{displaced}, {late}: {least}");
        // Whoever was not displaced has no longer than the others.
        daemon.wait_until("rid of them", |daemon| {
            metric(daemon, "flowlogd_api_connections ") < 16
        });
        assert!(closed(&daemon, "late") > 0);
    });
}

/// Sends an octet a second; how long until the other end closed.
fn dribble(mut stream: TcpStream, head: &str) -> Duration {
    let begun = Instant::now();
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    for octet in head.bytes() {
        let is_cut = stream.write_all(&[octet]).is_err();
        let ended = stream.read(&mut [0; 64]);
        if is_cut || matches!(ended, Ok(0)) {
            break;
        }
        let error = ended.unwrap_err();
        if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
            break;
        }
    }
    begun.elapsed()
}

#[test]
fn a_head_that_comes_octet_by_octet_is_cut_in_time() {
    let daemon = hasty();
    let head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut kept = connect(&daemon);
    kept.write_all(head.as_bytes()).unwrap();
    assert!(read_head(&mut kept).starts_with("HTTP/1.1 200 "));
    kept.set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut idle = connect(&daemon);
    idle.write_all(head.as_bytes()).unwrap();
    assert!(read_head(&mut idle).starts_with("HTTP/1.1 200 "));
    let (first, later) = thread::scope(|scope| {
        let first = scope.spawn(|| dribble(connect(&daemon), head));
        // What is left of the answer's body is read first.
        while kept.read(&mut [0; 64]).is_ok() {}
        let later = scope.spawn(|| dribble(kept, head));
        assert_others_are_served(&daemon);
        (first.join().unwrap(), later.join().unwrap())
    });
    for taken in [first, later] {
        let latest = HEADER_TIMEOUT + OTHERS_WAIT;
        assert!(taken >= HEADER_TIMEOUT && taken < latest, "{taken:?}");
    }
    assert_eq!(closed(&daemon, "late"), 2);
    // Between requests there is more time than for a head.
    idle.write_all(head.as_bytes()).unwrap();
    let answer = read_head(&mut idle);
    assert!(answer.contains("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn who_takes_no_answer_is_cut() {
    let daemon = daemon("timeout-s = 2\n");
    let mut stream = connect(&daemon);
    stream
        .set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    // Until both sides wait for each other.
    while stream.write_all(request.as_bytes()).is_ok() {}
    assert_others_are_served(&daemon);
    daemon.wait_until("rid of it", |daemon| closed(daemon, "stalled") == 1);
}

#[test]
fn who_withholds_a_body_makes_room() {
    let daemon = daemon("max-connections = 2\n");
    let head = "POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\
                Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n";
    // Whoever is told to go on has a request.
    let mut withheld = [(), ()].map(|()| {
        let mut stream = connect(&daemon);
        stream.write_all(head.as_bytes()).unwrap();
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 100 "));
        stream
    });
    assert_others_are_served(&daemon);
    let [first, second] = &mut withheld;
    assert_eq!(read_to_end(first), "");
    second.write_all(b"{\"sql\":1}").unwrap();
    assert!(read_head(second).starts_with("HTTP/1.1 4"));
    assert_eq!(closed(&daemon, "full"), 0);
}

#[test]
fn a_listener_without_descriptors_goes_on_when_it_has_some() {
    if !have(&["prlimit"]) {
        return;
    }
    let daemon = hasty();
    let failed = "cannot accept HTTP connections just now";
    let allow = |count: &str| {
        let limit = format!("--nofile={count}:");
        let pid = daemon.id().to_string();
        let set = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        assert!(set.unwrap().success());
    };
    // Fewer than it has: what is open stays.
    allow("8");
    let mut waiting = connect(&daemon);
    daemon.wait_until("in want", |daemon| daemon.logged(failed) == 1);
    allow("1024");
    waiting
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert!(read_head(&mut waiting).starts_with("HTTP/1.1 200 "));
    assert!(metric(&daemon, "flowlogd_api_accept_errors_total ") > 0);
    assert_eq!(daemon.logged(failed), 1);
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn json_of_a_hundred_thousand_levels_is_refused() {
    let daemon = hasty();
    let levels = 100_000;
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    let sql = format!("{{\"sql\":{open}{close}}}");
    let answer = exchange(&daemon, &post("/api/v1/query", "", &sql));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("bad-request"), "{answer}");
    let tc3 = "X-TC-Action: CreateFlowLog\r\nX-TC-Version: 2017-03-12\r\n\
               X-TC-Region: ap-guangzhou\r\nX-TC-Timestamp: 1795300000\r\n\
               Authorization: TC3-HMAC-SHA256 Credential=a/2026-11-21/vpc/tc3_request, \
               SignedHeaders=content-type;host, Signature=0\r\n";
    let mut objects = String::new();
    for _ in 0..levels {
        objects.push_str("{\"a\":");
    }
    write!(objects, "1{}", "}".repeat(levels)).unwrap();
    for body in [format!("{{\"VpcId\":{open}{close}}}"), objects] {
        let answer = exchange(&daemon, &post("/", tc3, &body));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("\"Error\":"), "{answer}");
    }
    assert_others_are_served(&daemon);
}

#[test]
fn a_page_of_another_site_gets_nothing() {
    let daemon = hasty();
    for headers in [
        "Host: rebound.example\r\n",
        "Host: localhost.evil.example:9994\r\n",
        "Host: localhost\r\nOrigin: http://evil.example\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
        "",
    ] {
        for path in ["/api/v1/stats", "/api/v1/query", "/metrics"] {
            let request = format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
            let answer = exchange(&daemon, &request);
            assert!(answer.starts_with("HTTP/1.1 403 "), "{headers}{answer}");
        }
    }
    assert_others_are_served(&daemon);
}

/// Heads that front and back could read in two ways, with what is behind them.
fn ambiguous() -> Vec<String> {
    let hidden = "GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let length = hidden.len();
    let of = |headers: &str, body: &str| {
        format!("POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}{hidden}")
    };
    let both = length + 5;
    vec![
        of(
            &format!("Content-Length: {both}\r\nTransfer-Encoding: chunked\r\n"),
            "0\r\n\r\n",
        ),
        of(
            &format!("Transfer-Encoding: chunked\r\nContent-Length: {both}\r\n"),
            "0\r\n\r\n",
        ),
        of("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        of(
            &format!("Content-Length: 0\r\nContent-Length: {length}\r\n"),
            "",
        ),
        of(
            &format!("Content-Length: {length}\r\nContent-Length: 0\r\n"),
            "",
        ),
        of("Content-Length: 0, 5\r\n", ""),
        of("Content-Length: +0\r\n", ""),
        of("Content-Length: -1\r\n", ""),
        of(&format!("Content-Length : {length}\r\n"), ""),
        of("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        of("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        of("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
        of("X: a\r\n Content-Length: 0\r\n", ""),
        of("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"),
        of("Transfer-Encoding: chunked\r\n", "0;\n\r\n\r\n"),
        of("Transfer-Encoding: chunked\r\n", "-1\r\n\r\n"),
        of("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")
            .replace("query HTTP/1.1", "query HTTP/1.0"),
    ]
}

#[test]
fn no_request_hides_behind_another() {
    let daemon = hasty();
    for request in ambiguous() {
        let answer = exchange(&daemon, &request);
        let answers = answer.matches("HTTP/1.").count();
        assert!(answers <= 1, "{request}\n{answer}");
        assert!(!answer.contains("\"version\""), "{request}\n{answer}");
        assert!(!answer.contains(" 200 "), "{request}\n{answer}");
    }
    // Line ends without CR are ends (RFC 9112 §2.2), and make one request.
    let answer = exchange(
        &daemon,
        "GET /version HTTP/1.1\nHost: localhost\nConnection: close\n\nGET / HTTP/1.1\n\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer}");
    assert_eq!(daemon.get("/readyz")["ready"], json!(true));
}
