//! Metrics of what waits and what is sent.

use std::collections::BTreeMap;

use super::Metric;
use super::Scrape;
use super::Value::{Count, CountBy, Held, Level, LevelBy, Moved, Told};
use super::labels;
use super::telling;
use crate::journal::DestinationStats;
use crate::journal::Fault;
use crate::sink::sls::OutletStats;
use crate::telemetry::Kind;

pub(super) const JOURNAL: &[Metric] = table! {
    "flowlogd_journal_disk_bytes" "Octets of the journal on disk, reserved ones too."
        Level(|now| now.reading.journal.disk_bytes);
    "flowlogd_journal_memory_bytes" "Memory of rows not durable yet or still to be read, in octets."
        Level(|now| now.reading.journal.window_bytes);
    "flowlogd_journal_segments" "Segments on disk."
        Level(|now| count(now.reading.journal.segments.len()));
    "flowlogd_journal_fault" "1 for what keeps the journal from writing just now, else 0."
        LevelBy("reason", faults);
    "flowlogd_journal_failures_total" "Writes and syncs that failed, and times progress could not be made durable."
        CountBy("what", journal_failures);
    "flowlogd_journal_damage_total" "What was found damaged or gone, or dropped for the quota with rows not delivered."
        CountBy("what", journal_damage);
    "flowlogd_journal_pending_records" "Records that wait for their destination."
        LevelBy("destination", |now| by_destination(now, |of| of.amounts.pending.records));
    "flowlogd_journal_pending_bytes" "Octets of the segments a destination keeps; one segment may be kept by several."
        LevelBy("destination", |now| by_destination(now, |of| of.kept_bytes));
    "flowlogd_journal_oldest_age_seconds" "How long the oldest row of a destination waits, in whole seconds."
        LevelBy("destination", |now| by_destination(now, |of| of.oldest_age_ms.unwrap_or(0) / 1000));
    "flowlogd_journal_acked_records_total" "Records delivered; of the log store: in parts."
        CountBy("destination", |now| by_destination(now, |of| of.amounts.acked.records));
    "flowlogd_journal_evicted_records_total" "Records dropped for the quota or for want of memory."
        CountBy("destination", |now| by_destination(now, |of| of.amounts.evicted.records));
    "flowlogd_journal_damaged_records_total" "Records found damaged."
        CountBy("destination", |now| by_destination(now, |of| of.amounts.damaged.records));
    "flowlogd_journal_refused_records_total" "Records the journal did not take."
        CountBy("destination", |now| by_destination(now, |of| of.amounts.refused.records));
    "flowlogd_journal_commit_seconds" "Time of one commit."
        Told(Kind::Histogram, None);
};

pub(super) const SINK: &[Metric] = table! {
    "flowlogd_sink_sls_carried_over" "Flows that waited for SLS at the start"
        Moved(|now| now.reading.carried);
    "flowlogd_sink_sls_in_flight" "Between the lanes and the journal"
        Held(|now| now.reading.accounts.sls.in_flight);
    "flowlogd_sink_sls_journaled" "Flows put into the journal for SLS"
        Moved(|now| now.reading.accounts.sls.ended.taken);
    "flowlogd_sink_sls_refused" "Flows for SLS that the journal did not take"
        Moved(|now| now.reading.accounts.sls.ended.refused);
    "flowlogd_sink_sls_spared" "Flows that are not for SLS"
        Moved(|now| now.reading.accounts.sls.ended.spared);
    "flowlogd_sink_sls_pending" "Flows on their way to SLS"
        Held(|now| now.reading.sent().pending);
    "flowlogd_sink_sls_acked" "Flows that SLS has, or that are dead letters"
        Moved(|now| now.reading.sent().acked);
    "flowlogd_sink_sls_evicted" "Flows for SLS dropped for the journal's quota"
        Moved(|now| now.reading.sent().evicted);
    "flowlogd_sink_sls_damaged" "Flows for SLS found damaged in the journal"
        Moved(|now| now.reading.sent().damaged);
    "flowlogd_sink_sls_requests_total" "Requests sent, and of these: taken, sent again as they were, in halves, put aside."
        CountBy("fate", requests);
    "flowlogd_sink_sls_answers_total" "Answers of the service by what they mean, and failures to get one."
        CountBy("verdict", verdicts);
    "flowlogd_sink_sls_rows_total" "Rows the service took, put aside as dead letters, with a Log Time moved into the window."
        CountBy("fate", rows);
    "flowlogd_sink_sls_cut_values_total" "Values cut or left out because they were too large."
        Count(|now| now.outlets(|of| of.cut_values));
    "flowlogd_sink_sls_dead_letters_total" "Older dead letters that had to make room, and such as were too large for their bodies."
        CountBy("lost", |now| labels(["older", "body"], [now.outlets(|of| of.dead_letters_gone), now.outlets(|of| of.dead_letters_cut)]));
    "flowlogd_sink_sls_bytes_total" "Octets of requests, before compression and on the wire."
        CountBy("form", |now| labels(["raw", "wire"], [now.outlets(|of| of.raw_octets), now.outlets(|of| of.wire_octets)]));
    "flowlogd_sink_sls_unresolved_requests_total" "Requests sent to the addresses that worked last, because the endpoint's name did not resolve."
        Count(|now| now.outlets(|of| of.unresolved));
    "flowlogd_sink_sls_memory_bytes" "Memory of requests, in octets."
        Level(|now| now.sending_bytes);
    "flowlogd_sink_sls_in_flight_requests" "Requests in flight."
        LevelBy("destination", |now| by_outlet(now, |of| of.in_flight.into()));
    "flowlogd_sink_sls_concurrency_limit" "Requests that may be in flight, as the service lets them."
        LevelBy("destination", |now| by_outlet(now, |of| of.limit.into()));
    "flowlogd_sink_sls_held" "1 if rows are not delivered, for a reason /api/v1/destinations tells, else 0."
        LevelBy("destination", |now| by_outlet(now, |of| of.trouble.is_some().into()));
    "flowlogd_sink_sls_unresolved" "1 if the endpoint's name does not resolve and the addresses that worked last are used, else 0."
        LevelBy("destination", |now| by_outlet(now, |of| of.resolver_problem.is_some().into()));
    "flowlogd_sink_sls_draining" "1 if a backlog is sent beside fresh rows, else 0."
        LevelBy("destination", |now| by_outlet(now, |of| of.is_draining.into()));
};

fn faults(now: &Scrape) -> Vec<(String, u64)> {
    let fault = now.reading.journal.fault;
    let is_it = |of: Fault| u64::from(fault == Some(of));
    let all = [Fault::NoSpace, Fault::Quota, Fault::Io];
    all.map(|of| telling((of.label(), is_it(of)))).into()
}

fn journal_failures(now: &Scrape) -> Vec<(String, u64)> {
    let counters = &now.reading.journal.counters;
    labels(
        ["write", "sync", "progress"],
        [
            counters.write_failures,
            counters.sync_failures,
            counters.progress_failures,
        ],
    )
}

fn journal_damage(now: &Scrape) -> Vec<(String, u64)> {
    let counters = &now.reading.journal.counters;
    labels(
        [
            "corrupt-frames",
            "corrupt-rows",
            "missing-segments",
            "suspect-segments",
            "evicted-segments",
        ],
        [
            counters.corrupt_frames,
            counters.corrupt_rows,
            counters.missing_segments,
            counters.suspect_segments,
            counters.evicted_segments,
        ],
    )
}

/// One number of each destination of the journal.
fn by_destination(now: &Scrape, value: fn(&DestinationStats) -> u64) -> Vec<(String, u64)> {
    let all = now.reading.journal.destinations.iter();
    capped(all.map(|of| (of.name.clone(), value(of))))
}

/// The same of each destination that is sent to.
fn by_outlet(now: &Scrape, value: fn(&OutletStats) -> u64) -> Vec<(String, u64)> {
    let all = now.outlets.iter();
    capped(all.map(|(_, destination, of)| (destination.to_string(), value(of))))
}

fn capped(mut all: impl Iterator<Item = (String, u64)>) -> Vec<(String, u64)> {
    let named: Vec<_> = all.by_ref().take(DESTINATIONS_MAX).collect();
    let others = all.map(|(_, value)| value).reduce(u64::saturating_add);
    let others = others.map(|sum| (OTHER.to_owned(), sum));
    named.into_iter().chain(others).collect()
}

fn requests(now: &Scrape) -> Vec<(String, u64)> {
    labels(
        ["sent", "taken", "retried", "split", "dead-lettered"],
        [
            now.outlets(|of| of.sent),
            now.outlets(|of| of.acked),
            now.outlets(|of| of.retried),
            now.outlets(|of| of.split),
            now.outlets(|of| of.dead_lettered),
        ],
    )
}

fn rows(now: &Scrape) -> Vec<(String, u64)> {
    labels(
        ["taken", "dead-lettered", "clamped"],
        [
            now.outlets(|of| of.acked_rows),
            now.outlets(|of| of.dead_lettered_rows),
            now.outlets(|of| of.clamped_rows),
        ],
    )
}

fn verdicts(now: &Scrape) -> Vec<(String, u64)> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (label, count) in now.outlets.iter().flat_map(|(.., of)| &of.verdicts) {
        *sums.entry(label).or_insert(0) += count;
    }
    sums.into_iter().map(telling).collect()
}

impl Scrape {
    /// One number of all destinations that are sent to.
    fn outlets(&self, value: fn(&OutletStats) -> u64) -> u64 {
        self.outlets.iter().map(|(.., of)| value(of)).sum()
    }
}

fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}

/// Destinations with series of their own; of those beyond, there is the sum.
const DESTINATIONS_MAX: usize = 256;
const OTHER: &str = "other";
