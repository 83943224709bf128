//! What a monitoring system sees: metrics in good form, and never too many.

use std::io::Write;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Stdio;

use crate::peers::command;
use crate::sender::{Spoofer, V5Exporter};
use crate::support::{Daemon, flow_log, have};

/// Exporters that nobody asked for.
const SPOOFED: u64 = 10_000;
/// Series one daemon may have, whoever sends to it.
const SERIES_MAX: usize = 2_000;

#[test]
fn promtool_finds_nothing_to_say_about_a_live_scrape() {
    if !have(&["promtool"]) {
        return;
    }
    let daemon = Daemon::start(&flow_log("active-s = 2\ninactive-s = 1\n"));
    V5Exporter::new(11, daemon.port).send();
    let socket = UdpSocket::bind("127.0.0.12:0").unwrap();
    socket.connect((Ipv4Addr::LOCALHOST, daemon.port)).unwrap();
    let v9 = [
        [
            0, 9, 0, 2, 0, 1, 0, 0, 0x6a, 0xb1, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 7,
        ]
        .as_slice(),
        &[0, 0, 0, 12, 1, 0, 0, 1, 0, 1, 0, 4],
        &[1, 0, 0, 8, 0, 0, 0, 100],
    ];
    let cut_short = [0, 10, 0, 200, 0x6a, 0xb1, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 7];
    // A Data Set without its Template, and what is no NetFlow at all.
    let orphan = [
        [0, 10, 0, 24, 0x6a, 0xb1, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 8].as_slice(),
        &[1, 1, 0, 8, 0, 0, 0, 100],
    ];
    let datagrams = [v9.concat(), cut_short.to_vec(), orphan.concat(), vec![1; 9]];
    for datagram in &datagrams {
        socket.send(datagram).unwrap();
    }
    daemon.wait_until("all received and stored", |daemon| {
        let stats = daemon.get("/api/v1/stats");
        stats["datagrams"]["received"] == 5 && stats["records"]["kept"]["records"] == 31
    });
    let scrape = daemon.text("/metrics");
    let mut promtool = command("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(scrape.as_bytes()).unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    println!("promtool: {} series, {}", series(&scrape), output.status);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
    assert_eq!(String::from_utf8_lossy(&said), "");
}

#[test]
fn ten_thousand_spoofed_exporters_make_no_series() {
    let daemon = Daemon::start(&flow_log("cache = \"off\"\n"));
    let before = series(&daemon.text("/metrics"));
    let spoofer = Spoofer::new(daemon.port);
    let datagram = [
        [
            0, 9, 0, 2, 0, 1, 0, 0, 0x6a, 0xb1, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 7,
        ]
        .as_slice(),
        &[0, 0, 0, 12, 1, 0, 0, 1, 0, 1, 0, 4],
        &[1, 0, 0, 8, 0, 0, 0, 100],
    ];
    let datagram = datagram.concat();
    for number in 0..SPOOFED {
        let source = Ipv4Addr::from(0x7f02_0000 + u32::try_from(number).unwrap());
        spoofer.send(source, &datagram);
        if number % 500 == 499 {
            daemon.wait_until("received", |daemon| {
                let stats = daemon.get("/api/v1/stats");
                stats["datagrams"]["received"] == number + 1
            });
        }
    }
    let after = series(&daemon.text("/metrics"));
    println!("{before} series before {SPOOFED} spoofed exporters, {after} after");
    assert!(after < SERIES_MAX, "{after}");
}

fn series(scrape: &str) -> usize {
    let is_series = |line: &&str| !line.is_empty() && !line.starts_with('#');
    scrape.lines().filter(is_series).count()
}
