//! Totals that exporters count up, and what they grew by. P-640…P-642.

use super::*;
use crate::flow::RecordFlags;

/// (octets, start in s) of what totals amount to; counters of `total` octets.
fn odometer(cache: &mut Cache, port: u16, (start_s, end_s): (u64, u64), total: u64) -> (u64, u64) {
    let mut out = Rows::default();
    let mut record = record(port, start_s, end_s);
    record.octets = total;
    record.flags = RecordFlags::TOTALS;
    cache.insert(0, &record, None, &mut out);
    cache.flush(&mut out);
    let (row, _) = &out.rows[0];
    assert_eq!(row.flags, RecordFlags::default());
    (row.octets, row.start_ms / 1_000)
}

#[test]
fn totals_count_for_what_they_grew_by() {
    let mut cache = cache(60, 15);
    assert_eq!(odometer(&mut cache, 1, (0, 10), 500), (500, 0));
    assert_eq!(odometer(&mut cache, 1, (0, 20), 800), (300, 10));
    // Rounded start, same flow.
    assert_eq!(odometer(&mut cache, 1, (1, 30), 900), (100, 20));
    assert_eq!(cache.stats().odometers.restarts, 0);
    // Begins again: later start, or less than before.
    assert_eq!(odometer(&mut cache, 1, (35, 40), 950), (950, 35));
    assert_eq!(odometer(&mut cache, 1, (35, 50), 100), (100, 35));
    // Overtaken by the one before.
    assert_eq!(odometer(&mut cache, 1, (35, 45), 990), (0, 45));
    assert_eq!(odometer(&mut cache, 1, (35, 60), 110), (10, 50));
    let stats = cache.stats().odometers;
    assert_eq!((stats.restarts, stats.stale, stats.skipped), (2, 1, 0));
    assert_eq!(stats.repeated.octets, 500 + 800 + 990 + 100);
    assert_eq!(stats.repeated.records, 0);
}

#[test]
fn totals_of_a_flow_that_may_be_forgotten_are_skipped() {
    let mut cache = Cache::new(Settings {
        odometers_max: 2,
        ..Settings::default()
    });
    cache.set_route(0, timers(6_000, 15));
    assert_eq!(odometer(&mut cache, 1, (0, 10), 500), (500, 0));
    assert_eq!(odometer(&mut cache, 2, (0, 11), 500), (500, 0));
    assert_eq!((cache.odometers(), cache.stats().odometers.skipped), (2, 0));
    assert_eq!(odometer(&mut cache, 3, (0, 12), 500), (500, 0));
    // The first is gone, and with it all that ended up to 10 s.
    assert_eq!(odometer(&mut cache, 1, (0, 20), 800), (0, 20));
    assert_eq!(odometer(&mut cache, 1, (0, 30), 900), (100, 20));
    assert_eq!(odometer(&mut cache, 4, (12, 31), 700), (700, 12));
    assert_eq!(cache.stats().odometers.skipped, 1);
}

#[test]
fn totals_outlive_their_flow_and_are_forgotten_in_time() {
    let (mut cache, mut out) = (cache(60, 15), Rows::default());
    assert_eq!(odometer(&mut cache, 1, (0, 10), 500), (500, 0));
    cache.tick(3_600_000, &mut out);
    assert_eq!(cache.odometers(), 1);
    cache.tick(7_200_000, &mut out);
    assert_eq!(cache.odometers(), 0);
    assert_eq!(odometer(&mut cache, 1, (0, 20), 800), (0, 20));
}
