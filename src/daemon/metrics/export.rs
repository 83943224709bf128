//! Metrics of re-export.

use super::Metric;
use super::Pair;
use super::Scrape;
use super::Value::{CountBy, CountByTwo, Held, LevelBy, Moved};
use crate::flow::Amount;
use crate::sink::CollectorReading;
use crate::sink::Tally;

pub(super) const EXPORT: &[Metric] = table! {
    "flowlogd_sink_netflow_in_flight" "Between the lanes and the queues of collectors"
        Held(|now| now.reading.accounts.netflow.in_flight);
    "flowlogd_sink_netflow_taken" "Flows that are for at least one collector"
        Moved(|now| now.reading.accounts.netflow.ended.taken);
    "flowlogd_sink_netflow_spared" "Flows that are for no collector"
        Moved(|now| now.reading.accounts.netflow.ended.spared);
    "flowlogd_sink_netflow_copies" "The same flows once more for each further collector"
        Moved(|now| now.reading.exports.copies);
    "flowlogd_sink_netflow_pending" "Flows that wait for a collector, or in a message that is not sent"
        Held(|now| now.sum_of_collectors(|of| of.pending));
    "flowlogd_sink_netflow_sent" "Flows in messages that were sent"
        Moved(|now| now.sum_of_collectors(|of| of.sent));
    "flowlogd_sink_netflow_unsent" "Flows that were not sent"
        Moved(|now| now.sum_of_collectors(Tally::unsent));
    "flowlogd_sink_netflow_collector_sent_records_total" "Records of flows in messages that were sent, by collector."
        CountBy("collector", |now| by_collector(now, |of| of.tally.sent.records));
    "flowlogd_sink_netflow_collector_unsent_records_total" "Records of flows that were not sent, by collector."
        CountByTwo("collector, reason", unsent);
    "flowlogd_sink_netflow_messages_total" "Messages sent, those with Templates only too."
        CountBy("collector", |now| by_collector(now, |of| of.tally.messages));
    "flowlogd_sink_netflow_bytes_total" "Octets of messages sent."
        CountBy("collector", |now| by_collector(now, |of| of.tally.octets));
    "flowlogd_sink_netflow_data_records_total" "Data Records of messages sent."
        CountBy("collector", |now| by_collector(now, |of| of.tally.records));
    "flowlogd_sink_netflow_failures_total" "Times a collector could not be reached; over UDP, as far as hosts say so."
        CountByTwo("collector, reason", failures);
    "flowlogd_sink_netflow_lacking_rows_total" "Rows sent without something that the version cannot carry."
        CountByTwo("collector, field", lacking);
    "flowlogd_sink_netflow_sessions_total" "Transport sessions begun."
        CountBy("collector", |now| by_collector(now, |of| of.tally.sessions));
    "flowlogd_sink_netflow_templates" "Templates in use, those of options too."
        LevelBy("collector", |now| by_collector(now, |of| of.tally.templates));
    "flowlogd_sink_netflow_queued_bytes" "Memory of batches that wait for a collector, in octets; collectors share them."
        LevelBy("collector", |now| by_collector(now, |of| bytes(of.queued_bytes)));
};

impl Scrape {
    /// One account of all collectors.
    fn sum_of_collectors(&self, read: fn(&Tally) -> Amount) -> Amount {
        read(&self.reading.exports.sum())
    }
}

/// One number of each collector.
fn by_collector(now: &Scrape, value: fn(&CollectorReading) -> u64) -> Vec<(String, u64)> {
    let all = now.reading.exports.collectors.iter();
    all.map(|of| (of.name.clone(), value(of))).collect()
}

fn bytes(queued: usize) -> u64 {
    u64::try_from(queued).unwrap_or(u64::MAX)
}

fn unsent(now: &Scrape) -> Vec<Pair> {
    by_two(now, |of| {
        let reasons = of.unsent.iter();
        reasons
            .map(|(why, amount)| (*why, amount.records))
            .collect()
    })
}

fn failures(now: &Scrape) -> Vec<Pair> {
    by_two(now, |of| {
        let reasons = of.failures.iter();
        reasons.map(|(why, count)| (*why, *count)).collect()
    })
}

fn lacking(now: &Scrape) -> Vec<Pair> {
    by_two(now, |of| of.lacking.by_label().collect())
}

/// Numbers of each collector by a second label.
fn by_two(now: &Scrape, values: fn(&Tally) -> Vec<(&'static str, u64)>) -> Vec<Pair> {
    let all = now.reading.exports.collectors.iter();
    let all = all.flat_map(|of| {
        let values = values(&of.tally).into_iter();
        values.map(|(label, count)| ([of.name.clone(), label.to_owned()], count))
    });
    all.collect()
}
