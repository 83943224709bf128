use super::*;
use crate::daemon::losses::Place;
use crate::flow::Amount;
use crate::session::Peer;
use crate::session::SequenceCounts;
use crate::session::Stats;
use crate::wire::Reason;
use crate::wire::Version;

fn address(index: u32) -> IpAddr {
    std::net::Ipv4Addr::from(0x0a00_0000 + index).into()
}

fn view(exporter: IpAddr, records: u64, last_seen_unix_ms: u64) -> ExporterView {
    ExporterView {
        peer: Peer {
            exporter,
            port: 2055,
            local_port: 9995,
        },
        version: Version::V9,
        domain: 7,
        source: None,
        standing: Trust::Established,
        last_seen_unix_ms,
        messages: 1,
        records,
        missing_sets: 0,
        templates: 0,
        sequence: SequenceCounts::default(),
        sequence_pending: 0,
        restarts: 0,
        faults: [0; Reason::LABELS.len()],
        sampling: None,
        active_secs: None,
        inactive_secs: None,
        records_throttled: 0,
        statistics: Vec::new(),
        clock_offset_ms: 0,
    }
}

fn census(exporters: Vec<ExporterView>, records: u64) -> [Census; 1] {
    let stats = Stats {
        records,
        ..Stats::default()
    };
    [Census {
        exporters,
        origins: Vec::new(),
        stats,
    }]
}

fn exporters(named_max: usize) -> Exporters {
    Exporters::new(Settings {
        named_max,
        silent_after: Duration::from_secs(10),
    })
}

/// The series of one metric: label and value, in order.
fn series(exporters: &Exporters, losses: &Losses, name: &str) -> Vec<(String, String)> {
    let text = exporters.render(losses);
    let lines = text.lines().filter_map(|line| line.strip_prefix(name));
    let pairs = lines.filter_map(|line| {
        let (label, value) = line.strip_prefix("{exporter=\"")?.split_once("\"} ")?;
        Some((label.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

fn records(exporters: &Exporters) -> Vec<(String, String)> {
    let name = "flowlogd_session_exporter_records_total";
    series(exporters, &Losses::new(0), name)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(label, value): &(&str, &str)| ((*label).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn a_flood_of_sources_has_few_series_and_true_sums() {
    let exporters = exporters(256);
    let views: Vec<_> = (0..10_000)
        .map(|index| view(address(index), 3, 1))
        .collect();
    let losses = Losses::new(0);
    exporters.note(&census(views, 30_000), |_| false, &losses, 1);
    let text = exporters.render(&losses);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.count(), 4 * 257 + 256 + 2);
    let records = records(&exporters);
    assert_eq!(records.len(), 257);
    assert_eq!(records[256], ("other".to_owned(), "29232".to_owned()));
    let sum: u64 = records
        .iter()
        .map(|(_, value)| value.parse::<u64>().unwrap())
        .sum();
    assert_eq!(sum, 30_000);
}

#[test]
fn who_is_gone_or_new_on_probation_counts_with_the_others() {
    let (exporters, losses) = (exporters(8), Losses::new(0));
    let mut new = view(address(2), 5, 1);
    new.standing = Trust::Probation;
    let views = vec![view(address(1), 10, 1), new];
    exporters.note(&census(views, 15), |_| false, &losses, 1);
    assert_eq!(
        records(&exporters),
        pairs(&[("10.0.0.1", "10"), ("other", "5")])
    );
    // Established now: what it sent before stays with the others.
    let views = vec![view(address(1), 12, 1), view(address(2), 6, 1)];
    exporters.note(&census(views, 18), |_| false, &losses, 1);
    let expected = [("10.0.0.1", "12"), ("10.0.0.2", "1"), ("other", "5")];
    assert_eq!(records(&exporters), pairs(&expected));
    exporters.note(
        &census(vec![view(address(2), 6, 1)], 18),
        |_| false,
        &losses,
        1,
    );
    let expected = [("10.0.0.2", "1"), ("other", "17")];
    assert_eq!(records(&exporters), pairs(&expected));
}

#[test]
fn whom_the_operator_names_takes_the_place_of_the_quietest() {
    let (exporters, losses) = (exporters(2), Losses::new(0));
    let views = vec![view(address(1), 1, 5), view(address(2), 1, 4)];
    exporters.note(&census(views.clone(), 2), |_| false, &losses, 5);
    let all = [views, vec![view(address(3), 1, 5), view(address(4), 1, 5)]].concat();
    let is_listed = |exporter| exporter == address(4);
    exporters.note(&census(all, 4), is_listed, &losses, 5);
    let expected = [("10.0.0.1", "1"), ("10.0.0.4", "1"), ("other", "2")];
    assert_eq!(records(&exporters), pairs(&expected));
}

#[test]
fn a_session_that_began_anew_is_counted_from_its_start() {
    let (exporters, losses) = (exporters(2), Losses::new(0));
    exporters.note(
        &census(vec![view(address(1), 9, 1)], 9),
        |_| false,
        &losses,
        1,
    );
    exporters.note(
        &census(vec![view(address(1), 4, 1)], 13),
        |_| false,
        &losses,
        1,
    );
    assert_eq!(
        records(&exporters),
        pairs(&[("10.0.0.1", "13"), ("other", "0")])
    );
}

#[test]
fn silence_longer_than_allowed_is_counted() {
    let (exporters, losses) = (exporters(1), Losses::new(0));
    let mut new = view(address(3), 1, 1_000);
    new.standing = Trust::Probation;
    let views = vec![view(address(1), 1, 1_000), view(address(2), 1, 1_001), new];
    exporters.note(&census(views, 3), |_| false, &losses, 11_001);
    let text = exporters.render(&losses);
    for line in [
        "flowlogd_session_exporters 3",
        "flowlogd_session_silent_exporters 1",
        "flowlogd_session_exporter_last_seen_timestamp_seconds{exporter=\"10.0.0.1\"} 1",
    ] {
        assert!(text.lines().any(|it| it == line), "no {line} in {text}");
    }
}

#[test]
fn what_was_dropped_is_that_of_its_exporter() {
    let (exporters, mut losses) = (exporters(1), Losses::new(8));
    let dropped = |records| Amount {
        records,
        ..Amount::default()
    };
    losses.book(Place::HandOver, &[(address(1), dropped(2))]);
    exporters.note(
        &census(vec![view(address(1), 9, 1)], 9),
        |_| false,
        &losses,
        1,
    );
    losses.book(
        Place::LogStore,
        &[(address(1), dropped(3)), (address(2), dropped(4))],
    );
    let name = "flowlogd_daemon_exporter_dropped_records_total";
    let expected = [("10.0.0.1", "3"), ("other", "6")];
    assert_eq!(series(&exporters, &losses, name), pairs(&expected));
}
