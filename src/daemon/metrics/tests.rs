use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use metrics_exporter_prometheus::PrometheusBuilder;
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::*;
use crate::cache;
use crate::daemon::exchange::{Accounts, Output};
use crate::daemon::ingest::Ended;
use crate::journal;
use crate::journal::Amounts;
use crate::journal::DestinationStats;
use crate::session::{OrphanStats, SequenceCounts, Stats};
use crate::sink::{CollectorReading, ExportsReading, Tally};
use crate::telemetry::Metrics;

#[test]
fn the_document_lists_every_metric() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, markdown()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written, markdown(), "run this test with UPDATE=1");
}

fn markdown() -> String {
    let mut text = include_str!("preface.md").to_owned();
    let rooms = table::ROOMS.into_iter().map(|(room, metrics)| {
        let families = metrics.iter().flat_map(Metric::families).collect();
        (room, families)
    });
    let exporters: Vec<Family> = exporters::FAMILIES.into();
    let others = [
        ("datagram sizes", vec![sizes()]),
        ("exporters", exporters),
        ("process", Metrics::families().collect()),
    ];
    for (room, families) in rooms.chain(others) {
        text += &format!("\n## {room}\n\n| metric | type | label | meaning |\n|---|---|---|---|\n");
        for family in families {
            let Family {
                name, kind, help, ..
            } = &family;
            let label = family.label.unwrap_or("");
            text += &format!("| `{name}` | {kind} | {label} | {help} |\n");
        }
    }
    text
}

#[test]
fn names_say_room_and_unit() {
    let mut names = BTreeSet::new();
    for (room, metrics) in table::ROOMS {
        for family in metrics.iter().flat_map(Metric::families) {
            let name = family.name.into_owned();
            assert!(name.starts_with(&format!("flowlogd_{room}_")), "{name}");
            let is_total = name.ends_with("_total");
            assert_eq!(is_total, family.kind == Kind::Counter, "{name}");
            assert!(family.help.ends_with('.'), "{name}");
            assert!(names.insert(name.clone()), "{name} is there twice");
        }
    }
}

/// A scrape of numbers that differ wherever they may.
fn scrape() -> Scrape {
    let mut next = 0;
    let mut amount = || {
        next += 1_001;
        Amount {
            records: next,
            octets: 10_000 * next,
            packets: 7 * next,
        }
    };
    let mut lane = Terms {
        unclaimed: amount(),
        repeated: amount(),
        held: amount(),
        open: amount(),
        handed: amount(),
        dropped: amount(),
        not_allowed: 3,
        cut_short: 2,
        relayed_only: 5,
        ..Terms::default()
    };
    let handed = lane.handed + lane.handed;
    let output = |in_flight, refused| Output {
        in_flight,
        ended: Ended {
            taken: lane.handed,
            refused,
            spared: handed - lane.handed - in_flight - refused,
        },
    };
    let accounts = Accounts {
        handed,
        store: output(lane.unclaimed, lane.repeated),
        sls: output(lane.repeated, lane.held),
        netflow: output(lane.open, Amount::default()),
    };

    let sent = Amounts {
        pending: amount(),
        acked: amount() + lane.handed,
        evicted: amount(),
        damaged: amount(),
        refused: lane.held,
    };
    let behind = sent.pending + sent.acked + sent.evicted + sent.damaged;
    let handled = lane.repeated + lane.held + lane.open + lane.handed + lane.dropped;
    lane.resumed = lane.open;
    lane.routed = handled - lane.resumed;
    lane.sessions.decoded = 70;
    lane.sessions.refused = std::array::from_fn(|index| index as u64);
    let not_decoded: u64 = lane.refused().map(|(_, count)| count).sum();
    lane.received = lane.sessions.decoded + not_decoded + lane.relayed_only - lane.cut_short;
    let lanes = vec![lane, lane];
    let reading = Reading {
        lanes,
        accounts,
        carried: behind - lane.handed,
        journal: journal_with(destination("sls/-/-/proj/flows", sent)),
        exports: exports(&lane),
    };
    Scrape {
        sum: reading.sum(),
        reading,
        waiting_bytes: 1,
        stored: Stored::default(),
        outlets: Vec::new(),
        sending_bytes: 0,
        relays: Vec::new(),
        connections: Arc::default(),
    }
}

fn journal_with(destination: DestinationStats) -> journal::Stats {
    journal::Stats {
        destinations: vec![destination],
        ..journal::Stats::default()
    }
}

fn exports(lane: &Terms) -> ExportsReading {
    let mut tally = Tally::default();
    tally.offer(lane.handed + lane.held);
    tally.send(lane.held);
    tally.drop("filtered", lane.repeated);
    ExportsReading {
        collectors: vec![CollectorReading {
            name: "v9 udp 192.0.2.9:9995".to_owned(),
            tally,
            queued_bytes: 1,
        }],
        taken: lane.handed,
        copies: lane.held,
    }
}

fn destination(name: &str, amounts: Amounts) -> DestinationStats {
    DestinationStats {
        name: name.to_owned(),
        amounts,
        ..DestinationStats::default()
    }
}

fn text_of(scrape: Scrape) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        describe();
        render(|| scrape, || handle.render())
    })
}

/// Sums over labels, by name.
fn sums(text: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let name = series.split('{').next().unwrap_or_default();
        *sums.entry(name.to_owned()).or_insert(0) += value.parse().unwrap_or(0);
    }
    sums
}

/// What the text does not account for; the words of `docs/metrics.md`.
fn imbalances(text: &str) -> Vec<String> {
    let sums = sums(text);
    let total = |stem: &str, unit: &str| format!("flowlogd_{stem}_{unit}_total");
    let now = |stem: &str, unit: &str| format!("flowlogd_{stem}_{unit}");
    let mut sides = vec![(
        vec!["flowlogd_listen_datagrams_total".to_owned()],
        vec![
            "flowlogd_session_decoded_datagrams_total".to_owned(),
            "flowlogd_session_refused_datagrams_total".to_owned(),
            "flowlogd_listen_relayed_only_datagrams_total".to_owned(),
        ],
    )];
    for unit in ["records", "octets", "packets"] {
        sides.push((
            vec![total("flowlog_routed", unit), total("cache_resumed", unit)],
            vec![
                total("cache_repeated", unit),
                now("cache_held", unit),
                now("daemon_open", unit),
                total("daemon_handed_over", unit),
                total("daemon_dropped", unit),
            ],
        ));
        for (output, taken, in_flight) in [
            ("logstore", "kept", "daemon_in_flight"),
            ("sink_sls", "journaled", "sink_sls_in_flight"),
        ] {
            let ends = [taken, "refused", "spared"];
            let ends = ends.map(|end| total(&format!("{output}_{end}"), unit));
            let behind = [&[now(in_flight, unit)], &ends[..]].concat();
            sides.push((vec![total("daemon_handed_over", unit)], behind));
        }
        let sls = |stem: &str| total(&format!("sink_sls_{stem}"), unit);
        let netflow = |stem: &str| total(&format!("sink_netflow_{stem}"), unit);
        let netflow_now = |stem: &str| now(&format!("sink_netflow_{stem}"), unit);
        sides.push((
            vec![total("daemon_handed_over", unit)],
            vec![
                netflow_now("in_flight"),
                netflow("taken"),
                netflow("spared"),
            ],
        ));
        sides.push((
            vec![netflow("taken"), netflow("copies")],
            vec![netflow_now("pending"), netflow("sent"), netflow("unsent")],
        ));
        sides.push((
            vec![sls("carried_over"), sls("journaled")],
            vec![
                sls("acked"),
                sls("evicted"),
                sls("damaged"),
                now("sink_sls_pending", unit),
            ],
        ));
    }
    let sum = |parts: &[String]| parts.iter().map(|part| sums[part]).sum::<u64>();
    sides.retain(|(left, right)| sum(left) != sum(right));
    sides.into_iter().flat_map(|(left, _)| left).collect()
}

#[test]
fn the_ledger_adds_up_from_the_text_alone() {
    assert_eq!(imbalances(&text_of(scrape())), [""; 0]);
}

#[test]
fn a_record_that_is_in_no_account_can_be_seen_in_the_text() {
    let mut lost = scrape();
    lost.reading.accounts.store.ended.taken.records -= 1;
    let handed = "flowlogd_daemon_handed_over_records_total";
    assert_eq!(imbalances(&text_of(lost)), [handed]);
    let mut lost = scrape();
    lost.reading.accounts.sls.ended.spared.octets += 1;
    let handed = "flowlogd_daemon_handed_over_octets_total";
    assert_eq!(imbalances(&text_of(lost)), [handed]);
    let mut lost = scrape();
    lost.reading.journal.destinations[0].amounts.acked.packets -= 1;
    let sent =
        ["carried_over", "journaled"].map(|stem| format!("flowlogd_sink_sls_{stem}_packets_total"));
    assert_eq!(imbalances(&text_of(lost)), sent);
    let mut lost = scrape();
    lost.sum.held.packets += 1;
    let taken_in = [
        "flowlogd_flowlog_routed_packets_total",
        "flowlogd_cache_resumed_packets_total",
    ];
    assert_eq!(imbalances(&text_of(lost)), taken_in);
    let mut lost = scrape();
    lost.sum.not_allowed -= 1;
    let received = "flowlogd_listen_datagrams_total";
    assert_eq!(imbalances(&text_of(lost)), [received]);
}

#[test]
fn each_counter_of_a_lane_is_in_the_text() {
    // The recorder renders in no order.
    let lines = |scrape| -> BTreeSet<String> {
        let text = text_of(scrape);
        text.lines().map(str::to_owned).collect()
    };
    let none = lines(scrape());
    let reading = scrape().reading;
    let mut unseen = Vec::new();
    for index in 0..crate::lane::TERMS {
        let mut lanes = reading.lanes.clone();
        let mut terms = lanes[0].to_array();
        terms[index] += 1;
        lanes[0] = Terms::read_from_bytes(terms.as_bytes()).unwrap();
        let changed = Reading {
            lanes,
            ..reading.clone()
        };
        let changed = Scrape {
            sum: changed.sum(),
            reading: changed,
            ..scrape()
        };
        if lines(changed) == none {
            unseen.push(index);
        }
    }
    let offset = |index: usize| index / size_of::<u64>();
    let stats = std::mem::offset_of!(Terms, sessions);
    let done = std::mem::offset_of!(Terms, cache);
    let orphans = stats + std::mem::offset_of!(Stats, orphans);
    let sequence = stats + std::mem::offset_of!(Stats, sequence);
    let odometers = done + std::mem::offset_of!(cache::Stats, odometers);
    let repeated = odometers + std::mem::offset_of!(cache::OdometerStats, repeated);
    // The same again under another name, levels that the API shows, and what
    // may be taken back.
    let known: BTreeSet<usize> = [
        stats + std::mem::offset_of!(Stats, datagrams),
        orphans + std::mem::offset_of!(OrphanStats, kept),
        orphans + std::mem::offset_of!(OrphanStats, replayed_records),
        sequence + std::mem::offset_of!(SequenceCounts, strays),
        sequence + std::mem::offset_of!(SequenceCounts, unknown),
        repeated,
        repeated + 8,
        repeated + 16,
        std::mem::offset_of!(Terms, longest_stay_ms),
    ]
    .map(offset)
    .into();
    assert_eq!(unseen.into_iter().collect::<BTreeSet<_>>(), known);
}
