//! What is known only when it happens: durations, sizes of batches, results.

use std::time::Duration;

use metrics::{Histogram, counter, gauge, histogram};

use super::approximate;

/// Where a lane puts how long each batch of datagrams took; asked for once, as
/// a lane has no time to look it up.
pub(in crate::daemon) fn decoding_time() -> Histogram {
    histogram!("flowlogd_flow_decode_seconds")
}

/// A batch left the hand-over after some time.
pub(in crate::daemon) fn waited(rows: usize, time: Duration) {
    let rows = u64::try_from(rows).unwrap_or(u64::MAX);
    histogram!("flowlogd_daemon_batch_rows").record(approximate(rows));
    histogram!("flowlogd_daemon_hand_over_seconds").record(time);
}

/// Journal and log store took a batch, or refused it, in some time.
pub(in crate::daemon) fn settled(time: Duration) {
    histogram!("flowlogd_daemon_settle_seconds").record(time);
}

/// The journal made durable what it had, or tried to.
pub(in crate::daemon) fn journal_committed(time: Duration) {
    histogram!("flowlogd_journal_commit_seconds").record(time);
}

/// The log store wrote parts.
pub(in crate::daemon) fn committed(time: Duration) {
    histogram!("flowlogd_logstore_commit_seconds").record(time);
}

/// A question was answered, or refused.
pub(in crate::daemon) fn answered(result: &'static str, time: Duration) {
    histogram!("flowlogd_logstore_query_seconds").record(time);
    counter!("flowlogd_logstore_queries_total", "result" => result).increment(1);
}

/// A snapshot of the cache of such a size was taken in some time.
pub(in crate::daemon) fn snapshot_taken(bytes: u64, time: Duration, unix_ms: u64) {
    counter!("flowlogd_cache_snapshots_total", "result" => "success").increment(1);
    histogram!("flowlogd_cache_snapshot_seconds").record(time);
    gauge!("flowlogd_cache_snapshot_bytes").set(approximate(bytes));
    let seconds = Duration::from_millis(unix_ms).as_secs_f64();
    gauge!("flowlogd_cache_snapshot_timestamp_seconds").set(seconds);
}

/// A snapshot of the cache could not be written.
pub(in crate::daemon) fn snapshot_failed() {
    counter!("flowlogd_cache_snapshots_total", "result" => "failure").increment(1);
}

/// What became of the flows of the last run's snapshot.
pub(in crate::daemon) fn snapshot_resumed(resumed: u64, journaled: u64, unclaimed: u64) {
    let fates = [
        ("resumed", resumed),
        ("journaled", journaled),
        ("unclaimed", unclaimed),
    ];
    for (fate, flows) in fates {
        counter!("flowlogd_cache_snapshot_flows_total", "fate" => fate).increment(flows);
    }
}

/// The kernel granted the sockets of a port these buffers.
pub(in crate::daemon) fn buffer_granted(port: u16, bytes: usize) {
    let bytes = approximate(u64::try_from(bytes).unwrap_or(u64::MAX));
    gauge!("flowlogd_listen_receive_buffer_bytes", "port" => port.to_string()).set(bytes);
}

/// The first configuration is in force.
pub(in crate::daemon) fn loaded(unix_ms: u64) {
    for result in ["success", "failure"] {
        counter!("flowlogd_config_reloads_total", "result" => result).absolute(0);
    }
    in_force(unix_ms);
}

/// A reload ended.
pub(in crate::daemon) fn reloaded(is_good: bool, unix_ms: u64) {
    let result = if is_good { "success" } else { "failure" };
    counter!("flowlogd_config_reloads_total", "result" => result).increment(1);
    if is_good {
        in_force(unix_ms);
    } else {
        gauge!("flowlogd_config_last_reload_successful").set(0);
    }
}

fn in_force(unix_ms: u64) {
    let seconds = Duration::from_millis(unix_ms).as_secs_f64();
    gauge!("flowlogd_config_last_reload_successful").set(1);
    gauge!("flowlogd_config_last_reload_success_timestamp_seconds").set(seconds);
}
