//! The loss ledger adds up at every scrape, under load and under a flood.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::sender::{Spoofer, V5Exporter, paced};
use crate::support::{Daemon, flow_log};

#[test]
fn the_ledger_adds_up_at_every_scrape_under_load() {
    let daemon = Daemon::start(&flow_log("active-s = 2\ninactive-s = 1\n"));
    let mut exporter = V5Exporter::new(9, daemon.port);
    let is_done = AtomicBool::new(false);
    let scrapes = std::thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let mut scrapes = 0;
            while !is_done.load(Ordering::Relaxed) {
                Metrics::scrape(&daemon).check();
                scrapes += 1;
            }
            scrapes
        });
        paced(2_000, Duration::from_secs(4), |_| exporter.send());
        is_done.store(true, Ordering::Relaxed);
        scraper.join().unwrap()
    });
    daemon.wait_until("all flows kept", |daemon| {
        let metrics = Metrics::scrape(daemon);
        metrics.check();
        metrics.get("flowlogd_logstore_kept_records_total") == u64::from(exporter.sent())
    });
    let metrics = Metrics::scrape(&daemon);
    let flows = u64::from(exporter.sent());
    println!("{scrapes} scrapes of {flows} flows, every one exact");
    assert!(scrapes > 20, "{scrapes}");
    assert_eq!(metrics.get("flowlogd_flow_decoded_records_total"), flows);
    let octets = metrics.get("flowlogd_logstore_kept_octets_total");
    assert_eq!(octets, flows * 100);
    assert_eq!(metrics.missed(), 0);
}

/// P-941: 65 280 templates × 1 000 domains × spoofed sources, 20 000 datagrams
/// a second. `FLOWLOGD_FLOOD_S` sets how long, 60 in `.ci/run`.
#[test]
fn a_template_flood_costs_bounded_memory_and_no_flow_of_others() {
    let daemon = Daemon::start(&flow_log(
        "cache = \"off\"\n[logstore]\ntail-bytes = 16777216\n\
         [exporters.limits]\nmax-definition-bytes = 33554432\n\
         max-sessions = 4000\nmax-probation = 1024\n",
    ));
    let seconds = std::env::var("FLOWLOGD_FLOOD_S").map_or(5, |s| s.parse().unwrap());
    let time = Duration::from_secs(seconds);
    let mut victim = V5Exporter::new(9, daemon.port);
    // Established before the flood, like any exporter that is in use.
    for _ in 0..10 {
        victim.send();
    }
    daemon.wait_until("victim known", |daemon| {
        Metrics::scrape(daemon).get("flowlogd_flow_decoded_records_total") == 300
    });
    let before = daemon.resident_bytes();
    let (mut peak, mut waiting) = (0, 0);
    let flooded = std::thread::scope(|scope| {
        let port = daemon.port;
        let flood = scope.spawn(move || {
            let spoofer = Spoofer::new(port);
            let mut datagram = template_datagram();
            paced(20_000, time, |step| {
                let step = u32::try_from(step).unwrap();
                let id = u16::try_from(256 + step % 65_280).unwrap();
                datagram[12..16].copy_from_slice(&(step % 1_000).to_be_bytes());
                datagram[20..22].copy_from_slice(&id.to_be_bytes());
                let source =
                    Ipv4Addr::from(0x7f01_0000 + step.wrapping_mul(2_654_435_761) % 60_000);
                spoofer.send(source, &datagram);
            })
        });
        while !flood.is_finished() {
            paced(200, Duration::from_millis(250), |_| victim.send());
            let metrics = Metrics::scrape(&daemon);
            metrics.check();
            waiting = metrics.waiting_bytes().max(waiting);
            peak = peak.max(daemon.resident_bytes());
        }
        flood.join().unwrap()
    });
    let expected = u64::from(victim.sent());
    daemon.wait_until("flood digested", |daemon| {
        let metrics = Metrics::scrape(daemon);
        metrics.check();
        metrics.get("flowlogd_listen_datagrams_total") + metrics.missed() == flooded + expected / 30
    });
    let metrics = Metrics::scrape(&daemon);
    println!(
        "{flooded} datagrams in {seconds} s; resident {} MiB before, {} MiB at most, {} MiB of \
         it rows on a slow disk's way; {expected} flows of the victim, kernel dropped {}",
        before >> 20,
        peak >> 20,
        waiting >> 20,
        metrics.missed(),
    );
    assert_eq!(metrics.missed(), 0, "datagrams the kernel dropped");
    assert_eq!(metrics.get("flowlogd_flow_decoded_records_total"), expected);
    // What is configured to be the most: definitions 32 MiB, the tail 16 MiB,
    // 16 384 + 5 024 domains of 2 KiB, 2 × 65 536 sources of 0.1 KiB; and half
    // as much again for the allocator, parts being written and sockets. Rows
    // that wait for the disk are bounded apart: 64 MiB at the hand-over, 64 MiB
    // in the journal.
    let most = before + (160 << 20) + waiting;
    assert!(peak < most, "{before} then {peak}, {waiting} waiting");
    assert!(waiting <= 128 << 20, "{waiting}");
}

/// An IPFIX Message with one Template of 300 fields.
fn template_datagram() -> Vec<u8> {
    let fields = 300_u16;
    let mut set = Vec::new();
    set.extend(256_u16.to_be_bytes());
    set.extend(fields.to_be_bytes());
    for field in 0..fields {
        set.extend((1 + field).to_be_bytes());
        set.extend(4_u16.to_be_bytes());
    }
    let mut datagram = Vec::new();
    datagram.extend(10_u16.to_be_bytes());
    datagram.extend(u16::try_from(20 + set.len()).unwrap().to_be_bytes());
    datagram.extend(1_790_000_000_u32.to_be_bytes());
    datagram.extend([0; 8]);
    datagram.extend(2_u16.to_be_bytes());
    datagram.extend(u16::try_from(4 + set.len()).unwrap().to_be_bytes());
    datagram.extend(set);
    datagram
}

/// One scrape, summed over labels.
pub(crate) struct Metrics(HashMap<String, u64>);

impl Metrics {
    pub(crate) fn scrape(daemon: &Daemon) -> Self {
        let mut sums: HashMap<String, u64> = HashMap::new();
        for line in daemon.text("/metrics").lines() {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            // Whole numbers, which is all that is summed here.
            let value = value.parse().unwrap_or(0);
            *sums.entry(name.to_owned()).or_insert(0) += value;
        }
        Self(sums)
    }

    pub(crate) fn get(&self, name: &str) -> u64 {
        *self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("no metric {name}"))
    }

    /// Octets of rows that wait for the disk.
    fn waiting_bytes(&self) -> u64 {
        self.get("flowlogd_daemon_hand_over_bytes") + self.get("flowlogd_journal_memory_bytes")
    }

    pub(crate) fn missed(&self) -> u64 {
        self.get("flowlogd_listen_kernel_dropped_datagrams_total")
    }

    /// Both accounts, exactly.
    pub(crate) fn check(&self) {
        let received = self.get("flowlogd_listen_datagrams_total");
        let decoded = self.get("flowlogd_session_decoded_datagrams_total");
        let refused = self.get("flowlogd_session_refused_datagrams_total");
        let only = self.get("flowlogd_listen_relayed_only_datagrams_total");
        assert_eq!(received, decoded + refused + only, "datagrams");
        for unit in ["records", "octets", "packets"] {
            let total = |stem: &str| self.get(&format!("flowlogd_{stem}_{unit}_total"));
            let now = |stem: &str| self.get(&format!("flowlogd_{stem}_{unit}"));
            let handed = total("daemon_handed_over");
            let lanes = total("cache_repeated")
                + now("cache_held")
                + now("daemon_open")
                + handed
                + total("daemon_dropped");
            let taken_in = total("flowlog_routed") + total("cache_resumed");
            assert_eq!(taken_in, lanes, "{unit} in the lanes");
            for (output, taken, in_flight) in [
                ("logstore", "kept", "daemon_in_flight"),
                ("sink_sls", "journaled", "sink_sls_in_flight"),
            ] {
                let ended =
                    [taken, "refused", "spared"].map(|end| total(&format!("{output}_{end}")));
                let behind = now(in_flight) + ended.iter().sum::<u64>();
                assert_eq!(handed, behind, "{unit} behind the lanes, {output}");
            }
            let sls = |stem: &str| total(&format!("sink_sls_{stem}"));
            let under_way =
                now("sink_sls_pending") + sls("acked") + sls("evicted") + sls("damaged");
            assert_eq!(
                sls("carried_over") + sls("journaled"),
                under_way,
                "{unit} for SLS"
            );
        }
    }
}
