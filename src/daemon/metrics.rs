//! The metrics of one reading of the ledger, named after the room they count in.

use std::sync::{Mutex, PoisonError};

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::daemon::ledger::Reading;
use crate::daemon::terms::Terms;
use crate::flow::Amount;
use crate::wire::Reason;

/// A counter of all lanes together: name, help, value.
type Count = (&'static str, &'static str, fn(&Terms) -> u64);
/// A record account: stem of the three names, help, value.
type Account = (&'static str, &'static str, fn(&Reading) -> Amount);

/// Sets every metric from a reading and renders the text: one scrape at a
/// time, so that all lines are of one reading.
pub(super) fn render(reading: &Reading, text: impl FnOnce() -> String) -> String {
    static SCRAPE: Mutex<()> = Mutex::new(());
    let _one_at_a_time = SCRAPE.lock().unwrap_or_else(PoisonError::into_inner);
    let sum = reading.sum();
    for (name, _, value) in COUNTS {
        counter!(*name).absolute(value(&sum));
    }
    for (label, count) in sum.refused() {
        counter!(REFUSED, "reason" => label).absolute(count);
    }
    for (label, count) in Reason::LABELS.iter().zip(sum.sessions.faults) {
        counter!(FAULTS, "reason" => *label).absolute(count);
    }
    for (index, lane) in reading.lanes.iter().enumerate() {
        counter!(MISSED, "lane" => index.to_string()).absolute(lane.missed);
    }
    gauge!(LIVE).set(approximate(sum.live));
    for (stem, _, value) in MOVED {
        let amount = value(reading);
        counter!(format!("{stem}_records_total")).absolute(amount.records);
        counter!(format!("{stem}_octets_total")).absolute(amount.octets);
        counter!(format!("{stem}_packets_total")).absolute(amount.packets);
    }
    for (stem, _, value) in WAITING {
        let amount = value(reading);
        gauge!(format!("{stem}_records")).set(approximate(amount.records));
        gauge!(format!("{stem}_octets")).set(approximate(amount.octets));
        gauge!(format!("{stem}_packets")).set(approximate(amount.packets));
    }
    text()
}

/// Describes every metric, once at start.
pub(super) fn describe() {
    for (name, help, _) in COUNTS {
        describe_counter!(*name, *help);
    }
    describe_counter!(REFUSED, "Datagrams of which nothing was taken, by reason.");
    describe_counter!(
        FAULTS,
        "Malformed parts of datagrams, by reason; each cost its own records."
    );
    describe_counter!(
        MISSED,
        "Datagrams the kernel dropped because the lane's receive buffer was full."
    );
    describe_gauge!(LIVE, "Flows in the cache.");
    for (stem, help, _) in MOVED {
        for unit in ["records", "octets", "packets"] {
            describe_counter!(format!("{stem}_{unit}_total"), format!("{help}: {unit}."));
        }
    }
    for (stem, help, _) in WAITING {
        for unit in ["records", "octets", "packets"] {
            describe_gauge!(format!("{stem}_{unit}"), format!("{help}: {unit}."));
        }
    }
}

/// Prometheus has floating point only; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn approximate(value: u64) -> f64 {
    value as f64
}

const REFUSED: &str = "flowlogd_session_refused_datagrams_total";
const FAULTS: &str = "flowlogd_wire_faults_total";
const MISSED: &str = "flowlogd_listen_kernel_dropped_datagrams_total";
const LIVE: &str = "flowlogd_cache_live_flows";

const COUNTS: &[Count] = &[
    (
        "flowlogd_listen_datagrams_total",
        "Datagrams received.",
        |terms| terms.received + terms.cut_short,
    ),
    (
        "flowlogd_listen_octets_total",
        "Octets of datagrams received.",
        |terms| terms.received_octets,
    ),
    (
        "flowlogd_session_decoded_datagrams_total",
        "Datagrams whose messages were taken.",
        |terms| terms.sessions.decoded,
    ),
    (
        "flowlogd_session_data_records_total",
        "Data Records decoded, options too.",
        |terms| terms.sessions.records,
    ),
    (
        "flowlogd_session_options_records_total",
        "Data Records of options.",
        |terms| terms.sessions.options_records,
    ),
    (
        "flowlogd_session_capped_records_total",
        "Data Records dropped because their datagram held too many.",
        |terms| terms.sessions.records_capped,
    ),
    (
        "flowlogd_session_throttled_records_total",
        "Data Records dropped because their exporter sent too many a second.",
        |terms| terms.sessions.records_throttled,
    ),
    (
        "flowlogd_session_unsourced_records_total",
        "Data Records dropped because too many exporters are known.",
        |terms| terms.sessions.records_unsourced,
    ),
    (
        "flowlogd_flow_undirected_records_total",
        "Data Records dropped because they have reverse elements but no direction.",
        |terms| terms.undirected,
    ),
    (
        "flowlogd_session_templates_defined_total",
        "Templates with a new id.",
        |terms| terms.sessions.templates.defined,
    ),
    (
        "flowlogd_session_templates_redefined_total",
        "Templates that replaced another definition.",
        |terms| terms.sessions.templates.redefined,
    ),
    (
        "flowlogd_session_templates_invalid_total",
        "Template definitions that cannot be used.",
        |terms| terms.sessions.templates.invalid,
    ),
    (
        "flowlogd_session_templates_evicted_total",
        "Templates given up for newer ones.",
        |terms| terms.sessions.templates.evicted,
    ),
    (
        "flowlogd_session_templates_refused_total",
        "Templates for which there was no room.",
        |terms| terms.sessions.templates.refused,
    ),
    (
        "flowlogd_session_template_missing_sets_total",
        "Data Sets that came before their template.",
        |terms| terms.sessions.orphans.missing,
    ),
    (
        "flowlogd_session_template_replayed_sets_total",
        "Data Sets decoded when their template came.",
        |terms| terms.sessions.orphans.replayed,
    ),
    (
        "flowlogd_session_sequence_lost_total",
        "Units missing by sequence number: flows in v5, messages in v9, records in IPFIX.",
        |terms| terms.sessions.sequence.lost,
    ),
    (
        "flowlogd_session_exporter_restarts_total",
        "Exporters seen restarting.",
        |terms| terms.sessions.restarts,
    ),
];

const MOVED: &[Account] = &[
    (
        "flowlogd_flow_decoded",
        "Flows and events decoded",
        |reading| reading.sum().flows,
    ),
    (
        "flowlogd_flowlog_unclaimed",
        "Flows of exporters that no flow log claims",
        |reading| reading.sum().unclaimed,
    ),
    (
        "flowlogd_flowlog_routed",
        "Flows on their way to a flow log, once per route",
        |reading| reading.sum().routed,
    ),
    (
        "flowlogd_cache_repeated",
        "Of totals, what earlier records had said already",
        |reading| reading.sum().repeated,
    ),
    (
        "flowlogd_daemon_handed_over",
        "Flows handed over by the lanes",
        |reading| reading.sum().handed,
    ),
    (
        "flowlogd_daemon_dropped",
        "Flows dropped because cache and hand-over were full",
        |reading| reading.sum().dropped,
    ),
    (
        "flowlogd_logstore_kept",
        "Flows the log store took",
        |reading| reading.accounts.kept,
    ),
    (
        "flowlogd_logstore_refused",
        "Flows the log store could not take",
        |reading| reading.accounts.refused,
    ),
];

const WAITING: &[Account] = &[
    ("flowlogd_cache_held", "Held in the flow cache", |reading| {
        reading.sum().held
    }),
    (
        "flowlogd_daemon_open",
        "In the lanes' open batches",
        |reading| reading.sum().open,
    ),
    (
        "flowlogd_daemon_in_flight",
        "Between the lanes and the log store",
        |reading| reading.accounts.in_flight,
    ),
];

/// Notes how a reload ended.
pub(super) fn reloaded(is_good: bool) {
    gauge!(RELOAD_SUCCESSFUL).set(f64::from(u8::from(is_good)));
}

const RELOAD_SUCCESSFUL: &str = "flowlogd_config_last_reload_successful";
