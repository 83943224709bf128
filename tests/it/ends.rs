//! How a daemon ends and comes back: SIGKILL, SIGTERM, a second process.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::namespace::with_private_mounts;
use crate::peers::run;
use crate::sender::{V5Exporter, paced};
use crate::support::{Daemon, PROGRAM, configure, flow_log, free_port};

const SETTINGS: &str = "cache = \"off\"\n[logstore]\ntail-age-s = 1\n";

#[test]
fn a_killed_daemon_comes_back_with_all_parts_and_no_row_twice() {
    let dir = TempDir::new().unwrap();
    let mut stored_before = 0;
    let mut sent = 0;
    for round in 0..4 {
        let started = Instant::now();
        let daemon = Daemon::start_in(dir.path(), &flow_log(SETTINGS));
        let ready_after = started.elapsed();
        assert!(ready_after < Duration::from_secs(2), "{ready_after:?}");
        let (rows, distinct) = rows(&daemon);
        assert_eq!(rows, distinct, "a row is there twice");
        assert!(
            rows >= stored_before,
            "{rows} rows, {stored_before} were in parts"
        );
        assert!(rows <= sent);
        println!("round {round}: ready after {ready_after:?}, {rows} of {sent} rows");
        let mut exporter = V5Exporter::new(20 + round, daemon.port);
        // Long enough for parts to be written, and for the kill to hit a tail.
        paced(1_000, Duration::from_millis(3_500), |_| exporter.send());
        sent += u64::from(exporter.sent());
        // A disk that is busy with other tests may take longer.
        daemon.wait_until("a part written in this round", |daemon| {
            rows_in_parts(daemon) > rows
        });
        stored_before = rows_in_parts(&daemon);
        daemon.kill();
    }
}

#[test]
fn sigterm_loses_nothing_that_is_in_the_cache() {
    let dir = TempDir::new().unwrap();
    let settings = &flow_log("active-s = 600\ninactive-s = 600\n");
    let daemon = Daemon::start_in(dir.path(), settings);
    let mut exporter = V5Exporter::new(9, daemon.port);
    paced(1_000, Duration::from_secs(1), |_| exporter.send());
    let sent = u64::from(exporter.sent());
    let status = daemon.terminate();
    assert_eq!(status.code(), Some(0));
    let daemon = Daemon::start_in(dir.path(), settings);
    assert_eq!(rows(&daemon), (sent, sent));
    let reasons = daemon.query("SELECT DISTINCT \"flow-end-reason\" FROM flows");
    assert_eq!(reasons, [[Value::from(4)]]);
}

/// P-413, and the operator's sampling holds for exporters of the last run too.
#[test]
fn templates_outlast_a_restart_and_so_does_the_operators_sampling() {
    let dir = TempDir::new().unwrap();
    let settings = flow_log(
        "cache = \"off\"\n[[exporters.sampling]]\nexporter = \"127.0.0.9/32\"\n\
         one-in = 100\nwhen = \"always\"\n",
    );
    let daemon = Daemon::start_in(dir.path(), &settings);
    let port = daemon.port;
    let socket = UdpSocket::bind("127.0.0.9:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    let kept = |records: u64| {
        move |daemon: &Daemon| daemon.get("/api/v1/stats")["records"]["kept"]["records"] == records
    };
    // Three sound messages make a session that is remembered.
    for sequence in 0..3 {
        socket.send(&v9_message(sequence, true)).unwrap();
    }
    daemon.wait_until("kept", kept(3));
    assert_eq!(daemon.terminate().code(), Some(0));
    let daemon = Daemon::start_on(port, dir.path(), &settings);
    socket.send(&v9_message(3, false)).unwrap();
    daemon.wait_until("kept without its template", kept(1));
    let rows = daemon.query("SELECT sampling, count(*) FROM flows GROUP BY 1");
    assert_eq!(rows, [[Value::from(100.0), Value::from(4)]]);
}

/// One record of source, destination, packets and octets, with or without its Template.
fn v9_message(sequence: u32, with_template: bool) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut message = Vec::new();
    message.extend([0, 9, 0, 1 + u8::from(with_template), 0, 1, 0, 0]);
    message.extend(u32::try_from(now.as_secs()).unwrap().to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend([0, 0, 0, 7]);
    if with_template {
        message.extend([0, 0, 0, 24, 1, 0, 0, 4]);
        message.extend([0, 8, 0, 4, 0, 12, 0, 4, 0, 2, 0, 4, 0, 1, 0, 4]);
    }
    message.extend([1, 0, 0, 20, 192, 0, 2, 1, 192, 0, 2, 2]);
    message.extend([0, 0, 0, 1, 0, 0, 0, 100]);
    message
}

/// reliability.md row 34, also where only the journal is shared.
#[test]
fn a_second_daemon_on_the_same_directory_is_refused() {
    let dir = TempDir::new().unwrap();
    let _first = Daemon::start_in(dir.path(), &flow_log(SETTINGS));
    let other = TempDir::new().unwrap();
    let own_store = format!("[logstore]\ndir = {:?}\n", other.path());
    for (settings, said) in [
        ("", "logstore/LOCK is locked by process"),
        (own_store.as_str(), "journal/LOCK is locked by pid"),
    ] {
        let config = dir.path().join("second.toml");
        let text = format!(
            "[listen]\naddresses = [\"127.0.0.1:0\"]\n[http]\naddress = \"127.0.0.1:0\"\n\
             [state]\ndir = {:?}\n{settings}",
            dir.path()
        );
        std::fs::write(&config, text).unwrap();
        let (code, text) = refused(&config);
        assert_eq!(code, Some(75), "{text}");
        assert!(text.contains(said), "{text}");
    }
}

/// reliability.md row 9.
#[test]
fn a_state_directory_that_cannot_be_written_is_named_with_the_user() {
    with_private_mounts(|| {
        let dir = TempDir::new().unwrap();
        let place = dir.path().display();
        run("mount", &format!("-t tmpfs none {place}"));
        // One that was never used, and one that was.
        let new = configure(free_port(), dir.path(), "");
        let used = dir.path().join("used");
        std::fs::create_dir(&used).unwrap();
        let daemon = Daemon::start_in(&used, &flow_log(SETTINGS));
        assert_eq!(daemon.terminate().code(), Some(0));
        run("mount", &format!("-o remount,ro {place}"));
        for (config, path) in [
            (new, dir.path().join("logstore")),
            (used.join("flowlogd.toml"), used.join("logstore")),
        ] {
            let (code, text) = refused(&config);
            assert_eq!(code, Some(78), "{text}");
            assert!(text.contains(&path.display().to_string()), "{text}");
            assert!(text.contains("Read-only file system"), "{text}");
            assert!(text.contains("(uid 0)"), "{text}");
        }
        run("umount", &place.to_string());
    });
}

/// How a daemon ends that does not start, and what it says.
fn refused(config: &Path) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM)
        .args(["run", "--config"])
        .arg(config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// Rows, and how many different source addresses they have: one each.
fn rows(daemon: &Daemon) -> (u64, u64) {
    let answer =
        daemon.query("SELECT count(*), count(DISTINCT concat(exporter, srcaddr)) FROM flows");
    let number = |index: usize| answer[0].get(index).and_then(Value::as_u64).unwrap();
    (number(0), number(1))
}

fn rows_in_parts(daemon: &Daemon) -> u64 {
    let parts = daemon.get("/api/v1/parts");
    let rows = parts.as_array().unwrap().iter();
    let names: HashSet<&Value> = rows.clone().map(|part| &part["path"]).collect();
    assert_eq!(names.len(), rows.len());
    rows.map(|part| part["rows"].as_u64().unwrap()).sum()
}
