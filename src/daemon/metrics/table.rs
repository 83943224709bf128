//! Every metric of a scrape: name, how it counts, what it says, where it is read.
//!
//! One table per room, in the order of a datagram's way. Names are room, noun
//! and unit; an account of records is three metrics, `_records`, `_octets` and
//! `_packets`.

use super::Metric;
use super::Scrape;
use super::Value::{Count, CountBy, CountByTwo, Held, Level, LevelBy, Moved, Told};
use super::delivery::{JOURNAL, SINK};
use super::export::EXPORT;
use super::labels;
use super::relay;
use super::telling;
use crate::flow::EndReason;
use crate::telemetry::Kind;
use crate::wire::Reason;

pub(super) const ROOMS: [(&str, &[Metric]); 13] = [
    ("listen", LISTEN),
    ("wire", WIRE),
    ("session", SESSION),
    ("flow", FLOW),
    ("flowlog", FLOWLOG),
    ("cache", CACHE),
    ("journal", JOURNAL),
    ("logstore", LOGSTORE),
    ("sink", SINK),
    ("sink_netflow", EXPORT),
    ("api", API),
    ("config", CONFIG),
    ("daemon", DAEMON),
];

const LISTEN: &[Metric] = table! {
    "flowlogd_listen_datagrams_total" "Datagrams received."
        Count(|now| now.sum.received + now.sum.cut_short);
    "flowlogd_listen_octets_total" "Octets of datagrams received, those cut short not included."
        Count(|now| now.sum.received_octets);
    "flowlogd_listen_kernel_dropped_datagrams_total" "Datagrams the kernel dropped because the lane's receive buffer was full."
        CountBy("lane", |now| now.lanes(|lane| lane.missed));
    "flowlogd_listen_errors_total" "Calls to receive that failed and were survived."
        Count(|now| now.sum.receive_errors);
    "flowlogd_listen_receive_buffer_bytes" "Receive buffer the kernel granted each lane's socket, in octets; the least of a port."
        Told(Kind::Gauge, Some("port"));
    "flowlogd_listen_relayed_only_datagrams_total" "Datagrams copied to other collectors and not decoded here."
        Count(|now| now.sum.relayed_only);
    "flowlogd_listen_relayed_datagrams_total" "Copies of datagrams sent to other collectors."
        CountBy("destination", |now| relay::by_destination(now, |of| of.sent));
    "flowlogd_listen_relayed_octets_total" "Octets of these copies, without IP and UDP headers."
        CountBy("destination", |now| relay::by_destination(now, |of| of.octets));
    "flowlogd_listen_relay_unreachable_total" "Times a host said that nobody takes the copies sent before."
        CountBy("destination", |now| relay::by_destination(now, |of| of.unreachable));
    "flowlogd_listen_relay_dropped_datagrams_total" "Copies of datagrams that were not sent."
        CountByTwo("destination, reason", relay::dropped);
};

const WIRE: &[Metric] = table! {
    "flowlogd_wire_messages_total" "Sound messages; a v5 datagram may hold several."
        CountBy("version", |now| labels(["v5", "v9", "ipfix"], now.sum.sessions.messages));
    "flowlogd_wire_sets_total" "Sets taken."
        CountBy("type", |now| labels(["template", "data"], [now.sum.sessions.template_sets, now.sum.sessions.data_sets]));
    "flowlogd_wire_bad_sets_total" "Sets of which something was not taken."
        CountBy("reason", |now| labels(["malformed", "reserved-id", "empty-records"], bad_sets(now)));
    "flowlogd_wire_faults_total" "Malformed parts of datagrams; each cost its own records."
        CountBy("reason", |now| Reason::LABELS.iter().copied().zip(now.sum.sessions.faults).map(telling).collect());
    "flowlogd_wire_trailing_octets_total" "Octets after the last message of a datagram."
        Count(|now| now.sum.sessions.trailing_bytes);
};

const SESSION: &[Metric] = table! {
    "flowlogd_session_decoded_datagrams_total" "Datagrams whose messages were taken."
        Count(|now| now.sum.sessions.decoded);
    "flowlogd_session_refused_datagrams_total" "Datagrams of which nothing was taken."
        CountBy("reason", |now| now.sum.refused().map(telling).collect());
    "flowlogd_session_sessions" "Exporters' ports that are known."
        LevelBy("standing", |now| labels(["established", "probation"], [now.sum.tables.established, now.sum.tables.probation]));
    "flowlogd_session_created_total" "Sessions begun."
        Count(|now| now.sum.sessions.sessions.created);
    "flowlogd_session_established_total" "Sessions past probation."
        Count(|now| now.sum.sessions.sessions.established);
    "flowlogd_session_unestablished_total" "Times a session stayed on probation because there are too many."
        Count(|now| now.sum.sessions.sessions.unestablished);
    "flowlogd_session_quarantined_total" "Times a session was put into quarantine for sending malformed messages only."
        Count(|now| now.sum.sessions.sessions.quarantined);
    "flowlogd_session_ended_total" "Sessions forgotten: new ones took their place, or they were silent for hours."
        CountBy("reason", |now| labels(["displaced", "idle"], [now.sum.sessions.sessions.displaced, now.sum.sessions.sessions.idle]));
    "flowlogd_session_data_records_total" "Data Records decoded, those of options too."
        Count(|now| now.sum.sessions.records);
    "flowlogd_session_options_records_total" "Data Records of options."
        Count(|now| now.sum.sessions.options_records);
    "flowlogd_session_dropped_records_total" "Data Records dropped: their datagram held too many, or too many exporters are known."
        CountBy("reason", |now| labels(["too-many-records", "too-many-a-second", "too-many-sources"], [now.sum.sessions.records_capped, now.sum.sessions.records_throttled, now.sum.sessions.records_unsourced]));
    "flowlogd_session_unnamed_records_total" "Data Records that a mediator sent for another exporter, kept as its own because too many exporters are known."
        Count(|now| now.sum.sessions.records_unnamed);
    "flowlogd_session_options_rejected_total" "What options say and is not believed, or for which there is no room."
        CountBy("reason", options);
    "flowlogd_session_templates" "Templates that can be used."
        Level(|now| now.sum.tables.templates);
    "flowlogd_session_definition_bytes" "Memory of all template definitions, in octets."
        Level(|now| now.sum.tables.definition_bytes);
    "flowlogd_session_templates_received_total" "Template definitions received, by what became of them."
        CountBy("fate", received);
    "flowlogd_session_templates_ended_total" "Templates no longer used."
        CountBy("reason", ended);
    "flowlogd_session_template_flaps_total" "Template ids that changed too often within a minute."
        Count(|now| now.sum.sessions.templates.flaps);
    "flowlogd_session_withdrawals_ignored_total" "Template withdrawals without effect: over UDP, or of unknown ids."
        Count(|now| now.sum.sessions.templates.withdrawals_ignored);
    "flowlogd_session_disputed_sets_total" "Data Sets whose exporter's ports disagree on the template."
        Count(|now| now.sum.sessions.templates.conflicts);
    "flowlogd_session_template_missing_sets_total" "Data Sets that came before their template."
        Count(|now| now.sum.sessions.orphans.missing);
    "flowlogd_session_template_missing_ends_total" "What became of such Data Sets; the others wait."
        CountBy("end", orphans);
    "flowlogd_session_orphan_bytes" "Memory of Data Sets that wait for their template, in octets."
        Level(|now| now.sum.tables.orphan_bytes);
    "flowlogd_session_sequence_lost_total" "Units missing by sequence number: flows in v5, messages in v9, records in IPFIX."
        Count(|now| now.sum.sessions.sequence.lost);
    "flowlogd_session_duplicate_messages_total" "Messages that came again."
        Count(|now| now.sum.sessions.sequence.duplicates);
    "flowlogd_session_reordered_messages_total" "Messages that came late and filled a gap."
        Count(|now| now.sum.sessions.sequence.reordered);
    "flowlogd_session_sequence_resyncs_total" "Times an exporter's numbering started somewhere else."
        Count(|now| now.sum.sessions.sequence.resyncs);
    "flowlogd_session_exporter_restarts_total" "Exporters seen restarting."
        Count(|now| now.sum.sessions.restarts);
};

const FLOW: &[Metric] = table! {
    "flowlogd_flow_decode_seconds" "Time to take one batch of datagrams from the sockets' arena into the cache."
        Told(Kind::Histogram, None);
    "flowlogd_flow_decoded" "Flows and events decoded"
        Moved(|now| now.sum.flows);
    "flowlogd_flow_looped" "Flows that came by way of another collector and are here already, or were before"
        Moved(|now| now.sum.looped);
    "flowlogd_flow_undirected_records_total" "Data Records dropped because they have reverse elements but no direction."
        Count(|now| now.sum.undirected);
    "flowlogd_flow_partly_read_records_total" "Data Records read without some field: of impossible length, or one too many to keep."
        CountBy("reason", |now| labels(["opaque", "unkept"], [now.sum.opaque, now.sum.unkept]));
    "flowlogd_flow_nsel_connections" "Firewall connections remembered, so that none counts twice."
        Level(|now| now.sum.tables.connections);
    "flowlogd_flow_nsel_forgotten_total" "Firewall connections forgotten for lack of room: each may count twice."
        Count(|now| now.sum.nsel_forgotten);
};

const FLOWLOG: &[Metric] = table! {
    "flowlogd_flowlog_unclaimed" "Flows of exporters that no flow log claims"
        Moved(|now| now.sum.unclaimed);
    "flowlogd_flowlog_routed" "Flows on their way to a flow log, once per route"
        Moved(|now| now.sum.routed);
};

const CACHE: &[Metric] = table! {
    "flowlogd_cache_held" "Held in the flow cache"
        Held(|now| now.sum.held);
    "flowlogd_cache_repeated" "Of totals, what earlier records had said already"
        Moved(|now| now.sum.repeated);
    "flowlogd_cache_live_flows" "Flows in the cache."
        Level(|now| now.sum.live);
    "flowlogd_cache_records_total" "Records by what the cache did with them: a new flow, merged, passed on by choice, or for lack of room."
        CountBy("fate", |now| labels(["created", "merged", "passed", "bypassed"], fates(now)));
    "flowlogd_cache_resumed_flows_total" "Flows of an earlier run that go on."
        Count(|now| now.sum.cache.resumed);
    "flowlogd_cache_resumed" "Flows of an earlier run that were taken in again, also those that left at once"
        Moved(|now| now.sum.resumed);
    "flowlogd_cache_snapshot_flows_total" "Open flows of the last run by what became of them: taken in again, rows in the journal already, of no flow log any more."
        Told(Kind::Counter, Some("fate"));
    "flowlogd_cache_snapshots_total" "Snapshots of open flows: written, and such as could not be."
        Told(Kind::Counter, Some("result"));
    "flowlogd_cache_snapshot_seconds" "Time of one snapshot, from its begin until it is durable."
        Told(Kind::Histogram, None);
    "flowlogd_cache_snapshot_bytes" "Octets of the last snapshot."
        Told(Kind::Gauge, None);
    "flowlogd_cache_snapshot_timestamp_seconds" "When the last snapshot was written, in seconds since 1970."
        Told(Kind::Gauge, None);
    "flowlogd_cache_ended_flows_total" "Flows that left the cache, by flowEndReason."
        CountBy("reason", left);
    "flowlogd_cache_early_flows_total" "Of these, flows that left early: to make room, too long a span, a counter about to overflow."
        CountBy("reason", |now| labels(["room", "span", "overflow"], early(now)));
    "flowlogd_cache_late_flows_total" "Flows begun by a record that came after its flow had left."
        Count(|now| now.sum.cache.late);
    "flowlogd_cache_odometers" "Totals remembered of exporters that send odometers."
        Level(|now| now.sum.tables.odometers);
    "flowlogd_cache_odometer_records_total" "Records of odometers that did not simply go on."
        CountBy("fate", |now| labels(["restarted", "stale", "skipped"], odometers(now)));
};

const LOGSTORE: &[Metric] = table! {
    "flowlogd_logstore_kept" "Flows the log store took"
        Moved(|now| now.reading.accounts.store.ended.taken);
    "flowlogd_logstore_refused" "Flows the log store could not take"
        Moved(|now| now.reading.accounts.store.ended.refused);
    "flowlogd_logstore_spared" "Flows the log store is not to keep"
        Moved(|now| now.reading.accounts.store.ended.spared);
    "flowlogd_logstore_refused_reason_records_total" "Records the log store could not take, by why; of this run and store."
        CountBy("reason", refusals);
    "flowlogd_logstore_unflushed" "In the log store's memory, not yet in a part"
        Held(|now| now.stored.stats.unflushed);
    "flowlogd_logstore_discarded" "In memory only when their logstore was deleted"
        Moved(|now| now.stored.stats.discarded);
    "flowlogd_logstore_deleted" "In parts when their logstore was deleted"
        Moved(|now| now.stored.stats.deleted);
    "flowlogd_logstore_logs_total" "Logs of clients, which are no flows: taken, and refused."
        CountBy("fate", |now| labels(["taken", "refused"], [now.stored.stats.appended_logs, now.stored.stats.refused_logs]));
    "flowlogd_logstore_tail_bytes" "Memory of rows that are in no part yet, in octets."
        Level(|now| now.stored.stats.tail_bytes);
    "flowlogd_logstore_parts" "Parts on disk."
        Level(|now| now.stored.parts);
    "flowlogd_logstore_parts_rows" "Rows in parts."
        Level(|now| now.stored.rows);
    "flowlogd_logstore_parts_bytes" "Size of all parts on disk, in octets."
        Level(|now| now.stored.bytes);
    "flowlogd_logstore_parts_written_total" "Parts written: from memory, and by merging smaller ones."
        CountBy("from", |now| labels(["tail", "parts"], [now.stored.stats.parts_written, now.stored.stats.parts_merged]));
    "flowlogd_logstore_parts_removed_total" "Parts deleted with their hour, and set aside because they are damaged or gone."
        CountBy("reason", |now| labels(["retired", "damaged"], [now.stored.stats.retired_parts, now.stored.stats.damaged_parts]));
    "flowlogd_logstore_damaged_files_removed_total" "Damaged files that were kept, deleted for their age or the disk budget."
        Count(|now| now.stored.stats.removed_damaged);
    "flowlogd_logstore_debris_files_total" "Files removed because no manifest names them."
        Count(|now| now.stored.stats.debris_files);
    "flowlogd_logstore_retired_records_total" "Records deleted with their hour, by why."
        CountBy("reason", |now| labels(["age", "budget"], [now.stored.stats.retired_by_age.records, now.stored.stats.retired_by_budget.records]));
    "flowlogd_logstore_damaged_rows_total" "Rows of parts set aside because they are damaged or gone."
        Count(|now| now.stored.stats.damaged_rows);
    "flowlogd_logstore_damaged_manifests_total" "Manifests that were damaged and made anew from the parts."
        Count(|now| now.stored.stats.damaged_manifests);
    "flowlogd_logstore_write_errors_total" "Writes of parts and manifests that failed."
        Count(|now| now.stored.stats.write_errors);
    "flowlogd_logstore_commit_seconds" "Time of one upkeep that wrote parts."
        Told(Kind::Histogram, None);
    "flowlogd_logstore_query_seconds" "Time from a question to its answer, refused ones too."
        Told(Kind::Histogram, None);
    "flowlogd_logstore_queries_total" "Questions, by how they ended."
        Told(Kind::Counter, Some("result"));
};

const API: &[Metric] = table! {
    "flowlogd_api_connections" "Connections to the HTTP listeners that are open."
        Level(|now| now.connections.open());
    "flowlogd_api_accepted_connections_total" "Connections to the HTTP listeners."
        Count(|now| now.connections.accepted());
    "flowlogd_api_closed_connections_total" "Those closed before their client ended them: head not sent in time, no other request, nothing of an answer taken, displaced by others while nothing came, no room, no TLS, no HTTP."
        CountBy("reason", |now| now.connections.closed().map(telling).into());
    "flowlogd_api_accept_errors_total" "Times that a connection could not be accepted."
        Count(|now| now.connections.not_accepted());
    "flowlogd_api_certificate_loads_total" "Times that other certificate files were found: shown from then on, or of no use."
        CountBy("result", |now| labels(["success", "failure"], now.connections.certificates()));
};

const CONFIG: &[Metric] = table! {
    "flowlogd_config_last_reload_successful" "1 if the configuration last read is in force, else 0."
        Told(Kind::Gauge, None);
    "flowlogd_config_last_reload_success_timestamp_seconds" "When the configuration in force was read, in seconds since 1970."
        Told(Kind::Gauge, None);
    "flowlogd_config_reloads_total" "Reloads, by how they ended."
        Told(Kind::Counter, Some("result"));
};

const DAEMON: &[Metric] = table! {
    "flowlogd_daemon_open" "In the lanes' open batches"
        Held(|now| now.sum.open);
    "flowlogd_daemon_handed_over" "Flows handed over by the lanes"
        Moved(|now| now.sum.handed);
    "flowlogd_daemon_dropped" "Flows dropped because cache and hand-over were full"
        Moved(|now| now.sum.dropped);
    "flowlogd_daemon_in_flight" "Between the lanes and the log store"
        Held(|now| now.reading.accounts.store.in_flight);
    "flowlogd_daemon_hand_over_bytes" "Memory of batches that wait for the log store, in octets."
        Level(|now| now.waiting_bytes);
    "flowlogd_daemon_hand_over_seconds" "Time a batch waited between its lane and the log store."
        Told(Kind::Histogram, None);
    "flowlogd_daemon_settle_seconds" "Time until journal and log store had one batch."
        Told(Kind::Histogram, None);
    "flowlogd_daemon_batch_rows" "Rows of a batch handed over."
        Told(Kind::Histogram, None);
};

fn bad_sets(now: &Scrape) -> [u64; 3] {
    let stats = &now.sum.sessions;
    [stats.malformed_sets, stats.reserved_sets, stats.empty_sets]
}

fn options(now: &Scrape) -> Vec<(String, u64)> {
    let stats = &now.sum.sessions;
    labels(
        ["sampling-rate", "no-room", "element-type", "flow-key"],
        [
            stats.rates_rejected,
            stats.options_dropped,
            stats.types_rejected,
            stats.flow_keys_rejected,
        ],
    )
}

fn received(now: &Scrape) -> Vec<(String, u64)> {
    let stats = now.sum.sessions.templates;
    labels(
        ["defined", "refreshed", "redefined", "invalid", "refused"],
        [
            stats.defined,
            stats.refreshed,
            stats.redefined,
            stats.invalid,
            stats.refused,
        ],
    )
}

fn ended(now: &Scrape) -> Vec<(String, u64)> {
    let stats = now.sum.sessions.templates;
    labels(
        ["withdrawn", "expired", "evicted", "invalidated"],
        [
            stats.withdrawn,
            stats.expired,
            stats.evicted,
            stats.invalidated,
        ],
    )
}

fn orphans(now: &Scrape) -> Vec<(String, u64)> {
    let stats = now.sum.sessions.orphans;
    [
        ("replayed", stats.replayed),
        ("refused", stats.refused),
        ("late", stats.late),
        ("aged", stats.aged),
        ("displaced", stats.displaced),
        ("superseded", stats.superseded),
        ("abandoned", stats.abandoned),
    ]
    .map(telling)
    .into()
}

fn fates(now: &Scrape) -> [u64; 4] {
    let stats = &now.sum.cache;
    [stats.created, stats.merged, stats.passed, stats.bypassed]
}

fn left(now: &Scrape) -> Vec<(String, u64)> {
    [
        ("unknown", EndReason::Unknown),
        ("inactive", EndReason::Idle),
        ("active", EndReason::Active),
        ("end", EndReason::End),
        ("forced", EndReason::Forced),
        ("resources", EndReason::Resources),
    ]
    .map(|(label, reason)| telling((label, now.sum.cache.expired(reason))))
    .into()
}

fn early(now: &Scrape) -> [u64; 3] {
    let stats = &now.sum.cache;
    [stats.evictions, stats.span_guards, stats.overflows]
}

fn odometers(now: &Scrape) -> [u64; 3] {
    let stats = &now.sum.cache.odometers;
    [stats.restarts, stats.stale, stats.skipped]
}

fn refusals(now: &Scrape) -> Vec<(String, u64)> {
    let stats = &now.stored.stats;
    labels(
        ["full", "unfit"],
        [stats.refused_full.records, stats.refused_unfit.records],
    )
}
