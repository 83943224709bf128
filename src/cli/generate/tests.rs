use std::cell::Cell;
use std::collections::HashSet;
use std::net::IpAddr;

use clap::Parser;

use super::*;
use crate::cli::capture;
use crate::cli::testing::Collected;
use crate::session::Arrival;
use crate::session::Limits;
use crate::session::Outcome;
use crate::session::Peer;
use crate::session::ScopeMode;
use crate::session::Sessions;
use crate::wire::Message;

/// 2026-11-21T10:00:00.250Z.
const START_MS: u64 = 1_795_255_200_250;
const VERSIONS: [Version; 3] = [Version::V5, Version::V9, Version::Ipfix];
const COLLECTOR: &str = "127.0.0.1:9995";

fn settings(version: Version) -> LoadSettings {
    LoadSettings {
        version,
        flows: 1_000,
        exporters: 3,
        burst: NonZeroU32::new(2).unwrap(),
        template_every: NonZeroU32::new(10).unwrap(),
        ..LoadSettings::default()
    }
}

fn address(exporter: u32) -> IpAddr {
    [192, 0, 2, u8::try_from(exporter).unwrap()].into()
}

/// Datagrams of a load with what they should add up to, 10 ms apart.
fn datagrams(settings: LoadSettings, count: u64) -> Vec<(u64, Filled, Vec<u8>)> {
    let mut load = Load::new(settings, START_MS).unwrap();
    let times = (0..count).map(|at| START_MS + at * 10);
    times
        .map(|now_ms| {
            let mut datagram = Vec::new();
            let filled = load.fill(now_ms, &mut datagram);
            (now_ms, filled, datagram)
        })
        .collect()
}

#[test]
fn our_decoder_understands_exactly_what_was_filled_in() {
    for version in VERSIONS {
        let mut sessions = Sessions::new(Limits::default(), ScopeMode::Strict, ());
        let mut collected = Collected::of_flows_up_to(70_000);
        let mut sums = [Filled::default(); 3];
        for (now_ms, filled, datagram) in datagrams(settings(version), 300) {
            assert!(datagram.len() <= 1_472, "{version:?}: {}", datagram.len());
            let sum = &mut sums[filled.exporter as usize];
            sum.records += filled.records;
            sum.octets += filled.octets;
            sum.packets += filled.packets;
            let peer = Peer {
                exporter: address(filled.exporter),
                port: 2_055,
                local_port: 9_995,
            };
            let arrival = Arrival {
                monotonic_ms: now_ms,
                unix_ms: now_ms,
            };
            collected.now_ms = now_ms;
            let outcome = sessions.datagram(&datagram, peer, arrival, &mut collected);
            assert_eq!(outcome, Outcome::Decoded, "{version:?}");
            assert_eq!(collected.header.unwrap().version, version);
            assert_eq!(collected.header.unwrap().domain, filled.exporter + 1);
        }
        let stats = sessions.stats();
        assert_eq!(stats.faults.iter().sum::<u64>(), 0, "{version:?}");
        assert_eq!((stats.malformed_sets, stats.trailing_bytes), (0, 0));
        assert_eq!((stats.orphans.missing, stats.sequence.lost), (0, 0));
        for (exporter, sum) in (0..).zip(sums) {
            let records = u64::from(sum.records);
            assert_eq!(records, 100 * u64::from(settings(version).records_max()));
            assert_eq!(collected.sum(address(exporter), 1), (sum.octets, records));
            assert_eq!(collected.sum(address(exporter), 2), (sum.packets, records));
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_octets_and_another_seed_others() {
    for version in VERSIONS {
        let of_seed = |seed| {
            let settings = LoadSettings {
                seed,
                ..settings(version)
            };
            datagrams(settings, 20)
        };
        assert_eq!(of_seed(7), of_seed(7));
        assert_ne!(of_seed(7), of_seed(8));
    }
}

/// Addresses, ports and protocol of v5's records, by who sent them.
fn flows_of(settings: LoadSettings, count: u64) -> HashSet<(u32, Vec<u8>)> {
    let mut flows = HashSet::new();
    for (_, filled, datagram) in datagrams(settings, count) {
        for record in datagram[24..].chunks(48) {
            let key = [&record[..8], &record[32..36], &record[38..39]].concat();
            flows.insert((filled.exporter, key));
        }
    }
    flows
}

#[test]
fn there_are_as_many_distinct_flows_as_asked_for() {
    for distribution in [Distribution::Uniform, Distribution::Zipf { exponent: 0.5 }] {
        let settings = LoadSettings {
            distribution,
            ..settings(Version::V5)
        };
        let flows = flows_of(settings, 2_000);
        assert_eq!(flows.len(), 1_000);
        let of_first = flows.iter().filter(|(exporter, _)| *exporter == 0);
        assert_eq!(of_first.count(), 334);
        let keys: HashSet<_> = flows.iter().map(|(_, key)| key).collect();
        assert_eq!(keys.len(), 1_000);
    }
}

#[test]
fn exporters_take_turns_and_each_repeats_its_template() {
    let datagrams = datagrams(settings(Version::V9), 70);
    let turns: Vec<u32> = datagrams.iter().map(|(_, it, _)| it.exporter).collect();
    assert_eq!(turns[..8], [0, 0, 1, 1, 2, 2, 0, 0]);
    let of_first = datagrams
        .iter()
        .filter(|(_, filled, _)| filled.exporter == 0);
    let with_template = of_first.map(|(_, _, datagram)| {
        let message = Message::parse(datagram).unwrap();
        message.body.starts_with(&[0, 0])
    });
    let with_template: Vec<bool> = with_template.collect();
    let expected: Vec<bool> = (0..24).map(|at| at % 10 == 0).collect();
    assert_eq!(with_template, expected);
}

#[test]
fn a_last_datagram_may_be_short() {
    let mut load = Load::new(settings(Version::Ipfix), START_MS).unwrap();
    let mut datagram = vec![9; 2_000];
    let filled = load.fill_up_to(5, START_MS, &mut datagram);
    assert_eq!(filled.records, 5);
    // Header, Template Set, Data Set.
    assert_eq!(datagram.len(), 16 + 88 + 4 + 5 * 60);
}

#[test]
fn a_load_that_cannot_be_is_refused() {
    let usual = settings(Version::V9);
    let refused = |settings| Load::new(settings, START_MS).unwrap_err();
    assert_eq!(
        refused(LoadSettings { flows: 0, ..usual }),
        LoadError::Flows(0)
    );
    let flows = (1 << 24) + 1;
    assert_eq!(
        refused(LoadSettings { flows, ..usual }),
        LoadError::Flows(flows)
    );
    for (exporters, flows) in [(0, 10), (11, 10), (65_536, 100_000)] {
        let settings = LoadSettings {
            exporters,
            flows,
            ..usual
        };
        assert_eq!(refused(settings), LoadError::Exporters(exporters, flows));
    }
    let distribution = Distribution::Zipf { exponent: -1.0 };
    let settings = LoadSettings {
        distribution,
        ..usual
    };
    assert_eq!(refused(settings), LoadError::Distribution(distribution));
}

/// A clock that only its test moves: every wait ends late, every look at it
/// finds that something took its time.
struct Slow(Cell<Duration>);

impl Clock for Slow {
    fn elapsed(&self) -> Duration {
        self.0.set(self.0.get() + Duration::from_micros(30));
        self.0.get()
    }

    fn wait_until(&mut self, elapsed: Duration) {
        let late = elapsed + Duration::from_micros(70);
        self.0.set(self.0.get().max(late));
    }
}

/// Takes everything, and notes when.
#[derive(Default)]
struct Noted(Vec<(Duration, u32)>);

impl Outlet for Noted {
    fn send(
        &mut self,
        datagrams: &[Made],
        now: Duration,
        _troubles: &mut Troubles,
    ) -> anyhow::Result<()> {
        let records = datagrams.iter().map(|datagram| datagram.filled.records);
        self.0.push((now, records.sum()));
        Ok(())
    }
}

fn sending(pace: Pace) -> Sending {
    Sending {
        load: Load::new(settings(Version::V9), START_MS).unwrap(),
        pace,
        start: Duration::from_millis(START_MS),
    }
}

fn paced(records: Option<u64>, seconds: Option<u64>, rate: Option<u64>) -> Pace {
    Pace {
        records,
        time: seconds.map(Duration::from_secs),
        rate: rate.map(|rate| NonZeroU64::new(rate).unwrap()),
    }
}

#[test]
fn a_rate_is_kept_evenly_even_if_every_wait_ends_late() {
    for rate in [1_000, 100_000, 1_000_000] {
        let mut noted = Noted::default();
        let pace = paced(None, Some(2), Some(rate));
        let sent = sending(pace)
            .run(&mut noted, &mut Slow(Cell::default()))
            .unwrap();
        assert_eq!(sent.records, rate * 2);
        let reached = sent.records as f64 / sent.time.as_secs_f64();
        assert!(
            (reached / rate as f64 - 1.0).abs() < 0.02,
            "{reached} for {rate}"
        );
        // Every tenth of a second has its share.
        let mut tenths = [0_u64; 20];
        for (now, records) in noted.0 {
            let tenth = (now - Duration::from_millis(START_MS)).as_millis() / 100;
            tenths[usize::try_from(tenth).unwrap().min(19)] += u64::from(records);
        }
        let share = rate / 10;
        let even = tenths
            .iter()
            .all(|records| records.abs_diff(share) <= share / 20 + 48);
        assert!(even, "{rate}: {tenths:?}");
    }
}

#[test]
fn flat_out_it_ends_with_the_records_or_the_time_whatever_is_first() {
    let clock = || Slow(Cell::default());
    let pace = paced(Some(10_001), Some(60), None);
    let sent = sending(pace)
        .run(&mut Noted::default(), &mut clock())
        .unwrap();
    assert_eq!((sent.records, sent.datagrams), (10_001, 417));

    let pace = paced(Some(u64::MAX), Some(1), None);
    let sent = sending(pace)
        .run(&mut Noted::default(), &mut clock())
        .unwrap();
    assert!(sent.time >= Duration::from_secs(1) && sent.time < Duration::from_secs(2));
}

#[test]
fn a_capture_has_every_datagram_at_its_time() {
    for target in [COLLECTOR, "192.0.2.1:2055"] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let target = target.parse().unwrap();
        let pace = paced(Some(2_400), None, Some(24_000));
        let mut written = Capture::create(file.path(), target).unwrap();
        let sent = sending(pace)
            .run(&mut written, &mut Ahead::default())
            .unwrap();
        drop(written);
        assert_eq!(sent.datagrams, 100);

        let mut read = capture::Capture::open(file.path()).unwrap();
        let mut times = Vec::new();
        for expected in datagrams_at_rate() {
            let datagram = read.next().unwrap().unwrap();
            assert_eq!(datagram.destination, target);
            assert_eq!(datagram.payload, expected);
            times.push(datagram.time.as_millis() - u128::from(START_MS));
        }
        assert!(read.next().unwrap().is_none());
        assert_eq!(read.skipped(), None);
        // One millisecond for each 24 records.
        assert_eq!(times, (0..100).collect::<Vec<_>>());
    }
}

/// What a load of 24 000 records a second sends in 100 ms.
fn datagrams_at_rate() -> Vec<Vec<u8>> {
    let mut load = Load::new(settings(Version::V9), START_MS).unwrap();
    let times = START_MS..START_MS + 100;
    times
        .map(|now_ms| {
            let mut datagram = Vec::new();
            load.fill(now_ms, &mut datagram);
            datagram
        })
        .collect()
}

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(words: &str) -> Result<Args, clap::Error> {
    let words = ["generate"].into_iter().chain(words.split_whitespace());
    Line::try_parse_from(words).map(|line| line.args)
}

#[test]
fn a_command_line_says_how_much() {
    assert!(args("--version v5 --rate 1000").is_err());
    assert!(args("--records 10 --for 5").is_ok());
    let endless = args("--for 5 --pcap /dev/null").unwrap();
    let refused = run(&endless).unwrap_err();
    assert_eq!(
        refused.message(),
        "--pcap takes --records, or --for with --rate"
    );
}

#[test]
fn a_command_line_becomes_a_load() {
    let args = args("--records 1 --version ipfix --distribution zipf --exponent 1.2 --exporters 9")
        .unwrap();
    let pace = paced(Some(1), None, None);
    let expected = LoadSettings {
        version: Version::Ipfix,
        distribution: Distribution::Zipf { exponent: 1.2 },
        exporters: 9,
        burst: NonZeroU32::new(16).unwrap(),
        ..LoadSettings::default()
    };
    assert_eq!(args.settings(&pace), expected);
}

#[test]
fn what_was_sent_is_printed_as_one_row() {
    let sent = Sent {
        datagrams: 2,
        bytes: 2_700,
        records: 48,
        octets: 4_800,
        packets: 96,
        time: Duration::from_millis(1_500),
        troubles: Troubles {
            full: 1,
            unreachable: 0,
        },
    };
    let mut out = Vec::new();
    sent.print(&mut out, "v9", Format::Json).unwrap();
    let printed: Value = serde_json::from_slice(&out).unwrap();
    let expected = serde_json::json!([{
        "version": "v9", "datagrams": 2, "bytes": 2_700, "records": 48, "octets": 4_800,
        "packets": 96, "seconds": 1.5, "records_per_second": 32.0, "full": 1, "unreachable": 0,
    }]);
    assert_eq!(printed, expected);
}
